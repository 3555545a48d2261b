"""Weight optimisation: the conductances of a chip are the weights, and each is written where the gradient wants it.

The usual way to train on resistive memory; mask learning (`mask_learner`) is compared with it.
"""

import math
from dataclasses import dataclass, replace
from typing import Dict, Mapping, NamedTuple, Optional, Tuple, Union

import numpy as np

from ..chip.chip import Chip
from ..errors import ConfigError, ShapeError
from ..files import fill, part, prefixed
from ..nn.network import Network, matrices
from ..rng import stream
from .learned import Arrays, Groups, Learned, copies
from .learner import Generators, Learner
from .recipe import Schedule

REALISATIONS = ("pair", "one")
"""what a weight is where the chip alone remembers it: the difference of two formed cells, or one formed cell"""


@dataclass(frozen=True)
class Writing:
    """How weight optimisation writes the cells of a chip."""

    tuning_error: float = 0.0015
    """standard deviation of what a write reaches, relative to its target (the replayed cells' figure, authors' code)"""
    threshold_S: float = 0.0
    """a weight is written once what it holds is this far from what is wanted; 0: at every update"""
    interval: int = 1
    """steps whose gradients are averaged into one update of the weights"""
    budget: Optional[int] = None
    """writes that may be spent, over all cells; None: any number"""
    budget_steps: Optional[int] = None
    """steps over which the budget becomes available, evenly; None: all of it is there from the start"""
    realisation: Optional[str] = None
    """see `plain_weights`: "pair", two formed cells, or "one", one formed cell, is all that remembers a weight; None:
    float32 weights beside the chip do"""

    def __post_init__(self) -> None:
        for name in ("tuning_error", "threshold_S"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be finite and not negative")
        if self.realisation not in (None,) + REALISATIONS:
            raise ConfigError(f"realisation is {self.realisation!r}; it must be None or one of {REALISATIONS}")
        if self.realisation is not None and (self.interval != 1 or self.threshold_S or self.budget_steps is not None):
            raise ConfigError("what the chip alone remembers is written whole at each step: no threshold, no interval")
        if self.interval < 1:
            raise ConfigError(f"interval is {self.interval}; it must be at least 1")
        if self.budget is not None and self.budget < 0:
            raise ConfigError(f"budget is {self.budget}; it must be 0 or more, or None")
        if self.budget_steps is not None and self.budget_steps < 1:
            raise ConfigError(f"budget_steps is {self.budget_steps}; it must be at least 1, or None")


class WriteLearner(Learner):
    """Weight optimisation: the conductances of a chip's pairs are tuned by gradient, each write with its error.

    Weights start as the differences of the freshly formed cells, which have the He variance at no write. `wanted`:
    the weights that gradient descent arrives at, kept as float32 on the digital side. Gradients are taken at what
    the chip really holds, read with noise. When the budget is spent the chip stays as it is, and only the digital
    state goes on learning.

    `pulses`: writes that raised a cell ("set") and that lowered one ("reset"). `answers`: dict matrix name -> bool
    (2, fan_in, fan_out), the cells of G+ and G- that have not been found dead: a cell that a write leaves as it was is
    never written again, and its partner makes up for it as far as it can. `spent_at_step`: the first step at which
    99 % of the budget were spent, None before.
    """

    def __init__(self, network: Network, chip: Chip, *, recipe: Schedule, writing: Writing, threads: int = 1) -> None:
        if chip.placement.shapes != matrices(network) or chip.level != "cell":
            raise ConfigError(f"weights of {network.name} need a chip placed for it, at cell level")
        super().__init__(network, recipe, threads=threads)
        self.chip = chip
        self.writing = writing
        (off_S, _), (on_S, sigma_ln) = chip.cell_model.hrs_spread(), chip.cell_model.lrs_spread()
        self.range_S = off_S, on_S * math.exp(3 * sigma_ln)
        self.pulses = {"set": 0, "reset": 0}
        self.steps, self.gathered_steps = 0, 0
        self.spent_at_step: Optional[int] = None
        self.scales_S: Dict[str, float] = {}
        self.wanted: Arrays = {}
        self.velocity: Arrays = {}
        self.gathered: Arrays = {}
        self.answers: Arrays = {}
        read_out_S = chip.read_out(stream(recipe.seed, "read-out"))
        for name, (fan_in, _) in matrices(network):
            plus_S, minus_S = chip.placement.gather(name, read_out_S)
            difference_S = plus_S - minus_S
            self.scales_S[name] = float(np.sqrt(np.mean(difference_S**2) * fan_in / 2))
            self.wanted[name] = (difference_S / self.scales_S[name]).astype(np.float32)
            self.velocity[name] = np.zeros_like(self.wanted[name])
            self.gathered[name] = np.zeros_like(self.wanted[name])
            self.answers[name] = np.ones((2,) + self.wanted[name].shape, bool)

    def aim(self, weights: Mapping[str, np.ndarray]) -> None:
        """Want these weights, dict name -> (fan_in, fan_out), each matrix at the scale at which its largest just fits.

        The larger the conductance of a weight, the less do noise and what is never written matter.
        """
        low_S, high_S = self.range_S
        for name, wanted in self.wanted.items():
            target = np.asarray(weights[name], np.float32)
            if target.shape != wanted.shape:
                raise ShapeError(f"weights of {name}: {target.shape}, expected {wanted.shape}")
            largest = float(np.abs(target).max())
            if largest > 0:
                self.scales_S[name] = (high_S - low_S) / largest
            wanted[...] = target

    def take_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on with this digital state: statistics, ranges, what is trained on the digital side."""
        fill(self.state, {name: np.array(array) for name, array in state.items()}, what="state")

    def learned_groups(self) -> Groups:
        """The weights that gradient descent wants; what the chip holds belongs to them, see `learned`."""
        return {"wanted": self.wanted}

    def moving_groups(self) -> Groups:
        """Velocity, gathered gradients, cells that still answer."""
        return {"velocity": self.velocity, "gathered": self.gathered, "answers": self.answers}

    def read_weights(self, generators: Optional[Generators] = None) -> Arrays:
        """One fresh read of every mapped cell as weights, dict name -> float32; noiseless without `generators`."""
        return self.read_chip(self.chip, self.scales_S, generators=generators)

    def update(self, gradients: Arrays, rate: float) -> None:
        """Gather gradients; every `interval` steps move what is wanted and write what is due."""
        low_S, high_S = self.range_S
        for name, gathered in self.gathered.items():
            gathered += gradients[name]
        self.steps += 1
        self.gathered_steps += 1
        if self.gathered_steps < self.writing.interval:
            return
        for name, wanted in self.wanted.items():
            gradient = self.gathered[name]
            gradient /= np.float32(self.gathered_steps)
            self.descend(wanted, self.velocity[name], gradient=gradient, rate=rate)
            limit = np.float32((high_S - low_S) / self.scales_S[name])
            np.clip(wanted, -limit, limit, out=wanted)
            gradient[...] = 0
        self.gathered_steps = 0
        self.write()

    def writes_left(self) -> Union[int, float]:
        """How many writes the budget allows now; infinity without a budget."""
        budget, over = self.writing.budget, self.writing.budget_steps
        if budget is None:
            return math.inf
        available = budget if over is None or self.steps >= over else budget * self.steps // over
        return available - sum(self.pulses.values())

    def write(self) -> None:
        """Write the weights that are off by the threshold or more; what the budget allows, the farthest first."""
        left = self.writes_left()
        if left <= 0:
            return
        plans = {name: self._plan(name) for name in self.wanted}
        cost = np.concatenate([plan.cells.sum(axis=0) for plan in plans.values()])
        if cost.sum() > left:
            change_S = np.concatenate([plan.change_S for plan in plans.values()])
            # Every weight that is due costs a write or two: more than `left` of them are never written.
            most = int(min(left, len(change_S)))
            least_S = np.partition(change_S, -most)[-most]
            order = np.flatnonzero(change_S >= least_S)
            order = order[np.argsort(-change_S[order], kind="stable")]
            allowed: np.ndarray = np.zeros(len(change_S), bool)
            allowed[order] = np.cumsum(cost[order]) <= left
            borders = np.cumsum([len(plan.flat) for plan in plans.values()])
            for (name, plan), chosen in zip(list(plans.items()), np.split(allowed, borders[:-1])):
                plans[name] = plan.only(chosen)
        if any(plan.cells.any() for plan in plans.values()):
            self._carry_out(plans)
        budget = self.writing.budget
        if budget and self.spent_at_step is None and sum(self.pulses.values()) >= 0.99 * budget:
            self.spent_at_step = self.steps

    def _carry_out(self, plans: Dict[str, "Plan"]) -> None:
        """Write what `plans` (dict matrix name -> `Plan`) say, and note which cells did not answer."""
        cells, target_S = np.zeros(self.chip.used.shape, bool), np.zeros(self.chip.used.shape)
        for name, plan in plans.items():
            shape = self.wanted[name].shape
            plus, minus = plan.spread(plan.cells, shape)
            self.chip.placement.scatter(name, (plus, minus), cells=cells)
            plus, minus = plan.spread(plan.target_S, shape)
            self.chip.placement.scatter(name, (plus, minus), cells=target_S)
            rises = plan.target_S > plan.present_S
            self.pulses["set"] += int(np.count_nonzero(plan.cells & rises))
            self.pulses["reset"] += int(np.count_nonzero(plan.cells & ~rises))
        self.chip.tune(cells, target_S, relative_error=self.writing.tuning_error)
        for name, plan in plans.items():
            dead = plan.cells & (self._present_S(name)[:, plan.flat] == plan.present_S)
            # One that did answer may land where it was, but not from six standard deviations away.
            miss_S = 6 * self.writing.tuning_error * plan.target_S + self.chip.cell_model.grid_S
            dead &= np.abs(plan.target_S - plan.present_S) > miss_S
            self.answers[name].reshape(2, -1)[:, plan.flat] &= ~dead

    def _present_S(self, name: str) -> np.ndarray:
        """What the cells of a matrix hold, (2, weights). Closed-loop tuning reads a pair as often as it takes; what it
        does not get right is the tuning error."""
        present_S = np.stack([cells.ravel() for cells in self.chip.pair_grid(name)])
        present_S *= np.float32(self.chip.cell_model.grid_S)
        return present_S

    def _plan(self, name: str) -> "Plan":
        """The `Plan` of one matrix."""
        present_S = self._present_S(name)
        wanted_S = self.wanted[name].ravel() * np.float32(self.scales_S[name])
        change_S = np.abs(wanted_S - (present_S[0] - present_S[1]))
        flat = np.flatnonzero(change_S >= self.writing.threshold_S)
        answers = self.answers[name].reshape(2, -1)[:, flat]
        present_S, wanted_S = present_S[:, flat], wanted_S[flat].astype(np.float64)
        low_S, high_S = self.range_S
        target_S, cells = pair_targets(present_S.astype(np.float64), wanted_S, low_S=low_S, high_S=high_S)
        change_S = change_S[flat]
        with_dead = np.flatnonzero(~answers.all(axis=0))
        if len(with_dead):
            target_S[:, with_dead], cells[:, with_dead] = targets_around(
                present_S[:, with_dead],
                wanted_S[with_dead],
                answers=answers[:, with_dead],
                low_S=low_S,
                high_S=high_S,
                threshold_S=self.writing.threshold_S,
            )
            # What is out of reach must not come first in the queue for a budget.
            change_S[with_dead] = np.abs(target_S[:, with_dead] - present_S[:, with_dead]).max(axis=0)
        plan = Plan(flat, change_S, present_S, target_S, cells)
        return plan.only(np.any(cells, axis=0)) if len(with_dead) else plan

    def pulse_counts(self) -> Tuple[int, int]:
        """(SET, RESET): writes so far that raised a cell, and that lowered one."""
        return self.pulses["set"], self.pulses["reset"]

    def learned(self) -> Learned:
        """What is learned now: weights, digital state, and the state of the chip."""
        learned = super().learned()
        return replace(learned, groups=dict(learned.groups, chip=copies(self.chip.state())))

    def adopt(self, learned: Learned) -> None:
        """Return to what was learned before, chip and all, as if learning had stopped there."""
        super().adopt(learned)
        self.chip.restore(learned.groups.get("chip", {}))

    def checkpoint(self) -> Arrays:
        """Everything that `restore` needs, as a flat dict of arrays."""
        arrays = dict(super().checkpoint(), gathered_steps=np.array(self.gathered_steps, np.int64))
        arrays["steps"] = np.array(self.steps, np.int64)
        if self.spent_at_step is not None:
            arrays["spent_at_step"] = np.array(self.spent_at_step, np.int64)
        arrays.update(prefixed("pulses", {kind: np.array(count, np.int64) for kind, count in self.pulses.items()}))
        arrays.update(
            prefixed("scale_S", {name: np.array(scale_S, np.float64) for name, scale_S in self.scales_S.items()})
        )
        arrays.update(prefixed("chip", self.chip.state()))
        return arrays

    def restore_parts(self, arrays: Mapping[str, np.ndarray]) -> None:
        """What `restore` does; KeyError for what is missing."""
        super().restore_parts(arrays)
        self.steps, self.gathered_steps = int(arrays["steps"]), int(arrays["gathered_steps"])
        self.spent_at_step = int(arrays["spent_at_step"]) if "spent_at_step" in arrays else None
        self.pulses = {kind: int(arrays["pulses/" + kind]) for kind in self.pulses}
        self.scales_S = {name: float(arrays["scale_S/" + name]) for name in self.scales_S}
        self.chip.restore(part(arrays, "chip"))


class Plan(NamedTuple):
    """What is to be written in one matrix. Arrays per weight that is due; [0] = plus cell, [1] = minus cell."""

    flat: np.ndarray
    """flat index of each weight that is due"""
    change_S: np.ndarray
    """how far it is off; with a dead cell, how far the other one can bring it"""
    present_S: np.ndarray
    """(2, due) what its cells hold"""
    target_S: np.ndarray
    """(2, due) conductances aimed at"""
    cells: np.ndarray
    """bool (2, due), which cells are written"""

    def only(self, chosen: np.ndarray) -> "Plan":
        """The part of the plan for `chosen` (bool per weight that is due)."""
        return Plan(*(array[..., chosen] for array in self))

    def spread(self, pair: np.ndarray, shape: Tuple[int, ...]) -> np.ndarray:
        """(plus, minus) of `pair` (2, due) as matrices of `shape`, 0 where nothing is due."""
        matrices_of = np.zeros((2, shape[0] * shape[1]), pair.dtype)
        matrices_of[:, self.flat] = pair
        return matrices_of.reshape((2,) + shape)


def pair_targets(
    present_S: np.ndarray, wanted_S: np.ndarray, *, low_S: float, high_S: float
) -> Tuple[np.ndarray, np.ndarray]:
    """How a pair comes to differ by `wanted_S` (n,): (targets (2, n), cells to write bool (2, n)); [0] = plus.

    present_S: (2, n). One write where one is enough. The cell that is to fall is lowered, down to `low_S`, because
    read noise and tuning error grow with conductance; else the other is raised, up to `high_S`; else both are
    written: one to `low_S`, the other `wanted_S` above it.
    """
    plus_S, minus_S = present_S
    from_minus_S, from_plus_S = minus_S + wanted_S, plus_S - wanted_S
    plus_falls = from_minus_S < plus_S
    lowered_S = np.where(plus_falls, from_minus_S, from_plus_S)
    raised_S = np.where(plus_falls, from_plus_S, from_minus_S)
    lower = lowered_S >= low_S
    both = ~lower & (raised_S > high_S)
    write_plus = both | (lower == plus_falls)
    write_minus = both | (lower != plus_falls)
    target_S = np.stack(
        [
            np.where(both, low_S + np.maximum(wanted_S, 0), np.where(write_plus, from_minus_S, plus_S)),
            np.where(both, low_S + np.maximum(-wanted_S, 0), np.where(write_minus, from_plus_S, minus_S)),
        ]
    )
    return target_S, np.stack([write_plus, write_minus])


def targets_around(
    present_S: np.ndarray,
    wanted_S: np.ndarray,
    *,
    answers: np.ndarray,
    low_S: float,
    high_S: float,
    threshold_S: float,
) -> Tuple[np.ndarray, np.ndarray]:
    """As `pair_targets` for pairs with a dead cell, or two: the other goes as far towards `wanted_S` as it can.

    answers: bool (2, n). A cell is written where that changes it, by `threshold_S` or more.
    """
    plus_S, minus_S = present_S
    target_S = np.clip(np.stack([minus_S + wanted_S, plus_S - wanted_S]), low_S, high_S)
    change_S = np.abs(target_S - present_S)
    cells = answers & (change_S > 0) & (change_S >= threshold_S)
    return np.where(cells, target_S, present_S), cells

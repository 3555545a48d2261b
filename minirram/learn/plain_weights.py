"""Weight optimisation as Li et al. (arXiv 2311.07164) count it: the chip alone remembers the weights.

`written_weights` is the best baseline that we know; this is the plain one.
"""

from itertools import islice
from typing import Any, Callable, Dict, Iterable, Optional, Tuple, Union

import numpy as np

from ..chip.chip import Chip
from ..chip.levels import draw_signs
from ..errors import ConfigError
from ..nn.network import Network, weights_by_layer
from .learned import Arrays
from .learner import Batch, Predict, TrainingData
from .recipe import Schedule
from .written_weights import Plan, WriteLearner, Writing, pair_targets


class PlainLearner(WriteLearner):
    """Every weight is written at every step, to what its cells hold less a step of the descent.

    No copy of the weights is kept, so the errors of writes add up. (The momentum is kept: it is the optimiser's.)
    `writing.realisation`: "pair", a weight is the difference of two formed cells, of which one is written; "one", it is
    one formed cell on the side of its sign, the partner off. The error of a write is relative to the written cell,
    which with one formed cell is nearly the weight. `wanted` is where the last update aimed, and nothing reads it.

    The budget counts weights: an update is paid with one write of each, and learning ends with the last that is paid.
    `pulses` counts cells: a weight that changes its sign, or leaves the range of one cell, takes two.
    """

    def __init__(self, network: Network, chip: Chip, *, recipe: Schedule, writing: Writing, threads: int = 1) -> None:
        self.weights = sum(weights_by_layer(network).values())
        if writing.budget is not None and writing.budget < self.weights:
            raise ConfigError(
                f"a budget of {writing.budget} writes; one update of the {self.weights} weights is the least, for they "
                "are all written at each step"
            )
        if writing.realisation == "one":
            signs = draw_signs(recipe.seed, chip.placement)
            chip.program({name: np.stack([sign, ~sign]) for name, sign in signs.items()}, signs)
        super().__init__(network, chip, recipe=recipe, writing=writing, threads=threads)

    @property
    def finished(self) -> bool:
        """Whether the budget does not pay for one more update."""
        return self.writes_left() < self.weights

    def writes_left(self) -> Union[int, float]:
        """How many writes of weights the budget still pays for; infinity without a budget."""
        return np.inf if self.writing.budget is None else self.writing.budget - self.steps * self.weights

    def epoch(self, data: TrainingData, *, on_step: Optional[Callable[[], None]] = None) -> Dict[str, Any]:
        """As `Learner.epoch`; the batches end with the budget, the rate falls as if it did not."""
        left = self.writes_left()
        return super().epoch(data if left == np.inf else _First(data, int(left) // self.weights), on_step=on_step)

    def update(self, gradients: Arrays, rate: float) -> None:
        """Write every weight once."""
        low_S, high_S = self.range_S
        self.steps += 1
        for name, wanted in self.wanted.items():
            plus_S, minus_S = self._present_S(name)
            wanted[...] = ((plus_S - minus_S) / np.float32(self.scales_S[name])).reshape(wanted.shape)
            self.descend(wanted, self.velocity[name], gradient=gradients[name], rate=rate)
            limit = np.float32((high_S - low_S) / self.scales_S[name])
            np.clip(wanted, -limit, limit, out=wanted)
        self._carry_out({name: self._plan(name) for name in self.wanted})
        if self.finished:
            self.spent_at_step = self.steps

    def _plan(self, name: str) -> Plan:
        """Every weight of one matrix, whether its cells ever answered or not."""
        present_S: np.ndarray = self._present_S(name).astype(np.float64)
        wanted_S = self.wanted[name].ravel() * np.float64(self.scales_S[name])
        targets = pair_targets if self.writing.realisation == "pair" else one_cell_targets
        target_S, cells = targets(present_S, wanted_S, low_S=self.range_S[0], high_S=self.range_S[1])
        change_S = np.abs(wanted_S - (present_S[0] - present_S[1]))
        return Plan(np.arange(len(wanted_S)), change_S, present_S, target_S, cells)


def one_cell_targets(
    present_S: np.ndarray, wanted_S: np.ndarray, *, low_S: float, high_S: float
) -> Tuple[np.ndarray, np.ndarray]:
    """As `pair_targets` where one cell of a pair is on: it is written to `|wanted_S|` above its partner.

    A weight that changes its sign is written twice: its cell to `low_S`, the partner above that.
    """
    positive = wanted_S >= 0
    turns = positive != (present_S[0] >= present_S[1])
    on = np.stack([positive, ~positive])
    floor_S = np.where(turns, low_S, present_S[::-1])
    target_S = np.where(on, np.minimum(floor_S + np.abs(wanted_S), high_S), np.where(turns, low_S, present_S))
    return target_S, on | turns


class _First:
    """The first batches of an epoch of other data."""

    def __init__(self, data: TrainingData, most: int) -> None:
        self.data, self.most = data, most

    def steps_per_epoch(self, recipe: Any) -> int:
        """Those of the whole epoch: the schedule of the rate goes by them."""
        return self.data.steps_per_epoch(recipe)

    def batches(self, generator: np.random.Generator, recipe: Any) -> Iterable[Batch]:
        """At most `most` of them."""
        return islice(self.data.batches(generator, recipe), self.most)

    def validation_score(self, predict: Predict) -> float:
        """That of the data."""
        return self.data.validation_score(predict)

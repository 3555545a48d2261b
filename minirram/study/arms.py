"""The arms of a comparison: what is learned, on which hardware, and where the search for free settings begins."""

import math
from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from ..errors import ConfigError, did_you_mean
from ..learn.written_weights import Writing
from ..nn.network import Network, weights_by_layer
from ..runs.config import RunConfig
from .settings_search import Search, Settings
from .weight_runs import WeightConfig

TUNING_ERRORS = (0.0015, 0.01, 0.05, 0.15)
"""relative errors of a write that weight optimisation is tried with; the first is that of replayed cells"""
RATES = (0.025, 0.05, 0.1)
"""learning rates that the search begins with, at the recipe's momentum"""
LARGE_BATCH_RATES = (0.05, 0.1, 0.2)
"""the same where few updates, each from many gradients, are all that a budget allows"""
PLAIN_ERRORS = (0.0015, 0.01, 0.05, 0.06, 0.15)
"""the same for weights that the chip alone remembers; 6 % is fitted to the paper's figures, see docs/comparison.md"""
PLAIN = Settings(0.1, 0.0, 0.9, 5e-4)
"""what such weights are learned with: the authors' recipe, not searched"""
PLAIN_BATCH = {"fashion-mnist": 60, "spoken-digits": 30}
"""samples of a step of it, authors' code; other tasks: their recipe's"""
THRESHOLD = 0.25
"""threshold that the search begins with, see `Settings`"""
FEWEST_UPDATES = 20
"""updates of all weights that a budget must allow; with fewer no network learns, and parts are written at every step"""


@dataclass(frozen=True)
class Arm:
    """One way to learn the network of a task."""

    name: str
    """what the command line calls it"""
    text: str
    """what it is, for the table"""
    level: Optional[str] = None
    """of masks: 'pair' or 'cell'; None: weights are learned"""
    hysteresis: bool = True
    """masks: whether a bit needs a least change to flip"""
    read_noise: bool = True
    """masks: whether reads are noisy, in learning and in the examination"""
    tuning_error: Optional[float] = None
    """of each write; None: no cell is written to a value"""
    thresholded: bool = False
    """whether a weight is written only when it is off by a threshold, else at every update"""
    budgeted: bool = False
    """whether the writes are limited to the program count of the "pair" arm"""
    realisation: Optional[str] = None
    """what a weight is that the chip alone remembers, see `plain_weights`; None: there is a copy, or no weight"""

    @property
    def scheme(self) -> Tuple[bool, bool, bool, Optional[str]]:
        """What arms have in common that differ in the error of a write alone."""
        return self.tuning_error is not None, self.thresholded, self.budgeted, self.realisation

    def whole_updates(self, network: Network, budget: int) -> Optional[int]:
        """How often a training with `budget` writes writes all weights of `network` at once; None: never."""
        if not self.budgeted or self.thresholded or self.realisation is not None:
            return None
        updates = budget // sum(weights_by_layer(network).values())
        return updates if updates >= FEWEST_UPDATES else None


def _all_arms() -> Iterator[Arm]:
    yield Arm("pair", "masks, one bit per weight", level="pair")
    yield Arm("pair-free", "masks, one bit per weight, no hysteresis", level="pair", hysteresis=False)
    yield Arm("pair-quiet", "masks, one bit per weight, no read noise", level="pair", read_noise=False)
    yield Arm("cell", "masks, one bit per cell", level="cell")
    yield Arm("float", "free weights, ideal hardware")
    yield Arm("wo-ideal", "weights written without error, every step", tuning_error=0.0)
    for error in TUNING_ERRORS:
        for scheme, thresholded in (("every", False), ("step", True)):
            for count, budgeted in (("free", False), ("budget", True)):
                yield Arm(
                    f"wo-{scheme}-{count}-{100 * error:g}",
                    f"weights written with {100 * error:g} % error, "
                    + ("past a threshold, " if thresholded else "every one at every update, ")
                    + ("as many writes as the masks" if budgeted else "any number of writes"),
                    tuning_error=error,
                    thresholded=thresholded,
                    budgeted=budgeted,
                )
    yield from _plain_arms()


def _plain_arms() -> Iterator[Arm]:
    """Weight optimisation as the paper counts it."""
    cells = {"pair": ("", "two formed cells"), "one": ("one-", "one formed cell")}
    for realisation, (name, text) in cells.items():
        for error in PLAIN_ERRORS:
            for count, limit in (
                ("free", "any number of writes"),
                ("budget", "until the writes of the masks are spent"),
            ):
                yield Arm(
                    f"wo-plain-{name}{count}-{100 * error:g}",
                    f"weights of {text} with {100 * error:g} % error, no copy beside the chip, every one written at "
                    f"every step, {limit}",
                    tuning_error=error,
                    budgeted=count == "budget",
                    realisation=realisation,
                )


ARMS = {arm.name: arm for arm in _all_arms()}
DEFAULT_ARMS = ("pair", "float", "wo-ideal") + tuple(
    name
    for name, arm in ARMS.items()
    if name.startswith("wo-") and arm.tuning_error == TUNING_ERRORS[0] and arm.realisation is None
)


def choose(names: Iterable[str], *, budget_given: bool) -> List[Arm]:
    """The arms of these names, each once; ConfigError for an unknown name, and for budgets without their source."""
    names = list(names)
    for name in names:
        if name not in ARMS:
            raise ConfigError(f"no arm {name!r}{did_you_mean(name, ARMS)}; choose from {', '.join(ARMS)}")
    arms = [ARMS[name] for name in dict.fromkeys(names)]
    if any(arm.budgeted for arm in arms) and "pair" not in names and not budget_given:
        raise ConfigError("arms with a write budget take it from the arm 'pair'; name that one too, or state a budget")
    return arms


def begin_search(
    arm: Arm, base: RunConfig, *, rates: Optional[Sequence[float]], optimum: Optional[Settings]
) -> Optional[Search]:
    """The `Search` for an arm's free settings; None for masks, which are learned by the recipe.

    base: `RunConfig` of the task. rates: learning rates to begin with at the recipe's momentum, instead of the arm's
    own. optimum: `Settings` that are best for the same scheme at another error of writes: the search then asks for the
    rate, and the threshold, around them.
    """
    if arm.level is not None:
        return None
    if arm.realisation is not None:
        return Search(PLAIN, [PLAIN.learning_rate], thresholded=False)
    if optimum is not None and (rates is None or len(rates) > 1):
        around = [factor * optimum.learning_rate for factor in (1.0, 0.5, 2.0)]
        return Search(optimum, around, thresholded=arm.thresholded)
    rates = rates or (LARGE_BATCH_RATES if arm.budgeted and not arm.thresholded else RATES)
    momentum, other = base.recipe.momentum, 0.0
    if arm.budgeted and len(rates) > 1:
        # A chip that is written now and then follows late: momentum goes on past what was wanted.
        rates = [rate / (1 - momentum) for rate in rates]
        momentum, other = other, momentum
    threshold = THRESHOLD if arm.thresholded else 0.0
    start = optimum or Settings(rates[0], threshold, momentum, base.recipe.weight_decay)
    return Search(start, rates, thresholded=arm.thresholded, momentum=other)


def mask_config(arm: Arm, base: RunConfig, *, seed: int) -> RunConfig:
    """`RunConfig` of an arm that learns masks. base: `RunConfig` of the task. seed: of learning and of the chip."""
    if arm.level is None:
        raise ConfigError(f"the arm {arm.name} learns weights, not masks")
    limits: Dict[str, Any] = {} if arm.hysteresis else {"hysteresis": 0.0, "hysteresis_end": 0.0}
    recipe = replace(base.recipe, seed=seed, chip_seed=seed, level=arm.level, **limits)
    cells = base.cell_model if arm.read_noise else base.cell_model.changed(read_noise=0.0)
    return replace(base, recipe=recipe, cell_model=cells)


def weight_config(
    arm: Arm,
    base: RunConfig,
    *,
    seed: int,
    settings: Settings,
    n_steps: int,
    budget: Optional[int],
    updates: Optional[int],
) -> WeightConfig:
    """`WeightConfig` of an arm that learns weights with `Settings`.

    base, seed: as for `mask_config`. n_steps: steps of the training. budget: writes that an arm with a budget may
    spend; they become available evenly over the steps. updates: `Arm.whole_updates` of the arm.
    """
    recipe = replace(base.recipe, momentum=settings.momentum, weight_decay=settings.weight_decay)
    if arm.realisation is not None:
        recipe = replace(recipe, batch_size=PLAIN_BATCH.get(base.task, recipe.batch_size))
    run = replace(base, recipe=replace(recipe, seed=seed, chip_seed=seed, level="cell"))
    if arm.tuning_error is None:
        return WeightConfig(run, settings.learning_rate)
    if arm.realisation is not None:
        own = Writing(arm.tuning_error, budget=budget if arm.budgeted else None, realisation=arm.realisation)
        return WeightConfig(run, settings.learning_rate, own)
    median_S, sigma_ln = base.cell_model.lrs_spread()
    threshold_S = settings.threshold * math.sqrt(2) * median_S * sigma_ln
    if not arm.budgeted:
        return WeightConfig(run, settings.learning_rate, Writing(arm.tuning_error, threshold_S))
    # Rounded down: rather one update more, and each of those farthest off, than writes that are left over.
    interval = 1 if updates is None else n_steps // min(updates, n_steps)
    return WeightConfig(run, settings.learning_rate, Writing(arm.tuning_error, threshold_S, interval, budget, n_steps))

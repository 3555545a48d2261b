"""The arms of a comparison: what is learned, on which hardware, with which candidates for its free settings."""

import math
from dataclasses import dataclass, replace
from typing import Optional, Tuple

from .baselines import WeightConfig
from .errors import ConfigError
from .networks import weights_by_layer
from .weights import Writing

TUNING_ERRORS = (0.0015, 0.01, 0.05, 0.15)
"""relative errors of a write that weight optimisation is tried with; the first is that of replayed cells"""
RATES = (0.02, 0.05, 0.1)
"""learning rates tried for weights"""
LARGE_BATCH_RATES = (0.05, 0.15, 0.5)
"""the same where few updates, each from many gradients, are all that a budget allows"""
THRESHOLDS = (0.15, 0.5)
"""thresholds tried, relative to the standard deviation of the difference of two formed cells"""


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


def _all_arms():
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
                    "wo-{}-{}-{:g}".format(scheme, count, 100 * error),
                    "weights written with {:g} % error, {}, {}".format(
                        100 * error,
                        "past a threshold" if thresholded else "every one at every update",
                        "as many writes as the masks" if budgeted else "any number of writes",
                    ),
                    tuning_error=error,
                    thresholded=thresholded,
                    budgeted=budgeted,
                )


ARMS = {arm.name: arm for arm in _all_arms()}
DEFAULT_ARMS = ("pair", "float", "wo-ideal") + tuple(
    name for name in ARMS if name.startswith("wo-") and name.endswith("-{:g}".format(100 * TUNING_ERRORS[0]))
)


def choose(names):
    """The arms of these names, each once; ConfigError for an unknown name, and for budgets without their source."""
    for name in names:
        if name not in ARMS:
            raise ConfigError("no arm {!r}; choose from {}".format(name, ", ".join(ARMS)))
    arms = [ARMS[name] for name in dict.fromkeys(names)]
    if any(arm.budgeted for arm in arms) and "pair" not in names:
        raise ConfigError("arms with a write budget take it from the arm 'pair'; name that one too")
    return arms


def candidates(arm, base, seed, n_steps, budget=None, rates=None) -> Tuple:
    """Configurations of `arm` to choose from on validation: `RunConfig` of masks (one), or `WeightConfig`.

    base: `RunConfig` of the task. seed: of learning and of the chip. n_steps: steps of a whole training. budget:
    writes that an arm with a budget may spend. rates: learning rates of weights to try, instead of the arm's own.
    """
    recipe = replace(base.recipe, seed=seed, chip_seed=seed)
    if arm.level is not None:
        limits = {} if arm.hysteresis else {"hysteresis": 0.0, "hysteresis_end": 0.0}
        cells = base.cell_model if arm.read_noise else replace(base.cell_model, read_noise=0.0)
        return (replace(base, recipe=replace(recipe, level=arm.level, **limits), cell_model=cells),)
    writings = [None] if arm.tuning_error is None else _writings(arm, base, n_steps, budget)
    few_updates = arm.budgeted and not arm.thresholded
    rates = rates or (LARGE_BATCH_RATES if few_updates else RATES)
    run = replace(base, recipe=replace(recipe, level="cell"))
    return tuple(WeightConfig(run, rate, writing) for rate in rates for writing in writings)


def _writings(arm, base, n_steps, budget):
    """Ways to write that an arm chooses from."""
    budget = budget if arm.budgeted else None
    if arm.thresholded:
        model = base.cell_model
        spread_S = math.sqrt(2) * model.lrs_median_S * model.lrs_sigma_ln
        return [Writing(arm.tuning_error, threshold * spread_S, 1, budget) for threshold in THRESHOLDS]
    if budget is None:
        return [Writing(arm.tuning_error)]
    n_weights = sum(weights_by_layer(base.network).values())
    if budget < n_weights:
        raise ConfigError("a budget of {} writes is not enough to write {} weights once".format(budget, n_weights))
    return [Writing(arm.tuning_error, 0.0, math.ceil(n_steps * n_weights / budget), budget)]

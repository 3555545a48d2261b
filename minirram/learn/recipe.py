"""How to learn: the schedule of gradient descent and the recipe of mask learning. Loads no engine."""

from dataclasses import dataclass
from numbers import Integral
from typing import Optional

from ..chip.levels import check_level
from ..errors import ConfigError
from .pruning import kept_count

MOST_SEED = 2**63 - 1
"""what the files of a run can hold"""


def check_seed(name: str, seed: int) -> None:
    """ConfigError unless a seed is a whole number that a run can save."""
    if not isinstance(seed, Integral) or not 0 <= seed <= MOST_SEED:
        raise ConfigError(f"{name} is {seed}; it must be a whole number, 0 to {MOST_SEED}")


WIRE_GRADIENTS = ("straight", "reduced", "exact")


@dataclass(frozen=True)
class Schedule:
    """Stochastic gradient descent: how many samples, at which rate. Whatever it moves."""

    epochs: int = 30
    """passes over the training set"""
    batch_size: int = 240
    """samples per step"""
    samples_per_epoch: Optional[int] = None
    """crops of one epoch, for tasks that train on crops; None: an epoch is one pass over the training set"""
    learning_rate: float = 0.1
    """rate at the first step; it falls to 0 as half a cosine over all steps"""
    momentum: float = 0.9
    """share of the last step that a step of the descent keeps, 0..1"""
    weight_decay: float = 5e-4
    """pull of what is learned towards 0 (authors' code)"""
    seed: int = 0
    """seed of initial values, signs, batches and read noise"""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        check_seed("seed", self.seed)
        for name in ("learning_rate", "weight_decay"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be finite and not negative")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum is {self.momentum}; it must lie in 0..1, 1 excluded")


@dataclass(frozen=True)
class Recipe(Schedule):
    """How masks are learned. The defaults are the Fashion-MNIST recipe; `tasks` holds one per task."""

    density: float = 0.5
    """kept fraction of each layer's connections (authors' code)"""
    level: str = "pair"
    """'pair': one mask bit per weight; 'cell': one per cell"""
    score_step: Optional[float] = None
    """root mean square of the gradient of each layer's scores over that of its initial scores; None: as it comes"""
    hysteresis: float = 0.01
    """smallest relative change of |score| in one step that lets a bit flip, at the start (authors' code)"""
    hysteresis_end: float = 0.007
    """the limit that hysteresis falls to"""
    hysteresis_steps: int = 15
    """new best validation epochs from the start to the end of that fall (authors' code)"""
    wire_gradient: str = "straight"
    """gradient behind wires; 'straight': past them; 'reduced': of the reduced model; 'exact': with exact weights"""
    wire_steps: Optional[int] = None
    """steps from one solve of the IR drop to the next; None: an epoch"""
    formed_share: float = 0.9999
    """expected share of cells that the forming voltage forms"""
    chip_seed: int = 0
    """seed of the chip: which individual it is"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.level)
        kept_count(self.density, 1)
        if self.hysteresis_steps < 1:
            raise ConfigError(f"hysteresis_steps is {self.hysteresis_steps}; it must be at least 1")
        if self.score_step is not None and not 0 < self.score_step < float("inf"):
            raise ConfigError(f"score_step is {self.score_step}; it must be finite and above 0")
        check_seed("chip_seed", self.chip_seed)
        if self.wire_gradient not in WIRE_GRADIENTS:
            raise ConfigError(f"wire_gradient {self.wire_gradient!r}: choose one of {', '.join(WIRE_GRADIENTS)}")
        if self.wire_steps is not None and self.wire_steps < 1:
            raise ConfigError(f"wire_steps is {self.wire_steps}; it must be at least 1")
        for name in ("hysteresis", "hysteresis_end"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be finite and not negative")
        if self.hysteresis_end > self.hysteresis:
            raise ConfigError(
                f"hysteresis_end {self.hysteresis_end} is above hysteresis {self.hysteresis}: the limit falls"
            )

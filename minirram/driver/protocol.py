"""What minirram asks of a bench: pulses into the cells of a mask, a read of the cells of a mask, safe idle.

A driver of one's own is a class with these methods, called as `Class(port)`; it need not derive from anything here.
Arrays are maps of a whole macro by physical numbers, (rows, cols). `driver.session.Session` adds queue, time-out, log
and safe idle to any of them; `conformance.check_driver` tries the laws on it.
"""

from dataclasses import dataclass
from typing import NamedTuple, Optional, Protocol, Tuple

import numpy as np

from ..device.pulses import PulseRecipe
from ..device.thresholds import Thresholds
from ..errors import ConfigError, ShapeError
from ..json_codec import Result

GRANULARITIES = ("cell", "line", "mask")
PULSE_KINDS = ("FORM", "SET", "RESET")


@dataclass(frozen=True)
class Capabilities(Result):
    """What a bench is and what it can do."""

    name: str
    """how results and messages call it"""
    macros: int
    """arrays of the chip"""
    rows: int
    """rows of an array"""
    cols: int
    """cell columns of an array"""
    granularity: str
    """what one pulse reaches: a "cell", cells of one "line" (row), or all cells of a "mask\""""
    max_line_V: float
    """largest voltage of any line against ground, either sign"""
    max_current_A: float
    """largest current limit"""
    verifies: bool = False
    """the bench reads after each pulse and stops by itself; else the host does, with `verified.pulse`"""
    noisy: bool = True
    """reads carry noise; a simulation without adds none, and learning then adds that of the technology"""
    multiplies: bool = False
    """`multiply` is there"""
    read_unit_S: float = 0.0
    """step of a read; 0: none is known"""
    call_s: float = 0.0
    """time of one call beside its pulses, for estimates"""

    def __post_init__(self) -> None:
        if min(self.macros, self.rows, self.cols) < 1 or self.cols % 2:
            raise ConfigError(
                f"{self.name}: {self.macros} macros of {self.rows} x {self.cols} cells; columns come in pairs, and "
                "no number is 0"
            )
        if self.granularity not in GRANULARITIES:
            raise ConfigError(f"{self.name}: granularity {self.granularity!r}; known are {', '.join(GRANULARITIES)}")
        for field in ("max_line_V", "max_current_A"):
            if not getattr(self, field) > 0:
                raise ConfigError(f"{self.name}: {field} is {getattr(self, field)}; it must be above 0")

    @property
    def shape(self) -> Tuple[int, int]:
        """rows and columns of a macro"""
        return self.rows, self.cols


@dataclass(frozen=True)
class Verify:
    """How a pulse is checked: read, and passed from `limit_S` up (FORM, SET) or down (RESET)."""

    read: Optional[PulseRecipe]
    """the READ; None: the bench's own"""
    limit_S: float
    """conductance that the cell must reach"""

    @classmethod
    def of(cls, recipe: PulseRecipe, read: Optional[PulseRecipe], limits: Thresholds) -> "Verify":
        """How `recipe` is checked against the thresholds of a cell, its guard band included."""
        if recipe.kind == "RESET":
            return cls(read, limits.off_max_S - recipe.guard_S)
        return cls(read, limits.on_min_S + recipe.guard_S)

    def passed(self, kind: str, read_S: np.ndarray) -> np.ndarray:
        """Bool: the cells that are past the limit; NaN is not."""
        with np.errstate(invalid="ignore"):
            return read_S <= self.limit_S if kind == "RESET" else read_S >= self.limit_S


class Pulsed(NamedTuple):
    """What a call of `form`, `set` or `reset` did. Both (rows, cols)."""

    pulses: np.ndarray
    """uint32: pulses that each cell got"""
    failed: np.ndarray
    """bool: cells that were verified and are not past the limit; none without a `Verify`"""


class Driver(Protocol):
    """A bench. Masks are bool (rows, cols); a mask without a cell asks for nothing and costs nothing.

    `verify` is given to benches whose capabilities say `verifies`; others give each cell `recipe.max_pulses` pulses.
    Errors: ConfigError for a recipe beyond the limits, ShapeError for a mask of another shape, BenchError when the
    bench does not do what was asked.

    Optional: `multiply(macro, codes)`: uint8 (n, rows) -> float64 (n, cols / 2), sum of code * (G+ - G-) in siemens.
    `known_bad(macro)`: bool (rows, cols), cells of which the bench knows that they answer to no pulse.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What the bench can do."""

    def form(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """FORM the cells of `mask`."""

    def set(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """SET the cells of `mask`: on."""

    def reset(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """RESET the cells of `mask`: off."""

    def read(self, macro: int, mask: np.ndarray, recipe: Optional[PulseRecipe] = None) -> np.ndarray:
        """float64 (rows, cols): siemens of the cells of `mask`, NaN where not read. recipe: None: the bench's READ."""

    def safe_idle(self) -> None:
        """All lines to ground, all gates closed. May be called at any time, also twice."""

    def close(self) -> None:
        """Safe idle, then let go of the bench."""


def check_call(capabilities: Capabilities, macro: int, mask: np.ndarray) -> np.ndarray:
    """`mask`; ConfigError for a macro that the chip does not have, ShapeError unless the mask is bool (rows, cols)."""
    if not 0 <= macro < capabilities.macros:
        raise ConfigError(f"macro {macro}: {capabilities.name} has {capabilities.macros}, numbered from 0")
    mask = np.asarray(mask)
    if mask.shape != capabilities.shape or mask.dtype != bool:
        raise ShapeError(f"a mask is {mask.dtype} of shape {mask.shape}, expected bool of {capabilities.shape}")
    return mask


def check_recipe(capabilities: Capabilities, recipe: PulseRecipe) -> PulseRecipe:
    """`recipe`; ConfigError when it asks for more than the bench gives."""
    for line in ("row_V", "col_V", "select_V", "row_to_V", "col_to_V", "select_to_V"):
        volts = getattr(recipe, line)
        if volts is not None and not abs(volts) <= capabilities.max_line_V:
            raise ConfigError(
                f"{recipe.kind}: {line} is {volts} V; {capabilities.name} takes lines to {capabilities.max_line_V} V"
            )
    if not 0 <= recipe.compliance_A <= capabilities.max_current_A:
        raise ConfigError(
            f"{recipe.kind}: a current limit of {recipe.compliance_A} A; {capabilities.name} takes "
            f"0..{capabilities.max_current_A} A"
        )
    return recipe

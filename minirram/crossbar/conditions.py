"""Conditions of use: wires that drop voltage, converters that are a little off, slow noise, time and heat."""

from dataclasses import dataclass
from typing import Optional

from ..errors import ConfigError
from ..rng import stream
from .converters import ColumnErrors, sample_column_errors
from .wires import Wires


@dataclass(frozen=True)
class Conditions:
    """Non-idealities of use, all off by default; those of the cells themselves are in `CellModel`."""

    wires: Optional[Wires] = None
    """lines with resistance; None: no IR drop"""
    adc_offset_lsb: float = 0.0
    """standard deviation of the converters' offsets, in LSB of their matrix"""
    adc_gain: float = 0.0
    """standard deviation of the converters' relative gain errors"""
    held_noise: bool = False
    """True: the read noise of a cell is slow and the same in all bit planes of a sample"""
    age_s: float = 0.0
    """time since programming; the technology must have drift or relaxation"""
    temperature_K: Optional[float] = None
    """temperature over that time; None: that of the technology's figures"""
    compensated: bool = False
    """True: after that time one read of the stored probe vectors gives each matrix a factor against its drift"""
    seed: int = 0
    """of the converters' errors, which are drawn once per chip"""

    def __post_init__(self) -> None:
        for field in ("adc_offset_lsb", "adc_gain", "age_s"):
            if not getattr(self, field) >= 0:
                raise ConfigError(f"{field} is {getattr(self, field)}; it must be 0 or more")
        if self.temperature_K is not None and not self.temperature_K > 0:
            raise ConfigError(f"a temperature of {self.temperature_K:g} K; it must be above 0 K")
        if self.temperature_K is not None and not self.age_s > 0:
            raise ConfigError("a temperature (--celsius) acts over an age above 0 s: give that, too (--age)")

        if self.compensated and not self.age_s > 0:
            raise ConfigError("compensation takes back what time did: it needs an age above 0 s")

    def column_errors(self, macro: int, cols: slice, *, macro_cols: int, arrangement: str) -> Optional[ColumnErrors]:
        """`ColumnErrors` of the converters below some columns of cells of a macro (index), None when they are ideal.

        Each macro has one converter per pair or, per polarity, per column: tiles that share columns share converters.
        """
        if not (self.adc_offset_lsb or self.adc_gain):
            return None
        errors = sample_column_errors(
            stream(self.seed, "converters", macro),
            macro_cols,
            offset_std_lsb=self.adc_offset_lsb,
            gain_std=self.adc_gain,
        )
        own = slice(cols.start, cols.stop, 2 if arrangement == "pair" else 1)
        return ColumnErrors(errors.offset_lsb[own], errors.gain[own])

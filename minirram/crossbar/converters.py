"""At the edges of the array: input codes and bit planes; the ADC's transfer, calibration and saturation."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Optional, Tuple, Union

import numpy as np

from ..errors import ConfigError, DataError, ShapeError

ARRANGEMENTS = ("pair", "polarity")


@dataclass(frozen=True)
class InputCodes:
    """How activations become unsigned codes: code = clip(rint(x / step) + zero_point, 0, 2^bits - 1).

    x / step is x * (1 / step) in the type of x, as the layers of a network compute it.
    """

    step: float
    """activation per code; stored at calibration, never taken from the batch"""
    bits: int = 8
    """input bits, 1..8"""
    zero_point: int = 0
    """code of activation 0; above 0 for signed inputs"""

    def __post_init__(self) -> None:
        if not np.finfo(np.float32).tiny <= self.step <= np.finfo(np.float32).max:  # 1 / step is a float32 too
            raise ConfigError(f"the step of input codes is {self.step}; it must be above 0, and a normal float32")
        check_input_bits(self.bits)
        if not 0 <= self.zero_point < 2**self.bits:
            raise ConfigError(f"zero point {self.zero_point} does not lie in 0..{2**self.bits - 1}")

    def quantise(self, activations: np.ndarray) -> Tuple[np.ndarray, int]:
        """Activations (any shape, float) -> (codes, uint8 of the same shape; count of values out of range).

        DataError for NaN.
        """
        activations = np.asarray(activations, np.result_type(activations, np.float32))
        codes = np.multiply(activations, activations.dtype.type(1 / self.step))
        np.rint(codes, out=codes)
        codes += self.zero_point
        top = 2**self.bits - 1
        clipped = codes.size - int(np.count_nonzero((codes >= 0) & (codes <= top)))
        if clipped:
            if np.isnan(codes).any():
                where = tuple(np.argwhere(np.isnan(codes))[0].tolist())
                raise DataError(f"the activation at {where} is NaN: it has no input code")
            np.clip(codes, 0, top, out=codes)
        return codes.astype(np.uint8), clipped


def check_input_bits(bits: int) -> None:
    """ConfigError unless 1 <= bits <= 8."""
    if not 1 <= bits <= 8:
        raise ConfigError(f"{bits} input bits; choose 1 to 8")


def bit_planes(codes: np.ndarray, bits: Union[int, np.ndarray], *, out: Optional[np.ndarray] = None) -> np.ndarray:
    """Codes (n, rows) uint8 -> planes (bits, n, rows) float32 of 0 and 1; plane b holds bit b.

    bits: how many, from the lowest on, or an array of those that are wanted.
    """
    wanted = np.arange(bits) if np.ndim(bits) == 0 else np.asarray(bits)
    planes = np.empty((len(wanted),) + codes.shape, np.float32) if out is None else out
    # Two calls over all planes: many small ones make two threads wait for each other.
    values = (1 << wanted).astype(np.uint8).reshape((-1,) + (1,) * codes.ndim)
    return np.not_equal(np.bitwise_and(codes, values), 0, out=planes)


@dataclass(frozen=True)
class Adc:
    """A mid-tread converter: code = clip(rint(I / LSB)), so that zero current reads exactly 0."""

    bits: int
    """resolution, 4..24; the paper's board has 14"""
    lsb: float
    """current per code in grid units (grid_S * read_voltage_V), from calibration; used as float32"""
    arrangement: str = "pair"
    """pair: one conversion of I+ - I-, codes -M..M, M = 2^(bits-1) - 1; polarity: one each, 0..M, M = 2^bits - 1"""
    shift: int = 0
    """k: this tile converts with lsb * 2^-k"""

    def __post_init__(self) -> None:
        if not 4 <= self.bits <= 24:
            raise ConfigError(f"an ADC of {self.bits} bits; choose 4 to 24")
        if self.arrangement not in ARRANGEMENTS:
            raise ConfigError(f"ADC arrangement {self.arrangement!r}: choose 'pair' or 'polarity'")
        if not (np.isfinite(self.lsb) and self.lsb > 0):
            raise ConfigError(f"the LSB of an ADC is {self.lsb}; it must be above 0")
        if not 0 <= self.shift <= 24:
            raise ConfigError(f"tile shift {self.shift}; choose 0 to 24")

    @cached_property
    def top(self) -> int:
        """M, the largest code."""
        return top_code(self.bits, self.arrangement)

    @property
    def bottom(self) -> int:
        """The smallest code: -M for pairs, 0 per polarity."""
        return -self.top if self.arrangement == "pair" else 0

    @cached_property
    def tile_lsb(self) -> np.float32:
        """The LSB of this tile, float32."""
        return np.float32(self.lsb * 2.0**-self.shift)

    @cached_property
    def divides_in_float32(self) -> bool:
        """Whether rint(I / LSB) in float32 is that of the exact quotient, for every sum I of cells below 2^24.

        An LSB of 24 - bits significant bits keeps a quotient that is no half-integer further from all of them than
        float32 rounds it, up to the largest code. See docs/crossbar.md, "Exact division".
        """
        mantissa, exponent = math.frexp(float(self.tile_lsb))
        return (mantissa * 2 ** max(24 - self.bits, 0)).is_integer() and exponent <= 25 - self.bits

    def convert(self, current: np.ndarray, errors: Optional["ColumnErrors"] = None) -> int:
        """Currents (..., columns), float32 in grid units, become codes in place. Returns the saturated conversions.

        I / LSB is divided exactly and rounded to the nearest, ties to even. A conversion saturates iff
        |rint(I / LSB)| > M. errors: `ColumnErrors` of these columns. ConfigError for a current that is NaN.
        """
        if errors is not None:
            np.divide(current, self.tile_lsb, out=current)
            current *= errors.gain
            current += errors.offset_lsb
            np.rint(current, out=current)
        elif self.divides_in_float32:
            np.divide(current, self.tile_lsb, out=current)
            np.rint(current, out=current)
        else:  # 53 bits are enough for any two numbers of 24
            current[...] = np.rint(np.divide(current, self.tile_lsb, dtype=np.float64))
        largest, smallest = float(current.max(initial=0.0)), float(current.min(initial=0.0))
        if math.isnan(largest):
            raise ConfigError("a current is not a number")
        saturated = 0
        if max(largest, -smallest) > self.top:
            saturated = int(np.count_nonzero(np.abs(current) > self.top))
        if largest > self.top or smallest < self.bottom:
            np.clip(current, self.bottom, self.top, out=current)
        return saturated


def top_code(bits: int, arrangement: str) -> int:
    """M: 2^(bits-1) - 1 when a conversion carries a sign ("pair"), 2^bits - 1 when it does not ("polarity")."""
    return 2 ** (bits - 1) - 1 if arrangement == "pair" else 2**bits - 1


@dataclass(frozen=True, eq=False)
class ColumnErrors:
    """Static errors of the converters, one per converted column: I / LSB becomes gain * I / LSB + offset."""

    offset_lsb: np.ndarray
    """float32 (columns,): one per pair, or one per cell column (G+ and G- interleaved) per polarity"""
    gain: np.ndarray
    """float32 (columns,), 1 = ideal"""

    def __post_init__(self) -> None:
        if self.offset_lsb.shape != self.gain.shape or self.gain.ndim != 1:
            raise ShapeError(f"offsets {self.offset_lsb.shape} and gains {self.gain.shape} of one converter per column")


def sample_column_errors(
    generator: np.random.Generator, columns: int, *, offset_std_lsb: float, gain_std: float
) -> ColumnErrors:
    """Errors of `columns` converters: offsets N(0, offset_std_lsb^2), gains N(1, gain_std^2), float32."""
    offset_lsb = offset_std_lsb * generator.standard_normal(columns)
    gain = 1.0 + gain_std * generator.standard_normal(columns)
    return ColumnErrors(offset_lsb.astype(np.float32), gain.astype(np.float32))


def calibrated_lsb(currents: np.ndarray, bits: int, *, arrangement: str, percentile: float) -> float:
    """LSB that puts the `percentile` (0..100) of |current| at the largest code M.

    currents: calibration currents of single planes, grid units, any shape (I+ - I- for pairs, I+ and I- per
    polarity); percentile 100 takes the largest. ConfigError when they are all zero.
    """
    if not 0 < percentile <= 100:
        raise ConfigError(f"percentile {percentile}; it must lie above 0 and at most 100")
    full_scale = float(np.percentile(np.abs(currents), percentile))
    return _lsb(full_scale, bits, arrangement)


def bounding_lsb(cells_grid: np.ndarray, bits: int, *, arrangement: str) -> float:
    """LSB with which no input can saturate: full scale = the largest current the cells (rows, 2 pairs) can give."""
    per_pair = arrangement == "pair"
    currents = _largest_pair_currents(cells_grid) if per_pair else cells_grid.sum(axis=0, dtype=np.float64)
    return _lsb(float(currents.max()), bits, arrangement)


def _largest_pair_currents(cells_grid: np.ndarray) -> np.ndarray:
    """Largest |I+ - I-| of each pair of cells (rows, 2 * pairs) over all inputs: float64 (pairs,), grid units."""
    difference = cells_grid[:, 0::2].astype(np.float64) - cells_grid[:, 1::2]
    return np.maximum(np.maximum(difference, 0).sum(axis=0), np.maximum(-difference, 0).sum(axis=0))


def coarse_lsb(lsb: float, bits: int) -> float:
    """The next LSB from `lsb` upwards by which an ADC of `bits` divides in float32: at most 0.8 % larger.

    Above 16 bits the step would be coarser, and `lsb` stays as it is: such an ADC divides in float64.
    """
    if bits > 16:
        return lsb
    mantissa, exponent = math.frexp(lsb)
    return math.ldexp(math.ceil(mantissa * 2 ** (24 - bits)), exponent - (24 - bits))


def _lsb(full_scale: float, bits: int, arrangement: str) -> float:
    if not full_scale > 0:
        raise ConfigError("an ADC cannot be calibrated on currents that are all zero")
    return full_scale / top_code(bits, arrangement)

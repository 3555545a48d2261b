"""The digital side in integers: what export/infer.c computes, and the law that both follow (export/SPEC.md, 2.3).

Values between layers are int32 v, each layer's with a binary point of its own: value = v * 2^-fraction. A factor is an
int32 multiplier and a shift; a product with it is formed in 64 bits and rounded once, halves up.
"""

import math
from typing import NamedTuple, Optional, Tuple

import numpy as np

from ..errors import ConfigError

TOP = 2**31 - 1
"""largest value, either sign"""
MOST_SHIFT = 62
VALUE_BITS = 30
"""bits that the largest possible value of a layer takes: what its fraction is chosen for"""

CONVOLVE, RECUR, AFFINE, CLIP, QUANTIZE, MAX_POOL, MEAN_POOL, PAD, SCALE, ADD, CONCAT, RECALL, SHUFFLE, FLATTEN = range(
    1, 15
)
"""kinds of layers in integers"""
NO_OTHER = 0xFFFF


class Factor(NamedTuple):
    """multiplier * 2^-shift"""

    multiplier: int
    """int32"""
    shift: int
    """0 to 62"""


class Read(NamedTuple):
    """Tiles of one matrix that are driven together: one conversion for each of `pairs` column pairs."""

    macro: int
    col0: int
    """cell column of G+ of the first pair"""
    pairs: int
    matrix_col: int
    """column of the matrix that the first pair holds"""
    pieces: Tuple[Tuple[int, int, int], ...]
    """((first row of the macro, rows, first row of the matrix), ...)"""


class Matrix(NamedTuple):
    """A matrix on the chip, and what takes its totals to values."""

    name: str
    fan_in: int
    fan_out: int
    input_bits: int
    adc_bits: int
    polarity: bool
    """one conversion for each column instead of one for each pair"""
    lsb: Tuple[int, int]
    """what one code stands for: mantissa (24 bits) * 2^exponent nanosiemens at the read voltage"""
    factor: Factor
    taken_back: Optional[np.ndarray]
    """int32 (fan_out,): what the zero point adds to the totals; None: nothing"""
    reads: Tuple[Read, ...]


class Step(NamedTuple):
    """One layer in integers. `numbers` and `table` are its body in the binary, in the order of the SPEC's tables."""

    kind: int
    name: str
    fraction: int
    """of the values that leave it; 0 for codes"""
    other: int
    """index of the earlier step that it joins; NO_OTHER: none"""
    numbers: Tuple[int, ...]
    table: Optional[np.ndarray] = None
    """AFFINE: int32 (channels, 2): multiplier and offset"""


class IntegerNetwork(NamedTuple):
    """A network in integers: what the binary holds."""

    input_shape: Tuple[int, int, int]
    input_bits: int
    input_zero: int
    digital_crc: int
    """CRC-32 of the canonical JSON of the digital.json that it was made from"""
    matrices: Tuple[Matrix, ...]
    steps: Tuple[Step, ...]


def factor_of(value: float) -> Factor:
    """The nearest factor: 31 bits of it, fewer below 2^-31. ConfigError when it does not fit."""
    return Factor(*shared_factors(np.array([value]))[0])


def shared_factors(values: np.ndarray) -> Tuple[Factor, ...]:
    """The factors of several values with one shift, that of the largest."""
    largest = float(np.abs(values).max())
    if not largest < TOP:
        raise ConfigError(f"a factor of {largest:.3g} does not fit 32 bits")
    shift = MOST_SHIFT if largest == 0 else min(MOST_SHIFT, 30 - math.floor(math.log2(largest)))
    if round(largest * 2.0**shift) > TOP:
        shift -= 1
    return tuple(Factor(int(round(float(value) * 2.0**shift)), shift) for value in values)


def fraction_for(bound: float) -> int:
    """The fraction with which values up to `bound` take VALUE_BITS bits."""
    return VALUE_BITS - math.ceil(math.log2(bound)) if bound > 0 else 0


def rounded_shift(x: np.ndarray, shift: int) -> np.ndarray:
    """x * 2^-shift of int64, rounded, halves up; at most TOP, either sign. shift: 0 to 62."""
    if shift:
        x = (x + (np.int64(1) << np.int64(shift - 1))) >> np.int64(shift)
    return np.clip(x, -TOP, TOP)


def scaled(x: np.ndarray, factor: Factor) -> np.ndarray:
    """int32 values, or codes less their zero point, times a factor: int64."""
    return rounded_shift(x.astype(np.int64) * np.int64(factor.multiplier), factor.shift)


def clipped(x: np.ndarray) -> np.ndarray:
    """int64 to int32, at most TOP, either sign."""
    return np.clip(x, -TOP, TOP).astype(np.int32)


def mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """total / count of int64, rounded, halves up."""
    return np.floor_divide(2 * total + count, 2 * count)

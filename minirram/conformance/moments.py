"""Mean and variance of what a noisy device that keeps the laws answers, with the rounding of its converters."""

from typing import Iterator, NamedTuple, Tuple

import numpy as np

from ..device.cell import normal_cdf
from .cases import Case, Spec, largest_code, smallest_code

WIDE = 1.0
"""LSB; above this standard deviation rounding adds 1/12 LSB^2 and no bias (to 1e-8: Widrow's theorem)"""
_WINDOW = np.arange(-8, 10)  # codes about a current that noise below WIDE can reach


class Moments(NamedTuple):
    """Of the integers of some samples, each (n, pairs), LSB and LSB^2."""

    mean: np.ndarray
    variance: np.ndarray
    finest: float
    """standard deviation of the quietest driven conversion, LSB: below 0.4 rounding hides the law of noise"""


def moments(spec: Spec, case: Case, codes: np.ndarray) -> Moments:
    """`Moments` of one read of `codes` (n, rows); conversions saturate at known converters alone.

    The noise of a conversion is N(0, sum_i bit_i (r G_i)^2) before it is rounded. held_noise: planes share the
    deviations of the cells, so their noise adds up by code^2; the rounding of each plane stays its own.
    """
    mean, rounding, fresh, asked = (np.zeros((len(codes), case.plus.shape[1])) for _ in range(4))
    finest = np.inf
    for number, b, sign, driven, current, std in _conversions(spec, case, codes):
        asked += 4.0**b * std**2
        if spec.converters is None:
            code, variance = rounded(current, std)
        else:
            top, known = largest_code(spec, case.adc_bits), spec.converters.of_pairs(current.shape[1], number)
            current, slope = known.read(current / top)
            std = std * np.abs(slope) / top
            code, variance = rounded(current, std, smallest_code(spec, case.adc_bits), top)
            code = np.where(driven, code, known.silent_lsb)
        mean += sign * 2.0**b * code
        fresh += 4.0**b * variance
        rounding += 4.0**b * (variance - std**2)
        finest = min(finest, float(std[driven].min(initial=np.inf)))
    if spec.held_noise:
        squares = case.plus.astype(np.float64) ** 2 + case.minus.astype(np.float64) ** 2
        held = codes.astype(np.float64) ** 2 @ squares * (spec.read_noise / case.lsb) ** 2
        seen = (fresh - rounding) / np.where(asked > 0, asked, 1)  # slopes of known converters, squared
        return Moments(mean, np.maximum(rounding + held * seen, 0.0), finest)
    return Moments(mean, fresh, finest)


class _Conversion(NamedTuple):
    """One conversion of one plane of all samples; arrays (n, pairs)."""

    number: int
    """of the conversion among those of a pair and plane"""
    plane: int
    sign: int
    driven: np.ndarray
    """bool: whether a row with a cell that conducts is driven"""
    current: np.ndarray
    """LSB"""
    std: np.ndarray
    """of the current, LSB"""


def _conversions(spec: Spec, case: Case, codes: np.ndarray) -> Iterator[_Conversion]:
    plus: np.ndarray = case.plus.astype(np.float64)
    minus: np.ndarray = case.minus.astype(np.float64)
    sides = [(plus - minus, plus**2 + minus**2, 1)] if spec.arrangement == "pair" else []
    sides = sides or [(plus, plus**2, 1), (minus, minus**2, -1)]
    for number, row in enumerate(range(0, len(plus), spec.tile_rows)):
        tile = slice(row, row + spec.tile_rows)
        for b in range(case.input_bits):
            plane = ((codes[:, tile] >> b) & 1).astype(np.float64)
            for side, (conductance, squares, sign) in enumerate(sides):
                current, square = plane @ conductance[tile] / case.lsb, plane @ squares[tile]
                std = spec.read_noise * np.sqrt(square) / case.lsb
                yield _Conversion(number * len(sides) + side, b, sign, square > 0, current, std)


def rounded(
    current: np.ndarray, std: np.ndarray, smallest: float = -np.inf, largest: float = np.inf
) -> Tuple[np.ndarray, np.ndarray]:
    """(mean, variance) of rint(N(current, std^2)) between two codes, any shape, LSB."""
    mean: np.ndarray = current.astype(np.float64)
    variance = std**2 + 1 / 12
    narrow = std < WIDE
    if narrow.any():
        x, s = current[narrow][:, None], np.maximum(std[narrow], 1e-9)[:, None]
        codes = np.rint(x) + _WINDOW
        share = np.diff(normal_cdf((codes - 0.5 - x) / s), axis=1)  # of all but the last code
        codes = np.clip(codes[:, :-1], smallest, largest)
        mean[narrow] = (share * codes).sum(axis=1)
        variance[narrow] = (share * (codes - mean[narrow][:, None]) ** 2).sum(axis=1)
    near = ~narrow & ((current - smallest < 6 * std) | (largest - current < 6 * std))
    if near.any():
        mean[near], variance[near] = _stopped(current[near], std[near], smallest, largest)
    return mean, variance


def _stopped(x: np.ndarray, s: np.ndarray, smallest: float, largest: float) -> Tuple[np.ndarray, np.ndarray]:
    """(mean, variance) of N(x, s^2), s above WIDE, stopped at two finite codes and rounded between: (n,) each."""
    below, above = ((x - end) / s for end in (smallest, largest))
    passed_below, passed_above = normal_cdf(below), normal_cdf(above)
    densities = [np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) for z in (below, above)]
    over = [s * (p + z * cdf) for p, z, cdf in zip(densities, (below, above), (passed_below, passed_above))]
    squares = [
        s**2 * ((z**2 + 1) * cdf + z * p) for p, z, cdf in zip(densities, (below, above), (passed_below, passed_above))
    ]
    mean = over[0] - over[1]  # above the smallest code
    square = squares[0] - squares[1] - 2 * (largest - smallest) * over[1]
    return smallest + mean, square - mean**2 + (passed_below - passed_above) / 12

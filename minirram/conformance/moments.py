"""Mean and variance of what a noisy device that keeps the laws answers, with the rounding of its converters."""

from typing import Iterator, NamedTuple, Tuple

import numpy as np

from ..device.cell import normal_cdf
from .cases import Case, Spec, largest_code

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
    """`Moments` of one read of `codes` (n, rows), no conversion saturated.

    The noise of a conversion is N(0, sum_i bit_i (r G_i)^2) before it is rounded. held_noise: planes share the
    deviations of the cells, so their noise adds up by code^2; the rounding of each plane stays its own.
    """
    mean, rounding, fresh, held = (np.zeros((len(codes), case.plus.shape[1])) for _ in range(4))
    finest = np.inf
    known = None if spec.converters is None else spec.converters.of_pairs(case.plus.shape[1])
    for b, sign, current, std in _conversions(spec, case, codes):
        driven = std > 0
        if known is not None:
            top = largest_code(spec, case.adc_bits)
            current, slope = known.read(current / top)
            std = std * slope / top
        code, variance = rounded(current, std)
        if known is not None:
            code = np.where(driven, code, known.silent_lsb)
        mean += sign * 2.0**b * code
        fresh += 4.0**b * variance
        rounding += 4.0**b * (variance - std**2)
        finest = min(finest, float(std[std > 0].min(initial=np.inf)))
    if spec.held_noise:
        squares = case.plus.astype(np.float64) ** 2 + case.minus.astype(np.float64) ** 2
        held = codes.astype(np.float64) ** 2 @ squares * (spec.read_noise / case.lsb) ** 2
        return Moments(mean, rounding + held, finest)
    return Moments(mean, fresh, finest)


def _conversions(spec: Spec, case: Case, codes: np.ndarray) -> Iterator[Tuple[int, int, np.ndarray, np.ndarray]]:
    """(plane, sign, current in LSB, its standard deviation) of all conversions of all samples (n, pairs)."""
    plus: np.ndarray = case.plus.astype(np.float64)
    minus: np.ndarray = case.minus.astype(np.float64)
    sides = [(plus - minus, plus**2 + minus**2, 1)] if spec.arrangement == "pair" else []
    sides = sides or [(plus, plus**2, 1), (minus, minus**2, -1)]
    for row in range(0, len(plus), spec.tile_rows):
        tile = slice(row, row + spec.tile_rows)
        for b in range(case.input_bits):
            plane = ((codes[:, tile] >> b) & 1).astype(np.float64)
            for conductance, squares, sign in sides:
                variance = plane @ squares[tile]
                yield b, sign, plane @ conductance[tile] / case.lsb, spec.read_noise * np.sqrt(variance) / case.lsb


def rounded(current: np.ndarray, std: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """(mean, variance) of rint(N(current, std^2)), any shape, LSB."""
    mean: np.ndarray = current.astype(np.float64)
    variance = std**2 + 1 / 12
    narrow = std < WIDE
    if narrow.any():
        x, s = current[narrow][:, None], np.maximum(std[narrow], 1e-9)[:, None]
        codes = np.rint(x) + _WINDOW
        share = np.diff(normal_cdf((codes - 0.5 - x) / s), axis=1)  # of all but the last code
        mean[narrow] = (share * codes[:, :-1]).sum(axis=1)
        variance[narrow] = (share * (codes[:, :-1] - mean[narrow][:, None]) ** 2).sum(axis=1)
    return mean, variance

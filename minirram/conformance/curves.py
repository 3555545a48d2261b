"""Curves of converters and the cells before them, fitted to the mean codes of many inputs.

    code = f(u),  f(u) = sum_k a_k x^k,  u = sum_i bit_i w_i

u is the current as a share of that of the largest code, x is u on -1 to 1. Cells w and coefficients a are found
together by Gauss and Newton's steps, one column after the other. Their common scale is that of the cells as asked for.
"""

from typing import NamedTuple, Tuple

import numpy as np
from numpy.polynomial import Polynomial

from .cases import Violation

ORDER = 7
"""of a curve: a sine of one period over the range leaves less than a hundredth of it"""
STEPS = 8
STANDARD_ERRORS = 4.0
"""within which a number is taken to be known"""
_SHARES = 33  # at which a curve is looked at
_BINS, _FEWEST_IN_BIN = 16, 20


class Fit(NamedTuple):
    """Of all columns; errors are STANDARD_ERRORS of them."""

    cells: np.ndarray
    """(rows, pairs), shares"""
    curve: np.ndarray
    """(ORDER + 1, pairs), powers of the share, LSB"""
    reached: np.ndarray
    """(2, pairs): lowest and highest share without saturation"""
    error: np.ndarray
    """(pairs,): of the curve at its worst share, LSB"""
    slope: np.ndarray
    """(pairs,): of the best line, LSB per share"""
    slope_error: np.ndarray
    inl: np.ndarray
    """(pairs,): largest deviation of the curve from that line, LSB"""
    rough: np.ndarray
    """(pairs,): what mean codes of a sixteenth of the range are off the curve, beyond the error of that mean, LSB"""
    residual: np.ndarray
    """(pairs,): variance of a mean code about its curve, LSB^2"""
    inside: np.ndarray
    """(inputs, pairs): bool, not saturated"""


class _Column(NamedTuple):
    """What one column is fitted to."""

    patterns: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    nominal: np.ndarray
    codes: Tuple[float, float]

    def within(self, code: np.ndarray) -> np.ndarray:
        """Inputs whose reads stop at neither of the last codes."""
        lowest, highest = self.codes
        margin = STANDARD_ERRORS * self.std - 0.5
        return (code - margin > lowest) & (code + margin < highest) & (self.std > 0)


def fit(
    patterns: np.ndarray, mean: np.ndarray, std: np.ndarray, nominal: np.ndarray, codes: Tuple[float, float]
) -> Fit:
    """Curves and cells from `mean` codes (inputs, pairs) of `patterns` (inputs, rows) of 0 and 1.

    std: of one read (inputs, pairs), above 0 where a row is driven. nominal: cells as asked for (rows, pairs), shares.
    codes: smallest and largest. Violation for a column of which too few inputs are seen.
    """
    columns = []
    for pair in range(mean.shape[1]):
        column = _Column(patterns, mean[:, pair], std[:, pair], nominal[:, pair], codes)
        try:
            columns.append(_fitted(column))
        except Violation as why:
            raise Violation(f"pair {pair}: {why}") from None
    return Fit(*(np.stack(numbers, axis=-1) for numbers in zip(*columns)))


def _fitted(column: _Column) -> Fit:
    """The `Fit` of one column, without the axis of pairs."""
    patterns, mean, cells = column.patterns, column.mean, column.nominal.copy()
    rows, share = len(cells), patterns @ cells
    inside = _enough(column.within(mean) & (mean > column.codes[0]) & (mean < column.codes[1]), rows)
    first, last = share[inside].min(), share[inside].max()
    curve = np.linalg.lstsq(_powers(share[inside], first, last)[0], mean[inside], rcond=None)[0]
    for _ in range(STEPS):
        share = patterns @ cells
        powers, slopes = _powers(share, first, last)
        inside = _enough(column.within(powers @ curve) & (share >= first) & (share <= last), rows)
        own = np.concatenate([(slopes @ curve)[inside, None] * patterns[inside], powers[inside]], axis=1)
        inverse = _inverse(own, column.nominal)
        left = mean[inside] - powers[inside] @ curve
        step = inverse @ (own.T @ left)
        cells, curve = cells + step[:rows], curve + step[rows:]
        if np.abs(own @ step).max() < 3e-3:
            break
    residual = float(left @ left) / (len(left) - len(step))
    covariance = residual * inverse[rows:, rows:]
    return _summary(cells, curve, covariance, share, left, inside, (first, last), residual)


def _summary(
    cells: np.ndarray,
    curve: np.ndarray,
    covariance: np.ndarray,
    share: np.ndarray,
    left: np.ndarray,
    inside: np.ndarray,
    ends: Tuple[float, float],
    residual: float,
) -> Fit:
    reached = np.array([share[inside].min(), share[inside].max()])
    grid = reached[0] + np.linspace(0, 1, _SHARES) * (reached[1] - reached[0])
    powers = _powers(grid, *ends)[0]
    line = np.stack([np.ones(_SHARES), grid], axis=1)
    slope = np.linalg.pinv(line)[1] @ powers  # of the best line, from the coefficients
    code = powers @ curve
    error = np.sqrt(np.einsum("sk,kl,sl->s", powers, covariance, powers).max())
    in_powers = Polynomial(curve, domain=ends).convert(domain=[-1, 1]).coef
    return Fit(
        cells=cells,
        curve=np.concatenate([in_powers, np.zeros(len(curve) - len(in_powers))]),
        reached=reached,
        error=STANDARD_ERRORS * error,
        slope=slope @ curve,
        slope_error=STANDARD_ERRORS * np.sqrt(slope @ covariance @ slope),
        inl=np.abs(code - line @ np.linalg.lstsq(line, code, rcond=None)[0]).max(),
        rough=np.array(_rough(share[inside], left, reached)),
        residual=np.array(residual),
        inside=inside,
    )


def _enough(inside: np.ndarray, rows: int) -> np.ndarray:
    wanted = 2 * (rows + ORDER + 1)
    if np.count_nonzero(inside) < wanted:
        raise Violation(f"{np.count_nonzero(inside)} of {len(inside)} inputs do not saturate; a curve needs {wanted}")
    return inside


def _powers(share: np.ndarray, first: float, last: float) -> Tuple[np.ndarray, np.ndarray]:
    """(powers of x, their slopes over the share), (n, ORDER + 1) each."""
    wide = 2 / (last - first)
    powers = np.vander((share - first) * wide - 1, ORDER + 1, increasing=True)
    slopes = np.zeros_like(powers)
    slopes[:, 1:] = powers[:, :-1] * np.arange(1, ORDER + 1) * wide
    return powers, slopes


def _inverse(own: np.ndarray, nominal: np.ndarray) -> np.ndarray:
    """Of the normal matrix of the derivatives, with the scale of the cells held; what no input tells stays as it is."""
    normal: np.ndarray = own.T @ own
    size = np.sqrt(np.maximum(np.diagonal(normal), 1e-9 * np.trace(normal) / len(normal)))
    normal /= np.outer(size, size)
    scale = nominal / size[: len(nominal)]
    normal[: len(nominal), : len(nominal)] += np.outer(scale, scale) / (scale @ scale)
    normal[np.diag_indices_from(normal)] += 1e-12
    return np.linalg.inv(normal) / np.outer(size, size)


def _rough(share: np.ndarray, left: np.ndarray, reached: np.ndarray) -> float:
    number = np.minimum((share - reached[0]) / np.ptp(reached) * _BINS, _BINS - 1).astype(int)
    count = np.maximum(np.bincount(number, minlength=_BINS), 1)
    mean = np.bincount(number, left, _BINS) / count
    beyond = np.abs(mean) - STANDARD_ERRORS * left.std() / np.sqrt(count)
    return float(np.where(count >= _FEWEST_IN_BIN, beyond, 0.0).max(initial=0.0))

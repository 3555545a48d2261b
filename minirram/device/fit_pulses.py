"""Pulse response: conductance against the number of equal pulses, as an exponential approach.

    G(n) = start + (end - start) (1 - exp(-n / constant)) / (1 - exp(-last / constant))

The form of Chen, Peng and Yu, IEEE TCAD 37 (2018), which NeuroSim uses for SET and RESET pulses alike.
"""

import math
from dataclasses import dataclass
from typing import List, Tuple

import numpy as np

from ..errors import DataError
from ..json_codec import Result

_LEAST_PULSES = 5


class RowError(DataError):
    """A row of a pulse response that is none."""

    def __init__(self, message: str, row: int) -> None:
        super().__init__(message)
        self.row = row


_LARGEST_S = 1e-3


@dataclass(frozen=True)
class PulseResponse(Result):
    """One branch of pulses: conductance that rises (SET) or falls (RESET) with their number."""

    direction: str
    """rising or falling"""
    curves: int
    """cells or runs that were measured"""
    pulses: int
    """pulses from the first reading to the last"""
    first_row: int
    """row of the table at which the branch starts; a turning point belongs to two branches"""
    readings: int
    """readings of each curve"""
    start_S: float
    """mean conductance before the first pulse of the branch, of the fitted curve"""
    end_S: float
    """mean conductance after the last pulse, of the fitted curve"""
    constant_pulses: float
    """pulses in which the distance to saturation falls by a factor of e; far above `pulses`: a straight line"""
    range_spread: float
    """standard deviation of end - start over the curves, relative to its mean; 0 for one curve"""
    deviation_S: float
    """standard deviation of a reading from its own curve"""
    explained: float
    """share of the variance along the curves that the fit explains"""


def fit_pulses(table: np.ndarray) -> Tuple[PulseResponse, ...]:
    """The branches of a table: one row per reading, its pulse number and then the conductance of each curve, siemens.

    A table of one column has pulse numbers 0, 1, 2 and on. A branch ends where the numbers start again, or where the
    mean curve turns. DataError for pulse numbers or conductances that are none, and for branches of under 5 pulses.
    """
    table = np.asarray(table, np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or table.size == 0:
        raise DataError(f"a pulse response is a table of pulse numbers and conductances, not of shape {table.shape}")
    if table.shape[1] == 1:
        table = np.concatenate([np.arange(len(table))[:, None], table], axis=1)
    numbers, curves_S = table[:, 0], table[:, 1:]
    _check(numbers, curves_S)
    cuts = [0, *(np.flatnonzero(np.diff(numbers) <= 0) + 1), len(numbers)]
    found: List[PulseResponse] = []
    for first, last in zip(cuts, cuts[1:]):
        for branch in _turning(curves_S[first:last].mean(axis=1)):
            rows = slice(first + branch.start, first + branch.stop)
            found.append(_one_branch(numbers, curves_S, rows))
    return tuple(found)


def response_S(branch: PulseResponse, n: np.ndarray) -> np.ndarray:
    """Conductance of a fitted branch after `n` of its pulses, siemens, of the shape of `n`."""
    whole = math.expm1(-branch.pulses / branch.constant_pulses)
    return branch.start_S + (branch.end_S - branch.start_S) * np.expm1(-n / branch.constant_pulses) / whole


def _check(numbers: np.ndarray, curves_S: np.ndarray) -> None:
    """DataError for what is no pulse number, or no conductance in siemens."""
    wrong = ~np.isfinite(numbers) | (numbers < 0) | (numbers != np.rint(numbers))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        found = float(numbers[row])
        raise RowError(f"row {row}: the first column holds {found!r}; pulse numbers are whole, 0 or above", row)
    wrong = ~(np.isfinite(curves_S) & (curves_S > 0))
    if wrong.any():
        row, col = np.argwhere(wrong)[0]
        value = float(curves_S[row, col])
        what = f"row {row}, curve {col}: {value!r} S is no conductance of a pulsed cell; they lie above 0"
        raise RowError(what, int(row))
    if np.median(curves_S) > _LARGEST_S:
        raise DataError(f"the median conductance is {float(np.median(curves_S)):.3g} S; is the unit right?")


def _turning(mean_S: np.ndarray) -> Tuple[slice, ...]:
    """The branches of a mean curve: two where it turns at its extreme, far from both ends."""
    whole = (slice(0, mean_S.size),)
    span = float(np.ptp(mean_S))
    for turn in (int(np.argmax(mean_S)), int(np.argmin(mean_S))):
        long_enough = turn >= _LEAST_PULSES and mean_S.size - 1 - turn >= _LEAST_PULSES
        if long_enough and min(abs(mean_S[turn] - mean_S[0]), abs(mean_S[turn] - mean_S[-1])) > span / 2:
            return slice(0, turn + 1), slice(turn, mean_S.size)  # the reading at the turn ends one and starts the other
    return whole


def _one_branch(numbers: np.ndarray, curves_S: np.ndarray, rows: slice) -> PulseResponse:
    """The exponential approach that all curves share, each with a start and an end of its own."""
    n, curves_S = numbers[rows] - numbers[rows.start], curves_S[rows]
    if n.size < _LEAST_PULSES + 1 or n[-1] < _LEAST_PULSES:
        what = f"a branch of {n.size} readings over {n[-1]:g} pulses; a fit needs at least {_LEAST_PULSES}"
        raise RowError(f"row {rows.start}: {what}", rows.start)
    constant = _best_constant(n, curves_S)
    starts_S, spans_S, residual = _straight(_approach(n, constant), curves_S)
    about = ((curves_S - curves_S.mean(axis=0)) ** 2).sum()
    if not np.ptp(curves_S, axis=0).any():
        raise DataError("the conductance is the same after every pulse: no response to fit")
    degrees = max(curves_S.size - 2 * curves_S.shape[1] - 1, 1)
    span_S = float(spans_S.mean())
    spread = float(spans_S.std(ddof=1) / abs(span_S)) if spans_S.size > 1 and span_S else 0.0
    return PulseResponse(
        direction="rising" if span_S > 0 else "falling",
        curves=curves_S.shape[1],
        pulses=int(n[-1]),
        first_row=rows.start,
        readings=n.size,
        start_S=float(starts_S.mean()),
        end_S=float(starts_S.mean()) + span_S,
        constant_pulses=constant,
        range_spread=spread,
        deviation_S=math.sqrt(residual / degrees),
        explained=1.0 - residual / float(about),
    )


def _approach(n: np.ndarray, constant: float) -> np.ndarray:
    """From 0 at the first pulse number to 1 at the last."""
    return np.expm1(-n / constant) / np.expm1(-n[-1] / constant)


def _straight(approach: np.ndarray, curves_S: np.ndarray) -> Tuple[np.ndarray, np.ndarray, float]:
    """Least squares of each curve on the approach: (starts, spans, sum of squared residuals)."""
    centered = approach - approach.mean()
    spans = centered @ curves_S / (centered @ centered)
    starts = curves_S.mean(axis=0) - spans * approach.mean()
    return starts, spans, float(((curves_S - starts - approach[:, None] * spans) ** 2).sum())


def _best_constant(n: np.ndarray, curves_S: np.ndarray) -> float:
    """The constant of least squares: a scan over three decades, refined twice."""
    low, high = math.log(n[-1] / 50), math.log(n[-1] * 20)
    for _ in range(4):
        tried = np.linspace(low, high, 41)
        squares = [_straight(_approach(n, math.exp(one)), curves_S)[2] for one in tried]
        best, step = tried[int(np.argmin(squares))], tried[1] - tried[0]
        low, high = best - step, best + step
    return math.exp(best)

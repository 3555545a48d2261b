"""Comparisons of statistics: how far they may lie, how small an error they find."""

from statistics import NormalDist
from typing import NamedTuple, Union

import numpy as np

from .cases import Case, Violation

FALSE_ALARM = 1e-3
"""Chance that `check(..., exact=False)` rejects a device that keeps the laws, over all comparisons of one call."""
LAWS = 18
"""`noisy_laws.STATISTICAL_LAWS`, which share it"""
READS = 400
"""repetitions behind each mean and variance"""


Numbers = Union[float, np.ndarray]
FOUND = NormalDist().inv_cdf(0.99)
"""standard errors beyond its bound at which 99 of 100 devices are found"""


class Power(NamedTuple):
    """What a law finds with 99 %."""

    smallest: float
    unit: str

    def __str__(self) -> str:
        return f"{self.smallest:.2g} {self.unit}"


def quantile(comparisons: int) -> float:
    """Two-sided normal quantile for one of `comparisons` in each of the statistical laws."""
    return NormalDist().inv_cdf(1 - FALSE_ALARM / LAWS / comparisons / 2)


def must_lie(found: np.ndarray, wanted: Numbers, slack: Numbers, case: Case, what: str) -> None:
    """Violation for the first of some numbers (n,) that is further from what it should be than it may."""
    if np.all(np.abs(found - wanted) <= slack):
        return
    pair = int(np.argmax(np.abs(found - wanted) - slack))
    wanted, slack = (float(np.broadcast_to(numbers, found.shape)[pair]) for numbers in (wanted, slack))
    where = f" of pair {pair}" if len(found) > 1 else ""
    raise Violation(f"{case}: {what}{where} is {found[pair]:.6g}, expected {wanted:.6g} within {slack:.3g}")

"""Comparisons of statistics: how far they may lie, how small an error they find."""

from statistics import NormalDist
from typing import NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from .cases import Case, Violation

FALSE_ALARM = 1e-3
"""Chance that `check(..., exact=False)` rejects a device that keeps the laws, over all comparisons of one call."""
LAWS = 18
"""`noisy_laws.STATISTICAL_LAWS`, which share it"""
READS = 400
"""repetitions behind each mean and variance"""
FEWEST_READS = 50
MOST_READS = 10_000
"""that are asked for; one sample of 512 columns takes 41 MB"""


Numbers = Union[float, np.ndarray]
FOUND = NormalDist().inv_cdf(0.99)
"""standard errors beyond its bound at which 99 of 100 devices are found"""


class Power(NamedTuple):
    """What a law finds with 99 %."""

    smallest: float
    unit: str

    def __str__(self) -> str:
        return f"{self.smallest:.2g} {self.unit}"


def reads_that_find(wanted: float, powers: Sequence[Tuple[int, Optional[Power]]]) -> int:
    """Reads with which a law finds an error of `wanted`, from what two numbers of reads find.

    It falls as a + b / sqrt(reads); a is what the device may be off. A tenth more is asked for, as part of it falls
    as 1 / reads. The fewest where no number of reads is enough.
    """
    (few, found_by_few), (more, found_by_more) = powers
    if found_by_few is None or found_by_more is None:
        return few
    b = (found_by_few.smallest - found_by_more.smallest) / (few**-0.5 - more**-0.5)
    a = max(found_by_more.smallest - b * more**-0.5, 0.0)
    if a >= wanted:
        return few
    return min(int(np.ceil(1.1 * (b / (wanted - a)) ** 2)), MOST_READS)


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

"""What a table says: main effects, maps of two parameters, the Pareto front over energy, yield. Pure functions on rows.

A row is {column: int, float, text or None}; rows without the figure (points that failed) are left out and counted.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..errors import ConfigError
from ..json_codec import Result

Row = Mapping[str, Any]
BINS = 6
"""groups of equal size into which a parameter of many values is cut"""
MANY = 24
"""values from which on a number is cut into groups"""
CHIP = "chip_seed"
"""the parameter that says which individual a chip is"""


@dataclass(frozen=True)
class Level(Result):
    """The points of one value of a parameter, or of one range of values."""

    value: str
    """the value, or "LOW..HIGH\""""
    points: int
    """how many"""
    mean: float
    """of the figure"""
    standard_error: Optional[float]
    """of that mean, from the spread of the points; None: of one point"""


@dataclass(frozen=True)
class MainEffect(Result):
    """What a parameter does to the figure, the others averaged."""

    parameter: str
    """its name"""
    levels: Tuple[Level, ...]
    """in the order of the values"""
    difference: float
    """largest mean less the smallest"""
    variance_share: Optional[float]
    """variance between the levels over that of all points (eta squared); None: all points are alike"""


@dataclass(frozen=True)
class Map(Result):
    """Mean figure by two parameters."""

    down: str
    """parameter of the rows"""
    across: str
    """parameter of the columns"""
    down_values: Tuple[str, ...]
    """values of the rows"""
    across_values: Tuple[str, ...]
    """values of the columns"""
    means: Tuple[Tuple[Optional[float], ...], ...]
    """[row][column]; None: no point"""


@dataclass(frozen=True)
class FrontPoint(Result):
    """A point that no other beats in both the figure and the energy."""

    point: str
    """its key in the table"""
    value: float
    """the figure"""
    energy_J: float
    """of one inference"""


@dataclass(frozen=True)
class Yield(Result):
    """Share of chips at or above a threshold, under one setting of all other parameters."""

    setting: Dict[str, str]
    """the other parameters that vary"""
    threshold: float
    """of the figure"""
    chips: int
    """how many were looked at"""
    good: int
    """of those, at or above the threshold"""
    share: float
    """good over chips"""
    low: float
    """lower end of the Wilson interval"""
    high: float
    """upper end"""
    exact_low: float
    """lower end of the Clopper-Pearson interval, which holds its confidence for any number of chips"""
    exact_high: float
    """upper end"""
    confidence: float
    """of both intervals"""


def with_figure(rows: Sequence[Row], figure: str) -> List[Row]:
    """The rows that have a figure; ConfigError when it is no column of numbers."""
    kept = [row for row in rows if row.get(figure) is not None]
    if rows and figure not in rows[0]:
        raise ConfigError(f"the table has no column {figure!r}; it has {', '.join(rows[0])}")
    if kept and not all(isinstance(row[figure], (int, float)) for row in kept):
        raise ConfigError(f"column {figure!r} does not hold numbers")
    return kept


def varied(rows: Sequence[Row], parameters: Sequence[str]) -> List[str]:
    """The parameters that have more than one value."""
    return [name for name in parameters if len({row[name] for row in rows}) > 1]


def main_effects(rows: Sequence[Row], parameters: Sequence[str], *, figure: str) -> Tuple[MainEffect, ...]:
    """The effect of each parameter that varies, the one that explains most of the variance first."""
    rows = with_figure(rows, figure)
    found = [_effect(rows, name, figure) for name in varied(rows, parameters)]
    return tuple(sorted(found, key=lambda effect: -(effect.variance_share or 0.0)))


def _effect(rows: Sequence[Row], name: str, figure: str) -> MainEffect:
    values = np.array([row[figure] for row in rows], np.float64)
    labels, order = _labels(rows, name)
    levels, between = [], 0.0
    for label in order:
        own = values[[k for k, other in enumerate(labels) if other == label]]
        error = float(own.std(ddof=1) / math.sqrt(own.size)) if own.size > 1 else None
        levels.append(Level(label, int(own.size), float(own.mean()), error))
        between += own.size * (own.mean() - values.mean()) ** 2
    means, total = [level.mean for level in levels], float(((values - values.mean()) ** 2).sum())
    return MainEffect(name, tuple(levels), max(means) - min(means), float(between / total) if total > 0 else None)


def _labels(rows: Sequence[Row], name: str) -> Tuple[List[str], List[str]]:
    """(label of each row, labels in their order): the values of a parameter, or groups of them where they are many."""
    values = [row[name] for row in rows]
    distinct = set(values)
    numbers = all(isinstance(value, (int, float)) for value in distinct)
    if not numbers or len(distinct) < MANY:
        order = sorted(distinct, key=_sortable)
        return [text_of(value) for value in values], [text_of(value) for value in order]
    edges = np.quantile(np.array(values, np.float64), np.linspace(0, 1, BINS + 1))
    groups: Any = np.searchsorted(edges[1:-1], np.array(values, np.float64), side="right").tolist()
    names = [f"{low:.4g}..{high:.4g}" for low, high in zip(edges, edges[1:])]
    return [names[group] for group in groups], [names[group] for group in sorted(set(groups))]


def _sortable(value: Any) -> Tuple[int, float, str]:
    return (1, value, "") if isinstance(value, (int, float)) else (0 if value is None else 2, 0.0, str(value))


def text_of(value: Any) -> str:
    """A value of a parameter for people."""
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def two_way(rows: Sequence[Row], down: str, across: str, *, figure: str) -> Map:
    """Mean figure by two parameters."""
    rows = with_figure(rows, figure)
    down_labels, down_order = _labels(rows, down)
    across_labels, across_order = _labels(rows, across)
    cells: Dict[Tuple[str, str], List[float]] = {}
    for row, one, other in zip(rows, down_labels, across_labels):
        cells.setdefault((one, other), []).append(row[figure])

    def mean(one: str, other: str) -> Optional[float]:
        found = cells.get((one, other))
        return None if found is None else float(np.mean(found))

    means = tuple(tuple(mean(one, other) for other in across_order) for one in down_order)
    return Map(down, across, tuple(down_order), tuple(across_order), means)


def pareto_front(rows: Sequence[Row], *, figure: str, energy: str = "energy_J") -> Tuple[FrontPoint, ...]:
    """The points that no other beats in figure and energy, from the least energy on."""
    known = [row for row in with_figure(rows, figure) if row.get(energy) is not None]
    front: List[FrontPoint] = []
    for row in sorted(known, key=lambda row: (row[energy], -row[figure])):
        if not front or row[figure] > front[-1].value:
            front.append(FrontPoint(str(row["point"]), float(row[figure]), float(row[energy])))
    return tuple(front)


def yields(
    rows: Sequence[Row],
    parameters: Sequence[str],
    *,
    threshold: float,
    figure: str,
    confidence: float = 0.95,
) -> Tuple[Yield, ...]:
    """Share of chips at or above a threshold, for each setting of the parameters other than `CHIP`."""
    rows = with_figure(rows, figure)
    others = [name for name in varied(rows, parameters) if name != CHIP]
    groups: Dict[Tuple[Any, ...], Dict[Any, List[float]]] = {}
    for number, row in enumerate(rows):
        chips = groups.setdefault(tuple(row[name] for name in others), {})
        chips.setdefault(row.get(CHIP, number), []).append(row[figure])
    found = []
    for setting, chips in groups.items():
        good = sum(float(np.mean(values)) >= threshold for values in chips.values())
        low, high = wilson(good, len(chips), confidence)
        exact = clopper_pearson(good, len(chips), confidence)
        named = {name: text_of(value) for name, value in zip(others, setting)}
        found.append(Yield(named, threshold, len(chips), good, good / len(chips), low, high, *exact, confidence))
    return tuple(found)


def wilson(good: int, of: int, confidence: float) -> Tuple[float, float]:
    """Interval of a share by its score test (Wilson 1927)."""
    _check(good, of, confidence)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, spread = good / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def clopper_pearson(good: int, of: int, confidence: float) -> Tuple[float, float]:
    """Interval of a share from the tails of the binomial distribution (Clopper and Pearson 1934)."""
    _check(good, of, confidence)
    tail = (1 - confidence) / 2
    low = 0.0 if good == 0 else _root(lambda share: _at_least(good, of, share) - tail)
    high = 1.0 if good == of else _root(lambda share: tail - (1 - _at_least(good + 1, of, share)))
    return low, high


def _check(good: int, of: int, confidence: float) -> None:
    if not 0 <= good <= of or of < 1:
        raise ConfigError(f"{good} of {of} is no share")
    if not 0 < confidence < 1:
        raise ConfigError(f"a confidence of {confidence}; it lies between 0 and 1")


def _at_least(good: int, of: int, share: float) -> float:
    """Probability of at least `good` successes."""
    if share <= 0:
        return float(good <= 0)
    if share >= 1:
        return 1.0
    whole = math.lgamma(of + 1)
    return math.fsum(
        math.exp(
            whole - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * math.log(share) + (of - k) * math.log1p(-share)
        )
        for k in range(good, of + 1)
    )


def _root(rising: Callable[[float], float]) -> float:
    """Where a function that rises over 0..1 is 0."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2

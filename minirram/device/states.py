"""Which state the cells of a measured map are in: pristine, off, on or shorted, as log-normal groups of conductance."""

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..errors import ConfigError
from ..json_codec import Result
from ..units import si_format
from .cell import normal_cdf
from .goodness import ks_distance, ks_limit
from .interface import Cell
from .mixture import Mixture, fit_mixture

STATES = ("pristine", "off", "on", "short")
"""in the order of their conductance"""

OUTLIER = -1
"""label of a cell that belongs to no state"""

_LEAST_RATIO = 3.0  # of the medians of two states; what lies closer is one state
_LEAST_DISTANCE = 2.0  # of two states in their mean deviation (Ashman, Bird and Zepf, AJ 108, 1994: two peaks)
_LEAST_SIGMA_LN = 0.005
_FLOOR_WIDTH = 4 * math.log(10)  # outliers lie anywhere within four decades, or as far as the map goes
_LEAST_SPREAD = 0.1  # for the border of formed cells: simulated pristine cells are all alike
_LEAST_CELLS = 5  # fewer are outliers
_MOST_FITTED = 2**20  # of more cells, every second or third and on is fitted; all are labelled


@dataclass(frozen=True)
class CellState(Result):
    """One state that cells of the maps are in, as a log-normal distribution."""

    name: str
    """pristine, off, on or short"""
    cells: int
    """cells that most likely are in it"""
    share: float
    """of the cells that conduct at all"""
    median_S: float
    """median conductance"""
    sigma_ln: float
    """standard deviation of ln G"""
    ks: float
    """Kolmogorov-Smirnov distance of its cells to this log-normal"""
    ks_limit: float
    """distance that a true log-normal exceeds once in twenty fits (Lilliefors 1967, large n)"""


class Separation(NamedTuple):
    """The states of many cells."""

    states: Tuple[CellState, ...]
    """in the order of their conductance"""
    labels: np.ndarray
    """int8 (n,): index into `states` of each cell, or OUTLIER"""
    formed_min_S: float
    """cells that conduct at least this are formed; 0: none looks pristine, inf: all do"""
    cost: float
    """how unlikely these states are for the technology; 0: as its numbers say"""
    doubt: str
    """what else the states may be, where that is nearly as likely; "": nothing"""
    overlap: str
    """groups that overlap too far to be told apart; "": none"""

    def state(self, name: str) -> Optional[CellState]:
        """The state called `name`, if there is one."""
        return next((state for state in self.states if state.name == name), None)

    def label_of(self, name: str) -> int:
        """The label of its cells; len(states) when there is none: no label is that."""
        return next((k for k, state in enumerate(self.states) if state.name == name), len(self.states))


def finite(conductance_S: float) -> Optional[float]:
    """The border of formed cells for a result: None where no cell reaches it."""
    return conductance_S if math.isfinite(conductance_S) else None


class _Group(NamedTuple):
    """Components of the mixture that are one state."""

    members: Tuple[int, ...]
    share: float
    mean: float
    sigma: float


def separate(conductance_S: np.ndarray, base: Cell, names: Optional[Sequence[str]] = None) -> Separation:
    """The states of cells that conduct: conductance_S (n,), all above 0 and not all equal.

    base: what the technology expects of each state. names: the states from the lowest conductance up, where they are
    known; ConfigError when the cells have another number of groups.
    """
    conductance_S = over_steps(conductance_S)
    ln_G = np.log(conductance_S[:: -(-conductance_S.size // _MOST_FITTED)])
    mixture = fit_mixture(ln_G, least_sigma=_LEAST_SIGMA_LN, floor_width=_FLOOR_WIDTH)
    groups, overlap = _groups(mixture, ln_G.size)
    if names is None:
        groups = _largest(groups, len(allowed_states(base)))
        chosen, cost, doubt = _named(groups, base)
    else:
        chosen, cost, doubt = tuple(names), 0.0, ""
        _check_names(chosen, groups)
    parts = [_labels(_weights(mixture, groups, np.log(part_S))) for part_S in _parts(conductance_S)]
    labels, weights = np.concatenate(parts), _weights(mixture, groups, ln_G)
    states = tuple(
        _fitted(name, ln_G, weights[k], cells=int(np.count_nonzero(labels == k))) for k, name in enumerate(chosen)
    )
    return Separation(states, labels, _formed_min_S(states), cost, doubt, overlap)


def over_steps(conductance_S: np.ndarray) -> np.ndarray:
    """Values (n,) that an instrument rounded, spread evenly over its steps; others as they are.

    Values are rounded when they are multiples of their smallest difference, and most stand there more than once.
    """
    values, place, counts = np.unique(conductance_S, return_inverse=True, return_counts=True)
    if 2 * values.size > conductance_S.size or values.size < 2:
        return conductance_S
    step = np.diff(values).min()
    if not np.allclose(values / step, np.rint(values / step), rtol=1e-6, atol=1e-3):
        return conductance_S
    rank = np.empty(conductance_S.size)
    rank[np.argsort(place, kind="stable")] = np.arange(conductance_S.size) - np.repeat(
        np.cumsum(counts) - counts, counts
    )
    return conductance_S + step * ((rank + 0.5) / counts[place] - 0.5)


def _parts(conductance_S: np.ndarray) -> List[np.ndarray]:
    """The cells in parts whose weights fit into memory."""
    return np.array_split(conductance_S, -(-conductance_S.size // _MOST_FITTED))


def _weights(mixture: Mixture, groups: Sequence[_Group], ln_G: np.ndarray) -> np.ndarray:
    """(states, n): the probability of each state for each cell; what is missing from 1 is outliers'."""
    responsibilities = mixture.responsibilities(ln_G)
    return np.stack([responsibilities[list(group.members)].sum(axis=0) for group in groups])


def _labels(weights: np.ndarray) -> np.ndarray:
    """int8 (n,): the likeliest state, or OUTLIER."""
    outlying = 1.0 - weights.sum(axis=0) > weights.max(axis=0)
    return np.where(outlying, OUTLIER, np.argmax(weights, axis=0)).astype(np.int8)


def allowed_states(base: Cell) -> Tuple[str, ...]:
    """States that cells of a technology can be in: none is pristine where no forming is needed."""
    return STATES if float(base.formed_share(np.asarray(0.0))) < 0.5 else STATES[1:]


Naming = Tuple[float, Tuple[str, ...]]


def name_states(ln_medians: Sequence[float], shares: Sequence[float], base: Cell) -> List[Naming]:
    """(cost, names), the likeliest first: which state each group (in rising order) may be.

    The cost is a sum of squares: the on median against the technology's (a factor of 20 costs 1), on to off and
    pristine against theirs (a factor of e costs 1); shorts conduct eight times on, and are few.
    """
    return sorted(
        (_cost(dict(zip(names, zip(ln_medians, shares))), base), names)
        for names in combinations(allowed_states(base), len(ln_medians))
    )


def _cost(found: Dict[str, Tuple[float, float]], base: Cell) -> float:
    """The cost of one naming; found: {state: (mean of ln G, share)}."""
    ln_on, ln_off = math.log(base.lrs_spread()[0]), math.log(base.hrs_spread()[0])
    cost = 0.0
    on, share = found.get("on", (ln_on, 0.0))
    if "on" in found:
        cost += ((on - ln_on) / 3.0) ** 2 + (share < 0.1)
    else:
        cost += 1.0
    if "pristine" in found:
        cost += (found["pristine"][0] - math.log(base.pristine_S)) ** 2
    if "off" in found:
        cost += (on - found["off"][0] - (ln_on - ln_off)) ** 2
    if "short" in found:
        cost += 1.0 + max(0.0, math.log(8.0) - (found["short"][0] - on)) ** 2 + min(4.0, (10 * found["short"][1]) ** 2)
    return cost


def _named(groups: Sequence[_Group], base: Cell) -> Tuple[Tuple[str, ...], float, str]:
    """(names, cost, doubt) of the likeliest naming."""
    ranked = name_states([group.mean for group in groups], [group.share for group in groups], base)
    cost, names = ranked[0]
    near = [other for other_cost, other in ranked[1:] if other_cost < cost + 1.0]
    return names, cost, f"{', '.join(names)} may be {', '.join(near[0])}" if near else ""


def _check_names(names: Sequence[str], groups: Sequence[_Group]) -> None:
    """ConfigError unless the names are states in rising order, one per group."""
    rising = [name for name in STATES if name in names]
    if list(names) != rising:
        raise ConfigError(f"the states {', '.join(names)}: choose from {', '.join(STATES)}, in this order")
    if len(groups) != len(names):
        medians = ", ".join(_siemens(group) for group in groups)
        raise ConfigError(f"{len(names)} states were named, the cells have {len(groups)} group(s): {medians}")


def _groups(mixture: Mixture, n: int) -> Tuple[List[_Group], str]:
    """Components as states, in rising order: what overlaps is one state, what is wide and thin is outliers."""
    shares, means, sigmas = mixture.shares, mixture.means, mixture.sigmas
    largest = int(np.argmax(shares))
    groups: List[_Group] = []
    overlap = ""
    for k in range(means.size):
        around = (np.abs(means - means[k]) < sigmas[k]) & (sigmas[k] > 3 * sigmas) & (shares > shares[k])
        if k != largest and (around.any() or shares[k] * n < _LEAST_CELLS):
            continue
        group = _Group((k,), float(shares[k]), float(means[k]), float(sigmas[k]))
        while groups and not _apart(groups[-1], group):
            below = groups.pop()
            if group.mean - below.mean > math.log(_LEAST_RATIO) and min(below.share, group.share) > 0.05:
                overlap = f"cells around {_siemens(below)} and cells around {_siemens(group)} overlap"
            group = _joined(below, group)
        groups.append(group)
    return groups, overlap


def _siemens(group: _Group) -> str:
    return si_format(math.exp(group.mean), "S", digits=3)


def _apart(low: _Group, high: _Group) -> bool:
    """Whether two groups are two states."""
    gap = high.mean - low.mean
    return gap > math.log(_LEAST_RATIO) and gap > _LEAST_DISTANCE * math.sqrt((low.sigma**2 + high.sigma**2) / 2)


def _joined(one: _Group, two: _Group) -> _Group:
    """One group with the mean and the variance of both."""
    share = one.share + two.share
    a, b = one.share / share, two.share / share
    variance = a * one.sigma**2 + b * two.sigma**2 + a * b * (one.mean - two.mean) ** 2
    return _Group(one.members + two.members, share, a * one.mean + b * two.mean, math.sqrt(variance))


def _largest(groups: List[_Group], most: int) -> List[_Group]:
    """At most so many groups: those with most cells."""
    least = sorted((group.share for group in groups), reverse=True)[:most][-1]
    return [group for group in groups if group.share >= least][:most]


def _fitted(name: str, ln_G: np.ndarray, weights: np.ndarray, *, cells: int) -> CellState:
    """A state from the probability of each cell to be in it."""
    n = max(float(weights.sum()), 2.0)
    mean = float(weights @ ln_G / n)
    sigma = math.sqrt(max(float(weights @ (ln_G - mean) ** 2) / (n - 1), 1e-18))
    ks = ks_distance(ln_G, lambda values: normal_cdf((values - mean) / sigma), weights)
    return CellState(name, cells, n / ln_G.size, math.exp(mean), sigma, ks, ks_limit(n))


def _formed_min_S(states: Sequence[CellState]) -> float:
    """The border above pristine cells: as many deviations from either side."""
    if not states or states[0].name != "pristine":
        return 0.0
    if len(states) == 1:
        return math.inf
    low, high = states[:2]
    spreads = [max(state.sigma_ln, _LEAST_SPREAD) for state in (low, high)]
    share = spreads[0] / sum(spreads)
    return low.median_S * (high.median_S / low.median_S) ** share

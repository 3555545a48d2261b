"""Whether the unit of a map can be right: in which unit its states are most as the technology has them."""

import math
from typing import Dict, Optional, Sequence

import numpy as np

from .interface import Cell
from .states import allowed_states, name_states, separate

_SIEMENS = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9}
_OHM = {"ohm": 1.0, "kOhm": 1e3, "MOhm": 1e6}

_CLEAR = 3.0  # cost by which another unit must be likelier: about a factor of 35 of the on median


def unit_cost(ln_medians: Sequence[float], shares: Sequence[float], base: Cell) -> float:
    """How unlikely groups of ln G with these shares are for a technology, in siemens: the cost of their best naming."""
    if len(ln_medians) > len(allowed_states(base)):
        return math.inf
    return name_states(ln_medians, shares, base)[0][0]


def likely_unit(values: np.ndarray, base: Cell) -> str:
    """The unit in which values (n,), all above 0, are most as the technology has them."""
    states = separate(values, base).states
    costs = _costs([math.log(state.median_S) for state in states], [state.share for state in states], base)
    return min(costs, key=lambda name: costs[name])


def likely_other_unit(ln_medians: Sequence[float], shares: Sequence[float], base: Cell, *, unit: str) -> Optional[str]:
    """The unit that fits the technology better than `unit` by far, in which the values were taken; None: no other.

    ln_medians: rising means of ln G of the groups of cells, as taken. shares: of the cells, one per group.
    """
    taken = unit_cost(ln_medians, shares, base)
    if unit in _OHM:  # back to the resistances that the file holds
        values = [-mean - math.log(_OHM[unit]) for mean in reversed(ln_medians)]
        costs = _costs(values, list(reversed(shares)), base)
    else:
        costs = _costs([mean - math.log(_SIEMENS.get(unit, 1.0)) for mean in ln_medians], shares, base)
    best = min(costs, key=lambda name: costs[name])
    return best if costs[best] + _CLEAR < taken else None


def _costs(ln_values: Sequence[float], shares: Sequence[float], base: Cell) -> Dict[str, float]:
    """{unit: cost} of groups of values, in rising order, as a file has them."""
    costs = {
        name: unit_cost([value + math.log(scale) for value in ln_values], shares, base)
        for name, scale in _SIEMENS.items()
    }
    for name, scale in _OHM.items():
        turned = [-value - math.log(scale) for value in reversed(ln_values)]
        costs[name] = unit_cost(turned, list(reversed(shares)), base)
    return costs

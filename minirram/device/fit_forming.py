"""Forming voltages: their mean and spread beside outliers, and whether the unit can be volt."""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from ..json_codec import Result
from .cell import normal_cdf
from .goodness import Cdf, ks_distance, ks_distance_on_grid, ks_limit
from .mixture import fit_mixture

_LEAST_V, _LARGEST_V = 0.1, 30.0  # medians beyond are no volts: cells form between 1 and 10 V
_LEAST_CELLS = 20


@dataclass(frozen=True)
class Forming(Result):
    """Forming voltages as a normal distribution."""

    cells: int
    """voltages in the file"""
    mean_V: float
    """their mean, outliers apart"""
    std_V: float
    """their standard deviation, outliers apart"""
    outliers: int
    """voltages that do not belong to the distribution"""
    at_end: int
    """voltages at the end of the sweep, where many cells stopped without forming; not fitted"""
    ks: float
    """Kolmogorov-Smirnov distance to the fitted normal; on the grid of the steps, where the voltages were swept"""
    ks_limit: float
    """distance that a true normal exceeds once in twenty fits (Lilliefors 1967, large n)"""


def fit_forming(voltages_V: np.ndarray) -> Forming:
    """The distribution of forming voltages, any shape, volt.

    DataError for values that are no voltages, fewer than 20 or all equal ones, and for another unit.
    """
    swept_V = np.ravel(np.asarray(voltages_V, np.float64))
    if not (np.isfinite(swept_V).all() and (swept_V > 0).all()):
        raise DataError("forming voltages must be finite and above 0")
    check_spread("forming voltages", swept_V)
    median_V = float(np.median(swept_V))
    if not _LEAST_V <= median_V <= _LARGEST_V:
        other = f" As mV it is {median_V / 1000:.4g} V" if median_V > _LARGEST_V else ""
        raise DataError(f"the median forming voltage is {median_V:.4g} V; is the unit volt?{other}")
    held_V, at_end = _before_the_end(swept_V)
    width = 2 * float(np.ptp(held_V))
    mixture = fit_mixture(held_V, least_sigma=1e-3 * median_V, floor_width=width, components=1)
    weights = mixture.responsibilities(held_V)[0]
    n = float(weights.sum())
    mean_V = float(weights @ held_V / n)
    std_V = math.sqrt(float(weights @ (held_V - mean_V) ** 2) / (n - 1))
    inside_V = held_V[weights > 0.5]
    return Forming(
        cells=swept_V.size,
        mean_V=mean_V,
        std_V=std_V,
        outliers=int(np.count_nonzero(weights <= 0.5)),
        at_end=at_end,
        ks=_ks_of_sweep(inside_V, lambda value: normal_cdf((np.asarray(value) - mean_V) / std_V)),
        ks_limit=ks_limit(inside_V.size),
    )


def check_spread(what: str, values: np.ndarray) -> None:
    """DataError unless there are values enough for a mean and a standard deviation, and they differ."""
    if values.size < _LEAST_CELLS:
        raise DataError(f"{values.size} {what}; a fit needs at least {_LEAST_CELLS}")
    if np.ptp(values) == 0:
        raise DataError(f"all {values.size} {what} have the value {float(values[0]):.4g}: no distribution to fit")


def _before_the_end(swept_V: np.ndarray) -> "tuple":
    """(voltages, count left out): without those at the largest one, where they are more than a tail can hold."""
    last = swept_V == swept_V.max()
    rest = swept_V[~last]
    if rest.size < _LEAST_CELLS or np.ptp(rest) == 0:
        return swept_V, 0
    next_V = rest.max()
    piled = last.sum() > max(3, 3 * np.count_nonzero(rest == next_V)) and last.sum() > 0.01 * swept_V.size
    return (rest, int(last.sum())) if piled else (swept_V, 0)


def _ks_of_sweep(voltages_V: np.ndarray, cdf: Cdf) -> float:
    """Kolmogorov-Smirnov distance of voltages that may have been swept in steps: on the grid of the steps, if so."""
    gaps_V = np.diff(np.unique(voltages_V))
    step_V = gaps_V.min()
    in_steps = np.allclose(gaps_V / step_V, np.rint(gaps_V / step_V), rtol=0, atol=1e-3)
    if in_steps and gaps_V.size + 1 < voltages_V.size:
        return ks_distance_on_grid(voltages_V, cdf, step=step_V)
    return ks_distance(voltages_V, cdf)

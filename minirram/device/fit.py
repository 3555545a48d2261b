"""A cell model fitted to measured maps, with its distance from the data."""

import math
from typing import Callable, NamedTuple, Optional, Sequence

import numpy as np

from ..errors import DataError
from .cell import CellModel, normal_cdf

_LARGEST_MEDIAN_S = 1e-3  # no array of memory cells conducts more per cell; a wrong unit is off by a thousand


Cdf = Callable[[np.ndarray], np.ndarray]


def ks_distance(samples: np.ndarray, cdf: Cdf) -> float:
    """Kolmogorov-Smirnov distance between the samples (any shape) and a continuous CDF given as a function."""
    ordered = np.sort(np.ravel(samples))
    model = cdf(ordered)
    n = ordered.size
    return float(max(np.max(np.arange(1, n + 1) / n - model), np.max(model - np.arange(n) / n)))


def ks_distance_on_grid(samples: np.ndarray, cdf: Cdf, *, step: float) -> float:
    """The same for samples that were rounded to multiples of `step`: compared where the rounding cells end."""
    values, counts = np.unique(np.rint(np.ravel(samples) / step), return_counts=True)
    empirical = np.cumsum(counts) / counts.sum()
    above = np.abs(empirical - cdf((values + 0.5) * step))
    below = np.abs(np.concatenate(([0.0], empirical[:-1])) - cdf((values - 0.5) * step))
    return float(max(above.max(), below.max()))


class Fit(NamedTuple):
    """A `CellModel` fitted to measured maps, and how well it fits."""

    model: CellModel
    """`base` with the fitted numbers and their sources"""
    cells: int
    """cells in the maps"""
    formed: int
    """cells above 0"""
    ks_lognormal: float
    """Kolmogorov-Smirnov distance of the formed cells to the fitted log-normal"""
    ks_normal: float
    """the same to a normal distribution of their mean and standard deviation, for comparison"""
    ks_limit: float
    """distance that a true log-normal exceeds once in twenty fits (Lilliefors 1967, large n)"""
    ks_forming: Optional[float]
    """distance of the forming voltages to the fitted normal; None without voltages"""

    @property
    def is_lognormal(self) -> bool:
        """Whether the maps are compatible with the fitted log-normal at the 5 % level."""
        return self.ks_lognormal <= self.ks_limit


def fit_maps(
    maps_S: Sequence[np.ndarray],
    base: CellModel,
    *,
    forming_V: Optional[np.ndarray] = None,
    name: str = "fitted",
    repeated: bool = False,
) -> Fit:
    """Fit the on conductance, and what else the data allow, to measured maps: a `Fit`.

    maps_S: sequence of arrays, siemens, 0 = not formed. base: `CellModel` that supplies all other numbers.
    forming_V: measured forming voltages, any shape. repeated: the maps are reads of one array, from which read noise
    is fitted too; each cell then counts once, with its mean. DataError for values that are no conductances or
    voltages, for fewer than 20 formed cells or voltages, and where all are equal.
    """
    values_S = [np.asarray(values, np.float64) for values in maps_S]
    for k, values in enumerate(values_S):
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise DataError(f"map {k}: conductances must be finite and not negative")
    reads_S, source_maps = values_S, len(values_S)
    if repeated:
        values_S = [_mean_of_reads(reads_S)]
    every_S = np.concatenate([values.ravel() for values in values_S]) if values_S else np.zeros(0)
    formed_S = every_S[every_S > 0]
    _check_spread("formed cells", formed_S)
    if np.median(formed_S) > _LARGEST_MEDIAN_S:
        raise DataError(
            f"the median cell conducts {float(np.median(formed_S)):.3g} S, more than "
            f"{_LARGEST_MEDIAN_S} S; is the unit right?"
        )
    logarithm = np.log(formed_S)
    found = {"lrs_median_S": float(np.exp(logarithm.mean())), "lrs_sigma_ln": float(logarithm.std(ddof=1))}
    if repeated:
        found["read_noise"] = _repeated_read_noise(reads_S)
    if forming_V is not None:
        swept_V = np.ravel(np.asarray(forming_V, np.float64))
        if not (np.isfinite(swept_V).all() and (swept_V > 0).all()):
            raise DataError("forming voltages must be finite and above 0")
        _check_spread("forming voltages", swept_V)
        found["forming_mean_V"] = float(np.mean(swept_V))
        found["forming_std_V"] = float(np.std(swept_V, ddof=1))
    source = f"fitted to {formed_S.size} formed cells of {source_maps} map(s)"
    sources = dict(base.sources, **{field: source for field in found})
    model = base.changed(name=name, sources=tuple(sources.items()), **found)
    mean_S, std_S = formed_S.mean(), formed_S.std(ddof=1)
    return Fit(
        model=model,
        cells=every_S.size,
        formed=formed_S.size,
        ks_lognormal=ks_distance(formed_S, model.lrs_cdf),
        ks_normal=ks_distance(formed_S, lambda values: normal_cdf((values - mean_S) / std_S)),
        ks_limit=0.886 / math.sqrt(formed_S.size),
        ks_forming=None if forming_V is None else _ks_of_sweep(swept_V, model.formed_share),
    )


def _check_spread(what: str, values: np.ndarray) -> None:
    """DataError unless there are values enough for a mean and a standard deviation, and they differ."""
    if values.size < 20:
        raise DataError(f"{values.size} {what}; a fit needs at least 20")
    if np.ptp(values) == 0:
        raise DataError(f"all {values.size} {what} have the value {float(values[0]):.4g}: no distribution to fit")


def _ks_of_sweep(voltages_V: np.ndarray, cdf: Cdf) -> float:
    """Kolmogorov-Smirnov distance of voltages that may have been swept in steps: on the grid of the steps, if so."""
    gaps_V = np.diff(np.unique(voltages_V))
    step_V = gaps_V.min()
    in_steps = np.allclose(gaps_V / step_V, np.rint(gaps_V / step_V), rtol=0, atol=1e-3)
    if in_steps and gaps_V.size + 1 < voltages_V.size:
        return ks_distance_on_grid(voltages_V, cdf, step=step_V)
    return ks_distance(voltages_V, cdf)


def _mean_of_reads(reads_S: Sequence[np.ndarray]) -> np.ndarray:
    """Mean conductance of each cell of one array; 0 where a read found it unformed."""
    if len(reads_S) < 2 or any(values.shape != reads_S[0].shape for values in reads_S):
        raise DataError("repeated reads need at least two maps of one shape")
    return np.where(np.min(reads_S, axis=0) > 0, np.mean(reads_S, axis=0), 0.0)


def _repeated_read_noise(values_S: Sequence[np.ndarray]) -> float:
    """Relative standard deviation of single reads: root mean square over the formed cells of std / mean."""
    reads_S = np.stack(values_S)
    reads_S = reads_S[:, (reads_S > 0).all(axis=0)]
    return float(np.sqrt(np.mean(reads_S.var(axis=0, ddof=1) / reads_S.mean(axis=0) ** 2)))

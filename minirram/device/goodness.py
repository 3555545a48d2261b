"""How far samples lie from a distribution: Kolmogorov-Smirnov distances."""

import math
from typing import Callable, Optional

import numpy as np

Cdf = Callable[[np.ndarray], np.ndarray]


def ks_distance(samples: np.ndarray, cdf: Cdf, weights: Optional[np.ndarray] = None) -> float:
    """Kolmogorov-Smirnov distance between the samples (any shape) and a continuous CDF given as a function.

    weights: how much of each sample counts, of the same shape; None: all of it.
    """
    flat = np.ravel(samples)
    order = np.argsort(flat, kind="stable")
    model = cdf(flat[order])
    if weights is None:
        above, below = np.arange(1, flat.size + 1) / flat.size, np.arange(flat.size) / flat.size
    else:
        counted = np.ravel(weights)[order]
        sums = np.cumsum(counted)
        above, below = sums / sums[-1], (sums - counted) / sums[-1]
    return float(max(np.max(above - model), np.max(model - below)))


def ks_distance_on_grid(samples: np.ndarray, cdf: Cdf, *, step: float) -> float:
    """The same for samples that were rounded to multiples of `step`: compared where the rounding cells end."""
    values, counts = np.unique(np.rint(np.ravel(samples) / step), return_counts=True)
    empirical = np.cumsum(counts) / counts.sum()
    above = np.abs(empirical - cdf((values + 0.5) * step))
    below = np.abs(np.concatenate(([0.0], empirical[:-1])) - cdf((values - 0.5) * step))
    return float(max(above.max(), below.max()))


def ks_limit(samples: float) -> float:
    """Distance that a fitted normal distribution exceeds once in twenty fits (Lilliefors 1967, large n)."""
    return 0.886 / math.sqrt(samples)

"""Normal components and a uniform floor of outliers on one axis: fitted by EM, their number by BIC.

EM: Dempster, Laird and Rubin, J. R. Stat. Soc. B 39 (1977). The start is greedy and without chance: each further
component enters where it raises the likelihood most (Verbeek, Vlassis and Kroese, Neural Computation 15, 2003).
"""

from typing import NamedTuple, Optional, Tuple

import numpy as np

LARGEST_FLOOR = 0.35
"""largest share of outliers that a fit gives to its floor"""

_MOST_COMPONENTS = 6
_POINTS = 1024  # points that stand for many samples, per kind of bin
_STEPS = 400
_TOLERANCE = 1e-9  # of the mean log likelihood, where EM stops


class Mixture(NamedTuple):
    """Components in the order of their means."""

    shares: np.ndarray
    """(k,), of all samples; with `floor` they sum to 1"""
    means: np.ndarray
    """(k,)"""
    sigmas: np.ndarray
    """(k,) standard deviations"""
    floor: float
    """share of outliers, spread evenly over `bounds`"""
    bounds: Tuple[float, float]
    """(low, high), where the floor ends"""

    def densities(self, x: np.ndarray) -> np.ndarray:
        """(k + 1, n): what each component adds to the density at `x` (n,); the last row is the floor."""
        z = (x - self.means[:, None]) / self.sigmas[:, None]
        normal = np.exp(-0.5 * z * z) * (self.shares / (np.sqrt(2 * np.pi) * self.sigmas))[:, None]
        low, high = self.bounds
        return np.concatenate([normal, np.full((1, x.size), self.floor / (high - low))])

    def responsibilities(self, x: np.ndarray) -> np.ndarray:
        """(k + 1, n): the probability that a sample at `x` came from each component; the last row is the floor."""
        densities = self.densities(x)
        total = densities.sum(axis=0)
        far = total <= 0  # beyond all components, where there is no floor
        nearest = np.argmin(np.abs(x[far] - self.means[:, None]) / self.sigmas[:, None], axis=0)
        densities[nearest, np.flatnonzero(far)] = 1.0
        return densities / np.where(far, 1.0, total)


def fit_mixture(
    samples: np.ndarray, *, least_sigma: float, floor_width: float, components: Optional[int] = None
) -> Mixture:
    """The mixture with the lowest BIC of up to six components, with and without a floor.

    samples: (n,) float, not all equal. least_sigma: no component gets narrower, or one value would be a component.
    floor_width: the floor spans all samples, and at least this: outliers could have been there, too. components:
    their number, where it is given. The same samples give the same mixture.
    """
    x, counts = _points(samples)
    found = _one(x, counts, least_sigma, floor_width)
    best, best_bic = found, np.inf
    for k in range(1, (components or _MOST_COMPONENTS) + 1):
        found = _converged(found if k == 1 else _with_one_more(found, x, counts, least_sigma), x, counts, least_sigma)
        bic = _bic(found, x, counts)
        if components is None and bic >= best_bic:
            break
        best, best_bic = found, bic
    without = _converged(best._replace(shares=best.shares / best.shares.sum(), floor=0.0), x, counts, least_sigma)
    if _bic(without, x, counts) <= best_bic:
        best = without
    order = np.argsort(best.means, kind="stable")
    return best._replace(shares=best.shares[order], means=best.means[order], sigmas=best.sigmas[order])


def em_step(mixture: Mixture, x: np.ndarray, counts: np.ndarray, least_sigma: float) -> Tuple[Mixture, float]:
    """One step of EM: the better mixture, and the log likelihood of the old one. x, counts: (n,)."""
    densities = mixture.densities(x)
    total = np.maximum(densities.sum(axis=0), 1e-300)
    weights = densities / total * counts
    sizes = np.maximum(weights[:-1].sum(axis=1), 1e-12)
    means = weights[:-1] @ x / sizes
    squares = (weights[:-1] * (x - means[:, None]) ** 2).sum(axis=1) / sizes
    floor = min(float(weights[-1].sum() / counts.sum()), LARGEST_FLOOR)
    better = mixture._replace(
        shares=(1.0 - floor) * sizes / sizes.sum(),
        means=means,
        sigmas=np.maximum(np.sqrt(squares), least_sigma),
        floor=floor,
    )
    return better, float(counts @ np.log(total))


def _points(samples: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """(values, counts) that stand for the samples: each itself, or means of bins of even width or of even count."""
    if samples.size <= 2 * _POINTS:
        return np.unique(samples, return_counts=True)
    ordered = np.sort(samples)
    wide = np.linspace(ordered[0], ordered[-1], _POINTS)
    even = ordered[np.linspace(0, ordered.size - 1, _POINTS).astype(int)]
    bins = np.searchsorted(np.union1d(wide, even), ordered)
    counts = np.bincount(bins)
    held = counts > 0
    return np.bincount(bins, ordered)[held] / counts[held], counts[held]


def _one(x: np.ndarray, counts: np.ndarray, least_sigma: float, floor_width: float) -> Mixture:
    """One component on all samples, and a small floor."""
    mean = np.average(x, weights=counts)
    sigma = max(float(np.sqrt(np.average((x - mean) ** 2, weights=counts))), least_sigma)
    margin = max(0.0, 0.5 * (floor_width - np.ptp(x)))
    bounds = float(x.min()) - margin, float(x.max()) + margin
    return Mixture(np.array([0.95]), np.array([mean]), np.array([sigma]), 0.05, bounds)


def _with_one_more(mixture: Mixture, x: np.ndarray, counts: np.ndarray, least_sigma: float) -> Mixture:
    """The mixture with a further component where three steps of EM raise the likelihood most."""
    low, high = x.min(), x.max()
    places = np.union1d(np.linspace(low, high, 14), x[np.searchsorted(np.cumsum(counts), counts.sum() * _SHARES)])
    best, best_likelihood = mixture, -np.inf
    for place in places:
        for sigma in (max((high - low) / 60, least_sigma), (high - low) / 10):
            tried = Mixture(
                np.append(0.8 * mixture.shares, 0.2 * (1 - mixture.floor)),
                np.append(mixture.means, place),
                np.append(mixture.sigmas, sigma),
                mixture.floor,
                mixture.bounds,
            )
            for _ in range(4):
                tried, likelihood = em_step(tried, x, counts, least_sigma)
            if likelihood > best_likelihood:
                best, best_likelihood = tried, likelihood
    return best


_SHARES = np.linspace(0.02, 0.98, 9)


def _converged(mixture: Mixture, x: np.ndarray, counts: np.ndarray, least_sigma: float) -> Mixture:
    """EM until the likelihood stays."""
    last, enough = -np.inf, _TOLERANCE * counts.sum()
    for _ in range(_STEPS):
        mixture, likelihood = em_step(mixture, x, counts, least_sigma)
        if likelihood - last < enough:
            break
        last = likelihood
    return mixture


def _bic(mixture: Mixture, x: np.ndarray, counts: np.ndarray) -> float:
    """Bayesian information criterion (Schwarz, Annals of Statistics 6, 1978): lower is better."""
    numbers = 3 * mixture.means.size - (mixture.floor == 0)
    total = np.maximum(mixture.densities(x).sum(axis=0), 1e-300)
    return float(numbers * np.log(counts.sum()) - 2 * (counts @ np.log(total)))

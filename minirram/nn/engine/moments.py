"""Functions of normal numbers: what a rectifier, a quantiser, a pool and a conversion make of mean and variance.

Arrays, any shape. The largest of several is taken pair by pair, as if each largest of two were normal again (C. E.
Clark, "The greatest of a finite set of random variables", 1961).
"""

import math
from typing import Any, Callable, List, NamedTuple, Sequence, Tuple

import numpy as np

TINY = 1e-12
"""variances below are none"""
SMOOTH = 0.3
"""standard deviation, in LSB, from which a conversion is smooth enough for two terms of its Fourier series"""
SHARP = 0.6
"""standard deviation, in LSB, up to which a conversion is at most two codes off"""


Above = Callable[[Any], np.ndarray]
"""threshold -> chance that a number reaches it"""


class Moments(NamedTuple):
    """Of activations, each a normal number."""

    mean: np.ndarray
    """float32 (n, ...)"""
    variance: np.ndarray
    """of the same shape"""


_STEPS, _END = 512, 6.0
_TABLE = np.array(
    [0.5 * math.erfc(-k / _STEPS / math.sqrt(2)) for k in range(int(-_END * _STEPS), int(_END * _STEPS) + 2)],
    np.float32,
)


def cumulative(x: np.ndarray) -> np.ndarray:
    """Normal distribution function within 2e-7, float32: a table with straight lines between its entries."""
    place = (np.clip(x, -_END, _END).astype(np.float32) + np.float32(_END)) * np.float32(_STEPS)
    index = place.astype(np.int32)
    low: np.ndarray = _TABLE[index]
    return low + (_TABLE[index + 1] - low) * (place - index.astype(np.float32))


def density(x: np.ndarray) -> np.ndarray:
    """Of a standard normal number."""
    return np.exp(-0.5 * np.square(x)) / math.sqrt(2 * math.pi)


class Passed(NamedTuple):
    """What a function of a normal number gives."""

    moments: Moments
    gain: np.ndarray
    """d mean / d mean of the input"""
    own: np.ndarray
    """variance that does not come through the gain"""


def rectified(x: Moments) -> Passed:
    """max(x, 0)"""
    sigma = np.sqrt(np.maximum(x.variance, TINY))
    share = cumulative(x.mean / sigma)
    peak = sigma * density(x.mean / sigma)
    mean = x.mean * share + peak
    square = (x.mean**2 + x.variance) * share + x.mean * peak
    variance = np.maximum(square - mean**2, 0.0)
    return Passed(Moments(mean, variance), share, np.maximum(variance - share**2 * x.variance, 0.0))


class Coded(NamedTuple):
    """What a quantiser gives."""

    passed: Passed
    """of the values of the codes"""
    planes: np.ndarray
    """chance that each bit is set, (bits, n, ...)"""


def quantised(x: Moments, step: float, bits: int) -> Coded:
    """step * clip(rint(x / step), 0, 2^bits - 1) of normal numbers."""
    sigma = np.sqrt(np.maximum(x.variance, TINY * step**2))
    slope = np.zeros(x.mean.shape, np.float32)

    def above(threshold: float) -> np.ndarray:
        nonlocal slope
        away = (x.mean - threshold) / sigma
        slope += density(away)
        return cumulative(away)

    total, planes = staircase(above, step, bits)
    gain = slope * (step / sigma)
    own = np.maximum(total.variance - gain**2 * sigma**2, 0.0)
    return Coded(Passed(total, gain, own), planes)


def staircase(above: Above, step: float, bits: int) -> Tuple[Moments, np.ndarray]:
    """(moments of the values of codes, chance of each of their bits (bits, ...)), from the chance of each threshold."""
    total: Any = 0.0
    square: Any = 0.0
    planes: List[Any] = [0.0] * bits
    for stair in range(2**bits - 1):
        reached = above((stair + 0.5) * step)
        total, square = total + reached, square + (2 * stair + 1) * reached
        for bit in range(bits):
            change = ((stair + 1) >> bit & 1) - (stair >> bit & 1)
            if change:
                planes[bit] = planes[bit] + change * reached
    variance = np.maximum(square - np.square(total), 0.0)
    return Moments(total * step, variance * step**2), np.clip(np.stack(planes), 0, 1)


def larger(one: Moments, other: Moments) -> Tuple[Moments, np.ndarray]:
    """(the larger of two independent normal numbers, chance that it is the first); Clark 1961."""
    apart = np.sqrt(np.maximum(one.variance + other.variance, TINY))
    alpha = (one.mean - other.mean) / apart
    first, peak = cumulative(alpha), density(alpha)
    mean = one.mean * first + other.mean * (1 - first) + apart * peak
    square = (one.mean**2 + one.variance) * first + (other.mean**2 + other.variance) * (1 - first)
    square += (one.mean + other.mean) * apart * peak
    return Moments(mean, np.maximum(square - mean**2, 0.0)), first


def converted(current: np.ndarray, variance: np.ndarray) -> Moments:
    """rint(current + noise) of an ADC, all in LSB."""
    mean, spread = np.rint(current), variance.copy()
    rest, smooth = current - mean, variance > SMOOTH**2
    if smooth.any():
        more, spread[smooth] = _smooth(rest[smooth], variance[smooth])
        mean[smooth] += more
    sharp = ~smooth
    if sharp.any():
        more, spread[sharp] = _sharp(rest[sharp], variance[sharp])
        mean[sharp] += more
    return Moments(mean, spread)


def _smooth(rest: np.ndarray, variance: np.ndarray) -> Moments:
    """Of a conversion whose noise hides the stairs: the staircase by its Fourier series. rest: behind the point."""
    mean, square = rest.copy(), variance + np.float32(1 / 12)
    for k in (1, 2):
        fades = (-1) ** k * np.exp(-2 * (math.pi * k) ** 2 * variance)
        mean += fades * np.sin(2 * math.pi * k * rest) / (math.pi * k)
        square += fades * np.cos(2 * math.pi * k * rest) * (4 * variance + 1 / (math.pi * k) ** 2)
    return Moments(mean, np.maximum(square - (mean - rest) ** 2, 0.0))


def _sharp(rest: np.ndarray, variance: np.ndarray) -> Moments:
    """Of a conversion that noise takes one code up or down at most."""
    sigma = np.sqrt(np.maximum(variance, TINY))
    up, down = cumulative((rest - 0.5) / sigma), cumulative((-rest - 0.5) / sigma)
    return Moments(up - down, np.maximum(up + down - (up - down) ** 2, 0.0))


def code_chances(current: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Chance that a conversion is -2 .. 2 codes off rint(current), float32 (5, ...), for noise up to SHARP."""
    rest, sigma = current - np.rint(current), np.sqrt(np.maximum(variance, TINY))
    below = [cumulative((edge - rest) / sigma) for edge in (-1.5, -0.5, 0.5, 1.5)]
    ends = [np.zeros_like(rest), *below, np.ones_like(rest)]
    return np.stack([high - low for low, high in zip(ends, ends[1:])])


def shifted_sum(chances: Sequence[np.ndarray]) -> np.ndarray:
    """Chance that sum_b 2^b (deviation of plane b) is at least k - top: float32 (2 * top + 2, ...), k = 0 .. 2 top + 1.

    chances: `code_chances` of each plane, the lowest first. top = 2 (2^planes - 1).
    """
    top = 2 * (2 ** len(chances) - 1)
    shape = chances[0].shape[1:]
    found = np.ones((1,) + shape, np.float32)  # of the sum of the planes so far, which lies in -reach .. reach
    for bit, own in enumerate(chances):
        wider = np.zeros((len(found) + 4 * 2**bit,) + shape, np.float32)
        for place, chance in enumerate(own):
            wider[place * 2**bit : place * 2**bit + len(found)] += found * chance
        found = wider
    tail = np.zeros((2 * top + 2,) + shape, np.float32)
    tail[:-1] = np.cumsum(found[::-1], axis=0)[::-1]
    return tail


def right_answers(outputs: np.ndarray, covariance: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Chance of each sample that its right output is the largest, float64 (n,).

    outputs: means (n, classes). covariance: (n, classes, classes). The largest of the others is taken pair by pair, as
    if each largest of two were normal again (Clark 1961).
    """
    n, classes = outputs.shape
    each = np.arange(n)
    others = np.stack([np.delete(np.arange(classes), label) for label in labels])
    mean = outputs[each[:, None], others] - outputs[each, labels][:, None]
    own = covariance[each, labels]
    cov = covariance[each[:, None, None], others[:, :, None], others[:, None, :]]
    cov = cov - own[each[:, None], others][:, :, None] - own[each[:, None], others][:, None, :]
    cov = cov + covariance[each, labels, labels][:, None, None]
    order = np.argsort(-mean, axis=1)  # the nearest competitors first
    mean = np.take_along_axis(mean, order, 1)
    cov = cov[each[:, None, None], order[:, :, None], order[:, None, :]]
    top, variance, shared = mean[:, 0], np.maximum(cov[:, 0, 0], TINY), cov[:, 0].copy()
    for k in range(1, classes - 1):
        top, variance, shared = _larger(top, variance, shared, mean[:, k], cov[:, k], k)
    return cumulative(-top / np.sqrt(variance)).astype(np.float64)


def _larger(
    top: np.ndarray, variance: np.ndarray, shared: np.ndarray, mean: np.ndarray, cov: np.ndarray, k: int
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance and covariances with the others, of the larger of two normal numbers (n,)."""
    own = np.maximum(cov[:, k], TINY)
    apart = np.sqrt(np.maximum(variance + own - 2 * shared[:, k], TINY))
    alpha = (top - mean) / apart
    density, first = np.exp(-0.5 * alpha**2) / np.sqrt(2 * np.pi), cumulative(alpha)
    second: np.ndarray = 1 - first
    larger = top * first + mean * second + apart * density
    square = (top**2 + variance) * first + (mean**2 + own) * second + (top + mean) * apart * density
    return larger, np.maximum(square - larger**2, TINY), shared * first[:, None] + cov * second[:, None]

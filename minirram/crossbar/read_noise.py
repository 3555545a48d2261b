"""Read noise of an array: random streams keyed by name and position, normal numbers, held noise."""

from functools import lru_cache
from math import prod
from statistics import NormalDist
from threading import Lock
from typing import Any, Dict, Iterator, List, Tuple, Union

import numpy as np

from ..device.interface import EXACT_FLOAT32
from ..rng import stream

_BLOCK_VALUES = 2**18  # float32 values in one block of planes, currents or noise: 1 MB, to stay in the cache


STACKED_COLS = 512  # columns worked on together
TAIL_SLICES = 4  # of the table of normal numbers, on either side: fewer leave steps in the tail


def read_variance(std_grid: np.ndarray) -> np.ndarray:
    """Variance of one read of each cell, for `multiply`: float32 (rows, 2 * pairs), (grid units)^2.

    std_grid: standard deviation of one read, grid units. Rounded to multiples of a power of two, one for each pair of
    columns, so coarse that the variances of the pair sum exactly in float32, and so fine that in an array of 512 rows
    a cell is rounded by at most 1 / 16,000 of the largest variance of its pair.
    """
    variance = np.square(std_grid, dtype=np.float32)
    largest = variance.max(axis=0, initial=0.0).reshape(-1, 2).max(axis=1).astype(np.float64)
    # A pair sums two cells per row, hence 2 * rows of the largest value must stay exact.
    levels = (EXACT_FLOAT32 - 1) // (2 * len(variance))
    mantissa, exponent = np.frexp(largest / levels)
    # The smallest power of two that is not below largest / levels; for a pair of silent cells any will do.
    step: np.ndarray = np.repeat(np.ldexp(np.float32(1.0), exponent - (mantissa == 0.5)), 2)
    variance /= step
    np.rint(variance, out=variance)
    variance *= step
    return variance


class ReadNoise:
    """Random numbers for the fresh noise of every read of one region, addressed by an absolute count of samples.

    `ReadNoise(seed, name...)`: the same name and position give the same numbers with any number of threads and any
    split of the samples into calls. `position` counts the samples read so far; save it to resume. Calls from several
    threads at once get different numbers: each reserves its samples before it reads.
    held: one draw per cell is kept for all bit planes of a sample (slow noise), instead of a fresh one per plane.
    """

    def __init__(self, seed: int, *name: Union[str, int], position: int = 0, held: bool = False) -> None:
        self.seed = seed
        self.name = name
        self.position = int(position)
        self.held = bool(held)
        self._begun: Dict[Tuple[int, ...], np.ndarray] = {}
        self._lock = Lock()

    def reserve(self, samples: int) -> int:
        """Count `samples` as read; returns the position of the first of them."""
        with self._lock:
            self.position += samples
            return self.position - samples

    def normals(
        self, first: int, last: int, *, planes: int, cols: slice, samples: int, buffers: "Buffers"
    ) -> Iterator[Tuple[slice, np.ndarray]]:
        """Standard normal numbers of samples first .. last - 1 of some columns, in pieces.

        Yields (slice of the samples asked for, float32 (planes, samples, columns)). cols: slice of columns. samples:
        how many samples share a random stream; a region must keep to one number, `block_samples`. buffers: `Buffers`
        of the calling thread; a piece is good until the next one is asked for.
        """
        shape = (planes, samples, cols.stop - cols.start)
        for index in range(first // samples, -(-last // samples)):
            origin = index * samples
            key = (index, cols.start) + shape
            goes_on = origin + samples > last
            block = self._take_begun(key)
            if block is None:
                block = fast_normals(stream(self.seed, *self.name, index, cols.start, *shape), shape, buffers=buffers)
                block = block.copy() if goes_on else block
            if goes_on:  # nobody writes to it: a read beside this one may have it, too
                with self._lock:
                    self._begun[key] = block
            start, stop = max(origin, first), min(origin + samples, last)
            yield slice(start - first, stop - first), block[:, start - origin : stop - origin]

    def _take_begun(self, key: Tuple[int, ...]) -> Any:
        """The block that an earlier read began, or None."""
        with self._lock:
            return self._begun.pop(key, None)

    def forget_what_is_read(self) -> None:
        """Of the blocks begun keep only those that the next read goes on with."""
        with self._lock:
            begun, position = self._begun, self.position
            self._begun = {key: block for key, block in begun.items() if 0 < position - key[0] * key[3] < key[3]}


def block_samples(planes: int, shape: Tuple[int, int]) -> int:
    """Samples whose noise comes from one random stream and that are worked on together: set by the shape alone.

    shape: (rows, columns). As many as keep a plane stack of rows and one of currents within a working set of the
    cache; a power of two.
    """
    rows, columns = shape
    widest = max(rows, min(columns, STACKED_COLS))
    return 2 ** (max(1, min(_BLOCK_VALUES // (planes * widest), 4096)).bit_length() - 1)


@lru_cache(maxsize=None)
def _normal_table() -> np.ndarray:
    """Means of 2^16 equally probable slices of N(0, 1/2), float32: the sum of two entries is a standard normal."""
    lower = _slice_means(2**16, 2**15)
    table = np.concatenate((lower, -lower[::-1]))
    return (table / np.sqrt(2.0 * np.mean(table**2))).astype(np.float32)


@lru_cache(maxsize=None)
def _tail_table() -> np.ndarray:
    """The first TAIL_SLICES slices of N(0, 1/2) in 2^16 finer ones: float32, ascending, below 0."""
    return (_slice_means(2**32 // TAIL_SLICES, 2**16) / np.sqrt(2.0)).astype(np.float32)


def _slice_means(n: int, count: int) -> np.ndarray:
    """Means of the `count` lowest of n equally probable slices of N(0, 1), float64."""
    normal = NormalDist()
    density = np.array([0.0] + [normal.pdf(normal.inv_cdf(k / n)) for k in range(1, count + 1)])
    return -n * np.diff(density)  # difference of the density at the ends of a slice over its probability


class Buffers:
    """Working arrays of one thread, kept from chunk to chunk: fresh memory costs more than the arithmetic on it.

    They begin as zeros: what is left in them is always a finite number of a chunk before.
    """

    def __init__(self) -> None:
        self._flat: Dict[str, np.ndarray] = {}

    def take(self, name: str, shape: Tuple[int, ...]) -> np.ndarray:
        """A float32 array of `shape` that holds what its last user left."""
        size = prod(shape)
        if name not in self._flat or self._flat[name].size < size:
            self._flat[name] = np.zeros(size, np.float32)
        return self._flat[name][:size].reshape(shape)


def fast_normals(generator: np.random.Generator, shape: Tuple[int, ...], *, buffers: Buffers) -> np.ndarray:
    """Standard normal numbers, float32: a table of 2^16 quantiles of N(0, 1/2), drawn from twice, a + b and a - b.

    A turn by 45 degrees keeps two independent normal numbers independent: as many come out as go in, and the table's
    steps are gone. A draw of one of its TAIL_SLICES outermost slices on either side is drawn again within them, from a
    table of 2^16 finer ones. Four times as fast as NumPy's ziggurat. Variance 1 and fourth moment 3 within 2e-6; the
    probability beyond x is that of a normal number within 0.3 % up to x = 6. buffers: `Buffers`, whose next use of
    "normals" overwrites the result.
    """
    size = prod(shape)
    half = (size + 1) // 2
    # The generator's raw words; unlike random_raw, `integers` lets other threads run meanwhile.
    raw = generator.integers(0, 2**64 - 1, (half + 1) // 2, np.uint64, endpoint=True)
    words = raw.astype("<u8", copy=False).view("<u2")  # low half first on any machine
    drawn, normals = buffers.take("drawn", (2, half)), buffers.take("normals", (2, half))
    # No index is out of range; mode="clip" spares NumPy the check.
    np.take(_normal_table(), words[: 2 * half].reshape(2, half), mode="clip", out=drawn)
    outermost = np.flatnonzero(words[: 2 * half] + np.uint16(TAIL_SLICES) < 2 * TAIL_SLICES)  # the sum wraps at 2^16
    finer = _tail_table()[generator.integers(0, 2**64 - 1, outermost.size, np.uint64, endpoint=True) >> np.uint64(48)]
    drawn.reshape(-1)[outermost] = np.where(words[outermost] < TAIL_SLICES, finer, -finer)
    np.add(drawn[0], drawn[1], out=normals[0])
    np.subtract(drawn[0], drawn[1], out=normals[1])
    return normals.reshape(-1)[:size].reshape(shape)


def held_noise(
    planes: np.ndarray, variance: np.ndarray, *, normals: Iterator[Tuple[slice, np.ndarray]], buffers: Buffers
) -> np.ndarray:
    """Noise of reads in which each cell keeps one deviation over all bit planes of a sample: (bits, n, columns).

    planes (bits, n, rows) 0/1, variance (rows, columns), normals: pieces as of `ReadNoise.normals`. The noise is the
    Cholesky factor of the covariance of the planes times the normal numbers, for all samples and columns at once.
    buffers: `Buffers`, whose next use overwrites the result.
    """
    bits, n, _ = planes.shape
    factor = _held_factor(planes, variance, buffers)
    noise = buffers.take("noise", (bits, n, variance.shape[1]))
    for samples, block in normals:
        # Summed plane by plane: the order of additions, hence every bit, is the same on any NumPy.
        np.multiply(factor[0][:, samples], block[0], out=noise[:, samples])
        for b in range(1, bits):
            noise[b:, samples] += factor[b][:, samples] * block[b]
    return noise


def _held_factor(planes: np.ndarray, variance: np.ndarray, buffers: Buffers) -> List[np.ndarray]:
    """Columns of the lower Cholesky factor, each (bits - b, n, columns), made in place of the covariances.

    Planes a and b of one sample and column have the covariance C_ab = sum_i bit_ai bit_bi sigma_i^2: one matrix product
    for each two planes, and one for each plane with itself. A dependent plane (zero pivot) adds no number of its own.
    """
    bits, n, rows = planes.shape
    borders = np.cumsum([0, *range(bits, 0, -1)])
    both = buffers.take("both", (borders[-1], n, rows))
    for b in range(bits):
        np.multiply(planes[b:], planes[b], out=both[borders[b] : borders[b + 1]])
    covariance = buffers.take("covariance", (borders[-1] * n, variance.shape[1]))
    np.matmul(both.reshape(-1, rows), variance, out=covariance)
    factor = np.split(covariance.reshape(borders[-1], n, -1), borders[1:-1])
    rounding = 1e-5 * covariance.reshape(borders[-1], n, -1)[borders[:-1]]
    for b, column in enumerate(factor):
        column[0][column[0] <= rounding[b]] = 0  # a remainder below the rounding of the sums that made it
        np.sqrt(column[0], out=column[0])
        np.divide(column[1:], column[0], out=column[1:], where=column[0] > 0)
        column[1:][:, column[0] == 0] = 0
        for a in range(b + 1, bits):
            factor[a] -= column[a - b :] * column[a - b]
    return factor

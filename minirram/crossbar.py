"""The product codes x conductances -> integers: bit planes, currents, read noise, ADC, shift and add; plain arrays.

Cells are (rows, 2 * pairs) float32 integers on the technology's grid, G+ and G- of a pair side by side. While
rows * g_max < 2^24 every float32 sum is exact, so the result depends neither on the BLAS nor on threads or chunks.
Currents are in grid units: grid_S * read_voltage_V.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from math import prod
from statistics import NormalDist
from typing import Dict, Tuple

import numpy as np

from .cells import EXACT_FLOAT32
from .converters import bit_planes, check_input_bits
from .errors import ConfigError, ShapeError
from .rng import stream

_BLOCK_VALUES = 2**18  # float32 values in one block of planes, currents or noise: 1 MB, to stay in the cache
_STACKED_COLS = 512  # columns worked on together


def read_variance(std_grid):
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
    split of the samples into calls. `position` counts the samples read so far; save it to resume.
    held: one draw per cell is kept for all bit planes of a sample (slow noise), instead of a fresh one per plane.
    """

    def __init__(self, seed, *name, position=0, held=False):
        self.seed = seed
        self.name = name
        self.position = int(position)
        self.held = bool(held)
        self._begun: Dict[Tuple[int, ...], np.ndarray] = {}

    def normals(self, first, last, planes, cols, samples, buffers):
        """Standard normal numbers of samples first .. last - 1 of some columns, in pieces.

        Yields (slice of the samples asked for, float32 (planes, samples, columns)). cols: slice of columns. samples:
        how many samples share a random stream; a region must keep to one number, `block_samples`. buffers: `Buffers`
        of the calling thread; a piece is good until the next one is asked for.
        """
        shape = (planes, samples, cols.stop - cols.start)
        for index in range(first // samples, -(-last // samples)):
            origin = index * samples
            key = (index, cols.start) + shape
            if key in self._begun:
                block = self._begun.pop(key)
            else:
                generator = stream(self.seed, *self.name, index, cols.start, *shape)
                block = fast_normals(generator, shape, buffers)
            if origin + samples > last:
                block = self._begun[key] = block.copy()
            start, stop = max(origin, first), min(origin + samples, last)
            yield slice(start - first, stop - first), block[:, start - origin : stop - origin]

    def advance(self, samples):
        """Count `samples` as read; of the blocks begun only those that the next read goes on with are kept."""
        self.position += samples
        self._begun = {key: block for key, block in self._begun.items() if 0 < self.position - key[0] * key[3] < key[3]}


def block_samples(planes, rows, columns):
    """Samples whose noise comes from one random stream and that are worked on together: set by the shape alone.

    As many as keep a plane stack of rows and one of currents within a working set of the cache; a power of two.
    """
    widest = max(rows, min(columns, _STACKED_COLS))
    return 2 ** int(np.log2(max(1, min(_BLOCK_VALUES // (planes * widest), 4096))))


@lru_cache(maxsize=None)
def _normal_table():
    """Means of 2^16 equally probable slices of N(0, 1/2), float32: the sum of two entries is a standard normal."""
    n = 2**16
    normal = NormalDist()
    density = np.array([0.0] + [normal.pdf(normal.inv_cdf(k / n)) for k in range(1, n // 2 + 1)])
    lower = -n * np.diff(density)  # the mean of a slice: difference of the density at its ends over its probability
    table = np.concatenate((lower, -lower[::-1]))
    return (table / np.sqrt(2.0 * np.mean(table**2))).astype(np.float32)


class Buffers:
    """Working arrays of one thread, kept from chunk to chunk: fresh memory costs more than the arithmetic on it."""

    def __init__(self):
        self._flat: Dict[str, np.ndarray] = {}

    def take(self, name, shape):
        """A float32 array of `shape` whose contents are whatever the last user left."""
        size = prod(shape)
        if name not in self._flat or self._flat[name].size < size:
            self._flat[name] = np.empty(size, np.float32)
        return self._flat[name][:size].reshape(shape)


def fast_normals(generator, shape, buffers):
    """Standard normal numbers, float32: a table of 2^16 quantiles of N(0, 1/2), drawn from twice, a + b and a - b.

    A turn by 45 degrees keeps two independent normal numbers independent: as many come out as go in, and the table's
    steps and ends are gone. Four times as fast as NumPy's ziggurat. Variance 1 within 1e-6, excess kurtosis -1e-4,
    largest value 6.2. buffers: `Buffers`, whose next use of "normals" overwrites the result.
    """
    size = prod(shape)
    half = (size + 1) // 2
    # The generator's raw words; unlike random_raw, `integers` lets other threads run meanwhile.
    raw = generator.integers(0, 2**64 - 1, (half + 1) // 2, np.uint64, endpoint=True)
    words = raw.astype("<u8", copy=False).view("<u2")  # low half first on any machine
    drawn, normals = buffers.take("drawn", (2, half)), buffers.take("normals", (2, half))
    # No index is out of range; mode="clip" spares NumPy the check.
    np.take(_normal_table(), words[: 2 * half].reshape(2, half), mode="clip", out=drawn)
    np.add(drawn[0], drawn[1], out=normals[0])
    np.subtract(drawn[0], drawn[1], out=normals[1])
    return normals.reshape(-1)[:size].reshape(shape)


def multiply(codes, cells_grid, input_bits, adc, noise=None, variance=None, errors=None, threads=1, onto=None):
    """Bit-serial product of input codes with one region of cells, through the ADC.

    codes: uint8 (n, rows), each < 2^input_bits. cells_grid: float32 integers (rows, 2 * pairs). adc: `Adc`.
    noise, variance: `ReadNoise` and the `read_variance` of the cells, both or neither. errors: `ColumnErrors`.
    threads: Python threads over samples (best with one BLAS thread); the result does not depend on it.
    onto: int64 (n, pairs) that the product is added to; None: a new array.

    Returns (y, saturated): int64 (n, pairs) = sum_b 2^b code_b in units of the tile's LSB, and the count of saturated
    conversions. Noise reads are Gaussian with variance sum_i bit_i sigma_i^2 per column: exact for independent cells.
    """
    if threads < 1:
        raise ConfigError(f"{threads} threads; it must be at least 1")
    _check(codes, cells_grid, input_bits, noise, variance, errors, adc)
    columns = _Columns(cells_grid, variance, adc, errors, input_bits, adds=onto is not None)
    n, pairs = len(codes), cells_grid.shape[1] // 2
    result = np.empty((n, pairs), np.int64) if onto is None else onto
    if result.shape != (n, pairs) or result.dtype != np.int64:
        raise ShapeError(f"a total of {result.dtype} {result.shape}, expected int64 {(n, pairs)}")
    start = noise.position if noise is not None else 0
    if noise is not None:
        borders = _borders(start, n, columns.block)
    else:
        # Small batches are shared out evenly. Threads in step would meet at Python's lock: one begins with less.
        chunk = min(columns.block, max(1, -(-n // threads)))
        borders = _borders(chunk // 2 if threads > 1 else 0, n, chunk)

    def work(share):
        buffers = Buffers()
        return sum(
            columns.multiply_chunk(codes[first:last], result[first:last], noise, start + first, buffers)
            for first, last in share
        )

    shares = [borders[k::threads] for k in range(min(threads, len(borders)))]
    if len(shares) > 1:
        pool = ThreadPoolExecutor(len(shares) - 1)
        try:
            others = [pool.submit(work, share) for share in shares[1:]]
            saturated = work(shares[0]) + sum(other.result() for other in others)
        except BaseException:
            pool.shutdown()  # nobody may go on writing into the result
            raise
        pool.shutdown(wait=False)  # all have answered: nothing is left to wait for
    else:
        saturated = sum(map(work, shares))
    if noise is not None:
        noise.advance(n)
    return result, saturated


def multiply_tiles(codes, cells_grid, input_bits, adc, tile_rows=512, noises=None, variances=None, threads=1):
    """The same for a matrix of more rows than one array: a conversion per tile of `tile_rows`, summed after the ADC.

    noises, variances: one per row tile, or None. Returns (y int64 (n, pairs), saturated per tile int64 (tiles,)).
    """
    total = None
    saturated = []
    for t, row in enumerate(range(0, len(cells_grid), tile_rows)):
        rows = slice(row, row + tile_rows)
        noise, variance = (noises[t], variances[t]) if noises is not None else (None, None)
        total, count = multiply(
            codes[:, rows], cells_grid[rows], input_bits, adc, noise, variance, threads=threads, onto=total
        )
        saturated.append(count)
    return total, np.array(saturated, np.int64)


def column_sums_lsb(cells_grid, adc):
    """S_j = sum_i (G+ - G-)_ij in LSB of the tile, float64 (pairs,): what a zero point of 1 adds to column j."""
    difference = cells_grid[:, 0::2].astype(np.float64) - cells_grid[:, 1::2]
    return difference.sum(axis=0) / float(adc.tile_lsb)


def remove_zero_point(y, zero_point, sums_lsb):
    """y_j -= rint(zero_point * S_j), in place: takes back what the shift of signed inputs added. Returns y."""
    y -= np.rint(zero_point * sums_lsb).astype(np.int64)
    return y


def _check(codes, cells_grid, input_bits, noise, variance, errors, adc):
    check_input_bits(input_bits)
    if cells_grid.ndim != 2 or cells_grid.shape[1] % 2 or not cells_grid.size:
        raise ShapeError(f"cells of shape {cells_grid.shape}, expected (rows, 2 * pairs)")
    rows, columns = cells_grid.shape
    if codes.ndim != 2 or codes.shape[1] != rows:
        raise ShapeError(f"codes of shape {codes.shape}, expected (n, {rows})")
    if codes.dtype != np.uint8 or codes.max(initial=0) >= 2**input_bits:
        raise ConfigError(f"codes must be uint8 and below 2^{input_bits}")
    largest = _largest_cell(cells_grid) if cells_grid.dtype == np.float32 else np.nan
    if not largest >= 0:
        raise ConfigError("cells must be float32 integers on the technology's grid, 0 or more")
    if not rows * float(largest) < EXACT_FLOAT32:
        raise ConfigError("rows * g_max reaches 2^24, sums would not be exact: use a coarser grid or fewer rows")
    if (noise is None) != (variance is None):
        raise ConfigError("read noise needs both `noise` and `variance`")
    if variance is not None and variance.shape != cells_grid.shape:
        raise ShapeError(f"variance of shape {variance.shape}, expected {cells_grid.shape}")
    converters = columns // 2 if adc.arrangement == "pair" else columns
    if errors is not None and errors.gain.shape != (converters,):
        raise ShapeError(f"errors of {errors.gain.size} converters, expected {converters}")


def _largest_cell(cells_grid):
    """The largest of float32 cells; NaN when one is negative or NaN."""
    # Read as unsigned words floats keep their order, and those with a sign come last: one pass instead of two.
    largest = cells_grid.view(np.uint32).max().view(np.float32)
    if not np.signbit(largest):
        return largest
    return cells_grid.max() if cells_grid.min() >= 0 else np.float32(np.nan)


def _borders(start, n, chunk):
    """(first, last) samples of each chunk; chunks end at multiples of `chunk`, counted from the absolute position."""
    stops = list(range(chunk - start % chunk, n, chunk)) + [n]
    return list(zip([0] + stops[:-1], stops)) if n else []


class _Columns:
    """What one call of `multiply` needs per converted column: conductances, variances, ADC, plane weights."""

    def __init__(self, cells_grid, variance, adc, errors, input_bits, adds=False):
        self.adds = adds
        self.adc = adc
        self.errors = errors
        self.input_bits = input_bits
        self.is_pair = adc.arrangement == "pair"
        self.block = block_samples(input_bits, *cells_grid.shape)
        self.conductance = cells_grid
        self.variance = variance
        if self.is_pair:
            self.conductance = cells_grid[:, 0::2] - cells_grid[:, 1::2]
            if variance is not None:
                self.variance = variance[:, 0::2] + variance[:, 1::2]
        # While the shifted sum stays below 2^24 the shift-and-add may run in float32 and still be exact.
        exact = (2**input_bits - 1) * adc.top < EXACT_FLOAT32
        self.plane_weights = (2 ** np.arange(input_bits)).astype(np.float32 if exact else np.float64)

    def multiply_chunk(self, codes, result, noise, position, buffers):
        """Fill `result` (n, pairs) for a few samples, a block of columns at a time; returns the saturations."""
        n, rows = codes.shape
        planes = bit_planes(codes, self.input_bits, buffers.take("planes", (self.input_bits, n, rows)))
        stacked = planes.reshape(-1, rows)
        width = self.conductance.shape[1]
        saturated = 0
        for first in range(0, width, _STACKED_COLS):
            cols = slice(first, min(first + _STACKED_COLS, width))
            shape = (len(stacked), cols.stop - first)
            current = np.matmul(stacked, self.conductance[:, cols], out=buffers.take("current", shape))
            current = current.reshape(self.input_bits, n, -1)
            if self.variance is not None:
                normals = noise.normals(position, position + n, self.input_bits, cols, self.block, buffers)
                current += self._noise(planes, cols, normals, noise.held, buffers)
            saturated += self.adc.convert(current, self._errors_of(cols))
            sums = self._shift_and_add(current)
            if not self.is_pair:
                sums = sums[:, 0::2] - sums[:, 1::2]
                cols = slice(first // 2, cols.stop // 2)
            if self.adds:  # in float64, exact to 2^53
                np.add(result[:, cols], sums, out=result[:, cols], casting="unsafe")
            else:
                result[:, cols] = sums
        return saturated

    def _shift_and_add(self, codes):
        """sum_b 2^b code_b of codes (planes, n, columns): one vector-matrix product, exact in its dtype."""
        if self.input_bits == 1:
            return codes[0]
        flat = codes.reshape(self.input_bits, -1).astype(self.plane_weights.dtype, copy=False)
        return np.matmul(self.plane_weights, flat).reshape(codes.shape[1:])

    def _errors_of(self, cols):
        if self.errors is None:
            return None
        return type(self.errors)(self.errors.offset_lsb[cols], self.errors.gain[cols])

    def _noise(self, planes, cols, normals, held, buffers):
        """Noise currents (planes, n, columns): normal numbers times the standard deviation of each column's sum."""
        bits, n, rows = planes.shape
        variance = self.variance[:, cols]
        if held:
            parts = [held_noise(planes[:, samples], variance, block) for samples, block in normals]
            return np.concatenate(parts, axis=1)
        std = buffers.take("noise", (bits * n, variance.shape[1]))
        np.sqrt(np.matmul(planes.reshape(-1, rows), variance, out=std), out=std)
        std = std.reshape(bits, n, -1)
        for samples, block in normals:
            std[:, samples] *= block
        return std


def held_noise(planes, variance, normals):
    """Noise of reads in which each cell keeps one deviation over all bit planes of a sample.

    planes (bits, n, rows) 0/1, variance (rows, columns), normals (bits, n, columns). Planes a and b of one sample and
    column then have the covariance C_ab = sum_i bit_ai bit_bi sigma_i^2; the noise is the Cholesky factor of C times
    the normal numbers, for all samples and columns at once. A dependent plane (zero pivot) adds no number of its own.
    """
    bits, n, _ = planes.shape
    columns = variance.shape[1]
    factor = np.zeros((bits, bits, n, columns), np.float32)
    for a in range(bits):
        for b in range(a + 1):
            remainder = np.matmul(planes[a] * planes[b], variance)
            for k in range(b):
                remainder -= factor[a, k] * factor[b, k]
            if a == b:
                # A remainder below the rounding of the sums that made it is zero.
                scale = np.matmul(planes[a], variance)
                factor[a, a] = np.sqrt(np.where(remainder > 1e-5 * scale, remainder, 0.0))
            else:
                pivot = factor[b, b]
                np.divide(remainder, pivot, out=factor[a, b], where=pivot > 0)
    # Summed plane by plane: the order of additions, hence every bit, is the same on any NumPy.
    noise = factor[:, 0] * normals[0]
    for b in range(1, bits):
        noise += factor[:, b] * normals[b]
    return noise

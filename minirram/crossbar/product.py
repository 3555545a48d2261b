"""The product codes x conductances -> integers: bit planes, currents, read noise, ADC, shift and add; plain arrays.

Cells are (rows, 2 * pairs) float32 integers on the technology's grid, G+ and G- of a pair side by side. While
rows * g_max < 2^24 every float32 sum is exact, so the result depends neither on the BLAS nor on threads or chunks.
Currents are in grid units: grid_S * read_voltage_V.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..device.cell import EXACT_FLOAT32
from ..errors import ConfigError, ShapeError
from . import read_noise
from .converters import bit_planes, check_input_bits
from .read_noise import Buffers, block_samples, held_noise


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
        for first in range(0, width, read_noise.STACKED_COLS):
            cols = slice(first, min(first + read_noise.STACKED_COLS, width))
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

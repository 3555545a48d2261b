"""The product codes x conductances -> integers, on plain arrays; `columns` has what one chunk of samples goes through.

Cells are (rows, 2 * pairs) float32 integers on the technology's grid, G+ and G- of a pair side by side. While
rows * g_max < 2^24 every float32 sum is exact, so the result depends neither on the BLAS nor on threads or chunks.
Currents are in grid units: grid_S * read_voltage_V.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..device.interface import EXACT_FLOAT32
from ..errors import ConfigError, ShapeError
from .columns import Block, Columns, blocks
from .converters import Adc, ColumnErrors, check_input_bits
from .read_noise import Buffers, ReadNoise, block_samples


class Operand:
    """The cells of one region, checked and made ready for products: what stays the same from call to call.

    grid: float32 integers (rows, 2 * pairs) on the technology's grid. variance: `read_variance` of the cells, for
    products with read noise. Neither may change afterwards.
    """

    def __init__(self, grid: np.ndarray, variance: Optional[np.ndarray] = None) -> None:
        _check_cells(grid, variance)
        self.grid = grid
        self.variance = variance
        self._blocks: Dict[str, List[Block]] = {}
        self._sums: Optional[np.ndarray] = None

    @property
    def column_sums_grid(self) -> np.ndarray:
        """sum_i (G+ - G-)_ij, float64 (pairs,), grid units: what a code of 1 in every row adds to each column."""
        if self._sums is None:
            self._sums = (self.grid[:, 0::2].astype(np.float64) - self.grid[:, 1::2]).sum(axis=0)
        return self._sums

    def blocks(self, arrangement: str) -> List[Block]:
        """The converted columns, of pairs G+ - G- or of the cells per polarity, in blocks; made once."""
        if arrangement not in self._blocks:
            conductance, variance = self.grid, self.variance
            if arrangement == "pair":
                conductance = conductance[:, 0::2] - conductance[:, 1::2]
                variance = None if variance is None else variance[:, 0::2] + variance[:, 1::2]
            self._blocks[arrangement] = blocks(conductance, variance)
        return self._blocks[arrangement]

    def multiply(
        self,
        codes: np.ndarray,
        *,
        input_bits: int,
        adc: Adc,
        noise: Optional[ReadNoise] = None,
        errors: Optional[ColumnErrors] = None,
        threads: int = 1,
        onto: Optional[np.ndarray] = None,
    ) -> Tuple[np.ndarray, int]:
        """Bit-serial product of input codes with the cells, through the ADC.

        codes: uint8 (n, rows), each < 2^input_bits. noise: with an operand that has variances, and only with one.
        threads: Python threads over samples (best with one BLAS thread); the result does not depend on it.
        onto: int64 (n, pairs) that the product is added to; None: a new array.

        Returns (y, saturated): int64 (n, pairs) = sum_b 2^b code_b in units of the tile's LSB, and the count of
        saturated conversions. Noise reads are Gaussian with variance sum_i bit_i sigma_i^2 per column: exact for
        independent cells.
        """
        self._check_call(codes, input_bits, adc, noise, errors, threads)
        n, pairs = len(codes), self.grid.shape[1] // 2
        block = block_samples(input_bits, self.grid.shape)
        columns = Columns(
            self.blocks(adc.arrangement),
            adc,
            errors,
            input_bits=input_bits,
            noise=noise,
            samples=block,
            adds=onto is not None,
        )
        result = np.empty((n, pairs), np.int64) if onto is None else onto
        if result.shape != (n, pairs) or result.dtype != np.int64:
            raise ShapeError(f"a total of {result.dtype} {result.shape}, expected int64 {(n, pairs)}")
        start = noise.reserve(n) if noise is not None else 0
        if noise is not None:
            borders = _borders(start, n, block)
        else:
            # Small batches are shared out evenly. Threads in step would meet at Python's lock: one begins with less.
            chunk = min(block, max(1, -(-n // threads)))
            borders = _borders(chunk // 2 if threads > 1 else 0, n, chunk)

        def work(share: Sequence[Tuple[int, int]]) -> int:
            buffers = Buffers()
            # Operands are checked to be finite, results by the ADC: a floating-point flag that a BLAS kernel leaves
            # behind says nothing about them.
            with np.errstate(invalid="ignore"):
                return sum(
                    columns.multiply_chunk(codes[first:last], result[first:last], start + first, buffers)
                    for first, last in share
                )

        saturated = _in_threads(work, [borders[k::threads] for k in range(min(threads, len(borders)))])
        if noise is not None:
            noise.forget_what_is_read()
        return result, saturated

    def _check_call(
        self,
        codes: np.ndarray,
        input_bits: int,
        adc: Adc,
        noise: Optional[ReadNoise],
        errors: Optional[ColumnErrors],
        threads: int,
    ) -> None:
        if threads < 1:
            raise ConfigError(f"{threads} threads; it must be at least 1")
        check_input_bits(input_bits)
        rows, columns = self.grid.shape
        if codes.ndim != 2 or codes.shape[1] != rows:
            raise ShapeError(f"codes of shape {codes.shape}, expected (n, {rows})")
        if codes.dtype != np.uint8 or (input_bits < 8 and codes.max(initial=0) >= 2**input_bits):
            raise ConfigError(f"codes must be uint8 and below 2^{input_bits}")
        if (noise is None) != (self.variance is None):
            raise ConfigError("read noise needs both `noise` and `variance`")
        converters = columns // 2 if adc.arrangement == "pair" else columns
        if errors is not None and errors.gain.shape != (converters,):
            raise ShapeError(f"errors of {errors.gain.size} converters, expected {converters}")


def multiply(
    codes: np.ndarray,
    cells_grid: np.ndarray,
    *,
    input_bits: int,
    adc: Adc,
    noise: Optional[ReadNoise] = None,
    variance: Optional[np.ndarray] = None,
    errors: Optional[ColumnErrors] = None,
    threads: int = 1,
    onto: Optional[np.ndarray] = None,
) -> Tuple[np.ndarray, int]:
    """`Operand.multiply` for cells that are used once: float32 integers (rows, 2 * pairs).

    noise, variance: `ReadNoise` and the `read_variance` of the cells, both or neither.
    """
    operand = Operand(cells_grid, variance)
    return operand.multiply(
        codes, input_bits=input_bits, adc=adc, noise=noise, errors=errors, threads=threads, onto=onto
    )


def multiply_tiles(
    codes: np.ndarray,
    cells_grid: np.ndarray,
    *,
    input_bits: int,
    adc: Adc,
    tile_rows: int = 512,
    noises: Optional[Sequence[ReadNoise]] = None,
    variances: Optional[Sequence[np.ndarray]] = None,
    threads: int = 1,
) -> Tuple[np.ndarray, np.ndarray]:
    """The same for a matrix of more rows than one array: a conversion per tile of `tile_rows`, summed after the ADC.

    noises, variances: one per row tile, or None. Returns (y int64 (n, pairs), saturated per tile int64 (tiles,)).
    """
    total = None  # the first tile fills it: adding to zeros would cost a twentieth of the product
    saturated = []
    for t, row in enumerate(range(0, len(cells_grid), tile_rows)):
        rows = slice(row, row + tile_rows)
        total, count = multiply(
            codes[:, rows],
            cells_grid[rows],
            input_bits=input_bits,
            adc=adc,
            noise=None if noises is None else noises[t],
            variance=None if variances is None else variances[t],
            threads=threads,
            onto=total,
        )
        saturated.append(count)
    if total is None:
        raise ShapeError(f"cells of shape {cells_grid.shape}, expected (rows, 2 * pairs)")
    return total, np.array(saturated, np.int64)


def remove_zero_point(y: np.ndarray, zero_point: int, *, sums_lsb: np.ndarray) -> np.ndarray:
    """y_j -= rint(zero_point * S_j), in place: takes back what the shift of signed inputs added. Returns y.

    sums_lsb: S_j = sum_i (G+ - G-)_ij in LSB of the tiles, of the conductances that the product used; float64 (pairs,).
    """
    y -= np.rint(zero_point * sums_lsb).astype(np.int64)
    return y


def _check_cells(grid: np.ndarray, variance: Optional[np.ndarray]) -> None:
    if grid.ndim != 2 or grid.shape[1] % 2 or not grid.size:
        raise ShapeError(f"cells of shape {grid.shape}, expected (rows, 2 * pairs)")
    largest = _largest_cell(grid) if grid.dtype == np.float32 else np.nan
    if not largest >= 0 or (np.rint(grid) != grid).any():
        raise ConfigError("cells must be float32 integers on the technology's grid, 0 or more")
    if not len(grid) * float(largest) < EXACT_FLOAT32:
        raise ConfigError("rows * g_max reaches 2^24, sums would not be exact: use a coarser grid or fewer rows")
    if variance is not None and variance.shape != grid.shape:
        raise ShapeError(f"variance of shape {variance.shape}, expected {grid.shape}")


def _largest_cell(cells_grid: np.ndarray) -> np.float32:
    """The largest of float32 cells; NaN when one is negative or NaN."""
    # Read as unsigned words floats keep their order, and those with a sign come last: one pass instead of two.
    largest = cells_grid.view(np.uint32).max().view(np.float32)
    if not np.signbit(largest):
        return largest
    return cells_grid.max() if cells_grid.min() >= 0 else np.float32(np.nan)


def _borders(start: int, n: int, chunk: int) -> List[Tuple[int, int]]:
    """(first, last) samples of each chunk; chunks end at multiples of `chunk`, counted from the absolute position."""
    stops = list(range(chunk - start % chunk, n, chunk)) + [n]
    return list(zip([0] + stops[:-1], stops)) if n else []


def _in_threads(work: Callable[[Sequence[Tuple[int, int]]], int], shares: Sequence[Sequence[Tuple[int, int]]]) -> int:
    """Sum of `work` over the shares: the first in this thread, each other one in a thread of its own."""
    if len(shares) < 2:
        return sum(map(work, shares))
    pool = ThreadPoolExecutor(len(shares) - 1)
    try:
        others = [pool.submit(work, share) for share in shares[1:]]
        total = work(shares[0]) + sum(other.result() for other in others)
    except BaseException:
        pool.shutdown()  # nobody may go on writing into the result
        raise
    pool.shutdown(wait=False)  # all have answered: nothing is left to wait for
    return total

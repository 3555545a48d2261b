"""The converted columns of an operand, a few samples at a time: planes, currents, read noise, ADC, shift and add."""

from dataclasses import dataclass
from functools import lru_cache
from typing import List, Optional, Sequence, Tuple

import numpy as np

from ..device.interface import EXACT_FLOAT32
from . import read_noise
from .converters import Adc, ColumnErrors, bit_planes
from .macro_state import read_only
from .read_noise import Buffers, ReadNoise, held_noise

NARROW_COLS = 128
"""up to here one matrix product for conductances and variances is faster than two"""
FEW_PLANES, SMALL_PRODUCT, STRIP_COLS = 16, 10**6, 64
"""OpenBLAS copies a matrix first where a product has more than 10^6 multiplications. With up to 16 planes the copy
takes longer than the product: strips of 64 columns or more are faster (docs/decisions/examination-speed.md)"""


@dataclass(frozen=True, eq=False)
class Block:
    """Converted columns that are worked on together; arrays (rows, columns), grid units and their squares."""

    cols: slice
    """which of all converted columns"""
    conductance: np.ndarray
    """float32 integers"""
    variance: Optional[np.ndarray]
    """of one read of each cell; None: of an operand without noise"""
    both: Optional[np.ndarray]
    """the two side by side (rows, 2 * columns), where the columns are few"""


def blocks(conductance: np.ndarray, variance: Optional[np.ndarray]) -> List[Block]:
    """Converted columns (rows, columns) in blocks of STACKED_COLS."""
    found = []
    for first in range(0, conductance.shape[1], read_noise.STACKED_COLS):
        cols = slice(first, min(first + read_noise.STACKED_COLS, conductance.shape[1]))
        own, spread = conductance[:, cols], None if variance is None else variance[:, cols]
        both = None if spread is None or own.shape[1] > NARROW_COLS else np.concatenate([own, spread], axis=1)
        found.append(Block(cols, own, spread, both))
    return found


@lru_cache(maxsize=None)
def _bits(count: int, dtype: type) -> Tuple[np.ndarray, np.ndarray]:
    """(0 .. count - 1; what each of these bits is worth), made once: a short call would notice."""
    every = np.arange(count)
    return read_only(every), read_only((2**every).astype(dtype))


def sums(planes: np.ndarray, matrix: np.ndarray, *, out: np.ndarray) -> np.ndarray:
    """planes (m, rows) times matrix (rows, columns), whose sums are exact, into `out`; few planes strip by strip."""
    (m, rows), columns = planes.shape, matrix.shape[1]
    strip = 2 ** ((SMALL_PRODUCT // (m * rows)).bit_length() - 1) if m <= FEW_PLANES and m * rows else 0
    if not STRIP_COLS <= strip < columns:
        return np.matmul(planes, matrix, out=out)
    for first in range(0, columns, strip):
        np.matmul(planes, matrix[:, first : first + strip], out=out[:, first : first + strip])
    return out


class Columns:
    """What one call of a product does with each chunk of its samples.

    samples: how many share a random stream, see `block_samples`. adds: results are added to what is there.
    """

    def __init__(
        self,
        parts: Sequence[Block],
        adc: Adc,
        errors: Optional[ColumnErrors] = None,
        *,
        input_bits: int,
        noise: Optional[ReadNoise] = None,
        samples: int = 1,
        adds: bool = False,
    ) -> None:
        self.parts = parts
        self.adc = adc
        self.errors = errors
        self.input_bits = input_bits
        self.noise = noise
        self.samples = samples
        self.adds = adds
        # While the shifted sum stays below 2^24 the shift-and-add may run in float32 and still be exact.
        exact = (2**input_bits - 1) * adc.top < EXACT_FLOAT32
        self.every, self.plane_weights = _bits(input_bits, np.float32 if exact else np.float64)

    def multiply_chunk(self, codes: np.ndarray, result: np.ndarray, position: int, buffers: Buffers) -> int:
        """Fill `result` (n, pairs) for samples from `position` on, a block of columns at a time; gives saturations."""
        n, rows = codes.shape
        driven = self._driven(codes)
        planes = bit_planes(codes, driven, out=buffers.take("planes", (len(driven), n, rows)))
        saturated = 0
        for part in self.parts:
            current = self.currents(part, planes, driven, position=position, buffers=buffers)
            saturated += self.adc.convert(current, self._errors_of(part.cols))
            sums, cols = self._shift_and_add(current, driven), part.cols
            if self.adc.arrangement != "pair":
                sums = sums[:, 0::2] - sums[:, 1::2]
                cols = slice(cols.start // 2, cols.stop // 2)
            if self.adds:  # in float64, exact to 2^53
                np.add(result[:, cols], sums, out=result[:, cols], casting="unsafe")
            else:
                result[:, cols] = sums
        return saturated

    def _driven(self, codes: np.ndarray) -> np.ndarray:
        """The bit planes to convert, one at least: what drives no row gives no current and no noise, hence code 0."""
        every = self.every
        if self.errors is not None or (self.noise is not None and self.noise.held):
            return every
        found = int(np.bitwise_or.reduce(codes, axis=None))
        if found == 2**self.input_bits - 1:
            return every
        return every[(found >> every) & 1 == 1] if found else every[:1]

    def currents(
        self, part: Block, planes: np.ndarray, driven: np.ndarray, *, position: int, buffers: Buffers
    ) -> np.ndarray:
        """What the converters of a block see of `planes` (k, n, rows), which are the bits `driven`: (k, n, columns).

        Float32, grid units. Conductances are integers: no order of work changes their sums.
        """
        k, n, rows = planes.shape
        stacked, width = planes.reshape(-1, rows), part.conductance.shape[1]
        fresh = self.noise is not None and not self.noise.held
        if fresh and part.both is not None:
            seen = sums(stacked, part.both, out=buffers.take("seen", (k * n, 2 * width)))
            current, variance = seen[:, :width], seen[:, width:]
        else:
            current = sums(stacked, part.conductance, out=buffers.take("current", (k * n, width)))
            if fresh:
                variance = sums(stacked, np.asarray(part.variance), out=buffers.take("noise", (k * n, width)))
        current = current.reshape(k, n, width)
        if self.noise is None:
            return current
        normals = self.noise.normals(
            position, position + n, planes=self.input_bits, cols=part.cols, samples=self.samples, buffers=buffers
        )
        if not fresh:
            current += held_noise(planes, np.asarray(part.variance), normals=normals, buffers=buffers)
            return current
        noise = np.sqrt(variance, out=buffers.take("noise", (k * n, width))).reshape(k, n, width)
        for samples, block in normals:
            noise[:, samples] *= block if k == len(block) else block[driven]
        noise += current
        return noise

    def _shift_and_add(self, codes: np.ndarray, driven: np.ndarray) -> np.ndarray:
        """sum_b 2^b code_b of codes (planes, n, columns): one vector-matrix product, exact in its dtype."""
        if self.input_bits == 1:
            return codes[0]
        weights = self.plane_weights if driven is self.every else self.plane_weights[driven]
        flat = codes.reshape(len(codes), -1).astype(weights.dtype, copy=False)
        return np.matmul(weights, flat).reshape(codes.shape[1:])

    def _errors_of(self, cols: slice) -> Optional[ColumnErrors]:
        if self.errors is None:
            return None
        return type(self.errors)(self.errors.offset_lsb[cols], self.errors.gain[cols])

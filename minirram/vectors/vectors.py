"""Codes, cells and what an ideal array answers: the integers of one matrix, cut into tiles."""

from dataclasses import dataclass
from typing import NamedTuple, Optional, Tuple

import numpy as np

from ..crossbar.converters import Adc, bit_planes, calibrated_lsb, coarse_lsb
from ..crossbar.product import Operand
from ..device.interface import Cell
from ..errors import ConfigError
from ..rng import stream

TILE_ROWS, TILE_PAIRS = 512, 256
"""largest tile of a drawn matrix"""
SATURATED_PERCENT = 1.0
"""share of the conversions of a drawn matrix that saturate, about: a counter has something to count"""


class Span(NamedTuple):
    """One tile: the rectangle of the matrix that is converted on its own."""

    row: int
    """its first row"""
    rows: int
    """its rows"""
    pair: int
    """its first pair of columns"""
    pairs: int
    """its pairs"""

    @property
    def row_slice(self) -> slice:
        """Of the matrix."""
        return slice(self.row, self.row + self.rows)

    @property
    def pair_slice(self) -> slice:
        """Of the matrix."""
        return slice(self.pair, self.pair + self.pairs)


@dataclass(frozen=True, eq=False)
class Stimulus:
    """What is asked of an array."""

    cells_grid: np.ndarray
    """float32 integers (rows, 2 * pairs), G+ and G- of a pair side by side, grid units"""
    codes: np.ndarray
    """uint8 (samples, rows)"""
    input_bits: int
    """bits of the codes"""
    adc: Adc
    """the converter of every tile"""
    tiles: Tuple[Span, ...]
    """they cover the matrix"""
    grid_S: float
    """one grid unit"""
    read_voltage_V: float
    """on a driven row"""

    @property
    def shape(self) -> Tuple[int, int]:
        """(rows, pairs)."""
        return self.cells_grid.shape[0], self.cells_grid.shape[1] // 2

    @property
    def lsb(self) -> Tuple[int, int]:
        """(numerator, shift): the LSB is exactly numerator / 2^shift grid units, the numerator odd or the shift 0."""
        numerator, denominator = float(self.adc.tile_lsb).as_integer_ratio()
        return numerator, denominator.bit_length() - 1


@dataclass(frozen=True, eq=False)
class Answer:
    """What an ideal array gives."""

    y: np.ndarray
    """int64 (samples, pairs): sums after shift and add, in LSB"""
    saturated: np.ndarray
    """int64 (samples,): conversions that saturated"""
    noise_lsb: Optional[np.ndarray]
    """float64 (samples, pairs): standard deviation of y by read noise; None: not asked for"""


def answer(stimulus: Stimulus, noise_of: Optional[Cell] = None) -> Answer:
    """What an ideal array gives. noise_of: the kind of cell whose read noise makes the budget; None: no budget."""
    samples, pairs = len(stimulus.codes), stimulus.shape[1]
    y: np.ndarray = np.zeros((samples, pairs), np.int64)
    saturated: np.ndarray = np.zeros(samples, np.int64)
    variance: np.ndarray = np.zeros((samples, pairs))
    for tile in stimulus.tiles:
        cells = np.ascontiguousarray(stimulus.cells_grid[tile.row_slice, 2 * tile.pair : 2 * (tile.pair + tile.pairs)])
        codes, operand = np.ascontiguousarray(stimulus.codes[:, tile.row_slice]), Operand(cells)
        for k in range(samples):  # one at a time: each has a count of its own
            found, count = operand.multiply(codes[k : k + 1], input_bits=stimulus.input_bits, adc=stimulus.adc)
            y[k, tile.pair_slice] += found[0]
            saturated[k] += count
        if noise_of is not None:
            variance[:, tile.pair_slice] += _variance(stimulus, codes, cells, noise_of)
    return Answer(y, saturated, None if noise_of is None else np.sqrt(variance))


def _variance(stimulus: Stimulus, codes: np.ndarray, cells: np.ndarray, noise_of: Cell) -> np.ndarray:
    """sum_b 4^b sum_i bit_bi sigma_i^2 of a tile, LSB^2, float64 (samples, pairs)."""
    squares = np.square(noise_of.read_std(cells, stimulus.grid_S).astype(np.float64))
    planes: np.ndarray = bit_planes(codes, stimulus.input_bits).astype(np.float64)
    weights = 4.0 ** np.arange(stimulus.input_bits)
    return np.tensordot(weights, planes @ (squares[:, 0::2] + squares[:, 1::2]), 1) / float(stimulus.adc.tile_lsb) ** 2


def draw_codes(rows: int, *, samples: int, input_bits: int, seed: int) -> np.ndarray:
    """uint8 (samples, rows): nothing driven, all at the largest, each bit alone, single rows, then random ones."""
    if samples < 1:
        raise ConfigError(f"{samples} samples; at least 1")
    random = stream(seed, "vectors", "codes")
    largest = 2**input_bits - 1
    known = [np.zeros(rows, int), np.full(rows, largest)]
    known += [np.full(rows, 1 << b) for b in range(input_bits)]
    known += [largest * (np.arange(rows) == row) for row in sorted({0, rows // 2, rows - 1})]
    codes = random.integers(0, largest + 1, (samples, rows))
    codes[1::3] *= random.random(codes[1::3].shape) < 0.3  # sparse ones, too
    codes[: len(known)] = np.array(known)[:samples]
    return codes.astype(np.uint8)


def spans(rows: int, pairs: int) -> Tuple[Span, ...]:
    """The tiles of a drawn matrix, row tiles from the top, column tiles within them."""
    return tuple(
        Span(row, min(TILE_ROWS, rows - row), pair, min(TILE_PAIRS, pairs - pair))
        for row in range(0, rows, TILE_ROWS)
        for pair in range(0, pairs, TILE_PAIRS)
    )


def draw(
    model: Cell,
    shape: Tuple[int, int],
    *,
    samples: int = 64,
    input_bits: int = 4,
    adc_bits: int = 8,
    arrangement: str = "pair",
    seed: int = 0,
) -> Stimulus:
    """A matrix (rows, pairs) of cells of a kind, half of them on, and an LSB with which some conversions saturate."""
    rows, pairs = shape
    if rows < 1 or pairs < 1:
        raise ConfigError(f"a matrix of {rows} x {pairs} pairs; at least 1 x 1")
    cells = rows, 2 * pairs
    on_S = model.sample_lrs_S(stream(seed, "vectors", "lrs"), cells)
    off_S = model.sample_hrs_S(stream(seed, "vectors", "hrs"), cells)
    is_on = stream(seed, "vectors", "on").random(cells) < 0.5
    cells_grid, _ = model.to_grid(np.where(is_on, on_S, off_S), min(rows, TILE_ROWS))
    codes = draw_codes(rows, samples=samples, input_bits=input_bits, seed=seed)
    tiles = spans(rows, pairs)
    lsb = _fitting_lsb(cells_grid, codes, input_bits=input_bits, adc_bits=adc_bits, arrangement=arrangement)
    adc = Adc(adc_bits, lsb, arrangement)
    return Stimulus(cells_grid, codes, input_bits, adc, tiles, model.grid_S, model.read_voltage_V)


def _fitting_lsb(
    cells_grid: np.ndarray, codes: np.ndarray, *, input_bits: int, adc_bits: int, arrangement: str
) -> float:
    """The LSB whose largest code SATURATED_PERCENT of the currents pass, over all row tiles."""
    cells = cells_grid if arrangement == "polarity" else cells_grid[:, 0::2] - cells_grid[:, 1::2]
    currents = [
        bit_planes(codes[:, row : row + TILE_ROWS], input_bits) @ cells[row : row + TILE_ROWS]
        for row in range(0, len(cells), TILE_ROWS)
    ]
    driven = np.concatenate([part[part != 0] for part in currents])
    if not driven.size:
        raise ConfigError("no sample drives a cell that conducts: ask for more samples")
    lsb = calibrated_lsb(driven, adc_bits, arrangement=arrangement, percentile=100 - SATURATED_PERCENT)
    return coarse_lsb(lsb, adc_bits)

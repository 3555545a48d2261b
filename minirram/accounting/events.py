"""What happens on the chip and beside it, counted: reads of cells by bit plane, conversions, additions, bits moved.

Counts come from a real batch (`EventCounter`) or from shapes alone with a stated activity. Per inference unless said.

Assumption: while a tile multiplies, its rows drive the tile's own columns alone; the cells of other tiles in the same
rows are cut off by their select lines. The row line itself is charged over the width of the macro.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Dict, Mapping, Tuple

import numpy as np

from ..errors import ConfigError

CHUNK_BYTES = 2**20
"""codes counted at a time: what stays in a core's cache"""


@dataclass(frozen=True, eq=False)
class MatrixEvents:
    """Events of one weight matrix in one inference. Arrays (planes,) go by bit plane, lowest bit first."""

    vectors: float
    """input vectors: products of the matrix"""
    rows_driven: np.ndarray
    """rows driven with a 1, over all tiles"""
    cell_reads: np.ndarray
    """cells that a driven row reads"""
    siemens_read: np.ndarray
    """sum of the conductances of the cells read, S"""
    conversions: np.ndarray
    """conversions of the ADCs, each followed by one shift-and-add"""
    partial_adds: float
    """additions of the sums of row tiles"""
    line_pitches: float
    """cell pitches of row and column lines charged: a driven row over its macro's width, each column of a tile over
    its macro's height at every read"""
    bits_read: float
    """bits of input codes taken from the buffer: each column of tiles takes the whole input"""
    sums: float
    """sums of row tiles that leave the converters, all planes and polarities added up"""
    between_macros: bool
    """whether codes and sums pass between macros: the network fills more than one"""
    converted: Dict[int, Tuple[int, ...]]
    """macro -> converted columns of each of the matrix's tiles on it; they are read one after another"""


class EventCounter:
    """Counts what enters the crossbars: pass it to `inference.ChipProduct` as observer.

    input_bits: dict matrix name -> bits of its codes. threads: Python threads that count. `vectors[name]`: input
    vectors so far. `driven[name]`: int64 (planes, fan_in), how often plane b drove each row.
    """

    def __init__(self, input_bits: Mapping[str, int], threads: int = 1) -> None:
        self.input_bits = input_bits
        self.threads = threads
        self.vectors: Dict[str, int] = {}
        self.driven: Dict[str, np.ndarray] = {}

    def __call__(self, name: str, codes: np.ndarray) -> None:
        """Count one product: codes uint8 (n, fan_in)."""
        counts = plane_counts(codes, self.input_bits[name], threads=self.threads)
        self.vectors[name] = self.vectors.get(name, 0) + len(codes)
        self.driven[name] = self.driven[name] + counts if name in self.driven else counts

    def per_inference(self, name: str, inferences: float) -> Tuple[float, np.ndarray]:
        """(vectors, driven float64 (planes, fan_in)) of one of `inferences`; zeros when nothing entered the matrix."""
        if name not in self.driven:
            counted = ", ".join(self.driven)
            raise ConfigError(f"no product of the matrix {name!r} was counted; counted: {counted}")
        return self.vectors[name] / inferences, self.driven[name] / inferences


def plane_counts(codes: np.ndarray, bits: int, *, threads: int) -> np.ndarray:
    """How often each bit of each column is set: codes uint8 (n, columns) -> int64 (bits, columns)."""
    n, columns = codes.shape
    step = max(1, CHUNK_BYTES // (255 * columns)) * 255
    chunks = [codes[first : first + step] for first in range(0, n, step)]
    if threads > 1 and len(chunks) > 1:
        with ThreadPoolExecutor(min(threads, len(chunks))) as pool:
            counts = list(pool.map(lambda chunk: _chunk_counts(chunk, bits), chunks))
    else:
        counts = [_chunk_counts(chunk, bits) for chunk in chunks]
    return np.sum(counts, axis=0, dtype=np.int64) if counts else np.zeros((bits, columns), np.int64)


def _chunk_counts(chunk: np.ndarray, bits: int) -> np.ndarray:
    """`plane_counts` of a few codes. Bit b stays where it is, as 2^b: sums over 255 / 2^b rows fit into uint8, the
    narrowest and fastest sum.
    """
    columns = chunk.shape[1]
    counts = np.zeros((bits, columns), np.int64)
    plane = np.empty_like(chunk)
    for bit in range(bits):
        if bit == 4:
            chunk = chunk >> np.uint8(4)
        np.bitwise_and(chunk, np.uint8(1 << bit % 4), out=plane)
        rows = 255 >> bit % 4
        whole = len(chunk) - len(chunk) % rows
        sums = np.add.reduce(plane[:whole].reshape(-1, rows, columns), axis=1, dtype=np.uint8)
        counts[bit] = sums.sum(axis=0, dtype=np.int64)
        counts[bit] += np.add.reduce(plane[whole:], axis=0, dtype=np.uint8)
    return counts >> (np.arange(bits) % 4)[:, None]


def matrix_events(
    placement: Any, name: str, *, vectors: float, driven: np.ndarray, row_S: np.ndarray, arrangement: str
) -> MatrixEvents:
    """`MatrixEvents` of matrix `name`.

    vectors: products per inference. driven: float64 (planes, fan_in), how often each plane drives each row. row_S:
    float64 (fan_in,), sum of the conductances of all cells of each row, S. arrangement: of the ADCs.
    """
    tiles, fan_out = placement.tiles_of(name), placement.shape(name)[1]
    row_tiles = len({tile.row_start for tile in tiles})
    col_tiles = len({tile.col_start for tile in tiles})
    planes, polarities = len(driven), 2 if arrangement == "polarity" else 1
    converted: Dict[int, Tuple[int, ...]] = {}
    for tile in tiles:
        converted[tile.macro] = converted.get(tile.macro, ()) + (tile.n_pairs * polarities,)
    by_plane = driven.sum(axis=1)
    columns_read = vectors * planes * row_tiles * 2 * fan_out
    return MatrixEvents(
        vectors=float(vectors),
        rows_driven=by_plane * col_tiles,
        cell_reads=by_plane * (2 * fan_out),
        siemens_read=driven @ row_S,
        conversions=np.full(planes, vectors * fan_out * row_tiles * polarities, np.float64),
        partial_adds=float(vectors * fan_out * (row_tiles - 1)),
        line_pitches=float(
            by_plane.sum() * col_tiles * 2 * placement.macro_pairs + columns_read * placement.macro_rows
        ),
        bits_read=float(vectors * driven.shape[1] * planes * col_tiles),
        sums=float(vectors * fan_out * row_tiles),
        between_macros=placement.n_macros > 1,
        converted=converted,
    )


def bits_moved(events: MatrixEvents, adc_bits: int) -> float:
    """Bits over the wires of macros: codes to the rows, and sums back, each wide enough for all planes added up."""
    return events.bits_read + events.sums * (adc_bits + len(events.conversions))


def row_conductance_S(chip: Any, name: str) -> np.ndarray:
    """Sum of the present conductances of all cells of each row of a matrix: float64 (fan_in,), siemens."""
    plus, minus = chip.pair_grid(name)
    return (plus.sum(axis=1, dtype=np.float64) + minus.sum(axis=1, dtype=np.float64)) * chip.cell_model.grid_S


def counted_events(
    counter: EventCounter, chip: Any, *, adcs: Mapping[str, Any], inferences: float
) -> Dict[str, MatrixEvents]:
    """dict matrix name -> `MatrixEvents` from what an `EventCounter` saw in `inferences` inferences."""
    found = {}
    for name in chip.placement.names:
        vectors, driven = counter.per_inference(name, inferences)
        row_S = row_conductance_S(chip, name)
        found[name] = matrix_events(
            chip.placement, name, vectors=vectors, driven=driven, row_S=row_S, arrangement=adcs[name].arrangement
        )
    return found


def expected_events(
    placement: Any,
    products: Mapping[str, float],
    *,
    bits: Mapping[str, int],
    activity: float,
    pair_S: float,
    arrangement: str,
) -> Dict[str, MatrixEvents]:
    """The same from shapes alone: every bit is set with probability `activity`, every pair conducts `pair_S` siemens.

    products: dict matrix name -> input vectors per inference. bits: dict matrix name -> bits of its input codes.
    """
    if not 0 <= activity <= 1:
        raise ConfigError(f"an activity of {activity}; the share of set bits lies in 0..1")
    events = {}
    for name, (fan_in, fan_out) in placement.shapes:
        driven = np.full((bits[name], fan_in), products[name] * activity)
        row_S = np.full(fan_in, fan_out * pair_S)
        events[name] = matrix_events(
            placement, name, vectors=products[name], driven=driven, row_S=row_S, arrangement=arrangement
        )
    return events


def on_fewer_macros(events: MatrixEvents, n_macros: int) -> MatrixEvents:
    """`MatrixEvents` as they are when macro n_macros - 1 stands in for all later ones: its tiles are read in turn."""
    converted: Dict[int, Tuple[int, ...]] = {}
    for macro, columns in events.converted.items():
        last = min(macro, n_macros - 1)
        converted[last] = converted.get(last, ()) + columns
    return replace(events, converted=converted, between_macros=events.between_macros and n_macros > 1)


def reprogramming(on: np.ndarray, used: np.ndarray, *, n_macros: int) -> Tuple[int, int, int, int]:
    """Pulses that one inference costs when a network runs on fewer macros than it fills: (macros written, SET, RESET,
    the most SETs that one cell takes).

    on, used: bool (macros, rows, cols), the cells that the masks keep on and those that belong to a matrix. All but
    one of the `n_macros` keep their contents; the last one takes the others in turn, the order of the next inference
    being the same. A cell is pulsed when the next contents use it in another state.
    """
    needed = len(on)
    if n_macros < 1:
        raise ConfigError(f"{n_macros} macros; a network needs at least 1")
    if n_macros >= needed:
        return 0, 0, 0, 0
    turns = range(n_macros - 1, needed)
    state = np.zeros(on.shape[1:], bool)
    for _lap in range(2):  # the first lap brings the macro into the state that every later lap starts from
        sets = np.zeros(on.shape[1:], np.int64)
        n_reset = 0
        for macro in turns:
            differs = used[macro] & (state != on[macro])
            sets += differs & on[macro]
            n_reset += int(np.count_nonzero(differs & ~on[macro]))
            state = state ^ differs
    return len(turns), int(sets.sum()), n_reset, int(sets.max())

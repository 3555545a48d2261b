"""Weight matrices -> differential pairs -> tiles -> macros, and the way back.

A matrix of shape (fan_in, fan_out) is cut into tiles of at most one macro; a tile is a rectangle of rows x pairs
inside one macro. Pair k of a row is columns 2k (G+) and 2k+1 (G-): two cells per weight, as on the paper's chip.
"""

from dataclasses import dataclass, replace
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ..crossbar.region import Region
from ..errors import ConfigError, DataError, ShapeError
from ..json_codec import bare, built

Shapes = Sequence[Tuple[str, Tuple[int, int]]]
Rectangle = Tuple[int, int, int, int]

MOST_TILES = 2**17
"""VGG-19 on macros of 64 x 64 cells has 70,000"""


@dataclass(frozen=True)
class Tile:
    """One rectangle of one matrix, and where it lies."""

    matrix: str
    """name of the weight matrix"""
    row_start: int
    """first row of the matrix that this tile holds"""
    col_start: int
    """first column (output) of the matrix that this tile holds"""
    n_rows: int
    """input lines"""
    n_pairs: int
    """output columns of the matrix = pairs of cells per row"""
    macro: int
    """index of the macro"""
    row0: int
    """first row inside the macro"""
    pair0: int
    """first pair inside the macro"""

    @property
    def matrix_rows(self) -> slice:
        """Slice of the matrix's rows."""
        return slice(self.row_start, self.row_start + self.n_rows)

    @property
    def matrix_cols(self) -> slice:
        """Slice of the matrix's columns."""
        return slice(self.col_start, self.col_start + self.n_pairs)

    @property
    def rows(self) -> slice:
        """Slice of the macro's rows."""
        return slice(self.row0, self.row0 + self.n_rows)

    @property
    def cols(self) -> slice:
        """Slice of the macro's cell columns (G+ and G- interleaved)."""
        return slice(2 * self.pair0, 2 * (self.pair0 + self.n_pairs))

    @property
    def region(self) -> Region:
        """Where the tile lies in its macro."""
        return Region(self.rows, self.cols)

    def on_lines(self, row_map: np.ndarray, pair_map: np.ndarray) -> Iterator["Tile"]:
        """The pieces of this tile on other lines of its macro, cut between lines that are no neighbours there.

        row_map, pair_map: the line on which each row and each pair of the macro lies, integer (lines of the macro,).
        """
        rows, pairs = row_map[self.rows], pair_map[self.pair0 : self.pair0 + self.n_pairs]
        for row, n_rows in _runs(rows):
            for pair, n_pairs in _runs(pairs):
                yield replace(
                    self,
                    row_start=self.row_start + row,
                    col_start=self.col_start + pair,
                    n_rows=n_rows,
                    n_pairs=n_pairs,
                    row0=int(rows[row]),
                    pair0=int(pairs[pair]),
                )


def _runs(lines: np.ndarray) -> List[Tuple[int, int]]:
    """The stretches of `lines` in which each is the one after its predecessor: [(first index, length), ...]."""
    starts = np.flatnonzero(np.diff(lines, prepend=lines[0]) != 1)
    return list(zip(starts.tolist(), np.diff(np.append(starts, len(lines))).tolist()))


@dataclass(frozen=True)
class Placement:
    """Where every matrix of a network lies on the macros of a chip."""

    shapes: Tuple[Tuple[str, Tuple[int, int]], ...]
    """(name, (fan_in, fan_out)) of each matrix, in the network's order"""
    tiles: Tuple[Tile, ...]
    """in the network's order, row tiles of a matrix from the top, column tiles within them"""
    macro_rows: int = 512
    """input lines of a macro"""
    macro_pairs: int = 256
    """differential pairs per row of a macro"""

    def __post_init__(self) -> None:
        inside = all(
            min(tile.row_start, tile.col_start, tile.macro, tile.row0, tile.pair0) >= 0
            and tile.row0 + tile.n_rows <= self.macro_rows
            and tile.pair0 + tile.n_pairs <= self.macro_pairs
            for tile in self.tiles
        )
        if not self.tiles or not inside:
            raise ConfigError(f"a tile outside its macro of {self.macro_rows} x {self.macro_pairs} pairs")
        for tile in self.tiles:
            rows, cols = self.shape(tile.matrix)
            if tile.row_start + tile.n_rows > rows or tile.col_start + tile.n_pairs > cols:
                raise ConfigError(f"a tile outside its matrix {tile.matrix} of {rows} x {cols}")
        for name, (rows, cols) in self.shapes:
            if sum(tile.n_rows * tile.n_pairs for tile in self.tiles_of(name)) != rows * cols:
                raise ConfigError(f"the tiles of matrix {name} do not cover its {rows} x {cols} weights")

    @property
    def n_macros(self) -> int:
        """Number of macros in use."""
        return 1 + max(tile.macro for tile in self.tiles)

    @property
    def n_pairs(self) -> int:
        """Pairs in use = weights of the network."""
        return sum(tile.n_rows * tile.n_pairs for tile in self.tiles)

    @property
    def utilisation(self) -> float:
        """Pairs in use over pairs of the macros in use, 0..1."""
        return self.n_pairs / (self.n_macros * self.macro_rows * self.macro_pairs)

    @property
    def names(self) -> Tuple[str, ...]:
        """Names of the matrices in the network's order."""
        return tuple(name for name, _ in self.shapes)

    def shape(self, name: str) -> Tuple[int, int]:
        """(fan_in, fan_out) of matrix `name`; ConfigError if there is none of that name."""
        for known, shape in self.shapes:
            if known == name:
                return shape
        raise ConfigError(f"no matrix {name!r} in this placement; it holds {', '.join(self.names)}")

    def tiles_of(self, name: str) -> Tuple[Tile, ...]:
        """The tiles of matrix `name`."""
        return tuple(tile for tile in self.tiles if tile.matrix == name)

    def gather(self, name: str, cells: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Cells (macros, rows, 2 * pairs) -> (plus, minus), each (fan_in, fan_out) of the same dtype."""
        shape = self.shape(name)
        self._check_cells(cells)
        plus, minus = np.empty(shape, cells.dtype), np.empty(shape, cells.dtype)
        for tile in self.tiles_of(name):
            block = cells[tile.macro, tile.rows, tile.cols]
            plus[tile.matrix_rows, tile.matrix_cols] = block[:, 0::2]
            minus[tile.matrix_rows, tile.matrix_cols] = block[:, 1::2]
        return plus, minus

    def scatter(self, name: str, pair: Tuple[np.ndarray, np.ndarray], *, cells: np.ndarray) -> None:
        """Write the pair (plus, minus), each (fan_in, fan_out), into `cells` (macros, rows, 2 * pairs) in place."""
        shape, (plus, minus) = self.shape(name), pair
        self._check_cells(cells)
        for part, array in (("plus", plus), ("minus", minus)):
            if array.shape != shape:
                raise ShapeError(f"{part} of {name}: shape {array.shape}, expected {shape}")
        for tile in self.tiles_of(name):
            block = cells[tile.macro, tile.rows, tile.cols]
            block[:, 0::2] = plus[tile.matrix_rows, tile.matrix_cols]
            block[:, 1::2] = minus[tile.matrix_rows, tile.matrix_cols]

    def on_lines(
        self, line_maps: Sequence[Tuple[np.ndarray, np.ndarray]], *, macro_rows: int, macro_pairs: int
    ) -> "Placement":
        """The same matrices on other lines of the same macros: a Placement on macros of macro_rows x macro_pairs.

        line_maps: per macro (row_map, pair_map), see `Tile.on_lines`.
        """
        tiles = tuple(piece for tile in self.tiles for piece in tile.on_lines(*line_maps[tile.macro]))
        return Placement(self.shapes, tiles, macro_rows, macro_pairs)

    def used_cells(self) -> np.ndarray:
        """Boolean map (macros, rows, 2 * pairs): True where a cell belongs to a matrix."""
        used: np.ndarray = np.zeros((self.n_macros, self.macro_rows, 2 * self.macro_pairs), bool)
        for tile in self.tiles:
            used[tile.macro, tile.rows, tile.cols] = True
        return used

    def to_json(self) -> Dict[str, Any]:
        """A JSON-ready dict; `placement_from_json` reads it."""
        return {
            "macro_rows": self.macro_rows,
            "macro_pairs": self.macro_pairs,
            "matrices": [
                {"name": name, "fan_in": fan_in, "fan_out": fan_out} for name, (fan_in, fan_out) in self.shapes
            ],
            "tiles": [bare(tile) for tile in self.tiles],
        }

    def _check_cells(self, cells: np.ndarray) -> None:
        expected = (self.macro_rows, 2 * self.macro_pairs)
        if cells.ndim != 3 or cells.shape[0] < self.n_macros or cells.shape[1:] != expected:
            raise ShapeError(
                f"cells of shape {cells.shape}, expected ({self.n_macros} or more, {expected[0]}, {expected[1]})"
            )


def placement_from_json(value: Any) -> Placement:
    """The Placement that `Placement.to_json` wrote; DataError when the value is not one."""
    try:
        written = built(_Written, value)
        shapes = tuple((matrix.name, (matrix.fan_in, matrix.fan_out)) for matrix in written.matrices)
        return Placement(shapes, written.tiles, written.macro_rows, written.macro_pairs)
    except (DataError, ConfigError) as error:
        raise DataError(f"not a placement: {error}") from None


@dataclass(frozen=True)
class _Matrix:
    """A matrix of a placement as JSON names it."""

    name: str
    fan_in: int
    fan_out: int


@dataclass(frozen=True)
class _Written:
    """A placement as JSON names it."""

    macro_rows: int
    macro_pairs: int
    matrices: Tuple[_Matrix, ...]
    tiles: Tuple[Tile, ...]


def place(shapes: Shapes, macro_rows: int = 512, *, macro_pairs: int = 256) -> Placement:
    """Cut matrices into tiles and pack the tiles onto as few macros as the packer finds.

    shapes: sequence of (name, (fan_in, fan_out)). Returns a Placement. Largest tiles first, each into the free
    rectangle that it fills best (maximal-rectangles packing, Jylanki 2010, best short side fit); a new macro opens
    when none has room. ConfigError for more than MOST_TILES tiles.
    """
    shapes = tuple((name, (int(rows), int(cols))) for name, (rows, cols) in shapes)
    if not shapes or min(min(shape) for _, shape in shapes) < 1:
        raise ConfigError(f"a placement needs matrices of at least 1 x 1, got {shapes}")
    if len({name for name, _ in shapes}) != len(shapes):
        raise ConfigError(f"two matrices of one name in {[name for name, _ in shapes]}")
    count = sum(-(-rows // macro_rows) * -(-cols // macro_pairs) for _, (rows, cols) in shapes)
    if count > MOST_TILES:
        raise ConfigError(f"matrices of {count} tiles of {macro_rows} x {macro_pairs} pairs; at most {MOST_TILES}")
    pieces = [piece for name, shape in shapes for piece in _cut(name, shape, macro_rows, macro_pairs)]
    order = sorted(range(len(pieces)), key=lambda k: (-pieces[k][3] * pieces[k][4], -max(pieces[k][3:]), k))
    # maximal free rectangles (row, pair, height, width) of each macro that has any; they may overlap
    free: Dict[int, List[Rectangle]] = {}
    macros = 0
    tiles: Dict[int, Tile] = {}
    for k in order:
        name, row_start, col_start, height, width = pieces[k]
        spot = _best_spot(free, height, width)
        if spot is None:
            free[macros] = [(0, 0, macro_rows, macro_pairs)]
            spot, macros = (macros, 0, 0), macros + 1
        macro, row0, pair0 = spot
        left = _without(free.pop(macro), (row0, pair0, height, width))
        if left:
            free[macro] = left
        tiles[k] = Tile(name, row_start, col_start, height, width, macro, row0, pair0)
    return Placement(shapes, tuple(tiles[k] for k in range(len(pieces))), macro_rows, macro_pairs)


def _cut(
    name: str, shape: Tuple[int, int], macro_rows: int, macro_pairs: int
) -> Iterator[Tuple[str, int, int, int, int]]:
    """The pieces (name, row_start, col_start, height, width) of one matrix."""
    rows, cols = shape
    for row in range(0, rows, macro_rows):
        for col in range(0, cols, macro_pairs):
            yield name, row, col, min(macro_rows, rows - row), min(macro_pairs, cols - col)


def _best_spot(free: Dict[int, List[Rectangle]], height: int, width: int) -> Optional[Tuple[int, int, int]]:
    """(macro, row0, pair0) of the free rectangle with the smallest left-over side; None where nothing fits."""
    candidates = [
        (min(h - height, w - width), max(h - height, w - width), macro, row, pair)
        for macro, rectangles in free.items()
        for row, pair, h, w in rectangles
        if h >= height and w >= width
    ]
    return min(candidates)[2:] if candidates else None


def _without(rectangles: List[Rectangle], used: Rectangle) -> List[Rectangle]:
    """The maximal free rectangles that remain when the rectangle `used` is taken."""
    row, pair, height, width = used
    pieces: List[Rectangle] = []
    for r, p, h, w in rectangles:
        if row >= r + h or row + height <= r or pair >= p + w or pair + width <= p:
            pieces.append((r, p, h, w))
            continue
        pieces += [(r, p, row - r, w), (row + height, p, r + h - row - height, w)]
        pieces += [(r, p, h, pair - p), (r, pair + width, h, p + w - pair - width)]
    pieces = sorted({piece for piece in pieces if piece[2] > 0 and piece[3] > 0})
    return [a for a in pieces if not any(a != b and _inside(a, b) for b in pieces)]


def _inside(a: Rectangle, b: Rectangle) -> bool:
    """True when rectangle a lies within rectangle b."""
    return a[0] >= b[0] and a[1] >= b[1] and a[0] + a[2] <= b[0] + b[2] and a[1] + a[3] <= b[1] + b[3]

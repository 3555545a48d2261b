"""The cells of measured maps: in which state each is, and which lines are not as the others."""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..errors import DataError
from .fit_forming import check_spread
from .fit_lines import BadLines, bad_lines
from .fit_unit import likely_other_unit
from .interface import Cell
from .states import OUTLIER, Separation, separate

_LARGEST_MEDIAN_S = 1e-3  # no array of memory cells conducts more per cell; a wrong unit is off by a thousand
_NOT_FITTED = -2  # label of a cell that does not conduct, or lies on a bad line


class MeasuredCells(NamedTuple):
    """Maps with the state of each of their cells."""

    maps_S: Sequence[np.ndarray]
    """siemens; 0 = not formed, NaN = not read, inf = shorted"""
    labels: Sequence[np.ndarray]
    """int, of the maps' shapes: index of the cell's state, OUTLIER, or below where it was not fitted"""
    separation: Separation
    lines: Sequence[BadLines]
    """of each map"""

    def in_state(self, name: str) -> List[np.ndarray]:
        """bool, of the maps' shapes: the cells in the state `name`."""
        return [labels == self.separation.label_of(name) for labels in self.labels]

    @property
    def cells(self) -> int:
        """All cells."""
        return sum(map_S.size for map_S in self.maps_S)

    @property
    def formed(self) -> int:
        """Cells that conduct more than pristine ones."""
        return sum(int(np.count_nonzero(formed_cells(map_S, self.separation.formed_min_S))) for map_S in self.maps_S)

    @property
    def not_read(self) -> int:
        """Cells without a value."""
        return sum(int(np.count_nonzero(np.isnan(map_S))) for map_S in self.maps_S)

    @property
    def shorted(self) -> int:
        """Cells in the shorted state or marked so."""
        marked = sum(int(np.count_nonzero(np.isinf(map_S))) for map_S in self.maps_S)
        return marked + sum(int(np.count_nonzero(cells)) for cells in self.in_state("short"))

    @property
    def outliers(self) -> int:
        """Cells in no state."""
        return sum(int(np.count_nonzero(labels == OUTLIER)) for labels in self.labels)

    @property
    def bad_rows(self) -> Tuple[Tuple[int, int], ...]:
        """(map, row) of each bad row."""
        return tuple((k, row) for k, lines in enumerate(self.lines) for row in lines.rows)

    @property
    def bad_cols(self) -> Tuple[Tuple[int, int], ...]:
        """(map, column) of each bad column."""
        return tuple((k, col) for k, lines in enumerate(self.lines) for col in lines.cols)


def formed_cells(map_S: np.ndarray, formed_min_S: float) -> np.ndarray:
    """bool: the cells of a map that were formed, shorted ones among them; formed_min_S 0: all that conduct."""
    with np.errstate(invalid="ignore"):
        return (map_S > 0) & (map_S >= formed_min_S)


def separated_cells(
    maps_S: Sequence[np.ndarray], base: Cell, *, names: Optional[Sequence[str]], unit: str
) -> MeasuredCells:
    """The states of the cells of all maps, without those on lines that are not as the others.

    names, base: as for `separate`. unit: in which the maps came, for messages. DataError for fewer than 20 conducting
    cells, for equal ones, and where they conduct more than any memory cell.
    """
    conducting = [np.isfinite(map_S) & (map_S > 0) for map_S in maps_S]
    separation, labels = _separated(maps_S, conducting, base, names, unit)
    lines = [_lines(map_S, one, separation) for map_S, one in zip(maps_S, labels)]
    if any(one.rows or one.cols for one in lines):
        good: List[np.ndarray] = [cells & _off_lines(cells.shape, one) for cells, one in zip(conducting, lines)]
        separation, labels = _separated(maps_S, good, base, names, unit)
    return MeasuredCells(maps_S, labels, separation, lines)


def _separated(
    maps_S: Sequence[np.ndarray], used: Sequence[np.ndarray], base: Cell, names: Optional[Sequence[str]], unit: str
) -> Tuple[Separation, List[np.ndarray]]:
    """The states of the `used` cells (bool maps), and the label of each cell of the maps."""
    values_S = np.concatenate([map_S[cells] for map_S, cells in zip(maps_S, used)]) if maps_S else np.zeros(0)
    check_spread("formed cells", values_S)
    median_S = float(np.median(values_S))
    if median_S > _LARGEST_MEDIAN_S:
        other = likely_other_unit([np.log(median_S)], [1.0], base, unit=unit)
        raise DataError(
            f"the median cell conducts {median_S:.3g} S, more than {_LARGEST_MEDIAN_S} S; is the unit right?"
            + (f" In {other} the cells would be as {base.name} has them" if other else "")
        )
    separation = separate(values_S, base, names)
    labels, start = [], 0
    for map_S, cells in zip(maps_S, used):
        own = np.full(map_S.shape, _NOT_FITTED)
        count = int(np.count_nonzero(cells))
        own[cells] = separation.labels[start : start + count]
        labels.append(own)
        start += count
    return separation, labels


def _lines(map_S: np.ndarray, labels: np.ndarray, separation: Separation) -> BadLines:
    """The bad lines of one map; conductances count relative to the median of their state."""
    if map_S.ndim != 2:
        return BadLines((), ())
    ln_G = np.zeros(map_S.shape)
    for k, state in enumerate(separation.states):
        ln_G[labels == k] = np.log(map_S[labels == k] / state.median_S)
    odd = (labels == OUTLIER) | (labels == separation.label_of("short")) | np.isinf(map_S)
    formed = formed_cells(map_S, separation.formed_min_S)
    return bad_lines(formed, np.where(odd, 0.0, ln_G), odd=odd, read=~np.isnan(map_S))


def _off_lines(shape: Tuple[int, ...], lines: BadLines) -> np.ndarray:
    """bool of `shape`: cells on no bad line."""
    off: np.ndarray = np.ones(shape, bool)
    if lines.rows or lines.cols:
        off[list(lines.rows)] = False
        off[:, list(lines.cols)] = False
    return off

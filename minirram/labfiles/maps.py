"""Measured conductances and voltages: what kind each cell is, and what is done with those that hold no number."""

from dataclasses import dataclass, fields
from typing import Dict, NamedTuple, Optional, Tuple

import numpy as np

from ..errors import ConfigError, DataError, ShapeError
from ..json_codec import Result
from .dialect import UNSTATED, Dialect
from .layout import Cells, arrange
from .table import Table, read_table
from .text import PathLike
from .units import UNITS, of_cells, stated

KINDS = ("unformed", "conducting", "open", "short", "missing", "offset")
"""kinds of cells; their numbers in `LabMap.kinds` are 0, 1, 2 and on"""
UNFORMED, CONDUCTING, OPEN, SHORT, MISSING, OFFSET = range(len(KINDS))

ACTIONS = ("error", "unformed", "keep")

MOST_LINES_OF_A_MACRO = 65535
"""rows or columns: a program file numbers them in 16 bits"""
LARGEST_CELL_S = 0.1
"""no memory cell conducts this much"""
SMALLEST_CELL_S = 1e-15
"""nor can less be measured: 0.1 fA at 0.1 V"""
LARGEST_MEDIAN_S = 1e-3
SMALLEST_MEDIAN_S = 1e-10
"""no array of formed cells lies beyond these: a wrong unit is off by a thousand"""
LARGEST_FORMING_V = 100.0
SATURATED_SHARE = 0.005
"""of cells with the largest value, from which on the instrument's range may end there"""
LEAST_VALUES = 10
"""of different values: of fewer none says that a range ends"""
OFFSET_SHARE = 0.01
"""a negative conductance is the offset of an open cell up to this share of the median of the formed ones"""
OFFSET_S = 1e-8
"""or up to this"""


@dataclass(frozen=True)
class Policy:
    """What is done with cells that hold no conductance.

    "error": the file is refused; "unformed": they conduct nothing, 0 S; "keep": they keep what was read (open 0 S,
    short inf, missing NaN, offset below 0). The kinds stay in `LabMap.kinds`.
    """

    missing: str = "error"
    """a blank, NaN, #N/A, 9.91E+37, or a cell that a list lacks"""
    open: str = "unformed"
    """a resistance beyond the range of the instrument: inf, OVLD, 9.9E+37 or 199.999E+99 ohm"""
    short: str = "error"
    """a conductance or current beyond the range, or 0 ohm"""
    offset: str = "unformed"
    """a conductance a little below 0: the offset of the instrument on an open cell"""

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) not in ACTIONS:
                raise ConfigError(
                    f"policy for {field.name}: {getattr(self, field.name)!r}; choose {', '.join(ACTIONS)}"
                )


USUAL = Policy()
KEEP = Policy(missing="keep", open="keep", short="keep", offset="keep")
"""nothing is refused or replaced"""


@dataclass(frozen=True)
class Reading(Result):
    """What was taken from a lab file."""

    file: str
    """its path"""
    shape: Tuple[int, ...]
    """of the cells: rows, columns, or macros before them"""
    layout: str
    """"grid", "column" or "list"; "stuck cells" or "dead lines" of files that hold these"""
    unit: str
    """of the values; "V,uA" for voltages and currents; "": there are none"""
    written: str
    """encoding, delimiter and decimal mark of text; header lines and numbers of lines that were skipped"""
    counts: Dict[str, int]
    """cells by kind: unformed, conducting, open, short, missing, offset; what else the file lists"""
    replaced: int
    """cells that hold no conductance and are taken for unformed"""
    saturated: int = 0
    """conducting cells with the largest value of all, where there are many: the end of the instrument's range"""

    @property
    def line(self) -> str:
        """One line for people."""
        size = " x ".join(map(str, self.shape))
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.counts.items() if count)
        replaced = f" ({self.replaced} of them taken for unformed)" if self.replaced else ""
        written = f"{self.written}; " if self.written else ""
        unit = f" in {self.unit}" if self.unit else ""
        end = f"; {self.saturated} at the largest value: the end of the range?" if self.saturated else ""
        return f"{self.file}: {self.layout} {size}{unit}; {written}{kinds or 'none'}{replaced}{end}"


@dataclass(frozen=True, eq=False)
class LabMap:
    """Measured conductances."""

    conductances_S: np.ndarray
    """float64 (rows, cols), or (macros, rows, cols) as minirram writes them; 0 = unformed"""
    kinds: np.ndarray
    """uint8 of the same shape: index into KINDS"""
    reading: Reading
    """what was taken; `reading.line` tells it"""

    def is_kind(self, kind: str) -> np.ndarray:
        """bool of the same shape: cells of a kind, one of KINDS."""
        return np.asarray(self.kinds == KINDS.index(kind))

    def macros_S(self) -> Tuple[np.ndarray, ...]:
        """The maps of the macros, float64 (rows, cols) each."""
        return tuple(self.conductances_S) if self.conductances_S.ndim == 3 else (self.conductances_S,)


def read_map(
    path: PathLike,
    unit: Optional[str] = None,
    *,
    policy: Policy = USUAL,
    dialect: Dialect = UNSTATED,
    plausible: bool = True,
) -> LabMap:
    """The conductances in a lab file: a `LabMap`.

    unit: S, mS, uS, nS, ohm, kOhm, MOhm, or a voltage and a current such as "V,uA" in the order of their columns;
    None: the header states it. dialect: what is known about the file. plausible: refuse conductances that no memory
    cell has, which means another unit. MissingFileError, DataError (see `read_table`, `arrange`; a cell that the
    policy refuses is named with its line), ConfigError without a unit.
    """
    of_cells(unit, str(path))
    table = read_table(path, dialect)
    cells = arrange(table, unit, dialect)
    values_S, kinds = _conductances(table, cells)
    if plausible:
        _check_plausible(table, cells, values_S, kinds)
    replaced = 0
    for kind in (MISSING, OPEN, SHORT, OFFSET):
        action, here = getattr(policy, KINDS[kind]), kinds == kind
        if action == "error" and here.any():
            raise _refused(table, cells, here, kind)
        if action == "unformed":
            values_S[here] = 0.0
            replaced += int(np.count_nonzero(here))
    saturated = _saturated(values_S[kinds == CONDUCTING])
    return LabMap(values_S, kinds, _reading(table, cells, kinds, replaced=replaced, saturated=saturated))


def read_chip_map(path: PathLike, unit: Optional[str], *, policy: Policy = USUAL) -> LabMap:
    """`read_map` of a map for macros; ShapeError above MOST_LINES_OF_A_MACRO, and for an odd number of columns."""
    found = read_map(path, unit, policy=policy)
    rows, cols = found.conductances_S.shape[-2:]
    if max(rows, cols) > MOST_LINES_OF_A_MACRO or cols % 2:
        raise ShapeError(
            f"{path}: macros of {rows} x {cols} cells; expected rows x columns, at most {MOST_LINES_OF_A_MACRO} of "
            "each, an even number of columns"
        )
    return found


class LabColumn(NamedTuple):
    """Values of one quantity."""

    values: np.ndarray
    """float64 (n,), SI"""
    line: str
    """what was taken, for people"""


def read_column(path: PathLike, unit: str, *, dialect: Dialect = UNSTATED, above_0: bool = False) -> LabColumn:
    """All values of a file in one unit of UNITS, flat; blanks and markers are refused.

    above_0: what is not above 0 is refused, too. A header that states another unit of the same quantity is a
    DataError, and so is a second quantity.
    """
    if unit not in UNITS:
        raise ConfigError(f"unit {unit!r} of {path}: choose one of {', '.join(UNITS)}")
    table = read_table(path, dialect)
    values = table.values
    if values.ndim == 2 and values.shape[1] == 2 and len(values) > 2:
        numbers = values[:, 0]
        if np.array_equal(numbers, np.arange(len(numbers)) + numbers[0]) and numbers[0] in (0, 1):
            raise DataError(
                f"{path}: two columns, the first counts ({table.show(0) or 'an array'}); expected one of {unit}"
            )
    for text in (*table.names, *table.header_texts()):
        other = stated(text)
        if other is not None and other.name != unit:
            raise DataError(f"{path}: the header states {other.name}, expected {unit}")
    wrong = ~np.isfinite(values)
    if wrong.any():
        place = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise DataError(f"{path}: no number at {_place(place)}{_shown(table, place[0])}")
    if above_0 and (values <= 0).any():
        place = tuple(int(k) for k in np.argwhere(values <= 0)[0])
        raise DataError(
            f"{path}: {values[place]:g} at {_place(place)}{_shown(table, place[0])}; expected values above 0"
        )
    size = " x ".join(map(str, values.shape))
    line = f"{path}: {size} values in {unit}" + "".join(f"; {part}" for part in _written(table))
    return LabColumn(values.ravel() * UNITS[unit].scale, line)


def read_forming_voltages(path: PathLike, *, dialect: Dialect = UNSTATED) -> LabColumn:
    """Forming voltages in volt; DataError for values that no cell forms at: they are in another unit."""
    column = read_column(path, "V", dialect=dialect)
    median_V = float(np.median(column.values))
    if not 0 < median_V <= LARGEST_FORMING_V:
        raise DataError(
            f"{path}: the median forming voltage is {median_V:g} V, expected above 0 and at most "
            f"{LARGEST_FORMING_V:g} V: is the unit volt?"
        )
    return column


def _conductances(table: Table, cells: Cells) -> Tuple[np.ndarray, np.ndarray]:
    """(siemens, kinds) of all cells: NaN = missing, inf = short, below 0 = offset. DataError for what is none."""
    if len(cells.units) != len(cells.values):
        raise DataError(f"{table.where}: voltages and currents need a column each, the file is a map")
    quantities = [unit.quantity for unit in cells.units]
    scaled = [values * unit.scale for values, unit in zip(cells.values, cells.units)]
    kinds = np.full(cells.values[0].shape, CONDUCTING, np.uint8)
    with np.errstate(divide="ignore", invalid="ignore"):
        if quantities == ["conductance"]:
            (values_S,) = scaled
        elif quantities == ["resistance"]:
            (ohms,) = scaled
            kinds[ohms == np.inf] = OPEN
            values_S = np.where(ohms == 0, np.inf, np.where(ohms == -np.inf, -np.inf, 1.0 / ohms))
        else:
            volts, amperes = scaled if quantities[0] == "voltage" else scaled[::-1]
            values_S = np.where(np.isfinite(volts) & (volts != 0), amperes / volts, np.nan)
            values_S[np.isinf(amperes) & ~np.isnan(values_S)] = np.inf  # the sign of a current says nothing here
    kinds[np.isnan(values_S)] = MISSING
    kinds[values_S == np.inf] = SHORT
    kinds[(values_S == 0) & (kinds != OPEN)] = UNFORMED
    with np.errstate(invalid="ignore"):
        kinds[values_S < 0] = OFFSET
    return values_S, kinds


def _check_plausible(table: Table, cells: Cells, values_S: np.ndarray, kinds: np.ndarray) -> None:
    """DataError for conductances that no memory cell has, and for negative ones that are no offset."""
    conducting = kinds == CONDUCTING
    median_S = float(np.median(values_S[conducting])) if conducting.any() else None
    if median_S is not None and not SMALLEST_MEDIAN_S <= median_S <= LARGEST_MEDIAN_S:
        raise DataError(
            f"{table.where}: the median cell conducts {median_S:.3g} S, expected {SMALLEST_MEDIAN_S:g} to "
            f"{LARGEST_MEDIAN_S:g} S; is the unit right?"
        )
    most_S = max(OFFSET_SHARE * (median_S or 0.0), OFFSET_S)
    for wrong, what, right in (
        (
            (kinds == OFFSET) & (values_S < -most_S),
            "is negative",
            f"the offset of an open cell is at most {most_S:.2g} S",
        ),
        (
            conducting & ((values_S > LARGEST_CELL_S) | (values_S < SMALLEST_CELL_S)),
            "is no conductance of a cell",
            f"expected {SMALLEST_CELL_S:g} to {LARGEST_CELL_S:g} S",
        ),
    ):
        if wrong.any():
            place = tuple(int(k) for k in np.argwhere(wrong)[0])
            raise DataError(
                f"{table.where}: the value at {_place(place)} {what}, {values_S[place]:.3g} S; {right}"
                f"{_cell_shown(table, cells, place)}"
            )


def _refused(table: Table, cells: Cells, here: np.ndarray, kind: int) -> DataError:
    """The error for cells of a kind that the policy refuses; it names the first."""
    name, count = KINDS[kind], int(np.count_nonzero(here))
    place = tuple(int(k) for k in np.argwhere(here)[0])
    kept = ", --short keep for shorted, stuck on" if kind == SHORT else ""
    more = f", one of {count} such cells" if count > 1 else ""
    return DataError(
        f"{table.where}: the cell at {_place(place)} is {name}{_cell_shown(table, cells, place)}{more}; "
        f"--{name} unformed takes such cells for unformed{kept}"
    )


def _place(place: Tuple[int, ...]) -> str:
    names = ("macro", "row", "column")[-len(place) :]
    return ", ".join(f"{name} {index}" for name, index in zip(names, place))


def _cell_shown(table: Table, cells: Cells, place: Tuple[int, ...]) -> str:
    row = int(cells.table_rows[place])
    return " (the list does not hold it)" if row < 0 and cells.layout == "list" else _shown(table, row)


def _shown(table: Table, row: int) -> str:
    return f" ({table.show(row)})" if table.source is not None else ""


def _written(table: Table) -> Tuple[str, ...]:
    """How a file was written, for people."""
    header = len(table.found.header)
    lines = "" if not header else f"{header} header line{'s' if header > 1 else ''} skipped"
    return tuple(part for part in (table.found.encoding, table.found.way, lines) if part)


def _saturated(values_S: np.ndarray) -> int:
    """Cells that share the largest value, where that many are no chance."""
    different, counts = np.unique(values_S, return_counts=True)
    if len(different) < LEAST_VALUES or counts[-1] < max(5, SATURATED_SHARE * len(values_S)):
        return 0
    return int(counts[-1]) if counts[-1] > 2 * counts[:-1].max() else 0


def _reading(table: Table, cells: Cells, kinds: np.ndarray, *, replaced: int, saturated: int) -> Reading:
    counts = np.bincount(kinds.ravel(), minlength=len(KINDS))
    return Reading(
        file=table.where,
        shape=tuple(int(length) for length in kinds.shape),
        layout=cells.layout,
        unit=",".join(unit.name for unit in cells.units),
        written="; ".join(part for part in (*_written(table), cells.numbering) if part),
        counts={kind: int(count) for kind, count in zip(KINDS, counts)},
        replaced=replaced,
        saturated=saturated,
    )

"""What the columns of a table are: a grid, one column, or a list of (row, column, value)."""

import re
from dataclasses import replace
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..errors import ConfigError, DataError
from ..files.budgets import LISTED_CELLS, LISTED_RATIO
from .dialect import MOST_CELLS, Dialect, counts
from .table import Table
from .units import OF_A_CELL, UNITS, Unit, of_cells, stated

_ROLES = {
    name: role
    for role, names in {
        "macro": "macro",
        "row": "row rows row_index row_no wl wordline word_line y",
        "col": "col cols column columns col_index column_index col_no bl bitline bit_line x",
        "voltage": "v voltage vread v_read u",
        "current": "i current iread i_read id",
        "number": "# index idx cell no no. nr nr. n number id device unnamed:_0",
    }.items()
    for name in names.split()
}
_ROLES[""] = "number"


_SUMMARIES = frozenset(
    "mean avg average median std stdev stddev sd sigma sum total min max minimum maximum count date time timestamp "
    "comment remark status".split()
)
"""names of columns that hold no cells"""
_ENOUGH_CELLS = 4  # a complete list of so many cells is no grid by chance


class Cells(NamedTuple):
    """The measured values of an array's cells; NaN = missing, +-inf = beyond the range of the instrument."""

    values: Tuple[np.ndarray, ...]
    """float64 (rows, cols) or (macros, rows, cols) for each of `units`"""
    units: Tuple[Unit, ...]
    layout: str
    """"grid", "column" or "list\""""
    numbering: str
    """what numbers lines, for people; "" without"""
    table_rows: np.ndarray
    """int64 of the same shape: row of the table that holds each cell; -1 for a cell that is in none"""


def role_of(name: str) -> Optional[str]:
    """What a column of that name holds: a value of _ROLES; None for a name that says nothing."""
    name = re.sub(r"\s*[\[(/].*", "", name.strip().lower())
    return _ROLES.get(re.sub(r"[\s-]+", "_", name), None)


def arrange(table: Table, unit: Optional[str], dialect: Dialect) -> Cells:
    """The cells of a table. unit: as `--unit` names it; None: the header states it.

    ConfigError without a unit; DataError for contradictions, and where a table may hold its cells in two ways.
    """
    given = of_cells(unit, table.where)
    if table.values.ndim == 3:
        _check_idle(table, dialect, ("layout", "index", "first"), "an array of several macros")
        rows = np.broadcast_to(np.int64(-1), table.values.shape)
        return Cells((table.values,), _units(table, given, table.names), "grid", "", rows)
    if not table.names and table.values.ndim == 2:
        table = replace(table, names=_list_names(table))
    roles = [role_of(name) for name in table.names]
    pair = len(given) == 2 or (not given and {"voltage", "current"} <= set(roles))
    if dialect.layout == "list" or (dialect.layout is None and _is_list(table, roles, pair)):
        _check_idle(table, dialect, ("index",), "a list")
        return _list(table, roles, given=given, pair=pair, dialect=dialect)
    _check_idle(table, dialect, ("first",), "no list")
    if pair:
        columns = _pair_columns(table, roles, [])
        units = _units(table, _in_order(given, roles, columns), [table.names[k] for k in columns if table.names])
        values = tuple(table.values[:, [k]] for k in columns)
        return Cells(values, units, "column", "", np.arange(len(table.values))[:, np.newaxis])
    return _grid(table, roles, given=given, dialect=dialect)


def _list_names(table: Table) -> Tuple[str, ...]:
    """Names of the columns from a header of row, col and words with spaces, as in `row col G (uS)`; () without.

    DataError for a header that names rows and columns, and not the columns that there are.
    """
    width = table.values.shape[-1]
    for line in table.found.header[::-1]:
        words = line.strip("#% ").split()
        named = {role_of(word) for word in re.split(r"[,;\t ]+", line.strip("#% "))}
        if {"row", "col"} <= {role_of(word) for word in words[:2]} and len(words) > width >= 3:
            return (*words[: width - 1], " ".join(words[width - 1 :]))
        if {"row", "col"} <= named and not table.numbered:
            raise DataError(f"{table.where}: the header {line!r} does not name the {width} columns of the rows")
    return ()


def _check_idle(table: Table, dialect: Dialect, names: Sequence[str], what: str) -> None:
    """ConfigError for something stated that a table of this kind has no use for."""
    for name in names:
        if getattr(dialect, name) is not None:
            raise ConfigError(f"{table.where}: {what}, for which --{name} says nothing; leave it out")


def _is_list(table: Table, roles: Sequence[Optional[str]], pair: bool) -> bool:
    """Whether a table lists (row, column, value); DataError where it may as well be a grid."""
    if ("row" in roles and "col" in roles) or table.labels == 2:
        return True
    if roles or table.numbered or table.values.shape[1] != 3 + pair:
        return False
    numbers = table.values[:, :2]
    if not _are_indices(numbers) or len(np.unique(numbers, axis=0)) < len(numbers):
        return False
    spans = [np.unique(numbers[:, axis]) for axis in (0, 1)]
    complete = len(numbers) == spans[0].size * spans[1].size and all(counts(span.tolist()) for span in spans)
    # A first column 0, 1, 2 may number the rows of two columns.
    if complete and len(numbers) >= _ENOUGH_CELLS and not counts(numbers[:, 0].tolist()):
        return True
    raise DataError(
        f"{table.where}: {table.show(0) or 'the array'} may begin a list of (row, column, value) or a grid of three "
        "columns: minirram import --layout list or grid states it"
    )


def _are_indices(numbers: np.ndarray) -> bool:
    return bool(np.isfinite(numbers).all() and (numbers >= 0).all() and (numbers == np.rint(numbers)).all())


def _units(table: Table, given: Tuple[Unit, ...], names: Sequence[str]) -> Tuple[Unit, ...]:
    """The units of the value columns; ConfigError without any, DataError where the header contradicts."""
    texts = names if any(stated(name) for name in names) else [*table.header_texts(), *names]
    found = [one for one in (stated(text) for text in texts) if one is not None]
    cell = sorted({one for one in found if one.quantity in ("conductance", "resistance")})
    other = [one for one in found if one.quantity in ("voltage", "current")]
    if given:
        against = [one for one in (other if len(given) == 2 else cell or other) if one not in given]
        if against or (len(given) == 2 and cell and not other):
            wrong = (against or cell)[0].name
            asked = ",".join(one.name for one in given)
            right = (
                f"is it --unit {wrong}?"
                if wrong in UNITS and (against or cell)[0] in cell
                else (f"--unit takes {OF_A_CELL}")
            )
            raise DataError(f"{table.where}: the header states {wrong}, the unit given is {asked}; {right}")
        return given
    if len(names) == 2 and [one.quantity for one in found] in (["voltage", "current"], ["current", "voltage"]):
        return tuple(found)
    if len(cell) > 1:
        raise DataError(f"{table.where}: the header states {' and '.join(one.name for one in cell)}: which is it?")
    if cell and cell[0].name not in UNITS:
        raise DataError(f"{table.where}: the header states {cell[0].name}, which is not read; --unit takes {OF_A_CELL}")
    if not cell:
        where = "the header states no unit" if table.source is not None else "an array states no unit"
        own = "" if table.source is not None else "; what minirram writes is in S"
        raise ConfigError(f"{table.where}: {where}: give it, --unit; one of {OF_A_CELL}{own}")
    return tuple(cell)


def _pair_columns(table: Table, roles: Sequence[Optional[str]], taken: Sequence[int]) -> List[int]:
    """The two columns of voltages and currents, in their order in the table."""
    rest = [k for k in range(table.values.shape[1]) if k not in taken]
    if roles:
        named = [k for k in rest if roles[k] in ("voltage", "current")]
        if len(named) == 2 and {roles[k] for k in named} == {"voltage", "current"}:
            spare = [k for k in rest if k not in named and not _is_number_column(table, roles, k)]
            if not spare:
                return named
            raise DataError(f"{table.where}: column {table.names[spare[0]]!r} is neither voltage nor current")
    elif len(rest) == 2:
        return rest
    raise DataError(f"{table.where}: voltages and currents need a column each, {len(rest)} columns hold values")


def _in_order(given: Tuple[Unit, ...], roles: Sequence[Optional[str]], columns: Sequence[int]) -> Tuple[Unit, ...]:
    """The units given, in the order of named columns of voltage and current."""
    if len(given) != 2 or not roles:
        return given
    return tuple(next(unit for unit in given if unit.quantity == roles[column]) for column in columns)


def _is_number_column(table: Table, roles: Sequence[Optional[str]], column: int) -> bool:
    """Whether a named column numbers the rows."""
    return bool(roles) and roles[column] in ("number", "row") and counts(table.values[:, column].tolist())


def _list(
    table: Table, roles: Sequence[Optional[str]], *, given: Tuple[Unit, ...], pair: bool, dialect: Dialect
) -> Cells:
    """Cells by their numbers; those that the list lacks are missing."""
    width = table.values.shape[1]
    if "row" in roles and "col" in roles:
        keys = [roles.index(role) for role in ("macro", "row", "col") if role in roles]
    elif width == 3 + pair:
        keys = [0, 1]
    else:
        raise DataError(f"{table.where}: a list has columns row, column and value; this has {width} columns")
    rest = [k for k in range(width) if k not in keys and not (roles and roles[k] == "number")]
    columns = _pair_columns(table, roles, keys) if pair else rest
    if len(columns) != 1 + pair:
        names = ", ".join(repr(table.names[k]) for k in columns) if table.names else f"{len(columns)} columns"
        raise DataError(f"{table.where}: a list needs one column of values beside row and column; there are {names}")
    numbers = table.values[:, keys]
    if not _are_indices(numbers) or numbers.max() >= MOST_CELLS:
        row = int(np.argmax(~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.rint(numbers))).all(axis=1)))
        raise DataError(
            f"{table.where}: row and column are whole numbers from 0 or 1 ({table.show(row) or f'row {row}'})"
        )
    first = _first_number(table, numbers.astype(np.int64), dialect)
    place: np.ndarray = numbers.astype(np.int64) - first
    shape = tuple(int(length) + 1 for length in place.max(axis=0))
    count = 1
    for length in shape:
        count *= length
    most = min(MOST_CELLS, LISTED_CELLS + LISTED_RATIO * len(numbers))
    if count > most:
        raise DataError(f"{table.where}: an array of {shape} cells; at most {most} are read of {len(numbers)} lines")
    flat = np.asarray(np.ravel_multi_index(tuple(place.T), shape))
    rows: np.ndarray = np.full(count, -1, np.int64)
    order = np.arange(len(flat))
    rows[flat[::-1]] = order[::-1]
    again = rows[flat] != order
    if again.any():
        row = int(np.argmax(again))
        raise DataError(f"{table.where}: {table.show(row) or f'row {row}'} names a cell for the second time")
    values = []
    for column in columns:
        cells = np.full(count, np.nan)
        cells[flat] = table.values[:, column]
        values.append(cells.reshape(shape))
    units = _units(table, _in_order(given, roles, columns), [table.names[k] for k in columns if table.names])
    return Cells(tuple(values), units, "list", f"rows and columns count from {first}", rows.reshape(shape))


def _first_number(table: Table, place: np.ndarray, dialect: Dialect) -> int:
    """0 or 1: what the rows and columns of a list count from."""
    if dialect.first is not None:
        if place.min() < dialect.first:
            raise DataError(f"{table.where}: a row or column has the number {place.min()}, below {dialect.first}")
        return dialect.first
    if (place == 0).any():
        return 0
    spans = [np.unique(place[:, axis]) for axis in range(place.shape[1])]
    if all(counts(span.tolist()) for span in spans) and len(place) == np.prod([span.size for span in spans]):
        return 1
    raise DataError(
        f"{table.where}: no row and no column has the number 0: do they count from 0, and cells are missing, "
        "or from 1? minirram import --first 0 or 1 states it"
    )


def _grid(table: Table, roles: Sequence[Optional[str]], *, given: Tuple[Unit, ...], dialect: Dialect) -> Cells:
    """Cells as they stand, without the numbers of rows and columns."""
    values, names = table.values, table.names
    numbers_rows, numbers_cols = _index(table, roles, dialect)
    if values.shape[1] == 1 + numbers_rows:
        layout = "column"
    else:
        layout = "grid"
    if dialect.layout == "column" and layout != "column":
        raise DataError(f"{table.where}: {values.shape[1]} columns, one was stated ({table.show(0) or 'array'})")
    rows = np.broadcast_to(np.arange(len(values))[:, np.newaxis], values.shape)[
        int(numbers_cols) :, int(numbers_rows) :
    ]
    values = values[int(numbers_cols) :, int(numbers_rows) :]
    names = names[int(numbers_rows) :]
    if values.size == 0:
        raise DataError(f"{table.where}: holds numbers of rows or columns, and no values")
    _check_names(table, names)
    without = [name for name in names if stated(name) is None]
    if without and len(without) < len(names):
        raise DataError(f"{table.where}: the header states units, but none for the column {without[0]!r}")
    units = _units(table, given, names)
    index = [
        f"first {line} skipped, it numbers the {others}"
        for line, others, there in (("column", "rows", numbers_rows), ("row", "columns", numbers_cols))
        if there
    ]
    return Cells((values,), units, layout, ", ".join(index), rows)


def _check_names(table: Table, names: Sequence[str]) -> None:
    """DataError for a column of a grid that is not one of its cells by its name, and for names that do not count."""
    summaries = [name for name in names if name.lower().strip(" .") in _SUMMARIES]
    matches = [re.fullmatch(r"(.*?[A-Za-z_ #])([0-9]+)", re.sub(r"\s*[\[(/].*", "", name)) for name in names]
    words = [match[1] for match in matches if match]
    if len(names) > 2 and 2 * len(words) > len(names) and len(set(words)) == 1:
        summaries += [name for name, match in zip(names, matches) if match is None]
        numbers = [int(match[2]) for match in matches if match]
        if not summaries and not counts(numbers):
            raise DataError(f"{table.where}: the names of the columns do not count 0, 1, 2: {names[0]} to {names[-1]}")
    if summaries:
        raise DataError(f"{table.where}: the column {summaries[0]!r} is no column of cells: take it out of the file")


def _index(table: Table, roles: Sequence[Optional[str]], dialect: Dialect) -> Tuple[bool, bool]:
    """(first column numbers the rows, first row numbers the columns); DataError where they may or may not."""
    if dialect.index is not None:
        return dialect.index in ("rows", "both"), dialect.index in ("cols", "both")
    values = table.values
    column = counts(values[:, 0].tolist())
    if column and values.shape[1] == 1 and len(values) > 1 and dialect.layout != "column":
        raise DataError(
            f"{table.where}: one column, which numbers the rows ({table.show(0) or 'an array'}), and no values; "
            "minirram import --layout column says that they are values"
        )
    column = column and values.shape[1] > 1
    if table.numbered and not column:
        raise DataError(
            f"{table.where}: the header numbers the columns beside a corner, but the first column does not "
            f"number the rows ({table.show(0)})"
        )
    if table.labels and not column:
        raise DataError(f"{table.where}: the labels of the rows do not count 0, 1, 2 ({table.show(0)})")
    if table.labels or table.numbered or (column and roles and roles[0] in ("number", "row")):
        return True, False
    row = len(values) > 1 and (
        counts(values[0].tolist()) or (np.isnan(values[0, 0]) and counts(values[0, 1:].tolist()))
    )
    for what, lines, there, rest in (
        ("column", "rows", column and len(values) > 1, values[:, 1:]),
        ("row", "columns", row and values.shape[1] > 1, values[1:]),
    ):
        few = (len(values) if what == "column" else values.shape[1]) < 3
        if there and not (few and (rest == np.rint(rest)).any()):
            raise DataError(
                f"{table.where}: the first {what} may number the {lines}, or hold values "
                f"({table.show(0) or 'an array'}): "
                "minirram import --index none, rows, cols or both states it"
            )
    return False, False

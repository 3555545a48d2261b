"""A table of features in a text file: delimiter, decimal comma, encoding and header are found, and said."""

import csv
import re
from dataclasses import dataclass
from typing import Callable, List, Optional, Tuple

import numpy as np

from ..errors import DataError
from ..labfiles.text import read_text

MISSING = ("", "nan", "na", "n/a", "#n/a", "null", "none", "?")
"""cells that hold no value, in lower case"""
_DELIMITERS = {";": "semicolon", "\t": "tab", ",": "comma"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.I)


@dataclass(frozen=True)
class Table:
    """Cells of a text file as text."""

    path: str
    """of the file"""
    names: Tuple[str, ...]
    """of the columns; "column 0" and on where the file has no header"""
    rows: List[List[str]]
    """cells of each line, all of one length"""
    lines: List[int]
    """number of each row's line in the file, from 1"""
    has_header: bool
    """whether the first line names the columns"""
    decimal_comma: bool
    """whether numbers have a comma for their point"""
    taken: str
    """what the file was read as, in a few words"""

    def column(self, name: str) -> int:
        """Number of the column of that name; DataError lists the names when there is none."""
        if name not in self.names:
            known = ", ".join(self.names[:8]) + (", ..." if len(self.names) > 8 else "")
            raise DataError(f"{self.path}: no column {name!r}; the columns are {known}")
        return self.names.index(name)

    def where(self, row: int, column: int) -> str:
        """How messages call a cell."""
        return f"{self.path} line {self.lines[row]}, {self.names[column]}"

    def numbers(self, columns: List[int]) -> np.ndarray:
        """The numbers in some columns, float64 (rows, columns), NaN where there is no value; DataError for texts."""
        found = np.empty((len(self.rows), len(columns)))
        for i, row in enumerate(self.rows):
            for k, column in enumerate(columns):
                number = _number(row[column], self.decimal_comma)
                if number is None:
                    raise DataError(
                        f"{self.where(i, column)}: {row[column]!r} is no number; a column that is no feature is named "
                        "as data.label or data.leave_out in the task (minirram task --data writes them: --label, "
                        "--leave-out)"
                    )
                found[i, k] = number
        return found


def read_feature_table(path: str) -> Table:
    """The cells of a text file. DataError for an empty one, rows of unequal length, or a first line that is neither."""
    text = read_text(path)
    delimiter = _delimiter(text.lines)
    reader = csv.reader(text.lines, delimiter=delimiter, skipinitialspace=True)
    rows, lines = [], []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append([cell.strip() for cell in cells])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{path} line {reader.line_num}: {error}") from None
    if not rows or len(rows[0]) < 2:
        raise DataError(f"{path}: no table; expected columns of features and one of labels, by comma, semicolon or tab")
    for cells, line in zip(rows, lines):
        if len(cells) != len(rows[0]):
            raise DataError(f"{path} line {line}: {len(cells)} cells, the first line has {len(rows[0])}")
    comma = delimiter != "," and any(re.fullmatch(r"[+-]?\d*,\d+", cell) for cells in rows[:50] for cell in cells)
    header = _is_header(rows[0], comma, path)
    names = tuple(rows[0]) if header else tuple(f"column {k}" for k in range(len(rows[0])))
    if header and len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path} line 1: two columns are called {twice!r}")
    taken = f"{_DELIMITERS[delimiter]}s, {'decimal comma, ' if comma else ''}{text.encoding}, "
    taken += "header line" if header else "no header line"
    return Table(path, names, rows[header:], lines[header:], header, comma, taken)


def _delimiter(lines: Tuple[str, ...]) -> str:
    """What parts the cells: of semicolon, tab and comma the first that is in every one of the first lines."""
    first = [line for line in lines[:100] if line.strip()][:20]
    for delimiter in _DELIMITERS:
        if first and all(delimiter in line for line in first):
            return delimiter
    return ","


def _number(cell: str, comma: bool) -> Optional[float]:
    """The number in a cell, NaN for no value, None for a text."""
    if cell.lower() in MISSING:
        return float("nan")
    cell = cell.replace(",", ".") if comma else cell
    return float(cell) if _NUMBER.fullmatch(cell) else None


def _is_header(cells: List[str], comma: bool, path: str) -> bool:
    """Whether the first line names the columns: none of its features is a number. DataError where some are."""
    is_text: Callable[[str], bool] = lambda cell: _number(cell, comma) is None  # noqa: E731
    texts = [is_text(cell) for cell in cells[:-1]]
    named = [text for text, cell in zip(texts, cells) if cell]  # an index column has no name
    if all(named) and named:
        return True
    if any(named):
        wrong = texts.index(True)
        raise DataError(
            f"{path} line 1: neither names nor numbers; column {wrong} is {cells[wrong]!r}, others are numbers"
        )
    return False

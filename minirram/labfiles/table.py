"""A table of numbers from any lab file, before anybody says what it holds."""

import os
from dataclasses import dataclass
from typing import NamedTuple, Optional, Tuple

import numpy as np

from ..errors import ConfigError, DataError
from .arrays import read_array, read_sheet
from .dialect import UNSTATED, Dialect, Lines, read_rows
from .labels import without_labels
from .numerals import marked
from .text import PathLike, read_text

FORMATS = (".csv", ".tsv", ".txt", ".npy", ".npz", ".mat", ".xlsx")


class Found(NamedTuple):
    """How a file was written."""

    encoding: Optional[str] = None
    """of text; None for arrays"""
    way: Optional[str] = None
    """delimiter and decimal mark of text, for people"""
    header: Tuple[str, ...] = ()
    """the lines above the data"""
    heads: Tuple[str, ...] = ()
    """the fields of these lines"""


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers of a file: NaN = missing, +-inf = beyond the range of the instrument."""

    where: str
    """path of the file"""
    values: np.ndarray
    """float64 (rows, columns), or (macros, rows, columns)"""
    names: Tuple[str, ...] = ()
    """of the columns, from the header line; () without"""
    numbered: bool = False
    """the header numbers the columns beside a corner"""
    found: Found = Found()
    source: Optional[Lines] = None
    """the lines of text, for messages"""
    start: int = 0
    """number of the first row's line"""
    labels: int = 0
    """first columns that hold numbers of lines behind a word, as in WL0: 1 of the rows, 2 of rows and columns"""

    def header_texts(self) -> Tuple[str, ...]:
        """The lines above the data, and their fields: whatever may state a unit."""
        return self.found.header + self.found.heads

    def show(self, row: int) -> str:
        """The line of a row, for messages; "" where there is none."""
        return "" if self.source is None else self.source.show(self.start + row)


def read_table(path: PathLike, dialect: Dialect = UNSTATED) -> Table:
    """The numbers in a `.csv`, `.tsv`, `.txt`, `.npy`, `.npz`, `.mat` or `.xlsx` file (also in upper case).

    Text, also of any other ending, is read as numbers between delimiters; what is not stated in `dialect` is found.
    MissingFileError without a file, DataError for what is no table of numbers or can be read in two ways, ConfigError
    for a missing extra (`lab`).
    """
    where = os.fspath(path)
    ending = os.path.splitext(where)[1].lower()
    _check_stated(where, ending, dialect)
    if ending in (".npy", ".npz", ".mat"):
        array = marked(read_array(path, dialect.variable))
        return Table(where, array[:, np.newaxis] if array.ndim == 1 else array)
    if ending in (".xls", ".ods", ".h5", ".hdf5", ".zip", ".gz"):
        raise DataError(f"{where}: {ending} is not read; save it as one of {', '.join(FORMATS)}")
    encoding = None
    if ending == ".xlsx":
        sheet = read_sheet(path, dialect.variable)
        lines, labels = without_labels(sheet.lines)
        source = Lines(where, lines, [line.split("\t") for line in lines], sheet.lines) if labels else sheet
    else:
        text = read_text(path)
        lines, labels = without_labels(text.lines)
        source, encoding = Lines(where, lines, shown=text.lines), text.encoding
    rows = read_rows(source, dialect)
    names, numbered = rows.names(source)
    header = tuple(source.lines[number] for number in rows.header)
    heads = tuple(field for number in rows.header for field in rows.way.heads(source, number))
    found = Found(encoding, rows.way.describe(), header, heads)
    return Table(where, marked(rows.table), names, numbered, found, source, rows.start, labels)


def _check_stated(where: str, ending: str, dialect: Dialect) -> None:
    """ConfigError for what is stated of a file of another kind: it would do nothing."""
    arrays = ending in (".npy", ".npz", ".mat")
    for what, of in (
        ("delimiter", not arrays and ending != ".xlsx"),
        ("decimal", not arrays),
        ("variable", ending in (".npz", ".mat", ".xlsx")),
    ):
        if getattr(dialect, what) is not None and not of:
            raise ConfigError(f"{where}: a file of this kind has no {what}; leave --{what} out")

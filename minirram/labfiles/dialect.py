"""How a text file writes its table: delimiter and numerals, found by trying each way in which it can be read.

A way is right when no line is left that it cannot read. Where two ways give different numbers, the file is refused
with the line: the caller can then state what is right in a `Dialect`.
"""

import csv
import re
from array import array
from dataclasses import dataclass
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..errors import ConfigError, DataError
from ..files.budgets import TEXT
from .doubts import blanks_for_values, decimal_commas
from .numerals import MISSING_WORDS, Numerals, is_word, value, values

DELIMITERS = {"none": "", "comma": ",", "semicolon": ";", "tab": "\t", "space": " "}
DECIMALS = {"point": ".", "comma": ","}
LAYOUTS = ("grid", "column", "list")
INDEX = ("none", "rows", "cols", "both")

MOST_HEADER_LINES = 1000
MOST_FIELDS = 2**16
"""of a line"""
MOST_CELLS = TEXT.elements
"""of a file"""
_COMMENTS = ("#", "%", "!", "//")
_SHOWN = 60  # characters of a line in a message


@dataclass(frozen=True)
class Dialect:
    """What the caller states about a file; None: found by looking."""

    delimiter: Optional[str] = None
    """what stands between values"""
    decimal: Optional[str] = None
    """decimal mark of the numbers"""
    layout: Optional[str] = None
    """grid: a map as it lies; column: one value a line; list: row, column, value"""
    index: Optional[str] = None
    """"none": the first row and column hold values; "rows", "cols", "both": numbers of the rows in the first column, of
    the columns in the first row"""
    first: Optional[int] = None
    """number of the first row and column in a list, 0 or 1"""
    variable: Optional[str] = None
    """name of the array in `.npz` and `.mat`, of the sheet in `.xlsx`"""

    def __post_init__(self) -> None:
        for what, allowed in (
            ("delimiter", (None, *DELIMITERS)),
            ("decimal", (None, *DECIMALS)),
            ("layout", (None, *LAYOUTS)),
            ("index", (None, *INDEX)),
            ("first", (None, 0, 1)),
        ):
            if getattr(self, what) not in allowed:
                known = ", ".join(str(word) for word in allowed if word is not None)
                raise ConfigError(f"{what} {getattr(self, what)!r}: choose one of {known}")


UNSTATED = Dialect()
"""all is found by looking"""


class Lines(NamedTuple):
    """A file as lines that are split by delimiters only when read: of text, or the rows of a sheet."""

    where: str
    """path, for messages"""
    lines: Sequence[str]
    rows: Optional[Sequence[Sequence[str]]] = None
    """the fields of each line where the file has cells"""
    shown: Optional[Sequence[str]] = None
    """the lines as they stand in the file, where labels were taken for numbers"""

    def show(self, number: int) -> str:
        """A line for messages; number: from 0."""
        line = (self.lines if self.shown is None else self.shown)[number]
        return f"line {number + 1}: {line[:_SHOWN] + '...' if len(line) > _SHOWN else line!r}"


class Way(NamedTuple):
    """One way to read a file."""

    delimiter: str
    numerals: Numerals
    cells: bool = False
    """the file has cells, no delimiters"""

    def describe(self) -> str:
        """For people."""
        name = next(name for name, mark in DELIMITERS.items() if mark == self.delimiter)
        between = "cells" if self.cells else "no delimiter" if name == "none" else f"{name}s between values"
        return f"{between}, {self.numerals.describe()}"

    def is_blank(self, source: Lines, number: int) -> bool:
        """Whether a line holds nothing; one of delimiters alone holds blank cells."""
        return source.rows is None and not source.lines[number].strip(" " if self.delimiter == "\t" else " \t")

    def fields(self, source: Lines, number: int) -> List[str]:
        """The fields of a line."""
        if source.rows is not None:
            return list(source.rows[number])
        line = source.lines[number]
        if not self.delimiter:
            return [line]
        if line.count(self.delimiter) > MOST_FIELDS:
            raise DataError(f"{source.where}: more than {MOST_FIELDS} values in line {number + 1}")
        if self.delimiter == " ":
            return line.replace("\t", " ").split()
        if '"' in line:
            line = re.sub(f'"[ \t]+(?={re.escape(self.delimiter)})', '"', line) if self.delimiter != "\t" else line
            try:
                return next(csv.reader([line], delimiter=self.delimiter, strict=True, skipinitialspace=True))
            except (csv.Error, StopIteration):
                return [line]
        fields = line.split(self.delimiter)
        return [field.strip(" \t") for field in fields] if " " in line else fields

    def heads(self, source: Lines, number: int) -> List[str]:
        """The fields of a line above the data that may state a unit: single letters between spaces are no units."""
        fields = self.fields(source, number)
        if self.delimiter != " ":
            return fields
        return [" ".join(fields[: len(fields) - counted(fields)]), *(field for field in fields if len(field) > 1)]


class Rows(NamedTuple):
    """What a way makes of a file."""

    way: Way
    table: np.ndarray
    """float64 (rows, columns): NaN = missing, +-inf = beyond the range"""
    header: Tuple[int, ...]
    """numbers of the lines above the data"""
    start: int
    """number of the first row's line; the others follow without a gap"""

    def names(self, source: Lines) -> Tuple[Tuple[str, ...], bool]:
        """(names of the columns, () without; whether the header numbers them beside a corner)."""
        width = self.table.shape[1]
        for number in self.header[::-1]:
            if number != self.header[-1] and source.lines[number].lstrip().startswith(_COMMENTS):
                continue
            fields = self.way.fields(source, number)
            fields[0] = fields[0].lstrip("#% ")
            if self.way.delimiter == " " and len(fields) > width > 1 and counted(fields) == width - 1:
                fields[: len(fields) - width + 1] = [" ".join(fields[: len(fields) - width + 1])]  # a corner of words
            if len(fields) != width:
                continue
            if width > 1 and counts([value(field, Numerals()) for field in fields[1:]]):
                return (), True
            if all(map(is_word, fields[1:])) and (is_word(fields[0]) or not fields[0].strip()):
                return tuple(field.strip(' \t"') for field in fields), False
        return (), False


def read_rows(source: Lines, asked: Dialect) -> Rows:
    """The numbers of a file, in the one way that reads all of it.

    DataError that shows the line where no way does, or where two ways give different numbers.
    """
    ways = list(_ways(source, asked))
    starts = [_start(source, way) for way in ways]
    first = min((start for start in starts if start is not None), default=None)
    if first is None:
        raise DataError(
            f"{source.where}: not a table of numbers: no line is made of numbers alone" + _first(source, ways)
        )
    # The lines above the data are fewest in the right way: none of them is a row that only another way can read.
    found: List[Rows] = []
    errors: List[Tuple[int, DataError]] = []
    for way in (way for way, start in zip(ways, starts) if start == first):
        try:
            rows = _read(source, way, start=first)
        except _Unread as error:
            errors.append((error.number, DataError(f"{source.where}: {error.text}")))
            continue
        # "12.062" alone is taken for a decimal point; "1,234" alone may be either.
        if way.numerals.group in (".", "'") and not _is_grouped(source, rows):
            continue
        if not any(np.array_equal(rows.table, other.table, equal_nan=True) for other in found):
            found.append(rows)
    if any(rows.way.delimiter == "\t" for rows in found):
        found = [rows for rows in found if rows.way.delimiter != " "]  # which does not see blank cells
    if not found and errors:
        raise max(errors, key=lambda error: error[0])[1]
    if asked.decimal is None and any(_is_mixed(source, rows) for rows in found):
        raise DataError(
            f"{source.where}: commas with a space behind them and commas without ({source.show(first)}): is one of the "
            "two a decimal comma? minirram import --decimal point or comma states it"
        )
    if len(found) != 1 or (found[0].way.numerals.group and not _is_grouped(source, found[0])):
        raise _ambiguous(source, found, first)
    _check_header(source, found[0])
    _check_edges(source, found[0])
    _check_doubts(source, found[0], asked)
    return found[0]


def _first(source: Lines, ways: Sequence[Way]) -> str:
    """What stands where numbers were looked for: the first of the lines that hold most numbers, and its first word."""
    best, told = 0, ""
    for number in range(min(len(source.lines), MOST_HEADER_LINES)):
        for way in ways:
            fields = way.fields(source, number)
            bad = [k for k, field in enumerate(fields) if value(field, way.numerals) is None]
            if bad and len(fields) - len(bad) > best:
                best = len(fields) - len(bad)
                told = f"; {source.show(number)}, where {fields[bad[0]][:_SHOWN]!r} in column {bad[0]} is no number"
    if told:
        return told
    first = next((k for k, line in enumerate(source.lines) if line.strip()), None)
    return "; the file is empty" if first is None else "; " + source.show(first)


class _Unread(Exception):
    """A line that a way cannot read."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number, self.text = number, text


def _ways(source: Lines, asked: Dialect) -> Iterator[Way]:
    """All ways that the file's characters and the caller allow."""
    delimiters: Tuple[str, ...] = ("",)
    if source.rows is None and asked.delimiter is not None:
        delimiters = (DELIMITERS[asked.delimiter],)
    elif source.rows is None:
        delimiters = tuple(mark for mark in DELIMITERS.values() if not mark or _holds(source, mark))
    quoted = _holds(source, '"') or source.rows is not None
    for delimiter in delimiters:
        for decimal in DECIMALS.values() if asked.decimal is None else (DECIMALS[asked.decimal],):
            for group in ("", "," if decimal == "." else ".", "'"):
                if delimiter in (decimal, group) and delimiter and not quoted:
                    continue
                if not group or _holds(source, group):
                    yield Way(delimiter, Numerals(decimal, group, whole=delimiter != ","), source.rows is not None)


def _holds(source: Lines, mark: str) -> bool:
    return any(mark in line for line in source.lines)


def _start(source: Lines, way: Way) -> Optional[int]:
    """Number of the first line that is made of numbers and markers, not all blank; None without."""
    for number in range(min(len(source.lines), MOST_HEADER_LINES)):
        if way.is_blank(source, number):
            continue
        fields = way.fields(source, number)
        if values(fields, way.numerals) is not None and not _column_numbers(fields):
            return number
    return None


def _column_numbers(fields: Sequence[str]) -> bool:
    """Whether a line is a blank corner and the numbers of the columns, as in ",0,1,2"."""
    return len(fields) > 2 and not fields[0].strip() and counts([value(field, Numerals()) for field in fields[1:]])


def counts(numbers: Sequence[Optional[float]]) -> bool:
    """Whether numbers count 0, 1, 2 or 1, 2, 3."""
    return len(numbers) > 0 and numbers[0] in (0, 1) and list(numbers) == [numbers[0] + k for k in range(len(numbers))]


_NUMBERED = re.compile(r"(.*?[A-Za-z_ #])?([0-9]{1,9})(?:\s*[\[(/].*)?")


def counted(fields: Sequence[str]) -> int:
    """How many fields at the end of a line count 0, 1, 2 or 1, 2, 3 by their numbers, behind one word or bare."""
    found = [_NUMBERED.fullmatch(field.strip(' \t"')) for field in fields]
    best = 0
    for number in range(len(found) - 1, -1, -1):
        match = found[number]
        if match is None or match[1] != found[-1][1]:  # type: ignore[index]
            break
        if int(match[2]) in (0, 1) and counts([float(one[2]) for one in found[number:] if one is not None]):
            best = len(found) - number
    return best


def _read(source: Lines, way: Way, *, start: int) -> Rows:
    """All lines from `start` on; _Unread names the first that this way cannot read."""
    last = max(k for k in range(len(source.lines)) if not way.is_blank(source, k))
    column = None if way.delimiter or way.cells else values(source.lines[start : last + 1], way.numerals)
    cells, width = array("d"), 1
    if column is not None:
        cells.extend(column)
    else:
        width = len(way.fields(source, start))
        for number in range(start, last + 1):
            cells.extend(_row(source, way, number, row=number - start, width=width))
            if len(cells) > MOST_CELLS:
                raise DataError(f"{source.where}: more than {MOST_CELLS} cells, the most that are read")
    header = tuple(number for number in range(start) if not way.is_blank(source, number))
    return Rows(way, np.frombuffer(cells).reshape(-1, width), header, start)


def _row(source: Lines, way: Way, number: int, *, row: int, width: int) -> List[float]:
    """The `width` numbers of a line, which is the table's row `row`."""
    fields = way.fields(source, number)
    found = values(fields, way.numerals)
    if found is None:
        bad = next(k for k, field in enumerate(fields) if value(field, way.numerals) is None)
        place = f"{fields[bad][:_SHOWN]!r} at row {row}, column {bad} is no number"
        raise _Unread(number, f"{place} ({source.show(number)})")
    if len(found) != width:
        what = f"row {row} has {len(found)} values where the rows above have {width}"
        if way.is_blank(source, number):
            what = f"a blank line after row {row - 1}: a missing row, or a second map?"
        raise _Unread(number, f"{what} ({source.show(number)})")
    return found


def _is_mixed(source: Lines, rows: Rows) -> bool:
    """Whether commas between values may be of two kinds: with a space behind, and bare; no point says what they are."""
    if rows.way.delimiter != "," or rows.way.cells:
        return False
    lines = [source.lines[number] for number in range(rows.start, rows.start + len(rows.table))]
    bare = any(re.search("[0-9],[0-9]", line) for line in lines)
    return bare and any(", " in line for line in lines) and not any("." in line for line in lines)


def _is_grouped(source: Lines, rows: Rows) -> bool:
    """Whether a number shows that its digits are grouped: by two group marks, or one beside a decimal mark."""
    way = rows.way
    for number in range(rows.start, rows.start + len(rows.table)):
        for field in way.fields(source, number):
            count = field.count(way.numerals.group)
            if count > 1 or (count == 1 and (way.numerals.group == "'" or way.numerals.decimal in field)):
                return True
    return False


def _check_header(source: Lines, rows: Rows) -> None:
    """DataError for a line above the data that may be one of its rows."""
    for number in rows.header:
        fields = rows.way.fields(source, number)
        words = [is_word(field) for field in fields]
        _check_width(source, rows, number, fields)
        if (
            (source.lines[number].lstrip().startswith(_COMMENTS) and not _is_marker(fields[0]))
            or all(words)
            or not any(value(field, rows.way.numerals) is not None and field.strip() for field in fields)
            or (words[0] and len(fields) != rows.table.shape[1])
            or counts([value(field, rows.way.numerals) for field in fields[1:]])
        ):
            continue
        raise DataError(
            f"{source.where}: {source.show(number)} holds words and numbers: is it a header, or a row with an error?"
        )


def _is_marker(field: str) -> bool:
    """Whether a field that begins like a comment is a marker, as #N/A."""
    return field.strip(' \t"').lower() in MISSING_WORDS


def _check_width(source: Lines, rows: Rows, number: int, fields: Sequence[str]) -> None:
    """DataError for a line that numbers the columns and the rows hold another number of them."""
    if rows.way.delimiter in ("", " "):
        fields = re.sub(r"\s*[\[(][^\])]*[\])]", "", source.lines[number]).split()
    width, count = rows.table.shape[1], counted(fields)
    corner = len(fields) > count
    right = (count + 1,) if corner else (count, count + 1)
    if count >= 2 and width not in right:
        raise DataError(
            f"{source.where}: {source.show(number)} numbers {count} columns, and the rows hold "
            f"{width - corner} ({source.show(rows.start)})"
        )


def _check_edges(source: Lines, rows: Rows) -> None:
    """DataError for a blank line beside a column, or a blank column beside others: missing cells, or nothing."""
    end, last = rows.start + len(rows.table), len(source.lines) - 1
    beside = [rows.start - 1, *range(end, last + (source.lines[last] != ""))]
    if rows.table.shape[1] == 1 and source.rows is None:
        for number in beside:
            if number >= 0 and rows.way.is_blank(source, number):
                raise DataError(
                    f"{source.where}: {source.show(number)} beside a column is a missing cell, or nothing: "
                    "write NaN, or take the line out"
                )
    if rows.table.shape[1] > 1 and source.rows is None and np.isnan(rows.table).any(axis=0)[[0, -1]].any():
        fields = [rows.way.fields(source, number) for number in range(rows.start, end)]
        for column in (0, -1):
            if not any(line[column].strip() for line in fields):
                where = "end" if column else "beginning"
                raise DataError(
                    f"{source.where}: a delimiter at the {where} of each line: is the column beside it blank, or none? "
                    f"Write NaN, or take the delimiters out ({source.show(rows.start)})"
                )


def _check_doubts(source: Lines, rows: Rows, asked: Dialect) -> None:
    """DataError for spaces between which a value may be missing, and for integers that may be halves of numbers."""
    if rows.way.cells:
        return
    lines = [source.lines[number] for number in range(rows.start, rows.start + len(rows.table))]
    if rows.way.delimiter in ("", " ") and asked.delimiter is None:
        doubt = blanks_for_values(lines)
        if doubt is not None:
            raise DataError(
                f"{source.where}: spaces of several widths ({source.show(rows.start + doubt)}): does a blank stand for "
                "a value? Write NaN, or another delimiter; minirram import --delimiter space says that none is missing"
            )
    headed = rows.names(source) != ((), False)
    stated = headed or asked.decimal is not None or asked.delimiter is not None
    if rows.way.delimiter == "," and not stated and decimal_commas(lines):
        raise DataError(
            f"{source.where}: integers between commas, or decimal commas ({source.show(rows.start)})? minirram import "
            "--decimal point says integers; numbers with decimal commas need another delimiter"
        )


def _ambiguous(source: Lines, found: Sequence[Rows], number: int) -> DataError:
    """The error for a file that can be read in more than one way, or in one way that no number confirms."""
    readings = "; or ".join(
        f"{rows.way.describe()}: {rows.table.shape[0]} x {rows.table.shape[1]} values that begin with "
        f"{rows.table[0, 0]:g}"
        for rows in found
    )
    return DataError(
        f"{source.where}: {source.show(number)} may be {readings}. minirram import --decimal "
        "point or comma, or --delimiter, states which"
    )

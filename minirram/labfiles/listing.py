"""Lists of words and numbers in a lab file, a row of fields a line."""

import os
from typing import Iterator, Tuple

from .arrays import read_sheet
from .dialect import DELIMITERS, Lines, Way
from .numerals import Numerals
from .text import PathLike, read_text

_COMMENTS = ("#", "%", "!", "//")
_SURE = ("semicolon", "tab", "comma")


def read_listing(path: PathLike) -> Iterator[Tuple[str, Tuple[str, ...]]]:
    """(the line for messages, its fields) of each line of a text file, or row of an `.xlsx` sheet, that holds any.

    Between fields stands a semicolon, a tab, a comma or spaces: the first of these that the file has. Fields may stand
    in double quotes. Lines that begin with #, %, ! or // are comments. Errors: see `read_text`, `read_sheet`.
    """
    where = os.fspath(path)
    if where.lower().endswith(".xlsx"):
        source = read_sheet(path, None)
    else:
        source = Lines(where, read_text(path).lines)
    numbers = [k for k, line in enumerate(source.lines) if line.strip() and not line.lstrip().startswith(_COMMENTS)]
    marks = [DELIMITERS[name] for name in _SURE]
    found = (mark for mark in marks if any(mark in source.lines[k] for k in numbers))
    way = Way(next(found, " "), Numerals(), source.rows is not None)
    for number in numbers:
        fields = [field.strip(' \t"') for field in way.fields(source, number)]
        yield source.show(number), tuple(fields)

"""Text from the bytes of a lab file: encoding and lines, with bounds."""

import codecs
import os
import re
from typing import NamedTuple, Tuple, Union

from ..errors import DataError
from ..files.budgets import TEXT
from ..files.reading import read_bytes

PathLike = Union[str, "os.PathLike[str]"]

MOST_LINES = 2**22
MOST_LINE_CHARACTERS = 2**21

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with byte-order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)


class Text(NamedTuple):
    """Lines of a file without their ends."""

    lines: Tuple[str, ...]
    encoding: str
    """as named to people, e.g. "UTF-8\""""


def read_text(path: PathLike) -> Text:
    """The lines of a text file in UTF-8, UTF-16 or cp1252. Errors: see `files.read_bytes`, `decode`."""
    return decode(read_bytes(path, TEXT), os.fspath(path))


def decode(data: bytes, where: str) -> Text:
    """Lines from bytes; a byte-order mark, or else the bytes, tell the encoding. Ends: LF, CR LF, CR CR LF or CR.

    where: names the file in messages. DataError for bytes that are no text, and beyond MOST_LINES and
    MOST_LINE_CHARACTERS.
    """
    codec, name = _encoding(data)
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: no text in UTF-8, UTF-16 or cp1252 ({error})") from None
    if "\0" in text:
        raise DataError(f"{where}: no text: character {text.index(chr(0))} is NUL")
    if text.count("\n") + text.count("\r") > 2 * MOST_LINES:
        raise DataError(f"{where}: more than {MOST_LINES} lines, the most that are read")
    lines = re.split("\r*\n|\r", text)  # not splitlines(): it ends lines at other control characters, too
    if len(lines) > MOST_LINES:
        raise DataError(f"{where}: {len(lines)} lines; at most {MOST_LINES} are read")
    longest = max(map(len, lines))
    if longest > MOST_LINE_CHARACTERS:
        raise DataError(f"{where}: a line of {longest} characters; at most {MOST_LINE_CHARACTERS} are read")
    return Text(tuple(lines), name)


def _encoding(data: bytes) -> Tuple[str, str]:
    """(codec, name for people)."""
    for mark, codec, name in _MARKS:
        if data.startswith(mark):
            return codec, name
    start = data[:4096]
    # Numbers in UTF-16 without a mark: every other byte is NUL.
    for first, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        other = start[1 - first :: 2]
        if len(start) >= 2 and not any(start[first::2]) and all(other):
            return codec, "UTF-16 without byte-order mark"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252", "cp1252"
    return "utf-8", "UTF-8"

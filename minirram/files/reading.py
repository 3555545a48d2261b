"""The one door through which files are opened: regular files alone, within the budget of their kind."""

import contextlib
import csv
import errno
import hashlib
import json
import os
import re
import stat
import time
import zlib
from typing import Any, BinaryIO, Dict, Iterator, List, Tuple, Union

from ..errors import ConfigError, DataError, MissingFileError, ShapeError
from .budgets import CHECKSUM, JSON, MOST_DIGITS, Budget

Path = Union[str, "os.PathLike[str]"]

_PIECE = 1 << 24  # bytes that are read between two looks at the clock
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)  # a FIFO without a writer would wait for ever
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class Clock:
    """Time that reading one file may take. `check` is called between pieces of work."""

    def __init__(self, path: Path, budget: Budget, size: int) -> None:
        self.path, self.most_s = path, budget.time_s(size)
        self._until = time.monotonic() + self.most_s

    def check(self) -> None:
        """DataError when the time is over."""
        if time.monotonic() > self._until:
            raise DataError(f"{self.path}: not read within {self.most_s:.0f} s, the most for a file of its length")


def _within(path: Path) -> str:
    """What is proposed where a folder is given for a file: the program of a run."""
    inner = os.path.join(os.fspath(path), "program.xbp")
    return f"; did you mean {inner}?" if os.path.isfile(inner) else ""


def open_file(path: Path, budget: Budget, *, follow: bool = True) -> Tuple[BinaryIO, int]:
    """(handle, length) of a regular file, to be read.

    follow: whether a symbolic link is followed; not in folders that somebody else may have made. MissingFileError where
    there is no file; DataError for a FIFO, a device, a link that is not followed, and beyond the budget's bytes.
    """
    try:
        if not follow and os.path.islink(path):
            raise OSError(errno.ELOOP, "a link")
        descriptor = os.open(path, _FLAGS | _AT_ONCE | (0 if follow else _NO_LINK))
    except FileNotFoundError:
        raise MissingFileError(f"{os.fspath(path)}: there is no such file") from None
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise DataError(f"{os.fspath(path)}: a symbolic link; links in such a folder are not followed") from None
        raise MissingFileError(f"{os.fspath(path)}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # a NUL in the name
        raise MissingFileError(f"{os.fspath(path)!r}: no name of a file ({error})") from None
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise MissingFileError(f"{os.fspath(path)}: a folder, not a file{_within(path)}")
        for is_kind, name in _KINDS:
            if is_kind(found.st_mode):
                raise DataError(f"{os.fspath(path)}: {name}, not a file; save what it gives in a file first")
        if found.st_size > budget.most_bytes:
            raise DataError(_too_long(path, found.st_size, budget))
        return os.fdopen(descriptor, "rb"), found.st_size
    except BaseException:
        os.close(descriptor)
        raise


def refuse_links(folder: Path) -> None:
    """DataError for a folder that holds a link, a FIFO or a device: nothing is read or written through it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
                raise DataError(
                    f"{os.path.join(os.fspath(folder), entry.name)}: a link or no file; a run folder has none"
                )


def _too_long(path: Path, size: int, budget: Budget) -> str:
    return f"{os.fspath(path)}: longer than {budget.most_bytes} bytes, the most that is read of such a file ({size})"


def pieces(path: Path, budget: Budget, *, follow: bool = True) -> Iterator[bytes]:
    """The bytes of a file in pieces. Errors as of `open_file`."""
    handle, size = open_file(path, budget, follow=follow)
    clock, total = Clock(path, budget, size), 0
    with handle:
        while True:
            try:
                piece = handle.read(_PIECE)
            except OSError as error:
                raise MissingFileError(f"{os.fspath(path)}: cannot be read ({error.strerror})") from None
            if not piece:
                return
            total += len(piece)
            if total > budget.most_bytes:  # it grew
                raise DataError(_too_long(path, total, budget))
            clock.check()
            yield piece


def read_bytes(path: Path, budget: Budget, *, follow: bool = True) -> bytes:
    """The bytes of a file. Errors as of `open_file`."""
    return b"".join(pieces(path, budget, follow=follow))


def sha256_of(path: Path, *, follow: bool = True) -> str:
    """SHA-256 of a file, 64 hexadecimal digits, as `sha256sum` prints it; MissingFileError when there is none."""
    digest = hashlib.sha256()
    for piece in pieces(path, CHECKSUM, follow=follow):
        digest.update(piece)
    return digest.hexdigest()


def crc_of(path: Path) -> int:
    """CRC-32 of a file; MissingFileError when there is none."""
    crc = 0
    for piece in pieces(path, CHECKSUM):
        crc = zlib.crc32(piece, crc)
    return crc


def read_json(path: Path, *, follow: bool = True) -> Dict[str, Any]:
    """The JSON object in `path`; DataError when the file is missing, is no JSON object, or is beyond its budget."""
    data = read_bytes(path, JSON, follow=follow)
    try:
        value = json_of(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{os.fspath(path)}: not a JSON file ({error})") from None
    if not isinstance(value, dict):
        raise DataError(f"{os.fspath(path)} must hold a JSON object; it holds {type(value).__name__}")
    return value


def json_of(data: Union[bytes, str], budget: Budget = JSON) -> Any:
    """The value of a JSON text: UTF-8, UTF-16 or UTF-32, with or without a byte-order mark.

    ValueError for what is no JSON, NaN and infinities, names that stand twice, integers of more than MOST_DIGITS, and
    values beyond the budget's elements and depth.
    """
    try:
        value = json.loads(data, parse_int=_integer, parse_constant=_no_number, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError(f"lists and objects more than {budget.depth} deep") from None
    _check_size(value, budget)
    return value


_INTEGER = re.compile(r"-?\d{1,%d}" % MOST_DIGITS)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"an integer of {len(text)} digits, at most {MOST_DIGITS} are read")
    return int(text)


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _object(pairs: List[Tuple[str, Any]]) -> Any:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return found


def _check_size(value: Any, budget: Budget) -> None:
    """ValueError for a value of more elements, or deeper, than the budget allows."""
    level, count, depth = [value], 0, 0
    while level:
        below: List[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        count, depth = count + len(level), depth + 1
        if depth > budget.depth + 1 or count > budget.elements:
            what = f"{budget.depth} deep" if depth > budget.depth + 1 else f"{budget.elements} values"
            raise ValueError(f"lists and objects of more than {what}")
        level = below


@contextlib.contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Errors about what a file holds become DataErrors that name it."""
    try:
        yield
    except MissingFileError:
        raise
    except (DataError, ConfigError, ShapeError, KeyError, TypeError, ValueError, csv.Error) as error:
        text, name = str(error), os.fspath(path)
        raise DataError(text if text.startswith(name) else f"{name}: {text}") from None

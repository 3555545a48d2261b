"""The table of a study, `sweep.csv`: a row per point, appended as points end, in their own order when all have ended.

A row is one line. A line that a stop cut is taken away when the table is opened again, so its point is run again. One
driver at a time writes: the lock of its folder goes with its process, however that ends.
"""

import contextlib
import csv
import errno
import io
import os
import time
from typing import Any, ContextManager, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from ..errors import ConfigError, DataError
from ..files import Path, atomic_writer, blaming, locks, read_bytes, utf8
from ..files.budgets import SWEEP
from ..files.writing import append_descriptor

TABLE = "sweep.csv"
LOCK = "sweep.lock"
KEY = "point"
"""name of the column of keys, the first"""
ERROR = "error"
"""name of the column that says why a point has no figures"""
SYNC_S = 1.0
"""how often rows are forced to the disk; a loss of power costs the points of that time, which are run again"""
NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""errors of a full disk"""


class Table:
    """The rows of `sweep.csv` in a folder, those of earlier starts among them.

    lines: {key: the line of its row}; failed: keys of the rows with an error. The first column holds the key, the last
    one the error.
    """

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        """Open the table, or make it; ConfigError when it has other columns."""
        if (columns[0], columns[-1]) != (KEY, ERROR):
            raise ValueError(f"a table begins with the column {KEY} and ends with {ERROR}")
        self.path = os.path.join(os.fspath(folder), TABLE)
        self.columns = tuple(columns)
        self.lines: Dict[str, bytes] = {}
        self.failed: Set[str] = set()
        self._synced_s = time.monotonic()
        if os.path.exists(self.path):
            lines, size = _whole_lines(self.path)
            if lines and lines[0] != _line(self.columns):
                raise ConfigError(f"{self.path} has other columns than this study; choose another folder")
            for line in lines[1:]:
                self._take(line)
            if size < os.path.getsize(self.path):
                os.truncate(self.path, size)
        self._handle = append_descriptor(self.path)
        if os.fstat(self._handle).st_size == 0:
            self._append(_line(self.columns))

    def _take(self, line: bytes) -> None:
        key = line.split(b",", 1)[0].decode("ascii", "replace")
        self.lines[key] = line
        (self.failed.discard if line.endswith(b",\n") else self.failed.add)(key)

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row: it outlives this process at once, and a loss of power after SYNC_S. ConfigError when there is
        no room: nothing of it is left.
        """
        line = _line([_text(row.get(name)) for name in self.columns])
        self._append(line)
        self._take(line)

    def error_of(self, key: str) -> str:
        """Why a point has no figures."""
        (cells,) = csv.reader([self.lines[key].decode("utf-8", "replace")])
        return cells[-1]

    def drop(self, keys: Iterable[str]) -> None:
        """Take rows away, so that their points are run again."""
        gone = set(keys)
        if gone & set(self.lines):
            self._rewrite([key for key in self.lines if key not in gone])

    def sort(self, keys: Iterable[str]) -> None:
        """Write the rows anew in the order of `keys`; those of other points come last, as they are."""
        order = dict.fromkeys(key for key in keys if key in self.lines)
        order.update(dict.fromkeys(self.lines))
        if list(order) != list(self.lines):
            self._rewrite(list(order))

    def _sync(self) -> None:
        os.fsync(self._handle)
        self._synced_s = time.monotonic()

    def close(self) -> None:
        """Close the file."""
        self._sync()
        os.close(self._handle)

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        size = os.fstat(self._handle).st_size
        with told_when_full(self.path, len(self.lines)):
            try:
                if os.write(self._handle, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if time.monotonic() > self._synced_s + SYNC_S:
                    self._sync()
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._handle, size)
                raise

    def _rewrite(self, order: List[str]) -> None:
        """The rows in this order, whole or not at all."""
        with told_when_full(self.path, len(self.lines)), atomic_writer(self.path) as handle:
            handle.write(_line(self.columns))
            handle.writelines(self.lines[key] for key in order)
        self.lines, self.failed = {key: self.lines[key] for key in order}, self.failed & set(order)
        os.close(self._handle)
        self._handle = append_descriptor(self.path)


@contextlib.contextmanager
def told_when_full(path: str, kept: int = 0) -> Iterator[None]:
    """Let a full disk be a ConfigError that says how to go on. kept: rows that are safe."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        rows = f"; the {kept} rows of points that ended are kept" if kept else ""
        where = error.filename or path
        raise ConfigError(f"{where}: {error.strerror}{rows}. Make room, then the same command goes on") from None


def read_rows(folder: Path) -> Tuple[Tuple[str, ...], List[Dict[str, str]]]:
    """(columns, rows as {column: text}) of the table in a folder; DataError when there is none."""
    path = os.path.join(os.fspath(folder), TABLE)
    if not os.path.isfile(path):
        raise DataError(f"{path}: there is no such table; minirram sweep makes one")
    lines, _ = _whole_lines(path)
    if not lines:
        raise DataError(f"{path} is empty")
    with blaming(path):
        cells = list(csv.reader(line.decode("utf-8", "replace") for line in lines))
    wrong = next((number for number, line in enumerate(cells, 1) if len(line) != len(cells[0])), None)
    if wrong is not None:
        raise DataError(f"{path}, line {wrong}: not as many cells as columns; take the line away to go on")
    columns = tuple(cells[0])
    return columns, [dict(zip(columns, row)) for row in cells[1:]]


def _whole_lines(path: str) -> Tuple[List[bytes], int]:
    """(lines that end, bytes that they take); what a stop cut is none. A row is one line: `_line` sees to it."""
    data = read_bytes(path, SWEEP, follow=False)
    size = data.rfind(b"\n") + 1
    return data[:size].splitlines(keepends=True), size


def _line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([cell.replace("\r", "\\r").replace("\n", "\\n") for cell in cells])
    return utf8(text.getvalue())


def _text(value: Any) -> str:
    """A cell: numbers as Python writes them, which reads back as the same bits; nothing for None."""
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def alone(folder: Path) -> ContextManager[None]:
    """The folder is this process's as long as the block runs; ConfigError when it is another's. See `locks.alone`."""
    return locks.alone(folder, LOCK, what="another sweep", kept=_has_rows)


def _has_rows(folder: str) -> bool:
    path = os.path.join(folder, TABLE)
    return os.path.isfile(path) and len(_whole_lines(path)[0]) > 1


def write_parquet(folder: Path) -> Optional[str]:
    """Write `sweep.parquet` beside the table where pyarrow is installed; returns its path, or None.

    Numbers become numbers; a column with other texts stays one of texts.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return None
    columns, rows = read_rows(folder)
    arrays = {name: pyarrow.array(typed([row[name] for row in rows], name)) for name in columns}
    path = os.path.join(os.fspath(folder), "sweep.parquet")
    with atomic_writer(path) as handle:
        parquet.write_table(pyarrow.table(arrays), handle)
    return path


def typed(texts: List[str], column: str) -> List[Any]:
    """The cells of a column as int, else as float, else as they are; "" is None. Keys stay texts."""
    for kind in (int, float) if column != KEY else ():
        with contextlib.suppress(ValueError):
            return [kind(text) if text else None for text in texts]
    return [text or None for text in texts]

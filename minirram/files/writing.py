"""Files that are whole or not there: written under a temporary name, synced, then renamed; and lines that are added."""

import contextlib
import json
import os
import shutil
import stat
from typing import Any, BinaryIO, Dict, Iterator, Mapping

import numpy as np

from ..errors import ConfigError, DataError
from .budgets import ARRAYS
from .reading import Path, open_file

_BINARY = getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


@contextlib.contextmanager
def atomic_writer(path: Path, mode: str = "wb") -> Iterator[Any]:
    """Open a temporary file beside `path`; on success it is synced and takes the name `path`, else it vanishes.

    A link of either name is replaced, never followed. ConfigError where `path` is a device or a pipe.
    """
    path = os.fspath(path)
    _refuse_devices(path)
    temporary = f"{path}.{os.getpid()}.tmp"
    options: Dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(temporary)  # of a process that was killed, or a link that somebody laid there
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | _NO_LINK, 0o666)
        with open(descriptor, mode, **options) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename in (temporary, None):
            error.filename = path  # a full disk names no file
        raise


def _refuse_devices(path: str) -> None:
    """A rename would put a file where the device was."""
    if os.path.lexists(path):
        mode = os.lstat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
            raise ConfigError(f"{path}: a device or a pipe; name a file")


def append_descriptor(path: Path) -> int:
    """Descriptor of the file `path`, to add bytes at its end; it is made where there is none.

    DataError for a link, a FIFO, or a file with a second name: nothing is added outside its folder.
    """
    path = os.fspath(path)
    _refuse_links(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _BINARY | _NO_LINK | getattr(os, "O_NONBLOCK", 0)
    return os.open(path, flags, 0o666)


def _refuse_links(path: str) -> None:
    if os.path.lexists(path):
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            raise DataError(f"{path}: a link or no file; nothing is added to what it leads to")


def open_to_append(path: Path) -> BinaryIO:
    """The same as a handle."""
    return os.fdopen(append_descriptor(path), "ab")


def open_to_change(path: Path) -> Any:
    """Open the file `path` to read and write it; it is made where there is none. Errors as of `append_descriptor`."""
    _refuse_links(os.fspath(path))
    flags = os.O_RDWR | os.O_CREAT | _BINARY | _NO_LINK | getattr(os, "O_NONBLOCK", 0)
    return os.fdopen(os.open(path, flags, 0o666), "r+b")


def append_line(path: Path, text: str) -> None:
    """Add a line to a file; it is on disk when this returns. Errors as of `append_descriptor`."""
    with open_to_append(path) as handle:
        handle.write(text.encode("utf-8") + b"\n")
        handle.flush()
        os.fsync(handle.fileno())


def check_writable(folder: Path) -> None:
    """OSError, naming the folder, when no file can be written in it."""
    with atomic_writer(os.path.join(os.fspath(folder), ".trial")) as handle:
        handle.write(bytes(4096))
    os.unlink(os.path.join(os.fspath(folder), ".trial"))


def copy_file(source: Path, path: Path) -> None:
    """Copy a file, whole or not at all; MissingFileError when there is none."""
    original, _ = open_file(source, ARRAYS, follow=False)
    with original, atomic_writer(path) as handle:
        shutil.copyfileobj(original, handle, 1 << 20)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys; NaN is refused (ValueError)."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False)
    with atomic_writer(path, "w") as handle:
        handle.write(text + "\n")


def write_npz(path: Path, arrays: Mapping[str, Any], *, compress: bool = True) -> None:
    """Write a dict of arrays as `.npz` (keys may hold '/' and '.')."""
    save = np.savez_compressed if compress else np.savez
    with atomic_writer(path) as handle:
        save(handle, **arrays)

"""Files that are whole or not there: written under a temporary name, synced, then renamed; and lines that are added."""

import contextlib
import errno
import io
import json
import os
import re
import shutil
import stat
from typing import Any, BinaryIO, Dict, Iterator, List, Mapping

import numpy as np

from ..errors import ConfigError, DataError
from .budgets import ARRAYS
from .reading import Path, open_file

_BINARY = getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, getattr(errno, "EDEADLK", errno.EAGAIN))
"""errors of a lock that another process has"""


@contextlib.contextmanager
def atomic_writer(path: Path, mode: str = "wb") -> Iterator[Any]:
    """Open a temporary file beside `path`; on success it is synced and takes the name `path`, else it vanishes.

    A link of either name is replaced, never followed. What killed processes left of the same file is taken away. An
    OSError names `path`; ConfigError where that is a device or a pipe, or a link to one.
    """
    path = os.fspath(path)
    _refuse_devices(path)
    temporary = f"{path}.{os.getpid()}.tmp"
    options: Dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n", "errors": "surrogateescape"}
    try:
        for left in _left_of(path):
            sweep(left)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(temporary)  # of an earlier process of this number, or a link that somebody laid there
        with open(_made(temporary), mode, **options) as handle:
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
    """A rename would put a file where the device was, or the link to it."""
    with contextlib.suppress(OSError):
        mode = os.stat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise ConfigError(f"{path}: a device or a pipe; name a file")


def _made(temporary: str) -> int:
    """Descriptor of a new temporary file, locked where files can be: what is not locked is swept."""
    while True:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | _NO_LINK, 0o666)
        if os.name == "nt":
            return descriptor
        try:
            lock_at_once(descriptor)
        except OSError as error:
            if error.errno not in HELD:
                return descriptor  # files cannot be locked here, and none is swept, either
        if is_there(descriptor, temporary):
            return descriptor
        os.close(descriptor)  # another process swept it before it was locked


def _left_of(path: str) -> List[str]:
    """Temporary files of `path`, of any process."""
    folder, name = os.path.split(path)
    with contextlib.suppress(OSError):
        own = re.compile(re.escape(name) + r"\.\d+\.tmp")
        return [os.path.join(folder, left) for left in os.listdir(folder or ".") if own.fullmatch(left)]
    return []


def sweep(temporary: str) -> None:
    """Take a temporary file away whose writer is gone: whoever writes one has it locked."""
    if os.name == "nt":  # Windows refuses to take away a file that is open
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        return
    with contextlib.suppress(OSError, DataError), open_to_change(temporary) as handle:
        lock_at_once(handle.fileno())
        if is_there(handle.fileno(), temporary):
            os.unlink(temporary)


def is_there(descriptor: int, path: str) -> bool:
    """Whether the open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def lock_at_once(descriptor: int) -> None:
    """Lock an open file without waiting; OSError when another process has it. It ends with the process."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        os.lseek(descriptor, 2**20, os.SEEK_SET)  # behind what is read: locked bytes cannot be
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        os.lseek(descriptor, 0, os.SEEK_SET)
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[str]:
    """A temporary folder beside `path` to fill; on success it takes the name `path`, else it vanishes.

    ConfigError when `path` is there already and is no empty folder.
    """
    path = os.fspath(path).rstrip(os.sep) or os.sep
    if os.path.lexists(path) and not (os.path.isdir(path) and not os.path.islink(path) and not os.listdir(path)):
        raise ConfigError(f"{path}: it is there already, and no empty folder; name a new one")
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        os.mkdir(temporary)
        yield temporary
        if os.path.isdir(path):
            os.rmdir(path)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def rename_file(path: Path, name: Path) -> None:
    """Give the closed file `path` another name; what has it already is replaced."""
    os.replace(path, name)


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
    return io.BufferedWriter(_Named(append_descriptor(path), "wb", os.fspath(path)))


def open_to_change(path: Path) -> Any:
    """Open the file `path` to read and write it; it is made where there is none. Errors as of `append_descriptor`."""
    _refuse_links(os.fspath(path))
    flags = os.O_RDWR | os.O_CREAT | _BINARY | _NO_LINK | getattr(os, "O_NONBLOCK", 0)
    return io.BufferedRandom(_Named(os.open(path, flags, 0o666), "r+b", os.fspath(path)))


class _Named(io.FileIO):
    """An open file whose errors name it: those of a full disk name none."""

    def __init__(self, descriptor: int, mode: str, path: str) -> None:
        super().__init__(descriptor, mode)
        self.path = path

    def write(self, data: Any) -> int:
        """As of `io.FileIO`."""
        try:
            return super().write(data)
        except OSError as error:
            error.filename = self.path
            raise


def utf8(text: str) -> bytes:
    """A text as UTF-8. Where the locale could not decode the name of a file, it gets its bytes back."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode("utf-8")


def append_line(path: Path, text: str) -> None:
    """Add a line to a file; it is on disk when this returns. Errors as of `append_descriptor`."""
    with open_to_append(path) as handle:
        handle.write(utf8(text) + b"\n")
        handle.flush()
        os.fsync(handle.fileno())


def check_writable(folder: Path) -> None:
    """OSError, naming the folder, when no file can be written in it."""
    with atomic_writer(os.path.join(os.fspath(folder), ".trial")) as handle:
        handle.write(bytes(4096))
    os.unlink(os.path.join(os.fspath(folder), ".trial"))


def check_replaceable(path: Path) -> None:
    """Errors that `atomic_writer` would have with this file, before the work whose result it is to hold."""
    path = os.fspath(path)
    _refuse_devices(path)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    with atomic_writer(f"{path}.trial"):
        pass
    os.unlink(f"{path}.trial")


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

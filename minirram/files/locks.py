"""One process at a time in a folder: a locked file that says who has it. The lock ends with its process."""

import contextlib
import datetime
import os
from typing import Any, Iterator

from ..errors import ConfigError
from .reading import Path
from .writing import open_to_change


@contextlib.contextmanager
def locked(folder: Path, name: str, *, what: str) -> Iterator[None]:
    """The folder is this process's while the block runs, by its file `name`; ConfigError when it is another's.

    what: who else may be in it, for the message, e.g. "another sweep". A process that was killed holds nothing.
    """
    path = os.path.join(os.fspath(folder), name)
    while True:
        handle = open_to_change(path)
        try:
            _lock(handle)
        except OSError:
            with handle:
                handle.seek(0)
                owner = handle.read(1000).decode("utf-8", "replace").strip()
            raise ConfigError(f"{what} works in {os.fspath(folder)} ({owner or 'unknown'})") from None
        if _is_there(handle, path):
            break
        handle.close()  # its owner has just taken it away
    with handle:
        when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        handle.truncate(0)
        handle.write(f"process {os.getpid()} of {_host()} since {when}\n".encode("utf-8"))
        handle.flush()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows keeps a file that is open
                os.unlink(path)


def _is_there(handle: Any, path: str) -> bool:
    """Whether the open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), os.stat(path))
    except OSError:
        return False


def _host() -> str:
    import socket

    return socket.gethostname()


def _lock(handle: Any) -> None:
    """Lock an open file without waiting; OSError when another process has it. It ends with the process."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        handle.seek(2**20)  # behind what is read: locked bytes cannot be
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        return
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

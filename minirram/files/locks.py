"""One process at a time in a folder: a locked file that says who has it. The lock ends with its process."""

import contextlib
import datetime
import os
import re
import shutil
from typing import Callable, Iterator

from ..errors import ConfigError
from .reading import Path
from .writing import HELD, is_there, lock_at_once, open_to_change, sweep


@contextlib.contextmanager
def alone(folder: Path, name: str, *, what: str, kept: Callable[[str], bool]) -> Iterator[None]:
    """The folder, made where there is none, is this process's while the block runs; ConfigError when it is another's.

    name, what: as of `locked`. kept: whether a folder that was made here and then met an error holds work that goes on;
    else it is taken away again. Half files of processes that were killed are taken away at the start.
    """
    with _made(os.path.abspath(os.fspath(folder)), kept), locked(folder, name, what=what):
        for left in os.listdir(folder):
            if re.fullmatch(r".+\.\d+\.tmp", left):
                sweep(os.path.join(os.fspath(folder), left))
        yield


@contextlib.contextmanager
def _made(folder: str, kept: Callable[[str], bool]) -> Iterator[None]:
    """A folder, made where there is none; an error takes away what was made in it, unless it is kept."""
    first = folder
    while not os.path.lexists(os.path.dirname(first)):
        first = os.path.dirname(first)
    was_there = os.path.lexists(folder)
    os.makedirs(folder, exist_ok=True)
    was_empty = not os.listdir(folder)
    try:
        yield
    except Exception:
        if was_empty and not kept(folder):
            shutil.rmtree(folder if was_there else first, ignore_errors=True)
            if was_there:
                os.makedirs(folder, exist_ok=True)
        raise


@contextlib.contextmanager
def locked(folder: Path, name: str, *, what: str) -> Iterator[None]:
    """The folder is this process's while the block runs, by its file `name`; ConfigError when it is another's.

    what: who else may be in it, for the message, e.g. "another sweep". A process that was killed holds nothing.
    """
    path = os.path.join(os.fspath(folder), name)
    while True:
        handle = open_to_change(path)
        try:
            lock_at_once(handle.fileno())
        except OSError as error:
            with handle:
                handle.seek(0)
                owner = handle.read(1000).decode("utf-8", "replace").strip()
            if error.errno not in HELD:
                raise ConfigError(
                    f"{os.fspath(folder)} lies where files cannot be locked ({error.strerror}); choose another folder"
                ) from None
            raise ConfigError(f"{what} works in {os.fspath(folder)} ({owner or 'unknown'})") from None
        if is_there(handle.fileno(), path):
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
                if is_there(handle.fileno(), path):
                    os.unlink(path)


def _host() -> str:
    import socket

    return socket.gethostname()

"""Stages of long work, one within another. Nobody watches unless `watch` says so; then nothing else changes."""

import contextlib
import threading
import time
from typing import Callable, Iterator, List, Optional, Sequence


class Stage:
    """A piece of work: `done` of `total` so far (None: nobody can say how much it is), and a note on the last of it."""

    def __init__(self, what: str, total: Optional[float] = None, done: float = 0.0) -> None:
        self.what, self.total, self.done = what, total, done
        self.first, self.note, self.most = done, "", 0.0
        self.started_s = time.monotonic()

    def advance(self, amount: float = 1.0, note: Optional[str] = None) -> None:
        """So much more is done; note: on it, in place of the last one."""
        self.done += amount
        if note is not None:
            self.note = note
        _tell()


Watcher = Callable[[Sequence[Stage]], None]
"""called with the stages that are open, the outermost first, at each change; none is open: all is done"""

_open: List[Stage] = []
_watcher: Optional[Watcher] = None


@contextlib.contextmanager
def stage(what: str, total: Optional[float] = None, *, done: float = 0.0) -> Iterator[Stage]:
    """Open a stage. done: of an earlier session, which says nothing about the speed of this one."""
    one = Stage(what, total, done)
    if threading.current_thread() is not threading.main_thread():  # of work that runs beside other work
        yield one
        return
    _open.append(one)
    _tell()
    try:
        yield one
    finally:
        _open.remove(one)
        _tell()


@contextlib.contextmanager
def watch(watcher: Watcher) -> Iterator[None]:
    """Let `watcher` see all stages."""
    global _watcher
    before, _watcher = _watcher, watcher
    try:
        yield
    finally:
        _watcher = before


def open_stages() -> Sequence[Stage]:
    """The stages that are open, the outermost first."""
    return tuple(_open)


def _tell() -> None:
    if _watcher is not None and threading.current_thread() is threading.main_thread():
        _watcher(tuple(_open))


def share(stages: Sequence[Stage]) -> Optional[float]:
    """Share of the outermost stage that is done, 0..1, those within it counted; None where it is not known.

    It never falls: where several stages follow each other within one step, it stays until they are past what was said.
    """
    now = _share(stages)
    if now is not None:
        stages[0].most = now = max(stages[0].most, now)
    return now


def remaining_s(stages: Sequence[Stage]) -> Optional[float]:
    """Seconds that are left at the speed of this session; None before a second has passed, or where it is not known."""
    now = share(stages)
    if now is None:
        return None
    at_first = (stages[0].first / stages[0].total) if stages[0].total else 0.0
    seconds = time.monotonic() - stages[0].started_s
    return None if seconds < 1.0 or now <= at_first else seconds * (1.0 - now) / (now - at_first)


def _share(stages: Sequence[Stage]) -> Optional[float]:
    if not stages or not stages[0].total:
        return None
    return min(1.0, (stages[0].done + (_share(stages[1:]) or 0.0)) / stages[0].total)

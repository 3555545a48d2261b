"""How far long work is, on stderr: a bar on a terminal, in a log a line now and then."""

import contextlib
import sys
import threading
import time
from typing import Callable, Iterator, List, Sequence, Union

from ..progress.stages import Stage, open_stages, remaining_s, share, watch
from .console import ReaderGone, bar_cleared_by, draw, is_terminal, tell, width

NAMED_S = 2.0
"""work that takes longer than this is named"""
LINE_S, BAR_S = 10.0, 0.1
"""seconds between two lines of a log, and between two drawings of a bar"""
TICK_S = 0.5
"""seconds between two looks at work that says nothing itself"""
BAR = 20
"""characters of the bar itself"""


@contextlib.contextmanager
def shown(quiet: bool, command: str = "") -> Iterator[None]:
    """Show the stages of what is done within; nothing where it is to be quiet.

    command: what is named while no stage is open.
    """
    if quiet:
        yield
        return
    shower = BarShower(command) if is_terminal(sys.stderr) else LineShower(command)
    with watch(shower), _ticking(shower):
        try:
            yield
        finally:
            shower(())


@contextlib.contextmanager
def _ticking(shower: "Union[BarShower, LineShower]") -> Iterator[None]:
    """Let the shower look by itself, too: a long step says nothing between its beginning and its end."""
    ended = threading.Event()

    def look() -> None:
        with contextlib.suppress(ReaderGone, OSError, ValueError):  # the command itself meets a reader that is gone
            while not ended.wait(TICK_S):
                shower.tick(open_stages)

    beside = threading.Thread(target=look, name="progress", daemon=True)
    beside.start()
    try:
        yield
    finally:
        ended.set()
        beside.join()


class LineShower:
    """A line for each stage that lasts, for its first note and its last, and every ten seconds; none for short work."""

    def __init__(self, command: str = "") -> None:
        self.command, self.started_s = command, time.monotonic()
        self.last_s = self.idle_s = self.started_s
        self.named: List[Stage] = []
        self.noted: List[Stage] = []
        self.note = ""
        self.lock = threading.RLock()

    def __call__(self, stages: Sequence[Stage]) -> None:
        """Show, if it is time."""
        with self.lock:
            now = time.monotonic()
            if not stages:
                self.idle_s, self.named, self.noted = now, [], []
                return
            inner = stages[-1]
            fresh, self.note = inner.note not in ("", self.note), inner.note
            ended = fresh and inner.total is not None and inner.done >= inner.total
            begun = fresh and not any(one is inner for one in self.noted)
            if ended or begun or self._is_due(stages, now):
                self.last_s, self.named = now, list(stages)
                self.noted += [inner] if inner.note else []
                tell(line_of(stages))

    def _is_due(self, stages: Sequence[Stage], now: float) -> bool:
        inner = stages[-1]
        new = now >= inner.started_s + NAMED_S and not any(one is inner for one in self.named)
        return new or (now >= self.last_s + LINE_S and now >= stages[0].started_s + NAMED_S)

    def tick(self, look: Callable[[], Sequence[Stage]]) -> None:
        """Time has passed. look: what is open; asked here, so that nothing is drawn that has just been closed."""
        with self.lock:
            now, stages = time.monotonic(), look()
            if stages:
                self(stages)
            elif self.command and now >= self.idle_s + NAMED_S and now >= self.last_s + LINE_S:
                self.last_s = now
                tell(working(self.command, now - self.started_s))


class BarShower:
    """One line that is drawn over, and taken away at the end."""

    def __init__(self, command: str = "") -> None:
        self.command, self.started_s = command, time.monotonic()
        self.last_s, self.length, self.idle_s = 0.0, 0, self.started_s
        self.lock = threading.RLock()

    def __call__(self, stages: Sequence[Stage]) -> None:
        """Draw, if it is time; take the bar away when no stage is open."""
        with self.lock:
            if not stages:
                self.idle_s = time.monotonic()
                self.clear()
                return
            part = share(stages)
            bar = "" if part is None else "[" + ("#" * round(BAR * part)).ljust(BAR, ".") + "] "
            self._draw(bar + line_of(stages))

    def tick(self, look: Callable[[], Sequence[Stage]]) -> None:
        """Time has passed. look: what is open; asked here, so that nothing is drawn that has just been closed."""
        with self.lock:
            now, stages = time.monotonic(), look()
            if stages:
                self(stages)
            elif self.command and now >= self.idle_s + NAMED_S:
                self._draw(working(self.command, now - self.started_s))

    def _draw(self, line: str) -> None:
        now = time.monotonic()
        if now - self.last_s < BAR_S:
            return
        text = line[: width() - 1]
        bar_cleared_by(self.clear)
        draw("\r" + text.ljust(self.length))
        self.last_s, self.length = now, len(text)

    def clear(self) -> None:
        """Take the bar away."""
        if self.length:
            draw("\r" + " " * self.length + "\r")
        self.last_s, self.length = 0.0, 0
        bar_cleared_by(None)


def working(command: str, seconds: float) -> str:
    """What is said of work that has no stage: whose it is, and for how long."""
    return f"{command}, {duration(seconds)}"


def line_of(stages: Sequence[Stage]) -> str:
    """The stages in words: what is done, its share, what is done within it, time that is left, the last note.

    The share stands behind the name of what it is the share of: the next stage begins at 0 % again.
    """
    part, left_s = share(stages), remaining_s(stages)
    names = [one.what for one in stages]
    names[0] += "" if part is None else f" {100 * part:.0f} %"
    left = [] if left_s is None else [f"{duration(left_s)} left"]
    notes = [one.note for one in stages if one.note]
    return ", ".join([" > ".join(names), *left, *notes[-1:]])


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes // 60:.0f} h {minutes % 60:.0f} min"

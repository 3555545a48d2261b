"""How far long work is, on stderr: a bar on a terminal, in a log a line now and then."""

import contextlib
import sys
import time
from typing import Iterator, Optional, Sequence

from ..progress.stages import Stage, remaining_s, share, watch
from .console import bar_cleared_by, draw, is_terminal, tell, width

LINE_S, BAR_S = 10.0, 0.1
"""seconds between two lines of a log, and between two drawings of a bar"""
BAR = 20
"""characters of the bar itself"""


@contextlib.contextmanager
def shown(quiet: bool) -> Iterator[None]:
    """Show the stages of what is done within; nothing where it is to be quiet."""
    if quiet:
        yield
        return
    shower = BarShower() if is_terminal(sys.stderr) else LineShower()
    with watch(shower):
        try:
            yield
        finally:
            shower(())


class LineShower:
    """A line for the first note of a stage, for its last, and every ten seconds between; none for short work."""

    def __init__(self) -> None:
        self.last_s = time.monotonic()
        self.noted: Optional[Stage] = None
        self.note = ""

    def __call__(self, stages: Sequence[Stage]) -> None:
        """Show, if it is time."""
        if not stages:
            return
        now, inner = time.monotonic(), stages[-1]
        fresh, self.note = inner.note not in ("", self.note), inner.note
        ended = fresh and inner.total is not None and inner.done >= inner.total
        begun = fresh and inner is not self.noted
        if now - self.last_s >= LINE_S or ended or begun:
            self.last_s, self.noted = now, inner if inner.note else self.noted
            tell(line_of(stages))


class BarShower:
    """One line that is drawn over, and taken away at the end."""

    def __init__(self) -> None:
        self.last_s, self.length = 0.0, 0

    def __call__(self, stages: Sequence[Stage]) -> None:
        """Draw, if it is time; take the bar away when no stage is open."""
        if not stages:
            self.clear()
            return
        now = time.monotonic()
        if now - self.last_s < BAR_S:
            return
        part = share(stages)
        bar = "" if part is None else "[" + ("#" * round(BAR * part)).ljust(BAR, ".") + "] "
        text = (bar + line_of(stages))[: width() - 1]
        bar_cleared_by(self.clear)
        draw("\r" + text.ljust(self.length))
        self.last_s, self.length = now, len(text)

    def clear(self) -> None:
        """Take the bar away."""
        if self.length:
            draw("\r" + " " * self.length + "\r")
        self.last_s, self.length = 0.0, 0
        bar_cleared_by(None)


def line_of(stages: Sequence[Stage]) -> str:
    """The stages in words: share, time that is left, what is done, the last note."""
    part, left_s = share(stages), remaining_s(stages)
    words = [] if part is None else [f"{100 * part:.0f} %"]
    if left_s is not None:
        words.append(f"{duration(left_s)} left")
    words.append(" > ".join(one.what for one in stages))
    notes = [one.note for one in stages if one.note]
    return ", ".join([*words, *notes[-1:]])


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes // 60:.0f} h {minutes % 60:.0f} min"

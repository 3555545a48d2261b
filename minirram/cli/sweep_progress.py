"""How far a sweep is, on stderr."""

import sys
import time
from typing import Any, Optional

from ..sweep.driver import Progress
from .console import bar_cleared_by, draw, is_terminal, tell

EVERY_S = 5.0
"""between two lines, where stderr is no terminal"""


class SweepProgress:
    """One line that is written over on a terminal; elsewhere a line every few seconds, and at the end."""

    def __init__(self) -> None:
        self.last_s: Optional[float] = None
        self.shows_dashboard = False
        self.drawn = False

    def __enter__(self) -> "SweepProgress":
        bar_cleared_by(self.clear)
        return self

    def __exit__(self, *_: Any) -> None:
        self.clear()
        bar_cleared_by(None)

    def clear(self) -> None:
        """Take the line off the terminal."""
        if self.drawn:
            draw("\r\033[K")
            self.drawn = False

    def tell(self, progress: Progress) -> None:
        """Show it."""
        now, terminal, ended = time.monotonic(), is_terminal(sys.stderr), progress.done == progress.points
        if progress.dashboard is not None and not self.shows_dashboard:
            tell(f"dashboard {progress.dashboard}")
            self.shows_dashboard = True
        if self.last_s is not None and not ended and now < self.last_s + (0.2 if terminal else EVERY_S):
            return
        self.last_s = now
        if terminal:
            draw(f"\r{line_of(progress)}\033[K")
            self.drawn = True
        else:
            tell(line_of(progress))


def line_of(progress: Progress) -> str:
    """How far, and how long it takes yet."""
    failed = f", {progress.failed} failed" if progress.failed else ""
    ended = progress.left_s is None or progress.done == progress.points
    left = "" if ended else f", {duration(progress.left_s or 0.0)} left"
    return f"{progress.done} of {progress.points} points{failed}{left}"


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"

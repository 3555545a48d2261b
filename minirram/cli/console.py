"""What a person sees: text that any console takes, 80 columns wide; colours on terminals; readers that go away."""

import contextlib
import os
import re
import shutil
import sys
import textwrap
from typing import Any, Callable, Iterator, List, Optional

from ..units import with_units_bound

WIDTH = 80
"""columns of text, also on wider terminals, unless COLUMNS states others"""
RED, YELLOW = "31", "33"
_BOUND = "\x1f"  # between a number and its unit while lines are broken
_PLAIN_TERMINALS = ("", "dumb", "unknown", "vt52", "vt100", "vt102", "vt220")

_clear: Optional[Callable[[], None]] = None
"""takes the bar off the line that it stands in, while there is one"""


class ReaderGone(Exception):
    """Whoever read the output has closed it, for example `head`."""


def prepare() -> None:
    """Let both streams escape what their encoding does not have: text from files is never an exception."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Text on stdout; ReaderGone when nobody reads it."""
    clear_bar()
    with _reader():
        print(text, flush=True)


def tell(line: str) -> None:
    """A line on stderr, broken at spaces where it is longer than `width`; ReaderGone when nobody reads it."""
    write_line(fitted(line))


def write_line(line: str) -> None:
    """The same, as it is: an error is one line, which scripts look for."""
    clear_bar()
    with _reader():
        print(line, file=sys.stderr, flush=True)


def draw(text: str) -> None:
    """Text on stderr without an end of line: a bar."""
    with _reader():
        sys.stderr.write(text)
        sys.stderr.flush()


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Text whose characters that steer a terminal, or turn its lines around, are escaped: names come from files."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def flush() -> None:
    """Send what stdout holds; ReaderGone when nobody reads it."""
    with _reader():
        if sys.stdout is not None:
            sys.stdout.flush()


@contextlib.contextmanager
def _reader() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None


def silence() -> None:
    """Point both streams at nothing: Python writes what is left in them as it ends, and would complain."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(nothing, stream.fileno())


def clear_bar() -> None:
    """Take the bar away, so that a line can stand where it was."""
    if _clear is not None:
        _clear()


def bar_cleared_by(clear: Optional[Callable[[], None]]) -> None:
    """Name what takes the present bar away; None: there is no bar."""
    global _clear
    _clear = clear


def is_terminal(stream: Any) -> bool:
    """Whether a person looks at the stream."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def coloured(text: str, colour: str, stream: Any) -> str:
    """Text in a colour, where `stream` is a terminal that has any and NO_COLOR is not set (no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.name == "nt" or os.environ.get("TERM", "") in _PLAIN_TERMINALS
    return text if plain or not is_terminal(stream) else f"\x1b[{colour}m{text}\x1b[0m"


def width() -> int:
    """Columns that text may take: what COLUMNS states, else 80, or those of a narrower terminal."""
    columns = shutil.get_terminal_size((WIDTH, 24)).columns
    return max(20, columns if os.environ.get("COLUMNS", "").isdecimal() else min(WIDTH, columns))


def fitted(text: str) -> str:
    """Text whose lines are broken at spaces to fit `width`; what is broken goes on below where its value began.

    A word that is longer, such as a path, stays whole.
    """
    return "\n".join(part for line in text.split("\n") for part in _broken(line, width()))


def _broken(line: str, columns: int) -> List[str]:
    if len(line) <= columns:
        return [line]
    indent = " " * _hanging(line)
    head = line[: len(indent)]
    parts = textwrap.wrap(
        with_units_bound(line[len(indent) :], _BOUND),
        columns - len(indent),
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    parts = [part.replace(_BOUND, " ") for part in parts]
    return [(head if number == 0 else indent) + part for number, part in enumerate(parts)] or [line]


def _hanging(line: str) -> int:
    """Where the value of a line begins: behind its first gap of two spaces, else two columns further in."""
    start = len(line) - len(line.lstrip(" "))
    gap = line.find("  ", start)
    if 0 <= gap < WIDTH // 3:
        return gap + len(line[gap:]) - len(line[gap:].lstrip(" "))
    return start

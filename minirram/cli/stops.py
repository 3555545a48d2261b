"""Ctrl-C and SIGTERM: an exception while a command runs, so that files stay whole; the end at once before and after."""

import contextlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import Iterator, List, Optional

INTERRUPTED = 130
"""exit code of Ctrl-C: 128 + SIGINT, as a shell has it"""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ASKED: List[int] = []
"""signals that came while the present command ran"""


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end; the exit code is 128 + its number, as a shell has it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def end_at_once(number: int, _: Optional[FrameType]) -> None:
    """Handler: end without a traceback, by 128 + the number of the signal."""
    with contextlib.suppress(OSError):
        os.write(2, b"minirram: stopped\n")
    os._exit(128 + number)


def raise_stopped(number: int, _: Optional[FrameType]) -> None:
    """Handler: raise `Stopped`; a second signal ends at once, even where a thread hangs."""
    handle_by(end_at_once)
    _ASKED.append(number)
    raise Stopped(number)


def _has_seen_a_stop(error: Optional[BaseException]) -> bool:
    """Whether an error came while a `Stopped` was handled."""
    while error is not None and not isinstance(error, Stopped):
        error = error.__context__
    return error is not None


def raise_again(lost: "sys.UnraisableHookArgs") -> None:
    """Hook of exceptions that Python drops, as in callbacks of its memory: a `Stopped` is raised again, elsewhere."""
    if not isinstance(lost.exc_value, Stopped):
        sys.__unraisablehook__(lost)
        return
    handle_by(raise_stopped)
    again = threading.Timer(0.01, signal.raise_signal, [lost.exc_value.exit_code - 128])
    again.daemon = True
    again.start()


def handle_by(handler: object) -> None:
    """Let both signals call `handler`; one that is ignored, as under nohup, stays so."""
    for number in SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, handler)  # type: ignore[arg-type]


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """While a command runs, signals raise `Stopped`; only the main thread can say so.

    Compiled code may drop a `Stopped` and raise an error of its own in its place: that is a stop, too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    told, sys.unraisablehook = sys.unraisablehook, raise_again
    _ASKED.clear()
    handle_by(raise_stopped)
    try:
        yield
    except Exception as error:
        if _ASKED and not _has_seen_a_stop(error):
            raise Stopped(_ASKED[0]) from error
        raise
    finally:
        sys.unraisablehook = told
        for number, handler in before.items():
            if handler is not None:  # one that C code set cannot be set from here
                signal.signal(number, handler)

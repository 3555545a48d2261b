"""Watches whether what a command is told reaches every function below that takes something of that name."""

import contextlib
import sys
import threading
from typing import Any, Iterator, Set

OWN = {
    ("calibrated", "threads"): "a few hundred samples",
    ("_matrix", "threads"): "one read of each matrix",
    ("__post_init__", "*"): "a value that is made looks at itself",
    ("_compensation", "threads"): "one vector for each matrix",
    ("__call__", "threads"): "planes are counted as they come",
    ("_base", "*"): "what options change comes next",
    ("_recipe_words", "*"): "what a command needs not say",
    ("_chip_words", "*"): "the same",
    ("_all_arms", "*"): "arms state their own",
    ("_plain_arms", "*"): "the same",
    ("build_program", "level"): "its number in the file",
    ("_expand", "level"): "the same",
}
"""(function that calls, name) -> why it hands on another value"""
BELOW = ("minirram.crossbar", "minirram.xbp", "minirram.device")
"""rooms that do not know of runs"""


@contextlib.contextmanager
def reaching(**wanted: Any) -> Iterator[Set[str]]:
    """Each function of the package that takes one of these names is called with this value of it, or one of a set.

    Gives the calls that got another one, often a default that stands where a value was not handed on, and the names
    that no function took. None is not looked at: it says that nothing is stated. Other processes are not seen.
    """
    others: Set[str] = set(wanted)

    def look(frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or not frame.f_globals.get("__name__", "").startswith("minirram"):
            return
        for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            if name in wanted and not frame.f_globals["__name__"].startswith(BELOW):
                value, caller = frame.f_locals[name], frame.f_back.f_code.co_name
                others.discard(name)
                given = wanted[name] if isinstance(wanted[name], set) else (wanted[name],)
                if value is not None and value not in given and not {(caller, name), (caller, "*")} & set(OWN):
                    others.add(f"{caller} hands {code.co_name} the {name} {value!r}, not {wanted[name]!r}")

    sys.setprofile(look)
    threading.setprofile(look)
    try:
        yield others
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]

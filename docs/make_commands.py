"""Writes docs/commands.md, the reference of the command line, from its parsers: `python docs/make_commands.py`."""

import argparse
import pathlib
import re
from typing import Iterator

from minirram.cli.main import COMMANDS, build_parser, module_of

PAGE = pathlib.Path(__file__).parent / "commands.md"
HEAD = """Written by `python docs/make_commands.py` from the parsers of the command line.

Every command takes `--help`, and `--traceback`: with an error, where it came from. `--json` gives one JSON object on
stdout, described in `docs/schemas/`. `--quiet` leaves out progress; warnings and errors stay."""
EVERYWHERE = ("help", "json", "quiet", "traceback")
"""options of all commands, told once"""


def reference() -> str:
    """The page: each command with its examples, and its options in their groups."""
    lines = ["# Commands", "", HEAD, ""]
    (found,) = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    for name, what in COMMANDS.items():
        lines += [
            f"## {name}",
            "",
            f"{what[0].upper()}{what[1:]}.",
            "",
            *_examples(name),
            *_tables(found.choices[name]),
        ]
    return "\n".join(lines).rstrip() + "\n"


def _examples(name: str) -> Iterator[str]:
    """Its examples, each with what it does."""
    for command, what in getattr(module_of(name), "EXAMPLES", ()):
        yield f"- `{command}`: {_cell(what)}"
    yield ""


def _tables(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A table for each group of options."""
    for group in parser._action_groups:
        shown = [action for action in group._group_actions if action.help is not argparse.SUPPRESS]
        shown = [action for action in shown if action.dest not in EVERYWHERE]
        if shown:
            title = {"optional arguments": "options"}.get(group.title or "", group.title or "")  # until Python 3.9
            yield from (f"| {_cell(title)} | |", "|---|---|")
            for action in shown:
                what = parser._get_formatter()._expand_help(action)
                if action.dest == "threads":
                    what = re.sub(r"default: \d+", "default: the cores of the machine", what)
                yield f"| {_words(action)} | {_cell(what)} |"
            yield ""


def _words(action: argparse.Action) -> str:
    """An option with its value, or an argument."""
    if isinstance(action.metavar, tuple):
        value = " ".join(action.metavar)
    else:
        value = action.metavar or ("/".join(map(str, action.choices)) if action.choices else action.dest.upper())
    if action.nargs == 0:
        value = ""
    words = (f"{option} {value}".strip() for option in action.option_strings or [""])
    return ", ".join(f"`{word}`" for word in words)


def _cell(text: str) -> str:
    """A text as a cell of a table, its signs as they are."""
    return re.sub(r"([|*<>_\[\]])", r"\\\1", " ".join(text.split()))


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")

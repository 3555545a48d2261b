"""The argparse parser of a command: short usage, help in groups with defaults and examples, errors of one line."""

import argparse
import re
import sys
import textwrap
from typing import Any, Callable, Dict, List, NoReturn, Optional, Sequence

from ..errors import did_you_mean
from .arguments import COMMAND_LINE, at_once, positive, threads
from .console import RED, coloured, fitted, is_terminal, printable, width, write_line

METAVARS: Dict[object, str] = {**dict.fromkeys((int, positive, at_once, threads), "N"), float: "X"}
"""{argparse type: what stands in the help for its value}"""


class Formatter(argparse.HelpFormatter):
    """Help of at most 80 columns; each option with its default, what has lines of its own, as it is written."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=24, width=width() - 1)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        return METAVARS.get(action.type) or action.dest.upper()

    def _get_help_string(self, action: argparse.Action) -> str:
        text, default = action.help or "", action.default
        shown = bool(action.option_strings) and not any(default is no for no in (None, False, argparse.SUPPRESS))
        if not shown or default == [] or "default" in text:
            return text
        value = " ".join(map(str, default)) if isinstance(default, (list, tuple)) else str(default)
        return f"{text} (default: {value.replace('%', '%%')})"


MOST_NAMED = 16
"""choices that an error names"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line with the command in it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **dict({"formatter_class": Formatter, "allow_abbrev": False}, **options))

    def error(self, message: str) -> NoReturn:
        """End with the exit code of the command line."""
        chosen = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if chosen:
            names = [name.strip("' ") for name in chosen.group(2).split(",")]
            if len(names) > MOST_NAMED:
                message = message[: chosen.end(1) + 1]  # the help has them
            message += did_you_mean(chosen.group(1), names)
        self.exit(COMMAND_LINE, error_line(f"{self.prog.split()[-1]}: {message}; see {self.prog} --help"))

    def exit(self, status: int = 0, message: Optional[str] = None) -> NoReturn:
        """End; the message goes to stderr."""
        if message:
            write_line(message)
        raise SystemExit(status)

    def known(self) -> List[str]:
        """All options by all their names."""
        return [name for action in self._actions for name in action.option_strings]

    def positions(self) -> List[str]:
        """What stands without an option, in its order."""
        return [str(action.metavar or action.dest) for action in self._actions if not action.option_strings]

    def shorten_usage(self) -> None:
        """Usage with what must be given alone."""
        parts = []
        for action in self._actions:
            name = str(action.metavar or action.dest.upper())
            if not action.option_strings:
                many = " ..." if action.nargs == "+" else ""
                parts.append(f"[{name}]" if action.nargs == "?" else name + many)
            elif action.required:
                parts.append(f"{action.option_strings[0]} {name}")
        self.usage = " ".join([self.prog, *parts, "[options]"])


def error_line(text: object) -> str:
    """An error as one line; on a terminal broken at spaces to fit it."""
    line = "minirram: error: " + printable(str(text).replace("\n", "\\n"))  # names of files may hold it
    line = fitted(line) if is_terminal(sys.stderr) else line
    return line.replace("error:", coloured("error:", RED, sys.stderr), 1)


def examples_text(examples: Sequence[Sequence[str]]) -> str:
    """What stands below the options: (command, what it does), the command as it can be pasted."""
    lines = ["examples:"] if examples else []
    for command, text in examples:
        lines += textwrap.wrap("# " + text, width() - 3, initial_indent="  ", subsequent_indent="  # ")
        lines += pasted(command)
    return "\n".join(lines)


def pasted(command: str) -> List[str]:
    """A command on lines that a shell takes together."""
    parts = textwrap.wrap(command, width() - 6, break_long_words=False, break_on_hyphens=False)
    return [("  " if k == 0 else "    ") + part + (" \\" if k < len(parts) - 1 else "") for k, part in enumerate(parts)]


def check_options(parser: Parser, words: Sequence[str], elsewhere: Callable[[str], str] = lambda name: "") -> None:
    """End with one line for options that the parser does not have. elsewhere: who has an option, in words."""
    known = parser.known()
    words = words[: words.index("--")] if "--" in words else words
    names = [word.split("=")[0] for word in words if re.match("--[^=]|-[A-Za-z]$", word)]
    unknown = [name for name in names if name not in known]
    if unknown:
        close = "".join(sorted({did_you_mean(name, known) or elsewhere(name) for name in unknown}))
        parser.error(f"unknown option {', '.join(unknown)}{close}")

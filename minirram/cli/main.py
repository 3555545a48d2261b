"""The command line: arguments in, text or one JSON object out.

Exit codes: 0 good, 1 what was checked is not as it should be, 2 command line, 3 contents of a file, 4 a bench does not
do as asked, 70 an error of minirram itself or too little memory, 130 and 143 stopped by Ctrl-C and SIGTERM, 141 the
reader of the output went away. An error is one line; `--traceback` shows where it came from.
"""

import argparse
import contextlib
import importlib
import json
import keyword
import os
import sys
from typing import Any, Iterable, List, NoReturn, Optional, Sequence, Tuple

from ..errors import BenchError, ConfigError, MinirramError, MissingFileError, did_you_mean
from . import console, stops
from .arguments import BENCH, COMMAND_LINE, CONTENTS, GOOD, INTERNAL, READER_GONE, group
from .parser import Parser, check_options, error_line, examples_text
from .progress import shown as shown_stages

COMMANDS = {
    "demo": "train, evaluate, account and export on built-in data",
    "task": "a task as a JSON file: a built-in one, a draft, or a check",
    "train": "learn the masks of a task's network on a simulated chip",
    "evaluate": "accuracy of a run on its simulated macros",
    "export": "write the program file of a run",
    "report": "one page on a run, a comparison, a sweep or a fit, with figures",
    "place": "put a network from an ONNX file on macros, with its weights",
    "compare": "set masks, free weights and weight optimisation side by side",
    "paper": "each claim of the paper, beside ours",
    "transfer": "take the masks of a run to another chip and learn on",
    "sweep": "many points, evaluated or trained, in one table",
    "energy": "energy, latency and area of a run by matrix and event",
    "networks": "weights, MACs, macros and conversions of networks",
    "fit-network": "a network that fills the live lines of small macros",
    "inspect": "show a program file",
    "bench": "program a run's chip through a driver",
    "repair": "write the program from a measured state to the masks",
    "convert": "an old program file anew, or digital.json as a binary",
    "verify": "compare a read-back with a program file",
    "recalibrate": "take a run to its chip as read back, without a pulse",
    "diff": "how two program files differ; exit code 1 when they do",
    "dump": "a program file as tables, arrays or pictures",
    "vectors": "test vectors of the product for RTL, C and SPICE",
    "chip": "write the conductances of a run's chip",
    "fit": "fit a technology to measured maps",
    "import": "take a measured map from a lab file",
    "doctor": "versions, a self test, what is installed, which data are here",
}
"""command -> what it does; its module in this package has the same name and is loaded when the command is given

A name that Python keeps for itself has an underscore behind it there.
"""


GROUPS = {
    "from data to a program file": ("demo", "task", "train", "evaluate", "energy", "report", "export"),
    "more chips than one": ("transfer", "compare", "sweep", "paper"),
    "a chip on the bench": ("bench", "verify", "recalibrate", "repair"),
    "networks": ("networks", "fit-network", "place"),
    "program files": ("inspect", "diff", "dump", "convert"),
    "maps of conductances": ("fit", "import", "chip"),
    "other implementations": ("vectors",),
    "this machine": ("doctor",),
}
"""heading in the help -> commands; what is not named here stands below "more\""""

DESCRIPTION = "Learn which connections of a random resistive-memory chip to keep."
FIRST = "First: minirram demo --out runs/demo. Examples: minirram COMMAND --help."


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command; returns its exit code. Results go to stdout, messages to stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    console.prepare()
    try:
        try:
            return _run(words)
        finally:
            console.flush()
    except console.ReaderGone:
        console.silence()
        return READER_GONE
    except OSError as error:  # of the output itself: a disk that is full
        with contextlib.suppress(console.ReaderGone):
            console.write_line(error_line(f"the output cannot be written: {error.strerror or error}"))
        console.silence()
        return COMMAND_LINE


def _run(words: List[str]) -> int:
    """The exit code of one command; each error is one line."""
    options = argparse.Namespace(command="")
    try:
        options = _parsed(words)
        command = module_of(options.command)
        with stops.raised(), shown_stages(options.quiet or hasattr(command, "OWN_PROGRESS"), options.command):
            result = command.run(options)
        text = _json(result) if options.json else shown(command, result)
    except KeyboardInterrupt as stop:
        console.write_line("minirram: " + _how_to_go_on(words, options))
        return getattr(stop, "exit_code", stops.INTERRUPTED)
    except console.ReaderGone:
        raise
    except Exception as error:
        if "--traceback" in words:
            import traceback

            console.write_line(traceback.format_exc().rstrip())
        why, code = _verdict(error)
        console.write_line(error_line(why))
        return code
    console.say(text)
    return command.exit_code(result) if hasattr(command, "exit_code") else GOOD


def _verdict(error: Exception) -> Tuple[object, int]:
    """(text of the line, exit code) of an error."""
    if isinstance(error, (ConfigError, MissingFileError)):
        return error, COMMAND_LINE
    if isinstance(error, BenchError):
        return error, BENCH
    if isinstance(error, MinirramError):
        return error, CONTENTS
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}", COMMAND_LINE
    if isinstance(error, MemoryError):
        return f"this machine has too little memory ({error or 'no more'})", INTERNAL
    kind = type(error).__name__
    return f"minirram itself failed, {kind}: {error or 'no more is known'}; --traceback shows where", INTERNAL


def shown(command: Any, result: Any) -> str:
    """The text of a result, in lines that fit; a document is left as it is."""
    text = console.printable(str(command.text(result)))
    return text if text.startswith("{") else console.fitted(text)


def _how_to_go_on(words: List[str], options: argparse.Namespace) -> str:
    """What to do after a stop."""
    if hasattr(options, "resume"):
        import shlex

        again = words if "--resume" in words else [*words, "--resume"]
        return f"stopped; this goes on: minirram {shlex.join(again)}"
    if options.command in GO_ON:
        return "stopped; the same command goes on"
    return "stopped; no file was left half written"


GO_ON = ("compare", "transfer", "sweep", "bench")
"""commands that go on where a stop was when they are given again"""


def _parsed(words: List[str]) -> argparse.Namespace:
    """The arguments of a command. What is not known is one line with what is close to it, and exit code 2."""
    for word in words:
        _check_word(word)
    command = next((word for word in words if not word.startswith("-")), None)
    if command in COMMANDS:
        parser = build_parser([str(command)])
        check_options(command_parser(parser, str(command)), [word for word in words if word != command], _elsewhere)
        return parser.parse_args(words)
    parser = build_parser([])
    if command is None:
        if not words:
            console.write_line(parser.format_help().rstrip())
            raise SystemExit(COMMAND_LINE)
        if [word for word in words if word not in parser.known()]:
            return _refuse(f"{words[0]}: options stand behind a command, such as minirram demo --out runs/demo")
        return parser.parse_args(words)
    close = did_you_mean(command, COMMANDS) or f"; there are {', '.join(COMMANDS)}"
    return _refuse(f"no command {command!r}{close}")


def _elsewhere(option: str) -> str:
    """Which commands have an option, for those who look for it in another."""
    parser = build_parser()
    names = [name for name in COMMANDS if option in command_parser(parser, name).known()]
    return f"; it is an option of {', '.join(names)}" if names else ""


def _check_word(word: str) -> None:
    """End with one line for a word that no system could hand over, and that no file could be called."""
    try:
        if b"\0" not in os.fsencode(word):
            return
    except UnicodeEncodeError:
        pass
    _refuse(f"{word[:40]!r}: it holds a character that no name of a file may have")


def _refuse(text: str) -> NoReturn:
    console.write_line(error_line(text))
    raise SystemExit(COMMAND_LINE)


def module_of(command: str) -> Any:
    """The module of a command."""
    name = command + "_" if keyword.iskeyword(command) else command.replace("-", "_")
    return importlib.import_module("." + name, __package__)


def _json(result: Any) -> str:
    from ..json_codec import bare

    return json.dumps(bare(result), allow_nan=False)


def build_parser(loaded: Iterable[str] = tuple(COMMANDS)) -> Parser:
    """The argparse parser of all commands. loaded: those that know their options; loading a command takes time."""
    loaded = set(loaded)
    usage = "minirram COMMAND [options]"
    parser = Parser(prog="minirram", description=DESCRIPTION, epilog=_commands_text(), usage=usage)
    parser.add_argument("--version", action=_Version, nargs=0, help="versions of minirram, Python, NumPy and its BLAS")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command", help=argparse.SUPPRESS)
    for name, text in COMMANDS.items():
        sub = commands.add_parser(name, prog=f"minirram {name}", description=_sentence(text))
        if name in loaded:
            module = module_of(name)
            module.add_options(sub)
            messages_options(sub)
            sub.epilog = examples_text(getattr(module, "EXAMPLES", ()))
            sub.shorten_usage()
    return parser


def command_parser(parser: Parser, command: str) -> Parser:
    """The parser of one command within that of all."""
    (commands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return commands.choices[command]  # type: ignore[return-value]


def messages_options(parser: argparse.ArgumentParser) -> None:
    """--json, --quiet, --traceback"""
    messages = group(parser, "messages")
    messages.add_argument("--json", action="store_true", help="results as one JSON object on stdout (docs/schemas)")
    messages.add_argument("--quiet", action="store_true", help="no progress on stderr; warnings and errors stay")
    messages.add_argument("--traceback", action="store_true", help="with an error also where it came from")


class _Version(argparse.Action):
    """--version"""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from .versions import version_line

        print(version_line())  # sent at the end, like help
        parser.exit()


def _commands_text() -> str:
    """All commands below their headings, as they are written."""
    named = [name for names in GROUPS.values() for name in names]
    groups = {**GROUPS, "more": tuple(name for name in COMMANDS if name not in named)}
    lines = [f"{FIRST}"]
    for title, names in groups.items():
        if names:
            lines += ["", f"{title}:"] + [f"  {name:12s} {COMMANDS[name]}" for name in names if name in COMMANDS]
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."

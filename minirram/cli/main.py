"""The command line: arguments in, text or one JSON object out.

Exit codes: 0 good, 1 verification failed, 2 command line, 3 contents of a file, 4 a bench does not do as asked.
"""

import argparse
import importlib
import json
import keyword
import os
import sys
from typing import Any, Iterable, Optional, Sequence

from .. import __version__
from ..errors import BenchError, ConfigError, MinirramError, MissingFileError
from .arguments import BENCH, COMMAND_LINE, CONTENTS, GOOD

COMMANDS = {
    "demo": "train, evaluate, account and export on built-in data",
    "task": "a task as a JSON file: of a built-in one, drafted for data, or checked",
    "train": "learn the masks of a task's network on a simulated chip",
    "evaluate": "accuracy of a run on its simulated macros",
    "export": "write the program file of a run",
    "place": "put a network from an ONNX file on macros, its trained weights written",
    "compare": "set masks, free weights and weight optimisation side by side",
    "transfer": "take the masks of a run to another chip and learn on",
    "energy": "energy, latency and area of a run by matrix and event",
    "networks": "weights, MACs, macros and conversions of networks",
    "fit-network": "a network that fills the live lines of small macros",
    "inspect": "show a program file",
    "bench": "program a run's chip through a driver",
    "repair": "write the program from a measured state to the masks",
    "convert": "write a program file of an older format anew",
    "verify": "compare a read-back with a program file",
    "recalibrate": "take a run to its chip as read back, without a pulse",
    "diff": "how two program files differ (exit code 1 when they do)",
    "dump": "a program file as tables, arrays or pictures",
    "chip": "write the conductances of a run's chip",
    "fit": "fit a technology to measured maps",
    "import": "take a measured map from a lab file",
}
"""command -> what it does; its module in this package has the same name and is loaded when the command is given

A name that Python keeps for itself has an underscore behind it there.
"""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command; returns its exit code. Results go to stdout, messages to stderr."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parsed(arguments)
    try:
        command = module_of(options.command)
        result = command.run(options)
        print(_json(result) if options.json else command.text(result), flush=True)
        return command.exit_code(result) if hasattr(command, "exit_code") else GOOD
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more as it ends
        return COMMAND_LINE
    except (ConfigError, MissingFileError) as error:
        return _fail(error, COMMAND_LINE)
    except BenchError as error:
        return _fail(error, BENCH)
    except MinirramError as error:
        return _fail(error, CONTENTS)
    except OSError as error:
        return _fail(f"{error.filename or 'a file'}: {error.strerror or error}", COMMAND_LINE)
    except MemoryError as error:
        return _fail(f"this machine has too little memory ({error or 'no more'})", CONTENTS)
    except KeyboardInterrupt:
        return _fail("stopped; a training goes on with --resume, a comparison or a transfer by the same command", 130)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command. What it does not know is an error with the usage of that command."""
    parser = build_parser([argument for argument in arguments if argument in COMMANDS][:1])
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.exit(
            COMMAND_LINE,
            f"minirram {options.command}: error: unrecognized arguments: {' '.join(unknown)}; "
            f"minirram {options.command} --help lists what there is\n",
        )
    return options


def module_of(command: str) -> Any:
    """The module of a command."""
    name = command + "_" if keyword.iskeyword(command) else command.replace("-", "_")
    return importlib.import_module("." + name, __package__)


def _json(result: Any) -> str:
    from ..json_codec import bare

    return json.dumps(bare(result), allow_nan=False)


def _fail(error: object, code: int) -> int:
    line = str(error).replace("\r", "\\r").replace("\n", "\\n")  # names of files may hold them
    print(f"minirram: error: {line}", file=sys.stderr)
    return code


def build_parser(loaded: Iterable[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """The argparse parser of all commands. loaded: those that know their options; loading a command takes time."""
    loaded = set(loaded)
    parser = argparse.ArgumentParser(
        prog="minirram", description="Learn which connections of a random chip to keep.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for name, text in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        if name in loaded:
            module_of(name).add_options(sub)
            sub.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser

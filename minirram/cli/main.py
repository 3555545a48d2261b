"""The command line: arguments in, text or one JSON object out.

Exit codes: 0 good, 1 verification failed, 2 command line, 3 contents of a file.
"""

import argparse
import json
import os
import sys

from .. import __version__
from ..errors import ConfigError, MinirramError, MissingFileError
from . import energy, files, study
from .arguments import COMMAND_LINE, CONTENTS
from .run import _COMMANDS


def main(arguments=None):
    """Run one command; returns its exit code. Results go to stdout, messages to stderr."""
    options = build_parser().parse_args(arguments)
    try:
        code, result, text = options.command(options)
        print(json.dumps(result, allow_nan=False) if options.json else text, flush=True)
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more as it ends
        return COMMAND_LINE
    except (ConfigError, MissingFileError) as error:
        return _fail(error, COMMAND_LINE)
    except MinirramError as error:
        return _fail(error, CONTENTS)
    except OSError as error:
        return _fail("{}: {}".format(error.filename or "a file", error.strerror or error), COMMAND_LINE)
    except KeyboardInterrupt:
        return _fail("stopped; a training goes on with --resume, a comparison or a transfer by the same command", 130)


def _fail(error, code):
    print(f"minirram: error: {error}", file=sys.stderr)
    return code


def build_parser():
    """The argparse parser of all commands."""
    parser = argparse.ArgumentParser(prog="minirram", description="Learn which connections of a random chip to keep.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    groups = (_COMMANDS, study.COMMANDS, energy.COMMANDS, files.COMMANDS)
    for name, command, add_options, text in sum(groups, ()):
        sub = commands.add_parser(name, help=text, description=text)
        add_options(sub)
        sub.add_argument("--json", action="store_true", help="one JSON object on stdout")
        sub.set_defaults(command=command)
    return parser

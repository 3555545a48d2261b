"""Command-line arguments that several commands share."""

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Dict, Iterable, Optional, Tuple, Union, get_args, get_origin

from .console import YELLOW, coloured, tell

if TYPE_CHECKING:  # a command loads what it runs
    from ..chip.dead_lines import ChipLines
    from ..device.interface import Cell
    from ..labfiles.maps import Policy
    from ..runs.chip_files import ChipFiles

GOOD, FAILED, COMMAND_LINE, CONTENTS, BENCH = 0, 1, 2, 3, 4
"""exit codes"""
INTERNAL, READER_GONE = 70, 141
"""of an error of minirram itself, as in BSD's sysexits.h; of a reader that went away, 128 + SIGPIPE"""


def positive(text: str) -> int:
    """argparse type: an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def group(parser: "argparse._ActionsContainer", title: str, description: str = "") -> argparse._ArgumentGroup:
    """The group of options of that title, made when there is none yet; a group itself stays as it is."""
    if isinstance(parser, argparse._ArgumentGroup):
        return parser
    for known in parser._action_groups:
        if known.title == title:
            return known
    return parser.add_argument_group(title, description or None)


def task_argument(parser: argparse.ArgumentParser) -> None:
    """TASK"""
    from ..tasks.registry import TASKS

    known = ", ".join(TASKS)
    parser.add_argument("task", metavar="TASK", help=f"one of {known}, a .json file, or a .py file that registers one")


def threads_option(parser: argparse.ArgumentParser) -> None:
    """--threads N"""
    text = "threads of the computation; results are the same with any"
    group(parser, "computing").add_argument("--threads", type=positive, default=min(2, os.cpu_count() or 1), help=text)


def engine_options(parser: "argparse._ActionsContainer", what: str) -> None:
    """--processes N, --dask ADDRESS"""
    computing = group(parser, "computing")
    computing.add_argument("--processes", type=positive, default=1, help=f"{what} at a time, each a process")
    computing.add_argument("--dask", metavar="ADDRESS", help="Dask scheduler, tcp://HOST:PORT or its scheduler.json")


def chip_options(parser: argparse.ArgumentParser, *, planted: bool = True) -> None:
    """--map, `lab_options`, --dead-lines, --rows, --cols and, with `planted`, --faults: which chip it is."""
    chip = group(parser, "the chip", "rows, columns and macros count from 0")
    chip.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FILE",
        help="measured conductances of a macro, any lab file (.csv, .npy ...); once for each macro; default: drawn",
    )
    lab_options(parser)
    chip.add_argument(
        "--dead-lines",
        metavar="FILE.json",
        help="lines that are out of order: dead_rows, dead_cols as lists of [macro, line]; policy skip or spare",
    )
    chip.add_argument("--rows", type=positive, help="rows of a macro; default: of the dead lines' file, else 512")
    chip.add_argument("--cols", type=positive, help="columns of cells of a macro, even; default as for --rows")
    if planted:
        chip.add_argument(
            "--faults", metavar="FILE", help="stuck cells to plant, one a line: macro row col stuck_on|stuck_off"
        )


def chip_files(options: argparse.Namespace) -> "ChipFiles":
    """The files of the chip that `chip_options` name."""
    from ..runs.chip_files import ChipFiles

    faults = getattr(options, "faults", None)
    return ChipFiles(tuple(options.map), options.unit, faults, lab_policy(options), options.dead_lines)


def chip_lines(options: argparse.Namespace, base: "Optional[ChipLines]" = None) -> "Optional[ChipLines]":
    """The lines that `chip_options` state; `base` where they state none. ConfigError for an odd number of columns."""
    from dataclasses import replace

    from ..chip.dead_lines import ChipLines, read_lines
    from ..errors import ConfigError

    if options.cols is not None and options.cols % 2:
        raise ConfigError(f"--cols is {options.cols}; columns come in pairs: it must be even")
    lines = base if options.dead_lines is None else read_lines(options.dead_lines)
    stated = dict(rows=options.rows, pairs=None if options.cols is None else options.cols // 2)
    sizes = {name: size for name, size in stated.items() if size is not None}
    return replace(lines or ChipLines(), **sizes) if sizes else lines


def lab_options(parser: argparse.ArgumentParser) -> None:
    """--unit of measured conductances, and what is done with cells that hold none: `lab_policy`."""
    from dataclasses import fields

    from ..json_codec import field_docs
    from ..labfiles.maps import USUAL, Policy
    from ..labfiles.units import OF_A_CELL

    text = f"unit of measured cells: {OF_A_CELL}; default: the header states it"
    group(parser, "the chip").add_argument("--unit", help=text)
    policies = group(
        parser,
        "cells without a conductance",
        "error: refuse the file; unformed: they conduct nothing; keep: stay shorted",
    )
    for field in fields(Policy):
        usual, meaning = getattr(USUAL, field.name), field_docs(Policy)[field.name]
        kept = ("keep",) if field.name == "short" else ()
        policies.add_argument("--" + field.name, choices=("error", "unformed", *kept), default=usual, help=meaning)


def lab_policy(options: argparse.Namespace) -> "Policy":
    """The policy that `lab_options` state."""
    from dataclasses import fields

    from ..labfiles.maps import Policy

    return Policy(**{field.name: getattr(options, field.name) for field in fields(Policy)})


def run_option(parser: argparse.ArgumentParser) -> None:
    """RUN"""
    parser.add_argument("run", metavar="RUN", help="folder of a finished run")


def data_option(parser: argparse.ArgumentParser) -> None:
    """--data SOURCE, instead of the run's"""
    parser.add_argument("--data", help='folder of the data set, or "synthetic"; default: those of the run')


def file_option(parser: argparse.ArgumentParser) -> None:
    """FILE"""
    parser.add_argument("file", metavar="FILE", help="program file (.xbp)")


def driver_options(parser: "argparse._ActionsContainer", *, required: bool = False) -> None:
    """--driver NAME, --port PORT, --timeout SECONDS"""
    from ..driver.registry import NAMES

    names = ", ".join(NAMES)
    parser = group(parser, "the bench")
    parser.add_argument(
        "--driver", metavar="NAME", required=required, help=f"bench that holds the chip: {names}, or module:Class"
    )
    parser.add_argument("--port", help="what the driver is called with, for example a serial port")
    parser.add_argument(
        "--timeout", type=float, metavar="S", help="seconds that one call of the bench may take; default 60"
    )


DEFAULT_COSTS = "macro-40nm"


def costs_option(parser: argparse.ArgumentParser, default: Optional[str] = DEFAULT_COSTS) -> None:
    """--costs NAME; None as `default`: whether it was given can be seen."""
    from ..accounting.costs import NAMED

    names = ", ".join(NAMED[:-1])
    parser.add_argument(
        "--costs",
        default=default,
        metavar="NAME",
        help=f"costs of events: {names}, or the path of a .json file; default {DEFAULT_COSTS}",
    )


def field_options(parser: "argparse._ActionsContainer", kind: type) -> None:
    """One option per field of a dataclass, its type and help from there; None when it was not given."""
    from dataclasses import fields
    from typing import get_type_hints

    from ..json_codec import field_docs

    types, docs = get_type_hints(kind), field_docs(kind)
    for field in fields(kind):  # type: ignore[arg-type]
        flag, text = field.name.replace("_", "-"), _as_option(docs[field.name])
        wanted = _without_none(types[field.name])
        if wanted is bool:
            parser.add_argument("--" + flag, action="store_true", default=None, help=text)
            parser.add_argument(
                "--no-" + flag, action="store_false", default=None, dest=field.name, help=f"the opposite of --{flag}"
            )
        elif wanted == Tuple[str, ...]:
            parser.add_argument("--" + flag, nargs="+", metavar="NAME", help=text)
        elif wanted in (int, float, str):
            parser.add_argument("--" + flag, type=wanted, help=text)
        else:
            raise TypeError(
                f"{kind.__name__}.{field.name} is a {wanted}: the command line takes int, float, str, bool, names"
            )


def _as_option(text: str) -> str:
    """The docstring of a field as the help of an option."""
    return re.sub(r"\bNone\b", "left out", text).replace("%", "%%")


def _without_none(kind: Any) -> Any:
    """X of Optional[X]."""
    inner = [one for one in get_args(kind) if one is not type(None)]
    return inner[0] if get_origin(kind) is Union and len(inner) == 1 else kind


def given(options: argparse.Namespace, names: Iterable[str]) -> Dict[str, Any]:
    """{name: value} of the options that were given, of those without a default."""
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def training_data_option(parser: argparse.ArgumentParser) -> None:
    """--data SOURCE, of a training"""
    text = 'file of data (.npz, .csv), folder that holds TASK.npz, or "synthetic": drawn by code'
    parser.add_argument("--data", required=True, help=text)


def source_of(data: str) -> str:
    """A data set's folder as an absolute path, "synthetic" as it is: what a run folder remembers."""
    return data if data == "synthetic" else os.path.abspath(data)


def warn(cell_model: "Cell") -> None:
    """A line on stderr for each number of a technology that looks like a slip, before a long run begins."""
    from ..device.unusual import unusual

    for line in unusual(cell_model):
        tell(f"minirram: {coloured('warning:', YELLOW, sys.stderr)} {line}")

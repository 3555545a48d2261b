"""Command-line arguments that several commands share."""

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, Iterable, Optional

from .console import YELLOW, coloured, tell
from .field_options import field_option, finite

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


MOST_AT_ONCE = 1024
"""threads or processes; more are a slip of the keyboard, and starting them takes all of a PC's memory"""


def at_once(text: str) -> int:
    """argparse type: a number of threads or processes, 1 to MOST_AT_ONCE."""
    value = positive(text)
    if value > MOST_AT_ONCE:
        raise argparse.ArgumentTypeError(f"{value} is more than {MOST_AT_ONCE}")
    return value


def threads(text: str) -> int:
    """argparse type: a number of threads; beyond 16, at most one for each core, as more only wait for each other."""
    return min(at_once(text), max(16, os.cpu_count() or 1))


def group(parser: "argparse._ActionsContainer", title: str, description: str = "") -> argparse._ArgumentGroup:
    """The group of options of that title, made when there is none yet; a group itself stays as it is."""
    if isinstance(parser, argparse._ArgumentGroup):
        return parser
    for known in parser._action_groups:
        if known.title == title:
            return known
    return parser.add_argument_group(title, description or None)


def task_argument(parser: argparse.ArgumentParser, *, runs: bool = False) -> None:
    """TASK. runs: whether it may be a run folder."""
    from ..tasks.registry import TASKS

    known = ", ".join(TASKS)
    text = f"one of {known}, a .json file, or a .py file that registers one" + (", or a run folder" if runs else "")
    parser.add_argument("task", metavar="TASK", help=text)


def threads_option(parser: argparse.ArgumentParser) -> None:
    """--threads N"""
    text = "threads of the computation; results are the same with any"
    group(parser, "computing").add_argument("--threads", type=threads, default=min(2, os.cpu_count() or 1), help=text)


def anyway_option(parser: "argparse._ActionsContainer") -> None:
    """--anyway"""
    text = "go on with another NumPy or BLAS than before: some bits of the masks will differ from those of one"
    group(parser, "computing").add_argument("--anyway", action="store_true", help=text)


def take_environment(options: argparse.Namespace) -> None:
    """Note what computes now in what `--out` holds, where `--anyway` asks for it."""
    from ..errors import ConfigError
    from ..runs.learning_folder import accept_environment

    if options.anyway and not getattr(options, "resume", True):
        raise ConfigError("--anyway is for a run that goes on: give --resume, too")
    if options.anyway:
        accept_environment(options.out)


def engine_options(parser: "argparse._ActionsContainer", what: str) -> None:
    """--processes N, --dask ADDRESS"""
    computing = group(parser, "computing")
    computing.add_argument("--processes", type=at_once, default=1, help=f"{what} at a time, each a process")
    computing.add_argument(
        "--dask", metavar="ADDRESS", help="Dask scheduler, tcp://HOST:PORT or its scheduler.json; default: none"
    )


def chip_group(parser: "argparse._ActionsContainer") -> argparse._ArgumentGroup:
    """The group of what says which chip it is."""
    return group(parser, "the chip", "rows, columns and macros count from 0")


def converter_options(parser: "argparse._ActionsContainer", default: str) -> None:
    """--adc-bits, --adc-arrangement. default: in words, what stands where they are not given."""
    from ..crossbar.converters import ARRANGEMENTS
    from ..runs.config import RunConfig

    field_option(parser, "--adc-bits", RunConfig, "adc_bits", more=default.format(RunConfig.adc_bits))
    more = default.format(RunConfig.adc_arrangement)
    field_option(parser, "--adc-arrangement", RunConfig, "adc_arrangement", more=more, choices=ARRANGEMENTS)


def chip_options(parser: argparse.ArgumentParser, *, planted: bool = True) -> None:
    """--map, `lab_options`, --dead-lines, --rows, --cols and, with `planted`, --faults: which chip it is."""
    chip = chip_group(parser)
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
        help="lines out of order: dead_rows, dead_cols as lists of [macro, line]; policy skip or spare; default: none",
    )
    chip.add_argument("--rows", type=positive, help="rows of a macro; default: of the dead lines' file, else 512")
    chip.add_argument("--cols", type=positive, help="columns of cells of a macro, even; default as for --rows")
    if planted:
        chip.add_argument(
            "--faults",
            metavar="FILE",
            help="stuck cells to plant, one a line: macro row col stuck_on|stuck_off; default: none",
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

    from ..labfiles.maps import USUAL, Policy
    from ..labfiles.units import OF_A_CELL

    text = f"unit of measured cells: {OF_A_CELL}; default: the header states it"
    chip_group(parser).add_argument("--unit", help=text)
    policies = group(
        parser,
        "cells without a conductance",
        "error: refuse the file; unformed: they conduct nothing; keep: stay shorted",
    )
    for field in fields(Policy):
        kept = ("keep",) if field.name == "short" else ()
        choices, usual = ("error", "unformed", *kept), getattr(USUAL, field.name)
        field_option(policies, "--" + field.name, Policy, field.name, choices=choices, default=usual)


def lab_policy(options: argparse.Namespace) -> "Policy":
    """The policy that `lab_options` state."""
    from dataclasses import fields

    from ..labfiles.maps import Policy

    return Policy(**{field.name: getattr(options, field.name) for field in fields(Policy)})


def run_option(parser: argparse.ArgumentParser) -> None:
    """RUN"""
    parser.add_argument("run", metavar="RUN", help="folder of a finished run")


def technology_option(parser: "argparse._ActionsContainer", *, told: bool = True) -> None:
    """--technology NAME. told: whether it must be seen that it was not given; None then."""
    from ..device.presets import TECHNOLOGIES

    text = f"cells: {', '.join(TECHNOLOGIES)}, or the .json that fit writes; default {DEFAULT_TECHNOLOGY}"
    default = None if told else DEFAULT_TECHNOLOGY
    chip_group(parser).add_argument("--technology", metavar="NAME", default=default, help=text)


def data_option(parser: "argparse._ActionsContainer") -> None:
    """--data SOURCE, instead of the run's"""
    parser.add_argument("--data", help='folder of the data set, or "synthetic"; default: that of the run')


def file_option(parser: argparse.ArgumentParser) -> None:
    """FILE"""
    parser.add_argument("file", metavar="FILE", help="program file (.xbp)")


def driver_options(parser: "argparse._ActionsContainer", *, required: bool = False) -> None:
    """--driver NAME, --port PORT, --timeout SECONDS"""
    from ..driver.registry import NAMES

    names = ", ".join(NAMES)
    parser = group(parser, "the bench")
    parser.add_argument(
        "--driver",
        metavar="NAME",
        required=required,
        help=f"bench that holds the chip: {names}, or module:Class; default: none",
    )
    parser.add_argument("--port", help="what the driver is called with, such as a serial port; default: nothing")
    parser.add_argument(
        "--timeout", type=finite, metavar="SECONDS", help="time that one call of the bench may take; default 60 s"
    )


DEFAULT_COSTS = "macro-40nm"
DEFAULT_TECHNOLOGY = "taox-40nm"


def costs_option(parser: "argparse._ActionsContainer", default: Optional[str] = DEFAULT_COSTS) -> None:
    """--costs NAME; None as `default`: whether it was given can be seen."""
    from ..accounting.costs import NAMED

    names = ", ".join(NAMED[:-1])
    parser.add_argument(
        "--costs",
        default=default,
        metavar="NAME",
        help=f"costs of events: {names}, or the path of a .json file; default {DEFAULT_COSTS}",
    )


def given(options: argparse.Namespace, names: Iterable[str]) -> Dict[str, Any]:
    """{name: value} of the options that were given, of those without a default."""
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def training_data_option(parser: "argparse._ActionsContainer", *, required: bool = True) -> None:
    """--data SOURCE, of a training; where it is not required, a run folder may say it"""
    text = 'file of data (.npz, .csv), folder that holds TASK.npz, or "synthetic": drawn by code'
    parser.add_argument("--data", required=required, help=text if required else text + "; default: that of a run")


def source_of(data: str) -> str:
    """A data set's folder as an absolute path, "synthetic" as it is: what a run folder remembers."""
    return data if data == "synthetic" else os.path.abspath(data)


def warn(cell_model: "Cell") -> None:
    """A line on stderr for each number of a technology that looks like a slip, before a long run begins."""
    from ..device.unusual import unusual

    for line in unusual(cell_model):
        tell(f"minirram: {coloured('warning:', YELLOW, sys.stderr)} {line}")

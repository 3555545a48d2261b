"""minirram dump: a program file as tables, arrays or pictures."""

import argparse
import os
from dataclasses import dataclass
from typing import Tuple

from ..json_codec import Result
from ..programming import dump
from ..programming.readback import read_program
from .arguments import file_option


@dataclass(frozen=True)
class Dumped(Result):
    """What `minirram dump` wrote."""

    files: Tuple[str, ...]
    """paths of the files"""


RESULT = Dumped
EXAMPLES = (
    ("minirram dump program.xbp --format csv --out cells.csv", "a table of all cells"),
    ("minirram dump program.xbp --format png --out pictures", "a picture of each macro"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram dump` takes."""
    file_option(parser)
    parser.add_argument("--format", choices=dump.FORMATS, required=True, help="npy and png write a folder")
    parser.add_argument("--out", required=True, help="file (csv, json) or folder (npy, png) to write")


def run(options: argparse.Namespace) -> Dumped:
    """Write the files."""
    paths = dump.dump(read_program(options.file), options.out, form=options.format)
    return Dumped(tuple(os.fspath(path) for path in paths))


def text(dumped: Dumped) -> str:
    """The paths, a line each."""
    return "\n".join(dumped.files)

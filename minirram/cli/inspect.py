"""minirram inspect: show a program file."""

import argparse
import os
from typing import Any

from ..programming import readback
from ..programming.readback import read_program
from .arguments import file_option


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram inspect` takes."""
    file_option(parser)


def run(options: argparse.Namespace) -> Any:
    """Read the file and describe it."""
    return readback.describe(read_program(options.file), os.path.getsize(options.file))


def text(shown: Any) -> str:
    """One line per entry, recipe and tile."""
    lines = [f"{key:14s} {value}" for key, value in shown.items() if not isinstance(value, list)]
    lines += [f"recipe  {recipe}" for recipe in shown["recipes"]]
    lines += [f"tile    {tile}" for tile in shown["tiles"]]
    return "\n".join(lines)

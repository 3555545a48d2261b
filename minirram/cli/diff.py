"""minirram diff: how two program files differ."""

import argparse
from typing import Any

from ..programming import readback
from ..programming.readback import read_program
from .arguments import FAILED, GOOD


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram diff` takes."""
    parser.add_argument("a", metavar="A", help="program file")
    parser.add_argument("b", metavar="B", help="program file")


def run(options: argparse.Namespace) -> Any:
    """Compare the two programs."""
    return readback.differences(read_program(options.a), read_program(options.b))


def text(found: Any) -> str:
    """Cells that turn on and off, then fields and tiles that differ."""
    lines = ["equal" if found["equal"] else f"{found['turned_on']} cells turn on, {found['turned_off']} off"]
    lines += [f"{name}: {a} -> {b}" for name, (a, b) in found["fields"].items() if name != "recipes"]
    lines += [f"{tile}" for tile in found["tiles"]]
    return "\n".join(lines)


def exit_code(found: Any) -> int:
    """Failed when the programs differ."""
    return GOOD if found["equal"] else FAILED

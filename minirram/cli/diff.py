"""minirram diff: how two program files differ."""

import argparse

from ..programming import readback
from ..programming.readback import read_program
from ..programming.results import Differences, TileDifference
from ..xbp import table
from .arguments import FAILED, GOOD

RESULT = Differences
EXAMPLES = (
    ("minirram diff before.xbp after.xbp", "cells that turn on and off"),
    ("minirram diff before.xbp after.xbp --json", "the same for a script; exit code 1 when they differ"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram diff` takes."""
    parser.add_argument("a", metavar="A", help="the first program file (.xbp)")
    parser.add_argument("b", metavar="B", help="the second program file (.xbp)")


def run(options: argparse.Namespace) -> Differences:
    """Compare the two programs."""
    return readback.differences(read_program(options.a), read_program(options.b))


def text(found: Differences) -> str:
    """Cells that turn on and off, then fields and tiles that differ."""
    lines = ["equal" if found.equal else f"{found.turned_on} cells turn on, {found.turned_off} off"]
    lines += [f"{name}: {_shown(name, a)} -> {_shown(name, b)}" for name, (a, b) in found.fields.items()]
    if found.meta is not None:
        lines.append(f"meta: {found.meta[0]} -> {found.meta[1]}")
    if found.recipes is not None:
        lines.append("recipes differ")
    lines += [_tile(tile) for tile in found.tiles]
    return "\n".join(lines)


def _shown(name: str, value: int) -> str:
    """A field as `inspect` shows it: digests in hexadecimal, states by their names."""
    if name == "before":
        return next((word for word, number in table.BEFORE.items() if number == value), str(value))
    return f"{value:08x}" if name.endswith(("_id", "_state")) else str(value)


def _tile(tile: TileDifference) -> str:
    if tile.only_in is not None:
        return f"tile {tile.tile}: only in {tile.only_in}"
    fields = "".join(f", {name}: {a} -> {b}" for name, (a, b) in tile.fields.items())
    passes = ", other passes" if tile.passes_differ else ""
    return f"tile {tile.tile}: {tile.turned_on} on, {tile.turned_off} off, {tile.codes} targets{passes}{fields}"


def exit_code(found: Differences) -> int:
    """Failed when the programs differ."""
    return GOOD if found.equal else FAILED

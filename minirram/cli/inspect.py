"""minirram inspect: show a program file."""

import argparse
from typing import Any, Dict, Iterator

from ..programming import readback
from ..programming.readback import read_bytes
from ..programming.results import ProgramSummary, RecipeSummary, TileSummary
from .arguments import file_option

RESULT = ProgramSummary
EXAMPLES = (
    ("minirram inspect runs/mine/program.xbp", "recipes, tiles and pulses"),
    ("minirram inspect runs/mine/program.xbp --json", "the same for a script"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram inspect` takes."""
    file_option(parser)


def run(options: argparse.Namespace) -> ProgramSummary:
    """Read the file and describe it."""
    data = read_bytes(options.file)
    return readback.describe(readback.decoded(data, options.file), data)


def text(shown: ProgramSummary) -> str:
    """One line per entry, recipe and tile."""
    lines = [f"{name:14s} {_plain(value)}" for name, value in vars(shown).items() if name not in ("recipes", "tiles")]
    lines += [_recipe(recipe) for recipe in shown.recipes]
    kinds = {recipe.id: recipe.kind for recipe in shown.recipes}
    lines += [line for tile in shown.tiles for line in _tile(tile, kinds)]
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    """A value in words: what a list or a table of names holds."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items()) or "none"
    return (", ".join(map(str, value)) or "none") if isinstance(value, (tuple, list)) else value


def _recipe(recipe: RecipeSummary) -> str:
    volts = f"{recipe.row_mV} mV on the row, {recipe.col_mV} mV on the column, {recipe.select_mV} mV on the select"
    return f"recipe  {recipe.id} {recipe.kind}: {volts}, {recipe.width_ns} ns, at most {recipe.max_pulses} pulse(s)"


def _tile(tile: TileSummary, kinds: Dict[int, str]) -> Iterator[str]:
    rows, cols = f"rows {tile.row0}..{tile.row0 + tile.n_row - 1}", f"columns {tile.col0}..{tile.col0 + tile.n_col - 1}"
    yield f"tile    {tile.number}: macro {tile.macro}, {rows}, {cols}, {tile.level} level, {tile.n_keep} cells on"
    for number, one in enumerate(tile.passes):
        yield f"  pass {number}  {kinds.get(one.recipe, 'pulses')} of {one.cells} cells, by recipe {one.recipe}"

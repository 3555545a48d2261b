"""Small chips with dead lines and the programs for them; where each weight's cells lie, found by counting lines."""

from collections import namedtuple

import numpy as np
from hypothesis import strategies as st

from minirram.chip.chip import Chip
from minirram.chip.dead_lines import POLICIES, ChipLines
from minirram.chip.levels import draw_signs, mask_shape
from minirram.device.presets import TAOX_40NM
from minirram.inference.model import Model
from minirram.nn import network
from minirram.rng import stream
from minirram.runs import export
from minirram.runs.config import RunConfig

from ..support.tiny import tiny_network, tiny_recipe

ROWS, PAIRS = 24, 10  # of a macro; the tiny network then needs five macros or more
MACROS = range(5)

Case = namedtuple("Case", "config chip model masks")


@st.composite
def chip_lines(draw):
    """Any dead lines that leave a macro some rows and pairs."""
    rows = st.tuples(st.sampled_from(MACROS), st.integers(0, ROWS - 1))
    cols = st.tuples(st.sampled_from(MACROS), st.integers(0, 2 * PAIRS - 1))
    dead_rows, dead_cols = draw(st.lists(rows, max_size=9)), draw(st.lists(cols, max_size=6))
    return ChipLines(tuple(dead_rows), tuple(dead_cols), draw(st.sampled_from(POLICIES)), ROWS, PAIRS)


def case(lines, level="pair", seed=0, stuck=()):
    """A formed chip on those lines with random signs and masks; stuck: see `Chip.stick`."""
    recipe = tiny_recipe(level=level, chip_seed=seed)
    config = RunConfig("fashion-mnist", "synthetic", tiny_network(), recipe, TAOX_40NM, lines=lines)
    chip = Chip.sample(TAOX_40NM, network.matrices(config.network), level=level, seed=seed, lines=lines)
    chip.stick(stuck)
    chip.form(config.forming_voltage_V)
    model = Model(chip.placement, draw_signs(seed, chip.placement), {}, {}, {})
    return Case(config, chip, model, random_masks(chip, seed))


def random_masks(chip, *seed):
    """Half of the connections kept: dict name -> bool."""
    random = stream(0, "masks", *seed)
    return {name: random.random(mask_shape(chip.level, shape)) < 0.5 for name, shape in chip.placement.shapes}


def program_of(case, masks=None):
    """The program of its masks, or of others."""
    return export.build_program(case.config, case.chip, model=case.model, masks=case.masks if masks is None else masks)[
        0
    ]


def lie_of(lines, line, macro, number):
    """Physical number of the logical `line` ("row" or "pair") of a macro, by counting."""
    if line == "row":
        of, all_of_it = lambda m: {row for where, row in lines.dead_rows if where == m}, lines.rows
    else:
        of, all_of_it = lambda m: {col // 2 for where, col in lines.dead_cols if where == m}, lines.pairs
    dead = of(macro)
    if lines.policy == "skip":
        return [physical for physical in range(all_of_it) if physical not in dead][number]
    if number not in dead:
        return number
    usable = all_of_it - max(len(of(m)) for m in MACROS)
    spares = [physical for physical in range(usable, all_of_it) if physical not in dead]
    return spares[sum(other < number for other in dead)]


def cells_of(case):
    """Every cell in use: (matrix, its row, its column, 0 for plus or 1 for minus, (macro, row, column) on the chip)."""
    lines = case.config.lines
    for tile in case.chip.placement.tiles:
        for i in range(tile.n_rows):
            row = lie_of(lines, "row", tile.macro, tile.row0 + i)
            for k in range(tile.n_pairs):
                pair = lie_of(lines, "pair", tile.macro, tile.pair0 + k)
                for minus in (0, 1):
                    where = tile.macro, row, 2 * pair + minus
                    yield tile.matrix, tile.row_start + i, tile.col_start + k, minus, where


def after(made, chip):
    """What each cell conducts after all pulses, cell by cell: off 1 uS, nothing outside the tiles, nonsense on lines
    out of use."""
    kinds = {recipe.id: recipe.kind_name for recipe in made.recipes}
    formed_S = chip.physical(chip.formed_S())
    now_S = chip.physical(np.full(chip.used.shape, np.nan), -3.0)
    for tile in made.tiles:
        for recipe, cells in tile.passes:
            for row, col in np.argwhere(cells):
                where = tile.macro, tile.row0 + row, tile.col0 + col
                now_S[where] = 1e-6 if kinds[recipe] == "RESET" else formed_S[where]
    return now_S

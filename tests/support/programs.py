"""Programs for tests: a hypothesis strategy for any that the format can hold, and comparisons by content."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minirram.xbp import table
from minirram.xbp.records import Program, PulseRecord, TileProgram

READ, FORM, SET, RESET = 4, 1, 2, 3
RECIPES = (
    PulseRecord(0, READ, row_mV=200, width_ns=50),
    PulseRecord(5, FORM, row_mV=3800, width_ns=100_000),
    PulseRecord(
        1,
        SET,
        0,
        drive=1,
        read_first=1,
        good_reads=3,
        max_pulses=10,
        row_mV=1500,
        row_step_mV=100,
        row_to_mV=2000,
        select_mV=3300,
        width_ns=50,
        settle_ns=70,
        compliance_nA=60_000,
        budget_nA=1_000_000,
        guard_nS=200,
    ),
    PulseRecord(
        15, RESET, 0, max_pulses=7, col_mV=1800, col_step_mV=7, col_to_mV=-900, select_mV=3300, floating=7, width_ns=50
    ),
)
ROWS, COLS = 24, 48


def bool_maps(shape):
    """Dense, sparse, striped and uniform maps."""
    return st.one_of(
        hnp.arrays(bool, shape), hnp.arrays(bool, shape, fill=st.just(False)), st.just(np.ones(shape, bool))
    )


@st.composite
def tiles(draw, number, macro, row0, n_row, maps, kinds):
    """A tile in a horizontal band of its own, so that tiles never overlap. kinds: recipes that it may use."""
    level = draw(st.integers(0, 2))
    step = 2 if level else 1
    n_col = step * draw(st.integers(1, COLS // step))
    col0 = step * draw(st.integers(0, (COLS - n_col) // step))
    shape = (n_row, n_col)
    mask, bits, codes = None, 0, None
    if maps & 1:
        mask = draw(bool_maps(shape)).copy()
        if level == 1:
            mask[:, 1::2] &= ~mask[:, 0::2]
    if maps & 2:
        bits = draw(st.sampled_from([8, 16]))
        some = draw(hnp.arrays(np.dtype(f"u{bits // 8}"), shape, elements=st.integers(1, 2**bits - 1)))
        codes = np.where(mask, some, 0).astype(some.dtype)
    passes = []
    for _ in range(draw(st.integers(1, 3)) if maps & 4 else 0):
        kind = draw(st.sampled_from(kinds))
        cells = draw(bool_maps(shape))
        if mask is not None:  # the last pulse of a cell must agree with the mask
            cells = cells & (~mask if kind == 15 else mask)
        for _, others in passes if maps == 4 else ():  # each turns its cells over, once
            cells = cells & ~others
        passes.append((kind, cells))
    codes_fields = (bits, draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 2**32 - 1))) if bits else (0, 0, 0)
    off_max = draw(st.integers(0, 2**32 - 2))
    on_min = draw(st.integers(off_max + 1, 2**32 - 1))
    return TileProgram(
        number, macro, row0, col0, n_row, n_col, level, on_min, off_max, mask, *codes_fields, codes, tuple(passes)
    )


@st.composite
def programs(draw):
    """Any program: every state before, every set of maps, any number of tiles, any record size."""
    macros = draw(st.integers(1, 3))
    before = draw(st.sampled_from(sorted(table.BEFORE)))
    maps = draw(st.sampled_from(table.MAPS_ALLOWED[before]))
    forming = before == "unformed" and maps == 4
    made, number, row = [], -1, [0] * macros
    for _ in range(draw(st.integers(1, 3)) if maps else 0):
        number = draw(st.integers(number + 1, min(number + 20, 65535)))
        macro = draw(st.integers(0, macros - 1))
        n_row = draw(st.integers(1, 8))
        made.append(draw(tiles(number, macro, row[macro], n_row, maps, [5] if forming else [5, 1, 15])))
        row[macro] += n_row
    keys = st.text("abcXYZ-_.!~", min_size=1, max_size=8)
    some = st.integers(0, 2**32 - 1)
    holds = before in ("programmed", "measured")
    return Program(
        draw(some),
        macros,
        ROWS,
        COLS,
        RECIPES[:2] if forming else RECIPES,
        tuple(made),
        draw(some),
        draw(st.integers(0, 1)),
        table.BEFORE[before],
        None if 0 < maps < 4 else draw(some) if holds else 0,
        draw(some) if before == "measured" else 0,
        draw(st.dictionaries(keys, st.text(max_size=12), max_size=3)),
        draw(st.sampled_from([100, 128, 1024, 4096])),
        draw(st.booleans()),
        draw(st.integers(0, 255)),
    )


def content(program):
    """Everything that a program says, comparable with ==."""
    fields = {name: value for name, value in vars(program).items() if name != "tiles"}
    if not program.tiles:
        fields.pop("directory")  # without tiles there is nothing to list
    return fields, [tile_content(tile) for tile in program.tiles]


def tile_content(tile):
    """The same of one tile."""
    fields = {name: value for name, value in vars(tile).items() if name not in ("mask", "codes", "passes")}
    maps = [tile.mask, tile.codes] + [cells for _, cells in tile.passes]
    fields["maps"] = [None if map_ is None else (map_.dtype.str, map_.tolist()) for map_ in maps]
    return dict(fields, recipes=[recipe for recipe, _ in tile.passes])

"""Program files of chips with dead lines: physical numbers throughout, and nothing on a dead line."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines
from minirram.chip.placement import place
from minirram.crossbar.macro import Macro
from minirram.device import pulses
from minirram.device.presets import TAOX_40NM
from minirram.device.thresholds import thresholds
from minirram.errors import ConfigError, DataError, ShapeError
from minirram.programming import dump, readback
from minirram.programming.build import build_program, increment, pulse_counts
from minirram.programming.results import WrongCell
from minirram.runs import train
from minirram.runs.chip_files import ChipFiles
from minirram.xbp import codec

from ..support.dead_lines import PAIRS, ROWS, after, case, cells_of, chip_lines, program_of, random_masks

levels, seeds = st.sampled_from(["pair", "cell"]), st.integers(0, 5)
SPARE = ChipLines(((0, 3), (0, 4), (2, 0)), ((0, 7), (1, 0), (4, 19)), "spare", ROWS, PAIRS)
SKIP = ChipLines(SPARE.dead_rows, SPARE.dead_cols, "skip", ROWS, PAIRS)


def expected_maps(made_case):
    """(mask: -1 where no matrix lies, partners, target_S) over the physical cells, by loops, from intact macros."""
    chip, model, masks = made_case.chip, made_case.model, made_case.masks
    limits, volts = thresholds(TAOX_40NM), made_case.config.forming_voltage_V
    shape = (chip.placement.n_macros, ROWS, 2 * PAIRS)
    seed, (macros, rows, cols) = made_case.config.recipe.chip_seed, shape
    intact = [Macro.sample(TAOX_40NM, seed, index=k, rows=rows, cols=cols) for k in range(macros)]
    mask, partners, target_S = np.full(shape, -1, np.int8), np.zeros(shape, bool), np.full(shape, np.nan)
    for name, row, col, minus, where in cells_of(made_case):
        macro, cell = intact[where[0]], where[1:]
        sign = model.signs[name][row, col]
        if chip.level == "pair":
            partners[where] = sign == bool(minus)
            kept = masks[name][row, col] and not partners[where]
        else:
            kept = masks[name][minus, row, col]
        formed = macro.forming_V[cell] <= volts and macro.lrs_grid[cell] * 1e-9 >= limits.on_min_S
        mask[where] = kept and formed
        target_S[where] = macro.lrs_grid[cell] * 1e-9 if mask[where] else np.nan
    return mask, partners, target_S


@pytest.mark.slow
@given(chip_lines(), levels, seeds)
def test_a_program_names_the_cells_where_they_lie(lines, level, seed):
    made_case = case(lines, level, seed)
    made = codec.read(codec.write(program_of(made_case)))
    mask, partners, target_S = expected_maps(made_case)
    maps = dump.chip_maps(made)
    assert np.array_equal(maps["mask"], mask) and np.array_equal(maps["pass0-FORM"], mask >= 0)
    if level == "pair":
        assert np.array_equal(maps["pass1-RESET"], partners)
    last = maps["pass2-RESET" if level == "pair" else "pass1-RESET"]
    assert np.array_equal(last, (mask == 0) & ~partners)
    assert np.array_equal(np.isnan(maps["target_S"]), np.isnan(target_S))
    np.testing.assert_allclose(maps["target_S"][mask == 1], target_S[mask == 1], rtol=0.01, atol=0)


@given(chip_lines(), levels, seeds)
def test_no_tile_touches_a_dead_line(lines, level, seed):
    made = program_of(case(lines, level, seed))
    assert (made.rows, made.cols) == (ROWS, 2 * PAIRS)
    for tile in made.tiles:
        for macro, row in lines.dead_rows:
            assert tile.macro != macro or not tile.row0 <= row < tile.row0 + tile.n_row
        for macro, col in lines.dead_cols:
            assert tile.macro != macro or not tile.col0 // 2 <= col // 2 < (tile.col0 + tile.n_col) // 2


@pytest.mark.slow
@given(chip_lines(), levels, st.integers(0, 2**32 - 1))
def test_a_chip_after_its_program_verifies_and_answers_whatever_dead_lines_show(lines, level, seed):
    made_case = case(lines, level)
    chip, made = made_case.chip, program_of(made_case)
    now_S = after(made, chip)
    report = readback.verify(made, now_S)
    assert report.passed and report.checked == 2 * chip.placement.n_pairs
    cells = list(cells_of(made_case))
    planted = cells[seed % len(cells)][-1]
    shown, on = now_S.copy(), now_S[planted] > 5e-6
    shown[planted] = 0.5e-6 if on else 12e-6
    assert readback.verify(made, shown).cells == (WrongCell(*planted, "off" if on else "on"),)
    chip.replace_conductances(np.nan_to_num(shown))
    found = {name: chip.pair_grid(name) for name in chip.placement.names}
    for name, row, col, minus, where in cells:
        assert found[name][minus][row, col] == np.rint(shown[where] * 1e9)


@given(chip_lines(), levels, seeds)
def test_an_increment_pulses_the_cells_that_differ_where_they_lie(lines, level, seed):
    made_case = case(lines, level)
    old, new = program_of(made_case), program_of(made_case, random_masks(made_case.chip, seed, "new"))
    before, now = (dump.chip_maps(made)["mask"] for made in (old, new))
    step = increment(old, new)
    pulsed = {kind: np.zeros(now.shape, bool) for kind in ("SET", "RESET")}
    for name, cells in dump.chip_maps(step).items():
        if name.startswith("pass"):
            pulsed[name.split("-")[1]] |= cells
    assert np.array_equal(pulsed["SET"], (before == 0) & (now == 1))
    assert np.array_equal(pulsed["RESET"], (before == 1) & (now == 0))
    assert not increment(new, new).tiles


@pytest.mark.parametrize("lines", [SKIP, SPARE], ids=["skip", "spare"])
def test_a_small_case_by_hand(lines):
    made = program_of(case(lines))
    first = [(tile.row0, tile.n_row, tile.col0, tile.n_col) for tile in made.tiles if tile.macro == 0]
    # Macro 0 has lost rows 3 and 4 and the pair of column 7, macros 1 and 4 a pair each: 22 rows and 9 pairs are left.
    if lines.policy == "skip":
        rows, cols = {(0, 3), (5, 19)}, {(0, 6), (8, 12)}
    else:
        rows, cols = {(0, 3), (22, 2), (5, 17)}, {(0, 6), (18, 2), (8, 10)}
    assert {tile[:2] for tile in first} == rows and {tile[2:] for tile in first} == cols
    assert len(first) == len(rows) * len(cols)


def test_other_lines_are_another_chip_with_other_tiles():
    whole, skip, spare = (program_of(case(lines)) for lines in (ChipLines(rows=ROWS, pairs=PAIRS), SKIP, SPARE))
    with pytest.raises(ConfigError, match="chip_id differs"):
        increment(whole, skip)
    assert skip.chip_id == spare.chip_id  # the same lines are in use, in another order
    with pytest.raises(ConfigError, match="do not have the same tiles"):
        increment(skip, spare)


def test_the_placement_of_a_whole_chip_stays_as_it_is():
    chip = case(ChipLines(rows=ROWS, pairs=PAIRS)).chip
    assert chip.physical_placement() == chip.placement
    assert np.array_equal(chip.physical(chip.formed_S()), chip.formed_S())


@given(chip_lines())
def test_maps_of_the_chip_have_physical_numbers(lines):
    chip = case(lines).chip
    map_S = chip.physical(chip.formed_S(), 7.0)
    for index, macro in enumerate(chip.macros):
        dead = [row for where, row in lines.dead_rows if where == index]
        dead_cols = [2 * (col // 2) + k for where, col in lines.dead_cols if where == index for k in (0, 1)]
        assert (map_S[index, dead] == 7.0).all() and (map_S[index][:, dead_cols] == 7.0).all()
        assert np.count_nonzero(map_S[index] < 7.0) == macro.rows * macro.cols
        assert np.array_equal(macro.in_use(map_S[index]), chip.formed_S()[index])


def test_a_read_back_of_the_live_lines_alone_is_refused():
    chip = case(SKIP).chip
    made = program_of(case(SKIP))
    for check in (lambda: chip.replace_conductances(chip.formed_S()), lambda: readback.verify(made, chip.formed_S())):
        with pytest.raises(ShapeError, match=r"24, 20\)"):
            check()


def test_a_read_back_in_another_unit_is_still_one():
    made_case = case(SPARE)
    now_S = after(program_of(made_case), made_case.chip)
    with pytest.raises(DataError, match="is it in another unit"):
        readback.verify(program_of(made_case), now_S * 1e6)


def test_a_chip_in_more_pieces_than_a_file_numbers_is_refused():
    every_other = np.arange(512) * 2, np.arange(129) * 2
    cut = place((("fc", (512, 129)),), 512, macro_pairs=129).on_lines([every_other], macro_rows=1024, macro_pairs=258)
    on = np.zeros((1, 1024, 516), bool)
    with pytest.raises(ConfigError, match="66048 tiles, a program file holds 65536: dead lines part"):
        build_program(
            cut, on, level="cell", recipes=pulses.pulse_recipes(TAOX_40NM), limits=thresholds(TAOX_40NM), chip_id=1
        )


# -- measured maps ----------------------------------------------------------------------------------------------------


def measured_maps(count):
    random = np.random.default_rng(0)
    return [np.rint(random.uniform(9e3, 15e3, (ROWS, 2 * PAIRS))) * 1e-9 for _ in range(count)]


@pytest.mark.parametrize("lines", [SKIP, SPARE], ids=["skip", "spare"])
def test_a_measured_chip_keeps_its_numbers(lines, tmp_path):
    drawn, maps_S = case(lines), measured_maps(8)
    paths = [str(tmp_path / f"{k}.npy") for k in range(8)]
    for path, map_S in zip(paths, maps_S):
        np.save(path, map_S * 1e6)
    files = ChipFiles(tuple(paths), "uS")
    config = dataclasses.replace(drawn.config, **files.names())
    chip = train.make_chip(config, files)
    assert chip.placement == drawn.chip.placement
    made = program_of(drawn._replace(config=config, chip=chip))
    maps = dump.chip_maps(made)
    assert pulse_counts(made)["FORM"] == 0 and set(maps) >= {"pass0-RESET", "pass1-RESET"}
    cells = [where for *_, where in cells_of(drawn)]
    assert np.count_nonzero(maps["mask"] >= 0) == len(cells)
    for where in cells:
        assert maps["mask"][where] >= 0
        if maps["mask"][where]:
            assert maps["target_S"][where] == pytest.approx(maps_S[where[0]][where[1:]], rel=0.01, abs=0)


def test_a_measured_chip_of_another_size_than_its_lines_is_refused():
    shapes = case(SKIP).chip.placement.shapes
    with pytest.raises(ConfigError, match="macros of 512 rows and 256 pairs, maps of 24 x 20 cells: state rows and"):
        Chip.from_maps(TAOX_40NM, measured_maps(8), shapes=shapes, level="pair", seed=0, lines=ChipLines(((0, 3),)))
    with pytest.raises(ConfigError, match=r"macro 9: the chip has macros 0\.\."):
        Chip.from_maps(
            TAOX_40NM,
            measured_maps(8),
            shapes=shapes,
            level="pair",
            seed=0,
            lines=ChipLines(((9, 3),), (), "skip", ROWS, PAIRS),
        )
    with pytest.raises(ConfigError, match=r"macros of 22 x 18 cells, 2 map\(s\) were given"):
        Chip.from_maps(TAOX_40NM, measured_maps(2), shapes=shapes, level="pair", seed=0, lines=SKIP)

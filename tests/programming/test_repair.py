"""From any measured state to the masks in one pass, or the cells that cannot be brought there."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram.driver import programmer
from minirram.driver.journal import Journal
from minirram.driver.simulated import SimulatedDriver
from minirram.errors import ShapeError
from minirram.programming.readback import wrong_cells
from minirram.programming.repair import repair
from minirram.xbp import codec, digests

from ..support.benches import LIMITS, RECIPES
from ..support.stops import COLS, HEADER, ROWS, removed, small_chip, small_program

ALL = np.ones((ROWS, COLS), bool)
PRISTINE_MAX_S = 3e-7


def partial_state(macro, seed):
    """Leave the cells pristine, formed, on and off at random."""
    generator = np.random.default_rng(seed)
    bench = SimulatedDriver([macro])
    for call, recipe in (("form", "FORM"), ("reset", "RESET"), ("set", "SET"), ("reset", "RESET")):
        some = generator.random((ROWS, COLS)) < generator.random()
        getattr(bench, call)(0, some, replace(RECIPES[recipe], max_pulses=1))
    return bench


def formable(macro):
    """The cells that FORM turns on."""
    within = (macro.forming_V <= RECIPES["FORM"].row_V) & (macro.lrs_grid * 1e-9 >= LIMITS.on_min_S)
    return within[np.newaxis]


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), stuck=st.integers(0, 3))
def test_one_pass_leads_from_any_state_to_the_masks(tmp_path_factory, seed, stuck):
    path = str(tmp_path_factory.mktemp("repair") / "journal")
    macro, whole = small_chip(seed % 7, stuck=stuck), small_program(seed % 5)
    bench = partial_state(macro, seed)
    before_S = bench.read(0, ALL)[np.newaxis]
    made = repair(whole, before_S, formable=formable(macro), pristine_max_S=PRISTINE_MAX_S)
    assert codec.read(codec.write(made.program)).readback_id == digests.readback_id(before_S)
    assert made.program.new_state == whole.new_state
    with Journal(removed(path), HEADER) as journal:
        done = programmer.run(bench, made.program, journal)
    wrong = {cell.place for cell in wrong_cells(whole, programmer.read_back(bench, whole))}
    stuck_or_lost = {(0, *place) for place in np.argwhere(macro.stuck).tolist()} | {cell[:3] for cell in made.hopeless}
    assert wrong <= stuck_or_lost
    differs = {cell.place for cell in wrong_cells(whole, before_S)}
    assert {tuple(place) for place in np.argwhere(done.pulses).tolist()} <= differs


def test_a_chip_that_is_right_needs_no_program():
    macro, whole = small_chip(stuck=0), small_program()
    mask = whole.tiles[0].mask
    right_S = np.where(mask, 12e-6, 1e-6)[np.newaxis]
    made = repair(whole, right_S, formable=formable(macro), pristine_max_S=PRISTINE_MAX_S)
    assert made.program is None and made.hopeless == ()


def test_cells_that_no_program_helps_are_named():
    whole = small_program()
    mask = whole.tiles[0].mask
    row, col = np.argwhere(mask)[3].tolist()
    read_S = np.where(mask, 12e-6, 1e-6)[np.newaxis]
    able = np.ones_like(read_S, bool)
    read_S[0, row, col], able[0, row, col] = 1e-7, False
    read_S[0, 0, 0] = np.nan
    made = repair(whole, read_S, formable=able, pristine_max_S=PRISTINE_MAX_S)
    assert made.program is None
    assert set(made.hopeless) == {(0, row, col, "never formed"), (0, 0, 0, "not read")}
    with pytest.raises(ShapeError, match="the program is for"):
        repair(whole, read_S[:, :-1], formable=able, pristine_max_S=PRISTINE_MAX_S)

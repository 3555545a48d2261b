"""The macro: static variation, pulses, resume, maps, reads."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram import rng
from minirram.chip.chip import Chip
from minirram.crossbar.converters import Adc
from minirram.crossbar.macro import Macro
from minirram.crossbar.macro_state import chosen
from minirram.crossbar.region import Reading, Region
from minirram.crossbar.wires import Wires, column_currents_A, transfer_S
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DataError, ShapeError
from minirram.learn.recipe import Recipe
from minirram.tasks.labelled_data import LabelledData

from ..support.places import data_folder

REDRAW = dataclasses.replace(TAOX_40NM, re_set="redraw")


def small(model=TAOX_40NM, seed=5, index=2, rows=12, cols=8):
    return Macro.sample(model, seed, index=index, rows=rows, cols=cols)


def formed(model=TAOX_40NM, **options):
    macro = small(model, **options)
    macro.form(10.0)
    return macro


def same_state(a, b):
    a, b = a.state(), b.state()
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_static_variation_is_named_not_ordered():
    first = small(index=0), small(index=1)
    second = small(index=1), small(index=0)
    assert same_state(first[0], second[1]) and same_state(first[1], second[0])
    assert not np.array_equal(first[0].on_grid, first[1].on_grid)
    assert not np.array_equal(first[0].on_grid, small(index=0, seed=6).on_grid)


def test_grids_are_integers_and_off_never_above_on():
    macro = Macro.sample(TAOX_40NM, 1)
    assert macro.on.shape == (512, 512)
    for grid in (macro.on_grid, macro.off_grid):
        assert grid.dtype == np.float32 and np.array_equal(grid, np.rint(grid))
    assert np.all(macro.off_grid <= macro.on_grid)


def test_forming_follows_the_forming_voltages():
    macro = small()
    assert np.all(macro.conductance_grid() == 100.0)  # pristine: 0.1 uS on a grid of 1 nS
    pulses = macro.form(3.43)
    assert pulses == macro.on.size == macro.pulses["form"]
    assert np.array_equal(macro.formed, macro.forming_V <= 3.43) and np.array_equal(macro.on, macro.formed)
    assert 0.2 < macro.formed.mean() < 0.8
    assert np.array_equal(macro.conductance_grid(), np.where(macro.formed, macro.lrs_grid, np.float32(100)))


def test_form_only_the_given_cells():
    macro = small()
    cells = np.zeros(macro.on.shape, bool)
    cells[3] = True
    assert macro.form(10.0, cells) == cells.sum()
    assert np.array_equal(macro.formed, cells)


@given(st.integers(0, 2**32 - 1))
def test_pulses_against_a_loop(seed):
    """SET and RESET of random cells, cell by cell."""
    generator = np.random.default_rng(seed)
    macro = small(rows=5, cols=4)
    macro.form(3.45)
    on, writes = macro.on.copy(), np.zeros(macro.on.shape, int)
    for kind in ("reset", "set", "reset", "set"):
        cells = generator.random(macro.on.shape) < 0.5
        assert getattr(macro, kind)(cells) == cells.sum()
        for row, col in np.argwhere(cells):
            writes[row, col] += 1
            if macro.formed[row, col]:
                on[row, col] = kind == "set"
    assert np.array_equal(macro.on, on) and np.array_equal(macro.writes, writes)
    assert macro.pulses["set"] + macro.pulses["reset"] == writes.sum()
    deviation = np.abs(macro.on_grid / macro.lrs_grid - 1)
    assert deviation.max() <= 0.003 + 1e-4
    expected = np.where(on, macro.on_grid, macro.off_grid)
    assert np.array_equal(macro.conductance_grid(), np.where(macro.formed, expected, np.float32(100)))


def test_map_and_indices_are_the_same_pulse():
    by_map, by_index = formed(), formed()
    cells = np.zeros(by_map.on.shape, bool)
    cells.reshape(-1)[[1, 17, 40]] = True
    for macro, which in ((by_map, cells), (by_index, np.array([1, 17, 40]))):
        assert macro.reset(which) == 3 and macro.set(which) == 3
    assert same_state(by_map, by_index)


def test_replay_returns_to_the_first_value_and_redraw_does_not():
    cells = np.ones((12, 8), bool)
    for model, is_near in ((TAOX_40NM, True), (REDRAW, False)):
        macro = formed(model)
        for _ in range(20):
            macro.reset(cells)
            macro.set(cells)
        change = np.abs(macro.on_grid / macro.lrs_grid - 1)
        assert (change.max() < 0.0035) == is_near
        assert change.max() > 0


def test_redraw_draws_the_off_state_anew():
    cells = np.ones((12, 8), bool)
    for model, changes in ((TAOX_40NM, False), (REDRAW, True)):
        macro = formed(model)
        before = macro.off_grid.copy()
        macro.reset(cells)
        assert np.array_equal(before, macro.off_grid) != changes
        assert np.all(macro.off_grid <= macro.on_grid)


def test_set_on_a_cell_that_is_on_changes_nothing():
    macro = formed()
    before = macro.on_grid.copy()
    macro.set(np.ones(macro.on.shape, bool))
    assert np.array_equal(before, macro.on_grid)


@given(st.integers(0, 3))
def test_resume_is_bit_exact(stop):
    """A macro rebuilt from its state goes on as if it had never stopped."""
    generator = np.random.default_rng(7)
    steps = [generator.random((12, 8)) < 0.4 for _ in range(4)]
    straight, broken = formed(), formed()
    for k, cells in enumerate(steps):
        if k == stop:
            broken = Macro.from_state(TAOX_40NM, broken.state())
        for macro in (straight, broken):
            macro.reset(cells)
            macro.set(cells[::-1])
    assert same_state(straight, broken)


def test_state_is_a_copy_on_load():
    macro = formed()
    state = {name: array.copy() for name, array in macro.state().items()}
    loaded = Macro.from_state(TAOX_40NM, state)
    loaded.reset(np.ones(macro.on.shape, bool))
    assert state["on"].all()


def test_from_state_refuses_a_damaged_state():
    state = formed().state()
    del state["on_grid"]
    with pytest.raises(DataError, match="lacks on_grid"):
        Macro.from_state(TAOX_40NM, state)
    state = formed().on_lines(np.arange(4), np.arange(6)).state()
    state["row_map"] = np.arange(5)
    with pytest.raises(DataError, match="line maps"):
        Macro.from_state(TAOX_40NM, state)
    for change in (
        {"row_map": np.array([0, 1, 2, 99])},
        {"row_map": np.array([0, 1, 2, -1])},
        {"row_map": np.array([0, 1, 2, 2])},
        {"col_map": np.arange(6.0)},
        {"physical_shape": np.array([12])},
        {"col_map": None},
    ):
        state = dict(formed().on_lines(np.arange(4), np.arange(6)).state(), **change)
        with pytest.raises(DataError, match="line maps|holds row_map"):
            Macro.from_state(TAOX_40NM, {name: array for name, array in state.items() if array is not None})
    for cols in ([0, 1, 3, 2, 4, 5], [1, 2, 3, 4, 6, 7], [0, 1, 2, 3, 4, 7]):
        state = dict(formed().on_lines(np.arange(4), np.arange(6)).state(), col_map=np.array(cols))
        with pytest.raises(DataError, match="columns of a pair together"):
            Macro.from_state(TAOX_40NM, state)
    state = formed().state()
    state["formed"] = np.zeros((3, 2), bool)
    with pytest.raises(DataError, match="differ in shape"):
        Macro.from_state(TAOX_40NM, state)
    for name, value in (("seed", np.arange(2)), ("pulses/set", np.float64(1.0))):
        with pytest.raises(DataError, match=f"count {name}"):
            Macro.from_state(TAOX_40NM, dict(formed().state(), **{name: value}))
    aged = formed(RELAXING)
    aged.age(1.0)
    state = aged.state()
    del state["drift_normal"]
    with pytest.raises(DataError, match="has aged lacks drift_normal"):
        Macro.from_state(RELAXING, state)


def test_stuck_cells_answer_to_nothing():
    model = dataclasses.replace(TAOX_40NM, stuck_lrs=0.1, stuck_hrs=0.2)
    macro = Macro.sample(model, 3, index=0, rows=200, cols=200)
    assert abs(macro.stuck.mean() - 0.3) < 0.01
    everything = np.ones(macro.on.shape, bool)
    macro.form(10.0)
    for pulse in (macro.set, macro.reset, macro.set):
        pulse(everything)
        assert abs(macro.on[macro.stuck].mean() - 1 / 3) < 0.02
    macro.reset(everything)
    assert not macro.on[~macro.stuck].any()


def test_faults_from_maps():
    macro = small()
    lrs, hrs = np.zeros(macro.on.shape, bool), np.zeros(macro.on.shape, bool)
    lrs[0, :3], hrs[1, :2] = True, True
    macro.stick(lrs, hrs)
    macro.form(10.0)
    macro.reset(np.ones(macro.on.shape, bool))
    assert np.array_equal(macro.on, lrs)
    macro.set(np.ones(macro.on.shape, bool))
    assert np.array_equal(macro.on, ~hrs) and np.array_equal(macro.stuck, lrs | hrs)
    for maps in ((lrs, lrs), (lrs[:2], None), (lrs.astype(int), None)):
        with pytest.raises(ShapeError, match="bool maps"):
            small().stick(*maps)


def test_an_unformed_cell_of_a_map_that_sticks_conducts():
    map_S = np.full((12, 8), 1e-6)
    map_S[:4] = 0.0
    macro = Macro.from_map(TAOX_40NM, map_S, seed=1)
    lrs = np.zeros(map_S.shape, bool)
    lrs[3:5] = True
    macro.stick(lrs)
    assert np.all(macro.conductance_S()[3] > 5e-6) and len(np.unique(macro.on_grid[3])) > 4
    assert np.all(macro.conductance_grid()[4] == 1000.0)  # the map says what this row conducts
    assert same_state(macro, Macro.from_state(TAOX_40NM, macro.state()))


def test_maps_have_the_stuck_cells_of_their_technology():
    model = dataclasses.replace(TAOX_40NM, stuck_lrs=0.1, stuck_hrs=0.2)
    map_S = np.full((100, 100), 10e-6)
    map_S[::2] = 0.0
    macro, drawn = Macro.from_map(model, map_S, seed=3), Macro.sample(model, 3, index=0, rows=100, cols=100)
    assert np.array_equal(macro.stuck, drawn.stuck) and 0.27 < macro.stuck.mean() < 0.33
    macro.reset(np.ones(map_S.shape, bool))
    assert np.array_equal(macro.on, drawn.on) and np.all(macro.conductance_S()[macro.on] > 4e-6)


RELAXING = dataclasses.replace(
    TAOX_40NM, relaxation_std_S=0.5e-6, relaxation_mean_S=-0.2e-6, relaxation_time_s=100.0, relaxation_per_decade=0.2
)


def test_relaxation_has_its_mean_and_spread_and_follows_the_logarithm_of_time():
    macro = formed(RELAXING, rows=200, cols=200)
    programmed_S = macro.conductance_S()
    changes = []
    for seconds in (100.0, 900.0):  # 100 s, then 1000 s in all
        macro.age(seconds)
        changes.append((macro.conductance_S() - programmed_S) / np.minimum(programmed_S / RELAXING.lrs_median_S, 1))
    assert np.isclose(changes[0].std(), 0.5e-6, rtol=0.02, atol=0)
    assert np.isclose(changes[0].mean(), -0.2e-6, rtol=0.05, atol=0)
    assert np.allclose(changes[1], 1.2 * changes[0], rtol=0, atol=4e-9)  # the same cells, one decade later


def test_age_adds_up_and_programming_starts_it_anew():
    cells = np.zeros((12, 8), bool)
    cells[2] = True
    once, twice = formed(RELAXING), formed(RELAXING)
    once.age(50.0)
    for _ in range(2):
        twice.age(25.0)
    assert np.array_equal(once.conductance_grid(), twice.conductance_grid())
    once.reset(cells)
    once.set(cells)
    fresh = once.on_grid[cells]
    assert np.array_equal(once.conductance_grid()[cells], fresh)
    once.age(50.0)
    assert not np.array_equal(once.conductance_grid()[cells], fresh)


def test_an_aged_macro_resumes_bit_for_bit():
    straight = formed(RELAXING)
    straight.age(30.0)
    broken = Macro.from_state(RELAXING, straight.state())
    for macro in (straight, broken):
        macro.reset(np.arange(40))
        macro.set(np.arange(20))
        macro.age(10.0)
    assert same_state(straight, broken)
    assert np.array_equal(straight.conductance_grid(), broken.conductance_grid())


def test_drift_is_a_power_law_and_heat_speeds_it_up():
    model = dataclasses.replace(TAOX_40NM, drift_exponent=0.05, drift_start_s=20.0, activation_eV=0.5)
    macro = formed(model)
    programmed_S = macro.conductance_S()
    macro.age(10.0)
    assert np.array_equal(macro.conductance_S(), programmed_S)  # before the first read nothing is known
    macro.age(1990.0)
    assert np.allclose(macro.conductance_S(), programmed_S * 100.0**-0.05, rtol=0, atol=0.6e-9)
    hot = formed(model)
    factor = np.exp(0.5 * 1.602176634e-19 / 1.380649e-23 * (1 / 300 - 1 / 400))
    hot.age(2000.0 / factor, temperature_K=400.0)
    assert np.allclose(hot.conductance_S(), macro.conductance_S(), rtol=0, atol=1.01e-9)


def test_pristine_cells_do_not_age():
    macro = small(RELAXING)
    macro.age(1e6)
    assert np.all(macro.conductance_grid() == 100.0)


def test_impossible_ages():
    with pytest.raises(ConfigError, match="neither drift nor relaxation"):
        formed().age(1.0)
    with pytest.raises(ConfigError, match="0 or more"):
        formed(RELAXING).age(-1.0)
    with pytest.raises(ConfigError, match="temperature"):
        formed(RELAXING).age(1.0, temperature_K=0.0)


def test_endurance_limit_freezes_a_cell():
    model = dataclasses.replace(TAOX_40NM, endurance_cycles=3)
    macro = formed(model)
    cells = np.zeros(macro.on.shape, bool)
    cells[0, 0] = True
    for _ in range(3):
        macro.reset(cells)
        macro.set(cells)
    assert macro.on[0, 0] and not macro.stuck[0, 0]
    macro.reset(cells)
    assert macro.on[0, 0] and macro.stuck[0, 0] and macro.stuck.sum() == 1


def test_tuning_reaches_the_target_within_its_error():
    macro = formed(rows=200, cols=200)
    pulses = macro.tune(np.ones(macro.on.shape, bool), 10e-6)
    assert pulses == 40_000 == macro.pulses["tune"]
    reached_S = macro.conductance_S()
    assert abs(reached_S.mean() - 10e-6) < 5 * 0.54e-6 / 200
    assert np.isclose(reached_S.std(), 0.54e-6, rtol=0.02, atol=0)


def test_tuning_error_relative_to_the_target():
    macro = formed(dataclasses.replace(TAOX_40NM, tuning_std_S=0.3e-6), rows=200, cols=200)
    macro.tune(np.ones(macro.on.shape, bool), 10e-6, relative_error=0.04)
    assert np.isclose(macro.conductance_S().std(), 0.4e-6, rtol=0.02, atol=0)  # in place of the model's own


def test_tuning_with_one_target_per_cell():
    exact = dataclasses.replace(TAOX_40NM, tuning_std_S=0.0)
    macro = formed(exact)
    macro.tune(np.array([9, 3]), np.array([5e-6, 6e-6]))
    assert macro.conductance_grid().reshape(-1)[[9, 3]].tolist() == [5000.0, 6000.0]


def test_clipping_is_counted():
    large = dataclasses.replace(TAOX_40NM, lrs_median_S=32e-6)
    macro = Macro.sample(large, 1)
    assert macro.clipped > 0
    assert macro.on_grid.max() == TAOX_40NM.grid_max(512)


def test_read_noise_has_its_law_and_is_fresh():
    macro = formed()
    generator = rng.stream(1, "read")
    reads = np.stack([macro.read_S(generator) for _ in range(4000)])
    truth = macro.conductance_S()
    ratio = reads.std(axis=0) / (0.0065 * truth)
    assert np.allclose(ratio, 1, atol=6 / np.sqrt(8000))
    assert np.allclose(reads.mean(axis=0), truth, rtol=6 * 0.0065 / np.sqrt(4000), atol=0)


def test_at_a_prompt_each_thing_is_one_line_with_its_numbers():
    macro = Macro.sample(TAOX_40NM, 3, rows=4, cols=8)
    assert repr(macro) == "<Macro 0: 4 x 8 cells of taox-40nm, seed 3; 0 formed, 0 on, 0 stuck>"
    macro.form()
    macro.reset(np.arange(32).reshape(4, 8) < 10)
    assert "32 formed, 22 on, 0 stuck" in repr(macro)
    assert repr(TAOX_40NM).startswith("<CellModel taox-40nm: on 12.2 uS, off 1 uS, spread of ln G 0.1474 and 0.5")
    chip = Chip.sample(TAOX_40NM, (("fc", (4, 2)),), level="pair", seed=0)
    assert repr(chip) == "<Chip: 1 macro of 512 x 512 cells of taox-40nm, 8 weights at pair level>"
    data = LabelledData.split(np.zeros((40, 3)), np.arange(40) % 2)
    assert repr(data.test) == "<Dataset: 6 of 3 float32, 2 classes; arrays of the caller>"
    assert "array(" not in repr(data)


def test_a_measured_map_becomes_a_macro():
    measured = np.loadtxt(str(data_folder("devices", "random_conductance_50x50.csv")), delimiter=",") * 1e-6
    macro = Macro.from_map(TAOX_40NM, measured, seed=1)
    assert macro.on.shape == (50, 50)
    assert np.array_equal(macro.formed, measured > 0)
    on = measured > 0
    assert np.allclose(macro.conductance_S()[on], measured[on], rtol=0, atol=0.5001e-9)
    macro.form(100.0)
    assert np.array_equal(macro.formed, on)
    larger = Macro.from_map(TAOX_40NM, measured, seed=1, rows=64, cols=128)
    assert larger.on.shape == (64, 128) and larger.formed.sum() == on.sum()


@pytest.mark.parametrize(
    "values, error, message",
    [
        ([[1e-6, np.nan]], DataError, "row 0, column 1 is not a number"),
        ([[1e-6, np.inf]], DataError, "not a number"),
        ([[-1e-6, 1e-6]], DataError, "negative"),
        ([[12.0, 1e-6]], DataError, "is the unit right"),
        ([1e-6, 1e-6], ShapeError, "axes"),
        ([[1e-6, 1e-6, 1e-6]], ShapeError, "even number"),
    ],
)
def test_hostile_maps(values, error, message):
    with pytest.raises(error, match=message):
        Macro.from_map(TAOX_40NM, np.array(values), seed=1)


def test_a_map_larger_than_the_macro():
    with pytest.raises(ShapeError, match="does not fit"):
        Macro.from_map(TAOX_40NM, np.full((10, 10), 1e-6), seed=1, rows=8, cols=8)


@pytest.mark.parametrize(
    "cells", [np.zeros((3, 3), bool), np.array([0, 0]), np.array([96]), np.array([-1]), np.array([0.5])]
)
def test_wrong_cells_are_refused(cells):
    with pytest.raises(ShapeError):
        formed().set(cells)


def test_multiply_is_the_crossbar_product_of_a_region():
    macro = formed()
    macro.reset(np.arange(0, 96, 5))
    codes = np.random.default_rng(1).integers(0, 16, (5, 6)).astype(np.uint8)
    region, adc = Region(slice(3, 9), slice(2, 8)), Adc(24, 1.0)
    y, saturated = macro.multiply(codes, region, input_bits=4, adc=adc)
    cells_grid = macro.conductance_grid()[3:9, 2:8].astype(np.int64)
    assert np.array_equal(y, codes.astype(np.int64) @ (cells_grid[:, 0::2] - cells_grid[:, 1::2])) and saturated == 0


def test_noise_of_products_has_the_read_noise_of_the_cells():
    macro = formed()
    region, n = Region(slice(0, 12), slice(0, 8)), 20_000
    noise = macro.read_noise(9, region)
    codes = np.full((n, 12), 1, np.uint8)
    y, _ = macro.multiply(codes, region, input_bits=1, adc=Adc(24, 1.0), reading=Reading(noise))
    assert noise.position == n
    variance = (0.0065 * macro.conductance_grid().astype(np.float64)) ** 2
    predicted = (variance[:, 0::2] + variance[:, 1::2]).sum(axis=0)
    assert np.allclose(y.var(axis=0) / predicted, 1, atol=5 * np.sqrt(2 / n))
    again, _ = macro.multiply(
        codes[:50], region, input_bits=1, adc=Adc(24, 1.0), reading=Reading(macro.read_noise(9, region))
    )
    assert np.array_equal(again, y[:50])


def leak_lsb(macro, adc):
    """Largest reading per plane, in LSB, that each fully pruned pair of columns can give: its off cells differ."""
    difference = np.subtract(*(macro.conductance_grid()[:, k::2].astype(np.float64) for k in (0, 1)))
    both = np.maximum(difference, 0).sum(axis=0), np.maximum(-difference, 0).sum(axis=0)
    return np.maximum(*both) / float(adc.tile_lsb)


@given(st.integers(0, 2**32 - 1))
def test_a_pruned_column_leaks_no_more_than_its_off_cells_differ(seed):
    """The bound is reached by the worst input, never passed, and below half an LSB nothing is read."""
    macro = Macro.sample(TAOX_40NM, seed, index=0, rows=10, cols=6)
    macro.form(3.5)
    macro.reset(np.ones(macro.on.shape, bool))
    region = Region(slice(0, 10), slice(0, 6))
    off = macro.conductance_grid()
    worst = np.concatenate([(off[:, 0::2] > off[:, 1::2]).T, (off[:, 0::2] < off[:, 1::2]).T])
    codes = worst.astype(np.uint8)
    y, _ = macro.multiply(codes, region, input_bits=1, adc=Adc(24, 1.0))
    leak = leak_lsb(macro, Adc(24, 1.0))
    assert np.array_equal(np.abs(y).max(axis=0), leak)
    coarse = Adc(8, float(leak.max() / 0.49))
    assert leak_lsb(macro, coarse).max() < 0.5
    assert not macro.multiply(codes, region, input_bits=1, adc=coarse)[0].any()


def test_ir_drop_is_an_option_of_multiply():
    macro = formed()
    codes = np.random.default_rng(1).integers(0, 16, (5, 6)).astype(np.uint8)
    region, adc = Region(slice(3, 9), slice(2, 8)), Adc(24, 1.0)
    lines = Wires(100.0, 100.0)
    driven_V = np.zeros((5, 12))
    driven_V[:, 3:9] = codes
    grid = column_currents_A(macro.conductance_S(), driven_V, wires=lines)[:, 2:8] / 1e-9
    y, _ = macro.multiply(codes, region, input_bits=4, adc=adc, reading=Reading(wires=lines))
    expected = grid[:, 0::2] - grid[:, 1::2]
    assert np.abs(y - expected).max() <= 6 * 15  # half a grid unit per cell and code
    ideal, _ = macro.multiply(codes, region, input_bits=4, adc=adc)
    assert np.abs(ideal - expected).max() > 6 * 15
    macro.reset(np.arange(96))
    later, _ = macro.multiply(codes, region, input_bits=4, adc=adc, reading=Reading(wires=lines))
    assert not np.array_equal(later, y)
    nothing, _ = macro.multiply(codes, region, input_bits=4, adc=adc, reading=Reading(wires=Wires(0.0, 0.0)))
    assert np.array_equal(nothing, macro.multiply(codes, region, input_bits=4, adc=adc)[0])


def test_ir_drop_sees_cells_where_they_are():
    macro = formed()
    rows, cols = np.array([0, 9, 2, 3]), np.array([0, 1, 6, 7])
    some = macro.on_lines(rows, cols)
    assert np.array_equal(some.on_grid, macro.on_grid[np.ix_(rows, cols)])
    lines = Wires(50.0, 50.0)
    alone_S = np.zeros((12, 8))
    alone_S[np.ix_(rows, cols)] = some.conductance_S()
    expected_S = transfer_S(alone_S, lines, rows=slice(None), cols=slice(None), tolerance=1e-7, threads=1)[
        np.ix_(rows, cols)
    ]
    for macro_again in (some, Macro.from_state(TAOX_40NM, some.state())):
        found_grid = macro_again.effective_grid(wires=lines, region=None)
        assert np.abs(found_grid - expected_S / 1e-9).max() <= 0.51


def test_regions_are_whole_pairs():
    macro = small()
    region = Region(slice(2, 7), slice(2, 8))
    macro.check(region)
    assert region.shape == (5, 6) and hash(region) == hash(Region(slice(2, 7), slice(2, 8)))
    for rows, cols in (((0, 13), (0, 8)), ((0, 4), (1, 5)), ((0, 4), (0, 3)), ((4, 4), (0, 2))):
        rows, cols = slice(*rows), slice(*cols)
        with pytest.raises(ConfigError, match="no region"):
            macro.check(Region(rows, cols))


def test_forming_without_a_voltage_takes_the_share_of_a_recipe():
    named, plain = (Macro.sample(TAOX_40NM, seed=4, rows=128, cols=256) for _ in range(2))
    named.form(TAOX_40NM.forming_voltage_V(Recipe().formed_share))
    plain.form()
    np.testing.assert_array_equal(named.formed, plain.formed)
    assert plain.formed.mean() > 0.999


@pytest.mark.parametrize("arrangement", ["pair", "polarity"])
def test_a_calibrated_converter_is_filled_by_the_largest_current_and_never_saturates(arrangement):
    macro = Macro.sample(TAOX_40NM, seed=4, rows=32, cols=8)
    macro.form()
    adc = macro.calibrated_adc(bits=8, arrangement=arrangement)
    grid = macro.conductance_grid().astype(float)
    largest = grid[:, 0::2] - grid[:, 1::2]
    rows = [(side > 0) for pair in largest.T for side in (pair, -pair)] + [np.ones(32, bool)]
    codes = np.array(rows, np.uint8)
    y, saturated = macro.multiply(codes, input_bits=1, adc=adc)
    assert saturated == 0
    if arrangement == "pair":
        assert np.abs(y).max() == adc.top
    else:
        assert np.rint(grid.sum(axis=0).max() / adc.lsb) == adc.top


def test_a_product_without_a_region_is_that_of_the_whole_macro():
    macro = Macro.sample(TAOX_40NM, seed=4, rows=32, cols=8)
    macro.form()
    codes = np.random.default_rng(0).integers(0, 16, (5, 32)).astype(np.uint8)
    adc = macro.calibrated_adc(bits=10)
    whole, _ = macro.multiply(codes, macro.whole, input_bits=4, adc=adc)
    np.testing.assert_array_equal(macro.multiply(codes, input_bits=4, adc=adc)[0], whole)
    half = Region(slice(0, 16), slice(2, 6))
    assert macro.calibrated_adc(bits=10, region=half).lsb < adc.lsb


@given(st.integers(0, 2**32 - 1), st.floats(3.2, 3.7), st.booleans())
def test_a_chip_as_read_back_keeps_its_states_until_they_are_pulsed(seed, voltage_V, ages):
    """Every cell conducts what was read; forming, states and the as-formed map, which names a chip, stay."""
    draw = np.random.default_rng(seed)
    macro = Macro.sample(RELAXING if ages else TAOX_40NM, seed % 1000, rows=6, cols=8)
    macro.form(voltage_V)
    macro.reset(draw.random(macro.on.shape) < 0.5)
    if ages:
        macro.age(1e4)
    before = {name: np.array(array) for name, array in macro.state().items()}
    as_formed = np.where(before["formed"], before["lrs_grid"], macro.pristine_grid)
    read_S = np.rint(draw.uniform(0.0, 20e3, macro.on.shape)) * 1e-9
    macro.replace_conductances(read_S)
    assert np.array_equal(np.rint(macro.conductance_S() * 1e9), np.rint(read_S * 1e9))
    assert np.array_equal(macro.on, before["on"])
    assert np.array_equal(np.where(macro.formed, macro.lrs_grid, macro.pristine_grid), as_formed)
    assert macro.pulses == {kind: int(before["pulses/" + kind]) for kind in macro.pulses}
    off = before["formed"] & ~before["on"]
    macro.set(np.ones(macro.on.shape, bool))
    now = macro.conductance_grid()
    assert np.allclose(now[off], before["lrs_grid"][off], rtol=0.01, atol=1)  # replayed within the write noise
    assert np.array_equal(now[~off], np.rint(read_S * 1e9)[~off])


@given(st.integers(0, 2**32 - 1))
def test_chosen_has_the_bits_of_where(seed):
    generator = np.random.default_rng(seed)
    one, other = generator.integers(0, 2**32, (2, 6, 8), np.uint32).view(np.float32)  # NaN, infinities, -0 as well
    which = generator.random((6, 8)) < 0.5
    for part in (np.s_[:, :], np.s_[1:5, 2:7]):
        found = chosen(which[part], one[part], other=other[part])
        assert np.array_equal(found.view(np.uint32), np.where(which[part], one[part], other[part]).view(np.uint32))

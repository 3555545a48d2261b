"""What takes back a zero point comes from the conductances that the product used: wires, age, faults, dead lines."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines
from minirram.crossbar.conditions import Conditions
from minirram.crossbar.converters import Adc
from minirram.crossbar.macro import Macro
from minirram.crossbar.wires import Wires, transfer_S
from minirram.device.presets import TAOX_40NM
from minirram.inference.product import ChipProduct

AGEING = dataclasses.replace(TAOX_40NM, drift_exponent=0.05, drift_exponent_std=0.02, stuck_lrs=0.02, stuck_hrs=0.05)
SHAPES = (("wide", (30, 7)), ("small", (5, 3)))
LINES = ChipLines(((0, 2), (1, 7)), ((0, 3),), "skip", 20, 8)
GRID_S = TAOX_40NM.grid_S


def worn_chip(seed, age_s, faults):
    """A chip of several small macros with dead lines, some cells pruned, aged and stuck."""
    generator = np.random.default_rng(seed)
    chip = Chip.sample(AGEING, SHAPES, level="cell", seed=seed, lines=LINES)
    chip.form(3.6)
    masks = {name: generator.random((2,) + shape) < 0.5 for name, shape in SHAPES}
    chip.program(masks, dict.fromkeys(masks))
    if faults:
        chip.stick([(0, int(row), 5, bool(row % 2)) for row in generator.integers(0, 20, 6)])
    chip.age(age_s)
    return chip


def seen_grid(chip, wires):
    """The dense oracle: every cell of each physical array as its row and column see it, grid units, not rounded."""
    grids = []
    for macro in chip.macros:
        array_S = np.zeros(macro.physical_shape)
        array_S[np.ix_(*macro.line_maps)] = macro.conductance_S()
        seen_S = (
            array_S
            if wires is None
            else transfer_S(array_S, wires, tolerance=1e-9, rows=slice(None), cols=slice(None), threads=1)
        )
        grids.append(seen_S[np.ix_(*macro.line_maps)] / GRID_S)
    return np.stack(grids)


@given(
    st.integers(0, 2**20),
    st.sampled_from([None, 0.5, 20.0]),
    st.sampled_from([0.0, 1e6]),
    st.booleans(),
    st.integers(1, 14),
)
def test_signed_inputs_are_those_of_a_dense_oracle(seed, ohm, age_s, faults, zero_point):
    """With an ADC of one grid unit all is exact: the product of the signed codes, and 0 for an input of zeros."""
    wires = None if ohm is None else Wires(ohm, ohm)
    chip = worn_chip(seed, age_s, faults)
    adcs, scales_S = dict.fromkeys(("wide", "small"), Adc(24, 1.0)), dict.fromkeys(("wide", "small"), 1e-6)
    product = ChipProduct(
        chip, adcs, input_bits=dict.fromkeys(adcs, 4), scales_S=scales_S, conditions=Conditions(wires=wires)
    )
    for name, (fan_in, _) in SHAPES:
        codes = np.random.default_rng(seed).integers(0, 16, (4, fan_in)).astype(np.uint8)
        codes[0] = zero_point
        plus, minus = chip.placement.gather(name, seen_grid(chip, wires))
        # Behind wires each cell is rounded to the grid, after a solve that is finer than it.
        near = 0.0 if wires is None else 15 * 0.7 * fan_in
        exact = (codes.astype(np.float64) - zero_point) @ (plus - minus)
        found = product(name, codes, zero_point) * (1e-6 / GRID_S)
        assert np.abs(found - exact).max() <= near + 1e-6 * np.abs(exact).max()
        assert not found[0].any()


def test_zero_points_behind_wires_are_solved_on_the_threads_of_the_product(monkeypatch):
    told, sums = [], Macro.column_sums_grid

    def seen(self, region, wires, *, threads):
        told.append(threads)
        return sums(self, region, wires, threads=threads)

    monkeypatch.setattr(Macro, "column_sums_grid", seen)
    adcs, ones = dict.fromkeys(("wide", "small"), Adc(8, 9.0)), dict.fromkeys(("wide", "small"), 1e-6)
    bits, behind = dict.fromkeys(adcs, 4), Conditions(wires=Wires(1.0, 1.0))
    product = ChipProduct(worn_chip(1, 0.0, False), adcs, input_bits=bits, scales_S=ones, threads=3, conditions=behind)
    product("small", np.zeros((1, 5), np.uint8), 8)
    assert set(told) == {3}


@pytest.mark.parametrize("model", ["solve", "reduced"])
def test_a_signed_zero_reads_zero_behind_wires(model):
    """1 ohm per cell on a whole macro: an input of zeros reads what the conversions round, far below the signals."""
    shapes, rows, zero_point = (("w", (256, 40)),), 256, 8
    chip = Chip.sample(TAOX_40NM, shapes, level="cell", seed=1, lines=ChipLines(rows=rows, pairs=40))
    chip.form(3.9)
    chip.program({"w": np.random.default_rng(1).random((2, rows, 40)) < 0.5}, {"w": None})
    adc, wires = Adc(14, 80.0), Wires(1.0, 1.0, model)
    product = ChipProduct(
        chip, {"w": adc}, input_bits={"w": 4}, scales_S={"w": 1e-6}, conditions=Conditions(wires=wires)
    )
    codes = np.random.default_rng(2).integers(0, 16, (50, rows)).astype(np.uint8)
    codes[0] = zero_point
    y = product("w", codes, zero_point) * (1e-6 / GRID_S / adc.lsb)  # in LSB
    signal = y[1:].std()
    assert np.abs(y[0]).max() <= zero_point / 2 + 1 < 0.01 * signal
    ideal_sums = chip.column_sums_lsb("w", adc, wires=None)
    assert np.abs(zero_point * (chip.column_sums_lsb("w", adc, wires=wires) - ideal_sums)).max() > 0.3 * signal

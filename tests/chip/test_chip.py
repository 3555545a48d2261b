"""A chip: the flow of pulses, masks on cells against loops, the read-out's law, weights' scale."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.chip.chip import PULSES, Chip
from minirram.chip.levels import cells_on, check_level, draw_signs, kept_weights, mask_shape, weight_scale_S
from minirram.crossbar.macro import Macro
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DataError, ShapeError

SHAPES = (("a", (30, 7)), ("b", (5, 4)))


def formed_chip(level="pair", model=TAOX_40NM, seed=1, volts=3.95):
    chip = Chip.sample(model, SHAPES, level=level, seed=seed)
    chip.form(volts)
    return chip


def random_masks(chip, seed):
    generator = np.random.default_rng(seed)
    return {name: generator.random(mask_shape(chip.level, shape)) < 0.5 for name, shape in SHAPES}


def on_by_loops(chip, masks, signs):
    """Cells that should be on, cell by cell, from the definition of the two levels."""
    wanted = np.zeros(chip.used.shape, bool)
    for tile in chip.placement.tiles:
        for i in range(tile.n_rows):
            for k in range(tile.n_pairs):
                row, col = tile.row_start + i, tile.col_start + k
                if chip.level == "pair":
                    plus = masks[tile.matrix][row, col] and signs[tile.matrix][row, col]
                    minus = masks[tile.matrix][row, col] and not signs[tile.matrix][row, col]
                else:
                    plus, minus = masks[tile.matrix][:, row, col]
                wanted[tile.macro, tile.row0 + i, 2 * (tile.pair0 + k)] = plus
                wanted[tile.macro, tile.row0 + i, 2 * (tile.pair0 + k) + 1] = minus
    return wanted


@given(st.sampled_from(["pair", "cell"]), st.integers(0, 10))
def test_program_turns_on_exactly_the_kept_cells_and_counts_the_flips(level, seed):
    chip = formed_chip(level)
    signs = draw_signs(0, chip.placement)
    if level == "pair":
        chip.reset_partners(signs)
    before = np.stack([macro.on for macro in chip.macros])
    masks = random_masks(chip, seed)
    n_set, n_reset = chip.program(masks, signs)
    wanted = on_by_loops(chip, masks, signs)
    after = np.stack([macro.on for macro in chip.macros])
    assert np.array_equal(after & chip.used, wanted)
    assert n_set == np.count_nonzero(wanted & ~before)
    assert n_reset == np.count_nonzero(before & ~wanted & chip.used)
    assert chip.program(masks, signs) == (0, 0)
    again = random_masks(chip, seed + 100)
    flips = sum(np.count_nonzero(masks[name] != again[name]) for name in masks)
    assert sum(chip.program(again, signs)) == flips


def test_flow_of_pulses_at_pair_level():
    chip = formed_chip()
    used = 2 * (30 * 7 + 5 * 4)
    assert chip.pulses == dict(dict.fromkeys(PULSES, 0), form=used)
    signs = draw_signs(3, chip.placement)
    chip.reset_partners(signs)
    assert chip.pulses["partner_reset"] == used // 2 and chip.pulses["reset"] == 0
    off = np.stack([~macro.on for macro in chip.macros]) & chip.used
    assert np.array_equal(off, chip.partners(signs))


def test_unformed_cells_read_the_pristine_value_and_are_reported():
    chip = formed_chip(volts=3.4)
    bad = sum(
        not (macro.formed[row, 2 * pair] and macro.formed[row, 2 * pair + 1])
        for tile in chip.placement.tiles
        for macro in [chip.macros[tile.macro]]
        for row in range(tile.row0, tile.row0 + tile.n_rows)
        for pair in range(tile.pair0, tile.pair0 + tile.n_pairs)
    )
    assert 0 < bad == chip.unformed_pairs()
    pristine = ~chip.macros[0].formed
    assert np.allclose(chip.conductance_S()[0][pristine], TAOX_40NM.pristine_S, rtol=1e-12, atol=0)


def test_read_weights_follows_the_two_cells_law():
    """Mean and variance of many reads against G+ - G- and r^2 (G+^2 + G-^2); 4 standard errors."""
    chip = formed_chip("cell", replace(TAOX_40NM, read_noise=0.05))
    plus, minus = (part.astype(np.float64) * 1e-9 for part in chip.pair_grid("a"))
    generator = np.random.default_rng(5)
    n = 4000
    reads = np.stack([chip.read_weights("a", 1e-6, generator=generator) for _ in range(n)]).astype(np.float64)
    variance = (0.05**2 * (plus**2 + minus**2)) / 1e-12
    z = (reads.mean(0) - (plus - minus) / 1e-6) / np.sqrt(variance / n)
    assert np.abs(z).max() < 4.5 and abs(np.mean(z**2) - 1) < 0.4
    ratio = reads.var(0) / variance
    assert abs(ratio.mean() - 1) < 4 * np.sqrt(2 / n / ratio.size)
    assert np.allclose(chip.read_weights("a", 1e-6), (plus - minus) / 1e-6, rtol=1e-5, atol=0)


def test_weights_read_a_few_rows_at_a_time_have_the_bits_of_one_read(monkeypatch):
    chip, numbers = formed_chip(), np.random.default_rng(3)
    whole = chip.read_weights("a", 1e-6, generator=np.random.default_rng(3))
    monkeypatch.setattr("minirram.chip.chip.READ_CELLS", 4 * 7 + 1)
    assert np.array_equal(chip.read_weights("a", 1e-6, generator=numbers), whole)
    plus, minus = chip.pair_grid("a")
    noise = np.random.default_rng(3).standard_normal(plus.shape, dtype=np.float32)
    noise *= chip.cell_model.pair_read_std(plus, minus, unit_S=chip.cell_model.grid_S)
    assert np.array_equal(whole, (plus - minus + noise) * np.float32(chip.cell_model.grid_S / 1e-6))


@pytest.mark.parametrize("level", ["pair", "cell"])
@pytest.mark.parametrize("density", [0.3, 0.5])
def test_scale_gives_masked_weights_the_he_variance(level, density):
    generator = np.random.default_rng(0)
    fan_in = 400
    plus, minus = np.exp(generator.normal(np.log(12e-6), 0.147, (2, fan_in, 300)))
    sign = generator.random((fan_in, 300)) < 0.5
    kept_S = kept_weights(level, plus, minus=minus, sign=sign)
    scale_S = weight_scale_S(level, kept_S, density=density)
    mask = generator.random(kept_S.shape) < density
    weights = (kept_S * mask) / scale_S
    weights = weights if level == "pair" else weights.sum(axis=0)
    assert np.var(weights) == pytest.approx(2 / fan_in, rel=0.02)


def test_levels():
    mask, sign = np.array([[True, False]]), np.array([[False, True]])
    assert [part.tolist() for part in cells_on("pair", mask, sign=sign)] == [[[False, False]], [[True, False]]]
    both = np.array([[[True, True]], [[False, True]]])
    assert [part.tolist() for part in cells_on("cell", both, sign=sign)] == [[[True, True]], [[False, True]]]
    with pytest.raises(ConfigError, match="choose 'pair' or 'cell'"):
        check_level("weight")


def test_state_round_trip_is_exact():
    chip, other = formed_chip(seed=1), formed_chip(seed=2)
    signs = draw_signs(0, chip.placement)
    chip.program(random_masks(chip, 0), signs)
    chip.program(random_masks(chip, 1), signs)
    other.restore(chip.state())
    assert np.array_equal(other.conductance_S(), chip.conductance_S()) and other.pulses == chip.pulses
    masks = random_masks(chip, 2)
    chip.program(masks, signs)
    other.program(masks, signs)
    assert np.array_equal(other.conductance_S(), chip.conductance_S())  # write noise goes on as it would have
    with pytest.raises(DataError, match="macro lacks forming_V"):
        other.restore({name: count for name, count in chip.state().items() if name.startswith("pulses/")})
    with pytest.raises(DataError, match="pulse counts"):
        other.restore({})


def test_bad_masks_and_chips_are_refused():
    chip = formed_chip()
    signs = draw_signs(0, chip.placement)
    with pytest.raises(DataError, match="mask of b"):
        chip.program({"a": np.ones((30, 7), bool)}, signs)
    with pytest.raises(DataError, match="expected \\(30, 7\\)"):
        chip.program({"a": np.ones((7, 30), bool), "b": np.ones((5, 4), bool)}, signs)
    with pytest.raises(ConfigError, match="needs 1 macros, the chip has 0"):
        Chip([], chip.placement, level="pair")


def test_a_chip_from_measured_maps():
    map_S = np.full((40, 20), 12e-6)
    map_S[0, 0] = 0
    chip = Chip.from_maps(TAOX_40NM, [map_S, map_S], shapes=SHAPES, level="pair", seed=0)
    assert chip.placement.macro_rows == 40 and chip.placement.macro_pairs == 10
    assert np.array_equal(chip.formed_S()[0] > 1e-6, map_S > 0)
    with pytest.raises(ConfigError, match=r"needs \d+ macros of 6 x 14 cells, 1 map"):
        Chip.from_maps(TAOX_40NM, [map_S[:6, :14]], shapes=SHAPES, level="pair", seed=0)
    with pytest.raises(ShapeError, match="one size"):
        Chip.from_maps(TAOX_40NM, [map_S, map_S[:5]], shapes=SHAPES, level="pair", seed=0)


def test_macros_of_maps_are_the_individuals_of_the_seed_and_their_number():
    map_S = np.random.default_rng(5).lognormal(np.log(12e-6), 0.1, (6, 14))
    shapes = tuple((name, (6, 7)) for name in "abc")
    chip = Chip.from_maps(TAOX_40NM, [map_S] * 3, shapes=shapes, level="cell", seed=7)
    everywhere = np.ones(map_S.shape, bool)
    for index, macro in enumerate(chip.macros):
        alone = Macro.from_map(TAOX_40NM, map_S, seed=7, index=index)
        for one in (macro, alone):
            one.reset(everywhere)
        assert np.array_equal(macro.conductance_S(), alone.conductance_S())
    assert len({macro.conductance_S().tobytes() for macro in chip.macros}) == 3

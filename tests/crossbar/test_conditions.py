"""Conditions of use reach the products of a chip, each by itself, and are off by default."""

import dataclasses

import numpy as np
import pytest

from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines
from minirram.chip.levels import draw_signs
from minirram.crossbar.conditions import Conditions
from minirram.crossbar.converters import Adc
from minirram.crossbar.wires import Wires, transfer_S
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError
from minirram.inference.product import ChipProduct
from minirram.learn.mask_learner import MaskLearner
from minirram.runs.config import RunConfig, config_from_json

from ..support.tiny import StripeData, tiny_chip, tiny_learner, tiny_network, tiny_recipe

SHAPES = (("first", (40, 12)), ("second", (30, 5)))
BITS = {"first": 4, "second": 4}
SCALES_S = {"first": 1e-6, "second": 1e-6}


def chip_of(cell_model=TAOX_40NM):
    chip = Chip.sample(cell_model, SHAPES, level="pair", seed=1, lines=ChipLines(rows=96, pairs=24))
    chip.form(5.0)
    chip.reset_partners(draw_signs(1, chip.placement))
    return chip


def products(conditions, chip=None, arrangement="pair", noise_seed=None, lsb=1.0):
    adcs = {name: Adc(20, lsb, arrangement) for name in BITS}
    return ChipProduct(
        chip or chip_of(), adcs, input_bits=BITS, scales_S=SCALES_S, noise_seed=noise_seed, conditions=conditions
    )


def codes_of(name):
    return np.random.default_rng(2).integers(0, 16, (6, dict(SHAPES)[name][0])).astype(np.uint8)


@pytest.mark.parametrize("arrangement", ["pair", "polarity"])
def test_nothing_changes_by_default(arrangement):
    chip = chip_of()
    for name in BITS:
        plus, minus = chip.pair_grid(name)
        exact = codes_of(name).astype(np.int64) @ (plus - minus).astype(np.int64)
        found = products(Conditions(), chip, arrangement)(name, codes_of(name))
        assert np.allclose(found, exact * 1e-3, rtol=1e-6, atol=0)


def test_wires_reach_every_tile():
    chip, wires = chip_of(), Wires(20.0, 20.0)
    product = products(Conditions(wires=wires), chip)
    for name in BITS:
        (tile,) = chip.placement.tiles_of(name)
        effective_S = transfer_S(
            chip.macros[0].conductance_S(), wires, rows=tile.rows, cols=tile.cols, tolerance=1e-6, threads=1
        )
        expected = codes_of(name) @ (effective_S[:, 0::2] - effective_S[:, 1::2]) / 1e-6
        assert np.allclose(product(name, codes_of(name)), expected, rtol=0, atol=2e-3 * 15 * 40 / 2)
        ideal = products(Conditions(), chip)(name, codes_of(name))
        assert np.abs(ideal - expected).max() > 10 * 2e-3 * 15 * 40 / 2


@pytest.mark.parametrize("arrangement", ["pair", "polarity"])
def test_converters_have_offsets_and_gains_of_their_own(arrangement):
    conditions = Conditions(adc_offset_lsb=3.0, adc_gain=0.01, seed=4)
    chip = chip_of()
    silent = products(conditions, chip, arrangement)("first", np.zeros((2, 40), np.uint8))
    again = products(conditions, chip, arrangement)("first", np.zeros((1, 40), np.uint8))
    assert np.array_equal(silent[0], silent[1]) and np.array_equal(silent[0], again[0])
    # Polarities only add what lies above zero: an ADC without sign cannot show a negative offset.
    assert 3 <= np.count_nonzero(silent[0]) and len(np.unique(silent[0])) > 3
    other = products(dataclasses.replace(conditions, seed=5), chip, arrangement)("first", np.zeros((1, 40), np.uint8))
    assert not np.array_equal(silent[0], other[0])


def test_held_noise_is_larger_than_fresh_noise():
    chip = chip_of()
    codes = np.full((3000, 40), 15, np.uint8)
    fresh, held = (
        products(Conditions(held_noise=held), chip, noise_seed=1)("first", codes).std(axis=0) for held in (False, True)
    )
    # Of four planes: fresh variances add as 1 + 4 + 16 + 64, a held deviation counts 15 times.
    assert np.allclose(held / fresh, 15 / np.sqrt(85), rtol=0.08, atol=0)


def test_time_changes_a_chip_that_ages():
    model = dataclasses.replace(TAOX_40NM, drift_exponent=0.05)
    chip = chip_of(model)
    before = products(Conditions(), chip)("first", codes_of("first"))
    chip.age(1000.0)
    after = products(Conditions(), chip)("first", codes_of("first"))
    assert np.allclose(after, before * 1000.0**-0.05, rtol=0.01, atol=1.0)
    with pytest.raises(ConfigError, match="neither drift nor relaxation"):
        chip_of().age(1000.0)


STEEP = Wires(40.0, 40.0)


def run(learner, epochs, data):
    for _ in range(epochs):
        learner.epoch(data)
    return learner


def test_learning_sees_the_ir_drop():
    learner, recipe = tiny_learner(), tiny_recipe()
    felt = MaskLearner(tiny_network(), tiny_chip(recipe), recipe=recipe, wires=STEEP)
    data = StripeData()
    run(felt, 1, data)
    ideal, behind = learner.chip.pair_grid("fc1"), felt.chip.pair_grid("fc1")
    lost = 1 - sum(part.sum() for part in behind) / sum(part.sum() for part in ideal)
    assert 0.02 < lost < 0.9
    share = felt.chip.macros[0].voltage_share(STEEP)
    assert share.min() > 0 and share.max() < 1


@pytest.mark.slow
def test_learning_through_wires_resumes_bit_for_bit():
    data, recipe = StripeData(), tiny_recipe()

    def fresh():
        return MaskLearner(tiny_network(), tiny_chip(recipe), recipe=recipe, wires=STEEP)

    whole, half, resumed = run(fresh(), 4, data), run(fresh(), 2, data), fresh()
    resumed.restore(half.checkpoint())
    run(resumed, 2, data)
    whole.adopt(whole.best)
    resumed.adopt(resumed.best)
    for name, mask in whole.masks.items():
        assert np.array_equal(mask, resumed.masks[name])
        assert np.array_equal(whole.chip.pair_grid(name)[0], resumed.chip.pair_grid(name)[0])


def test_a_run_remembers_its_wires():
    config = RunConfig("fashion-mnist", "synthetic", tiny_network(), tiny_recipe(), TAOX_40NM, wires=STEEP)
    assert config_from_json(config.to_json()).to_json() == config.to_json()
    older = config.to_json()
    del older["wires"]
    assert config_from_json(older).wires is None


@pytest.mark.parametrize("values", [{"adc_gain": -1.0}, {"age_s": -1.0}, {"temperature_K": 300.0}])
def test_impossible_conditions(values):
    with pytest.raises(ConfigError):
        Conditions(**values)

"""Counted events and joules against loops over every cell, plane and input; costs by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram import energy
from minirram.chip import Chip, draw_signs, mask_shape
from minirram.converters import Adc
from minirram.errors import ConfigError
from minirram.technologies import TAOX_40NM


def small_chip(shape, level, seed):
    chip = Chip.sample(TAOX_40NM, (("w", shape),), level, seed)
    chip.form(3.95)
    generator = np.random.default_rng(seed)
    masks = {"w": generator.random(mask_shape(level, shape)) < 0.4}
    chip.program(masks, draw_signs(seed, chip.placement))
    return chip


def count_by_loops(chip, codes, bits):
    """(joules in the cells, cells read, rows driven) one cell, plane and input vector at a time."""
    joules, reads, driven = 0.0, 0, 0
    truth_S = chip.conductance_S()
    for vector in codes:
        for plane in range(bits):
            for tile in chip.placement.tiles:
                for i in range(tile.n_rows):
                    if not int(vector[tile.row_start + i]) >> plane & 1:
                        continue
                    driven += 1
                    for j in range(2 * tile.n_pairs):
                        g_S = truth_S[tile.macro, tile.row0 + i, 2 * tile.pair0 + j]
                        joules += 0.2**2 * g_S * 50e-9
                        reads += 1
    return joules, reads, driven


@given(
    st.sampled_from([(3, 2), (513, 1), (2, 300), (17, 5)]),
    st.sampled_from(["pair", "cell"]),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 5),
)
def test_events_equal_the_loops(shape, level, bits, n, seed):
    chip = small_chip(shape, level, seed)
    codes = np.random.default_rng(seed).integers(0, 2**bits, (n, shape[0])).astype(np.uint8)
    counter = energy.EventCounter()
    counter("w", codes[:1])
    if n > 1:
        counter("w", codes[1:])
    got = energy.inference_energy(counter, chip, {"w": Adc(8, 1.0)}, {"w": bits}, n)["w"]
    joules, reads, driven = count_by_loops(chip, codes, bits)
    assert got["array_J"] * n == pytest.approx(joules, rel=1e-9)
    assert got["cell_reads"] * n == pytest.approx(reads, rel=1e-12)
    assert got["rows_driven"] * n == pytest.approx(driven, rel=1e-12)
    row_tiles = -(-shape[0] // 512)
    assert got["conversions"] == shape[1] * row_tiles * bits
    assert got["partial_adds"] == shape[1] * (row_tiles - 1)
    assert got["total_J"] == pytest.approx(sum(got[k] for k in ("array_J", "drive_J", "adc_J", "digital_J")))


def test_polarity_converts_twice():
    chip = small_chip((4, 3), "pair", 0)
    counter = energy.EventCounter()
    counter("w", np.ones((1, 4), np.uint8))
    pair, polarity = (
        energy.inference_energy(counter, chip, {"w": Adc(8, 1.0, kind)}, {"w": 4}, 1)["w"]
        for kind in ("pair", "polarity")
    )
    assert polarity["conversions"] == 2 * pair["conversions"]


def test_pruning_lowers_the_array_and_not_the_conversions():
    shape = (60, 20)
    counter = energy.EventCounter()
    counter("w", np.full((1, 60), 15, np.uint8))
    found = []
    for density in (1.0, 0.5, 0.1):
        chip = Chip.sample(TAOX_40NM, (("w", shape),), "cell", 0)
        chip.form(3.95)
        masks = {"w": np.random.default_rng(1).random((2,) + shape) < density}
        chip.program(masks, draw_signs(0, chip.placement))
        found.append(energy.inference_energy(counter, chip, {"w": Adc(8, 1.0)}, {"w": 4}, 1)["w"])
    arrays = [entry["array_J"] for entry in found]
    assert arrays[0] > 1.5 * arrays[1] > 1.5 * arrays[2]
    assert len({entry["adc_J"] for entry in found}) == 1


def test_programming_and_baselines():
    each = energy.programming_energy({"form": 2, "partner_reset": 3, "set": 5, "reset": 7}, TAOX_40NM)
    assert each == {"form": 8e-9, "partner_reset": 3 * 4.1e-12, "set": 5 * 6e-12, "reset": 7 * 4.1e-12}
    assert energy.gpu_energy_J(1057024) == pytest.approx(1.016e-6, rel=1e-3)  # the authors' figure for the CNN


def test_conversion_energy_by_bits():
    costs = energy.Costs()
    assert costs.conversion_J(8) == 2.60e-12
    assert costs.conversion_J(12) == pytest.approx(16 * 5.03e-12)
    assert all(costs.conversion_J(bits) < costs.conversion_J(bits + 1) for bits in range(4, 14))
    with pytest.raises(ConfigError, match="no energy for an ADC of 3 bits"):
        costs.conversion_J(3)


def test_totals():
    assert energy.totals({"a": {"x": 1, "y_J": 2.0}, "b": {"x": 3, "y_J": 0.5}}) == {"x": 4, "y_J": 2.5}

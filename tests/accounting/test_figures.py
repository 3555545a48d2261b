"""Joules, seconds and um^2 against sums over single events; pulses, training, digital hardware."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.accounting import figures
from minirram.accounting.costs import MEANINGS, Costs, load_costs
from minirram.accounting.events import expected_events, matrix_events
from minirram.chip.chip import PULSES, Chip
from minirram.chip.placement import place
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError
from minirram.nn.operations import DigitalEvents


def costs_of(generator, missing=()):
    """Random costs, low <= typical <= high, for 8 ADC bits."""
    names = list(MEANINGS) + ["adc_8b_J", "adc_8b_s", "adc_8b_um2"]
    values = {name: np.sort(generator.random(3)) for name in names if name not in missing}
    values["columns_per_adc"] = np.full(3, 100.0)
    return Costs("drawn", "drawn for a test", values, {})


PULSE = figures.ReadPulse(np.array([0.1, 0.2, 0.3]), np.array([10e-9, 50e-9, 100e-9]))


@given(st.integers(1, 4), st.integers(0, 99), st.sampled_from(["pair", "polarity"]), st.sampled_from([0, 1]))
def test_joules_are_the_sum_over_single_events(bits, seed, arrangement, between):
    generator = np.random.default_rng(seed)
    costs = costs_of(generator)
    placement = place((("w", (530, 5)), *[("v", (512, 256))] * between))
    assert placement.n_macros == 1 + between
    driven, row_S = generator.random((bits, 530)), generator.random(530) * 1e-5
    events = matrix_events(placement, "w", vectors=3, driven=driven, row_S=row_S, arrangement=arrangement)
    got = figures.matrix_energy(events, costs, adc_bits=8, pulse=PULSE)
    for case in range(3):
        joules = dict.fromkeys(figures.JOULES, 0.0)
        for plane in range(bits):
            for row in range(530):
                joules["array_J"] += driven[plane, row] * row_S[row] * PULSE.voltage_V[case] ** 2 * PULSE.time_s[case]
                joules["drive_J"] += driven[plane, row] * costs["row_drive_J"][case]
            conversions = 3 * 5 * 2 * (2 if arrangement == "polarity" else 1)
            joules["adc_J"] += conversions * costs["adc_8b_J"][case]
            joules["digital_J"] += conversions * costs["shift_add_J"][case]
        joules["digital_J"] += 3 * 5 * costs["partial_add_J"][case]
        joules["lines_J"] = events.line_pitches * costs["line_F"][case] * PULSE.voltage_V[case] ** 2
        joules["buffer_J"] = 3 * 530 * bits * costs["buffer_bit_J"][case]
        moved = 3 * 530 * bits + 3 * 5 * 2 * (8 + bits)  # codes to two row tiles, a sum back from each
        joules["links_J"] = moved * (costs["link_bit_J"][case] + between * costs["net_bit_J"][case])
        for key, value in joules.items():
            assert got[key][case] == pytest.approx(value, rel=1e-9), key
        assert got["total_J"][case] == pytest.approx(sum(joules.values()), rel=1e-9)


def test_a_read_cell_is_v_squared_g_t():
    """12.34 uS at 0.2 V for 50 ns: 24.7 fJ."""
    events = matrix_events(
        place((("w", (1, 1)),)), "w", vectors=1, driven=np.ones((1, 1)), row_S=np.array([12.34e-6]), arrangement="pair"
    )
    assert figures.matrix_energy(events, load_costs(), adc_bits=8, pulse=PULSE)["array_J"][1] == pytest.approx(
        24.68e-15, rel=1e-3
    )


def test_the_read_pulse_has_the_range_of_the_file_unless_it_is_given():
    costs = load_costs()
    pulse = figures.read_pulse(TAOX_40NM, costs)
    assert pulse.voltage_V[1] == 0.2 and pulse.time_s[1] == 50e-9
    assert np.all(np.diff(pulse.voltage_V) > 0) and np.all(np.diff(pulse.time_s) > 0)
    known = figures.read_pulse(TAOX_40NM, costs, voltage_V=0.1, time_s=20e-9)
    assert list(known.voltage_V) == [0.1] * 3 and list(known.time_s) == [20e-9] * 3
    for voltage_V, time_s in ((0.0, None), (None, -1e-9), (float("nan"), None), (None, float("inf"))):
        with pytest.raises(ConfigError, match="must be above 0"):
            figures.read_pulse(TAOX_40NM, costs, voltage_V=voltage_V, time_s=time_s)


@given(st.integers(1, 700), st.integers(1, 600), st.integers(1, 3), st.integers(1, 9), st.integers(0, 9))
def test_latency_equals_a_walk_over_the_reads(fan_in, fan_out, bits, vectors, seed):
    costs, placement = costs_of(np.random.default_rng(seed)), place((("other", (200, 100)), ("w", (fan_in, fan_out))))
    adcs = figures.adcs_per_macro(placement, costs, arrangement="pair")
    assert adcs == 3  # 256 pairs, 100 columns each
    events = expected_events(
        placement,
        {"w": vectors, "other": 1},
        bits={"w": bits, "other": 1},
        activity=0.3,
        pair_S=1e-6,
        arrangement="pair",
    )["w"]
    got = figures.matrix_latency(events, costs, adc_bits=8, adcs_per_macro=adcs, pulse=PULSE)
    for case in range(3):
        busy_read, busy_convert = {}, {}
        for tile in placement.tiles_of("w"):
            rounds, left = 0, tile.n_pairs
            while left > 0:
                left, rounds = left - adcs, rounds + 1
            busy_read[tile.macro] = busy_read.get(tile.macro, 0.0) + PULSE.time_s[case]
            busy_convert[tile.macro] = busy_convert.get(tile.macro, 0.0) + rounds * costs["adc_8b_s"][case]
        assert got["read_s"][case] == pytest.approx(vectors * bits * max(busy_read.values()))
        assert got["conversion_s"][case] == pytest.approx(vectors * bits * max(busy_convert.values()))
    parts = ("read_s", "conversion_s", "digital_s", "buffer_s")
    assert np.allclose(got["latency_s"], sum(got[key] for key in parts), rtol=1e-12, atol=0)


def test_digital_layers():
    costs = costs_of(np.random.default_rng(0))
    events = DigitalEvents(multiplies=2, adds=3, compares=5, bits_written=7, bits_kept=11, bits_taken=13)
    got = figures.digital_energy(events, costs)
    expected = 2 * costs["multiply_J"] + 3 * costs["add_J"] + 5 * costs["compare_J"]
    assert np.allclose(got["digital_J"], expected, rtol=1e-12, atol=0)
    assert np.allclose(got["total_J"], expected + 31 * costs["buffer_bit_J"], rtol=1e-12, atol=0)
    seconds = figures.digital_latency(events, costs)
    assert np.allclose(seconds["digital_s"], 10 * costs["digital_op_s"] / costs["digital_lanes"], rtol=1e-12, atol=0)


def test_area_is_the_sum_of_its_parts():
    costs, placement = load_costs(), place((("w", (600, 10)),))
    area = figures.chip_area(placement, costs, adc_bits=8, arrangement="pair", buffer_bits=1000, n_macros=1)
    two = figures.chip_area(placement, costs, adc_bits=8, arrangement="pair", buffer_bits=1000, n_macros=2)
    assert two["cells_um2"][1] == 2 * area["cells_um2"][1] and two["digital_um2"][1] == area["digital_um2"][1]
    assert placement.n_macros == 1 and figures.adcs_per_macro(placement, costs, arrangement="polarity") == 4
    assert area["cells_um2"][1] == pytest.approx(512 * 512 * 0.0768)
    assert area["adcs_um2"][1] == 2 * costs.adc(8, "um2")[1]
    parts = [value for key, value in area.items() if key != "total_um2"]
    assert np.allclose(area["total_um2"], sum(parts), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "name", [name for name in MEANINGS if name.endswith("_J") and not name.startswith(("gpu", "cpu", "mcu", "acc"))]
)
def test_an_event_without_a_cost_is_an_error(name):
    costs = costs_of(np.random.default_rng(0), missing=(name,))
    how = dict(activity=0.5, pair_S=1e-6, arrangement="pair")
    events = expected_events(place((("w", (3, 2)),)), {"w": 1}, bits={"w": 1}, **how)["w"]
    with pytest.raises(ConfigError, match=name):
        figures.matrix_energy(events, costs, adc_bits=8, pulse=PULSE)
        figures.digital_energy(DigitalEvents(1, 1, 1, 1), costs)


def test_pulses_by_kind():
    pulses = {"form": 2, "partner_reset": 3, "set": 5, "reset": 7, "probe_reset": 11, "probe_set": 13}
    assert set(pulses) == set(PULSES)
    each = figures.programming_energy(pulses, TAOX_40NM, costs=load_costs())
    typical = {kind: joules[1] for kind, joules in each.items()}
    writes = {"partner_reset": 3 * 4.1e-12, "set": 5 * 6e-12, "reset": 7 * 4.1e-12}
    assert typical == dict(writes, form=8e-9, probe_reset=11 * 4.1e-12, probe_set=13 * 6e-12)
    assert each["form"][2] == 50 * 8e-9 and each["set"][2] == pytest.approx(20 * 5 * 6e-12)
    seconds = figures.programming_time(pulses, TAOX_40NM)
    assert seconds["form"] == 2 * 100e-6 and seconds["reset"] == 7 * 50e-9 and seconds["partner_reset"] == 3 * 50e-9
    assert seconds["probe_set"] == 13 * 50e-9


@pytest.mark.parametrize("arrangement, conversions", [("pair", 1), ("polarity", 2)])
def test_a_read_out_reads_the_cells_in_use_row_by_row(arrangement, conversions):
    chip = Chip.sample(replace(TAOX_40NM, hrs_sigma_ln=0.1), (("v", (515, 2)), ("w", (4, 3))), level="cell", seed=0)
    chip.form(3.95)
    costs, truth_S = load_costs(), chip.conductance_S()
    expected = dict.fromkeys(("array_J", "lines_J", "drive_J", "adc_J"), 0.0)
    pitch_J = costs["line_F"][1] * 0.2**2
    for macro, row in np.ndindex(chip.used.shape[:2]):
        columns = np.flatnonzero(chip.used[macro, row])
        if columns.size:
            expected["drive_J"] += costs["row_drive_J"][1]
            expected["lines_J"] += 512 * pitch_J
        for column in columns:
            expected["array_J"] += truth_S[macro, row, column] * 0.2**2 * 50e-9
            expected["lines_J"] += 512 * pitch_J
            if column % 2 == 0:
                expected["adc_J"] += conversions * costs.adc(8, "J")[1]
    each = figures.read_out_energy(chip, costs, adc_bits=8, pulse=PULSE, arrangement=arrangement)
    assert set(each) == set(expected)
    for key, joules in expected.items():
        assert each[key][1] == pytest.approx(joules, rel=1e-9), key


def test_digital_hardware():
    found = figures.digital_hardware(1057024, 62272, activations=30000)
    assert found["gpu_int8"][1] == pytest.approx(1.016e-6, rel=1e-3)  # the authors' figure for the CNN
    assert figures.digital_hardware(394112, 0, activations=0)["gpu_int8"][1] == pytest.approx(
        0.379e-6, rel=1e-3
    )  # and for the CRNN
    assert found["microcontroller"][1] == pytest.approx(1057024 * 0.7e-9)
    weights_J = 8 * 62272 * 1.5625e-12
    assert found["accelerator"][1] == pytest.approx(1057024 * 0.3e-12 + weights_J + 8 * 30000 * 0.3125e-12, rel=1e-3)
    for joules in found.values():
        assert joules[0] <= joules[1] <= joules[2]


def test_training_on_digital_hardware():
    """Three times the arithmetic and activations of each of 7 x 20 samples; each weight moves four times a step."""
    one, found = (
        figures.digital_hardware(1000, 50, activations=30),
        figures.training_hardware(1000, 50, activations=30, steps=7, batch_size=20),
    )
    assert set(found) == set(one)
    for name in ("gpu_int8", "gpu_fp32", "cpu_int8", "microcontroller"):
        assert np.allclose(found[name], 3 * 7 * 20 * one[name], rtol=1e-12, atol=0)
    macs_J, weights_J, activations_J = (
        figures.digital_hardware(*ones[:2], activations=ones[2])["accelerator"] for ones in np.eye(3)
    )
    expected = 3 * 140 * 1000 * macs_J + 4 * 7 * 50 * weights_J + 3 * 140 * 30 * activations_J
    assert np.allclose(found["accelerator"], expected, rtol=1e-12, atol=0)


def test_digital_hardware_of_ones_own():
    mine = Costs("mine", "mine", {"gpu_int8_op_J": np.array([1e-12, 2e-12, 3e-12])}, {})
    found, packaged = (
        figures.digital_hardware(1000, 0, activations=0, own=mine),
        figures.digital_hardware(1000, 0, activations=0),
    )
    assert found["gpu_int8"][1] == 2 * 1000 * 2e-12 and found["gpu_fp32"][1] == packaged["gpu_fp32"][1]


def test_the_lowest_saving_pairs_a_dear_macro_with_a_cheap_gpu():
    assert figures.saved_fraction([1.0, 2.0, 4.0], [5.0, 10.0, 20.0]) == pytest.approx([0.2, 0.8, 0.95])

"""Counted events against loops over every cell, plane and input; arithmetic against loops over outputs."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minirram.accounting.events import (
    EventCounter,
    counted_events,
    expected_events,
    on_fewer_macros,
    plane_counts,
    reprogramming,
)
from minirram.chip.chip import Chip
from minirram.chip.levels import draw_signs, mask_shape
from minirram.chip.placement import place
from minirram.crossbar.converters import Adc
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError
from minirram.inference.forward import predict
from minirram.inference.product import ChipProduct
from minirram.nn.layers.activation import Quantize
from minirram.nn.layers.join import Concat
from minirram.nn.layers.recurrent import Rnn
from minirram.nn.network import input_bits, output_shapes
from minirram.nn.operations import DigitalEvents, buffer_bits, digital_events
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.retina import retina_unet
from minirram.tasks.spoken_digits import spoken_digit_crnn

from ..support.tiny import StripeData, tiny_learner


def small_chip(shapes, level, seed):
    chip = Chip.sample(TAOX_40NM, shapes, level=level, seed=seed)
    chip.form(3.95)
    generator = np.random.default_rng(seed)
    masks = {name: generator.random(mask_shape(level, shape)) < 0.4 for name, shape in shapes}
    chip.program(masks, draw_signs(seed, chip.placement))
    return chip


def count_by_loops(chip, name, codes, bits, polarities):
    """Every count of `MatrixEvents` for a batch, one cell, plane and input vector at a time."""
    found = {"rows": [0] * bits, "cells": [0] * bits, "siemens": [0.0] * bits, "conversions": [0] * bits}
    found.update(adds=0, pitches=0, bits_read=0)
    truth_S, placement = chip.conductance_S(), chip.placement
    tiles = placement.tiles_of(name)
    for vector in codes:
        for plane in range(bits):
            for tile in tiles:
                count_read(found, tile, vector, plane, truth_S[tile.macro], placement, polarities)
        found["bits_read"] += bits * len(vector) * len({tile.col_start for tile in tiles})
        for column in range(placement.shape(name)[1]):
            holding = [t for t in tiles if t.col_start <= column < t.col_start + t.n_pairs]
            found["adds"] += len(holding) - 1
    return found


def count_read(found, tile, vector, plane, truth_S, placement, polarities):
    """One read of one tile."""
    columns = range(2 * tile.pair0, 2 * (tile.pair0 + tile.n_pairs))
    found["conversions"][plane] += tile.n_pairs * polarities
    found["pitches"] += len(columns) * placement.macro_rows
    for i in range(tile.n_rows):
        if int(vector[tile.row_start + i]) >> plane & 1:
            found["rows"][plane] += 1
            found["pitches"] += 2 * placement.macro_pairs
            for j in columns:
                found["cells"][plane] += 1
                found["siemens"][plane] += truth_S[tile.row0 + i, j]


@given(
    st.sampled_from([(3, 2), (513, 1), (2, 300), (17, 5), (1, 1)]),
    st.sampled_from(["pair", "cell"]),
    st.sampled_from(["pair", "polarity"]),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 5),
)
@example((515, 257), "pair", "pair", 1, 1, 0)
def test_events_equal_the_loops(shape, level, arrangement, bits, n, seed):
    chip = small_chip((("other", (7, 3)), ("w", shape)), level, seed)
    codes = np.random.default_rng(seed).integers(0, 2**bits, (n, shape[0])).astype(np.uint8)
    counter = EventCounter({"w": bits, "other": 1})
    counter("other", np.zeros((n, 7), np.uint8))
    counter("w", codes[:1])
    counter("w", codes[1:])
    adcs = {"w": Adc(8, 1.0, arrangement), "other": Adc(8, 1.0)}
    got = counted_events(counter, chip, adcs=adcs, inferences=n)["w"]
    expected = count_by_loops(chip, "w", codes, bits, 2 if arrangement == "polarity" else 1)
    assert got.vectors == 1
    assert np.allclose(got.rows_driven * n, expected["rows"], rtol=1e-12, atol=0)
    assert np.allclose(got.cell_reads * n, expected["cells"], rtol=1e-12, atol=0)
    assert np.allclose(got.siemens_read * n, expected["siemens"], rtol=1e-9, atol=0)
    assert np.allclose(got.conversions * n, expected["conversions"], rtol=1e-12, atol=0)
    assert got.partial_adds * n == pytest.approx(expected["adds"], rel=1e-12)
    assert got.line_pitches * n == pytest.approx(expected["pitches"], rel=1e-12)
    assert got.bits_read * n == pytest.approx(expected["bits_read"], rel=1e-12)
    columns = [
        sorted(c for t in chip.placement.tiles_of("w") if t.macro == macro for c in [t.n_pairs])
        for macro in got.converted
    ]
    assert [
        sorted(c // (2 if arrangement == "polarity" else 1) for c in got.converted[macro]) for macro in got.converted
    ] == columns


@given(st.integers(1, 8), st.integers(0, 800), st.integers(1, 5), st.integers(0, 9))
def test_plane_counts_equal_the_loop(bits, n, columns, seed):
    codes = np.random.default_rng(seed).integers(0, 2**bits, (n, columns)).astype(np.uint8)
    got = plane_counts(codes, bits, threads=1)
    for bit in range(bits):
        for column in range(columns):
            assert got[bit, column] == sum(int(code) >> bit & 1 for code in codes[:, column])
    assert got.dtype == np.int64


@given(st.integers(1, 8), st.integers(250, 1100), st.integers(0, 9))
def test_plane_counts_of_full_codes_and_of_several_chunks(bits, n, seed):
    codes = np.full((n, 1500), 2**bits - 1, np.uint8)  # more than one chunk from 765 rows on
    codes[np.random.default_rng(seed).integers(0, n), 3] = 0
    expected = np.full((bits, 1500), n)
    expected[:, 3] -= 1
    for threads in (1, 3):
        assert np.array_equal(plane_counts(codes, bits, threads=threads), expected)


def test_plane_counts_do_not_overflow():
    assert plane_counts(np.full((100_000, 2), 255, np.uint8), 8, threads=1).tolist() == [[100_000] * 2] * 8


def test_a_matrix_nobody_used_is_named():
    with pytest.raises(ConfigError, match="'w' was counted; counted: v"):
        counter = EventCounter({"v": 1})
        counter("v", np.zeros((1, 2), np.uint8))
        counter.per_inference("w", 1)


def test_conversions_are_those_that_inference_makes():
    data, learner = StripeData(), tiny_learner()
    bits = input_bits(learner.network)
    adcs = {name: Adc(12, 50.0, "polarity") for name in learner.masks}
    learner.epoch(data)
    codes = data.calibration_codes()
    counter = EventCounter(bits)
    product = ChipProduct(learner.chip, adcs, input_bits=bits, scales_S=learner.scales_S, observer=counter)
    predict(learner.network, learner.state, codes=codes, product=product)
    counted = counted_events(counter, learner.chip, adcs=adcs, inferences=len(codes))
    for name, found in counted.items():
        assert found.conversions.sum() * len(codes) == pytest.approx(product.conversions[name], rel=1e-12)


def test_pruning_changes_the_siemens_and_nothing_else():
    shape = (60, 20)
    counter = EventCounter({"w": 4})
    counter("w", np.full((1, 60), 15, np.uint8))
    found = []
    for density in (1.0, 0.5, 0.1):
        chip = Chip.sample(TAOX_40NM, (("w", shape),), level="cell", seed=0)
        chip.form(3.95)
        masks = {"w": np.random.default_rng(1).random((2,) + shape) < density}
        chip.program(masks, draw_signs(0, chip.placement))
        found.append(counted_events(counter, chip, adcs={"w": Adc(8, 1.0)}, inferences=1)["w"])
    siemens = [entry.siemens_read.sum() for entry in found]
    assert siemens[0] > 1.5 * siemens[1] > 1.5 * siemens[2]
    for field in ("vectors", "partial_adds", "line_pitches", "bits_read"):
        assert len({getattr(entry, field) for entry in found}) == 1
    assert len({entry.conversions.sum() for entry in found}) == 1


@given(st.floats(0, 1), st.sampled_from([(600, 3), (5, 300), (4, 4)]), st.integers(1, 8))
def test_shapes_alone_agree_with_codes_of_that_activity(activity, shape, bits):
    placement = place((("w", shape),))
    how = dict(activity=activity, pair_S=2e-6, arrangement="pair")
    got = expected_events(placement, {"w": 7}, bits={"w": bits}, **how)["w"]
    row_tiles, col_tiles = -(-shape[0] // 512), -(-shape[1] // 256)
    assert got.rows_driven.sum() == pytest.approx(7 * bits * activity * shape[0] * col_tiles)
    assert got.siemens_read.sum() == pytest.approx(7 * bits * activity * shape[0] * shape[1] * 2e-6)
    assert got.conversions.sum() == 7 * bits * shape[1] * row_tiles
    assert got.partial_adds == 7 * shape[1] * (row_tiles - 1)


def test_activity_is_a_share():
    with pytest.raises(ConfigError, match="activity of 1.5"):
        expected_events(place((("w", (2, 2)),)), {"w": 1}, bits={"w": 1}, activity=1.5, pair_S=1e-6, arrangement="pair")


# -- digital layers ----------------------------------------------------------------------------


def test_arithmetic_of_the_cnn_by_hand():
    found = digital_events(fashion_mnist_cnn())
    n1, n2 = 12 * 12 * 64, 10 * 10 * 16
    assert found["input"] == DigitalEvents(bits_written=14 * 14 * 4)
    assert found["conv1"] == DigitalEvents(multiplies=n1)
    assert found["bn1"] == DigitalEvents(multiplies=n1, adds=n1)
    assert found["relu1"] == DigitalEvents(compares=n1)
    assert found["act1"] == DigitalEvents(multiplies=n1, compares=2 * n1, bits_written=4 * n1)
    assert found["pool2"] == DigitalEvents(compares=3 * n2 / 4)
    assert found["fc2"] == DigitalEvents(multiplies=10)
    assert "flatten" not in found


def test_arithmetic_of_the_recurrent_layer_by_hand():
    """Four steps of 128: an input product each, from the second on a hidden product of re-quantised activations."""
    found = digital_events(spoken_digit_crnn())
    counted = {"multiplies": 0, "adds": 0, "compares": 0, "bits_written": 0}
    for step in range(4):
        for _unit in range(128):
            counted["multiplies"] += 1
            counted["compares"] += 1
            if step:
                for key, count in (("multiplies", 2), ("adds", 1), ("compares", 2), ("bits_written", 3)):
                    counted[key] += count
    assert found["rnn"] == DigitalEvents(**counted)
    assert found["mean"] == DigitalEvents(multiplies=128, adds=3 * 128)


def test_arithmetic_of_the_upsampling_and_the_buffer():
    found = digital_events(retina_unet())
    assert found["upsample3"].multiplies == 3 * 12 * 12 * 128 and found["upsample4"].adds == 6 * 6 * 6 * 256
    for level, side, width in ((1, 48, 32), (2, 24, 64), (3, 12, 128), (4, 6, 256)):
        bits = 16.0 * side**2 * width  # what the way down hands to the way up
        assert found[f"relu_down{level}b"] == DigitalEvents(compares=side**2 * width, bits_kept=bits)
        assert found[f"concat{level}"] == DigitalEvents(bits_taken=bits, bits_freed=bits)
    assert sum(entry.bits_kept for entry in found.values()) == 16 * 138_240
    assert buffer_bits({"input": DigitalEvents(bits_written=8.0)}) == 8.0


def buffer_by_a_walk(network):
    """The most bits alive at a time: each item of the buffer from its writing to its last use, step by step."""
    shapes, bits = output_shapes(network), input_bits(network)
    size = {name: float(np.prod(shape)) for name, shape in shapes.items()}
    writers = [(-1, float(np.prod(network.input_shape)) * network.input_bits)]
    items = []  # (first step, last step, bits)
    for step, layer in enumerate(network.layers):
        if isinstance(layer, Quantize):
            writers.append((step, size[layer.name] * layer.bits))
        elif isinstance(layer, Rnn):
            fed_back = size[layer.name] * (shapes[layer.name][1] - 1) / shapes[layer.name][1]
            writers.append((step, fed_back * bits[layer.name + ".hidden"]))
        elif isinstance(layer, Concat):
            first = [other.name for other in network.layers].index(layer.other)
            items.append((first, step, 16 * size[layer.other]))
    ends = [step for step, _ in writers[1:]] + [len(network.layers)]
    items += [(step, end, held) for (step, held), end in zip(writers, ends)]
    return max(
        sum(held for first, last, held in items if first <= step <= last) for step in range(-1, len(network.layers))
    )


@pytest.mark.parametrize("network", [fashion_mnist_cnn(), spoken_digit_crnn(), retina_unet()])
def test_the_buffer_holds_all_that_is_alive(network):
    assert buffer_bits(digital_events(network)) == buffer_by_a_walk(network)


# -- fewer macros than the network fills ------------------------------------------------------


def one_inference(state, on, used, macros):
    """(SET, RESET, most SETs of a cell) that bring one macro through the contents of `macros`, cell by cell; changes
    `state`."""
    pulses, sets = {True: 0, False: 0}, np.zeros(on.shape[1:], int)
    for macro, row, col in np.ndindex(on.shape):
        if macro in macros and used[macro, row, col] and state[row, col] != on[macro, row, col]:
            pulses[bool(on[macro, row, col])] += 1
            sets[row, col] += on[macro, row, col]
            state[row, col] = on[macro, row, col]
    return pulses[True], pulses[False], sets.max()


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_reprogramming_equals_a_simulation_of_many_inferences(needed, at_hand, seed):
    generator = np.random.default_rng(seed)
    on, used = generator.random((2, needed, 3, 4)) < 0.5
    on &= used
    written, n_set, n_reset, most = reprogramming(on, used, n_macros=at_hand)
    if at_hand >= needed:
        assert (written, n_set, n_reset, most) == (0, 0, 0, 0)
        return
    state = np.zeros((3, 4), bool)
    counts = [one_inference(state, on, used, range(at_hand - 1, needed)) for _ in range(4)]
    assert counts[1] == counts[2] == counts[3] == (n_set, n_reset, most)
    assert written == needed - at_hand + 1
    assert n_set == n_reset


@given(st.integers(1, 6))
def test_tiles_of_macros_that_take_turns_are_read_in_turn(n_macros):
    placement = place((("w", (2000, 300)),))  # eight tiles
    how = dict(activity=0.5, pair_S=1e-6, arrangement="pair")
    events_before = expected_events(placement, {"w": 1}, bits={"w": 1}, **how)["w"]
    shared = on_fewer_macros(events_before, n_macros).converted
    assert max(shared) == min(n_macros, placement.n_macros) - 1
    for macro in range(min(n_macros, placement.n_macros) - 1):
        assert shared.get(macro) == events_before.converted.get(macro)
    flat = [c for columns in shared.values() for c in columns]
    assert sorted(flat) == sorted(t.n_pairs for t in placement.tiles)


def test_no_macro_is_an_error():
    with pytest.raises(ConfigError, match="at least 1"):
        reprogramming(np.zeros((2, 1, 1), bool), np.ones((2, 1, 1), bool), n_macros=0)

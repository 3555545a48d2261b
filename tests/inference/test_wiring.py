"""What inference hands on to where it is used: zero points to the matrices that have one, errors to each macro."""

import numpy as np
import pytest

from minirram.chip.chip import Chip
from minirram.crossbar.conditions import Conditions
from minirram.crossbar.converters import Adc
from minirram.device.presets import TAOX_40NM
from minirram.inference.forward import forward
from minirram.inference.product import ChipProduct, IdealProduct
from minirram.nn.engine.engine import Engine
from minirram.nn.layers.activation import Quantize
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.recurrent import Rnn
from minirram.nn.layers.resample import GlobalAverage
from minirram.nn.network import Network, initial_state, input_zero_points, matrices


def signed_rnn() -> Network:
    """A recurrent layer that reads signed codes as they come."""
    layers = (Rnn("rnn", 3, 8, 4), GlobalAverage("mean"), Quantize("act", 4), Linear("out", 8, 3))
    return Network("signed", (1, 6, 3), 4, layers, input_zero=5)


def test_a_recurrent_matrix_has_no_zero_point_though_the_input_has():
    network = signed_rnn()
    assert input_zero_points(network) == {"rnn.input": 5, "rnn.hidden": 0, "out": 0}
    generator = np.random.default_rng(0)
    weights = {name: generator.normal(0, 0.4, shape).astype(np.float32) for name, shape in matrices(network)}
    state = {name: np.float32(4.0) for name in initial_state(network)}
    codes = generator.integers(0, 16, (40,) + network.input_shape).astype(np.uint8)
    asked = set()

    def product(name, x, zero_point=0):
        asked.add((name, zero_point))
        return IdealProduct(weights)(name, x, zero_point)

    got, expected = (
        forward(network, state, codes=codes, product=product),
        Engine(network, 40).predict(weights, state, x=codes),
    )
    assert asked == {("rnn.input", 5), ("rnn.hidden", 0), ("out", 0)}
    assert np.mean(np.abs(got - expected) < 1e-3 * np.abs(expected).max()) > 0.95  # a code may flip by rounding


@pytest.mark.parametrize("arrangement", ["pair", "polarity"])
def test_each_macro_has_converters_of_its_own(arrangement):
    rows, pairs, n = 16, 200, 30
    map_S = np.random.default_rng(1).lognormal(np.log(12e-6), 0.2, (rows, 2 * pairs))
    shapes = (("a", (rows, pairs)), ("b", (rows, pairs)))
    chip = Chip.from_maps(TAOX_40NM, [map_S, map_S], shapes=shapes, level="cell", seed=0)
    assert [tile.macro for tile in chip.placement.tiles] == [0, 1]
    adcs, scales_S = {name: Adc(14, 32.0, arrangement) for name in "ab"}, dict.fromkeys("ab", 1e-6)
    codes = np.random.default_rng(2).integers(0, 2, (n, rows)).astype(np.uint8)

    def answers(**conditions):
        use = Conditions(**conditions)
        product = ChipProduct(chip, adcs, input_bits=dict.fromkeys("ab", 1), scales_S=scales_S, conditions=use)
        return [product(name, codes).astype(np.float64) for name in "ab"]

    a, b = answers()
    assert np.array_equal(a, b)  # the same cells
    lsb = 32.0 * TAOX_40NM.grid_S / 1e-6
    offsets = [(off - ideal).mean(axis=0) / lsb for off, ideal in zip(answers(adc_offset_lsb=20.0), (a, b))]
    spread = 20 * np.sqrt(2 if arrangement == "polarity" else 1)
    for found in offsets:
        assert np.std(found) == pytest.approx(spread, rel=0.25)
    assert abs(np.corrcoef(*offsets)[0, 1]) < 0.3

"""Inference on macros: ideal reads equal plain arithmetic and the training forward; everything is counted."""

from collections import Counter

import numpy as np
import pytest

from minirram.crossbar.converters import Adc
from minirram.errors import DataError, ShapeError
from minirram.inference.calibration import calibrate_ranges
from minirram.inference.forward import forward, predict, signals
from minirram.inference.product import ChipProduct, IdealProduct
from minirram.nn.engine.engine import Engine
from minirram.nn.layers.activation import Quantize, clip_tail
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.recurrent import Rnn
from minirram.nn.layers.resample import GlobalAverage
from minirram.nn.network import Network, initial_state, input_bits, matrices, quantisers
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.retina import retina_unet
from minirram.tasks.spoken_digits import spoken_digit_crnn

from ..support.tiny import StripeData, tiny_adcs, tiny_learner, tiny_network


@pytest.fixture(scope="module")
def trained():
    """(learner with its best masks programmed, data)"""
    data, learner = StripeData(), tiny_learner()
    for _ in range(4):
        learner.epoch(data)
    learner.adopt(learner.best)
    return learner, data


def product_of(learner, adcs, **options):
    bits = input_bits(learner.network)
    return ChipProduct(learner.chip, adcs, input_bits=bits, scales_S=learner.scales_S, **options)


def exact_adcs(learner):
    """LSB = one grid unit and no saturation: the integers are exact."""
    return {name: Adc(24, 1.0) for name in learner.masks}


def test_exact_adc_gives_the_int64_product(trained):
    learner, data = trained
    product = product_of(learner, exact_adcs(learner))
    generator = np.random.default_rng(0)
    for name, (fan_in, fan_out) in matrices(learner.network):
        codes = generator.integers(0, 16, (11, fan_in)).astype(np.uint8)
        plus, minus = (part.astype(np.int64) for part in learner.chip.pair_grid(name))
        exact = codes.astype(np.int64) @ (plus - minus)
        expected = (exact * (1e-9 / learner.scales_S[name])).astype(np.float32)
        assert np.array_equal(product(name, codes), expected)
        assert not any(product.saturated[name]) and product.conversions[name] == 11 * fan_out * 4


def test_signed_inputs_by_zero_point(trained):
    learner, _ = trained
    product = product_of(learner, exact_adcs(learner))
    codes = np.random.default_rng(1).integers(0, 16, (9, 72)).astype(np.uint8)
    plus, minus = (part.astype(np.int64) for part in learner.chip.pair_grid("fc1"))
    exact = (codes.astype(np.int64) - 8) @ (plus - minus)
    assert np.allclose(product("fc1", codes, 8), exact * 1e-9 / learner.scales_S["fc1"], rtol=1e-6, atol=1e-9)


def test_ideal_reads_agree_with_the_training_forward(trained):
    learner, data = trained
    codes = data.validation_codes
    weights = learner.read_weights()
    trained_forward = learner.engine.predict(weights, learner.state, x=codes)
    for product in (IdealProduct(weights), product_of(learner, exact_adcs(learner))):
        logits = predict(learner.network, learner.state, codes=codes, product=product)
        assert np.mean(np.abs(logits - trained_forward) < 1e-4) > 0.98  # a code may flip where float32 sums round


@pytest.mark.parametrize("build, n", [(fashion_mnist_cnn, 12), (spoken_digit_crnn, 12), (retina_unet, 1)])
def test_forward_walks_all_networks_like_the_engine(build, n):
    network = build()
    if network.name == "retina-unet":
        network = network.resized(16, 16)
    generator = np.random.default_rng(2)
    weights = {
        name: generator.normal(0, np.sqrt(2 / shape[0]), shape).astype(np.float32) for name, shape in matrices(network)
    }
    state = initial_state(network)
    for name in state:
        if name.endswith(".range"):
            state[name] = np.float32(3.0)
    codes = generator.integers(0, 2**network.input_bits, (n,) + network.input_shape).astype(np.uint8)
    expected = Engine(network, n).predict(weights, state, x=codes)
    got = forward(network, state, codes=codes, product=IdealProduct(weights))
    assert got.shape == expected.shape
    close = np.abs(got - expected) < 1e-3 * np.abs(expected).max()
    assert close.mean() > 0.95


def test_signed_inputs_of_a_recurrent_layer():
    """A recurrent layer first: its input's matrix takes the zero point back, its hidden one has none."""
    layers = (Rnn("r", 2, 5, 3), GlobalAverage("m"), Quantize("q", 4), Linear("l", 5, 3))
    network = Network("signed", (1, 6, 2), 4, layers, input_zero=8)
    generator = np.random.default_rng(4)
    weights = {name: generator.normal(0, 0.7, shape).astype(np.float32) for name, shape in matrices(network)}
    state = {name: np.float32(1.0) for name in initial_state(network)}
    codes = generator.integers(0, 16, (40, 1, 6, 2)).astype(np.uint8)
    got = forward(network, state, codes=codes, product=IdealProduct(weights))
    expected = Engine(network, 40).predict(weights, state, x=codes)
    assert np.abs(expected).max() > 0.3
    assert np.mean(np.abs(got - expected) < 1e-5) > 0.95  # a code may flip where float32 sums round


def test_chunks_and_threads_do_not_matter_and_noise_does(trained):
    learner, data = trained
    adcs = tiny_adcs(learner, data.calibration_codes(), 10)

    def logits(chunk=90, **options):
        product = product_of(learner, adcs, **options)
        return predict(learner.network, learner.state, codes=data.validation_codes, product=product, chunk=chunk)

    noisy = logits(noise_seed=1)
    assert np.array_equal(noisy, logits(chunk=7, noise_seed=1))
    assert np.array_equal(noisy, logits(noise_seed=1, threads=2))
    assert not np.array_equal(noisy, logits(noise_seed=2))
    assert np.array_equal(logits(), logits(chunk=13))


def test_a_range_is_the_value_that_the_tail_of_the_activations_exceeds(trained):
    learner, data = trained
    network, weights = learner.network, learner.read_weights()
    blank = {**learner.state, "act.range": np.float32(0), "act2.range": np.float32(0)}
    codes = data.calibration_codes()
    state = calibrate_ranges(network, blank, weights=weights, codes=codes)
    assert blank["act.range"] == 0
    taken = {layer.name: x for layer, x, _ in signals(network, state, codes=codes, product=IdealProduct(weights))}
    for name, bits in quantisers(network).items():
        beyond = np.mean(taken[name].floats() > state[name + ".range"] * 1.00001)
        assert 0.5 * clip_tail(bits) < beyond <= clip_tail(bits)


def test_calibration_covers_what_it_saw_and_saturation_is_counted(trained):
    learner, data = trained
    codes = data.calibration_codes(50)
    adcs = tiny_adcs(learner, codes, 8)
    product = product_of(learner, adcs)
    predict(learner.network, learner.state, codes=codes, product=product)
    assert not any(map(any, product.saturated.values()))
    narrow = {name: Adc(8, adc.lsb / 4) for name, adc in adcs.items()}
    product = product_of(learner, narrow)
    predict(learner.network, learner.state, codes=codes, product=product)
    assert sum(product.saturated["fc1"]) > 0


def test_clipped_activations_are_counted(trained):
    learner, data = trained
    state = dict(learner.state, **{"act.range": learner.state["act.range"] / 2})
    counts = []
    for tried in (learner.state, state):
        clipped = Counter()
        product = IdealProduct(learner.read_weights())
        predict(learner.network, tried, codes=data.validation_codes, product=product, clipped=clipped)
        counts.append(clipped["act"])
    assert counts[1] > counts[0]


def test_accuracy_survives_the_macro(trained):
    learner, data = trained
    adcs = tiny_adcs(learner, data.calibration_codes(), 8)
    product = product_of(learner, adcs, noise_seed=0)
    predicted = predict(learner.network, learner.state, codes=data.validation_codes, product=product).argmax(axis=1)
    assert np.mean(predicted == data.validation_labels) > 0.9


def test_input_bits_and_missing_quantisers():
    assert input_bits(spoken_digit_crnn()) == {
        "conv1": 3,
        "conv2": 3,
        "rnn.input": 3,
        "rnn.hidden": 3,
        "fc1": 3,
        "fc2": 3,
    }
    with pytest.raises(ShapeError, match="put a Quantize before it"):
        input_bits(Network("bad", (4, 4, 1), 4, (Conv2d("a", 1, 2), Conv2d("b", 2, 2, (1, 1)))))
    assert input_bits(tiny_network())["fc2"] == 4


def test_uncalibrated_ranges_are_refused():
    network = tiny_network()
    ones = IdealProduct({name: np.ones(shape, np.float32) for name, shape in matrices(network)})
    with pytest.raises(DataError, match="never calibrated"):
        forward(network, initial_state(network), codes=np.zeros((1, 6, 6, 1), np.uint8), product=ones)

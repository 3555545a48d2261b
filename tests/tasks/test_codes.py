"""Inputs become codes: the nearest level of a range, unsigned or signed, per channel, for every shape of sample."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.errors import ConfigError, DataError, ShapeError
from minirram.nn.layers.join import Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.network import Network
from minirram.tasks import data_report
from minirram.tasks.codes import CodeRule, fitted_rule, pooled
from minirram.tasks.datasets import Layout
from minirram.tasks.registry import TASKS

BITS = st.integers(1, 8)


def network_of(shape, bits=4, zero=0):
    """A network that takes inputs of that shape."""
    return Network("n", shape, bits, (Flatten("f"), Linear("fc", int(np.prod(shape)), 2)), input_zero=zero)


@given(BITS, st.integers(0, 2**31))
def test_codes_of_pixels_are_the_nearest_levels(bits, seed):
    images = np.random.default_rng(seed).integers(0, 256, (2, 3, 4)).astype(np.uint8)
    images[0, 0, :2] = 0, 255
    codes = TASKS["retina"].layout.codes.codes(images, network_of((3, 4, 1), bits))
    assert codes.shape == (2, 3, 4, 1) and codes.dtype == np.uint8
    full = 2**bits - 1
    for index, pixel in np.ndenumerate(images):
        assert abs(int(codes[index][0]) * 255 - int(pixel) * full) <= 255 / 2
    assert codes[0, 0, 0] == 0 and codes[0, 0, 1] == full


@given(BITS, st.integers(0, 2**31))
def test_codes_of_features_are_the_nearest_levels(bits, seed):
    features = np.random.default_rng(seed).random((2, 3, 4), dtype=np.float32)
    features[0, 0, :2] = 0, 1
    codes = TASKS["spoken-digits"].layout.codes.codes(features, network_of((3, 4, 1), bits))
    assert codes.shape == (2, 3, 4, 1) and codes.dtype == np.uint8
    full = 2**bits - 1
    assert (np.abs(codes[..., 0] - features.astype(np.float64) * full) <= 0.5 + 1e-5).all()
    assert codes[0, 0, 0] == 0 and codes[0, 0, 1] == full


@given(BITS, st.integers(0, 2**31))
def test_garments_are_pooled_before_they_become_codes(bits, seed):
    images = np.random.default_rng(seed).integers(0, 256, (2, 6, 4)).astype(np.uint8)
    codes = TASKS["fashion-mnist"].layout.codes.codes(images, network_of((3, 2, 1), bits))
    for (n, row, col), code in np.ndenumerate(codes[..., 0]):
        brightest = images[n, 2 * row : 2 * row + 2, 2 * col : 2 * col + 2].max()
        assert code == np.rint(np.float32(brightest) * np.float32((2**bits - 1) / 255))
    assert codes.shape == (2, 3, 2, 1)


@given(st.integers(1, 4), st.integers(0, 2**31))
def test_pooling_takes_the_largest_of_each_square(side, seed):
    images = np.random.default_rng(seed).integers(0, 256, (2, 2 * side, 3 * side, 2)).astype(np.uint8)
    small = pooled(images, side)
    for n, row, col, channel in np.ndindex(2, 2, 3, 2):
        square = images[n, row * side : (row + 1) * side, col * side : (col + 1) * side, channel]
        assert small[n, row, col, channel] == square.max()
    assert small.shape == (2, 2, 3, 2)


@given(st.integers(2, 8), st.integers(0, 2**31), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_an_unsigned_range_is_that_of_the_training_data(bits, seed, low, width):
    inputs = (low + width * np.random.default_rng(seed).random((50, 7))).astype(np.float32)
    network = network_of((7, 1, 1), bits)
    rule = fitted_rule(inputs, network)
    codes = rule.codes(inputs, network)
    full = 2**bits - 1
    assert codes.min() == 0 and codes.max() == full and rule.clips
    step = (inputs.max().astype(float) - inputs.min()) / full
    error = codes[:, :, 0, 0] * step + inputs.min() - inputs.astype(float)
    assert np.abs(error).max() <= step * (0.5 + 1e-3) + 1e-3 * np.finfo(np.float32).eps * abs(low)
    beyond = np.array([[inputs.min() - width] * 7, [inputs.max() + width] * 7], np.float32)
    assert (rule.codes(beyond, network)[0] == 0).all() and (rule.codes(beyond, network)[1] == full).all()


@given(st.integers(2, 8), st.integers(0, 2**31), st.data())
def test_a_signed_range_keeps_zero_and_cuts_nothing(bits, seed, data):
    zero = data.draw(st.integers(1, 2**bits - 2))
    inputs = np.random.default_rng(seed).standard_normal((50, 7)).astype(np.float32)
    inputs[0, 0] = 0
    network = network_of((7, 1, 1), bits, zero)
    codes = fitted_rule(inputs, network).codes(inputs, network)[:, :, 0, 0].astype(int)
    assert codes[0, 0] == zero
    per_unit = min((2**bits - 1 - zero) / inputs.max(), zero / -inputs.min())
    np.testing.assert_array_equal(codes, np.rint(inputs.astype(float) * per_unit).astype(int) + zero)
    assert codes.min() == 0 or codes.max() == 2**bits - 1


def test_each_channel_has_a_range_of_its_own():
    inputs = np.random.default_rng(0).random((40, 3)) * np.array([1.0, 1000.0, 0.0]) + np.array([0.0, -500.0, 7.0])
    network = network_of((1, 1, 3))
    rule = fitted_rule(inputs.astype(np.float32), network)
    codes = rule.codes(inputs.astype(np.float32), network)
    assert codes.shape == (40, 1, 1, 3)
    assert (codes[..., :2].min(axis=0) == 0).all() and (codes[..., :2].max(axis=0) == 15).all()
    assert (codes[..., 2] == 0).all()  # it never changes
    with pytest.raises(ShapeError, match="a code rule for 3 channels; the inputs have 1"):
        rule.codes(np.zeros((2, 3)), network_of((3, 1, 1)))


@pytest.mark.parametrize(
    "shape, network",
    [
        ((9,), (1, 1, 9)),
        ((9,), (1, 9, 1)),
        ((9,), (9, 1, 1)),
        ((9, 3), (1, 9, 3)),
        ((6, 5), (6, 5, 1)),
        ((6, 5, 3), (6, 5, 3)),
        ((6, 5, 4), (6, 5, 4)),
    ],
)
def test_axes_of_length_1_are_put_in(shape, network):
    inputs = np.arange(2 * np.prod(shape), dtype=np.float32).reshape((2,) + shape)
    codes = CodeRule(high=(255.0,)).codes(inputs, network_of(network, bits=8))
    assert codes.shape == (2,) + network
    np.testing.assert_array_equal(codes.reshape(-1), np.minimum(inputs.reshape(-1), 255))


@pytest.mark.parametrize("shape, network", [((36,), (6, 6, 1)), ((6, 5), (5, 6, 1)), ((6, 6, 3), (6, 6, 1))])
def test_other_shapes_are_refused(shape, network):
    with pytest.raises(ShapeError, match="for network n, which takes"):
        CodeRule().codes(np.zeros((2,) + shape, np.float32), network_of(network))


def test_ranges_that_are_none_are_refused():
    for wrong in (dict(low=(1.0,)), dict(low=(0.0, 0.0)), dict(high=(np.inf,)), dict(low=(2.0,)), dict(pool=0)):
        with pytest.raises(ConfigError):
            CodeRule(**wrong)
    with pytest.raises(DataError, match="all alike"):
        fitted_rule(np.full((3, 4), 2.5, np.float32), network_of((4, 1, 1)))


@pytest.mark.parametrize("zero", [0, 8])
@pytest.mark.parametrize("low, high", [(-3e38, 3e38), (0.0, 1e-42), (-1e-42, 1e-42)])
def test_ranges_beyond_float32_are_refused(zero, low, high):
    rule = CodeRule(low=(low,), high=(high,), clips=True)
    network = network_of((4, 1, 1), zero=zero)
    with pytest.raises(DataError, match="channel 0 has values from .* beyond float32; scale them"):
        rule.codes(np.full((3, 4), high, np.float32), network)


def test_a_report_of_a_range_for_other_channels_or_beyond_bytes():
    """`task --check` reports on data before they become codes."""
    layout = Layout("bytes", (2, 2), "uint8", ("a", "b"), CodeRule((-1.5,), (200.5,), clips=True))
    images = np.array([0, 200, 201, 255], np.uint8).reshape(1, 2, 2, 1)
    assert data_report._cut(images, layout) == 2
    with pytest.raises(ShapeError, match="a code rule for 3 channels; the inputs have 1"):
        data_report._cut(images, replace(layout, codes=CodeRule((0.0,) * 3, (1.0,) * 3)))


def test_a_layer_beyond_all_memory_is_refused_at_once():
    with pytest.raises(ConfigError, match="layer norm: channels is 1000000000; at most 16777216"):
        Network("wide", (1, 1, 8), 4, (BatchNorm("norm", 10**9), Linear("fc", 8, 2)))

"""The paper's three networks in numbers, and descriptions that do not fit."""

import numpy as np
import pytest

from minirram.errors import ConfigError, ShapeError
from minirram.nn.layers.activation import Quantize, Relu
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Concat, Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.layers.recurrent import Rnn
from minirram.nn.layers.resample import GlobalAverage, MaxPool
from minirram.nn.network import (
    Network,
    affine_parameters,
    conversions,
    initial_state,
    macs,
    output_shapes,
    weights_by_layer,
)
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.retina import retina_unet
from minirram.tasks.spoken_digits import spoken_digit_crnn


def tiny(*layers, shape=(6, 6, 1)):
    return Network("tiny", shape, 4, layers)


def test_fashion_mnist_cnn_has_the_papers_counts():
    network = fashion_mnist_cnn()
    assert list(weights_by_layer(network).values()) == [576, 9216, 51200, 1280]
    assert macs(network) == 1_057_024
    assert conversions(network) == {"conv1": 9216, "conv2": 1600, "fc1": 128, "fc2": 10}
    assert sum(conversions(network, {"conv2": 2}).values()) == 12_554


def test_spoken_digit_crnn_has_the_papers_counts():
    network = spoken_digit_crnn()
    assert sum(weights_by_layer(network).values()) == 68_480
    assert list(weights_by_layer(network).values()) == [384, 12288, 4096, 16384, 32768, 2560]
    assert macs(network) == 394_112
    assert sum(conversions(network).values()) == 15_178
    shapes = output_shapes(network)
    assert [shapes[name] for name in ("conv1", "pool1", "conv2", "pool2", "rnn", "mean")] == [
        (11, 19, 64),
        (5, 9, 64),
        (2, 8, 32),
        (1, 4, 32),
        (1, 4, 128),
        (128,),
    ]


def test_retina_unet_has_the_papers_counts():
    network = retina_unet()
    assert sum(weights_by_layer(network).values()) == 4_313_440
    assert round(macs(network) / 1e6) == 351
    assert round(macs(network.resized(64, 64)) / 1e6) == 624
    shapes = output_shapes(network)
    assert shapes["relu_down5b"] == (3, 3, 256)
    assert shapes["concat4"] == (6, 6, 512)
    assert shapes["out"] == (48, 48, 2)


def test_every_signal_into_a_matrix_is_quantised():
    for network in (fashion_mnist_cnn(), spoken_digit_crnn(), retina_unet()):
        quantised = True  # the input
        for layer in network.layers:
            if layer.matrices():
                assert quantised, layer.name
                quantised = False
            elif isinstance(layer, Quantize):
                quantised = True
            elif not isinstance(layer, Flatten):
                quantised = False


def test_state_before_training():
    state = initial_state(retina_unet())
    assert (state["bn_up1b.gamma"] == 1).all() and (state["bn_up1b.beta"] == 0).all()
    assert state["bn_up1b.var"].shape == (32,)
    assert state["act_up1b.range"] == 0
    assert all(array.dtype == np.float32 for array in state.values())
    assert len(affine_parameters(retina_unet())) == 36
    assert affine_parameters(fashion_mnist_cnn()) == ()
    assert "rnn.range" in initial_state(spoken_digit_crnn())


@pytest.mark.parametrize(
    "layers, message",
    [
        ((Conv2d("a", 2, 3),), r"layer a: its input is \(6, 6, 1\), expected \(height, width, 2\)"),
        ((Conv2d("a", 1, 3, (7, 7)),), "layer a: a kernel of .* does not fit"),
        ((Linear("a", 36, 2),), r"layer a: its input is \(6, 6, 1\), expected \(36,\)"),
        ((Flatten("f"), Linear("a", 35, 2)), r"layer a: its input is \(36,\), expected \(35,\)"),
        ((Rnn("r", 1, 4, 3),), r"layer r: its input is \(6, 6, 1\), expected \(1, steps, 1\)"),
        ((BatchNorm("b", 3),), "layer b: .* has 1 channels, expected 3"),
        ((MaxPool("p", 7),), "layer p: .* at least 7 x 7"),
        ((Flatten("f"), GlobalAverage("m")), "layer m: "),
        ((Relu("r"), MaxPool("p"), Concat("c", "r")), r"layer c: its input is \(3, 3, 1\), but r gives \(6, 6, 1\)"),
        ((Relu("r"), Concat("c", "later")), "layer c: there is no earlier layer 'later'"),
    ],
)
def test_shapes_that_clash_name_the_layer(layers, message):
    with pytest.raises(ShapeError, match=message):
        tiny(*layers)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Conv2d("a", 0, 3), "layer a: in_channels = 0"),
        (lambda: Conv2d("a", 1, 3, (3, 3), (0, 1)), "layer a: kernel and stride"),
        (lambda: Conv2d("a", 1, 3, (3, 3, 3)), "layer a: kernel, stride and padding are pairs"),
        (lambda: Quantize("q", 9), "layer q: 9 bits, expected 1 to 8"),
        (lambda: Linear("l", 3, 1.5), "layer l: out_features = 1.5"),
        (lambda: tiny(Relu("a"), Relu("a")), "a name of its own"),
        (lambda: tiny(), "needs layers"),
        (lambda: Network("n", (2, 2, 1), 4, (Relu("r"),), input_zero=16), "input_zero 16"),
        (lambda: tiny(Relu("a")).layer("b"), "no layer 'b'"),
    ],
)
def test_values_that_cannot_be_used(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_clip_tail_follows_the_published_optima():
    """Optimal clipping of a normal density, with the sign as one bit more: 2.55 sigma (4 bit), 2.93 (5 bit)."""
    upper_tail = {3: 0.0054, 4: 0.0017}
    for bits, tail in upper_tail.items():
        assert Quantize("q", bits).tail == pytest.approx(tail, rel=0.05)

"""Each description of a layer that is refused, beside the last one that is right."""

import re

import numpy as np
import pytest

from minirram.errors import ConfigError, DataError, ShapeError
from minirram.nn.layers.activation import Clip, SignedQuantize, input_codes
from minirram.nn.layers.bias import Bias
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Add, ChannelShuffle, Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.resize import Resize
from minirram.nn.layers.response_norm import ResponseNorm
from minirram.nn.layers.widths import with_widths
from minirram.nn.layers.windows import AveragePool2d, MaxPool2d, Pad
from minirram.nn.network import Network

DESCRIPTIONS = {
    "bits of both signs": (SignedQuantize, dict(bits=2), dict(bits=1), "1 bit has no code for either sign"),
    "order of bounds": (Clip, dict(low=1.0, high=1.0), dict(low=1.0, high=0.5), "clips from 1.0 to 0.5; state one"),
    "no bound": (Clip, dict(high=6.0), dict(), "clips from None to None; state one bound"),
    "endless bound": (Clip, dict(low=0.0), dict(low=-np.inf), "clips from -inf to None"),
    "dilation": (Conv2d, dict(dilation=(1, 1)), dict(dilation=(1, 0)), r"dilation \(1, 0\); a pair"),
    "one dilation": (Conv2d, dict(dilation=(2, 1)), dict(dilation=(2,)), r"dilation \(2,\); a pair"),
    "groups of inputs": (Conv2d, dict(groups=2), dict(groups=4), "6 and 4 channels do not part into 4 groups"),
    "groups of outputs": (Conv2d, dict(groups=1), dict(groups=3), "6 and 4 channels do not part into 3 groups"),
    "scale": (Resize, dict(scale=(0.5, 1e-9)), dict(scale=(0.5, 0.0)), r"scale \(0.5, 0.0\); two numbers above 0"),
    "one scale": (Resize, dict(scale=(2.0, 1.0)), dict(scale=(2.0,)), r"scale \(2.0,\); two numbers"),
    "endless scale": (Resize, dict(scale=(2.0, 2.0)), dict(scale=(2.0, np.inf)), "inf.*two numbers above 0"),
    "corners": (Resize, dict(corners="asymmetric"), dict(corners="none"), "corners 'none'; one of half_pixel"),
    "alpha": (ResponseNorm, dict(alpha=0.0), dict(alpha=-1e-4), r"alpha, beta, bias \(-0.0001, .*alpha not below 0"),
    "bias": (ResponseNorm, dict(bias=1e-9), dict(bias=0.0), "alpha, beta, bias .*bias above 0"),
    "beta": (ResponseNorm, dict(beta=-1.0), dict(beta=np.nan), "alpha, beta, bias .*nan.*; finite"),
    "borders": (Pad, dict(padding=(0, 0, 0, 0)), dict(padding=(0, 0, 0, -1)), "padding .*-1.*; four lengths: above"),
    "two borders": (Pad, dict(padding=(1, 2, 3, 4)), dict(padding=(1, 2)), r"padding \(1, 2\); four lengths"),
    "window": (MaxPool2d, dict(kernel=(1, 1)), dict(kernel=(0, 1)), "kernel and stride are pairs .* of at least 1"),
    "one step": (MaxPool2d, dict(stride=(1, 1)), dict(stride=(1,)), "kernel and stride are pairs"),
    "step": (AveragePool2d, dict(stride=(1, 1)), dict(stride=(1, 0)), "kernel and stride are pairs"),
    "border of windows": (
        MaxPool2d,
        dict(kernel=(2, 3), padding=(1, 2, 1, 2)),
        dict(kernel=(2, 3), padding=(1, 2, 2, 2)),
        r"padding \(1, 2, 2, 2\) of windows of \(2, 3\); it is shorter",
    ),
}
REQUIRED = {Conv2d: dict(in_channels=6, out_channels=4), Resize: dict(scale=(2.0, 2.0))}

SHAPES = {
    "bias": (Bias("l", 3), Bias("l", 4), r"its input \(4, 4, 3\) has 3 channels, expected 4"),
    "shuffle": (
        ChannelShuffle("l", 3),
        ChannelShuffle("l", 2),
        "its input has 3 channels, which do not part into 2 groups",
    ),
    "resize": (Resize("l", (0.25, 1.0)), Resize("l", (0.24, 1.0)), r"nothing is left of an image of \(4, 4, 3\)"),
    "windows": (MaxPool2d("l", (4, 4)), MaxPool2d("l", (4, 5)), r"windows of \(4, 5\) .* do not fit an image of"),
    "padded windows": (
        AveragePool2d("l", (4, 6), (1, 1), (0, 1, 0, 1)),
        AveragePool2d("l", (4, 6), (1, 1), (0, 1, 0, 0)),
        r"windows of \(4, 6\) with padding \(0, 1, 0, 0\) do not fit",
    ),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_layer_that_cannot_be(name):
    kind, good, bad, said = DESCRIPTIONS[name]
    required = REQUIRED.get(kind, {})
    kind("l", **dict(required, **good))
    with pytest.raises(ConfigError, match=f"^layer l: .*{said}"):
        kind("l", **dict(required, **bad))


def network(*layers, shape=(4, 4, 3)):
    return Network("net", shape, 4, layers)


@pytest.mark.parametrize("name", SHAPES)
def test_a_layer_that_does_not_fit_its_input(name):
    good, bad, said = SHAPES[name]
    network(good)
    with pytest.raises(ShapeError, match=f"^network net, layer l: {said}"):
        network(bad)


def test_a_sum_of_two_shapes():
    first = Bias("first", 3)
    network(first, ChannelShuffle("same", 3), Add("sum", "first"))
    with pytest.raises(ShapeError, match=re.escape("layer sum: its input is (2, 2, 3), but first gives (4, 4, 3)")):
        network(first, MaxPool2d("half", (2, 2)), Add("sum", "first"))


def test_a_width_that_cannot_be_chosen():
    made = network(Flatten("flat"), Linear("first", 3, 5), Linear("last", 5, 2), shape=(1, 1, 3))
    assert with_widths(made, {"first": 7}).layer("last").in_features == 7
    for name in ("last", "none"):
        with pytest.raises(ConfigError, match=f"^network net: the width of {name} cannot be chosen"):
            with_widths(made, {"first": 7, name: 3})


def test_an_activation_without_a_code():
    codes, outside = input_codes(np.array([0.0, np.inf, -1.0], np.float32), 0.5, bits=4)
    assert codes.tolist() == [0, 15, 0] and outside == 2
    with pytest.raises(DataError, match="^2 of 3 activations are NaN: they have no input code"):
        input_codes(np.array([0.0, np.nan, np.nan], np.float32), 0.5, bits=4)

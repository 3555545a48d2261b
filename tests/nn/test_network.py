"""The paper's three networks in numbers, and descriptions that do not fit."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from minirram.errors import ConfigError, ShapeError
from minirram.nn.layers.activation import Quantize, Relu, clip_tail
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Concat, Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.layers.recurrent import Rnn
from minirram.nn.layers.resample import GlobalAverage, MaxPool, Upsample
from minirram.nn.network import (
    Network,
    affine_parameters,
    conversions,
    fitting_size,
    initial_state,
    input_zero_points,
    macs,
    matrix_codes,
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


def per_pixel(*extra, size=8):
    """Labels per pixel of what was pooled and stretched again."""
    layers = (Conv2d("a", 1, 2, (3, 3), (1, 1), (1, 1)), MaxPool("p"), Upsample("u")) + extra
    return tiny(*layers, Conv2d("out", 2, 2, (1, 1)), shape=(size, size, 1))


def test_images_are_continued_to_the_next_size_that_fits():
    network = retina_unet()
    assert fitting_size(network, (584, 565)) == (592, 576)
    assert fitting_size(network, (48, 48)) == (48, 48) and fitting_size(network, (49, 1)) == (64, 16)
    assert fitting_size(per_pixel(), (9, 10)) == (10, 10)


@given(st.integers(3, 9), st.integers(1, 3), st.integers(1, 20), st.integers(1, 20))
def test_an_image_is_never_cut_and_fits_in_the_end(size, pool, height, width):
    """Its own size is never continued, whatever it is; any other gets as many labels as pixels, or is refused."""
    network = tiny(Conv2d("a", 1, 2, (3, 3), (1, 1), (1, 1)), MaxPool("p", pool), Upsample("u"), shape=(size, size, 1))
    assert fitting_size(network, (size, size)) == (size, size)
    try:
        rows, columns = fitting_size(network, (height, width))
    except ShapeError:
        assert min(height, width) < pool
        return
    shape = output_shapes(network.resized(rows, columns))["u"]
    own = output_shapes(network)["u"][:2] == (size, size)
    assert rows >= height and columns >= width
    assert (shape[:2] == (rows, columns)) if own else (rows, columns) == (height, width)
    smaller = [(r, c) for r in range(height, rows + 1) for c in range(width, columns + 1) if (r, c) != (rows, columns)]
    for r, c in smaller if own else []:
        assert min(r, c) < pool or output_shapes(network.resized(r, c))["u"][:2] != (r, c)


def test_a_size_that_does_not_fit_names_those_that_do():
    flat = tiny(Conv2d("a", 1, 2), Flatten("f"), Linear("l", 32, 3))
    with pytest.raises(ShapeError, match=r"layer l: .* images of 5 x 6 do not fit, heights of 6 and widths of 6 do"):
        fitting_size(flat, (5, 6))
    sequence = tiny(Rnn("r", 1, 4, 3), GlobalAverage("m"), Linear("l", 4, 3), shape=(1, 3, 1))
    assert fitting_size(sequence, (1, 50)) == (1, 50)
    with pytest.raises(ShapeError, match="layer r: .* heights of 1 and widths of 2, 3, 4, 5, 6 do"):
        fitting_size(sequence, (2, 3))
    joined = tiny(Relu("r"), MaxPool("p"), Upsample("u"), Concat("c", "r"), Flatten("f"), Linear("l", 72, 3))
    with pytest.raises(ShapeError, match="layer c: .* heights of 6 and"):
        fitting_size(joined, (7, 6))


def test_the_hidden_matrix_of_a_recurrent_layer_has_no_zero_point():
    """Signed codes enter the input's matrix; the hidden one gets codes of its own, of activations that are never
    negative.
    """
    layers = (Rnn("r", 2, 4, 3), GlobalAverage("m"), Quantize("q", 5), Linear("l", 4, 2))
    network = Network("signed", (1, 5, 2), 4, layers, input_zero=8)
    assert matrix_codes(network) == {"r.input": (4, 8), "r.hidden": (3, 0), "l": (5, 0)}
    assert input_zero_points(network) == {"r.input": 8, "r.hidden": 0, "l": 0}


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
        ((MaxPool("p", 6), Rnn("r", 1, 4, 3)), "layer r: its input is one step"),
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
        assert clip_tail(bits) == pytest.approx(tail, rel=0.05)


def test_an_image_that_does_not_fit_is_told_by_its_height_and_its_width():
    layers = (MaxPool("pool"), MaxPool("half"), Flatten("flat"), Linear("fc", 2 * 3 * 2, 2))
    network = Network("mine", (8, 12, 2), 4, layers)
    with pytest.raises(ShapeError, match=r"is \(30,\).*images of 20 x 12 do not fit"):
        fitting_size(network, (20, 12))

"""Layers: every backward against differences, fast paths against slow loops, laws and errors."""

from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from minirram.crossbar.converters import InputCodes
from minirram.errors import ShapeError
from minirram.nn.layers.activation import (
    SignedQuantize,
    input_codes,
    quantise_backward,
    quantise_forward,
    relu_backward,
    relu_forward,
)
from minirram.nn.layers.base import Inference, Signal
from minirram.nn.layers.join import concat_backward, concat_forward
from minirram.nn.layers.linear import linear_backward, linear_forward
from minirram.nn.layers.norm import batch_norm_backward, batch_norm_forward, batch_norm_sums, merge_moments, moments
from minirram.nn.layers.resample import (
    max_pool_backward,
    max_pool_forward,
    mean_backward,
    mean_forward,
    upsample_backward,
    upsample_forward,
)
from minirram.nn.layers.windows import MaxPool2d, Pad
from minirram.nn.loss import softmax_cross_entropy

from ...support.gradients import check_backward, check_gradient

SMALL = st.integers(1, 5)


def generator_of(seed):
    return np.random.default_rng(seed)


def images(seed, n, height, width, channels, memory="nhwc"):
    """Random images; memory "hwnc" lays them out as the engine does."""
    x = generator_of(seed).standard_normal((n, height, width, channels))
    return x if memory == "nhwc" else np.ascontiguousarray(x.transpose(1, 2, 0, 3)).transpose(2, 0, 1, 3)


def test_linear(seed=1):
    g = generator_of(seed)
    check_backward(
        linear_forward,
        lambda dy, x, w: linear_backward(dy, x, weight=w),
        (g.normal(size=(7, 5)), g.normal(size=(5, 3))),
        g,
    )


def test_relu():
    g = generator_of(2)
    check_backward(relu_forward, lambda dy, x: (relu_backward(dy, np.maximum(x, 0)),), (g.normal(size=(7, 5)),), g)


@given(st.integers(1, 8), st.floats(1e-3, 10), st.integers(0, 99))
def test_quantise_is_the_nearest_of_its_levels(bits, step, seed):
    x = generator_of(seed).normal(size=50) * step * 2**bits
    y = quantise_forward(x, step, bits=bits)
    levels = step * np.arange(2**bits)
    nearest = np.abs(x[:, None] - levels).min(axis=1)
    np.testing.assert_allclose(np.abs(x - y), nearest, rtol=1e-9, atol=1e-9 * step * 2**bits)
    assert np.isin(np.rint(y / step), np.arange(2**bits)).all()
    np.testing.assert_allclose(quantise_forward(y, step, bits=bits), y, rtol=1e-12)


@given(st.integers(2, 8), st.floats(1e-6, 1e3), st.sampled_from((np.float32, np.float64)), st.integers(0, 2**32 - 1))
def test_training_and_inference_quantise_by_the_same_operation(bits, step, dtype, seed):
    """Bit for bit, also where x / step lies next to a half."""
    halves = generator_of(seed).integers(-(2**bits), 2**bits, 200) + 0.5
    x = (halves * dtype(step) * (1 + generator_of(seed).integers(-2, 3, 200) * np.finfo(dtype).eps)).astype(dtype)
    codes, _ = InputCodes(step, bits).quantise(x)
    np.testing.assert_array_equal(input_codes(x, step, bits=bits)[0], codes)
    np.testing.assert_array_equal(quantise_forward(x, step, bits=bits), codes * dtype(step))
    layer, parameters = SignedQuantize("q", bits), SimpleNamespace(saw=lambda *_: None, step=lambda *_: step)
    inference = SimpleNamespace(step=lambda *_: step, clipped={"q": 0})
    seen = layer.on_codes((Signal(x),), inference)
    expected = (seen.values - dtype(layer.zero_point)) * dtype(step)
    np.testing.assert_array_equal(layer.forward((x,), parameters)[0], expected)


@pytest.mark.parametrize("step, zero_point", [(0.25, 3), (None, 0)])
def test_a_border_of_codes_stands_for_zeros(step, zero_point):
    codes, layer = generator_of(4).integers(0, 8, (2, 3, 2, 1)).astype(np.uint8), Pad("pad", (1, 0, 2, 3))
    signal = Signal(codes if step else codes.astype(np.float32), step, zero_point)
    padded = layer.on_codes((signal,), Inference(None, {}))
    assert (padded.step, padded.zero_point, padded.values.dtype) == (step, zero_point, signal.values.dtype)
    np.testing.assert_array_equal(padded.floats(), np.pad(signal.floats(), ((0, 0), (1, 2), (0, 3), (0, 0))))


@pytest.mark.parametrize("step, zero_point", [(0.25, 6), (None, 0)])
def test_a_window_of_negative_values_beyond_the_image_has_their_largest(step, zero_point):
    """What lies beyond the image does not count, in codes, in floats and in training."""
    codes, layer = (
        generator_of(4).integers(0, 5, (2, 3, 3, 2)).astype(np.uint8),
        MaxPool2d("pool", padding=(1, 2, 1, 0)),
    )
    signal = Signal(codes if step else codes.astype(np.float32) - 9, step, zero_point)
    pooled, x = layer.on_codes((signal,), Inference(None, {})), signal.floats()
    assert (pooled.step, pooled.zero_point) == (step, zero_point) and x.max() < 0
    parts = [[x[:, max(i, 0) : i + 3, max(j, 0) : j + 3].max(axis=(1, 2)) for j in (-2, 0)] for i in (-1, 1)]
    expected = np.array(parts).transpose(2, 0, 1, 3)
    np.testing.assert_array_equal(pooled.floats(), expected)
    np.testing.assert_array_equal(layer.forward((x,), SimpleNamespace(training=False))[0], expected)


def test_quantise_gradient_is_one_inside_and_zero_outside():
    x = np.array([-0.1, 0.0, 0.2, 1.4, 1.5, 1.6])
    dx = quantise_backward(np.full(6, 3.0), x, step=0.1, bits=4)
    np.testing.assert_array_equal(dx, [0, 3, 3, 3, 3, 0])


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 99))
def test_moments_of_parts_are_those_of_the_whole(sizes, seed):
    x = generator_of(seed).normal(3, 2, size=(sum(sizes), 4))
    parts = np.split(x, np.cumsum(sizes)[:-1])
    count, mean, squares = merge_moments(moments(part) for part in parts)
    assert count == len(x)
    np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(squares / count, x.var(axis=0), rtol=1e-10, atol=1e-12)


def whole_batch_norm(x, gamma=None, beta=None):
    count, mean, squares = moments(x)
    return batch_norm_forward(x, mean, var=squares / count, gamma=gamma, beta=beta)


def whole_batch_norm_backward(dy, x, gamma=None, beta=None):
    count, mean, squares = moments(x)
    normalised = batch_norm_forward(x, mean, var=squares / count)
    dbeta, dgamma = sums = batch_norm_sums(dy, normalised)
    dx = batch_norm_backward(dy, normalised, var=squares / count, count=count, sums=sums, gamma=gamma)
    return (dx,) if gamma is None else (dx, dgamma, dbeta)


@pytest.mark.parametrize("memory", ["nhwc", "hwnc"])
def test_batch_norm(memory):
    g = generator_of(3)
    x = images(30, 3, 4, 2, 5, memory)
    check_backward(whole_batch_norm, whole_batch_norm_backward, (x,), g)
    check_backward(whole_batch_norm, whole_batch_norm_backward, (x, g.normal(size=5), g.normal(size=5)), g)
    y = whole_batch_norm(x)
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axis=(0, 1, 2)), 1, rtol=1e-4)


def slow_max_pool(x, size):
    n, height, width, channels = x.shape
    y = np.empty((n, height // size, width // size, channels))
    for index in np.ndindex(*y.shape):
        k, i, j, c = index
        y[index] = max(x[k, size * i + a, size * j + b, c] for a in range(size) for b in range(size))
    return y


@given(SMALL, st.integers(1, 3), SMALL, SMALL, SMALL, st.sampled_from(["nhwc", "hwnc"]))
def test_max_pool(n, size, rows, cols, channels, memory):
    x = images(4, n, size * rows + (size > 1), size * cols, channels, memory)
    np.testing.assert_array_equal(max_pool_forward(x, size), slow_max_pool(x, size))

    def backward(dy, x):
        first = np.empty((size * size,) + dy.shape, bool)
        max_pool_forward(x, size, first=first)
        return (max_pool_backward(dy, first, shape=x.shape, side=size),)

    check_backward(lambda x: max_pool_forward(x, size), backward, (x,), generator_of(5))


def test_max_pool_gradient_of_a_tie_goes_to_the_first():
    x = np.zeros((1, 4, 2, 1))
    x[0, 2:, :, 0] = [[1, 2], [2, 2]]
    first = np.empty((4, 1, 2, 1, 1), bool)
    max_pool_forward(x, first=first, side=2)
    dx = max_pool_backward(np.array([5.0, 7.0]).reshape(1, 2, 1, 1), first, shape=x.shape, side=2)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[5, 0], [0, 0], [0, 7], [0, 0]])


def slow_upsample(x):
    n, height, width, channels = x.shape
    y = np.empty((n, 2 * height, 2 * width, channels))
    for i, j in np.ndindex(2 * height, 2 * width):
        row, col = i * (height - 1) / (2 * height - 1), j * (width - 1) / (2 * width - 1)
        top, left = int(row), int(col)
        down, right = min(top + 1, height - 1), min(left + 1, width - 1)
        a, b = row - top, col - left
        above = (1 - b) * x[:, top, left] + b * x[:, top, right]
        y[:, i, j] = (1 - a) * above + a * ((1 - b) * x[:, down, left] + b * x[:, down, right])
    return y


@given(SMALL, SMALL, SMALL, SMALL, st.sampled_from(["nhwc", "hwnc"]))
def test_upsample(n, height, width, channels, memory):
    x = images(6, n, height, width, channels, memory)
    y = upsample_forward(x)
    np.testing.assert_allclose(y, slow_upsample(x), rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(y[:, [0, 0, -1, -1], [0, -1, 0, -1]], x[:, [0, 0, -1, -1], [0, -1, 0, -1]])
    check_backward(upsample_forward, lambda dy, x: (upsample_backward(dy),), (x,), generator_of(7))


def test_concat():
    x, other = images(8, 2, 3, 4, 5), images(9, 2, 3, 4, 2)
    check_backward(concat_forward, lambda dy, x, other: concat_backward(dy, 5), (x, other), generator_of(10))
    with pytest.raises(ShapeError, match="cannot join"):
        concat_forward(x, other[:, 1:])


def test_mean():
    x = images(11, 2, 3, 4, 5)
    check_backward(mean_forward, lambda dy, x: (mean_backward(dy, x.shape),), (x,), generator_of(12))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(6, 4), (2, 3, 3, 2), (2, 3, 4, 5)])
@pytest.mark.parametrize("weighted", [False, True])
def test_softmax_cross_entropy(shape, smoothing, weighted):
    g = generator_of(13)
    logits = g.normal(size=shape) * 3
    labels = g.integers(0, shape[-1], shape[:-1])
    weight = g.integers(0, 3, shape[:-1]).astype(float) if weighted else None
    loss, n_correct, dlogits = softmax_cross_entropy(logits, labels, weight=weight, smoothing=smoothing)
    slow, total, right = 0.0, 0.0, 0
    for index in np.ndindex(*shape[:-1]):
        w = 1.0 if weight is None else weight[index]
        p = np.exp(logits[index]) / np.exp(logits[index]).sum()
        target = np.full(shape[-1], smoothing / shape[-1])
        target[labels[index]] += 1 - smoothing
        slow -= w * (target * np.log(p)).sum()
        total += w
        right += bool(w > 0 and p.argmax() == labels[index])
    assert loss == pytest.approx(slow / total, rel=1e-12)
    assert n_correct == right
    check_gradient(
        lambda z: softmax_cross_entropy(z, labels, weight=weight, smoothing=smoothing)[0],
        logits,
        dlogits,
        g,
        tolerance=1e-6,
    )


def test_softmax_of_huge_logits_stays_finite():
    loss, _, dlogits = softmax_cross_entropy(np.array([[1e4, -1e4]]), np.array([1]))
    assert loss == pytest.approx(2e4)
    np.testing.assert_allclose(dlogits, [[1, -1]])


def test_labels_that_do_not_belong_are_refused():
    with pytest.raises(ShapeError, match="labels of shape"):
        softmax_cross_entropy(np.zeros((3, 4)), np.zeros(2, int))
    with pytest.raises(ShapeError, match="expected 0..3"):
        softmax_cross_entropy(np.zeros((3, 4)), np.array([0, 1, 4]))

"""Convolutions against the six loops that define them, and their gradients."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from minirram.errors import ShapeError
from minirram.nn.layers import convolution

from ...support.gradients import check_backward

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


def slow_conv2d(x, weight, kernel, stride, padding, fill=0):
    n, height, width, c_in = x.shape
    rows, cols = convolution.output_size(height, width, kernel=kernel, stride=stride, padding=padding)
    y = np.zeros((n, rows, cols, weight.shape[1]))
    for k, i, j, a, b, c in np.ndindex(n, rows, cols, kernel[0], kernel[1], c_in):
        row, col = i * stride[0] + a - padding[0], j * stride[1] + b - padding[1]
        pixel = x[k, row, col, c] if 0 <= row < height and 0 <= col < width else fill
        y[k, i, j] += pixel * weight[(a * kernel[1] + b) * c_in + c]
    return y


@given(PAIR, PAIR, st.tuples(st.integers(0, 2), st.integers(0, 2)), PAIR, st.integers(1, 3), st.integers(1, 3))
def test_any_kernel_stride_and_padding(kernel, stride, padding, extra, c_in, c_out):
    g = np.random.default_rng(1)
    x = g.normal(size=(2, kernel[0] + extra[0], kernel[1] + extra[1], c_in))
    weight = g.normal(size=(kernel[0] * kernel[1] * c_in, c_out))
    arguments = {"kernel": kernel, "stride": stride, "padding": padding}
    y = convolution.conv2d_forward(x, weight, **arguments)
    np.testing.assert_allclose(y, slow_conv2d(x, weight, **arguments), rtol=1e-10, atol=1e-12)
    check_backward(
        lambda x, w: convolution.conv2d_forward(x, w, **arguments),
        lambda dy, x, w: convolution.conv2d_backward(dy, x, weight=w, **arguments),
        (x, weight),
        g,
    )


@given(PAIR, PAIR, st.tuples(st.integers(0, 2), st.integers(0, 2)), st.integers(0, 15))
def test_patches_of_codes_are_padded_with_the_zero_point(kernel, stride, padding, zero):
    g = np.random.default_rng(2)
    codes = g.integers(0, 16, (2, kernel[0] + 2, kernel[1] + 1, 3)).astype(np.uint8)
    patches = convolution.im2col(codes, kernel, stride=stride, padding=padding, fill=zero)
    assert patches.dtype == np.uint8
    weight = g.integers(-3, 4, (patches.shape[3], 2))
    expected = slow_conv2d(codes, weight, kernel, stride, padding, fill=zero)
    np.testing.assert_array_equal(patches.astype(int) @ weight, expected)


def test_kernel_larger_than_the_image_is_refused():
    with pytest.raises(ShapeError, match="does not fit"):
        convolution.im2col(np.zeros((1, 2, 5, 1)), (3, 3))

"""Winograd's form against the three taps that define it, and each transform against its transpose."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from minirram.nn.engine import winograd


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 99))
def test_tiles_give_the_convolution(pairs, width, seed):
    g = np.random.default_rng(seed)
    x, w = g.normal(size=(2 * pairs + 2, width)), g.normal(size=(3, width))
    kernel, tiles, out = np.empty((4, width)), np.empty((4, pairs, width)), np.empty((2, pairs, width))
    winograd.kernel_forward(w, kernel)
    winograd.input_forward(x, tiles)
    winograd.output_forward(tiles * kernel[:, None], out)
    expected = [sum(w[tap] * x[row + tap] for tap in range(3)) for row in range(2 * pairs)]
    np.testing.assert_allclose(out.transpose(1, 0, 2).reshape(2 * pairs, width), expected, rtol=1e-10, atol=1e-12)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 99))
def test_each_backward_is_the_transpose_of_its_forward(pairs, width, seed):
    """<forward(u), v> = <u, backward(v)>"""
    g = np.random.default_rng(seed)
    transforms = [
        (winograd.kernel_forward, winograd.kernel_backward, (3, width), (4, width)),
        (winograd.input_forward, winograd.input_backward, (2 * pairs + 2, width), (4, pairs, width)),
        (winograd.output_forward, winograd.output_backward, (4, width), (2, width)),
    ]
    for forward, backward, shape, transformed_shape in transforms:
        u, v = g.normal(size=shape), g.normal(size=transformed_shape)
        forward_u, backward_v = np.empty_like(v), np.empty_like(u)
        forward(u, forward_u)
        product = (forward_u * v).sum()
        backward(v, backward_v)
        np.testing.assert_allclose(product, (u * backward_v).sum(), rtol=1e-9, atol=1e-9)

"""Winograd's form against the plain convolution, and each transform against its transpose."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from minirram import winograd
from minirram.convolution import conv2d_forward

TILES = st.integers(1, 4)


@given(TILES, TILES, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_tiles_give_the_convolution(th, tw, n, c_in, c_out, seed):
    g = np.random.default_rng(seed)
    x = g.normal(size=(2 * th + 2, 2 * tw + 2, n, c_in))
    weight = g.normal(size=(9 * c_in, c_out))
    kernel = winograd.kernel_forward(weight, np.empty((4, 4, c_in, c_out)))
    tiles = np.empty((4, 4, th, tw, n, c_in))
    winograd.input_forward(x, np.empty((4, th, 2 * tw + 2, n, c_in)), tiles)
    products = np.einsum("abijnc,abco->abijno", tiles, kernel)
    places = np.empty((2, 2, th, tw, n, c_out))
    winograd.output_forward(products, np.empty((2, 4, th, tw, n, c_out)), places)
    y = places.transpose(2, 0, 3, 1, 4, 5).reshape(2 * th, 2 * tw, n, c_out)
    expected = conv2d_forward(x.transpose(2, 0, 1, 3), weight, (3, 3)).transpose(1, 2, 0, 3)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)


@given(TILES, TILES, st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_each_backward_is_the_transpose_of_its_forward(th, tw, n, c_in, c_out, seed):
    """<forward(u), v> = <u, backward(v)> for the linear transforms of kernels, inputs and outputs."""
    g = np.random.default_rng(seed)
    w, dkernel = g.normal(size=(9 * c_in, c_out)), g.normal(size=(4, 4, c_in, c_out))
    kernel = winograd.kernel_forward(w, np.empty_like(dkernel))
    dw = winograd.kernel_backward(dkernel, np.empty_like(w))
    np.testing.assert_allclose((kernel * dkernel).sum(), (w * dw).sum(), rtol=1e-9, atol=1e-9)

    x, dtiles = g.normal(size=(2 * th + 2, 2 * tw + 2, n, c_in)), g.normal(size=(4, 4, th, tw, n, c_in))
    rows, tiles = np.empty((4, th, 2 * tw + 2, n, c_in)), np.empty_like(dtiles)
    winograd.input_forward(x, rows, tiles)
    product = (tiles * dtiles).sum()
    dx = np.empty_like(x)
    winograd.input_backward(dtiles, rows, dx)
    np.testing.assert_allclose(product, (x * dx).sum(), rtol=1e-9, atol=1e-9)

    m, dy = g.normal(size=(4, 4, th, tw, n, c_out)), g.normal(size=(2, 2, th, tw, n, c_out))
    rows, y, dm = np.empty((2, 4, th, tw, n, c_out)), np.empty_like(dy), np.empty_like(m)
    winograd.output_forward(m, rows, y)
    winograd.output_backward(dy, rows, dm)
    np.testing.assert_allclose((y * dy).sum(), (m * dm).sum(), rtol=1e-9, atol=1e-9)

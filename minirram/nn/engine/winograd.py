"""Winograd's form F(2, 3) of a convolution with three taps, stride 1: four products per two outputs, not six.

y = A^T [ (G w) * (B^T x) ] for two outputs at a time (Lavin and Gray, arXiv 1509.09308). Each function works along
axis 0 of its arrays, any shape after it; `t` counts pairs of outputs. A `*_backward` is its `*_forward` transposed.
"""

import numpy as np


def kernel_forward(w: np.ndarray, out: np.ndarray) -> None:
    """G w: w (3, ...) -> out (4, ...)."""
    half = w.dtype.type(0.5)
    out[0] = w[0]
    out[3] = w[2]
    np.add(w[0], w[2], out=out[2])
    out[2] *= half
    middle = w[1] * half
    np.add(out[2], middle, out=out[1])
    out[2] -= middle


def kernel_backward(dkernel: np.ndarray, out: np.ndarray) -> None:
    """G^T dkernel: dkernel (4, ...) -> out (3, ...)."""
    half = dkernel.dtype.type(0.5)
    np.subtract(dkernel[1], dkernel[2], out=out[1])
    out[1] *= half
    both = dkernel[1] + dkernel[2]
    both *= half
    np.add(dkernel[0], both, out=out[0])
    np.add(dkernel[3], both, out=out[2])


def input_forward(x: np.ndarray, out: np.ndarray) -> None:
    """B^T x: x (2 t + 2, ...) -> out (4, t, ...)."""
    even, odd = x[0::2], x[1::2]
    np.subtract(even[:-1], even[1:], out=out[0])
    np.add(odd[:-1], even[1:], out=out[1])
    np.subtract(even[1:], odd[:-1], out=out[2])
    np.subtract(odd[:-1], odd[1:], out=out[3])


def input_backward(dinput: np.ndarray, out: np.ndarray) -> None:
    """B dinput: dinput (4, t, ...), overwritten -> out (2 t + 2, ...)."""
    even, odd = out[0::2], out[1::2]
    np.subtract(dinput[1], dinput[2], out=odd[:-1])
    odd[:-1] += dinput[3]
    odd[-1] = 0
    odd[1:] -= dinput[3]
    even[:-1] = dinput[0]
    even[-1] = 0
    inner = dinput[1]
    inner += dinput[2]
    inner -= dinput[0]
    even[1:] += inner


def output_forward(products: np.ndarray, out: np.ndarray) -> None:
    """A^T products: products (4, ...) -> out (2, ...)."""
    np.add(products[1], products[2], out=out[0])
    out[0] += products[0]
    np.subtract(products[1], products[2], out=out[1])
    out[1] -= products[3]


def output_backward(dy: np.ndarray, out: np.ndarray) -> None:
    """A dy: dy (2, ...) -> out (4, ...)."""
    out[0] = dy[0]
    np.add(dy[0], dy[1], out=out[1])
    np.subtract(dy[0], dy[1], out=out[2])
    np.negative(dy[1], out=out[3])

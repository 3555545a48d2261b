"""Convolutions of 3 x 3, stride 1, in Winograd's form F(2x2, 3x3): 16 products per 2 x 2 outputs, not 36.

y = A^T [ (G w G^T) * (B^T x B) ] A for every tile (Lavin and Gray, arXiv 1509.09308). Images are (height, width, n,
channels): the transforms are sums of long contiguous runs. th and tw count tiles; the axes of length 4 and 2
before them count places inside a tile.
"""

import numpy as np


def kernel_forward(weight, out):
    """U = G w G^T. weight (9 * c_in, c_out) -> out (4, 4, c_in, c_out)."""
    c_in, c_out = out.shape[2:]
    rows = np.empty((4, 3, c_in, c_out), weight.dtype)
    kernel_axis_forward(weight.reshape(3, 3, c_in, c_out), rows)
    kernel_axis_forward(rows.transpose(1, 0, 2, 3), out.transpose(1, 0, 2, 3))
    return out


def kernel_axis_forward(w, out):
    """G along axis 0: w (3, ...) -> out (4, ...)."""
    half = w.dtype.type(0.5)
    out[0] = w[0]
    out[3] = w[2]
    np.add(w[0], w[2], out=out[2])
    out[2] *= half
    middle = w[1] * half
    np.add(out[2], middle, out=out[1])
    out[2] -= middle


def kernel_backward(dkernel, out):
    """dw = G^T dU G. dkernel (4, 4, c_in, c_out) -> out (9 * c_in, c_out)."""
    c_in, c_out = dkernel.shape[2:]
    rows = np.empty((3, 4, c_in, c_out), dkernel.dtype)
    kernel_axis_backward(dkernel, rows)
    kernel_axis_backward(rows.transpose(1, 0, 2, 3), out.reshape(3, 3, c_in, c_out).transpose(1, 0, 2, 3))
    return out


def kernel_axis_backward(dkernel, out):
    """G^T along axis 0: dkernel (4, ...) -> out (3, ...)."""
    half = dkernel.dtype.type(0.5)
    np.subtract(dkernel[1], dkernel[2], out=out[1])
    out[1] *= half
    both = dkernel[1] + dkernel[2]
    both *= half
    np.add(dkernel[0], both, out=out[0])
    np.add(dkernel[3], both, out=out[2])


def input_forward(x, rows, out):
    """V = B^T x B. x (2 th + 2, 2 tw + 2, n, c) -> out (4, 4, th, tw, n, c); scratch rows (4, th, 2 tw + 2, n, c)."""
    input_axis_forward(x, rows)
    input_axis_forward(rows.transpose(2, 0, 1, 3, 4), out.transpose(1, 3, 0, 2, 4, 5))


def input_axis_forward(x, out):
    """B^T along axis 0: x (2 t + 2, ...) -> out (4, t, ...)."""
    even, odd = x[0::2], x[1::2]
    np.subtract(even[:-1], even[1:], out=out[0])
    np.add(odd[:-1], even[1:], out=out[1])
    np.subtract(even[1:], odd[:-1], out=out[2])
    np.subtract(odd[:-1], odd[1:], out=out[3])


def input_backward(dinput, rows, out):
    """dx = B dV B^T: the shapes of `input_forward`, from dinput (which is overwritten) to out."""
    input_axis_backward(dinput.transpose(1, 3, 0, 2, 4, 5), rows.transpose(2, 0, 1, 3, 4))
    input_axis_backward(rows, out)


def input_axis_backward(dinput, out):
    """B along axis 0: dinput (4, t, ...), overwritten -> out (2 t + 2, ...)."""
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


def output_forward(products, rows, out):
    """y = A^T m A. products (4, 4, th, tw, n, c) -> out (2, 2, th, tw, n, c); scratch rows (2, 4, th, tw, n, c)."""
    output_axis_forward(products, rows)
    output_axis_forward(rows.transpose(1, 0, 2, 3, 4, 5), out.transpose(1, 0, 2, 3, 4, 5))


def output_axis_forward(products, out):
    """A^T along axis 0: products (4, ...) -> out (2, ...)."""
    np.add(products[1], products[2], out=out[0])
    out[0] += products[0]
    np.subtract(products[1], products[2], out=out[1])
    out[1] -= products[3]


def output_backward(dy, rows, out):
    """dm = A dy A^T: the shapes of `output_forward`, from dy to out."""
    output_axis_backward(dy.transpose(1, 0, 2, 3, 4, 5), rows.transpose(1, 0, 2, 3, 4, 5))
    output_axis_backward(rows, out)


def output_axis_backward(dy, out):
    """A along axis 0: dy (2, ...) -> out (4, ...)."""
    out[0] = dy[0]
    np.add(dy[0], dy[1], out=out[1])
    np.subtract(dy[0], dy[1], out=out[2])
    np.negative(dy[1], out=out[3])

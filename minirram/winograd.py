"""Convolutions of 3 x 3, stride 1, in Winograd's form F(2x2, 3x3): 16 products per 2 x 2 outputs, not 36.

y = A^T [ (G w G^T) * (B^T x B) ] A for every tile (Lavin and Gray, arXiv 1509.09308). Images are (height, width, n,
channels): the transforms are sums of long contiguous runs. th and tw count tiles; the axes of length 4 and 2
before them count places inside a tile.
"""

import numpy as np


def kernel_forward(weight, out):
    """U = G w G^T. weight (9 * c_in, c_out) -> out (4, 4, c_in, c_out)."""
    c_in, c_out = out.shape[2:]
    w = weight.reshape(3, 3, c_in, c_out)
    half = w.dtype.type(0.5)
    rows = np.empty((4, 3, c_in, c_out), w.dtype)
    _kernel_axis(w, rows, half)
    _kernel_axis(rows.transpose(1, 0, 2, 3), out.transpose(1, 0, 2, 3), half)
    return out


def _kernel_axis(w, out, half):
    """G along axis 0: w (3, ...) -> out (4, ...)."""
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
    half = dkernel.dtype.type(0.5)
    rows = np.empty((3, 4, c_in, c_out), dkernel.dtype)
    _kernel_axis_backward(dkernel, rows, half)
    _kernel_axis_backward(rows.transpose(1, 0, 2, 3), out.reshape(3, 3, c_in, c_out).transpose(1, 0, 2, 3), half)
    return out


def _kernel_axis_backward(dkernel, out, half):
    """G^T along axis 0: dkernel (4, ...) -> out (3, ...)."""
    np.subtract(dkernel[1], dkernel[2], out=out[1])
    out[1] *= half
    both = dkernel[1] + dkernel[2]
    both *= half
    np.add(dkernel[0], both, out=out[0])
    np.add(dkernel[3], both, out=out[2])


def input_forward(x, rows, out):
    """V = B^T x B. x (2 th + 2, 2 tw + 2, n, c) -> out (4, 4, th, tw, n, c); scratch rows (4, th, 2 tw + 2, n, c)."""
    _input_axis(x, rows)
    _input_axis(rows.transpose(2, 0, 1, 3, 4), out.transpose(1, 3, 0, 2, 4, 5))


def _input_axis(x, out):
    """B^T along axis 0: x (2 t + 2, ...) -> out (4, t, ...)."""
    even, odd = x[0::2], x[1::2]
    np.subtract(even[:-1], even[1:], out=out[0])
    np.add(odd[:-1], even[1:], out=out[1])
    np.subtract(even[1:], odd[:-1], out=out[2])
    np.subtract(odd[:-1], odd[1:], out=out[3])


def input_backward(dinput, rows, out):
    """dx = B dV B^T: the shapes of `input_forward`, from dinput (which is overwritten) to out."""
    _input_axis_backward(dinput.transpose(1, 3, 0, 2, 4, 5), rows.transpose(2, 0, 1, 3, 4))
    _input_axis_backward(rows, out)


def _input_axis_backward(dinput, out):
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


def output_forward(products, rows, places):
    """y = A^T m A. products (4, 4, th, tw, n, c); rows (2, 4, th, tw, n, c) is scratch; places[a][b] takes output (a,
    b).
    """
    np.add(products[1], products[2], out=rows[0])
    rows[0] += products[0]
    np.subtract(products[1], products[2], out=rows[1])
    rows[1] -= products[3]
    for row, (left, right) in zip(rows, places):
        np.add(row[1], row[2], out=left)
        left += row[0]
        np.subtract(row[1], row[2], out=right)
        right -= row[3]


def output_backward(dplaces, rows, out):
    """dm = A dy A^T: from dplaces[a][b] (th, tw, n, c) to out (4, 4, th, tw, n, c)."""
    for row, (left, right) in zip(rows, dplaces):
        row[0] = left
        np.add(left, right, out=row[1])
        np.subtract(left, right, out=row[2])
        np.negative(right, out=row[3])
    out[0] = rows[0]
    np.add(rows[0], rows[1], out=out[1])
    np.subtract(rows[0], rows[1], out=out[2])
    np.negative(rows[1], out=out[3])

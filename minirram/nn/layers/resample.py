"""Layers that change the size of an image: pooling, interpolation, mean; forward and backward."""

from dataclasses import dataclass

import numpy as np

from ...errors import ShapeError
from .checks import _check_positive


def _windows(x, size):
    """The size * size views of x, one per place in a pooling window; what fills no window is left out."""
    height, width = x.shape[1] // size * size, x.shape[2] // size * size
    return [x[:, i:height:size, j:width:size] for i in range(size) for j in range(size)]


def largest(places, out, first=None):
    """Elementwise maximum of several arrays of one shape.

    first: optional bool (len(places), shape...), becomes True where that array is the first to hold the maximum.
    """
    out[...] = places[0]
    for place in places[1:]:
        np.maximum(out, place, out=out)
    if first is not None:
        for place, is_first in zip(places, first):
            np.equal(place, out, out=is_first)
        taken = first[0].copy()
        for is_first in first[1:]:
            np.greater(is_first, taken, out=is_first)
            taken |= is_first
    return out


def max_pool_forward(x, size=2, out=None, first=None):
    """Maximum over windows of size x size: (n, height, width, c) -> (n, height // size, width // size, c).

    first: optional bool (size * size, shape of the output), where each window's maximum lies (ties: the first, row by
    row).
    """
    places = _windows(x, size)
    return largest(places, np.empty(places[0].shape, x.dtype) if out is None else out, first)


def max_pool_backward(dy, first, shape, size=2, out=None):
    """dx, shape (n, height, width, c): dy goes to the window's first maximum, all else is 0."""
    if out is None:
        out = np.empty(shape, dy.dtype)
    out[:, dy.shape[1] * size :] = 0
    out[:, :, dy.shape[2] * size :] = 0
    for place, is_first in zip(_windows(out, size), first):
        np.multiply(dy, is_first, out=place)
    return out


def _between(length, dtype):
    """Weights of the neighbours in a linear x2 interpolation with aligned corners.

    Output 2k lies k / (2 length - 1) before input k, output 2k + 1 lies (length - 1 - k) / (2 length - 1) after it.
    """
    k = np.arange(length - 1)
    return ((k + 1) / (2 * length - 1)).astype(dtype), ((length - 1 - k) / (2 * length - 1)).astype(dtype)


def _stretch(x, out):
    """Linear interpolation to twice the length along axis 0, corners aligned."""
    before, after = (w.reshape((-1,) + (1,) * (x.ndim - 1)) for w in _between(len(x), x.dtype))
    rise = x[1:] - x[:-1]
    out[0::2] = x
    out[1::2] = x
    out[2::2] -= before * rise
    out[1:-1:2] += after * rise


def _shrink(dy, out):
    """The transpose of `_stretch`."""
    before, after = (w.reshape((-1,) + (1,) * (dy.ndim - 1)) for w in _between(len(out), dy.dtype))
    np.add(dy[0::2], dy[1::2], out=out)
    rise = after * dy[1:-1:2]
    rise -= before * dy[2::2]
    out[1:] += rise
    out[:-1] -= rise


def upsample_forward(x, out=None):
    """Bilinear interpolation to twice the height and width with aligned corners (the corner pixels stay corners)."""
    n, height, width, channels = x.shape
    if out is None:
        out = np.empty((n, 2 * height, 2 * width, channels), x.dtype)
    tall = np.empty((2 * height, width, n, channels), x.dtype)
    _stretch(x.transpose(1, 2, 0, 3), tall)
    _stretch(tall.transpose(1, 0, 2, 3), out.transpose(2, 1, 0, 3))
    return out


def upsample_backward(dy, out=None):
    """dx (n, height, width, channels) from dy (n, 2 height, 2 width, channels)."""
    n, height, width, channels = dy.shape
    if out is None:
        out = np.empty((n, height // 2, width // 2, channels), dy.dtype)
    tall = np.empty((height, width // 2, n, channels), dy.dtype)
    _shrink(dy.transpose(2, 1, 0, 3), tall.transpose(1, 0, 2, 3))
    _shrink(tall, out.transpose(1, 2, 0, 3))
    return out


def mean_forward(x, out=None):
    """Mean over height and width (the steps of a sequence): (n, height, width, c) -> (n, c)."""
    return np.mean(x, axis=(1, 2), out=out)


def mean_backward(dy, shape, out=None):
    """dx of shape (n, height, width, c): each place gets its share of dy (n, c)."""
    if out is None:
        out = np.empty(shape, dy.dtype)
    out[...] = (dy / dy.dtype.type(shape[1] * shape[2]))[:, None, None, :]
    return out


@dataclass(frozen=True)
class MaxPool:
    """Maximum over square windows without overlap; a remainder at the border is dropped."""

    name: str
    """name of the layer"""
    size: int = 2
    """height, width and stride of the window, pixels"""

    def __post_init__(self):
        _check_positive(self, size=self.size)

    def output_shape(self, shape, _earlier):
        """(height // size, width // size, channels)"""
        if len(shape) != 3 or min(shape[:2]) < self.size:
            raise ShapeError(f"its input is {shape}, expected an image of at least {self.size} x {self.size}")
        return (shape[0] // self.size, shape[1] // self.size, shape[2])


@dataclass(frozen=True)
class Upsample:
    """Bilinear interpolation to twice the height and width, corners aligned."""

    name: str
    """name of the layer"""

    def output_shape(self, shape, _earlier):
        """(2 * height, 2 * width, channels)"""
        if len(shape) != 3:
            raise ShapeError(f"its input is {shape}, expected an image")
        return (2 * shape[0], 2 * shape[1], shape[2])


@dataclass(frozen=True)
class MeanSteps:
    """Mean over height and width, i.e. over the steps of a sequence: (height, width, channels) -> (channels,)."""

    name: str
    """name of the layer"""

    def output_shape(self, shape, _earlier):
        """(channels,)"""
        if len(shape) != 3:
            raise ShapeError(f"its input is {shape}, expected (height, width, channels)")
        return shape[-1:]

"""Layers that change the size of an image: pooling, interpolation, mean; forward and backward."""

from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Optional, Tuple

import numpy as np

from ...errors import ShapeError
from .base import Arrays, Codes, DigitalEvents, Gradients, Inference, Layer, Parameters, Shape, Shapes, Signal, n_values
from .checks import check_image, check_positive


def windows(x: np.ndarray, side: int) -> List[np.ndarray]:
    """The side * side views of x, one per place in a pooling window; what fills no window is left out."""
    height, width = x.shape[1] // side * side, x.shape[2] // side * side
    return [x[:, i:height:side, j:width:side] for i in range(side) for j in range(side)]


def largest(places: Iterable[np.ndarray], out: np.ndarray, *, first: Optional[np.ndarray] = None) -> np.ndarray:
    """Elementwise maximum of several arrays of one shape, one after the other; the first may be `out`.

    first: optional bool (number of places, shape...), becomes True where that array is the first to hold the maximum.
    """
    for index, place in enumerate(places):
        if index == 0:
            if place is not out:
                out[...] = place
            continue
        if first is not None:
            np.greater(place, out, out=first[index])
        np.maximum(out, place, out=out)
    if first is not None:
        later = np.zeros(out.shape, bool)  # that a later place holds more
        for is_first in first[:0:-1]:
            np.greater(is_first, later, out=is_first)
            later |= is_first
        np.logical_not(later, out=first[0])
    return out


def max_pool_forward(
    x: np.ndarray, side: int, *, out: Optional[np.ndarray] = None, first: Optional[np.ndarray] = None
) -> np.ndarray:
    """Maximum over windows of side x side: (n, height, width, c) -> (n, height // side, width // side, c).

    first: optional bool (side * side, shape of the output), where each window's maximum lies (ties: the first, row by
    row).
    """
    places = windows(x, side)
    return largest(places, np.empty(places[0].shape, x.dtype) if out is None else out, first=first)


def max_pool_backward(
    dy: np.ndarray, first: np.ndarray, *, shape: Shape, side: int, out: Optional[np.ndarray] = None
) -> np.ndarray:
    """dx, shape (n, height, width, c): dy goes to the window's first maximum, all else is 0."""
    if out is None:
        out = np.empty(shape, dy.dtype)
    out[:, dy.shape[1] * side :] = 0
    out[:, :, dy.shape[2] * side :] = 0
    for place, is_first in zip(windows(out, side), first):
        np.multiply(dy, is_first, out=place)
    return out


def average_pool_forward(x: np.ndarray, side: int) -> np.ndarray:
    """Mean over windows of side x side: (n, height, width, c) -> (n, height // side, width // side, c)."""
    places = windows(x, side)
    y = places[0].copy()
    for place in places[1:]:
        y += place
    y *= x.dtype.type(1 / side**2)
    return y


def average_pool_backward(dy: np.ndarray, shape: Shape, *, side: int) -> np.ndarray:
    """dx, shape (n, height, width, c): each place of a window gets its share of dy, what fills no window gets 0."""
    dx = np.zeros(shape, dy.dtype)
    for place in windows(dx, side):
        np.multiply(dy, dy.dtype.type(1 / side**2), out=place)
    return dx


def _between(length: int, dtype: np.dtype) -> Tuple[np.ndarray, np.ndarray]:
    """Weights of the neighbours in a linear x2 interpolation with aligned corners.

    Output 2k lies k / (2 length - 1) before input k, output 2k + 1 lies (length - 1 - k) / (2 length - 1) after it.
    """
    k = np.arange(length - 1)
    return ((k + 1) / (2 * length - 1)).astype(dtype), ((length - 1 - k) / (2 * length - 1)).astype(dtype)


def _stretch(x: np.ndarray, out: np.ndarray) -> None:
    """Linear interpolation to twice the length along axis 0, corners aligned."""
    before, after = (w.reshape((-1,) + (1,) * (x.ndim - 1)) for w in _between(len(x), x.dtype))
    rise = x[1:] - x[:-1]
    out[0::2] = x
    out[1::2] = x
    out[2::2] -= before * rise
    out[1:-1:2] += after * rise


def _shrink(dy: np.ndarray, out: np.ndarray) -> None:
    """The transpose of `_stretch`."""
    before, after = (w.reshape((-1,) + (1,) * (dy.ndim - 1)) for w in _between(len(out), dy.dtype))
    np.add(dy[0::2], dy[1::2], out=out)
    rise = after * dy[1:-1:2]
    rise -= before * dy[2::2]
    out[1:] += rise
    out[:-1] -= rise


def upsample_forward(x: np.ndarray, out: Optional[np.ndarray] = None) -> np.ndarray:
    """Bilinear interpolation to twice the height and width with aligned corners (the corner pixels stay corners)."""
    n, height, width, channels = x.shape
    if out is None:
        out = np.empty((n, 2 * height, 2 * width, channels), x.dtype)
    tall = np.empty((2 * height, width, n, channels), x.dtype)
    _stretch(x.transpose(1, 2, 0, 3), tall)
    _stretch(tall.transpose(1, 0, 2, 3), out.transpose(2, 1, 0, 3))
    return out


def upsample_backward(dy: np.ndarray, out: Optional[np.ndarray] = None) -> np.ndarray:
    """dx (n, height, width, channels) from dy (n, 2 height, 2 width, channels)."""
    n, height, width, channels = dy.shape
    if out is None:
        out = np.empty((n, height // 2, width // 2, channels), dy.dtype)
    tall = np.empty((height, width // 2, n, channels), dy.dtype)
    _shrink(dy.transpose(2, 1, 0, 3), tall.transpose(1, 0, 2, 3))
    _shrink(tall, out.transpose(1, 2, 0, 3))
    return out


def mean_forward(x: np.ndarray, out: Optional[np.ndarray] = None) -> np.ndarray:
    """Mean over height and width (the steps of a sequence): (n, height, width, c) -> (n, c)."""
    return np.mean(x, axis=(1, 2), out=out)


def mean_backward(dy: np.ndarray, shape: Shape, *, out: Optional[np.ndarray] = None) -> np.ndarray:
    """dx of shape (n, height, width, c): each place gets its share of dy (n, c)."""
    if out is None:
        out = np.empty(shape, dy.dtype)
    out[...] = (dy / dy.dtype.type(shape[1] * shape[2]))[:, None, None, :]
    return out


def pooled_shape(shape: Shape, side: int) -> Shape:
    """(height // side, width // side, channels); ShapeError where no window fits."""
    if len(shape) != 3 or min(shape[:2]) < side:
        raise ShapeError(f"its input is {shape}, expected an image of at least {side} x {side}")
    return (shape[0] // side, shape[1] // side, shape[2])


@dataclass(frozen=True)
class MaxPool(Layer):
    """Maximum over square windows without overlap; a remainder at the border is dropped."""

    size: int = 2
    """height, width and stride of the window, pixels"""
    keeps_shifts = True

    def __post_init__(self) -> None:
        check_positive(self.name, size=self.size)

    def output_shape(self, inputs: Shapes) -> Shape:
        """(height // size, width // size, channels)"""
        return pooled_shape(inputs[0], self.size)

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = the largest of each window"""
        (x,) = inputs
        n, height, width, channels = x.shape
        first = np.empty((self.size**2, n, height // self.size, width // self.size, channels), bool)
        return max_pool_forward(x, self.size, first=first), (first, x.shape)

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dy to where the largest was"""
        first, shape = kept
        return (max_pool_backward(dy, first, shape=shape, side=self.size),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Codes or floats, as they come: the order of codes is that of their values."""
        (signal,) = inputs
        return Signal(max_pool_forward(signal.values, self.size), signal.step, signal.zero_point)

    def codes_out(self, codes: Optional[Codes]) -> Optional[Codes]:
        """The same."""
        return codes

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Comparisons within a window."""
        return DigitalEvents(compares=n_values(output) * (self.size**2 - 1))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class AveragePool(Layer):
    """Mean over square windows without overlap; a remainder at the border is dropped."""

    size: int = 2
    """height, width and stride of the window, pixels"""

    def __post_init__(self) -> None:
        check_positive(self.name, size=self.size)

    def output_shape(self, inputs: Shapes) -> Shape:
        """(height // size, width // size, channels)"""
        return pooled_shape(inputs[0], self.size)

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = the mean of each window"""
        return average_pool_forward(inputs[0], self.size), inputs[0].shape

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = dy / places of a window"""
        return (average_pool_backward(dy, kept, side=self.size),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats."""
        return Signal(average_pool_forward(inputs[0].floats(), self.size))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Additions within a window, one multiplication."""
        n = n_values(output)
        return DigitalEvents(multiplies=n, adds=n * (self.size**2 - 1))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class Upsample(Layer):
    """Bilinear interpolation to twice the height and width, corners aligned."""

    def output_shape(self, inputs: Shapes) -> Shape:
        """(2 * height, 2 * width, channels)"""
        (shape,) = inputs
        check_image(shape)
        return (2 * shape[0], 2 * shape[1], shape[2])

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = x between its pixels"""
        return upsample_forward(inputs[0]), None

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """The transpose of the forward."""
        return (upsample_backward(dy),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats."""
        return Signal(upsample_forward(inputs[0].floats()))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Three interpolations of one multiplication and two additions."""
        return DigitalEvents(multiplies=3 * n_values(output), adds=6 * n_values(output))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class GlobalAverage(Layer):
    """Mean over height and width, i.e. over the steps of a sequence: (height, width, channels) -> (channels,)."""

    def output_shape(self, inputs: Shapes) -> Shape:
        """(channels,)"""
        (shape,) = inputs
        check_image(shape)
        return shape[-1:]

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = mean of x"""
        return mean_forward(inputs[0]), inputs[0].shape

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = dy / places"""
        return (mean_backward(dy, kept),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats."""
        return Signal(mean_forward(inputs[0].floats()))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Additions over all places, one multiplication."""
        return DigitalEvents(multiplies=n_values(output), adds=n_values(inputs[0]) - n_values(output))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}

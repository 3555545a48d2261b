"""Windows of any size, stride and border: zero padding, and pools whose windows may overlap; forward and backward."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ...errors import ConfigError, ShapeError
from .base import (
    FREE,
    Arrays,
    Codes,
    DigitalEvents,
    Gradients,
    Inference,
    Layer,
    Parameters,
    Shape,
    Shapes,
    Signal,
)
from .checks import check_image
from .convolution import Pair
from .resample import largest

Border = Tuple[int, int, int, int]
"""pixels above, on the left, below, on the right"""


def bordered(x: np.ndarray, border: Border, *, fill: float = 0) -> np.ndarray:
    """x (n, height, width, c) within a border of `fill`."""
    if not any(border):
        return x
    top, left, bottom, right = border
    n, height, width, channels = x.shape
    out = np.full((n, height + top + bottom, width + left + right, channels), fill, x.dtype)
    out[:, top : top + height, left : left + width] = x
    return out


def without_border(x: np.ndarray, border: Border) -> np.ndarray:
    """The view of x (n, height, width, c) within its border."""
    top, left, bottom, right = border
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]


def places(x: np.ndarray, *, kernel: Pair, stride: Pair, size: Pair) -> List[np.ndarray]:
    """The views of x (n, height, width, c), one per place in a window: (n, rows, cols, c) with size (rows, cols)."""
    (rows, cols), (down, right) = size, stride
    return [
        x[:, i : i + down * (rows - 1) + 1 : down, j : j + right * (cols - 1) + 1 : right]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]


def check_border(name: str, border: Border) -> None:
    """ConfigError unless there are four lengths, none of them negative."""
    if len(border) != 4 or min(border) < 0:
        raise ConfigError(f"layer {name}: padding {border}; four lengths: above, left, below, right")


@dataclass(frozen=True)
class Pad(Layer):
    """A border of zeros around an image, each side of a length of its own."""

    padding: Border
    """pixels above, on the left, below, on the right"""

    def __post_init__(self) -> None:
        check_border(self.name, self.padding)

    def output_shape(self, inputs: Shapes) -> Shape:
        """(height + above + below, width + left + right, channels)"""
        (shape,) = inputs
        check_image(shape)
        top, left, bottom, right = self.padding
        return (shape[0] + top + bottom, shape[1] + left + right, shape[2])

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = x within zeros"""
        return bordered(inputs[0], self.padding), None

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = dy without the border"""
        return (without_border(dy, self.padding),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Codes or floats, as they come; the border is the code of 0.0."""
        (signal,) = inputs
        values = bordered(signal.values, self.padding, fill=signal.zero_point)
        return Signal(values, signal.step, signal.zero_point)

    def codes_out(self, codes: Optional[Codes]) -> Optional[Codes]:
        """The same."""
        return codes

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """None."""
        return FREE

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class _Windows:
    """What both pools share."""

    name: str
    """name of the layer"""
    kernel: Pair = (3, 3)
    """height and width of the window, pixels"""
    stride: Pair = (2, 2)
    """pixels between windows"""
    padding: Border = (0, 0, 0, 0)
    """pixels beyond the image that windows may cover: above, left, below, right"""

    def __post_init__(self) -> None:
        if len(self.kernel) != 2 or len(self.stride) != 2 or min(self.kernel + self.stride) < 1:
            raise ConfigError(f"layer {self.name}: kernel and stride are pairs (rows, columns) of at least 1")
        check_border(self.name, self.padding)
        if any(pad >= self.kernel[k % 2] for k, pad in enumerate(self.padding)):
            raise ConfigError(f"layer {self.name}: padding {self.padding} of windows of {self.kernel}; it is shorter")

    def output_shape(self, inputs: Shapes) -> Shape:
        """(rows, columns, channels)"""
        (shape,) = inputs
        check_image(shape)
        rows, cols = self._size(shape)
        if min(rows, cols) < 1:
            raise ShapeError(f"windows of {self.kernel} with padding {self.padding} do not fit an image of {shape}")
        return rows, cols, shape[2]

    def _size(self, shape: Shape) -> Pair:
        rows, cols = (
            (shape[k] + self.padding[k] + self.padding[k + 2] - self.kernel[k]) // self.stride[k] + 1 for k in (0, 1)
        )
        return rows, cols

    def _places(self, x: np.ndarray) -> List[np.ndarray]:
        """The views of x within its border."""
        rows, cols = ((x.shape[k + 1] - self.kernel[k]) // self.stride[k] + 1 for k in (0, 1))
        return places(x, kernel=self.kernel, stride=self.stride, size=(rows, cols))

    def _counts(self, shape: Shape) -> np.ndarray:
        """Pixels of the image in each window, float64 (rows, columns)."""
        inside = []
        for k, length in enumerate(self._size(shape)):
            start = np.arange(length) * self.stride[k] - self.padding[k]
            inside.append(np.minimum(start + self.kernel[k], shape[k]) - np.maximum(start, 0))
        return np.multiply.outer(inside[0], inside[1]).astype(np.float64)

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class MaxPool2d(_Windows, Layer):
    """Maximum over windows of any size and stride; what lies beyond the image does not count.

    `MaxPool` is the faster one for square windows side by side.
    """

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = the largest of each window"""
        views = self._places(bordered(inputs[0], self.padding, fill=-np.inf))
        first = np.empty((len(views),) + views[0].shape, bool) if parameters.training else None
        return largest(views, np.empty(views[0].shape, inputs[0].dtype), first=first), (first, inputs[0].shape)

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dy to where the largest was (ties: the first, row by row)"""
        first, shape = kept
        dx = bordered(np.zeros(shape, dy.dtype), self.padding)
        for place, is_first in zip(self._places(dx), first):
            place += dy * is_first
        return (without_border(dx, self.padding),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Codes or floats, as they come: the order of codes is that of their values."""
        (signal,) = inputs
        lowest = -np.inf if signal.step is None else 0
        views = self._places(bordered(signal.values, self.padding, fill=lowest))
        y = largest(views, np.empty(views[0].shape, signal.values.dtype))
        return Signal(y, signal.step, signal.zero_point)

    def codes_out(self, codes: Optional[Codes]) -> Optional[Codes]:
        """The same."""
        return codes

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Comparisons within a window."""
        return DigitalEvents(compares=float((self._counts(inputs[0]) - 1).sum()) * output[2])


@dataclass(frozen=True)
class AveragePool2d(_Windows, Layer):
    """Mean over windows of any size and stride. `AveragePool` is that of square windows side by side."""

    counts_padding: bool = False
    """True: pixels beyond the image count as zeros; False: they do not count"""

    def _shares(self, shape: Shape, dtype: np.dtype) -> np.ndarray:
        """Factor of each window's sum, (rows, columns, 1)."""
        counts = self._counts(shape)
        if self.counts_padding:
            counts[...] = self.kernel[0] * self.kernel[1]
        return (1 / counts).astype(dtype)[:, :, None]

    def _means(self, x: np.ndarray) -> np.ndarray:
        views = self._places(bordered(x, self.padding))
        y = views[0].copy()
        for view in views[1:]:
            y += view
        y *= self._shares(x.shape[1:], x.dtype)
        return y

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = the mean of each window"""
        return self._means(inputs[0]), inputs[0].shape

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = the shares of dy of all windows that a pixel lies in"""
        dx = bordered(np.zeros(kept, dy.dtype), self.padding)
        share = dy * self._shares(kept[1:], dy.dtype)
        for place in self._places(dx):
            place += share
        return (without_border(dx, self.padding),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats."""
        return Signal(self._means(inputs[0].floats()))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Additions within a window, one multiplication."""
        counts = self._counts(inputs[0])
        return DigitalEvents(multiplies=float(counts.size * output[2]), adds=float((counts - 1).sum()) * output[2])

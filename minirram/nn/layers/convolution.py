"""Convolutions as matrix products: patches of an image are rows, kernels are columns of a (fan_in, fan_out) matrix.

fan_in is ordered (kernel row, kernel column, input channel). Images are (n, height, width, channels).
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ...errors import ConfigError, ShapeError
from .base import Arrays, DigitalEvents, Gradients, Inference, Layer, Parameters, Shape, Shapes, Signal, n_values
from .checks import check_positive

Pair = Tuple[int, int]
"""rows, columns"""


def output_size(
    height: int,
    width: int,
    *,
    kernel: Pair,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
) -> Pair:
    """(height, width) of a convolution's output; ShapeError when the kernel does not fit."""
    rows, cols = (
        (length + 2 * pad - d * (k - 1) - 1) // s + 1
        for length, k, s, pad, d in zip((height, width), kernel, stride, padding, dilation)
    )
    if min(rows, cols) < 1:
        raise ShapeError(f"a kernel of {kernel} with padding {padding} does not fit an image of {(height, width)}")
    return rows, cols


def pad(x: np.ndarray, padding: Pair, *, fill: int = 0) -> np.ndarray:
    """x (n, height, width, c) with `padding` = (rows, columns) of `fill` on every side."""
    rows, cols = padding
    if not rows and not cols:
        return x
    n, height, width, channels = x.shape
    padded = np.full((n, height + 2 * rows, width + 2 * cols, channels), fill, x.dtype)
    padded[:, rows : rows + height, cols : cols + width] = x
    return padded


def im2col(
    x: np.ndarray,
    kernel: Pair,
    *,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    fill: int = 0,
    out: Optional[np.ndarray] = None,
) -> np.ndarray:
    """The patches that a convolution sees: (n, out_height, out_width, kh * kw * c), same dtype as x.

    Works on floats and on uint8 codes alike; `fill` is the value of padding pixels (for codes: the zero point).
    """
    n, height, width, channels = x.shape
    rows, cols = output_size(height, width, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    x = pad(x, padding, fill=fill)
    by_n, by_row, by_col, by_channel = x.strides
    view = np.lib.stride_tricks.as_strided(
        x,
        (n, rows, cols, kernel[0], kernel[1], channels),
        (by_n, by_row * stride[0], by_col * stride[1], by_row * dilation[0], by_col * dilation[1], by_channel),
        writeable=False,
    )
    if out is None:
        out = np.empty((n, rows, cols, kernel[0] * kernel[1] * channels), x.dtype)
    if channels == 1:  # one long copy per kernel place beats many of one element
        for k in range(kernel[0] * kernel[1]):
            out[..., k] = view[:, :, :, k // kernel[1], k % kernel[1], 0]
    else:
        out.reshape(view.shape)[...] = view
    return out


def add_patches(dcolumns: np.ndarray, dx: np.ndarray, *, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> None:
    """The transpose of `im2col` without padding: adds each patch's gradient to the pixels of dx that it came from."""
    n, rows, cols, _ = dcolumns.shape
    patches = dcolumns.reshape(n, rows, cols, kernel[0], kernel[1], dx.shape[3])
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            top, left = i * dilation[0], j * dilation[1]
            place = dx[:, top : top + stride[0] * rows : stride[0], left : left + stride[1] * cols : stride[1]]
            place += patches[:, :, :, i, j]


def conv2d_forward(
    x: np.ndarray,
    weight: np.ndarray,
    *,
    kernel: Pair,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
) -> np.ndarray:
    """y (n, out_height, out_width, c_out) = patches of x times weight (kh * kw * c_in, c_out)."""
    columns = im2col(x, kernel, stride=stride, padding=padding, dilation=dilation)
    return np.matmul(columns.reshape(-1, columns.shape[3]), weight).reshape(columns.shape[:3] + weight.shape[1:])


def conv2d_backward(
    dy: np.ndarray,
    x: np.ndarray,
    *,
    weight: np.ndarray,
    kernel: Pair,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
) -> Tuple[np.ndarray, np.ndarray]:
    """(dx, dweight) of `conv2d_forward`."""
    columns = im2col(x, kernel, stride=stride, padding=padding, dilation=dilation)
    rows = dy.reshape(-1, weight.shape[1])
    dweight = np.matmul(columns.reshape(-1, columns.shape[3]).T, rows)
    dcolumns = np.matmul(rows, weight.T).reshape(columns.shape)
    n, height, width, channels = x.shape
    dx = np.zeros((n, height + 2 * padding[0], width + 2 * padding[1], channels), x.dtype)
    add_patches(dcolumns, dx, kernel=kernel, stride=stride, dilation=dilation)
    return dx[:, padding[0] : padding[0] + height, padding[1] : padding[1] + width], dweight


def _joined(parts: List[np.ndarray]) -> np.ndarray:
    """The channels of all parts in one array."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


@dataclass(frozen=True)
class Conv2d(Layer):
    """Convolution without bias. A signal in time is an image of height 1.

    The matrix has the layer's name. With groups, group g reads and gives a part of the channels, in order, by a matrix
    of its own, name.g. A matrix takes its own cells on the chip; none lie idle between the groups, but each group is a
    product of its own, with few rows (docs/networks.md).
    """

    in_channels: int
    """channels of the input image"""
    out_channels: int
    """channels of the output image"""
    kernel: Pair = (3, 3)
    """height and width of the kernel, pixels"""
    stride: Pair = (1, 1)
    """pixels between output rows and between output columns"""
    padding: Pair = (0, 0)
    """pixels of zero above and below, left and right"""
    groups: int = 1
    """parts of the channels that do not meet; in_channels: depthwise, one kernel or more per channel"""
    dilation: Pair = (1, 1)
    """pixels between the rows and between the columns that a kernel meets"""

    def __post_init__(self) -> None:
        check_positive(self.name, in_channels=self.in_channels, out_channels=self.out_channels, groups=self.groups)
        if len(self.kernel) != 2 or len(self.stride) != 2 or len(self.padding) != 2:
            raise ConfigError(f"layer {self.name}: kernel, stride and padding are pairs (rows, columns)")
        if min(self.kernel + self.stride) < 1 or min(self.padding) < 0:
            raise ConfigError(f"layer {self.name}: kernel and stride of at least 1, padding of at least 0")
        if len(self.dilation) != 2 or min(self.dilation) < 1:
            raise ConfigError(f"layer {self.name}: dilation {self.dilation}; a pair (rows, columns) of at least 1")
        if self.in_channels % self.groups or self.out_channels % self.groups:
            channels = f"{self.in_channels} and {self.out_channels} channels"
            raise ConfigError(f"layer {self.name}: {channels} do not part into {self.groups} groups")

    def matrices(self) -> Tuple[Tuple[str, Pair], ...]:
        """((name, (fan_in, fan_out)),), or one of each group: ((name.0, ...), (name.1, ...), ...)"""
        fan_in = self.kernel[0] * self.kernel[1] * self.in_channels // self.groups
        names = [self.name] if self.groups == 1 else [f"{self.name}.{group}" for group in range(self.groups)]
        return tuple((name, (fan_in, self.out_channels // self.groups)) for name in names)

    def output_shape(self, inputs: Shapes) -> Shape:
        """(out_height, out_width, out_channels)"""
        (shape,) = inputs
        if len(shape) != 3 or shape[2] != self.in_channels:
            raise ShapeError(f"its input is {shape}, expected (height, width, {self.in_channels})")
        return output_size(shape[0], shape[1], **self.places) + (self.out_channels,)

    @property
    def places(self) -> Dict[str, Any]:
        """Where kernels lie, as `im2col` takes it."""
        return {name: getattr(self, name) for name in ("kernel", "stride", "padding", "dilation")}

    def _by_group(self, image: np.ndarray) -> List[Tuple[str, np.ndarray]]:
        """[(matrix, its channels of an image)]"""
        parts = np.split(image, self.groups, axis=-1)
        return [(name, part) for (name, _), part in zip(self.matrices(), parts)]

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = patches W, group by group"""
        (x,), weights = inputs, {name: parameters.weights[name] for name, _ in self.matrices()}
        parts = [conv2d_forward(part, weights[name], **self.places) for name, part in self._by_group(x)]
        return _joined(parts), (x, weights)

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dW = patches^T dy; dx = dy W^T, each patch added to its pixels"""
        x, weights = kept
        dparts, gradients = [], {}
        for (name, dpart), (_, part) in zip(self._by_group(dy), self._by_group(x)):
            dx, gradients[name] = conv2d_backward(dpart, part, weight=weights[name], **self.places)
            dparts.append(dx)
        return (_joined(dparts),), gradients

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats: the product with patches of codes, times their step."""
        (signal,), parts = inputs, []
        for name, codes in self._by_group(signal.values):
            patches = im2col(codes, fill=signal.zero_point, **self.places)
            y = inference.product(name, patches.reshape(-1, patches.shape[-1]), zero_point=signal.zero_point)
            parts.append((y * np.float32(signal.step)).reshape(patches.shape[:3] + y.shape[1:]))
        return Signal(_joined(parts))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """One multiplication per output takes sums to activations."""
        return DigitalEvents(multiplies=n_values(output))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing: `digital.json` lists matrices apart."""
        return {}

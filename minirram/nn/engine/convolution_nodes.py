"""Convolutions on one chunk of a batch as matrix products, each with the max-pool that may follow."""

import math
from typing import Any, Iterable, Iterator, List, Optional

import numpy as np

from ..layers import resample
from ..layers.base import Shape
from ..layers.convolution import Conv2d, Pair, add_patches, im2col, output_size
from ..layers.resample import MaxPool
from .chunk import Chunk, aligned
from .nodes import Node, Pass, nhwc, rows

Stack = Iterable[np.ndarray]
"""arrays of one shape"""


class ConvolutionNode(Node):
    """What all kinds share: padding, the pool, sums of gradients."""

    def __init__(self, layer: Conv2d, pool: Optional[MaxPool], *, x: np.ndarray, y: np.ndarray, chunk: Chunk) -> None:
        super().__init__(pool or layer, x, y=y, chunk=chunk)
        self.convolution = layer
        self.size = pool.size if pool else 1  # side of the pooling window
        self.needs_dx = x is not chunk.input
        height, width = output_size(
            x.shape[0], x.shape[1], kernel=layer.kernel, stride=layer.stride, padding=layer.padding
        )
        self.conv_shape = height, width
        self.dkernel: Any = None
        self.first: Any = None  # (places, shape of y): where each window's largest value lies
        if chunk.training and pool:
            self.first = aligned((self.size**2,) + y.shape, bool)

    def _padded(self, rows: int, cols: int, *, padding: Pair) -> np.ndarray:
        """The input with `padding` above and on the left, and below and on the right what makes it rows x cols."""
        x, (top, left) = self.x, padding
        if (top, left) == (0, 0) and (rows, cols) == x.shape[:2]:
            return x
        padded = self.workspace.array("padded", (rows, cols) + x.shape[2:])
        inside = padded[top : top + x.shape[0], left : left + x.shape[1]]
        kept = x[: inside.shape[0], : inside.shape[1]]
        padded[:top] = padded[top + kept.shape[0] :] = 0
        padded[:, :left] = padded[:, left + kept.shape[1] :] = 0
        inside[...] = kept
        return padded

    def _unpadded(self, dpadded: np.ndarray, padding: Pair) -> np.ndarray:
        """The gradient of the input from that of the padded input: the border is cut, what was not used gets 0."""
        top, left = padding
        shape = self.x.shape
        if dpadded.shape[1] == shape[1] and dpadded.shape[0] >= top + shape[0]:
            return dpadded[top : top + shape[0]]
        dx = self.workspace.gradient(shape)
        inside = dpadded[top : top + shape[0], left : left + shape[1]]
        dx[inside.shape[0] :] = 0
        dx[:, inside.shape[1] :] = 0
        dx[: inside.shape[0], : inside.shape[1]] = inside
        return dx

    def _windows(self, image: np.ndarray) -> List[np.ndarray]:
        """Views of image (height, width, ...), one per place of the pooling window."""
        height, width = (self.size * length for length in self.y.shape[:2])
        return [
            image[i : height : self.size, j : width : self.size] for i in range(self.size) for j in range(self.size)
        ]

    def _pool(self, places: Stack) -> None:
        """y from the outputs at each place of the pooling window, each (height, width, n, channels)."""
        resample.largest(places, self.y, first=self.first)

    def _unpool(self, dy: np.ndarray, dplaces: Stack) -> None:
        """Fill the gradient at each place of the pooling window."""
        for dplace, is_first in zip(dplaces, self.first):
            np.multiply(dy, is_first, out=dplace)

    def _add_kernel_gradient(self, left: np.ndarray, right: np.ndarray, *, first: bool) -> None:
        """Add left right, stacks of matrices, to the lane's gradient of the transformed kernel.

        first: this is the first addition for this chunk.
        """
        total = self.dkernel.reshape((-1,) + self.dkernel.shape[-2:])
        if self.chunk.begins and first:
            np.matmul(left, right, out=total)
        else:
            total += np.matmul(left, right, out=self.workspace.array("dkernel", total.shape))


KEPT_FLOATS = 500_000  # of the patches of a chunk, up to which they are kept for the way back


class PatchesNode(ConvolutionNode):
    """Any kernel, stride and padding: patches as rows of a matrix."""

    def __init__(self, layer: Conv2d, pool: Optional[MaxPool], *, x: np.ndarray, y: np.ndarray, chunk: Chunk) -> None:
        super().__init__(layer, pool, x=x, y=y, chunk=chunk)
        self.fan_in = layer.matrices()[0][1][0]
        height, width = (length + 2 * pad for length, pad in zip(x.shape[:2], layer.padding))
        self.padded_shape: Shape = (height, width) + x.shape[2:]
        shape = self.conv_shape + (chunk.size, self.fan_in)
        self.kept: Any = aligned(shape, x.dtype) if chunk.training and math.prod(shape) <= KEPT_FLOATS else None

    def _array(self, name: str, channels: int) -> np.ndarray:
        """A workspace array (height, width, n, channels) before the pool."""
        return self.workspace.array(name, self.conv_shape + (self.chunk.size, channels))

    def _columns(self) -> np.ndarray:
        """The patches (height, width, n, fan_in)."""
        layer = self.convolution
        columns = self._array("columns", self.fan_in) if self.kept is None else self.kept
        x = self._padded(*self.padded_shape[:2], padding=layer.padding)
        im2col(nhwc(x), layer.kernel, stride=layer.stride, out=nhwc(columns))
        return columns

    def forward(self, run: Pass) -> None:
        """y = pool(patches W)"""
        columns = self._columns()
        z = self.y if self.size == 1 else self._array("places", self.convolution.out_channels)
        np.matmul(rows(columns), run.weights[self.convolution.name], out=rows(z))
        if self.size > 1:
            self._pool(self._windows(z))

    def backward(self, run: Pass, dy: np.ndarray) -> Optional[np.ndarray]:
        """dW = patches^T dy; dx = dy W^T, each patch added to its pixels"""
        columns = self._columns() if self.kept is None else self.kept
        dz = dy
        if self.size > 1:
            dz = self._array("places", dy.shape[-1])
            dz[self.size * dy.shape[0] :] = 0
            dz[:, self.size * dy.shape[1] :] = 0
            self._unpool(dy, self._windows(dz))
        self.add_product(self.convolution.name, rows(columns), right=rows(dz))
        if not self.needs_dx:
            return None
        np.matmul(rows(dz), run.weights[self.convolution.name].T, out=rows(columns))
        dpadded = self.workspace.gradient(self.padded_shape)
        dpadded[...] = 0
        add_patches(nhwc(columns), nhwc(dpadded), kernel=self.convolution.kernel, stride=self.convolution.stride)
        return self._unpadded(dpadded, self.convolution.padding)


class InputNode(ConvolutionNode):
    """The network's first convolution, when its fan_in is small: patches (fan_in, positions), kept for the way back.

    They are gathered one place of the pooling window after the other, so the pool is a maximum of whole arrays and
    outputs that no window holds are never worked out.
    """

    def __init__(self, layer: Conv2d, pool: Optional[MaxPool], *, x: np.ndarray, y: np.ndarray, chunk: Chunk) -> None:
        super().__init__(layer, pool, x=x, y=y, chunk=chunk)
        fan_in = layer.matrices()[0][1][0]
        self.patches = aligned((fan_in, self.size**2) + y.shape[:3], x.dtype)

    def forward(self, run: Pass) -> None:
        """y = pool(patches^T W)"""
        layer, size = self.convolution, self.size
        for place in range(size**2):
            start = place // size * layer.stride[0], place % size * layer.stride[1]
            gather(layer, self.x, patches=self.patches[:, place], start=start, every=size)
        self._pool(self._products(run.weights[layer.name]))

    def _products(self, weight: np.ndarray) -> Iterator[np.ndarray]:
        """The outputs at each place of the pooling window in turn, the first in y, each other in place of the last."""
        for place in range(self.size**2):
            z = self.workspace.array("place", self.y.shape) if place else self.y
            np.matmul(self._flat(place).T, weight, out=rows(z))
            yield z

    def _flat(self, place: int) -> np.ndarray:
        """The patches of one place of the pooling window, (fan_in, positions)."""
        return self.patches[:, place].reshape(len(self.patches), -1)

    def backward(self, run: Pass, dy: np.ndarray) -> Optional[np.ndarray]:
        """dW = patches dy"""
        total: Any = 0
        for place in range(self.size**2):
            dz = dy
            if self.size > 1:
                dz = np.multiply(dy, self.first[place], out=self.workspace.array("place", dy.shape))
            total = total + np.matmul(self._flat(place), rows(dz))
        self.add_gradient(self.convolution.name, total)
        return None


def gather(layer: Conv2d, x: np.ndarray, *, patches: np.ndarray, start: Pair = (0, 0), every: int = 1) -> None:
    """Fill patches (fan_in, height, width, n) of an image (height, width, n, channels) that a convolution sees.

    start: row and column of the first patch in the padded image; every: step from one output to the next,
    in both directions.
    """
    top, left = layer.padding
    if top or left:
        x = np.pad(x, ((top, top), (left, left), (0, 0), (0, 0)))
    step = layer.stride[0] * every, layer.stride[1] * every
    height, width = (s * (length - 1) + 1 for s, length in zip(step, patches.shape[1:3]))
    rows_of_patches = iter(patches)
    for i in range(start[0], start[0] + layer.kernel[0]):
        for j in range(start[1], start[1] + layer.kernel[1]):
            window = x[i : i + height : step[0], j : j + width : step[1]]
            for channel in range(layer.in_channels):
                next(rows_of_patches)[...] = window[..., channel]

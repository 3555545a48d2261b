"""Convolutions on one chunk of a batch, as products of patches or in Winograd's form, each with the max-pool that may
follow.

A pooled convolution is worked out one place of the pooling window after the other, so the pool is a maximum of whole
arrays and outputs that no window holds are never computed.
"""

import numpy as np

from . import layers, winograd
from .convolution import add_patches, im2col, output_size
from .nodes import Node, nhwc, rows

WINOGRAD_CHANNELS = 8  # input channels below which the transforms cost more than they save


def convolution_node(layer, pool, x, y, chunk):
    """The node for a Conv2d and the MaxPool right after it (or None); y takes the output of both."""
    small = layer.kernel == (3, 3) and layer.stride == (1, 1) and layer.in_channels >= WINOGRAD_CHANNELS
    return (WinogradNode if small and pool_size(pool) in (1, 2) else PatchesNode)(layer, pool, x, y, chunk)


def pool_size(pool):
    """Side of the pooling window, 1 without a pool."""
    return pool.size if pool else 1


class ConvolutionNode(Node):
    """What both kinds share: padding, the pool, and the first layer's missing dx."""

    def __init__(self, layer, pool, x, y, chunk):
        super().__init__(pool or layer, x, y, chunk)
        self.convolution = layer
        self.size = pool_size(pool)
        self.needs_dx = x is not chunk.input
        height, width = output_size(x.shape[0], x.shape[1], layer.kernel, layer.stride, layer.padding)
        self.conv_shape = height, width
        self.first = np.empty((self.size**2,) + y.shape, bool) if chunk.training and pool else None

    def _padded(self, rows, cols):
        """The input with its padding, grown at the lower and right border to rows x cols."""
        x, (top, left) = self.x, self.convolution.padding
        if (top, left) == (0, 0) and (rows, cols) == x.shape[:2]:
            return x
        padded = self.workspace.array("padded", (rows, cols) + x.shape[2:])
        inside = padded[top : top + x.shape[0], left : left + x.shape[1]]
        kept = x[: inside.shape[0], : inside.shape[1]]
        padded[:top] = padded[top + kept.shape[0] :] = 0
        padded[:, :left] = padded[:, left + kept.shape[1] :] = 0
        inside[...] = kept
        return padded

    def _unpadded(self, dpadded):
        """The gradient of the input from that of the padded input: the border is cut, what was not used gets 0."""
        top, left = self.convolution.padding
        shape = self.x.shape
        if dpadded.shape == shape:
            return dpadded
        dx = self.workspace.gradient(shape)
        inside = dpadded[top : top + shape[0], left : left + shape[1]]
        dx[inside.shape[0] :] = 0
        dx[:, inside.shape[1] :] = 0
        dx[: inside.shape[0], : inside.shape[1]] = inside
        return dx

    def _pool(self, places):
        """y from the outputs at each place of the pooling window, (size * size, height, width, n, channels)."""
        if self.size == 1:
            self.y[...] = places[0]
        else:
            layers.largest(places, self.y, None if self.first is None else self.first)

    def _unpool(self, dy):
        """The gradient at each place of the pooling window."""
        if self.first is None:
            return dy[None]
        dplaces = self.workspace.array("places", (self.size**2,) + dy.shape)
        for dplace, is_first in zip(dplaces, self.first):
            np.multiply(dy, is_first, out=dplace)
        return dplaces


class PatchesNode(ConvolutionNode):
    """Any kernel, stride and padding: patches as rows of a matrix."""

    def __init__(self, layer, pool, x, y, chunk):
        super().__init__(layer, pool, x, y, chunk)
        self.fan_in = layer.matrices()[0][1][0]
        self.floats = self.size**2 * y.shape[0] * y.shape[1] * (self.fan_in + layer.out_channels)

    def _columns(self):
        """Patches (size * size, height, width, n, fan_in) in the order of the pooling window's places."""
        layer, size = self.convolution, self.size
        height, width = self.y.shape[:2]
        stride = size * layer.stride[0], size * layer.stride[1]
        x = self._padded(*(length + 2 * pad for length, pad in zip(self.x.shape[:2], layer.padding)))
        columns = self.workspace.array("columns", (size**2, height, width, x.shape[2], self.fan_in))
        for place, out in zip(self._shifted(x, stride), columns):
            im2col(nhwc(place), layer.kernel, stride, out=nhwc(out))
        return columns, stride, x.shape

    def _shifted(self, x, stride):
        """The parts of the padded input that the outputs at each place of the pooling window see."""
        layer = self.convolution
        height, width = self.y.shape[:2]
        rows = stride[0] * (height - 1) + layer.kernel[0]
        cols = stride[1] * (width - 1) + layer.kernel[1]
        for i in range(self.size):
            for j in range(self.size):
                top, left = i * layer.stride[0], j * layer.stride[1]
                yield x[top : top + rows, left : left + cols]

    def forward(self, run):
        """y = pool(patches W)"""
        columns, _, _ = self._columns()
        places = self.workspace.array("places", columns.shape[:-1] + (self.convolution.out_channels,))
        np.matmul(rows(columns), run.weights[self.convolution.name], out=rows(places))
        self._pool(places)

    def backward(self, run, dy):
        """dW = patches^T dy; dx = dy W^T, each patch added to its pixels"""
        columns, stride, padded_shape = self._columns()
        dplaces = self._unpool(dy)
        self.add_gradient(self.convolution.name, rows(columns), rows(dplaces))
        if not self.needs_dx:
            return None
        np.matmul(rows(dplaces), run.weights[self.convolution.name].T, out=rows(columns))
        dpadded = self.workspace.gradient(padded_shape)
        dpadded[...] = 0
        for dplace, dpart in zip(columns, self._shifted(dpadded, stride)):
            add_patches(nhwc(dplace), nhwc(dpart), self.convolution.kernel, stride)
        return self._unpadded(dpadded)


class WinogradNode(ConvolutionNode):
    """3 x 3, stride 1: tiles of 2 x 2 outputs; with a pool of 2 a tile is a pooling window."""

    def __init__(self, layer, pool, x, y, chunk):
        super().__init__(layer, pool, x, y, chunk)
        height, width = self.conv_shape
        self.tiles = (height // 2, width // 2) if pool else (-(-height // 2), -(-width // 2))
        tiles = self.tiles[0] * self.tiles[1]
        self.floats = tiles * (32 * layer.in_channels + 24 * layer.out_channels)
        self.kernel_shape = (4, 4, layer.in_channels, layer.out_channels)
        if chunk.training:
            self.dkernel = chunk.kernel_sum(layer.name, self.kernel_shape)

    def prepare(self, run):
        """Transform the weights, once per pass for all lanes."""
        name = self.convolution.name
        run.kernels[name] = winograd.kernel_forward(
            run.weights[name], np.empty(self.kernel_shape, self.workspace.dtype)
        )

    def finish(self):
        """The gradient of the weights from that of the transformed kernel, once per lane."""
        winograd.kernel_backward(self.dkernel, self.chunk.gradients[self.convolution.name])

    def _shape(self, name, places, channels, n):
        """A workspace array (places..., tiles down, tiles across, n, channels)."""
        return self.workspace.array(name, places + self.tiles + (n, channels))

    def _input_tiles(self):
        th, tw = self.tiles
        x = self._padded(2 * th + 2, 2 * tw + 2)
        n, c_in = x.shape[2:]
        tiles = self._shape("tiles", (4, 4), c_in, n)
        winograd.input_forward(x, self.workspace.array("rows", (4, th, 2 * tw + 2, n, c_in)), tiles)
        return tiles

    def forward(self, run):
        """y = pool(A^T [U * B^T x B] A)"""
        tiles = self._input_tiles()
        n, c_out = tiles.shape[4], self.convolution.out_channels
        products = self._shape("products", (4, 4), c_out, n)
        np.matmul(_batch(tiles), _batch(run.kernels[self.convolution.name]), out=_batch(products))
        places = self._shape("places", (2, 2), c_out, n)
        winograd.output_forward(products, self._shape("output rows", (2, 4), c_out, n), places)
        if self.size == 2:
            self._pool(places.reshape((4,) + places.shape[2:]))
        else:
            y = self.y
            for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
                part = y[a::2, b::2]
                part[...] = places[a, b, : part.shape[0], : part.shape[1]]

    def _output_gradient(self, dy):
        """dy as (2, 2, tiles down, tiles across, n, channels)."""
        if self.size == 2:
            return self._unpool(dy).reshape((2, 2) + dy.shape)
        th, tw = self.tiles
        if dy.shape[:2] == (2 * th, 2 * tw):
            return [[dy[a::2, b::2] for b in range(2)] for a in range(2)]
        dplaces = self._shape("places", (2, 2), dy.shape[3], dy.shape[2])
        dplaces[...] = 0
        for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
            part = dy[a::2, b::2]
            dplaces[a, b, : part.shape[0], : part.shape[1]] = part
        return dplaces

    def backward(self, run, dy):
        """dU = V^T dM, dV = dM U^T, transformed back"""
        tiles = self._input_tiles()
        n, c_out = dy.shape[2:]
        dproducts = self._shape("products", (4, 4), c_out, n)
        dplaces = self._output_gradient(dy)
        winograd.output_backward(dplaces, self._shape("output rows", (2, 4), c_out, n), dproducts)
        flat = _batch(dproducts)
        if self.chunk.begins:
            np.matmul(_batch(tiles).transpose(0, 2, 1), flat, out=_batch(self.dkernel))
        else:
            more = self.workspace.array("dkernel", self.kernel_shape)
            np.matmul(_batch(tiles).transpose(0, 2, 1), flat, out=_batch(more))
            self.dkernel += more
        np.matmul(flat, _batch(run.kernels[self.convolution.name]).transpose(0, 2, 1), out=_batch(tiles))
        th, tw = self.tiles
        shape = (2 * th + 2, 2 * tw + 2, n, tiles.shape[5])
        dpadded = self.workspace.gradient(shape)
        winograd.input_backward(tiles, self.workspace.array("rows", (4, th) + shape[1:]), dpadded)
        return self._unpadded(dpadded)


def _batch(array):
    """(4, 4, ..., channels) -> (16, positions, channels) of a contiguous array."""
    return array.reshape(16, -1, array.shape[-1])

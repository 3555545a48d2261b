"""Convolutions of 3 x 3 in Winograd's form on one chunk of a batch, with the max-pool that may follow."""

import numpy as np

from . import layers, winograd
from .nodes import aligned
from .nodes_convolution import ConvolutionNode

BAND_FLOATS = 400_000  # of one band of tile rows: what stays in cache from one step to the next


class WinogradNode(ConvolutionNode):
    """3 x 3, stride 1: tiles of 2 x 2 outputs; with a pool of 2 a tile is a pooling window."""

    def __init__(self, layer, pool, x, y, chunk):
        super().__init__(layer, pool, x, y, chunk)
        height, width = self.conv_shape
        self.tiles = (height // 2, width // 2) if pool else (-(-height // 2), -(-width // 2))
        self.kernel_shape = (4, 4, layer.in_channels, layer.out_channels)
        if chunk.training:
            self.dkernel = chunk.kernel_sum(layer.name, self.kernel_shape)

    def prepare(self, run):
        """Transform the weights, once per pass for all lanes."""
        name = self.convolution.name
        kernel = aligned(self.kernel_shape, self.workspace.dtype)
        run.kernels[name] = winograd.kernel_forward(run.weights[name], kernel)

    def finish(self):
        """The gradient of the weights from that of the transformed kernel, once per lane."""
        winograd.kernel_backward(self.dkernel, self.chunk.gradients[self.convolution.name])

    def _shape(self, name, places, channels, n):
        """A workspace array (places..., tiles down, tiles across, n, channels)."""
        return self.workspace.array(name, places + self.tiles + (n, channels))

    def _input_tiles(self):
        th, tw = self.tiles
        x = self._padded(2 * th + 2, 2 * tw + 2, self.convolution.padding)
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
        dplaces = self._shape("places", (2, 2), dy.shape[3], dy.shape[2])
        if self.size == 2:
            self._unpool(dy, dplaces.reshape((4,) + dy.shape))
            return dplaces
        th, tw = self.tiles
        if dy.shape[:2] == (2 * th, 2 * tw):
            return dy.reshape((th, 2, tw, 2) + dy.shape[2:]).transpose(1, 3, 0, 2, 4, 5)
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
        dm = _batch(dproducts)
        self._add_kernel_gradient(_batch(tiles).transpose(0, 2, 1), dm, True)
        np.matmul(dm, _batch(run.kernels[self.convolution.name]).transpose(0, 2, 1), out=_batch(tiles))
        th, tw = self.tiles
        shape = (2 * th + 2, 2 * tw + 2, n, tiles.shape[5])
        dpadded = self.workspace.gradient(shape)
        winograd.input_backward(tiles, self.workspace.array("rows", (4, th) + shape[1:]), dpadded)
        return self._unpadded(dpadded, self.convolution.padding)


def _batch(array):
    """(4, 4, ..., channels) -> (16, positions, channels) of a contiguous array."""
    return array.reshape(16, -1, array.shape[-1])


class WinogradRowsNode(ConvolutionNode):
    """3 rows of a kernel, stride 1, few outputs: Winograd's form along the rows, shifts along the columns.

    Every pixel of the transformed rows meets the weights of all kernel columns in one product of matrices
    (kernel columns * c_out, positions); the shifted results are added up. The many input channels pass no transform
    but that of the rows, and patches of them are never made.
    """

    def __init__(self, layer, pool, x, y, chunk):
        super().__init__(layer, pool, x, y, chunk)
        self.kernel_shape = (4, layer.kernel[1] * layer.out_channels, layer.in_channels)
        self.tile_rows = self.conv_shape[0] // 2 if pool else -(-self.conv_shape[0] // 2)
        if chunk.training:
            self.dkernel = chunk.kernel_sum(layer.name, self.kernel_shape)
        if self.first is not None:
            self.first = aligned((4,) + _channels_first(y).shape, bool)

    def prepare(self, run):
        """(3, kernel columns, c_in, c_out) -> (4, kernel columns * c_out, c_in)"""
        layer = self.convolution
        weight = run.weights[layer.name].reshape(3, layer.kernel[1], layer.in_channels, layer.out_channels)
        kernel = np.empty((4,) + weight.shape[1:], weight.dtype)
        winograd.kernel_axis_forward(weight, kernel)
        run.kernels[layer.name] = kernel.transpose(0, 1, 3, 2).reshape(self.kernel_shape)

    def finish(self):
        """The transpose of `prepare` for the gradient."""
        layer = self.convolution
        dkernel = self.dkernel.reshape(4, layer.kernel[1], layer.out_channels, layer.in_channels).transpose(
            0, 1, 3, 2
        )
        total = self.chunk.gradients[layer.name]
        winograd.kernel_axis_backward(dkernel, total.reshape((3,) + dkernel.shape[1:]))

    def _bands(self):
        """(first, stop) tile rows that are worked on at a time."""
        per_row = self.x.shape[1] * self.chunk.size * sum(self.kernel_shape[1:]) * 4
        count = -(-self.tile_rows // max(1, BAND_FLOATS // per_row))
        edges = [self.tile_rows * k // count for k in range(count + 1)]
        return list(zip(edges, edges[1:]))

    def _tiles(self, first, stop):
        """Transformed rows of the input, workspace (4, stop - first, width, n, c_in)."""
        x = self.x
        start, end = 2 * first - self.convolution.padding[0], 2 * stop + 2 - self.convolution.padding[0]
        band = x[max(start, 0) : end]
        if start < 0 or end > len(x):
            band = self.workspace.array("band", (end - start,) + x.shape[1:])
            band[: max(0, -start)] = 0
            band[len(x) - start :] = 0
            band[max(0, -start) : len(x) - start] = x[max(start, 0) : end]
        tiles = self.workspace.array("tiles", (4, stop - first) + x.shape[1:])
        winograd.input_axis_forward(band, tiles)
        return tiles

    def _array(self, name, *shape):
        """Workspace array (shape..., n)."""
        return self.workspace.array(name, shape + (self.chunk.size,))

    def _shifts(self):
        """(kernel column, columns of the output, columns of the input) that belong together."""
        for column in range(self.convolution.kernel[1]):
            right = column - self.convolution.padding[1]
            start, stop = max(0, -right), min(self.conv_shape[1], self.x.shape[1] - right)
            yield column, slice(start, stop), slice(start + right, stop + right)

    def forward(self, run):
        """y = pool(A^T [sum over kernel columns of U B^T x, shifted])"""
        kernel, c_out = run.kernels[self.convolution.name], self.convolution.out_channels
        for first, stop in self._bands():
            tiles = flat(self._tiles(first, stop))
            shape = 4, self.convolution.kernel[1], c_out, stop - first, self.x.shape[1]
            products = self._array("products", *shape)
            np.matmul(kernel, tiles.transpose(0, 2, 1), out=products.reshape(kernel.shape[:2] + tiles.shape[1:2]))
            sums = self._array("sums", 4, c_out, stop - first, self.conv_shape[1])
            sums[...] = 0
            for column, outputs, inputs in self._shifts():
                sums[:, :, :, outputs] += products[:, column, :, :, inputs]
            places = self._array("places", 2, c_out, stop - first, self.conv_shape[1])
            winograd.output_axis_forward(sums, places)
            self._take(places, first, stop)

    def _take(self, places, first, stop):
        """y from the outputs (2, c_out, tile rows, width, n) of a band."""
        if self.size == 1:
            y = _channels_first(self.y)[:, 2 * first : 2 * stop]
            for row, place in enumerate(places):
                part = y[:, row::2]
                part[...] = place[:, : part.shape[1]]
        else:
            y = _channels_first(self.y)[:, first:stop]
            is_first = None if self.first is None else self.first[:, :, first:stop]
            y[...] = layers.largest(self._windows(places), self._array("pooled", *y.shape[:3]), is_first)

    def _windows(self, places):
        """Views of (2, c_out, tile rows, width, n) at each place of a pooling window of 2 x 2."""
        width = 2 * self.y.shape[1]
        return [places[row, :, :, column:width:2] for row in range(2) for column in range(2)]

    def _output_gradient(self, dy, first, stop):
        """dy of a band as (2, c_out, tile rows, width, n)."""
        places = self._array("places", 2, dy.shape[3], stop - first, self.conv_shape[1])
        places[...] = 0
        if self.size == 1:
            dy = _channels_first(dy)[:, 2 * first : 2 * stop]
            for row, place in enumerate(places):
                part = dy[:, row::2]
                place[:, : part.shape[1]] = part
            return places
        dy = _channels_first(dy)[:, first:stop]
        pooled = self._array("pooled", *dy.shape[:3])
        pooled[...] = dy
        for place, is_first in zip(self._windows(places), self.first[:, :, first:stop]):
            np.multiply(pooled, is_first, out=place)
        return places

    def backward(self, run, dy):
        """The shifted images of A dy are the patches of a convolution back: dV = patches^T U, dU = patches V"""
        kernel, c_out = run.kernels[self.convolution.name], self.convolution.out_channels
        dx = self.workspace.gradient(self.x.shape)
        for first, stop in self._bands():
            sums = self._array("sums", 4, c_out, stop - first, self.conv_shape[1])
            winograd.output_axis_backward(self._output_gradient(dy, first, stop), sums)
            shape = 4, self.convolution.kernel[1], c_out, stop - first, self.x.shape[1]
            patches = self._array("products", *shape)
            patches[...] = 0
            for column, outputs, inputs in self._shifts():
                patches[:, column, :, :, inputs] = sums[:, :, :, outputs]
            tiles = self._tiles(first, stop)
            left = patches.reshape(self.kernel_shape[:2] + (-1,))
            self._add_kernel_gradient(left, flat(tiles), first == 0)
            np.matmul(left.transpose(0, 2, 1), kernel, out=flat(tiles))
            self._add_band(tiles, dx, first)
        dx[2 * self.tile_rows + 2 - self.convolution.padding[0] :] = 0
        return dx

    def _add_band(self, dtiles, dx, first):
        """Rows of dx from the gradient of the tiles of a band; the first two add to those of the band before."""
        start = 2 * first - self.convolution.padding[0]
        stop = start + 2 * dtiles.shape[1] + 2
        if start >= 0 and stop <= len(dx):
            shared = dx[start : start + 2].copy() if first else 0
            winograd.input_axis_backward(dtiles, dx[start:stop])
            dx[start : start + 2] += shared
            return
        band = self.workspace.array("band", (2 * dtiles.shape[1] + 2,) + dx.shape[1:])
        winograd.input_axis_backward(dtiles, band)
        if first > 0:
            shared = dx[start : start + 2]
            shared += band[: len(shared)]
            band, start = band[2:], start + 2
        skipped = max(0, -start)
        target = dx[start + skipped : start + len(band)]
        target[...] = band[skipped : skipped + len(target)]


def flat(tiles):
    """(4, rows, columns, n, channels) -> (4, positions, channels)"""
    return tiles.reshape(4, -1, tiles.shape[-1])


def _channels_first(image):
    """(height, width, n, channels) seen as (channels, height, width, n)."""
    return image.transpose(3, 0, 1, 2)

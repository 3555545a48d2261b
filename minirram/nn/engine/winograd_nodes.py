"""Convolutions with three kernel rows on one chunk of a batch, in Winograd's form along the rows."""

from typing import List, Optional, Tuple

import numpy as np

from ..layers import resample
from ..layers.convolution import Conv2d
from ..layers.resample import MaxPool
from . import winograd
from .chunk import Chunk, aligned
from .convolution_nodes import ConvolutionNode
from .nodes import Pass

BAND_FLOATS = 400_000  # of one band of tile rows: what stays in cache from one step to the next


class WinogradNode(ConvolutionNode):
    """Three kernel rows, stride 1: Winograd's form along the rows, shifts along the columns.

    Every pixel of the transformed rows meets the weights of all kernel columns in one product of matrices
    (kernel columns * c_out, positions); the shifted results are added up. Patches of the input are never made. (Both
    axes in Winograd's form would halve the products once more, but the transforms took longer than that saved.)
    """

    def __init__(self, layer: Conv2d, pool: Optional[MaxPool], *, x: np.ndarray, y: np.ndarray, chunk: Chunk) -> None:
        super().__init__(layer, pool, x=x, y=y, chunk=chunk)
        self.kernel_shape = (4, layer.kernel[1] * layer.out_channels, layer.in_channels)
        self.tile_rows = self.conv_shape[0] // 2 if pool else -(-self.conv_shape[0] // 2)
        if chunk.training:
            self.dkernel = chunk.kernel_sum(layer.name, self.kernel_shape)
        if self.first is not None:
            self.first = aligned((4,) + _channels_first(y).shape, bool)

    def prepare(self, run: Pass) -> None:
        """(3, kernel columns, c_in, c_out) -> (4, kernel columns * c_out, c_in)"""
        layer = self.convolution
        weight = run.weights[layer.name].reshape(3, layer.kernel[1], layer.in_channels, layer.out_channels)
        kernel = np.empty((4,) + weight.shape[1:], weight.dtype)
        winograd.kernel_forward(weight, kernel)
        run.kernels[layer.name] = kernel.transpose(0, 1, 3, 2).reshape(self.kernel_shape)

    def finish(self) -> None:
        """The transpose of `prepare` for the gradient."""
        layer = self.convolution
        dkernel = self.dkernel.reshape(4, layer.kernel[1], layer.out_channels, layer.in_channels)
        dkernel = dkernel.transpose(0, 1, 3, 2)
        total = self.chunk.gradients[layer.name]
        winograd.kernel_backward(dkernel, total.reshape((3,) + dkernel.shape[1:]))

    def _bands(self) -> List[Tuple[int, int]]:
        """(first, stop) tile rows that are worked on at a time."""
        per_row = self.x.shape[1] * self.chunk.size * sum(self.kernel_shape[1:]) * 4
        count = -(-self.tile_rows // max(1, BAND_FLOATS // per_row))
        edges = [self.tile_rows * k // count for k in range(count + 1)]
        return list(zip(edges, edges[1:]))

    def _tiles(self, first: int, stop: int) -> np.ndarray:
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
        winograd.input_forward(band, tiles)
        return tiles

    def _stack(self, name: str, *shape: int) -> np.ndarray:
        """Workspace array (shape..., width of the input, n)."""
        return self.workspace.array(name, shape + self.x.shape[1:3])

    def _add_shifted(self, products: np.ndarray, sums: np.ndarray) -> None:
        """Column c of `sums` = the sum over kernel columns k of products[:, k] at input column c + k - padding.

        Rows are shifted as one long run, so a column that leaves one end of a row enters the next at the other: those
        are set to 0 before. Columns of `sums` beyond the output's width hold nothing of meaning.
        """
        products, flat_sums = products.reshape(products.shape[:2] + (-1,)), sums.reshape(len(sums), -1)
        flat_sums[...] = products[:, self.convolution.padding[1]]
        for column, shift in self._shifts():
            if shift > 0:
                flat_sums[:, :-shift] += products[:, column, shift:]
            else:
                flat_sums[:, -shift:] += products[:, column, :shift]

    def _shifts(self) -> List[Tuple[int, int]]:
        """(kernel column, shift in elements) of all kernel columns but the one that meets its own pixel."""
        padding = self.convolution.padding[1]
        columns = [column for column in range(self.convolution.kernel[1]) if column != padding]
        return [(column, (column - padding) * self.chunk.size) for column in columns]

    def _clear_ends(self, products: np.ndarray) -> None:
        """Set to 0 what a shift by whole runs would carry from one row into the next."""
        for column in range(self.convolution.kernel[1]):
            right = column - self.convolution.padding[1]
            if right > 0:
                products[:, column, :, :, :right] = 0
            elif right < 0:
                products[:, column, :, :, right:] = 0

    def forward(self, run: Pass) -> None:
        """y = pool(A^T [sum over kernel columns of U B^T x, shifted])"""
        kernel, c_out = run.kernels[self.convolution.name], self.convolution.out_channels
        for first, stop in self._bands():
            tiles = _flat(self._tiles(first, stop))
            products = self._stack("products", 4, self.convolution.kernel[1], c_out, stop - first)
            np.matmul(kernel, tiles.transpose(0, 2, 1), out=products.reshape(kernel.shape[:2] + tiles.shape[1:2]))
            self._clear_ends(products)
            sums = self._stack("sums", 4, c_out, stop - first)
            self._add_shifted(products, sums)
            places = self._stack("places", 2, c_out, stop - first)
            winograd.output_forward(sums, places)
            self._take(places, first, stop=stop)

    def _take(self, places: np.ndarray, first: int, *, stop: int) -> None:
        """y from the outputs (2, c_out, tile rows, width, n) of a band."""
        if self.size == 1:
            y = _channels_first(self.y)[:, 2 * first : 2 * stop]
            for row, place in enumerate(places):
                part = y[:, row::2]
                part[...] = place[:, : part.shape[1], : part.shape[2]]
        else:
            y = _channels_first(self.y)[:, first:stop]
            is_first = None if self.first is None else self.first[:, :, first:stop]
            pooled = self.workspace.array("pooled", y.shape)
            y[...] = resample.largest(self._windows(places), pooled, first=is_first)

    def _windows(self, places: np.ndarray) -> List[np.ndarray]:
        """Views of (2, c_out, tile rows, width, n) at each place of a pooling window of 2 x 2."""
        width = 2 * self.y.shape[1]
        return [places[row, :, :, column:width:2] for row in range(2) for column in range(2)]

    def _output_gradient(self, dy: np.ndarray, first: int, *, stop: int) -> np.ndarray:
        """dy of a band as (2, c_out, tile rows, width, n)."""
        places = self._stack("places", 2, dy.shape[3], stop - first)
        places[...] = 0
        if self.size == 1:
            dy = _channels_first(dy)[:, 2 * first : 2 * stop]
            for row, place in enumerate(places):
                part = dy[:, row::2]
                place[:, : part.shape[1], : part.shape[2]] = part
            return places
        dy = _channels_first(dy)[:, first:stop]
        pooled = self.workspace.array("pooled", dy.shape)
        pooled[...] = dy
        for place, is_first in zip(self._windows(places), self.first[:, :, first:stop]):
            np.multiply(pooled, is_first, out=place)
        return places

    def backward(self, run: Pass, dy: np.ndarray) -> np.ndarray:
        """The shifted images of A dy are the patches of a convolution back: dV = patches^T U, dU = patches V"""
        kernel, c_out = run.kernels[self.convolution.name], self.convolution.out_channels
        dx = self.workspace.gradient(self.x.shape)
        for first, stop in self._bands():
            sums = self._stack("sums", 4, c_out, stop - first)
            winograd.output_backward(self._output_gradient(dy, first, stop=stop), sums)
            patches = self._stack("products", 4, self.convolution.kernel[1], c_out, stop - first)
            self._shift_back(sums, patches)
            tiles = self._tiles(first, stop)
            left = patches.reshape(self.kernel_shape[:2] + (-1,))
            self._add_kernel_gradient(left, _flat(tiles), first=first == 0)
            np.matmul(left.transpose(0, 2, 1), kernel, out=_flat(tiles))
            self._add_band(tiles, dx, first=first)
        dx[2 * self.tile_rows + 2 - self.convolution.padding[0] :] = 0
        return dx

    def _shift_back(self, sums: np.ndarray, patches: np.ndarray) -> None:
        """The transpose of `_add_shifted`: patches[:, k] is sums, shifted the other way."""
        flat_patches, flat_sums = patches.reshape(patches.shape[:2] + (-1,)), sums.reshape(len(sums), -1)
        flat_patches[:, self.convolution.padding[1]] = flat_sums
        for column, shift in self._shifts():
            if shift > 0:
                flat_patches[:, column, shift:] = flat_sums[:, :-shift]
            else:
                flat_patches[:, column, :shift] = flat_sums[:, -shift:]
        self._clear_ends(patches)

    def _add_band(self, dtiles: np.ndarray, dx: np.ndarray, *, first: int) -> None:
        """Rows of dx from the gradient of the tiles of a band; the first two add to those of the band before."""
        start = 2 * first - self.convolution.padding[0]
        stop = start + 2 * dtiles.shape[1] + 2
        if start >= 0 and stop <= len(dx):
            shared = dx[start : start + 2].copy() if first else 0
            winograd.input_backward(dtiles, dx[start:stop])
            dx[start : start + 2] += shared
            return
        band = self.workspace.array("band", (2 * dtiles.shape[1] + 2,) + dx.shape[1:])
        winograd.input_backward(dtiles, band)
        if first > 0:
            shared = dx[start : start + 2]
            shared += band[: len(shared)]
            band, start = band[2:], start + 2
        skipped = max(0, -start)
        target = dx[start + skipped : start + len(band)]
        target[...] = band[skipped : skipped + len(target)]


def _flat(tiles: np.ndarray) -> np.ndarray:
    """(4, rows, columns, n, channels) -> (4, positions, channels)"""
    return tiles.reshape(4, -1, tiles.shape[-1])


def _channels_first(image: np.ndarray) -> np.ndarray:
    """(height, width, n, channels) seen as (channels, height, width, n)."""
    return image.transpose(3, 0, 1, 2)

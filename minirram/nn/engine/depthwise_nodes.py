"""Depthwise convolutions on one chunk of a batch: no matrix products, a multiplication of images per kernel place."""

from typing import Iterator, Tuple

import numpy as np

from ..layers.convolution import Conv2d
from .chunk import Chunk
from .convolution_nodes import ConvolutionNode
from .nodes import Pass


class DepthwiseNode(ConvolutionNode):
    """One input channel per group: output channel k is the input under column k of all groups' kernels side by side.

    A channel that gives several outputs is repeated first, so that input and output channels are as many.
    """

    def __init__(self, layer: Conv2d, *, x: np.ndarray, y: np.ndarray, chunk: Chunk) -> None:
        super().__init__(layer, None, x=x, y=y, chunk=chunk)
        self.repeats = layer.out_channels // layer.in_channels
        self.padded_size = tuple(length + 2 * pad for length, pad in zip(x.shape[:2], layer.padding))

    def prepare(self, run: Pass) -> None:
        """(kernel places, output channels)"""
        names = [name for name, _ in self.convolution.matrices()]
        run.kernels[self.convolution.name] = np.concatenate([run.weights[name] for name in names], axis=1)

    def _image(self) -> np.ndarray:
        """The padded input, a channel per output channel."""
        image = self._padded(*self.padded_size, padding=self.convolution.padding)
        return image if self.repeats == 1 else image.repeat(self.repeats, axis=-1)

    def _places(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """Views (height, width, n * channels) of a padded image: what each kernel place meets at every output."""
        (height, width), stride = self.conv_shape, self.convolution.stride
        image = image.reshape(image.shape[:2] + (-1,))
        for i in range(self.convolution.kernel[0]):
            for j in range(self.convolution.kernel[1]):
                yield image[i : i + stride[0] * height : stride[0], j : j + stride[1] * width : stride[1]]

    def _kernels(self, run: Pass) -> np.ndarray:
        """(kernel places, n * channels): runs that are long enough for NumPy."""
        return np.tile(run.kernels[self.convolution.name], self.chunk.size)

    def _outputs(self, image: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """An array like y as (height, width, n * channels), and workspace of that shape."""
        flat = image.reshape(image.shape[:2] + (-1,))
        return flat, self.workspace.array("product", flat.shape)

    def forward(self, run: Pass) -> None:
        """y = sum over kernel places of the input there times its weight"""
        y, product = self._outputs(self.y)
        y[...] = 0
        for place, weight in zip(self._places(self._image()), self._kernels(run)):
            y += np.multiply(place, weight, out=product)

    def backward(self, run: Pass, dy: np.ndarray) -> np.ndarray:
        """dW of a place = sum of its input times dy; dx at a place = dy times its weight"""
        flat_dy, product = self._outputs(dy)
        image, channels = self._image(), dy.shape[-1]
        dimage = self.workspace.gradient(image.shape)
        dimage[...] = 0
        dkernels = []
        for place, dplace, weight in zip(self._places(image), self._places(dimage), self._kernels(run)):
            sums = np.add.reduce(np.multiply(place, flat_dy, out=product), axis=(0, 1))
            dkernels.append(sums.reshape(-1, channels).sum(axis=0))
            dplace += np.multiply(flat_dy, weight, out=product)
        matrices = self.convolution.matrices()
        for (name, _), gradient in zip(matrices, np.split(np.array(dkernels), len(matrices), axis=1)):
            self.add_gradient(name, gradient)
        if self.repeats > 1:
            dimage = dimage.reshape(dimage.shape[:3] + (-1, self.repeats)).sum(axis=-1)
        return self._unpadded(dimage, self.convolution.padding)

"""Fashion-MNIST on a network that fills one macro: full resolution, mirrored images, masks at cell level."""

from dataclasses import replace
from typing import Tuple

from ..learn.recipe import Recipe
from ..nn.layers.activation import Quantize, Relu
from ..nn.layers.convolution import Conv2d
from ..nn.layers.join import Flatten
from ..nn.layers.linear import Linear
from ..nn.layers.norm import BatchNorm
from ..nn.layers.resample import MaxPool
from ..nn.network import Network
from . import fashion_mnist
from .codes import CodeRule
from .task import Task


def fashion_mnist_macro(
    bits: int = 4, widths: Tuple[int, ...] = (32, 64, 64, 64), *, hidden: int = 56, affine: bool = False
) -> Network:
    """A network that fills one macro: 125,264 weights, 7.48 M MACs on 28 x 28 pixels of 6 bits.

    Four convolutions that keep the size of the image, each but the third followed by max-pooling, then two full
    layers. At cell level it takes 250,528 of a macro's 262,144 cells.

    affine: batch norms learn scale and shift, and another one follows `fc1`: 280 of each, and no cell more.
    """
    layers: list = []
    channels = 1
    for k, width in enumerate(widths, 1):
        layers.append(Conv2d(f"conv{k}", channels, width, padding=(1, 1)))
        if k != 3:
            layers.append(MaxPool(f"pool{k}"))
        layers += [
            BatchNorm(f"bn{k}", width, affine),
            Relu(f"relu{k}"),
            Quantize(f"act{k}", bits),
        ]
        channels = width
    layers += [
        Flatten("flatten"),
        Linear("fc1", 9 * channels, hidden),
        *((BatchNorm("bn5", hidden, affine=True),) if affine else ()),
        Relu("relu5"),
        Quantize("act5", bits),
        Linear("fc2", hidden, 10),
    ]
    return Network("fashion-mnist-macro-affine" if affine else "fashion-mnist-macro", (28, 28, 1), 6, tuple(layers))


TASK = Task(
    name="fashion-mnist-macro",
    network=fashion_mnist_macro(),
    layout=replace(fashion_mnist.LAYOUT, codes=CodeRule(high=(255.0,)), mirrored=True),
    recipes={
        "full": Recipe(epochs=20, level="cell", score_step=0.03, hysteresis=0.001, hysteresis_end=0.0007),
        "quick": Recipe(epochs=2, level="cell", score_step=0.03, hysteresis=0.001, hysteresis_end=0.0007),
    },
    drawn=fashion_mnist.TASK.drawn,
)

AFFINE = replace(TASK, name="fashion-mnist-macro-affine", network=fashion_mnist_macro(affine=True))
"""the same with a digital side that learns"""

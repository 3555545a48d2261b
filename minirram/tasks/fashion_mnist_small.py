"""Fashion-MNIST on one macro of 64, 128 or 256 square: the family of the CNN, as `minirram fit-network` proposes it."""

from dataclasses import replace

from ..nn.network import Network
from . import fashion_mnist

WIDTHS = {64: (10, 4, 14), 128: (20, 8, 28), 256: (26, 10, 102)}
"""rows and columns of the macro -> channels of conv1, conv2 and the hidden layer"""


def small_cnn(size: int) -> Network:
    """The network for one macro of size x size cells: 1,990, 7,500 or 29,094 weights."""
    conv1, conv2, hidden = WIDTHS[size]
    network = fashion_mnist.fashion_mnist_cnn(conv1=conv1, conv2=conv2, hidden=hidden)
    return replace(network, name=f"fashion-mnist-{size}")


SMALL = tuple(replace(fashion_mnist.TASK, name=f"fashion-mnist-{size}", network=small_cnn(size)) for size in WIDTHS)

"""The shapes of a network's products, which is all that an account needs; ResNet-50 and VGG-16 as such lists."""

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

from ..errors import ConfigError
from ..nn import network as networks
from ..nn.network import input_bits
from ..nn.operations import FLOAT_BITS, DigitalEvents, digital_events

INPUT_BITS = 8
"""bits of the codes of the networks listed here"""


@dataclass(frozen=True)
class Product:
    """One weight matrix and what follows it."""

    name: str
    """of the layer"""
    fan_in: int
    """inputs: kernel height x width x channels"""
    fan_out: int
    """outputs"""
    positions: int = 1
    """input vectors per inference: pixels of the output image"""
    adds: int = 0
    """additions per inference of a residual branch that joins here; its values wait in the buffer"""
    compares: int = 0
    """comparisons per inference of a max-pool that follows"""
    written: int = -1
    """values that enter the buffer; -1: all outputs (fewer after a pool)"""


def resnet50(classes: int = 100, size: int = 224) -> Tuple[Product, ...]:
    """ResNet-50 (He et al., CVPR 2016; stride in the 3 x 3 convolutions) for size x size colour images."""
    if size % 32:
        raise ConfigError(f"ResNet-50 halves its images five times: {size} is no multiple of 32")
    side = size // 4
    stem = Product("conv1", 147, 64, 4 * side**2, compares=8 * 64 * side**2, written=64 * side**2)
    products, channels = [stem], 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 2):
        for block in range(blocks):
            name = f"conv{stage}_{block + 1}"
            before = side**2
            if stage > 2 and block == 0:
                side //= 2
            products.append(Product(name + "a", channels, width, before))
            products.append(Product(name + "b", 9 * width, width, side**2))
            products.append(Product(name + "c", width, 4 * width, side**2, adds=4 * width * side**2))
            if block == 0:
                products.append(Product(name + "s", channels, 4 * width, side**2))
            channels = 4 * width
    return tuple(products) + (Product("fc", channels, classes),)


def vgg16(classes: int = 100, size: int = 224) -> Tuple[Product, ...]:
    """VGG-16 (Simonyan and Zisserman, ICLR 2015) for size x size colour images."""
    if size % 32:
        raise ConfigError(f"VGG-16 halves its images five times: {size} is no multiple of 32")
    products: List[Product] = []
    channels, side = 3, size
    for stage, (convolutions, width) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        for index in range(convolutions):
            pooled = width * (side // 2) ** 2 if index == convolutions - 1 else 0
            products.append(
                Product(
                    f"conv{stage}_{index + 1}",
                    9 * channels,
                    width,
                    side**2,
                    compares=3 * pooled,
                    written=pooled or -1,
                )
            )
            channels = width
        side //= 2
    products.append(Product("fc1", channels * side**2, 4096))
    return tuple(products) + (Product("fc2", 4096, 4096), Product("fc3", 4096, classes))


NETWORKS = {"resnet50": resnet50, "vgg16": vgg16}


@dataclass(frozen=True, eq=False)
class NetworkShapes:
    """What an account needs to know of a network: shapes and counts by matrix, per inference."""

    name: str
    """of the network"""
    matrices: Tuple[Tuple[str, Tuple[int, int]], ...]
    """(name, (fan_in, fan_out)) of each matrix"""
    positions: Dict[str, int]
    """input vectors of each matrix"""
    bits: Dict[str, int]
    """bits of the input codes of each matrix"""
    digital: Dict[str, DigitalEvents]
    """arithmetic by layer"""

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(rows * cols for _, (rows, cols) in self.matrices)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(self.positions[name] * rows * cols for name, (rows, cols) in self.matrices)

    @property
    def activations(self) -> float:
        """Values that enter and leave the matrices: codes written to the buffer and outputs of products."""
        outputs = sum(self.positions[name] * cols for name, (_, cols) in self.matrices)
        return outputs + sum(entry.bits_written for entry in self.digital.values()) / max(self.bits.values())


def of_network(network: networks.Network) -> NetworkShapes:
    """`NetworkShapes` of a `networks.Network`."""
    return NetworkShapes(
        network.name,
        networks.matrices(network),
        networks.positions(network),
        input_bits(network),
        digital_events(network),
    )


def of_products(name: str, products: Sequence[Product], *, size: int = 224) -> NetworkShapes:
    """`NetworkShapes` of a list of `Product` for size x size colour images and INPUT_BITS.

    Arithmetic per output as in `events.digital_events`: scale, batch norm, ReLU; a quantiser per value written.
    """
    digital = {"input": DigitalEvents(bits_written=3.0 * size**2 * INPUT_BITS)}
    for product in products:
        n = float(product.positions * product.fan_out)
        written = n if product.written < 0 else float(product.written)
        digital[product.name] = DigitalEvents(
            multiplies=2 * n + written,
            adds=n + product.adds,
            compares=n + product.compares + 2 * written,
            bits_written=written * INPUT_BITS,
            bits_kept=product.adds * FLOAT_BITS,
            bits_taken=product.adds * FLOAT_BITS,
            bits_freed=product.adds * FLOAT_BITS,
        )
    return NetworkShapes(
        name,
        tuple((product.name, (product.fan_in, product.fan_out)) for product in products),
        {product.name: product.positions for product in products},
        {product.name: INPUT_BITS for product in products},
        digital,
    )

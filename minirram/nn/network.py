"""What a network is: its layers in order, and counts of weights, MACs and conversions.

A network is a linear order of layers; a branch is a layer that joins the outputs of earlier ones by name. Matrices are
(fan_in, fan_out); biases are layers of their own (`Bias`). What depends on the kind of a layer is asked of the layer
(`layers.base`).
"""

from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from ..errors import ConfigError, ShapeError
from .layers.base import Codes, Layer, Shape, Shapes, check_layer
from .layers.checks import check_bits


@dataclass(frozen=True)
class Network:
    """Layers in order. The last one gives the logits: (classes,), or (height, width, classes): a label per pixel."""

    name: str
    """what it is called"""
    input_shape: Tuple[int, int, int]
    """height, width, channels of one sample"""
    input_bits: int
    """bits of the input codes"""
    layers: Tuple[Layer, ...]
    """in the order of evaluation"""
    input_zero: int = 0
    """input code that stands for 0.0"""

    def __post_init__(self) -> None:
        check_bits(self.name, self.input_bits)
        for layer in self.layers:
            check_layer(layer)
        names = [layer.name for layer in self.layers]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"network {self.name}: needs layers, each with a name of its own")
        if not 0 <= self.input_zero < 2**self.input_bits:
            raise ConfigError(f"network {self.name}: input_zero {self.input_zero} is no {self.input_bits}-bit code")
        walk(self)

    @property
    def input_step(self) -> float:
        """Value of one input code: the codes span an interval of length 1."""
        return 1.0 / (2**self.input_bits - 1)

    @property
    def sources(self) -> Tuple[str, ...]:
        """Names of the layers whose outputs later layers join, once for each join."""
        return tuple(name for layer in self.layers for name in layer.others)

    def layer(self, name: str) -> Layer:
        """The layer of that name; ConfigError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ConfigError(f"network {self.name} has no layer {name!r}")

    def resized(self, height: int, width: int) -> "Network":
        """The same network for images of height x width."""
        return replace(self, input_shape=(int(height), int(width), self.input_shape[2]))


class Step(NamedTuple):
    """One layer at its place in a network."""

    layer: Layer
    inputs: Shapes
    output: Shape


def walk(network: Network) -> List[Step]:
    """The layers with the shapes of their inputs and outputs for one sample; ShapeError names the layer that does not
    fit.
    """
    steps: List[Step] = []
    shapes: Dict[str, Shape] = {}
    shape: Shape = tuple(network.input_shape)
    for layer in network.layers:
        try:
            unknown = [name for name in layer.others if name not in shapes]
            if unknown:
                raise ShapeError(f"there is no earlier layer {unknown[0]!r} to join")
            inputs = (shape,) + tuple(shapes[name] for name in layer.others)
            shape = shapes[layer.name] = layer.output_shape(inputs)
        except ShapeError as error:
            raise ShapeError(f"network {network.name}, layer {layer.name}: {error}") from None
        steps.append(Step(layer, inputs, shape))
    return steps


def output_shapes(network: Network) -> Dict[str, Shape]:
    """{layer name: shape of its output for one sample}"""
    return {step.layer.name: step.output for step in walk(network)}


def fitting_size(network: Network, size: Tuple[int, int]) -> Tuple[int, int]:
    """(rows, columns) that an image of size (height, width) is continued to, so that the network takes it.

    The network's own size and every size that fits stay as they are. Only where the network gives a label per pixel, an
    image is continued, to the next size with as many labels as pixels. ShapeError says which lengths fit.
    """
    own, (height, width) = network.input_shape[:2], size
    if size == own or _fits(network, height, width):
        return height, width
    # What is pooled to at least one pixel fits again after at most its own length.
    sizes = [
        next((size for size in range(length, length + own[axis]) if _fits(network, *_with(own, axis, size))), None)
        for axis, length in enumerate((height, width))
    ]
    rows, columns = sizes
    if _label_per_pixel(network) and rows is not None and columns is not None and _fits(network, rows, columns):
        return rows, columns
    raise ShapeError(_sizes_that_fit(network, height, width))


def _with(size: Tuple[int, int], axis: int, length: int) -> Tuple[int, int]:
    return (length, size[1]) if axis == 0 else (size[0], length)


def _label_per_pixel(network: Network) -> bool:
    return walk(network)[-1].output[:-1] == network.input_shape[:2]


def _fits(network: Network, height: int, width: int) -> bool:
    """True when all layers take the size, and labels stay as many as pixels where they are so at the own size."""
    try:
        return _label_per_pixel(network.resized(height, width)) or not _label_per_pixel(network)
    except ShapeError:
        return False


def _sizes_that_fit(network: Network, height: int, width: int) -> str:
    """What to say of an image that does not fit."""
    own = network.input_shape[:2]
    lengths = [
        [size for size in range(1, 2 * own[axis] + 1) if _fits(network, *_with(own, axis, size))] for axis in (0, 1)
    ]
    heights, widths = (", ".join(map(str, some)) for some in lengths)
    try:
        why = f"network {network.name} labels {walk(network.resized(height, width))[-1].output[:-1]} of its pixels"
    except ShapeError as error:
        why = str(error)
    return f"{why}; images of {height} x {width} do not fit, heights of {heights} and widths of {widths} do"


def requantised(network: Network, bits: int) -> Network:
    """The network with input codes of `bits` everywhere; the ranges they cover stay."""
    layers = tuple(layer.requantised(bits) for layer in network.layers)
    zero = round(network.input_zero * (2**bits - 1) / (2**network.input_bits - 1))
    return replace(network, input_bits=bits, input_zero=zero, layers=layers)


def matrix_codes(network: Network) -> Dict[str, Codes]:
    """{matrix name: the codes that enter it}; ShapeError where floats would enter one."""
    found: Dict[str, Codes] = {}
    codes: Optional[Codes] = Codes(network.input_bits, network.input_zero)
    earlier: Dict[str, Optional[Codes]] = {}
    for layer in network.layers:
        if layer.matrices():
            if codes is None:
                raise ShapeError(f"layer {layer.name}: its input is not quantised; put a Quantize before it")
            found.update(layer.codes_in(codes))
        codes = earlier[layer.name] = layer.codes_joined((codes,) + tuple(earlier[name] for name in layer.others))
    return found


def input_bits(network: Network) -> Dict[str, int]:
    """{matrix name: bits of the codes that enter it}; ShapeError where floats would enter one."""
    return {name: codes.bits for name, codes in matrix_codes(network).items()}


def input_zero_points(network: Network) -> Dict[str, int]:
    """{matrix name: input code that stands for 0.0}; ShapeError where floats would enter one."""
    return {name: codes.zero_point for name, codes in matrix_codes(network).items()}


def matrices(network: Network) -> Tuple[Tuple[str, Tuple[int, int]], ...]:
    """((name, (fan_in, fan_out)), ...) of every weight matrix in the network's order."""
    return tuple(matrix for layer in network.layers for matrix in layer.matrices())


def weights_by_layer(network: Network) -> Dict[str, int]:
    """{matrix name: number of weights}"""
    return {name: rows * cols for name, (rows, cols) in matrices(network)}


def positions(network: Network) -> Dict[str, int]:
    """{matrix name: products with one vector per sample}: image positions of a convolution, steps of an RNN, or 1."""
    return {name: step.layer.positions(step.output) for step in walk(network) for name, _ in step.layer.matrices()}


def macs(network: Network) -> int:
    """Multiply-accumulates per sample in all matrices (the RNN's first hidden product counts, though h0 = 0)."""
    places = positions(network)
    return sum(places[name] * rows * cols for name, (rows, cols) in matrices(network))


def conversions(network: Network, row_tiles: Optional[Mapping[str, int]] = None) -> Dict[str, int]:
    """{matrix name: ADC conversions per sample and bit-plane}: outputs x row tiles. row_tiles: {name: tiles} or 1."""
    places = positions(network)
    return {name: places[name] * cols * (row_tiles or {}).get(name, 1) for name, (_, cols) in matrices(network)}


def quantisers(network: Network) -> Dict[str, int]:
    """{name: bits} of every quantiser in the network's order; its range is the state's name.range."""
    return {name: bits for layer in network.layers for name, bits in layer.quantisers().items()}


def initial_state(network: Network, dtype: type = np.float32) -> Dict[str, np.ndarray]:
    """The digital state before training: running statistics (0 and 1), ranges (0), affine 1 and 0.

    A range of 0 is not calibrated yet; infinity leaves the activations unquantised.
    """
    return {name: array for layer in network.layers for name, array in layer.initial_state(dtype).items()}


def affine_parameters(network: Network) -> Tuple[str, ...]:
    """Names of the digital parameters that gradients train: scale and shift of affine batch norms."""
    return tuple(name for layer in network.layers for name in layer.trained())

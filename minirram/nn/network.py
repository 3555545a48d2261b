"""What a network is: its layers in order, and counts of weights, MACs and conversions.

A network is a linear order of layers; the only branch is `Concat`, which joins the output of an earlier layer by
name. Matrices are (fan_in, fan_out), without biases.
"""

from dataclasses import dataclass, replace
from typing import Dict, Tuple, Union

import numpy as np

from ..errors import ConfigError, ShapeError
from .layers.activation import Quantize, Relu
from .layers.checks import _check_bits
from .layers.convolution import Conv2d
from .layers.join import Concat, Flatten
from .layers.linear import Linear
from .layers.norm import BatchNorm
from .layers.recurrent import Rnn
from .layers.resample import MaxPool, MeanSteps, Upsample


def requantised(network, bits):
    """The network with input codes of `bits` everywhere; the ranges they cover stay."""
    layers = tuple(
        replace(layer, bits=bits) if isinstance(layer, (Quantize, Rnn)) else layer for layer in network.layers
    )
    zero = round(network.input_zero * (2**bits - 1) / (2**network.input_bits - 1))
    return replace(network, input_bits=bits, input_zero=zero, layers=layers)


def input_bits(network):
    """Bits of the codes that enter each matrix: dict matrix name -> bits. ShapeError where floats would enter one."""
    bits, present = {}, network.input_bits
    for layer in network.layers:
        if isinstance(layer, Quantize):
            present = layer.bits
        elif isinstance(layer, (Conv2d, Linear, Rnn)):
            if present is None:
                raise ShapeError(f"layer {layer.name}: its input is not quantised; put a Quantize before it")
            for name, _ in layer.matrices():
                bits[name] = present
            if isinstance(layer, Rnn):
                bits[layer.name + ".hidden"] = layer.bits
            present = None
        elif not isinstance(layer, (Flatten, MaxPool)):
            present = None
    return bits


def input_zero_points(network):
    """Input code that stands for 0.0 at each matrix, dict name -> int: only the network's input can be signed."""
    signed = True
    zero_points = {}
    for layer in network.layers:
        if isinstance(layer, (Conv2d, Linear, Rnn)):
            for name, _ in layer.matrices():
                zero_points[name] = network.input_zero if signed and not name.endswith(".hidden") else 0
        if not isinstance(layer, (Flatten, MaxPool)):
            signed = False
    return zero_points


Layer = Union[Conv2d, Linear, Rnn, BatchNorm, Relu, Quantize, MaxPool, Upsample, Concat, Flatten, MeanSteps]
WITH_MATRICES = (Conv2d, Linear, Rnn)


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

    def __post_init__(self):
        _check_bits(self, self.input_bits)
        names = [layer.name for layer in self.layers]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"network {self.name}: needs layers, each with a name of its own")
        if not 0 <= self.input_zero < 2**self.input_bits:
            raise ConfigError(f"network {self.name}: input_zero {self.input_zero} is no {self.input_bits}-bit code")
        output_shapes(self)

    @property
    def input_step(self):
        """Value of one input code: the codes span an interval of length 1."""
        return 1.0 / (2**self.input_bits - 1)

    @property
    def size_multiple(self):
        """An image's height and width must be a multiple of this, so that what is pooled returns at the same size."""
        up = sum(isinstance(layer, Upsample) for layer in self.layers)
        return 2**up

    def layer(self, name):
        """The layer of that name; ConfigError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ConfigError(f"network {self.name} has no layer {name!r}")

    def resized(self, height, width):
        """The same network for images of height x width."""
        return replace(self, input_shape=(int(height), int(width), self.input_shape[2]))


def output_shapes(network):
    """{layer name: shape of its output for one sample}; ShapeError names the first layer whose input does not fit."""
    shapes: Dict[str, tuple] = {}
    shape = tuple(network.input_shape)
    for layer in network.layers:
        try:
            shape = layer.output_shape(shape, shapes)
        except ShapeError as error:
            raise ShapeError(f"network {network.name}, layer {layer.name}: {error}") from None
        shapes[layer.name] = shape
    return shapes


def matrices(network):
    """((name, (fan_in, fan_out)), ...) of every weight matrix in the network's order."""
    return tuple(matrix for layer in network.layers if isinstance(layer, WITH_MATRICES) for matrix in layer.matrices())


def weights_by_layer(network):
    """{matrix name: number of weights}"""
    return {name: rows * cols for name, (rows, cols) in matrices(network)}


def positions(network):
    """{matrix name: products with one vector per sample}: image positions of a convolution, steps of an RNN, or 1."""
    shapes = output_shapes(network)
    return {
        name: int(np.prod(shapes[layer.name][:-1]))
        for layer in network.layers
        if isinstance(layer, WITH_MATRICES)
        for name, _ in layer.matrices()
    }


def macs(network):
    """Multiply-accumulates per sample in all matrices (the RNN's first hidden product counts, though h0 = 0)."""
    places = positions(network)
    return sum(places[name] * rows * cols for name, (rows, cols) in matrices(network))


def conversions(network, row_tiles=None):
    """{matrix name: ADC conversions per sample and bit-plane}: outputs x row tiles. row_tiles: {name: tiles} or 1."""
    places = positions(network)
    return {name: places[name] * cols * (row_tiles or {}).get(name, 1) for name, (_, cols) in matrices(network)}


def initial_state(network, dtype=np.float32):
    """The digital state before training: running statistics (0 and 1), ranges (0), affine 1 and 0.

    A range of 0 is not calibrated yet; infinity leaves the activations unquantised.
    """
    state = {}
    for layer in network.layers:
        if isinstance(layer, BatchNorm):
            state[layer.name + ".mean"] = np.zeros(layer.channels, dtype)
            state[layer.name + ".var"] = np.ones(layer.channels, dtype)
            if layer.affine:
                state[layer.name + ".gamma"] = np.ones(layer.channels, dtype)
                state[layer.name + ".beta"] = np.zeros(layer.channels, dtype)
        elif isinstance(layer, (Quantize, Rnn)):
            state[layer.name + ".range"] = np.zeros((), dtype)
    return state


def affine_parameters(network):
    """Names of the trained digital parameters: scale and shift of affine batch norms."""
    affine = [layer.name for layer in network.layers if isinstance(layer, BatchNorm) and layer.affine]
    return tuple(name + part for name in affine for part in (".gamma", ".beta"))

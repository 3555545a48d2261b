"""What a network is: its layers in order, and counts of weights, MACs and conversions.

A network is a linear order of layers; the only branch is `Concat`, which joins the output of an earlier layer by
name. Matrices are (fan_in, fan_out), without biases.
"""

from dataclasses import dataclass, replace
from typing import Dict, Tuple, Union

import numpy as np

from .convolution import output_size
from .errors import ConfigError, ShapeError

CLIP_EXPONENT = (2.5, 5 / 3)  # see Quantize.tail


def _check_positive(layer, **numbers):
    for field, value in numbers.items():
        if int(value) != value or value < 1:
            raise ConfigError(f"layer {layer.name}: {field} = {value!r}, expected an integer of at least 1")


def _check_bits(layer, bits):
    if bits not in range(1, 9):
        raise ConfigError(f"layer {layer.name}: {bits!r} bits, expected 1 to 8")


@dataclass(frozen=True)
class Conv2d:
    """Convolution without bias."""

    name: str
    """name of the layer and of its matrix"""
    in_channels: int
    """channels of the input image"""
    out_channels: int
    """channels of the output image = fan_out of the matrix"""
    kernel: Tuple[int, int] = (3, 3)
    """height and width of the kernel, pixels"""
    stride: Tuple[int, int] = (1, 1)
    """pixels between output rows and between output columns"""
    padding: Tuple[int, int] = (0, 0)
    """pixels of zero above and below, left and right"""

    def __post_init__(self):
        _check_positive(self, in_channels=self.in_channels, out_channels=self.out_channels)
        if len(self.kernel) != 2 or len(self.stride) != 2 or len(self.padding) != 2:
            raise ConfigError(f"layer {self.name}: kernel, stride and padding are pairs (rows, columns)")
        if min(self.kernel + self.stride) < 1 or min(self.padding) < 0:
            raise ConfigError(f"layer {self.name}: kernel and stride of at least 1, padding of at least 0")

    def matrices(self):
        """((name, (fan_in, fan_out)),)"""
        return ((self.name, (self.kernel[0] * self.kernel[1] * self.in_channels, self.out_channels)),)

    def output_shape(self, shape, _earlier):
        """(out_height, out_width, out_channels)"""
        if len(shape) != 3 or shape[2] != self.in_channels:
            raise ShapeError(f"its input is {shape}, expected (height, width, {self.in_channels})")
        return output_size(shape[0], shape[1], self.kernel, self.stride, self.padding) + (self.out_channels,)


@dataclass(frozen=True)
class Linear:
    """Matrix product without bias."""

    name: str
    """name of the layer and of its matrix"""
    in_features: int
    """fan_in"""
    out_features: int
    """fan_out"""

    def __post_init__(self):
        _check_positive(self, in_features=self.in_features, out_features=self.out_features)

    def matrices(self):
        """((name, (fan_in, fan_out)),)"""
        return ((self.name, (self.in_features, self.out_features)),)

    def output_shape(self, shape, _earlier):
        """(out_features,)"""
        if shape != (self.in_features,):
            raise ShapeError(f"its input is {shape}, expected ({self.in_features},)")
        return (self.out_features,)


@dataclass(frozen=True)
class Rnn:
    """ReLU-RNN over the width of an image of height 1: two matrices, h0 = 0, one output per step (`recurrent`).

    What enters the hidden matrix is quantised at every step; the outputs are not.
    """

    name: str
    """name of the layer; its matrices are name.input and name.hidden"""
    in_features: int
    """channels per step"""
    hidden: int
    """hidden units"""
    bits: int
    """bits of the hidden matrix's input codes"""

    def __post_init__(self):
        _check_positive(self, in_features=self.in_features, hidden=self.hidden)
        _check_bits(self, self.bits)

    def matrices(self):
        """((name.input, ...), (name.hidden, ...))"""
        return (
            (self.name + ".input", (self.in_features, self.hidden)),
            (self.name + ".hidden", (self.hidden, self.hidden)),
        )

    def output_shape(self, shape, _earlier):
        """(1, steps, hidden)"""
        if len(shape) != 3 or shape[0] != 1 or shape[2] != self.in_features:
            raise ShapeError(f"its input is {shape}, expected (1, steps, {self.in_features})")
        return (1, shape[1], self.hidden)


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation over all axes but the channels."""

    name: str
    """name of the layer; its state is name.mean and name.var, and name.gamma and name.beta when affine"""
    channels: int
    """channels of input and output"""
    affine: bool = False
    """True: a trained scale and shift follow the normalisation"""

    def __post_init__(self):
        _check_positive(self, channels=self.channels)

    def output_shape(self, shape, _earlier):
        """shape of the input"""
        if shape[-1] != self.channels:
            raise ShapeError(f"its input {shape} has {shape[-1]} channels, expected {self.channels}")
        return shape


@dataclass(frozen=True)
class Relu:
    """max(x, 0)"""

    name: str
    """name of the layer"""

    def output_shape(self, shape, _earlier):
        """shape of the input"""
        return shape


@dataclass(frozen=True)
class Quantize:
    """Unsigned input codes of the crossbar that follows; the step is name.range / (2**bits - 1)."""

    name: str
    """name of the layer; its state is name.range"""
    bits: int
    """bits of the codes"""

    def __post_init__(self):
        _check_bits(self, self.bits)

    @property
    def tail(self):
        """Fraction of activations above the range.

        Set so that clipping and rounding errors of rectified normal activations balance: 0.55 % at 3 bits, 0.17 % at
        4, 0.017 % at 6 (fit to the optima of Banner, Nahshan and Soudry, "Post training 4-bit quantization", NeurIPS
        2019).
        """
        return clip_tail(self.bits)

    def output_shape(self, shape, _earlier):
        """shape of the input"""
        return shape


def clip_tail(bits):
    """Fraction of activations that a quantiser of `bits` bits clips: see `Quantize.tail`."""
    offset, slope = CLIP_EXPONENT
    return 2.0 ** -(offset + slope * bits)


@dataclass(frozen=True)
class MaxPool:
    """Maximum over square windows without overlap; a remainder at the border is dropped."""

    name: str
    """name of the layer"""
    size: int = 2
    """height, width and stride of the window, pixels"""

    def __post_init__(self):
        _check_positive(self, size=self.size)

    def output_shape(self, shape, _earlier):
        """(height // size, width // size, channels)"""
        if len(shape) != 3 or min(shape[:2]) < self.size:
            raise ShapeError(f"its input is {shape}, expected an image of at least {self.size} x {self.size}")
        return (shape[0] // self.size, shape[1] // self.size, shape[2])


@dataclass(frozen=True)
class Upsample:
    """Bilinear interpolation to twice the height and width, corners aligned."""

    name: str
    """name of the layer"""

    def output_shape(self, shape, _earlier):
        """(2 * height, 2 * width, channels)"""
        if len(shape) != 3:
            raise ShapeError(f"its input is {shape}, expected an image")
        return (2 * shape[0], 2 * shape[1], shape[2])


@dataclass(frozen=True)
class Concat:
    """The input's channels, then those of an earlier layer's output."""

    name: str
    """name of the layer"""
    other: str
    """name of the earlier layer"""

    def output_shape(self, shape, earlier):
        """(height, width, channels of both)"""
        if self.other not in earlier:
            raise ShapeError(f"there is no earlier layer {self.other!r} to join")
        other = earlier[self.other]
        if shape[:-1] != other[:-1]:
            raise ShapeError(f"its input is {shape}, but {self.other} gives {other}")
        return shape[:-1] + (shape[-1] + other[-1],)


@dataclass(frozen=True)
class Flatten:
    """(height, width, channels) -> (height * width * channels,)"""

    name: str
    """name of the layer"""

    def output_shape(self, shape, _earlier):
        """(features,)"""
        return (int(np.prod(shape)),)


@dataclass(frozen=True)
class MeanSteps:
    """Mean over height and width, i.e. over the steps of a sequence: (height, width, channels) -> (channels,)."""

    name: str
    """name of the layer"""

    def output_shape(self, shape, _earlier):
        """(channels,)"""
        if len(shape) != 3:
            raise ShapeError(f"its input is {shape}, expected (height, width, channels)")
        return shape[-1:]


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

"""Digital operations and memory traffic of a network's layers, per sample."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from .layers.activation import Quantize, Relu
from .layers.convolution import Conv2d
from .layers.join import Concat
from .layers.linear import Linear
from .layers.norm import BatchNorm
from .layers.recurrent import Rnn
from .layers.resample import MaxPool, MeanSteps, Upsample
from .network import output_shapes

FLOAT_BITS = 16
"""bits of an activation that waits for a later layer (assumed: a 16-bit float, the typical digital arithmetic)"""


@dataclass(frozen=True)
class DigitalEvents:
    """Events of one layer's digital arithmetic in one inference."""

    multiplies: float = 0
    """multiplications"""
    adds: float = 0
    """additions and subtractions"""
    compares: float = 0
    """comparisons"""
    bits_written: float = 0
    """bits of codes put into the buffer"""
    bits_kept: float = 0
    """bits of activations put into the buffer for a later layer that joins them"""
    bits_taken: float = 0
    """bits of such activations taken out again"""

    @property
    def buffer_bits(self):
        """Bits moved into and out of the buffer."""
        return self.bits_written + self.bits_kept + self.bits_taken


def digital_events(network):
    """dict layer name -> `DigitalEvents` of a `networks.Network`, as `digital.json` lays the arithmetic out.

    Matrices: one multiplication per output takes sums to activations. Batch norm: multiplication and addition.
    ReLU: comparison. Quantiser: multiplication, clip at both ends, codes written. Pool: comparisons within a window.
    Upsampling: three interpolations of one multiplication and two additions. The input codes are written once. What a
    later layer joins waits in the buffer at FLOAT_BITS.
    """
    shapes = output_shapes(network)
    joined = Counter(layer.other for layer in network.layers if isinstance(layer, Concat))
    written = float(np.prod(network.input_shape)) * network.input_bits
    events, before = {"input": DigitalEvents(bits_written=written)}, tuple(network.input_shape)
    for position, layer in enumerate(network.layers):
        shape = shapes[layer.name]
        found = _layer_events(layer, before, shape)
        if position == 0 and network.input_zero:
            found = replace(found, adds=found.adds + float(np.prod(shape)))
        if layer.name in joined:
            found = replace(found, bits_kept=joined[layer.name] * float(np.prod(shape)) * FLOAT_BITS)
        if found != DigitalEvents():
            events[layer.name] = found
        before = shape
    return events


def _layer_events(layer, before, shape):
    """`DigitalEvents` of one layer whose input has the shape `before` and whose output has the shape `shape`."""
    n_in, n = float(np.prod(before)), float(np.prod(shape))
    if isinstance(layer, (Conv2d, Linear)):
        return DigitalEvents(multiplies=n)
    if isinstance(layer, Rnn):
        fed_back = n * (shape[1] - 1) / shape[1]  # no hidden product at the first step, where h = 0
        return DigitalEvents(n + 2 * fed_back, fed_back, n + 2 * fed_back, fed_back * layer.bits)
    if isinstance(layer, BatchNorm):
        return DigitalEvents(multiplies=n, adds=n)
    if isinstance(layer, Relu):
        return DigitalEvents(compares=n)
    if isinstance(layer, Quantize):
        return DigitalEvents(multiplies=n, compares=2 * n, bits_written=n * layer.bits)
    if isinstance(layer, MaxPool):
        return DigitalEvents(compares=n * (layer.size**2 - 1))
    if isinstance(layer, Upsample):
        return DigitalEvents(multiplies=3 * n, adds=6 * n)
    if isinstance(layer, MeanSteps):
        return DigitalEvents(multiplies=n, adds=n_in - n)
    if isinstance(layer, Concat):
        return DigitalEvents(bits_taken=(n - n_in) * FLOAT_BITS)
    return DigitalEvents()


def buffer_bits(digital):
    """Bits that the buffer must hold at a time: the codes that a layer reads and those it writes, and what is kept
    for later layers meanwhile. digital: dict layer -> `DigitalEvents`, in order.
    """
    most = codes = kept = 0.0
    for entry in digital.values():
        kept += entry.bits_kept
        most = max(most, codes + entry.bits_written + kept)
        codes = entry.bits_written or codes
        kept -= entry.bits_taken
    return most

"""Networks on plain arrays: layers, loss and the engine that trains them. No physics.

The face offers `Network` and every layer.
"""

from .layers.activation import Quantize, Relu
from .layers.base import Layer
from .layers.convolution import Conv2d
from .layers.join import Add, Concat, Flatten
from .layers.linear import Linear
from .layers.norm import BatchNorm
from .layers.recurrent import Rnn
from .layers.resample import AveragePool, GlobalAverage, MaxPool, Upsample
from .network import Network

__all__ = [
    "Add",
    "AveragePool",
    "BatchNorm",
    "Concat",
    "Conv2d",
    "Flatten",
    "GlobalAverage",
    "Layer",
    "Linear",
    "MaxPool",
    "Network",
    "Quantize",
    "Relu",
    "Rnn",
    "Upsample",
]

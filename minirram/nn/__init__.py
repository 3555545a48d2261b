"""Networks on plain arrays: layers, loss and the engine that trains them. No physics.

The face offers `Network` and every layer.
"""

from .layers.activation import Quantize, Relu
from .layers.base import Layer
from .layers.convolution import Conv2d
from .layers.join import Concat, Flatten
from .layers.linear import Linear
from .layers.norm import BatchNorm
from .layers.recurrent import Rnn
from .layers.resample import MaxPool, MeanSteps, Upsample
from .network import Network

__all__ = [
    "BatchNorm",
    "Concat",
    "Conv2d",
    "Flatten",
    "Layer",
    "Linear",
    "MaxPool",
    "MeanSteps",
    "Network",
    "Quantize",
    "Relu",
    "Rnn",
    "Upsample",
]

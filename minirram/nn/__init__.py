"""Networks on plain arrays: layers, loss and the engine that trains them. No physics.

The face offers `Network` and every layer.
"""

from .layers.activation import Clip, Quantize, Relu, SignedQuantize
from .layers.base import Layer
from .layers.bias import Bias
from .layers.convolution import Conv2d
from .layers.join import Add, ChannelShuffle, Concat, Flatten, Recall
from .layers.linear import Linear
from .layers.norm import BatchNorm
from .layers.recurrent import Rnn
from .layers.resample import AveragePool, GlobalAverage, MaxPool, Upsample
from .layers.resize import Resize
from .layers.response_norm import ResponseNorm
from .layers.windows import AveragePool2d, MaxPool2d, Pad
from .network import Network

__all__ = [
    "Add",
    "AveragePool",
    "AveragePool2d",
    "BatchNorm",
    "Bias",
    "ChannelShuffle",
    "Clip",
    "Concat",
    "Conv2d",
    "Flatten",
    "GlobalAverage",
    "Layer",
    "Linear",
    "MaxPool",
    "MaxPool2d",
    "Network",
    "Pad",
    "Quantize",
    "Recall",
    "Relu",
    "Resize",
    "ResponseNorm",
    "Rnn",
    "SignedQuantize",
    "Upsample",
]

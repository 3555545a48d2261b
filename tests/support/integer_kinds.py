"""Networks that hold every kind of step that integers have."""

from typing import Iterator

from minirram.nn.layers import activation, bias, convolution, join, linear, norm, recurrent, resample, windows
from minirram.nn.network import Network

from .tiny import tiny_network


def kinds_of_networks() -> Iterator[Network]:
    """Networks that hold all kinds of steps."""
    yield tiny_network()
    yield Network(
        "residual",
        (5, 6, 2),
        3,
        (
            convolution.Conv2d("a", 2, 4, (3, 3), (1, 1), (1, 1)),
            bias.Bias("bias", 4),
            activation.SignedQuantize("codes", 4),
            convolution.Conv2d("b", 4, 4, (3, 2), (1, 1), (1, 0), 2, (1, 1)),
            windows.Pad("pad", (0, 1, 0, 0)),
            join.Add("sum", "bias"),
            activation.Clip("clip", -1.0, 2.0),
            join.Concat("both", "codes"),
            join.ChannelShuffle("shuffle", 2),
            windows.AveragePool2d("mean", (3, 3), (2, 2), (1, 1, 1, 1)),
            resample.GlobalAverage("all"),
        ),
        input_zero=3,
    )
    yield Network(
        "recurrent",
        (1, 5, 3),
        2,
        (
            recurrent.Rnn("rnn", 3, 6, 3),
            resample.GlobalAverage("mean"),
            activation.Quantize("q", 4),
            linear.Linear("fc", 6, 3),
        ),
        input_zero=1,
    )
    yield Network(
        "branches",
        (6, 6, 1),
        8,
        (
            convolution.Conv2d("a", 1, 3, (2, 2), (2, 2), (0, 0), 1, (2, 2)),
            norm.BatchNorm("bn", 3),
            activation.Quantize("q", 2),
            windows.MaxPool2d("pool", (2, 2), (1, 1), (1, 0, 0, 1)),
            join.Recall("again", "q"),
            resample.AveragePool("half", 2),
            join.Flatten("flat"),
            activation.Quantize("q2", 5),
            linear.Linear("fc", 3, 2),
        ),
    )
    yield Network(  # a border of zeros, which are codes of 5
        "bordered",
        (2, 3, 2),
        4,
        (windows.Pad("edge", (0, 1, 1, 0)), join.Flatten("flat"), linear.Linear("fc", 24, 3), activation.Relu("relu")),
        input_zero=5,
    )
    yield Network("one", (2, 2, 2), 1, (join.Flatten("flat"), linear.Linear("fc", 8, 4), activation.Relu("relu")))

"""The network for spoken digits."""

from ..nn.layers.activation import Quantize, Relu
from ..nn.layers.convolution import Conv2d
from ..nn.layers.linear import Linear
from ..nn.layers.norm import BatchNorm
from ..nn.layers.recurrent import Rnn
from ..nn.layers.resample import MaxPool, MeanSteps
from ..nn.network import Network


def spoken_digit_crnn(bits=3, conv1=64, conv2=32, rnn=128, hidden=256):
    """The Spoken Digit CRNN: 68,480 weights, 0.394 M MACs on 23 features x 20 frames."""
    return Network(
        "spoken-digit-crnn",
        (23, 20, 1),
        bits,
        (
            Conv2d("conv1", 1, conv1, (3, 2), (2, 1)),
            MaxPool("pool1"),
            BatchNorm("bn1", conv1),
            Relu("relu1"),
            Quantize("act1", bits),
            Conv2d("conv2", conv1, conv2, (3, 2), (2, 1)),
            MaxPool("pool2"),
            BatchNorm("bn2", conv2),
            Relu("relu2"),
            Quantize("act2", bits),
            Rnn("rnn", conv2, rnn, bits),
            MeanSteps("mean"),
            Quantize("act3", bits),
            Linear("fc1", rnn, hidden),
            Relu("relu4"),
            Quantize("act4", bits),
            Linear("fc2", hidden, 10),
        ),
    )

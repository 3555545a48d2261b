"""The networks of the tasks: the paper's three (table in Li et al., arXiv 2311.07164), and one that fills a macro."""

from ..nn.layers.activation import Quantize, Relu
from ..nn.layers.convolution import Conv2d
from ..nn.layers.join import Flatten
from ..nn.layers.linear import Linear
from ..nn.layers.norm import BatchNorm
from ..nn.layers.resample import MaxPool
from ..nn.network import Network


def fashion_mnist_cnn(bits=4, conv1=64, conv2=16, hidden=128):
    """The Fashion-MNIST CNN: 62,272 weights, 1.057 M MACs on 14 x 14 pixels (28 x 28 max-pooled by 2 beforehand)."""
    return Network(
        "fashion-mnist-cnn",
        (14, 14, 1),
        bits,
        (
            Conv2d("conv1", 1, conv1),
            BatchNorm("bn1", conv1),
            Relu("relu1"),
            Quantize("act1", bits),
            Conv2d("conv2", conv1, conv2),
            MaxPool("pool2"),
            BatchNorm("bn2", conv2),
            Relu("relu2"),
            Quantize("act2", bits),
            Flatten("flatten"),
            Linear("fc1", 25 * conv2, hidden),
            Relu("relu3"),
            Quantize("act3", bits),
            Linear("fc2", hidden, 10),
        ),
    )


def fashion_mnist_macro(bits=4, widths=(32, 64, 64, 64), hidden=56):
    """A network that fills one macro: 125,264 weights, 7.48 M MACs on 28 x 28 pixels of 6 bits.

    Four convolutions that keep the size of the image, each but the third followed by max-pooling, then two full
    layers. At cell level it takes 250,528 of a macro's 262,144 cells.
    """
    layers: list = []
    channels = 1
    for k, width in enumerate(widths, 1):
        layers.append(Conv2d(f"conv{k}", channels, width, padding=(1, 1)))
        if k != 3:
            layers.append(MaxPool(f"pool{k}"))
        layers += [
            BatchNorm(f"bn{k}", width),
            Relu(f"relu{k}"),
            Quantize(f"act{k}", bits),
        ]
        channels = width
    layers += [
        Flatten("flatten"),
        Linear("fc1", 9 * channels, hidden),
        Relu("relu5"),
        Quantize("act5", bits),
        Linear("fc2", hidden, 10),
    ]
    return Network("fashion-mnist-macro", (28, 28, 1), 6, tuple(layers))

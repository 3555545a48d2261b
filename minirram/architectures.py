"""The networks of the tasks: the paper's three (table in Li et al., arXiv 2311.07164), and one that fills a macro."""

from .networks import (
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    Linear,
    MaxPool,
    MeanSteps,
    Network,
    Quantize,
    Relu,
    Rnn,
    Upsample,
)


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


def retina_unet(bits=6, width=32):
    """The retina U-Net: 4,313,440 weights, 351 M MACs on a crop of 48 x 48; a class per pixel.

    width: channels of the first level, of which all others are multiples.
    """
    layers: list = []

    def conv(name, c_in, c_out, quantize=True):
        if quantize:
            layers.append(Quantize("act_" + name, bits))
        layers.append(Conv2d(name, c_in, c_out, (3, 3), (1, 1), (1, 1)))
        layers.extend((BatchNorm("bn_" + name, c_out, affine=True), Relu("relu_" + name)))

    widths = (width, 2 * width, 4 * width, 8 * width, 8 * width)
    for level, (c_in, c_out) in enumerate(zip((1,) + widths, widths), 1):
        if level > 1:
            layers.append(MaxPool(f"pool{level}"))
        conv(f"down{level}a", c_in, c_out, quantize=level > 1)
        conv(f"down{level}b", c_out, c_out)
    for level, c_in, middle, c_out in ((4, 16, 8, 4), (3, 8, 4, 2), (2, 4, 2, 1), (1, 2, 1, 1)):
        layers.append(Upsample(f"upsample{level}"))
        layers.append(Concat(f"concat{level}", f"relu_down{level}b"))
        conv(f"up{level}a", c_in * width, middle * width)
        conv(f"up{level}b", middle * width, c_out * width)
    layers.extend((Quantize("act_out", bits), Conv2d("out", width, 2, (1, 1))))
    return Network("retina-unet", (48, 48, 1), bits, tuple(layers))

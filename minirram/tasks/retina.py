"""The network for vessels of the retina."""

from ..nn.layers.activation import Quantize, Relu
from ..nn.layers.convolution import Conv2d
from ..nn.layers.join import Concat
from ..nn.layers.norm import BatchNorm
from ..nn.layers.resample import MaxPool, Upsample
from ..nn.network import Network


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

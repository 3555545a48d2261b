"""What happens to each element alone: ReLU and quantisation, forward and backward."""

from dataclasses import dataclass

import numpy as np

from .checks import _check_bits


def relu_forward(x, out=None):
    """y = max(x, 0), any shape."""
    return np.maximum(x, 0, out=out)


def relu_backward(dy, y, out=None):
    """dx of y = max(x, 0): dy where y > 0, else 0."""
    return np.multiply(dy, y > 0, out=out)


def quantise_forward(x, step, bits, out=None):
    """y = step * clip(rint(x / step), 0, 2**bits - 1): x as the crossbar's input codes represent it. step > 0."""
    out = to_codes(np.multiply(x, x.dtype.type(1 / step), out=out), bits, out)
    out *= out.dtype.type(step)
    return out


def to_codes(x, bits, out=None):
    """clip(rint(x), 0, 2**bits - 1), for x in units of the step; still floats."""
    out = np.rint(x, out=out)
    return np.clip(out, 0, 2**bits - 1, out=out)


def quantise_backward(dy, x, step, bits, out=None):
    """Straight-through dx: dy where 0 <= x <= step * (2**bits - 1), 0 where x was clipped."""
    return np.multiply(dy, (x >= 0) & (x <= x.dtype.type(step * (2**bits - 1))), out=out)


CLIP_EXPONENT = (2.5, 5 / 3)  # see Quantize.tail


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

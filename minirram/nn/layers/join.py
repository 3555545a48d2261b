"""Layers that join or reorder: concatenation of channels, flattening; forward and backward."""

from dataclasses import dataclass

import numpy as np

from ...errors import ShapeError


def concat_forward(x, other, out=None):
    """Channels of x, then channels of `other`."""
    if x.shape[:-1] != other.shape[:-1]:
        raise ShapeError(f"cannot join the channels of {x.shape} and {other.shape}")
    return np.concatenate([x, other], axis=-1, out=out)


def concat_backward(dy, channels):
    """(dx, dother): views of dy, split after `channels` channels."""
    return dy[..., :channels], dy[..., channels:]


@dataclass(frozen=True)
class Concat:
    """The input's channels, then those of an earlier layer's output."""

    name: str
    """name of the layer"""
    other: str
    """name of the earlier layer"""

    def output_shape(self, shape, earlier):
        """(height, width, channels of both)"""
        if self.other not in earlier:
            raise ShapeError(f"there is no earlier layer {self.other!r} to join")
        other = earlier[self.other]
        if shape[:-1] != other[:-1]:
            raise ShapeError(f"its input is {shape}, but {self.other} gives {other}")
        return shape[:-1] + (shape[-1] + other[-1],)


@dataclass(frozen=True)
class Flatten:
    """(height, width, channels) -> (height * width * channels,)"""

    name: str
    """name of the layer"""

    def output_shape(self, shape, _earlier):
        """(features,)"""
        return (int(np.prod(shape)),)

"""Batch normalisation: description, moments, forward and backward."""

from dataclasses import dataclass

import numpy as np

from ...errors import ShapeError
from .checks import _check_positive

BATCH_NORM_EPSILON = 1e-5  # added to the variance, as in Ioffe and Szegedy 2015


def moments(x):
    """(count, mean, sum of squared deviations) over all axes but the last; float64 arrays (channels,)."""
    axes = tuple(range(x.ndim - 1))
    count = x.size // x.shape[-1]
    mean = x.mean(axis=axes, dtype=np.float64)
    centred = x - mean.astype(x.dtype)
    squares = np.square(centred).sum(axis=axes, dtype=np.float64)
    return count, mean, squares


def merge_moments(parts):
    """Moments of a whole from those of its parts, in the given order (Chan, Golub and LeVeque 1979)."""
    parts = iter(parts)
    count, mean, squares = next(parts)
    for more, other_mean, other_squares in parts:
        delta = other_mean - mean
        total = count + more
        squares = squares + other_squares + delta**2 * (count * more / total)
        mean = mean + delta * (more / total)
        count = total
    return count, mean, squares


def batch_norm_forward(x, mean, var, gamma=None, beta=None, out=None):
    """y = (x - mean) / sqrt(var + epsilon), then times gamma plus beta when given; all (channels,)."""
    out = np.subtract(x, mean.astype(x.dtype), out=out)
    scale = 1 / np.sqrt(var + BATCH_NORM_EPSILON)
    out *= (scale if gamma is None else scale * gamma).astype(x.dtype)
    if beta is not None:
        out += beta.astype(x.dtype)
    return out


def batch_norm_sums(dy, normalised):
    """(sum of dy, sum of dy * normalised) over all axes but the last: d loss / d beta and d loss / d gamma."""
    axes = tuple(range(dy.ndim - 1))
    return dy.sum(axis=axes, dtype=np.float64), np.multiply(dy, normalised).sum(axis=axes, dtype=np.float64)


def batch_norm_backward(dy, normalised, var, count, dbeta, dgamma, gamma=None, out=None):
    """dx of the batch norm with the batch's own statistics.

    normalised: (x - mean) / sqrt(var + epsilon). count: values per channel in the whole batch; dbeta, dgamma: its
    `batch_norm_sums`.
    """
    scale = 1 / np.sqrt(var + BATCH_NORM_EPSILON)
    scale = scale if gamma is None else scale * gamma
    out = np.multiply(normalised, (-dgamma / count).astype(dy.dtype), out=out)
    out += dy
    out -= (dbeta / count).astype(dy.dtype)
    out *= scale.astype(dy.dtype)
    return out


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation over all axes but the channels."""

    name: str
    """name of the layer; its state is name.mean and name.var, and name.gamma and name.beta when affine"""
    channels: int
    """channels of input and output"""
    affine: bool = False
    """True: a trained scale and shift follow the normalisation"""

    def __post_init__(self):
        _check_positive(self, channels=self.channels)

    def output_shape(self, shape, _earlier):
        """shape of the input"""
        if shape[-1] != self.channels:
            raise ShapeError(f"its input {shape} has {shape[-1]} channels, expected {self.channels}")
        return shape

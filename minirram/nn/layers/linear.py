"""The matrix product without bias: description, forward and backward."""

from dataclasses import dataclass

import numpy as np

from ...errors import ShapeError
from .checks import _check_positive


def linear_forward(x, weight, out=None):
    """y = x @ weight. x (rows, fan_in), weight (fan_in, fan_out) -> (rows, fan_out)."""
    return np.matmul(x, weight, out=out)


def linear_backward(dy, x, weight, dx_out=None, dweight_out=None):
    """(dx, dweight) of y = x @ weight. dy (rows, fan_out)."""
    return np.matmul(dy, weight.T, out=dx_out), np.matmul(x.T, dy, out=dweight_out)


@dataclass(frozen=True)
class Linear:
    """Matrix product without bias."""

    name: str
    """name of the layer and of its matrix"""
    in_features: int
    """fan_in"""
    out_features: int
    """fan_out"""

    def __post_init__(self):
        _check_positive(self, in_features=self.in_features, out_features=self.out_features)

    def matrices(self):
        """((name, (fan_in, fan_out)),)"""
        return ((self.name, (self.in_features, self.out_features)),)

    def output_shape(self, shape, _earlier):
        """(out_features,)"""
        if shape != (self.in_features,):
            raise ShapeError(f"its input is {shape}, expected ({self.in_features},)")
        return (self.out_features,)

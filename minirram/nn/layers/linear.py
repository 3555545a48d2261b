"""The matrix product without bias."""

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

import numpy as np

from ...errors import ShapeError
from .base import Arrays, DigitalEvents, Gradients, Inference, Layer, Parameters, Shape, Shapes, Signal, n_values
from .checks import check_positive


def linear_forward(x: np.ndarray, weight: np.ndarray, *, out: Optional[np.ndarray] = None) -> np.ndarray:
    """y = x @ weight. x (rows, fan_in), weight (fan_in, fan_out) -> (rows, fan_out)."""
    return np.matmul(x, weight, out=out)


def linear_backward(dy: np.ndarray, x: np.ndarray, *, weight: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """(dx, dweight) of y = x @ weight. dy (rows, fan_out)."""
    return np.matmul(dy, weight.T), np.matmul(x.T, dy)


@dataclass(frozen=True)
class Linear(Layer):
    """Matrix product without bias; the matrix has the layer's name."""

    in_features: int
    """fan_in"""
    out_features: int
    """fan_out"""

    def __post_init__(self) -> None:
        check_positive(self.name, in_features=self.in_features, out_features=self.out_features)

    def matrices(self) -> Tuple[Tuple[str, Tuple[int, int]], ...]:
        """((name, (fan_in, fan_out)),)"""
        return ((self.name, (self.in_features, self.out_features)),)

    def output_shape(self, inputs: Shapes) -> Shape:
        """(out_features,)"""
        if inputs[0] != (self.in_features,):
            raise ShapeError(f"its input is {inputs[0]}, expected ({self.in_features},)")
        return (self.out_features,)

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = x W"""
        (x,), weight = inputs, parameters.weights[self.name]
        return linear_forward(x, weight), (x, weight)

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = dy W^T, dW = x^T dy"""
        x, weight = kept
        dx, dweight = linear_backward(dy, x, weight=weight)
        return (dx,), {self.name: dweight}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats: the product times the step of the codes."""
        (signal,) = inputs
        y = inference.product(self.name, signal.values, zero_point=signal.zero_point)
        return Signal(y * np.float32(signal.step))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """One multiplication per output takes sums to activations."""
        return DigitalEvents(multiplies=n_values(output))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing: `digital.json` lists matrices apart."""
        return {}

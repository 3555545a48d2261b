"""The bias: a number per channel that the digital side adds."""

from dataclasses import dataclass
from typing import Any, Dict, Tuple

import numpy as np

from ...errors import ShapeError
from .base import Arrays, DigitalEvents, Gradients, Inference, Layer, Parameters, Shape, Shapes, Signal, n_values
from .checks import check_positive


@dataclass(frozen=True)
class Bias(Layer):
    """x + offset per channel, on the digital side: matrices on a chip have no biases. State name.offset, trained."""

    channels: int
    """channels of input and output"""

    def __post_init__(self) -> None:
        check_positive(self.name, channels=self.channels)

    def output_shape(self, inputs: Shapes) -> Shape:
        """shape of the input"""
        (shape,) = inputs
        if shape[-1] != self.channels:
            raise ShapeError(f"its input {shape} has {shape[-1]} channels, expected {self.channels}")
        return shape

    def initial_state(self, dtype: type) -> Dict[str, np.ndarray]:
        """offset 0"""
        return {self.name + ".offset": np.zeros(self.channels, dtype)}

    def trained(self) -> Tuple[str, ...]:
        """name.offset"""
        return (self.name + ".offset",)

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = x + offset"""
        (x,) = inputs
        return x + parameters.state[self.name + ".offset"].astype(x.dtype), None

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = dy, d offset = sum of dy over samples and places"""
        return (dy,), {self.name + ".offset": dy.sum(axis=tuple(range(dy.ndim - 1)), dtype=np.float64)}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats."""
        return Signal(inputs[0].floats() + inference.state[self.name + ".offset"])

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """An addition per element."""
        return DigitalEvents(adds=n_values(output))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """offset: y = x + offset"""
        return {"offset": [float(value) for value in state[self.name + ".offset"]]}

"""Local response normalisation across channels (Krizhevsky, Sutskever and Hinton, NeurIPS 2012)."""

from dataclasses import dataclass
from typing import Any, Dict, Tuple

import numpy as np

from ...errors import ConfigError
from .base import Arrays, DigitalEvents, Gradients, Inference, Layer, Parameters, Shape, Shapes, Signal, n_values
from .checks import check_positive

POWER = {"multiplies": 3, "adds": 2}
"""arithmetic of s ** -beta (assumed): log2 and exp2 by tables, each interpolated by a line, and a product with beta"""


def windows(channels: int, size: int) -> np.ndarray:
    """bool (channels, channels), [j, i]: whether channel j lies in the window of channel i."""
    offset = np.arange(channels)[:, None] - np.arange(channels)[None, :]
    return (offset >= -((size - 1) // 2)) & (offset <= size // 2)


@dataclass(frozen=True)
class ResponseNorm(Layer):
    """x / (bias + alpha / size * sum of squares over `size` neighbouring channels) ** beta, at each place."""

    size: int = 5
    """channels of a window"""
    alpha: float = 1e-4
    """factor of the mean square"""
    beta: float = 0.75
    """exponent"""
    bias: float = 1.0
    """what the denominator is without a signal, to the power of beta"""

    def __post_init__(self) -> None:
        check_positive(self.name, size=self.size)
        numbers = (self.alpha, self.beta, self.bias)
        if not np.isfinite(numbers).all() or self.alpha < 0 or self.bias <= 0:
            raise ConfigError(
                f"layer {self.name}: alpha, beta, bias {numbers}; finite, alpha not below 0, bias above 0"
            )

    def output_shape(self, inputs: Shapes) -> Shape:
        """shape of the input"""
        return inputs[0]

    def _denominator(self, x: np.ndarray) -> np.ndarray:
        """bias + alpha / size * sum of squares, as x"""
        near = windows(x.shape[-1], self.size).astype(x.dtype)
        sums = np.matmul(np.square(x), near)
        return x.dtype.type(self.bias) + x.dtype.type(self.alpha / self.size) * sums

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = x denominator ** -beta"""
        (x,) = inputs
        denominator = self._denominator(x)
        return x * denominator ** x.dtype.type(-self.beta), (x, denominator)

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = dy d ** -beta - 2 alpha beta / size x (sum of dy x d ** (-beta - 1) over the windows it lies in)"""
        x, denominator = kept
        power = denominator ** x.dtype.type(-self.beta)
        near = windows(x.shape[-1], self.size).astype(x.dtype)
        back = np.matmul(dy * x * power / denominator, near.T)
        return (dy * power - x.dtype.type(2 * self.alpha * self.beta / self.size) * x * back,), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats."""
        x = inputs[0].floats()
        return Signal(x * self._denominator(x) ** np.float32(-self.beta))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """A square, a sum over the window, factor and bias, a power (see POWER), a product."""
        n, channels = n_values(output), output[-1]
        in_windows = n / channels * float(windows(channels, self.size).sum())
        return DigitalEvents(multiplies=n * (3 + POWER["multiplies"]), adds=in_windows + n * POWER["adds"])

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}

"""Bilinear interpolation to any size."""

from dataclasses import dataclass
from typing import Any, Dict, Tuple

import numpy as np

from ...errors import ConfigError, ShapeError
from .base import Arrays, DigitalEvents, Gradients, Inference, Layer, Parameters, Shape, Shapes, Signal, n_values
from .checks import check_image

CORNERS = ("half_pixel", "align_corners", "asymmetric")


def interpolation(length: int, scale: float, *, corners: str) -> np.ndarray:
    """The linear interpolation of `length` values to floor(scale * length), float64 (outputs, length).

    Output k lies at (k + 1/2) / scale - 1/2 of the inputs ("half_pixel"), k / scale ("asymmetric"), or
    k (length - 1) / (outputs - 1) ("align_corners"); places beyond the first and the last input are theirs.
    """
    outputs = scaled(length, scale)
    k = np.arange(outputs)
    if corners == "align_corners":
        place = k * (length - 1) / max(outputs - 1, 1)
    else:
        place = k / scale if corners == "asymmetric" else (k + 0.5) / scale - 0.5
    place = np.clip(place, 0, length - 1)
    below = np.minimum(place.astype(int), max(length - 2, 0))
    matrix = np.zeros((outputs, length))
    matrix[k, below] += 1 - (place - below)
    matrix[k, np.minimum(below + 1, length - 1)] += place - below
    return matrix


def scaled(length: int, scale: float) -> int:
    """Outputs for `length` inputs; a scale that was a quotient of lengths gives the length back."""
    return int(np.floor(length * scale + 1e-6))


@dataclass(frozen=True)
class Resize(Layer):
    """Bilinear interpolation to a multiple of height and width. `Upsample` is twice the size, corners aligned."""

    scale: Tuple[float, float]
    """height and width of the output over those of the input"""
    corners: str = "half_pixel"
    """where outputs lie: "half_pixel", "align_corners" or "asymmetric\""""

    def __post_init__(self) -> None:
        if len(self.scale) != 2 or not np.isfinite(self.scale).all() or min(self.scale) <= 0:
            raise ConfigError(f"layer {self.name}: scale {self.scale}; two numbers above 0, of rows and of columns")
        if self.corners not in CORNERS:
            raise ConfigError(f"layer {self.name}: corners {self.corners!r}; one of {', '.join(CORNERS)}")

    def output_shape(self, inputs: Shapes) -> Shape:
        """(floor(scale * height), floor(scale * width), channels), at least 1"""
        (shape,) = inputs
        check_image(shape)
        rows, cols = (scaled(length, scale) for length, scale in zip(shape, self.scale))
        if min(rows, cols) < 1:
            raise ShapeError(f"nothing is left of an image of {shape} at scale {self.scale}")
        return rows, cols, shape[2]

    def _matrices(self, shape: Shape, dtype: np.dtype) -> Tuple[np.ndarray, np.ndarray]:
        down, across = (
            interpolation(length, scale, corners=self.corners).astype(dtype) for length, scale in zip(shape, self.scale)
        )
        return down, across

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = x between its pixels"""
        (x,) = inputs
        return _separable(x, *self._matrices(x.shape[1:], x.dtype)), x.shape

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """The transpose of the forward."""
        down, across = self._matrices(kept[1:], dy.dtype)
        return (_separable(dy, down.T, across.T),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats."""
        x = inputs[0].floats()
        return Signal(_separable(x, *self._matrices(x.shape[1:], x.dtype)))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Three interpolations of one multiplication and two additions."""
        return DigitalEvents(multiplies=3 * n_values(output), adds=6 * n_values(output))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}


def _separable(x: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """A matrix along the rows, another along the columns of x (n, height, width, c)."""
    n, height, width, channels = x.shape
    tall = np.matmul(down, x.reshape(n, height, width * channels)).reshape(n, len(down), width, channels)
    return np.matmul(across, tall)

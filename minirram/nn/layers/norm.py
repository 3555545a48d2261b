"""Batch normalisation: moments, forward and backward."""

from dataclasses import dataclass
from typing import Any, Dict, Iterable, Optional, Tuple

import numpy as np

from ...errors import ShapeError
from .base import Arrays, DigitalEvents, Gradients, Inference, Layer, Parameters, Shape, Shapes, Signal, n_values
from .checks import check_positive

BATCH_NORM_EPSILON = 1e-5  # added to the variance, as in Ioffe and Szegedy 2015

Moments = Tuple[int, np.ndarray, np.ndarray]
"""count, mean, sum of squared deviations; float64 arrays (channels,)"""


def moments(x: np.ndarray) -> Moments:
    """Moments over all axes but the last."""
    axes = tuple(range(x.ndim - 1))
    count = x.size // x.shape[-1]
    mean = x.mean(axis=axes, dtype=np.float64)
    centred = x - mean.astype(x.dtype)
    squares = np.square(centred).sum(axis=axes, dtype=np.float64)
    return count, mean, squares


def merge_moments(parts: Iterable[Moments]) -> Moments:
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


def tiled(vector: np.ndarray, like: np.ndarray) -> np.ndarray:
    """A value per channel, repeated to the length of the last axis of `like`, which is a whole number of channels."""
    row = np.empty((like.shape[-1] // len(vector), len(vector)), like.dtype)
    row[...] = vector
    return row.reshape(-1)


def batch_norm_forward(
    x: np.ndarray,
    mean: np.ndarray,
    *,
    var: np.ndarray,
    gamma: Optional[np.ndarray] = None,
    beta: Optional[np.ndarray] = None,
) -> np.ndarray:
    """y = (x - mean) / sqrt(var + epsilon), then times gamma plus beta when given; all (channels,)."""
    out = np.subtract(x, mean.astype(x.dtype))
    scale = 1 / np.sqrt(var + BATCH_NORM_EPSILON)
    out *= (scale if gamma is None else scale * gamma).astype(x.dtype)
    if beta is not None:
        out += beta.astype(x.dtype)
    return out


def batch_norm_backward(
    dy: np.ndarray,
    normalised: np.ndarray,
    *,
    var: np.ndarray,
    count: int,
    sums: Tuple[np.ndarray, np.ndarray],
    gamma: Optional[np.ndarray],
    out: Optional[np.ndarray] = None,
    scratch: Optional[np.ndarray] = None,
) -> np.ndarray:
    """dx = scale * (dy - mean of dy - normalised * mean of dy * normalised), with the statistics of the batch.

    dy, normalised = (x - mean) / sqrt(var + epsilon): arrays whose last axis is a whole number of channels. count:
    values per channel in the whole batch; sums: its `batch_norm_sums`. scratch: like dy, may be dy itself.
    """
    scale = 1 / np.sqrt(var + BATCH_NORM_EPSILON)
    if gamma is not None:
        scale = scale * gamma
    dbeta, dgamma = sums
    dx = np.multiply(normalised, tiled(-scale * dgamma / count, normalised), out=out)
    dx -= tiled(scale * dbeta / count, dx)
    dx += np.multiply(dy, tiled(scale, dy), out=scratch)
    return dx


def batch_norm_sums(dy: np.ndarray, normalised: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """(sum of dy, sum of dy * normalised) over all axes but the last: d loss / d beta and d loss / d gamma."""
    axes = tuple(range(dy.ndim - 1))
    return dy.sum(axis=axes, dtype=np.float64), np.multiply(dy, normalised).sum(axis=axes, dtype=np.float64)


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation over all axes but the channels; state name.mean, .var and, when affine, .gamma, .beta."""

    channels: int
    """channels of input and output"""
    affine: bool = False
    """True: a trained scale and shift follow the normalisation"""
    whole_batch = True

    def __post_init__(self) -> None:
        check_positive(self.name, channels=self.channels)

    def output_shape(self, inputs: Shapes) -> Shape:
        """shape of the input"""
        (shape,) = inputs
        if shape[-1] != self.channels:
            raise ShapeError(f"its input {shape} has {shape[-1]} channels, expected {self.channels}")
        return shape

    def initial_state(self, dtype: type) -> Dict[str, np.ndarray]:
        """mean 0, var 1; gamma 1, beta 0"""
        parts = {"mean": 0, "var": 1, "gamma": 1, "beta": 0} if self.affine else {"mean": 0, "var": 1}
        return {f"{self.name}.{part}": np.full(self.channels, value, dtype) for part, value in parts.items()}

    def trained(self) -> Tuple[str, ...]:
        """name.gamma and name.beta when affine"""
        return (self.name + ".gamma", self.name + ".beta") if self.affine else ()

    def _affine(self, state: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        return {part: state[f"{self.name}.{part}"] for part in ("gamma", "beta")} if self.affine else {}

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """With the batch's own statistics in training, else with the running ones, which stay as they are."""
        (x,), state = inputs, parameters.state
        affine = self._affine(state)
        if not parameters.training:
            var = state[self.name + ".var"]
            frozen = None, var, 0, affine.get("gamma")
            return batch_norm_forward(x, state[self.name + ".mean"], var=var, **affine), frozen
        count, mean, squares = moments(x)
        var = squares / count
        normalised = batch_norm_forward(x, mean, var=var)
        return batch_norm_forward(x, mean, var=var, **affine), (normalised, var, count, affine.get("gamma"))

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx, and d gamma and d beta when affine; with running statistics dx alone"""
        normalised, var, count, gamma = kept
        if normalised is None:
            gain = (1.0 if gamma is None else gamma) / np.sqrt(var + BATCH_NORM_EPSILON)
            return (dy * gain.astype(dy.dtype),), {}
        sums = batch_norm_sums(dy, normalised)
        dx = batch_norm_backward(dy, normalised, var=var, count=count, sums=sums, gamma=gamma)
        return (dx,), dict(zip((self.name + ".beta", self.name + ".gamma"), sums)) if self.affine else {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats."""
        state = inference.state
        mean, var = state[self.name + ".mean"], state[self.name + ".var"]
        return Signal(batch_norm_forward(inputs[0].floats(), mean, var=var, **self._affine(state)))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Multiplication and addition."""
        return DigitalEvents(multiplies=n_values(output), adds=n_values(output))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """gain and offset: y = gain * x + offset"""
        gain = 1.0 / np.sqrt(state[self.name + ".var"].astype(np.float64) + BATCH_NORM_EPSILON)
        gain = gain * state.get(self.name + ".gamma", 1.0)
        offset = state.get(self.name + ".beta", 0.0) - state[self.name + ".mean"] * gain
        return {"gain": [float(value) for value in gain], "offset": [float(value) for value in offset]}

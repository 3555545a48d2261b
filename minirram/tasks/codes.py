"""How the inputs of a task become the unsigned codes that enter the chip."""

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from ..errors import ConfigError, DataError, ShapeError
from ..nn.network import Network, output_shapes

LARGEST = 1e37
"""span of values, or codes per unit of value, that float32 holds with room for what lies beyond the range"""


@dataclass(frozen=True)
class CodeRule:
    """A range of values, for all channels or one per channel; the network says into how many codes it is cut.

    Unsigned (the network's `input_zero` is 0): low becomes code 0, high the largest code. Signed (`input_zero` above
    0): 0.0 becomes the code `input_zero`, and the step is the smallest that leaves low and high a code.
    """

    low: Tuple[float, ...] = (0.0,)
    """smallest value, for all channels or per channel"""
    high: Tuple[float, ...] = (1.0,)
    """largest value, likewise"""
    clips: bool = False
    """whether values beyond are cut, as where the range was seen in training data; otherwise they are an error"""
    pool: int = 1
    """side of the squares of pixels whose largest stands for them; 1: every pixel counts"""

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high) or not self.low:
            raise ConfigError(f"a code rule with {len(self.low)} smallest and {len(self.high)} largest values")
        if not (np.isfinite(self.low).all() and np.isfinite(self.high).all()):
            raise ConfigError("the range of a code rule must be finite")
        if not all(low <= high for low, high in zip(self.low, self.high)) or self.low == self.high:
            raise ConfigError(f"the range of a code rule runs from {self.low} to {self.high}; it must not be empty")
        if self.pool < 1:
            raise ConfigError(f"a code rule that pools squares of {self.pool} pixels; at least 1")

    def step(self, network: Network) -> Tuple[np.ndarray, np.ndarray]:
        """(value of the code `input_zero`, codes per unit of value): float64 (1,) or (channels,) each.

        DataError for a range that float32 does not cut into codes.
        """
        low, high = np.array(self.low), np.array(self.high)
        top, zero = 2**network.input_bits - 1, network.input_zero
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            above = np.where(high > 0, (top - zero) / high, np.inf)
            below = np.where(low < 0, zero / -low, np.inf)
            steps = np.minimum(above, below) if zero else np.where(high > low, top / (high - low), np.inf)
        wrong = np.flatnonzero((high - low > LARGEST) | ((high > low) & (steps > LARGEST)))
        if wrong.size:
            k = int(wrong[0])
            raise DataError(f"channel {k} has values from {low[k]:g} to {high[k]:g}, beyond float32; scale them")
        return np.zeros_like(low) if zero else low, np.where(np.isfinite(steps), steps, 0.0)

    def check_channels(self, channels: int) -> None:
        """ShapeError for inputs of another number of channels than the range is stated for."""
        if len(self.low) not in (1, channels):
            raise ShapeError(f"a code rule for {len(self.low)} channels; the inputs have {channels}")

    def codes(self, inputs: np.ndarray, network: Network) -> np.ndarray:
        """Inputs (n, ...) -> uint8 codes (n, height, width, channels).

        Axes of length 1 are put in where the network has them: features (n, f) enter a network of (1, 1, f), a window
        (n, steps) one of (1, steps, 1), grey images (n, height, width) one of (height, width, 1). ShapeError when the
        shapes differ in more than that.
        """
        images = pooled(as_images(inputs, network, pool=self.pool), self.pool)
        self.check_channels(images.shape[-1])
        offset, per_unit = self.step(network)
        dtype = np.result_type(images.dtype, np.float32)
        codes = np.subtract(images, offset.astype(dtype), dtype=dtype)
        codes *= per_unit.astype(dtype)
        np.rint(codes, out=codes)
        codes += dtype.type(network.input_zero)
        np.clip(codes, 0, 2**network.input_bits - 1, out=codes)
        return codes.astype(np.uint8)


def fitted_rule(inputs: np.ndarray, network: Network) -> CodeRule:
    """The rule whose range is that of `inputs` (n, ...), per channel of the network; values beyond are cut.

    A channel that never changes has an empty range and always the same code. DataError when all are so.
    """
    images = as_images(inputs, network)
    low, high = images.min(axis=(0, 1, 2)), images.max(axis=(0, 1, 2))
    if (low == high).all():
        raise DataError("the training inputs are all alike; there is nothing to learn from")
    return CodeRule(tuple(low.astype(float).tolist()), tuple(high.astype(float).tolist()), clips=True)


def as_images(inputs: np.ndarray, network: Network, *, pool: int = 1) -> np.ndarray:
    """Inputs (n, ...) as (n, height, width, channels): axes of length 1 put in where the network has them.

    A network that labels every pixel takes images of any size. ShapeError when the shapes do not fit.
    """
    height, width, channels = network.input_shape
    expected = (height * pool, width * pool, channels)
    found = inputs.shape[1:]
    if len(answer_shape(network)) == 3 and len(found) in (2, 3):
        expected = (found[0], found[1], channels)
    if [length for length in found if length != 1] != [length for length in expected if length != 1]:
        raise ShapeError(f"inputs of shape {found} for network {network.name}, which takes {expected}")
    return inputs.reshape((len(inputs),) + expected)


def answer_shape(network: Network) -> Tuple[int, ...]:
    """Shape of one answer: (classes,), or (height, width, classes) where every pixel is labelled."""
    return tuple(output_shapes(network)[network.layers[-1].name])


def pooled(images: np.ndarray, side: int) -> np.ndarray:
    """The largest of each square of `side` x `side` pixels: (n, height, width, channels), both sides divided."""
    if side == 1:
        return images
    out = images[:, ::side, ::side].copy()
    for row in range(side):
        for col in range(side):
            np.maximum(out, images[:, row::side, col::side], out=out)
    return out

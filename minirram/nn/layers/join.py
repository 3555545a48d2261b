"""Layers that join or reorder: concatenation of channels, sum, return to an earlier layer, shuffle, flattening."""

import math
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

import numpy as np

from ...errors import ShapeError
from .base import (
    FREE,
    Arrays,
    Codes,
    DigitalEvents,
    Gradients,
    Inference,
    Layer,
    Parameters,
    Shape,
    Shapes,
    Signal,
    n_values,
)
from .checks import check_positive


def concat_forward(x: np.ndarray, other: np.ndarray, *, out: Optional[np.ndarray] = None) -> np.ndarray:
    """Channels of x, then channels of `other`."""
    if x.shape[:-1] != other.shape[:-1]:
        raise ShapeError(f"cannot join the channels of {x.shape} and {other.shape}")
    return np.concatenate([x, other], axis=-1, out=out)


def concat_backward(dy: np.ndarray, channels: int) -> Tuple[np.ndarray, np.ndarray]:
    """(dx, dother): views of dy, split after `channels` channels."""
    return dy[..., :channels], dy[..., channels:]


@dataclass(frozen=True)
class Concat(Layer):
    """The input's channels, then those of an earlier layer's output."""

    other: str
    """name of the earlier layer"""

    @property
    def others(self) -> Tuple[str, ...]:
        """(other,)"""
        return (self.other,)

    def output_shape(self, inputs: Shapes) -> Shape:
        """(height, width, channels of both)"""
        shape, other = inputs
        if shape[:-1] != other[:-1]:
            raise ShapeError(f"its input is {shape}, but {self.other} gives {other}")
        return shape[:-1] + (shape[-1] + other[-1],)

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = x, other"""
        return concat_forward(*inputs), inputs[0].shape[-1]

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """(dx, dother)"""
        return concat_backward(dy, kept), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats."""
        x, other = inputs
        return Signal(concat_forward(x.floats(), other.floats()))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """None."""
        return FREE

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class Add(Layer):
    """The input plus an earlier layer's output, element by element: the end of a residual branch."""

    other: str
    """name of the earlier layer"""

    @property
    def others(self) -> Tuple[str, ...]:
        """(other,)"""
        return (self.other,)

    def output_shape(self, inputs: Shapes) -> Shape:
        """shape of both"""
        shape, other = inputs
        if shape != other:
            raise ShapeError(f"its input is {shape}, but {self.other} gives {other}")
        return shape

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = x + other"""
        return np.add(*inputs), None

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = dother = dy"""
        return (dy, dy), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats: codes of two steps cannot be added."""
        x, other = inputs
        return Signal(x.floats() + other.floats())

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """An addition per element."""
        return DigitalEvents(adds=n_values(output))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class Recall(Layer):
    """An earlier layer's output, whatever came before: another branch begins. A join takes up the one that ended."""

    other: str
    """name of the earlier layer"""

    @property
    def others(self) -> Tuple[str, ...]:
        """(other,)"""
        return (self.other,)

    def output_shape(self, inputs: Shapes) -> Shape:
        """shape of the other's output"""
        return inputs[1]

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = other"""
        return inputs[1], inputs[0]

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = 0, dother = dy"""
        return (np.zeros_like(kept), dy), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Codes or floats, as the other gave them."""
        return inputs[1]

    def codes_joined(self, codes: Tuple[Optional[Codes], ...]) -> Optional[Codes]:
        """Those of the other."""
        return codes[1]

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """None."""
        return FREE

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class ChannelShuffle(Layer):
    """The channels of G groups dealt out in turn: channel i of group g becomes channel i G + g (ShuffleNet, 2018)."""

    groups: int
    """groups of the channels that come in"""

    def __post_init__(self) -> None:
        check_positive(self.name, groups=self.groups)

    def output_shape(self, inputs: Shapes) -> Shape:
        """shape of the input"""
        (shape,) = inputs
        if shape[-1] % self.groups:
            raise ShapeError(f"its input has {shape[-1]} channels, which do not part into {self.groups} groups")
        return shape

    def _dealt(self, x: np.ndarray, groups: int) -> np.ndarray:
        parted = x.reshape(x.shape[:-1] + (groups, x.shape[-1] // groups))
        return parted.swapaxes(-1, -2).reshape(x.shape)

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = x in the new order"""
        return self._dealt(inputs[0], self.groups), None

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = dy in the old order"""
        return (self._dealt(dy, dy.shape[-1] // self.groups),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Codes or floats, as they come."""
        (signal,) = inputs
        return Signal(self._dealt(signal.values, self.groups), signal.step, signal.zero_point)

    def codes_out(self, codes: Optional[Codes]) -> Optional[Codes]:
        """The same."""
        return codes

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """None."""
        return FREE

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class Flatten(Layer):
    """(height, width, channels) -> (height * width * channels,)"""

    def output_shape(self, inputs: Shapes) -> Shape:
        """(features,)"""
        return (math.prod(inputs[0]),)

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = x in one row per sample"""
        (x,) = inputs
        return x.reshape(len(x), -1), x.shape

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = dy in the shape of x"""
        return (dy.reshape(kept),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Codes or floats, as they come."""
        (signal,) = inputs
        return Signal(signal.values.reshape(len(signal.values), -1), signal.step, signal.zero_point)

    def codes_out(self, codes: Optional[Codes]) -> Optional[Codes]:
        """The same."""
        return codes

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """None."""
        return FREE

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}

"""What happens to each element alone: ReLU, clip and quantisation."""

import math
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

import numpy as np

from ...errors import ConfigError, DataError
from .base import Arrays, Codes, DigitalEvents, Gradients, Inference, Layer, Parameters, Shape, Shapes, Signal, n_values
from .checks import check_bits

CLIP_EXPONENT = (2.5, 5 / 3)  # see `clip_tail`


def relu_forward(x: np.ndarray, out: Optional[np.ndarray] = None) -> np.ndarray:
    """y = max(x, 0), any shape."""
    return np.maximum(x, 0, out=out)


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx of y = max(x, 0): dy where y > 0, else 0."""
    return np.multiply(dy, y > 0)


def quantise_forward(x: np.ndarray, step: float, *, bits: int, out: Optional[np.ndarray] = None) -> np.ndarray:
    """y = step * clip(rint(x / step), 0, 2**bits - 1): x as the crossbar's input codes represent it. step > 0."""
    out = to_codes(in_steps(x, step, out=out), bits, out=out)
    out *= out.dtype.type(step)
    return out


def quantise_backward(dy: np.ndarray, x: np.ndarray, *, step: float, bits: int) -> np.ndarray:
    """Straight-through dx: dy where x lies in the range, 0 where it was clipped."""
    return np.multiply(dy, in_range(x, step, bits=bits))


def in_range(x: np.ndarray, step: float, *, bits: int) -> np.ndarray:
    """Where 0 <= x <= step * (2**bits - 1): bool of any shape."""
    return (x >= 0) & (x <= x.dtype.type(step * (2**bits - 1)))


def in_steps(x: np.ndarray, step: float, *, out: Optional[np.ndarray] = None) -> np.ndarray:
    """x / step as training and inference both compute it: times 1 / step in the type of x, as digital hardware does."""
    return np.multiply(x, x.dtype.type(1 / step), out=out)


def to_codes(x: np.ndarray, bits: int, *, out: Optional[np.ndarray] = None) -> np.ndarray:
    """clip(rint(x), 0, 2**bits - 1), for x in units of the step; still floats."""
    codes: np.ndarray = np.rint(x, out=out)
    return codes.clip(0, 2**bits - 1, out=codes)


def count_outside(codes: np.ndarray, top: int) -> int:
    """How many codes, still floats of any shape, lie below 0 or above `top`. DataError for NaN: it has no code."""
    outside = codes.size - int(np.count_nonzero((codes >= 0) & (codes <= top)))
    if outside and np.isnan(codes).any():
        raise DataError(
            f"{np.count_nonzero(np.isnan(codes))} of {codes.size} activations are NaN: they have no input code"
        )
    return outside


def input_codes(x: np.ndarray, step: float, *, bits: int) -> Tuple[np.ndarray, int]:
    """(codes uint8, number of activations out of range) of activations of any shape, as a crossbar takes them."""
    codes = in_steps(x, step)
    np.rint(codes, out=codes)
    clipped = count_outside(codes, 2**bits - 1)
    return to_codes(codes, bits, out=codes).astype(np.uint8), clipped


def clip_tail(bits: int) -> float:
    """Fraction of activations that a quantiser of `bits` bits clips.

    Set so that clipping and rounding errors of rectified normal activations balance: 0.55 % at 3 bits, 0.17 % at 4,
    0.017 % at 6 (fit to the optima of Banner, Nahshan and Soudry, "Post training 4-bit quantization", NeurIPS 2019).
    """
    offset, slope = CLIP_EXPONENT
    return 2.0 ** -(offset + slope * bits)


@dataclass(frozen=True)
class Relu(Layer):
    """max(x, 0)"""

    def output_shape(self, inputs: Shapes) -> Shape:
        """shape of the input"""
        return inputs[0]

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = max(x, 0)"""
        y = relu_forward(inputs[0])
        return y, y

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx"""
        return (relu_backward(dy, kept),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats."""
        return Signal(relu_forward(inputs[0].floats()))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """A comparison per element."""
        return DigitalEvents(compares=n_values(output))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class Quantize(Layer):
    """Unsigned input codes of the crossbar that follows; the step is name.range / (2**bits - 1)."""

    bits: int
    """bits of the codes"""

    def __post_init__(self) -> None:
        check_bits(self.name, self.bits)

    def output_shape(self, inputs: Shapes) -> Shape:
        """shape of the input"""
        return inputs[0]

    def initial_state(self, dtype: type) -> Dict[str, np.ndarray]:
        """name.range = 0: not calibrated yet; infinity leaves activations as they are."""
        return {self.name + ".range": np.zeros((), dtype)}

    def quantisers(self) -> Dict[str, int]:
        """{name: bits}"""
        return {self.name: self.bits}

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """The values of the codes."""
        (x,) = inputs
        parameters.saw(self.name, x)
        step = parameters.step(self.name, self.bits)
        return (x if step is None else quantise_forward(x, step, bits=self.bits)), (x, step)

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """Straight through."""
        x, step = kept
        return (dy if step is None else quantise_backward(dy, x, step=step, bits=self.bits),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Codes."""
        step = inference.step(self.name, self.bits)
        codes, clipped = input_codes(inputs[0].floats(), step, bits=self.bits)
        inference.clipped[self.name] += clipped
        return Signal(codes, step)

    def codes_out(self, codes: Optional[Codes]) -> Optional[Codes]:
        """Its own codes."""
        return Codes(self.bits)

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Multiplication, clip at both ends, a code written."""
        n = n_values(output)
        return DigitalEvents(multiplies=n, compares=2 * n, bits_written=n * self.bits)

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """step"""
        return {"step": float(state[self.name + ".range"]) / (2**self.bits - 1)}


@dataclass(frozen=True)
class SignedQuantize(Layer):
    """Codes of values of both signs: 2**(bits - 1) stands for 0.0; the step is name.range / (2**bits - 1)."""

    bits: int
    """bits of the codes, 2 or more"""

    def __post_init__(self) -> None:
        check_bits(self.name, self.bits)
        if self.bits < 2:
            raise ConfigError(f"layer {self.name}: 1 bit has no code for either sign; 2 to 8 bits have")

    @property
    def zero_point(self) -> int:
        """code that stands for 0.0"""
        return 2 ** (self.bits - 1)

    @property
    def _span(self) -> float:
        """name.range over the largest value that has a code."""
        return (2**self.bits - 1) / (self.zero_point - 1)

    def output_shape(self, inputs: Shapes) -> Shape:
        """shape of the input"""
        return inputs[0]

    def initial_state(self, dtype: type) -> Dict[str, np.ndarray]:
        """name.range = 0: not calibrated yet; infinity leaves activations as they are."""
        return {self.name + ".range": np.zeros((), dtype)}

    def quantisers(self) -> Dict[str, int]:
        """{name: bits}"""
        return {self.name: self.bits}

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """The values of the codes."""
        (x,) = inputs
        parameters.saw(self.name, np.abs(x) * x.dtype.type(self._span))
        step = parameters.step(self.name, self.bits)
        if step is None:
            return x, (x, step)
        codes = np.clip(np.rint(in_steps(x, step)), -self.zero_point, self.zero_point - 1)
        return codes * x.dtype.type(step), (x, step)

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """Straight through; 0 where x was clipped."""
        x, step = kept
        if step is None:
            return (dy,), {}
        low, high = (x.dtype.type(step * code) for code in (-self.zero_point, self.zero_point - 1))
        return (np.multiply(dy, (x >= low) & (x <= high)),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Codes."""
        step = inference.step(self.name, self.bits)
        codes = np.rint(in_steps(inputs[0].floats(), step)) + self.zero_point
        inference.clipped[self.name] += count_outside(codes, 2**self.bits - 1)
        return Signal(to_codes(codes, self.bits).astype(np.uint8), step, self.zero_point)

    def codes_out(self, codes: Optional[Codes]) -> Optional[Codes]:
        """Its own codes."""
        return Codes(self.bits, self.zero_point)

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Multiplication, addition of the zero point, clip at both ends, a code written."""
        n = n_values(output)
        return DigitalEvents(multiplies=n, adds=n, compares=2 * n, bits_written=n * self.bits)

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """step and zero_point"""
        step = float(state[self.name + ".range"]) / (2**self.bits - 1)
        return {"step": step, "zero_point": self.zero_point}


@dataclass(frozen=True)
class Clip(Layer):
    """x, but not below `low` nor above `high`: ReLU6 is a clip from 0 to 6."""

    low: Optional[float] = None
    """smallest value; None: there is none"""
    high: Optional[float] = None
    """largest value; None: there is none"""

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if not np.isfinite(bounds).all() or sorted(bounds) != bounds or not bounds:
            raise ConfigError(f"layer {self.name}: clips from {self.low} to {self.high}; state one bound, low first")

    def output_shape(self, inputs: Shapes) -> Shape:
        """shape of the input"""
        return inputs[0]

    def _clipped(self, x: np.ndarray) -> np.ndarray:
        y = x if self.low is None else np.maximum(x, x.dtype.type(self.low))
        return y if self.high is None else np.minimum(y, x.dtype.type(self.high))

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """y = x within the bounds"""
        y = self._clipped(inputs[0])
        return y, y

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """dx = dy strictly within the bounds, else 0"""
        low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
        return (np.multiply(dy, (kept > low) & (kept < high)),), {}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats."""
        return Signal(self._clipped(inputs[0].floats()))

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """A comparison per element and bound."""
        return DigitalEvents(compares=n_values(output) * ((self.low is not None) + (self.high is not None)))

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """Nothing."""
        return {}

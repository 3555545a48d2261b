"""The ReLU-RNN of the spoken-digit network, forward and backward through time.

h_t = max(x_t W_input + q(h_{t-1}) W_hidden, 0), h_{-1} = 0, where q is the quantiser in front of the hidden matrix's
crossbar. Sequences are (n, steps, features).
"""

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

import numpy as np

from ...errors import ShapeError
from .activation import in_range, input_codes, quantise_forward, relu_forward
from .base import Arrays, Codes, DigitalEvents, Gradients, Inference, Layer, Parameters, Shape, Shapes, Signal, n_values
from .checks import check_bits, check_positive


def rnn_forward(
    x: np.ndarray,
    w_input: np.ndarray,
    *,
    w_hidden: np.ndarray,
    step: Optional[float] = None,
    bits: int = 8,
    out: Optional[np.ndarray] = None,
) -> np.ndarray:
    """h (n, steps, hidden). step: quantisation step of the hidden activations, None for no quantisation."""
    n, steps, _ = x.shape
    if out is None:
        out = np.empty((n, steps, w_hidden.shape[0]), x.dtype)
    for t, total in enumerate(np.matmul(x.transpose(1, 0, 2), w_input)):
        if t:
            total += np.matmul(_recurrent_input(out[:, t - 1], step, bits), w_hidden)
        np.maximum(total, 0, out=out[:, t])
    return out


def rnn_backward(
    dh: np.ndarray,
    x: np.ndarray,
    *,
    h: np.ndarray,
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    step: Optional[float] = None,
    bits: int = 8,
    out: Optional[np.ndarray] = None,
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dx, dw_input, dw_hidden). dh (n, steps, hidden): gradient of each step's output; h: what the forward gave."""
    dx = np.empty_like(x) if out is None else out
    x, h, dh, dx = (array.transpose(1, 0, 2) for array in (x, h, dh, dx))  # step by step
    passes, fed_back = h > 0, _recurrent_input(h[:-1], step, bits)
    d = np.multiply(dh, passes)
    held = passes if step is None else passes & in_range(h, step, bits=bits)  # on the way to the step before
    for t in reversed(range(1, len(x))):
        from_later = np.matmul(d[t], w_hidden.T)
        from_later *= held[t - 1]
        d[t - 1] += from_later
    np.matmul(d, w_input.T, out=dx)
    dw_input, dw_hidden = _sum_of_products(x, d), _sum_of_products(fed_back, d[1:])
    return dx.transpose(1, 0, 2), dw_input, dw_hidden


def _sum_of_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """sum_t left_t^T right_t of (steps, n, ...)."""
    return np.matmul(left.reshape(-1, left.shape[-1]).T, right.reshape(-1, right.shape[-1]))


def _recurrent_input(h: np.ndarray, step: Optional[float], bits: int) -> np.ndarray:
    return h if step is None else quantise_forward(h, step, bits=bits)


@dataclass(frozen=True)
class Rnn(Layer):
    """ReLU-RNN over the width of an image of height 1: two matrices, h0 = 0, one output per step.

    What enters the hidden matrix is quantised at every step; the outputs are not. The matrices are name.input and
    name.hidden, the state is name.range of the hidden activations.
    """

    in_features: int
    """channels per step"""
    hidden: int
    """hidden units"""
    bits: int
    """bits of the hidden matrix's input codes"""

    def __post_init__(self) -> None:
        check_positive(self.name, in_features=self.in_features, hidden=self.hidden)
        check_bits(self.name, self.bits)

    def matrices(self) -> Tuple[Tuple[str, Tuple[int, int]], ...]:
        """((name.input, ...), (name.hidden, ...))"""
        return (
            (self.name + ".input", (self.in_features, self.hidden)),
            (self.name + ".hidden", (self.hidden, self.hidden)),
        )

    def output_shape(self, inputs: Shapes) -> Shape:
        """(1, steps, hidden)"""
        (shape,) = inputs
        if len(shape) != 3 or shape[0] != 1 or shape[2] != self.in_features:
            raise ShapeError(f"its input is {shape}, expected (1, steps, {self.in_features})")
        if shape[1] < 2:
            raise ShapeError("its input is one step, whose state no other step reads; expected 2 steps, or Linear")
        return (1, shape[1], self.hidden)

    def initial_state(self, dtype: type) -> Dict[str, np.ndarray]:
        """name.range = 0: not calibrated yet"""
        return {self.name + ".range": np.zeros((), dtype)}

    def quantisers(self) -> Dict[str, int]:
        """{name: bits}"""
        return {self.name: self.bits}

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """h_t of every step"""
        weights = {f"w_{part}": parameters.weights[f"{self.name}.{part}"] for part in ("input", "hidden")}
        arguments: Dict[str, Any] = dict(weights, step=parameters.step(self.name, self.bits), bits=self.bits)
        x = inputs[0][:, 0]
        h = rnn_forward(x, **arguments)
        parameters.saw(self.name, h)
        return h[:, None], (x, dict(arguments, h=h))

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """Back through time."""
        x, arguments = kept
        dx, dw_input, dw_hidden = rnn_backward(dy[:, 0], x, **arguments)
        return (dx[:, None],), {self.name + ".input": dw_input, self.name + ".hidden": dw_hidden}

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """Floats. The hidden matrix gets codes of its own, which have no zero point."""
        (signal,), hidden_step = inputs, inference.step(self.name, self.bits)
        sequence = signal.values[:, 0]
        h: list = []
        for t in range(sequence.shape[1]):
            codes = np.ascontiguousarray(sequence[:, t])
            total = inference.product(self.name + ".input", codes, zero_point=signal.zero_point)
            total = total * np.float32(signal.step)
            if t:
                codes, clipped = input_codes(h[-1], hidden_step, bits=self.bits)
                inference.clipped[self.name] += clipped
                total += inference.product(self.name + ".hidden", codes) * np.float32(hidden_step)
            h.append(relu_forward(total))
        return Signal(np.stack(h, axis=1)[:, None])

    def codes_in(self, codes: Codes) -> Dict[str, Codes]:
        """The hidden matrix gets codes of its own, which have no zero point."""
        return {self.name + ".input": codes, self.name + ".hidden": Codes(self.bits)}

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Each step: two multiplications, an addition and a comparison; the hidden activations are quantised."""
        n = n_values(output)
        fed_back = n * (output[1] - 1) / output[1]  # no hidden product at the first step, where h = 0
        return DigitalEvents(n + 2 * fed_back, fed_back, n + 2 * fed_back, fed_back * self.bits)

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """step of the hidden activations"""
        return {"step": float(state[self.name + ".range"]) / (2**self.bits - 1)}

"""The ReLU-RNN of the spoken-digit network, forward and backward through time.

h_t = max(x_t W_input + q(h_{t-1}) W_hidden, 0), h_{-1} = 0, where q is the quantiser in front of the hidden matrix's
crossbar. Sequences are (n, steps, features).
"""

from dataclasses import dataclass

import numpy as np

from ...errors import ShapeError
from .activation import quantise_backward, quantise_forward
from .checks import _check_bits, _check_positive


@dataclass(frozen=True)
class Rnn:
    """ReLU-RNN over the width of an image of height 1: two matrices, h0 = 0, one output per step (`recurrent`).

    What enters the hidden matrix is quantised at every step; the outputs are not.
    """

    name: str
    """name of the layer; its matrices are name.input and name.hidden"""
    in_features: int
    """channels per step"""
    hidden: int
    """hidden units"""
    bits: int
    """bits of the hidden matrix's input codes"""

    def __post_init__(self):
        _check_positive(self, in_features=self.in_features, hidden=self.hidden)
        _check_bits(self, self.bits)

    def matrices(self):
        """((name.input, ...), (name.hidden, ...))"""
        return (
            (self.name + ".input", (self.in_features, self.hidden)),
            (self.name + ".hidden", (self.hidden, self.hidden)),
        )

    def output_shape(self, shape, _earlier):
        """(1, steps, hidden)"""
        if len(shape) != 3 or shape[0] != 1 or shape[2] != self.in_features:
            raise ShapeError(f"its input is {shape}, expected (1, steps, {self.in_features})")
        return (1, shape[1], self.hidden)


def rnn_forward(x, w_input, w_hidden, step=None, bits=8, out=None):
    """h (n, steps, hidden). step: quantisation step of the hidden activations, None for no quantisation."""
    n, steps, _ = x.shape
    if out is None:
        out = np.empty((n, steps, w_hidden.shape[0]), x.dtype)
    for t in range(steps):
        total = np.matmul(x[:, t], w_input)
        if t:
            total += np.matmul(_recurrent_input(out[:, t - 1], step, bits), w_hidden)
        np.maximum(total, 0, out=out[:, t])
    return out


def rnn_backward(dh, x, h, w_input, w_hidden, step=None, bits=8, out=None):
    """(dx, dw_input, dw_hidden). dh (n, steps, hidden): gradient of each step's output; h: what the forward gave."""
    dx = np.empty_like(x) if out is None else out
    dw_input, dw_hidden = np.zeros_like(w_input), np.zeros_like(w_hidden)
    from_later = None
    for t in reversed(range(x.shape[1])):
        d = dh[:, t] * (h[:, t] > 0)
        if from_later is not None:
            d += from_later * (h[:, t] > 0)
        np.matmul(d, w_input.T, out=dx[:, t])
        dw_input += np.matmul(x[:, t].T, d)
        if t:
            earlier = h[:, t - 1]
            dw_hidden += np.matmul(_recurrent_input(earlier, step, bits).T, d)
            from_later = np.matmul(d, w_hidden.T)
            if step is not None:
                from_later = quantise_backward(from_later, earlier, step, bits)
    return dx, dw_input, dw_hidden


def _recurrent_input(h, step, bits):
    return h if step is None else quantise_forward(h, step, bits)

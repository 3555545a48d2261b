"""The ReLU-RNN of the spoken-digit network, forward and backward through time.

h_t = max(x_t W_input + q(h_{t-1}) W_hidden, 0), h_{-1} = 0, where q is the quantiser in front of the hidden matrix's
crossbar. Sequences are (n, steps, features).
"""

import numpy as np

from .layers import quantise_backward, quantise_forward


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

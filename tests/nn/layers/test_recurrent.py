"""The ReLU-RNN against a loop over samples, and its gradient through time."""

import numpy as np
import pytest

from minirram.nn.layers import activation, recurrent

from ...support.gradients import check_backward


def slow_rnn(x, w_input, w_hidden, step, bits):
    out = np.zeros(x.shape[:2] + w_hidden.shape[:1])
    for k in range(len(x)):
        h = np.zeros(len(w_hidden))
        for t in range(x.shape[1]):
            if step is not None:
                h = step * np.clip(np.rint(h / step), 0, 2**bits - 1)
            h = np.maximum(x[k, t] @ w_input + h @ w_hidden, 0)
            out[k, t] = h
    return out


def arrays(seed=1, n=3, steps=4, features=5, hidden=6):
    g = np.random.default_rng(seed)
    return g.normal(size=(n, steps, features)), g.normal(size=(features, hidden)), g.normal(size=(hidden, hidden))


@pytest.mark.parametrize("step", [None, 0.25])
def test_forward(step):
    x, w_input, w_hidden = arrays()
    h = recurrent.rnn_forward(x, w_input, w_hidden=w_hidden, step=step, bits=3)
    np.testing.assert_allclose(h, slow_rnn(x, w_input, w_hidden, step, 3), rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_backward_through_time(steps):
    inputs = arrays(2, steps=steps)
    check_backward(
        lambda x, wi, wh: recurrent.rnn_forward(x, wi, w_hidden=wh),
        lambda dh, x, wi, wh: recurrent.rnn_backward(
            dh, x, h=recurrent.rnn_forward(x, wi, w_hidden=wh), w_input=wi, w_hidden=wh
        ),
        inputs,
        np.random.default_rng(3),
    )


def test_quantised_backward_goes_straight_through():
    """With two steps the gradient is that of max(q(h) W + x W) with dq/dh = 1 inside the range and 0 outside."""
    x, w_input, w_hidden = arrays(4, steps=2)
    step, bits = 0.5, 2
    h = recurrent.rnn_forward(x, w_input, w_hidden=w_hidden, step=step, bits=bits)
    assert ((h[:, 0] > 3 * step).any()) and ((h[:, 0] > 0) & (h[:, 0] < 3 * step)).any()
    dh = np.random.default_rng(5).normal(size=h.shape)
    dx, dw_input, dw_hidden = recurrent.rnn_backward(
        dh, x, h=h, w_input=w_input, w_hidden=w_hidden, step=step, bits=bits
    )
    second = dh[:, 1] * (h[:, 1] > 0)
    first = (dh[:, 0] + second @ w_hidden.T * (h[:, 0] <= 3 * step)) * (h[:, 0] > 0)
    np.testing.assert_allclose(dx, np.stack([first @ w_input.T, second @ w_input.T], axis=1), rtol=1e-12)
    np.testing.assert_allclose(dw_input, x[:, 0].T @ first + x[:, 1].T @ second, rtol=1e-12)
    np.testing.assert_allclose(dw_hidden, activation.quantise_forward(h[:, 0], step, bits=bits).T @ second, rtol=1e-12)

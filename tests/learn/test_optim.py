"""SGD with momentum against the formula written out, and the ends of the schedule."""

import numpy as np
import pytest

from minirram.errors import ConfigError
from minirram.learn.optim import cosine_rate, sgd_step


def test_cosine_runs_from_base_to_zero():
    rates = [cosine_rate(0.2, step, n_steps=10) for step in range(11)]
    assert rates[0] == 0.2 and rates[5] == pytest.approx(0.1) and rates[10] == pytest.approx(0, abs=1e-17)
    assert rates == sorted(rates, reverse=True)
    with pytest.raises(ConfigError, match="outside the schedule"):
        cosine_rate(0.2, 11, n_steps=10)


def test_three_steps_by_hand():
    parameter, velocity = np.array([1.0, -2.0], np.float32), np.zeros(2, np.float32)
    expected_p, expected_v = np.array([1.0, -2.0]), np.zeros(2)
    for gradient in ([0.5, 1.0], [-1.0, 0.25], [0.0, 2.0]):
        sgd_step(
            parameter, velocity, gradient=np.array(gradient, np.float32), rate=0.1, momentum=0.9, weight_decay=0.01
        )
        expected_v = 0.9 * expected_v + np.array(gradient) + 0.01 * expected_p
        expected_p = expected_p - 0.1 * expected_v
    assert np.allclose(parameter, expected_p, rtol=1e-6, atol=0)

"""The gradient of the loss with the statistics of the state: what differences of the plain forward give."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minirram.nn.engine.engine import Engine
from minirram.nn.forward import plain_forward
from minirram.nn.gradient import frozen_gradients
from minirram.nn.loss import softmax_cross_entropy
from minirram.nn.network import initial_state, matrices, output_shapes

from ..support.gradients import SMALL_STEP, check_gradient
from ..support.random_networks import networks
from ..support.tiny import tiny_network


def _case(network: Any, generator: np.random.Generator) -> Any:
    """(weights, state without rounding, values, labels), float64."""
    weights = {name: generator.standard_normal(shape) / shape[0] ** 0.5 for name, shape in matrices(network)}
    state = {name: np.array(value, np.float64) for name, value in initial_state(network).items()}
    for name, value in state.items():
        if name.endswith(".range"):
            value[...] = np.inf
        elif not name.endswith(".mean"):
            value[...] = generator.uniform(0.5, 2.0, value.shape)
    x = generator.standard_normal((2, *network.input_shape))
    output = output_shapes(network)[network.layers[-1].name]
    return weights, state, x, generator.integers(0, output[-1], (2, *output[:-1]))


@pytest.mark.slow
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.integers(0, 2**16))
def test_frozen_gradients_are_those_of_differences(network: Any, seed: int) -> None:
    generator = np.random.default_rng(seed)
    weights, state, x, labels = _case(network, generator)
    weight = generator.uniform(0.0, 1.0, labels.shape)
    before = {name: value.copy() for name, value in state.items()}
    total, found = frozen_gradients(network, weights, state=state, x=x, labels=labels, weight=weight)
    assert all(np.array_equal(state[name], value) for name, value in before.items())
    assert set(found) == set(weights)
    for name, gradient in found.items():

        def loss(w: np.ndarray, name: str = name) -> float:
            logits = plain_forward(network, dict(weights, **{name: w}), state=state, x=x)
            return softmax_cross_entropy(logits, labels, weight=weight, total=1.0)[0]

        assert loss(weights[name]) == total
        check_gradient(loss, weights[name], gradient, generator, directions=1, tolerance=1e-3, step=SMALL_STEP)


def test_quantisers_pass_straight_through_what_they_do_not_clip() -> None:
    """As in training, where it differs from this in the statistics of batch norms alone."""
    network, generator = tiny_network(), np.random.default_rng(1)
    weights, state, x, labels = _case(network, generator)
    for name in ("act.range", "act2.range"):
        state[name][...] = 2.0
    found = frozen_gradients(network, weights, state=state, x=x, labels=labels)[1]
    trained = Engine(network, 2, dtype=np.float64).training_step(weights, dict(state), x=x, labels=labels)[2]
    assert np.abs(found["fc2"]).max() > 0 and not np.allclose(found["fc2"], 2 * trained["fc2"])
    y = plain_forward(network, weights, state=state, x=x)
    assert not np.array_equal(y, plain_forward(network, weights, state=dict(state, **{"act.range": np.inf}), x=x))

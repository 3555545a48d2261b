"""Learning weights: free ones follow plain gradient descent."""

import numpy as np
import pytest

from minirram.engine import Engine
from minirram.errors import DataError
from minirram.learning import Schedule
from minirram.networks import initial_state
from minirram.optim import cosine_rate
from minirram.rng import stream
from minirram.weights import FloatLearner

from .tiny import StripeData, tiny_network

TIMING = ("seconds", "samples_per_second")


def schedule(**changes):
    return Schedule(**dict(dict(epochs=4, batch_size=20, learning_rate=0.02), **changes))


def run(learner, epochs, data):
    for _ in range(epochs):
        learner.epoch(data)
    return learner


def untimed(history):
    return [{key: value for key, value in row.items() if key not in TIMING} for row in history]


def assert_same(a, b, groups):
    for group in groups + ("state",):
        for name, array in getattr(a, group).items():
            assert np.array_equal(array, getattr(b, group)[name]), (group, name)
    assert untimed(a.history) == untimed(b.history)


def plain_descent(initial, data, recipe):
    """Gradient descent with momentum and weight decay, written out: the weights after one epoch."""
    network = tiny_network()
    engine, state = Engine(network, recipe.batch_size), initial_state(network)
    weights = {name: array.copy() for name, array in initial.items()}
    speed = {name: 0.0 for name in weights}
    n_steps = data.steps_per_epoch(recipe)
    for step, (codes, labels, _) in enumerate(data.batches(stream(recipe.seed, "batches", 0), recipe)):
        rate = cosine_rate(recipe.learning_rate, step, recipe.epochs * n_steps)
        _, _, gradients = engine.training_step(weights, state, codes, labels)
        for name in weights:
            downhill = gradients[name].astype(np.float64) + recipe.weight_decay * weights[name]
            speed[name] = recipe.momentum * speed[name] + downhill
            weights[name] = (weights[name] - rate * speed[name]).astype(np.float32)
    return weights


def test_free_weights_follow_plain_descent():
    data, recipe = StripeData(), schedule()
    learner = FloatLearner(tiny_network(), recipe)
    expected = plain_descent(learner.weights, data, recipe)
    learner.epoch(data)
    for name, weights in learner.weights.items():
        np.testing.assert_allclose(weights, expected[name], rtol=1e-3, atol=1e-4)


def test_initial_weights_have_he_variance():
    weights = FloatLearner(tiny_network(), schedule()).weights["fc1"]
    assert np.std(weights) == pytest.approx(np.sqrt(2 / 72), rel=0.1)


def test_free_weights_learn_and_resume_bit_for_bit():
    data = StripeData()
    whole = run(FloatLearner(tiny_network(), schedule()), 4, data)
    half = run(FloatLearner(tiny_network(), schedule()), 2, data)
    resumed = FloatLearner(tiny_network(), schedule())
    resumed.restore(half.checkpoint())
    run(resumed, 2, data)
    assert_same(whole, resumed, ("weights", "velocity"))
    whole.take_best()
    resumed.take_best()
    assert_same(whole, resumed, ("weights",))
    assert data.validation_score(whole.predict) == whole.best["validation"] > 0.9
    with pytest.raises(DataError, match="lacks 'fc1'"):
        resumed.restore({name: array for name, array in whole.checkpoint().items() if name != "velocity/fc1"})

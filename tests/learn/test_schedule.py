"""Every figure of the schedule reaches everything that a learner moves, and every seed every draw."""

import numpy as np
import pytest

from minirram.learn.free_weights import FloatLearner
from minirram.learn.recipe import Schedule
from minirram.learn.written_weights import WriteLearner, Writing
from minirram.tasks.datasets import epoch_order

from ..support.tiny import StripeData, tiny_chip, tiny_learner, tiny_network, tiny_recipe


def mask_learner(**changes):
    return tiny_learner(**changes)


def float_learner(**changes):
    return FloatLearner(tiny_network(), Schedule(**dict({"epochs": 4, "batch_size": 20}, **changes)))


def write_learner(**changes):
    recipe = tiny_recipe(level="cell", **changes)
    return WriteLearner(tiny_network(), tiny_chip(recipe), recipe=recipe, writing=Writing(0.0, 0.0))


LEARNERS = {"masks": mask_learner, "free weights": float_learner, "written weights": write_learner}


class OneBatch(StripeData):
    """The same samples at every step, which the test counts."""

    steps = 2

    def __init__(self):
        super().__init__()
        self.orders = []

    def steps_per_epoch(self, recipe):
        return self.steps

    def batches(self, generator, recipe):
        self.orders.append(tuple(epoch_order(generator, len(self.codes))))
        for _ in range(self.steps):
            yield self.codes[: recipe.batch_size], self.labels[: recipe.batch_size], None


def velocities(learner, steps):
    """Velocities of all that moves after some steps on the same samples without a rate."""
    data = OneBatch()
    for _ in range(steps):
        learner.step(data.codes[:20], data.labels[:20], weight=None, rate=0.0)
    return {**learner.velocity, **learner.affine_velocity}


@pytest.mark.parametrize("kind", LEARNERS)
def test_momentum_moves_all_that_moves(kind):
    # Without read noise or rate each step has the gradient of the one before, once the ranges are calibrated.
    def of(steps, momentum):
        learner = LEARNERS[kind](momentum=momentum, weight_decay=0.0)
        learner.read_generators = None
        learner.step(OneBatch().codes[:20], OneBatch().labels[:20], weight=None, rate=0.0)
        for velocity in (*learner.velocity.values(), *learner.affine_velocity.values()):
            velocity[...] = 0
        return velocities(learner, steps)

    first, second, carried = of(1, 0.0), of(2, 0.0), of(2, 0.5)
    assert {"conv", "bn.gamma"} <= set(first)
    for name, velocity in carried.items():
        expected = second[name] + np.float32(0.5) * first[name]
        assert np.allclose(velocity, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max()), name


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_seed_is_that_of_batches_reads_and_initial_values(kind):
    def run(seed):
        learner, data = LEARNERS[kind](seed=seed, epochs=2), OneBatch()
        begun = {name: array.copy() for name, array in learner.read_weights().items()}
        learner.epoch(data)
        learner.epoch(data)
        words = {name: array for name, array in learner.checkpoint().items() if name.endswith("/words")}
        return begun, data.orders, words

    (begun, orders, words), again, (other_begun, other_orders, other_words) = run(3), run(3), run(4)
    assert orders == again[1] and len({*orders, *other_orders}) == 4
    assert len(words) == 3  # a generator per matrix
    for name, state in words.items():
        assert np.array_equal(state, again[2][name]) and not np.array_equal(state, other_words[name])
    for name, weights in begun.items():
        assert np.array_equal(weights, again[0][name]) and not np.array_equal(weights, other_begun[name])

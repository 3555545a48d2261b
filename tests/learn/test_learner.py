"""What all learners share: a rate that is too high ends a training with an error, not with empty masks."""

import numpy as np
import pytest

from minirram.errors import ConfigError, DivergedError
from minirram.learn.free_weights import FloatLearner
from minirram.learn.recipe import Schedule

from ..support.tiny import StripeData, tiny_learner, tiny_network


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "learner, what",
    [
        (lambda: FloatLearner(tiny_network(), Schedule(batch_size=20, learning_rate=1e30)), "loss"),
        # Masks only choose among a chip's weights, so that the loss stays finite: the scores overflow.
        (lambda: tiny_learner(learning_rate=1e38), "loss|scores of conv"),
        (lambda: tiny_learner(level="cell", learning_rate=1e5), "scores of conv"),
    ],
)
def test_a_rate_that_is_too_high_is_named(learner, what):
    learner, data = learner(), StripeData()
    expected = f"the ({what}) is not finite after epoch [1-5]: lower the learning rate"
    with pytest.raises(DivergedError, match=expected):
        for _ in range(5):
            learner.epoch(data)
    assert len(learner.history) < 5 and issubclass(DivergedError, ConfigError)


@pytest.mark.parametrize("spoil", ["scores", "velocity", "affine_velocity"])
def test_each_array_that_moves_is_looked_at(spoil):
    learner = tiny_learner()
    learner.check_finite(0.5)
    name, array = sorted(getattr(learner, spoil).items())[0]
    array.flat[-1] = np.nan
    expected = f"the {spoil} of {name} is not finite after epoch 1: .* it is 0.1"
    with pytest.raises(DivergedError, match=expected):
        learner.check_finite(0.5)
    with pytest.raises(DivergedError, match="the loss is not finite"):
        learner.check_finite(float("inf"))

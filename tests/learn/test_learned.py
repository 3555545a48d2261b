"""What was learned is one value: a learner gives it, another one adopts it, a checkpoint keeps it."""

from dataclasses import replace

import numpy as np
import pytest

from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DataError
from minirram.learn.free_weights import FloatLearner
from minirram.learn.learned import Learned
from minirram.learn.learner import best_learned
from minirram.learn.recipe import Schedule
from minirram.learn.written_weights import WriteLearner, Writing

from ..support.tiny import StripeData, tiny_chip, tiny_learner, tiny_network, tiny_recipe


def float_learner():
    return FloatLearner(tiny_network(), Schedule(epochs=4, batch_size=20, learning_rate=0.05))


def write_learner():
    recipe = tiny_recipe(level="cell", learning_rate=0.05)
    return WriteLearner(tiny_network(), tiny_chip(recipe), recipe=recipe, writing=Writing(0.01, 1e-6))


def mask_learner():
    """On cells that come back as they were."""
    return tiny_learner(model=replace(TAOX_40NM, write_noise=0.0))


LEARNERS = (mask_learner, float_learner, write_learner)


def held(learner):
    """All arrays that `Learned` is to bring back, and what the chip holds."""
    weights = {name: np.array(array) for name, array in learner.read_weights().items()}
    return dict(learner.learned().to_arrays(), **{"read/" + name: array for name, array in weights.items()})


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("make", LEARNERS)
def test_what_was_learned_comes_back(make):
    learner, data = make(), StripeData()
    learner.epoch(data)
    then, before = learner.learned(), held(learner)
    assert then.epoch == 1 and then.validation == learner.history[0]["validation"]
    learner.epoch(data)
    assert not same(held(learner), before) and same(then.to_arrays(), Learned.from_arrays(then.to_arrays()).to_arrays())
    learner.adopt(then)
    after = held(learner)
    for name in set(before) - {"epoch", "validation"} - {name for name in before if name.startswith("chip/")}:
        assert np.array_equal(after[name], before[name]), name


@pytest.mark.parametrize("make", LEARNERS)
def test_the_best_epoch_is_in_the_checkpoint(make):
    learner, data = make(), StripeData()
    with pytest.raises(ConfigError, match="no best epoch before the first"):
        learner.best  # noqa: B018
    with pytest.raises(DataError, match="lacks its epoch and its validation"):
        best_learned(learner.checkpoint())
    for _ in range(3):
        learner.epoch(data)
    scores = [row["validation"] for row in learner.history]
    assert learner.best.validation == max(scores) == scores[learner.best.epoch - 1]
    saved, other = best_learned(learner.checkpoint()), make()
    assert same(saved.to_arrays(), learner.best.to_arrays())
    learner.adopt(learner.best)
    other.adopt(saved)
    assert all(np.array_equal(array, other.state[name]) for name, array in learner.state.items())
    codes = data.codes[:20]
    outputs = [one.engine.predict(one.read_weights(), one.state, x=codes) for one in (learner, other)]
    assert np.array_equal(*outputs)


def test_what_does_not_fit_is_named():
    learner = tiny_learner()
    learned = learner.learned()
    less = {name: mask for name, mask in learned.groups["masks"].items() if name != "fc1"}
    for change, message in (
        ({"groups": {}}, "lacks 'masks'"),
        ({"groups": {"masks": less}}, "lacks 'fc1'"),
        ({"groups": {"masks": dict(less, fc1=np.zeros((2, 2), bool))}}, r"masks of fc1: bool \(2, 2\), expected"),
        ({"state": {}}, "lacks 'bn"),
    ):
        with pytest.raises(DataError, match=message):
            learner.adopt(replace(learned, **change))
    writer = write_learner()
    with pytest.raises(DataError, match="state of a chip"):
        writer.adopt(replace(writer.learned(), groups=dict(writer.learned().groups, chip={})))

"""Mask learning: it learns, reads the chip anew, counts its pulses, and resumes bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DataError
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.pruning import top_mask
from minirram.learn.recipe import Recipe

from ..support.tiny import StripeData, tiny_chip, tiny_learner, tiny_network, tiny_recipe


def run(learner, epochs, data):
    for _ in range(epochs):
        learner.epoch(data)
    return learner


def assert_same(a, b):
    for name in a.scores:
        assert np.array_equal(a.scores[name], b.scores[name])
        assert np.array_equal(a.masks[name], b.masks[name])
    for name in a.state:
        assert np.array_equal(a.state[name], b.state[name])
    assert np.array_equal(a.chip.conductance_S(), b.chip.conductance_S())
    assert a.chip.pulses == b.chip.pulses


@pytest.mark.parametrize("level", ["pair", "cell"])
def test_learns_by_masks_alone(level):
    data = StripeData()
    learner = tiny_learner(level=level, epochs=6)
    before = data.validation_score(learner.predict)
    run(learner, 6, data)
    assert learner.best.validation > 0.9 > before + 0.2


@pytest.mark.slow
@pytest.mark.parametrize("level", ["pair", "cell"])
def test_resume_from_a_checkpoint_is_bit_identical(level):
    data = StripeData()
    whole = run(tiny_learner(level=level), 4, data)
    half = run(tiny_learner(level=level), 2, data)
    resumed = tiny_learner(level=level)
    resumed.restore(half.checkpoint())
    run(resumed, 2, data)
    assert_same(whole, resumed)
    timing = ("seconds", "samples_per_second")
    for one, other in zip(whole.history, resumed.history):
        assert {k: v for k, v in one.items() if k not in timing} == {k: v for k, v in other.items() if k not in timing}
    whole.adopt(whole.best)
    resumed.adopt(resumed.best)
    assert_same(whole, resumed)


def test_same_bits_with_one_and_two_threads(monkeypatch):
    monkeypatch.setattr("minirram.nn.engine.engine.WORTH_TWO", 0)
    data = StripeData()
    assert_same(run(tiny_learner(threads=1), 2, data), run(tiny_learner(threads=2), 2, data))


def test_seeds_matter_and_chips_differ():
    data = StripeData()
    learners = [run(tiny_learner(**change), 1, data) for change in ({}, {"seed": 1}, {"chip_seed": 1})]
    masks = [learner.masks["fc1"] for learner in learners]
    assert not np.array_equal(masks[0], masks[1])
    assert not np.array_equal(learners[0].chip.formed_S(), learners[2].chip.formed_S())


def test_every_flip_is_a_pulse():
    data = StripeData()
    learner = tiny_learner(hysteresis=0.0, hysteresis_end=0.0)
    flips = 0
    for codes, labels, weight in data.batches(np.random.default_rng(0), learner.recipe):
        old = {name: mask.copy() for name, mask in learner.masks.items()}
        before = learner.chip.pulses["set"] + learner.chip.pulses["reset"]
        learner.step(codes, labels, weight=weight, rate=0.1)
        flips = sum(np.count_nonzero(old[name] != learner.masks[name]) for name in old)
        assert learner.chip.pulses["set"] + learner.chip.pulses["reset"] == before + flips
        for name, scores in learner.scores.items():
            assert np.array_equal(learner.masks[name], top_mask(scores, 0.5))
    assert flips > 0 and learner.kept_fraction() == pytest.approx(0.5, abs=0.01)


@pytest.mark.slow
def test_hysteresis_spares_pulses_and_tightens_at_new_bests():
    data = StripeData()
    free = run(tiny_learner(hysteresis=0.0, hysteresis_end=0.0), 3, data)
    held = run(tiny_learner(hysteresis=0.05, hysteresis_end=0.02, hysteresis_steps=3), 3, data)
    count = [learner.chip.pulses["set"] + learner.chip.pulses["reset"] for learner in (free, held)]
    assert count[1] < 0.9 * count[0]
    assert 0.02 <= held.hysteresis < 0.05


@pytest.mark.parametrize("step", [None, 0.03])
def test_one_step_by_hand(step):
    """Scores after a step: straight-through, scaled or not, decay, momentum, rate; affine parts: no scale, no decay."""
    data, learner, twin = StripeData(), tiny_learner(score_step=step), tiny_learner(score_step=step)
    codes, labels = data.codes[:20], data.labels[:20]
    for rate in (0.1, 0.03):
        old_scores = {name: scores.astype(np.float64) for name, scores in twin.scores.items()}
        old_velocity = {name: velocity.astype(np.float64) for name, velocity in twin.velocity.items()}
        old_state = {name: array.copy() for name, array in twin.state.items()}
        old_affine = {name: velocity.copy() for name, velocity in twin.affine_velocity.items()}
        state = {name: array.copy() for name, array in twin.state.items()}
        weights = twin.read_weights(twin.read_generators)
        gradients = twin.engine.training_step(weights, state, x=codes, labels=labels)[2]
        gradients = {name: gradient.astype(np.float64) for name, gradient in gradients.items()}
        learner.step(codes, labels, weight=None, rate=rate)
        for name, scores in learner.scores.items():
            gradient = gradients[name] * learner.kept[name] * np.sign(old_scores[name])
            if step is not None:
                gradient *= step / np.sqrt(3 * len(gradient)) / np.sqrt(np.mean(gradient**2))
            velocity = 0.9 * old_velocity[name] + gradient + 5e-4 * old_scores[name]
            assert np.allclose(scores, old_scores[name] - rate * velocity, rtol=1e-4, atol=1e-7)
        for name in ("bn.gamma", "bn.beta"):
            velocity = 0.9 * old_affine[name] + gradients[name]
            assert np.allclose(learner.state[name], old_state[name] - rate * velocity, rtol=1e-4, atol=1e-7)
        twin.restore(learner.checkpoint())


def test_validation_reads_with_noise():
    data = StripeData()
    learner = tiny_learner(model=replace(TAOX_40NM, read_noise=0.2))
    learner.epoch(data)
    still = learner.engine.predict(learner.read_weights(), learner.state, x=data.validation_codes)
    assert np.abs(learner.predict(data.validation_codes) - still).max() > 0.01 * np.abs(still).max()


def test_the_rate_falls_as_a_cosine_over_all_steps():
    data, learner, rates = StripeData(), tiny_learner(epochs=2), []
    step = learner.step
    learner.step = lambda codes, labels, weight, rate: (
        rates.append(rate) or step(codes, labels, weight=weight, rate=rate)
    )
    run(learner, 2, data)
    assert rates[0] == 0.1 and rates[15] == pytest.approx(0.05) and rates == sorted(rates, reverse=True)
    assert len(rates) == 30 and rates[-1] < 0.001


def test_each_step_reads_the_chip_anew():
    learner = tiny_learner()
    first, second = (learner.read_weights(learner.read_generators)["fc1"] for _ in range(2))
    assert not np.array_equal(first, second)
    still = learner.read_weights()["fc1"]
    spread = np.std((first - still) / np.abs(still).max())
    assert 0.001 < spread < 0.02


def test_velocities_that_died_away_are_zero_before_the_next_step(monkeypatch):
    learner, seen = tiny_learner(epochs=1), []
    velocities = [*learner.affine_velocity.values(), *learner.moving_groups()["velocity"].values()]
    for velocity in velocities:
        velocity[...] = 1e-35

    def step(codes, labels, *, weight, rate):
        seen.append(sum(np.count_nonzero(velocity) for velocity in velocities))
        return 0.5, 1

    monkeypatch.setattr(learner, "step", step)
    learner.epoch(StripeData())
    assert len(learner.affine_velocity) and len(velocities) > 2 and set(seen) == {0}


def test_best_epoch_is_the_later_of_equals():
    learner = tiny_learner()
    scores = iter([0.5, 0.7, 0.7, 0.6])
    data = StripeData()
    data.validation_score = lambda predict: next(scores)
    run(learner, 4, data)
    assert learner.best.epoch == 3


@pytest.mark.parametrize(
    "change, message",
    [
        ({"density": 0}, "between 0 and 1"),
        ({"density": 1.5}, "between 0 and 1"),
        ({"epochs": 0}, "epochs is 0; it must be at least 1"),
        ({"batch_size": -1}, "batch_size"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"score_step": 0.0}, "score_step is 0.0; it must be finite and above 0"),
        ({"momentum": 1.0}, "momentum"),
        ({"level": "weight"}, "choose 'pair' or 'cell'"),
        ({"seed": -1}, "seed"),
        ({"hysteresis": 0.0}, "hysteresis_end 0.007 is above hysteresis 0.0"),
    ],
)
def test_bad_recipes_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        Recipe(**change)


def test_checkpoints_of_others_are_refused():
    arrays = tiny_learner().checkpoint()
    with pytest.raises(DataError, match="scores of fc1"):
        tiny_learner().restore(dict(arrays, **{"scores/fc1": np.zeros((2, 2), np.float32)}))
    with pytest.raises(DataError, match="lacks"):
        tiny_learner().restore({name: array for name, array in arrays.items() if name != "velocity/fc2"})
    recipe = tiny_recipe(level="cell")
    with pytest.raises(ConfigError, match="the chip was placed for"):
        MaskLearner(tiny_network(), tiny_chip(recipe), recipe=tiny_recipe())

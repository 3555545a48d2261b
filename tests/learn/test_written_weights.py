"""Learning weights: free ones follow plain gradient descent, those of a chip do so within error, count and budget."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DataError
from minirram.learn.free_weights import FloatLearner
from minirram.learn.optim import cosine_rate
from minirram.learn.recipe import Schedule
from minirram.learn.written_weights import WriteLearner, Writing, pair_targets, targets_around
from minirram.nn.engine.engine import Engine
from minirram.nn.network import affine_parameters, initial_state
from minirram.rng import stream

from ..support.tiny import StripeData, tiny_chip, tiny_network, tiny_recipe

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
    speed = {name: 0.0 for name in list(weights) + list(affine_parameters(network))}
    n_steps = data.steps_per_epoch(recipe)
    for step, (codes, labels, _) in enumerate(data.batches(stream(recipe.seed, "batches", 0), recipe)):
        rate = cosine_rate(recipe.learning_rate, step, n_steps=recipe.epochs * n_steps)
        _, _, gradients = engine.training_step(weights, state, x=codes, labels=labels)
        for name, gradient in gradients.items():
            moved, decay = (weights, recipe.weight_decay) if name in weights else (state, 0.0)
            speed[name] = recipe.momentum * speed[name] + gradient.astype(np.float64) + decay * moved[name]
            moved[name] = (moved[name] - rate * speed[name]).astype(np.float32)
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
    whole.adopt(whole.best)
    resumed.adopt(resumed.best)
    assert_same(whole, resumed, ("weights",))
    assert data.validation_score(whole.predict) == whole.best.validation > 0.9
    with pytest.raises(DataError, match="lacks 'fc1'"):
        resumed.restore({name: array for name, array in whole.checkpoint().items() if name != "velocity/fc1"})


# -- weights of a chip ----------------------------------------------------------------------------


def write_learner(writing, threads=1, model=TAOX_40NM, **changes):
    recipe = tiny_recipe(level="cell", formed_share=0.999999)
    return WriteLearner(
        tiny_network(),
        tiny_chip(recipe, model=model),
        recipe=schedule(**changes),
        writing=writing,
        threads=threads,
    )


def n_writes(learner):
    return sum(learner.pulses.values())


QUIET = replace(TAOX_40NM, read_noise=0.0)


def test_ideal_writes_are_plain_descent():
    """With ideal writes and reads the chip holds what gradient descent on free numbers gives, to half a grid step."""
    data, recipe = StripeData(), schedule(batch_size=60)
    learner = write_learner(Writing(tuning_error=0.0), model=QUIET, batch_size=60)
    initial = {name: weights.copy() for name, weights in learner.wanted.items()}
    expected = plain_descent(initial, data, recipe)
    learner.epoch(data)
    for name, weights in learner.read_weights().items():
        step = learner.chip.cell_model.grid_S / learner.scales_S[name]
        np.testing.assert_allclose(weights, learner.wanted[name], rtol=0, atol=step)
        np.testing.assert_allclose(weights, expected[name], rtol=0, atol=2e-3)
        assert np.abs(weights - initial[name]).max() > 0.02


def test_the_formed_chip_is_the_initial_network():
    learner = write_learner(Writing())
    for name, wanted in learner.wanted.items():
        assert np.sqrt(np.mean(wanted**2)) == pytest.approx(np.sqrt(2 / len(wanted)), rel=1e-5)
        np.testing.assert_allclose(learner.read_weights()[name], wanted, atol=0.1 * np.sqrt(2 / len(wanted)) + 0.1)
    assert n_writes(learner) == 0


def cells_of_plans(learner):
    """Writes that the present wishes ask for, by a loop over weights and the definition of `pair_targets`."""
    low_S, high_S = learner.range_S
    count = 0
    for name, wanted in learner.wanted.items():
        plus, minus = (cells.astype(float) * 1e-9 for cells in learner.chip.pair_grid(name))
        for at in np.ndindex(wanted.shape):
            goal_S = float(wanted[at]) * learner.scales_S[name]
            if abs(goal_S - (plus[at] - minus[at])) < learner.writing.threshold_S:
                continue
            falls = goal_S < plus[at] - minus[at]
            lowered_S = minus[at] + goal_S if falls else plus[at] - goal_S
            raised_S = plus[at] - goal_S if falls else minus[at] + goal_S
            count += 2 if lowered_S < low_S and raised_S > high_S else 1
    return count


@pytest.mark.parametrize("threshold_S", [0.0, 2e-7])
def test_counts_are_those_of_a_loop_over_weights(threshold_S):
    data = StripeData()
    learner = write_learner(Writing(threshold_S=threshold_S))
    for codes, labels, weight in list(data.batches(np.random.default_rng(0), learner.recipe))[:4]:
        learner.step(codes, labels, weight=weight, rate=0.02)
        for wanted in learner.wanted.values():
            wanted += np.float32(0.01)
        before, expected = n_writes(learner), cells_of_plans(learner)
        learner.write()
        assert n_writes(learner) - before == expected > 0
    assert n_writes(learner) == sum(macro.pulses["tune"] for macro in learner.chip.macros)
    assert n_writes(learner) == sum(int(macro.writes.sum()) for macro in learner.chip.macros)


def test_every_weight_is_written_at_every_update():
    data = StripeData()
    n_weights = sum(weights.size for weights in write_learner(Writing()).wanted.values())
    for interval in (1, 4):
        learner = run(write_learner(Writing(interval=interval)), 2, data)
        assert n_writes(learner) == pytest.approx(n_weights * (30 // interval), rel=0.01)


def test_nothing_below_the_threshold_is_written():
    data, threshold_S = StripeData(), 4e-7
    learner, reached = write_learner(Writing(tuning_error=0.05, threshold_S=threshold_S)), 0
    for codes, labels, weight in data.batches(np.random.default_rng(0), learner.recipe):
        held = {name: [cells.copy() for cells in learner.chip.pair_grid(name)] for name in learner.wanted}
        learner.step(codes, labels, weight=weight, rate=0.02)
        for name, wanted in learner.wanted.items():
            off_S = np.abs(wanted * learner.scales_S[name] - (held[name][0] - held[name][1]) * 1e-9)
            now = learner.chip.pair_grid(name)
            touched = (now[0] != held[name][0]) | (now[1] != held[name][1])
            assert not touched[off_S < 0.999 * threshold_S].any()
            reached += np.count_nonzero(touched)
    assert 0 < 0.9 * n_writes(learner) < reached


@pytest.mark.slow
@given(budget=st.integers(0, 3000), threshold_S=st.sampled_from([0.0, 2e-7]))
@settings(max_examples=8)
def test_the_budget_is_spent_and_never_exceeded(budget, threshold_S):
    learner = run(write_learner(Writing(threshold_S=threshold_S, budget=budget)), 1, StripeData())
    assert n_writes(learner) <= budget
    if threshold_S == 0:
        assert n_writes(learner) >= budget - 1


def test_a_short_budget_goes_to_those_farthest_off():
    learner = write_learner(Writing(tuning_error=0.0, budget=5), model=QUIET)
    before = learner.read_weights()
    wish = np.random.default_rng(0).permutation(learner.wanted["fc1"].size).reshape(learner.wanted["fc1"].shape)
    learner.wanted["fc1"] += (2e-4 * wish).astype(np.float32)
    learner.write()
    changed = {name: learner.read_weights()[name] != weights for name, weights in before.items()}
    assert sum(map(np.count_nonzero, changed.values())) == n_writes(learner) == 5
    assert sorted(wish[changed["fc1"]]) == list(range(wish.size - 5, wish.size))


def test_what_is_written_is_the_farthest_off_by_a_loop():
    """What a budget leaves is filled in order of distance until the next write would not fit, ties by index."""
    learner = write_learner(Writing(tuning_error=0.0, budget=300), model=QUIET)
    generator = np.random.default_rng(1)
    for wanted in learner.wanted.values():
        wanted += generator.choice([0.0, 0.1, 0.1, 0.9], wanted.shape).astype(np.float32)
    before = {name: np.stack(learner.chip.pair_grid(name)) for name in learner.wanted}
    plans = {name: learner._plan(name) for name in learner.wanted}
    due = [(-plan.change_S[k], row, k) for row, plan in enumerate(plans.values()) for k in range(len(plan.flat))]
    expected, left = {name: set() for name in plans}, 300
    for _, row, k in sorted(due):
        name, plan = list(plans.items())[row]
        left -= int(plan.cells[:, k].sum())
        if left < 0:
            break
        expected[name].add(int(plan.flat[k]))
    learner.write()
    for name, grid in before.items():
        touched = np.flatnonzero((np.stack(learner.chip.pair_grid(name)) != grid).any(axis=0))
        assert set(touched.tolist()) == expected[name]
    assert 299 <= n_writes(learner) <= 300


@given(budget=st.integers(0, 3000), steps=st.integers(1, 40), threshold_S=st.sampled_from([0.0, 2e-7]))
@settings(max_examples=8)
def test_the_budget_becomes_available_evenly(budget, steps, threshold_S):
    learner = write_learner(Writing(threshold_S=threshold_S, budget=budget, budget_steps=steps))
    spent_at, n_weights = None, sum(wanted.size for wanted in learner.wanted.values())
    for step, (codes, labels, weight) in enumerate(StripeData().batches(np.random.default_rng(0), learner.recipe), 1):
        learner.step(codes, labels, weight=weight, rate=0.02)
        available = budget * min(step, steps) // steps
        assert n_writes(learner) <= available
        if threshold_S == 0:  # nearly every weight is due at every step, and costs a write or two
            assert n_writes(learner) >= min(available - 1, 0.9 * n_weights)
        if spent_at is None and budget and n_writes(learner) >= 0.99 * budget:
            spent_at = step
    assert learner.spent_at_step == spent_at


# -- cells that do not answer ---------------------------------------------------------------------


def test_dead_cells_are_found_by_their_writes_and_left_alone():
    learner = write_learner(Writing(threshold_S=2e-7))
    generator, used = np.random.default_rng(2), learner.chip.used
    dead = used & (generator.random(used.shape) < 0.1)
    on = dead & (generator.random(used.shape) < 0.5)
    for macro, lrs, hrs in zip(learner.chip.macros, on, dead & ~on):
        macro.stick(lrs, hrs)
    data = StripeData()
    run(learner, 2, data)
    found = {name: [~cells for cells in learner.answers[name]] for name in learner.wanted}
    for name, (plus, minus) in found.items():
        really_plus, really_minus = learner.chip.placement.gather(name, dead)
        assert not (plus & ~really_plus).any() and not (minus & ~really_minus).any()
    n_found = sum(int(cells.sum()) for pair in found.values() for cells in pair)
    assert n_found > 0.5 * dead.sum()
    writes = np.concatenate([macro.writes[cells] for macro, cells in zip(learner.chip.macros, dead)])
    run(learner, 2, data)
    again = np.concatenate([macro.writes[cells] for macro, cells in zip(learner.chip.macros, dead)])
    assert (again - writes).sum() <= 3 * (dead.sum() - n_found)
    resumed = write_learner(Writing(threshold_S=2e-7))
    resumed.restore(learner.checkpoint())
    assert all(np.array_equal(resumed.answers[name], learner.answers[name]) for name in learner.answers)


@given(
    present=st.tuples(st.floats(0, 20e-6), st.floats(0, 20e-6)),
    wanted=st.floats(-18e-6, 18e-6),
    answers=st.sampled_from([(True, False), (False, True), (False, False)]),
    threshold_S=st.sampled_from([0.0, 1e-7]),
)
def test_the_partner_of_a_dead_cell_goes_as_far_as_it_can(present, wanted, answers, threshold_S):
    low_S, high_S = 1e-6, 19e-6
    limits = {"low_S": low_S, "high_S": high_S, "threshold_S": threshold_S, "answers": np.array(answers)[:, None]}
    target_S, cells = targets_around(np.array(present)[:, None], np.array([wanted]), **limits)
    again_S, rewritten = targets_around(target_S, np.array([wanted]), **limits)
    assert np.allclose(again_S, target_S, rtol=0, atol=1e-19) or not cells.any()
    assert threshold_S == 0 or not rewritten.any()
    assert not cells[~np.array(answers)].any() and (target_S[~cells] == np.array(present)[:, None][~cells]).all()
    off = abs(target_S[0, 0] - target_S[1, 0] - wanted)
    for reachable in np.linspace(low_S, high_S, 50):
        pair = [reachable if able else held for able, held in zip(answers, present)]
        assert off <= abs(pair[0] - pair[1] - wanted) + 1.01e-7


def test_partners_at_their_limit_do_not_eat_the_budget():
    """What no write can bring closer is not written again and again, first of all."""
    learner = write_learner(Writing(budget=600, budget_steps=60))
    stuck = [np.zeros(macro.on.shape, bool) for macro in learner.chip.macros]
    index = np.argwhere(learner.chip.used[0])[:20]
    stuck[0][tuple(index.T)] = True
    learner.chip.macros[0].stick(hrs=stuck[0])
    run(learner, 4, StripeData())
    assert n_writes(learner) == 600
    assert max(int(macro.writes.max()) for macro in learner.chip.macros) < 30  # of 60 steps


@given(plus=st.floats(1e-6, 20e-6), minus=st.floats(1e-6, 20e-6), wanted=st.floats(-18e-6, 18e-6))
def test_pairs_reach_what_is_wanted_inside_the_range(plus, minus, wanted):
    low_S, high_S = 1e-6, 19e-6
    target_S, cells = pair_targets(np.array([[plus], [minus]]), np.array([wanted]), low_S=low_S, high_S=high_S)
    assert target_S[0, 0] - target_S[1, 0] == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert cells.any()
    for target, cell, present in zip(target_S[:, 0], cells[:, 0], (plus, minus)):
        assert low_S - 1e-12 <= target <= max(high_S, present) + 1e-12
        assert cell or target == present
    if cells.all():
        alone = (minus + wanted, plus - wanted)
        assert min(alone) < low_S and max(alone) > high_S


def test_large_changes_take_two_writes():
    target_S, cells = pair_targets(np.array([[12e-6], [12e-6]]), np.array([17e-6]), low_S=1e-6, high_S=19e-6)
    assert cells.all() and np.allclose(target_S[:, 0], [18e-6, 1e-6], atol=0)


@pytest.mark.parametrize("error", [0.0015, 0.05, 0.15])
def test_writes_miss_by_the_tuning_error(error):
    learner = write_learner(Writing(tuning_error=error), model=QUIET)
    before = learner.chip.conductance_S()
    for wanted in learner.wanted.values():
        wanted *= np.float32(1.1)
    goals_S = {name: wanted * learner.scales_S[name] for name, wanted in learner.wanted.items()}
    learner.write()
    miss, target = [], []
    for name, goal_S in goals_S.items():
        plus_S, minus_S = learner.chip.placement.gather(name, learner.chip.conductance_S())
        was_plus_S, _ = learner.chip.placement.gather(name, before)
        miss.append((plus_S - minus_S - goal_S).ravel())
        target.append(np.where(plus_S != was_plus_S, minus_S + goal_S, plus_S - goal_S).ravel())
    spread = np.std(np.concatenate(miss) / np.concatenate(target))
    assert spread == pytest.approx(error, rel=4 / np.sqrt(2 * 972), abs=1e-4)


@pytest.mark.parametrize("writing", [Writing(), Writing(0.05, 2e-7, 2, 600, 20)], ids=["every", "thresholded"])
def test_written_weights_learn_and_resume_bit_for_bit(writing):
    data = StripeData()
    whole = run(write_learner(writing), 4, data)
    half = run(write_learner(writing), 2, data)
    resumed = write_learner(writing, threads=2)
    resumed.restore(half.checkpoint())
    run(resumed, 2, data)
    assert_same(whole, resumed, ("wanted", "velocity", "gathered"))
    assert np.array_equal(whole.chip.conductance_S(), resumed.chip.conductance_S())
    assert whole.pulses == resumed.pulses and whole.best.validation > 0.8
    assert whole.steps == resumed.steps == 60 and whole.spent_at_step == resumed.spent_at_step
    assert half.spent_at_step == whole.spent_at_step and (writing.budget is None) == (whole.spent_at_step is None)
    whole.adopt(whole.best)
    resumed.adopt(resumed.best)
    assert np.array_equal(whole.chip.conductance_S(), resumed.chip.conductance_S())
    with pytest.raises(DataError, match="lacks 'pulses/set'"):
        resumed.restore({name: array for name, array in whole.checkpoint().items() if name != "pulses/set"})


def test_best_epoch_brings_the_chip_back():
    data = StripeData()
    scores = iter([0.7, 0.5])
    data.validation_score = lambda predict: next(scores)
    learner = run(write_learner(Writing()), 1, data)
    held = learner.chip.conductance_S()
    run(learner, 1, data)
    assert not np.array_equal(held, learner.chip.conductance_S())
    learner.adopt(learner.best)
    assert np.array_equal(held, learner.chip.conductance_S())


@pytest.mark.parametrize(
    "change, message",
    [
        ({"tuning_error": -0.1}, "tuning_error is -0.1"),
        ({"threshold_S": float("nan")}, "threshold_S is nan"),
        ({"interval": 0}, "interval is 0"),
        ({"budget": -1}, "budget is -1"),
        ({"budget": 1, "budget_steps": 0}, "budget_steps is 0"),
    ],
)
def test_bad_writing_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        Writing(**change)


def test_a_chip_of_the_wrong_level_is_refused():
    with pytest.raises(ConfigError, match="cell level"):
        WriteLearner(tiny_network(), tiny_chip(tiny_recipe()), recipe=schedule(), writing=Writing())

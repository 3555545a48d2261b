"""Weights that the chip alone remembers: beside a slow oracle, what is written, counted, and when it ends."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.chip.levels import draw_signs
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError
from minirram.learn.optim import cosine_rate
from minirram.learn.plain_weights import PlainLearner, one_cell_targets
from minirram.learn.recipe import Schedule
from minirram.learn.written_weights import Writing, pair_targets
from minirram.nn.engine.engine import Engine
from minirram.nn.network import initial_state, matrices
from minirram.rng import stream

from ..support.tiny import StripeData, tiny_chip, tiny_network, tiny_recipe

QUIET = TAOX_40NM.changed(read_noise=0.0)
RECIPE = Schedule(epochs=4, batch_size=20, learning_rate=0.05)
WEIGHTS = sum(fan_in * fan_out for _, (fan_in, fan_out) in matrices(tiny_network()))


def plain(updates=None, realisation="pair", error=0.0, model=QUIET):
    chip = tiny_chip(tiny_recipe(level="cell"), model=model)
    budget = None if updates is None else updates * WEIGHTS + WEIGHTS // 2
    writing = Writing(error, budget=budget, realisation=realisation)
    return PlainLearner(tiny_network(), chip, recipe=RECIPE, writing=writing)


def pairs_of(learner):
    """{matrix: (plus, minus)} in siemens, as the chip holds them."""
    grid_S = learner.chip.cell_model.grid_S
    return {
        name: [np.float64(g) * grid_S for g in learner.chip.pair_grid(name)] for name, _ in matrices(learner.network)
    }


def slow_pair(plus_S, minus_S, wanted_S, low_S, high_S):
    """Where one pair is written, by hand."""
    plus_falls = minus_S + wanted_S < plus_S
    lowered_S, raised_S = (minus_S + wanted_S, plus_S - wanted_S)[:: 1 if plus_falls else -1]
    if lowered_S >= low_S:
        return (lowered_S, minus_S) if plus_falls else (plus_S, lowered_S)
    if raised_S <= high_S:
        return (plus_S, raised_S) if plus_falls else (raised_S, minus_S)
    return low_S + max(wanted_S, 0), low_S + max(-wanted_S, 0)


def slow_one(plus_S, minus_S, wanted_S, low_S, high_S):
    was_plus, is_plus = plus_S >= minus_S, wanted_S >= 0
    off_S = low_S if was_plus != is_plus else (minus_S if is_plus else plus_S)
    on_S = min(off_S + abs(wanted_S), high_S)
    return (on_S, off_S) if is_plus else (off_S, on_S)


def slow_learning(learner, data, updates, slow):
    """The pairs after so many updates: descent from what the cells hold, weight by weight, no error."""
    network, (low_S, high_S) = learner.network, learner.range_S
    engine, state = Engine(network, RECIPE.batch_size), initial_state(network)
    pairs, scales, grid_S = pairs_of(learner), dict(learner.scales_S), QUIET.grid_S
    speed, affine = {name: 0.0 for name in pairs}, {}
    n_steps = data.steps_per_epoch(RECIPE)
    batches = data.batches(stream(RECIPE.seed, "batches", 0), RECIPE)
    for step, (codes, labels, _) in zip(range(updates), batches):
        rate = cosine_rate(RECIPE.learning_rate, step, n_steps=RECIPE.epochs * n_steps)
        weights = {name: ((plus - minus) / scales[name]).astype(np.float32) for name, (plus, minus) in pairs.items()}
        _, _, gradients = engine.training_step(weights, state, x=codes, labels=labels)
        for name, gradient in gradients.items():
            if name not in pairs:
                affine[name] = 0.9 * affine.get(name, 0.0) + gradient
                state[name] = (state[name] - rate * affine[name]).astype(np.float32)
                continue
            speed[name] = 0.9 * speed[name] + gradient.astype(np.float64) + RECIPE.weight_decay * weights[name]
            limit = (high_S - low_S) / scales[name]
            wanted_S = np.clip(weights[name] - rate * speed[name], -limit, limit) * scales[name]
            plus, minus = pairs[name]
            for at in np.ndindex(wanted_S.shape):
                reached = slow(plus[at], minus[at], wanted_S[at], low_S, high_S)
                plus[at], minus[at] = (np.rint(g_S / grid_S) * grid_S for g_S in reached)
    return pairs


@pytest.mark.parametrize("realisation, slow", [("pair", slow_pair), ("one", slow_one)])
def test_learning_is_descent_from_what_the_cells_hold(realisation, slow):
    data, learner = StripeData(), plain(updates=3, realisation=realisation)
    expected = slow_learning(learner, data, 3, slow)
    before = pairs_of(learner)
    learner.epoch(data)
    for name, pair in pairs_of(learner).items():
        moved = np.abs(np.subtract(pair, before[name])).max()
        difference, wanted = (plus - minus for plus, minus in (pair, expected[name]))
        assert moved > 20 * QUIET.grid_S
        assert np.quantile(np.abs(difference - wanted), 0.99) <= 4 * QUIET.grid_S, name
        assert np.abs(difference - wanted).max() < 0.1 * moved, name


def test_the_budget_pays_for_whole_updates_and_learning_ends_with_the_last():
    data, learner = StripeData(), plain(updates=18)
    per_epoch = data.steps_per_epoch(RECIPE)
    rows = []
    while not learner.finished:
        rows.append(learner.epoch(data))
    assert per_epoch == 15 and len(rows) == 2 and learner.steps == learner.spent_at_step == 18
    pulses = [row["set_pulses"] + row["reset_pulses"] for row in rows]
    assert WEIGHTS * 15 <= pulses[0] < 1.1 * WEIGHTS * 15 and WEIGHTS * 3 <= pulses[1] < 1.1 * WEIGHTS * 3
    assert all(np.isfinite(row["loss"]) and row["loss"] < 3 for row in rows)  # means over the steps that were taken
    free = plain()
    free.epoch(data)
    assert not free.finished and free.steps == 15 and free.spent_at_step is None
    assert free.history[0]["loss"] == rows[0]["loss"]


def test_a_budget_below_one_update_is_refused():
    with pytest.raises(ConfigError, match=f"one update of the {WEIGHTS} weights is the least"):
        plain(updates=0)


def test_errors_of_writes_add_up():
    """A step of the descent of size 0: after n updates the pairs have walked sqrt(n) errors of one write."""
    learner = plain(error=0.02)
    still = {name: np.zeros(shape, np.float32) for name, shape in matrices(learner.network)}
    learner.recipe = replace(RECIPE, weight_decay=0.0)
    start, walked = pairs_of(learner)["fc1"], []
    for step in range(16):
        learner.update({name: array.copy() for name, array in still.items()}, 0.1)
        if step in (0, 15):
            walked.append(np.std(np.subtract(*pairs_of(learner)["fc1"]) - np.subtract(*start)))
    assert walked[1] / walked[0] == pytest.approx(4, rel=0.25)


def test_one_cell_holds_each_weight_and_the_other_is_off():
    learner = plain(realisation="one", updates=5)
    learner.epoch(StripeData())
    off_S = QUIET.highest_hrs_S(4)
    for plus, minus in pairs_of(learner).values():
        assert np.mean(np.minimum(plus, minus) < off_S) > 0.98  # a weight near 0 has two


def test_the_cell_that_is_on_at_first_is_drawn_by_the_seed():
    for seed in (0, 3):
        chip = tiny_chip(tiny_recipe(level="cell"), model=QUIET)
        learner = PlainLearner(
            tiny_network(), chip, recipe=replace(RECIPE, seed=seed), writing=Writing(0.0, realisation="one")
        )
        for name, sign in draw_signs(seed, chip.placement).items():
            plus, minus = pairs_of(learner)[name]
            assert np.mean((plus > minus) == sign) > 0.99  # but for cells that did not form


def test_it_resumes_bit_for_bit():
    data = StripeData()
    whole, half = plain(error=0.05, model=TAOX_40NM), plain(error=0.05, model=TAOX_40NM)
    whole.epoch(data), whole.epoch(data)
    half.epoch(data)
    again = plain(error=0.05, model=TAOX_40NM)
    again.restore(half.checkpoint())
    again.epoch(data)
    assert again.steps == whole.steps
    for name, pair in pairs_of(whole).items():
        assert np.array_equal(pair, pairs_of(again)[name])


siemens = st.floats(1e-6, 1.9e-5)


@given(siemens, siemens, st.floats(-1.7e-5, 1.7e-5))
def test_targets_beside_the_rules_by_hand(plus_S, minus_S, wanted_S):
    present_S, wanted = np.array([[plus_S], [minus_S]]), np.array([wanted_S])
    for targets, slow in ((pair_targets, slow_pair), (one_cell_targets, slow_one)):
        target_S, cells = targets(present_S, wanted, low_S=1e-6, high_S=1.9e-5)
        reached = np.where(cells, target_S, present_S)[:, 0]
        np.testing.assert_allclose(reached, slow(plus_S, minus_S, wanted_S, 1e-6, 1.9e-5), rtol=0, atol=1e-13)


def test_what_the_chip_alone_remembers_has_no_threshold_and_no_interval():
    for wrong in ({"interval": 2}, {"threshold_S": 1e-6}, {"budget_steps": 5}):
        with pytest.raises(ConfigError, match="written whole at each step"):
            Writing(realisation="pair", **wrong)
    with pytest.raises(ConfigError, match="realisation is 'both'"):
        Writing(realisation="both")

"""Learning behind wires: the gradient that reaches scores is that of the model, and runs go on bit for bit."""

import numpy as np
import pytest

from minirram.chip.dead_lines import ChipLines
from minirram.crossbar.wires import Wires, attenuated_S, transfer_S
from minirram.learn.mask_learner import MaskLearner

from ..support.tiny import StripeData, tiny_chip, tiny_network, tiny_recipe
from .test_mask_learner import assert_same, run

LINES = ChipLines(rows=82, pairs=24, dead_rows=((0, 3),))
WIRES = Wires(60.0, 40.0)
WAYS = ("straight", "reduced", "exact")


def wired_learner(way, wires=WIRES, **changes):
    recipe = tiny_recipe(wire_gradient=way, **changes)
    return MaskLearner(tiny_network(), tiny_chip(recipe, lines=LINES), recipe=recipe, wires=wires)


def seen_S(way, array_S):
    if way == "reduced":
        return attenuated_S(array_S, WIRES, tolerance=1e-9)
    return transfer_S(array_S, WIRES, rows=slice(None), cols=slice(None), tolerance=1e-9, threads=1)


@pytest.mark.parametrize("level", ["pair", "cell"])
@pytest.mark.parametrize("way", WAYS[1:])
def test_scores_get_the_gradient_of_the_model(way, level):
    """Per matrix against differences when the cells of a tenth of its connections change; up to one common factor."""
    learner = wired_learner(way, level=level)
    learner.apply_wires()
    generator, chip = np.random.default_rng(7), learner.chip
    d_weights = {
        name: generator.standard_normal(shape).astype(np.float32) / 100 for name, shape in chip.placement.shapes
    }
    found = learner._through_wires(dict(d_weights))
    array_S = chip.physical(chip.conductance_S())

    def loss(change_S):
        cells = np.stack([seen_S(way, one) for one in array_S + chip.physical(change_S)])
        cells = np.stack([macro.in_use(one) for macro, one in zip(chip.macros, cells)])
        seen = {name: chip.placement.gather(name, cells) for name in d_weights}
        return sum(
            float((d_weights[name] * (seen[name][0] - seen[name][1])).sum()) / learner.scales_S[name] for name in seen
        )

    for name, gradient in found.items():
        assert gradient.dtype == np.float32 and gradient.shape == learner.masks[name].shape
        per_connection = gradient * learner.kept[name]
        assert np.linalg.norm(per_connection) == pytest.approx(
            np.linalg.norm(d_weights[name] * learner.kept[name]), rel=1e-4
        )
        factors = []
        for _ in range(3):
            # A step along the gradient, of some connections: the conductance that each has when kept, scaled.
            step = per_connection * (generator.random(gradient.shape) < 0.5)
            own = 1e-3 * step * np.abs(learner.kept[name]) * learner.scales_S[name] / np.abs(per_connection).max()
            if level == "pair":
                plus, minus = own * learner.signs[name], own * ~learner.signs[name]
            else:
                plus, minus = own
            change_S = np.zeros(chip.used.shape)
            chip.placement.scatter(name, (plus, minus), cells=change_S)
            difference = (loss(change_S) - loss(-change_S)) / 2
            signed = np.where(learner.signs[name], own, -own) if level == "pair" else np.stack([own[0], -own[1]])
            factors.append(difference / float((gradient * signed).sum()))
        assert min(factors) > 0 and max(factors) < 1.03 * min(factors), name


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_goes_on_is_bit_identical(way):
    data = StripeData()
    whole, half, resumed = (wired_learner(way, wire_steps=4) for _ in range(3))
    run(whole, 2, data)
    resumed.restore(run(half, 1, data).checkpoint())
    run(resumed, 1, data)
    assert_same(whole, resumed)


@pytest.mark.parametrize("steps, solves", [(None, 1), (4, 1 + 15 // 4)])
def test_wires_are_solved_at_the_start_of_an_epoch_and_every_so_many_steps(steps, solves):
    learner = wired_learner("reduced", wire_steps=steps)
    run(learner, 1, StripeData())  # 15 steps
    assert learner.chip._solves == solves


def test_without_wires_the_gradient_stays():
    """As it was before there was a choice, and where lines have no resistance."""
    learners = [wired_learner(way, wires) for way, wires in (("straight", None), ("reduced", Wires(0.0, 0.0)))]
    for learner in learners:
        learner.apply_wires()
    gradients = {name: np.float32(1e-3) * kept for name, kept in learners[0].kept.items()}
    for name, found in learners[1]._through_wires(gradients).items():
        assert np.allclose(found, gradients[name], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_masks_learn_behind_wires(way):
    data, learner = StripeData(), wired_learner(way, epochs=6, wire_steps=5)
    learner.apply_wires()
    before = data.validation_score(learner.predict)
    run(learner, 6, data)
    assert learner.best.validation > 0.9 > before + 0.2

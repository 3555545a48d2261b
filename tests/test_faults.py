"""Stuck cells: reading finds them, signs avoid them."""

from dataclasses import replace

import numpy as np
import pytest

from minirram.chip import draw_signs
from minirram.faults import Faults, find_faults, masks_around, on_border_S, signs_around
from minirram.rng import stream
from minirram.technologies import TAOX_40NM

from .tiny import StripeData, tiny_chip, tiny_learner, tiny_recipe

FAULTY = replace(TAOX_40NM, stuck_lrs=0.03, stuck_hrs=0.03)


def test_reading_finds_the_stuck_cells():
    """All but the four in 100,000 that lie beyond the border of their state (3.9 standard deviations)."""
    chip = tiny_chip(tiny_recipe(), model=FAULTY)
    before = chip.conductance_S()
    faults = find_faults(chip, stream(0, "faults"))
    stuck = np.stack([macro.stuck for macro in chip.macros]) & chip.used
    on = np.stack([macro.on for macro in chip.macros])
    formed = np.stack([macro.formed for macro in chip.macros])
    assert np.count_nonzero(faults.never_off != (stuck & on)) <= 1
    assert np.count_nonzero(faults.never_on != (chip.used & ((stuck & ~on) | ~formed))) <= 1
    assert faults.never_on.sum() > 20 and faults.never_off.sum() > 20
    np.testing.assert_allclose(chip.conductance_S(), before, rtol=0.01, atol=0)
    assert chip.pulses["set"] == chip.pulses["reset"] == 0


def test_the_border_lies_between_the_states():
    border_S = on_border_S(TAOX_40NM)
    above = np.log(border_S / TAOX_40NM.hrs_median_S) / TAOX_40NM.hrs_sigma_ln
    below = np.log(TAOX_40NM.lrs_median_S / border_S) / TAOX_40NM.lrs_sigma_ln
    assert above == pytest.approx(below) and above > 3.5
    same = replace(TAOX_40NM, hrs_sigma_ln=0.0, lrs_sigma_ln=0.0)
    assert on_border_S(same) == pytest.approx(np.sqrt(same.hrs_median_S * same.lrs_median_S))


def random_faults(chip, share):
    generator = np.random.default_rng(0)
    fate = generator.random(chip.used.shape)
    return Faults(fate < share, fate > 1 - share)


def test_signs_by_a_loop_over_pairs():
    chip = tiny_chip(tiny_recipe())
    faults = random_faults(chip, 0.2)
    signs = draw_signs(0, chip.placement)
    around = signs_around(signs, faults, chip.placement)
    for name, sign in signs.items():
        plus, minus = chip.placement.gather(name, faults.never_on | faults.never_off)
        for at in np.ndindex(sign.shape):
            expected = sign[at] if plus[at] == minus[at] else minus[at]
            assert around[name][at] == expected
    assert any((around[name] != sign).any() for name, sign in signs.items())


def test_carried_masks_give_the_nearest_weights():
    """With cells of one conductance, each changed pair gets the weight of its old mask, or 0 if it cannot."""
    chip = tiny_chip(tiny_recipe())
    faults, placement = random_faults(chip, 0.2), chip.placement
    drawn, generator = draw_signs(0, placement), np.random.default_rng(1)
    signs = signs_around(drawn, faults, placement)
    masks = {name: generator.random(sign.shape) < 0.5 for name, sign in drawn.items()}
    scores = {
        name: (generator.choice([-1, 1], mask.shape) * (generator.random(mask.shape) + mask)).astype(np.float32)
        for name, mask in masks.items()
    }
    new_masks, new_scores = masks_around(masks, scores, signs, drawn, faults, placement)
    for name, mask in masks.items():
        (plus_dead, minus_dead), (plus_on, minus_on) = (placement.gather(name, cells) for cells in faults)
        changed = signs[name] != drawn[name]
        assert changed.any()
        assert np.array_equal(new_masks[name][~changed], mask[~changed])
        assert np.array_equal(new_scores[name][~changed], scores[name][~changed])
        assert np.array_equal(np.abs(new_scores[name]) >= 1, new_masks[name])
        for at in zip(*np.nonzero(changed)):
            plus = plus_on[at] or (new_masks[name][at] and signs[name][at] and not plus_dead[at])
            minus = minus_on[at] or (new_masks[name][at] and not signs[name][at] and not minus_dead[at])
            old = int(mask[at]) * (1 if drawn[name][at] else -1)
            dead = plus_dead[at] or minus_dead[at]
            assert int(plus) - int(minus) == (0 if dead else old)


@pytest.mark.parametrize("level", ["pair", "cell"])
def test_learning_goes_around_known_faults(level):
    recipe = tiny_recipe(level=level)
    learner = tiny_learner(model=FAULTY, level=level, faults=find_faults(tiny_chip(recipe, model=FAULTY), stream(0)))
    data = StripeData()
    for _ in range(4):
        learner.epoch(data)
    assert learner.best["validation"] > 0.85
    if level == "pair":
        for name, sign in learner.signs.items():
            on, off = (learner.chip.placement.gather(name, cells) for cells in learner.faults)
            plus, minus = on[0] | off[0], on[1] | off[1]
            assert not (np.where(sign, plus, minus) & ~(plus & minus)).any()

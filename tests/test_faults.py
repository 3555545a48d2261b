"""Stuck cells: reading finds them, signs avoid them."""

from dataclasses import replace

import numpy as np
import pytest

from minirram.chip import draw_signs
from minirram.faults import Faults, find_faults, on_border_S, signs_around
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


def test_signs_by_a_loop_over_pairs():
    chip = tiny_chip(tiny_recipe())
    generator = np.random.default_rng(0)
    never_on, never_off = (generator.random(chip.used.shape) < 0.3 for _ in range(2))
    signs = draw_signs(0, chip.placement)
    around = signs_around(signs, Faults(never_on, never_off), chip.placement)
    for name, sign in signs.items():
        on, off = (chip.placement.gather(name, cells) for cells in (never_on, never_off))
        for at in np.ndindex(sign.shape):
            plus, minus = on[1][at] or off[0][at], on[0][at] or off[1][at]
            assert around[name][at] == (sign[at] if plus == minus else plus)


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
            kept_is_dead = np.where(sign, on[0], on[1])
            both_dead = on[0] & on[1] | (on[0] & off[0]) | (on[1] & off[1])
            conflict = (on[0] | off[1]) & (on[1] | off[0])
            assert not (kept_is_dead & ~both_dead & ~conflict).any()

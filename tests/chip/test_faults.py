"""Stuck cells: reading finds them, signs and bits avoid them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.chip.faults import Faults, Forced, find_faults, forced_bits, masks_around, signs_around
from minirram.chip.levels import draw_signs
from minirram.device.presets import TAOX_40NM
from minirram.device.thresholds import on_border_S
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.pruning import kept_count, top_mask
from minirram.rng import stream

from ..support.tiny import StripeData, tiny_chip, tiny_learner, tiny_network, tiny_recipe

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


@pytest.mark.parametrize("level", ["pair", "cell"])
def test_every_write_of_a_cell_is_booked(level):
    """Writes of cells against pulses of the chip, through the search for stuck cells and a training."""
    chip = tiny_chip(tiny_recipe(level=level), model=FAULTY)
    faults = find_faults(chip, stream(0, "faults"))
    used = np.count_nonzero(chip.used)
    assert chip.pulses["probe_reset"] == chip.pulses["probe_set"] == used
    learner = MaskLearner(tiny_network(), chip, recipe=tiny_recipe(level=level), faults=faults)
    learner.epoch(StripeData())
    pulses = {kind: count for kind, count in chip.pulses.items() if kind != "form"}
    assert sum(int(macro.writes.sum()) for macro in chip.macros) == sum(pulses.values())
    assert learner.history[0]["set_pulses"] + learner.history[0]["reset_pulses"] < pulses["set"] + pulses["reset"]


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
    around = signs_around(signs, faults, placement=chip.placement)
    for name, sign in signs.items():
        plus, minus = chip.placement.gather(name, faults.never_on | faults.never_off)
        for at in np.ndindex(sign.shape):
            expected = sign[at] if plus[at] == minus[at] else minus[at]
            assert around[name][at] == expected
    assert any((around[name] != sign).any() for name, sign in signs.items())


def weight(kept, sign, plus, minus):
    """Of a pair, in units of one cell; plus, minus: (never off, never on) of the two."""
    plus_on = plus[0] or (kept and sign and not plus[1])
    minus_on = minus[0] or (kept and not sign and not minus[1])
    return int(plus_on) - int(minus_on)


def test_carried_masks_give_the_nearest_weights():
    """With cells of one conductance, each pair with one stuck cell gets, of its two weights, the one nearest to that
    of its old mask; the others keep their masks."""
    chip = tiny_chip(tiny_recipe())
    faults, placement = random_faults(chip, 0.2), chip.placement
    drawn, generator = draw_signs(0, placement), np.random.default_rng(1)
    signs = signs_around(drawn, faults, placement=placement)
    masks = {name: generator.random(sign.shape) < 0.5 for name, sign in drawn.items()}
    scores = {
        name: (generator.choice([-1, 1], mask.shape) * (generator.random(mask.shape) + mask)).astype(np.float32)
        for name, mask in masks.items()
    }
    new_masks, new_scores = masks_around(masks, scores, signs=signs, drawn=drawn, faults=faults, placement=placement)
    seen = set()
    for name, mask in masks.items():
        (plus_dead, minus_dead), (plus_on, minus_on) = (placement.gather(name, cells) for cells in faults)
        assert np.array_equal(np.abs(new_scores[name]) >= 1, new_masks[name])
        assert np.array_equal(np.sign(new_scores[name]), np.sign(scores[name]))
        for at in np.ndindex(mask.shape):
            stuck = plus_dead[at] or plus_on[at], minus_dead[at] or minus_on[at]
            if stuck[0] == stuck[1]:
                assert new_masks[name][at] == mask[at] and new_scores[name][at] == scores[name][at]
                continue
            old = int(mask[at]) * (1 if drawn[name][at] else -1)
            cells = (plus_on[at], plus_dead[at]), (minus_on[at], minus_dead[at])
            off = [abs(weight(kept, signs[name][at], *cells) - old) for kept in (False, True)]
            assert off[int(new_masks[name][at])] == min(off)
            seen.add((bool(plus_on[at] or minus_on[at]), bool(signs[name][at] != drawn[name][at]), old))
    assert len(seen) == 2 * 2 * 3  # on or off, sign changed or not, any old weight


def test_known_faults_leave_the_weights_nearer_to_those_learned():
    """Squared distance from the weights at home, over all pairs: half of what it is when nobody knows."""
    home, model = tiny_learner(), replace(TAOX_40NM, stuck_lrs=0.1, stuck_hrs=0.1)
    wanted = home.read_weights()
    off = []
    for faults in (None, find_faults(tiny_chip(tiny_recipe(), model=model), stream(0))):
        learner, masks, scores = tiny_learner(model=model, faults=faults), home.masks, home.scores
        if faults is not None:
            masks, scores = masks_around(
                masks,
                scores,
                signs=learner.signs,
                drawn=home.signs,
                faults=faults,
                placement=home.chip.placement,
            )
        learner.learn_on_from(scores)
        learner.adopt(replace(home.learned(), groups={"masks": masks}))
        got = learner.read_weights()
        off.append(sum(float(np.sum((got[name] - wanted[name]) ** 2)) for name in wanted))
    assert 0 < off[1] < 0.65 * off[0]


def test_layers_that_keep_all_or_nothing_are_carried_over():
    chip = tiny_chip(tiny_recipe())
    faults, drawn = random_faults(chip, 0.2), draw_signs(0, chip.placement)
    signs = signs_around(drawn, faults, placement=chip.placement)
    for kept in (False, True):
        masks = {name: np.full(sign.shape, kept) for name, sign in drawn.items()}
        scores = {name: np.ones(sign.shape, np.float32) for name, sign in drawn.items()}
        new_masks, new_scores = masks_around(
            masks, scores, signs=signs, drawn=drawn, faults=faults, placement=chip.placement
        )
        for name, mask in new_masks.items():
            assert np.isfinite(new_scores[name]).all() and mask.any() and not mask.all()


def test_forced_bits_by_a_loop_over_cells():
    chip = tiny_chip(tiny_recipe(level="cell"))
    faults = random_faults(chip, 0.2)
    for name, forced in forced_bits(faults, chip.placement).items():
        on, off = (chip.placement.gather(name, cells) for cells in (faults.never_off, faults.never_on))
        for at in np.ndindex(forced.kept.shape):
            assert forced.kept[at] == on[at[0]][at[1:]] and forced.pruned[at] == off[at[0]][at[1:]]
        assert forced.kept.shape == (2,) + chip.placement.shape(name)


@given(st.integers(0, 99), st.floats(0.1, 0.9), st.floats(0, 0.5), st.floats(0, 0.5))
def test_the_best_of_the_free_bits_beside_forced_ones(seed, density, on_share, off_share):
    generator = np.random.default_rng(seed)
    scores = generator.standard_normal((2, 6, 5)).astype(np.float32)
    fate = generator.random(scores.shape)
    forced = Forced(fate < on_share, fate > 1 - off_share)
    mask = forced.on(top_mask(forced.among(scores), density))
    assert mask[forced.kept].all() and not mask[forced.pruned].any()
    free = ~forced.kept & ~forced.pruned
    wanted = kept_count(density, mask.size) - np.count_nonzero(forced.kept)
    best = np.sort(np.abs(scores[free]))[::-1][: max(wanted, 0)]
    assert np.array_equal(np.sort(np.abs(scores[free & mask]))[::-1], best)


@pytest.mark.parametrize("level", ["pair", "cell"])
def test_learning_goes_around_known_faults(level):
    recipe = tiny_recipe(level=level)
    learner = tiny_learner(model=FAULTY, level=level, faults=find_faults(tiny_chip(recipe, model=FAULTY), stream(0)))
    data = StripeData()
    for _ in range(4):
        learner.epoch(data)
    assert learner.best.validation > 0.85
    if level == "pair":
        for name, sign in learner.signs.items():
            on, off = (learner.chip.placement.gather(name, cells) for cells in learner.faults)
            plus, minus = on[0] | off[0], on[1] | off[1]
            assert not (np.where(sign, plus, minus) & ~(plus & minus)).any()


def test_masks_at_cell_level_say_what_the_chip_does_once_its_faults_are_known():
    """Without that knowledge, bits are spent on cells that do not answer; with it, every bit of a mask holds."""
    found = find_faults(tiny_chip(tiny_recipe(level="cell"), model=FAULTY), stream(0))
    at_odds = {}
    for faults in (None, found):
        learner = tiny_learner(model=FAULTY, level="cell", faults=faults)
        counts = []
        for _ in range(2):
            learner.epoch(StripeData())
            on = np.stack([macro.on & macro.formed for macro in learner.chip.macros]) & learner.chip.used
            counts.append(np.count_nonzero(on != learner.chip.wanted_on(learner.masks, learner.signs)))
        at_odds[faults is not None] = counts
        kept = {name: np.count_nonzero(mask) / mask.size for name, mask in learner.masks.items()}
        assert all(abs(share - 0.5) < 0.1 for share in kept.values())
    assert max(at_odds[True]) <= 1 and min(at_odds[False]) > 20  # 1: see the first test

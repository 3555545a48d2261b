"""Half-formed chips: signs and masks follow what formed."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram.chip.chip import Chip
from minirram.chip.counts import line_names, unformed_lines
from minirram.chip.forming import free_to_keep, half_formed, unformed
from minirram.chip.levels import draw_signs
from minirram.device.presets import TAOX_40NM
from minirram.learn.pruning import top_mask_among
from minirram.nn.network import matrices

from ..support.dead_lines import chip_lines
from ..support.tiny import StripeData, tiny_learner, tiny_network

shares = st.sampled_from([0.3, 0.493, 0.7, 0.95])


@settings(max_examples=8)
@given(shares, st.integers(0, 9))
def test_signs_follow_what_formed_by_a_loop_over_pairs(share, seed):
    learner = tiny_learner(formed_share=share, chip_seed=seed)
    placement, formed, given_signs = learner.chip.placement, learner.chip.formed(), 0
    drawn = draw_signs(0, placement)
    for name in placement.names:
        plus, minus = placement.gather(name, formed)
        for place in np.ndindex(plus.shape):
            if plus[place] != minus[place]:
                assert learner.signs[name][place] == plus[place]
                given_signs += 1
            else:
                assert learner.signs[name][place] == drawn[name][place]
            assert learner.free[name][place] == (plus[place] or minus[place])
    assert learner.signs_given() == given_signs > 0


@given(st.integers(0, 20), st.floats(0.1, 0.9), st.floats(0.05, 0.95))
def test_a_mask_takes_the_best_of_the_free_connections(seed, density, free_share):
    generator = np.random.default_rng(seed)
    scores, free = generator.normal(size=(9, 14)).astype(np.float32), generator.random((9, 14)) < free_share
    mask = top_mask_among(scores, density, free=free)
    ranked = sorted(np.abs(scores[free]).tolist(), reverse=True)[: round(density * int(free.sum()))]
    assert sorted(np.abs(scores[mask]).tolist(), reverse=True) == ranked and not (mask & ~free).any()


def test_a_wholly_formed_chip_has_drawn_signs_and_all_connections():
    learner = tiny_learner()
    assert not half_formed(learner.chip) and not learner.free and "follows_forming" not in learner.checkpoint()
    drawn = draw_signs(0, learner.chip.placement)
    assert all(np.array_equal(learner.signs[name], drawn[name]) for name in drawn)


@pytest.mark.parametrize("level", ["pair", "cell"])
def test_learning_keeps_formed_cells_alone_and_resumes_to_the_bit(level):
    changes, data = dict(formed_share=0.5, level=level), StripeData()
    learner = tiny_learner(**changes)
    learner.epoch(data)
    kept = learner.checkpoint()
    copied = {name: np.array(array) for name, array in kept.items()}
    learner.epoch(data)
    wanted = learner.chip.wanted_on(learner.masks, learner.signs)
    assert not (wanted & unformed(learner.chip).never_on).any() and wanted.sum() > 100
    free = sum(int(np.count_nonzero(free)) for free in free_to_keep(learner.chip, learner.signs).values())
    assert wanted.sum() == pytest.approx(0.5 * free, rel=0.1)
    again = tiny_learner(**changes)
    again.restore(copied)
    again.epoch(data)
    assert all(np.array_equal(again.masks[name], learner.masks[name]) for name in again.masks)


def test_a_run_resumed_from_before_signs_followed_keeps_its_drawn_signs():
    learner = tiny_learner(formed_share=0.8)
    arrays = {name: np.array(array) for name, array in learner.checkpoint().items() if name != "follows_forming"}
    learner.restore(arrays)
    drawn = draw_signs(0, learner.chip.placement)
    assert not learner.free and all(np.array_equal(learner.signs[name], drawn[name]) for name in drawn)


@settings(max_examples=10)
@given(chip_lines(), st.integers(0, 9))
def test_lines_in_use_without_a_formed_cell_are_found_by_a_loop_over_lines(lines, seed):
    generator, shape = np.random.default_rng(seed), (lines.rows, 2 * lines.pairs)
    maps_S = generator.lognormal(np.log(12e-6), 0.2, (12, *shape))
    maps_S *= (generator.random((12, shape[0], 1)) < 0.8) * (generator.random((12, 1, shape[1])) < 0.8)
    shapes = matrices(tiny_network())
    chip = Chip.from_maps(TAOX_40NM, list(maps_S), shapes=shapes, level="pair", seed=0, lines=lines)
    used, formed = chip.physical(chip.used), chip.physical(chip.formed())
    expected = set()
    for macro in range(len(used)):
        for row in range(shape[0]):
            if used[macro, row].any() and not formed[macro, row].any():
                expected.add((macro, "row", row))
        for col in range(shape[1]):
            if used[macro, :, col].any() and not formed[macro, :, col].any():
                expected.add((macro, "column", col))
    found = unformed_lines(chip)
    assert {(one.macro, one.line, one.number) for one in found} == expected and len(found) == len(expected)
    told = line_names(found)
    for macro, line, number in expected:
        group = next(part for part in told.split("; ") if re.match(rf"{line}s? .* of macro {macro}$", part))
        spans = [list(map(int, span.split(" to "))) for span in re.findall("[0-9]+ to [0-9]+|[0-9]+", group[:-2])]
        assert any(span[0] <= number <= span[-1] for span in spans)

"""Weight optimisation on a chip with dead cells: the cell that still answers carries the whole weight."""

from dataclasses import replace

import numpy as np

from minirram.device.presets import TAOX_40NM
from minirram.learn.written_weights import WriteLearner, Writing

from ..support.tiny import StripeData, tiny_chip, tiny_network, tiny_recipe


def test_the_cell_that_answers_makes_up_for_the_one_that_does_not():
    recipe, network, data = tiny_recipe(level="cell", seed=2), tiny_network(), StripeData()
    chip = tiny_chip(recipe, model=replace(TAOX_40NM, stuck_lrs=0.05, stuck_hrs=0.05))
    learner = WriteLearner(network, chip, recipe=recipe, writing=Writing(0.0, 0.0))
    for _ in range(4):
        learner.step(data.codes[:20], data.labels[:20], weight=None, rate=0.05)
    low_S, high_S = learner.range_S
    alone = 0
    for name, wanted in learner.wanted.items():
        plus_S, minus_S = (grid.astype(np.float64) * chip.cell_model.grid_S for grid in chip.pair_grid(name))
        plus, minus = learner.answers[name].reshape((2,) + wanted.shape)
        wanted_S = wanted.astype(np.float64) * learner.scales_S[name]
        for answers, cell_S, expected_S in (
            (plus & ~minus, plus_S, minus_S + wanted_S),
            (minus & ~plus, minus_S, plus_S - wanted_S),
        ):
            alone += np.count_nonzero(answers)
            difference_S = np.abs(cell_S - np.clip(expected_S, low_S, high_S))[answers]
            assert (difference_S < 0.02e-6).all(), name  # of targets of up to 19 uS
    assert alone > 50

"""Masks that are held: no bit flips before its score crosses the border of the masks that the chip has."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines
from minirram.device.presets import technology
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.recipe import Recipe
from minirram.nn.network import matrices

from ..support.options import SMALL

NETWORK = SMALL["fashion-mnist"]
SMALL_MACROS = ChipLines(rows=64, pairs=32)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 99), level=st.sampled_from(["pair", "cell"]), density=st.floats(0, 1))
def test_no_bit_flips_until_a_score_crosses_the_border(seed, level, density):
    """The masks are any, of any kept share; of scores moved by less than the margin none flips, then exactly those."""
    generator = np.random.default_rng(seed)
    chip = Chip.sample(technology("taox-40nm"), matrices(NETWORK), level=level, seed=1, lines=SMALL_MACROS)
    chip.form(4.0)
    learner = MaskLearner(NETWORK, chip, recipe=Recipe(level=level, hysteresis=0.0, hysteresis_end=0.0))
    masks = {name: generator.random(mask.shape) < density for name, mask in learner.masks.items()}
    learner.masks = {name: mask.copy() for name, mask in masks.items()}
    learner.hold_masks()
    for name, mask in masks.items():
        assert np.array_equal(learner._best_mask(name), mask)
        learner.scores[name] *= np.float32(1.01)
        assert np.array_equal(learner._best_mask(name), mask)
        turned = (generator.random(mask.shape) < 0.1) & np.isfinite(learner.borders[name])
        scores, border = learner.scores[name], learner.borders[name]
        scores[turned] = np.where(mask[turned], 0.5 * border, 2 * border) * np.sign(scores[turned])
        assert np.array_equal(learner._best_mask(name) != mask, turned)

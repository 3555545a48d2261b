"""Blocks: every element once, written in place, and the bits of the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.learn.optim import sgd_step
from minirram.learn.pruning import score_gradient, steady_mask
from minirram.nn import blocks as module
from minirram.nn.blocks import blocks


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    before, module.BLOCK = module.BLOCK, 7
    yield
    module.BLOCK = before


@given(st.integers(1, 6), st.integers(1, 6))
def test_blocks_are_views_of_every_element_once(rows, cols):
    seen, other = np.zeros((rows, cols), int), np.arange(rows * cols).reshape(rows, cols)
    found = []
    for part, values in blocks(seen, other):
        part += 1
        assert part.size <= 7
        found.extend(values.ravel())
    assert (seen == 1).all() and found == list(range(rows * cols))


def test_an_array_with_gaps_comes_whole():
    wide = np.zeros((8, 8))
    assert [parts[0].shape for parts in blocks(wide[:, ::2], wide[:, 1::2])] == [(8, 4)]
    for (part,) in blocks(wide[:, ::2]):
        part += 1
    assert (wide[:, ::2] == 1).all() and not wide[:, 1::2].any()


@given(st.integers(0, 2**32 - 1))
def test_learning_in_blocks_has_the_bits_of_the_whole(seed):
    generator = np.random.default_rng(seed)
    scores, old, weights, gradient, velocity = generator.standard_normal((5, 5, 9)).astype(np.float32)
    wanted, before = generator.random((2, 5, 9)) < 0.5
    dscores = score_gradient(gradient, weights, scores=scores)
    assert np.array_equal(dscores, gradient * weights * np.sign(scores))
    moved, expected_velocity, rate = scores.copy(), velocity * np.float32(0.9), np.float32(0.1)
    expected_velocity += dscores + np.float32(0.01) * scores
    sgd_step(moved, velocity, gradient=dscores, rate=0.1, momentum=0.9, weight_decay=0.01)
    assert np.array_equal(velocity, expected_velocity) and np.array_equal(moved, scores - rate * velocity)
    may_flip = np.abs(np.abs(scores) - np.abs(old)) >= np.float32(0.3) * np.abs(old)
    found = steady_mask(wanted, before, scores=scores, old_scores=old, limit=0.3)
    assert np.array_equal(found, np.where(may_flip, wanted, before))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_both_cells_of_a_pair_learn_from_the_gradient_of_their_weight(seed, fan_in, fan_out):
    """At cell level scores and weights have an axis more than the gradient, below and above the size of a block."""
    generator = np.random.default_rng(seed)
    scores, weights = generator.standard_normal((2, 2, fan_in, fan_out)).astype(np.float32)
    gradient = generator.standard_normal((fan_in, fan_out)).astype(np.float32)
    found = score_gradient(gradient, weights, scores=scores)
    assert found.dtype == np.float32 and np.array_equal(found, gradient * weights * np.sign(scores))

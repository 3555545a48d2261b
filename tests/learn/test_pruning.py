"""Masks: exact kept fraction, ties by index, hysteresis as a loop, the straight-through rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minirram.errors import ConfigError
from minirram.learn.pruning import (
    initial_scores,
    initial_size,
    kept_count,
    score_gradient,
    steady_mask,
    to_score_size,
    top_mask,
)
from minirram.rng import stream

quarters = st.integers(-4, 4).map(lambda k: np.float32(k / 4))
score_arrays = hnp.arrays(np.float32, hnp.array_shapes(max_dims=2, max_side=12), elements=quarters)
densities = st.floats(0.01, 0.99)


def top_mask_by_sorting(scores, density):
    flat = np.abs(scores).ravel()
    order = sorted(range(flat.size), key=lambda k: (-flat[k], k))
    mask = np.zeros(flat.size, bool)
    mask[order[: round(density * flat.size)]] = True
    return mask.reshape(scores.shape)


@given(score_arrays, densities)
def test_top_mask_is_the_sorted_choice(scores, density):
    mask = top_mask(scores, density)
    assert np.array_equal(mask, top_mask_by_sorting(scores, density))
    assert np.count_nonzero(mask) == kept_count(density, scores.size)


def test_kept_count_rounds():
    assert kept_count(0.9, 10) == 9
    assert kept_count(1 - 0.9, 10) == 1  # int() would give 0


@pytest.mark.parametrize("density", [0, 1, 1.5, -0.1, float("nan")])
def test_density_out_of_range(density):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        kept_count(density, 10)


@given(st.data(), st.floats(0, 0.5))
def test_hysteresis_is_the_loop(data, limit):
    scores = data.draw(score_arrays)
    same_shape = {"shape": scores.shape, "elements": st.booleans(), "dtype": bool}
    wanted, old_mask = data.draw(hnp.arrays(**same_shape)), data.draw(hnp.arrays(**same_shape))
    old_scores = data.draw(hnp.arrays(np.float32, scores.shape, elements=quarters))
    got = steady_mask(wanted, old_mask, scores=scores, old_scores=old_scores, limit=limit)
    for index in np.ndindex(*scores.shape):
        old, new = abs(old_scores[index]), abs(scores[index])
        may_change = abs(old - new) >= np.float32(limit) * old
        assert got[index] == (wanted[index] if may_change else old_mask[index])


def test_limit_zero_changes_nothing():
    generator = np.random.default_rng(0)
    scores, old = generator.normal(size=(2, 50)).astype(np.float32)
    wanted = generator.random(50) < 0.5
    assert np.array_equal(steady_mask(wanted, ~wanted, scores=scores, old_scores=old, limit=0.0), wanted)


def test_straight_through_rule():
    """d_score = dW w sign(s); for a real-valued mask m(s) = |s| it is the true derivative of the loss."""
    generator = np.random.default_rng(1)
    scores, weights, x = generator.normal(size=(3, 7))
    gradient = score_gradient(x, weights, scores=scores)
    assert np.array_equal(gradient, x * weights * np.sign(scores))
    step = 1e-6
    for k in range(7):
        up, down = scores.copy(), scores.copy()
        up[k] += step
        down[k] -= step
        slope = (x @ (weights * np.abs(up)) - x @ (weights * np.abs(down))) / (2 * step)
        assert slope == pytest.approx(gradient[k], rel=1e-6)


def test_initial_scores():
    scores = initial_scores(stream(0, "scores"), (400, 100), fan_in=400)
    assert scores.dtype == np.float32 and np.abs(scores).max() <= 1 / 20
    assert np.std(scores) == pytest.approx(1 / 20 / np.sqrt(3), rel=0.02)


@given(st.integers(0, 2**32 - 1), st.floats(1e-12, 1e12), st.floats(1e-3, 10))
def test_scaled_gradients_keep_their_direction(seed, unit, size):
    gradient = np.random.default_rng(seed).normal(size=(7, 5)).astype(np.float32)
    scaled = to_score_size(gradient * np.float32(unit), size)
    assert np.sqrt(np.mean(np.square(scaled, dtype=np.float64))) == pytest.approx(size, rel=1e-5)
    assert np.allclose(scaled * np.linalg.norm(gradient), gradient * np.linalg.norm(scaled), rtol=1e-5)


def test_a_gradient_of_zeros_stays():
    assert not to_score_size(np.zeros((3, 2), np.float32), 1.0).any()


def test_initial_size_is_that_of_initial_scores():
    scores = initial_scores(stream(0, "s"), (50, 4000), fan_in=50)
    assert np.sqrt(np.mean(np.square(scores))) == pytest.approx(initial_size(50), rel=0.01)

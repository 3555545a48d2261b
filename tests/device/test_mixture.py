"""Mixtures by EM: a slow oracle, recovery of what was planted, the same result every time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram.device.mixture import LARGEST_FLOOR, Mixture, em_step, fit_mixture

WIDTH = 4 * math.log(10)


def slow_step(mixture, samples, least_sigma):
    """One step of EM, sample by sample, from its definition: (shares, means, sigmas, floor, log likelihood)."""
    k = len(mixture.means)
    sums, firsts, likelihood = [0.0] * (k + 1), [0.0] * k, 0.0
    low, high = mixture.bounds
    owned = []
    for x in samples:
        densities = []
        for share, mean, sigma in zip(mixture.shares, mixture.means, mixture.sigmas):
            normal = math.exp(-0.5 * ((x - mean) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
            densities.append(share * normal)
        densities.append(mixture.floor / (high - low))
        total = sum(densities)
        likelihood += math.log(total)
        owned.append([density / total for density in densities])
        for j in range(k + 1):
            sums[j] += owned[-1][j]
            if j < k:
                firsts[j] += owned[-1][j] * x
    means = [first / size for first, size in zip(firsts, sums)]
    squares = [sum(own[j] * (x - means[j]) ** 2 for own, x in zip(owned, samples)) for j in range(k)]
    floor = min(sums[k] / len(samples), LARGEST_FLOOR)
    shares = [(1 - floor) * size / sum(sums[:k]) for size in sums[:k]]
    sigmas = [max(math.sqrt(square / size), least_sigma) for square, size in zip(squares, sums)]
    return shares, means, sigmas, floor, likelihood


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.floats(0.01, 0.34))
def test_a_step_is_that_of_the_definition(seed, k, floor):
    generator = np.random.default_rng(seed)
    samples = np.round(generator.normal(0, 2, 40), 1)
    shares = (1 - floor) * generator.dirichlet(np.ones(k))
    bounds = (samples.min() - 1, samples.max() + 1)
    start = Mixture(shares, generator.normal(0, 2, k), generator.uniform(0.2, 2, k), floor, bounds)
    x, counts = np.unique(samples, return_counts=True)
    found, likelihood = em_step(start, x, counts, 0.05)
    expected = slow_step(start, samples, 0.05)
    for value, wanted in zip((found.shares, found.means, found.sigmas, found.floor, likelihood), expected):
        np.testing.assert_allclose(value, wanted, rtol=1e-9, atol=1e-12)
    assert em_step(found, x, counts, 0.05)[1] >= likelihood - 1e-9  # EM never falls


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 0.3), st.floats(2.5, 5.0), st.floats(0.2, 0.8))
def test_two_components_are_found_beside_outliers(seed, outliers, distance, share):
    generator = np.random.default_rng(seed)
    n = 2000
    kind = generator.random(n)
    normal = generator.standard_normal(n)
    samples = np.where(kind < share, -distance + 0.4 * normal, 0.15 * normal)
    stray = generator.random(n) < outliers
    samples[stray] = generator.uniform(-9, 5, stray.sum())
    found = fit_mixture(samples, least_sigma=0.005, floor_width=WIDTH)
    assert len(found.means) == 2
    np.testing.assert_allclose(found.means, [-distance, 0], atol=0.08)
    np.testing.assert_allclose(found.sigmas, [0.4, 0.15], rtol=0.15)
    np.testing.assert_allclose(found.shares, [(1 - outliers) * share, (1 - outliers) * (1 - share)], atol=0.04)
    assert found.floor == pytest.approx(outliers, abs=0.04)
    again = fit_mixture(samples[::-1], least_sigma=0.005, floor_width=WIDTH)
    np.testing.assert_array_equal(again.means, found.means)


def test_one_normal_is_one_component_without_a_floor():
    samples = np.random.default_rng(1).normal(3, 0.2, 1000)
    found = fit_mixture(samples, least_sigma=0.005, floor_width=WIDTH)
    assert found.floor == 0 and len(found.means) == 1
    assert (found.means[0], found.sigmas[0]) == (pytest.approx(samples.mean()), pytest.approx(samples.std()))


def test_bins_stand_for_many_samples():
    """A quarter of a million samples are fitted by bins: mean and deviation stay those of the samples."""
    generator = np.random.default_rng(2)
    samples = np.concatenate([generator.normal(0, 0.1, 200_000), generator.normal(-4, 0.3, 50_000), [3.0] * 9])
    found = fit_mixture(samples, least_sigma=0.005, floor_width=WIDTH)
    np.testing.assert_allclose(found.means[:2], [-4, 0], atol=0.005)
    np.testing.assert_allclose(found.sigmas[:2], [0.3, 0.1], rtol=0.01)


def test_what_lies_beyond_every_component_belongs_to_the_nearest():
    one = Mixture(np.array([0.5, 0.5]), np.array([0.0, 1.0]), np.array([0.01, 0.01]), 0.0, (0.0, 1.0))
    np.testing.assert_array_equal(one.responsibilities(np.array([-50.0, 50.0])), [[1, 0], [0, 1], [0, 0]])

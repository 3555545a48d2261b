"""Distances of weighted samples are those of samples that stand there as often as they weigh."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram.device.cell import normal_cdf
from minirram.device.goodness import ks_distance, ks_limit


def slow_distance(samples, cdf):
    """The largest difference of the two distributions, before and behind every sample."""
    distances = []
    for value in samples:
        model = float(cdf(np.array([value]))[0])
        distances.append(abs(sum(one <= value for one in samples) / len(samples) - model))
        distances.append(abs(sum(one < value for one in samples) / len(samples) - model))
    return max(distances)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.integers(1, 4)), min_size=2, max_size=12))
def test_weights_are_repetitions(pairs):
    values, counts = (np.array(column) for column in zip(*pairs))
    distance = ks_distance(values, normal_cdf, counts.astype(float))
    assert distance == pytest.approx(slow_distance(np.repeat(values, counts).tolist(), normal_cdf), abs=1e-12)
    assert ks_distance(np.repeat(values, counts), normal_cdf) == pytest.approx(distance, abs=1e-12)


def test_one_fit_in_twenty_exceeds_its_limit():
    generator, beyond = np.random.default_rng(1), 0
    for _ in range(400):
        values = generator.standard_normal(200)
        mean, std = values.mean(), values.std(ddof=1)
        beyond += ks_distance(values, lambda x, mean=mean, std=std: normal_cdf((x - mean) / std)) > ks_limit(200)
    assert 6 <= beyond <= 36

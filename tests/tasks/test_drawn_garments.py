"""The drawn garments: shape, balance, determinism, variety, and how hard they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram import rng
from minirram.runs.demo import linear_predict, softmax_regression
from minirram.tasks import drawn_garments
from minirram.tasks.metrics import accuracy


@given(st.integers(1, 60), st.integers(0, 2**31))
@settings(max_examples=15)
def test_any_number_of_garments_is_balanced_and_bright(n, seed):
    images, labels = drawn_garments.garments(rng.stream(seed, "garments"), n)
    assert images.shape == (n, 28, 28) and images.dtype == np.uint8
    assert labels.shape == (n,) and labels.dtype == np.int64
    counts = np.bincount(labels.astype(np.intp), minlength=10)
    assert counts.sum() == n and counts.max() - counts.min() <= 1
    assert (images.reshape(n, -1).max(1) > 60).all()


def test_same_stream_same_garments_other_stream_others():
    first, again, other = (drawn_garments.garments(rng.stream(seed, "garments"), 50)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any((1, 2)).all()


def test_the_classes_look_different_and_each_garment_varies():
    images, labels = drawn_garments.garments(rng.stream(3, "garments"), 1000)
    means = np.stack([images[labels == label].mean(0) for label in range(10)])
    between = np.abs(means[:, None] - means[None]).mean((2, 3))
    assert between[~np.eye(10, dtype=bool)].min() > 3
    assert min(images[labels == label].std(0).mean() for label in range(10)) > 20
    assert len(np.unique(images.reshape(1000, -1), axis=0)) == 1000


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_linear_classifier_finds_them_hard_but_not_hopeless(seed):
    """A small convolutional network of the same input reaches 95 %; the linear classifier must stay far below."""
    pooled = []
    for part, n in (("train", 4000), ("test", 1000)):
        images, labels = drawn_garments.garments(rng.stream(seed, "garments", part), n)
        pixels = images.reshape(n, 14, 2, 14, 2).max((2, 4)).astype(np.float32)
        pooled.append((np.rint(pixels / 17) / 15, labels))
    (train, train_labels), (test, test_labels) = pooled
    weights = softmax_regression(train, train_labels, classes=10, generator=rng.stream(seed, "linear"))
    assert 0.6 < accuracy(linear_predict(weights, test), test_labels) < 0.82

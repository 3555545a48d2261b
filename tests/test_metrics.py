"""Accuracy and confusion against loops; the linear classifier against what a linear classifier can and cannot do."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram import metrics, rng
from minirram.errors import ShapeError


@st.composite
def predictions(draw):
    classes = draw(st.integers(1, 6))
    n = draw(st.integers(1, 60))
    one = arrays.arrays(np.int64, n, elements=st.integers(0, classes - 1))
    return draw(one), draw(one), classes


@given(predictions())
def test_confusion_and_accuracy_agree_with_counting_one_by_one(case):
    predicted, labels, classes = case
    counted = np.zeros((classes, classes), np.int64)
    for guess, truth in zip(predicted, labels):
        counted[truth, guess] += 1
    matrix = metrics.confusion_matrix(predicted, labels, classes)
    assert matrix.dtype == np.int64
    np.testing.assert_array_equal(matrix, counted)
    assert metrics.accuracy(predicted, labels) == pytest.approx(np.trace(counted) / len(labels))


def test_confusion_of_uint8_labels_does_not_wrap():
    labels = np.full(3, 200, np.uint8)
    assert metrics.confusion_matrix(labels, labels, 201)[200, 200] == 3


@pytest.mark.parametrize(
    "predicted, labels, message",
    [
        ([0, 1], [0], "must be equal"),
        ([], [], "not empty"),
        ([0, 3], [0, 1], "predicted holds 0..3"),
        ([0, 1], [0, -1], "labels holds -1..0"),
    ],
)
def test_confusion_refuses_what_does_not_fit(predicted, labels, message):
    with pytest.raises(ShapeError, match=message):
        metrics.confusion_matrix(np.array(predicted, np.int64), np.array(labels, np.int64), 3)


def test_softmax_regression_learns_lines_and_not_a_parity():
    generator = rng.stream(1, "linear")
    points = generator.uniform(-1, 1, (2000, 2))
    side = (points @ [1.0, -2.0] > 0.3).astype(np.int64)
    parity = (points[:, 0] * points[:, 1] > 0).astype(np.int64)
    scores = []
    for labels in (side, parity):
        weights = metrics.softmax_regression(points[:1000], labels[:1000], 2, generator)
        assert weights.shape == (3, 2) and weights.dtype == np.float32
        scores.append(metrics.accuracy(metrics.linear_predict(weights, points[1000:]), labels[1000:]))
    assert scores[0] > 0.97
    assert scores[1] < 0.65


def test_softmax_regression_is_deterministic():
    x, labels = rng.stream(2, "x").random((300, 4)), np.arange(300) % 3
    first, second = (metrics.softmax_regression(x, labels, 3, rng.stream(3, "fit"), epochs=2) for _ in range(2))
    np.testing.assert_array_equal(first, second)

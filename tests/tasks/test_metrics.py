"""Accuracy and confusion against loops; the linear classifier against what a linear classifier can and cannot do."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram import rng
from minirram.errors import DataError, ShapeError
from minirram.runs.demo import linear_predict, softmax_regression
from minirram.tasks import metrics
from minirram.tasks.metrics import accuracy, confusion_matrix, overlap, pr_auc, roc_auc, segmentation_scores


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
    matrix = confusion_matrix(predicted, labels, classes=classes)
    assert matrix.dtype == np.int64
    np.testing.assert_array_equal(matrix, counted)
    assert accuracy(predicted, labels) == pytest.approx(np.trace(counted) / len(labels))


def test_confusion_of_uint8_labels_does_not_wrap():
    labels = np.full(3, 200, np.uint8)
    assert confusion_matrix(labels, labels, classes=201)[200, 200] == 3


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
        confusion_matrix(np.array(predicted, np.int64), np.array(labels, np.int64), classes=3)


def test_softmax_regression_learns_lines_and_not_a_parity():
    generator = rng.stream(1, "linear")
    points = generator.uniform(-1, 1, (2000, 2))
    side = (points @ [1.0, -2.0] > 0.3).astype(np.int64)
    parity = (points[:, 0] * points[:, 1] > 0).astype(np.int64)
    scores = []
    for labels in (side, parity):
        weights = softmax_regression(points[:1000], labels[:1000], classes=2, generator=generator)
        assert weights.shape == (3, 2) and weights.dtype == np.float32
        scores.append(accuracy(linear_predict(weights, points[1000:]), labels[1000:]))
    assert scores[0] > 0.97
    assert scores[1] < 0.65


def test_softmax_regression_is_deterministic():
    x, labels = rng.stream(2, "x").random((300, 4)), np.arange(300) % 3
    first, second = (
        softmax_regression(x, labels, classes=3, generator=rng.stream(3, "fit"), epochs=2) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def pairwise_roc_auc(scores, truth):
    """The definition, pair by pair."""
    wins = [1.0 if p > q else 0.5 if p == q else 0.0 for p in scores[truth] for q in scores[~truth]]
    return sum(wins) / len(wins)


def stepwise_average_precision(scores, truth):
    """Precision and recall counted anew at every distinct threshold."""
    area, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        called = [index for index, score in enumerate(scores) if score >= threshold]
        hits = sum(1 for index in called if truth[index])
        recall = hits / sum(1 for item in truth if item)
        area += (recall - recall_before) * hits / len(called)
        recall_before = recall
    return area


@st.composite
def scored(draw):
    n = draw(st.integers(2, 40))
    levels = draw(st.integers(1, 12))  # few levels make many ties
    scores = draw(arrays.arrays(np.int64, n, elements=st.integers(0, levels))) / np.float32(7)
    truth = draw(arrays.arrays(np.bool_, n))
    truth[:2] = True, False
    return scores.astype(np.float32), truth


@given(scored())
def test_areas_agree_with_their_definitions_ties_and_all(case):
    scores, truth = case
    assert roc_auc(scores, truth) == pytest.approx(pairwise_roc_auc(scores, truth), rel=1e-12)
    assert pr_auc(scores, truth) == pytest.approx(stepwise_average_precision(scores, truth), rel=1e-12)


@given(scored(), st.integers(0, 2**31))
def test_areas_ignore_the_order_of_items_and_rising_maps_of_the_scores(case, seed):
    scores, truth = case
    order = rng.stream(seed, "order").permutation(len(scores))
    for area in (roc_auc, pr_auc):
        assert area(scores[order], truth[order]) == area(scores, truth)
        assert area(np.exp(scores.astype(np.float64)), truth) == area(scores, truth)
    assert roc_auc(-scores, truth) == pytest.approx(1 - roc_auc(scores, truth), abs=1e-12)


def test_areas_of_the_extreme_cases():
    truth = np.array([1, 1, 0, 0, 0])
    assert roc_auc(truth, truth) == pr_auc(truth, truth) == 1.0
    assert roc_auc(-truth, truth) == 0.0
    constant = np.zeros(5)
    assert roc_auc(constant, truth) == 0.5
    assert pr_auc(constant, truth) == pytest.approx(0.4)


def test_areas_of_many_pixels_do_not_overflow():
    scores = np.linspace(0, 1, 400_000, dtype=np.float32).reshape(400, 1000)
    truth = np.arange(400_000).reshape(400, 1000) % 2 == 0
    assert roc_auc(scores, truth) == pytest.approx(0.5, abs=1e-5)


@given(scored())
def test_overlap_agrees_with_counting(case):
    scores, truth = case
    called = scores >= 0.5
    cells = {(bool(c), bool(t)): 0 for c in (0, 1) for t in (0, 1)}
    for c, t in zip(called, truth):
        cells[bool(c), bool(t)] += 1
    found = overlap(called, truth)
    assert found["sensitivity"] == pytest.approx(cells[True, True] / truth.sum())
    assert found["specificity"] == pytest.approx(cells[False, False] / (~truth).sum())
    assert found["dice"] == pytest.approx(2 * cells[True, True] / (called.sum() + truth.sum()))


def test_segmentation_counts_only_the_region():
    generator = rng.stream(5, "pixels")
    truth = generator.random((2, 12, 12)) < 0.3
    probability = (0.5 * truth + 0.5 * generator.random(truth.shape)).astype(np.float32)
    region = np.zeros(truth.shape, bool)
    region[:, 2:10, 2:10] = True
    inside = segmentation_scores(probability, truth.astype(np.uint8), region=region)
    spoilt = np.where(region, probability, 1 - probability)
    assert segmentation_scores(spoilt, truth.astype(np.uint8), region=region) == inside
    assert inside["roc_auc"] == roc_auc(probability[region], truth[region])
    assert inside["pr_auc"] == pr_auc(probability[region], truth[region])
    assert inside["dice"] == overlap(probability[region] >= 0.5, truth[region])["dice"]
    assert set(inside) == {"roc_auc", "pr_auc", "accuracy", "sensitivity", "specificity", "dice"}
    assert all(type(value) is float for value in inside.values())  # as JSON wants them
    assert segmentation_scores(probability, truth, region=region, threshold=2)["sensitivity"] == 0


@pytest.mark.parametrize(
    "scores, truth, error, message",
    [
        ([0.1, 0.2], [1, 1], DataError, "2 positive and 0 negative"),
        ([0.1, 0.2], [0, 0], DataError, "0 positive and 2 negative"),
        ([0.1, np.nan], [0, 1], DataError, "1 of 2 scores are NaN"),
        ([0.1, 0.2], [1], ShapeError, "must be equal"),
        ([], [], ShapeError, "not empty"),
    ],
)
def test_areas_refuse_what_has_no_area(scores, truth, error, message):
    for area in (roc_auc, pr_auc):
        with pytest.raises(error, match=message):
            area(np.array(scores), np.array(truth, np.int64))


@given(st.integers(3, 5), st.integers(0, 2**31), st.floats(0.0, 1.0))
def test_scores_of_pixel_classes_by_a_loop_over_classes(classes, seed, right):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes - 1, (2, 5, 7))  # the last class does not occur
    predicted = np.where(generator.random(truth.shape) < right, truth, generator.integers(0, classes, truth.shape))
    region = generator.random(truth.shape) < 0.8
    region[0, 0, 0] = True
    found = metrics.class_scores(predicted, truth, region=region, classes=classes)
    iou = metrics.iou_by_class(found["confusion"])
    dices, sensitivities = [], []
    for k in range(classes):
        one, two = (predicted == k) & region, (truth == k) & region
        union = np.count_nonzero(one | two)
        assert np.isnan(iou[k]) if union == 0 else iou[k] == pytest.approx(np.count_nonzero(one & two) / union)
        if union:
            dices.append(2 * np.count_nonzero(one & two) / (one.sum() + two.sum()))
        if two.any():
            sensitivities.append(np.count_nonzero(one & two) / two.sum())
    assert found["dice"] == pytest.approx(np.mean(dices))
    assert found["sensitivity"] == pytest.approx(np.mean(sensitivities))
    assert found["accuracy"] == pytest.approx(np.mean((predicted == truth)[region]))
    assert np.sum(found["confusion"]) == region.sum()


def test_scores_of_two_classes_are_those_of_a_segmentation():
    generator = np.random.default_rng(2)
    truth, probability = generator.integers(0, 2, (2, 6, 5)), generator.random((2, 6, 5))
    region = generator.random(truth.shape) < 0.7
    known = metrics.segmentation_scores(probability, truth, region=region)
    found = metrics.class_scores((probability >= 0.5).astype(int), truth, region=region, classes=2)
    iou = metrics.iou_by_class(found["confusion"])
    assert found["accuracy"] == known["accuracy"] and 2 * iou[1] / (1 + iou[1]) == pytest.approx(known["dice"])
    assert found["sensitivity"] == pytest.approx((known["sensitivity"] + known["specificity"]) / 2)
    with pytest.raises(DataError, match="no pixel counts"):
        metrics.class_scores(truth, truth, region=np.zeros(truth.shape, bool), classes=2)

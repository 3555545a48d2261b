"""How good an answer is: accuracy, confusion, ROC and PR areas, overlap; a linear classifier to set beside it."""

from typing import Any, Dict, Tuple

import numpy as np

from ..errors import DataError, ShapeError


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Share of equal entries, 0..1. predicted, labels: integer arrays of one shape, at least one entry."""
    predicted, labels = _pair(predicted, labels, "predicted", "labels")
    return float(np.mean(predicted == labels))


def confusion_matrix(predicted: np.ndarray, labels: np.ndarray, *, classes: int) -> np.ndarray:
    """Counts int64 (classes, classes): row = true class, column = predicted class.

    predicted, labels: integers 0..classes - 1, one shape. ShapeError when shapes differ or a class is out of range.
    """
    predicted, labels = _pair(predicted, labels, "predicted", "labels")
    for name, values in (("predicted", predicted), ("labels", labels)):
        if values.min() < 0 or values.max() >= classes:
            raise ShapeError(f"{name} holds {values.min()}..{values.max()}: classes are 0..{classes - 1}")
    flat = labels.astype(np.intp).ravel() * classes + predicted.astype(np.intp).ravel()
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def threshold_counts(scores: np.ndarray, truth: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits and false alarms at every distinct threshold: (thresholds, hits, false_alarms), thresholds falling.

    scores: float, any shape; truth: bool (or 0/1), same shape. An item is called positive when its score >=
    threshold; equal scores share one threshold, so ties have no order. Counts are int64. DataError for NaN scores,
    ShapeError for unequal shapes.
    """
    scores, truth = _pair(scores, truth, "scores", "truth")
    scores, truth = scores.ravel(), truth.ravel().astype(bool)
    if np.isnan(scores).any():
        raise DataError(f"{int(np.isnan(scores).sum())} of {scores.size} scores are NaN")
    order = np.argsort(-scores, kind="stable")
    scores, truth = scores[order], truth[order]
    last_of_equals = np.append(np.flatnonzero(scores[1:] != scores[:-1]), scores.size - 1)
    hits = np.cumsum(truth, dtype=np.int64)[last_of_equals]
    return scores[last_of_equals], hits, last_of_equals.astype(np.int64) + 1 - hits


def roc_auc(scores: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve, exact: the chance that a positive scores higher than a negative, ties counting half.

    Arguments and errors as in `threshold_counts`; DataError unless both kinds occur.
    """
    _, hits, false_alarms = threshold_counts(scores, truth)
    _need_both(hits[-1], false_alarms[-1])
    doubled_area = int(np.sum(np.diff(false_alarms, prepend=0) * (hits + np.append(0, hits[:-1]))))
    return doubled_area / (2.0 * float(hits[-1]) * float(false_alarms[-1]))


def pr_auc(scores: np.ndarray, truth: np.ndarray) -> float:
    """Area under the precision-recall curve as average precision: sum of (rise of recall) x (precision there).

    No interpolation between thresholds: that is not linear in this plane (Davis and Goadrich, ICML 2006). Arguments
    and errors as in `roc_auc`.
    """
    _, hits, false_alarms = threshold_counts(scores, truth)
    _need_both(hits[-1], false_alarms[-1])
    rise = np.diff(hits, prepend=0) / hits[-1]
    return float(np.sum(rise * (hits / (hits + false_alarms))))


def overlap(predicted: np.ndarray, truth: np.ndarray) -> Dict[str, float]:
    """Sensitivity, specificity and Dice coefficient of a yes/no answer, as a dict.

    predicted, truth: bool (or 0/1), one shape. DataError unless truth holds both kinds.
    """
    predicted, truth = (part.astype(bool) for part in _pair(predicted, truth, "predicted", "truth"))
    hits, misses = int(np.sum(predicted & truth)), int(np.sum(~predicted & truth))
    false_alarms, rejections = int(np.sum(predicted & ~truth)), int(np.sum(~predicted & ~truth))
    _need_both(hits + misses, false_alarms + rejections)
    return {
        "sensitivity": hits / (hits + misses),
        "specificity": rejections / (rejections + false_alarms),
        "dice": 2 * hits / (2 * hits + misses + false_alarms),
    }


def segmentation_scores(
    probability: np.ndarray, truth: np.ndarray, *, region: np.ndarray, threshold: float = 0.5
) -> Dict[str, float]:
    """ROC-AUC, PR-AUC, accuracy, sensitivity, specificity and Dice of a segmentation inside `region`, as a dict.

    probability: float, of the positive class; truth: 0/1; region: bool, the pixels that count (all images pooled).
    One shape. threshold: from which probability on a pixel is called positive (the AUCs do not depend on it).
    """
    probability, truth = _pair(probability, truth, "probability", "truth")
    region, _ = _pair(region, truth, "region", "truth")
    probability, truth = probability[region.astype(bool)], truth[region.astype(bool)]
    predicted = probability >= threshold
    scores = {"roc_auc": roc_auc(probability, truth), "pr_auc": pr_auc(probability, truth)}
    scores["accuracy"] = accuracy(predicted, truth.astype(bool))
    scores.update(overlap(predicted, truth))
    return scores


def class_scores(predicted: np.ndarray, truth: np.ndarray, *, region: np.ndarray, classes: int) -> Dict[str, Any]:
    """Accuracy, confusion, and sensitivity and Dice as means over the classes, of pixels inside `region`, as a dict.

    predicted, truth: integers 0..classes - 1; region: bool, the pixels that count (all images pooled). One shape. A
    class that is neither there nor answered has no part in the means.
    """
    predicted, truth = _pair(predicted, truth, "predicted", "truth")
    region = _pair(region, truth, "region", "truth")[0].astype(bool)
    if not region.any():
        raise DataError("no pixel counts: the region is empty")
    confusion = confusion_matrix(predicted[region], truth[region], classes=classes)
    hits, true, called = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    there, seen = true > 0, true + called > 0
    return {
        "accuracy": float(hits.sum() / confusion.sum()),
        "sensitivity": float(np.mean(hits[there] / true[there])),
        "dice": float(np.mean(2 * hits[seen] / (true + called)[seen])),
        "confusion": confusion.tolist(),
    }


def iou_by_class(confusion: Any) -> np.ndarray:
    """Intersection over union of each class of a confusion matrix (classes, classes), float64 (classes,).

    NaN for a class that does not occur.
    """
    counts = np.asarray(confusion, np.int64)
    hits, union = np.diag(counts), counts.sum(axis=0) + counts.sum(axis=1) - np.diag(counts)
    return np.where(union > 0, hits / np.maximum(union, 1), np.nan)


def _need_both(positives: Any, negatives: Any) -> None:
    if not positives or not negatives:
        raise DataError(
            f"{int(positives)} positive and {int(negatives)} negative items: at least one of each is needed"
        )


def _pair(first: np.ndarray, second: np.ndarray, first_name: str, second_name: str) -> Tuple[np.ndarray, np.ndarray]:
    """Both as arrays of one shape with at least one entry, or ShapeError."""
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or not first.size:
        shapes = f"{first_name} has the shape {first.shape} and {second_name} {second.shape}"
        raise ShapeError(f"{shapes}: they must be equal and not empty")
    return first, second

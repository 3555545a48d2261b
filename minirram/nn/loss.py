"""The loss of a classifier, and its gradient."""

from typing import Optional, Tuple

import numpy as np

from ..errors import ShapeError


def softmax_cross_entropy(
    logits: np.ndarray,
    labels: np.ndarray,
    *,
    weight: Optional[np.ndarray] = None,
    smoothing: float = 0.0,
    total: Optional[float] = None,
) -> Tuple[float, int, np.ndarray]:
    """(loss, n_correct, dlogits) of a softmax over the last axis, summed over rows and divided by `total`.

    logits (..., classes); labels (...) integers 0..classes - 1; weight (...) >= 0 per row or pixel (0 leaves it out),
    ones by default. total: sum of all weights of the batch, default that of these rows. smoothing: share of the
    target that is spread evenly over all classes. n_correct counts rows of weight > 0. ShapeError when the shapes do
    not belong together.
    """
    if labels.shape != logits.shape[:-1]:
        raise ShapeError(f"labels of shape {labels.shape} for logits of shape {logits.shape}")
    if labels.size and not (0 <= labels.min() and labels.max() < logits.shape[-1]):
        raise ShapeError(f"labels lie in {labels.min()}..{labels.max()}, expected 0..{logits.shape[-1] - 1}")
    flat = logits.reshape(-1, logits.shape[-1])
    labels = labels.reshape(-1).astype(np.intp)
    weight = np.ones(len(labels), flat.dtype) if weight is None else weight.reshape(-1).astype(flat.dtype)
    total = float(weight.sum(dtype=np.float64)) if total is None else total
    shifted = flat - flat.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)
    log_p = shifted - np.log(sums)
    rows = np.arange(len(labels))
    n_correct = int(np.count_nonzero((flat.argmax(axis=1) == labels) & (weight > 0)))
    per_row = (smoothing - 1) * log_p[rows, labels] - smoothing * log_p.mean(axis=1)
    loss = float((per_row * weight).sum(dtype=np.float64)) / total
    dflat = exponentials / sums
    dflat -= flat.dtype.type(smoothing / flat.shape[1])
    dflat[rows, labels] -= flat.dtype.type(1 - smoothing)
    dflat *= (weight / flat.dtype.type(total))[:, None]
    return loss, n_correct, dflat.reshape(logits.shape)

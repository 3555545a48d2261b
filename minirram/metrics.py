"""How good an answer is: accuracy, confusion matrix, and the linear classifier that other figures are set beside."""

import numpy as np

from .errors import ShapeError


def accuracy(predicted, labels):
    """Share of equal entries, 0..1. predicted, labels: integer arrays of one shape, at least one entry."""
    predicted, labels = _pair(predicted, labels, "predicted", "labels")
    return float(np.mean(predicted == labels))


def confusion_matrix(predicted, labels, classes):
    """Counts int64 (classes, classes): row = true class, column = predicted class.

    predicted, labels: integers 0..classes - 1, one shape. ShapeError when shapes differ or a class is out of range.
    """
    predicted, labels = _pair(predicted, labels, "predicted", "labels")
    for name, values in (("predicted", predicted), ("labels", labels)):
        if values.min() < 0 or values.max() >= classes:
            message = "{} holds {}..{}: classes are 0..{}"
            raise ShapeError(message.format(name, values.min(), values.max(), classes - 1))
    flat = labels.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def _pair(first, second, first_name, second_name):
    """Both as arrays of one shape with at least one entry, or ShapeError."""
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or not first.size:
        message = "{} has the shape {} and {} {}: they must be equal and not empty"
        raise ShapeError(message.format(first_name, first.shape, second_name, second.shape))
    return first, second


def softmax_regression(inputs, labels, classes, generator, epochs=20, rate=0.1, batch=100, decay=1e-4):
    """Train a linear classifier by stochastic gradient descent on the cross-entropy (momentum 0.9, cosine rate).

    inputs: float (n, ...), flattened, of order 1; labels: integers 0..classes - 1, (n,). generator shuffles. decay:
    L2 penalty. Returns weights float32 (features + 1, classes), the last row being the bias, for `linear_predict`.
    """
    features = _with_one(inputs)
    labels = np.asarray(labels, np.int64)
    weights = np.zeros((features.shape[1], classes), np.float32)
    velocity = np.zeros_like(weights)
    steps_per_epoch = max(len(features) // batch, 1)
    for epoch in range(epochs):
        order = generator.permutation(len(features))
        for step in range(steps_per_epoch):
            rows = order[step * batch : (step + 1) * batch]
            progress = (epoch + step / steps_per_epoch) / epochs
            x = features[rows]
            logits = x @ weights
            logits -= logits.max(1, keepdims=True)
            error = np.exp(logits)
            error /= error.sum(1, keepdims=True)
            error[np.arange(len(rows)), labels[rows]] -= 1
            velocity = 0.9 * velocity + x.T @ error / np.float32(len(rows)) + np.float32(decay) * weights
            weights -= np.float32(rate * 0.5 * (1 + np.cos(np.pi * progress))) * velocity
    return weights


def linear_predict(weights, inputs):
    """Classes int64 (n,) that the weights of `softmax_regression` give for inputs (n, ...)."""
    return np.argmax(_with_one(inputs) @ weights, axis=1).astype(np.int64)


def _with_one(inputs):
    """Inputs flattened to float32 (n, features) with a column of ones for the bias."""
    flat = np.asarray(inputs, np.float32).reshape(len(inputs), -1)
    return np.concatenate([flat, np.ones((len(flat), 1), np.float32)], axis=1)

"""What the demo sets beside its result: a linear classifier and the chip before pruning."""

import numpy as np

from ..learn.mask_learner import MaskLearner
from ..rng import stream
from ..tasks.metrics import accuracy
from .folder import RunFolder, open_training
from .train import make_chip


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


UNPRUNED_STEPS = 20
"""batches from which the unpruned chip's digital statistics are taken"""


def demo_baselines(folder, test_set):
    """What the demo prints beside its result: a linear classifier and the unpruned random chip on that test set."""
    run = RunFolder.open(folder)
    config = run.config
    data = open_training(config)
    step = np.float32(config.network.input_step)
    generator = stream(config.recipe.seed, "linear")
    weights = softmax_regression(data.codes * step, data.labels, test_set.classes, generator)
    linear = accuracy(linear_predict(weights, test_set.codes * step), test_set.labels)
    return {"linear_accuracy": linear, "unpruned_accuracy": _unpruned(config, data, test_set)}


def _unpruned(config, data, test_set):
    """Accuracy of the chip with every connection kept and only the digital statistics taken from data."""
    learner = MaskLearner(config.network, make_chip(config), recipe=config.recipe)
    everything = {name: np.ones_like(mask) for name, mask in learner.masks.items()}
    learner.chip.program(everything, learner.signs)
    batches, reads = data.batches(stream(config.recipe.seed, "unpruned"), config.recipe), learner.generators("unpruned")
    for _, (batch, batch_labels, weight) in zip(range(UNPRUNED_STEPS), batches):
        learner.engine.training_step(learner.read_weights(reads), learner.state, batch, batch_labels, weight=weight)
    return test_set.figures(learner.predict)["accuracy"]

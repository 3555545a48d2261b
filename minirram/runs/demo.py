"""The demo: the whole job on built-in data, with a linear classifier and the chip before pruning beside it."""

import os
from dataclasses import dataclass, replace
from typing import Any, Optional, Union

import numpy as np

from ..device.presets import technology
from ..learn.mask_learner import MaskLearner
from ..learn.optim import cosine_rate, sgd_step
from ..nn.loss import softmax_cross_entropy
from ..progress.stages import stage
from ..rng import stream
from ..tasks.metrics import accuracy
from ..tasks.registry import task
from .beside import Beside, read_beside, write_beside
from .config import RunConfig
from .energy import account
from .export import export
from .folder import RunFolder, open_test, open_training
from .made_chip import make_chip
from .train import Progress, TrainingResults, learn

UNPRUNED_STEPS = 20
"""batches from which the unpruned chip's digital statistics are taken"""
MOMENTUM, WEIGHT_DECAY = 0.9, 1e-4
"""of the linear classifier's descent"""


@dataclass(frozen=True)
class DemoResults(TrainingResults):
    """What a training on built-in data gives, and what stands beside it."""

    linear_accuracy: float
    """of a linear classifier of the same inputs, on the same test set"""
    unpruned_accuracy: float
    """of the chip with every connection kept, on the same test set"""
    array_J: float
    """joules in the cells in one inference"""
    total_J: float
    """joules of one inference"""
    gpu_J: float
    """joules of one inference on a GPU, INT8"""
    program: str
    """path of the program file"""
    program_bytes: int
    """its size"""
    report: Optional[str]
    """path of the page that shows all this; None: none was written"""


def demo_config(seed: int = 0, adc_bits: int = RunConfig.adc_bits) -> RunConfig:
    """The run of the demo: drawn garments, the quick recipe."""
    chosen = task("fashion-mnist")
    recipe = replace(chosen.recipes["quick"], seed=seed)
    cell_model = technology("taox-40nm")
    return RunConfig("fashion-mnist", "synthetic", chosen.network, recipe, cell_model, adc_bits=adc_bits)


def demo(
    folder: "Union[str, os.PathLike[str]]",
    config: RunConfig,
    *,
    threads: int,
    resume: bool,
    progress: Optional[Progress] = None,
) -> DemoResults:
    """Train, set a linear classifier and the unpruned chip beside the result, account for energy, export.

    resume: continue the demo in the folder, if there is one.
    """
    chip = make_chip(config)
    results, test_set = learn(folder, config, chip=chip, threads=threads, resume=resume, progress=progress)
    run = RunFolder.open(folder)
    beside = read_beside(run)
    if beside is None:
        if test_set is None:  # the training had ended before the stop
            run.log_test_opening("beside the demo")
            test_set = open_test(config)
        beside = _beside(config, open_training(config), test_set)
        write_beside(run, beside)
    found, exported = account(folder, threads=threads), export(folder)
    return DemoResults(
        **dict(vars(results), test_openings=run.test_openings()),
        **vars(beside),
        array_J=found.total.array_J,
        total_J=found.total.total_J,
        gpu_J=found.digital_hardware["gpu_int8"].typical,
        program=exported.file,
        program_bytes=exported.bytes or 0,
        report=None,
    )


def _beside(config: RunConfig, data: Any, test_set: Any) -> Beside:
    """The linear classifier and the unpruned chip on a test set."""
    with stage("what stands beside the result", 2) as going:
        linear = _linear(config, data, test_set)
        going.advance(note="linear classifier")
        return Beside(linear, _unpruned(config, data, test_set))


def softmax_regression(
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    classes: int,
    generator: np.random.Generator,
    epochs: int = 20,
    rate: float = 0.1,
    batch: int = 100,
) -> np.ndarray:
    """Train a linear classifier by gradient descent on the cross-entropy.

    inputs: float (n, ...), flattened, of order 1; labels: integers 0..classes - 1, (n,). generator shuffles. Returns
    weights float32 (features + 1, classes), the last row being the bias, for `linear_predict`.
    """
    features, labels = _with_one(inputs), np.asarray(labels, np.int64)
    weights = np.zeros((features.shape[1], classes), np.float32)
    velocity = np.zeros_like(weights)
    n_steps = max(len(features) // batch, 1)
    for epoch in range(epochs):
        order = generator.permutation(len(features))
        for step in range(n_steps):
            rows = order[step * batch : (step + 1) * batch]
            _, _, dlogits = softmax_cross_entropy(features[rows] @ weights, labels[rows])
            step_rate = cosine_rate(rate, epoch * n_steps + step, n_steps=epochs * n_steps)
            sgd_step(
                weights,
                velocity,
                gradient=features[rows].T @ dlogits,
                rate=step_rate,
                momentum=MOMENTUM,
                weight_decay=WEIGHT_DECAY,
            )
    return weights


def linear_predict(weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Classes int64 (n,) that the weights of `softmax_regression` give for inputs (n, ...)."""
    return np.argmax(_with_one(inputs) @ weights, axis=1).astype(np.int64)


def _with_one(inputs: np.ndarray) -> np.ndarray:
    """Inputs flattened to float32 (n, features) with a column of ones for the bias."""
    flat = np.asarray(inputs, np.float32).reshape(len(inputs), -1)
    return np.concatenate([flat, np.ones((len(flat), 1), np.float32)], axis=1)


def _linear(config: RunConfig, data: Any, test_set: Any) -> float:
    """Test accuracy of a linear classifier of the input codes."""
    step, generator = np.float32(config.network.input_step), stream(config.recipe.seed, "linear")
    weights = softmax_regression(data.codes * step, data.labels, classes=test_set.classes, generator=generator)
    return accuracy(linear_predict(weights, test_set.codes * step), test_set.labels)


def _unpruned(config: RunConfig, data: Any, test_set: Any) -> float:
    """Accuracy of the chip with every connection kept and only the digital statistics taken from data."""
    learner = MaskLearner(config.network, make_chip(config), recipe=config.recipe)
    everything = {name: np.ones_like(mask) for name, mask in learner.masks.items()}
    learner.chip.program(everything, learner.signs)
    batches, reads = data.batches(stream(config.recipe.seed, "unpruned"), config.recipe), learner.generators("unpruned")
    for _, (batch, batch_labels, weight) in zip(range(UNPRUNED_STEPS), batches):
        learner.engine.training_step(
            learner.read_weights(reads), learner.state, x=batch, labels=batch_labels, weight=weight
        )
    return float(test_set.figures(learner.predict)["accuracy"])

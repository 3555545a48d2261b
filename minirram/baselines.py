"""What mask learning is compared with, trained and examined in folders of their own: free weights on ideal hardware."""

import os
from dataclasses import dataclass, fields

import numpy as np

from . import __version__, networks
from .errors import ConfigError
from .files import read_json, write_json
from .learning import Schedule
from .runs import Run, plain
from .tasks import task
from .weights import FloatLearner


@dataclass(frozen=True)
class WeightConfig:
    """Everything that was decided before weights are learned."""

    task: str
    """name of the task"""
    data: str
    """folder of the data set, or "synthetic\""""
    network: networks.Network
    """the layers"""
    schedule: Schedule
    """the gradient descent on the weights"""

    def to_json(self):
        """A JSON-ready dict."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}


def train_weights(folder, config, threads=1, progress=None, test=True):
    """Learn the weights of `config` (a `WeightConfig`) in `folder`; a run that was stopped there continues.

    progress: called with each row of the history. test: whether to open the test set at the end (once: a later call
    finds the results); without it only the validation figures are given. Returns the results, as `results.json` holds
    them, or `validation.json` without the test. ConfigError when the folder holds a run of another configuration.
    """
    run = _open(folder, config)
    done = "results.json" if test else "validation.json"
    if run.has(done):
        return read_json(run.path(done))
    chosen = task(config.task)
    data = chosen.load_training(config.data, config.network)
    learner = FloatLearner(config.network, config.schedule, threads)
    if run.has("checkpoint.npz"):
        run.load_checkpoint(learner)
    while len(learner.history) < config.schedule.epochs:
        row = learner.epoch(data)
        run.save_checkpoint(learner)
        if progress is not None:
            progress(row)
    learner.take_best()
    results = _results(config, learner, data.origin, data.validation)
    if test:
        run.log_test_opening("end of training")
        figures = chosen.load_test(config.data, config.network).figures(learner.predict)
        results.update(test=figures, test_accuracy=figures["accuracy"], test_openings=run.test_openings())
    write_json(run.path(done), results)
    return results


def _open(folder, config):
    """The run in `folder`, made when there is none; ConfigError when it was started with another configuration."""
    run = Run(folder, config)
    path = run.path("weights.json")
    if not os.path.exists(path):
        Run.require_empty(folder)
        write_json(path, config.to_json())
    elif read_json(path) != config.to_json():
        raise ConfigError("{} holds a run of another configuration ({}); choose another folder".format(folder, path))
    return run


def _results(config, learner, origin, validation_set):
    """Figures of finished learning on the validation set, by the digital forward pass."""
    validation = validation_set.figures(learner.predict)
    return {
        "version": __version__,
        "task": config.task,
        "data": origin,
        "weights": sum(networks.weights_by_layer(config.network).values()),
        "epochs": len(learner.history),
        "best_epoch": learner.best["epoch"],
        "learning_rate": config.schedule.learning_rate,
        "seed": config.schedule.seed,
        "primary": validation_set.primary,
        "val_accuracy": validation["accuracy"],
        "validation": validation,
        "images_per_second": float(np.mean([row["samples_per_second"] for row in learner.history])),
        "training_seconds": float(sum(row["seconds"] for row in learner.history)),
    }

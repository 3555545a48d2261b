"""What mask learning is compared with, trained and examined in folders of their own.

Free weights on ideal hardware, and weight optimisation on a simulated chip. Their folders hold `weights.json` (what
was decided), `checkpoint.npz` and `history.csv`, `validation.json` or `results.json`, `test-openings.jsonl`.
"""

import os
from dataclasses import dataclass, fields
from typing import Optional

import numpy as np

from . import __version__, inference, networks
from .cells import CellModel
from .chip import Chip
from .converters import Adc
from .errors import ConfigError
from .files import read_json, write_json
from .learning import Schedule
from .model import Model
from .runs import Run, plain
from .tasks import task
from .wear import program_counts
from .weights import FloatLearner, WriteLearner, Writing
from .workflow import examine


@dataclass(frozen=True)
class WeightConfig:
    """Everything that was decided before weights are learned."""

    task: str
    """name of the task"""
    data: str
    """folder of the data set, or "synthetic\""""
    network: networks.Network
    """the layers"""
    recipe: Schedule
    """the gradient descent on the weights"""
    cell_model: Optional[CellModel] = None
    """technology of the chip; None: ideal hardware"""
    writing: Optional[Writing] = None
    """how the chip's cells are written; None without a chip"""
    chip_seed: int = 0
    """of the chip: which individual it is"""
    formed_share: float = 0.9999
    """expected share of cells that the forming voltage forms"""
    adc_bits: int = 14
    """resolution of the ADCs (the paper's board)"""
    adc_arrangement: str = "pair"
    """'pair' or 'polarity'"""

    def __post_init__(self):
        if (self.cell_model is None) != (self.writing is None):
            raise ConfigError("cell_model and writing belong together: a chip's weights are written, free ones are not")
        Adc(self.adc_bits, 1.0, self.adc_arrangement)

    @property
    def on_chip(self):
        """Whether the weights are those of a chip."""
        return self.cell_model is not None

    def to_json(self):
        """A JSON-ready dict."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}


def make_learner(config, threads=1):
    """The learner of a `WeightConfig`, on a chip of its own where there is one."""
    if not config.on_chip:
        return FloatLearner(config.network, config.recipe, threads)
    chip = Chip.sample(config.cell_model, networks.matrices(config.network), "cell", config.chip_seed)
    chip.form(config.cell_model.forming_voltage_V(config.formed_share))
    return WriteLearner(config.network, chip, config.recipe, config.writing, threads)


def train_weights(folder, config, threads=1, progress=None, test=True):
    """Learn the weights of `config` (a `WeightConfig`) in `folder`; a run that was stopped there continues.

    progress: called with each row of the history. test: whether to open the test set at the end (once: a later call
    finds the results); without it only the validation figures are given. Free weights are examined by the digital
    forward pass, those of a chip on its simulated macros. Returns the results, as `results.json` holds them, or
    `validation.json` without the test. ConfigError when the folder holds a run of another configuration.
    """
    run = _open(folder, config)
    done = "results.json" if test else "validation.json"
    if run.has(done):
        return read_json(run.path(done))
    chosen = task(config.task)
    data = chosen.load_training(config.data, config.network)
    learner = make_learner(config, threads)
    if run.has("checkpoint.npz"):
        run.load_checkpoint(learner)
    while len(learner.history) < config.recipe.epochs:
        row = learner.epoch(data)
        run.save_checkpoint(learner)
        if progress is not None:
            progress(row)
    results = _account(config, learner, data)
    learner.take_best()
    look = _examiner(config, learner, data, threads)
    results["validation"] = look(data.validation, "validation")
    results["val_accuracy"] = results["validation"]["accuracy"]
    if test:
        run.log_test_opening("end of training")
        results["test"] = look(chosen.load_test(config.data, config.network), "test")
        results["test_accuracy"] = results["test"]["accuracy"]
        results["test_openings"] = run.test_openings()
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


def _account(config, learner, data):
    """What the learning was and what it has cost: the figures that are known before the best epoch is taken."""
    results = {
        "version": __version__,
        "task": config.task,
        "data": data.origin,
        "weights": sum(networks.weights_by_layer(config.network).values()),
        "epochs": len(learner.history),
        "best_epoch": learner.best["epoch"],
        "learning_rate": config.recipe.learning_rate,
        "seed": config.recipe.seed,
        "primary": data.validation.primary,
        "images_per_second": float(np.mean([row["samples_per_second"] for row in learner.history])),
        "training_seconds": float(sum(row["seconds"] for row in learner.history)),
    }
    if config.on_chip:
        rows = learner.history[: learner.best["epoch"]]
        results.update(
            chip_seed=config.chip_seed,
            writing=plain(config.writing),
            programs=program_counts(learner.chip, *learner.pulse_counts()),
            programs_to_best=sum(row["set_pulses"] + row["reset_pulses"] for row in rows),
        )
    return results


def _examiner(config, learner, data, threads):
    """A function (examination, its split) -> figures of what has been learned."""
    if not config.on_chip:
        return lambda examination, _: examination.figures(learner.predict)
    adcs = inference.calibrate_adcs(
        config.network,
        learner.state,
        data.calibration_codes(),
        learner.chip,
        learner.scales_S,
        config.adc_bits,
        config.adc_arrangement,
    )
    model = Model(learner.chip.placement, {}, learner.scales_S, adcs, learner.state)
    return lambda examination, split: examine(config, learner.chip, model, examination, split, threads)

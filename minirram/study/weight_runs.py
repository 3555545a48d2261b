"""What mask learning is compared with, trained and examined in folders of their own.

Free weights on ideal hardware, and weight optimisation on a simulated chip. Their folders hold `weights.json` (what
was decided), `checkpoint.npz` and `history.csv`, `validation.json` or `results.json`, `test-openings.jsonl`.
"""

import os
from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from .. import __version__
from ..chip.wear import program_counts
from ..errors import ConfigError, DivergedError
from ..files import read_json, write_json
from ..inference import calibration
from ..inference.examine import examine
from ..inference.model import Model
from ..json_codec import plain
from ..learn.free_weights import FloatLearner
from ..learn.written_weights import WriteLearner, Writing
from ..nn.network import weights_by_layer
from ..runs.config import RunConfig, check_same
from ..runs.folder import RunFolder, open_test, open_training
from ..runs.train import make_chip


@dataclass(frozen=True)
class WeightConfig:
    """Everything that was decided before weights are learned."""

    run: RunConfig
    """the run of masks that this one is compared with: task, data, network, schedule, chip"""
    learning_rate: float
    """at the first step, instead of the masks'"""
    writing: Optional[Writing] = None
    """how the chip's cells are written; None: free weights on ideal hardware"""

    def __post_init__(self):
        if self.on_chip and self.run.recipe.level != "cell":
            raise ConfigError("weights of a chip need both cells of a pair: its level is 'cell', not 'pair'")
        if self.on_chip and self.run.wires is not None:
            raise ConfigError("weight optimisation tunes cells one by one: it takes ideal wires, not an IR drop")

    @property
    def on_chip(self):
        """Whether the weights are those of a chip."""
        return self.writing is not None

    @property
    def schedule(self):
        """The gradient descent on the weights."""
        return replace(self.run.recipe, learning_rate=self.learning_rate)

    def to_json(self):
        """A JSON-ready dict."""
        return {"run": self.run.to_json(), "learning_rate": self.learning_rate, "writing": plain(self.writing)}


def make_learner(config, threads=1):
    """The learner of a `WeightConfig`, on a chip of its own where there is one."""
    network = config.run.network
    if not config.on_chip:
        return FloatLearner(network, config.schedule, threads=threads)
    return WriteLearner(network, make_chip(config.run), recipe=config.schedule, writing=config.writing, threads=threads)


def train_weights(folder, config, threads=1, progress=None, test=True):
    """Learn the weights of `config` (a `WeightConfig`) in `folder`; a run that was stopped there continues.

    progress: called with each row of the history. test: whether to open the test set at the end (once: a later call
    finds the results); without it only the validation figures are given. Free weights are examined by the digital
    forward pass, those of a chip on its simulated macros. Returns the results, as `results.json` holds them, or
    `validation.json` without the test. ConfigError when the folder holds a run of another configuration or other data.
    """
    data = None
    if not config.run.data_crc:
        data = open_training(config.run)
        config = replace(config, run=replace(config.run, data_crc=data.crc))
    run = _open(folder, config)
    done = "results.json" if test else "validation.json"
    if run.has(done):
        return read_json(run.path(done))
    if data is None:
        data = open_training(config.run)
    learner = make_learner(config, threads)
    run.learn(learner, data, progress=progress)
    results = _account(config, learner, data)
    learner.adopt(learner.best)
    look = _examiner(config, learner, data, threads)
    results["validation"] = look(data.validation, "validation")
    results["val_accuracy"] = results["validation"]["accuracy"]
    if test:
        run.log_test_opening("end of training")
        results["test"] = look(open_test(config.run), "test")
        results["test_accuracy"] = results["test"]["accuracy"]
        results["test_openings"] = run.test_openings()
    write_json(run.path(done), results)
    return results


def _open(folder, config):
    """The run in `folder`, made when there is none; ConfigError when it was started with another configuration."""
    run = RunFolder(folder, config)
    path = run.path("weights.json")
    if not os.path.exists(path):
        RunFolder.require_empty(folder)
        write_json(path, config.to_json())
    else:
        check_same(folder, read_json(path), config.to_json(), prefix="run.")
    return run


def _account(config, learner, data):
    """What the learning was and what it has cost: the figures that are known before the best epoch is taken."""
    results = {
        "version": __version__,
        "task": config.run.task,
        "data": data.origin,
        "weights": sum(weights_by_layer(config.run.network).values()),
        "epochs": len(learner.history),
        "best_epoch": learner.best.epoch,
        "learning_rate": config.learning_rate,
        "seed": config.run.recipe.seed,
        "primary": data.validation.primary,
        "images_per_second": float(np.mean([row["samples_per_second"] for row in learner.history])),
        "training_seconds": float(sum(row["seconds"] for row in learner.history)),
    }
    if config.on_chip:
        rows = learner.history[: learner.best.epoch]
        results.update(
            chip_seed=config.run.recipe.chip_seed,
            writing=plain(config.writing),
            programs=program_counts(learner.chip, *learner.pulse_counts()),
            budget_spent_at_step=learner.spent_at_step,
            programs_to_best=sum(row["set_pulses"] + row["reset_pulses"] for row in rows),
        )
    return results


def _examiner(config, learner, data, threads):
    """A function (examination, its split) -> figures of what has been learned."""
    if not config.on_chip:
        return lambda examination, _: examination.figures(learner.predict)
    run = config.run
    codes, chip, scales_S = data.calibration_codes(), learner.chip, learner.scales_S
    try:
        adcs = calibration.calibrate_adcs(
            run.network, learner.state, codes, chip, scales_S, run.adc_bits, run.adc_arrangement
        )
    except ConfigError as error:
        message = "no signal passes through what was learned ({}): lower the learning rate, it is {}"
        raise DivergedError(message.format(error, config.learning_rate)) from None
    model = Model(chip.placement, {}, scales_S, adcs, learner.state)
    return lambda examination, split: examine(run, chip, model, examination, split, threads)

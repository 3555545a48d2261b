"""What mask learning is compared with, trained and examined in folders of their own.

Free weights on ideal hardware, and weight optimisation on a simulated chip. Their folders hold `config.json`,
`checkpoint.npz` and `history.csv`, `validation.json` or `results.json`, `test-openings.jsonl`.
"""

import os
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Optional, Union

import numpy as np

from .. import __version__
from ..chip.wear import program_counts
from ..errors import ConfigError, DataError, DivergedError
from ..files import read_json, write_json
from ..inference import calibration
from ..inference.examine import examine, score_without_chip
from ..inference.model import Model
from ..json_codec import built, plain
from ..learn.free_weights import FloatLearner
from ..learn.recipe import Schedule
from ..learn.written_weights import WriteLearner, Writing
from ..nn.network import weights_by_layer
from ..runs.config import RunConfig, config_from_json
from ..runs.folder import open_test, open_training
from ..runs.learning_folder import LearningFolder, Path, Progress, blaming
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

    def __post_init__(self) -> None:
        if self.on_chip and self.run.recipe.level != "cell":
            raise ConfigError("weights of a chip need both cells of a pair: its level is 'cell', not 'pair'")
        if self.on_chip and self.run.wires is not None:
            raise ConfigError("weight optimisation tunes cells one by one: it takes ideal wires, not an IR drop")

    @property
    def on_chip(self) -> bool:
        """Whether the weights are those of a chip."""
        return self.writing is not None

    @property
    def schedule(self) -> Schedule:
        """The gradient descent on the weights."""
        return replace(self.run.recipe, learning_rate=self.learning_rate)

    def to_json(self) -> Dict[str, Any]:
        """A JSON-ready dict; `weight_config_from_json` reads it."""
        return dict(plain(self), run=self.run.to_json())


def weight_config_from_json(value: Any) -> WeightConfig:
    """The WeightConfig that `WeightConfig.to_json` or `document` gave; DataError when it is not one, and where."""
    if not isinstance(value, dict):
        raise DataError("not the configuration of a run of weights")
    known = {name: item for name, item in value.items() if name not in ("format", "version")}
    return built(WeightConfig, known, readers={RunConfig: config_from_json})


class WeightFolder(LearningFolder):
    """The folder of a run that learns weights."""

    config: WeightConfig

    @staticmethod
    def config_from_json(value: Any) -> WeightConfig:
        """The WeightConfig in `config.json`; DataError when it is another one."""
        return weight_config_from_json(value)

    @classmethod
    def open(cls, folder: Path) -> "WeightFolder":
        """The run in `folder`; DataError when there is none. In format 1 its configuration is in `weights.json`."""
        path = os.path.join(os.fspath(folder), "weights.json")
        if LearningFolder.exists(folder) or not os.path.isfile(path):
            return super().open(folder)
        with blaming(path):
            return cls(folder, cls.config_from_json(read_json(path)), file_format=1)

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether `folder` holds a run, in whichever format."""
        return LearningFolder.exists(folder) or os.path.isfile(os.path.join(os.fspath(folder), "weights.json"))

    def upgrade(self) -> None:
        """Write the files of a folder of format 1 anew; `config.json` takes the place of `weights.json`."""
        super().upgrade()
        os.unlink(self.path("weights.json"))


def make_learner(config: WeightConfig, threads: int = 1) -> Union[FloatLearner, WriteLearner]:
    """The learner of a `WeightConfig`, on a chip of its own where there is one."""
    network = config.run.network
    if config.writing is None:
        return FloatLearner(network, config.schedule, threads=threads)
    return WriteLearner(network, make_chip(config.run), recipe=config.schedule, writing=config.writing, threads=threads)


def train_weights(
    folder: Path, config: WeightConfig, *, threads: int = 1, progress: Optional[Progress] = None, test: bool = True
) -> Dict[str, Any]:
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
    run = WeightFolder.open(folder) if WeightFolder.exists(folder) else WeightFolder.create(folder, config)
    run.check_config(config)
    done = "results.json" if test else "validation.json"
    if run.has(done):
        return read_json(run.path(done))
    if data is None:
        data = open_training(config.run)
    learner = make_learner(config, threads)
    run.learn(learner, data, progress=progress)
    results = _account(config, learner, data)
    learner.adopt(learner.best)
    look = _examiner(config, learner, data=data, threads=threads)
    results["validation"] = look(data.validation, "validation")
    if test:
        run.log_test_opening("end of training")
        results["test"] = look(open_test(config.run), "test")
        results["test_openings"] = run.test_openings()
    write_json(run.path(done), results)
    return results


def _account(config: WeightConfig, learner: Union[FloatLearner, WriteLearner], data: Any) -> Dict[str, Any]:
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
        "samples_per_second": float(np.mean([row["samples_per_second"] for row in learner.history])),
        "training_seconds": float(sum(row["seconds"] for row in learner.history)),
    }
    if isinstance(learner, WriteLearner):
        rows = learner.history[: learner.best.epoch]
        n_set, n_reset = learner.pulse_counts()
        results.update(
            chip_seed=config.run.recipe.chip_seed,
            writing=plain(config.writing),
            programs=program_counts(learner.chip, n_set=n_set, n_reset=n_reset),
            budget_spent_at_step=learner.spent_at_step,
            programs_to_best=sum(row["set_pulses"] + row["reset_pulses"] for row in rows),
        )
    return results


def _examiner(
    config: WeightConfig, learner: Union[FloatLearner, WriteLearner], *, data: Any, threads: int
) -> Callable[[Any, str], Dict[str, Any]]:
    """A function (examination, its split) -> figures of what has been learned."""
    if not isinstance(learner, WriteLearner):
        return lambda examination, _: score_without_chip(examination, learner.predict).to_json()
    run = config.run
    codes, chip, scales_S = data.calibration_codes(), learner.chip, learner.scales_S
    try:
        adcs = calibration.calibrate_adcs(
            run.network,
            learner.state,
            codes=codes,
            chip=chip,
            scales_S=scales_S,
            adc_bits=run.adc_bits,
            arrangement=run.adc_arrangement,
        )
    except ConfigError as error:
        raise DivergedError(
            f"no signal passes through what was learned ({error}): lower the learning rate, it is "
            f"{config.learning_rate}"
        ) from None
    model = Model(chip.placement, {}, scales_S, adcs, learner.state)
    return lambda examination, split: examine(
        run, chip, model=model, examination=examination, split=split, threads=threads
    ).to_json()

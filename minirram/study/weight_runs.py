"""What mask learning is compared with, trained and examined in folders of their own.

Free weights on ideal hardware, and weight optimisation on a simulated chip. Their folders hold `config.json`,
`checkpoint.npz` and `history.csv`, `validation.json` or `results.json`, `test-openings.jsonl`.
"""

import os
from dataclasses import dataclass, fields, replace
from typing import Any, Callable, Dict, Optional, Union

import numpy as np

from .. import __version__
from ..chip.counts import ChipCounts, chip_counts
from ..chip.wear import Programs, program_counts
from ..errors import ConfigError, DataError, DivergedError
from ..files import blaming, read_json, write_json
from ..inference import calibration
from ..inference.examine import Score, examine, score_without_chip
from ..inference.model import Model
from ..json_codec import Result, built, plain
from ..learn.free_weights import FloatLearner
from ..learn.plain_weights import PlainLearner
from ..learn.recipe import Schedule
from ..learn.written_weights import WriteLearner, Writing
from ..nn.network import weights_by_layer
from ..runs.chip_files import DRAWN, ChipFiles
from ..runs.config import BESIDE, RunConfig, config_from_json
from ..runs.folder import open_test, open_training
from ..runs.learning_folder import LearningFolder, Path, Progress, alone
from ..runs.made_chip import make_chip
from ..runs.old_results import OF_MASKS, renamed


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
    known = {name: item for name, item in value.items() if name not in BESIDE}
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


def make_learner(config: WeightConfig, files: ChipFiles = DRAWN, *, threads: int) -> Union[FloatLearner, WriteLearner]:
    """The learner of a `WeightConfig`, on a chip of its own where there is one."""
    network = config.run.network
    if config.writing is None:
        return FloatLearner(network, config.schedule, threads=threads)
    chip = make_chip(config.run, files)
    kind = WriteLearner if config.writing.realisation is None else PlainLearner
    return kind(network, chip, recipe=config.schedule, writing=config.writing, threads=threads)


@dataclass(frozen=True)
class WeightResults(Result):
    """What a finished training of weights gives, as in `results.json`, or `validation.json` without the test set."""

    version: str
    """of minirram"""
    task: str
    """name of the task"""
    data: str
    """where the data come from"""
    weights: int
    """weights of the network"""
    epochs: int
    """passes over the training set"""
    best_epoch: int
    """the epoch with the best validation, whose weights these are"""
    learning_rate: float
    """at the first step"""
    seed: int
    """of weights, batches and read noise"""
    samples_per_second: float
    """rate of the training, mean over the epochs"""
    training_seconds: float
    """of all epochs, without validation"""
    validation: Score
    """on the validation set: on the simulated macros, or by the digital forward pass of free weights"""
    test: Optional[Score]
    """the same on the test set; None: it was not opened"""
    test_openings: Optional[int]
    """how often this run's test set was opened so far; None: never"""
    chip_seed: Optional[int]
    """which individual the chip is; None: there is none"""
    writing: Optional[Writing]
    """how cells are written; None: none are"""
    programs: Optional[Programs]
    """pulses of learning; None: there is no chip"""
    budget_spent_at_step: Optional[int]
    """the step at which the budget of writes was spent; None: it was not"""
    programs_to_best: Optional[int]
    """pulses up to the best epoch; None: there is no chip"""
    chip: Optional[ChipCounts]
    """what was counted on the chip; None: there is none, or an earlier version learned"""


def train_weights(
    folder: Path,
    config: WeightConfig,
    *,
    files: ChipFiles = DRAWN,
    threads: int = 1,
    progress: Optional[Progress] = None,
    test: bool = True,
) -> WeightResults:
    """Learn the weights of `config` (a `WeightConfig`) in `folder`; a run that was stopped there continues.

    files: maps and stuck cells of the chip, as `config.run` names them. progress: called with each row of the history.
    test: whether to open the test set at the end (once: a later call finds the results); without it only the validation
    figures are given. Returns what `results.json` holds, or `validation.json` without the test. ConfigError when the
    folder holds a run of another configuration or other data.
    """
    with alone(folder):
        return _trained(folder, config, files, threads=threads, progress=progress, test=test)


def _trained(
    folder: Path, config: WeightConfig, files: ChipFiles, *, threads: int, progress: Optional[Progress], test: bool
) -> WeightResults:
    """What `train_weights` does in a folder that is this process's alone."""
    data = None
    if not config.run.data_crc:
        data = open_training(config.run)
        config = replace(config, run=replace(config.run, data_crc=data.crc))
    run = WeightFolder.open(folder) if WeightFolder.exists(folder) else WeightFolder.create(folder, config)
    run.check_config(config)
    path = run.path("results.json" if test else "validation.json")
    if os.path.isfile(path):
        return built(WeightResults, _renamed(read_json(path)), where=path)
    if data is None:
        data = open_training(config.run)
    learner = make_learner(config, files, threads=threads)
    run.learn(learner, data, progress=progress)
    results = _results(run, learner, data=data, test=test, threads=threads)
    write_json(path, results.to_json())
    return results


def _renamed(value: Dict[str, Any]) -> Dict[str, Any]:
    """A results file of format 1 in the names of today: it left out what did not apply."""
    names = [field.name for field in fields(WeightResults)]
    value = renamed(value)
    programs = value.get("programs")
    if programs is not None and "from" in programs["wear"]:
        wear = dict(programs["wear"])
        wear["from_writes"] = wear.pop("from")
        value = dict(value, programs=dict(programs, wear=wear))
    if value.get("chip") is not None:
        value = dict(value, chip={"unformed_lines": [], **value["chip"]})  # an earlier version named none
    known = {name: value.get(name) for name in names}
    return dict(known, **{name: entry for name, entry in value.items() if name not in OF_MASKS})


def _results(
    run: WeightFolder, learner: Union[FloatLearner, WriteLearner], *, data: Any, test: bool, threads: int
) -> WeightResults:
    """What the learning was, how well its best epoch answers, and what it has cost."""
    config, history = run.config, learner.history
    chip_seed = programs = spent = to_best = None
    if isinstance(learner, WriteLearner):
        n_set, n_reset = learner.pulse_counts()
        chip_seed, programs = config.run.recipe.chip_seed, program_counts(learner.chip, n_set=n_set, n_reset=n_reset)
        spent = learner.spent_at_step
        to_best = sum(row["set_pulses"] + row["reset_pulses"] for row in history[: learner.best.epoch])
    learner.adopt(learner.best)
    look = _examiner(config, learner, data=data, threads=threads)
    validation, found = look(data.validation, "validation"), None
    if test:
        run.log_test_opening("end of training")
        found = look(open_test(config.run), "test")
    return WeightResults(
        version=__version__,
        task=config.run.task,
        data=data.origin,
        weights=sum(weights_by_layer(config.run.network).values()),
        epochs=len(history),
        best_epoch=learner.best.epoch,
        learning_rate=config.learning_rate,
        seed=config.run.recipe.seed,
        samples_per_second=float(np.mean([row["samples_per_second"] for row in history])),
        training_seconds=float(sum(row["seconds"] for row in history)),
        validation=validation,
        test=found,
        test_openings=run.test_openings() if test else None,
        chip_seed=chip_seed,
        writing=config.writing,
        programs=programs,
        budget_spent_at_step=spent,
        programs_to_best=to_best,
        chip=chip_counts(learner.chip, signs_given=0) if isinstance(learner, WriteLearner) else None,
    )


def _examiner(
    config: WeightConfig, learner: Union[FloatLearner, WriteLearner], *, data: Any, threads: int
) -> Callable[[Any, str], Score]:
    """A function (examination, its split) -> figures of what has been learned."""
    if not isinstance(learner, WriteLearner):
        return lambda examination, _: score_without_chip(examination, learner.predict)
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
    )

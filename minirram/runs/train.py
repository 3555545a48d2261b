"""Train: learn the masks of a run on its chip, then examine it. No printing."""

import os
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Optional, Tuple, Union

import numpy as np

from .. import __version__
from ..chip.chip import Chip
from ..chip.counts import UnformedLine, unformed_lines
from ..device.formed_maps import MapTaken
from ..device.unusual import unusual
from ..driver.session import Session
from ..files import read_json, write_json
from ..inference import calibration
from ..inference.examine import Score, examine
from ..inference.model import Model
from ..json_codec import Result, built
from ..labfiles.maps import Reading
from ..learn.learned import Learned
from ..learn.mask_learner import MaskLearner
from ..nn.network import weights_by_layer
from ..tasks import datasets
from ..tasks.data_report import DataReport, data_report
from ..tasks.labelled_data import LabelledData
from ..tasks.training_data import training_data
from .chip_files import DRAWN, ChipFiles
from .config import RunConfig
from .driven import bench_name, driven_chip, goes_on, note_bench, was_formed
from .folder import DATA_FILE, REPORT_FILE, RunFolder, open_test, open_training
from .learning_folder import alone
from .made_chip import checked_chip, make_chip
from .old_results import NEWER, renamed
from .own_data import own_data


@dataclass(frozen=True)
class MovedLine(Result):
    """A line that stands in for another, because that one, or one before it, is dead."""

    macro: int
    """number of the macro"""
    line: str
    """"row", or "pair" of columns"""
    logical: int
    """its number among the lines in use"""
    physical: int
    """its number on the chip"""


@dataclass(frozen=True)
class TrainingResults(Result):
    """What a finished training gives, as in `results.json`."""

    version: str
    """of minirram"""
    task: str
    """name of the task"""
    data: str
    """where the data come from"""
    level: str
    """"pair": one mask bit per weight; "cell": one per cell"""
    density: float
    """kept fraction that was asked for"""
    kept_fraction: float
    """kept connections over all connections, at the best epoch"""
    epochs: int
    """passes over the training set"""
    best_epoch: int
    """the epoch with the best validation, whose masks these are"""
    validation: Score
    """on the validation set, on the simulated macros"""
    test: Score
    """on the test set, on the simulated macros"""
    read_noise: Optional[float]
    """relative standard deviation of one read; None where the technology states no such number"""
    re_set: Optional[str]
    """what a SET cell gets: "replay" of its value or a "redraw"; None where the technology has a law of its own"""
    adc_bits: int
    """resolution of the ADCs"""
    adc_arrangement: str
    """one conversion per "pair" of cells, or per "polarity\""""
    seed: int
    """of scores, signs, batches and read noise"""
    chip_seed: int
    """which individual the chip is"""
    samples_per_second: float
    """rate of the training, mean over the epochs"""
    training_seconds: float
    """of all epochs, without validation"""
    weights: int
    """weights of the network"""
    macros: int
    """macros of the chip"""
    utilisation: float
    """share of the macros' pairs that the network uses"""
    unformed_pairs: int
    """pairs in use with a cell that never formed"""
    stuck_cells: int
    """cells in use that answer to no pulse"""
    moved: Tuple[MovedLine, ...]
    """lines that stand in for others around dead ones"""
    pulses: Dict[str, int]
    """pulses that the chip received, by kind"""
    flips_per_weight: float
    """SET and RESET pulses over the network's weights"""
    test_openings: int
    """how often this run's test set was opened so far"""
    driver: Optional[str]
    """the bench whose chip learned; None: a simulated chip without a driver"""
    clipped_conductances: int
    """conductances of the chip's cells that were cut at the largest that the grid of the technology holds"""
    maps: Tuple[MapTaken, ...]
    """how the measured maps were taken that the chip started from; none: it was drawn"""
    dead_pairs: int
    """pairs in use of which no cell formed: their weight is 0"""
    unformed_lines: Tuple[UnformedLine, ...]
    """lines in use on which no cell formed"""
    signs_given: int
    """pairs in use whose sign is that of their only formed cell; 0: signs are drawn"""
    data_report: Optional[DataReport]
    """what the data are that the run folder carries; None: its data lie elsewhere"""
    readings: Tuple[Reading, ...]
    """what was taken from each measured map"""
    warnings: Tuple[str, ...]
    """numbers that look like a slip; they were taken as they are"""
    maps_left_out: int
    """measured maps beyond the macros that the network needs"""


Progress = Callable[[Dict[str, Any]], None]
"""called with each row of the history"""
More = Callable[[int, int], None]
"""called with the epochs that a run had and is to have, once nothing speaks against it"""


def train(
    folder: "Union[str, os.PathLike[str]]",
    config: RunConfig,
    *,
    threads: int = 1,
    resume: bool = False,
    files: ChipFiles = DRAWN,
    progress: Optional[Progress] = None,
    session: Optional[Session] = None,
    arrays: Optional[LabelledData] = None,
    more: Optional[More] = None,
) -> TrainingResults:
    """Learn the masks of `config` in `folder`, then evaluate on validation and, once, on the test set.

    resume: continue the run in the folder, if there is one; its configuration must be `config`, which may have more
    epochs: a finished run, too, learns on, and the learning rate falls over all of them. files: those of the
    chip that `config` names. session: the bench whose chip learns; None: a simulated chip. arrays: data that the run
    folder is to carry. more: is told of more epochs. Returns what `results.json` holds.
    """
    chip = chip_of(folder, config, files=files, session=session, resume=resume)
    readings = files.readings
    return learn(
        folder,
        config,
        chip=chip,
        threads=threads,
        resume=resume,
        progress=progress,
        arrays=arrays,
        readings=readings,
        more=more,
    )[0]


def chip_of(
    folder: "Union[str, os.PathLike[str]]",
    config: RunConfig,
    *,
    files: ChipFiles = DRAWN,
    session: Optional[Session],
    resume: bool,
) -> Chip:
    """The formed chip of a run, simulated or behind the bench of `session`; arguments as of `train`.

    The chip of a run that goes on behind a bench is not pulsed before its checkpoint is read.
    """
    if session is None:
        return make_chip(config, files)
    if goes_on(folder, resume):
        return driven_chip(config, session, resting=True)
    return checked_chip(driven_chip(config, session, was_formed=was_formed(folder, resume)))


def learn(
    folder: "Union[str, os.PathLike[str]]",
    config: RunConfig,
    *,
    chip: Chip,
    threads: int = 1,
    resume: bool = False,
    progress: Optional[Progress] = None,
    arrays: Optional[LabelledData] = None,
    readings: Tuple[Reading, ...] = (),
    more: Optional[More] = None,
) -> Tuple[TrainingResults, Any]:
    """What `train` does on a formed chip: (results, test set opened for them, None when the run had ended before).

    arrays: data that the run folder is to carry, instead of a data source; `config.layout` describes them. readings:
    what was taken from the chip's maps.
    """
    config, arrays = own_data(config, arrays)
    if arrays is None:
        data = open_training(config)
    else:
        data = training_data(config.data_layout, arrays.training, validation=arrays.validation, network=config.network)
    data.steps_per_epoch(config.recipe)
    config = replace(config, data_crc=data.crc)
    with alone(folder):
        return _learned(
            folder,
            config,
            chip,
            data=data,
            arrays=arrays,
            threads=threads,
            resume=resume,
            progress=progress,
            readings=readings,
            told=more,
        )


def _learned(
    folder: "Union[str, os.PathLike[str]]",
    config: RunConfig,
    chip: Chip,
    *,
    data: Any,
    arrays: Optional[LabelledData],
    threads: int,
    resume: bool,
    progress: Optional[Progress],
    readings: Tuple[Reading, ...],
    told: Optional[More],
) -> Tuple[TrainingResults, Any]:
    """What `learn` does in a folder that is this process's alone."""
    run = RunFolder.open(folder) if resume and RunFolder.exists(folder) else RunFolder.create(folder, config)
    had, asked = run.config.recipe.epochs, config.recipe.epochs
    more = resume and asked > had
    run.check_config(replace(config, recipe=replace(config.recipe, epochs=had)) if more else config)
    note_bench(run, chip)
    if more:  # all else is as it was: now files may move
        run.take_more_epochs(asked)
        if told is not None:
            told(had, asked)
    if run.has("results.json"):
        return read_results(run.path("results.json")), None
    if arrays is not None and not run.has(DATA_FILE):
        report = data_report(arrays, config.data_layout, network=config.network)
        write_json(run.path(REPORT_FILE), report.to_json())
        datasets.save(run.folder, config.data_layout, parts=arrays.arrays(), origin=arrays.training.origin)
    learner = MaskLearner(config.network, chip, recipe=config.recipe, threads=threads, wires=config.wires)
    run.learn(learner, data, progress=progress)
    model = finish(learner, learner.best, data=data, config=config)
    run.save_trained(chip, model, masks=learner.masks)
    run.log_test_opening("end of training")
    test_set = open_test(config, None if arrays is None else run.folder)
    results = _results(run, learner, model, data=data, test_set=test_set, threads=threads, readings=readings)
    write_json(run.path("results.json"), results.to_json())
    return results, test_set


def _report(run: RunFolder) -> Optional[DataReport]:
    """What the run folder says of the data that it carries."""
    path = run.path(REPORT_FILE)
    return built(DataReport, read_json(path), where=path) if run.has(REPORT_FILE) else None


def read_results(path: str) -> TrainingResults:
    """What `results.json` holds, in a run folder of any format."""
    return built(TrainingResults, dict(NEWER, **renamed(read_json(path))), where=path)


def finish(learner: MaskLearner, learned: Learned, *, data: Any, config: RunConfig) -> Model:
    """Program masks that were learned onto the chip and calibrate its ADCs on training data: the Model."""
    learner.adopt(learned)
    learner.chip.observe()
    placement, signs, scales_S = learner.chip.placement, learner.signs, learner.scales_S
    return calibration.calibrated(
        config.network,
        Model(placement, signs, scales_S, {}, learner.state),
        chip=learner.chip,
        codes=data.calibration_codes(),
        adc_bits=config.adc_bits,
        arrangement=config.adc_arrangement,
        wires=config.wires,
        ranges_behind_wires=False,
    )


def moved_lines(config: RunConfig) -> Tuple[MovedLine, ...]:
    """Lines of a run's chip that stand in for others around dead ones."""
    return () if config.lines is None else tuple(MovedLine(**line) for line in config.lines.report())


def _results(
    run: RunFolder,
    learner: MaskLearner,
    model: Model,
    *,
    data: Any,
    test_set: Any,
    threads: int,
    readings: Tuple[Reading, ...],
) -> TrainingResults:
    """Figures of a finished training."""
    config, chip, history = run.config, learner.chip, learner.history

    def score(examination: Any, split: str) -> Score:
        return examine(config, chip, model=model, examination=examination, split=split, threads=threads)

    return TrainingResults(
        version=__version__,
        task=config.task,
        data=data.origin,
        level=config.recipe.level,
        density=config.recipe.density,
        kept_fraction=learner.kept_fraction(),
        epochs=len(history),
        best_epoch=learner.best.epoch,
        validation=score(data.validation, "validation"),
        test=score(test_set, "test"),
        read_noise=getattr(config.cell_model, "read_noise", None),
        re_set=getattr(config.cell_model, "re_set", None),
        adc_bits=config.adc_bits,
        adc_arrangement=config.adc_arrangement,
        seed=config.recipe.seed,
        chip_seed=config.recipe.chip_seed,
        samples_per_second=float(np.mean([row["samples_per_second"] for row in history])),
        training_seconds=float(sum(row["seconds"] for row in history)),
        weights=sum(weights_by_layer(config.network).values()),
        macros=chip.placement.n_macros,
        utilisation=chip.placement.utilisation,
        unformed_pairs=int(chip.unformed_pairs()),
        stuck_cells=int(chip.stuck_cells()),
        moved=moved_lines(config),
        pulses={kind: int(count) for kind, count in chip.pulses.items()},
        flips_per_weight=(chip.pulses["set"] + chip.pulses["reset"]) / chip.placement.n_pairs,
        test_openings=run.test_openings(),
        driver=bench_name(chip),
        clipped_conductances=chip.clipped(),
        maps=chip.maps,
        dead_pairs=chip.dead_pairs(),
        unformed_lines=unformed_lines(chip),
        signs_given=learner.signs_given(),
        data_report=_report(run),
        readings=readings,
        warnings=unusual(config.cell_model),
        maps_left_out=chip.maps_left_out,
    )

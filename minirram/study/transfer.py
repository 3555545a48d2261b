"""Chip transfer: the masks of one chip programmed on another, and learning on from there. No printing."""

import os
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np

from ..chip.chip import Chip
from ..chip.counts import UnformedLine, unformed_lines
from ..chip.dead_lines import ChipLines
from ..chip.faults import find_faults, masks_around
from ..chip.forming import unformed
from ..device.formed_maps import MapTaken
from ..device.interface import Cell
from ..device.unusual import unusual
from ..errors import ConfigError
from ..files import blaming, copy_file, part, read_json, write_json
from ..inference.examine import Score, examine
from ..inference.model import Model
from ..json_codec import Result, built
from ..labfiles.maps import Reading
from ..learn.adaptation import ADAPTATION_STEPS, follow_chip
from ..learn.learned import Arrays, Learned, copies
from ..learn.learner import best_learned
from ..learn.mask_learner import MaskLearner
from ..learn.written_weights import WriteLearner
from ..rng import stream
from ..runs.chip_files import DRAWN, ChipFiles, WhichChip, which_chip
from ..runs.config import IN_THE_FOLDER, RunConfig, config_from_json
from ..runs.folder import DATA_FILE, REPORT_FILE, RunFolder, open_test, open_training
from ..runs.learning_folder import Path, Progress, alone
from ..runs.made_chip import make_chip
from ..runs.old_results import OF_TRANSFERS
from ..runs.place import WEIGHTS, save_written
from ..runs.train import MovedLine, finish, moved_lines
from .matching import PATCHES, SAMPLES, Matched, match_stage
from .placed_transfer import check_options, finish_written, home_score, is_placed, writer_on

Moved = Union[MaskLearner, WriteLearner]
"""what learns on: masks, or the weights of a placed network"""
RELEARNING_RATE = 0.05
"""learning rate of a re-learning relative to that of the first training: at a higher one good masks flap first"""


@dataclass(frozen=True)
class DigitalOnly(Result):
    """The other chip when no cell is pulsed, and batch norms and ranges alone see it."""

    validation: float
    """validation score of the training forward"""
    recovered: Optional[float]
    """share of the gap between home and before that this won back; None: there was no gap"""
    steps: int
    """batches that the statistics saw"""


@dataclass(frozen=True)
class BeforeAfter(Result):
    """Scores on the simulated macros of the other chip."""

    before: Score
    """with the masks of the first chip"""
    after: Score
    """with those that were learned on"""


@dataclass(frozen=True)
class TransferResults(Result):
    """What a transfer gives, as in `results.json`. Scores are the primary figure of the task."""

    task: str
    """name of the task"""
    from_chip_seed: int
    """which individual the first chip is"""
    chip_seed: int
    """which individual the other chip is"""
    seed: int
    """of batches and read noise"""
    stuck_lrs: float
    """share of cells that are always on"""
    stuck_hrs: float
    """share of cells that are always off"""
    stuck_cells: int
    """cells in use that answer to no pulse"""
    faults_known: Optional[Tuple[int, ...]]
    """cells found to be stuck on, and off, before learning; None: nobody looked"""
    home: float
    """validation score of the training forward on the first chip"""
    before: float
    """the same on the other chip, with the masks of the first"""
    after: Tuple[float, ...]
    """the same after each epoch of the re-learning"""
    recovered: Tuple[Optional[float], ...]
    """shares of the gap between home and before that were won back; None: there was no gap"""
    digital_only: DigitalOnly
    """what the digital side alone wins back"""
    matched: Optional[Matched]
    """what bits matched to the first chip's answers win back, before any learning; None: nobody asked for it"""
    epochs: int
    """of the re-learning"""
    learning_rate: float
    """of the re-learning, at its first step"""
    steps_share: float
    """steps of the re-learning over those of the first training"""
    writes: Optional[int]
    """writes that brought the weights of a placed network to the other chip; None: masks went there"""
    pulses: Tuple[int, ...]
    """SET and RESET pulses of each epoch"""
    seconds: Tuple[float, ...]
    """of each epoch"""
    validation: BeforeAfter
    """on the validation set"""
    test: BeforeAfter
    """on the test set"""
    test_openings: int
    """how often this run's test set was opened so far"""
    unformed_pairs: int
    """pairs in use on the other chip with a cell that never formed"""
    dead_pairs: int
    """pairs in use on the other chip of which no cell formed: their weight is 0"""
    unformed_lines: Tuple[UnformedLine, ...]
    """lines in use of the other chip on which no cell formed"""
    moved: Tuple[MovedLine, ...]
    """lines of the other chip that stand in for others around dead ones"""
    clipped_conductances: int
    """conductances of the other chip's cells that were cut at the largest that the grid of the technology holds"""
    signs_given: int
    """pairs in use on the other chip of which one cell formed, which gives the sign"""
    readings: Tuple[Reading, ...]
    """what was taken from each measured map of the other chip"""
    maps: Tuple[MapTaken, ...]
    """how the measured maps were taken that the other chip started from; none: it was drawn"""
    warnings: Tuple[str, ...]
    """numbers that look like a slip; they were taken as they are"""
    from_chip: Optional[WhichChip]
    """the first chip; None: in a folder of an earlier version"""
    chip: Optional[WhichChip]
    """the other chip"""
    maps_left_out: int
    """measured maps of the other chip beyond the macros that the network needs"""


def load_transfer(path: Path) -> TransferResults:
    """What a transfer left in its `results.json`; what an earlier version did not count is 0 or empty."""
    return built(TransferResults, {**OF_TRANSFERS, **read_json(path)}, where=os.fspath(path))


def transfer(
    source: Path,
    folder: Path,
    *,
    changes: Mapping[str, Any],
    cell_model: Optional[Cell] = None,
    lines: Optional[ChipLines] = None,
    files: ChipFiles = DRAWN,
    know_faults: bool = False,
    match: bool = False,
    threads: int = 1,
    progress: Optional[Progress] = None,
    data: Optional[str] = None,
) -> TransferResults:
    """Take what the run in `source` learned to another chip, and learn on; a transfer that was stopped continues.

    changes: dict of the fields of the run's `Recipe` that are to differ: `epochs` and `learning_rate` of the
    re-learning (default: `RELEARNING_RATE` of the run's), `chip_seed` of the other chip. cell_model: technology of
    the other chip, if not that of the first: one with `stuck_lrs` and `stuck_hrs` for a faulty chip. lines: of the
    other chip; None: all lines are alive, macros are as large as its maps, else 512 x 512. files: its measured maps
    and stuck cells. know_faults: whether its faults are read out first, so that signs (pair level) or bits (cell level)
    avoid them. match: whether bits are matched to the answers of the first chip's layers first, see `matching`. data:
    folder of the run's data set, where it has moved. The weights of a placed network are written on
    the other chip with the effort of the first writing, and learn on.

    `folder` becomes a run of its own.
    """
    origin = RunFolder.open(source)
    _check_source(origin, changes, files)
    config = _config_of_copy(origin.config, changes, cell_model=cell_model, data=origin.source(data))
    config = replace(config, lines=lines, **files.names())
    if is_placed(origin):
        check_options(know_faults, match=match)
    readings = files.readings  # what is wrong with a file is said before there is a folder
    carried = origin if data is None else None
    with alone(folder, "another transfer"):
        return _transferred(
            origin,
            folder,
            config,
            files=files,
            readings=readings,
            know_faults=know_faults,
            match=match,
            carried=carried,
            threads=threads,
            progress=progress,
        )


def _transferred(
    origin: RunFolder,
    folder: Path,
    config: RunConfig,
    *,
    files: ChipFiles,
    readings: Tuple[Reading, ...],
    know_faults: bool,
    match: bool,
    carried: Optional[RunFolder],
    threads: int,
    progress: Optional[Progress],
) -> TransferResults:
    """What `transfer` does in a folder that is this process's alone."""
    first_chip, first_model, _ = origin.load_trained()
    training = open_training(config)
    config = replace(config, data_crc=training.crc)
    chip = None if _has_ended(folder) else make_chip(config, files)
    run = _open(folder, config, origin=Origin(origin.config, know_faults, match), carried=carried)
    if chip is None:
        return load_transfer(run.path("results.json"))
    learner: Moved
    if is_placed(origin):
        learner = writer_on(config, chip, origin=origin, model=first_model, threads=threads)
        home = home_score(origin, first_chip, first_model, training=training, threads=threads)
    else:
        at_home, signs = origin.load_checkpoint(), first_model.signs
        learner = _learner_on(config, chip, at_home=at_home, signs=signs, know_faults=know_faults, threads=threads)
        home = best_learned(at_home).validation
    first, written = learner.learned(), sum(learner.pulse_counts())
    before = float(training.validation_score(learner.predict))
    if isinstance(learner, WriteLearner):
        learner.keep_first(before)
    digital, matched = _digital_only(learner, training), None
    if match and isinstance(learner, MaskLearner):
        samples = PATCHES if config.data_layout.per_pixel else SAMPLES
        matched = match_stage(learner, first_chip, first_model, data=training, scores=(home, before), samples=samples)
    run.learn(learner, training, progress=progress)
    run.log_test_opening("end of transfer")
    model, looks = _before_and_after(learner, first, training=training, config=config, threads=threads)
    if isinstance(learner, WriteLearner):
        save_written(run, learner, model)
    else:
        run.save_trained(learner.chip, model, masks=learner.masks)
    results = _results(
        learner,
        origin,
        home=home,
        before=before,
        digital=digital,
        matched=matched,
        writes=written if isinstance(learner, WriteLearner) else None,
        looks=looks,
        chips=(which_chip(origin.config, first_chip), which_chip(config, chip)),
        moved=moved_lines(config),
        test_openings=run.test_openings(),
        readings=readings,
    )
    write_json(run.path("results.json"), results.to_json())
    return results


@dataclass(frozen=True)
class Origin:
    """Where a transfer comes from, as in `transfer.json`."""

    source: RunConfig
    """configuration of the first run"""
    know_faults: bool
    """whether the faults of the other chip were read out first"""
    match: bool = False
    """whether bits were matched before learning"""

    def to_json(self) -> Dict[str, Any]:
        """A JSON-ready dict; `origin_of` reads it."""
        return {"source": self.source.to_json(), "know_faults": self.know_faults, "match": self.match}


def origin_of(run: RunFolder) -> Optional[Origin]:
    """What `transfer.json` of a run says; None for one that is no transfer."""
    if not run.has("transfer.json"):
        return None
    path = run.path("transfer.json")
    with blaming(path):
        return built(Origin, read_json(path), readers={RunConfig: config_from_json})


def _has_ended(folder: Path) -> bool:
    return RunFolder.exists(folder) and RunFolder.open(folder).has("results.json")


def lines_like(source: Path) -> Optional[ChipLines]:
    """All lines alive, on macros as large as those of the run in `source`; None: they are 512 x 512."""
    chip, _, _ = RunFolder.open(source).load_trained()
    rows, cols = chip.macros[0].physical_shape
    lines = ChipLines(rows=rows, pairs=cols // 2)
    return None if lines == ChipLines() else lines


def _open(folder: Path, config: RunConfig, *, origin: Origin, carried: Optional[RunFolder]) -> RunFolder:
    """The run of the other chip, made when there is none; ConfigError when it was started from something else.

    carried: the first run, whose data the folder is to carry where that one does.
    """
    names = () if carried is None or not carried.carries_data else (DATA_FILE, REPORT_FILE)
    fresh = replace(config, data=IN_THE_FOLDER) if names else config
    run = RunFolder.open(folder) if RunFolder.exists(folder) else RunFolder.create(folder, fresh)
    for name in names:
        if carried is not None and carried.has(name) and not run.has(name):
            copy_file(carried.path(name), run.path(name))
    run.check_config(config)
    known = origin_of(run)
    if known is None:
        write_json(run.path("transfer.json"), origin.to_json())
    elif known.to_json() != origin.to_json():
        raise ConfigError(
            f"{folder} holds a transfer from another run, or with other knowledge of faults, or matched otherwise"
        )
    return run


def _check_source(origin: RunFolder, changes: Mapping[str, Any], files: ChipFiles) -> None:
    """ConfigError unless the run `origin` is finished and what it learned can go to the chip that `changes` name."""
    if not origin.has("results.json"):
        raise ConfigError(f"{origin.folder} is not finished: its results.json is missing")
    if not origin.has("checkpoint.npz") and not is_placed(origin):
        raise ConfigError(
            f"{origin.folder} has no checkpoint.npz, from which masks learn on, and no {WEIGHTS} of a placed network: "
            "transfer the run that a recalibrated one was made of, and place anew what an earlier version has placed"
        )
    own = origin.config
    dead = own.lines is not None and bool(own.lines.dead_rows or own.lines.dead_cols)
    if "chip_seed" not in changes and not files.maps and (own.maps or dead or own.faults):
        raise ConfigError(
            f"{origin.folder} was learned on a chip with maps, dead lines or faults of its own, which a transfer "
            "leaves behind: name the other chip by its maps, or by its seed"
        )


def _config_of_copy(
    config: RunConfig, changes: Mapping[str, Any], *, cell_model: Optional[Cell], data: Optional[str]
) -> RunConfig:
    """The configuration of the re-learning."""
    unknown = set(changes) - {"epochs", "learning_rate", "chip_seed"}
    if unknown:
        raise ConfigError(f"a transfer changes epochs, learning_rate and chip_seed, not {sorted(unknown)}")
    changes = dict({"learning_rate": RELEARNING_RATE * config.recipe.learning_rate}, **changes)
    recipe = replace(config.recipe, hysteresis=config.recipe.hysteresis_end, **changes)
    return replace(config, recipe=recipe, cell_model=cell_model or config.cell_model, data=data or config.data)


def _learner_on(
    config: RunConfig, chip: Chip, *, at_home: Arrays, signs: Arrays, know_faults: bool, threads: int
) -> MaskLearner:
    """A learner on the other chip, which holds the first one's best masks and goes on from its scores.

    signs: those that the masks were learned with.
    """
    faults = find_faults(chip, stream(config.recipe.chip_seed, "faults")) if know_faults else None
    learner = MaskLearner(
        config.network,
        chip,
        recipe=config.recipe,
        threads=threads,
        faults=faults,
        signs=signs,
        wires=config.wires,
        programs=False,
    )
    if faults is None and learner.free:
        faults = unformed(chip)
    learned, scores = best_learned(at_home), part(at_home, "scores")
    masks = learned.groups["masks"]
    masks = {name: learner.forced[name].on(mask) if name in learner.forced else mask for name, mask in masks.items()}
    if faults is not None and config.recipe.level == "pair":
        masks, scores = masks_around(
            masks, scores, signs=learner.signs, drawn=signs, faults=faults, placement=chip.placement
        )
    masks = {name: mask & learner.free[name] if learner.free else mask for name, mask in masks.items()}
    learner.learn_on_from(scores)
    learner.adopt(replace(learned, groups={"masks": masks}))
    return learner


def _before_and_after(
    learner: Moved, first: Learned, *, training: Any, config: RunConfig, threads: int
) -> Tuple[Model, Dict[str, BeforeAfter]]:
    """(the model of the best masks, scores of the `first` masks and of those on both sets). The chip ends with them."""
    sets = {"validation": training.validation, "test": open_test(config)}
    scores: Dict[str, List[Score]] = {split: [] for split in sets}
    pulsed = copies(learner.chip.state())
    for learned in (first, learner.best):
        learner.chip.restore(pulsed)  # the look at the first masks is none of the chip's pulses
        if isinstance(learner, WriteLearner):
            model = finish_written(learner, learned, data=training, config=config)
        else:
            model = finish(learner, learned, data=training, config=config)
        for split, examination in sets.items():
            score = examine(config, learner.chip, model=model, examination=examination, split=split, threads=threads)
            scores[split].append(score)
    return model, {split: BeforeAfter(*found) for split, found in scores.items()}


def _digital_only(learner: Moved, data: Any) -> float:
    """The validation score when the digital statistics see the other chip, and nothing else changes."""
    before = copies(learner.state)
    follow_chip(learner, data, stage="digital-only", steps=ADAPTATION_STEPS)
    score = float(data.validation_score(learner.predict))
    learner.state = before
    return score


def _results(
    learner: Moved,
    origin: RunFolder,
    *,
    home: float,
    before: float,
    digital: float,
    matched: Optional[Matched],
    writes: Optional[int],
    looks: Dict[str, BeforeAfter],
    chips: Tuple[WhichChip, WhichChip],
    moved: Tuple[MovedLine, ...],
    test_openings: int,
    readings: Tuple[Reading, ...],
) -> TransferResults:
    """What the re-learning was and how far it came. home: validation score of the first chip."""
    history, faults = learner.history, learner.faults if isinstance(learner, MaskLearner) else None
    after = tuple(row["validation"] for row in history)
    gap = home - before

    def share(score: float) -> Optional[float]:
        return (score - before) / gap if gap > 0 else None

    return TransferResults(
        task=origin.config.task,
        from_chip_seed=origin.config.recipe.chip_seed,
        chip_seed=chips[1].seed,
        seed=learner.recipe.seed,
        stuck_lrs=learner.chip.cell_model.stuck_lrs,
        stuck_hrs=learner.chip.cell_model.stuck_hrs,
        faults_known=None if faults is None else tuple(int(np.count_nonzero(cells)) for cells in faults),
        home=home,
        before=before,
        after=after,
        recovered=tuple(share(score) for score in after),
        digital_only=DigitalOnly(digital, share(digital), ADAPTATION_STEPS),
        matched=matched,
        epochs=learner.recipe.epochs,
        learning_rate=learner.recipe.learning_rate,
        steps_share=learner.recipe.epochs / origin.config.recipe.epochs,
        writes=writes,
        pulses=tuple(row["set_pulses"] + row["reset_pulses"] for row in history),
        seconds=tuple(row["seconds"] for row in history),
        stuck_cells=int(learner.chip.stuck_cells()),
        validation=looks["validation"],
        test=looks["test"],
        test_openings=test_openings,
        unformed_pairs=int(learner.chip.unformed_pairs()),
        dead_pairs=learner.chip.dead_pairs(),
        unformed_lines=unformed_lines(learner.chip),
        moved=moved,
        clipped_conductances=learner.chip.clipped(),
        signs_given=learner.signs_given() if isinstance(learner, MaskLearner) else 0,
        readings=readings,
        maps=learner.chip.maps,
        warnings=unusual(learner.chip.cell_model),
        maps_left_out=learner.chip.maps_left_out,
        from_chip=chips[0],
        chip=chips[1],
    )

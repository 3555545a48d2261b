"""The page of a run folder, whichever task it learned and whichever command made it."""

import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ..chip.cell_results import CellResults
from ..chip.chip import Chip
from ..crossbar.conditions import Conditions
from ..device.thresholds import thresholds
from ..errors import ConfigError, MinirramError
from ..inference.examine import image_answers
from ..inference.model import Model
from ..nn.network import weights_by_layer
from ..programming import build
from ..programming.manifest import NAME as MANIFEST
from ..programming.manifest import Manifest, read_manifest
from ..programming.readback import describe
from ..progress.stages import stage
from ..report.page import Facts, Page, Section, Table
from ..report.text import percent, score, si, size
from ..runs import bench
from ..runs.beside import read_beside
from ..runs.energy import ENERGY_IMAGES, EnergyAccount, WhatIf, account
from ..runs.evaluate import evaluate
from ..runs.export import build_program
from ..runs.folder import RunFolder, open_training
from ..runs.place import PLACED, Placed
from ..runs.recalibrate import Recalibration
from ..runs.train import TrainingResults
from ..study.transfer import TransferResults
from ..xbp import codec
from . import answers, chip_state, cost, learning, outcome, provenance

AGES_S = (1.0, 3600.0, 86_400.0, 30 * 86_400.0, 31_557_600.0, 10 * 31_557_600.0)
"""of a drift curve: one second, an hour, a day, 30 days, a year, ten years"""


@dataclass(frozen=True)
class Wishes:
    """What a page of a run is to hold beside what lies in its folder."""

    data: Optional[str] = None
    """folder of the data set or "synthetic", instead of the run's"""
    costs: str = "macro-40nm"
    """named technology file of the energy account, or the path of one"""
    drift: bool = False
    """whether the run is examined at ages up to ten years, which takes a few times as long"""
    threads: int = 1
    """of the products"""


@dataclass(frozen=True, eq=False)
class _Opened:
    """A run as it was opened."""

    run: RunFolder
    outcome: outcome.Outcome
    chip: Chip
    model: Model
    masks: Dict[str, np.ndarray]
    cells: chip_state.Cells
    done: Optional[CellResults]


def run_page(folder: str, wishes: Wishes) -> Page:
    """The page of the run in `folder`. What cannot be shown, for want of data for example, is said on it.

    DataError for a folder without a finished run, or with damaged files.
    """
    opened = _open(folder)
    config = opened.run.config
    notes: List[str] = []
    found = _tried("Energy", lambda: _account(opened, wishes), notes)
    sections = [*_results_sections(opened)]
    asked = config.data_layout.per_pixel
    if asked and len(config.data_layout.class_names) == 2:
        shown = _tried("Answers by pixel", lambda: _pixels(opened, wishes), notes)
        sections += [] if shown is None else [shown]
    found_score, split = opened.outcome.score, opened.outcome.split
    if found_score.confusion is not None:
        sections.append(answers.confusion_section(found_score, config.data_layout.class_names, split))
    sections += _learning_sections(opened)
    sections += [
        chip_state.conductance_section(opened.cells, config.cell_model),
        chip_state.map_section(opened.cells),
        learning.density_section(opened.masks, opened.model, config.recipe.level),
        cost.counts_section(found_score, split),
    ]
    sections += [] if found is None else [cost.energy_section(found)]
    times_s = {} if found is None else found.training.pulse_times_s
    sections.append(chip_state.wear_section(opened.chip, times_s))
    sections += _bench_sections(opened, notes)
    program = _tried("Program", lambda: _program(opened), notes)
    sections += [] if program is None else [program[0]]
    if wishes.drift:
        drift = _tried("Drift", lambda: _drift(opened, wishes), notes)
        sections += [] if drift is None else [drift]
    sections.append(provenance.provenance_section(opened.run, opened.outcome))
    return _page(opened, tuple(sections), tuple(notes), found, None if program is None else program[1])


def _open(folder: str) -> _Opened:
    run = RunFolder.open(folder)
    found = outcome.outcome_of(run)
    own, model, masks = run.load_trained()
    beside = run.path(os.path.join("bench", bench.CELLS))
    done = CellResults.load(beside) if os.path.isfile(beside) else None
    return _Opened(run, found, own, model, masks, chip_state.cells_of(own, masks, model.signs, done), done)


def _tried(title: str, make: Callable[[], Any], notes: List[str]) -> Any:
    """make(); what is wrong becomes a note, and None."""
    try:
        return make()
    except MinirramError as error:
        notes.append(f"Left out: {title}. {error}")
        return None


def _page(
    opened: _Opened, sections: Tuple[Section, ...], notes: Tuple[str, ...], found: Optional[EnergyAccount], n_bytes: Any
) -> Page:
    config, chip_, ended = opened.run.config, opened.chip, opened.outcome
    kept = sum(int(np.count_nonzero(mask)) for mask in opened.masks.values())
    of = sum(mask.size for mask in opened.masks.values())
    weights, macros = sum(weights_by_layer(config.network).values()), chip_.placement.n_macros
    name = config.network.name if config.task == PLACED else config.task
    named = outcome.NAMES.get(ended.score.primary, ended.score.primary)
    key: List[Tuple[str, Any]] = [(f"{ended.split} {named}", outcome.value_text(ended.score, ended.score.primary))]
    if ended.score.ideal is not None:
        key.append(("with ideal reads", outcome.value_text(ended.score.ideal, ended.score.primary)))
    key.append(("kept", percent(kept / of, 1)))
    key += [] if found is None else [("energy of one inference", si(found.total_J, "J"))]
    key += [] if n_bytes is None else [("program file", size(n_bytes))]
    return Page(
        kind="Run",
        title=name,
        lead=outcome.lead(ended, name, kept=kept / of, weights=weights, macros=macros),
        basis=outcome.basis(
            ended,
            adc_bits=config.adc_bits,
            arrangement=config.adc_arrangement,
            read_noise=getattr(config.cell_model, "read_noise", None),
            per_pixel=config.data_layout.per_pixel,
        ),
        sections=sections,
        notes=notes,
        key=tuple(key),
    )


def _results_sections(opened: _Opened) -> List[Section]:
    """All figures, and what came before them in a run that was transferred or recalibrated."""
    head, rows = outcome.figure_rows(opened.outcome)
    parts: List[Any] = [Table("Figures, noisy reads and ideal ones", head, rows)]
    parts += _measures(opened)
    results = opened.outcome.results
    if isinstance(results, Recalibration):
        steps = [("as programmed", results.programmed), ("as read back", results.read_back)]
        steps += [("recalibrated, without a pulse", results.recalibrated)]
        steps += [] if results.relearned is None else [("a few masks learned anew", results.relearned.score)]
        steps_rows = [(name, outcome.value_text(one, one.primary)) for name, one in steps]
        parts.append(Table(f"Validation {results.programmed.primary} by step", ("step", "figure"), steps_rows))
        counted = (
            ("differ", results.differing),
            ("taken for open", results.doubtful),
            ("above the grid", results.limited),
        )
        parts.append(Table(f"Cells of the read-back {results.readback.file}", ("cells", "number"), counted))
    if isinstance(results, Placed) and results.written is not None:
        one = results.written
        placed = (
            ("judged by", one.judged_by),
            ("agrees with the float network", percent(one.agreement)),
            ("accuracy of the float network", percent(one.float_accuracy)),
            ("error of the weights", percent(one.weight_error)),
            ("weights off target", one.off_target),
            ("error of the logits", percent(one.logit_error)),
            ("writes", ", ".join(f"{n:,} {kind}" for kind, n in one.writes.items())),
        )
        parts.append(Facts(placed))
    if isinstance(results, TransferResults):
        moved = [
            ("on the first chip", results.home),
            ("its masks on this chip" if results.writes is None else "its weights on this chip", results.before),
        ]
        moved.append(("digital statistics of this chip", results.digital_only.validation))
        if results.matched is not None:
            moved.append(("bits matched to the first chip", results.matched.validation))
        moved += [(f"after epoch {k}", value) for k, value in enumerate(results.after, 1)]
        listed = [(step, score(value, results.test.after.primary)) for step, value in moved]
        parts.append(Table("Validation by step of the transfer", ("step", "figure"), listed))
    if isinstance(results, TrainingResults) and results.data_report is not None:
        report = results.data_report
        rows_ = [(name, *numbers) for name, numbers in report.classes.items()]
        unit = "Pixels" if opened.run.config.data_layout.per_pixel else "Samples"
        parts.append(Table(f"{unit} of each class", ("class", "train", "validation", "test"), rows_))
    return [Section("Result", tuple(parts))]


def _measures(opened: _Opened) -> List[Table]:
    """What an accuracy is to be measured by: the chance level, and what a demo set beside it."""
    found, beside = opened.outcome.score, read_beside(opened.run)
    if found.primary != "accuracy" or opened.run.config.data_layout.per_pixel:
        return []
    rows = [] if found.chance is None else [("chance level", percent(found.chance))]
    if beside is not None and opened.outcome.split == "test":
        rows.append(("unpruned random chip", percent(beside.unpruned_accuracy)))
        rows.append(("linear classifier", percent(beside.linear_accuracy)))
    return [Table(f"Beside it, on the same {opened.outcome.split} set", ("what", "accuracy"), rows)] if rows else []


def _learning_sections(opened: _Opened) -> List[Section]:
    history, results = learning.history_of(opened.run), opened.outcome.results
    if history is None:
        return []
    best = results.best_epoch if isinstance(results, TrainingResults) else None
    return [learning.learning_section(history, best, opened.outcome.score.primary)]


def _account(opened: _Opened, wishes: Wishes) -> EnergyAccount:
    with stage("counting events"):
        return account(opened.run.folder, data=wishes.data, threads=wishes.threads, what_if=WhatIf(costs=wishes.costs))


def _pixels(opened: _Opened, wishes: Wishes) -> Section:
    """Overlays of validation images; the test images stay closed."""
    config = opened.run.config
    asked = open_training(config, opened.run.source(wishes.data)).validation.first(ENERGY_IMAGES)
    with stage(f"answering {len(asked)} validation images"):
        maps = image_answers(
            config, opened.chip, model=opened.model, examination=asked, split="validation", threads=wishes.threads
        )
        found = answers.PixelAnswers(asked, maps)
    return answers.segmentation_section(found, config.data_layout.class_names)


def _program(opened: _Opened) -> Tuple[Section, int]:
    """(section of the program that `export` writes, its size in bytes)."""
    whole, not_formed = build_program(opened.run.config, opened.chip, model=opened.model, masks=opened.masks)
    data, targets = codec.write(build.without_targets(whole)), codec.write(build.targets_of(whole))
    shown = describe(build.without_targets(whole), data)
    return cost.program_section(shown, len(data), len(targets), not_formed), len(data)


def _bench_sections(opened: _Opened, notes: List[str]) -> List[Section]:
    """What lies in the folder of the last programming through a bench."""
    if opened.done is None:
        return []
    folder = opened.run.path("bench")
    path = os.path.join(folder, MANIFEST)
    bound: Optional[Manifest] = None
    if os.path.isfile(path):
        bound = _tried("the manifest of the bench", lambda: read_manifest(path), notes)
    return [chip_state.bench_section(folder, opened.cells, opened.done, bound, thresholds(opened.chip.cell_model))]


def _drift(opened: _Opened, wishes: Wishes) -> Section:
    """The score at several ages, as it is and compensated."""
    if not opened.chip.cell_model.ages:
        raise ConfigError(f"{opened.chip.cell_model.name} does not age")
    points, ways = [], (False, True) if opened.model.probes else (False,)
    with stage("ages of the chip", len(AGES_S) * len(ways)) as going:
        for age_s in AGES_S:
            both = []
            for compensated in ways:
                going.note = f"{cost.age_text(age_s)} after programming"
                use = Conditions(age_s=age_s, compensated=compensated, wires=opened.run.config.wires)
                both.append(evaluate(opened.run.folder, data=wishes.data, threads=wishes.threads, conditions=use))
                going.advance()
            points.append((age_s, both[0], both[1] if len(both) > 1 else None))
    return cost.drift_section(points, outcome.NAMES.get(points[0][1].primary, points[0][1].primary))

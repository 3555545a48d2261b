"""A comparison summed up: a row per arm with means over seeds, and differences to the arm "pair" on the same seeds."""

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..chip.counts import ChipCounts, summed
from ..chip.dead_lines import ChipLines
from ..chip.wear import Programs, Wear
from ..inference.examine import Score
from ..json_codec import Result, built
from ..labfiles.maps import Reading
from ..learn.written_weights import Writing
from .arms import Arm
from .settings_search import Settings

FIGURES = ("accuracy", "roc_auc", "pr_auc", "sensitivity", "specificity", "dice")


@dataclass(frozen=True)
class Outcome:
    """What a finished trial gave, of whatever kind."""

    validation: Score
    """on the validation set"""
    test: Optional[Score]
    """on the test set; None: it was not opened"""
    training_seconds: float
    """of all epochs"""
    programs: Optional[Programs] = None
    """pulses of learning; None: there was no chip"""
    writing: Optional[Writing] = None
    """how weights were written; None: none were"""
    budget_spent_at_step: Optional[int] = None
    """the step at which a budget of writes was spent"""
    chip: Optional[ChipCounts] = None
    """what was counted on the chip; None: there is none, or an earlier version learned"""

    @property
    def looked(self) -> Score:
        """The test score of a trial that opened its test set."""
        if self.test is None:
            raise ValueError("the test set of this trial stayed closed")
        return self.test


@dataclass(frozen=True)
class Diverged:
    """A trial whose training diverged."""

    why: str
    """what was not finite, and when"""


@dataclass(frozen=True)
class Tried:
    """The free settings of an arm as they were chosen, and what was tried."""

    settings: Settings
    """the best"""
    tried: Dict[str, Optional[float]]
    """primary validation figure of each choice, by the name of its folder; None: it diverged"""
    at_edge: Tuple[str, ...]
    """settings whose best value has no tried neighbour on one side"""


@dataclass(frozen=True)
class Difference(Result):
    """How far an arm lies below "pair"."""

    mean: float
    """over the seeds"""
    standard_error: Optional[float]
    """of that mean; None: of one seed"""


@dataclass(frozen=True)
class ArmPrograms(Result):
    """What an arm has programmed: means over the seeds, and what they are of others."""

    total: float
    """SET and RESET pulses of learning"""
    per_weight: float
    """the same per weight"""
    energy_J: float
    """joules of them"""
    time_s: float
    """seconds of them, one cell after the other"""
    max_per_cell: int
    """writes of the most worn cell of all seeds"""
    share_of_every_step: float
    """total over what writing every weight at every step would take"""
    over_pair: Optional[float]
    """total over that of the arm "pair"; None: without that arm"""
    over_best_weights: Optional[float]
    """total over that of the best weight optimisation; None: without one"""


@dataclass(frozen=True)
class ArmRow(Result):
    """One arm: figures are means over the seeds."""

    arm: str
    """its name"""
    text: str
    """what it is"""
    primary: str
    """name of the figure that the task is judged by"""
    by_seed: Dict[str, float]
    """the primary figure on the test set, by seed"""
    validation: float
    """the primary figure on the validation set"""
    test: Dict[str, float]
    """all figures on the test set"""
    spread: Dict[str, Optional[float]]
    """their standard deviations over the seeds; None: of one seed"""
    below_pair: Optional[Dict[str, Difference]]
    """how far they lie below those of "pair" on the same seeds; None: of that arm, or without it"""
    settings: Optional[Settings]
    """free settings as they were chosen; None: masks have none"""
    writing: Optional[Writing]
    """how weights are written; None: none are"""
    tried: Dict[str, Optional[float]]
    """primary validation figure of each choice of settings, with the first seed; None: it diverged"""
    at_edge: Tuple[str, ...]
    """settings whose best value has no tried neighbour on one side"""
    training_seconds: float
    """of all seeds"""
    programs: Optional[ArmPrograms]
    """what was programmed; None: there is no chip"""
    wear: Optional[Wear]
    """how the writes of the first seed are spread over the cells"""
    budgets: Optional[Dict[str, int]]
    """writes that were allowed, by seed; None: any number"""
    budget_spent_at_step: Optional[Dict[str, Optional[int]]]
    """step at which they were spent, by seed; None: they were not"""
    chip: Optional[ChipCounts]
    """what was counted on the chips, sums over the seeds; None: there is none"""
    saturated: int
    """conversions on the test set that saturated, sum over the seeds"""
    clipped: int
    """activations on the test set out of their range, sum over the seeds"""


@dataclass(frozen=True)
class Paper(Result):
    """How far weight optimisation lies below pruning by Li et al. (arXiv 2311.07164), taken as differences."""

    below_at_budget: Dict[str, float]
    """by figure, with as many programs as pruning"""
    below_with_free_writes: Dict[str, float]
    """by figure, with any number of programs"""
    fewer_than_every_step: Optional[float]
    """share of programs that pruning spares against writing every weight at every step; None: not reported"""


@dataclass(frozen=True)
class OfRun(Result):
    """The run whose data and network a comparison has, as its `results.json` says."""

    name: str
    """of its folder"""
    learned: str
    """"masks", or "weights" that were placed"""
    split: str
    """what it was judged by: "test", "validation", or "data" where trained weights were placed"""
    primary: str
    """name of the figure that the task is judged by"""
    value: float
    """that figure"""


@dataclass(frozen=True)
class Comparison(Result):
    """Arms side by side, as in `comparison.json`."""

    task: str
    """name of the task"""
    data: str
    """folder of the data set, or "synthetic\""""
    network: str
    """name of the network"""
    epochs: int
    """of each training"""
    tuning_epochs: int
    """of the trainings that settings are chosen by"""
    steps: int
    """optimiser steps of each training"""
    seeds: Tuple[int, ...]
    """of chip and learning"""
    every_weight_every_step: int
    """writes that it takes to write every weight at every step"""
    maps: Tuple[str, ...]
    """measured maps that the chip of all arms starts from, "NAME CRC-32"; none: each seed draws its chip"""
    lines: Optional[ChipLines]
    """lines of the macros; None: all are alive, on macros as large as the maps"""
    faults: str
    """file of stuck cells that were planted, "NAME CRC-32"; "": none"""
    readings: Tuple[Reading, ...]
    """what was taken from each measured map"""
    warnings: Tuple[str, ...]
    """numbers that look like a slip; they were taken as they are"""
    paper: Optional[Paper]
    """what the paper reports; None: nothing on this task"""
    best_weights: Optional[str]
    """the arm with the highest validation among those that write with an error; None: there is none"""
    arms: Tuple[ArmRow, ...]
    """a row per arm"""
    run: Optional[OfRun]
    """the run that was named in place of a task; None: a task was"""


Outcomes = Mapping[int, Outcome]
"""seed -> what its trial gave"""


def load_comparison(value: Mapping[str, Any], where: str) -> Comparison:
    """What `comparison.json` holds, of this version or an earlier one; DataError that names `where`."""
    arms = value.get("arms")
    if isinstance(arms, list) and all(isinstance(arm, dict) for arm in arms):
        arms = [
            dict(arm, chip={"unformed_lines": [], **arm["chip"]}) if isinstance(arm.get("chip"), dict) else arm
            for arm in arms
        ]
    return built(Comparison, {"run": None, **value, "arms": arms}, where=where)


def row_of(
    arm: Arm, outcomes: Outcomes, *, pair: Optional[Outcomes], every_write: int, tried: Optional[Tried]
) -> ArmRow:
    """One row. pair: outcomes of the arm "pair", where it was run. tried: None for masks."""
    runs = list(outcomes.values())
    first, scores = runs[0], [run.looked for run in runs]
    names = [name for name in FIGURES if getattr(first.looked, name) is not None]
    values = {name: [float(getattr(score, name)) for score in scores] for name in names}
    counts = [run.chip for run in runs if run.chip is not None]
    below = None
    if pair is not None and arm.name != "pair":
        below = {name: _difference(pair, outcomes, name) for name in names}
    return ArmRow(
        arm=arm.name,
        text=arm.text,
        primary=first.looked.primary,
        by_seed={str(seed): run.looked.value for seed, run in outcomes.items()},
        validation=float(np.mean([run.validation.value for run in runs])),
        test={name: float(np.mean(figures)) for name, figures in values.items()},
        spread={name: _deviation(figures) for name, figures in values.items()},
        below_pair=below,
        settings=None if tried is None else tried.settings,
        writing=first.writing,
        tried={} if tried is None else tried.tried,
        at_edge=() if tried is None else tried.at_edge,
        training_seconds=float(sum(run.training_seconds for run in runs)),
        programs=_programs(runs, None if pair is None else list(pair.values()), every_write=every_write),
        wear=None if first.programs is None else first.programs.wear,
        budgets=_by_seed(outcomes) if arm.budgeted else None,
        budget_spent_at_step={str(seed): run.budget_spent_at_step for seed, run in outcomes.items()}
        if arm.budgeted
        else None,
        chip=summed(counts) if counts else None,
        saturated=sum(sum(map(sum, score.saturated.values())) for score in scores),
        clipped=sum(sum(score.clipped.values()) for score in scores),
    )


def _by_seed(outcomes: Outcomes) -> Dict[str, int]:
    """Budgets of writes by seed."""
    writings = {str(seed): run.writing for seed, run in outcomes.items()}
    return {
        seed: writing.budget for seed, writing in writings.items() if writing is not None and writing.budget is not None
    }


def _deviation(values: Sequence[float]) -> Optional[float]:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _difference(pair: Outcomes, outcomes: Outcomes, figure: str) -> Difference:
    """How far an arm lies below "pair" in one figure of the test set."""
    gaps = [getattr(pair[seed].looked, figure) - getattr(run.looked, figure) for seed, run in outcomes.items()]
    deviation = _deviation(gaps)
    error = None if deviation is None else float(deviation / np.sqrt(len(gaps)))
    return Difference(float(np.mean(gaps)), error)


def _programs(runs: List[Outcome], pair: Optional[List[Outcome]], *, every_write: int) -> Optional[ArmPrograms]:
    """What the runs of an arm have programmed; None where they have no chip."""
    found = [run.programs for run in runs if run.programs is not None]
    if not found:
        return None
    total = _mean([one.total for one in found])
    of_pair = None if pair is None else _mean([run.programs.total for run in pair if run.programs is not None])
    return ArmPrograms(
        total=total,
        per_weight=_mean([one.per_weight for one in found]),
        energy_J=_mean([one.energy_J for one in found]),
        time_s=_mean([one.time_s for one in found]),
        max_per_cell=max(one.wear.max for one in found),
        share_of_every_step=total / every_write,
        over_pair=None if of_pair is None else _ratio(total, of_pair),
        over_best_weights=None,
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def beside_best_weights(rows: Sequence[ArmRow]) -> Tuple[Optional[str], Tuple[ArmRow, ...]]:
    """(name of the best weight optimisation, the rows with their programs over its): of those that write with an error,
    the one with the highest validation. None where there is none.
    """
    written = [row for row in rows if row.writing is not None and row.writing.tuning_error > 0]
    if not written:
        return None, tuple(rows)
    best = max(written, key=lambda row: row.validation)
    return best.arm, tuple(_beside(row, best) for row in rows)


def _beside(row: ArmRow, best: ArmRow) -> ArmRow:
    if row.programs is None or best.programs is None:
        return row
    ratio = _ratio(row.programs.total, best.programs.total)
    return replace(row, programs=replace(row.programs, over_best_weights=ratio))


def _ratio(count: float, other: float) -> Optional[float]:
    """count / other; None without any of the other."""
    return float(count / other) if other else None

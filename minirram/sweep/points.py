"""What one point gives: a run evaluated under conditions, or a run trained; its figures, or why there are none."""

import math
import os
import socket
import time
from dataclasses import dataclass, fields
from typing import Any, Dict, Optional

from .. import __version__
from ..crossbar.conditions import Conditions
from ..errors import ConfigError, MinirramError
from ..inference.examine import Score
from ..json_codec import Result
from ..runs.energy import WhatIf, account
from ..runs.environment import commit
from ..runs.evaluate import AsIf, evaluate, expected
from ..runs.folder import RunFolder
from ..runs.train import TrainingResults, train
from .parameters import Look, Setup, Value, with_values
from .supplies import Supplies, installed
from .table import ERROR, KEY, NO_ROOM


@dataclass(frozen=True)
class PointFigures(Result):
    """Figures of a point, columns of the table; None where the kind of point does not have one."""

    primary: Optional[str] = None
    """name of the figure that the task is judged by"""
    value: Optional[float] = None
    """that figure, mean over the draws, of the split that is looked at"""
    standard_error: Optional[float] = None
    """of its mean over the draws; of an analytic point: of the figure of one draw"""
    sampling_error: Optional[float] = None
    """of an accuracy, for want of more samples: sqrt(a (1 - a) / samples), at 0 and 1 half of 1 / (samples + 1)"""
    accuracy: Optional[float] = None
    """share of right answers"""
    roc_auc: Optional[float] = None
    """area under the ROC curve"""
    pr_auc: Optional[float] = None
    """area under the precision-recall curve"""
    ideal: Optional[float] = None
    """the primary figure without read noise and whatever else was asked for"""
    samples: Optional[int] = None
    """samples that were answered"""
    saturated: Optional[int] = None
    """conversions that saturated in the last draw"""
    clipped: Optional[int] = None
    """activations out of their range in the last draw"""
    clipped_conductances: Optional[int] = None
    """conductances cut at the largest that the grid holds"""
    test: Optional[float] = None
    """the primary figure on the test set at the end of a training"""
    best_epoch: Optional[int] = None
    """of a training"""
    kept_fraction: Optional[float] = None
    """kept connections over all, of a training"""
    weights: Optional[int] = None
    """of the network, of a training"""
    macros: Optional[int] = None
    """of the chip, of a training"""
    stuck_cells: Optional[int] = None
    """cells in use that answer to no pulse, of a training"""
    flips_per_weight: Optional[float] = None
    """SET and RESET pulses over the weights, of a training"""
    energy_J: Optional[float] = None
    """of one inference, where the study accounts for it"""
    latency_s: Optional[float] = None
    """of one inference, likewise"""


ABOUT = ("seconds", "host", "version", "commit", ERROR)
"""columns behind the figures: how long, where, with what, and why not"""
FIGURES = tuple(field.name for field in fields(PointFigures))
"""columns of figures"""
NUMBERS = tuple(name for name in (*FIGURES, "seconds") if name != "primary")
"""columns that hold numbers"""


@dataclass(frozen=True)
class Job:
    """A point on its way to a worker."""

    kind: str
    """"evaluate" or "train\""""
    key: str
    """of the point"""
    values: Dict[str, Value]
    """parameter -> value"""
    folder: str
    """of the study, absolute; trainings lie in `points/KEY` below it"""
    energy: bool = False
    """whether the energy is accounted for"""


def run_point(shared: Any, job: Job) -> Dict[str, Any]:
    """The row of a point: its figures, or its error. Only a full disk is raised: it stops a study."""
    started = time.perf_counter()
    row: Dict[str, Any] = {KEY: job.key, **job.values}
    try:
        row.update(KINDS[job.kind](installed(shared), job).to_json())
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        row[ERROR] = _said(error)
    except Exception as error:  # whatever it is: one point is no reason to lose the others
        row[ERROR] = _said(error)
    seconds = time.perf_counter() - started
    return dict(row, seconds=f"{seconds:.4g}", host=socket.gethostname(), version=__version__, commit=commit())


def _said(error: Exception) -> str:
    """What a row says of an error; its kind, where it was not raised on purpose."""
    return str(error) if isinstance(error, MinirramError) else f"{type(error).__name__}: {error}"


def failed_row(job: Job, error: Exception) -> Dict[str, Any]:
    """The row of a point whose worker gave no answer."""
    return {KEY: job.key, **job.values, "version": __version__, "commit": commit(), ERROR: _said(error)}


def _evaluated(supplies: Supplies, job: Job) -> PointFigures:
    """A trained run under the point's conditions."""
    values = dict(job.values)
    folder = supplies.folders[str(values.pop("run"))]
    setup = with_values(Setup(RunFolder.open(folder).config), values)
    return _looked_at(folder, setup, job)


def _looked_at(folder: str, setup: Setup, job: Job) -> PointFigures:
    """Figures of the run in `folder` under a setup."""
    look = setup.look
    as_if = AsIf(setup.config, setup.files, look.samples, logs=False)
    figures = (_drawn if not look.analytic else _expected)(folder, setup, as_if)
    return PointFigures(**dict(figures, **(_energy(folder, setup) if job.energy else {})))


def _drawn(folder: str, setup: Setup, as_if: AsIf) -> Dict[str, Any]:
    """Figures over draws of the read noise."""
    look = setup.look
    found = evaluate(folder, look.split, draws=look.draws, conditions=setup.conditions, as_if=as_if)
    return dict(_of_score(found), standard_error=found.standard_error, clipped_conductances=found.clipped_conductances)


def _expected(folder: str, setup: Setup, as_if: AsIf) -> Dict[str, Any]:
    """Figures from propagated noise covariances; ConfigError for draws beside them."""
    look = setup.look
    if look.draws != 1:
        raise ConfigError(f"draws is {look.draws}; an analytic point draws nothing")
    found = expected(folder, look.split, conditions=setup.conditions, as_if=as_if)
    return dict(
        primary="accuracy",
        value=found.accuracy,
        standard_error=found.standard_deviation,
        sampling_error=_sampling_error(found.accuracy, found.samples),
        accuracy=found.accuracy,
        samples=found.samples,
        clipped_conductances=found.clipped_conductances,
    )


def _of_score(score: Score) -> Dict[str, Any]:
    """What is taken from an examination."""
    accuracy = score.accuracy
    error = _sampling_error(accuracy, score.samples) if score.primary == "accuracy" else None
    return dict(
        primary=score.primary,
        value=score.value,
        sampling_error=error,
        accuracy=accuracy,
        roc_auc=score.roc_auc,
        pr_auc=score.pr_auc,
        ideal=None if score.ideal is None else getattr(score.ideal, score.primary),
        samples=score.samples,
        saturated=sum(map(sum, score.saturated.values())),
        clipped=sum(score.clipped.values()),
    )


def _sampling_error(accuracy: float, samples: int) -> float:
    """Standard error of an accuracy on so many samples; where none or all are right, that of Wilson's interval."""
    if accuracy in (0.0, 1.0):
        return 0.5 / (samples + 1)
    return math.sqrt(accuracy * (1 - accuracy) / samples)


def _energy(folder: str, setup: Setup) -> Dict[str, float]:
    """Energy and latency of an inference at the setup's ADC and input bits."""
    own, config = RunFolder.open(folder).config, setup.config
    adc_bits = None if config.adc_bits == own.adc_bits else config.adc_bits
    input_bits = None if config.network == own.network else config.network.input_bits
    found = account(folder, what_if=WhatIf(adc_bits=adc_bits, input_bits=input_bits))
    return {"energy_J": found.total_J, "latency_s": found.total.latency_s}


def _trained(supplies: Supplies, job: Job) -> PointFigures:
    """A run trained in a folder of its own, or what is left of it; then looked at, where the point says how."""
    setup = with_values(Setup(supplies.base()), job.values)
    folder = os.path.join(job.folder, "points", job.key)
    results = train(folder, setup.config, files=setup.files, resume=True)
    learned = _of_training(results)
    if setup.look == Look() and setup.conditions == Conditions(wires=setup.conditions.wires):
        energy = _energy(folder, setup) if job.energy else {}
        return PointFigures(**dict(_of_score(results.validation), **learned, **energy))
    looked = _looked_at(folder, setup, job).to_json()
    return PointFigures(**dict(looked, **learned))


def _of_training(results: TrainingResults) -> Dict[str, Any]:
    return dict(
        test=results.test.value,
        best_epoch=results.best_epoch,
        kept_fraction=results.kept_fraction,
        weights=results.weights,
        macros=results.macros,
        stuck_cells=results.stuck_cells,
        flips_per_weight=results.flips_per_weight,
        clipped_conductances=results.clipped_conductances,
    )


KINDS = {"evaluate": _evaluated, "train": _trained}

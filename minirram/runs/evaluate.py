"""Accuracy of a run on its macros."""

import os
from dataclasses import dataclass, replace
from typing import Any, Optional, Tuple, Union

import numpy as np

from ..crossbar.conditions import Conditions
from ..errors import ConfigError
from ..inference.examine import Score, examine
from .folder import RunFolder, open_test, open_training

Folder = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Evaluation(Score):
    """How a run answers one split of its data under given conditions of use."""

    split: str
    """"validation" or "test\""""
    task: str
    """name of the task"""
    read_noise: Optional[float]
    """relative standard deviation of one read; None where the technology states no such number"""
    adc_bits: int
    """resolution of the ADCs"""
    draws: int
    """repetitions of the read noise"""
    standard_error: Optional[float]
    """of the primary figure's mean over the draws; None: of one draw"""
    test_openings: int
    """how often this run's test set was opened so far"""


def evaluate(
    folder: Folder,
    split: str = "validation",
    *,
    data: Optional[str] = None,
    read_noise: Optional[float] = None,
    draws: int = 1,
    threads: int = 1,
    conditions: Optional[Conditions] = None,
) -> Evaluation:
    """Accuracy of a run on its simulated macros. Opening the test set is logged in the run folder.

    data: folder of the data set or "synthetic", instead of the run's. read_noise: instead of the run's technology's.
    draws: independent repetitions of the read noise. conditions: of use; the run's wires where they state none.
    """
    if split not in ("validation", "test"):
        raise ConfigError(f"split {split!r}: choose 'validation' or 'test'")
    if draws < 1:
        raise ConfigError(f"draws is {draws}; it must be at least 1")
    run = RunFolder.open(folder)
    config = run.config
    cell_model = config.cell_model if read_noise is None else config.cell_model.changed(read_noise=read_noise)
    chip, model, _ = run.load_trained(cell_model)
    conditions = Conditions() if conditions is None else conditions
    if conditions.wires is None:
        conditions = replace(conditions, wires=config.wires)
    if conditions.age_s:
        chip.age(conditions.age_s, conditions.temperature_K)
    score = examine(
        config,
        chip,
        model=model,
        examination=_split(run, split, data or config.data),
        split=split,
        threads=threads,
        draws=draws,
        conditions=conditions,
    )
    return Evaluation(
        **vars(score),
        split=split,
        task=config.task,
        read_noise=getattr(cell_model, "read_noise", None),
        adc_bits=config.adc_bits,
        draws=draws,
        standard_error=float(np.std(score.by_draw, ddof=1) / np.sqrt(draws)) if draws > 1 else None,
        test_openings=run.test_openings(),
    )


def _split(run: RunFolder, split: str, source: str) -> Any:
    """The examination of one split of a run's task; the test set's opening is logged first."""
    if split == "test":
        run.log_test_opening("evaluate")
        return open_test(run.config, source)
    return open_training(replace(run.config, data_crc=0), source).validation


def accuracy_of_readback(
    folder: Folder, readback_S: np.ndarray, *, data: Optional[str] = None, threads: int = 1
) -> Tuple[Score, Score]:
    """What a chip that reads back as `readback_S` (macros, rows, cols) answers: (score as programmed, as read back).

    Both on the run's validation set, on its macros; NaN counts as no conductance. Physical numbers.
    """
    run = RunFolder.open(folder)
    chip, model, _ = run.load_trained()
    if readback_S.ndim == 2:
        readback_S = readback_S[None]
    examination = _split(run, "validation", data or run.config.data)

    def score() -> Score:
        return examine(run.config, chip, model=model, examination=examination, split="validation", threads=threads)

    programmed = score()
    chip.replace_conductances(np.nan_to_num(readback_S))
    return programmed, score()

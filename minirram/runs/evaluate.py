"""Accuracy of a run on its macros."""

from dataclasses import replace

import numpy as np

from ..errors import ConfigError
from ..inference import product
from ..inference.examine import examine
from .folder import RunFolder, open_test, open_training


def evaluate(
    folder, split="validation", data=None, read_noise=None, draws=1, threads=1, conditions=product.IDEAL_CONDITIONS
):
    """Accuracy of a run on its simulated macros: dict. Opening the test set is logged in the run folder.

    data: folder of the data set or "synthetic", instead of the run's. read_noise: instead of the run's technology's.
    draws: independent repetitions of the read noise. conditions: `conditions.Conditions` of use.
    """
    if split not in ("validation", "test"):
        raise ConfigError(f"split {split!r}: choose 'validation' or 'test'")
    if draws < 1:
        raise ConfigError(f"draws is {draws}; it must be at least 1")
    run = RunFolder.open(folder)
    config = run.config
    cell_model = config.cell_model if read_noise is None else replace(config.cell_model, read_noise=read_noise)
    chip, model, _ = run.load_trained(cell_model)
    if conditions.wires is None:
        conditions = replace(conditions, wires=config.wires)
    conditions.let_time_pass(chip)
    examination = _split(run, split, data or config.data)
    score = examine(config, chip, model, examination, split, threads, draws, conditions=conditions)
    error = np.std(score["by_draw"], ddof=1) / np.sqrt(draws) if draws > 1 else None
    return dict(
        score,
        split=split,
        task=config.task,
        read_noise=cell_model.read_noise,
        adc_bits=config.adc_bits,
        draws=draws,
        standard_error=None if error is None else float(error),
        test_openings=run.test_openings(),
    )


def _split(run, split, source):
    """The examination of one split of a run's task; the test set's opening is logged first."""
    if split == "test":
        run.log_test_opening("evaluate")
        return open_test(run.config, source)
    return open_training(replace(run.config, data_crc=0), source).validation


def accuracy_of_readback(folder, readback_S, data=None, threads=1):
    """What a chip that reads back as `readback_S` (macros, rows, cols) answers: (figures as programmed, as read back).

    Both on the run's validation set, on its macros; NaN counts as no conductance. Physical numbers.
    """
    run = RunFolder.open(folder)
    chip, model, _ = run.load_trained()
    if readback_S.ndim == 2:
        readback_S = readback_S[None]
    examination = _split(run, "validation", data or run.config.data)
    programmed = examine(run.config, chip, model, examination, "validation", threads)
    chip.replace_conductances(np.nan_to_num(readback_S))
    return programmed, examine(run.config, chip, model, examination, "validation", threads)

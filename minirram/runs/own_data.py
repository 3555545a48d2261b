"""Data that a run folder carries: arrays of the caller, or what a task of the user's draws."""

from dataclasses import replace
from typing import Optional, Tuple

from ..tasks.labelled_data import LabelledData
from ..tasks.registry import BUILT_IN, SYNTHETIC, task
from ..tasks.task import Task
from .config import IN_THE_FOLDER, RunConfig

DATA_SET = "data"
"""name of the data set: the file is data.npz in the run folder"""


def drawn(chosen: Task) -> LabelledData:
    """All that a task draws."""
    return LabelledData(*chosen.draw_training(), chosen.draw_test())


def own_data(config: RunConfig, arrays: Optional[LabelledData]) -> Tuple[RunConfig, Optional[LabelledData]]:
    """(configuration of a run that carries its data, those data); (config, None) when its data lie elsewhere.

    What a task of the user's draws goes into the folder, so that it can be used where the task is not registered.
    """
    if arrays is None and config.data == SYNTHETIC and config.task not in [known.name for known in BUILT_IN]:
        arrays = drawn(task(config.task))
    if arrays is None:
        return config, None
    return replace(config, data=IN_THE_FOLDER, layout=replace(config.data_layout, data_set=DATA_SET)), arrays

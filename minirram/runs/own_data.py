"""What a training is given: a complete task, and the data that its run folder is to carry."""

import os
from dataclasses import dataclass, replace
from typing import Optional, Tuple, Union

import numpy as np

from ..errors import ConfigError, MissingFileError
from ..files import Path, read_npz
from ..nn.network import Network
from ..tasks import datasets
from ..tasks.data_files import read_data
from ..tasks.labelled_data import LabelledData
from ..tasks.registry import BUILT_IN, SYNTHETIC, TASKS, task
from ..tasks.task import Task
from ..tasks.task_file import TaskFile, read_task_file
from .config import IN_THE_FOLDER, RunConfig
from .folder import DATA_FILE, RunFolder

DATA_SET = DATA_FILE[: -len(".npz")]
"""name of the data set that a run folder carries"""


@dataclass(frozen=True, eq=False)
class Given:
    """What is learned and from what, before a recipe and a chip are chosen."""

    task: Task
    """with nothing left open"""
    source: str
    """folder of the data set, or "synthetic\""""
    arrays: Optional[LabelledData] = None
    """the data themselves, where the run folder is to carry them"""


def given(what: Union[str, Task, TaskFile], data: str, *, network: Optional[Network] = None) -> Given:
    """The task `what` with the data `data`.

    what: a task, its name, or the path of a .json that states one or of a .py that registers one. data: "synthetic", a
    file (see `tasks.data_files`), or a folder that holds the prepared NAME.npz. network: instead of the layers of a
    task file. MinirramError says what does not fit.
    """
    if isinstance(what, str) and what.endswith(".json"):
        what = read_task_file(what)
    if isinstance(what, TaskFile):
        return _given_file(what, data, network)
    if network is not None:
        raise ConfigError("a network of its own belongs to a task that is a .json file")
    chosen = task(what) if isinstance(what, str) else what
    if data == SYNTHETIC:
        known = TASKS.get(chosen.name) == chosen and chosen.name in [known.name for known in BUILT_IN]
        return Given(chosen, SYNTHETIC, None if known else drawn(chosen))
    if os.path.isfile(data):
        return Given(chosen, SYNTHETIC, read_data(data, class_names=chosen.layout.class_names))
    return Given(chosen, os.path.abspath(data))


def _given_file(what: TaskFile, data: str, network: Optional[Network]) -> Given:
    """The task of a file, completed by its data."""
    if data == SYNTHETIC:
        if not what.drawn:
            raise ConfigError(f"task {what.name} has no built-in data; name a file of data, or drawn in its JSON")
        arrays = drawn(task(what.drawn))
        chosen = what.complete(arrays, network=network)
        same = chosen.name == what.drawn and chosen.layout == task(what.drawn).layout
        return Given(chosen, SYNTHETIC, None if same else arrays)
    if not os.path.isfile(data) and not what.layout.open_fields:
        return Given(what.complete(network=network), os.path.abspath(data))
    path = data
    if os.path.isdir(data):
        path = os.path.join(data, (what.layout.data_set or what.name) + ".npz")
        if not os.path.isfile(path):
            raise MissingFileError(
                f"{path}: there is no such file; a folder per class becomes one by: python data_scripts/own_data.py "
                f"--source {data} --out {path}"
            )
    arrays = read_data(path, what.data, class_names=what.layout.class_names)
    return Given(what.complete(arrays, network=network), SYNTHETIC, arrays)


def of_run(run: RunFolder, named: Optional[str] = None) -> Tuple[RunConfig, Optional[LabelledData]]:
    """(configuration of a run with its data source, the data that its folder carries). named: source instead."""
    if named is None and run.carries_data:
        layout = run.config.data_layout
        parts = (*datasets.load_training(layout, run.folder), datasets.load_test(layout, run.folder))
        return run.config, LabelledData(*parts)
    return replace(run.config, data=run.source(named)), None


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


def carried(config: RunConfig, folder: Path, arrays: Optional[LabelledData]) -> RunConfig:
    """The configuration of runs below `folder`, which carries their data; as it is where they lie elsewhere.

    For several runs in processes of their own, in which no task is registered. ConfigError when the folder carries
    other data.
    """
    config, arrays = own_data(config, arrays)
    if arrays is None:
        return config
    folder = os.path.abspath(os.fspath(folder))
    parts, path = arrays.arrays(), os.path.join(folder, DATA_FILE)
    if not os.path.isfile(path):
        datasets.save(folder, config.data_layout, parts=parts, origin=arrays.training.origin)
    else:
        known = read_npz(path)
        named = {f"{part}_{name}": array for part, held in parts.items() for name, array in held.items()}
        if any(name not in known or not np.array_equal(known[name], array) for name, array in named.items()):
            raise ConfigError(f"{folder} carries other data than those given; choose another folder")
    return replace(config, data=folder)

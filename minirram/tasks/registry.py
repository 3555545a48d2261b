"""The tasks by name: the built-in ones, and what a user registers."""

import os
import runpy
from typing import Dict, Tuple

from ..errors import ConfigError, did_you_mean
from ..nn.network import Network
from . import datasets, fashion_mnist, fashion_mnist_macro, fashion_mnist_small, retina, spoken_digits
from .datasets import SYNTHETIC, Dataset, Layout
from .examinations import Examination, examination
from .held import held
from .task import Task
from .training_data import TrainingData, training_data

BUILT_IN = (
    fashion_mnist.TASK,
    fashion_mnist.AFFINE,
    fashion_mnist_macro.TASK,
    fashion_mnist_macro.AFFINE,
    spoken_digits.TASK,
    retina.TASK,
    *fashion_mnist_small.SMALL,
)

TASKS: Dict[str, Task] = {chosen.name: chosen for chosen in BUILT_IN}


def register_task(chosen: Task) -> Task:
    """Make a task of one's own known by its name, to the library and to the command line; returns it.

    A later one takes the place of an earlier one of its name. ConfigError for the name of a built-in task.
    """
    if chosen.name in [known.name for known in BUILT_IN]:
        raise ConfigError(f"{chosen.name!r} is the name of a built-in task; choose another")
    TASKS[chosen.name] = chosen
    return chosen


def task(name: str) -> Task:
    """The task called `name`, or the one that the Python file `name` registers.

    ConfigError lists the names when there is none.
    """
    if name.endswith(".py") and os.path.isfile(name):
        return _task_of_file(name)
    try:
        return TASKS[name]
    except KeyError:
        if os.path.isfile(name):
            raise ConfigError(
                f"{name} is no task: a task is a name or a .json file, and data come with --data; minirram task "
                f"--data {name} --out FILE.json drafts one"
            ) from None
        known = ", ".join(TASKS)
        raise ConfigError(
            f"no task {name!r}{did_you_mean(name, TASKS)}; choose one of {known}, or a .py file that registers one"
        ) from None


def _task_of_file(path: str) -> Task:
    """Run a file that registers a task of its own. ConfigError when it registers none, or several."""
    before = dict(TASKS)
    runpy.run_path(path, run_name=os.path.splitext(os.path.basename(path))[0])
    found = [chosen for chosen in TASKS.values() if before.get(chosen.name) is not chosen]
    if len(found) != 1:
        raise ConfigError(f"{path} registers {len(found)} tasks; it must register one, with minirram.register_task")
    return found[0]


def load_training(name: str, layout: Layout, *, source: str, network: Network) -> TrainingData:
    """Training and validation data, as codes for `network`.

    source: folder that holds the data set of `layout`, or "synthetic": what task `name` draws.
    """
    known = held(source, layout)
    if known is not None:
        return known.training(layout, network)
    training, validation = load_parts(name, layout, source)
    return training_data(layout, training, validation=validation, network=network)


def load_parts(name: str, layout: Layout, source: str) -> Tuple[Dataset, Dataset]:
    """The training and the validation part, as `load_training` finds them."""
    return (
        _drawing_task(name, layout).draw_training() if source == SYNTHETIC else datasets.load_training(layout, source)
    )


def load_test(name: str, layout: Layout, *, source: str, network: Network) -> Examination:
    """The test set as an examination. Every call is an opening of the test set: the caller logs it."""
    known = held(source, layout)
    if known is not None and known.holds_test:
        return known.test(layout, network)
    return examination(layout, load_test_part(name, layout, source), network=network)


def load_test_part(name: str, layout: Layout, source: str) -> Dataset:
    """The test part, as `load_test` finds it."""
    return _drawing_task(name, layout).draw_test() if source == SYNTHETIC else datasets.load_test(layout, source)


def _drawing_task(name: str, layout: Layout) -> Task:
    """The task that draws; ConfigError where it is not known, or draws something else than `layout` says."""
    chosen = task(name)
    if chosen.layout != layout:
        raise ConfigError(f"what task {name} draws is not laid out as this run's data; name the folder of the data")
    return chosen

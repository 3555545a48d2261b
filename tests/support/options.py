"""Small runs through the command line, and the table of the options that tests follow to their effect."""

import argparse
import contextlib
import dataclasses
import io
import json
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np
import pytest

from minirram.cli import main
from minirram.tasks import datasets, registry
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.retina import retina_unet

from .schemas import checked_json
from .tiny import save_garments

SHOWN: Dict[Tuple[str, str], List[str]] = {}
"""(command, option) -> names of the tests that change the option and see its effect"""

ROWS, PAIRS = 64, 32
"""of the small macros: several of them carry one small network"""
TRAIN, VALIDATION, TEST = 60, 40, 30
"""samples of the small data set"""
MATRICES = ("conv1", "conv2", "fc1", "fc2")
"""of the small network"""
SMALL = {
    "fashion-mnist": fashion_mnist_cnn(conv1=8, conv2=4, hidden=16),
    "retina": retina_unet(width=2),
}
"""networks that stand in for those of the tasks"""
DRAWN = 480
"""samples that tasks draw themselves, for training and validation; for test as many again"""


def small_task(name: str) -> Any:
    """The task of that name with its small network and few built-in data."""
    task = registry.TASKS[name]
    drawn = dataclasses.replace(task.drawn, training=DRAWN, test=DRAWN)
    return dataclasses.replace(task, network=SMALL[name], drawn=drawn)


def shows(command: str, *options: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test: it changes these options of `command` and sees the predicted effect of each."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        for option in options:
            SHOWN.setdefault((command, option), []).append(test.__name__)
        return test

    return mark


def parsers() -> Dict[str, argparse.ArgumentParser]:
    """{name of a command: its parser}"""
    actions = main.build_parser()._actions
    (commands,) = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    return dict(commands.choices)


def on_every_command(option: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test as the one of an option that all commands share."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        for command in main.COMMANDS:
            shows(command, option)(test)
        return test

    return mark


class Answer(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


def call(*arguments: str) -> Answer:
    """Run one command, the tasks with their small networks."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name in SMALL:
            patch.setitem(registry.TASKS, name, small_task(name))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main.main(list(arguments))
            except SystemExit as stop:
                code = int(stop.code or 0)
    return Answer(code, out.getvalue(), err.getvalue())


def figures(*arguments: str, code: int = 0) -> Dict[str, Any]:
    """The JSON object that a command prints; fails unless it ends with `code`, and its schema allows what it says."""
    answer = call(*arguments, "--json")
    assert answer.code == code, answer.err
    return checked_json(arguments[0], answer.out)


class SmallRuns:
    """Run folders by the options they were trained with, each made once."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.data = self.path("data")
        save_garments(self.data, train=TRAIN, validation=VALIDATION, test=TEST)
        self.lines = self.path("lines.json")
        with open(self.lines, "w") as handle:
            json.dump({"rows": ROWS, "pairs": PAIRS, "dead_rows": [], "dead_cols": []}, handle)
        self._made: Dict[Tuple[str, ...], str] = {}

    def path(self, name: str) -> str:
        """A path in the session's folder."""
        return os.path.join(self.folder, name)

    def arguments(self, out: str, *options: str) -> List[str]:
        """Of a training of one epoch of three steps in the folder `out`; `options` come last and win."""
        fixed = ["train", "fashion-mnist", "--data", self.data, "--out", out, "--dead-lines", self.lines]
        return fixed + ["--epochs", "1", "--batch-size", "20", "--threads", "1"] + list(options)

    def trained(self, *options: str) -> str:
        """The run folder of a training with `options`."""
        if options not in self._made:
            out = tempfile.mkdtemp(dir=self.folder)
            figures(*self.arguments(out, *options))
            self._made[options] = out
        return self._made[options]

    def results(self, *options: str) -> Dict[str, Any]:
        """`results.json` of that run."""
        with open(os.path.join(self.trained(*options), "results.json")) as handle:
            return json.load(handle)

    def history(self, *options: str) -> Dict[str, np.ndarray]:
        """`history.csv` of that run: column -> float64 (epochs,)."""
        path = os.path.join(self.trained(*options), "history.csv")
        table = np.atleast_1d(np.genfromtxt(path, delimiter=",", names=True))
        return {name: table[name] for name in table.dtype.names}

    def arrays(self, file: str, start: str, *options: str) -> Dict[str, np.ndarray]:
        """Per matrix the array `start` + its name in an .npz file of that run."""
        with np.load(os.path.join(self.trained(*options), file)) as archive:
            return {name: archive[start + name] for name in MATRICES}

    def chip(self, state: str, *options: str) -> np.ndarray:
        """Conductances of that run's chip, siemens (macros, rows, columns); state: "formed" or "programmed"."""
        out = self.path("chip.npy")
        figures("chip", self.trained(*options), "--out", out, "--state", state)
        return np.load(out)


def save_spots(folder: str) -> str:
    """Write a retina.npz of noise with bright spots as vessels, 96 x 96 pixels, into `folder`; returns `folder`."""
    generator, parts = np.random.default_rng(1), {}
    for part in datasets.PARTS:
        labels = (generator.random((2, 96, 96)) < 0.2).astype(np.uint8)
        inputs = generator.integers(0, 100, labels.shape, dtype=np.uint8) + 100 * labels
        parts[part] = {"inputs": inputs, "labels": labels, "region": np.ones(labels.shape, bool)}
    datasets.save(folder, registry.TASKS["retina"].layout, parts=parts, origin="spots")
    return folder


def save_changed_data(source: str, folder: str, change: Callable[[Dict[str, np.ndarray]], None]) -> str:
    """Write the small data set with `change` applied to its arrays into `folder`; returns `folder`."""
    with np.load(os.path.join(source, "fashion-mnist.npz")) as archive:
        arrays = {name: archive[name] for name in archive.files}
    change(arrays)
    os.makedirs(folder)
    np.savez(os.path.join(folder, "fashion-mnist.npz"), **arrays)
    return folder


@contextlib.contextmanager
def pools_made() -> Iterator[Counter]:
    """Watch which packages start pools of threads: how often each (package, threads of the pool)."""
    made: Counter = Counter()
    begin = ThreadPoolExecutor.__init__

    def watched(self: ThreadPoolExecutor, max_workers: Any = None, *rest: Any, **named: Any) -> None:
        module = sys._getframe(1).f_globals["__name__"]
        made[(module.split(".")[1] if module.startswith("minirram.") else module, max_workers)] += 1
        begin(self, max_workers, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadPoolExecutor, "__init__", watched)
        yield made


def products_shared(*arguments: str) -> int:
    """How many products a command shares out to three threads."""
    with pools_made() as made:
        figures(*arguments, "--threads", "3")
    return made[("crossbar", 2)]

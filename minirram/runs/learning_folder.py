"""What the folder of any learning holds: its configuration, checkpoint, history, results, openings of the test set."""

import csv
import datetime
import io
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, ContextManager, Dict, Optional, Type, TypeVar

import numpy as np

from ..errors import ConfigError, MissingFileError
from ..files import (
    Path,
    append_line,
    atomic_writer,
    blaming,
    locks,
    read_bytes,
    read_json,
    read_npz,
    refuse_links,
    rename_file,
    write_json,
    write_npz,
)
from ..files.budgets import LOG
from ..progress.stages import stage
from . import format1
from .checkpoints import Checkpoints
from .config import FORMAT, check_same, checked_format, document
from .environment import environment, from_json

if TYPE_CHECKING:  # a folder that is looked at loads no engine
    from ..learn.learner import Learner, TrainingData

Own = TypeVar("Own", bound="LearningFolder")
Progress = Callable[[Dict[str, Any]], None]
"""called with each row of the history"""


NOTE = "driver.json"
"""what a run folder keeps of the bench: its capabilities"""
LOCK = "lock.tmp"
"""file that a process holds while it learns in a folder"""


def alone(folder: Path, what: str = "another training") -> ContextManager[None]:
    """The folder, made where there is none, is this process's while the block runs; ConfigError when it is another's.

    Half files of processes that were killed are taken away. A folder that was made here goes away again with an error
    that comes before anything was learned in it, or in a folder below it.
    """
    return locks.alone(folder, LOCK, what=what, kept=_has_learned)


def _has_learned(folder: str) -> bool:
    """Whether a checkpoint, results, or what is known of a bench that may have pulsed lie in the folder or below it."""
    return any({"checkpoint.npz", "results.json", NOTE} & set(names) for _, _, names in os.walk(folder))


def accept_environment(folder: Path) -> None:
    """Let what is learned in a folder, and in folders below it, go on with the NumPy of this process; it is noted."""
    for at, _, names in os.walk(folder):
        path, now = os.path.join(at, "config.json"), environment().to_json()
        if "config.json" in names:
            value = read_json(path, follow=False)
            known = value.get("environments") or []
            if known and from_json(known[-1]).numbers != environment().numbers:
                write_json(path, dict(value, environments=[*known, now]))


class LearningFolder:
    """A folder in which something is learned. `create` makes one, `open` reads one; a subclass reads its `config`.

    `file_format`: the format of its files; learning on in a folder of format 1 makes it one of the present format.
    """

    def __init__(self, folder: Path, config: Any, *, file_format: int = FORMAT) -> None:
        self.folder = os.fspath(folder)
        self.config = config
        self.file_format = file_format
        self._checkpoints = Checkpoints(self.folder)

    @staticmethod
    def config_from_json(value: Any) -> Any:
        """The configuration in `config.json`; DataError when it is one of another kind."""
        raise NotImplementedError

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether `folder` holds a learning."""
        return os.path.isfile(os.path.join(os.fspath(folder), "config.json"))

    @staticmethod
    def require_empty(folder: Path) -> None:
        """Make the folder; ConfigError when there is one that holds anything."""
        os.makedirs(folder, exist_ok=True)
        if any(not name.endswith(".tmp") for name in os.listdir(folder)):
            raise ConfigError(f"{folder} is not empty; choose a new folder, or continue with --resume")

    @classmethod
    def create(cls: Type[Own], folder: Path, config: Any) -> Own:
        """Make the folder (an empty one may exist) and write `config.json`. ConfigError when it holds anything."""
        cls.require_empty(folder)
        run = cls(folder, config)
        write_json(run.path("config.json"), document(config))
        return run

    @classmethod
    def open(cls: Type[Own], folder: Path) -> Own:
        """What is learned in `folder`; DataError when there is nothing."""
        path = os.path.join(os.fspath(folder), "config.json")
        if not cls.exists(folder):
            raise MissingFileError(f"{folder}: not a run folder (no config.json in it); make one with minirram train")
        refuse_links(folder)
        with blaming(path):
            value = read_json(path, follow=False)
            return cls(folder, cls.config_from_json(value), file_format=checked_format(value))

    def check_config(self, config: Any) -> None:
        """ConfigError, naming what differs, unless `config` is what this run was started with; see `check_same`."""
        check_same(self.folder, self.config, other=config)

    def check_environment(self) -> None:
        """ConfigError when the learning went on last with another NumPy or BLAS: its bits would be others."""
        known = read_json(self.path("config.json"), follow=False).get("environments")
        last, now = from_json(known[-1]) if isinstance(known, list) and known else None, environment()
        if last is not None and last.numbers != now.numbers:
            raise ConfigError(
                f"{self.folder} was learned with {last.named()}; here is {now.named()}: masks would differ in some of "
                "their bits from those of one environment; --anyway goes on"
            )

    def take_more_epochs(self, epochs: int) -> None:
        """Let a learning, finished or not, go on to `epochs`, where that is more than it was to have.

        What it gave so far stays as `results-N-epochs.json`.
        """
        recipe, path = self.config.recipe, self.path("config.json")
        if epochs <= recipe.epochs:
            return
        if self.has("results.json"):
            rename_file(self.path("results.json"), self.path(f"results-{recipe.epochs}-epochs.json"))
        value = read_json(path)
        value["recipe"]["epochs"] = epochs
        write_json(path, value)
        self.config = replace(self.config, recipe=replace(recipe, epochs=epochs))

    def path(self, name: str) -> str:
        """Path of a file of the run."""
        return os.path.join(self.folder, name)

    def has(self, name: str) -> bool:
        """Whether the run holds the file `name`."""
        return os.path.isfile(self.path(name))

    def arrays(self, name: str) -> Dict[str, np.ndarray]:
        """The arrays in the file `name` under their names of the present format."""
        arrays = read_npz(self.path(name), follow=False)
        if self.file_format == FORMAT:
            return arrays
        with blaming(self.path(name)):
            return format1.NAMED[name](arrays) if name in format1.NAMED else arrays

    def upgrade(self) -> None:
        """Write the files of a folder of format 1 anew, so that learning can go on in it; `config.json` is the last."""
        for name in format1.NAMED:
            if self.has(name):
                write_npz(self.path(name), self.arrays(name))
        write_json(self.path("config.json"), document(self.config))
        self.file_format = FORMAT

    def save_checkpoint(self, learner: "Learner") -> None:
        """Write `checkpoint.npz`, after the first epoch `checkpoint-chip.npz`, and `history.csv`."""
        self._checkpoints.save(learner.checkpoint())
        self._save_history(learner)

    def _save_history(self, learner: "Learner") -> None:
        text = io.StringIO()
        table = csv.DictWriter(text, list(learner.history[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(learner.history)
        with atomic_writer(self.path("history.csv"), "w") as handle:
            handle.write(text.getvalue())

    def load_checkpoint(self) -> Dict[str, np.ndarray]:
        """The arrays of `checkpoint.npz` and of what lies beside it, for `Learner.restore`."""
        return self._checkpoints.load(self.arrays("checkpoint.npz"))

    def learn(self, learner: "Learner", data: "TrainingData", *, progress: Optional[Progress] = None) -> None:
        """Take `learner` from its checkpoint, if there is one, to its last epoch; save after each."""
        if self.file_format != FORMAT:
            self.upgrade()
        if self.has("checkpoint.npz"):
            with blaming(self.path("checkpoint.npz")):
                learner.restore(self.load_checkpoint())
            if learner.history:
                self._save_history(learner)  # a stop may have come between the two files
            if len(learner.history) < learner.recipe.epochs:
                self.check_environment()
        epochs, steps, done = learner.recipe.epochs, data.steps_per_epoch(learner.recipe), len(learner.history)
        with stage("training", epochs * steps, done=done * steps) as going:
            while len(learner.history) < epochs and not learner.finished:
                row = learner.epoch(data, on_step=going.advance)
                self.save_checkpoint(learner)
                note = f"epoch {row['epoch']}/{epochs}, loss {row['loss']:.4f}, validation {row['validation']:.4f}"
                going.advance(0, note)
                if progress is not None:
                    progress(row)

    def log_test_opening(self, reason: str) -> None:
        """Append one line to `test-openings.jsonl`: the test set is about to be read."""
        when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        append_line(self.path("test-openings.jsonl"), json.dumps({"when": when, "why": reason}))

    def test_openings(self) -> int:
        """How often this run's test set was opened."""
        if not self.has("test-openings.jsonl"):
            return 0
        return read_bytes(self.path("test-openings.jsonl"), LOG, follow=False).count(b"\n")

"""The run folder: what one training run leaves on disk, written whole and opened with checks.

| file | what |
|---|---|
| `config.json` | task, layout and source of its data, network, recipe, technology, ADC, forming voltage |
| `data.npz` | the data, where they are the caller's own or drawn by a task of the user's |
| `chip.npz` | state of every macro: as-formed conductances, off states, which cells formed, faults |
| `model.npz` | per matrix: signs, scale, ADC; the network's digital state; the placement |
| `masks.npz` | bool per matrix: (fan_in, fan_out), cell level (2, fan_in, fan_out) |
| `checkpoint.npz`, `history.csv` | to continue a training; one row per epoch |
| `results.json`, `test-openings.jsonl` | figures; every opening of the test set |
| `program.xbp`, `digital.json` | what a chip programmer and the digital side need |

`config.json`, `chip.npz`, `model.npz` and `masks.npz` alone are enough to evaluate, account for energy and export
elsewhere.
"""

import contextlib
import csv
import datetime
import io
import json
import os
from dataclasses import replace

import numpy as np

from ..chip.chip import Chip
from ..chip.dead_lines import ChipLines
from ..chip.levels import mask_shape
from ..crossbar.macro import Macro
from ..errors import ConfigError, DataError, MissingFileError, ShapeError
from ..files import atomic_writer, read_json, read_npz, write_json, write_npz
from ..inference.model import Model, checked
from ..tasks import registry
from .config import IN_THE_FOLDER, check_same, config_from_json


def open_training(config, source=None):
    """Training and validation data of a `RunConfig`, from `source` (a folder, or "synthetic") instead of its own.

    ConfigError when a run that has read its data (`data_crc`) would go on with others.
    """
    data = registry.load_training(config.task, config.data_layout, source or config.data, network=config.network)
    if config.data_crc and data.crc != config.data_crc:
        raise ConfigError(
            f"the training data in {source or config.data} are not those that the run was learned "
            f"from: checksum {data.crc:08x}, not {config.data_crc:08x}"
        )
    return data


def open_test(config, source=None):
    """The test set of a `RunConfig` as an examination, from `source` instead of its own. The caller logs it."""
    return registry.load_test(config.task, config.data_layout, source or config.data, network=config.network)


class RunFolder:
    """`RunFolder.create` makes a run folder, `RunFolder.open` reads one; parts are read when they are asked for."""

    def __init__(self, folder, config):
        self.folder = os.fspath(folder)
        self.config = config

    @staticmethod
    def exists(folder):
        """Whether `folder` holds a run."""
        return os.path.isfile(os.path.join(os.fspath(folder), "config.json"))

    @staticmethod
    def require_empty(folder):
        """Make the folder; ConfigError when there is one that holds anything."""
        os.makedirs(folder, exist_ok=True)
        if any(not name.endswith(".tmp") for name in os.listdir(folder)):
            raise ConfigError(f"{folder} is not empty; choose a new folder, or continue with --resume")

    @classmethod
    def create(cls, folder, config):
        """Make the folder (an empty one may exist) and write `config.json`. ConfigError when it holds anything."""
        cls.require_empty(folder)
        run = cls(folder, config)
        write_json(run.path("config.json"), config.to_json())
        return run

    @classmethod
    def open(cls, folder):
        """The run in `folder`; DataError when there is none."""
        path = os.path.join(os.fspath(folder), "config.json")
        if not cls.exists(folder):
            raise MissingFileError(f"{folder}: not a run folder (no config.json in it); make one with minirram train")
        with _blaming(path):
            config = config_from_json(read_json(path))
            if config.layout is None and config.task not in registry.TASKS:
                known = ", ".join(registry.TASKS)
                raise DataError(f"no task {config.task!r}; this version knows {known}")
            if config.data == IN_THE_FOLDER:
                config = replace(config, data=os.fspath(folder))
            return cls(folder, config)

    def check_config(self, config):
        """ConfigError, naming what differs, unless `config` is what this run was started with; see `check_same`."""
        check_same(self.folder, self.config.to_json(), config.to_json())

    def path(self, name):
        """Path of a file of the run."""
        return os.path.join(self.folder, name)

    def has(self, name):
        """Whether the run holds the file `name`."""
        return os.path.isfile(self.path(name))

    def save_trained(self, chip, model, masks):
        """Write `chip.npz`, `model.npz` and `masks.npz`."""
        write_npz(self.path("chip.npz"), chip.state())
        write_npz(self.path("model.npz"), model.to_arrays(self.config.network))
        write_npz(self.path("masks.npz"), masks)

    def load_trained(self, cell_model=None):
        """(chip with the masks programmed, Model, masks). cell_model: instead of the run's, to ask what if."""
        config = self.config
        with _blaming(self.path("model.npz")):
            arrays = read_npz(self.path("model.npz"))
            model = Model.from_arrays(arrays, config.network, config.adc_bits, config.adc_arrangement)
        with _blaming(self.path("chip.npz")):
            chip = self._load_chip(cell_model or config.cell_model, model.placement)
        with _blaming(self.path("masks.npz")):
            masks = read_npz(self.path("masks.npz"), model.placement.names)
            for name, shape in model.placement.shapes:
                checked(masks, name, bool, mask_shape(config.recipe.level, shape))
            chip.program(masks, model.signs)
        return chip, model, masks

    def _load_chip(self, cell_model, placement):
        """The chip in `chip.npz` under a placement."""
        arrays = read_npz(self.path("chip.npz"))
        n_macros = sum(name.endswith("/counters") for name in arrays)
        macros = [Macro.from_state(cell_model, _below(arrays, f"macro{k}/")) for k in range(n_macros)]
        expected = (placement.macro_rows, 2 * placement.macro_pairs)
        for macro in macros:
            if (macro.rows, macro.cols) != expected:
                raise DataError("a macro of {} x {} cells, expected {} x {}".format(macro.rows, macro.cols, *expected))
        self._check_lines(macros)
        chip = Chip(macros, placement, self.config.recipe.level)
        chip.restore(arrays)
        return chip

    def _check_lines(self, macros):
        """DataError unless the macros lie on the lines that the configuration leaves alive."""
        for index, macro in enumerate(macros):
            rows, cols = macro.physical_shape
            lines = ChipLines(rows=rows, pairs=cols // 2) if self.config.lines is None else self.config.lines
            alive = lines.row_map(index), lines.col_map(index)
            if (rows, cols) != (lines.rows, 2 * lines.pairs) or not all(map(np.array_equal, macro.line_maps, alive)):
                raise DataError(f"macro {index} does not lie on the live lines that config.json states")

    def save_checkpoint(self, learner):
        """Write `checkpoint.npz` and `history.csv` of a `training.MaskLearner`."""
        write_npz(self.path("checkpoint.npz"), learner.checkpoint(), compress=False)
        text = io.StringIO()
        table = csv.DictWriter(text, list(learner.history[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(learner.history)
        with atomic_writer(self.path("history.csv"), "w") as handle:
            handle.write(text.getvalue())

    def load_checkpoint(self):
        """The arrays of `checkpoint.npz`, for `Learner.restore`."""
        return read_npz(self.path("checkpoint.npz"))

    def learn(self, learner, data, *, progress=None):
        """Take `learner` (see `learning`) from its checkpoint, if there is one, to its last epoch; save after each.

        progress: called with each row of the history.
        """
        if self.has("checkpoint.npz"):
            with _blaming(self.path("checkpoint.npz")):
                learner.restore(self.load_checkpoint())
        while len(learner.history) < learner.recipe.epochs:
            row = learner.epoch(data)
            self.save_checkpoint(learner)
            if progress is not None:
                progress(row)

    def log_test_opening(self, reason):
        """Append one line to `test-openings.jsonl`: the test set is about to be read."""
        when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        with open(self.path("test-openings.jsonl"), "a", encoding="utf-8") as handle:
            handle.write(json.dumps({"when": when, "why": reason}) + "\n")
            handle.flush()
            os.fsync(handle.fileno())

    def test_openings(self):
        """How often this run's test set was opened."""
        if not self.has("test-openings.jsonl"):
            return 0
        with open(self.path("test-openings.jsonl"), encoding="utf-8") as handle:
            return sum(1 for _ in handle)


@contextlib.contextmanager
def _blaming(path):
    """Errors about what a file holds become DataErrors that name it."""
    try:
        yield
    except MissingFileError:
        raise
    except (DataError, ConfigError, ShapeError, KeyError, TypeError, ValueError) as error:
        text = str(error)
        raise DataError(text if text.startswith(path) else f"{path}: {text}") from None


def _below(arrays, start):
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}

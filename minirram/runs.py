"""The run folder: what one training run leaves on disk, written whole and opened with checks.

| file | what |
|---|---|
| `config.json` | task, data source, network, recipe, technology, ADC, forming voltage |
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
import math
import os
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Dict, Optional, Tuple, get_args

import numpy as np

from . import networks
from .cells import CellModel
from .chip import Chip, mask_shape
from .converters import Adc
from .errors import ConfigError, DataError, MissingFileError, ShapeError
from .files import atomic_writer, read_json, read_npz, write_json, write_npz
from .lines import ChipLines
from .macro import Macro
from .model import Model, checked
from .tasks import TASKS, task
from .technologies import technology
from .training import Recipe
from .wires import Wires

FORMAT = 1
"""version of the run folder; readers refuse others"""


@dataclass(frozen=True)
class RunConfig:
    """Everything that was decided before the training started."""

    task: str
    """name of the task"""
    data: str
    """folder of the data set, or "synthetic\""""
    network: networks.Network
    """the layers"""
    recipe: Recipe
    """how masks are learned"""
    cell_model: CellModel
    """the technology of the chip"""
    adc_bits: int = 14
    """resolution of the ADCs (the paper's board)"""
    adc_arrangement: str = "pair"
    """'pair' or 'polarity'"""
    maps: Tuple[str, ...] = ()
    """measured maps that the chip started from, "NAME CRC-32"; none: it was drawn"""
    wires: Optional[Wires] = None
    """lines of the macros, felt in training and in use; None: no IR drop"""
    lines: Optional[ChipLines] = None
    """dead lines of the macros; None: all are alive"""
    faults: str = ""
    """file of stuck cells that were planted, "NAME CRC-32"; "": none"""
    data_crc: int = 0
    """CRC-32 of the training data; 0 before they were read"""

    @property
    def forming_voltage_V(self):
        """Voltage of the forming pulse."""
        return self.cell_model.forming_voltage_V(self.recipe.formed_share)

    def __post_init__(self):
        for name, kind in (
            ("task", str),
            ("data", str),
            ("network", networks.Network),
            ("recipe", Recipe),
            ("cell_model", CellModel),
            ("adc_bits", int),
            ("maps", tuple),
            ("lines", (ChipLines, type(None))),
            ("faults", str),
            ("data_crc", int),
        ):
            if not isinstance(getattr(self, name), kind):
                kinds = kind if isinstance(kind, tuple) else (kind,)
                wanted = " or ".join(known.__name__ for known in kinds)
                raise ConfigError(f"{name} is {getattr(self, name)!r}, not a {wanted}")
        Adc(self.adc_bits, 1.0, self.adc_arrangement)

    def to_json(self):
        """A JSON-ready dict; `config_from_json` reads it."""
        value = {field.name: plain(getattr(self, field.name)) for field in fields(self)}
        return dict(value, format=FORMAT)


def plain(value):
    """Dataclasses as dicts that name their type, tuples as lists."""
    if is_dataclass(value):
        entries = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return dict(entries, type=type(value).__name__)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def _built(value, types):
    """The inverse of `plain`: dicts with a `type` become that dataclass, lists become tuples."""
    if isinstance(value, dict):
        known = {name: _built(item, types) for name, item in value.items() if name != "type"}
        return types[value["type"]](**known)
    return tuple(_built(item, types) for item in value) if isinstance(value, list) else value


_LAYER_TYPES = {kind.__name__: kind for kind in get_args(networks.Layer)}
_TYPES: Dict[str, Any] = dict(
    _LAYER_TYPES, Network=networks.Network, Recipe=Recipe, CellModel=CellModel, Wires=Wires, ChipLines=ChipLines
)


def config_from_json(value):
    """The RunConfig that `RunConfig.to_json` wrote; DataError when it is not one."""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        found = value.get("format") if isinstance(value, dict) else None
        raise DataError(f"run folder format {found!r}; this version reads format {FORMAT}")
    try:
        known = [field.name for field in fields(RunConfig) if field.name in value]
        return RunConfig(**{name: _built(value[name], _TYPES) for name in known})
    except (KeyError, TypeError, AttributeError, ConfigError) as error:
        raise DataError(f"not the configuration of a run: {error}") from None


def open_training(config, source=None):
    """Training and validation data of a `RunConfig`, from `source` (a folder, or "synthetic") instead of its own.

    ConfigError when a run that has read its data (`data_crc`) would go on with others.
    """
    data = task(config.task).load_training(source or config.data, config.network)
    if config.data_crc and data.crc != config.data_crc:
        raise ConfigError(
            f"the training data in {source or config.data} are not those that the run was learned "
            f"from: checksum {data.crc:08x}, not {config.data_crc:08x}"
        )
    return data


def load_cell_model(name):
    """The technology preset called `name`, or the `CellModel` in the file `name` (.json of `save_cell_model`)."""
    if not os.fspath(name).endswith(".json"):
        return technology(name)
    try:
        return _built(read_json(name), {"CellModel": CellModel})
    except (KeyError, TypeError, AttributeError, ConfigError) as error:
        raise DataError(f"{name}: not a cell model: {error}") from None


def save_cell_model(path, cell_model):
    """Write a `CellModel` as JSON."""
    write_json(path, plain(cell_model))


class Run:
    """A run folder. `Run.create` makes one, `Run.open` reads one; parts are read when they are asked for."""

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
            if config.task not in TASKS:
                raise DataError("no task {!r}; this version knows {}".format(config.task, ", ".join(TASKS)))
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

    def load_checkpoint(self, learner):
        """Put a `training.MaskLearner` where `checkpoint.npz` was written."""
        with _blaming(self.path("checkpoint.npz")):
            learner.restore(read_npz(self.path("checkpoint.npz")))

    def learn(self, learner, data, progress=None):
        """Take `learner` (see `learning`) from its checkpoint, if there is one, to its last epoch; save after each.

        progress: called with each row of the history.
        """
        if self.has("checkpoint.npz"):
            self.load_checkpoint(learner)
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


def check_same(folder, mine, other, prefix=""):
    """ConfigError, naming what differs, unless two JSON-ready dicts decide the same; `mine` is what `folder` holds.

    prefix: of the keys of a `RunConfig` in them. The data may lie in another folder, it is their checksum that must
    agree; and where the numbers of a technology come from is text. Numbers may differ by rounding.
    """
    mine, other = _flat(mine), _flat(other)
    for key in sorted({*mine, *other} - {prefix + "data", prefix + "cell_model.sources"}):
        had, wanted = mine.get(key), other.get(key)
        rounded = isinstance(had, float) and isinstance(wanted, float) and math.isclose(had, wanted)
        if had != wanted and not rounded:
            message = "{} is a run with {} = {!r}, not {!r}; choose another folder"
            raise ConfigError(message.format(folder, key, had, wanted))


def _below(arrays, start):
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}


def _flat(value, prefix=""):
    """Nested dicts as one dict of dotted keys."""
    entries: Dict[str, Any] = {}
    for key, item in value.items():
        entries.update(_flat(item, prefix + key + ".") if isinstance(item, dict) else {prefix + key: item})
    return entries

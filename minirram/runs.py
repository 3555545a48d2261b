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

import csv
import datetime
import io
import json
import os
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Dict, Tuple, get_args

import numpy as np

from . import networks
from .cells import CellModel
from .chip import Chip
from .converters import Adc
from .errors import ConfigError, DataError, MissingFileError
from .files import atomic_writer, read_json, read_npz, write_json, write_npz
from .macro import Macro
from .mapping import Placement, placement_from_json
from .technologies import technology
from .training import Recipe

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
    """names of the measured maps that the chip started from; none: it was drawn"""

    @property
    def forming_voltage_V(self):
        """Voltage of the forming pulse."""
        return self.cell_model.forming_voltage_V(self.recipe.formed_share)

    def __post_init__(self):
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
_TYPES: Dict[str, Any] = dict(_LAYER_TYPES, Network=networks.Network, Recipe=Recipe, CellModel=CellModel)


def config_from_json(value):
    """The RunConfig that `RunConfig.to_json` wrote; DataError when it is not one."""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        found = value.get("format") if isinstance(value, dict) else None
        raise DataError("run folder format {!r}; this version reads format {}".format(found, FORMAT))
    try:
        return RunConfig(**{field.name: _built(value[field.name], _TYPES) for field in fields(RunConfig)})
    except (KeyError, TypeError, AttributeError, ConfigError) as error:
        raise DataError("not the configuration of a run: {}".format(error)) from None


def load_cell_model(name):
    """The technology preset called `name`, or the `CellModel` in the file `name` (.json of `save_cell_model`)."""
    if not os.fspath(name).endswith(".json"):
        return technology(name)
    try:
        return _built(read_json(name), {"CellModel": CellModel})
    except (KeyError, TypeError, AttributeError, ConfigError) as error:
        raise DataError("{}: not a cell model: {}".format(name, error)) from None


def save_cell_model(path, cell_model):
    """Write a `CellModel` as JSON."""
    write_json(path, plain(cell_model))


@dataclass(frozen=True)
class Model:
    """What inference needs beside the chip and the masks."""

    placement: Placement
    """where each matrix lies"""
    signs: Dict[str, np.ndarray]
    """per matrix bool (fan_in, fan_out), True = the plus cell stays on (pair level)"""
    scales_S: Dict[str, float]
    """per matrix the conductance of weight 1"""
    adcs: Dict[str, Adc]
    """per matrix the converter as calibrated"""
    state: Dict[str, np.ndarray]
    """digital state of the network"""

    def to_arrays(self):
        """A flat dict of arrays for `model.npz`."""
        arrays: Dict[str, Any] = {"placement": np.array(json.dumps(self.placement.to_json()))}
        for name in self.placement.names:
            adc = self.adcs[name]
            arrays["signs/" + name] = self.signs[name]
            arrays["scale_S/" + name] = np.float64(self.scales_S[name])
            arrays["adc_lsb/" + name] = np.float64(adc.lsb)
            arrays["adc_shift/" + name] = np.int64(adc.shift)
        arrays.update({"state/" + name: array for name, array in self.state.items()})
        return arrays

    @classmethod
    def from_arrays(cls, arrays, config):
        """The inverse of `to_arrays`; DataError when it does not belong to `config`."""
        try:
            placement = placement_from_json(json.loads(str(arrays["placement"])))
            if placement.shapes != networks.matrices(config.network):
                raise DataError(
                    "it holds the matrices {}, those of network {} are {}".format(
                        placement.names, config.network.name, [name for name, _ in networks.matrices(config.network)]
                    )
                )
            return cls(
                placement,
                {name: arrays["signs/" + name] for name in placement.names},
                {name: float(arrays["scale_S/" + name]) for name in placement.names},
                {
                    name: Adc(
                        config.adc_bits,
                        float(arrays["adc_lsb/" + name]),
                        config.adc_arrangement,
                        int(arrays["adc_shift/" + name]),
                    )
                    for name in placement.names
                },
                {name: arrays["state/" + name] for name in networks.initial_state(config.network)},
            )
        except (KeyError, ValueError, ConfigError) as error:
            raise DataError("not a model: {}".format(error)) from None


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
            raise ConfigError("{} is not empty; choose a new folder, or continue with --resume".format(folder))

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
            raise MissingFileError(
                "{}: not a run folder (no config.json in it); make one with minirram train".format(folder)
            )
        try:
            return cls(folder, config_from_json(read_json(path)))
        except DataError as error:
            raise DataError("{}: {}".format(path, error)) from None

    def check_config(self, config):
        """ConfigError, naming what differs, unless `config` is what this run was started with."""
        mine, other = _flat(self.config.to_json()), _flat(config.to_json())
        for key in sorted({*mine, *other}):
            if mine.get(key) != other.get(key):
                raise ConfigError(
                    "{} is a run with {} = {!r}, not {!r}; choose another folder".format(
                        self.folder, key, mine.get(key), other.get(key)
                    )
                )

    def path(self, name):
        """Path of a file of the run."""
        return os.path.join(self.folder, name)

    def has(self, name):
        """Whether the run holds the file `name`."""
        return os.path.isfile(self.path(name))

    def save_trained(self, chip, model, masks):
        """Write `chip.npz`, `model.npz` and `masks.npz`."""
        write_npz(self.path("chip.npz"), chip.state())
        write_npz(self.path("model.npz"), model.to_arrays())
        write_npz(self.path("masks.npz"), masks)

    def load_trained(self, cell_model=None):
        """(chip with the masks programmed, Model, masks). cell_model: instead of the run's, to ask what if."""
        config = self.config
        try:
            model = Model.from_arrays(read_npz(self.path("model.npz")), config)
        except DataError as error:
            raise DataError("{}: {}".format(self.path("model.npz"), error)) from None
        masks = read_npz(self.path("masks.npz"), model.placement.names)
        chip = self._load_chip(cell_model or config.cell_model, model.placement)
        try:
            chip.program(masks, model.signs)
        except DataError as error:
            raise DataError("{}: {}".format(self.path("masks.npz"), error)) from None
        return chip, model, masks

    def _load_chip(self, cell_model, placement):
        path = self.path("chip.npz")
        arrays = read_npz(path)
        try:
            n_macros = sum(name.endswith("/counters") for name in arrays)
            macros = [Macro.from_state(cell_model, _below(arrays, "macro{}/".format(k))) for k in range(n_macros)]
            chip = Chip(macros, placement, self.config.recipe.level)
            chip.restore(arrays)
        except (DataError, ConfigError, KeyError) as error:
            raise DataError("{}: {}".format(path, error)) from None
        return chip

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
        path = self.path("checkpoint.npz")
        try:
            learner.restore(read_npz(path))
        except DataError as error:
            raise DataError("{}: {}".format(path, error)) from None

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


def _below(arrays, start):
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}


def _flat(value, prefix=""):
    """Nested dicts as one dict of dotted keys."""
    entries: Dict[str, Any] = {}
    for key, item in value.items():
        entries.update(_flat(item, prefix + key + ".") if isinstance(item, dict) else {prefix + key: item})
    return entries

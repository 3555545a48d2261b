"""What the workers of a study read: data sets, trained runs, the configuration that is varied. Written once as arrays.

Where workers share the disk of the driver, runs are opened where they lie; else their files travel with the data.
"""

import atexit
import json
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Optional, Tuple

import numpy as np

from ..errors import ConfigError
from ..files import atomic_writer, json_of, read_bytes
from ..files.budgets import ARRAYS
from ..runs.config import RunConfig, config_from_json
from ..runs.folder import RunFolder
from ..tasks import registry
from ..tasks.datasets import Dataset
from ..tasks.held import hold, let_go

RUN_FILES = ("config.json", "chip.npz", "model.npz", "masks.npz", "results.json")
"""files of a run that an evaluation and an account read"""
INDEX = "index"


@dataclass(frozen=True)
class Supplies:
    """What a worker has at hand."""

    folders: Dict[str, str] = field(default_factory=dict)
    """run as the study names it -> its folder here"""
    config: Optional[RunConfig] = None
    """what trainings vary"""

    def base(self) -> RunConfig:
        """What trainings vary."""
        if self.config is None:
            raise ConfigError("this study evaluates runs; there is nothing to train")
        return self.config


def packed(
    runs: Dict[str, str], base: Optional[RunConfig], *, with_test: bool, with_files: bool, script: str = ""
) -> Dict[str, np.ndarray]:
    """The supplies of a study as arrays.

    runs: name -> folder. base: what trainings vary. with_test: the test sets, too. with_files: the files of the runs,
    for workers that do not share the disk. script: a .py file that registers tasks.
    """
    arrays: Dict[str, np.ndarray] = {}
    held: Dict[Tuple[str, str], int] = {}
    entries: Dict[str, Any] = {"runs": [], "data": [], "base": None, "script": script}
    for number, (name, folder) in enumerate(runs.items()):
        folder = os.path.abspath(folder)
        config = RunFolder.open(folder).config
        data = _pack_data(config, arrays, held=held, entries=entries["data"], with_test=with_test)
        entries["runs"].append({"name": name, "folder": folder, "data": data})
        for file in RUN_FILES if with_files else ():
            contents = read_bytes(os.path.join(folder, file), ARRAYS, follow=False)
            arrays[f"runs/{number}/{file}"] = np.frombuffer(contents, np.uint8)
    if base is not None:
        _pack_data(base, arrays, held=held, entries=entries["data"], with_test=with_test)
        entries["base"] = base.to_json()
    arrays[INDEX] = np.frombuffer(json.dumps(entries).encode("utf-8"), np.uint8)
    return arrays


def _pack_data(
    config: RunConfig,
    arrays: Dict[str, np.ndarray],
    *,
    held: Dict[Tuple[str, str], int],
    entries: List[Dict[str, Any]],
    with_test: bool,
) -> int:
    """Put a configuration's data set among the arrays, once; returns its number."""
    layout = config.data_layout
    key = config.data, layout.data_set
    if key in held:
        return held[key]
    training, validation = registry.load_parts(config.task, layout, config.data)
    parts = {"train": training, "validation": validation}
    if with_test:
        parts["test"] = registry.load_test_part(config.task, layout, config.data)
    number = held[key] = len(entries)
    for part, data in parts.items():
        arrays.update({f"data/{number}/{part}/{name}": array for name, array in _members(data)})
    entries.append({"config": config.to_json(), "parts": list(parts), "origin": training.origin})
    return number


def _members(data: Dataset) -> Iterable[Tuple[str, np.ndarray]]:
    named = {"inputs": data.inputs, "labels": data.labels, "region": data.region}
    return [(name, array) for name, array in named.items() if array is not None]


_LOCK = threading.Lock()
_LATEST: List[Tuple[Any, Supplies]] = []
"""what this process unpacked last, and from what"""


def installed(shared: Any) -> Supplies:
    """The supplies of `shared`, unpacked once in this process; the data sets are held (see `tasks.held`)."""
    with _LOCK:  # a worker of Dask may have several threads
        if not _LATEST or _LATEST[0][0] != shared:
            _LATEST[:] = [(shared, _unpacked(shared.arrays()))]
        return _LATEST[0][1]


def _unpacked(arrays: Dict[str, np.ndarray]) -> Supplies:
    entries = json_of(arrays[INDEX].tobytes())
    if entries["script"]:
        registry.task(entries["script"])
    for number, entry in enumerate(entries["data"]):
        _hold(arrays, number, entry, config_from_json(entry["config"]).data)
    folders = {}
    for number, entry in enumerate(entries["runs"]):
        start = f"runs/{number}/"
        files = {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}
        folders[entry["name"]] = entry["folder"]
        if files:
            folder = folders[entry["name"]] = _written(files)
            _hold(arrays, entry["data"], entries["data"][entry["data"]], RunFolder.open(folder).config.data)
    base = entries["base"]
    return Supplies(folders, None if base is None else config_from_json(base))


def _hold(arrays: Dict[str, np.ndarray], number: int, entry: Dict[str, Any], source: str) -> None:
    """Hold a data set under the name of its source."""
    layout = config_from_json(entry["config"]).data_layout
    parts = {part: {name: arrays[f"data/{number}/{part}/{name}"] for name in layout.members} for part in entry["parts"]}
    hold(source, layout, parts, origin=entry["origin"])


def forget() -> None:
    """Hold nothing any more in this process."""
    with _LOCK:
        _LATEST.clear()
        let_go()


def _written(files: Dict[str, np.ndarray]) -> str:
    """A folder with the files of a run, as long as this process lives."""
    folder = tempfile.mkdtemp(prefix="minirram-run-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, array in files.items():
        with atomic_writer(os.path.join(folder, name)) as handle:
            handle.write(array.tobytes())
    return folder

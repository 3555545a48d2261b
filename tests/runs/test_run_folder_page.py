"""docs/run-folder.md names the files of a fresh run and exactly their fields, with dtype and number of axes."""

import csv
import os
import re
import tarfile
from dataclasses import replace

import pytest

from minirram.files import read_json, read_npz
from minirram.runs.folder import RunFolder
from minirram.runs.train import train

from ..support.places import ROOT
from .test_format1 import HERE

PAGE = (ROOT / "docs" / "run-folder.md").read_text(encoding="utf-8")


def table(heading):
    """Rows of the first table below a heading of the page: {field: other cells}."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:2] == "| "]
    return {cells[0].strip("`"): cells[1:] for cells in rows[1:]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A fresh run of one epoch on the small network of the format-1 fixture."""
    folder = tmp_path_factory.mktemp("page")
    with tarfile.open(HERE / "folders.tar.xz") as archive:
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **safe)
    config = RunFolder.open(folder / "run").config
    config = replace(config, data=str(folder / "data"), recipe=replace(config.recipe, epochs=1))
    train(str(folder / "new"), config)
    return RunFolder.open(folder / "new")


def general(name, network):
    """A name of an array with MATRIX, LAYER and K in place of the names of one network."""
    layers = "|".join(layer.name for layer in network.layers)
    name = re.sub(r"\bmacro\d+\b", "macroK", name)
    name = re.sub(rf"^((?:\w+/)?)({layers})(\.\w+)$", r"\1LAYER\3", name)
    name = re.sub(rf"^(step/)({layers})$", r"\1LAYER", name)
    return re.sub(rf"^((?:\w+/)?)({layers})((?:/\w+)?)$", r"\1MATRIX\3", name)


def test_the_files_of_a_fresh_run(run):
    assert set(os.listdir(run.folder)) == set(table("Files"))


def test_the_fields_of_config_json(run):
    value, kinds = read_json(run.path("config.json")), {dict: "object", list: "list", int: "integer", str: "text"}
    listed = table("config.json")
    assert set(value) == set(listed)
    for name, (kind, _) in listed.items():
        assert value[name] is None or kinds[type(value[name])] == kind, name


@pytest.mark.parametrize("file", ["chip.npz", "model.npz", "masks.npz", "checkpoint.npz"])
def test_the_fields_of_arrays(run, file):
    arrays, listed = run.load_checkpoint() if file == "checkpoint.npz" else read_npz(run.path(file)), table(file)
    found = {general(name, run.config.network): array for name, array in arrays.items()}
    if listed.pop("chip/...", None):
        inner = {name[len("chip/") :] for name in found if name.startswith("chip/")}
        assert inner == set(table("chip.npz"))
        found = {name: array for name, array in found.items() if not name.startswith("chip/")}
    assert set(found) == set(listed)
    for name, (dtype, shape, *_) in listed.items():
        array, axes = found[name], [axis for axis in shape.strip("()").split(",") if axis]
        assert ("text" if array.dtype.kind == "U" else str(array.dtype)) == dtype, name
        assert array.ndim == len(axes), name
        assert all(length == int(axis) for length, axis in zip(array.shape, axes) if axis.strip().isdigit()), name


def test_the_columns_of_the_history(run):
    with open(run.path("history.csv"), newline="") as handle:
        columns = next(csv.reader(handle))
    assert ["history/" + column for column in columns] == [
        name for name in table("checkpoint.npz") if "history/" in name
    ]

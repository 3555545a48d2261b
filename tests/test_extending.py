"""docs/extending.md: each thing that can be added is one file outside the package, and works."""

import importlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import minirram as mr
from minirram.cli import main
from minirram.errors import ConfigError
from minirram.json_codec import bare
from minirram.runs.folder import RunFolder
from minirram.tasks import datasets, registry

from .support.pages import python_blocks, sections
from .support.places import ROOT

PAGE = sections("extending.md")
LINES = mr.ChipLines(rows=64, pairs=32)
"""of macros that the small networks fill"""


def command(folder, *arguments):
    """The JSON object of a command that runs in an interpreter of its own, in a folder outside the package."""
    result = subprocess.run(
        [sys.executable, "-m", "minirram", *map(str, arguments), "--json"],
        cwd=str(folder),
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(result.stdout)


def plain(result):
    """A result as a command prints it, without what a clock, a counter of looks or a file name says."""
    clocks = ("training_seconds", "samples_per_second", "test_openings", "file", "targets", "readings")
    value = json.loads(json.dumps(bare(result)))
    return {key: plain(item) if isinstance(item, dict) else item for key, item in value.items() if key not in clocks}


# -- a task ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    """A folder that holds bars.py, and a run that the command line has trained from it."""
    folder = tmp_path_factory.mktemp("task")
    (folder / "bars.py").write_text(python_blocks(PAGE["A task"])[0])
    (folder / "lines.json").write_text(json.dumps({"rows": LINES.rows, "pairs": LINES.pairs}))
    results = command(
        folder, "train", "bars.py", "--data", "synthetic", "--dead-lines", "lines.json", "--out", "runs/bars"
    )
    assert results["test"]["accuracy"] > 0.9 and results["task"] == "bars"
    return folder


@pytest.mark.slow
def test_every_command_works_on_the_folder_of_a_task_that_is_not_registered(bars):
    """By the command line in processes of its own, and by the library: the same."""
    assert "bars" not in registry.TASKS
    run = mr.Run(bars / "runs" / "bars")
    assert plain(command(bars, "evaluate", "runs/bars", "--split", "test")) == plain(run.evaluate("test"))
    assert plain(command(bars, "energy", "runs/bars")) == plain(run.energy())
    shown = plain(run.export(bars / "mine.xbp"))
    assert plain(command(bars, "export", "runs/bars", "--out", "theirs.xbp")) == shown
    assert (bars / "mine.xbp").read_bytes() == (bars / "theirs.xbp").read_bytes()
    assert mr.read_program(bars / "mine.xbp").meta["task"] == "bars"
    assert run.results.test.accuracy == run.evaluate("test").accuracy


@pytest.mark.slow
def test_an_imported_task_is_trained_by_its_name(bars, tmp_path, monkeypatch, forgotten):
    monkeypatch.syspath_prepend(str(bars))
    importlib.import_module("bars")
    mine = mr.train("bars", "synthetic", out=tmp_path / "run", lines=LINES)
    assert plain(mine.results) == plain(mr.Run(bars / "runs" / "bars").results)
    for name in ("masks.npz", "model.npz", "chip.npz", "data.npz", "config.json"):
        assert (tmp_path / "run" / name).read_bytes() == (bars / "runs" / "bars" / name).read_bytes(), name


@pytest.mark.slow
def test_a_task_learns_from_a_prepared_folder_and_from_arrays(bars, tmp_path, capsys, forgotten):
    task = registry.task(str(bars / "bars.py"))
    training, validation = task.draw_training()
    test = task.draw_test()
    parts = zip(datasets.PARTS, (training, validation, test))
    arrays = {part: {"inputs": data.inputs, "labels": data.labels} for part, data in parts}
    datasets.save(str(tmp_path), task.layout, parts=arrays, origin="synthetic, drawn by code")
    arguments = ["train", str(bars / "bars.py"), "--data", str(tmp_path), "--out", str(tmp_path / "prepared")]
    assert main.main([*arguments, "--dead-lines", str(bars / "lines.json")]) == 0
    prepared = mr.Run(tmp_path / "prepared")
    assert not (tmp_path / "prepared" / "data.npz").exists()
    assert plain(prepared.evaluate("test")) == plain(mr.Run(bars / "runs" / "bars").evaluate("test"))
    own = mr.train(task, mr.LabelledData(training, validation, test), out=tmp_path / "arrays", lines=LINES)
    assert own.results.data_report is not None and prepared.results.data_report is None
    assert plain(replace(own.results, data_report=None)) == plain(prepared.results)


def test_a_file_of_no_task_and_a_name_that_is_taken_are_refused(tmp_path, forgotten):
    empty = tmp_path / "empty.py"
    empty.write_text("x = 1\n")
    with pytest.raises(ConfigError, match="empty.py registers 0 tasks; it must register one"):
        registry.task(str(empty))
    with pytest.raises(ConfigError, match="'retina' is the name of a built-in task"):
        mr.register_task(registry.TASKS["retina"])
    with pytest.raises(ConfigError, match="no task 'nowhere.py'; .*or a .py file that registers one"):
        registry.task("nowhere.py")


@pytest.mark.slow
def test_drawn_data_that_do_not_fit_their_layout_are_refused(bars, tmp_path, forgotten):
    task = registry.task(str(bars / "bars.py"))
    flat = replace(task.drawn, draw=lambda generator, n: {"inputs": np.zeros((n, 9)), "labels": np.zeros(n, int)})
    with pytest.raises(mr.MinirramError, match=r"task bars, drawn train: the inputs have the shape \(480, 9\)"):
        mr.train(replace(task, drawn=flat), "synthetic", out=tmp_path / "run")
    with pytest.raises(ConfigError, match="task bars has no built-in data; name the folder of bars.npz"):
        replace(task, drawn=None).draw_test()


# -- a technology by numbers -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_technology_by_numbers_is_one_json_file(bars, tmp_path):
    (json_block,) = re.findall(r"^```json\n(.*?)^```$", PAGE["A technology by numbers"], flags=re.M | re.S)
    (bars / "nano.json").write_text(json_block)
    options = ["--data", "synthetic", "--technology", "nano.json", "--epochs", "1", "--out", "runs/nano"]
    options += ["--dead-lines", "lines.json"]
    results = command(bars, "train", "bars.py", *options)
    assert results["read_noise"] == json.loads(json_block)["read_noise"] == 0.01
    (bars / "nano.json").unlink()  # the run folder carries the numbers
    run = mr.Run(bars / "runs" / "nano")
    assert run.config.cell_model.lrs_median_S == 1.5e-5
    assert plain(command(bars, "evaluate", "runs/nano")) == plain(run.evaluate())


# -- a technology with physics of its own ------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_technology_with_physics_of_its_own_is_one_file(bars, tmp_path, monkeypatch, forgotten):
    """It is learned on, and evaluated, accounted for and exported by a process that imports it."""
    (tmp_path / "filaments.py").write_text(python_blocks(PAGE["A technology with physics of its own"])[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    cell = importlib.import_module("filaments").TwoFilaments(noise_at_10uS=0.02)
    run = mr.train(registry.task(str(bars / "bars.py")), "synthetic", out=tmp_path / "run", cell=cell, lines=LINES)
    assert run.results.test.accuracy > 0.8 and run.config.cell_model == cell
    chip, _, _ = RunFolder.open(run.folder).load_trained()
    on_S = chip.formed_S()[chip.formed_S() > 5e-6]
    assert np.histogram(on_S, [5e-6, 13e-6, 15e-6, 40e-6])[0][1] < 0.05 * on_S.size  # two peaks
    run.export(tmp_path / "filaments.xbp")
    script = f"import filaments, json, minirram as mr; run = mr.Run({run.folder!r}); "
    script += "print(json.dumps([run.evaluate('test').accuracy, run.energy().total_J]))"
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    found = subprocess.run(
        [sys.executable, "-c", script], env=dict(os.environ, PYTHONPATH=path), stdout=subprocess.PIPE, check=True
    )
    assert json.loads(found.stdout) == [run.evaluate("test").accuracy, run.energy().total_J]
    with pytest.raises(subprocess.CalledProcessError):  # where it is not imported, its folder says so
        command(tmp_path, "evaluate", "run")


# -- a layer -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_layer_is_one_file(bars, tmp_path, monkeypatch, forgotten):
    """It is trained, and evaluated, accounted for and exported by a process that imports it."""
    (tmp_path / "scale.py").write_text(python_blocks(PAGE["A layer"])[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    scale = importlib.import_module("scale")
    task = registry.task(str(bars / "bars.py"))
    layers = list(task.network.layers)
    layers.insert(1, scale.Scale("scale", 8))
    network = mr.nn.Network("scaled", (8, 8, 1), 4, tuple(layers))
    data = mr.LabelledData(*task.draw_training(), task.draw_test())
    run = mr.train(network, data, task.recipes["full"], out=tmp_path / "run", lines=LINES)
    assert run.results.test.accuracy > 0.8
    chip, model, _ = RunFolder.open(run.folder).load_trained()
    assert np.ptp(model.state["scale.factor"]) > 0  # its numbers have been trained
    assert run.energy().digital_layers["scale"].total_J > 0
    run.export(tmp_path / "scaled.xbp")
    entries = json.loads((tmp_path / "digital.json").read_text())["layers"]
    assert [entry["factor"] for entry in entries if entry["name"] == "scale"] == [model.state["scale.factor"].tolist()]
    script = f"import scale, minirram as mr; print(mr.Run({run.folder!r}).evaluate('test').accuracy)"
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    found = subprocess.run(
        [sys.executable, "-c", script], env=dict(os.environ, PYTHONPATH=path), stdout=subprocess.PIPE, check=True
    )
    assert float(found.stdout) == run.evaluate("test").accuracy

"""Run folders of format 1, made by the code before format 2: every command opens them and finds the same figures.

format1/make.py made them (a finished run, one stopped after two of four epochs, and both of weight optimisation) and
the figures in format1/expected.json.
"""

import json
import os
import pathlib
import shutil
import tarfile

import numpy as np
import pytest

from minirram.cli import main
from minirram.errors import DataError, MissingFileError
from minirram.files import read_json, read_npz
from minirram.json_codec import bare
from minirram.runs.config import FORMAT, config_from_json, document
from minirram.runs.folder import RunFolder
from minirram.runs.train import train
from minirram.study.transfer import transfer
from minirram.study.weight_runs import WeightFolder, train_weights
from minirram.tasks.registry import task

HERE = pathlib.Path(__file__).parent / "format1"
CONFIGS = json.loads((HERE / "configs.json").read_text())
EXPECTED = json.loads((HERE / "expected.json").read_text())


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A folder of its own with the run folders and their data; the working directory, because runs name `data`."""
    with tarfile.open(HERE / "folders.tar.xz") as archive:
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(tmp_path, **safe)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(capsys, *arguments):
    """The JSON that a command prints."""
    capsys.readouterr()
    code = main.main([*arguments, "--json"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return json.loads(captured.out)


def same(found, expected):
    """Whether `found` holds what `expected` does, at every level; `found` may hold more."""
    if isinstance(expected, dict):
        return all(name in found and same(found[name], value) for name, value in expected.items())
    return found == expected


def test_figures_of_every_command(folders, capsys):
    assert read_json("run/config.json")["format"] == 1
    for split in ("validation", "test"):
        draws = ["--draws", "3"] if split == "validation" else []
        found = call(capsys, "evaluate", "run", "--data", "data", "--split", split, *draws)
        assert same(found, EXPECTED[split]), split
    assert same(call(capsys, "energy", "run", "--data", "data")["total"], EXPECTED["energy"])
    exported = call(capsys, "export", "run", "--out", "p.xbp")
    assert same(exported, {name: EXPECTED["export"][name] for name in ("cells_on", "chip_id")})
    assert call(capsys, "inspect", "p.xbp")["new_state"] == exported["new_state"]
    call(capsys, "chip", "run", "--out", "chip.npy")
    assert np.load("chip.npy").shape == (2, 40, 24)
    assert read_json("run/config.json")["format"] == 1  # looking changes nothing


@pytest.mark.slow
def test_what_it_learned_goes_to_another_chip(folders):
    changes = {"epochs": 1, "chip_seed": 9, "learning_rate": 0.1}
    results = bare(transfer("run", "other", changes=changes))
    for name in ("home", "before", "after", "pulses"):
        assert results[name] == EXPECTED["transfer"][name], name
    for when, confusion in EXPECTED["transfer"]["test"].items():
        assert results["test"][when]["confusion"] == confusion
    assert read_json("other/config.json")["format"] == FORMAT


def test_a_stopped_run_goes_on_in_the_present_format(folders):
    assert RunFolder.open("stopped").file_format == 1
    results = bare(train("stopped", RunFolder.open("stopped").config, resume=True))
    assert same(results, EXPECTED["results"])
    run, old = RunFolder.open("stopped"), RunFolder.open("run")
    assert run.file_format == FORMAT and old.file_format == 1 and run.config.to_json() == old.config.to_json()
    for name in ("chip.npz", "model.npz", "masks.npz", "checkpoint.npz"):
        new = run.load_checkpoint() if name == "checkpoint.npz" else read_npz(run.path(name))
        was = old.arrays(name)
        added = {key for key in new if key.startswith("probe")}  # probe vectors are newer
        assert set(new) - added <= set(was)
        for key in set(new) - added - {"history/seconds", "history/samples_per_second"}:
            if new[key].dtype.kind == "f":  # the last bits depend on the NumPy that made the folder
                np.testing.assert_allclose(new[key], was[key], rtol=1e-4, atol=1e-6, err_msg=f"{name} {key}")
            else:
                assert np.array_equal(new[key], was[key]), (name, key)


def test_a_kill_while_a_folder_is_brought_to_the_present_format(folders, monkeypatch):
    run = RunFolder.open("stopped")
    with pytest.raises(MissingFileError, match="the training was stopped; minirram train --resume"):
        run.load_trained()
    monkeypatch.setattr("minirram.runs.learning_folder.write_json", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run.upgrade()
    monkeypatch.undo()
    os.chdir(folders)
    assert RunFolder.open("stopped").file_format == 1
    assert same(bare(train("stopped", run.config, resume=True)), EXPECTED["results"])


def test_a_stopped_weight_optimisation_goes_on(folders):
    folder = WeightFolder.open("weights-stopped")
    assert folder.file_format == 1
    results = bare(train_weights("weights-stopped", folder.config))
    expected = EXPECTED["weights"]
    for split in ("validation", "test"):
        assert results[split]["confusion"] == expected[split]
    assert results["programs"]["total"] == expected["programs"] and results["best_epoch"] == expected["best_epoch"]
    assert results["budget_spent_at_step"] == expected["budget_spent_at_step"] == 40
    assert not os.path.exists("weights-stopped/weights.json")
    assert WeightFolder.open("weights-stopped").file_format == FORMAT


def test_a_finished_weight_optimisation_is_known(folders):
    folder = WeightFolder.open("weights")
    assert folder.config == WeightFolder.open("weights-stopped").config
    results = bare(train_weights("weights", folder.config))
    assert results["test"]["confusion"] == EXPECTED["weights"]["test"]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_network_of_each_task_is_read(name):
    config = config_from_json(CONFIGS[name])
    assert config.network == task(name).network and config.task == name
    assert config_from_json(json.loads(json.dumps(document(config)))).to_json() == config.to_json()


@pytest.mark.parametrize(
    "name, key, change, message",
    [
        ("model.npz", "placement", lambda a: np.array('{"shapes": [["conv", 9]], "tiles": []}'), "placement"),
        ("model.npz", "placement", lambda a: np.array("{"), "placement"),
        ("chip.npz", "macro0/counters", lambda a: a[:3], "macro"),
    ],
)
def test_damage_is_named(folders, name, key, change, message):
    path = os.path.join("run", name)
    arrays = read_npz(path)
    arrays[key] = change(arrays[key])
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=f"{name}.*{message}"):
        RunFolder.open("run").load_trained()


def test_one_kind_of_folder_is_not_taken_for_another(folders):
    shutil.copytree("stopped", "copy")
    RunFolder.open("copy").upgrade()
    WeightFolder.open("weights-stopped").upgrade()
    with pytest.raises(DataError, match="config.json: type is 'WeightConfig', not 'RunConfig'"):
        RunFolder.open("weights-stopped")
    with pytest.raises(DataError, match="config.json: type is 'RunConfig', not 'WeightConfig'"):
        WeightFolder.open("copy")


def test_results_of_a_finished_run_are_known_by_today_s_names(folders):
    old = read_json("run/results.json")
    results = train("run", RunFolder.open("run").config, resume=True)
    assert same(bare(results), EXPECTED["results"])
    assert results.test.ideal.accuracy == old["ideal_accuracy"] and results.test.samples == old["test"]["images"]
    assert results.samples_per_second == old["images_per_second"] and results.test.value == old["test_accuracy"]

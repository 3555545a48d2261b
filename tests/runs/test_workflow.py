"""The main job through the command line, on a few real-sized inputs: run folders, contracts, and ten bad inputs."""

import csv
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minirram.cli import main
from minirram.errors import DataError
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.recipe import Recipe
from minirram.runs import demo, export
from minirram.runs.folder import RunFolder, open_test, open_training
from minirram.tasks import datasets, registry
from minirram.tasks.fashion_mnist import fashion_mnist_cnn

from ..support.places import ROOT, data_folder
from ..support.schemas import checked_json
from ..support.tiny import save_garments

SHORT = ["--epochs", "6", "--batch-size", "50"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a small fashion-mnist.npz of drawn garments."""
    folder = tmp_path_factory.mktemp("data")
    save_garments(folder, train=400, validation=60, test=60)
    return str(folder)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A folder with fewer of them, for trainings whose accuracy does not matter."""
    folder = tmp_path_factory.mktemp("few")
    save_garments(folder, train=100, validation=20, test=20)
    return str(folder)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A finished run folder."""
    folder = str(tmp_path_factory.mktemp("runs") / "run")
    assert main.main(["train", "fashion-mnist", "--data", data, "--out", folder, "--json"] + SHORT) == 0
    return folder


def call(capsys, *arguments):
    """(exit code, stdout, stderr) of one command."""
    capsys.readouterr()
    try:
        code = main.main(list(arguments))
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def call_json(capsys, *arguments):
    """The JSON object that a good command prints, alone on stdout."""
    code, out, err = call(capsys, *arguments, "--json")
    assert code == 0, err
    return checked_json(arguments[0], out)


@pytest.mark.slow
def test_results_and_files_of_a_run(trained):
    names = "config.json chip.npz model.npz masks.npz checkpoint.npz history.csv results.json test-openings.jsonl"
    assert sorted(os.listdir(trained)) == sorted([*names.split(), "checkpoint-chip.npz"])
    results = json.loads(pathlib.Path(trained, "results.json").read_text())
    for key in "read_noise adc_bits seed samples_per_second".split():
        assert isinstance(results[key], (int, float)), key
    assert results["weights"] == 62272 and results["macros"] == 1 and results["test_openings"] == 1
    with open(os.path.join(trained, "history.csv"), newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["epoch"] for row in rows] == list("123456")
    counted = sum(int(row["set_pulses"]) + int(row["reset_pulses"]) for row in rows)
    assert 0 < counted <= results["pulses"]["set"] + results["pulses"]["reset"]


@pytest.mark.slow
def test_evaluate_repeats_the_results(trained, capsys):
    results = json.loads(pathlib.Path(trained, "results.json").read_text())
    score = call_json(capsys, "evaluate", trained)
    assert score["accuracy"] == results["validation"]["accuracy"] and score["split"] == "validation"
    many = call_json(capsys, "evaluate", trained, "--draws", "4", "--read-noise", "0.6")
    assert len(many["by_draw"]) == 4 and many["standard_error"] > 0 and many["read_noise"] == 0.6
    assert many["accuracy"] < score["accuracy"] and many["ideal"]["accuracy"] == score["ideal"]["accuracy"]


@pytest.mark.slow
def test_each_opening_of_the_test_set_is_logged(trained, capsys, tmp_path):
    folder = str(tmp_path / "copy")
    shutil.copytree(trained, folder)
    before = RunFolder.open(folder).test_openings()
    call_json(capsys, "evaluate", folder)
    call_json(capsys, "energy", folder)
    assert RunFolder.open(folder).test_openings() == before
    assert call_json(capsys, "evaluate", folder, "--split", "test")["test_openings"] == before + 1


@pytest.mark.slow
def test_four_files_are_enough_elsewhere(trained, data, capsys, tmp_path):
    for name in ("chip.npz", "model.npz", "masks.npz", "config.json"):
        shutil.copy(os.path.join(trained, name), str(tmp_path))
    moved = str(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(dict(config, data="gone")))
    here, there = (call_json(capsys, "evaluate", folder, "--data", data) for folder in (trained, moved))
    assert here["accuracy"] == there["accuracy"] and here["confusion"] == there["confusion"]
    totals = [call_json(capsys, "energy", folder, "--data", data)["total"] for folder in (moved, trained)]
    assert totals[0] == totals[1]
    exported = call_json(capsys, "export", moved)
    call_json(capsys, "export", trained, "--out", str(tmp_path / "again.xbp"))
    assert (tmp_path / "program.xbp").read_bytes() == (tmp_path / "again.xbp").read_bytes()
    assert exported["cells"] == 2 * 62272 and (tmp_path / "digital.json").exists()


@pytest.mark.slow
def test_export_inspect_verify(trained, capsys, tmp_path):
    file, readback = str(tmp_path / "p.xbp"), str(tmp_path / "r.npy")
    exported = call_json(capsys, "export", trained, "--out", file)
    assert exported["not_formed"] <= 10
    shown = call_json(capsys, "inspect", file)
    assert shown["new_state"] == exported["new_state"] and shown["cells_on"] == exported["cells_on"]
    chip, model, masks = RunFolder.open(trained).load_trained()
    wanted = chip.wanted_on(masks, model.signs)
    perfect = np.where(wanted, chip.formed_S(), 0.5e-6)
    np.save(readback, perfect)
    assert call_json(capsys, "verify", file, readback)["differing"] == 0
    row, col = np.argwhere(wanted[0] & (chip.formed_S()[0] > 6e-6))[0]
    perfect[0, row, col] = 0.5e-6
    np.save(readback, perfect[0])
    code, out, _ = call(capsys, "verify", file, readback, "--json")
    found = json.loads(out)
    assert code == 1 and found["differing"] == 1
    assert {"macro": 0, "row": int(row), "col": int(col), "why": "off"} in found["cells"]


@pytest.mark.slow
def test_the_simulated_chip_reads_back_as_programmed(trained, data, capsys, tmp_path):
    file, readback = str(tmp_path / "p.xbp"), str(tmp_path / "r.npy")
    call_json(capsys, "export", trained, "--out", file)
    call_json(capsys, "chip", trained, "--out", readback, "--state", "programmed")
    found = call_json(capsys, "verify", file, readback, "--run", trained, "--data", data)
    assert found["differing"] == 0 and found["accuracy_read_back"] == pytest.approx(
        found["accuracy_programmed"], abs=0.05
    )
    broken = np.load(readback)
    broken[:, :, 0::2] = 12e-6
    np.save(readback, broken)
    code, out, _ = call(capsys, "verify", file, readback, "--run", trained, "--data", data, "--json")
    worse = json.loads(out)
    assert code == 1 and worse["accuracy_read_back"] < worse["accuracy_programmed"] - 0.2


@pytest.mark.slow
def test_incremental_program_diff_and_dump(trained, data, capsys, tmp_path):
    first, second, step = (str(tmp_path / name) for name in ("a.xbp", "b.xbp", "step.xbp"))
    other = str(tmp_path / "other")
    shutil.copytree(trained, other)
    masks = masks_of(other)
    masks["fc2"] = ~masks["fc2"]
    np.savez(os.path.join(other, "masks.npz"), **masks)
    call_json(capsys, "export", trained, "--out", first)
    call_json(capsys, "export", other, "--out", second)
    moved = call_json(capsys, "export", other, "--from", first, "--out", step)
    flips = moved["pulses"]["SET"] + moved["pulses"]["RESET"]
    assert moved["pulses"]["FORM"] == 0 and masks["fc2"].size - 5 <= flips <= masks["fc2"].size
    assert (
        moved["state_before"] == "programmed"
        and moved["new_state"] == call_json(capsys, "inspect", second)["new_state"]
    )
    code, out, _ = call(capsys, "diff", first, second, "--json")
    assert code == 1 and json.loads(out)["turned_on"] + json.loads(out)["turned_off"] == flips
    assert call_json(capsys, "diff", first, first)["equal"]
    for form in ("csv", "json", "npy"):
        files = call_json(capsys, "dump", first, "--format", form, "--out", str(tmp_path / form))["files"]
        assert files and all(os.path.getsize(name) > 0 for name in files)


@pytest.mark.slow
def test_fit_writes_a_technology_that_trains(few, capsys, tmp_path):
    maps = [str(data_folder("devices", f"random_conductance_50x{k}.csv")) for k in (50, 8)]
    forming = str(data_folder("devices", "breakdown_voltage_400.csv"))
    model = str(tmp_path / "model.json")
    found = call_json(capsys, "fit", *maps, "--unit", "uS", "--forming", forming, "--out", model)
    assert found["formed"] == 1430 and found["states"][0]["ks"] < 0.03 < found["ks_normal"]
    assert found["model"]["lrs_median_S"] == pytest.approx(12.2e-6, rel=0.01)
    out = str(tmp_path / "run")
    call_json(
        capsys,
        "train",
        "fashion-mnist",
        "--data",
        few,
        "--out",
        out,
        "--technology",
        model,
        "--epochs",
        "1",
        "--batch-size",
        "50",
    )
    assert RunFolder.open(out).config.cell_model.name == "fitted"


def test_pulses_of_the_program_are_those_of_the_flow(trained, capsys, tmp_path):
    exported = call_json(capsys, "export", trained, "--out", str(tmp_path / "p.xbp"))
    masks = RunFolder.open(trained).load_trained()[2]
    kept = sum(np.count_nonzero(mask) for mask in masks.values())
    assert exported["cells_on"] == kept - exported["not_formed"]
    assert exported["pulses"] == {"FORM": 2 * 62272, "SET": 0, "RESET": 2 * 62272 - exported["cells_on"]}


def test_energy_report(trained, capsys):
    account = call_json(capsys, "energy", trained)
    assert set(account["by_matrix"]) == {"conv1", "conv2", "fc1", "fc2"}
    assert account["total"]["conversions"] == 50216 and account["adc_bits"] == 8
    assert account["digital_hardware"]["gpu_int8"]["typical"] == pytest.approx(1.016e-6, rel=1e-3)
    assert 5e-9 < account["total"]["array_J"] < 25e-9


def test_networks_contract(capsys):
    table = call_json(capsys, "networks")["fashion-mnist"]
    assert table["weights"] == 62272 and table["macros"] == 1 and table["pairs"] == 62272
    assert table["weights_by_layer"] == {"conv1": 576, "conv2": 9216, "fc1": 51200, "fc2": 1280}
    assert table["macs"] == 1057024 and table["conversions"] == 50216


def test_a_finished_run_is_not_trained_again(trained, data, capsys):
    before = RunFolder.open(trained).test_openings()
    arguments = ["train", "fashion-mnist", "--data", data, "--out", trained, "--resume"]
    assert call_json(capsys, *arguments, *SHORT) == call_json(capsys, *arguments)
    assert RunFolder.open(trained).test_openings() == before


@pytest.mark.slow
def test_cell_level_and_measured_maps(few, capsys, tmp_path):
    generator = np.random.default_rng(0)
    np.save(str(tmp_path / "map.npy"), np.exp(generator.normal(np.log(12.2), 0.147, (512, 512))))
    options = [
        "--map",
        str(tmp_path / "map.npy"),
        "--unit",
        "uS",
        "--level",
        "cell",
        "--epochs",
        "1",
        "--batch-size",
        "50",
    ]
    out = str(tmp_path / "run")
    results = call_json(capsys, "train", "fashion-mnist", "--data", few, "--out", out, *options)
    assert results["level"] == "cell" and results["unformed_pairs"] == 0 and results["pulses"]["form"] == 0
    assert call_json(capsys, "export", out)["tiles"][0]["level"] == "cell"


@pytest.mark.slow
def test_dead_lines_and_stuck_cells(few, capsys, tmp_path):
    """They are remembered and reported, felt, needed to resume; a program file has physical numbers."""
    (tmp_path / "dead.json").write_text('{"dead_rows": [[0, 3]], "dead_cols": [[0, 511]], "policy": "spare"}')
    (tmp_path / "faults.txt").write_text("0 5 9 stuck_on\n0 7 1 stuck_off\n0 3 1 stuck_on\n")
    dead, faults = (
        ["--" + name, str(tmp_path / path)] for name, path in (("dead-lines", "dead.json"), ("faults", "faults.txt"))
    )
    out = str(tmp_path / "run")
    train = ["train", "fashion-mnist", "--data", few, "--out", out, "--epochs", "1", "--batch-size", "50"]
    results = call_json(capsys, *train, *dead, *faults)
    assert results["moved"] == [{"macro": 0, "line": "row", "logical": 3, "physical": 511}]
    assert results["stuck_cells"] == 2
    config = RunFolder.open(out).config
    assert config.lines.dead_cols == ((0, 511),) and config.faults.startswith("faults.txt ")
    assert call_json(capsys, "evaluate", out)["accuracy"] == results["validation"]["accuracy"]
    assert call_json(capsys, *train, "--resume", *faults) == results
    code, text, _ = call(capsys, *train, "--resume", *faults)
    assert code == 0 and "stuck cells             2" in text and "moved off dead lines    1" in text
    code, _, err = call(capsys, *train, "--resume")
    assert code == 2 and "faults = 'faults.txt" in err
    chip, model, masks = RunFolder.open(out).load_trained()
    assert chip.macros[0].stuck[5, 9] and chip.macros[0].on[5, 9] and not chip.macros[0].on[7, 1]

    exported = call_json(capsys, "export", out)
    assert (exported["rows"], exported["cols"], exported["cells"]) == (512, 512, 2 * 62272)
    for tile in exported["tiles"]:
        assert not tile["row0"] <= 3 < tile["row0"] + tile["n_row"] and tile["col0"] + tile["n_col"] <= 510
    file, readback = os.path.join(out, "program.xbp"), str(tmp_path / "readback.npy")
    assert call_json(capsys, "chip", out, "--out", readback, "--state", "programmed")["shape"] == [1, 512, 512]
    wanted = chip.wanted_on(masks, model.signs)[0]
    against = [(row, col) for (row, col), on in (((5, 9), True), ((7, 1), False)) if wanted[row, col] != on]
    shown_S = np.load(readback)
    assert (shown_S[0, 3] == 0).all()
    shown_S[0, 3] = 5.0  # whatever a dead row shows
    np.save(readback, shown_S)
    code, text, err = call(capsys, "verify", file, readback, "--run", out, "--data", few, "--json")
    found = json.loads(text)
    assert [(cell["row"], cell["col"]) for cell in found["cells"]] == against and code == bool(against), err
    assert found["accuracy_read_back"] == found["accuracy_programmed"]

    moved = dict(json.loads(pathlib.Path(out, "config.json").read_text()))
    moved["lines"]["dead_rows"] = [[0, 4]]
    pathlib.Path(out, "config.json").write_text(json.dumps(moved))
    code, _, err = call(capsys, "export", out)
    assert code == 3 and "macro 0 does not lie on the live lines that config.json states" in err


def test_a_run_folder_from_before_dead_lines(trained, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(trained, str(old))
    config = json.loads((old / "config.json").read_text())
    del config["lines"], config["faults"]
    (old / "config.json").write_text(json.dumps(config))
    assert RunFolder.open(str(old)).config == RunFolder.open(trained).config


def test_text_output_and_help(trained, capsys):
    for command in (["evaluate", trained], ["energy", trained], ["networks"]):
        code, out, _ = call(capsys, *command)
        assert code == 0 and len(out.splitlines()) > 2 and not out.startswith("{")
    code, out, _ = call(capsys, "--help")
    for command in "demo train evaluate energy export inspect verify networks".split():
        assert command in out
    assert code == 0


# -- ten bad inputs: one line that says what would be right, the right exit code, nothing on stdout --------------------


def bad_inputs(folder, data, trained):
    """(name, arguments, exit code, part of the message)"""
    train = ["train", "fashion-mnist", "--data", data, "--out", str(folder / "new")]
    np.save(str(folder / "nan.npy"), np.full((512, 512), np.nan))
    np.save(str(folder / "odd.npy"), np.ones((600, 511)))
    program = pathlib.Path(folder / "cut.xbp")
    export.export(trained, str(program))
    program.write_bytes(program.read_bytes()[:-100])
    (folder / "file").write_text("")
    (folder / "full").mkdir()
    (folder / "full" / "thesis.txt").write_text("do not overwrite")
    wrong = folder / "wrong"
    wrong.mkdir()
    np.savez(
        str(wrong / "fashion-mnist.npz"),
        **{
            part + "_" + member: np.zeros((5, 3), np.uint8)
            for part in datasets.PARTS
            for member in ("inputs", "labels")
        },
        origin=np.array("wrong shapes"),
    )
    other = folder / "other"
    shutil.copytree(trained, str(other))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(dict(config, task="spoken-digits")))
    return [
        ("no data", train[:3] + [str(folder / "nowhere")] + train[4:], 2, "fashion_mnist.py --out"),
        ("wrong shape", train[:3] + [str(wrong)] + train[4:], 3, "(n, 28, 28)"),
        ("unknown task", ["train", "mnist"] + train[2:], 2, "fashion-mnist"),
        ("density 0", train + ["--density", "0"], 2, "between 0 and 1"),
        ("density 1.5", train + ["--density", "1.5"], 2, "between 0 and 1"),
        ("truncated program", ["inspect", str(program)], 3, "byte offset"),
        (
            "map of odd columns",
            train + ["--map", str(folder / "odd.npy"), "--unit", "uS"],
            3,
            "an even number of columns",
        ),
        ("unwritable folder", train[:-1] + [str(folder / "file" / "run")], 2, "run"),
        (
            "NaN in a map",
            train + ["--map", str(folder / "nan.npy"), "--unit", "uS"],
            3,
            "row 0, column 0 is missing",
        ),
        ("run of another task", train[:-1] + [str(other), "--resume"], 2, "spoken-digits"),
        ("non-empty --out", train[:-1] + [str(folder / "full")], 2, "--resume"),
        ("map without unit", train + ["--map", str(folder / "nan.npy")], 2, "unit"),
        ("not a run", ["evaluate", str(folder)], 2, "not a run folder"),
        ("no file", ["inspect", str(folder / "none.xbp")], 2, "none.xbp"),
        ("other options on resume", train[:-1] + [trained, "--resume", "--seed", "5"], 2, "seed"),
    ]


def test_bad_inputs_by_hand(trained, data, capsys, tmp_path):
    for name, arguments, expected, part in bad_inputs(tmp_path, data, trained):
        code, out, err = call(capsys, *arguments, "--json")
        assert (name, code) == (name, expected), err
        assert out == "", name
        message = err.strip().splitlines()[-1]
        assert "error: " in message and part in message, (name, err)
        assert name == "unknown task" or len(err.strip().splitlines()) == 1, (name, err)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "do not overwrite"
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_damaged_run_folders_are_named(trained, tmp_path):
    def damaged(name, change):
        folder = str(tmp_path / (name + str(len(os.listdir(str(tmp_path))))))
        shutil.copytree(trained, folder)
        path = pathlib.Path(folder, name)
        path.write_bytes(change(path.read_bytes()))
        return folder

    def altered(name, key, change):
        folder = damaged(name, lambda data: data)
        with np.load(os.path.join(folder, name)) as archive:
            arrays = {member: archive[member] for member in archive.files}
        arrays[key] = change(arrays[key])
        np.savez(os.path.join(folder, name), **arrays)
        return folder

    for name, key, change, message in (
        ("masks.npz", "fc1", lambda a: a.astype(float), "expected bool"),
        ("masks.npz", "fc1", lambda a: a[:5], "expected bool of \\(400, 128\\)"),
        ("model.npz", "scale_S/fc1", lambda a: np.float64(0), "must be above 0"),
        ("model.npz", "state/bn1.mean", lambda a: a * np.nan, "not finite"),
        ("model.npz", "step/act1", lambda a: np.float64(np.inf), "must be above 0"),
        ("model.npz", "signs/fc2", lambda a: a.astype(np.uint8), "expected bool"),
        ("chip.npz", "macro0/formed", lambda a: a.astype(float), "formed is float64"),
        ("chip.npz", "macro0/on_grid", lambda a: a * np.nan, "holds NaN"),
        ("chip.npz", "macro0/operations", lambda a: np.arange(3), "count operations"),
    ):
        with pytest.raises(DataError, match=name + ".*" + message):
            RunFolder.open(altered(name, key, change)).load_trained()

    def without_layout(data):
        config = dict(json.loads(data), task="nope")
        del config["layout"]
        return json.dumps(config).encode()

    with pytest.raises(DataError, match="config.json: no task 'nope'"):
        RunFolder.open(damaged("config.json", without_layout))
    for name in ("chip.npz", "model.npz", "masks.npz"):
        with pytest.raises(DataError, match=name):
            RunFolder.open(damaged(name, lambda data: data[:-200])).load_trained()
    with pytest.raises(DataError, match="config.json"):
        RunFolder.open(damaged("config.json", lambda data: data[:-20]))
    with pytest.raises(DataError, match="format 99"):
        RunFolder.open(damaged("config.json", lambda data: data.replace(b'"format": 2', b'"format": 99')))
    with pytest.raises(DataError, match="config.json"):
        RunFolder.open(damaged("config.json", lambda data: data.replace(b'"Conv2d"', b'"Conv3d"')))


# -- kill -9 ----------------------------------------------------------------------------------


def start(arguments):
    """The command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "minirram"] + arguments,
        cwd=str(ROOT),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_after_an_epoch(arguments, folder, epochs=1):
    """Start a training, kill it (SIGKILL) once it has finished `epochs` and is at work on the next."""
    process = start(arguments)
    history = os.path.join(folder, "history.csv")
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if os.path.exists(history) and len(pathlib.Path(history).read_text().splitlines()) > epochs:
            break
        assert process.poll() is None, "the training ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def masks_of(folder):
    with np.load(os.path.join(folder, "masks.npz")) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_kill_and_resume_gives_the_same_masks(data, tmp_path):
    folders = [str(tmp_path / "whole"), str(tmp_path / "killed")]
    common = ["train", "fashion-mnist", "--data", data, "--epochs", "8", "--batch-size", "50", "--resume", "--out"]
    assert start(common + folders[:1]).wait() == 0
    kill_after_an_epoch(common + folders[1:], folders[1])
    assert not os.path.exists(os.path.join(folders[1], "masks.npz"))
    assert start(common + folders[1:]).wait() == 0
    whole, killed = (masks_of(folder) for folder in folders)
    assert all(np.array_equal(whole[name], killed[name]) for name in whole) and len(whole) == 4
    results = [json.loads(pathlib.Path(folder, "results.json").read_text()) for folder in folders]
    assert results[0]["test"]["accuracy"] == results[1]["test"]["accuracy"]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_real_fashion_mnist_with_a_kill_in_the_middle(tmp_path):
    source = data_folder("fashion-mnist")
    prepared, out = str(tmp_path / "data"), str(tmp_path / "run")
    script = [
        sys.executable,
        str(ROOT / "data_scripts" / "fashion_mnist.py"),
        "--out",
        prepared,
        "--source",
        str(source),
    ]
    subprocess.run(script, check=True)
    arguments = ["train", "fashion-mnist", "--data", prepared, "--out", out, "--epochs", "5", "--resume"]
    kill_after_an_epoch(arguments, out, epochs=2)
    assert start(arguments).wait() == 0
    results = json.loads(pathlib.Path(out, "results.json").read_text())
    assert results["epochs"] == 5 and results["test_openings"] == 1
    assert results["test"]["accuracy"] >= 0.84


@pytest.mark.slow
def test_demo_opens_the_test_set_once(tmp_path, capsys, monkeypatch):
    """The demo with less of its built-in data, a smaller network and a recipe cut to one epoch."""
    fashion = registry.TASKS["fashion-mnist"]
    drawn = dataclasses.replace(fashion.drawn, training=2400, test=300)
    network, recipe = fashion_mnist_cnn(conv1=16, conv2=8, hidden=32), Recipe(epochs=1, batch_size=50)
    short = dataclasses.replace(fashion, network=network, recipes={"quick": recipe}, drawn=drawn)
    monkeypatch.setitem(registry.TASKS, "fashion-mnist", short)
    out = str(tmp_path / "demo")
    results = call_json(capsys, "demo", "--out", out)
    assert RunFolder.open(out).test_openings() == results["test_openings"] == 1
    assert results["test"]["accuracy"] > results["unpruned_accuracy"] and 0.7 < results["linear_accuracy"] < 0.85
    assert os.path.exists(os.path.join(out, "program.xbp")) and os.path.exists(os.path.join(out, "digital.json"))
    again = call_json(capsys, "demo", "--out", out, "--resume")
    assert again == results and RunFolder.open(out).test_openings() == 1
    os.remove(os.path.join(out, "beside.json"))  # stopped after the training, before what stands beside it
    looked_again = call_json(capsys, "demo", "--out", out, "--resume")
    assert RunFolder.open(out).test_openings() == looked_again["test_openings"] == 2
    with open(os.path.join(out, "test-openings.jsonl"), encoding="utf-8") as handle:
        assert [json.loads(line)["why"] for line in handle] == ["end of training", "beside the demo"]
    beside = demo.read_beside(RunFolder.open(out))
    assert vars(beside) == {name: results[name] for name in ("linear_accuracy", "unpruned_accuracy")}
    with open(os.path.join(out, "report.html"), encoding="utf-8") as handle:
        page = handle.read()
    for accuracy in (*vars(beside).values(), max(map(sum, results["test"]["confusion"])) / 300):
        assert f'<td class="number">{100 * accuracy:.2f} %</td>' in page
    (tmp_path / "demo" / "beside.json").write_text('{"linear_accuracy": 0.5, "unpruned_accuracy": 2.0}')
    with pytest.raises(DataError, match="unpruned_accuracy is 2.0; an accuracy lies between 0 and 1"):
        demo.read_beside(RunFolder.open(out))


def test_the_unpruned_chip_is_judged_with_statistics_of_its_own(trained, monkeypatch):
    config, learners = RunFolder.open(trained).config, []

    class Kept(MaskLearner):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            learners.append(self)

    monkeypatch.setattr(demo, "MaskLearner", Kept)
    for steps in (0, 3):
        monkeypatch.setattr(demo, "UNPRUNED_STEPS", steps)
        demo._unpruned(config, open_training(config), open_test(config))
    first, second = (learner.state for learner in learners)
    assert first.keys() == second.keys() and all((first[name] != second[name]).any() for name in first)


@pytest.mark.slow
def test_closed_pipe_is_no_traceback(trained):
    process = subprocess.Popen(
        [sys.executable, "-m", "minirram", "networks"], cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141 and error == b""

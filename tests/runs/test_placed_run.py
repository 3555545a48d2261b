"""A placed ONNX network leaves a run folder: later commands take it, and its weights can be programmed."""

import json
import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the package onnx: pip install '.[onnx]'")

from minirram.programming.readback import read_program  # noqa: E402
from minirram.runs.folder import RunFolder  # noqa: E402
from minirram.study.placed_transfer import home_score  # noqa: E402

from ..support.onnx_models import model_of, node, numbers, save, small_network  # noqa: E402
from ..support.options import call, figures  # noqa: E402

FAULTS = ("--stuck-lrs", "0.01", "--know-faults")
X = numbers((60, 3, 8, 8), 3)
X_CODES = np.random.default_rng(4).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def placed(tmp_path_factory: Any) -> Any:
    """(folder of the test, run folder, what `place` printed as JSON)"""
    folder = tmp_path_factory.mktemp("placed")
    np.savez(folder / "x.npz", inputs=X)
    save(small_network(), folder / "m.onnx")
    (folder / "stuck.txt").write_text("0 5 1 stuck_on\n0 7 3 stuck_off\n")
    command = ["place", folder / "m.onnx", "--weights", "--data", folder / "x.npz", "--out", folder / "run"]
    command += ["--faults", folder / "stuck.txt", "--rows", "100", "--cols", "48"]
    return folder, str(folder / "run"), figures(*map(str, command))


@pytest.mark.slow
def test_it_answers_as_it_did_when_it_was_placed(placed: Any) -> None:
    _, run, found = placed
    written = found["written"]
    again = figures("evaluate", run, "--split", "test")
    for name in ("accuracy", "samples", "saturated", "clipped"):
        assert again[name] == written["score"][name]
    assert written["stuck_cells"] == 2 and again["test_openings"] == 1
    assert figures("evaluate", run)["samples"] == written["calibration_samples"]
    worse = figures("evaluate", run, "--split", "test", "--read-noise", "0.3", "--adc-gain", "0.3", "--wire-ohm", "50")
    assert written["judged_by"] == "float network" and again["accuracy"] == written["agreement"]
    assert worse["accuracy"] < again["accuracy"]
    assert set(RunFolder.open(run).load_model().probes) == set(RunFolder.open(run).load_model().scales_S)
    with open(placed[0] / "run" / "results.json") as handle:
        assert json.load(handle) == found


def test_its_energy_is_counted(placed: Any) -> None:
    found = figures("energy", placed[1])
    assert found["total"]["total_J"] > 0 and found["accuracy"] > 0.5


@pytest.mark.parametrize("bits", [8, pytest.param(16, marks=pytest.mark.slow)])
def test_its_program_has_the_conductances_to_be_reached(placed: Any, bits: int) -> None:
    folder, run, _ = placed
    file = str(folder / f"of-{bits}" / "program.xbp")
    (folder / f"of-{bits}").mkdir()
    exported = figures("export", run, "--out", file, "--code-bits", str(bits))
    conductance_S = np.load(folder / "run" / "conductance.npy")
    chip, _, _ = RunFolder.open(run).load_trained()
    used = chip.physical(chip.used)
    for tile in read_program(exported["targets"]).tiles:
        held_nS = 1e9 * conductance_S[tile.macro, tile.rows, tile.cols]
        step = held_nS.max() / (2**bits - 1)
        on = tile.mask
        assert on.all() == used[tile.macro, tile.rows, tile.cols].all()
        assert np.abs(np.asarray(tile.target_nS)[on] - held_nS[on]).max() <= step / 2 + 1
    found = figures("verify", file, "--run", run, "--simulate", code=0)
    assert found["differing"] == 0 and found["targets"] is not None
    off_S = conductance_S.copy()
    off_S[used] *= np.where(np.arange(used.sum()) % 100 == 3, 1.5, 1.0)
    np.save(folder / "off.npy", off_S)
    found = figures("verify", file, str(folder / "off.npy"), "--run", run, code=1)
    assert {cell["why"] for cell in found["cells"]} == {"off target"}
    assert found["differing"] == np.count_nonzero(np.arange(used.sum()) % 100 == 3)


def test_its_targets_have_16_bits_unless_others_are_asked_for(placed: Any) -> None:
    exported = figures("export", placed[1])
    assert {tile.code_bits for tile in read_program(exported["targets"]).tiles} == {16}


@pytest.fixture(scope="module")
def moved(placed: Any) -> Any:
    """(run folder of the network on another measured chip, what `transfer` printed as JSON, the command)"""
    folder, run, _ = placed
    map_S = np.random.default_rng(5).lognormal(np.log(12e-6), 0.2, (100, 48))
    map_S[[3, 40]] = 0
    np.save(folder / "other.npy", map_S * 1e6)
    lines = {"rows": 100, "pairs": 24, "dead_rows": [[0, 3], [0, 40]]}
    (folder / "dead.json").write_text(json.dumps(lines))
    command = ["transfer", run, "--out", folder / "moved", "--epochs", "2", "--map", folder / "other.npy"]
    command += ["--unit", "uS", "--dead-lines", folder / "dead.json"]
    command = list(map(str, command))
    return str(folder / "moved"), figures(*command), command


@pytest.mark.slow
def test_its_weights_are_written_on_another_chip_and_learn_on(placed: Any, moved: Any) -> None:
    _, run, first = placed
    out, found, command = moved
    assert found["chip"]["maps"][0].startswith("other.npy") and found["from_chip"]["faults"].startswith("stuck.txt")
    assert 0 < found["writes"] and found["chip"]["dead_rows"] == 2 and found["unformed_lines"] == []
    assert abs(found["before"] - found["home"]) <= 0.1 and len(found["after"]) == len(found["pulses"]) == 2
    best = max(found["before"], *found["after"])
    assert found["test"]["after"]["samples"] == first["written"]["score"]["samples"]
    held, model, _ = RunFolder.open(out).load_trained()
    home, own, _ = RunFolder.open(run).load_trained()
    if best == found["before"] > max(found["after"]):
        for name in own.scales_S:
            one, two = held.read_weights(name, model.scales_S[name]), home.read_weights(name, own.scales_S[name])
            assert np.abs(one - two).max() < 0.05 * np.abs(two).max()
    told = call(*command)
    assert told.code == 0 and "writes brought the weights to the other chip" in told.out
    with open(os.path.join(out, "results.json")) as handle:
        assert json.load(handle) == found


@pytest.mark.slow
def test_later_commands_take_the_network_on_the_other_chip(placed: Any, moved: Any) -> None:
    folder, out = placed[0], moved[0]
    again = figures("evaluate", out, "--split", "test")
    assert again["accuracy"] == moved[1]["test"]["after"]["accuracy"]
    exported = figures("export", out)
    conductance_S = np.load(os.path.join(out, "conductance.npy"))
    assert conductance_S.shape == (1, 100, 48) and not conductance_S[0, [3, 40]].any()
    assert {tile.code_bits for tile in read_program(exported["targets"]).tiles} == {16}
    found = figures("verify", os.path.join(out, "program.xbp"), "--run", out, "--simulate", code=0)
    assert found["differing"] == 0
    back = figures("transfer", out, "--out", str(folder / "back"), "--epochs", "1", "--chip-seed", "7")
    assert back["writes"] > 0 and back["from_chip"]["maps"] and not back["chip"]["maps"]
    assert "its weights on this chip" in page_of(out, folder)


def page_of(run: str, folder: Any) -> str:
    """The report of a run."""
    figures("report", run, "--out", str(folder / "page.html"))
    return (folder / "page.html").read_text()


def test_what_needs_learned_masks_says_so_and_nothing_is_overwritten(placed: Any) -> None:
    folder, run, _ = placed
    out = folder / "other"
    told = call("transfer", run, "--out", str(out), "--epochs", "1", "--chip-seed", "2", *FAULTS)
    assert told.code == 2 and "leave it out" in told.err and not out.exists()
    told = call("transfer", run, "--out", str(out), "--epochs", "1", "--chip-seed", "2", "--match")
    assert told.code == 2 and "--match is for masks" in told.err and not out.exists()
    figures("export", run)
    figures("chip", run, "--out", str(folder / "now.npy"), "--state", "programmed")
    told = call("recalibrate", run, "--readback", str(folder / "now.npy"), "--relearn-steps", "3", "--out", str(out))
    assert told.code == 2 and "without masks" in told.err and not out.exists()
    command = ["place", folder / "m.onnx", "--weights", "--data", folder / "x.npz", "--out", run]
    told = call(*map(str, command))
    assert told.code == 2 and "not empty" in told.err


@pytest.mark.slow
def test_it_is_recalibrated_to_its_read_back(placed: Any) -> None:
    folder, run, _ = placed
    figures("chip", run, "--out", str(folder / "back.npy"), "--state", "programmed")
    np.save(folder / "low.npy", 0.8 * np.load(folder / "back.npy"))
    out = str(folder / "recalibrated")
    found = figures("recalibrate", run, "--readback", str(folder / "low.npy"), "--out", out)
    assert figures("evaluate", out)["accuracy"] == found["recalibrated"]["accuracy"]


@pytest.mark.slow
def test_masks_are_compared_with_its_weights_on_its_own_data(placed: Any) -> None:
    folder, run, first = placed
    command = ["compare", run, "--out", str(folder / "compare"), "--arms", "pair", "float", "--seeds", "0"]
    command += ["--epochs", "1", "--rates", "0.05", "--faults", str(folder / "stuck.txt")]
    found = figures(*command)
    judged = first["written"]["score"]
    assert found["run"] == dict(
        name="run", learned="weights", split="data", primary="accuracy", value=judged["accuracy"]
    )
    assert [arm["arm"] for arm in found["arms"]] == ["pair", "float"] and found["lines"]["rows"] == 100
    assert found["faults"].startswith("stuck.txt ") and found["arms"][0]["chip"]["stuck_cells"] == 2
    config = RunFolder.open(folder / "compare" / "pair" / "seed0").config
    own = RunFolder.open(run).config
    assert config.network == own.network and config.recipe.batch_size == own.recipe.batch_size
    told = call(*command).out
    assert f"the weights of the run run itself: data accuracy {judged['accuracy']:.4f}" in told
    assert call(*command[:-2]).code == 2 and call(*command, "--preset", "full").code == 2


def test_a_network_that_answers_pixels_of_three_classes_is_a_run_too(tmp_path: Any) -> None:
    weights = {"w1": numbers((6, 2, 3, 3), 1, 0.3), "b1": numbers((6,), 2, 0.2), "w2": numbers((3, 6, 1, 1), 3, 0.5)}
    nodes = [
        node("Conv", "x w1 b1", "c1", pads=[1, 1, 1, 1]),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w2", "y"),
    ]
    save(model_of(nodes, weights, (1, 2, 12, 12)), tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", inputs=numbers((8, 2, 12, 12), 4))
    command = ["place", tmp_path / "m.onnx", "--weights", "--data", tmp_path / "x.npz", "--out", tmp_path / "run"]
    written = figures(*map(str, command), "--rows", "64", "--cols", "64")["written"]
    assert written["agreement"] > 0.9 and str(tmp_path / "run" / "data.npz") in written["files"]
    found = figures("evaluate", str(tmp_path / "run"), "--split", "test")
    assert found["primary"] == "dice" and found["dice"] > 0.85 and found["accuracy"] > 0.9
    assert np.array(found["confusion"]).sum() == 12 * 12 * found["samples"] == 12 * 12 * written["score"]["samples"]


def test_the_score_at_home_is_read_with_the_runs_seed(placed: Any) -> None:
    run = RunFolder.open(placed[1])
    chip, model, _ = run.load_trained()
    reads = []
    training = SimpleNamespace(validation_score=lambda predict: reads.append(predict(X_CODES)) or 0.0)
    for seed in (0, 0, 5):
        recipe = replace(run.config.recipe, seed=seed)
        here = SimpleNamespace(config=replace(run.config, recipe=recipe))
        home_score(here, chip, model, training=training, threads=1)
    assert np.array_equal(reads[0], reads[1]) and not np.array_equal(reads[0], reads[2])

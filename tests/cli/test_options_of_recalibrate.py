"""Every option of `recalibrate`, and those of `evaluate` that take drift back, changed and seen where they act."""

import hashlib
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from minirram.chip.chip import Chip
from minirram.files import read_npz
from minirram.learn.mask_learner import MaskLearner
from minirram.programming.readback import read_program
from minirram.runs import recalibrate
from minirram.runs.evaluate import accuracy_of_readback
from minirram.runs.folder import RunFolder
from minirram.runs.run import Run

from ..support.options import VALIDATION, call, figures, products_shared, save_changed_data, shows

LEARNED = ("--epochs", "12", "--learning-rate", "0.2")


@pytest.fixture(scope="module")
def held(runs, tmp_path_factory):
    """(program that the chip holds, read-back of a chip whose off states are its own) of the learned run."""
    folder = tmp_path_factory.mktemp("held")
    program, readback = str(folder / "program.xbp"), str(folder / "readback.npy")
    figures("export", runs.trained(*LEARNED), "--out", program)
    np.save(readback, other_off_states(runs.chip("programmed", *LEARNED)))
    return program, readback


def other_off_states(programmed_S):
    """The same chip with other conductances of off cells."""
    draw = np.random.default_rng(1)
    return np.where(programmed_S > 4.1e-6, programmed_S, draw.uniform(0.05e-6, 4e-6, programmed_S.shape))


def one_point_lost(*arguments, **options):
    """The accuracies of a read-back, where it answers a point less than the chip as programmed."""
    scores = accuracy_of_readback(*arguments, **options)
    less = replace(scores.read_back, accuracy=scores.programmed.accuracy - 0.01)
    return scores._replace(read_back=less)


@pytest.mark.slow
@shows("recalibrate", "RUN", "--readback", "--out")
def test_the_new_run_is_the_chip_as_read_back_and_bound_to_the_file(runs, held, tmp_path):
    (_, readback), out, folder = held, str(tmp_path / "new"), runs.trained(*LEARNED)
    found = figures("recalibrate", folder, "--readback", readback, "--out", out)
    chip, model, masks = RunFolder.open(out).load_trained()
    shown_S = np.rint(np.load(readback) * 1e9) * 1e-9
    used = chip.physical(chip.used) & chip.physical(np.stack([macro.formed for macro in chip.macros]))
    assert np.allclose(chip.physical(chip.conductance_S())[used], shown_S[used], rtol=1e-12, atol=0)
    assert sum(chip.pulses.values()) == sum(RunFolder.open(folder).load_trained()[0].pulses.values())  # none came
    own = runs.arrays("masks.npz", "", *LEARNED)
    assert all(np.array_equal(masks[name], own[name]) for name in own)
    with open(readback, "rb") as handle:
        digest = hashlib.sha256(handle.read()).hexdigest()
    with open(os.path.join(out, "digital.json")) as handle:
        described = json.load(handle)
    assert digest == described["readback_sha256"] == model.readback_sha256 == found["readback_sha256"]
    steps = [matrix["adc"]["lsb_A"] for matrix in described["matrices"]]
    assert steps == [float(model.adcs[name].tile_lsb) * 1e-9 * 0.2 for name in model.placement.names]
    before = read_npz(os.path.join(folder, "model.npz"))
    changed = {name for name, array in model.to_arrays(chip_network(out)).items() if changes(before, name, array)}
    assert {"state/bn1.mean", "state/bn2.var", "step/act1", "adc_lsb/fc1"} <= changed
    assert not {name for name in changed if name.startswith(("signs", "scale_S", "placement"))}
    # The scores are those of the commands that look at either folder.
    assert found["programmed"]["accuracy"] == figures("evaluate", folder)["accuracy"]
    assert found["recalibrated"]["accuracy"] == figures("evaluate", out)["accuracy"] == Run(out).evaluate().accuracy
    held_S = np.load(readback)
    read = accuracy_of_readback(folder, held_S, data=None).read_back.to_json()["confusion"]
    assert found["read_back"]["confusion"] == read != found["recalibrated"]["confusion"]
    again = figures("recalibrate", folder, "--readback", readback, "--out", out)  # an earlier one is replaced
    assert {key: again[key] for key in ("recovered", "lost")} == {key: found[key] for key in ("recovered", "lost")}


def chip_network(folder):
    return RunFolder.open(folder).config.network


def changes(before, name, array):
    return name in before and not np.array_equal(before[name], array)


@pytest.mark.slow
def test_a_chip_that_is_what_was_programmed_loses_nothing(runs, tmp_path):
    readback = str(tmp_path / "same.npy")
    np.save(readback, runs.chip("programmed", *LEARNED))
    found = figures("recalibrate", runs.trained(*LEARNED), "--readback", readback, "--out", str(tmp_path / "new"))
    assert (found["lost"], found["recovered"], found["differing"], found["relearned"]) == (0, None, 0, None)


@pytest.mark.slow
@shows("recalibrate", "--relearn-steps", "--program")
def test_masks_that_learn_on_are_an_increment_of_the_program_that_the_chip_holds(runs, held, tmp_path):
    program, readback = held
    folder, out = runs.trained(*LEARNED), str(tmp_path / "new")
    command = ["recalibrate", folder, "--readback", readback, "--out", out, "--relearn-steps", "40"]
    missing = call(*command)
    assert missing.code == 2 and "name the program that the chip holds" in missing.err
    found = figures(*command, "--program", program)["relearned"]
    old, new = runs.arrays("masks.npz", "", *LEARNED), read_npz(os.path.join(out, "masks.npz"))
    flipped = sum(np.count_nonzero(old[name] != new[name]) for name in old)
    pulses, step = sum(found["pulses"].values()), read_program(found["program"])
    assert 0 < pulses <= flipped and found["steps"] == 40
    whole = str(tmp_path / "whole.xbp")
    figures("export", out, "--out", whole)
    assert step.base_state == read_program(program).new_state != step.new_state == read_program(whole).new_state
    assert found["score"]["accuracy"] == figures("evaluate", out)["accuracy"]
    # The chip after the pulses passes as that of the new run.
    after = str(tmp_path / "after.npy")
    figures("chip", out, "--out", after, "--state", "programmed")
    checked = call("verify", whole, after, "--run", out, "--tolerance", "10", "--json")
    assert checked.code in (0, 1) and json.loads(checked.out)["bit_errors"] <= 1
    told = call(*command, "--program", program).out
    assert "relearned    40 steps" in told and found["program"] in told and "no pulse" in told
    for options, message in (
        (("--program", program), "give --relearn-steps, too"),
        (("--relearn-steps", "-1"), "0 or more"),
    ):
        refused = call("recalibrate", folder, "--readback", readback, "--out", out, *options)
        assert refused.code == 2 and message in refused.err


@pytest.mark.slow
def test_masks_learn_on_from_those_of_the_run_whose_border_is_held(runs, held, tmp_path, monkeypatch):
    """They are the best epoch's: the last scores, or another share of them, would give others."""
    program, readback = held
    held_before = []

    def seen(self, *arguments, **options):
        held_before.append({name: np.abs(self.scores[name]) >= border for name, border in self.borders.items()})
        return step(self, *arguments, **options)

    step = MaskLearner.step
    monkeypatch.setattr(MaskLearner, "step", seen)
    command = ["recalibrate", runs.trained(*LEARNED), "--readback", readback, "--out", str(tmp_path / "new")]
    figures(*command, "--program", program, "--relearn-steps", "1")
    own = runs.arrays("masks.npz", "", *LEARNED)
    assert held_before[0].keys() == own.keys()
    assert all(np.array_equal(held_before[0][name], own[name]) for name in own)


@pytest.mark.slow
def test_statistics_are_taken_through_the_wires_of_the_run(runs, tmp_path, monkeypatch):
    """A chip that was read back has no voltage shares until it is told to have wires."""
    wired = LEARNED + ("--wire-ohm", "100")
    readback, told = str(tmp_path / "readback.npy"), []
    np.save(readback, runs.chip("programmed", *wired))
    retake = recalibrate.retake_statistics
    monkeypatch.setattr(recalibrate, "retake_statistics", lambda *a, **k: told.append(len(updates)) or retake(*a, **k))
    update, updates = Chip.update_ir_drop, []
    monkeypatch.setattr(Chip, "update_ir_drop", lambda chip, wires, **how: updates.append(wires) or update(chip, wires))
    figures("recalibrate", runs.trained(*wired), "--readback", readback, "--out", str(tmp_path / "new"))
    assert told == [1] and updates[0].row_ohm == 100


@pytest.mark.slow
def test_masks_learn_on_through_the_wires_of_the_run(runs, tmp_path, monkeypatch):
    """From the first step on: what it reads is what the chip reads behind its wires."""
    wired = LEARNED + ("--wire-ohm", "100")
    program, readback = str(tmp_path / "program.xbp"), str(tmp_path / "readback.npy")
    figures("export", runs.trained(*wired), "--out", program)
    np.save(readback, runs.chip("programmed", *wired))
    shares = []

    def seen(self, *arguments, **options):
        shares.append([behind.share for behind in self.chip.attenuated])
        return step(self, *arguments, **options)

    step = MaskLearner.step
    monkeypatch.setattr(MaskLearner, "step", seen)
    command = ["recalibrate", runs.trained(*wired), "--readback", readback, "--out", str(tmp_path / "new")]
    figures(*command, "--program", program, "--relearn-steps", "1")
    (first,) = shares
    assert first and all((share < 1).any() for share in first)


@pytest.mark.slow
@shows("recalibrate", "--data", "--threads")
def test_the_data_and_the_threads_are_those_asked_for(runs, held, tmp_path):
    _, readback = held

    def change(arrays):
        arrays["validation_labels"] = (arrays["validation_labels"] + 1) % 10

    other = save_changed_data(runs.data, str(tmp_path / "data"), change)
    command = ["recalibrate", runs.trained(*LEARNED), "--readback", readback, "--out", str(tmp_path / "new")]
    own, moved = figures(*command), figures(*command, "--data", other)
    for look in ("programmed", "read_back", "recalibrated"):
        assert moved[look]["confusion"] == own[look]["confusion"][-1:] + own[look]["confusion"][:-1]
    assert own["programmed"]["samples"] == VALIDATION
    assert products_shared(*command) > 0


@pytest.mark.slow
@shows("recalibrate", "--unit")
def test_a_read_back_is_a_lab_file_in_its_unit(runs, held, tmp_path, monkeypatch):
    (_, readback), folder = held, runs.trained(*LEARNED)
    other = str(tmp_path / "in-uS.npy")
    np.save(other, np.load(readback) * 1e6)
    found = figures("recalibrate", folder, "--readback", other, "--unit", "uS", "--out", str(tmp_path / "a"))
    same = figures("recalibrate", folder, "--readback", readback, "--out", str(tmp_path / "b"))
    assert found["recalibrated"]["accuracy"] == same["recalibrated"]["accuracy"]
    assert (found["readback"]["unit"], same["readback"]["unit"]) == ("uS", "S")
    refused = call("recalibrate", folder, "--readback", other, "--out", str(tmp_path / "c"))
    assert refused.code == 3 and "unit" in refused.err
    monkeypatch.setattr("minirram.runs.evaluate.accuracy_of_readback", one_point_lost)
    for file, unit in ((other, " --unit uS"), (readback, "")):
        checked = figures("verify", held[0], file, "--run", folder, *unit.split())
        assert checked["remedy"] == f"minirram recalibrate {folder} --readback {file}{unit}"


def test_what_is_no_place_or_no_read_back_is_refused(runs, held, tmp_path):
    (_, readback), folder = held, runs.trained(*LEARNED)
    silent = str(tmp_path / "silent.npy")
    np.save(silent, np.zeros_like(np.load(readback)))
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    for code, message, options in (
        (2, "is the run itself", ("--readback", readback, "--out", folder)),
        (2, "is not empty", ("--readback", readback, "--out", str(full))),
        (2, "there is no such file", ("--readback", str(tmp_path / "none.npy"), "--out", str(tmp_path / "a"))),
        (3, "no signal passes", ("--readback", silent, "--out", str(tmp_path / "b"))),
    ):
        refused = call("recalibrate", folder, *options)
        assert refused.code == code and message in refused.err, refused.err
    assert sorted(os.listdir(tmp_path)) == ["full", "silent.npy"]


def test_verify_names_the_loss_and_the_remedy(runs, held):
    program, readback = held
    folder = runs.trained(*LEARNED)
    command = ["verify", program, readback, "--run", folder]
    found, told = figures(*command), call(*command).out
    assert found["lost_accuracy"] == found["accuracy_programmed"] - found["accuracy_read_back"]
    remedy = f"minirram recalibrate {folder} --readback {readback}"
    assert (found["remedy"] == remedy) == (found["lost_accuracy"] > 0) == (remedy in told)
    assert figures("verify", program, readback)["remedy"] is None


@pytest.mark.slow
def test_a_map_that_was_never_programmed_is_named_and_no_remedy_is_promised(runs, held, tmp_path):
    folder, formed = runs.trained(*LEARNED), runs.chip("formed", *LEARNED)
    np.save(tmp_path / "formed.npy", formed)
    found = figures("verify", held[0], str(tmp_path / "formed.npy"), "--run", folder, code=1)
    assert found["remedy"] is None and "before programming" in found["suspects"][0]
    told = call("recalibrate", folder, "--readback", str(tmp_path / "formed.npy"), "--out", str(tmp_path / "new"))
    assert told.code == 0 and "suspected read before programming" in told.out


@pytest.mark.slow
def test_shorted_cells_of_a_read_back_conduct_what_the_grid_holds(runs, held, tmp_path):
    (program, readback), folder = held, runs.trained(*LEARNED)
    read_S, cells, shorted = np.load(readback), (0, 3, [4, 5, 6]), str(tmp_path / "shorted.npy")
    read_S[cells] = np.inf, 1e-2, np.nan
    np.save(shorted, read_S)
    found = figures("verify", program, shorted, "--run", folder, code=1)
    assert (found["doubtful"], found["limited"]) == (1, 2)
    read_S[cells] = 2e-2, 2e-2, 0.0
    np.save(shorted, read_S)
    same = figures("verify", program, shorted, "--run", folder, code=1)
    assert same["limited"] == 2 and same["accuracy_read_back"] == found["accuracy_read_back"]
    assert "cells above the grid    2" in call("verify", program, shorted, "--run", folder).out
    again = figures("recalibrate", folder, "--readback", shorted, "--out", str(tmp_path / "run"))
    assert (again["doubtful"], again["limited"]) == (0, 2)
    read_S[cells] = np.inf
    np.save(shorted, read_S * 1e2)
    refused = call("verify", program, shorted, "--run", folder)
    assert refused.code == 3 and "is the unit right?" in refused.err


@pytest.mark.slow
@shows("evaluate", "--compensate", "--digital")
def test_drift_is_taken_back_by_one_factor_per_matrix(runs, tmp_path):
    folder, file = runs.trained("--technology", "pcm", *LEARNED), str(tmp_path / "digital.json")
    aged = ("--age", "3.15e7")
    old, compensated = (figures("evaluate", folder, *aged, *options) for options in ((), ("--compensate",)))
    factors = compensated["compensation"]
    assert old["compensation"] is None and all(1.7 < factor < 2.3 for factor in factors.values())
    assert compensated["age_s"] == 3.15e7 and compensated["confusion"] != old["confusion"]
    assert compensated["ideal"] != old["ideal"]  # without noise, but of the same chip behind the same digital side
    assert "compensation            conv1 " in call("evaluate", folder, *aged, "--compensate").out
    moved = shutil.copytree(folder, tmp_path / "seed")
    config = json.loads((moved / "config.json").read_text())
    config["recipe"]["seed"] += 1  # of the noise of the calibration read, too
    (moved / "config.json").write_text(json.dumps(config))
    assert figures("evaluate", str(moved), *aged, "--compensate")["compensation"] != factors
    loud = figures("evaluate", folder, *aged, "--compensate", "--read-noise", "0.1")  # the read has the noise of use
    assert loud["compensation"] != factors
    scales = []
    for options in ((), ("--compensate",)):
        figures("evaluate", folder, *aged, *options, "--digital", file)
        with open(file) as handle:
            scales.append({matrix["name"]: matrix["weight_per_lsb"] for matrix in json.load(handle)["matrices"]})
    for name, factor in factors.items():
        assert scales[1][name] == pytest.approx(factor * scales[0][name])
    assert "needs an age" in call("evaluate", folder, "--compensate").err


@pytest.mark.slow
def test_what_compensation_costs_stands_in_the_account(runs):
    account = figures("energy", runs.trained())
    once, probes = account["compensation"], read_npz(os.path.join(runs.trained(), "model.npz"))
    names = [name for name in probes if name.startswith("probe/")]
    vectors = sum(len(probes[name]) for name in names)
    assert once["vectors"] == vectors
    set_bits = sum(
        np.unpackbits(probes[name]).sum() * 2 * probes["probe_response_lsb/" + name[6:]].shape[1] for name in names
    )
    assert once["cell_reads"] == set_bits
    assert 0 < once["array_J"] < once["total_J"] < account["total"]["total_J"]
    assert "compensating drift once" in call("energy", runs.trained()).out
    fewer = figures("energy", runs.trained(), "--input-bits", "2")["compensation"]
    assert 0 < fewer["conversions"] < once["conversions"]
    polarity = figures("energy", runs.trained("--adc-arrangement", "polarity"))["compensation"]
    assert polarity["conversions"] == 2 * once["conversions"]


def test_a_temperature_where_there_is_no_law_of_it_and_a_noise_in_percent_are_told(runs):
    refused = call("evaluate", runs.trained("--technology", "pcm", *LEARNED), "--age", "10", "--celsius", "60")
    assert refused.code == 2 and "pcm has no temperature law" in refused.err
    told = call("evaluate", runs.trained(), "--read-noise", "0.65").out
    assert "read noise is a share, not percent: 0.65 is 65 % of the conductance" in told
    assert "is a share" not in call("evaluate", runs.trained()).out


def test_wires_that_let_nothing_through_are_named(runs):
    for model in ("solve", "reduced"):
        refused = call("evaluate", runs.trained(), "--wire-ohm", "1e9", "--wire-model", model)
        assert refused.code == 2 and "wires of 1e+09 ohm" in refused.err, (refused.code, refused.err)

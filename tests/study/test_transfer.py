"""Chip transfer: nothing is lost on an equal chip, much on another, and learning on wins it back."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from minirram.chip.dead_lines import ChipLines
from minirram.cli import main
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError
from minirram.files import read_json, write_json
from minirram.learn.recipe import Recipe
from minirram.runs.config import RunConfig
from minirram.runs.evaluate import evaluate
from minirram.runs.folder import RunFolder
from minirram.runs.train import train
from minirram.study import transfer as transfer_module
from minirram.tasks.fashion_mnist import fashion_mnist_cnn

from ..support.tiny import save_garments

STILL = replace(TAOX_40NM, read_noise=0.0, write_noise=0.0)
LINES = ChipLines(rows=256, pairs=64)
"""of macros that the small network fills"""


def transfer(*arguments, **options):
    """What a transfer to a chip of `LINES` gives, as JSON."""
    return transfer_module.transfer(*arguments, lines=LINES, **options).to_json()


class Stopped(Exception):
    """Raised in the middle of a training."""


def run_at_home(folder, level, epochs):
    """A finished run on a chip without noise."""
    save_garments(folder, train=400, validation=100, test=60)
    recipe = Recipe(epochs=epochs, batch_size=20, level=level, hysteresis=0.002, hysteresis_end=0.001)
    network = fashion_mnist_cnn(conv1=8, conv2=8, hidden=32)
    train(str(folder / "run"), RunConfig("fashion-mnist", str(folder), network, recipe, STILL, lines=LINES))
    return str(folder / "run")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A run at cell level, where masks know their chip best."""
    return run_at_home(tmp_path_factory.mktemp("home"), "cell", 6)


@pytest.fixture(scope="module")
def pair_home(tmp_path_factory):
    """A run at pair level."""
    return run_at_home(tmp_path_factory.mktemp("pair"), "pair", 2)


@pytest.mark.slow
def test_an_equal_chip_gives_the_same_accuracy(home, tmp_path):
    results = transfer(home, str(tmp_path / "same"), changes={"epochs": 1})
    assert results["before"] == results["home"]
    assert results["learning_rate"] == pytest.approx(0.005)  # a twentieth of the run's
    assert results["recovered"] == [None] and results["steps_share"] == pytest.approx(1 / 6)
    at_home = read_json(RunFolder.open(home).path("results.json"))
    assert results["test"]["before"]["accuracy"] == at_home["test"]["accuracy"]


@pytest.mark.slow
def test_another_chip_loses_and_learning_on_wins_back(home, tmp_path):
    def stop_at_one(row):
        raise Stopped

    changes = {"epochs": 2, "learning_rate": 0.05, "chip_seed": 2}
    with pytest.raises(Stopped):
        transfer(home, str(tmp_path / "stopped"), changes=changes, progress=stop_at_one)
    results = transfer(home, str(tmp_path / "stopped"), changes=changes)
    least = 0.03  # an equal chip gives the same accuracy to the last digit
    assert results["before"] < results["home"] - least
    assert max(results["after"]) > results["before"] + least
    assert results["recovered"][-1] == pytest.approx(
        (results["after"][-1] - results["before"]) / (results["home"] - results["before"])
    )
    whole = transfer(home, str(tmp_path / "whole"), changes=changes)
    for key in ("before", "after", "pulses", "recovered"):
        assert whole[key] == results[key]
    assert whole["test"]["after"]["accuracy"] == results["test"]["after"]["accuracy"]
    chip, _, masks = RunFolder.open(str(tmp_path / "whole")).load_trained()
    learned = RunFolder.open(home).load_checkpoint()
    pruned = sum(int((~learned["best_masks/" + name]).sum()) for name in masks)  # all cells are on once they are formed
    assert pruned <= chip.pulses["set"] + chip.pulses["reset"] <= pruned + 2 * sum(whole["pulses"])
    score = evaluate(str(tmp_path / "whole"))
    assert score.accuracy == whole["validation"]["after"]["accuracy"] and whole["test_openings"] == 1


@pytest.mark.slow
def test_a_faulty_chip_whose_faults_are_known(home, tmp_path):
    faulty = replace(STILL, stuck_lrs=0.02, stuck_hrs=0.02)
    results = transfer(home, str(tmp_path / "faulty"), changes={"epochs": 1}, cell_model=faulty, know_faults=True)
    assert all(count > 50 for count in results["faults_known"])
    assert results["after"][0] > 0.4 and results["stuck_lrs"] == 0.02
    chip, model, masks = RunFolder.open(str(tmp_path / "faulty")).load_trained()
    on = np.stack([macro.on & macro.formed for macro in chip.macros]) & chip.used
    assert np.count_nonzero(on != chip.wanted_on(masks, model.signs)) <= 1  # what the masks say the chip does
    assert results["pulses"][0] < chip.pulses["probe_set"] + chip.pulses["probe_reset"] == 2 * chip.used.sum()
    with pytest.raises(ConfigError, match="other knowledge of faults"):
        transfer(home, str(tmp_path / "faulty"), changes={"epochs": 1}, cell_model=faulty)


@pytest.mark.slow
def test_a_faulty_chip_at_pair_level(pair_home, tmp_path):
    """The run that is left behind holds the signs and masks that avoid the faults, and answers as was reported."""
    faulty, found = replace(STILL, stuck_lrs=0.05, stuck_hrs=0.05), {}
    for known in (False, True):
        out = str(tmp_path / str(known))
        found[known] = transfer(pair_home, out, changes={"epochs": 1}, cell_model=faulty, know_faults=known)
        assert evaluate(out).accuracy == found[known]["validation"]["after"]["accuracy"]
        chip, model, _ = RunFolder.open(out).load_trained()
        stuck = np.stack([macro.stuck for macro in chip.macros])
        at_odds = 0
        for name, sign in model.signs.items():
            plus, minus = chip.placement.gather(name, stuck)
            at_odds += np.count_nonzero((plus != minus) & np.where(sign, plus, minus))
        assert at_odds <= 1 if known else at_odds > 200
    assert found[False]["faults_known"] is None and min(found[True]["faults_known"]) > 200
    for key in ("before", "after"):
        assert found[True][key] != found[False][key]
    assert found[True]["home"] == found[False]["home"]


@pytest.mark.slow
def test_what_the_digital_side_alone_wins_back(home, tmp_path, monkeypatch):
    """Its score comes from no pulse, and the learning that follows does not notice."""
    changes = {"epochs": 1, "learning_rate": 0.05, "chip_seed": 2}
    results = transfer(home, str(tmp_path / "seen"), changes=changes)
    digital = results["digital_only"]
    gap = results["home"] - results["before"]
    assert digital["steps"] == 50 and digital["validation"] != results["before"]
    assert digital["recovered"] == pytest.approx((digital["validation"] - results["before"]) / gap)
    monkeypatch.setattr(transfer_module, "ADAPTATION_STEPS", 0)
    without = transfer(home, str(tmp_path / "unseen"), changes=changes)
    assert without["digital_only"] == {"validation": without["before"], "recovered": 0.0, "steps": 0}
    for key in ("before", "after", "pulses"):
        assert without[key] == results[key]
    assert without["test"]["before"]["accuracy"] == results["test"]["before"]["accuracy"]


@pytest.mark.slow
def test_data_that_moved_and_data_that_changed(home, tmp_path, capsys):
    there, out = tmp_path / "there", str(tmp_path / "out")
    there.mkdir()
    shutil.copy(os.path.join(RunFolder.open(home).config.data, "fashion-mnist.npz"), str(there))
    assert main.main(["transfer", home, "--out", out, "--epochs", "1", "--data", str(there)]) == 0
    assert "without a pulse, digital statistics of the other chip 0." in capsys.readouterr().out
    assert RunFolder.open(out).config.data == str(there)
    assert main.main(["transfer", home, "--out", out, "--epochs", "1", "--json"]) == 0  # finished: from its results
    assert json.loads(capsys.readouterr().out)["steps_share"] == pytest.approx(1 / 6)
    save_garments(there, train=401, validation=100, test=60)
    with pytest.raises(ConfigError, match="not those that the run was learned from"):
        transfer(home, str(tmp_path / "never"), changes={"epochs": 1}, data=str(there))
    assert not (tmp_path / "never").exists()


@pytest.mark.slow
def test_other_changes_are_refused(home, tmp_path):
    with pytest.raises(ConfigError, match="not \\['density'\\]"):
        transfer(home, str(tmp_path / "x"), changes={"density": 0.3})


def test_sources_that_cannot_be_taken_elsewhere(home, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    os.rename(copy / "results.json", tmp_path / "results.json")
    with pytest.raises(ConfigError, match="copy is not finished: its results.json is missing"):
        transfer(str(copy), str(tmp_path / "out"), changes={"epochs": 1})
    os.rename(tmp_path / "results.json", copy / "results.json")
    config = read_json(str(copy / "config.json"))
    config["faults"] = "known-faults.npz"
    write_json(str(copy / "config.json"), config)
    with pytest.raises(ConfigError, match="name the other chip by its maps, or by its seed"):
        transfer(str(copy), str(tmp_path / "out"), changes={"epochs": 1})
    assert not (tmp_path / "out").exists()

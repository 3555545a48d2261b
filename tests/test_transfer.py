"""Chip transfer: nothing is lost on an equal chip, much on another, and learning on wins it back."""

from dataclasses import replace

import pytest

from minirram import workflow
from minirram.errors import ConfigError
from minirram.files import read_json
from minirram.networks import fashion_mnist_cnn
from minirram.runs import Run, RunConfig
from minirram.technologies import TAOX_40NM
from minirram.training import Recipe
from minirram.transfer import transfer

from .tiny import save_garments

STILL = replace(TAOX_40NM, read_noise=0.0, write_noise=0.0)


class Stopped(Exception):
    """Raised in the middle of a training."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A finished run on a chip without noise, at cell level, where masks know their chip best."""
    folder = tmp_path_factory.mktemp("home")
    save_garments(folder, train=400, validation=100, test=60)
    recipe = Recipe(epochs=6, batch_size=20, level="cell", hysteresis=0.002, hysteresis_end=0.001)
    network = fashion_mnist_cnn(conv1=8, conv2=8, hidden=32)
    workflow.train(str(folder / "run"), RunConfig("fashion-mnist", str(folder), network, recipe, STILL))
    return str(folder / "run")


def test_an_equal_chip_gives_the_same_accuracy(home, tmp_path):
    results = transfer(home, str(tmp_path / "same"), {"epochs": 1})
    assert results["before"] == results["home"]
    assert results["learning_rate"] == pytest.approx(0.005)  # a twentieth of the run's
    assert results["recovered"] == [None] and results["steps_share"] == pytest.approx(1 / 6)
    at_home = read_json(Run.open(home).path("results.json"))
    assert results["test"]["before"]["accuracy"] == at_home["test_accuracy"]


def test_another_chip_loses_and_learning_on_wins_back(home, tmp_path):
    def stop_at_one(row):
        raise Stopped

    changes = {"epochs": 2, "learning_rate": 0.05, "chip_seed": 1}
    with pytest.raises(Stopped):
        transfer(home, str(tmp_path / "stopped"), changes, progress=stop_at_one)
    results = transfer(home, str(tmp_path / "stopped"), changes)
    assert results["before"] < results["home"] - 0.1
    assert max(results["after"]) > results["before"] + 0.1
    assert results["recovered"][-1] == pytest.approx(
        (results["after"][-1] - results["before"]) / (results["home"] - results["before"])
    )
    whole = transfer(home, str(tmp_path / "whole"), changes)
    for key in ("before", "after", "pulses", "recovered"):
        assert whole[key] == results[key]
    assert whole["test"]["after"]["accuracy"] == results["test"]["after"]["accuracy"]
    score = workflow.evaluate(str(tmp_path / "whole"))
    assert score["accuracy"] == whole["validation"]["after"]["accuracy"] and whole["test_openings"] == 1


def test_a_faulty_chip_whose_faults_are_known(home, tmp_path):
    faulty = replace(STILL, stuck_lrs=0.02, stuck_hrs=0.02)
    results = transfer(home, str(tmp_path / "faulty"), {"epochs": 1}, faulty, know_faults=True)
    assert all(count > 50 for count in results["faults_known"])
    assert results["after"][0] > 0.5 and results["stuck_lrs"] == 0.02
    with pytest.raises(ConfigError, match="other knowledge of faults"):
        transfer(home, str(tmp_path / "faulty"), {"epochs": 1}, faulty)


def test_other_changes_are_refused(home, tmp_path):
    with pytest.raises(ConfigError, match="not \\['density'\\]"):
        transfer(home, str(tmp_path / "x"), {"density": 0.3})

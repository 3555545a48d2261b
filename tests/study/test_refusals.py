"""Comparisons and transfers that cannot go on."""

from types import SimpleNamespace

import pytest

from minirram.device.presets import TAOX_40NM
from minirram.engines.pool import WorkerDied
from minirram.errors import ConfigError
from minirram.files import write_json
from minirram.learn.recipe import Recipe
from minirram.runs.config import RunConfig
from minirram.runs.folder import RunFolder
from minirram.study import comparison
from minirram.study.arms import ARMS, mask_config
from minirram.study.summary import Outcome
from minirram.study.transfer import transfer
from minirram.tasks.fashion_mnist import fashion_mnist_cnn

from ..support.tiny import save_garments, tiny_network

BASE = RunConfig("fashion-mnist", "synthetic", tiny_network(), Recipe(), TAOX_40NM)


def test_arms_that_learn_weights_have_no_masks():
    assert mask_config(ARMS["pair"], BASE, seed=3).recipe.chip_seed == 3
    with pytest.raises(ConfigError, match="^the arm float learns weights, not masks"):
        mask_config(ARMS["float"], BASE, seed=3)


def test_a_test_set_that_stayed_closed_has_no_score():
    score = SimpleNamespace(value=0.5)
    assert Outcome(score, score, 1.0).looked is score
    with pytest.raises(ValueError, match="^the test set of this trial stayed closed"):
        _ = Outcome(score, None, 1.0).looked


def test_masks_of_a_transfer_learn_on_from_a_checkpoint(tmp_path):
    RunFolder.create(tmp_path / "run", BASE)
    write_json(tmp_path / "run" / "results.json", {})
    with pytest.raises(
        ConfigError, match="run has no checkpoint.npz, from which masks learn on, and no weights.npz of"
    ):
        transfer(str(tmp_path / "run"), str(tmp_path / "out"), changes={"chip_seed": 1})
    assert not (tmp_path / "out").exists()


def test_processes_that_end_stop_a_comparison(tmp_path, monkeypatch):
    def died(engine, function, trials):
        yield next(iter(trials)), None, WorkerDied("the process of this task ended")

    monkeypatch.setattr(comparison, "completed", died)
    save_garments(tmp_path, train=60, validation=10, test=10)
    base = RunConfig("fashion-mnist", str(tmp_path), fashion_mnist_cnn(), Recipe(epochs=1, batch_size=20), TAOX_40NM)
    with pytest.raises(ConfigError, match="^the process of this task ended; the same command goes on, try fewer proc"):
        comparison.compare(base, str(tmp_path / "out"), names=["pair"], seeds=[0])

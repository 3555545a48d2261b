"""Runs of weights: what they write, that they continue, that the test set is opened once."""

import csv
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from minirram import __version__
from minirram.crossbar.wires import Wires
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DivergedError
from minirram.learn.recipe import Recipe
from minirram.learn.written_weights import Writing
from minirram.runs.config import RunConfig
from minirram.study import weight_runs
from minirram.study.weight_runs import WeightConfig
from minirram.tasks.fashion_mnist import fashion_mnist_cnn

from ..support.tiny import save_garments

TIMING = ("samples_per_second", "training_seconds")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a small fashion-mnist.npz of drawn garments."""
    folder = tmp_path_factory.mktemp("data")
    save_garments(folder, train=240, validation=60, test=60)
    return str(folder)


def config_of(data, writing=None, **changes):
    recipe = Recipe(**dict(dict(epochs=3, batch_size=40, level="cell", seed=4, chip_seed=9), **changes))
    network = fashion_mnist_cnn(conv1=8, conv2=8, hidden=16)
    return WeightConfig(RunConfig("fashion-mnist", data, network, recipe, TAOX_40NM), 0.05, writing)


def train_weights(*arguments, **options):
    """What a training of weights gives, as JSON."""
    return weight_runs.train_weights(*arguments, **options).to_json()


class Stopped(Exception):
    """Raised in the middle of a training."""


def untimed(results):
    entries = {key: value for key, value in results.items() if key not in TIMING}
    return {key: untimed(value) if isinstance(value, dict) else value for key, value in entries.items()}


@pytest.mark.slow
@pytest.mark.parametrize("writing", [None, Writing(0.01, 2e-7)], ids=["ideal hardware", "chip"])
def test_a_run_continues_and_opens_the_test_set_once(data, writing, tmp_path):
    def stop_at_two(row):
        if row["epoch"] == 2:
            raise Stopped

    config, folder = config_of(data, writing), str(tmp_path / "stopped")
    with pytest.raises(Stopped):
        train_weights(folder, config, progress=stop_at_two)
    seen = []
    validated = train_weights(folder, config, progress=lambda row: seen.append(row["epoch"]), test=False)
    assert seen == [3] and validated["test"] is None and not os.path.exists(os.path.join(folder, "results.json"))
    results = train_weights(folder, config)
    assert results == train_weights(folder, config)
    recipe = config.run.recipe
    stated = {"version": __version__, "task": "fashion-mnist", "epochs": recipe.epochs, "seed": recipe.seed}
    assert stated == {name: results[name] for name in stated} and results["learning_rate"] == config.learning_rate
    assert results["test_openings"] == 1 and 0 <= results["test"]["accuracy"] <= 1
    assert untimed(results["validation"]) == untimed(validated["validation"])
    assert (writing is None) == (results["programs"] is None)
    assert results["chip_seed"] == (None if writing is None else 9)
    whole = train_weights(str(tmp_path / "whole"), config)
    assert untimed(whole) == untimed(results)
    json.dumps(whole, allow_nan=False)


def test_a_folder_of_another_configuration_is_refused(data, tmp_path):
    folder = str(tmp_path / "run")
    train_weights(folder, config_of(data, epochs=1), test=False)
    with pytest.raises(ConfigError, match="recipe.epochs = 1, not 2"):
        train_weights(folder, config_of(data, epochs=2), test=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("keep")
    with pytest.raises(ConfigError, match="not empty"):
        train_weights(str(tmp_path / "full"), config_of(data), test=False)


def test_data_may_move_but_not_change(data, tmp_path):
    folder, moved = str(tmp_path / "run"), tmp_path / "moved"

    def stop(row):
        raise Stopped

    with pytest.raises(Stopped):
        train_weights(folder, config_of(data), progress=stop)
    save_garments(moved, train=240, validation=60, test=60)
    assert train_weights(folder, config_of(str(moved)), test=False)["epochs"] == 3
    save_garments(moved, train=200, validation=60, test=60)
    for test in (True, False):  # one goes on, the other is done
        with pytest.raises(ConfigError, match="run.data_crc = "):
            train_weights(folder, config_of(str(moved)), test=test)


def test_texts_on_sources_and_rounding_are_no_part_of_the_configuration(data, tmp_path):
    config, folder = config_of(data, epochs=1), str(tmp_path / "run")
    train_weights(folder, config, test=False)
    told = replace(config.run.cell_model, sources=(("lrs_median_S", "a better reference"),))
    train_weights(folder, replace(config, run=replace(config.run, cell_model=told)), test=False)
    train_weights(folder, replace(config, learning_rate=0.5 * (1 - 0.9)), test=False)  # 0.05 but for rounding
    other = replace(config.run.cell_model, read_noise=0.02)
    with pytest.raises(ConfigError, match="run.cell_model.read_noise = "):
        train_weights(folder, replace(config, run=replace(config.run, cell_model=other)), test=False)


def test_a_network_that_passes_no_signal_has_diverged(data, tmp_path, monkeypatch):
    class Silent(weight_runs.WriteLearner):
        """What it learned is no weight at all."""

        def adopt(self, learned):
            super().adopt(learned)
            self.chip.tune(self.chip.used, np.zeros(self.chip.used.shape), relative_error=0.0)

    monkeypatch.setattr(weight_runs, "WriteLearner", Silent)
    with pytest.raises(DivergedError, match="no signal passes .* lower the learning rate, it is 0.05"):
        train_weights(str(tmp_path / "run"), config_of(data, Writing(0.05), epochs=1), test=False)


def test_the_programs_of_a_chip_are_those_of_its_history(data, tmp_path):
    results = train_weights(str(tmp_path / "run"), config_of(data, Writing(0.01, 2e-7), epochs=2), test=False)
    with open(str(tmp_path / "run" / "history.csv"), newline="") as handle:
        rows = list(csv.DictReader(handle))
    counts = [int(row["set_pulses"]) + int(row["reset_pulses"]) for row in rows]
    assert results["programs"]["total"] == sum(counts) > 0
    for kind in ("set", "reset"):
        assert results["programs"][kind] == sum(int(row[kind + "_pulses"]) for row in rows)
    assert results["programs"]["set"] != results["programs"]["reset"]
    assert results["programs_to_best"] == sum(counts[: results["best_epoch"]])
    wear = results["programs"]["wear"]
    assert wear["mean"] * sum(wear["cells"]) == pytest.approx(sum(counts))


def test_chips_that_cannot_be_tuned_are_refused(data):
    with pytest.raises(ConfigError, match="both cells of a pair"):
        config_of(data, Writing(), level="pair")
    free = config_of(data)
    wired = replace(free.run, wires=Wires())
    with pytest.raises(ConfigError, match="ideal wires"):
        WeightConfig(wired, 0.05, Writing())
    assert not replace(free, run=wired).on_chip

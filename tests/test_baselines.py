"""Runs of weights: what they write, that they continue, that the test set is opened once."""

import json
import os

import pytest

from minirram import datasets, synthetic
from minirram.baselines import WeightConfig, train_weights
from minirram.errors import ConfigError
from minirram.learning import Schedule
from minirram.networks import fashion_mnist_cnn
from minirram.rng import stream

TIMING = ("images_per_second", "training_seconds")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a small fashion-mnist.npz of drawn garments."""
    folder = tmp_path_factory.mktemp("data")
    parts = {}
    for part, n in (("train", 240), ("validation", 60), ("test", 60)):
        inputs, labels = synthetic.garments(stream(0, part), n)
        parts[part] = {"inputs": inputs, "labels": labels}
    datasets.save(str(folder), "fashion-mnist", parts, "drawn for a test")
    return str(folder)


def config_of(data, **changes):
    schedule = Schedule(**dict(dict(epochs=3, batch_size=40, learning_rate=0.05), **changes))
    return WeightConfig("fashion-mnist", data, fashion_mnist_cnn(conv1=8, conv2=8, hidden=16), schedule)


class Stopped(Exception):
    """Raised in the middle of a training."""


def untimed(results):
    return {key: value for key, value in results.items() if key not in TIMING}


def test_a_run_continues_and_opens_the_test_set_once(data, tmp_path):
    def stop_at_two(row):
        if row["epoch"] == 2:
            raise Stopped

    config, folder = config_of(data), str(tmp_path / "stopped")
    with pytest.raises(Stopped):
        train_weights(folder, config, progress=stop_at_two)
    seen = []
    validated = train_weights(folder, config, progress=lambda row: seen.append(row["epoch"]), test=False)
    assert seen == [3] and "test" not in validated and not os.path.exists(os.path.join(folder, "results.json"))
    results = train_weights(folder, config)
    assert results == train_weights(folder, config)
    assert results["test_openings"] == 1 and 0 <= results["test_accuracy"] <= 1
    assert results["validation"] == validated["validation"]
    whole = train_weights(str(tmp_path / "whole"), config)
    assert untimed(whole) == untimed(results)
    json.dumps(whole, allow_nan=False)


def test_a_folder_of_another_configuration_is_refused(data, tmp_path):
    folder = str(tmp_path / "run")
    train_weights(folder, config_of(data, epochs=1), test=False)
    with pytest.raises(ConfigError, match="another configuration"):
        train_weights(folder, config_of(data, epochs=2), test=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("keep")
    with pytest.raises(ConfigError, match="not empty"):
        train_weights(str(tmp_path / "full"), config_of(data), test=False)

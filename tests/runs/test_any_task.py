"""Any legal task by every command: it is learned, and its folder gives the same answers when it is read back."""

import json
import os
import tempfile
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from minirram.json_codec import plain
from minirram.nn.network import matrices
from minirram.tasks.codes import answer_shape

from ..support.options import call, figures
from ..support.places import inside
from ..support.random_networks import networks

DEAD = ("no current flows", "have no formed cell", "no signal passes")
"""what is said of networks whose random layers let nothing through"""


def write_task(folder: str, network: Any, *, level: str, seed: int) -> None:
    """mine.json and mine.npz: noise around one picture per class."""
    classes, generator = answer_shape(network)[0], np.random.default_rng(seed)
    labels = np.arange(12 * classes) % classes
    pictures = generator.random((classes, *network.input_shape))
    inputs = pictures[labels] + generator.normal(0, 0.2, (len(labels), *network.input_shape))
    parts = np.repeat(["train", "validation", "test"], 4 * classes)
    np.savez(os.path.join(folder, "mine.npz"), inputs=inputs.astype(np.float32), labels=labels, split=parts)
    stated = {"input_shape": list(network.input_shape), "input_bits": network.input_bits}
    stated.update(input_zero=network.input_zero, layers=[plain(layer) for layer in network.layers])
    recipe = {"epochs": 2, "batch_size": 4 * classes, "level": level, "seed": seed}
    with open(os.path.join(folder, "mine.json"), "w") as handle:
        json.dump({"name": "mine", "network": stated, "recipes": {"full": recipe}}, handle)


@pytest.mark.slow
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=networks(), level=st.sampled_from(["pair", "cell"]), seed=st.integers(0, 99))
def test_every_command_takes_any_legal_task(network: Any, level: str, seed: int) -> None:
    assume(len(answer_shape(network)) == 1 and answer_shape(network)[0] > 1 and matrices(network))
    with tempfile.TemporaryDirectory() as folder, inside(folder):
        write_task(folder, network, level=level, seed=seed)
        begun = call("train", "mine.json", "--data", "mine.npz", "--out", "run", "--json")
        assume(not any(dead in begun.err for dead in DEAD))
        assert begun.code == 0, begun.err
        trained = json.loads(begun.out)
        for split in ("validation", "test"):
            again = figures("evaluate", "run", "--split", split)
            assert again["by_draw"] == trained[split]["by_draw"]
            assert (again["saturated"], again["clipped"]) == (trained[split]["saturated"], trained[split]["clipped"])
        assert figures("energy", "run")["total"]["total_J"] > 0
        figures("export", "run")
        assert figures("verify", "run/program.xbp", "--run", "run", "--simulate")["bit_errors"] == 0
        figures("chip", "run", "--state", "programmed", "--out", "back.npy")
        found = figures("recalibrate", "run", "--readback", "back.npy")
        assert found["programmed"]["accuracy"] == trained["validation"]["accuracy"]
        assert figures("evaluate", "run/recalibrated")["by_draw"] == found["recalibrated"]["by_draw"]
        moved = figures("transfer", "run", "--out", "moved", "--chip-seed", "5", "--epochs", "1")
        assert figures("evaluate", "moved")["by_draw"] == moved["validation"]["after"]["by_draw"]
        compared = ["--out", "compared", "--seeds", "0", "--epochs", "1", "--arms", level, "--threads", "1"]
        ended = call("compare", "mine.json", "--data", "mine.npz", *compared, "--json")
        assume(not any(dead in ended.err for dead in DEAD))  # of another seed
        assert ended.code == 0, ended.err
        (arm,) = json.loads(ended.out)["arms"]
        assert arm["arm"] == level

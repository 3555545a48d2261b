"""The CRNN and the U-Net, narrowed, from drawn data to a verified program file; gradients of all three networks.

(The CNN goes the same way, at full size, in test_workflow.)
"""

import os
from dataclasses import replace

import numpy as np
import pytest

from minirram.cli import main
from minirram.device.presets import technology
from minirram.learn.recipe import Recipe
from minirram.nn.engine.engine import Engine
from minirram.nn.network import affine_parameters, macs, matrices
from minirram.runs.config import RunConfig
from minirram.runs.folder import RunFolder
from minirram.runs.train import train as train_of_workflow
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.registry import TASKS
from minirram.tasks.retina import retina_unet
from minirram.tasks.spoken_digits import spoken_digit_crnn
from minirram.tasks.task import Drawing

from ..nn.engine.test_engine import problem
from ..support.schemas import checked_json

HELD = dict(hysteresis=0.001, hysteresis_end=0.001)
CRNN = (
    "spoken-digits",
    spoken_digit_crnn(conv1=16, conv2=16, rnn=32, hidden=64),
    Recipe(epochs=12, batch_size=20, **HELD),
    (360, 60),
)
UNET = (
    "retina",
    retina_unet(width=6),
    Recipe(epochs=3, batch_size=8, samples_per_epoch=64, **HELD),
    (12, 1),
)


def call_json(capsys, *arguments):
    """The JSON object that a good command prints."""
    capsys.readouterr()
    code = main.main(list(arguments) + ["--json"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return checked_json(arguments[0], captured.out)


def timeless(value):
    """A JSON object without what a clock says."""
    if not isinstance(value, dict):
        return value
    clocks = ("seconds", "training_seconds", "samples_per_second")
    return {key: timeless(item) for key, item in value.items() if key not in clocks}


def small(chosen, network, recipe, sizes):
    """The task on a narrowed network, with little data, drawn once for all commands; of eyes a corner of one tile."""

    drawn = {}

    def draw(generator, n):
        if n not in drawn:
            arrays = chosen.drawn.draw(generator, n)
            cut = slice(96) if chosen.layout.per_pixel else slice(None)
            drawn[n] = {key: array[:, cut, cut] if array.ndim == 3 else array for key, array in arrays.items()}
        return drawn[n]

    drawing = Drawing(draw, training=sizes[0], test=sizes[1])
    return replace(chosen, network=network, recipes={"quick": recipe}, drawn=drawing)


def stop_after(epoch):
    """A progress function that interrupts the training as Ctrl-C would."""

    def stop(row):
        if row["epoch"] == epoch:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize(
    "name, network, recipe, sizes, primary, reached, macros",
    [
        pytest.param(*CRNN, "accuracy", 0.3, 1, marks=pytest.mark.slow),  # of ten digits
        pytest.param(*UNET, "roc_auc", 0.7, 2, marks=pytest.mark.slow),  # untrained: below 0.4
    ],
)
def test_from_drawn_data_to_a_verified_program(
    name, network, recipe, sizes, primary, reached, macros, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(TASKS, name, small(TASKS[name], network, recipe, sizes))
    train = ["train", name, "--data", "synthetic", "--preset", "quick", "--out"]
    whole, broken = str(tmp_path / "whole"), str(tmp_path / "broken")
    results = call_json(capsys, *train, whole)
    config = RunConfig(name, "synthetic", network, recipe, technology("taox-40nm"))
    with pytest.raises(KeyboardInterrupt):
        train_of_workflow(broken, config, progress=stop_after(2))
    assert not RunFolder.open(broken).has("results.json")
    assert timeless(call_json(capsys, *train, broken, "--resume")) == timeless(results)

    assert results["macros"] == macros and results["test"][primary] > reached
    score = call_json(capsys, "evaluate", whole)
    assert score["ideal"] == results["validation"]["ideal"] and score[primary] == results["validation"][primary]

    account = call_json(capsys, "energy", whole)
    assert list(account["by_matrix"]) == [matrix for matrix, _ in matrices(network)]
    rows = list(account["by_matrix"].values()) + list(account["digital_layers"].values())
    assert account["total"]["total_J"] == pytest.approx(sum(row["total_J"] for row in rows))
    assert account["macs"] == macs(network) and account[primary] == score[primary]

    exported = call_json(capsys, "export", whole)
    call_json(capsys, "export", broken)
    files = [os.path.join(folder, "program.xbp") for folder in (whole, broken)]
    contents = []
    for file in files:
        with open(file, "rb") as handle:
            contents.append(handle.read())
    assert contents[0] == contents[1] and exported["cells"] == 2 * results["weights"]
    readback = str(tmp_path / "readback.npy")
    call_json(capsys, "chip", whole, "--out", readback, "--state", "programmed")
    found = call_json(capsys, "verify", files[0], readback, "--run", whole)
    assert found["differing"] == 0 and found["accuracy_read_back"] == found["accuracy_programmed"]


@pytest.mark.parametrize(
    "build, batch",
    [(fashion_mnist_cnn, 24), (spoken_digit_crnn, 12), pytest.param(retina_unet, 2, marks=pytest.mark.slow)],
)
def test_float32_gradients_of_the_papers_networks_are_those_of_float64(build, batch):
    """Without quantisers: where one code falls on the other side of an edge, all layers above it see other codes.

    Of three random problems, one may hold a maximum that rounding turns over: which, depends on the BLAS kernel.
    """
    worst = sorted(_largest_difference(build(), batch, seed) for seed in (1, 2, 3))
    assert worst[0] < 5e-5 and worst[1] < 5e-3


def _largest_difference(network, batch, seed):
    """Of float32 gradients from float64 ones, over all matrices and trained parameters, relative to their norms."""
    gradients = {}
    for dtype in (np.float64, np.float32):
        weights, state, codes, labels = problem(network, batch, np.float64, seed)
        weights, state = ({key: array.astype(dtype) for key, array in arrays.items()} for arrays in (weights, state))
        for key in state:
            if key.endswith(".range"):
                state[key][...] = np.inf
        gradients[dtype] = Engine(network, batch, dtype=dtype).training_step(weights, state, x=codes, labels=labels)[2]
    assert set(gradients[np.float64]) == set(dict(matrices(network))) | set(affine_parameters(network))
    return max(
        np.linalg.norm(gradients[np.float32][key] - exact) / np.linalg.norm(exact)
        for key, exact in gradients[np.float64].items()
    )

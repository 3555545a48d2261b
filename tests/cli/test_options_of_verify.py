"""`verify --run`: which of the cells that differ cost most, against one cell after the other put right by hand."""

import os

import numpy as np
import pytest

from minirram.inference.calibration import effective_weights
from minirram.nn.forward import plain_forward
from minirram.nn.loss import softmax_cross_entropy
from minirram.runs import cell_costs
from minirram.runs.cell_costs import samples
from minirram.runs.folder import RunFolder, open_training

from ..support.options import call, figures, shows


@pytest.fixture(scope="module")
def broken(runs):
    """(program, read-back file, broken places): cells of all kinds, on the small run's chip."""
    folder = runs.path("costs")
    os.makedirs(folder)
    program, readback = os.path.join(folder, "program.xbp"), os.path.join(folder, "readback.npy")
    figures("export", runs.trained(), "--out", program)
    read_S, random = runs.chip("programmed"), np.random.default_rng(3)
    chip = RunFolder.open(runs.trained()).load_trained()[0]
    used = np.argwhere(chip.physical(chip.used))
    places = [tuple(int(number) for number in place) for place in random.permutation(used)[:12]]
    for k, place in enumerate(places):
        on = read_S[place] > 4e-6
        read_S[place] = (np.nan, np.inf, -3e-9, 0.0)[k % 4] if on else (1e-5, np.inf)[k % 2]
    np.save(readback, read_S)
    return program, readback, places


def _loss_without(runs, readback, place):
    """Mean loss with the cell of one place as programmed (None: none), by plain arithmetic."""
    run = RunFolder.open(runs.trained())
    chip, model, _ = run.load_trained()
    programmed_S = chip.physical(chip.conductance_S())
    largest_S = chip.cell_model.grid_max(chip.macros[0].rows) * chip.cell_model.grid_S
    map_S = np.load(readback)
    map_S = np.where(map_S >= 0, np.minimum(map_S, largest_S), 0.0)
    if place is not None:
        map_S[place] = programmed_S[place]
    chip.replace_conductances(map_S)
    weights = {name: effective_weights(chip, name, scale, None) for name, scale in model.scales_S.items()}
    network, total, count = run.config.network, 0.0, 0
    for codes, labels, _ in samples(network, open_training(run.config), run.config.recipe):
        x = (codes.astype(np.float32) - np.float32(network.input_zero)) * np.float32(network.input_step)
        total += softmax_cross_entropy(plain_forward(network, weights, state=model.state, x=x), labels, total=1.0)[0]
        count += len(labels)
    return total / count


@pytest.mark.slow
@shows("verify", "--run")
def test_cells_are_ranked_by_what_each_of_them_costs(runs, broken, monkeypatch):
    program, readback, places = broken
    found = figures("verify", program, readback, "--run", runs.trained(), code=1)
    assert found["differing"] == len(places) and found["costs"]["samples"] == 50
    whole = _loss_without(runs, readback, None)
    losses = {place: whole - _loss_without(runs, readback, place) for place in places}
    ranked = [(cell["macro"], cell["row"], cell["col"]) for cell in found["costs"]["cells"]]
    assert ranked and ranked == sorted(ranked, key=lambda place: -losses[place])
    assert ranked[0] == max(losses, key=losses.get)
    for cell, place in zip(found["costs"]["cells"], ranked):
        assert cell["loss"] == pytest.approx(losses[place], rel=0.02, abs=2e-6)
        assert cell["examined_S"] != pytest.approx(cell["programmed_S"], rel=0.1)
    told = call("verify", program, readback, "--run", runs.trained()).out.splitlines()
    accuracy = found["costs"]["accuracy"]
    assert told[-1] == f"validation accuracy {accuracy:.2%} with these {len(ranked)} as programmed"
    monkeypatch.setattr(cell_costs, "LISTED", 1)
    only = figures("verify", program, readback, "--run", runs.trained(), code=1)["costs"]["cells"]
    assert only == found["costs"]["cells"][:1]


@pytest.mark.slow
def test_a_cell_that_is_put_right_gives_back_the_accuracy(runs, broken, tmp_path):
    """The only wrong cell as programmed: the examination is that of the chip as programmed."""
    program, _, places = broken
    readback, costs = str(tmp_path / "one.npy"), {"cells": []}
    for place in places:
        read_S = runs.chip("programmed")
        read_S[place] = np.inf
        np.save(readback, read_S)
        found = figures("verify", program, readback, "--run", runs.trained(), code=1)
        costs = found["costs"]
        if costs["cells"]:
            break
        assert costs["accuracy"] is None
    assert len(costs["cells"]) == 1 and costs["accuracy"] == found["accuracy_programmed"]
    assert figures("verify", program, readback, code=1)["costs"] is None


def test_a_map_that_may_be_another_is_not_ranked(runs, broken, tmp_path):
    program, turned = broken[0], str(tmp_path / "mirrored.npy")
    np.save(turned, runs.chip("programmed")[:, :, ::-1])
    found = figures("verify", program, turned, "--run", runs.trained(), code=1)
    assert found["suspects"] and found["costs"] is None

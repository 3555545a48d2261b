"""Every option of `fit-network`, and the network that it proposes trained on the macro it is for."""

import json

import numpy as np
import pytest

from minirram.chip.dead_lines import ChipLines
from minirram.chip.placement import place
from minirram.nn.layers.widths import widths, with_widths
from minirram.nn.network import matrices
from minirram.runs.fit_network import fit_network
from minirram.runs.run import train
from minirram.tasks.fashion_mnist_small import WIDTHS
from minirram.tasks.registry import TASKS

from ..support import own_task
from ..support.options import call, figures, shows


def measured_uS(rows, cols, empty_rows=(), empty_cols=()):
    """A map of formed cells, with lines on which nothing formed."""
    map_uS = np.random.default_rng(1).normal(12.2, 1.8, (rows, cols)).clip(8, 16)
    map_uS[list(empty_rows)] = 0
    map_uS[:, list(empty_cols)] = 0
    return map_uS


@pytest.mark.slow
@shows("fit-network", "TASK", "--rows", "--cols", "--macros")
def test_a_network_fills_the_macros_asked_for():
    one = figures("fit-network", "spoken-digits", "--rows", "64", "--cols", "48")
    assert (one["macros"], one["live_rows"], one["live_cols"]) == (1, 64, 48)
    assert set(one["widths"]) == {"conv1", "conv2", "rnn", "fc1"}
    assert one["weights"] == sum(one["weights_by_layer"].values()) > 0.8 * 64 * 24
    two = figures("fit-network", "spoken-digits", "--rows", "64", "--cols", "48", "--macros", "2")
    assert two["macros"] == 2 and two["weights"] > 1.6 * one["weights"]


@pytest.mark.slow
@shows("fit-network", "--map", "--unit", "--dead-lines", "--out")
def test_a_network_fills_the_live_lines_of_a_map(tmp_path):
    paths = {name: str(tmp_path / name) for name in ("map.npy", "dead.json", "mine.json")}
    np.save(paths["map.npy"], measured_uS(64, 48, empty_rows=(5, 9), empty_cols=(7,)))
    with open(paths["dead.json"], "w") as handle:
        json.dump({"rows": 64, "pairs": 24, "dead_rows": [[0, 20]], "dead_cols": []}, handle)
    chip = ["--map", paths["map.npy"], "--unit", "uS", "--dead-lines", paths["dead.json"]]
    arguments = ["spoken-digits", *chip, "--technology", "taox-40nm", "--out", paths["mine.json"]]
    found = figures("fit-network", *arguments)
    assert found["dead_rows"] == [[0, 5], [0, 9], [0, 20]] and found["dead_cols"] == [[0, 7]]
    assert (found["live_rows"], found["live_cols"]) == (61, 46) and found["file"] == paths["mine.json"]
    shown = call("fit-network", *arguments).out
    assert "3 rows and 1 columns" in shown and "give it to train as --dead-lines" in shown
    with open(found["lines_file"]) as handle:
        assert json.load(handle)["dead_rows"] == found["dead_rows"]
    wrong = call("fit-network", "spoken-digits", *chip, "--macros", "2")
    assert wrong.code == 2 and "--macros is 2, 1 map(s) were given: name a map for each" in wrong.err
    own = figures("fit-network", "spoken-digits", *chip, "--macros", "1")
    assert own["weights_by_layer"] == found["weights_by_layer"]
    none = call("fit-network", "fashion-mnist", "--rows", "4", "--cols", "8")
    assert none.code == 2 and "no network of the family" in none.err


@pytest.mark.slow
@shows("fit-network", "--technology")
def test_what_counts_as_formed_depends_on_the_technology(tmp_path):
    """A row of 1 microsiemens: states of a chip of 12 microsiemens, none of one of 118."""
    map_uS = 118 * np.random.default_rng(1).normal(1, 0.1, (64, 48))
    map_uS[5] = np.linspace(0.9, 1.1, 48)
    np.save(tmp_path / "map.npy", map_uS)
    given = ("fit-network", "spoken-digits", "--map", str(tmp_path / "map.npy"), "--unit", "uS", "--technology")
    dead = {name: figures(*given, name)["dead_rows"] for name in ("taox-40nm", "hfox-1t1r")}
    assert dead == {"taox-40nm": [], "hfox-1t1r": [[0, 5]]}


@pytest.mark.slow
def test_what_is_proposed_trains_on_the_chip_it_is_for(runs, tmp_path):
    """From a map to a run on it; and a task that is a file already gets another network."""
    path, mine, again = (str(tmp_path / name) for name in ("map.npy", "mine.json", "again.json"))
    np.save(path, measured_uS(40, 36))
    chip = ["--map", path, "--unit", "uS"]
    found = figures("fit-network", "fashion-mnist", *chip, "--out", mine)
    quick = ["--epochs", "1", "--batch-size", "20", "--preset", "quick"]
    results = figures("train", mine, "--data", runs.data, "--out", str(tmp_path / "run"), *chip, *quick)
    assert (results["weights"], results["macros"]) == (found["weights"], 1)
    figures("export", str(tmp_path / "run"))
    figures("chip", str(tmp_path / "run"), "--out", str(tmp_path / "read.npy"), "--state", "programmed")
    verified = figures("verify", str(tmp_path / "run" / "program.xbp"), str(tmp_path / "read.npy"))
    assert verified["differing"] == 0 and verified["checked"] == 2 * found["weights"]
    wider = figures("fit-network", mine, "--rows", "64", "--cols", "64", "--out", again)
    assert wider["weights"] > found["weights"] and wider["task"] == found["network"]
    assert figures("fit-network", again, "--rows", "64", "--cols", "64")["weights"] >= wider["weights"]


@pytest.mark.slow
def test_the_ready_networks_are_those_proposed():
    for size, chosen in WIDTHS.items():
        proposed, placement = fit_network(TASKS["fashion-mnist"].network, ChipLines(rows=size, pairs=size // 2))
        ready = TASKS[f"fashion-mnist-{size}"].network
        assert proposed.layers == ready.layers and placement.n_macros == 1
        assert tuple(widths(ready).values()) == chosen
        assert placement.n_pairs > 0.85 * size * size / 2


@pytest.mark.parametrize("name", list(TASKS))
def test_other_widths_make_a_network_of_the_same_kinds(name):
    network = TASKS[name].network
    own = widths(network)
    assert with_widths(network, own) == network
    narrow = with_widths(network, {layer: max(1, width // 4) for layer, width in own.items()})
    assert [type(layer) for layer in narrow.layers] == [type(layer) for layer in network.layers]
    assert place(matrices(narrow)).n_pairs < 0.5 * place(matrices(network)).n_pairs


@pytest.mark.slow
def test_a_network_for_a_small_macro_answers_seven_garments_of_eight(tmp_path):
    ready = TASKS["fashion-mnist-128"]
    run = train(ready, "synthetic", "quick", out=tmp_path / "run", lines=ChipLines(rows=128, pairs=64))
    assert run.results.macros == 1 and run.results.utilisation > 0.9 and run.results.test.accuracy > 0.87


@pytest.mark.slow
@pytest.mark.parametrize("features, classes", [(95, 6), (20, 3)])
def test_a_table_gets_a_full_layer_more_where_widths_alone_leave_half_the_macro(tmp_path, features, classes):
    """One hidden width: many hidden features need more rows below the inputs than the macro has left."""
    mine, fitted = str(tmp_path / "mine.json"), str(tmp_path / "fitted.json")
    own_task.task_json(mine, (1, 1, features), own_task.full_layers(features, classes))
    found = figures("fit-network", mine, "--out", fitted)
    assert found["added"] and found["filled"] > 0.8 and found["macros"] == 1
    assert f"added        {', '.join(found['added'])}: widths alone" in call("fit-network", mine).out
    assert call("task", "--check", fitted).code == 0
    assert figures("fit-network", mine, "--rows", "64", "--cols", "64")["filled"] > 0.7

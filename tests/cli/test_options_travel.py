"""What a run was made with reaches the commands that come after: none of them falls back on a default."""

import json
import os
import shutil

import numpy as np
import pytest

from minirram.device.presets import TAOX_40NM
from minirram.runs import reconfigured
from minirram.runs.chip_files import DRAWN
from minirram.runs.evaluate import accuracy_of_readback
from minirram.runs.export import simulated_readback
from minirram.runs.folder import RunFolder

from ..support.options import PAIRS, ROWS, TRAIN, call, figures, pools_made, products_shared
from .test_options_of_use import cost_file, saturated, seen

QUIET = ("--read-noise", "0")
OTHER = ("--adc-bits", "9", "--adc-arrangement", "polarity", "--level", "cell", "--epochs", "2", "--batch-size", "30")


def with_seed(runs, folder, seed, *options):
    """A copy of the run of `options`, of which another seed is said than it was learned with."""
    shutil.copytree(runs.trained(*options), folder)
    path = os.path.join(folder, "config.json")
    with open(path) as handle:
        config = json.load(handle)
    config["recipe"]["seed"] = seed
    with open(path, "w") as handle:
        json.dump(config, handle)
    return folder


def test_the_seed_of_a_run_is_that_of_its_noise_and_of_its_sweep(runs, tmp_path):
    loud = ("--read-noise", "0.8")
    scores = [
        figures("evaluate", folder, *loud) for folder in (runs.trained(), with_seed(runs, str(tmp_path / "noise"), 9))
    ]
    assert seen(scores[0]) != seen(scores[1]) and scores[0]["ideal"] == scores[1]["ideal"]
    accounts = [
        figures("energy", folder, "--density", "0.2")
        for folder in (runs.trained(*QUIET), with_seed(runs, str(tmp_path / "sweep"), 9, *QUIET))
    ]
    assert accounts[0]["total"] == accounts[1]["total"]  # the same cells, read without noise
    sweeps = [found["density_sweep"][0]["array_J"] for found in accounts]
    assert sweeps[0] != sweeps[1] == pytest.approx(sweeps[0], rel=0.1)


@pytest.mark.slow
def test_bits_arrangement_and_level_are_those_of_the_run(runs):
    results, folder = runs.results(*OTHER), runs.trained(*OTHER)
    assert (results["adc_bits"], results["adc_arrangement"], results["level"]) == (9, "polarity", "cell")
    score, base = figures("evaluate", folder), figures("evaluate", runs.trained())
    assert score["adc_bits"] == 9 and seen(score) == seen(results["validation"])
    assert score["conversions"] == {name: 2 * count for name, count in base["conversions"].items()}
    own, coarse = figures("energy", folder), figures("energy", folder, "--adc-bits", "6")
    plain = figures("energy", runs.trained())
    for account, bits in ((own, 9), (coarse, 6)):
        assert account["adc_bits"] == account["training"]["adc_bits"] == bits
        assert account["total"]["conversions"] == 2 * plain["total"]["conversions"]
        reads, plain_reads = account["training"]["read_outs"], plain["training"]["read_outs"]
        assert account["training"]["conversions"] / reads == 2 * plain["training"]["conversions"] / plain_reads
    costs = cost_file(runs, columns_per_adc=16)
    adcs = [figures("energy", run, "--costs", costs)["adcs_per_macro"] for run in (folder, runs.trained())]
    assert adcs == [2 * PAIRS // 16, PAIRS // 16]
    assert {tile["level"] for tile in figures("export", folder)["tiles"]} == {"cell"}
    assert {tile["level"] for tile in figures("export", runs.trained())["tiles"]} == {"pair"}


def test_the_account_of_learning_is_that_of_the_recipe(runs):
    training, plain = (figures("energy", runs.trained(*options))["training"] for options in (OTHER, ()))
    assert (training["steps"], training["read_outs"]) == (2 * TRAIN // 30, 2 * TRAIN // 30 + 2 + 1)
    assert (plain["steps"], plain["read_outs"]) == (TRAIN // 20, TRAIN // 20 + 1 + 1)
    assert training["host_macs"] == 2 * plain["host_macs"]  # twice the samples


def test_the_forming_pulse_is_that_of_the_share(runs):
    for share in (0.9, 0.9999):
        shown = figures("export", runs.trained("--formed-share", str(share)))
        (form,) = [recipe for recipe in shown["recipes"] if recipe["kind"] == "FORM"]
        wanted_V = TAOX_40NM.forming_voltage_V(share)
        assert any(value == pytest.approx(wanted_V * 1000, abs=1) for value in numbers(form)), form


def numbers(table):
    """The numbers in a dict."""
    return [value for value in table.values() if isinstance(value, (int, float))]


def test_a_chip_of_maps_has_their_level_lines_and_seed(runs):
    maps_S = np.random.default_rng(4).lognormal(np.log(12e-6), 0.1, (4, ROWS, 2 * PAIRS))
    options, lines = ["--unit", "S", "--level", "cell"], runs.path("map-lines.json")
    for k, map_S in enumerate(maps_S):
        np.save(runs.path(f"map-{k}.npy"), map_S)
        options += ["--map", runs.path(f"map-{k}.npy")]
    with open(lines, "w") as handle:
        json.dump({"rows": ROWS, "pairs": PAIRS, "dead_rows": [[0, 6]], "dead_cols": []}, handle)
    dead, other = [*options, "--dead-lines", lines], [*options, "--dead-lines", lines, "--chip-seed", "6"]
    formed_S = runs.chip("formed", *dead)
    assert (formed_S[0, 6] == 0).all() and np.allclose(formed_S[0, 7], maps_S[0, 7], rtol=0, atol=1e-9)
    programmed_S = [runs.chip("programmed", *chosen) for chosen in (dead, other)]
    off = [map_S < 4.1e-6 for map_S in programmed_S]
    both = off[0] & off[1] & (formed_S > 6e-6)
    assert np.mean(programmed_S[0][both] != programmed_S[1][both]) > 0.9  # off states are drawn with the chip's seed
    exported = figures("export", runs.trained(*dead))
    assert exported["state_before"] == "formed" and exported["pulses"]["FORM"] == 0


def test_data_may_have_moved_for_every_command(runs, tmp_path):
    folder = str(tmp_path / "run")
    shutil.copytree(runs.trained(), folder)
    path = os.path.join(folder, "config.json")
    with open(path) as handle:
        config = json.load(handle)
    with open(path, "w") as handle:
        json.dump(dict(config, data=str(tmp_path / "gone")), handle)
    for command in (
        ["evaluate"],
        ["evaluate", "--split", "test"],
        ["energy"],
        ["energy", "--input-bits", "2"],
    ):
        here, there = (
            figures(*command[:1], run, *command[1:], "--data", runs.data) for run in (runs.trained(), folder)
        )
        assert here["accuracy"] == there["accuracy"]


@pytest.mark.slow
def test_wires_of_a_run_go_with_it_to_another_chip(runs):
    source, out = runs.trained("--read-noise", "0", "--wire-ohm", "300"), runs.path("wired-transfer")
    # On lines of 512 cells no current is left that the converters could measure: the transfer ends after the learning.
    arguments = ["--chip-seed", "3", "--epochs", "1", "--learning-rate", "0", "--rows", "512", "--cols", "512"]
    ended = call("transfer", source, "--out", out, *arguments)
    assert ended.code == 2 and "no current flows in layer" in ended.err
    loss = np.genfromtxt(os.path.join(out, "history.csv"), delimiter=",", names=True)["loss"]
    assert float(loss) == pytest.approx(np.log(10), abs=1e-3)  # hardly a signal arrives: all classes are as likely


def test_a_readback_is_examined_with_the_threads_asked_for(runs):
    readback_S = runs.chip("programmed")
    with pools_made() as made:
        accuracy_of_readback(runs.trained(), readback_S, threads=3, data=None)
    assert made[("crossbar", 2)] == 2 * products_shared("evaluate", runs.trained()) > 0
    assert saturated(figures("evaluate", runs.trained())) == saturated(runs.results()["validation"])


@pytest.mark.parametrize("options", [("--seed", "3", "--chip-seed", "4"), OTHER + ("--chip-seed", "4")])
def test_on_its_own_chip_made_anew_a_run_is_itself(runs, options):
    """The scales of the weights come from a read-out of the chip: of its seed, at the level of the run."""
    run = RunFolder.open(runs.trained(*options))
    chip, model, _ = run.load_trained()
    anew, again = reconfigured._on_another_chip(run, run.config, DRAWN)
    assert again.scales_S == model.scales_S
    for index, used in enumerate(chip.used):
        on, own = (one.macros[index].conductance_S() > 5e-6 for one in (anew, chip))
        assert used.any() and np.mean(on[used] != own[used]) < 2e-3  # but for off states near the border


def test_a_simulated_read_back_is_that_of_the_seed_of_the_run(runs, tmp_path):
    other = with_seed(runs, str(tmp_path / "seed"), 9)
    first, second = (simulated_readback(folder) for folder in (runs.trained(), other))
    assert (first != second).any() and np.array_equal(first, simulated_readback(runs.trained()))

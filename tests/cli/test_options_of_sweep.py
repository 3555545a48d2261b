"""Every option of `sweep`, changed, and its effect seen where it is predicted."""

import csv
import json
import os
import shutil

import numpy as np
import pytest

from minirram.cli import compare as compare_command
from minirram.cli import sweep as sweep_command
from minirram.engines.engine import Engine
from minirram.errors import ConfigError
from minirram.runs import reconfigured
from minirram.runs.made_chip import make_chip

from ..support.options import call, figures, shows

FIGURES = ("value", "ideal", "accuracy", "samples", "saturated", "clipped", "standard_error", "error")


def table(folder):
    """The rows of a study."""
    with open(os.path.join(folder, "sweep.csv"), newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.slow
@shows("sweep", "--out", "--run", "--vary", "--set", "--chips")
def test_points_are_evaluations_of_the_run_under_their_values(runs, tmp_path, monkeypatch):
    run, out = runs.trained(), str(tmp_path / "study")
    arguments = ["--vary", "read_noise=0.02,0.3", "--vary", "adc_offset_lsb=0,2", "--set", "draws=2"]
    found = figures("sweep", "--run", run, *arguments, "--out", out)
    rows = table(out)
    assert (found["points"], found["run"], found["failed"]) == (4, 4, 0) and len(rows) == 4
    for row in rows:
        options = ["--read-noise", row["read_noise"], "--adc-offset", row["adc_offset_lsb"], "--draws", "2"]
        expected = figures("evaluate", run, *options)
        assert float(row["value"]) == expected["accuracy"] and row["draws"] == "2"
        assert float(row["standard_error"]) == expected["standard_error"]
        assert int(row["saturated"]) == sum(map(sum, expected["saturated"].values()))
    # The same command has nothing left to do; more values are more points.
    with open(os.path.join(out, "sweep.csv"), "rb") as handle:
        before = handle.read()
    assert figures("sweep", "--run", run, *arguments, "--out", out)["run"] == 0
    with open(os.path.join(out, "sweep.csv"), "rb") as handle:
        assert handle.read() == before
    arguments[1] = "read_noise=0.3,0.5"
    more = figures("sweep", "--run", run, *arguments, "--out", out)
    assert (more["points"], more["there"], more["run"]) == (4, 2, 2) and len(table(out)) == 6
    # Another individual: masks as learned, its converters calibrated anew.
    chips, made = str(tmp_path / "chips"), []
    monkeypatch.setattr(reconfigured, "make_chip", lambda *asked: made.append(make_chip(*asked)) or made[-1])
    figures("sweep", "--run", run, "--chips", "0:3", "--set", "stuck_lrs=0.2", "--set", "samples=10", "--out", chips)
    rows = table(chips)
    assert [row["chip_seed"] for row in rows] == ["0", "1", "2"] and {row["samples"] for row in rows} == {"10"}
    assert not any(row["error"] for row in rows)
    # The run's own seed is 0, but cells that are stuck make it another chip, too.
    assert [chip.macros[0].seed for chip in made] == [0, 1, 2] and all(chip.stuck_cells() > 100 for chip in made)


@pytest.mark.slow
def test_what_failed_is_said_and_no_other_individual_of_a_map_is_tried(runs, tmp_path):
    run, out = runs.trained(), str(tmp_path / "study")
    some = call("sweep", "--run", run, "--vary", "recipe.density=0.5,0.3", "--set", "samples=10", "--out", out)
    assert some.code == 0 and "failed    1;" in some.out
    assert "the first: " + table(out)[1]["error"] in " ".join(some.out.split())
    none = call("sweep", "--run", run, "--vary", "recipe.density=0.3", "--out", str(tmp_path / "none"))
    assert none.code == 3 and "the first: " in none.out
    np.save(tmp_path / "map.npy", runs.chip("formed"))
    measured = runs.trained("--map", str(tmp_path / "map.npy"), "--unit", "S")
    refused = call("sweep", "--run", measured, "--chips", "0:3", "--out", str(tmp_path / "chips"))
    assert refused.code == 2 and "has no other individuals" in refused.err
    assert call("sweep", "--run", measured, "--chips", "0", "--set", "samples=10", "--out", out + "-own").code == 0


@pytest.mark.slow
@shows("sweep", "STUDY.json", "--energy", "--figure", "--threshold")
def test_a_study_in_a_file_and_its_findings(runs, tmp_path):
    run, out, file = runs.trained(), str(tmp_path / "study"), str(tmp_path / "study.json")
    with open(file, "w") as handle:
        json.dump({"run": [run], "grid": {"adc_bits": [6, 10]}, "points": [{"read_noise": 0.0, "seed": 3}]}, handle)
    found = figures("sweep", file, "--energy", "--figure", "energy_J", "--threshold", "0", "--out", out)
    rows = table(out)
    values = [(row["adc_bits"], row["read_noise"], row["seed"]) for row in rows]
    assert values == [("6", "0.0", "3"), ("10", "0.0", "3")]
    for row in rows:
        expected = figures("energy", run, "--adc-bits", row["adc_bits"])
        assert float(row["energy_J"]) == expected["total"]["total_J"]
    (effect,) = found["findings"]["effects"]
    assert effect["difference"] == pytest.approx(float(rows[1]["energy_J"]) - float(rows[0]["energy_J"]))
    assert [one["good"] for one in found["findings"]["yields"]] == [1, 1]
    with open(os.path.join(out, "findings.json")) as handle:
        assert json.load(handle) == found["findings"]
    page = figures("report", out, "--out", str(tmp_path / "page.html"))
    assert page["kind"] == "Sweep" and len(page["sections"]) > 3


@pytest.mark.slow
@shows("sweep", "--analytic")
def test_accuracy_without_draws(runs, tmp_path):
    """The row is what `expected` says; it lies among the draws."""
    run, asked = runs.trained(), ["--vary", "read_noise=0.0065,0.1", "--set", "samples=40"]
    study = str(tmp_path / "study")
    figures("sweep", "--run", run, *asked, "--analytic", "--out", study)
    figures("sweep", "--run", run, *asked, "--set", "draws=12", "--out", str(tmp_path / "drawn"))
    for row, drawn in zip(table(study), table(str(tmp_path / "drawn"))):
        assert row["analytic"] == "true" and not row["error"] and not drawn["error"]
        assert 0 <= float(row["standard_error"]) < 0.1 and row["samples"] == "40"
        spread = 4 * float(drawn["standard_error"]) + 0.02
        assert abs(float(row["value"]) - float(drawn["value"])) < spread
    refused = str(tmp_path / "refused")
    assert call("sweep", "--run", run, "--analytic", "--set", "draws=3", "--out", refused).code == 3
    assert "draws nothing" in table(refused)[0]["error"]


@shows("sweep", "--simulate-cluster")
def test_a_forecast_follows_from_measured_points(runs, tmp_path):
    """On more workers than points nothing waits; on many points scheduler or driver decides."""
    run, out, file = runs.trained(), str(tmp_path / "study"), str(tmp_path / "study.json")
    with open(file, "w") as handle:
        json.dump({"run": [run], "grid": {"adc_bits": [6, 10]}, "fixed": {"samples": 5}}, handle)
    figures("sweep", file, "--out", out)
    before = table(out)
    few = figures("sweep", file, "--out", out, "--simulate-cluster", "100x50")["forecast"]
    many = figures("sweep", file, "--out", out, "--simulate-cluster", "1000x4000")["forecast"]
    assert table(out) == before and few["measured_points"] == 2
    longest = max(float(row["seconds"]) for row in before)
    assert few["costs"]["start_s"] + few["scatter_s"] < few["elapsed_s"]
    assert few["elapsed_s"] < few["costs"]["start_s"] + few["scatter_s"] + longest + 50 * 0.01
    busy = many["elapsed_s"] - many["costs"]["start_s"] - many["scatter_s"]
    assert busy >= 4000 * max(many["costs"]["scheduler_s"], many["driver_s"]) * 0.99
    assert many["scheduler_busy"] <= 1 and many["scatter_bytes"] > 10000
    for threshold, good in (("5", 1), ("6", 0)):
        asked = ["--simulate-cluster", "100x50", "--figure", "samples", "--threshold", threshold]
        looked_at = figures("sweep", file, "--out", out, *asked)["findings"]
        assert looked_at["figure"] == "samples" and looked_at["best"]["samples"] == "5"
        assert [one["good"] for one in looked_at["yields"]] == [good, good]
    assert "WORKERSxPOINTS" in call("sweep", file, "--out", out, "--simulate-cluster", "9").err


@pytest.mark.slow
@shows("sweep", "--lhs", "--sobol", "--range")
def test_samples_of_ranges(runs, tmp_path):
    pytest.importorskip("scipy", reason="samples come from scipy.stats.qmc")
    ranges = ["--range", "read_noise=0.001:0.1:log", "--range", "adc_bits=6:12:whole"]
    for method in ("lhs", "sobol"):
        out = str(tmp_path / method)
        figures("sweep", "--run", runs.trained(), f"--{method}", "4", *ranges, "--set", "samples=5", "--out", out)
        noises = [float(row["read_noise"]) for row in table(out)]
        assert len(noises) == 4 and sum(noise < 0.01 for noise in noises) == 2
        assert all(6 <= int(row["adc_bits"]) <= 12 for row in table(out))


@shows("sweep", "--task", "--data", "--preset", "--retry-failed")
def test_points_are_trainings_and_failed_ones_are_rows(runs, tmp_path):
    out = str(tmp_path / "study")
    sizes = ["--set", "lines.rows=64", "--set", "lines.pairs=32", "--set", "batch_size=20", "--set", "epochs=1"]
    arguments = ["--task", "fashion-mnist", "--data", runs.data, *sizes, "--vary", "density=0.5,0.7,2"]
    found = figures("sweep", *arguments, "--preset", "quick", "--out", out)
    rows = table(out)
    assert (found["points"], found["failed"], found["kind"]) == (3, 1, "train")
    assert "density" in rows[2]["error"] or "kept fraction" in rows[2]["error"]
    assert rows[2]["value"] == "" and float(rows[1]["kept_fraction"]) == pytest.approx(0.7, abs=0.02)
    folder = os.path.join(out, "points", rows[0]["point"])
    with open(os.path.join(folder, "results.json")) as handle:
        results = json.load(handle)
    assert float(rows[0]["value"]) == results["validation"]["accuracy"] and float(rows[0]["test"]) >= 0
    with open(os.path.join(folder, "config.json")) as handle:
        config = json.load(handle)
    assert config["recipe"]["hysteresis"] == 0.01 and config["data"] == runs.data  # of "quick"
    again = figures("sweep", *arguments, "--preset", "quick", "--out", out)
    assert (again["run"], again["failed"]) == (0, 1)
    retried = figures("sweep", *arguments, "--preset", "quick", "--out", out, "--retry-failed")
    assert (retried["run"], retried["failed"]) == (1, 1)
    assert call("sweep", *arguments, "--out", out).code == 2  # the folder is of another preset


@pytest.mark.slow
def test_a_point_that_is_trained_behind_wires_is_judged_there_and_its_energy_is_that_of_its_bits(runs, tmp_path):
    out = str(tmp_path / "study")
    sizes = ["--set", "lines.rows=64", "--set", "lines.pairs=32", "--set", "batch_size=20", "--set", "epochs=1"]
    arguments = ["--task", "fashion-mnist", "--data", runs.data, *sizes, "--set", "wires.row_ohm=5"]
    figures("sweep", *arguments, "--vary", "input_bits=2,4", "--preset", "quick", "--energy", "--out", out)
    rows = table(out)
    for row in rows:
        folder = os.path.join(out, "points", row["point"])
        with open(os.path.join(folder, "results.json")) as handle:
            assert float(row["value"]) == json.load(handle)["validation"]["accuracy"]
        assert float(row["energy_J"]) == figures("energy", folder)["total"]["total_J"]


@shows("sweep", "--processes", "--dask")
@shows("compare", "--dask")
def test_engines_are_those_that_are_named(runs, tmp_path, monkeypatch):
    asked = []

    def asked_for(*_, engine, **__):
        asked.append(engine)
        raise ConfigError("that is enough")

    monkeypatch.setattr(sweep_command, "sweep", asked_for)
    monkeypatch.setattr(compare_command, "compare", asked_for)
    study = ["sweep", "--run", runs.trained(), "--out", str(tmp_path)]
    arms = ["compare", "fashion-mnist", "--data", runs.data, "--out", str(tmp_path), "--epochs", "1"]
    for command in (study, arms):
        for option in (["--processes", "3"], ["--dask", "tcp://nobody:1"]):
            assert "that is enough" in call(*command, *option).err
    assert asked == 2 * [Engine(3), Engine(dask="tcp://nobody:1")]
    answer = call(*study, "--processes", "2", "--dask", "x")
    assert answer.code == 2 and "one engine" in answer.err


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "name a STUDY.json"),
        (["--run", "r", "--task", "retina"], "name one of them"),
        (["--run", "r", "--data", "d"], "on its own data"),
        (["--task", "retina", "--vary", "density"], "NAME=VALUE"),
        (["--task", "retina", "--lhs", "3"], "--range"),
        (["--task", "retina", "--lhs", "3", "--range", "density=0.2:0.5:even"], "log or whole"),
        (["--task", "retina", "--lhs", "3", "--range", "density=x:0.5"], "LOW:HIGH"),
        (["--task", "retina", "--vary", "densiti=0.2"], "did you mean density"),
    ],
)
def test_what_cannot_be_is_told(arguments, said, tmp_path):
    answer = call("sweep", *arguments, "--out", str(tmp_path / "out"))
    assert answer.code == 2 and said in answer.err


def test_what_training_decided_is_no_condition_of_use(runs, tmp_path):
    out = str(tmp_path / "study")
    answer = call("sweep", "--run", runs.trained(), "--vary", "density=0.5,0.4", "--out", out)
    assert answer.code == 0 and "decided in training" in table(out)[1]["error"] and not table(out)[0]["error"]
    assert call("sweep", "--run", runs.trained(), "--set", "density=0.4", "--out", str(tmp_path / "all")).code == 3


def test_a_test_set_that_is_not_there_was_not_opened(runs, tmp_path):
    """The opening is noted before a point is answered, and not where the data cannot be read."""
    data = shutil.copytree(runs.data, tmp_path / "data")
    run = shutil.copytree(runs.trained(), tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "data": str(data)}))
    study = ["sweep", "--run", str(run), "--vary", "split=test", "--set", "samples=5"]
    openings = run / "test-openings.jsonl"
    before = openings.read_text() if openings.exists() else ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIRRAM_TRUST", str(tmp_path))
        data.rename(tmp_path / "elsewhere")
        assert call(*study, "--out", str(tmp_path / "lost")).code == 2
        assert (openings.read_text() if openings.exists() else "") == before
        (tmp_path / "elsewhere").rename(data)
        figures(*study, "--out", str(tmp_path / "found"))
    assert len(openings.read_text()) > len(before)

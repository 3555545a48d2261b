"""Comparisons: they resume, match budgets, sum up by definition, and tell people what is missing."""

import csv
import json
import os
import sys

import numpy as np
import pytest

from minirram import cli, compare, compare_report
from minirram.errors import ConfigError
from minirram.networks import fashion_mnist_cnn
from minirram.runs import RunConfig
from minirram.technologies import TAOX_40NM
from minirram.training import Recipe
from minirram.tuning import Settings

from .tiny import save_garments

NAMES = ["pair", "float", "wo-step-budget-5"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A run on few drawn garments with a small network."""
    folder = tmp_path_factory.mktemp("data")
    save_garments(folder, train=240, validation=60, test=60)
    recipe = Recipe(epochs=2, batch_size=40, hysteresis=0.001, hysteresis_end=0.001)
    network = fashion_mnist_cnn(conv1=8, conv2=8, hidden=16)
    return RunConfig("fashion-mnist", str(folder), network, recipe, TAOX_40NM)


@pytest.fixture(scope="module")
def done(base, tmp_path_factory):
    """A finished comparison: (folder, summary, lines of progress)."""
    out, lines = str(tmp_path_factory.mktemp("compared")), []
    return out, compare.compare(base, out, NAMES, [0, 1], rates=(0.02, 0.1), progress=lines.append), lines


def results_of(out, arm, folder):
    with open(os.path.join(out, arm, folder, "results.json")) as handle:
        return json.load(handle)


def row_of(summary, arm):
    return next(row for row in summary["arms"] if row["arm"] == arm)


def test_free_settings_are_chosen_on_validation_and_the_rest_never_sees_the_test_set(done):
    out, summary, _ = done
    row = row_of(summary, "float")
    best = max(row["tried"], key=row["tried"].get)
    assert len(row["tried"]) >= 2 + 2 and best == compare.settings_name(Settings(**row["settings"]))
    for name in row["tried"]:
        folder = os.path.join(out, "float", "seed0-" + name)
        assert os.path.exists(os.path.join(folder, "test-openings.jsonl")) == (name == best)
        assert os.path.exists(os.path.join(folder, "validation.json"))
    assert len(row_of(summary, "wo-step-budget-5")["tried"]) >= 2 + 2 + 2


def test_means_and_differences_by_definition(done):
    out, summary, _ = done
    pair = [results_of(out, "pair", "seed{}".format(seed))["test_accuracy"] for seed in (0, 1)]
    row = row_of(summary, "float")
    best = compare.settings_name(Settings(**row["settings"]))
    free = [results_of(out, "float", "seed{}-{}".format(k, best)) for k in (0, 1)]
    free = [found["test"]["accuracy"] for found in free]
    assert row["by_seed"] == {"0": free[0], "1": free[1]} and row["test"]["accuracy"] == pytest.approx(np.mean(free))
    gaps = np.subtract(pair, free)
    assert row["below_pair"]["accuracy"]["mean"] == pytest.approx(gaps.mean())
    assert row["below_pair"]["accuracy"]["standard_error"] == pytest.approx(abs(gaps[0] - gaps[1]) / 2)
    assert row["spread"]["accuracy"] == pytest.approx(np.std(free, ddof=1))


def test_budgets_are_the_program_counts_of_the_masks(done):
    out, summary, _ = done
    row, pair = row_of(summary, "wo-step-budget-5"), row_of(summary, "pair")
    counts = [results_of(out, "pair", "seed{}".format(seed))["pulses"] for seed in (0, 1)]
    budgets = [count["set"] + count["reset"] for count in counts]
    best = compare.settings_name(Settings(**row["settings"]))
    for seed, budget in enumerate(budgets):
        found = results_of(out, "wo-step-budget-5", "seed{}-{}".format(seed, best))
        assert found["writing"]["budget"] == budget and found["writing"]["budget_steps"] == 12
        assert 0 < found["programs"]["total"] <= budget
    assert pair["programs"]["over_pair"] == 1.0 and row["programs"]["over_pair"] <= 1.0
    n_weights = 72 + 576 + 3200 + 160
    assert summary["every_weight_every_step"] == n_weights * 12 == summary["steps"] * n_weights
    assert pair["programs"]["share_of_every_step"] == pytest.approx(np.mean(budgets) / (n_weights * 12))


def test_what_is_done_is_not_run_again(done, base):
    out, summary, lines = done
    before = {path: os.path.getmtime(path) for path in _results(out)}
    again = compare.compare(base, out, NAMES, [0, 1], rates=(0.02, 0.1))
    assert again == summary and before == {path: os.path.getmtime(path) for path in _results(out)}
    tried = sum(len(row["tried"]) for row in summary["arms"])
    assert len(lines) == 3 * 2 + tried and len(before) == 3 * 2 + tried


def _results(out):
    found = [os.path.join(folder, name) for folder, _, names in os.walk(out) for name in names]
    return [path for path in found if os.path.basename(path) in ("results.json", "validation.json")]


def test_processes_give_the_same_results(done, base, tmp_path):
    _, summary, _ = done
    both = compare.compare(base, str(tmp_path), ["pair", "float"], [0, 1], 2, rates=(0.02, 0.1))
    for row in both["arms"]:
        assert row["by_seed"] == row_of(summary, row["arm"])["by_seed"]


def test_short_trainings_choose_and_long_ones_are_compared(done, base, tmp_path):
    _, summary, _ = done
    names, folder = ["pair", "wo-step-budget-5"], "tuning-1-epochs"
    short = compare.compare(base, str(tmp_path), names, [0], rates=(0.02, 0.1), tuning_epochs=1)
    row = row_of(short, "wo-step-budget-5")
    assert sorted(os.listdir(str(tmp_path / row["arm"] / folder))) == sorted("seed0-" + name for name in row["tried"])
    for tried in os.listdir(str(tmp_path / row["arm"] / folder)):
        with open(str(tmp_path / row["arm"] / folder / tried / "validation.json")) as handle:
            found = json.load(handle)
        assert found["epochs"] == 1 and found["writing"]["budget"] == row["writing"]["budget"] // 2
        assert not os.path.exists(str(tmp_path / row["arm"] / folder / tried / "test-openings.jsonl"))
    assert row_of(short, "pair")["by_seed"]["0"] == row_of(summary, "pair")["by_seed"]["0"]
    with pytest.raises(ConfigError, match="tuning epochs are 3; they must be 1..2"):
        compare.compare(base, str(tmp_path), names, [0], tuning_epochs=3)


def test_report_as_table_and_figure(done, tmp_path):
    _, summary, _ = done
    note = compare_report.write_report(str(tmp_path), summary)
    with open(str(tmp_path / "comparison.csv"), newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["arm"] for row in rows] == NAMES
    assert float(rows[2]["programs_total"]) == row_of(summary, NAMES[2])["programs"]["total"]
    assert float(rows[1]["accuracy"]) == row_of(summary, "float")["test"]["accuracy"]
    assert rows[1]["programs_total"] == "" and int(rows[1]["trials"]) == len(row_of(summary, "float")["tried"])
    text = (tmp_path / "comparison.txt").read_text()
    assert all(name in text for name in NAMES) and "best: wo-step-budget-5" in text
    assert "0.173 in accuracy below pruning" in text and "0.077 in accuracy" in text and "99.94% fewer" in text
    masks = row_of(summary, "pair")["programs"]
    spent = ["{:.2f}".format(masks["per_weight"]), "{:.3%}".format(masks["share_of_every_step"]), "1"]
    spent += ["{:.3g}".format(masks["over_best_weights"]), str(masks["max_per_cell"])]
    assert text.splitlines()[2].split()[3:] == spent
    assert (note is None) == (tmp_path / "comparison.png").exists()
    pytest.importorskip("matplotlib")
    assert (tmp_path / "comparison.png").read_bytes()[:4] == b"\x89PNG"


def test_without_matplotlib_the_extra_is_named(done, tmp_path, monkeypatch):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "pip install 'minirram[report]'" in compare_report.write_report(str(tmp_path), done[1])
    assert sorted(os.listdir(str(tmp_path))) == ["comparison.csv", "comparison.txt"]


def test_seeds_and_changed_plans_are_checked(done, base):
    with pytest.raises(ConfigError, match="each once"):
        compare.compare(base, done[0], ["pair"], [0, 0])
    with pytest.raises(ConfigError, match="epochs"):
        changed = RunConfig(base.task, base.data, base.network, Recipe(epochs=1, batch_size=40), TAOX_40NM)
        compare.compare(changed, done[0], ["pair"], [0])


def test_command_line(base, tmp_path, capsys):
    arguments = ["compare", "fashion-mnist", "--data", base.data, "--out", str(tmp_path / "c"), "--arms", "pair"]
    arguments += ["--seeds", "0", "--epochs", "1", "--preset", "quick", "--json"]
    assert cli.main(arguments) == 0
    captured = capsys.readouterr()
    summary = json.loads(captured.out)
    assert summary["arms"][0]["arm"] == "pair" and "pair" in captured.err
    other = ["transfer", str(tmp_path / "c" / "pair" / "seed0"), "--out", str(tmp_path / "t"), "--epochs", "1"]
    assert cli.main(other + ["--know-faults"]) == 2
    assert "stuck cells" in capsys.readouterr().err
    assert cli.main(other + ["--stuck-hrs", "0.05", "--know-faults"]) == 0
    assert "after epoch 1" in capsys.readouterr().out

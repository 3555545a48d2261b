"""Every option of `paper`, changed, and its effect as predicted."""

from types import SimpleNamespace

import pytest

from minirram.device.presets import TECHNOLOGIES
from minirram.files import read_json
from minirram.progress import stages
from minirram.study import paper, paper_runs, paper_trainings
from minirram.tasks import registry

from ..support.options import call, figures, shows
from ..support.places import ROOT

KEPT = str(ROOT / "docs" / "results")


@shows("paper", "--out", "--results")
def test_the_table_from_the_kept_results_lies_where_it_was_asked_for(tmp_path):
    out = tmp_path / "paper"
    shown, whole = figures("paper", "--out", str(out), "--results", KEPT), paper.table([KEPT])
    assert shown == read_json(out / "paper.json") == whole.to_json()
    assert set(shown["claims"][0]) == {"claim", "paper", "ours", "status", "why", "command"}
    assert (out / "paper.md").read_text(encoding="utf-8").splitlines() == list(paper.markdown(whole))
    refused = call("paper", "--out", str(out), "--results", str(tmp_path))
    assert refused.code == 2 and "widths.json: there are no such results in" in refused.err
    assert all(f"{name}.json" in refused.err for name in paper.FILES)


class Trained:
    """A run that was not trained."""

    value = 0.8

    class results:
        """Its figures."""

        flips_per_weight, training_seconds = 1.0, 2.0

        class validation:
            """Of the validation set."""

            value = 0.9

        test = validation


@pytest.fixture
def several(monkeypatch):
    """What is asked of the trainings of claims that rest on several, (what, how), which give the same at once."""
    found, test = [], {"accuracy": 0.9, "roc_auc": 0.9, "pr_auc": 0.8}

    def train(task, data, recipe, **how):
        found.append((task.name, dict(how, data=data, recipe=recipe)))
        return Trained

    def evaluate(run, split, **how):
        found.append((split, how))
        return Trained

    def compare(base, out, *, names, **how):
        found.append((base.task, dict(how, data=base.data, names=names, recipe=base.recipe)))
        programs = SimpleNamespace(per_weight=2.0)
        return SimpleNamespace(
            arms=[SimpleNamespace(arm=name, primary="accuracy", test=test, programs=programs) for name in names]
        )

    for stub in (train, evaluate, compare):
        monkeypatch.setattr(paper_trainings, stub.__name__, stub)
    return found


@pytest.fixture
def asked(monkeypatch, several):
    """What is asked of the other trainings and plain arms, which give the same at once."""
    found = []
    monkeypatch.setattr(paper_runs, "train", lambda task, **how: found.append((task, how)) or Trained)
    monkeypatch.setattr(paper_runs, "looks", lambda arm, task, **how: found.append((task, how)) or [(37, 0.7, 1.0)])
    return found


@shows("paper", "--run", "--data", "--threads")
def test_results_are_made_once_with_the_data_and_the_preset_asked_for(tmp_path, asked, several, monkeypatch):
    monkeypatch.setattr(paper_runs, "open_training", lambda config: None)  # the data are there
    options = ["--out", str(tmp_path), "--results", KEPT, "--run", "full", "--data", "there", "--threads", "3"]
    first = figures("paper", *options)
    masks = [how for _, how in asked if "recipe" in how]
    assert [how["recipe"] for how in masks] == ["full"] * 2 and {how["threads"] for how in masks} == {3}
    assert {how["data"] for _, how in asked} == {"there"} and {task for task, _ in asked} == set(paper_runs.TASKS)
    assert {how["seed"] for _, how in asked if "seed" in how} == {0, 1, 2}
    made = {path.stem for path in (tmp_path / "results").iterdir()}
    assert made == set(paper.FILES)
    assert first["claims"][0]["ours"] == "90.00% (test)" and "--run full --data data" in first["claims"][0]["command"]
    assert {how["epochs"] for _, how in asked if "epochs" in how} == {65, 60, 8}
    assert {how["threads"] for _, how in several} == {3} and {how.get("data", "there") for _, how in several} == {
        "there"
    }
    before = len(asked), len(several)
    assert figures("paper", *options) == first and (len(asked), len(several)) == before
    assert call("paper", *options[:4], "--data", "there").code == 2


def test_several_trainings_are_those_that_the_claims_rest_on(tmp_path, several, monkeypatch):
    monkeypatch.setattr(paper_runs, "open_training", lambda config: None)
    names = ["read-noise", "technologies", "widths", "writes-retina", "writes-fashion-mnist"]
    options = ["--out", str(tmp_path), "--results", KEPT, "--run", "full", "--data", "there", "--only", *names]
    figures("paper", *options)
    garments = [how for what, how in several if what == "fashion-mnist" and "cell" in how]
    memories, chips, shares = garments[:4], garments[4:7], garments[7:]
    assert {how["cell"] for how in memories} == set(TECHNOLOGIES) and {how["recipe"].epochs for how in memories} == {8}
    assert [(how["recipe"].seed, how["recipe"].chip_seed) for how in chips] == [(0, 0), (1, 1), (2, 2)]
    assert [(how["recipe"].density, how["recipe"].epochs) for how in shares] == [(d, 3) for d in (0.1, 0.5, 0.5, 0.5)]
    assert {how["recipe"].batch_size for how in garments} == {120} and all(how["resume"] for how in garments)
    assert len({how["out"] for how in garments}) == 10  # the first chip is that of the technologies
    looks = [how for what, how in several if what == "test"]
    assert [how["read_noise"] for how in looks] == [0.0065, 0.02] * 3 and {how["draws"] for how in looks} == {10}
    compared = {what: how for what, how in several if "names" in how}
    assert set(compared) == {"retina", "fashion-mnist"} and len(compared["fashion-mnist"]["names"]) == 7
    assert (compared["retina"]["rates"], compared["retina"]["tuning_epochs"]) == ((0.4, 0.8), 1)
    recipe = compared["fashion-mnist"]["recipe"]
    assert (recipe.epochs, recipe.score_step, recipe.batch_size) == (20, 0.03, 240)
    assert compared["retina"]["recipe"] == registry.task("retina").recipe("full")


@shows("paper", "--only")
def test_named_results_are_made_alone(tmp_path, asked, several):
    options = ["--out", str(tmp_path), "--results", KEPT, "--run", "quick"]
    figures("paper", *options, "--only", "widths", "energy-retina")
    assert {path.stem for path in (tmp_path / "results").iterdir()} == {"widths", "energy-retina"} and asked == []
    made = read_json(tmp_path / "results" / "widths.json")["found"]
    assert [row["width"] for row in made["rows"]] == [1.0, 0.5, 0.25, 0.125] and made["data"] == "synthetic"
    wrong = call("paper", *options, "--only", "width")
    assert wrong.code == 2 and "makes no results width; did you mean widths?; it makes energy-" in wrong.err
    alone = call("paper", "--out", str(tmp_path), "--results", KEPT, "--only", "widths")
    assert alone.code == 2 and "--only names results to make: give --run, too" in alone.err


def test_quick_results_are_of_built_in_data_and_said_to_be(tmp_path, asked, monkeypatch):
    told = []
    advance = stages.Stage.advance
    monkeypatch.setattr(
        stages.Stage, "advance", lambda self, *a, **k: told.append(k.get("note")) or advance(self, *a, **k)
    )
    shown = figures("paper", "--out", str(tmp_path), "--results", KEPT, "--run", "quick")
    assert [note for note in told if note] == list(paper_runs.names("quick"))
    assert {how["data"] for _, how in asked} == {"synthetic"}
    assert shown["claims"][0]["ours"] == "90.00% (test) on built-in data"
    assert not (tmp_path / "results" / "plain-retina.json").exists()


def test_results_that_will_be_missing_are_told_before_anything_is_made(tmp_path, asked):
    """Outside the source tree: what the preset does not make is named, and nothing else."""
    made = set(paper_runs.names("quick"))
    out = tmp_path / "out"
    refused = call("paper", "--out", str(out), "--results", str(tmp_path), "--run", "quick")
    assert refused.code == 2 and "docs/results of the source tree, --results" in refused.err
    assert {name for name in paper.FILES if f"{name}.json" in refused.err} == set(paper.FILES) - made
    assert asked == [] and not out.exists()


def test_results_of_another_command_are_not_taken_for_those_asked_for(tmp_path, asked):
    options = ["--out", str(tmp_path), "--results", KEPT]
    figures("paper", *options, "--run", "quick")
    before = len(asked)
    refused = call("paper", *options, "--run", "full")
    assert refused.code == 2 and "energy-fashion-mnist.json was made by another command, minirram paper" in refused.err
    assert len(asked) == before


def test_data_that_are_not_there_are_told_before_anything_is_made(tmp_path):
    for preset in ("quick", "full"):
        out = tmp_path / preset
        refused = call("paper", "--out", str(out), "--run", preset, "--data", str(tmp_path / "none"))
        assert refused.code == 2 and "fashion-mnist.npz" in refused.err and not out.exists()

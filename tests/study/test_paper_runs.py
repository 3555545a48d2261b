"""`paper --run full` as a whole: real trainings and plain arms of all three tasks, tiny; what is stopped goes on."""

from dataclasses import replace

import pytest

from minirram.cli import main
from minirram.files import read_json
from minirram.learn.mask_learner import MaskLearner
from minirram.study import paper, paper_runs
from minirram.tasks import datasets, registry
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.retina import retina_unet
from minirram.tasks.spoken_digits import spoken_digit_crnn

from ..support.places import ROOT

NETWORKS = {
    "fashion-mnist": fashion_mnist_cnn(conv1=8, conv2=4, hidden=16),
    "spoken-digits": spoken_digit_crnn(conv1=8, conv2=8, rnn=16, hidden=16),
    "retina": retina_unet(width=1),
}
DRAWN = {"fashion-mnist": 264, "spoken-digits": 66, "retina": 12}
"""samples for training and validation"""
EPOCHS = 2
FEW = dict(fashion=(1, 37), fashion_free=(2, 5), fashion_whole=(2,), digits=(1, 2), digits_free=(2,), retina=(1,))
"""whole updates"""


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with small sets of data; the tasks have small networks and short recipes, the plan has few updates."""
    for name, network in NETWORKS.items():
        task = registry.TASKS[name]
        drawn = replace(task.drawn, training=DRAWN[name], test=12)
        crops = {"samples_per_epoch": 16} if name == "retina" else {"batch_size": 30}
        recipes = {key: replace(recipe, epochs=EPOCHS, **crops) for key, recipe in task.recipes.items()}
        small = replace(task, network=network, drawn=drawn, recipes=recipes)
        monkeypatch.setitem(registry.TASKS, name, small)
        (training, validation), test = small.draw_training(), small.draw_test()
        parts = {
            part: {member: getattr(one, member) for member in small.layout.members}
            for part, one in (("train", training), ("validation", validation), ("test", test))
        }
        datasets.save(str(tmp_path / "data"), small.layout, parts=parts, origin="drawn for a test")
    monkeypatch.setitem(paper_runs.PLANS, "full", paper_runs.PLANS["full"]._replace(**FEW))
    return str(tmp_path / "data")


@pytest.mark.slow
def test_full_runs_to_its_end_and_goes_on_where_it_was_stopped(tmp_path, data, monkeypatch, capsys):
    out = tmp_path / "paper"
    command = ["paper", "--out", str(out), "--results", str(ROOT / "docs" / "results"), "--run", "full", "--data", data]
    learn, epochs = MaskLearner.epoch, []

    def epoch(learner, *arguments, **how):
        if len(epochs) == stop:
            raise KeyboardInterrupt
        epochs.append(learner.network.name)
        return learn(learner, *arguments, **how)

    monkeypatch.setattr(MaskLearner, "epoch", epoch)
    stop = EPOCHS + 1  # within the second training
    assert main.main(command) == 130  # as Ctrl-C ends it
    assert epochs == ["fashion-mnist-cnn"] * EPOCHS + ["spoken-digit-crnn"]
    done = {path: path.read_bytes() for path in (out / "results").iterdir()}
    assert {path.stem for path in done} == {*(f"energy-{task}" for task in NETWORKS), "masks-fashion-mnist"}

    stop = -1
    assert main.main(command) == 0
    assert epochs[EPOCHS:] == ["spoken-digit-crnn"] * EPOCHS  # one epoch was done
    assert all(path.read_bytes() == was for path, was in done.items())
    made = {path.stem: read_json(path) for path in (out / "results").iterdir()}
    assert set(made) == set(paper_runs.names("full")) == set(paper.FILES) - {"writes-per-weight", "typed-tables"}
    assert {one["command"] for one in made.values()} == {"minirram paper --out paper --run full --data data"}
    for name, updates in (("plain-fashion-mnist", (1, 37)), ("plain-spoken-digits-free", (2,)), ("plain-retina", (1,))):
        rows = made[name]["found"]["rows"]
        assert {row["updates"] for row in rows} == set(updates)
        assert {row["seed"] for row in rows} == ({0} if name == "plain-retina" else {0, 1, 2})
        assert all(0 <= row["validation"] <= 1 for row in rows)
    assert {row["arm"] for row in made["plain-spoken-digits-free"]["found"]["rows"]} == {
        "wo-plain-free-0.15",
        "wo-plain-one-free-6",
    }
    table = read_json(out / "paper.json")
    assert {row["status"] for row in table["claims"]} <= {"agrees", "differs", "out of scope"}
    assert sum("--run full --data data" in row["command"] for row in table["claims"]) >= 9
    capsys.readouterr()

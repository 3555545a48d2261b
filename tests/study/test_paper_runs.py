"""`paper --run full` as a whole: real trainings and plain arms of all three tasks, tiny; what is stopped goes on."""

from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pytest

from minirram.cli import main
from minirram.errors import ConfigError, DataError
from minirram.files import read_json
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.plain_weights import PlainLearner
from minirram.study import paper, paper_runs, paper_trainings
from minirram.tasks import datasets, registry
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.retina import retina_unet
from minirram.tasks.spoken_digits import spoken_digit_crnn

from ..support.places import ROOT

NETWORKS = {
    "fashion-mnist": fashion_mnist_cnn(conv1=8, conv2=4, hidden=16),
    "spoken-digits": spoken_digit_crnn(conv1=8, conv2=8, rnn=16, hidden=16),
    "retina": retina_unet(width=2),
}
DRAWN = {"fashion-mnist": 264, "spoken-digits": 66, "retina": 12}
"""samples for training and validation"""
EPOCHS = 2
FEW = dict(fashion=(1, 37), fashion_free=(2, 5), fashion_whole=(2,), digits=(1, 2), digits_free=(2,), retina=(1,))
"""whole updates"""
TRAININGS = paper_trainings.Trainings(chips=2, draws=2, epochs=1, width_epochs=1)


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
    monkeypatch.setitem(paper_runs.PLANS, "full", paper_runs.PLANS["full"]._replace(trainings=TRAININGS, **FEW))
    for task, how in paper_trainings.BESIDE.items():
        epochs = how.epochs and EPOCHS
        small = how._replace(seeds=how.seeds[:1], rates=(0.1,), tuning_epochs=1, epochs=epochs)
        monkeypatch.setitem(paper_trainings.BESIDE, task, small)
    return str(tmp_path / "data")


def test_a_plain_arm_that_was_stopped_goes_on_to_the_same_numbers(tmp_path, data, monkeypatch):
    arm, how = ("wo-plain-one-free-6", "fashion-mnist"), dict(data=data, seed=1, updates=(2, 5, 9), epochs=3)
    whole, file, taken = paper_runs.looks(*arm, **how), tmp_path / "begun" / "one.npz", []
    take, clock = PlainLearner.step, count(100.0)  # seconds
    monkeypatch.setattr(paper_runs, "time", SimpleNamespace(perf_counter=clock.__next__))

    def step(learner, *arguments, **options):
        if len(taken) == stop:
            raise KeyboardInterrupt
        taken.append(options["rate"])
        return take(learner, *arguments, **options)

    monkeypatch.setattr(PlainLearner, "step", step)
    for often, stops, again in ((0.0, (3, 6), 0), (1e9, (4, 7), 2)):  # each step is kept, or looks alone
        monkeypatch.setattr(paper_runs, "CHECKPOINT_S", often)
        del taken[:]
        for number in stops:
            stop = number
            with pytest.raises(KeyboardInterrupt):
                paper_runs.looks(*arm, checkpoint=str(file), **how)
        with pytest.raises(ConfigError, match="one.npz is the checkpoint of another training, .*, 1, 3, .*: remove it"):
            paper_runs.looks(*arm, checkpoint=str(file), **dict(how, updates=(1, 9)))  # its first look was not taken
        stop = -1
        found = paper_runs.looks(*arm, checkpoint=str(file), **how)
        assert [look[:2] for look in found] == [look[:2] for look in whole] and not file.exists()
        assert len(set(taken)) == 9 and len(taken) == 9 + again
        assert 0 < found[0].seconds < found[1].seconds < found[2].seconds < 30  # over all sessions


def test_the_wall_clock_counts_what_stopped_calls_have_trained(tmp_path, monkeypatch):
    trained, scores = [], SimpleNamespace(results=SimpleNamespace(test=SimpleNamespace(value=0.9)))
    clock = SimpleNamespace(perf_counter=count(100.0, 10.0).__next__)  # 10 s from each look at it to the next
    monkeypatch.setattr(paper_trainings, "time", clock)

    def train(task, data, recipe, **how):
        if len(trained) == stop:
            raise KeyboardInterrupt
        trained.append(how["cell"])
        return scores

    monkeypatch.setattr(paper_trainings, "train", train)
    out, how = str(tmp_path / "paper"), dict(data="there", threads=1)
    for number in (2, 3):
        stop = number
        with pytest.raises(KeyboardInterrupt):
            paper_trainings.technologies(out, TRAININGS, **how)
    stop = -1
    rows = len(paper_trainings.TECHNOLOGIES)
    found = paper_trainings.technologies(out, TRAININGS, **how)
    assert len(found["rows"]) == rows and found["seconds"] == 20.0 + 10.0 + 10.0 * (rows + 1)
    (tmp_path / "paper" / "runs" / "technologies.seconds.json").write_text("[]")
    with pytest.raises(DataError, match="technologies.seconds.json"):
        paper_trainings.technologies(out, TRAININGS, **how)


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
    assert epochs[EPOCHS : 2 * EPOCHS] == ["spoken-digit-crnn"] * EPOCHS  # one epoch was done
    others = epochs[2 * EPOCHS :]  # memories, another chip, widths; pair and cell, pair and cell, pair
    assert (
        others
        == ["fashion-mnist-cnn"] * (9 + 2 * EPOCHS) + ["spoken-digit-crnn"] * 2 * EPOCHS + ["retina-unet"] * EPOCHS
    )
    assert all(path.read_bytes() == was for path, was in done.items())
    made = {path.stem: read_json(path) for path in (out / "results").iterdir()}
    assert set(made) == set(paper_runs.names("full")) == set(paper.FILES)
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
    assert [row["chip"] for row in made["read-noise"]["found"]["rows"]] == [0, 0, 1, 1]
    for task, arms in (("fashion-mnist", 7), ("spoken-digits", 7), ("retina", 4)):
        rows = made[f"writes-{task}"]["found"]["rows"]
        assert len(rows) == arms and {row["task"] for row in rows} == {task}
        told = read_json(out / "runs" / f"beside-{task}.seconds.json")["seconds"]  # after its last training
        assert 0 <= told <= made[f"writes-{task}"]["found"]["seconds"]
        assert all(0 <= row["score"] <= 100 and row["writes_per_weight"] > 0 for row in rows)
    table = read_json(out / "paper.json")
    assert {row["status"] for row in table["claims"]} <= {"agrees", "differs", "out of scope"}
    assert sum("--run full --data data" in row["command"] for row in table["claims"]) >= 9
    capsys.readouterr()

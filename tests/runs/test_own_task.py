"""A task that is a JSON file and a file of data: every command works on its run, where no such task is known."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import minirram as mr
from minirram.files import read_json
from minirram.runs import own_data
from minirram.tasks import task_file
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.fashion_mnist_macro import fashion_mnist_macro
from minirram.tasks.registry import TASKS
from minirram.tasks.task_file import task_document, write_task_file

from ..support import own_task
from ..support.options import SMALL, call, figures, small_task
from ..support.pages import python_blocks, sections
from ..support.places import ROOT

KINDS = {
    "features": (own_task.features, "mine.csv"),
    "windows": (own_task.windows, "mine.npz"),
    "residual": (own_task.residual_images, "mine.npz"),
    "pixels": (own_task.pixels, "mine.npz"),
    "pixel classes": (own_task.pixel_classes, "mine.npz"),
}
"""kind of task -> (what writes its files, name of its data)"""


def command(folder, *arguments, code=0):
    """The JSON object of a command in a process of its own, in a folder outside the package."""
    result = subprocess.run(
        [sys.executable, "-m", "minirram", *map(str, arguments), "--json"],
        cwd=str(folder),
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        check=False,
    )
    assert result.returncode == code, result.stderr
    return json.loads(result.stdout)


def here(folder, *arguments, code=0):
    """The same in this process."""
    before = os.getcwd()
    os.chdir(str(folder))
    try:
        return figures(*map(str, arguments), code=code)
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Gives, by kind, a folder with the files of a task and its run `run`, trained in a process of its own."""
    made = {}

    def folder_of(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            write, data = KINDS[kind]
            write(str(folder))
            results = command(folder, "train", "mine.json", "--data", data, "--out", "run")
            (folder / data).rename(folder / ("away-" + data))  # what later commands need is in the run folder
            (folder / "mine.json").rename(folder / "away-mine.json")
            (folder / "run").rename(folder / "moved")
            made[kind] = folder, results
        return made[kind]

    return folder_of


def follow(folder, results, command):
    """Every command that takes a run, on a folder that was moved."""
    primary = results["test"]["primary"]
    assert command(folder, "evaluate", "moved", "--split", "test")[primary] == results["test"][primary]
    assert command(folder, "energy", "moved")["total"]["total_J"] > 0
    exported = command(folder, "export", "moved", "--out", "mine.xbp")
    assert command(folder, "inspect", "mine.xbp")["meta"]["task"] == "mine"
    command(folder, "chip", "moved", "--out", "chip.npy", "--state", "programmed")
    read = command(folder, "verify", "mine.xbp", "chip.npy", "--run", "moved")
    assert read["passed"] and read["accuracy_programmed"] == read["accuracy_read_back"]
    assert command(folder, "verify", "mine.xbp", "--simulate", "--run", "moved")["checked"] == exported["cells"]
    moved = command(folder, "transfer", "moved", "--out", "other", "--epochs", "1", "--chip-seed", "5")
    (folder / "other").rename(folder / "taken")  # it carries the data, too
    again = command(folder, "evaluate", "taken", "--split", "test")
    assert again[primary] == moved["test"]["after"][primary]


@pytest.mark.slow
def test_every_command_works_on_a_run_of_features(trained):
    folder, results = trained("features")
    assert results["task"] == "mine" and results["test"]["accuracy"] > 0.8
    assert results["data_report"]["file"] == "mine.csv" and results["data_report"]["samples"]["test"] == 24
    follow(folder, results, here)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["windows", "residual", "pixels", "pixel classes"])
def test_every_command_works_on_a_run_of_every_kind(trained, kind):
    folder, results = trained(kind)
    assert results["data_report"]["file"] == KINDS[kind][1]
    follow(folder, results, command)


@pytest.mark.slow
def test_windows_of_signed_values_in_four_channels_are_learned(trained):
    folder, results = trained("windows")
    config = read_json(folder / "moved" / "config.json")
    assert config["network"]["input_zero"] == 8 and config["layout"]["input_shape"] == [37, 4]
    assert len(config["layout"]["codes"]["low"]) == 4 and results["test"]["accuracy"] > 0.6
    assert results["data_report"]["split"] == "by 'split'"


@pytest.mark.slow
def test_a_residual_network_of_ones_own_learns_colour_images_on_one_macro(trained):
    folder, results = trained("residual")
    assert results["macros"] == 1 and results["test"]["accuracy"] > 0.6
    assert [layer["type"] for layer in read_json(folder / "moved" / "config.json")["network"]["layers"]].count(
        "Add"
    ) == 1


@pytest.mark.slow
def test_labels_of_pixels_in_two_channels_and_an_odd_size_are_learned(trained):
    folder, results = trained("pixels")
    assert results["test"]["primary"] == "roc_auc" and results["test"]["roc_auc"] > 0.9
    assert read_json(folder / "moved" / "config.json")["layout"]["input_shape"] == [40, 51, 2]


@pytest.mark.slow
def test_pixels_of_three_classes_are_learned(trained):
    folder, results = trained("pixel classes")
    assert results["test"]["primary"] == "dice" and results["test"]["dice"] > 0.6
    counts = np.array(results["test"]["confusion"])
    assert counts.shape == (3, 3) and counts.sum() == 40 * 51 * results["test"]["samples"]
    assert set(results["data_report"]["classes"]) == {"0", "1", "2"}
    told = call("evaluate", str(folder / "moved")).out
    assert "validation dice" in told and "IoU of 2" in told and "confusion: row = true class" in told


@pytest.mark.slow
def test_a_training_is_resumed_with_the_same_files_and_not_with_others(tmp_path):
    own_task.features(str(tmp_path))
    options = ["train", "mine.json", "--data", "mine.csv", "--out", "run", "--resume"]
    first = command(tmp_path, *options)
    assert command(tmp_path, *options) == first
    table = (tmp_path / "mine.csv").read_text().splitlines()
    (tmp_path / "mine.csv").write_text("\n".join(table[:-3]) + "\n")
    with pytest.raises(AssertionError, match="is a run with"):
        command(tmp_path, *options)


@pytest.mark.slow
def test_a_comparison_in_processes_finds_the_data_of_a_task_that_none_of_them_knows(tmp_path):
    own_task.features(str(tmp_path))
    arms = ["--arms", "pair", "--seeds", "0", "1", "--epochs", "1", "--processes", "2", "--out", "compared"]
    table = command(tmp_path, "compare", "mine.json", "--data", "mine.csv", *arms)
    assert table["task"] == "mine" and table["arms"][0]["arm"] == "pair"
    assert command(tmp_path, "evaluate", "compared/pair/seed1")["task"] == "mine"
    (tmp_path / "mine.csv").write_text((tmp_path / "mine.csv").read_text().replace("0.", "1."))
    with pytest.raises(AssertionError, match="carries other data than those given"):
        command(tmp_path, "compare", "mine.json", "--data", "mine.csv", *arms)


@pytest.mark.slow
def test_a_comparison_in_processes_takes_drawn_data_of_a_task_in_a_python_file(tmp_path):
    (tmp_path / "bars.py").write_text(python_blocks(sections("extending.md")["A task"])[0])
    arms = ["--arms", "pair", "--seeds", "0", "1", "--epochs", "1", "--processes", "2", "--out", "compared"]
    assert command(tmp_path, "compare", "bars.py", "--data", "synthetic", *arms)["arms"][0]["arm"] == "pair"


SHORT = {
    "fashion-mnist": ({}, 120, 20),
    "fashion-mnist-affine": ({"network": fashion_mnist_cnn(conv1=4, conv2=4, hidden=8, affine=True)}, 120, 20),
    "fashion-mnist-macro": ({"network": fashion_mnist_macro(widths=(4, 4, 4, 4), hidden=8)}, 120, 20),
    "fashion-mnist-macro-affine": (
        {"network": fashion_mnist_macro(widths=(4, 4, 4, 4), hidden=8, affine=True)},
        120,
        20,
    ),
    "spoken-digits": ({}, 80, 20),
    "retina": ({}, 12, 1),
}
"""built-in task -> (what is smaller, samples that it draws for training and validation, for test)"""


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_the_json_of_a_built_in_task_trains_to_the_same_bits(name, tmp_path, monkeypatch):
    """Each with few of its drawn samples; the two with large networks with small ones."""
    changed, training, test = SHORT[name]
    small = small_task(name) if name in SMALL else replace(TASKS[name], **changed)
    small = replace(small, drawn=replace(small.drawn, training=training, test=test))
    monkeypatch.setitem(TASKS, small.name, small)
    monkeypatch.setattr(own_data, "BUILT_IN", (small,))
    monkeypatch.setattr(task_file, "BUILT_IN", (small,))
    path = str(tmp_path / "mine.json")
    write_task_file(path, task_document(small))
    found = own_data.given(path, "synthetic")
    assert found.task == small and found.arrays is None
    recipe = replace(small.recipes["quick"], epochs=1, batch_size=20)
    if recipe.samples_per_epoch is not None:
        recipe = replace(recipe, samples_per_epoch=40)
    runs = [mr.train(what, "synthetic", recipe, out=tmp_path / out) for what, out in ((small.name, "a"), (path, "b"))]
    for file in ("masks.npz", "model.npz", "chip.npz", "config.json"):
        one, two = ((tmp_path / out / file).read_bytes() for out in "ab")
        assert one == two, file
    assert runs[0].results.test.by_draw == runs[1].results.test.by_draw


def test_all_built_in_tasks_have_that_test():
    ready = [task.name for task in task_file.BUILT_IN if not task.name[-1].isdigit()]  # -64 and so on: other widths
    assert ready == list(SHORT)


def test_own_layers_learn_from_built_in_data(tmp_path):
    small = small_task("fashion-mnist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, small.name, small)
        mine = str(tmp_path / "mine.json")
        own_task.task_json(mine, (28, 28, 1), own_task.full_layers(784, 10), drawn="fashion-mnist")
        found = own_data.given(mine, "synthetic")
        assert found.task.layout.data_set == "mine" and found.task.layout.class_names == small.layout.class_names
        np.testing.assert_array_equal(found.arrays.test.inputs, small.draw_test().inputs)
        other = replace(found.task.network, name="another")
        assert own_data.given(mine, "synthetic", network=other).task.network == other
        own = replace(small, name="garments-of-mine")  # as a .py file registers it: its draw is carried, too
        carried = own_data.given(own, "synthetic").arrays
        np.testing.assert_array_equal(carried.test.inputs, small.draw_test().inputs)

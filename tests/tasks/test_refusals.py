"""Data, layouts and tasks that cannot be learned from, beside the last ones that can."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from minirram.errors import ConfigError, DataError, ShapeError
from minirram.learn.recipe import Recipe
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.network import Network
from minirram.tasks import datasets, fundus
from minirram.tasks.data_files import DataRules, read_data
from minirram.tasks.datasets import Dataset
from minirram.tasks.draft import draft
from minirram.tasks.labelled_data import LabelledData
from minirram.tasks.registry import TASKS, load_parts
from minirram.tasks.task_file import NetworkPart, TaskFile
from minirram.tasks.training_data import CropData, training_data

from .test_labelled_data import network_of

GARMENTS = TASKS["fashion-mnist"].layout
ROWS = "".join(f"{k}.5,{k % 2}\n" for k in range(12))
INPUTS, LABELS = np.arange(24, dtype=np.float32).reshape(12, 2), np.arange(12) % 2
IMAGES, PIXELS = np.arange(192, dtype=np.uint8).reshape(3, 8, 8), np.arange(192).reshape(3, 8, 8) % 2
HOLED = INPUTS.copy()
HOLED[:10, 1] = np.nan
PARTS = ["train"] * 10 + ["validation", "test"]

TABLES = {
    "features": (("x,kind\n" + ROWS, {}), ("x,kind\n" + ROWS, dict(leave_out=("x",))), "no column of features beside"),
    "cells": (("x,kind\n" + ROWS, {}), ('x,kind\n1,"' + "a,b\n" * 50000, {}), "line .*: field larger than field limit"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_holds_no_data(name, tmp_path):
    good, bad, said = TABLES[name]

    def read(text, rules):
        (tmp_path / "mine.csv").write_text(text)
        return read_data(str(tmp_path / "mine.csv"), DataRules(**rules))

    assert len(read(*good).training)
    with pytest.raises(DataError, match=f"mine.csv.*{said}"):
        read(*bad)


def of_pixels(**more):
    return dict(inputs=IMAGES, labels=PIXELS, **more)


ARRAYS = {
    # name: (rules, arrays that are read, arrays that are not, error, what is said)
    "key": (
        dict(split="fold"),
        dict(inputs=INPUTS, labels=LABELS, fold=PARTS),
        dict(inputs=INPUTS, labels=LABELS, split=PARTS),
        DataError,
        "no key 'fold'; it holds inputs, labels, split",
    ),
    "labels": (
        {},
        of_pixels(),
        dict(inputs=IMAGES, labels=PIXELS[0]),
        ShapeError,
        r"the labels have the shape \(8, 8\), not \(n,\) or",
    ),
    "region": (
        {},
        of_pixels(region=PIXELS > 0),
        of_pixels(region=PIXELS),
        ShapeError,
        r"region int\d+ \(3, 8, 8\); it must be bool \(3, 8, 8\)",
    ),
    "its shape": (
        {},
        of_pixels(region=PIXELS > 0),
        of_pixels(region=PIXELS[:2] > 0),
        ShapeError,
        r"region bool \(2, 8, 8\); it must be bool \(3, 8, 8\)",
    ),
    "training": (
        {},
        dict(inputs=INPUTS, labels=LABELS, split=PARTS),
        dict(inputs=INPUTS, labels=LABELS, split=["test"] * 11 + ["validation"]),
        DataError,
        "split leaves no sample to train on",
    ),
    "images": (
        {},
        of_pixels(),
        dict(inputs=IMAGES[:2], labels=PIXELS[:2]),
        DataError,
        "2 images; the parts need at least 3",
    ),
    "means": (
        dict(missing="mean"),
        dict(inputs=np.where(np.arange(12)[:, None] == 9, INPUTS, HOLED), labels=LABELS, split=PARTS),
        dict(inputs=HOLED, labels=LABELS, split=PARTS),
        DataError,
        "a feature without a value in the whole training part has no mean",
    ),
    "parts": (
        {},
        dict({f"{part}_inputs": INPUTS for part in datasets.PARTS}, **{f"{p}_labels": LABELS for p in datasets.PARTS}),
        dict(train_inputs=INPUTS, train_labels=LABELS, test_inputs=INPUTS[:, :1], test_labels=LABELS),
        ShapeError,
        r"inputs of the parts have the shapes \(12, 2\), \(12, 1\); samples must be alike",
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_hold_no_data(name, tmp_path):
    rules, good, bad, kind, said = ARRAYS[name]

    def read(arrays):
        np.savez(str(tmp_path / "mine.npz"), **arrays)
        return read_data(str(tmp_path / "mine.npz"), DataRules(**rules))

    assert len(read(good).training)
    with pytest.raises(kind, match=said):
        read(bad)


LAYOUTS = {
    "dtype": (dict(input_dtype="float32"), dict(input_dtype="float64"), "inputs of dtype 'float64'; choose 'uint8' or"),
    "name": (dict(data_set="a.b"), dict(data_set="a/b"), "a data set called 'a/b'; its name is that of a file"),
    "no name": (dict(data_set="a"), dict(data_set=""), "a data set called ''; its name"),
    "classes": (dict(class_names=("a", "b")), dict(class_names=("a",)), "fashion-mnist has 1 classes; it must have at"),
    "pixels": (
        dict(per_pixel=True, input_shape=(None, None)),
        dict(per_pixel=True, input_shape=(None,)),
        "fashion-mnist: images labelled by pixel are .height, width. or with channels behind",
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_that_cannot_be(name):
    good, bad, said = LAYOUTS[name]
    replace(GARMENTS, **good)
    with pytest.raises(ConfigError, match=f"^{said}"):
        replace(GARMENTS, **bad)


def test_what_a_file_was_made_of_is_one_text(tmp_path):
    arrays = {f"{part}_inputs": np.zeros((2, 28, 28), np.uint8) for part in datasets.PARTS}
    arrays.update({f"{part}_labels": np.zeros(2, np.uint8) for part in datasets.PARTS})
    for origin, said in ((["a", "b"], r"<U1 \(2,\)"), (7, r"int\d+ \(\)")):
        np.savez(str(tmp_path / "fashion-mnist.npz"), origin=np.array(origin), **arrays)
        with pytest.raises(DataError, match=rf"fashion-mnist.npz: 'origin' must be one text, not {said}"):
            datasets.load_training(GARMENTS, str(tmp_path))


def pixel_data(region):
    parts = [Dataset(IMAGES, PIXELS.astype(np.uint8), ("no", "yes"), "made up", region) for _ in datasets.PARTS]
    return LabelledData(*parts)


def test_a_draft_has_something_to_learn_from():
    data = LabelledData.split(np.ones((30, 2)), np.arange(30) % 3)
    with pytest.raises(DataError, match="^the training inputs are all alike; there is nothing to learn from"):
        draft("mine", data)
    data.training.inputs[0, 0] = 0
    assert draft("mine", data).name == "mine"
    with pytest.raises(ShapeError, match="^images labelled by pixel have no draft; start from: minirram task retina"):
        draft("mine", pixel_data(PIXELS > 0))


def test_crops_are_square_and_have_a_region():
    layout = replace(TASKS["retina"].layout, class_names=("no", "yes"))
    training, validation = pixel_data(PIXELS > 0).training, pixel_data(PIXELS > 0).validation

    def of(height, width):
        network = Network("net", (height, width, 1), 4, (Conv2d("out", 1, 2, (1, 1)),))
        return training_data(layout, training, validation=validation, network=network)

    square = of(4, 4)
    assert square.crops
    with pytest.raises(ShapeError, match="^network net takes 4 x 5 pixels; crops to learn from are square"):
        of(4, 5)
    without = replace(training, region=None)
    with pytest.raises(DataError, match="^images that are labelled by pixel need a region: the pixels that count"):
        CropData(IMAGES[..., None], without, validation=square.validation, size=4)


def test_contrast_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    with pytest.raises(ConfigError, match="^contrast normalisation needs scipy: pip install '..data.'"):
        fundus.normalise_contrast(np.ones((4, 4)), np.ones((4, 4), bool), smooth=None)


def test_an_image_without_a_pixel():
    def answer(shape):
        return fundus.predict_by_tiles(lambda tiles: tiles[..., 0], np.ones(shape), size=4, step=2)

    assert answer((1, 1, 1)).tolist() == [[1]]
    for shape in ((0, 5, 1), (5, 0, 1)):
        with pytest.raises(ShapeError, match="^an image without a pixel has no answer"):
            answer(shape)


def test_what_a_task_draws_is_laid_out_as_it_says():
    layout = replace(GARMENTS, mirrored=not GARMENTS.mirrored)
    with pytest.raises(ConfigError, match="^what task fashion-mnist draws is not laid out as this run's data; name"):
        load_parts("fashion-mnist", layout, "synthetic")


def test_a_task_file_has_a_name_and_as_many_classes_as_its_network():
    data = LabelledData.split(np.arange(60.0).reshape(30, 2), np.arange(30) % 3)
    network = network_of((1, 1, 2), 3)
    mine = TaskFile("mine", NetworkPart(input_shape=(1, 1, 2), layers=network.layers), recipes={"full": Recipe()})
    assert mine.complete(data).network.layers == network.layers
    with pytest.raises(ShapeError, match="^network n gives 4 classes, there are 3: 0, 1, 2"):
        mine.complete(data, network=network_of((1, 1, 2), 4))
    for changes in (dict(name=""), dict(recipes={})):
        with pytest.raises(ConfigError, match="^a task needs a name and at least one recipe"):
            replace(mine, **changes)

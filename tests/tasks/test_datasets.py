"""Prepared files: parts kept apart, read lazily, checked; splits and batches."""

import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram import rng
from minirram.errors import ConfigError, DataError
from minirram.tasks import datasets
from minirram.tasks.registry import TASKS

GARMENTS = TASKS["fashion-mnist"].layout
SIZES = {"train": 22, "validation": 2, "test": 6}


def garment_parts():
    generator = rng.stream(0, "parts")
    return {
        part: {
            "inputs": generator.integers(0, 256, (n, 28, 28)).astype(np.uint8),
            "labels": (np.arange(n) % 10).astype(np.uint8),
        }
        for part, n in SIZES.items()
    }


@pytest.fixture
def folder(tmp_path):
    datasets.save(tmp_path, GARMENTS, parts=garment_parts(), origin="made up")
    return tmp_path


def test_what_is_saved_is_loaded(folder):
    parts = garment_parts()
    train, validation = datasets.load_training(GARMENTS, folder)
    test = datasets.load_test(GARMENTS, str(folder))
    for part, loaded in (("train", train), ("validation", validation), ("test", test)):
        assert len(loaded) == SIZES[part]
        np.testing.assert_array_equal(loaded.inputs, parts[part]["inputs"])
        np.testing.assert_array_equal(loaded.labels, parts[part]["labels"])
        assert loaded.labels.dtype == np.int64 and loaded.inputs.dtype == np.uint8
        assert loaded.origin == "made up" and loaded.class_names[0] == "t-shirt" and loaded.region is None


def rewritten(folder, change):
    """Rewrite the prepared file with `change(name, bytes)` applied to each member; None drops the member."""
    path = folder / "fashion-mnist.npz"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            data = change(name, data)
            if data is not None:
                archive.writestr(name, data)
    return folder


def test_training_never_reads_the_test_arrays(folder):
    rewritten(folder, lambda name, data: b"not an array" if name.startswith("test") else data)
    assert len(datasets.load_training(GARMENTS, folder)[0]) == SIZES["train"]
    with pytest.raises(DataError, match="fashion-mnist.npz"):
        datasets.load_test(GARMENTS, folder)


def test_testing_never_reads_the_training_arrays(folder):
    rewritten(folder, lambda name, data: None if name.startswith(("train", "validation")) else data)
    assert len(datasets.load_test(GARMENTS, folder)) == SIZES["test"]
    with pytest.raises(DataError, match="lacks the array.s. train_inputs, train_labels"):
        datasets.load_training(GARMENTS, folder)


def test_a_missing_file_names_the_script_that_makes_it(tmp_path):
    with pytest.raises(DataError, match=r"fashion-mnist\.npz: there is no such file; .*fashion_mnist\.py --out "):
        datasets.load_training(GARMENTS, tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 500, -30])
def test_a_truncated_file_is_an_error(folder, keep):
    path = folder / "fashion-mnist.npz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="fashion-mnist.npz"):
        datasets.load_training(GARMENTS, folder)


def test_a_flipped_byte_in_an_array_is_an_error(folder):
    path = folder / "fashion-mnist.npz"
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        data[archive.getinfo("train_inputs.npy").header_offset + 3000] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="not a readable .npz"):
        datasets.load_training(GARMENTS, folder)


def spoil(member, array):
    parts = garment_parts()
    parts["validation"][member] = array
    return parts


@pytest.mark.parametrize(
    "parts, message",
    [
        (spoil("inputs", np.zeros((2, 28, 27), np.uint8)), r"the inputs have the shape \(2, 28, 27\)"),
        (spoil("inputs", np.zeros((0, 28, 28), np.uint8)), "with n > 0"),
        (spoil("inputs", np.zeros((2, 28, 28), np.float32)), "the inputs are float32, they must be uint8"),
        (spoil("labels", np.zeros((3,), np.uint8)), r"the shape of the labels is \(3,\), it must be \(2,\)"),
        (spoil("labels", np.zeros(2)), "labels: dtype float64, it must be integers"),
        (spoil("labels", np.array([0, 10])), r"labels run from 0 to 10, they must be 0\.\.9"),
        (spoil("labels", np.array([-1, 3])), "labels run from -1 to 3"),
    ],
)
def test_arrays_that_do_not_fit_the_task_are_refused(tmp_path, parts, message):
    with pytest.raises(DataError, match="validation: .*" + message):
        datasets.save(tmp_path, GARMENTS, parts=parts, origin="made up")
    assert not list(tmp_path.iterdir())
    arrays = {part + "_" + member: array for part in parts for member, array in parts[part].items()}
    np.savez(tmp_path / "fashion-mnist.npz", origin="by hand", **arrays)
    with pytest.raises(DataError, match="fashion-mnist.npz, part validation: .*" + message):
        datasets.load_training(GARMENTS, tmp_path)


def eye_part(n=2, height=6, width=7):
    region = np.ones((n, height, width), bool)
    return {"inputs": np.full(region.shape, 128, np.uint8), "labels": region.astype(np.uint8), "region": region}


def test_images_labelled_by_pixel_keep_their_region(tmp_path):
    parts = {part: eye_part() for part in datasets.PARTS}
    parts["test"]["region"] = np.arange(84).reshape(2, 6, 7) % 3 == 0
    datasets.save(tmp_path, TASKS["retina"].layout, parts=parts, origin="made up")
    test = datasets.load_test(TASKS["retina"].layout, tmp_path)
    assert test.region.dtype == np.bool_ and test.labels.dtype == np.uint8
    np.testing.assert_array_equal(test.region, parts["test"]["region"])


@pytest.mark.parametrize(
    "member, array, message",
    [
        ("region", np.ones((2, 6, 8), bool), r"the shape of the region is \(2, 6, 8\)"),
        ("region", np.ones((2, 6, 7), np.uint8), "region: dtype uint8, it must be bool"),
        ("region", np.zeros((2, 6, 7), bool), "image 0 has an empty field of view"),
        ("labels", np.full((2, 6, 7), 255, np.uint8), r"labels run from 255 to 255, they must be 0\.\.1"),
        ("inputs", np.zeros((2, 6), np.uint8), r"must be \(n, any, any\)"),
    ],
)
def test_pixel_arrays_that_do_not_fit_are_refused(tmp_path, member, array, message):
    parts = {part: eye_part() for part in datasets.PARTS}
    parts["train"][member] = array
    with pytest.raises(DataError, match="retina train: .*" + message):
        datasets.save(tmp_path, TASKS["retina"].layout, parts=parts, origin="made up")


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.5])
def test_features_must_be_finite_and_in_range(tmp_path, value):
    part = {"inputs": np.zeros((3, 23, 20), np.float32), "labels": np.zeros(3, np.int64)}
    wrong = {"inputs": part["inputs"].copy(), "labels": part["labels"]}
    wrong["inputs"][2, 0, 0] = value
    with pytest.raises(DataError, match=r"1 input\(s\) hold NaN or values outside 0..1, the first is number 2"):
        datasets.save(
            tmp_path,
            TASKS["spoken-digits"].layout,
            parts={"train": part, "validation": part, "test": wrong},
            origin="made up",
        )


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "fashion-mnist.npz", origin="x", train_inputs=np.array([{}]), train_labels=np.zeros(1))
    with pytest.raises(DataError, match="not a readable .npz"):
        datasets.load_training(GARMENTS, tmp_path)


@pytest.mark.parametrize(
    "name, sizes",
    [
        ("fashion-mnist", (12100, 1100, 2000)),
        pytest.param("spoken-digits", (2200, 200, 300), marks=pytest.mark.slow),
        ("retina", (22, 2, 8)),
    ],
)
def test_synthetic_parts_are_fixed_and_differ(name, sizes):
    train, validation = TASKS[name].draw_training()
    test = TASKS[name].draw_test()
    assert (len(train), len(validation), len(test)) == sizes
    again = TASKS[name].draw_test()
    np.testing.assert_array_equal(test.inputs, again.inputs)
    layout = TASKS[name].layout
    for part in (train, validation, test):
        assert part.inputs.dtype == layout.input_dtype and part.class_names == layout.class_names
        assert part.labels.max() == len(part.class_names) - 1 and "synthetic" in part.origin
        assert (part.region is not None) == layout.per_pixel
    seen = {image.tobytes() for image in train.inputs}
    assert not any(image.tobytes() in seen for part in (validation, test) for image in part.inputs)


def test_the_last_5000_of_60000_are_held_back():
    kept, held = datasets.hold_back({"inputs": np.arange(60000), "labels": -np.arange(60000)})
    np.testing.assert_array_equal(kept["inputs"], np.arange(55000))
    np.testing.assert_array_equal(held["inputs"], np.arange(55000, 60000))
    np.testing.assert_array_equal(held["labels"], -held["inputs"])


@pytest.mark.parametrize("n", [2, 6, 7])
def test_few_training_data_keep_one_for_validation(n):
    kept, held = datasets.hold_back({"inputs": np.arange(n)})
    assert held["inputs"].tolist() == [n - 1] and len(kept["inputs"]) == n - 1


@given(st.integers(1, 300), st.integers(0, 2**31), st.data())
def test_an_epoch_visits_every_item_at_most_once_in_full_batches(n, seed, data):
    size = data.draw(st.integers(1, n))
    order = datasets.epoch_order(rng.stream(seed, "order"), n)
    np.testing.assert_array_equal(order, datasets.epoch_order(rng.stream(seed, "order"), n))
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    cut = datasets.batches(order, size)
    assert len(cut) == n // size and all(len(batch) == size for batch in cut)
    np.testing.assert_array_equal(np.concatenate(cut), order[: n // size * size])


@pytest.mark.parametrize("size", [0, -1, 11])
def test_batch_sizes_out_of_range_are_refused(size):
    with pytest.raises(ConfigError, match=f"batch size {size}: must be 1..10"):
        datasets.batches(np.arange(10), size)

"""Prepared data: one `TASK.npz` per task, or the task drawn by code; splits, checks, batches. Never the internet.

A file holds the parts `train`, `validation` and `test`, each as `PART_inputs`, `PART_labels` and, for images that are
labelled pixel by pixel, `PART_region` (the field of view that counts), and one text `origin`. `data_scripts/` writes
these files with `save`. An `.npz` is read member by member: `load_training` never touches the test arrays, so
`load_test` is the one place where a test set is opened.
"""

import os
from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from .. import files, rng
from ..errors import ConfigError, DataError, MissingFileError
from . import drawn_digits, drawn_garments, drawn_vessels, fundus, speech_features

PARTS = ("train", "validation", "test")

# Of an ordered training set, the share held back for validation: the last 5,000 of Fashion-MNIST's 60,000 images.
VALIDATION_SHARE = 1 / 12

# Sizes of the built-in sets: (drawn for training, its last twelfth being validation; drawn for test).
_SYNTHETIC_SIZES = {"fashion-mnist": (13200, 2000), "spoken-digits": (2400, 300), "retina": (24, 8)}
_DRAWN = "synthetic, drawn by code"


@dataclass(frozen=True)
class Layout:
    """What the arrays of one task look like; a length of None means: any, but the same throughout the part."""

    input_shape: Tuple[Optional[int], ...]
    """Shape of one input."""
    input_dtype: type
    """uint8 (full scale 255) or float32 (full scale 1)."""
    class_names: Tuple[str, ...]
    """Names of the classes 0, 1, ..."""
    script: str
    """The data script that makes the file, with its options."""
    per_pixel: bool = False
    """Whether each pixel has a label (and a region that counts) instead of each input."""


LAYOUTS = {
    "fashion-mnist": Layout((28, 28), np.uint8, drawn_garments.CLASS_NAMES, "fashion_mnist.py --out DIR"),
    "spoken-digits": Layout(
        (speech_features.ROWS, speech_features.FRAMES),
        np.float32,
        drawn_digits.CLASS_NAMES,
        "spoken_digits.py --out DIR --source fsdd.zip",
    ),
    "retina": Layout(
        (None, None),
        np.uint8,
        drawn_vessels.CLASS_NAMES,
        "retina.py --out DIR --source DRIVE (or the HRF zip)",
        per_pixel=True,
    ),
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """One part (training, validation or test) of a task's data."""

    inputs: np.ndarray
    """(n, ...) as the task's `Layout` says."""
    labels: np.ndarray
    """int64 (n,), or uint8 (n, height, width) where pixels are labelled."""
    class_names: Tuple[str, ...]
    """Names of the classes 0, 1, ..."""
    origin: str
    """What the data are and where they come from, one line."""
    region: Optional[np.ndarray] = None
    """bool (n, height, width): pixels that count; None where inputs are labelled as a whole."""

    def __len__(self):
        return len(self.inputs)


def load_training(task, source):
    """The training and the validation part of a task: (Dataset, Dataset). The test part is neither read nor drawn.

    task: a key of `LAYOUTS`. source: a folder that holds `TASK.npz`, or the word "synthetic". ConfigError for an
    unknown task; DataError when the file is missing (with the command that makes it), damaged or wrong.
    """
    _layout(task)
    if source == "synthetic":
        return _draw_training(task)
    return _read_part(task, source, "train"), _read_part(task, source, "validation")


def load_test(task, source):
    """The test part of a task: a Dataset. Arguments and errors as in `load_training`."""
    _layout(task)
    if source == "synthetic":
        return _dataset(LAYOUTS[task], _draw(task, "test", _SYNTHETIC_SIZES[task][1]), _DRAWN)
    return _read_part(task, source, "test")


def save(folder, task, parts, origin):
    """Check the parts and write `TASK.npz` into `folder` (made if missing), whole or not at all; returns its path.

    parts: dict part -> dict of "inputs", "labels" and, for pixel labels, "region". origin: one line on what the data
    are. DataError when an array is not as the task's `Layout` says.
    """
    layout = _layout(task)
    arrays = {"origin": np.array(origin)}
    for part in PARTS:
        for member in _members(layout):
            arrays[part + "_" + member] = np.ascontiguousarray(parts[part][member])
        _check(layout, {member: arrays[part + "_" + member] for member in _members(layout)}, task + " " + part)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, task + ".npz")
    files.write_npz(path, arrays)
    return path


def hold_back(parts):
    """Split ordered training data: the last twelfth is validation.

    parts: dict of arrays of one length, e.g. inputs and labels. Returns two such dicts: (training, validation).
    """
    n = len(parts["inputs"])
    keep = n - int(round(n * VALIDATION_SHARE))
    return {name: part[:keep] for name, part in parts.items()}, {name: part[keep:] for name, part in parts.items()}


def epoch_order(generator, n):
    """A random order of n items, int64 (n,): the same generator state gives the same order."""
    return generator.permutation(np.arange(n, dtype=np.int64))


def batches(order, size):
    """Cut an order into consecutive batches of exactly `size` items; a shorter rest is left out.

    The order differs each epoch, so the items left out do too. ConfigError unless 1 <= size <= len(order).
    """
    if not 1 <= size <= len(order):
        raise ConfigError(f"batch size {size}: must be 1..{len(order)}, the number of training items")
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def _layout(task):
    if task not in LAYOUTS:
        raise ConfigError("unknown task {!r}: choose one of {}".format(task, ", ".join(sorted(LAYOUTS))))
    return LAYOUTS[task]


def _members(layout):
    return ("inputs", "labels", "region") if layout.per_pixel else ("inputs", "labels")


def _read_part(task, folder, part):
    """One part from `folder/TASK.npz`, checked."""
    layout = LAYOUTS[task]
    path = os.path.join(os.fspath(folder), task + ".npz")
    if not os.path.isfile(path):
        script = layout.script.replace("DIR", os.fspath(folder))
        raise MissingFileError(f"{path}: there is no such file; make it with: python data_scripts/{script}")
    names = {part + "_" + member: member for member in _members(layout)}
    arrays = files.read_npz(path, list(names) + ["origin"])
    origin = arrays.pop("origin")
    if origin.dtype.kind != "U" or origin.shape != ():
        raise DataError(f"{path}: 'origin' must be one text, not {origin.dtype} {origin.shape}")
    named = {member: arrays[name] for name, member in names.items()}
    _check(layout, named, f"{path}, part {part}")
    return _dataset(layout, named, str(origin))


def _dataset(layout, arrays, origin):
    labels = arrays["labels"] if layout.per_pixel else arrays["labels"].astype(np.int64)
    return Dataset(arrays["inputs"], labels, layout.class_names, origin, arrays.get("region"))


def _check(layout, arrays, where):
    """DataError unless the arrays of one part have the layout's shapes, dtypes and ranges."""
    inputs, labels = arrays["inputs"], arrays["labels"]
    expected = ("n",) + tuple("any" if length is None else length for length in layout.input_shape)
    fits = inputs.ndim == len(expected) and all(
        want is None or want == length for want, length in zip(layout.input_shape, inputs.shape[1:])
    )
    if not fits or not inputs.size:
        message = "{}: the inputs have the shape {}, it must be ({}) with n > 0"
        raise DataError(message.format(where, inputs.shape, ", ".join(map(str, expected))))
    if inputs.dtype != layout.input_dtype:
        message = "{}: the inputs are {}, they must be {}"
        raise DataError(message.format(where, inputs.dtype, np.dtype(layout.input_dtype)))
    if inputs.dtype.kind == "f" and not (np.isfinite(inputs).all() and inputs.min() >= 0 and inputs.max() <= 1):
        wrong = np.flatnonzero(~((inputs >= 0) & (inputs <= 1)).reshape(len(inputs), -1).all(1))
        message = "{}: {} input(s) hold NaN or values outside 0..1, the first is number {}"
        raise DataError(message.format(where, len(wrong), wrong[0]))
    _check_like(labels, inputs, layout, "labels", where, "iu")
    if labels.min() < 0 or labels.max() >= len(layout.class_names):
        message = "{}: the labels run from {} to {}, they must be 0..{}"
        raise DataError(message.format(where, labels.min(), labels.max(), len(layout.class_names) - 1))
    if layout.per_pixel:
        _check_like(arrays["region"], inputs, layout, "region", where, "b")
        empty = np.flatnonzero(~arrays["region"].any((1, 2)))
        if empty.size:
            raise DataError(f"{where}: image {empty[0]} has an empty field of view")


def _check_like(array, inputs, layout, name, where, kinds):
    """DataError unless `array` has one entry per input (or per pixel) and a dtype of one of the kinds."""
    shape = inputs.shape if layout.per_pixel else inputs.shape[:1]
    if array.shape != shape:
        raise DataError(f"{where}: the shape of the {name} is {array.shape}, it must be {shape}")
    if array.dtype.kind not in kinds:
        wanted = "bool" if kinds == "b" else "integers"
        raise DataError(f"{where}: {name}: dtype {array.dtype}, it must be {wanted}")


def _draw_training(task):
    """The built-in training data: one drawing, its last twelfth held back."""
    training, validation = hold_back(_draw(task, "train", _SYNTHETIC_SIZES[task][0]))
    return _dataset(LAYOUTS[task], training, _DRAWN), _dataset(LAYOUTS[task], validation, _DRAWN)


def _draw(task, part, n):
    """n items of a built-in set as a dict of arrays. The set is fixed: it depends on the task and the part alone."""
    generator = rng.stream(0, "synthetic", task, part)
    if task == "fashion-mnist":
        images, labels = drawn_garments.garments(generator, n)
        return {"inputs": images, "labels": labels}
    if task == "spoken-digits":
        clips, labels = drawn_digits.spoken_digits(generator, n)
        return {"inputs": np.stack([speech_features.speech_features(clip) for clip in clips]), "labels": labels}
    grey, vessels, region = drawn_vessels.vessel_images(generator, n)
    flat = [fundus.normalise_contrast(image, seen, fundus.box_smooth) for image, seen in zip(grey, region)]
    return {"inputs": np.stack(flat), "labels": vessels, "region": region}

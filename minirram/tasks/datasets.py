"""Prepared data: one `.npz` per data set; splits, checks, batches. Never the internet.

A file holds the parts `train`, `validation` and `test`, each as `PART_inputs`, `PART_labels` and, for images that are
labelled pixel by pixel, `PART_region` (the field of view that counts), and one text `origin`. `data_scripts/` writes
these files with `save`. An `.npz` is read member by member: `load_training` never touches the test arrays, so
`load_test` is the one place where a test set is opened.
"""

import os
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Tuple

import numpy as np

from .. import files
from ..errors import ConfigError, DataError, MinirramError, MissingFileError, did_you_mean
from .codes import CodeRule

PARTS = ("train", "validation", "test")
SYNTHETIC = "synthetic"
"""the source of data that are drawn by code; every other source is a folder"""

# Of an ordered training set, the share held back for validation: the last 5,000 of Fashion-MNIST's 60,000 images.
VALIDATION_SHARE = 1 / 12


@dataclass(frozen=True)
class Layout:
    """What the arrays of a task look like and how its inputs become codes: plain data, which a run folder carries."""

    data_set: str
    """name of the data set: its file is NAME.npz"""
    input_shape: Tuple[Optional[int], ...]
    """shape of one input; None: any length, but the same throughout a part"""
    input_dtype: str
    """"uint8" or "float32\""""
    class_names: Tuple[str, ...]
    """names of the classes 0, 1, ..."""
    codes: CodeRule
    """how inputs become codes"""
    per_pixel: bool = False
    """whether each pixel has a label (and a region that counts) instead of each input; of two, class 1 is looked for"""
    mirrored: bool = False
    """whether an input and its mirror image are of one class, so that training swaps left and right at random"""
    script: str = ""
    """the data script that makes the file, with its options; "": there is none"""

    def __post_init__(self) -> None:
        if self.input_dtype not in ("uint8", "float32"):
            raise ConfigError(f"inputs of dtype {self.input_dtype!r}; choose 'uint8' or 'float32'")
        if not self.data_set or self.data_set != os.path.basename(self.data_set):
            raise ConfigError(f"a data set called {self.data_set!r}; its name is that of a file, without .npz")
        if len(self.class_names) < 2:
            raise ConfigError(f"{self.data_set} has {len(self.class_names)} classes; it must have at least two")
        if self.per_pixel and len(self.input_shape) not in (2, 3):
            raise ConfigError(f"{self.data_set}: images labelled by pixel are (height, width) or with channels behind")

    @property
    def members(self) -> Tuple[str, ...]:
        """Names of the arrays of one part."""
        return ("inputs", "labels", "region") if self.per_pixel else ("inputs", "labels")


@dataclass(frozen=True, eq=False)
class Dataset:
    """One part (training, validation or test) of a data set."""

    inputs: np.ndarray
    """(n, ...) as the `Layout` says"""
    labels: np.ndarray
    """int64 (n,), or uint8 (n, height, width) where pixels are labelled"""
    class_names: Tuple[str, ...]
    """names of the classes 0, 1, ..."""
    origin: str
    """what the data are and where they come from, one line"""
    region: Optional[np.ndarray] = None
    """bool (n, height, width): pixels that count; None where inputs are labelled as a whole"""

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.inputs.shape[1:])) or "1"
        classes = f"{len(self.class_names)} classes; {self.origin}"
        return f"<Dataset: {len(self):,} of {shape} {self.inputs.dtype}, {classes}>"


def load_training(layout: Layout, folder: str) -> Tuple[Dataset, Dataset]:
    """The training and the validation part in `folder/NAME.npz`. The test part is not read.

    DataError when the file is missing (with the command that makes it), damaged or not as the layout says.
    """
    return _read_part(layout, folder, "train"), _read_part(layout, folder, "validation")


def load_test(layout: Layout, folder: str) -> Dataset:
    """The test part in `folder/NAME.npz`. Errors as in `load_training`."""
    return _read_part(layout, folder, "test")


def save(folder: str, layout: Layout, *, parts: Mapping[str, Mapping[str, np.ndarray]], origin: str) -> str:
    """Check the parts and write `NAME.npz` into `folder` (made if missing), whole or not at all; returns its path.

    parts: part -> {"inputs", "labels" and, for pixel labels, "region": array}. origin: one line on what the data are.
    DataError when an array is not as the layout says.
    """
    arrays: Dict[str, np.ndarray] = {"origin": np.array(origin)}
    for part in PARTS:
        named = {member: np.ascontiguousarray(parts[part][member]) for member in layout.members}
        check(layout, named, where=f"{layout.data_set} {part}")
        arrays.update({f"{part}_{member}": array for member, array in named.items()})
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, layout.data_set + ".npz")
    files.write_npz(path, arrays)
    return path


def hold_back(parts: Mapping[str, np.ndarray]) -> Tuple[Dict[str, np.ndarray], Dict[str, np.ndarray]]:
    """Split ordered training data: the last twelfth is validation, at least one item.

    parts: arrays of one length by name, e.g. inputs and labels. Returns two such dicts: (training, validation).
    """
    n = len(parts["inputs"])
    keep = n - max(1, int(round(n * VALIDATION_SHARE)))
    return {name: part[:keep] for name, part in parts.items()}, {name: part[keep:] for name, part in parts.items()}


def epoch_order(generator: np.random.Generator, n: int) -> np.ndarray:
    """A random order of n items, int64 (n,): the same generator state gives the same order."""
    return generator.permutation(np.arange(n, dtype=np.int64))


def batches(order: np.ndarray, size: int) -> List[np.ndarray]:
    """Cut an order into consecutive batches of exactly `size` items; a shorter rest is left out.

    The order differs each epoch, so the items left out do too. ConfigError unless 1 <= size <= len(order).
    """
    if not 1 <= size <= len(order):
        raise ConfigError(f"batch size {size}: must be 1..{len(order)}, the number of training items")
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def dataset(layout: Layout, arrays: Mapping[str, np.ndarray], *, origin: str) -> Dataset:
    """The `Dataset` of the arrays of one part, which `check` has passed."""
    labels = arrays["labels"] if layout.per_pixel else arrays["labels"].astype(np.int64)
    return Dataset(arrays["inputs"], labels, layout.class_names, origin, arrays.get("region"))


def check(layout: Layout, arrays: Mapping[str, np.ndarray], *, where: str) -> None:
    """DataError unless the arrays of one part have the layout's shapes, dtypes and ranges. where: named in errors."""
    inputs, labels = arrays["inputs"], arrays["labels"]
    expected = ("n",) + tuple("any" if length is None else str(length) for length in layout.input_shape)
    fits = inputs.ndim == len(expected) and all(
        want is None or want == length for want, length in zip(layout.input_shape, inputs.shape[1:])
    )
    if not fits or not inputs.size:
        raise DataError(
            f"{where}: the inputs have the shape {inputs.shape}, it must be ({', '.join(expected)}) with n > 0"
        )
    if inputs.dtype != np.dtype(layout.input_dtype):
        raise DataError(f"{where}: the inputs are {inputs.dtype}, they must be {layout.input_dtype}")
    if inputs.dtype.kind == "f":
        _check_values(inputs, layout.codes, where)
    _check_like(labels, inputs, layout, "labels", where)
    if labels.min() < 0 or labels.max() >= len(layout.class_names):
        last = len(layout.class_names) - 1
        raise DataError(f"{where}: the labels run from {labels.min()} to {labels.max()}, they must be 0..{last}")
    if layout.per_pixel:
        _check_like(arrays["region"], inputs, layout, "region", where)
        empty = np.flatnonzero(~arrays["region"].any((1, 2)))
        if empty.size:
            raise DataError(f"{where}: image {empty[0]} has an empty field of view")


def _check_values(inputs: np.ndarray, rule: CodeRule, where: str) -> None:
    """DataError unless the values are finite and, where the rule does not cut them, within its range."""
    low, high = (-np.inf, np.inf) if rule.clips else (min(rule.low), max(rule.high))
    good = np.isfinite(inputs) & (inputs >= low) & (inputs <= high)
    if not good.all():
        wrong = np.flatnonzero(~good.reshape(len(inputs), -1).all(1))
        beyond = "infinity" if rule.clips else f"values outside {low:g}..{high:g}"
        raise DataError(f"{where}: {len(wrong)} input(s) hold NaN or {beyond}, the first is number {wrong[0]}")


def _check_like(array: np.ndarray, inputs: np.ndarray, layout: Layout, name: str, where: str) -> None:
    """DataError unless `array` has one entry per input (or per pixel) and its kind of dtype."""
    shape = inputs.shape[: 3 if layout.per_pixel else 1]
    if array.shape != shape:
        raise DataError(f"{where}: the shape of the {name} is {array.shape}, it must be {shape}")
    kinds, wanted = ("b", "bool") if name == "region" else ("iu", "integers")
    if array.dtype.kind not in kinds:
        raise DataError(f"{where}: {name}: dtype {array.dtype}, it must be {wanted}")


def _no_data(layout: Layout, folder: str) -> MinirramError:
    """Why there are no data in `folder`, and what would be right."""
    file = layout.data_set + ".npz"
    if os.path.isfile(folder):
        own = os.path.basename(folder) == file
        right = f"name the folder: {os.path.dirname(folder) or '.'}" if own else f"name a folder that holds {file}"
        return ConfigError(f"--data {folder}: a file; {right}")
    if not os.path.isdir(folder):
        close = did_you_mean(os.path.basename(folder), [SYNTHETIC]).replace(SYNTHETIC, f'"{SYNTHETIC}"')
        if close:
            return MissingFileError(f"{folder}: there is no such folder{close}")
    make = f"; make it with: python data_scripts/{layout.script.replace('DIR', folder)}" if layout.script else ""
    return MissingFileError(f"{os.path.join(folder, file)}: there is no such file{make}")


def _read_part(layout: Layout, folder: str, part: str) -> Dataset:
    """One part from `folder/NAME.npz`, checked."""
    path = os.path.join(os.fspath(folder), layout.data_set + ".npz")
    if not os.path.isfile(path):
        raise _no_data(layout, os.fspath(folder))
    names = {f"{part}_{member}": member for member in layout.members}
    arrays = files.read_npz(path, list(names) + ["origin"])
    origin = arrays.pop("origin")
    if origin.dtype.kind != "U" or origin.shape != ():
        raise DataError(f"{path}: 'origin' must be one text, not {origin.dtype} {origin.shape}")
    named = {member: arrays[name] for name, member in names.items()}
    check(layout, named, where=f"{path}, part {part}")
    return dataset(layout, named, origin=str(origin))

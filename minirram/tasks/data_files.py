"""Data of one's own from a file: `.npz` with documented keys, or a table of features; checked, split, ready to learn.

Keys of an `.npz`: `inputs` (n, ...) and `labels` (n,), or (n, height, width) where pixels are labelled, with `split`
(n,) and `region` (n, height, width) if there are; or the same per part, `train_inputs`, `train_labels` and so on for
`validation` and `test`. `class_names` and `origin` may be there, too.
"""

import os
import re
from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import ConfigError, DataError, MissingFileError, ShapeError, did_you_mean
from ..files import read_npz
from ..rng import stream
from .datasets import PARTS, SYNTHETIC, Dataset
from .feature_table import MISSING, Table, read_feature_table
from .labelled_data import LabelledData, Reading, checked_inputs, numbered, stratified

_PART_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
_INTEGER = re.compile("[+-]?[0-9]{1,18}")
TABLES = (".csv", ".tsv", ".txt")
MOST_PIXEL_CLASSES = 255
"""of pixels; 255 itself is what many data sets write where a pixel has no class"""
POLICIES = ("error", "drop", "mean")


@dataclass(frozen=True)
class DataRules:
    """How a file of data is read and split."""

    label: str = ""
    """name of the column of labels in a table; "": the last one"""
    leave_out: Tuple[str, ...] = ()
    """names of columns of a table that are no features, such as the number of a specimen"""
    split: str = "split"
    """column or key that says train, validation or test of each sample; without it the split is drawn"""
    validation: float = 0.15
    """share of the samples of each class that chooses the best epoch, where the split is drawn"""
    test: float = 0.15
    """share of the samples that is looked at once, at the end"""
    seed: int = 0
    """seed of a split that is drawn"""
    missing: str = "error"
    """samples with NaN or blanks: "error", "drop" them, or the "mean" of the training samples in their place"""

    def __post_init__(self) -> None:
        if self.missing not in POLICIES:
            raise ConfigError(f"missing is {self.missing!r}; choose one of {', '.join(POLICIES)}")
        if not (0 < self.validation and 0 < self.test and self.validation + self.test < 1):
            shares = f"validation is {self.validation:g} and test {self.test:g}"
            raise ConfigError(f"{shares}; shares lie above 0 and leave something to learn from")


def _no_file(path: str) -> str:
    """Why there is no file of data at a path."""
    if not os.path.isdir(path):
        close = did_you_mean(os.path.basename(path), [SYNTHETIC]).replace(SYNTHETIC, f'"{SYNTHETIC}"')
        return f"there is no such file{close}"
    own = f"python data_scripts/own_data.py --source {path} --out {os.path.normpath(path)}.npz"
    return f"a folder; data are one file, a folder per class becomes one by: {own}"


@dataclass(frozen=True, eq=False)
class _Samples:
    """What a file holds, before it is split."""

    path: str
    inputs: np.ndarray
    labels: np.ndarray
    region: Optional[np.ndarray] = None
    split: Optional[np.ndarray] = None
    class_names: Optional[Tuple[str, ...]] = None
    origin: str = ""
    taken: str = ""
    features: Tuple[str, ...] = ()
    lines: Tuple[int, ...] = ()

    def where(self, sample: int) -> str:
        """How messages call a sample."""
        return f"{self.path} line {self.lines[sample]}" if self.lines else f"{self.path}, sample {sample}"

    def chosen(self, keep: np.ndarray) -> "_Samples":
        """Those of a bool (n,)."""
        arrays = {
            name: array[keep] for name, array in (("region", self.region), ("split", self.split)) if array is not None
        }
        lines = tuple(np.array(self.lines)[keep].tolist()) if self.lines else ()
        return replace(self, inputs=self.inputs[keep], labels=self.labels[keep], lines=lines, **arrays)


def read_data(
    path: str, rules: Optional[DataRules] = None, *, class_names: Optional[Sequence[str]] = None
) -> LabelledData:
    """The data in a `.npz` or a table of features, in three parts.

    class_names: names of the classes in their order; default: those of the file, else its labels in order. DataError
    says what is wrong at which place.
    """
    rules = DataRules() if rules is None else rules
    if not os.path.isfile(path):
        raise MissingFileError(f"{path}: {_no_file(path)}")
    ending = os.path.splitext(path)[1].lower()
    if ending not in (".npz",) + TABLES:
        raise DataError(f"{path}: data are .npz or a table ({', '.join(TABLES)})")
    found = _of_npz(path, rules) if ending == ".npz" else _of_table(read_feature_table(path), rules)
    if len(found.inputs) != len(found.labels):
        raise ShapeError(f"{path}: {len(found.inputs)} inputs and {len(found.labels)} labels; one label per input")
    if not found.inputs.size:
        raise DataError(f"{path}: no samples ({found.taken})")
    found, missing, dropped = _without_missing(found, rules)
    if not len(found.inputs):
        raise DataError(f"{path}: a value is missing in all {missing} samples, and such samples are left out")
    names = class_names if class_names is not None else found.class_names
    if found.labels.ndim == 3:
        numbers, named = _pixel_labels(found, names)
    else:
        numbers, named = numbered(*_by_name(found, names))
    chosen, how = _split(found, numbers, named, rules=rules)
    if len(np.unique(numbers[chosen["train"]])) < 2:
        raise DataError(f"{path}: the train part has one class alone ({how}); there must be two at least")
    inputs = found.inputs
    if missing and rules.missing == "mean":
        inputs = _filled(inputs, chosen["train"], path)
    inputs = checked_inputs(inputs, f"{path}: the inputs")
    origin = found.origin or f"{os.path.basename(path)}, {found.taken}"
    region = _region(found) if found.labels.ndim == 3 else None
    parts = [
        Dataset(inputs[part], numbers[part], named, origin, None if region is None else region[part])
        for part in (chosen[name] for name in PARTS)
    ]
    reading = Reading(os.path.basename(path), found.taken, how, missing, rules.missing, dropped, found.features)
    return LabelledData(parts[0], parts[1], parts[2], reading)


def _of_table(table: Table, rules: DataRules) -> _Samples:
    """Columns of features, one of labels, and one of parts if there is one; an index column is left out, and said."""
    label = table.column(rules.label) if rules.label else len(table.names) - 1
    stated = [table.column(name) for name in rules.leave_out]
    if label in stated:
        raise ConfigError(f"{table.path}: {table.names[label]!r} is the column of labels; name another one, data.label")
    left_out = {label, *stated}
    split = None
    if rules.split in table.names:
        at = table.names.index(rules.split)
        if at == label and not rules.label:
            label = len(table.names) - 2
        left_out |= {at, label}
        split = np.array([row[at] for row in table.rows])
    elif rules.split != DataRules.split:
        table.column(rules.split)
    taken = table.taken
    if 0 not in left_out and _is_index(table):
        left_out.add(0)
        taken += ", index column left out"
    counting = [table.names[k] for k in range(len(table.names)) if k not in left_out and _counts(table, k)]
    if counting:
        taken += f", {', '.join(map(repr, counting))} numbers the rows but is taken for a feature"
    if stated:
        taken += f", {', '.join(map(repr, rules.leave_out))} left out"
    columns = [k for k in range(len(table.names)) if k not in left_out]
    if not columns:
        raise DataError(f"{table.path}: no column of features beside the labels")
    labels = np.array([row[label] for row in table.rows])
    empty = np.flatnonzero([text.lower() in MISSING[:5] for text in labels])
    if empty.size:
        raise DataError(f"{table.where(int(empty[0]), label)}: {str(labels[empty[0]])!r} is no label")
    taken += f", {len(columns)} features, label in {table.names[label]!r}"
    return _Samples(
        table.path,
        table.numbers(columns),
        labels,
        split=split,
        taken=taken,
        features=tuple(table.names[k] for k in columns),
        lines=tuple(table.lines),
    )


def _is_index(table: Table) -> bool:
    """Whether the first column is one without a name that counts the rows."""
    return table.has_header and table.names[0] in ("", "Unnamed: 0") and _counts(table, 0)


def _counts(table: Table, column: int) -> bool:
    """Whether a column holds the numbers of the rows, from 0 or 1."""
    cells = [row[column] for row in table.rows]
    return any(cells == [str(k + first) for k in range(len(cells))] for first in (0, 1))


def _of_npz(path: str, rules: DataRules) -> _Samples:
    """The arrays of an `.npz` by their keys."""
    arrays = read_npz(path)
    members = ("inputs", "labels", "region")
    if "inputs" not in arrays and "train_inputs" in arrays:
        arrays = _joined(path, arrays, members)
    lacking = [name for name in ("inputs", "labels") if name not in arrays]
    if lacking:
        raise DataError(
            f"{path}: lacks {' and '.join(lacking)}; it must hold inputs and labels, or train_inputs, train_labels "
            f"and so on. It holds {', '.join(sorted(arrays))}"
        )
    if rules.split != DataRules.split and rules.split not in arrays:
        raise DataError(f"{path}: no key {rules.split!r}; it holds {', '.join(sorted(arrays))}")
    inputs, labels = arrays["inputs"], arrays["labels"]
    if inputs.ndim < 2:
        raise ShapeError(f"{path}: the inputs have the shape {inputs.shape}; samples are (n, ...)")
    if labels.ndim not in (1, 3):
        raise ShapeError(f"{path}: the labels have the shape {labels.shape}, not (n,) or (n, height, width)")
    class_names = None
    if "class_names" in arrays:
        class_names = tuple(_texts(arrays["class_names"].ravel(), f"{path}: class_names").tolist())
    used = {*members, rules.split, "class_names", "origin"}
    unused = sorted(name for name in arrays if name not in used)
    taken = f"inputs {inputs.dtype} {inputs.shape}, labels {labels.dtype} {labels.shape}"
    taken += f", not used: {', '.join(unused)}" if unused else ""
    split = arrays.get(rules.split)
    return _Samples(
        path,
        inputs,
        labels,
        region=arrays.get("region"),
        split=None if split is None else _texts(split, f"{path}: {rules.split}"),
        class_names=class_names,
        origin=str(arrays["origin"]) if "origin" in arrays else "",
        taken=taken,
    )


def _texts(array: np.ndarray, what: str) -> np.ndarray:
    """An array as texts; bytes are UTF-8. DataError where they are not."""
    try:
        return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array.astype(str)
    except UnicodeDecodeError as error:
        raise DataError(f"{what} are no UTF-8 ({error})") from None


def _joined(path: str, arrays: Dict[str, np.ndarray], members: Sequence[str]) -> Dict[str, np.ndarray]:
    """Arrays by part as one set with a `split`."""
    parts = [part for part in PARTS if f"{part}_inputs" in arrays]
    found = {name: array for name, array in arrays.items() if not name.startswith(tuple(f"{part}_" for part in PARTS))}
    for member in members:
        there = [part for part in parts if f"{part}_{member}" in arrays]
        if there and there != parts:
            raise DataError(f"{path}: {member} of {' and '.join(there)} alone; there are the parts {', '.join(parts)}")
        if there:
            pieces = [arrays[f"{part}_{member}"] for part in parts]
            if len({piece.shape[1:] for piece in pieces}) > 1:
                shapes = ", ".join(str(piece.shape) for piece in pieces)
                raise ShapeError(f"{path}: {member} of the parts have the shapes {shapes}; samples must be alike")
            found[member] = np.concatenate(pieces)
    found["split"] = np.repeat(parts, [len(arrays[f"{part}_inputs"]) for part in parts])
    return found


def _without_missing(found: _Samples, rules: DataRules) -> Tuple[_Samples, int, int]:
    """(samples, how many have a value missing, how many of them were left out); DataError by the policy."""
    if found.inputs.dtype.kind != "f":
        return found, 0, 0
    holes = np.isnan(found.inputs).reshape(len(found.inputs), -1)
    bad = np.flatnonzero(holes.any(axis=1))
    if not bad.size or rules.missing == "mean":
        return found, int(bad.size), 0
    if rules.missing == "drop":
        keep: np.ndarray = np.ones(len(holes), bool)
        keep[bad] = False
        return found.chosen(keep), int(bad.size), int(bad.size)
    place = int(holes[bad[0]].argmax())
    value = f", {found.features[place]}" if found.features else ""
    raise DataError(
        f"{found.where(int(bad[0]))}{value}: no number (NaN or blank), as in {bad.size} sample(s); "
        'say what to do with them: data.missing "drop" or "mean" in the task (minirram task --data --missing writes it)'
    )


def _filled(inputs: np.ndarray, training: np.ndarray, path: str) -> np.ndarray:
    """NaN replaced by the mean of the training samples at the same place."""
    known = ~np.isnan(inputs[training])
    count = known.sum(axis=0)
    if not count.all():
        raise DataError(f"{path}: a feature without a value in the whole training part has no mean")
    mean = np.where(known, inputs[training], 0).sum(axis=0) / count
    return np.where(np.isnan(inputs), mean, inputs)


def _by_name(found: _Samples, names: Optional[Sequence[str]]) -> Tuple[np.ndarray, Optional[Tuple[str, ...]]]:
    """(labels, class names) for `numbered`: texts become numbers in the order of `names`, or of the numbers in them."""
    labels = found.labels
    if labels.dtype.kind not in "US":
        return labels, None if names is None else tuple(names)
    texts = _texts(labels, f"{found.path}: the labels")
    if names is None:
        if not all(map(_INTEGER.fullmatch, texts)):
            return texts, None
        names = [str(number) for number in sorted({int(text) for text in texts})]
        texts = np.array([str(int(text)) for text in texts])
    index = {name: k for k, name in enumerate(names)}
    unknown = [k for k, text in enumerate(texts) if text not in index]
    if unknown:
        raise DataError(f"{found.where(unknown[0])}: class {str(texts[unknown[0]])!r} is none of {', '.join(names)}")
    return np.array([index[text] for text in texts], np.int64), tuple(names)


def _pixel_labels(found: _Samples, names: Optional[Sequence[str]]) -> Tuple[np.ndarray, Tuple[str, ...]]:
    """(labels uint8 (n, height, width), names of their classes, two at least)."""
    labels = found.labels
    most = MOST_PIXEL_CLASSES if names is None else len(names)
    if labels.dtype.kind not in "iub" or not labels.size or labels.min() < 0 or labels.max() >= most:
        span = f"{labels.min()} to {labels.max()}" if labels.size and labels.dtype.kind in "iub" else "none"
        raise DataError(
            f"{found.path}: labels of pixels are integers 0 to {most - 1}, one for each class; they are "
            f"{labels.dtype}, {span}; pixels without a class are left out by region"
        )
    if labels.shape != found.inputs.shape[:3]:
        raise ShapeError(f"{found.path}: labels {labels.shape} of images {found.inputs.shape[:3]}; one label per pixel")
    if names is not None:
        return labels.astype(np.uint8), tuple(names)
    count = int(labels.max()) + 1
    named = ("background", "object") if count <= 2 else tuple(map(str, range(count)))
    return labels.astype(np.uint8), named


def _region(found: _Samples) -> np.ndarray:
    """Pixels that count: bool (n, height, width), all where the file names none."""
    if found.region is None:
        return np.ones(found.labels.shape, bool)
    if found.region.shape != found.labels.shape or found.region.dtype != bool:
        raise ShapeError(
            f"{found.path}: region {found.region.dtype} {found.region.shape}; it must be bool {found.labels.shape}"
        )
    return found.region


def _split(
    found: _Samples, numbers: np.ndarray, names: Tuple[str, ...], *, rules: DataRules
) -> Tuple[Dict[str, np.ndarray], str]:
    """(part -> indices, how the samples were split)."""
    n = len(numbers)
    drawn = f"seed {rules.seed}" if numbers.ndim == 3 else f"stratified, seed {rules.seed}"
    if found.split is None:
        shares = {"validation": rules.validation, "test": rules.test}
        return _drawn(numbers, names, shares, seed=rules.seed), drawn
    if found.split.shape != (n,):
        raise ShapeError(f"{found.path}: {rules.split!r} has the shape {found.split.shape}, not ({n},), one per sample")
    words = np.array([_PART_WORDS.get(str(word).strip().lower(), "") for word in found.split])
    unknown = np.flatnonzero(words == "")
    if unknown.size:
        raise DataError(
            f"{found.where(int(unknown[0]))}: {rules.split} is {str(found.split[unknown[0]])!r}; "
            "it must be train, validation or test"
        )
    chosen = {part: np.flatnonzero(words == part) for part in PARTS}
    if not chosen["train"].size:
        raise DataError(f"{found.path}: {rules.split} leaves no sample to train on")
    absent = {
        part: share for part, share in (("validation", rules.validation), ("test", rules.test)) if not chosen[part].size
    }
    if not absent:
        return chosen, f"by {rules.split!r}"
    own = chosen["train"]
    inner = _drawn(numbers[own], names, absent, seed=rules.seed)
    chosen.update({part: own[inner[part]] for part in inner})
    return chosen, f"by {rules.split!r}; {' and '.join(absent)} from train, {drawn}"


def _drawn(
    numbers: np.ndarray, names: Tuple[str, ...], shares: Dict[str, float], *, seed: int
) -> Dict[str, np.ndarray]:
    """part -> sorted indices: by class, or of whole images where pixels are labelled."""
    if numbers.ndim == 1:
        return stratified(numbers, names, shares=shares, seed=seed)
    order: List[int] = stream(seed, "split").permutation(len(numbers)).tolist()
    chosen = {}
    for part, share in shares.items():
        count = max(int(round(share * len(numbers))), 1)
        chosen[part], order = np.sort(np.array(order[:count], np.int64)), order[count:]
    if not order:
        raise DataError(f"{len(numbers)} images; the parts need at least {len(shares) + 1}")
    return dict(chosen, train=np.sort(np.array(order, np.int64)))

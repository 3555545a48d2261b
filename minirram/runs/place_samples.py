"""Samples for a network from elsewhere: what ranges are taken from, what is answered, what may be learned from."""

import os
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Union

import numpy as np

from ..errors import DataError, ShapeError
from ..files import read_npz
from ..nn.forward import plain_forward
from ..nn.network import output_shapes
from ..onnx_import.imported import Imported
from ..tasks.codes import CodeRule, answer_shape
from ..tasks.labelled_data import checked_inputs

Path = Union[str, "os.PathLike[str]"]
MOST_CALIBRATION = 64
"""samples at most from which ranges are taken"""
FLOAT_CHUNK = 16
"""samples that pass together through the float network"""
BATCH = 50
"""samples of a step of learning"""


@dataclass(frozen=True, eq=False)
class Samples:
    """What the chip is asked, and how its values become codes."""

    x: np.ndarray
    """float32 (n, height, width, channels)"""
    codes: np.ndarray
    """uint8, the same"""
    labels: Optional[np.ndarray]
    """int64 (n,), or per pixel; None: there are none"""
    calibration: int
    """samples from which ranges are taken"""
    rule: CodeRule
    """which values become codes"""
    zero: int
    """code of 0.0"""
    per_unit: float
    """codes per unit of value"""
    lessons: "Lessons"
    """what may be learned from"""
    expected: Callable[[np.ndarray], np.ndarray]
    """logits of the float network for inputs as in `x`"""
    by_pixel: bool
    """whether each pixel is answered, instead of each sample"""

    @classmethod
    def read(cls, path: Path, imported: Imported) -> "Samples":
        """Those of an `.npz`; their first half, MOST_CALIBRATION at most, gives the range.

        `inputs` and, where there are any, `labels`; `train_inputs` and `train_labels` to learn from, else what gives
        the range. Where labels are missing, the float network's answers stand for them. DataError, ShapeError.
        """
        arrays = read_npz(path)
        x, labels = _part(arrays, "", imported, os.fspath(path))
        calibration = min(MOST_CALIBRATION, max(len(x) // 2, 1))
        rule, zero = _input_rule(x[:calibration], imported.network.input_bits)
        fitted = replace(imported.network, input_zero=zero)
        taught, answers = x[:calibration], None if labels is None else labels[:calibration]
        if "train_inputs" in arrays:
            taught, answers = _part(arrays, "train_", imported, os.fspath(path))
        lessons = Lessons(rule.codes(taught, fitted), answers, taught, imported)
        per_unit = float(rule.step(fitted)[1][0])
        expected, by_pixel = partial(float_logits, imported), len(answer_shape(imported.network)) > 1
        return cls(x, rule.codes(x, fitted), labels, calibration, rule, zero, per_unit, lessons, expected, by_pixel)

    @property
    def rest(self) -> slice:
        """Those that are answered: all but the first; a single one does both."""
        return slice(self.calibration if len(self.x) > 1 else 0, None)

    def parts(self) -> Dict[str, Dict[str, np.ndarray]]:
        """What a run folder carries: to learn from, what ranges are taken from as validation, the rest as test.

        Where labels are missing, the float network's answers stand for them.
        """
        labels = self.expected(self.x).argmax(axis=-1) if self.labels is None else self.labels
        first = slice(0, self.calibration)
        found = {
            "train": {"inputs": self.lessons.x, "labels": self.lessons.labels()},
            "validation": {"inputs": self.x[first], "labels": labels[first]},
            "test": {"inputs": self.x[self.rest], "labels": labels[self.rest]},
        }
        if self.by_pixel:
            for part in found.values():
                part.update(labels=part["labels"].astype(np.uint8), region=np.ones(part["labels"].shape, bool))
        return found


class Lessons:
    """Samples to learn from, as a learner asks for them; their labels, or the float network's answers."""

    def __init__(self, codes: np.ndarray, labels: Optional[np.ndarray], x: np.ndarray, imported: Imported) -> None:
        self.codes = codes
        self.x = x
        self._labels = labels
        self._imported = imported

    def steps_per_epoch(self, recipe: Any) -> int:
        """Batches of one epoch."""
        return len(self.codes) // recipe.batch_size

    def batches(
        self, generator: np.random.Generator, recipe: Any
    ) -> Iterator[Tuple[np.ndarray, np.ndarray, Optional[np.ndarray]]]:
        """(codes, labels, None) of each step, in random order."""
        labels = self.labels()
        order = generator.permutation(len(self.codes))
        for k in range(self.steps_per_epoch(recipe)):
            chosen = order[k * recipe.batch_size : (k + 1) * recipe.batch_size]
            yield self.codes[chosen], labels[chosen], None

    def labels(self) -> np.ndarray:
        """Labels of the data, or the float network's answers."""
        if self._labels is None:
            self._labels = float_logits(self._imported, self.x).argmax(axis=-1)
        return self._labels

    def validation_score(self, predict: Callable[[np.ndarray], np.ndarray]) -> float:
        """0: all epochs count alike, the last is kept."""
        return 0.0


def _part(
    arrays: Mapping[str, np.ndarray], part: str, imported: Imported, path: str
) -> Tuple[np.ndarray, Optional[np.ndarray]]:
    """(inputs float32 (n, height, width, channels), labels int64 or None) of a part of an `.npz`.

    Where inputs fit both orders of axes, they are taken as the ONNX file has them: channels first.
    """
    if part + "inputs" not in arrays:
        raise DataError(f"{path}: lacks the array 'inputs'; it holds {', '.join(arrays) or 'nothing'}")
    inputs = checked_inputs(arrays[part + "inputs"], f"{path}: the {part}inputs").astype(np.float32)
    height, width, channels = imported.network.input_shape
    theirs, ours = imported.input_shape, (height, width, channels)
    found = inputs.shape[1:]
    if found == theirs:
        sides = (height, width) if len(theirs) == 3 else ((1, width) if len(theirs) == 2 else (1, 1))
        x = inputs.reshape((len(inputs), channels) + sides).transpose(0, 2, 3, 1)
    elif [side for side in found if side != 1] == [side for side in ours if side != 1]:
        x = inputs.reshape((len(inputs),) + ours)
    else:
        raise ShapeError(f"{path}: {part}inputs of shape {found}; the network takes {theirs}, or {ours}")
    labels = arrays.get(part + "labels")
    if labels is None:
        return x, None
    shape = output_shapes(imported.network)[imported.network.layers[-1].name]
    if labels.shape != (len(x),) + shape[:-1] or labels.dtype.kind not in "iub":
        expected = (len(x),) + shape[:-1]
        raise ShapeError(f"{path}: {part}labels {labels.dtype} {labels.shape}; expected integers {expected}")
    if labels.size and not 0 <= labels.min() <= labels.max() < shape[-1]:
        raise DataError(f"{path}: {part}labels {labels.min()} to {labels.max()} of {shape[-1]} classes, from 0")
    return x, labels.astype(np.int64)


def _input_rule(x: np.ndarray, bits: int) -> Tuple[CodeRule, int]:
    """(how values become codes, code of 0.0) for the range of `x`, which holds 0 with it: padding is 0."""
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    if low == high:
        raise DataError("the calibration inputs are all 0; there is no range to take")
    zero = int(np.clip(np.rint(-low / (high - low) * (2**bits - 1)), low < 0, 2**bits - 1 - (high > 0)))
    return CodeRule((low,), (high,), clips=True), zero


def float_logits(imported: Imported, x: np.ndarray) -> np.ndarray:
    """Logits of the float network: before quantisation, off the chip."""
    parts = [
        plain_forward(imported.network, imported.trained_weights, state=imported.state, x=x[k : k + FLOAT_CHUNK])
        for k in range(0, len(x), FLOAT_CHUNK)
    ]
    return np.concatenate(parts)


class Answers:
    """Samples to be answered, judged by labels and by the float network beside them; an examination of `examine`."""

    primary = "accuracy"

    def __init__(self, codes: np.ndarray, expected: np.ndarray, labels: Optional[np.ndarray]) -> None:
        self.codes = codes
        self.expected = expected
        self.right = expected.argmax(axis=-1) if labels is None else labels
        self.float_accuracy = None if labels is None else float(np.mean(expected.argmax(axis=-1) == labels))
        self._seen: List[Tuple[float, float]] = []

    def figures(self, predict: Callable[[np.ndarray], np.ndarray]) -> Dict[str, Any]:
        """`accuracy`; how near the logits are to the float network's is kept."""
        logits = predict(self.codes)
        off = np.square((logits - self.expected).astype(np.float64)).mean()
        size = np.square(self.expected.astype(np.float64)).mean()
        chosen = logits.argmax(axis=-1)
        agreement = float(np.mean(chosen == self.expected.argmax(axis=-1)))
        self._seen.append((agreement, float(np.sqrt(off / size)) if size else 0.0))
        return {"accuracy": float(np.mean(chosen == self.right))}

    @property
    def last_draw(self) -> Tuple[float, float]:
        """(share of the float network's answers, relative error of the logits); ideal reads were asked for after it."""
        return self._seen[-2]

    def __len__(self) -> int:
        return len(self.codes)

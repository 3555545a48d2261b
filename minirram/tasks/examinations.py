"""What a network is asked: samples or images to be answered, and the figures of an answer."""

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Optional, Tuple, TypeVar, Union

import numpy as np

from ..errors import ShapeError
from ..nn.network import Network
from . import metrics
from .codes import answer_shape
from .datasets import Dataset, Layout
from .fundus import predict_by_tiles, predict_by_windows

TILE_PX, TILE_STEP_PX = 96, 64
"""side and distance of the overlapping tiles from which a whole image is answered while a network learns"""
WINDOW_PX, WINDOW_OVERLAP_PX = 464, 32
"""largest side and least overlap of the windows of an examination: at most 1.3 times the pixels are computed"""
TILES = {"size": TILE_PX, "step": TILE_STEP_PX}

Images = TypeVar("Images", bound="WholeImages")
Fits = Callable[[Tuple[int, int]], Tuple[int, int]]
"""(height, width) -> the next size that a network takes, as `network.fitting_size`"""
Predict = Callable[[np.ndarray], np.ndarray]
"""uint8 codes (n, height, width, channels) -> logits (n, classes), or (n, height, width, classes)"""


@dataclass(frozen=True, eq=False)
class LabelExamination:
    """Samples with one label each, to be answered."""

    codes: np.ndarray
    """uint8 (n, height, width, channels)"""
    labels: np.ndarray
    """int64 (n,)"""
    classes: int
    """number of classes"""
    class_names: Optional[Tuple[str, ...]] = None
    """names of the classes 0, 1, ...; None: nobody named them"""
    primary = "accuracy"
    calls = 1  # of `predict`, for one set of figures

    def figures(self, predict: Predict) -> Dict[str, Any]:
        """How good `predict` (codes -> logits) is: dict with `accuracy` and `confusion`."""
        predicted = predict(self.codes).argmax(axis=1)
        confusion = metrics.confusion_matrix(predicted, self.labels, classes=self.classes)
        return {"accuracy": metrics.accuracy(predicted, self.labels), "confusion": confusion.tolist()}

    def first(self, n: int) -> "LabelExamination":
        """The examination's first `n` samples."""
        return replace(self, codes=self.codes[:n], labels=self.labels[:n])

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, eq=False)
class WholeImages:
    """Images whose pixels are to be labelled, judged inside the field of view."""

    codes: np.ndarray
    """uint8 (n, height, width, channels)"""
    labels: np.ndarray
    """integers (n, height, width), the class of each pixel"""
    region: np.ndarray
    """bool (n, height, width), pixels that count"""
    class_names: Optional[Tuple[str, ...]] = None
    """names of the classes 0, 1, ...; None: nobody named them"""

    @property
    def calls(self) -> int:
        """How many images are answered, each alone, for one set of figures."""
        return len(self.codes)

    def answer(self, index: int, predict: Predict, *, fits: Optional[Fits] = None) -> np.ndarray:
        """What `predict` (codes -> logits per pixel) says of one image: (height, width), or with classes behind.

        fits: for few large windows; None for tiles, as while a network learns.
        """
        image, answered = self.codes[index], self._of_logits(predict)
        if fits is None:
            return predict_by_tiles(answered, image, **TILES)
        return predict_by_windows(answered, image, fits=fits, largest=WINDOW_PX, overlap=WINDOW_OVERLAP_PX)

    def _of_logits(self, predict: Predict) -> Predict:
        """Codes -> what is blended."""
        raise NotImplementedError

    def scores(self, answers: np.ndarray) -> Dict[str, Any]:
        """How good the `answers` (n, height, width, ...) of all images are, pooled."""
        raise NotImplementedError

    def figures(self, predict: Predict) -> Dict[str, Any]:
        """How good `predict` is, asked in tiles."""
        return self.scores(np.stack([self.answer(index, predict) for index in range(len(self))]))

    def first(self: Images, n: int) -> Images:
        """The examination's first `n` images."""
        return replace(self, codes=self.codes[:n], labels=self.labels[:n], region=self.region[:n])

    def __len__(self) -> int:
        return len(self.codes)


class PixelExamination(WholeImages):
    """Of two classes, of which class 1 is looked for: an answer is its probability."""

    primary = "roc_auc"

    def _of_logits(self, predict: Predict) -> Predict:
        def probability(codes: np.ndarray) -> np.ndarray:
            logits = predict(codes)
            return 1.0 / (1.0 + np.exp(np.clip(logits[..., 0] - logits[..., 1], -80, 80)))

        return probability

    def scores(self, answers: np.ndarray) -> Dict[str, Any]:
        """`metrics.segmentation_scores`"""
        return metrics.segmentation_scores(answers, self.labels, region=self.region)


class PixelClassExamination(WholeImages):
    """Of more than two classes, all of which have names: an answer is the probability of each."""

    primary = "dice"

    def _of_logits(self, predict: Predict) -> Predict:
        return lambda codes: softmax(predict(codes))

    def scores(self, answers: np.ndarray) -> Dict[str, Any]:
        """`metrics.class_scores`"""
        classes = len(self.class_names or ())
        return metrics.class_scores(answers.argmax(axis=-1), self.labels, region=self.region, classes=classes)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of the classes, which are the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


Examination = Union[LabelExamination, PixelExamination, PixelClassExamination]


def examination(layout: Layout, data: Dataset, *, network: Network) -> Examination:
    """The examination of one part of a task's data. ShapeError when the network gives another number of classes."""
    classes = answer_shape(network)[-1]
    if classes != len(data.class_names):
        raise ShapeError(f"network {network.name} gives {classes} classes; the data have {len(data.class_names)}")
    codes = layout.codes.codes(data.inputs, network)
    if data.region is None:
        return LabelExamination(codes, data.labels, classes, data.class_names)
    if classes > 2:
        return PixelClassExamination(codes, data.labels, data.region, data.class_names)
    return PixelExamination(codes, data.labels, data.region, data.class_names)

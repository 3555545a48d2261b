"""What a network is asked: samples or images to be answered, and the figures of an answer."""

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Optional, Tuple, TypeVar, Union

import numpy as np

from ..errors import ShapeError
from ..nn.network import Network
from . import metrics
from .codes import answer_shape
from .datasets import Dataset, Layout
from .fundus import predict_by_tiles

TILE_PX, TILE_STEP_PX = 96, 64
"""side and distance of the overlapping tiles from which a whole image is answered"""
TILES = {"size": TILE_PX, "step": TILE_STEP_PX}

Images = TypeVar("Images", bound="WholeImages")
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
        """How often `predict` is called for one set of figures: once for each image."""
        return len(self.codes)

    def first(self: Images, n: int) -> Images:
        """The examination's first `n` images."""
        return replace(self, codes=self.codes[:n], labels=self.labels[:n], region=self.region[:n])

    def __len__(self) -> int:
        return len(self.codes)


class PixelExamination(WholeImages):
    """Of two classes, of which class 1 is looked for."""

    primary = "roc_auc"

    def figures(self, predict: Predict) -> Dict[str, Any]:
        """How good `predict` (codes -> logits per pixel) is, all images pooled: `metrics.segmentation_scores`."""
        return metrics.segmentation_scores(self.probabilities(predict), self.labels, region=self.region)

    def probabilities(self, predict: Predict) -> np.ndarray:
        """What `predict` says of each pixel: probability of the class that is looked for, (n, height, width)."""

        def probability(tiles: np.ndarray) -> np.ndarray:
            logits = predict(tiles)
            return 1.0 / (1.0 + np.exp(np.clip(logits[..., 0] - logits[..., 1], -80, 80)))

        return np.stack([predict_by_tiles(probability, image, **TILES) for image in self.codes])


class PixelClassExamination(WholeImages):
    """Of more than two classes, all of which have names."""

    primary = "dice"

    def figures(self, predict: Predict) -> Dict[str, Any]:
        """How good `predict` (codes -> logits per pixel) is, all images pooled: `metrics.class_scores`."""
        maps = [predict_by_tiles(lambda x: softmax(predict(x)), image, **TILES) for image in self.codes]
        predicted = np.stack([image.argmax(axis=-1) for image in maps])
        classes = len(self.class_names or ())
        return metrics.class_scores(predicted, self.labels, region=self.region, classes=classes)


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

"""What belongs together: a task's network, its data, how its inputs become codes, and its recipes."""

import zlib
from dataclasses import dataclass
from typing import Callable, Dict

import numpy as np

from ..errors import ConfigError, DataError
from ..learn.recipe import Recipe
from ..nn.layers.resample import max_pool_forward
from ..nn.network import Network
from . import datasets, metrics
from .fundus import Crops, predict_by_tiles

TILE_PX, TILE_STEP_PX = 96, 64
"""side and distance of the overlapping tiles from which a whole image is answered"""


@dataclass(frozen=True)
class Task:
    """One of the paper's tasks, or one beside them."""

    name: str
    """what the command line calls it"""
    build_network: Callable[[], Network]
    """gives the network"""
    recipes: Dict[str, Recipe]
    """how its masks are learned: "full", and "quick" in a few minutes"""
    to_codes: Callable[[np.ndarray, int], np.ndarray]
    """(inputs of the data set, input bits) -> uint8 codes (n, height, width, channels)"""
    per_pixel: bool = False
    """whether every pixel has a label, and training cuts crops out of whole images"""
    data_set: str = ""
    """name of the data set, when it is another task's"""
    mirrored: bool = False
    """whether left and right of training images are swapped at random"""

    def load_training(self, source, network):
        """Training and validation data from `source` (a folder, or "synthetic")."""
        training, validation = datasets.load_training(self.data_set or self.name, source)
        codes = self.to_codes(training.inputs, network.input_bits)
        held_back = self._examination(validation, network)
        if self.per_pixel:
            return CropData(codes, training, held_back, network)
        return LabelledData(codes, training.labels, held_back, training.class_names, training.origin, self.mirrored)

    def load_test(self, source, network):
        """The test set as an examination. Every call is an opening of the test set: the caller logs it."""
        return self._examination(datasets.load_test(self.data_set or self.name, source), network)

    def _examination(self, data, network):
        codes = self.to_codes(data.inputs, network.input_bits)
        if self.per_pixel:
            return PixelExamination(codes, data.labels, data.region)
        return LabelExamination(codes, data.labels, len(data.class_names))


@dataclass(frozen=True, eq=False)
class LabelExamination:
    """Samples with one label each, to be answered."""

    codes: np.ndarray
    """uint8 (n, height, width, channels)"""
    labels: np.ndarray
    """int64 (n,)"""
    classes: int
    """number of classes"""
    primary = "accuracy"

    def figures(self, predict):
        """How good `predict` (codes -> logits) is: dict with `accuracy` and `confusion`."""
        predicted = predict(self.codes).argmax(axis=1)
        confusion = metrics.confusion_matrix(predicted, self.labels, self.classes)
        return {"accuracy": metrics.accuracy(predicted, self.labels), "confusion": confusion.tolist()}

    def first(self, n):
        """The examination's first `n` samples."""
        return LabelExamination(self.codes[:n], self.labels[:n], self.classes)

    def __len__(self):
        return len(self.codes)


@dataclass(frozen=True, eq=False)
class PixelExamination:
    """Whole images whose pixels are to be labelled, judged inside the field of view."""

    codes: np.ndarray
    """uint8 (n, height, width, 1)"""
    labels: np.ndarray
    """uint8 (n, height, width), 1 = vessel"""
    region: np.ndarray
    """bool (n, height, width), pixels that count"""
    primary = "roc_auc"

    def figures(self, predict):
        """How good `predict` (codes -> logits per pixel) is, all images pooled: `metrics.segmentation_scores`."""

        def vessel_probability(tiles):
            logits = predict(tiles[..., None])
            return 1.0 / (1.0 + np.exp(np.clip(logits[..., 0] - logits[..., 1], -80, 80)))

        maps = [predict_by_tiles(vessel_probability, image[..., 0], TILE_PX, TILE_STEP_PX) for image in self.codes]
        return metrics.segmentation_scores(np.stack(maps), self.labels, self.region)

    def first(self, n):
        """The examination's first `n` images."""
        return PixelExamination(self.codes[:n], self.labels[:n], self.region[:n])

    def __len__(self):
        return len(self.codes)


class LabelledData:
    """Training samples with one label each, and an examination to validate on."""

    def __init__(self, codes, labels, validation, class_names, origin, mirrored=False):
        self.mirrored = mirrored
        self.codes, self.labels = codes, labels
        self.validation = validation
        self.class_names = class_names
        self.origin = origin

    @property
    def crc(self):
        """CRC-32 of the training samples and their labels: whether a run goes on with the data it began with."""
        return zlib.crc32(self.labels.astype("<i8").tobytes(), zlib.crc32(self.codes.tobytes()))

    def steps_per_epoch(self, recipe):
        """Whole batches in one pass; ConfigError when there is none."""
        if recipe.samples_per_epoch is not None:
            raise ConfigError("samples_per_epoch applies to tasks that train on crops; here an epoch is one pass")
        if recipe.batch_size > len(self.codes):
            raise ConfigError(f"batch size {recipe.batch_size}: the training set has {len(self.codes)} samples")
        return len(self.codes) // recipe.batch_size

    def batches(self, generator, recipe):
        """One pass in random order: (codes, labels, None); what does not fill a batch is left out."""
        order = datasets.epoch_order(generator, len(self.codes))
        for chosen in datasets.batches(order, recipe.batch_size):
            codes = self.codes[chosen]
            if self.mirrored:
                turned = generator.random(len(codes)) < 0.5
                codes[turned] = codes[turned, :, ::-1]
            yield codes, self.labels[chosen], None

    def validation_score(self, predict):
        """The examination's primary figure for `predict` (codes -> logits)."""
        return self.validation.figures(predict)[self.validation.primary]

    def calibration_codes(self, n=200):
        """`n` inputs from all over the training set, which may be sorted by class, for the range of the ADCs."""
        spread = np.linspace(0, len(self.codes) - 1, min(n, len(self.codes)))
        return self.codes[spread.astype(np.int64)]


class CropData:
    """Random turned crops of whole images with a label per pixel, and an examination of whole images."""

    def __init__(self, codes, training, validation, network):
        size = network.input_shape[0]
        self.crops = Crops(codes[..., 0], training.labels, training.region, size)
        self.crc = zlib.crc32(training.labels.tobytes(), zlib.crc32(codes.tobytes()))
        self.validation = validation
        self.class_names = training.class_names
        self.origin = training.origin

    def steps_per_epoch(self, recipe):
        """Batches in one epoch of `recipe.samples_per_epoch` crops."""
        if recipe.samples_per_epoch is None or recipe.samples_per_epoch < recipe.batch_size:
            raise ConfigError(
                f"samples_per_epoch is {recipe.samples_per_epoch}; an epoch of crops needs at least "
                f"the batch size, {recipe.batch_size}"
            )
        return recipe.samples_per_epoch // recipe.batch_size

    def batches(self, generator, recipe):
        """One epoch of crops: (codes, labels, weight), weight 0 outside the field of view."""
        for _ in range(self.steps_per_epoch(recipe)):
            codes, labels, region = self.crops.draw(generator, recipe.batch_size)
            yield codes[..., None], labels.astype(np.int64), region.astype(np.float32)

    def validation_score(self, predict):
        """The examination's primary figure for `predict` (codes -> logits per pixel)."""
        return self.validation.figures(predict)[self.validation.primary]

    def calibration_codes(self, n=20):
        """`n` crops, always the same, for the range of the ADCs."""
        return self.crops.draw(np.random.default_rng(0), n)[0][..., None]


def pooled_pixels(images, bits):
    """uint8 images (n, 28, 28), max-pooled by 2 -> codes (n, 14, 14, 1) = rint(pixel / 255 * (2^bits - 1))."""
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(f"images are {images.dtype} {images.shape}, expected uint8 (n, height, width)")
    return pixels(max_pool_forward(images[..., None])[..., 0], bits)


def pixels(images, bits):
    """uint8 images (n, height, width) -> codes (n, height, width, 1) = rint(pixel / 255 * (2^bits - 1))."""
    return np.rint(images[..., None] * np.float32((2**bits - 1) / 255)).astype(np.uint8)


def unit_features(features, bits):
    """Features in 0..1 (n, rows, frames) -> codes (n, rows, frames, 1) = rint(feature * (2^bits - 1))."""
    return np.rint(features[..., None] * np.float32(2**bits - 1)).astype(np.uint8)

"""What a learner is given: batches of codes and labels, a score on validation data, codes for calibration."""

import zlib
from typing import Iterator, Optional, Tuple, Union

import numpy as np

from ..errors import ConfigError, DataError, ShapeError
from ..learn.recipe import Schedule
from ..nn.network import Network
from . import datasets
from .datasets import Dataset, Layout
from .examinations import Examination, Predict, examination
from .fundus import Crops

Batch = Tuple[np.ndarray, np.ndarray, Optional[np.ndarray]]
"""(codes, labels, weight of each pixel or None)"""


class SampleData:
    """Training samples with one label each, and an examination to validate on."""

    def __init__(
        self, codes: np.ndarray, labels: np.ndarray, *, validation: Examination, origin: str, mirrored: bool = False
    ) -> None:
        self.codes, self.labels = codes, labels
        self.validation = validation
        self.origin = origin
        self.mirrored = mirrored

    @property
    def crc(self) -> int:
        """CRC-32 of the training samples and their labels: whether a run goes on with the data it began with."""
        return zlib.crc32(self.labels.astype("<i8").tobytes(), zlib.crc32(self.codes.tobytes()))

    def steps_per_epoch(self, recipe: Schedule) -> int:
        """Whole batches in one pass; ConfigError when there is none."""
        if recipe.samples_per_epoch is not None:
            raise ConfigError("samples_per_epoch applies to tasks that train on crops; here an epoch is one pass")
        if recipe.batch_size > len(self.codes):
            raise ConfigError(f"batch size {recipe.batch_size}: the training set has {len(self.codes)} samples")
        return len(self.codes) // recipe.batch_size

    def batches(self, generator: np.random.Generator, recipe: Schedule) -> Iterator[Batch]:
        """One pass in random order: (codes, labels, None); what does not fill a batch is left out."""
        order = datasets.epoch_order(generator, len(self.codes))
        for chosen in datasets.batches(order, recipe.batch_size):
            codes = self.codes[chosen]
            if self.mirrored:
                turned = generator.random(len(codes)) < 0.5
                codes[turned] = codes[turned, :, ::-1]
            yield codes, self.labels[chosen], None

    def validation_score(self, predict: Predict) -> float:
        """The examination's primary figure for `predict` (codes -> logits)."""
        return self.validation.figures(predict)[self.validation.primary]

    def calibration_codes(self, n: int = 200) -> np.ndarray:
        """`n` inputs from all over the training set, which may be sorted by class, for the range of the ADCs."""
        spread = np.linspace(0, len(self.codes) - 1, min(n, len(self.codes)))
        return self.codes[spread.astype(np.int64)]


class CropData:
    """Random turned crops of whole images with a label per pixel, and an examination of whole images."""

    def __init__(self, codes: np.ndarray, training: Dataset, *, validation: Examination, size: int) -> None:
        """size: side of a crop, pixels."""
        if training.region is None:
            raise DataError("images that are labelled by pixel need a region: the pixels that count")
        self.crops = Crops(codes, training.labels, region=training.region, size=size)
        self.crc = zlib.crc32(training.labels.tobytes(), zlib.crc32(codes.tobytes()))
        self.validation = validation
        self.origin = training.origin

    def steps_per_epoch(self, recipe: Schedule) -> int:
        """Batches in one epoch of `recipe.samples_per_epoch` crops."""
        if recipe.samples_per_epoch is None or recipe.samples_per_epoch < recipe.batch_size:
            raise ConfigError(
                f"samples_per_epoch is {recipe.samples_per_epoch}; an epoch of crops needs at least "
                f"the batch size, {recipe.batch_size}"
            )
        return recipe.samples_per_epoch // recipe.batch_size

    def batches(self, generator: np.random.Generator, recipe: Schedule) -> Iterator[Batch]:
        """One epoch of crops: (codes, labels, weight), weight 0 outside the field of view."""
        for _ in range(self.steps_per_epoch(recipe)):
            codes, labels, region = self.crops.draw(generator, recipe.batch_size)
            yield codes, labels.astype(np.int64), region.astype(np.float32)

    def validation_score(self, predict: Predict) -> float:
        """The examination's primary figure for `predict` (codes -> logits per pixel)."""
        return self.validation.figures(predict)[self.validation.primary]

    def calibration_codes(self, n: int = 20) -> np.ndarray:
        """`n` crops, always the same, for the range of the ADCs."""
        return self.crops.draw(np.random.default_rng(0), n)[0]


TrainingData = Union[SampleData, CropData]


def training_data(layout: Layout, training: Dataset, *, validation: Dataset, network: Network) -> TrainingData:
    """What a learner of `network` is given of a training and a validation part."""
    codes = layout.codes.codes(training.inputs, network)
    held_back = examination(layout, validation, network=network)
    if layout.per_pixel:
        height, width = network.input_shape[:2]
        if height != width:
            raise ShapeError(f"network {network.name} takes {height} x {width} pixels; crops to learn from are square")
        return CropData(codes, training, validation=held_back, size=network.input_shape[0])
    return SampleData(codes, training.labels, validation=held_back, origin=training.origin, mirrored=layout.mirrored)

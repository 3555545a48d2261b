"""What belongs together: a task's network, its data, how its inputs become codes, and its default recipe."""

from dataclasses import dataclass
from typing import Callable

import numpy as np

from . import datasets, metrics
from .errors import ConfigError, DataError
from .layers import max_pool_forward
from .networks import Network, fashion_mnist_cnn
from .training import Recipe


@dataclass(frozen=True)
class Task:
    """One of the paper's tasks."""

    name: str
    """what the command line calls it"""
    build_network: Callable[[], Network]
    """gives the network"""
    recipe: Recipe
    """how its masks are learned by default"""
    demo_recipe: Recipe
    """the same in a minute, for built-in data"""
    to_codes: Callable[[np.ndarray, int], np.ndarray]
    """(inputs of the data set, input bits) -> uint8 codes (n, height, width, channels)"""

    def load_training(self, source, network):
        """Training and validation data from `source` (a folder, or "synthetic") as a `LabelledData`."""
        training, validation = datasets.load_training(self.name, source)
        return LabelledData(
            self.to_codes(training.inputs, network.input_bits),
            training.labels,
            self.to_codes(validation.inputs, network.input_bits),
            validation.labels,
            training.class_names,
            training.origin,
        )

    def load_test(self, source, network):
        """The test set: (codes, labels). Every call is an opening of the test set: the caller logs it."""
        test = datasets.load_test(self.name, source)
        return self.to_codes(test.inputs, network.input_bits), test.labels


class LabelledData:
    """Training and validation samples with one label each, as `training.MaskLearner` reads them."""

    def __init__(self, codes, labels, validation_codes, validation_labels, class_names, origin):
        self.codes, self.labels = codes, labels
        self.validation_codes, self.validation_labels = validation_codes, validation_labels
        self.class_names = class_names
        self.origin = origin

    def steps_per_epoch(self, batch_size):
        """Whole batches in one pass; ConfigError when there is none."""
        if batch_size > len(self.codes):
            raise ConfigError("batch size {}: the training set has {} samples".format(batch_size, len(self.codes)))
        return len(self.codes) // batch_size

    def batches(self, generator, batch_size):
        """One pass in random order: (codes, labels, None); what does not fill a batch is left out."""
        order = datasets.epoch_order(generator, len(self.codes))
        for chosen in datasets.batches(order, batch_size):
            yield self.codes[chosen], self.labels[chosen], None

    def validation_score(self, predict):
        """Accuracy of `predict` (codes -> logits) on the validation set."""
        return metrics.accuracy(predict(self.validation_codes).argmax(axis=1), self.validation_labels)

    def calibration_codes(self, n=200):
        """The first `n` training inputs, for the range of the ADCs."""
        return self.codes[:n]


def pooled_pixels(images, bits):
    """uint8 images (n, 28, 28), max-pooled by 2 -> codes (n, 14, 14, 1) = rint(pixel / 255 * (2^bits - 1))."""
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError("images are {} {}, expected uint8 (n, height, width)".format(images.dtype, images.shape))
    pooled = max_pool_forward(images[..., None])
    return np.rint(pooled * np.float32((2**bits - 1) / 255)).astype(np.uint8)


TASKS = {
    "fashion-mnist": Task(
        name="fashion-mnist",
        build_network=fashion_mnist_cnn,
        recipe=Recipe(),
        demo_recipe=Recipe(epochs=8, batch_size=120),
        to_codes=pooled_pixels,
    ),
}


def task(name):
    """The task called `name`; ConfigError lists the names when there is none."""
    try:
        return TASKS[name]
    except KeyError:
        raise ConfigError("no task {!r}; choose one of {}".format(name, ", ".join(TASKS))) from None

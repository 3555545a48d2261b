"""A network, a chip and data small enough for a test to train in a second."""

import numpy as np

from minirram.chip.chip import Chip
from minirram.device.presets import TAOX_40NM
from minirram.inference.calibration import calibrate_adcs
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.recipe import Recipe
from minirram.nn.layers.activation import Quantize, Relu
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.layers.resample import MaxPool
from minirram.nn.network import Network, matrices
from minirram.rng import stream
from minirram.tasks import datasets, drawn_garments, fashion_mnist


def tiny_network(bits=4):
    """A padded convolution, a pool, an affine batch norm and two linear layers on 6 x 6 signed pixels; 3 classes."""
    return Network(
        "tiny",
        (6, 6, 1),
        bits,
        (
            Conv2d("conv", 1, 8, (3, 3), (1, 1), (1, 1)),
            MaxPool("pool"),
            BatchNorm("bn", 8, affine=True),
            Relu("relu"),
            Quantize("act", bits),
            Flatten("flatten"),
            Linear("fc1", 72, 12),
            Relu("relu2"),
            Quantize("act2", bits),
            Linear("fc2", 12, 3),
        ),
        input_zero=4,
    )


class StripeData:
    """Bright rows, columns or a checker on 6 x 6 pixels, with noise: what `tasks.training_data.SampleData` offers."""

    def __init__(self, seed=0):
        generator = np.random.default_rng(seed)
        self.codes, self.labels = self._draw(generator, 300)
        self.validation_codes, self.validation_labels = self._draw(generator, 90)

    @staticmethod
    def _draw(generator, n):
        labels = generator.integers(0, 3, n)
        phase = generator.integers(0, 2, n)[:, None, None]
        row, col = np.mgrid[0:6, 0:6]
        pattern = np.choose(labels[:, None, None].astype(np.intp), [row + phase, col + phase, row + col + phase]) % 2
        codes = pattern * 9 + generator.integers(0, 7, (n, 6, 6))
        return codes.astype(np.uint8)[..., None], labels.astype(np.int64)

    def steps_per_epoch(self, recipe):
        return len(self.codes) // recipe.batch_size

    def batches(self, generator, recipe):
        order = datasets.epoch_order(generator, len(self.codes))
        for chosen in datasets.batches(order, recipe.batch_size):
            yield self.codes[chosen], self.labels[chosen], None

    def validation_score(self, predict):
        return float(np.mean(predict(self.validation_codes).argmax(axis=1) == self.validation_labels))

    def calibration_codes(self, n=200):
        return self.codes[:n]


def tiny_recipe(**changes):
    """A recipe for `StripeData`."""
    return Recipe(**dict(dict(epochs=4, batch_size=20, hysteresis=0.002, hysteresis_end=0.001), **changes))


def tiny_chip(recipe, network=None, model=TAOX_40NM, lines=None):
    """A formed chip for the tiny network."""
    chip = Chip.sample(
        model, matrices(network or tiny_network()), level=recipe.level, seed=recipe.chip_seed, lines=lines
    )
    chip.form(model.forming_voltage_V(recipe.formed_share))
    return chip


def tiny_learner(threads=1, model=TAOX_40NM, faults=None, **changes):
    """A mask learner on the tiny network."""
    recipe = tiny_recipe(**changes)
    return MaskLearner(tiny_network(), tiny_chip(recipe, model=model), recipe=recipe, threads=threads, faults=faults)


def tiny_adcs(learner, codes, adc_bits):
    """ADCs of a learner's chip, calibrated on input codes."""
    return calibrate_adcs(
        learner.network,
        learner.state,
        codes=codes,
        chip=learner.chip,
        scales_S=learner.scales_S,
        adc_bits=adc_bits,
        arrangement="pair",
    )


def save_garments(folder, **sizes):
    """Write a small fashion-mnist.npz of drawn garments into `folder`; sizes: samples of train, validation and test."""
    parts = {}
    for part, n in sizes.items():
        inputs, labels = drawn_garments.garments(stream(0, part), n)
        parts[part] = {"inputs": inputs, "labels": labels}
    datasets.save(str(folder), fashion_mnist.LAYOUT, parts=parts, origin="drawn for a test")

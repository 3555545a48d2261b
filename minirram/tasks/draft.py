"""A first task for data: a small network that fits them, to be edited."""

from typing import List, Tuple

import numpy as np

from ..errors import ShapeError
from ..learn.recipe import Recipe
from ..nn.layers.activation import Quantize, Relu
from ..nn.layers.base import Layer
from ..nn.layers.convolution import Conv2d
from ..nn.layers.join import Flatten
from ..nn.layers.linear import Linear
from ..nn.layers.norm import BatchNorm
from ..nn.layers.resample import GlobalAverage, MaxPool
from ..nn.network import Network
from .labelled_data import LabelledData
from .task import Task

BITS = 4
"""of all codes"""
HIDDEN = 64
"""features of the hidden layer"""
STEPS = 1500
"""optimiser steps that a first training takes about"""
_SHORTEST = 16
"""a window or a side of an image below it is no signal to convolve: its values are features"""


def draft(name: str, data: LabelledData) -> Task:
    """A task for data with a label per sample, whose layers, codes and recipe are a beginning.

    Feature vectors get two full layers; windows and images get convolutions. Data with negative values get signed
    codes. ShapeError for images labelled by pixel.
    """
    if data.training.region is not None:
        raise ShapeError("images labelled by pixel have no draft; start from: minirram task retina")
    inputs = data.training.inputs
    shape = _input_shape(inputs.shape[1:])
    classes = len(data.training.class_names)
    layers = (
        _full(shape, classes) if min(shape[:2]) == 1 > 0 and shape[1] < _SHORTEST else _convolutions(shape, classes)
    )
    zero = 2 ** (BITS - 1) if inputs.min() < 0 else 0
    network = Network(name, shape, BITS, layers, input_zero=zero)
    n = len(data.training)
    batch = int(np.clip(n // 20, 1, 100))
    epochs = int(np.clip(STEPS * batch // n, 5, 100))
    recipe = Recipe(epochs=epochs, batch_size=batch, hysteresis=0.001, hysteresis_end=0.0007)
    return Task(name, network, data.layout(network, name), {"full": recipe})


def _input_shape(sample: Tuple[int, ...]) -> Tuple[int, int, int]:
    """height, width, channels: two axes with few of the last are a window, else a grey image."""
    if len(sample) == 1:
        return 1, 1, sample[0]
    if len(sample) == 2:
        return (1,) + sample if sample[1] <= 4 else sample + (1,)  # type: ignore[return-value]
    return sample  # type: ignore[return-value]


def _full(shape: Tuple[int, int, int], classes: int) -> Tuple[Layer, ...]:
    """Two full layers."""
    fan_in = shape[0] * shape[1] * shape[2]
    return (
        Flatten("features"),
        Linear("hidden", fan_in, HIDDEN),
        BatchNorm("norm", HIDDEN, affine=True),
        Relu("relu"),
        Quantize("codes", BITS),
        Linear("classes", HIDDEN, classes),
    )


def _convolutions(shape: Tuple[int, int, int], classes: int) -> Tuple[Layer, ...]:
    """Three convolutions, in time where the height is 1, then the mean over all places."""
    in_time = shape[0] == 1
    layers: List[Layer] = []
    channels = shape[2]
    for k, width in enumerate((16, 32, 64), 1):
        kernel, padding = ((1, 5), (0, 2)) if in_time else ((3, 3), (1, 1))
        stride = ((1, 2) if in_time else (2, 2)) if k > 1 else (1, 1)
        layers += [
            Conv2d(f"conv{k}", channels, width, kernel, stride, padding),
            BatchNorm(f"norm{k}", width, affine=True),
            Relu(f"relu{k}"),
        ]
        if k == 1 and not in_time and min(shape[:2]) >= 2 * _SHORTEST:
            layers.append(MaxPool("pool"))
        if k < 3:
            layers.append(Quantize(f"codes{k}", BITS))
        channels = width
    return (*layers, GlobalAverage("mean"), Quantize("codes3", BITS), Linear("classes", channels, classes))

"""Spoken digits on the CRNN of Li et al. (arXiv 2311.07164): 23 speech features in 20 frames, ten classes."""

from typing import Dict

import numpy as np

from ..learn.recipe import Recipe
from ..nn.layers.activation import Quantize, Relu
from ..nn.layers.convolution import Conv2d
from ..nn.layers.linear import Linear
from ..nn.layers.norm import BatchNorm
from ..nn.layers.recurrent import Rnn
from ..nn.layers.resample import GlobalAverage, MaxPool
from ..nn.network import Network
from .codes import CodeRule
from .datasets import Layout
from .drawn_digits import CLASS_NAMES, spoken_digits
from .speech_features import FRAMES, ROWS, speech_features
from .task import Drawing, Task


def spoken_digit_crnn(bits: int = 3, conv1: int = 64, *, conv2: int = 32, rnn: int = 128, hidden: int = 256) -> Network:
    """The Spoken Digit CRNN: 68,480 weights, 0.394 M MACs on 23 features x 20 frames."""
    return Network(
        "spoken-digit-crnn",
        (23, 20, 1),
        bits,
        (
            Conv2d("conv1", 1, conv1, (3, 2), (2, 1)),
            MaxPool("pool1"),
            BatchNorm("bn1", conv1),
            Relu("relu1"),
            Quantize("act1", bits),
            Conv2d("conv2", conv1, conv2, (3, 2), (2, 1)),
            MaxPool("pool2"),
            BatchNorm("bn2", conv2),
            Relu("relu2"),
            Quantize("act2", bits),
            Rnn("rnn", conv2, rnn, bits),
            GlobalAverage("mean"),
            Quantize("act3", bits),
            Linear("fc1", rnn, hidden),
            Relu("relu4"),
            Quantize("act4", bits),
            Linear("fc2", hidden, 10),
        ),
    )


def draw(generator: np.random.Generator, n: int) -> Dict[str, np.ndarray]:
    """The features of `n` clips synthesised by code."""
    clips, labels = spoken_digits(generator, n)
    return {"inputs": np.stack([speech_features(clip) for clip in clips]), "labels": labels}


TASK = Task(
    name="spoken-digits",
    network=spoken_digit_crnn(),
    layout=Layout(
        "spoken-digits",
        (ROWS, FRAMES),
        "float32",
        CLASS_NAMES,
        CodeRule(high=(1.0,)),
        script="spoken_digits.py --out DIR --source fsdd.zip",
    ),
    recipes={
        "full": Recipe(epochs=60, batch_size=60, hysteresis=0.0009, hysteresis_end=0.0007, hysteresis_steps=10),
        "quick": Recipe(epochs=15, batch_size=60, hysteresis=0.0009, hysteresis_end=0.0007, hysteresis_steps=10),
    },
    drawn=Drawing(draw, training=2400, test=300),
)

"""Vessels of the retina on the U-Net of Li et al. (arXiv 2311.07164): a label per pixel, learned on crops."""

from dataclasses import replace
from typing import Dict

import numpy as np

from ..learn.recipe import Recipe
from ..nn.layers.activation import Quantize, Relu
from ..nn.layers.convolution import Conv2d
from ..nn.layers.join import Concat
from ..nn.layers.norm import BatchNorm
from ..nn.layers.resample import MaxPool, Upsample
from ..nn.network import Network
from .codes import CodeRule
from .datasets import Layout
from .drawn_vessels import CLASS_NAMES, vessel_images
from .fundus import box_smooth, normalise_contrast
from .task import Drawing, Task


def retina_unet(bits: int = 6, width: int = 32) -> Network:
    """The retina U-Net: 4,313,440 weights, 351 M MACs on a crop of 48 x 48; a class per pixel.

    width: channels of the first level, of which all others are multiples.
    """
    layers: list = []

    def conv(name: str, c_in: int, c_out: int, *, quantize: bool = True) -> None:
        if quantize:
            layers.append(Quantize("act_" + name, bits))
        layers.append(Conv2d(name, c_in, c_out, (3, 3), (1, 1), (1, 1)))
        layers.extend((BatchNorm("bn_" + name, c_out, affine=True), Relu("relu_" + name)))

    widths = (width, 2 * width, 4 * width, 8 * width, 8 * width)
    for level, (c_in, c_out) in enumerate(zip((1,) + widths, widths), 1):
        if level > 1:
            layers.append(MaxPool(f"pool{level}"))
        conv(f"down{level}a", c_in, c_out, quantize=level > 1)
        conv(f"down{level}b", c_out, c_out)
    for level, c_in, middle, c_out in ((4, 16, 8, 4), (3, 8, 4, 2), (2, 4, 2, 1), (1, 2, 1, 1)):
        layers.append(Upsample(f"upsample{level}"))
        layers.append(Concat(f"concat{level}", f"relu_down{level}b"))
        conv(f"up{level}a", c_in * width, middle * width)
        conv(f"up{level}b", middle * width, c_out * width)
    layers.extend((Quantize("act_out", bits), Conv2d("out", width, 2, (1, 1))))
    return Network("retina-unet", (48, 48, 1), bits, tuple(layers))


def draw(generator: np.random.Generator, n: int) -> Dict[str, np.ndarray]:
    """`n` fundus images drawn by code, their contrast normalised."""
    grey, vessels, region = vessel_images(generator, n)
    flat = [normalise_contrast(image, seen, smooth=box_smooth) for image, seen in zip(grey, region)]
    return {"inputs": np.stack(flat), "labels": vessels, "region": region}


_RECIPE = Recipe(epochs=8, samples_per_epoch=960, batch_size=8, score_step=0.1, hysteresis=0.001, hysteresis_end=0.001)

TASK = Task(
    name="retina",
    network=retina_unet(),
    layout=Layout(
        "retina",
        (None, None),
        "uint8",
        CLASS_NAMES,
        CodeRule(high=(255.0,)),
        per_pixel=True,
        script="retina.py --out DIR --source FOLDER_OR_ZIP (of DRIVE, HRF, STARE or CHASE_DB1)",
    ),
    recipes={"full": _RECIPE, "quick": replace(_RECIPE, epochs=3, samples_per_epoch=480)},
    drawn=Drawing(draw, training=24, test=8),
)

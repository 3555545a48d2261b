"""A self test of two seconds: a fixed product with noise, and a gradient against differences."""

import zlib
from typing import Dict

import numpy as np

from ..crossbar.converters import Adc
from ..crossbar.macro import Macro
from ..crossbar.region import Reading
from ..device.presets import TAOX_40NM
from ..nn.engine.engine import Engine
from ..nn.layers.base import layer_from_json
from ..nn.network import Network
from ..rng import stream

PRODUCT_HASH = "bc0e885c"
"""CRC-32 of the product on every platform"""
LARGEST_GRADIENT_ERROR = 0.01
"""float32 losses: rounding leaves some thousandths"""
LAYERS = (
    {"type": "Conv2d", "name": "conv", "in_channels": 1, "out_channels": 3, "kernel": [3, 3]},
    {"type": "Flatten", "name": "flat"},
    {"type": "Linear", "name": "fc", "in_features": 48, "out_features": 4},
)
"""of the network whose gradients are tried: smooth throughout, so that differences converge"""
_STEP = 0.05
"""of the differences, in units of weight"""


def product_hash() -> str:
    """CRC-32, 8 hexadecimal digits, of a bit-serial product with read noise and ADC on a fixed map.

    The map is made of whole grid steps, so that no function of a platform's mathematics has a part in it.
    """
    rows, cols = 192, 128
    steps = stream(0, "doctor", "map").integers(4000, 24000, (rows, cols))
    macro = Macro.from_map(TAOX_40NM, steps * TAOX_40NM.grid_S, seed=0)
    codes = stream(0, "doctor", "codes").integers(0, 16, (300, rows)).astype(np.uint8)
    reading = Reading(macro.read_noise(1, macro.whole), None, None)
    y, saturated = macro.multiply(codes, input_bits=4, adc=Adc(8, 4096.0), reading=reading)
    return f"{zlib.crc32(np.append(y, saturated).astype('<i8').tobytes()):08x}"


def gradient_error() -> float:
    """Largest deviation of the engine's gradients from central differences of the loss, relative to the largest."""
    network = Network("doctor", (6, 6, 1), 4, tuple(map(layer_from_json, LAYERS)))
    drawn = stream(0, "doctor", "gradient")
    codes = drawn.integers(0, 16, (8, 6, 6, 1)).astype(np.uint8)
    labels = drawn.integers(0, 4, 8)
    weights = {"conv": drawn.standard_normal((9, 3)), "fc": 0.1 * drawn.standard_normal((48, 4))}
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    engine = Engine(network, len(codes))

    def loss(changed: Dict[str, np.ndarray]) -> float:
        return float(engine.training_step(changed, {}, x=codes, labels=labels, weight=None)[0])

    gradients = engine.training_step(weights, {}, x=codes, labels=labels, weight=None)[2]
    gradients = {name: gradient.copy() for name, gradient in gradients.items()}
    errors = []
    for name, gradient in gradients.items():
        largest = float(np.abs(gradient).max())
        for place in ((0, 0), (4, 2), (8, 1)):
            ends = []
            for sign in (1.0, -1.0):
                moved = weights[name].copy()
                moved[place] += np.float32(sign * _STEP)
                ends.append(loss({**weights, name: moved}))
            errors.append(abs((ends[0] - ends[1]) / (2.0 * _STEP) - float(gradient[place])) / largest)
    return max(errors)

"""A network with random masks on a drawn chip, calibrated: what benchmarks examine where no training is at hand."""

from dataclasses import dataclass
from typing import Any, Tuple

import numpy as np

from minirram.chip.chip import Chip
from minirram.device.presets import TAOX_40NM
from minirram.inference.calibration import calibrate_ranges, calibrated
from minirram.inference.model import Model
from minirram.nn.network import Network, initial_state, matrices
from minirram.rng import stream

WEIGHT_1_S = 12e-6
"""conductance of a weight of 1 before it is scaled by the fan-in"""


@dataclass(frozen=True)
class ExaminedConfig:
    """What an examination reads of a run's configuration."""

    network: Network
    recipe: Any
    wires: Any = None


@dataclass(frozen=True)
class Seeded:
    """The part of a recipe that an examination reads."""

    seed: int = 1


def random_run(
    network: Network, *, seed: int = 1, calibration: int = 2, density: float = 0.5, adc_bits: int = 8
) -> Tuple[ExaminedConfig, Chip, Model]:
    """(configuration, chip with random masks and signs, calibrated model) of a network at pair level.

    calibration: samples with random codes that ranges of quantisers and ADCs are taken from.
    """
    shapes = matrices(network)
    chip = Chip.sample(TAOX_40NM, shapes, level="pair", seed=seed)
    chip.form(TAOX_40NM.forming_voltage_V(0.9999))
    masks, signs = {}, {}
    for name, shape in shapes:
        generator = stream(seed, "random run", name)
        signs[name] = generator.random(shape) < 0.5
        masks[name] = generator.random(shape) < density
    chip.reset_partners(signs)
    chip.program(masks, signs)
    scales_S = {name: WEIGHT_1_S * float(np.sqrt(shape[0] * density / 2)) for name, shape in shapes}
    codes = random_codes(network, calibration, seed=seed)
    weights = {name: chip.read_weights(name, scales_S[name]) for name, _ in shapes}
    state = calibrate_ranges(network, initial_state(network), weights=weights, codes=codes)
    model = Model(chip.placement, signs, scales_S, adcs={}, state=state)
    model = calibrated(network, model, chip=chip, codes=codes, adc_bits=adc_bits, arrangement="pair")
    return ExaminedConfig(network, Seeded(seed)), chip, model


def random_codes(network: Network, n: int, *, seed: int = 1, shape: Tuple[int, ...] = ()) -> np.ndarray:
    """Codes of `n` smooth random samples: uint8 (n, height, width, channels); shape: instead of the network's."""
    shape = shape or network.input_shape
    generator = stream(seed, "random codes", *shape)
    noise = generator.standard_normal((n, -(-shape[0] // 4), -(-shape[1] // 4), shape[2]))
    smooth = np.kron(noise, np.ones((1, 4, 4, 1)))[:, : shape[0], : shape[1]]
    smooth += 0.5 * generator.standard_normal((n,) + tuple(shape))
    top = 2**network.input_bits - 1
    return np.clip(np.rint((smooth / 6 + 0.5) * top), 0, top).astype(np.uint8)

"""Pair level and cell level: masks, signs and the weights they stand for."""

from typing import Dict, Tuple

import numpy as np

from ..errors import ConfigError
from ..rng import stream
from .placement import Placement

LEVELS = ("pair", "cell")


def check_level(level: str) -> str:
    """Return `level`; ConfigError if it is neither 'pair' nor 'cell'."""
    if level not in LEVELS:
        raise ConfigError(f"level {level!r}: choose 'pair' or 'cell'")
    return level


def mask_shape(level: str, shape: Tuple[int, int]) -> Tuple[int, ...]:
    """Shape of the masks and scores of a (fan_in, fan_out) matrix at `level`."""
    return tuple(shape) if level == "pair" else (2,) + tuple(shape)


def draw_signs(seed: int, placement: Placement) -> Dict[str, np.ndarray]:
    """The sign of every pair, drawn once: dict name -> bool (fan_in, fan_out), True = the plus cell stays on."""
    return {name: stream(seed, "signs", name).random(shape) < 0.5 for name, shape in placement.shapes}


def cells_on(level: str, mask: np.ndarray, *, sign: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Which cells a mask keeps on: (plus, minus), each bool (fan_in, fan_out)."""
    if level == "pair":
        return mask & sign, mask & ~sign
    return mask[0], mask[1]


def kept_of_cells(level: str, plus: np.ndarray, minus: np.ndarray, *, sign: np.ndarray) -> np.ndarray:
    """What is true of the cell that each connection keeps, in the masks' shape. plus, minus: bool (fan_in, fan_out)."""
    return np.where(sign, plus, minus) if level == "pair" else np.stack([plus, minus])


def kept_weights(level: str, plus: np.ndarray, *, minus: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """The weight that each connection has when kept, in the masks' shape: +G of a plus cell, -G of a minus cell."""
    if level == "pair":
        return np.where(sign, plus, -minus)
    return np.stack([plus, -minus])


def weight_scale_S(level: str, kept_S: np.ndarray, *, density: float) -> float:
    """Conductance that corresponds to weight 1, so that masked weights have the He-initialisation variance 2 /
    fan_in.

    kept_S: output of `kept_weights`, siemens. Pair level: rms(w) sqrt(fan_in density / 2). Cell level: sqrt(fan_in
    E[w^2] / 2) with E[w^2] = 2 k (1 - k) mean(G)^2 + 2 k var(G), k = density of the cells.
    """
    magnitude = np.abs(kept_S)
    fan_in = kept_S.shape[-2]
    if level == "pair":
        mean_square = density * np.mean(magnitude**2)
    else:
        mean_square = 2 * density * (1 - density) * np.mean(magnitude) ** 2 + 2 * density * np.var(magnitude)
    return float(np.sqrt(fan_in * mean_square / 2))

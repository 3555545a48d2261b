"""Stochastic gradient descent with momentum, and the learning-rate schedule."""

import math

import numpy as np

from ..errors import ConfigError
from ..nn.blocks import blocks


def cosine_rate(base_rate: float, step: int, *, n_steps: int) -> float:
    """Learning rate at `step` of `n_steps`: half a cosine from `base_rate` to 0 (arXiv 1608.03983)."""
    if not 0 <= step <= n_steps:
        raise ConfigError(f"step {step} lies outside the schedule of {n_steps} steps")
    return 0.5 * base_rate * (1.0 + math.cos(math.pi * step / n_steps))


TINY = 1e-30
"""of a velocity: below, it moves no parameter, and near 1e-38 processors take 19 times as long for it"""
FLUSH_STEPS = 100
"""a momentum of 0.9 takes 180 steps from TINY to numbers that are slow"""


def flush(velocity: np.ndarray) -> None:
    """Set velocities below TINY to 0, in place; float32 of any shape."""
    velocity[np.abs(velocity) < TINY] = 0


def sgd_step(
    parameter: np.ndarray,
    velocity: np.ndarray,
    *,
    gradient: np.ndarray,
    rate: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """One step in place: v = momentum v + gradient + weight_decay p;  p -= rate v.

    parameter, velocity, gradient: float32 arrays of one shape; `gradient` is used as scratch.
    """
    for p, v, g in blocks(parameter, velocity, gradient):
        if weight_decay:
            g += np.float32(weight_decay) * p
        v *= np.float32(momentum)
        v += g
        np.multiply(v, np.float32(rate), out=g)
        p -= g

"""Stochastic gradient descent with momentum, and the learning-rate schedule."""

import math

import numpy as np

from ..errors import ConfigError


def cosine_rate(base_rate: float, step: int, *, n_steps: int) -> float:
    """Learning rate at `step` of `n_steps`: half a cosine from `base_rate` to 0 (arXiv 1608.03983)."""
    if not 0 <= step <= n_steps:
        raise ConfigError(f"step {step} lies outside the schedule of {n_steps} steps")
    return 0.5 * base_rate * (1.0 + math.cos(math.pi * step / n_steps))


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
    if weight_decay:
        gradient += np.float32(weight_decay) * parameter
    velocity *= np.float32(momentum)
    velocity += gradient
    np.multiply(velocity, np.float32(rate), out=gradient)
    parameter -= gradient

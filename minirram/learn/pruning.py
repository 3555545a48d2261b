"""Scores -> masks, and the gradient of a mask: which connections of a random chip to keep.

One score per weight (pair level) or per cell (cell level). The mask keeps the largest |score| of a layer (edge-popup,
Ramanujan et al., arXiv 1911.13299); the gradient passes straight through the mask; hysteresis spares pulses (Li et al.,
arXiv 2311.07164, authors' code). density = kept fraction, everywhere.
"""

import math
from typing import Tuple

import numpy as np

from ..errors import ConfigError
from ..nn.blocks import blocks


def initial_scores(generator: np.random.Generator, shape: Tuple[int, ...], *, fan_in: int) -> np.ndarray:
    """Scores U(-1/sqrt(fan_in), 1/sqrt(fan_in)), float32 of `shape` (authors' code)."""
    bound = 1.0 / np.sqrt(fan_in)
    return generator.uniform(-bound, bound, shape).astype(np.float32)


def initial_size(fan_in: int) -> float:
    """Root mean square of the `initial_scores` of a layer."""
    return 1.0 / math.sqrt(3 * fan_in)


def kept_count(density: float, size: int) -> int:
    """How many of `size` connections a density keeps: round(density * size)."""
    if not 0.0 < density < 1.0:
        raise ConfigError(f"density {density!r}: the kept fraction lies between 0 and 1, both excluded")
    return int(round(density * size))


def top_mask(scores: np.ndarray, density: float) -> np.ndarray:
    """Bool mask of the round(density * n) largest |scores|; ties at the border go to the lowest index.

    scores: float array of any shape, n elements. Returns a bool array of that shape. One `np.partition`, never a sort.
    """
    magnitude = np.abs(scores).ravel()
    keep = kept_count(density, magnitude.size)
    if keep == 0:
        return np.zeros(scores.shape, bool)
    threshold = np.partition(magnitude, magnitude.size - keep)[magnitude.size - keep]
    mask: np.ndarray = magnitude >= threshold
    surplus = int(np.count_nonzero(mask)) - keep
    if surplus:
        ties = np.flatnonzero(magnitude == threshold)
        mask[ties[len(ties) - surplus :]] = False
    return mask.reshape(scores.shape)


def top_mask_among(scores: np.ndarray, density: float, *, free: np.ndarray) -> np.ndarray:
    """`top_mask` of the connections in `free` alone, a bool array like `scores`: the others are pruned."""
    mask: np.ndarray = np.zeros(scores.shape, bool)
    mask[free] = top_mask(scores[free], density)
    return mask


def steady_mask(
    wanted: np.ndarray, old_mask: np.ndarray, *, scores: np.ndarray, old_scores: np.ndarray, limit: float
) -> np.ndarray:
    """`wanted`, but a bit changes only if ||s_old| - |s|| >= limit * |s_old| (hysteresis of the authors' code).

    wanted, old_mask: bool; scores, old_scores: float, the scores of this and the previous step; limit: relative
    change, 0 lets every bit change. All of one shape. The kept fraction may drift by the bits held back.
    """
    mask = np.empty(wanted.shape, bool)
    for kept, wants, old, now, before in blocks(mask, wanted, old_mask, scores, old_scores):
        old_magnitude = np.abs(before)
        moved = np.abs(now)
        moved -= old_magnitude
        np.abs(moved, out=moved)
        old_magnitude *= np.float32(limit)
        np.greater_equal(moved, old_magnitude, out=kept)
        kept &= np.logical_xor(wants, old)
        np.logical_xor(kept, old, out=kept)  # `np.where` on bools takes twice as long
    return mask


def score_gradient(weight_gradient: np.ndarray, weights: np.ndarray, *, scores: np.ndarray) -> np.ndarray:
    """Straight-through: d_score = d_weight * weight * sign(score).

    weight_gradient: dLoss/dW of the masked weights, float32 (fan_in, fan_out). weights, scores: float32 of that shape;
    at cell level (2, fan_in, fan_out), weights when kept being +G+ and -G-.
    """
    gradient = np.empty(scores.shape, np.result_type(weight_gradient, weights, scores))
    for product, dweight, weight, score in blocks(gradient, weight_gradient, weights, scores):
        np.multiply(dweight, weight, out=product)
        product *= np.sign(score)
    return gradient


def to_score_size(gradient: np.ndarray, size: float) -> np.ndarray:
    """Scale the gradient of a layer's scores, in place, to the root mean square `size`; one of zeros stays as it is.

    A score's gradient is proportional to the weight, about 2 / sqrt(fan_in), and to a loss that is a mean over all
    pixels: as it comes, one rate moves the masks of a small network and leaves those of a wide one where they began.
    float32 array of any shape. Returns `gradient`.
    """
    flat = gradient.ravel()
    rms = math.sqrt(float(np.dot(flat, flat)) / flat.size)
    if rms > 0:
        gradient *= np.float32(size / rms)
    return gradient

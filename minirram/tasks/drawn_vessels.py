"""Fundus images drawn by code: branching vessels grow from the optic disc, on a shaded disc with a field of view.

Vessels grow at their tips, one pixel per step: the direction drifts, the width shrinks, and now and then a tip
divides in two thinner ones (about as Murray's law has it: the cubes of the widths add up).
"""

from typing import Dict, Tuple

import numpy as np

Tips = Dict[str, np.ndarray]
"""growing ends of vessels: place (n, 2), angle, bend and half width (n,)"""

SIDE = 160
CLASS_NAMES = ("background", "vessel")

_RADIUS = 0.47 * SIDE  # of the field of view, pixels
_THINNEST = 0.45  # half width at which a vessel ends, pixels
_MAX_STEPS = 160
_STAMP = 5  # a tip marks the (2 * 5 + 1)^2 pixels around it


def vessel_images(generator: np.random.Generator, n: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw `n` fundus images.

    generator: numpy.random.Generator. Returns (grey, vessels, region), each (n, SIDE, SIDE): the image uint8, 1 on
    vessels uint8, and the field of view bool.
    """
    grey, vessels = (np.empty((n, SIDE, SIDE), np.uint8) for _ in range(2))
    row, col = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    region = np.hypot(row, col) < _RADIUS
    for index in range(n):
        side = generator.choice([-1, 1])  # left or right eye
        disc = _RADIUS * np.array([generator.uniform(-0.2, 0.2), side * generator.uniform(0.4, 0.65)])
        cover = _coverage(_grow(generator, disc))
        vessels[index] = (cover > 0.5) & region
        picture = _background(generator, row, col, disc)
        picture *= 1 - generator.uniform(0.25, 0.45) * _blur(cover, generator.uniform(0.5, 0.9))
        picture += generator.uniform(0.01, 0.025) * generator.standard_normal(picture.shape)
        grey[index] = np.rint(255 * np.clip(picture * region, 0, 1))
    return grey, vessels, np.repeat(region[None], n, axis=0)


def _grow(generator: np.random.Generator, disc: np.ndarray) -> np.ndarray:
    """Points of all vessels, float64 (points, 3): row, column, half width, in pixels from the image's middle."""
    count = int(generator.integers(7, 11))
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False) + generator.uniform(-0.35, 0.35, count)
    tips = {
        "place": np.repeat(disc[None], count, axis=0),
        "angle": angle,
        "bend": generator.normal(0, 0.02, count),
        "half_width": generator.uniform(1.1, 2.4, count),
    }
    trail = []
    for _ in range(_MAX_STEPS):
        n = len(tips["angle"])
        tips["bend"] = 0.9 * tips["bend"] + generator.normal(0, 0.02, n)
        tips["angle"] = tips["angle"] + tips["bend"]
        heading = np.stack([np.sin(tips["angle"]), np.cos(tips["angle"])], axis=1)
        tips["place"] = tips["place"] + heading
        tips["half_width"] = tips["half_width"] * 0.996
        trail.append(np.column_stack([tips["place"], tips["half_width"]]))
        tips = _divide(tips, generator.random(n) < 0.035, generator)
        alive = (tips["half_width"] > _THINNEST) & (np.hypot(*tips["place"].T) < _RADIUS)
        tips = {name: values[alive] for name, values in tips.items()}
        if not alive.any():
            break
    return np.concatenate(trail)


def _divide(tips: Tips, dividing: np.ndarray, generator: np.random.Generator) -> Tips:
    """Tips where `dividing` get a thinner side branch; the cube of the half width is shared out."""
    share = generator.uniform(0.2, 0.5, int(dividing.sum()))
    side = generator.choice([-1.0, 1.0], share.size)
    branch = {name: values[dividing] for name, values in tips.items()}
    branch["half_width"] = branch["half_width"] * np.cbrt(share)
    branch["angle"] = branch["angle"] + side * generator.uniform(0.5, 1.0, share.size)
    tips = {name: values.copy() for name, values in tips.items()}
    tips["half_width"][dividing] *= np.cbrt(1 - share)
    tips["angle"][dividing] -= side * generator.uniform(0.05, 0.3, share.size)
    return {name: np.concatenate([tips[name], branch[name]]) for name in tips}


def _coverage(points: np.ndarray) -> np.ndarray:
    """Covered share of each pixel, float64 (SIDE, SIDE): every point of a vessel is a disc of its half width."""
    middle = points[:, :2] + (SIDE - 1) / 2
    base = np.rint(middle).astype(np.int64)
    offset = np.arange(-_STAMP, _STAMP + 1)
    row, col = base[:, 0, None, None] + offset[:, None], base[:, 1, None, None] + offset
    distance = np.hypot(row - middle[:, 0, None, None], col - middle[:, 1, None, None])
    covered = np.clip(points[:, 2, None, None] + 0.5 - distance, 0, 1)
    row, col, covered = np.broadcast_arrays(row, col, covered)
    inside = (covered > 0) & (row >= 0) & (row < SIDE) & (col >= 0) & (col < SIDE)
    cover = np.zeros((SIDE, SIDE))
    np.maximum.at(cover, (row[inside], col[inside]), covered[inside])
    return cover


def _background(generator: np.random.Generator, row: np.ndarray, col: np.ndarray, disc: np.ndarray) -> np.ndarray:
    """The eye without vessels: uneven light, bright optic disc, dark macula, blotches; float64 (SIDE, SIDE)."""
    light = generator.uniform(-0.1, 0.1, 2)
    shade = generator.uniform(0.4, 0.6) + (light[0] * row + light[1] * col) / _RADIUS
    shade = shade - generator.uniform(0.05, 0.2) * (row**2 + col**2) / _RADIUS**2
    shade += generator.uniform(0.15, 0.35) * _blob(row, col, disc, 0.13 * _RADIUS)
    shade -= generator.uniform(0.05, 0.12) * _blob(row, col, -0.25 * disc, 0.16 * _RADIUS)
    blotches = _blur(generator.standard_normal(shade.shape), 3.0)
    return shade + generator.uniform(0.005, 0.02) * blotches / blotches.std()


def _blob(row: np.ndarray, col: np.ndarray, middle: np.ndarray, radius: float) -> np.ndarray:
    return np.exp(-((row - middle[0]) ** 2 + (col - middle[1]) ** 2) / (2 * radius**2))


def _blur(image: np.ndarray, sigma_px: float) -> np.ndarray:
    """Gaussian blur by a product of spectra (the image continues periodically)."""
    frequency = np.fft.fftfreq(SIDE)
    response = np.exp(-2 * (np.pi * sigma_px * frequency) ** 2)
    return np.fft.ifft2(np.fft.fft2(image) * response[:, None] * response[None, :]).real

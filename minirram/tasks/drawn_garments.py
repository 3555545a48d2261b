"""Garments drawn by code: ten classes of 28 x 28 grey silhouettes, the built-in stand-in for Fashion-MNIST.

A garment is an implicit function on its own coordinates: x to the right and y downwards, both about -1..1, positive
inside, in units of length; union is `maximum`, intersection `minimum`. Each image sees the garment through its own
affine map, cut, fabric, light, occlusion and noise, so that position-bound (linear) templates fail where features
that move with the garment do not.
"""

from typing import Callable, Tuple, Union

import numpy as np

SIDE = 28
CLASS_NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

Values = Union[np.ndarray, float]
Draw = Callable[[float, float], np.ndarray]
"""(low, high) -> one uniform number per image, (n, 1, 1)"""
Silhouette = Tuple[np.ndarray, Values]
"""(positive inside the garment, shade of the cloth), each (n, 28, 28) or one number"""

# Images drawn together: the working arrays of one chunk stay in cache.
_CHUNK = 128


def garments(generator: np.random.Generator, n: int) -> Tuple[np.ndarray, np.ndarray]:
    """Draw `n` garments, the classes as equally frequent as n allows, in random order.

    generator: numpy.random.Generator. Returns (images, labels): uint8 (n, 28, 28); int64 (n,), an index of
    `CLASS_NAMES`.
    """
    labels = generator.permutation(np.arange(n, dtype=np.int64) % len(CLASS_NAMES))
    images = np.empty((n, SIDE, SIDE), np.uint8)
    for label, silhouette in enumerate(_SILHOUETTES):
        members = np.flatnonzero(labels == label)
        for start in range(0, len(members), _CHUNK):
            chunk = members[start : start + _CHUNK]
            images[chunk] = _photograph(generator, silhouette, len(chunk))
    return images, labels


def _photograph(generator: np.random.Generator, silhouette: Callable[..., Silhouette], n: int) -> np.ndarray:
    """`n` images (n, 28, 28) uint8 of one kind of garment under varying view, fabric, light, occlusion and noise.

    `draw(low, high)` is one uniform number per image, float32 (n, 1, 1).
    """

    def draw(low: float, high: float) -> np.ndarray:
        return generator.uniform(low, high, (n, 1, 1)).astype(np.float32)

    x, y, pixel = _garment_coordinates(draw)
    inside, shade = silhouette(draw, x, y)
    image = np.clip(0.5 + inside / pixel, 0, 1)  # about the covered area of a pixel
    image *= _fabric(draw, x, y) * shade
    _occlude(draw, image)
    image *= draw(0.75, 1.0)
    noise = draw(0.01, 0.06)
    image += noise * generator.standard_normal(image.shape, dtype=np.float32)
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _garment_coordinates(draw: Draw) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each pixel's (x, y) in the garment's own frame, each (n, 28, 28), and a pixel's size there (n, 1, 1)."""
    centre = (np.arange(SIDE, dtype=np.float32) + 0.5) / (SIDE / 2) - 1
    column = centre[None, None, :] - draw(-0.18, 0.18)
    row = centre[None, :, None] - draw(-0.15, 0.15)
    angle = draw(-0.22, 0.22)
    shear = draw(-0.16, 0.16)
    scale = draw(0.74, 1.0)
    aspect = draw(0.88, 1.14)
    x = (np.cos(angle) * column + np.sin(angle) * row) / (scale * aspect)
    y = (np.cos(angle) * row - np.sin(angle) * column) / scale
    return x + shear * y, y, (2 / SIDE) / scale


def _fabric(draw: Draw, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Brightness of the cloth (n, 28, 28): plain, striped or checked, with a soft fold of shading."""
    angle = np.where(draw(0, 1) < 0.7, 0, np.float32(np.pi / 2)) + draw(-0.4, 0.4)
    wave = draw(7, 18)
    phase = draw(0, 6.28)
    along = np.cos(angle) * y + np.sin(angle) * x
    across = np.cos(angle) * x - np.sin(angle) * y
    pattern = np.sin(wave * along + phase)
    pattern += (draw(0, 1) < 0.3) * np.sin(wave * across + phase)
    depth = (draw(0, 1) < 0.55) * draw(0.1, 0.35)
    folds = draw(-0.22, 0.22) * x + draw(-0.22, 0.22) * y
    return np.clip(draw(0.5, 0.95) * (1 - depth * (0.5 - 0.5 * pattern)) + folds, 0.08, 1)


def _occlude(draw: Draw, image: np.ndarray) -> None:
    """Three in ten images lose a rectangle of up to 8 x 8 pixels to something dark or grey, in place."""
    hidden = draw(0, 1) < 0.3
    for pixels in (np.arange(SIDE)[:, None], np.arange(SIDE)[None, :]):
        start, length = np.floor(draw(0, SIDE - 4)), np.floor(draw(3, 9))
        hidden = hidden & (pixels >= start) & (pixels < start + length)
    grey = draw(-0.5, 0.6).clip(0)
    np.copyto(image, np.broadcast_to(grey, image.shape), where=hidden)


def _band(value: np.ndarray, low: Values, high: Values) -> np.ndarray:
    """Positive where low < value < high."""
    return np.minimum(value - low, high - value)


def _limb(
    x: np.ndarray, y: np.ndarray, from_x: Values, from_y: Values, to_x: Values, to_y: Values, half_width: Values
) -> np.ndarray:
    """A straight tube with round ends: positive within `half_width` of the segment."""
    along_x, along_y = to_x - from_x, to_y - from_y
    length_squared = along_x**2 + along_y**2 + np.float32(1e-6)
    place = np.clip(((x - from_x) * along_x + (y - from_y) * along_y) / length_squared, 0, 1)
    return half_width - np.hypot(x - from_x - place * along_x, y - from_y - place * along_y)


def _ring(
    x: np.ndarray,
    y: np.ndarray,
    centre_x: Values,
    centre_y: Values,
    radius_x: Values,
    radius_y: Values,
    half_width: Values,
) -> np.ndarray:
    """An ellipse's line of the given half width."""
    radius = np.hypot((x - centre_x) / radius_x, (y - centre_y) / radius_y)
    return half_width - np.abs(radius - 1) * np.minimum(radius_x, radius_y)


def _torso(
    x: np.ndarray, y: np.ndarray, top: Values, hem: Values, width: Values, flare: Values, waist: Values, neck: Values
) -> np.ndarray:
    """The body of a garment: half a `width` at the top, + `flare` at the hem, drawn in by `waist`, a round neck."""
    height = (y - top) / (hem - top)
    half = width + flare * height - waist * np.clip(1 - np.abs(height - 0.4) / 0.35, 0, 1)
    shoulder_slope = top + 0.25 * np.abs(x)
    body = np.minimum(half - np.abs(x), np.minimum(y - shoulder_slope, hem - y))
    return np.minimum(body, np.hypot(x, 1.3 * (y - top)) - neck)


def _sleeves(
    draw: Draw, x: np.ndarray, y: np.ndarray, top: Values, width: Values, length: Values, half_width: Values
) -> np.ndarray:
    """Two mirrored sleeves that leave the shoulders at an angle of their own."""
    angle = draw(0.25, 0.85)
    from_x, from_y = width - 0.6 * half_width, top + 0.14 + half_width
    to_x, to_y = from_x + length * np.sin(angle), from_y + length * np.cos(angle)
    return _limb(np.abs(x), y, from_x, from_y, to_x, to_y, half_width)


def _front_line(draw: Draw, x: np.ndarray, shift: Values) -> np.ndarray:
    """Shade (n, 28, 28) of a front opening: a thin dark line near the middle."""
    line = np.clip(1 - np.abs(x - shift) / 0.13, 0, 1)
    return 1 - draw(0.7, 1.0) * line


def _t_shirt(draw: Draw, x: np.ndarray, y: np.ndarray) -> Silhouette:
    top, hem, width = draw(-0.9, -0.7), draw(0.55, 0.9), draw(0.4, 0.55)
    body = _torso(x, y, top, hem, width, draw(-0.06, 0.08), 0, draw(0.14, 0.3))
    sleeve = draw(0.12, 0.19)
    sleeves = _sleeves(draw, x, y, top, width, draw(0.18, 0.36), sleeve)
    return np.maximum(body, sleeves), 1


def _trouser(draw: Draw, x: np.ndarray, y: np.ndarray) -> Silhouette:
    top, hem = draw(-0.95, -0.75), draw(0.65, 0.98)
    height = (y - top) / (hem - top)
    spread, crotch = draw(0.02, 0.3), draw(0.2, 0.4)
    thigh, ankle = draw(0.15, 0.24), draw(0.09, 0.22)
    axis = 0.17 + spread * height
    leg = thigh + (ankle - thigh) * height - np.abs(np.abs(x) - axis)
    seat = np.minimum(0.17 + thigh + spread * height - np.abs(x), top + crotch - y)
    return np.minimum(np.maximum(leg, seat), _band(y, top, hem)), 1


def _pullover(draw: Draw, x: np.ndarray, y: np.ndarray) -> Silhouette:
    top, hem, width = draw(-0.88, -0.7), draw(0.45, 0.8), draw(0.4, 0.56)
    body = _torso(x, y, top, hem, width, draw(-0.08, 0.04), 0, draw(0.08, 0.2))
    sleeve = draw(0.1, 0.16)
    sleeves = _sleeves(draw, x, y, top, width, draw(0.85, 1.25), sleeve)
    rib = 1 - draw(0, 0.5) * (hem - y < 0.15)
    return np.maximum(body, sleeves), rib


def _dress(draw: Draw, x: np.ndarray, y: np.ndarray) -> Silhouette:
    top, hem, width = draw(-0.97, -0.8), draw(0.75, 1.0), draw(0.24, 0.36)
    flare, waist = draw(0.08, 0.42), draw(0.02, 0.12)
    body = _torso(x, y, top, hem, width, flare, waist, draw(0.1, 0.24))
    sleeve = draw(0.07, 0.12)
    sleeves = _sleeves(draw, x, y, top, width, draw(0.1, 0.5), sleeve)
    return np.where(draw(0, 1) < 0.5, np.maximum(body, sleeves), body), 1


def _coat(draw: Draw, x: np.ndarray, y: np.ndarray) -> Silhouette:
    top, hem, width = draw(-0.95, -0.8), draw(0.78, 1.02), draw(0.38, 0.54)
    flare = draw(0.0, 0.2)
    body = _torso(x, y, top, hem, width, flare, 0, draw(0.06, 0.18))
    sleeve = draw(0.1, 0.17)
    sleeves = _sleeves(draw, x, y, top, width, draw(0.8, 1.2), sleeve)
    opening = _front_line(draw, x, draw(-0.08, 0.08))
    return np.maximum(body, sleeves), opening


def _shirt(draw: Draw, x: np.ndarray, y: np.ndarray) -> Silhouette:
    top, hem, width = draw(-0.9, -0.74), draw(0.55, 0.88), draw(0.36, 0.5)
    body = _torso(x, y, top, hem, width, draw(-0.05, 0.08), draw(0, 0.05), 0.05)
    depth, opening = draw(0.45, 0.8), draw(0.22, 0.36)
    collar = opening * (1 - (y - top) / depth) - np.abs(x)  # an open V below the neck
    sleeve = draw(0.09, 0.15)
    length = np.where(draw(0, 1) < 0.25, draw(0.2, 0.4), draw(0.8, 1.15))
    sleeves = _sleeves(draw, x, y, top, width, length, sleeve)
    return np.maximum(np.minimum(body, -collar), sleeves), 1


def _mirrored(draw: Draw, x: np.ndarray) -> np.ndarray:
    """Half of the shoes point the other way."""
    return np.where(draw(0, 1) < 0.5, x, -x)


def _sole(draw: Draw, x: np.ndarray, y: np.ndarray, heel: Values) -> Tuple[np.ndarray, np.ndarray]:
    """A sole from heel (x = -0.9) to toe (x = 0.9), raised by `heel` at the back: (its upper edge's y, inside)."""
    floor, thickness = draw(0.4, 0.6), draw(0.08, 0.16)
    lift = heel * np.clip(-(x - 0.1) / 0.9, 0, 1)
    edge = floor - thickness - lift
    block = np.maximum(_band(y, edge, floor - lift), np.minimum(_band(x, -0.9, -0.55), _band(y, edge, floor)))
    return edge, np.minimum(block, 0.92 - np.abs(x))


def _sandal(draw: Draw, x: np.ndarray, y: np.ndarray) -> Silhouette:
    x = _mirrored(draw, x)
    edge, sole = _sole(draw, x, y, draw(0.0, 0.45))
    straps = np.full_like(x, -1)
    for low, high in ((-0.85, -0.45), (-0.2, 0.25), (0.3, 0.7)):
        foot = draw(low, high)
        rise = draw(0.3, 0.6) * np.where(foot > 0.2, 0.8, 1.1)
        lean = draw(-0.35, 0.2)
        width = draw(0.045, 0.09)
        straps = np.maximum(straps, _limb(x, y, foot, edge, foot + lean, edge - rise, width))
    strap_over = _ring(x, y, draw(0.2, 0.5), edge, 0.38, draw(0.3, 0.5), 0.06)
    return np.maximum(np.maximum(sole, straps), np.minimum(strap_over, edge - y)), 1


def _upper(x: np.ndarray, y: np.ndarray, edge: Values, toe: Values, rise: Values, ankle: Values) -> np.ndarray:
    """The closed part of a shoe: `toe` high in front, rising to `rise` at x = ankle and behind."""
    slope = np.clip((0.75 - x) / (0.75 - ankle), 0, 1)
    height = toe + (rise - toe) * slope**1.5
    rounded = 0.9 - np.hypot(np.maximum(x, 0), 0.6 * (y - edge))
    return np.minimum(np.minimum(edge - y + 0.03, y - edge + height), np.minimum(rounded, x + 0.88))


def _sneaker(draw: Draw, x: np.ndarray, y: np.ndarray) -> Silhouette:
    x = _mirrored(draw, x)
    edge, sole = _sole(draw, x, y, draw(0.0, 0.06))
    ankle = draw(-0.45, -0.1)
    upper = _upper(x, y, edge, draw(0.16, 0.28), draw(0.4, 0.6), ankle)
    stripe = 1 - draw(0, 0.8) * (_limb(x, y, ankle, edge - 0.1, ankle + 0.4, edge - 0.35, 0.07) > 0)
    return np.maximum(sole, upper), stripe


def _bag(draw: Draw, x: np.ndarray, y: np.ndarray) -> Silhouette:
    top, bottom = draw(-0.45, 0.0), draw(0.5, 0.85)
    width, taper = draw(0.5, 0.85), draw(-0.25, 0.25)
    body = np.minimum(_band(y, top, bottom), width + taper * (y - top) - np.abs(x))
    handle = _ring(x, y, 0, top, draw(0.25, 0.55), draw(0.3, 0.6), 0.07)
    flap = 1 - draw(0, 0.6) * (np.abs(y - top - draw(0.15, 0.4)) < 0.06)
    return np.maximum(body, np.minimum(handle, top - y + 0.05)), flap


def _ankle_boot(draw: Draw, x: np.ndarray, y: np.ndarray) -> Silhouette:
    x = _mirrored(draw, x)
    edge, sole = _sole(draw, x, y, draw(0.0, 0.3))
    ankle = draw(-0.3, 0.0)
    upper = _upper(x, y, edge, draw(0.22, 0.36), draw(0.55, 0.75), ankle)
    shaft_top = draw(0.85, 1.2)
    shaft = np.minimum(_band(x, -0.88, ankle + 0.12), _band(y, edge - shaft_top, edge))
    return np.maximum(np.maximum(sole, upper), shaft), 1


_SILHOUETTES = (_t_shirt, _trouser, _pullover, _dress, _coat, _sandal, _shirt, _sneaker, _bag, _ankle_boot)

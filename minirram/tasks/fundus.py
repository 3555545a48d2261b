"""Images of the eye's fundus: contrast, random crops for training, overlapping tiles for whole images.

Arrays are (n, height, width): grey uint8 images, labels uint8 (1 = vessel), region bool (the round field of view).
Crops and tiles are cut from images (n, height, width, channels), too.
"""

from typing import Callable, Optional, Sequence, Tuple

import numpy as np

from ..errors import ConfigError, DataError, ShapeError, how_to_install

Smooth = Callable[[np.ndarray, float], np.ndarray]
"""(image, radius in pixels) -> its local average"""

# After normalisation: the grey of the surroundings, and grey levels per standard deviation.
MIDDLE_GREY = 128
GREY_PER_DEVIATION = 40.0
SMOOTHING_PX = 8.0  # wider than a vessel of an image about 500 pixels across


def normalise_contrast(
    grey: np.ndarray, region: np.ndarray, *, smooth: Optional[Smooth], radius_px: float = SMOOTHING_PX
) -> np.ndarray:
    """Take the shading away and bring the rest to one scale: uint8 (height, width), `MIDDLE_GREY` outside the region.

    grey: (height, width), e.g. the green channel, where vessels stand out most; region: bool, same shape. The local
    mean inside the region is subtracted, and 128 + 40 * (value / standard deviation) is stored. smooth(image,
    radius) is the local average; by default scipy.ndimage.gaussian_filter. DataError when the region is empty or the
    image is flat.
    """
    grey, region = np.asarray(grey, np.float64), np.asarray(region, bool)
    if grey.shape != region.shape or grey.ndim != 2:
        raise ShapeError(f"image {grey.shape} and region {region.shape}: they must have one shape (height, width)")
    if not region.any():
        raise DataError("the field of view is empty")
    smooth = smooth or _gaussian()
    covered = np.maximum(smooth(region.astype(np.float64), radius_px), 1e-6)
    detail = np.where(region, grey - smooth(grey * region, radius_px) / covered, 0)
    deviation = detail[region].std()
    if not deviation > 1e-9:
        raise DataError("the image is flat inside its field of view")
    detail[region] -= detail[region].mean()
    return np.rint(np.clip(MIDDLE_GREY + detail * (GREY_PER_DEVIATION / deviation), 0, 255)).astype(np.uint8)


def _gaussian() -> Smooth:
    """scipy's Gaussian filter, or a ConfigError that names the extra to install."""
    try:
        from scipy.ndimage import gaussian_filter
    except ImportError:
        raise ConfigError(f"contrast normalisation needs scipy: {how_to_install('data')}") from None
    return gaussian_filter


def box_smooth(image: np.ndarray, radius_px: float) -> np.ndarray:
    """About a Gaussian of that standard deviation, in plain NumPy: a running mean, three times along each axis."""
    half = max(int(round(radius_px - 0.5)), 1)  # three boxes of 2 h + 1 pixels have the variance h (h + 1)
    for axis in (0, 1):
        for _ in range(3):
            image = _running_mean(image, half, axis)
    return image


def _running_mean(image: np.ndarray, half: int, axis: int) -> np.ndarray:
    """Mean over 2 half + 1 pixels along an axis; zeros beyond the border."""
    width = 2 * half + 1
    padding = [(0, 0), (0, 0)]
    padding[axis] = (half + 1, half)
    total = np.cumsum(np.pad(image, padding), axis=axis)
    length = image.shape[axis]
    return (np.take(total, np.arange(width, width + length), axis) - np.take(total, np.arange(length), axis)) / width


class Crops:
    """Random square crops out of a set of images, each turned and mirrored in one of a square's eight ways."""

    def __init__(self, inputs: np.ndarray, labels: np.ndarray, *, region: np.ndarray, size: int) -> None:
        """inputs, labels, region: as above. size: side in pixels. ConfigError when none fits."""
        n, height, width = region.shape
        if not 1 <= size <= min(height, width):
            raise ConfigError(f"crops of {size} pixels: the images are {height} x {width}")
        rows, cols = height - size + 1, width - size + 1
        middle = region[:, size // 2 : size // 2 + rows, size // 2 : size // 2 + cols]
        self._corners = np.flatnonzero(middle).astype(np.int64)
        if not self._corners.size:
            raise ConfigError(f"no crop of {size} pixels has its middle inside a field of view")
        self._corner_shape = (rows, cols)
        self._images = (inputs, labels, region)
        self.size = size

    def draw(self, generator: np.random.Generator, n: int) -> Tuple[np.ndarray, ...]:
        """`n` crops, every place inside the region equally likely: (inputs, labels, region), each of n crops."""
        places = self._corners[generator.integers(0, self._corners.size, n)]
        rows, cols = self._corner_shape
        image, corner = np.divmod(places, rows * cols)
        row, col = np.divmod(corner, cols)
        span = np.arange(self.size)
        row, col = row[:, None, None] + span[:, None], col[:, None, None] + span
        which = generator.integers(0, 8, n)
        return tuple(turned(array[image[:, None, None], row, col], which) for array in self._images)


def turned(crops: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Crops (n, size, size, ...), each in orientation 0..7: 0..3 quarter turns; from 4 on mirrored before."""
    out = np.empty_like(crops)
    for orientation in range(8):
        members = which == orientation
        chosen = crops[members]
        out[members] = np.rot90(chosen[:, :, ::-1] if orientation >= 4 else chosen, orientation % 4, axes=(1, 2))
    return out


def tile_starts(length: int, size: int, *, step: int) -> np.ndarray:
    """Where tiles of `size` begin so that they cover 0..length - 1 with at most `step` between them; int64."""
    return np.unique(np.minimum(np.arange(0, length, step, dtype=np.int64), max(length - size, 0)))


def even_windows(length: int, *, largest: int, overlap: int) -> Tuple[int, np.ndarray]:
    """(size, starts) of as few windows as cover 0..length - 1 with none above `largest`: evenly spread, int64.

    overlap: what neighbours share at least.
    """
    count = 1 if length <= largest else -(-(length - overlap) // (largest - overlap))
    size = -(-(length + (count - 1) * overlap) // count)
    return size, np.rint(np.linspace(0, length - size, count)).astype(np.int64)


def predict_by_tiles(
    predict: Callable[[np.ndarray], np.ndarray], image: np.ndarray, *, size: int, step: int, batch: int = 16
) -> np.ndarray:
    """A whole image's answer from overlapping tiles, blended: float32 (height, width), or with classes behind.

    predict: (m, size, size, ...) -> float (m, size, size) or (m, size, size, classes), m <= batch. image: (height,
    width, ...); a side shorter than `size` is continued by reflection.
    """
    if not 1 <= step <= size:
        raise ConfigError(f"tiles of {size} pixels every {step}: the step must be 1..{size}")
    places = [tile_starts(max(length, size), size, step=step) for length in image.shape[:2]]
    return blended(predict, image, size=(size, size), starts=places, batch=batch)


def predict_by_windows(
    predict: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    *,
    fits: Callable[[Tuple[int, int]], Tuple[int, int]],
    largest: int,
    overlap: int,
) -> np.ndarray:
    """The same from few large windows, one after the other. fits: the next size that the network takes."""
    rows, cols = (even_windows(length, largest=largest, overlap=overlap) for length in image.shape[:2])
    size = fits((rows[0], cols[0]))
    # A window that was made larger moves inwards; where it is larger than the image, that is continued.
    starts = [
        np.minimum(own, max(length - side, 0)) for (_, own), length, side in zip((rows, cols), image.shape[:2], size)
    ]
    return blended(predict, image, size=size, starts=starts, batch=1)


def blended(
    predict: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    *,
    size: Tuple[int, int],
    starts: Sequence[np.ndarray],
    batch: int,
) -> np.ndarray:
    """An image's answer from windows of `size` (rows, columns) that begin at every pair of `starts` (rows, columns).

    Windows count most in their middle (a pyramid), where they see the most surroundings.
    """
    height, width = image.shape[:2]
    if not image.size:
        raise ShapeError("an image without a pixel has no answer")
    whole = [(0, 0)] * (image.ndim - 2)
    beyond = [(0, max(side - length, 0)) for side, length in zip(size, (height, width))]
    padded = np.pad(image, [*beyond, *whole], mode="symmetric")
    ramps = [np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)).astype(np.float32) for side in size]
    weight = np.outer(*ramps)
    total: np.ndarray = np.zeros(0, np.float32)
    weights: np.ndarray = np.zeros(padded.shape[:2], np.float32)
    places = [(slice(row, row + size[0]), slice(col, col + size[1])) for row in starts[0] for col in starts[1]]
    for start in range(0, len(places), batch):
        group = places[start : start + batch]
        for place, answer in zip(group, predict(np.stack([padded[place] for place in group]))):
            behind = (1,) * (answer.ndim - 2)
            total = total if total.size else np.zeros((*padded.shape[:2], *answer.shape[2:]), np.float32)
            total[place] += weight.reshape(*weight.shape, *behind) * answer
            weights[place] += weight
    return (total / weights.reshape(*weights.shape, *(1,) * (total.ndim - 2)))[:height, :width]

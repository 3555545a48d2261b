"""Repeated reads of one array: the read noise beside a common trend, and reads of another orientation."""

import math
from dataclasses import dataclass
from typing import Callable, Dict, Sequence, Tuple

import numpy as np

from ..errors import DataError
from ..json_codec import Result

ORIENTATIONS: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "transposed": lambda table: table.T,
    "mirrored left to right": lambda table: table[:, ::-1],
    "mirrored top to bottom": lambda table: table[::-1],
    "turned by 180 degrees": lambda table: table[::-1, ::-1],
    "turned by 90 degrees": lambda table: np.rot90(table),
    "turned by 270 degrees": lambda table: np.rot90(table, 3),
    "transposed about the other diagonal": lambda table: table[::-1, ::-1].T,
}

_JUMP = 5.0  # a cell this many times noisier than the median cell is no sample of the read noise


@dataclass(frozen=True)
class Reads(Result):
    """What repeated reads of one array tell."""

    reads: int
    """reads of the array"""
    cells: int
    """cells that the read noise comes from"""
    noise: float
    """relative standard deviation of a single read, the common trend apart"""
    trend: Tuple[float, ...]
    """what all cells of each read conduct together, relative to the first read"""
    jumping: int
    """cells five times as noisy as the median cell; not counted in the noise"""


def read_noise(reads_S: np.ndarray) -> Reads:
    """Noise of reads (reads, cells), siemens, all above 0: each read divided by its trend, the median over cells."""
    trend = np.median(reads_S / reads_S.mean(axis=0), axis=1)
    detrended = reads_S / trend[:, None]
    variances = detrended.var(axis=0, ddof=1) / detrended.mean(axis=0) ** 2
    degrees = reads_S.shape[0] - 1
    chi_squared_median = (1.0 - 2.0 / (9.0 * degrees)) ** 3  # of one degree of many (Wilson and Hilferty 1931)
    typical = float(np.median(variances)) / chi_squared_median
    steady = variances <= _JUMP**2 * typical
    noise = math.sqrt(float(variances[steady].mean()))
    return Reads(
        reads=reads_S.shape[0],
        cells=int(steady.sum()),
        noise=noise,
        trend=tuple(float(one / trend[0]) for one in trend),
        jumping=int(np.count_nonzero(~steady)),
    )


def mean_of_reads(reads_S: Sequence[np.ndarray]) -> np.ndarray:
    """Mean conductance of each cell of one array, over the reads that have a value; maps of one shape.

    0 where a read found the cell unformed, inf where one found it shorted, NaN where none has a value.
    """
    stacked = np.stack(reads_S)
    held = ~np.isnan(stacked)
    sums = np.where(held, stacked, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean_S = np.where(held.any(axis=0), sums / np.maximum(held.sum(axis=0), 1), np.nan)
    return np.where((stacked == 0).any(axis=0) & np.isfinite(mean_S), 0.0, mean_S)


def check_shapes(reads_S: Sequence[np.ndarray]) -> None:
    """DataError unless there are two maps or more, all of one shape."""
    if len(reads_S) < 2:
        raise DataError("repeated reads need at least two maps of one shape")
    for k, values in enumerate(reads_S):
        if values.shape != reads_S[0].shape:
            hint = "; is it transposed?" if values.T.shape == reads_S[0].shape else ""
            raise DataError(
                f"repeated reads need at least two maps of one shape: map {k} is {values.shape}, "
                f"map 0 {reads_S[0].shape}{hint}"
            )


def wrong_reads(reads_S: Sequence[np.ndarray]) -> Dict[int, str]:
    """{read: what is wrong with it}: another orientation than the others, or another array; maps of one shape."""
    pictures = [_standardised(values) for values in reads_S]
    total = np.sum(pictures, axis=0)
    found = {}
    for k, picture in enumerate(pictures):
        if k == 0 and len(pictures) < 3:
            continue  # of two reads, the first is right
        others = _unit(total - picture)
        doubtful = 1.0 / math.sqrt(picture.size)  # standard deviation of the correlation of two other arrays
        as_given = float((_unit(picture) * others).sum())
        turned = {
            name: float((_unit(turn(picture)) * others).sum())
            for name, turn in ORIENTATIONS.items()
            if turn(picture).shape == others.shape
        }
        name = max(turned, key=lambda one: turned[one])
        if turned[name] > as_given + 5 * doubtful:
            found[k] = (
                f"map {k} is {name} (correlation with the other reads {turned[name]:.2f}, as given {as_given:.2f})"
            )
        elif as_given < 3 * doubtful:
            found[k] = f"map {k} is a read of another array (correlation with the other reads {as_given:.2f})"
    return found


def same_array(one_S: np.ndarray, two_S: np.ndarray) -> bool:
    """Whether two maps look like reads of one array: correlation above 0.9 of what conducts."""
    if one_S.shape != two_S.shape or one_S.size < 20:
        return False
    return float((_unit(_standardised(one_S)) * _unit(_standardised(two_S))).sum()) > 0.9


def _standardised(values_S: np.ndarray) -> np.ndarray:
    """ln G less its mean; what has no conductance counts as a tenth of the lowest."""
    held = np.isfinite(values_S) & (values_S > 0)
    if not held.any():
        return np.zeros(values_S.shape)
    ln_G = np.full(values_S.shape, math.log(values_S[held].min() / 10))
    ln_G[held] = np.log(values_S[held])
    return ln_G - ln_G.mean()


def _unit(values: np.ndarray) -> np.ndarray:
    """The values with a mean of 0 and a sum of squares of 1; zeros where all are equal."""
    values = values - values.mean()
    length = float(np.sqrt((values**2).sum()))
    return values / length if length > 0 else values

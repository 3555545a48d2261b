"""What tells an on cell from an off cell in a read."""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from .interface import Cell


def on_border_S(cell_model: Cell) -> float:
    """Conductance from which a cell counts as on: as many standard deviations of ln G above the median off
    conductance as below the median on conductance."""
    (off_S, off_sigma), (on_S, on_sigma) = cell_model.hrs_spread(), cell_model.lrs_spread()
    off, on = np.log(off_S), np.log(on_S)
    spreads = off_sigma, on_sigma
    share = spreads[0] / sum(spreads) if sum(spreads) else 0.5
    return float(np.exp(off + share * (on - off)))


@dataclass(frozen=True)
class Thresholds:
    """When a cell counts as on, and when as off."""

    on_min_S: float
    """on: at least this"""
    off_max_S: float
    """off: at most this; below on_min_S"""

    def __post_init__(self) -> None:
        if not 0 <= self.off_max_S < self.on_min_S:
            raise ConfigError(
                f"thresholds off_max {self.off_max_S} S and on_min {self.on_min_S} S: 0 <= off_max < on_min is needed"
            )


def thresholds(cell_model: Cell, sigmas: float = 5.5, *, gap: float = 0.98) -> Thresholds:
    """Thresholds of a technology between its on and its off cells.

    on_min lies `sigmas` log-normal deviations below the median on conductance (one cell in 5e7 below it), off_max at a
    fraction `gap` of it. Where off cells reach that high (`Cell.highest_hrs_S`), the limit moves to as many deviations
    from either side.
    """
    median_S, sigma_ln = cell_model.lrs_spread()
    on_min_S = median_S * math.exp(-sigmas * sigma_ln)
    if cell_model.highest_hrs_S(sigmas) > gap * on_min_S:
        on_min_S = on_border_S(cell_model)
    return Thresholds(on_min_S, gap * on_min_S)

"""What tells an on cell from an off cell in a read."""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError


def on_border_S(cell_model):
    """Conductance from which a cell counts as on: as many standard deviations of ln G above the median off
    conductance as below the median on conductance."""
    off, on = np.log(cell_model.hrs_median_S), np.log(cell_model.lrs_median_S)
    spreads = cell_model.hrs_sigma_ln, cell_model.lrs_sigma_ln
    share = spreads[0] / sum(spreads) if sum(spreads) else 0.5
    return float(np.exp(off + share * (on - off)))


@dataclass(frozen=True)
class Thresholds:
    """When a cell counts as on, and when as off."""

    on_min_S: float
    """on: at least this"""
    off_max_S: float
    """off: at most this; below on_min_S"""

    def __post_init__(self):
        if not 0 <= self.off_max_S < self.on_min_S:
            raise ConfigError(
                f"thresholds off_max {self.off_max_S} S and on_min {self.on_min_S} S: 0 <= off_max < on_min is needed"
            )


def thresholds(cell_model, sigmas=5.5, gap=0.98):
    """Thresholds of a technology between its on and its off cells.

    on_min lies `sigmas` log-normal deviations below the median on conductance (one cell in 5e7 below it), off_max at a
    fraction `gap` of it. Where off cells reach that high (the larger of hrs_max_S, if RESET is verified, and `sigmas`
    deviations above the median otherwise), the limit moves to as many deviations from either side.
    """
    on_min_S = cell_model.lrs_median_S * math.exp(-sigmas * cell_model.lrs_sigma_ln)
    highest_off_S = cell_model.hrs_max_S or cell_model.hrs_median_S * math.exp(sigmas * cell_model.hrs_sigma_ln)
    if highest_off_S > gap * on_min_S:
        on_min_S = on_border_S(cell_model)
    return Thresholds(on_min_S, gap * on_min_S)

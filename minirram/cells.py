"""The cell: forming, on and off conductance, read and write noise as one frozen set of parameters; samplers, CDFs."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Optional, Tuple

import numpy as np

from .errors import ConfigError

EXACT_FLOAT32 = 2**24
"""Integers below this are exact in float32, whatever the order of a sum."""


@dataclass(frozen=True)
class CellModel:
    """Statistics of one kind of cell. `minirram.technologies` holds presets with a source for every number.

    Conductances in siemens, voltages in volt, times in second, energies in joule; `sigma_ln` is the standard
    deviation of ln(G). LRS is the low-resistance (on) state, HRS the high-resistance (off) state.
    """

    name: str
    """how the command line calls it"""
    forming_mean_V: float
    """mean forming (breakdown) voltage; a pulse of at least its own forming voltage forms a cell"""
    forming_std_V: float
    """standard deviation of the forming voltage over cells; 0 for technologies that need no forming"""
    pristine_S: float
    """conductance of a cell that was not formed"""
    lrs_median_S: float
    """median on conductance"""
    lrs_sigma_ln: float
    """spread of the on conductance over cells"""
    hrs_median_S: float
    """median off conductance after RESET"""
    hrs_sigma_ln: float
    """spread of the off conductance over cells"""
    read_noise: float
    """standard deviation of one read of one cell, relative to its conductance"""
    write_noise: float
    """relative standard deviation of a cell that is programmed again under `re_set = "replay"`"""
    re_set: str = "replay"
    """what SET and RESET give a cell: "replay" its old value within write noise, "redraw" a new draw"""
    write_clip_sigmas: float = 2.0
    """write noise is clipped at this many standard deviations"""
    tuning_std_S: float = 0.0
    """standard deviation of the conductance that closed-loop tuning to a target leaves"""
    read_noise_floor_S: float = 0.0
    """part of the read noise that does not depend on the conductance; adds in quadrature"""
    stuck_lrs: float = 0.0
    """share of cells that conduct from the start and answer to no pulse"""
    stuck_hrs: float = 0.0
    """share of cells that are off from the start and answer to no pulse"""
    endurance_cycles: Optional[int] = None
    """SET + RESET cycles after which a cell answers to no pulse any more; None: no limit"""
    grid_S: float = 1e-9
    """step of the integer grid on which conductances are held inside products"""
    read_voltage_V: float = 0.2
    """voltage of a driven row in a read or a product"""
    read_time_s: float = 50e-9
    """time for which a bit plane drives the rows"""
    form_time_s: float = 0.0
    """width of the forming pulse"""
    form_energy_J: float = 0.0
    """energy of one forming pulse into one cell"""
    set_voltage_V: float = 0.0
    """amplitude of the SET pulse"""
    set_time_s: float = 0.0
    """width of the SET pulse"""
    set_energy_J: float = 0.0
    """energy of one SET pulse"""
    reset_voltage_V: float = 0.0
    """amplitude of the RESET pulse (its polarity is the technology's)"""
    reset_time_s: float = 0.0
    """width of the RESET pulse"""
    reset_energy_J: float = 0.0
    """energy of one RESET pulse"""
    sources: Tuple[Tuple[str, str], ...] = ()
    """(field, where its number comes from); "assumed" where nothing was found"""

    def __post_init__(self):
        for field, value in vars(self).items():
            if isinstance(value, float) and not (math.isfinite(value) and value >= 0):
                raise ConfigError("{} of {}: {} must be finite and not negative".format(field, self.name, value))
        for field in ("lrs_median_S", "hrs_median_S", "pristine_S", "grid_S", "read_voltage_V"):
            if getattr(self, field) <= 0:
                raise ConfigError("{} of {} must be above 0".format(field, self.name))
        if self.re_set not in ("replay", "redraw"):
            raise ConfigError("re_set is {!r}; it must be 'replay' or 'redraw'".format(self.re_set))
        if self.stuck_lrs + self.stuck_hrs > 1:
            raise ConfigError("stuck_lrs + stuck_hrs = {} is above 1".format(self.stuck_lrs + self.stuck_hrs))
        if self.endurance_cycles is not None and self.endurance_cycles < 1:
            raise ConfigError("endurance_cycles is {}; it must be at least 1, or None".format(self.endurance_cycles))

    def source(self, field):
        """Where the number in `field` comes from; ConfigError when the model does not say."""
        for name, text in self.sources:
            if name == field:
                return text
        raise ConfigError("{}: no source is given for {!r}".format(self.name, field))

    def sample_forming_V(self, generator, shape):
        """Forming voltages, float64 of `shape`: independent normal draws (no spatial correlation was measured)."""
        return self.forming_mean_V + self.forming_std_V * generator.standard_normal(shape)

    def sample_lrs_S(self, generator, shape):
        """On conductances, float64 of `shape`: independent log-normal draws."""
        return self.lrs_median_S * np.exp(self.lrs_sigma_ln * generator.standard_normal(shape))

    def sample_hrs_S(self, generator, shape):
        """Off conductances, float64 of `shape`: independent log-normal draws."""
        return self.hrs_median_S * np.exp(self.hrs_sigma_ln * generator.standard_normal(shape))

    def write_factor(self, generator, shape):
        """What multiplies the old value of a re-programmed cell: 1 + write_noise * N(0, 1), clipped; float64."""
        limit = self.write_clip_sigmas
        return 1.0 + self.write_noise * np.clip(generator.standard_normal(shape), -limit, limit)

    def read_std(self, conductance, floor):
        """Standard deviation of one read of cells; `conductance` and `floor` (read_noise_floor) share one unit."""
        if not floor:
            return self.read_noise * conductance
        return np.hypot(self.read_noise * conductance, np.asarray(floor, dtype=conductance.dtype))

    def formed_share(self, voltage_V):
        """Expected share of cells that one forming pulse of `voltage_V` (scalar or array) forms."""
        if self.forming_std_V == 0:
            return np.where(np.asarray(voltage_V) >= self.forming_mean_V, 1.0, 0.0)
        return normal_cdf((np.asarray(voltage_V) - self.forming_mean_V) / self.forming_std_V)

    def forming_voltage_V(self, share):
        """Voltage that forms the expected `share` (0 < share < 1) of all cells."""
        if not 0 < share < 1:
            raise ConfigError("the share of formed cells is {}; it must lie between 0 and 1".format(share))
        return self.forming_mean_V + self.forming_std_V * NormalDist().inv_cdf(share)

    def lrs_cdf(self, conductance_S):
        """Share of on cells at or below `conductance_S` (array, > 0)."""
        return normal_cdf(np.log(np.asarray(conductance_S) / self.lrs_median_S) / self.lrs_sigma_ln)

    def hrs_cdf(self, conductance_S):
        """Share of off cells at or below `conductance_S` (array, > 0)."""
        return normal_cdf(np.log(np.asarray(conductance_S) / self.hrs_median_S) / self.hrs_sigma_ln)

    def grid_max(self, rows):
        """Largest conductance in grid units for which a column of `rows` cells sums exactly in float32."""
        return (EXACT_FLOAT32 - 1) // rows

    def to_grid(self, conductance_S, rows):
        """Siemens -> (float32 integers on the grid, count of cells clipped at `grid_max(rows)`)."""
        grid = np.rint(np.asarray(conductance_S, np.float64) / self.grid_S)
        clipped = int(np.count_nonzero(grid > self.grid_max(rows)))
        return np.minimum(grid, self.grid_max(rows)).astype(np.float32), clipped


_erf = np.vectorize(math.erf, otypes=[np.float64])


def normal_cdf(x):
    """Cumulative standard normal distribution of an array."""
    return 0.5 * (1.0 + _erf(np.asarray(x, np.float64) / math.sqrt(2.0)))


def ks_distance(samples, cdf):
    """Kolmogorov-Smirnov distance between the samples (any shape) and a continuous CDF given as a function."""
    ordered = np.sort(np.ravel(samples))
    model = cdf(ordered)
    n = ordered.size
    return float(max(np.max(np.arange(1, n + 1) / n - model), np.max(model - np.arange(n) / n)))


def ks_distance_on_grid(samples, cdf, step):
    """The same for samples that were rounded to multiples of `step`: compared where the rounding cells end."""
    values, counts = np.unique(np.rint(np.ravel(samples) / step), return_counts=True)
    empirical = np.cumsum(counts) / counts.sum()
    above = np.abs(empirical - cdf((values + 0.5) * step))
    below = np.abs(np.concatenate(([0.0], empirical[:-1])) - cdf((values - 0.5) * step))
    return float(max(above.max(), below.max()))

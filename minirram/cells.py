"""The cell: forming, on and off conductance, read and write noise as one frozen set of parameters; samplers, CDFs."""

import math
from dataclasses import dataclass, replace
from numbers import Real
from statistics import NormalDist
from typing import NamedTuple, Optional, Tuple

import numpy as np

from .errors import ConfigError, DataError
from .units import BOLTZMANN_J_K, ELECTRON_CHARGE_C, ROOM_TEMPERATURE_K

EXACT_FLOAT32 = 2**24
"""Integers below this are exact in float32, whatever the order of a sum."""

_LARGEST_MEDIAN_S = 1e-3  # no array of memory cells conducts more per cell; a wrong unit is off by a thousand

_NOT_NUMBERS = ("name", "re_set", "sources")
_MAY_BE_NONE = ("hrs_max_S", "endurance_cycles", "relaxation_mean_per_decade")


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
    hrs_max_S: Optional[float] = None
    """RESET is verified: a cell that conducts more than this is pulsed again; None: whatever one pulse gives"""
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
    drift_exponent: float = 0.0
    """nu of G(t) = G (t / drift_start_s)^-nu after programming, of on and off cells alike; 0: no drift"""
    drift_exponent_std: float = 0.0
    """standard deviation of nu over cells"""
    drift_start_s: float = 1.0
    """time after programming at which the programmed value was read"""
    relaxation_mean_S: float = 0.0
    """mean change of an on cell `relaxation_time_s` after programming, may be negative; cells below the median on
    conductance change in proportion to theirs (assumed: the figures are those of on cells)"""
    relaxation_std_S: float = 0.0
    """standard deviation of that change over cells; 0: no relaxation"""
    relaxation_time_s: float = 1.0
    """time at which the two numbers above were measured"""
    relaxation_per_decade: float = 0.0
    """how much of the change comes with each further decade of time, relative to the change at `relaxation_time_s`"""
    relaxation_mean_per_decade: Optional[float] = None
    """the same for the mean change, where it goes at a pace of its own; None: as the spread"""
    activation_eV: float = 0.0
    """Arrhenius energy by which temperature speeds drift and relaxation up; 0: temperature does not matter"""
    reference_K: float = ROOM_TEMPERATURE_K
    """temperature at which drift and relaxation were measured"""
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
            if field in _NOT_NUMBERS or (value is None and field in _MAY_BE_NONE):
                continue
            if isinstance(value, bool) or not isinstance(value, Real):
                raise ConfigError(f"{field} of {self.name} is {value!r}; it must be a number")
            least = -math.inf if field == "relaxation_mean_S" else 0.0
            if not (math.isfinite(value) and value >= least):
                raise ConfigError(f"{field} of {self.name}: {value} must be finite and not negative")
        above_zero = ("lrs_median_S", "hrs_median_S", "pristine_S", "grid_S", "read_voltage_V")
        for field in above_zero + ("drift_start_s", "relaxation_time_s", "reference_K"):
            if getattr(self, field) <= 0:
                raise ConfigError(f"{field} of {self.name} must be above 0")
        if self.hrs_max_S is not None and not self.hrs_max_S > self.hrs_median_S:
            raise ConfigError(f"hrs_max_S of {self.name} must be above the median off conductance")
        if self.re_set not in ("replay", "redraw"):
            raise ConfigError(f"re_set is {self.re_set!r}; it must be 'replay' or 'redraw'")
        if self.stuck_lrs + self.stuck_hrs > 1:
            raise ConfigError(f"stuck_lrs + stuck_hrs = {self.stuck_lrs + self.stuck_hrs} is above 1")
        if self.endurance_cycles is not None and self.endurance_cycles < 1:
            raise ConfigError(f"endurance_cycles is {self.endurance_cycles}; it must be at least 1, or None")

    def source(self, field):
        """Where the number in `field` comes from; ConfigError when the model does not say."""
        for name, text in self.sources:
            if name == field:
                return text
        raise ConfigError(f"{self.name}: no source is given for {field!r}")

    def sample_forming_V(self, generator, shape):
        """Forming voltages, float64 of `shape`: independent normal draws (no spatial correlation was measured)."""
        return self.forming_mean_V + self.forming_std_V * generator.standard_normal(shape)

    def sample_lrs_S(self, generator, shape):
        """On conductances, float64 of `shape`: independent log-normal draws."""
        return self.lrs_median_S * np.exp(self.lrs_sigma_ln * generator.standard_normal(shape))

    def sample_hrs_S(self, generator, shape):
        """Off conductances, float64 of `shape`: independent log-normal draws, repeated where above `hrs_max_S`."""
        off_S = self.hrs_median_S * np.exp(self.hrs_sigma_ln * generator.standard_normal(shape))
        while self.hrs_max_S is not None and np.any(off_S > self.hrs_max_S):
            high = off_S > self.hrs_max_S
            again = generator.standard_normal(np.count_nonzero(high))
            off_S[high] = self.hrs_median_S * np.exp(self.hrs_sigma_ln * again)
        return off_S

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
            raise ConfigError(f"the share of formed cells is {share}; it must lie between 0 and 1")
        return self.forming_mean_V + self.forming_std_V * NormalDist().inv_cdf(share)

    def lrs_cdf(self, conductance_S):
        """Share of on cells at or below `conductance_S` (array, > 0)."""
        return normal_cdf(np.log(np.asarray(conductance_S) / self.lrs_median_S) / self.lrs_sigma_ln)

    def hrs_cdf(self, conductance_S):
        """Share of off cells at or below `conductance_S` (array, > 0)."""

        def one_pulse(value_S):
            return normal_cdf(np.log(np.asarray(value_S) / self.hrs_median_S) / self.hrs_sigma_ln)

        if self.hrs_max_S is None:
            return one_pulse(conductance_S)
        return one_pulse(np.minimum(conductance_S, self.hrs_max_S)) / one_pulse(self.hrs_max_S)

    @property
    def ages(self):
        """True when conductances change with time."""
        return any((self.drift_exponent, self.drift_exponent_std, self.relaxation_mean_S, self.relaxation_std_S))

    def acceleration(self, temperature_K):
        """Seconds at `reference_K` that one second at `temperature_K` is worth (Arrhenius)."""
        if not temperature_K > 0:
            raise ConfigError(f"a temperature of {temperature_K} K; it must be above 0")
        energy_K = self.activation_eV * ELECTRON_CHARGE_C / BOLTZMANN_J_K
        return math.exp(energy_K * (1 / self.reference_K - 1 / temperature_K))

    def aged_S(self, conductance_S, age_s, drift_normal, relaxation_normal):
        """Conductance `age_s` seconds (at `reference_K`) after programming, siemens; arrays of one shape.

        conductance_S: as programmed. The two arrays of standard normal numbers are the cells' own luck: one for the
        drift exponent, one for the relaxation; the same numbers at several ages give one cell's course of time.
        """
        exponent = self.drift_exponent + self.drift_exponent_std * drift_normal
        drifted_S = conductance_S * np.maximum(age_s / self.drift_start_s, 1.0) ** -exponent
        decades = np.log10(np.maximum(age_s / self.relaxation_time_s, 1e-30))

        def progress(per_decade):
            return np.where(age_s > 0, np.maximum(1.0 + per_decade * decades, 0.0), 0.0)

        change_S = self.relaxation_std_S * relaxation_normal * progress(self.relaxation_per_decade)
        own_pace = self.relaxation_mean_per_decade
        change_S += self.relaxation_mean_S * progress(self.relaxation_per_decade if own_pace is None else own_pace)
        return np.maximum(drifted_S + change_S * np.minimum(conductance_S / self.lrs_median_S, 1.0), 0.0)

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


class Fit(NamedTuple):
    """A `CellModel` fitted to measured maps, and how well it fits."""

    model: CellModel
    """`base` with the fitted numbers and their sources"""
    cells: int
    """cells in the maps"""
    formed: int
    """cells above 0"""
    ks_lognormal: float
    """Kolmogorov-Smirnov distance of the formed cells to the fitted log-normal"""
    ks_normal: float
    """the same to a normal distribution of their mean and standard deviation, for comparison"""
    ks_limit: float
    """distance that a true log-normal exceeds once in twenty fits (Lilliefors 1967, large n)"""
    ks_forming: Optional[float]
    """distance of the forming voltages to the fitted normal; None without voltages"""

    @property
    def is_lognormal(self):
        """Whether the maps are compatible with the fitted log-normal at the 5 % level."""
        return self.ks_lognormal <= self.ks_limit


def fit_maps(maps_S, base, forming_V=None, name="fitted", repeated=False):
    """Fit the on conductance, and what else the data allow, to measured maps: a `Fit`.

    maps_S: sequence of arrays, siemens, 0 = not formed. base: `CellModel` that supplies all other numbers.
    forming_V: measured forming voltages, any shape. repeated: the maps are reads of one array, from which read noise
    is fitted too; each cell then counts once, with its mean. DataError for values that are no conductances or
    voltages, for fewer than 20 formed cells or voltages, and where all are equal.
    """
    values_S = [np.asarray(values, np.float64) for values in maps_S]
    for k, values in enumerate(values_S):
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise DataError(f"map {k}: conductances must be finite and not negative")
    reads_S, source_maps = values_S, len(values_S)
    if repeated:
        values_S = [_mean_of_reads(reads_S)]
    every_S = np.concatenate([values.ravel() for values in values_S]) if values_S else np.zeros(0)
    formed_S = every_S[every_S > 0]
    _check_spread("formed cells", formed_S)
    if np.median(formed_S) > _LARGEST_MEDIAN_S:
        raise DataError(
            f"the median cell conducts {float(np.median(formed_S)):.3g} S, more than "
            f"{_LARGEST_MEDIAN_S} S; is the unit right?"
        )
    logarithm = np.log(formed_S)
    found = {"lrs_median_S": float(np.exp(logarithm.mean())), "lrs_sigma_ln": float(logarithm.std(ddof=1))}
    if repeated:
        found["read_noise"] = _repeated_read_noise(reads_S)
    if forming_V is not None:
        forming_V = np.ravel(np.asarray(forming_V, np.float64))
        if not (np.isfinite(forming_V).all() and (forming_V > 0).all()):
            raise DataError("forming voltages must be finite and above 0")
        _check_spread("forming voltages", forming_V)
        found["forming_mean_V"] = float(np.mean(forming_V))
        found["forming_std_V"] = float(np.std(forming_V, ddof=1))
    source = f"fitted to {formed_S.size} formed cells of {source_maps} map(s)"
    sources = dict(base.sources, **{field: source for field in found})
    model = replace(base, name=name, sources=tuple(sources.items()), **found)
    mean_S, std_S = formed_S.mean(), formed_S.std(ddof=1)
    return Fit(
        model=model,
        cells=every_S.size,
        formed=formed_S.size,
        ks_lognormal=ks_distance(formed_S, model.lrs_cdf),
        ks_normal=ks_distance(formed_S, lambda values: normal_cdf((values - mean_S) / std_S)),
        ks_limit=0.886 / math.sqrt(formed_S.size),
        ks_forming=None if forming_V is None else _ks_of_sweep(forming_V, model.formed_share),
    )


def _check_spread(what, values):
    """DataError unless there are values enough for a mean and a standard deviation, and they differ."""
    if values.size < 20:
        raise DataError(f"{values.size} {what}; a fit needs at least 20")
    if np.ptp(values) == 0:
        raise DataError(f"all {values.size} {what} have the value {float(values[0]):.4g}: no distribution to fit")


def _ks_of_sweep(voltages_V, cdf):
    """Kolmogorov-Smirnov distance of voltages that may have been swept in steps: on the grid of the steps, if so."""
    gaps_V = np.diff(np.unique(voltages_V))
    step_V = gaps_V.min()
    in_steps = np.allclose(gaps_V / step_V, np.rint(gaps_V / step_V), rtol=0, atol=1e-3)
    if in_steps and gaps_V.size + 1 < voltages_V.size:
        return ks_distance_on_grid(voltages_V, cdf, step_V)
    return ks_distance(voltages_V, cdf)


def _mean_of_reads(reads_S):
    """Mean conductance of each cell of one array; 0 where a read found it unformed."""
    if len(reads_S) < 2 or any(values.shape != reads_S[0].shape for values in reads_S):
        raise DataError("repeated reads need at least two maps of one shape")
    return np.where(np.min(reads_S, axis=0) > 0, np.mean(reads_S, axis=0), 0.0)


def _repeated_read_noise(values_S):
    """Relative standard deviation of single reads: root mean square over the formed cells of std / mean."""
    reads_S = np.stack(values_S)
    reads_S = reads_S[:, (reads_S > 0).all(axis=0)]
    return float(np.sqrt(np.mean(reads_S.var(axis=0, ddof=1) / reads_S.mean(axis=0) ** 2)))

"""The built-in cell: forming, on and off conductance, read and write noise as one frozen set of parameters."""

import math
from dataclasses import dataclass
from numbers import Real
from statistics import NormalDist
from typing import ClassVar, Optional, Tuple

import numpy as np

from ..errors import ConfigError
from ..units import BOLTZMANN_J_K, ELECTRON_CHARGE_C, ROOM_TEMPERATURE_K, si_format
from .interface import Cell, Shape

_NOT_NUMBERS = ("name", "re_set", "sources")
_MAY_BE_NONE = ("hrs_max_S", "endurance_cycles", "relaxation_mean_per_decade")


@dataclass(frozen=True)
class CellModel(Cell):
    """Log-normal conductances, normal forming voltages, Gaussian reads. `device.presets` has a source for every number.

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

    ageing_numbers: ClassVar[Tuple[str, ...]] = ("drift_normal", "relaxation_normal")

    def __repr__(self) -> str:
        on, off = (si_format(value, "S", digits=3) for value in (self.lrs_median_S, self.hrs_median_S))
        spread = f"spread of ln G {self.lrs_sigma_ln:g} and {self.hrs_sigma_ln:g}"
        return f"<CellModel {self.name}: on {on}, off {off}, {spread}, read noise {self.read_noise:.3%}>"

    def __post_init__(self) -> None:
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

    def sample_forming_V(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        """Forming voltages, float64 of `shape`: independent normal draws (no spatial correlation was measured)."""
        return self.forming_mean_V + self.forming_std_V * generator.standard_normal(shape)

    def sample_lrs_S(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        """On conductances, float64 of `shape`: independent log-normal draws."""
        return self.lrs_median_S * np.exp(self.lrs_sigma_ln * generator.standard_normal(shape))

    def sample_hrs_S(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        """Off conductances, float64 of `shape`: independent log-normal draws, repeated where above `hrs_max_S`."""
        off_S = self.hrs_median_S * np.exp(self.hrs_sigma_ln * generator.standard_normal(shape))
        while self.hrs_max_S is not None and np.any(off_S > self.hrs_max_S):
            high = off_S > self.hrs_max_S
            again = generator.standard_normal(np.count_nonzero(high))
            off_S[high] = self.hrs_median_S * np.exp(self.hrs_sigma_ln * again)
        return off_S

    def write_factor(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        """What multiplies the old value of a re-programmed cell: 1 + write_noise * N(0, 1), clipped; float64."""
        limit = self.write_clip_sigmas
        return 1.0 + self.write_noise * np.clip(generator.standard_normal(shape), -limit, limit)

    def set_S(self, formed_S: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """What cells conduct after a SET, float64: the value as formed within write noise, or a new draw."""
        if self.re_set == "replay":
            return formed_S * self.write_factor(generator, formed_S.shape)
        return self.sample_lrs_S(generator, formed_S.shape)

    @property
    def redraws_hrs(self) -> bool:
        """True when each RESET draws the off conductance of a cell anew."""
        return self.re_set == "redraw"

    def tuned_S(
        self, target_S: np.ndarray, generator: np.random.Generator, *, relative_error: Optional[float] = None
    ) -> np.ndarray:
        """Normal around the target, not below 0; the deviation is `tuning_std_S` without a `relative_error`."""
        spread_S = self.tuning_std_S if relative_error is None else relative_error * target_S
        return np.maximum(target_S + spread_S * generator.standard_normal(target_S.shape), 0.0)

    def read_std(self, conductance: np.ndarray, unit_S: float = 1.0) -> np.ndarray:
        """`read_noise` times the conductance, with `read_noise_floor_S` in quadrature; in multiples of `unit_S`."""
        if not self.read_noise_floor_S:
            return self.read_noise * conductance
        floor = np.asarray(self.read_noise_floor_S / unit_S, dtype=conductance.dtype)
        return np.hypot(self.read_noise * conductance, floor)

    def pair_read_std(self, plus: np.ndarray, minus: np.ndarray, *, unit_S: float) -> np.ndarray:
        """The same for G+ - G-: two relative errors and two floors in quadrature, from one square root."""
        if type(self).read_std is not CellModel.read_std:
            return super().pair_read_std(plus, minus, unit_S=unit_S)  # a subclass has a law of its own
        relative = self.read_noise * np.sqrt(plus * plus + minus * minus)
        if not self.read_noise_floor_S:
            return relative
        return np.hypot(relative, np.asarray(np.sqrt(2.0) * self.read_noise_floor_S / unit_S, dtype=plus.dtype))

    def formed_share(self, voltage_V: np.ndarray) -> np.ndarray:
        """Expected share of cells that one forming pulse of `voltage_V` (scalar or array) forms."""
        if self.forming_std_V == 0:
            return np.where(np.asarray(voltage_V) >= self.forming_mean_V, 1.0, 0.0)
        return normal_cdf((np.asarray(voltage_V) - self.forming_mean_V) / self.forming_std_V)

    def forming_voltage_V(self, share: float) -> float:
        """Voltage that forms the expected `share` (0 < share < 1) of all cells."""
        if not 0 < share < 1:
            raise ConfigError(f"the share of formed cells is {share}; it must lie between 0 and 1")
        return self.forming_mean_V + self.forming_std_V * NormalDist().inv_cdf(share)

    def lrs_cdf(self, conductance_S: np.ndarray) -> np.ndarray:
        """Share of on cells at or below `conductance_S` (array, > 0)."""
        return normal_cdf(np.log(np.asarray(conductance_S) / self.lrs_median_S) / self.lrs_sigma_ln)

    def hrs_cdf(self, conductance_S: np.ndarray) -> np.ndarray:
        """Share of off cells at or below `conductance_S` (array, > 0)."""

        def one_pulse(value_S: np.ndarray) -> np.ndarray:
            return normal_cdf(np.log(np.asarray(value_S) / self.hrs_median_S) / self.hrs_sigma_ln)

        if self.hrs_max_S is None:
            return one_pulse(conductance_S)
        return one_pulse(np.minimum(conductance_S, self.hrs_max_S)) / one_pulse(np.asarray(self.hrs_max_S))

    def lrs_spread(self) -> Tuple[float, float]:
        """(median, standard deviation of ln G) of on cells as formed."""
        return self.lrs_median_S, self.lrs_sigma_ln

    def hrs_spread(self) -> Tuple[float, float]:
        """(median, standard deviation of ln G) of off cells after one RESET."""
        return self.hrs_median_S, self.hrs_sigma_ln

    def highest_hrs_S(self, sigmas: float) -> float:
        """`hrs_max_S` where RESET is verified, else `sigmas` deviations above the median."""
        return self.hrs_max_S or self.hrs_median_S * math.exp(sigmas * self.hrs_sigma_ln)

    @property
    def ages(self) -> bool:
        """True when conductances change with time."""
        return any((self.drift_exponent, self.drift_exponent_std, self.relaxation_mean_S, self.relaxation_std_S))

    def acceleration(self, temperature_K: Optional[float] = None) -> float:
        """Seconds at `reference_K` that one second at `temperature_K` is worth (Arrhenius); None: at `reference_K`."""
        if temperature_K is None:
            return 1.0
        if not temperature_K > 0:
            raise ConfigError(f"a temperature of {temperature_K} K; it must be above 0")
        energy_K = self.activation_eV * ELECTRON_CHARGE_C / BOLTZMANN_J_K
        return math.exp(energy_K * (1 / self.reference_K - 1 / temperature_K))

    def aged_S(self, conductance_S: np.ndarray, age_s: np.ndarray, **numbers: np.ndarray) -> np.ndarray:
        """Conductance `age_s` seconds (at `reference_K`) after programming, siemens; arrays of one shape.

        conductance_S: as programmed. numbers: standard normal numbers of each cell, `drift_normal` for its drift
        exponent and `relaxation_normal` for its relaxation.
        """
        exponent = self.drift_exponent + self.drift_exponent_std * numbers["drift_normal"]
        drifted_S = conductance_S * np.maximum(age_s / self.drift_start_s, 1.0) ** -exponent
        decades = np.log10(np.maximum(age_s / self.relaxation_time_s, 1e-30))

        def progress(per_decade: float) -> np.ndarray:
            return np.where(age_s > 0, np.maximum(1.0 + per_decade * decades, 0.0), 0.0)

        change_S = self.relaxation_std_S * numbers["relaxation_normal"] * progress(self.relaxation_per_decade)
        own_pace = self.relaxation_mean_per_decade
        change_S += self.relaxation_mean_S * progress(self.relaxation_per_decade if own_pace is None else own_pace)
        return np.maximum(drifted_S + change_S * np.minimum(conductance_S / self.lrs_median_S, 1.0), 0.0)


_erf = np.vectorize(math.erf, otypes=[np.float64])


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """Cumulative standard normal distribution of an array."""
    return 0.5 * (1.0 + _erf(np.asarray(x, np.float64) / math.sqrt(2.0)))

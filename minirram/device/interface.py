"""What the rest of minirram asks of a kind of cell. A technology with physics of its own is one subclass in one file.

    @dataclass(frozen=True)
    class MyCell(Cell):
        name: str = "mine"
        pristine_S: float = 1e-7

        def sample_forming_V(self, generator, shape): ...

The dataclass fields of a subclass are its parameters: a run folder keeps them with the name of the class. What a class
does not state, a share, a median or a voltage, is estimated from its own samples. `minirram.conformance.check_cell`
tries the laws on it.
"""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar, Dict, Optional, Tuple, Type, TypeVar

import numpy as np

from ..errors import ConfigError
from ..json_codec import plain
from ..rng import stream

EXACT_FLOAT32 = 2**24
"""Integers below this are exact in float32, whatever the order of a sum."""

_ESTIMATE_DRAWS = 2**14  # samples from which a share, a median or a spread is estimated

Own = TypeVar("Own", bound="Cell")
Shape = Tuple[int, ...]


class Cell(ABC):
    """One kind of cell. Conductances in siemens, voltages in volt, times in second, energies in joule.

    LRS is the low-resistance (on) state, HRS the high-resistance (off) state. Every random number comes from the
    generator that is passed in. A field of the same name replaces a number below by a parameter.
    """

    name: str
    """how results and error messages call it"""
    pristine_S: float
    """conductance of a cell that was not formed"""
    grid_S: float = 1e-9
    """step of the integer grid on which conductances are held inside products"""
    stuck_lrs: float = 0.0
    """share of cells that conduct from the start and answer to no pulse"""
    stuck_hrs: float = 0.0
    """share of cells that are off from the start and answer to no pulse"""
    endurance_cycles: Optional[int] = None
    """SET + RESET cycles after which a cell answers to no pulse any more; None: no limit"""
    ageing_numbers: ClassVar[Tuple[str, ...]] = ()
    """names of the standard normal numbers of each cell that `aged_S` takes; () when conductances do not age"""
    read_voltage_V: float = 0.2
    """voltage of a driven row in a read or a product"""
    read_time_s: float = 50e-9
    """time for which a bit plane drives the rows"""
    form_time_s: float = 0.0
    """width of the forming pulse; 0: no forming pulse is written to program files"""
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

    def __init_subclass__(cls, **options: Any) -> None:
        """Every subclass is known by its name from its definition on: this is how a run folder finds it again."""
        super().__init_subclass__(**options)
        known = KINDS.get(cls.__name__)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ConfigError(
                f"two kinds of cells are called {cls.__name__}: one in {known.__module__}, one in {cls.__module__}; "
                "a run folder tells them apart by this name"
            )
        KINDS[cls.__name__] = cls

    @abstractmethod
    def sample_forming_V(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        """Forming voltages, float64 of `shape`: a pulse of at least its own voltage forms a cell."""

    @abstractmethod
    def sample_lrs_S(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        """On conductances as formed, float64 of `shape`."""

    @abstractmethod
    def sample_hrs_S(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        """Off conductances, float64 of `shape`."""

    @abstractmethod
    def read_std(self, conductance: np.ndarray, unit_S: float = 1.0) -> np.ndarray:
        """Standard deviation of one read of each cell. Both are in multiples of `unit_S` and of one dtype and shape."""

    def pair_read_std(self, plus: np.ndarray, minus: np.ndarray, *, unit_S: float) -> np.ndarray:
        """Standard deviation of one read of G+ - G-: two cells with independent noise, in multiples of `unit_S`."""
        return np.hypot(self.read_std(plus, unit_S), self.read_std(minus, unit_S))

    def sample_stuck(self, generator: np.random.Generator, shape: Shape) -> Tuple[np.ndarray, np.ndarray]:
        """Cells that answer to no pulse: bool maps of those that conduct and of those that are off."""
        drawn = generator.random(shape)
        return drawn < self.stuck_lrs, (drawn >= self.stuck_lrs) & (drawn < self.stuck_lrs + self.stuck_hrs)

    def set_S(self, formed_S: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """What cells conduct after a SET, float64; `formed_S`: what each conducted as formed. Here: a new draw."""
        return self.sample_lrs_S(generator, formed_S.shape)

    def reset_S(self, off_S: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """What cells conduct after a RESET, float64; `off_S`: after the one before. Here: a new draw."""
        return self.sample_hrs_S(generator, off_S.shape)

    def tuned_S(
        self, target_S: np.ndarray, generator: np.random.Generator, *, relative_error: Optional[float] = None
    ) -> np.ndarray:
        """What closed-loop tuning to `target_S` reaches, float64. relative_error: of the target; None: the model's."""
        spread_S = 0.0 if relative_error is None else relative_error * target_S
        return np.maximum(target_S + spread_S * generator.standard_normal(target_S.shape), 0.0)

    @property
    def redraws_hrs(self) -> bool:
        """True when every RESET asks `reset_S`; False when the off conductance of a cell is drawn once."""
        return True

    @property
    def ages(self) -> bool:
        """True when conductances change with time."""
        return bool(self.ageing_numbers)

    def acceleration(self, temperature_K: Optional[float] = None) -> float:
        """Seconds of `aged_S` that one second at `temperature_K` is worth; None: at the temperature of the figures."""
        return 1.0

    def aged_S(self, conductance_S: np.ndarray, age_s: np.ndarray, **numbers: np.ndarray) -> np.ndarray:
        """Conductance `age_s` seconds after programming, float64; arrays of one shape.

        numbers: per cell one standard normal number of each name in `ageing_numbers`. The same numbers at several ages
        give the course of one cell in time.
        """
        return conductance_S

    def formed_share(self, voltage_V: np.ndarray) -> np.ndarray:
        """Expected share of cells that one forming pulse of `voltage_V` (scalar or array) forms."""
        return _share_below(self.sample_forming_V(_estimate_stream("form"), (_ESTIMATE_DRAWS,)), voltage_V)

    def forming_voltage_V(self, share: float) -> float:
        """Voltage that forms the expected `share` (0 < share < 1) of all cells."""
        if not 0 < share < 1:
            raise ConfigError(f"the share of formed cells is {share}; it must lie between 0 and 1")
        ordered = np.sort(self.sample_forming_V(_estimate_stream("form"), (_ESTIMATE_DRAWS,)))
        return float(ordered[int(np.ceil(share * ordered.size)) - 1])

    def lrs_cdf(self, conductance_S: np.ndarray) -> np.ndarray:
        """Share of on cells, as formed, at or below `conductance_S`."""
        return _share_below(self.sample_lrs_S(_estimate_stream("lrs"), (_ESTIMATE_DRAWS,)), conductance_S)

    def hrs_cdf(self, conductance_S: np.ndarray) -> np.ndarray:
        """Share of off cells at or below `conductance_S`."""
        return _share_below(self.sample_hrs_S(_estimate_stream("hrs"), (_ESTIMATE_DRAWS,)), conductance_S)

    def lrs_spread(self) -> Tuple[float, float]:
        """(median, standard deviation of ln G) of on cells as formed."""
        return _spread(self.sample_lrs_S(_estimate_stream("lrs"), (_ESTIMATE_DRAWS,)))

    def hrs_spread(self) -> Tuple[float, float]:
        """(median, standard deviation of ln G) of off cells."""
        return _spread(self.sample_hrs_S(_estimate_stream("hrs"), (_ESTIMATE_DRAWS,)))

    def highest_hrs_S(self, sigmas: float) -> float:
        """The largest off conductance: the limit of a verified RESET, else `sigmas` deviations above the median."""
        median_S, sigma_ln = self.hrs_spread()
        return median_S * float(np.exp(sigmas * sigma_ln))

    def source(self, field: str) -> str:
        """Where the number in `field` comes from; ConfigError when the model does not say."""
        for name, text in self.sources:
            if name == field:
                return text
        raise ConfigError(f"{self.name}: no source is given for {field!r}")

    def changed(self: Own, **numbers: Any) -> Own:
        """The same cell with other parameters; ConfigError for a parameter that its class does not have."""
        own = set(plain(self)) - {"type"}
        if not own.issuperset(numbers):
            unknown = ", ".join(sorted(set(numbers) - own))
            raise ConfigError(f"{self.name}: a {type(self).__name__} has no parameter {unknown}")
        return replace(self, **numbers)  # type: ignore[type-var]

    def grid_max(self, rows: int) -> int:
        """Largest conductance in grid units for which a column of `rows` cells sums exactly in float32."""
        return (EXACT_FLOAT32 - 1) // rows

    def to_grid(self, conductance_S: np.ndarray, rows: int) -> Tuple[np.ndarray, int]:
        """Siemens -> (float32 integers on the grid, count of cells clipped at `grid_max(rows)`)."""
        grid = np.rint(np.asarray(conductance_S, np.float64) / self.grid_S)
        clipped = int(np.count_nonzero(grid > self.grid_max(rows)))
        return np.minimum(grid, self.grid_max(rows)).astype(np.float32), clipped


KINDS: Dict[str, Type[Cell]] = {}
"""every kind of cell that was defined, by the name of its class"""


def _estimate_stream(quantity: str) -> np.random.Generator:
    return stream(0, "estimate", quantity)


def _share_below(samples: np.ndarray, limits: np.ndarray) -> np.ndarray:
    return np.asarray(np.searchsorted(np.sort(samples), limits, side="right") / samples.size)


def _spread(samples_S: np.ndarray) -> Tuple[float, float]:
    return float(np.median(samples_S)), float(np.log(samples_S).std())

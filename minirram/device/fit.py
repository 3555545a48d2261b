"""A cell model fitted to measured maps: states of cells, read noise, bad lines, a grid, and a verdict."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import DataError
from ..json_codec import Result
from .cell import CellModel, normal_cdf
from .fit_cells import MeasuredCells, separated_cells
from .fit_forming import Forming, fit_forming
from .fit_pulses import PulseResponse, fit_pulses
from .fit_reads import Reads, check_shapes, mean_of_reads, read_noise, same_array, wrong_reads
from .fit_verdict import NOT_USABLE, USABLE, WITH_EXCLUSIONS, exclusions_of, reasons_against, remarks_on
from .goodness import ks_distance
from .states import CellState, finite

_HELD_SIGMAS = 6.0  # the grid holds on cells this many deviations above their median
_LEAST_STEPS = 1000  # of the grid, in the on median: rounding stays below a tenth of a percent


@dataclass(frozen=True)
class Fit(Result):
    """A `CellModel` fitted to measured maps, how well it fits, and whether it may be used."""

    model: CellModel
    """`base` with the fitted numbers and their sources"""
    cells: int
    """cells in the maps; repeated reads of one count once"""
    formed: int
    """cells that were formed: those that conduct more than pristine cells"""
    not_read: int
    """cells without a value"""
    shorted: int
    """cells in the shorted state, and those marked as shorted"""
    outliers: int
    """cells that belong to no state"""
    states: Tuple[CellState, ...]
    """the states that the cells are in, in the order of their conductance"""
    formed_min_S: Optional[float]
    """cells from this conductance on count as formed; 0: all that conduct; None: none does"""
    ks_normal: Optional[float]
    """distance of the on cells to a normal distribution, for comparison; None without on cells"""
    reads: Optional[Reads]
    """what repeated reads tell; None without them"""
    forming: Optional[Forming]
    """the forming voltages; None without them"""
    pulses: Tuple[PulseResponse, ...]
    """branches of the pulse response; none without one"""
    bad_rows: Tuple[Tuple[int, int], ...]
    """(map, row) of rows that are not as the others; their cells were left out"""
    bad_cols: Tuple[Tuple[int, int], ...]
    """(map, column), likewise"""
    grid_max_S: float
    """largest conductance that the grid of the model holds"""
    verdict: str
    """usable, usable with exclusions, or not usable"""
    exclusions: Tuple[str, ...]
    """what was left out of the fit"""
    reasons: Tuple[str, ...]
    """why the fit is not usable"""
    remarks: Tuple[str, ...]
    """what was assumed, and what should be looked at"""

    @property
    def on(self) -> Optional[CellState]:
        """The on state, if there is one."""
        return next((state for state in self.states if state.name == "on"), None)

    @property
    def is_lognormal(self) -> bool:
        """Whether the on cells are compatible with the fitted log-normal at the 5 % level."""
        return self.on is not None and self.on.ks <= self.on.ks_limit


def fit_maps(
    maps_S: Sequence[np.ndarray],
    base: CellModel,
    *,
    forming_V: Optional[np.ndarray] = None,
    pulses: Optional[np.ndarray] = None,
    name: str = "fitted",
    repeated: bool = False,
    states: Optional[Sequence[str]] = None,
    unit: str = "S",
    rows: int = 512,
) -> Fit:
    """Fit the on and off states, and what else the data allow, to measured maps: a `Fit` with a verdict.

    maps_S: sequence of arrays, siemens; 0 = not formed, NaN = not read, inf = shorted. base: `CellModel` that supplies
    all other numbers. forming_V: measured forming voltages, any shape. pulses: a table as for `fit_pulses`. repeated:
    the maps are reads of one array, from which read noise is fitted too; each cell then counts once, with its mean.
    states: names of the states from the lowest conductance up, where they are known. unit: in which the maps came, for
    messages. rows: of the macros whose columns the grid must hold. DataError for values that are no conductances or
    voltages, for fewer than 20 conducting cells or voltages, and where all are equal.
    """
    reads_S = _checked_maps(maps_S)
    used_S, left_out, wrong = _right_reads(reads_S) if repeated else (reads_S, (), ())
    cells = separated_cells([mean_of_reads(used_S)] if repeated else used_S, base, names=states, unit=unit)
    reads = _noise(used_S, cells) if repeated else None
    forming = None if forming_V is None else fit_forming(forming_V)
    response = () if pulses is None else fit_pulses(pulses)
    source = f"fitted to {cells.formed} formed cells of {len(used_S)} map(s)"
    numbers = _numbers(cells, base, reads=reads, forming=forming, rows=rows)
    sources = dict(base.sources, **{field: source for field in numbers})
    model = base.changed(name=name, sources=tuple(sources.items()), **numbers)
    reasons = (*wrong, *reasons_against(cells, model, base, unit=unit))
    exclusions = (*left_out, *exclusions_of(cells, reads, forming))
    return Fit(
        model=model,
        cells=cells.cells,
        formed=cells.formed,
        not_read=cells.not_read,
        shorted=cells.shorted,
        outliers=cells.outliers,
        states=cells.separation.states,
        formed_min_S=finite(cells.separation.formed_min_S),
        ks_normal=_ks_normal(cells),
        reads=reads,
        forming=forming,
        pulses=response,
        bad_rows=cells.bad_rows,
        bad_cols=cells.bad_cols,
        grid_max_S=model.grid_max(rows) * model.grid_S,
        verdict=NOT_USABLE if reasons else WITH_EXCLUSIONS if exclusions else USABLE,
        exclusions=exclusions,
        reasons=reasons,
        remarks=(*remarks_on(cells, model, base, reads=reads, pulses=response), *([] if repeated else _alike(reads_S))),
    )


def _checked_maps(maps_S: Sequence[np.ndarray]) -> List[np.ndarray]:
    """The maps as float arrays, one per macro; DataError for what is no conductance."""
    checked: List[np.ndarray] = []
    for k, values in enumerate(maps_S):
        table = np.asarray(values, np.float64)
        if (table < 0).any():
            raise DataError(f"map {k}: conductances must not be negative")
        if table.size and np.isnan(table).all():
            raise DataError(f"map {k}: no cell has a value")
        checked += list(table) if table.ndim == 3 else [table]
    return checked


def _right_reads(reads_S: List[np.ndarray]) -> Tuple[List[np.ndarray], Tuple[str, ...], Tuple[str, ...]]:
    """(reads, what was left out, what is wrong): without wrong reads where two others remain, else all of them."""
    check_shapes(reads_S)
    wrong = wrong_reads(reads_S)
    good_S = [map_S for k, map_S in enumerate(reads_S) if k not in wrong]
    said = tuple(wrong.values())
    return (good_S, said, ()) if len(good_S) > 1 else (reads_S, (), said)


def _noise(reads_S: Sequence[np.ndarray], cells: MeasuredCells) -> Optional[Reads]:
    """The read noise of on cells that every read has a value of; None where there are none."""
    stacked = np.stack(reads_S)
    held = np.isfinite(stacked) & (stacked > 0)
    steady = held.all(axis=0) & cells.in_state("on")[0]
    return read_noise(stacked[:, steady]) if np.count_nonzero(steady) > 1 else None


def _numbers(
    cells: MeasuredCells, base: CellModel, *, reads: Optional[Reads], forming: Optional[Forming], rows: int
) -> Dict[str, Any]:
    """{field of a CellModel: what was fitted}."""
    found: Dict[str, Any] = {}
    for name, median, sigma in (
        ("on", "lrs_median_S", "lrs_sigma_ln"),
        ("off", "hrs_median_S", "hrs_sigma_ln"),
        ("pristine", "pristine_S", ""),
    ):
        state = cells.separation.state(name)
        if state is not None:
            found[median] = state.median_S
            found.update({sigma: state.sigma_ln} if sigma else {})
    if "hrs_median_S" in found and base.hrs_max_S is not None:
        highest_S = found["hrs_median_S"] * np.exp(2.5 * found["hrs_sigma_ln"])
        found["hrs_max_S"] = base.hrs_max_S if highest_S < base.hrs_max_S else None  # the cells were not verified so
    if reads is not None:
        found["read_noise"] = reads.noise
    if forming is not None:
        found.update(forming_mean_V=forming.mean_V, forming_std_V=forming.std_V)
    largest_S, median_S = _largest_S(cells, base), found.get("lrs_median_S", base.lrs_median_S)
    if largest_S > base.grid_max(rows) * base.grid_S or median_S < _LEAST_STEPS * base.grid_S:
        found["grid_S"] = _round_step(largest_S / base.grid_max(rows))
    return found


def _largest_S(cells: MeasuredCells, base: CellModel) -> float:
    """What the grid must hold: all cells in the on state, measured and to be drawn."""
    on = cells.separation.state("on")
    if on is None:
        return base.lrs_median_S
    measured_S = max(float(map_S[held].max()) for map_S, held in zip(cells.maps_S, cells.in_state("on")) if held.any())
    return max(measured_S, on.median_S * float(np.exp(_HELD_SIGMAS * on.sigma_ln)))


def _round_step(least: float) -> float:
    """The next number of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(f"{next(m for m in (1, 2, 5, 10) if m * power >= least) * power:.0e}")


def _ks_normal(cells: MeasuredCells) -> Optional[float]:
    """Distance of the on cells to a normal distribution of their mean and standard deviation."""
    values = np.concatenate([map_S[held] for map_S, held in zip(cells.maps_S, cells.in_state("on"))])
    if values.size < 2 or np.ptp(values) == 0:
        return None
    mean_S, std_S = values.mean(), values.std(ddof=1)
    return ks_distance(values, lambda one: normal_cdf((one - mean_S) / std_S))


def _alike(maps_S: Sequence[np.ndarray]) -> List[str]:
    """A line for each map that repeats the one before."""
    return [
        f"maps {k} and {k + 1} look like reads of one array; as repeated reads each cell counts once"
        for k in range(len(maps_S) - 1)
        if same_array(maps_S[k], maps_S[k + 1])
    ]

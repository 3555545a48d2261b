"""Measured maps as the start of a chip: which of their cells were formed, and which are shorted."""

from dataclasses import dataclass
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..json_codec import Result
from ..units import si_format
from .fit_cells import formed_cells
from .interface import Cell
from .states import OUTLIER, STATES, Separation, finite, separate

_LEAST_CELLS = 20  # fewer show no states


@dataclass(frozen=True)
class MapTaken(Result):
    """How a chip took one measured map."""

    cells: int
    """cells of the map"""
    formed: int
    """cells that were taken as formed and on, with the conductance that was measured"""
    pristine: int
    """cells that conduct, but as pristine ones do: taken as not formed"""
    shorted: int
    """cells far above the on cells: taken as stuck, conducting as much as the grid holds"""
    low: int
    """cells among the formed ones that conduct like off cells, or like none; as on cells they stay as measured"""
    formed_min_S: Optional[float]
    """cells from this conductance on were taken as formed; 0: all that conduct; None: none was"""
    doubt: str
    """what else the states of the cells may be; "": nothing"""

    @property
    def line(self) -> str:
        """One line for people."""
        border = f" (from {si_format(self.formed_min_S, 'S', digits=3)})" if self.formed_min_S else ""
        counts = {"as pristine cells": self.pristine, "shorted, stuck on": self.shorted, "of them low": self.low}
        parts = [f"{self.formed} of {self.cells} cells formed{border}"]
        parts += [f"{count} {what}" for what, count in counts.items() if count]
        return ", ".join(parts) + (f"; {self.doubt}" if self.doubt else "")


class FormedMaps(NamedTuple):
    """Maps in which every cell that conducts was formed."""

    maps_S: List[np.ndarray]
    """siemens, 0 = not formed"""
    shorted: List[np.ndarray]
    """bool, of the same shapes: cells that conduct whatever is done"""
    taken: Tuple[MapTaken, ...]
    """what was made of each map"""


def formed_maps(maps_S: Sequence[np.ndarray], base: Cell, *, largest_S: float) -> FormedMaps:
    """Tell formed from pristine cells in the maps of one chip, by the same states as a fit.

    maps_S: siemens, 0 = not formed, inf = shorted; what is negative or NaN stays as it is. base: what the technology
    expects. largest_S: what a shorted cell conducts at most.
    """
    tables = [np.asarray(map_S, np.float64) for map_S in maps_S]
    with np.errstate(invalid="ignore"):
        conducting = [np.isfinite(table) & (table > 0) for table in tables]
    values_S = np.concatenate([np.zeros(0)] + [table[cells] for table, cells in zip(tables, conducting)])
    if values_S.size < _LEAST_CELLS or np.ptp(values_S) == 0:
        shorted = [np.asarray(np.isposinf(table)) for table in tables]
        counts = [(int(np.count_nonzero(cells)), int(np.count_nonzero(one))) for cells, one in zip(conducting, shorted)]
        taken = tuple(MapTaken(one.size, n + short, 0, short, 0, 0.0, "") for one, (n, short) in zip(tables, counts))
        limited = [np.where(here, largest_S, table) for table, here in zip(tables, shorted)]
        return FormedMaps(limited, shorted, taken)
    separation = separate(values_S, base)
    found, start = FormedMaps([], [], ()), 0
    for table, cells in zip(tables, conducting):
        labels = np.full(table.shape, len(STATES))
        count = int(np.count_nonzero(cells))
        labels[cells] = separation.labels[start : start + count]
        start += count
        found = _with(
            found, table, cells & ~formed_cells(table, separation.formed_min_S), labels, separation, largest_S
        )
    return found


def _with(
    found: FormedMaps,
    table: np.ndarray,
    pristine: np.ndarray,
    labels: np.ndarray,
    separation: Separation,
    largest_S: float,
) -> FormedMaps:
    """The maps and one more. pristine: bool; labels: of its cells, as in `Separation`."""
    short = separation.state("short")
    shorted = np.isposinf(table) | (labels == separation.label_of("short"))
    if short is not None:
        shorted |= (labels == OUTLIER) & (table > short.median_S)
    on = separation.state("on")
    low = (labels == separation.label_of("off")) | ((labels == OUTLIER) & ~shorted)
    low &= ~pristine & (table < (0.0 if on is None else on.median_S))
    map_S = np.where(pristine, 0.0, np.where(shorted, np.minimum(table, largest_S), table))
    taken = MapTaken(
        cells=table.size,
        formed=int(np.count_nonzero(map_S > 0)),
        pristine=int(np.count_nonzero(pristine)),
        shorted=int(np.count_nonzero(shorted)),
        low=int(np.count_nonzero(low)),
        formed_min_S=finite(separation.formed_min_S),
        doubt=separation.doubt,
    )
    return FormedMaps([*found.maps_S, map_S], [*found.shorted, shorted], (*found.taken, taken))

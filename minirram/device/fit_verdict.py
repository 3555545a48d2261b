"""What a fit leaves out, what speaks against it, and what it assumes: one line each."""

import math
from typing import List, Optional, Sequence, Tuple

from ..units import named_lines, si_format
from .cell import CellModel
from .fit_cells import MeasuredCells
from .fit_forming import Forming
from .fit_pulses import PulseResponse
from .fit_reads import Reads
from .fit_unit import likely_other_unit
from .states import CellState

USABLE, WITH_EXCLUSIONS, NOT_USABLE = "usable", "usable with exclusions", "not usable"

_LARGEST_KS = 0.15  # a model that puts more cells on the wrong side of a value describes others
_MOST_OUTLIERS = 0.35
_MOST_BAD_LINES = 0.25
_LEAST_CELLS = 20
_LEAST_GAP = 2.0  # deviations on either side between on cells and off cells
_LEAST_EXPLAINED = 0.5
_SMALL_KS = 0.03  # a distance that matters to no figure, however many cells show it


def exclusions_of(cells: MeasuredCells, reads: Optional[Reads], forming: Optional[Forming]) -> Tuple[str, ...]:
    """What was left out of the fit."""
    found: List[str] = []
    for k, lines in enumerate(cells.lines):
        found += [f"{named_lines('row', lines.rows)} of map {k}"] if lines.rows else []
        found += [f"{named_lines('column', lines.cols)} of map {k}"] if lines.cols else []
    counts = [(cells.outliers, "outliers, cells in no state"), (cells.shorted, "shorted cells")]
    counts += [(cells.not_read, "cells without a value")]
    if reads is not None:
        counts += [(reads.jumping, "cells that jump between reads, out of the read noise")]
    if forming is not None:
        counts += [(forming.outliers, "outliers among the forming voltages")]
        counts += [(forming.at_end, "forming voltages at the end of the sweep")]
    return tuple(found + [f"{what}: {count}" for count, what in counts if count])


def reasons_against(cells: MeasuredCells, model: CellModel, base: CellModel, *, unit: str) -> Tuple[str, ...]:
    """Why the fit is not usable; () when it is."""
    states, on = cells.separation.states, cells.separation.state("on")
    found: List[str] = []
    other = likely_other_unit(
        [math.log(state.median_S) for state in states], [state.share for state in states], base, unit=unit
    )
    if other is not None and cells.separation.cost > 0:
        found.append(
            f"the unit is likely {other}, not {unit}: {base.name} has on cells around {_S(base.lrs_median_S)}, "
            f"the maps have cells around {_S(states[-1].median_S)}"
        )
    if on is None:
        names = ", ".join(f"{state.name} cells around {_S(state.median_S)}" for state in states)
        found.append(f"no cell is in the on state: the maps hold {names}")
    else:
        found += _against_on(on, model, fitted_off=cells.separation.state("off") is not None)
    if cells.separation.overlap:
        found.append(f"the states cannot be told apart: {cells.separation.overlap}")
    fitted = sum(int((labels >= -1).sum()) for labels in cells.labels)
    if cells.outliers > _MOST_OUTLIERS * fitted:
        found.append(f"{cells.outliers} of {fitted} cells belong to no state")
    for k, (map_S, lines) in enumerate(zip(cells.maps_S, cells.lines)):
        for kind, bad, axis in (("rows", lines.rows, 0), ("columns", lines.cols, 1)):
            if bad and len(bad) > _MOST_BAD_LINES * map_S.shape[axis]:
                found.append(f"{len(bad)} of the {map_S.shape[axis]} {kind} of map {k} are not as the others")
    return tuple(found)


def _against_on(on: CellState, model: CellModel, *, fitted_off: bool) -> List[str]:
    """What speaks against the fitted on state."""
    found: List[str] = []
    if on.cells < _LEAST_CELLS:
        found.append(f"{on.cells} cells are in the on state; a fit needs at least {_LEAST_CELLS}")
    if on.ks > _LARGEST_KS:
        found.append(f"the on cells are not log-normal: KS distance {on.ks:.3f}, at most {_LARGEST_KS} is usable")
    gap = math.log(model.lrs_median_S / model.hrs_median_S) / (model.lrs_sigma_ln + model.hrs_sigma_ln)
    if gap < _LEAST_GAP:
        source = "fitted" if fitted_off else "of the technology, not measured"
        found.append(
            f"off cells around {_S(model.hrs_median_S)} ({source}) reach on cells around {_S(model.lrs_median_S)}"
        )
    return found


def remarks_on(
    cells: MeasuredCells, model: CellModel, base: CellModel, *, reads: Optional[Reads], pulses: Sequence[PulseResponse]
) -> Tuple[str, ...]:
    """What was assumed, and what should be looked at."""
    found: List[str] = []
    separation = cells.separation
    if separation.doubt:
        found.append(f"the states are named by their likelihood: {separation.doubt}")
    for state in separation.states:
        if state.name in ("on", "off") and state.ks > max(state.ks_limit, _SMALL_KS):
            found.append(
                f"{state.name} cells are not exactly log-normal: KS distance {state.ks:.3f}, limit {state.ks_limit:.3f}"
            )
    if separation.state("off") is None:
        found.append(f"no off cells in the maps: {_S(model.hrs_median_S)} of {base.name} is kept")
    elif model.hrs_max_S != base.hrs_max_S and base.hrs_max_S is not None:
        found.append(f"off cells reach above {_S(base.hrs_max_S)}: the limit of a verified RESET is taken away")
    if abs(math.log(model.lrs_median_S / base.lrs_median_S)) > math.log(3.0):
        found.append(f"on cells are unlike {base.name}: its pulses, energies and relaxation may not hold for them")
    if model.grid_S != base.grid_S:
        found.append(f"the grid is {_S(model.grid_S)}: {_S(base.grid_S)} of {base.name} does not suit the on cells")
    if reads is not None and reads.noise == 0:
        found.append("the reads are equal: copies show no read noise")
    for one in pulses:
        if one.explained < _LEAST_EXPLAINED:
            found.append(f"the {one.direction} pulse response explains {one.explained:.0%} of its variance")
    return tuple(found)


def _S(conductance_S: float) -> str:
    return si_format(conductance_S, "S", digits=3)

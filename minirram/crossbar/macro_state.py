"""The state of one array by names: what a run folder keeps of it, and the checks on the way back."""

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Tuple

import numpy as np

from ..device.interface import Cell
from ..errors import DataError, ShapeError
from ..files import prefixed

CELL_KINDS = {
    "forming_V": "f",
    "lrs_grid": "f",
    "on_grid": "f",
    "off_grid": "f",
    "formed": "b",
    "on": "b",
    "stuck": "b",
    "writes": "u",
}
"""name of each array of all cells, and the kind of its dtype"""
LINES = ("row_map", "col_map", "physical_shape")
"""names of the arrays that say which physical lines are in use"""
PULSES = ("form", "set", "reset", "tune")
"""kinds of pulses that are counted"""


@dataclass
class MacroState:
    """Arrays and counts of one array of cells. Arrays of cells have the shape (rows, cols)."""

    seed: int
    """of the draws"""
    index: int
    """number of the macro on its chip"""
    cells: Dict[str, np.ndarray]
    """arrays of all cells by the names in `CELL_KINDS`"""
    ageing: Dict[str, np.ndarray] = field(default_factory=dict)
    """float64 arrays of all cells: `age_s` and the model's `ageing_numbers`; empty before the first ageing"""
    lines: Dict[str, np.ndarray] = field(default_factory=dict)
    """integer arrays by the names in `LINES`; empty when all physical lines are in use"""
    pulses: Dict[str, int] = field(default_factory=lambda: dict.fromkeys(PULSES, 0))
    """pulses so far by kind"""
    operations: int = 0
    """programming operations so far; each has a random stream of its own"""
    clipped: int = 0
    """conductances cut at the grid's maximum so far"""

    @property
    def shape(self) -> Tuple[int, int]:
        """(rows, cols) in use."""
        rows, cols = self.cells["on"].shape
        return rows, cols

    def held_grid(self, model: Cell, where: Tuple[slice, slice]) -> np.ndarray:
        """What the cells of a region conduct once formed, aged where they age: float32, an array of its own."""
        on, on_grid, off_grid = (self.cells[name][where] for name in ("on", "on_grid", "off_grid"))
        held = chosen(on, on_grid, other=off_grid)
        if not self.ageing:
            return held
        ageing = {name: array[where] for name, array in self.ageing.items()}
        aged_S = model.aged_S(held.astype(np.float64) * model.grid_S, **ageing)
        return model.to_grid(aged_S, self.shape[0])[0]

    def to_arrays(self) -> Dict[str, np.ndarray]:
        """A flat dict of named arrays; `from_arrays` reads it. The arrays are the state's own."""
        counts = {"seed": self.seed, "index": self.index, "operations": self.operations, "clipped": self.clipped}
        counts.update(prefixed("pulses", self.pulses))
        numbers = {name: np.array(count, np.int64) for name, count in counts.items()}
        return {**self.cells, **self.ageing, **self.lines, **numbers}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], ageing_numbers: Tuple[str, ...]) -> "MacroState":
        """The state that `to_arrays` gave, in arrays of its own; DataError for one that is missing or damaged."""
        needed = (*CELL_KINDS, "seed", "index", "operations", "clipped", *("pulses/" + kind for kind in PULSES))
        missing = [name for name in needed if name not in arrays]
        if missing:
            raise DataError(f"the state of a macro lacks {', '.join(missing)}")
        shape = np.shape(arrays["on"])
        has_aged = "age_s" in arrays
        kinds = dict(CELL_KINDS, **dict.fromkeys(("age_s", *ageing_numbers) if has_aged else (), "f"))
        lost = [name for name in kinds if name not in arrays]
        if lost:
            raise DataError(f"the state of a macro that has aged lacks {', '.join(lost)}")
        found = {name: np.array(arrays[name], order="C") for name in kinds}
        if len(shape) != 2 or any(array.shape != shape for array in found.values()):
            raise DataError(f"the arrays of a macro's state differ in shape; expected {shape} for all cells")
        for name, array in found.items():
            if array.dtype.kind != kinds[name] or np.isnan(array).any():
                raise DataError(f"the macro's array {name} is {array.dtype} or holds NaN")
        pulses = {kind: _count(arrays, "pulses/" + kind) for kind in PULSES}
        counts = {name: _count(arrays, name) for name in ("seed", "index", "operations", "clipped")}
        ageing = {name: found.pop(name) for name in list(found) if name not in CELL_KINDS}
        return cls(cells=found, ageing=ageing, lines=_checked_lines(arrays, shape), pulses=pulses, **counts)

    def read_back(self, measured: np.ndarray, pristine: np.float32) -> None:
        """Let every cell conduct `measured`, grid units, in the state it is in; `pristine`: before forming."""
        cells, on = self.cells, self.cells["on"]
        strange = ~cells["formed"] & (measured != pristine)
        cells["lrs_grid"][strange] = pristine  # what it conducted as formed stays, and with it the chip's identity
        cells["formed"] |= strange
        cells["stuck"] |= strange
        off = cells["formed"] & ~on
        cells["on_grid"][on], cells["off_grid"][off] = measured[on], measured[off]
        self.ageing.clear()

    def on_lines(self, row_map: np.ndarray, col_map: np.ndarray) -> "MacroState":
        """The part of this state, of a whole array, that lies on some of its physical lines."""
        where = np.ix_(row_map, col_map)
        shape = np.array(self.shape, np.int64)
        return MacroState(
            self.seed,
            self.index,
            {name: np.ascontiguousarray(array[where]) for name, array in self.cells.items()},
            {name: np.ascontiguousarray(array[where]) for name, array in self.ageing.items()},
            {"row_map": row_map, "col_map": col_map, "physical_shape": shape},
            dict(self.pulses),
            self.operations,
            self.clipped,
        )


def _count(arrays: Mapping[str, Any], name: str) -> int:
    value = np.asarray(arrays[name])
    if value.shape != () or value.dtype.kind not in "iu":
        raise DataError(f"the macro's count {name} is {value.dtype} of shape {value.shape}, expected one integer")
    return int(value)


def _checked_lines(arrays: Mapping[str, Any], shape: Tuple[int, ...]) -> Dict[str, np.ndarray]:
    """The line maps of a macro's state, if there are any; DataError unless they lead to distinct physical lines."""
    present = [name for name in LINES if name in arrays]
    if not present:
        return {}
    if len(present) < len(LINES):
        raise DataError(f"the state of a macro holds {', '.join(present)} of {', '.join(LINES)}")
    maps = {name: np.array(arrays[name]) for name in LINES}
    row_map, col_map, physical = maps["row_map"], maps["col_map"], maps["physical_shape"]
    if any(lines.ndim != 1 or lines.dtype.kind not in "iu" for lines in maps.values()) or len(physical) != 2:
        raise DataError("the line maps of a macro's state must be lists of integers")
    for lines, logical, count in zip((row_map, col_map), shape, physical):
        inside = lines.size == logical and lines.min() >= 0 and lines.max() < count
        if not inside or len(np.unique(lines)) < logical:
            raise DataError(
                f"the line maps of a macro's state do not lead from its {shape[0]} x {shape[1]} cells to distinct "
                f"lines of {physical.tolist()}"
            )
    plus, minus = col_map[0::2], col_map[1::2]
    if physical[1] % 2 or len(plus) != len(minus) or (plus % 2).any() or (minus != plus + 1).any():
        raise DataError("the column map of a macro's state does not keep the two columns of a pair together")
    return maps


def chosen(which: np.ndarray, one: np.ndarray, *, other: np.ndarray) -> np.ndarray:
    """`np.where(which, one, other)` of float32 arrays of one shape, by their bits: where `which` (bool) follows no
    pattern, `np.where` takes four times as long.
    """
    of_other: np.ndarray = other.view(np.int32)
    all_bits: np.ndarray = which.astype(np.int32)
    np.negative(all_bits, out=all_bits)
    found = np.bitwise_xor(one.view(np.int32), of_other)
    found &= all_bits
    found ^= of_other
    return found.view(np.float32)


def read_only(array: np.ndarray) -> np.ndarray:
    """The same array for reading alone."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def checked_shape(rows: int, cols: int) -> Tuple[int, int]:
    """(rows, cols); ShapeError unless they make an array of whole pairs."""
    if rows < 1 or cols < 2 or cols % 2:
        raise ShapeError(f"a macro of {rows} x {cols}: it needs rows and an even number of columns")
    return int(rows), int(cols)


def pristine(forming_V: np.ndarray, lrs_grid: np.ndarray, *, hrs_grid: np.ndarray) -> Dict[str, np.ndarray]:
    """Arrays of cells never pulsed. RESET never raises a conductance: off <= on where on is known."""
    shape = lrs_grid.shape
    off_grid = np.where(lrs_grid > 0, np.minimum(hrs_grid, lrs_grid), hrs_grid)
    return {
        "forming_V": forming_V,
        "lrs_grid": lrs_grid,
        "on_grid": lrs_grid.copy(),
        "off_grid": off_grid,
        "formed": np.zeros(shape, bool),
        "on": np.zeros(shape, bool),
        "stuck": np.zeros(shape, bool),
        "writes": np.zeros(shape, np.uint32),
    }


def check_map(measured_S: np.ndarray, limit_S: float) -> None:
    """DataError for the first value of a measured map that is no conductance."""
    too_large = f"is above {limit_S:.4g} S, the largest a column can sum exactly; is the unit right? "
    too_large += "`minirram fit` makes a technology whose grid holds more"
    for what, wrong in (
        ("is not a number", ~np.isfinite(measured_S)),
        ("is negative", measured_S < 0),
        (too_large, measured_S > limit_S),
    ):
        if wrong.any():
            row, col = np.argwhere(wrong)[0]
            raise DataError(f"the map's value {float(measured_S[row, col])!r} at row {row}, column {col} {what}")

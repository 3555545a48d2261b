"""The state of one array of cells and its modes: form, set, reset, tune, read, multiply.

Static variation is drawn once, from streams named after (seed, macro index, quantity): no order of calls changes it.
"""

from typing import Any, Dict, Mapping, Optional, Tuple, Union

import numpy as np

from ..device.interface import Cell
from ..errors import ConfigError, DataError, ShapeError
from ..rng import stream
from .converters import Adc, bounding_lsb, coarse_lsb
from .macro_state import MacroState, check_map, checked_shape, pristine, read_only
from .memo import Memo
from .product import Operand
from .read_noise import ReadNoise, read_variance
from .region import IDEAL, Reading, Region
from .wires import Wires, cell_voltages_V, effective_S

FORMED_SHARE = 0.9999
"""share of cells that a forming pulse of no stated voltage is expected to form; `Recipe.formed_share` has the same"""


class Macro:
    """One array of rows x cols cells; pair k of a row is columns 2k (G+) and 2k+1 (G-).

    Arrays (rows, cols), read-only, changed by the modes below alone: `formed`, `on` bool; `on_grid`, `off_grid`
    float32, what a cell conducts when on and when off, in grid units; `lrs_grid` float32, the on conductance as formed;
    `forming_V` float32; `stuck` bool, cells that answer to no pulse; `writes` uint32, SET, RESET and tuning pulses.

    `changes` grows with every call that may have changed a conductance: what was worked out from the conductances
    holds as long as it stays. Made by `Macro.sample`, `Macro.from_map` or `Macro.from_state`.
    """

    def __init__(self, model: Cell, state: MacroState) -> None:
        self.model = model
        self.changes = 0
        self.pristine_grid = np.float32(np.rint(model.pristine_S / model.grid_S))
        self._memo = Memo()
        self._adopt(state)

    def _adopt(self, state: MacroState) -> None:
        """Let `state` be the state of this macro from now on."""
        self._state = state
        self.rows, self.cols = state.shape
        self.forming_V = read_only(state.cells["forming_V"])
        self.lrs_grid = read_only(state.cells["lrs_grid"])
        self.on_grid = read_only(state.cells["on_grid"])
        self.off_grid = read_only(state.cells["off_grid"])
        self.formed = read_only(state.cells["formed"])
        self.on = read_only(state.cells["on"])
        self.stuck = read_only(state.cells["stuck"])
        self.writes = read_only(state.cells["writes"])
        self.changes += 1

    def _change(self) -> Dict[str, np.ndarray]:
        """The arrays of all cells to write to. Only from here can they be written to, and here it is counted."""
        self.changes += 1
        return self._state.cells

    def __repr__(self) -> str:
        of = f"{self.rows} x {self.cols} cells of {self.model.name}, seed {self.seed}"
        return f"<Macro {self.index}: {of}; {self.formed.sum()} formed, {self.on.sum()} on, {self.stuck.sum()} stuck>"

    @property
    def seed(self) -> int:
        """Seed of the draws."""
        return self._state.seed

    @property
    def index(self) -> int:
        """Number of the macro on its chip."""
        return self._state.index

    @property
    def pulses(self) -> Dict[str, int]:
        """Pulses so far by kind: form, set, reset, tune."""
        return dict(self._state.pulses)

    @property
    def operations(self) -> int:
        """Programming operations so far; each has a random stream of its own."""
        return self._state.operations

    @property
    def clipped(self) -> int:
        """Conductances cut at the grid's maximum so far."""
        return self._state.clipped

    @classmethod
    def sample(cls, model: Cell, seed: int, *, index: int = 0, rows: int = 512, cols: int = 512) -> "Macro":
        """A macro of pristine cells whose forming voltages, on and off conductances are drawn from `model`."""
        shape = checked_shape(rows, cols)

        def streamed(quantity: str) -> np.random.Generator:
            return stream(seed, "macro", index, quantity)

        lrs_grid, clipped_on = model.to_grid(model.sample_lrs_S(streamed("lrs"), shape), rows)
        hrs_grid, clipped_off = model.to_grid(model.sample_hrs_S(streamed("hrs"), shape), rows)
        forming_V = model.sample_forming_V(streamed("form"), shape).astype(np.float32)
        cells = pristine(forming_V, lrs_grid, hrs_grid=hrs_grid)
        macro = cls(model, MacroState(int(seed), int(index), cells, clipped=clipped_on + clipped_off))
        macro.stick(*model.sample_stuck(streamed("stuck"), shape))
        return macro

    @classmethod
    def from_map(
        cls,
        model: Cell,
        conductance_S: np.ndarray,
        *,
        seed: int,
        index: int = 0,
        rows: Optional[int] = None,
        cols: Optional[int] = None,
        draw_stuck: bool = True,
    ) -> "Macro":
        """A macro from a measured map: formed and on where the map is above 0, never to be formed where it is 0.

        conductance_S: float (map rows, map cols). The macro takes the shape of the map unless `rows`, `cols` ask for
        a larger array; its remaining cells are then unformed. What a map does not hold, off conductances and stuck
        cells, is drawn from `model`; without `draw_stuck` no cell is stuck. DataError for NaN, infinite, negative or
        too large values; ShapeError for a map that is not two-dimensional, has an odd number of columns or is larger
        than the macro.
        """
        measured_S = np.asarray(conductance_S, np.float64)
        if measured_S.ndim != 2:
            raise ShapeError(f"a conductance map has rows and columns; this one has {measured_S.ndim} axes")
        shape = checked_shape(rows or measured_S.shape[0], cols or measured_S.shape[1])
        if measured_S.shape[0] > shape[0] or measured_S.shape[1] > shape[1]:
            measured = f"{measured_S.shape[0]} x {measured_S.shape[1]}"
            raise ShapeError(f"a map of {measured} does not fit a macro of {shape[0]} x {shape[1]}")
        check_map(measured_S, model.grid_max(shape[0]) * model.grid_S)
        on_S = np.zeros(shape)
        on_S[: measured_S.shape[0], : measured_S.shape[1]] = measured_S
        lrs_grid, _ = model.to_grid(on_S, shape[0])
        hrs_S = model.sample_hrs_S(stream(seed, "macro", index, "hrs"), shape)
        hrs_grid, clipped = model.to_grid(hrs_S, shape[0])
        formed = on_S > 0
        cells = pristine(np.where(formed, 0.0, np.inf).astype(np.float32), lrs_grid, hrs_grid=hrs_grid)
        cells["formed"], cells["on"] = formed, formed.copy()
        macro = cls(model, MacroState(int(seed), int(index), cells, clipped=clipped))
        if draw_stuck:
            macro.stick(*model.sample_stuck(stream(seed, "macro", index, "stuck"), shape))
        return macro

    def state(self) -> Dict[str, np.ndarray]:
        """The macro's own arrays by name, for `from_state` and `restore`: to be written before it changes again."""
        return {name: read_only(array) for name, array in self._state.to_arrays().items()}

    @classmethod
    def from_state(cls, model: Cell, arrays: Mapping[str, Any]) -> "Macro":
        """The macro whose `state` was `arrays`; DataError when one is missing, damaged or of another shape."""
        return cls(model, MacroState.from_arrays(arrays, model.ageing_numbers))

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Go back to a state of this macro; DataError as for `from_state`, or when it is of another array."""
        state = MacroState.from_arrays(arrays, self.model.ageing_numbers)
        if state.shape != self.on.shape:
            raise DataError(f"the state of a macro of {state.shape} cells, expected {self.on.shape}")
        self._adopt(state)

    def replace_conductances(self, map_S: np.ndarray) -> None:
        """Let every cell conduct what `map_S` (physical rows, physical columns), siemens, says: a chip as read back.

        A cell stays on or off until a pulse changes it, and ages anew; an unformed one that shows otherwise is stuck.
        """
        seen_S = self.in_use(np.asarray(map_S, np.float64))
        check_map(self.on_array(seen_S), self.model.grid_max(self.rows) * self.model.grid_S)
        self._change()
        self._state.read_back(self._to_grid(seen_S), self.pristine_grid)

    def on_lines(self, row_map: np.ndarray, col_map: np.ndarray) -> "Macro":
        """The macro that uses only some physical lines: its row i is row `row_map[i]` of this one, columns likewise.

        Integer arrays without repeats; `col_map` holds whole pairs. IR drop still sees the cells where they are.
        """
        if np.array_equal(row_map, np.arange(self.rows)) and np.array_equal(col_map, np.arange(self.cols)):
            return self
        checked_shape(len(row_map), len(col_map))
        return type(self)(self.model, self._state.on_lines(row_map, col_map))

    def form(self, voltage_V: Optional[float] = None, cells: Optional[np.ndarray] = None) -> int:
        """Apply one forming pulse of `voltage_V` to `cells` (default: all); what forms is on. Returns the pulses.

        voltage_V: None for the voltage that is expected to form FORMED_SHARE of all cells. A pulse counts for every
        cell addressed, formed or not: forming drives whole lines.
        """
        if voltage_V is None:
            voltage_V = self.model.forming_voltage_V(FORMED_SHARE)
        index = np.arange(self.on.size) if cells is None else self._flat(cells)
        arrays = self._change()
        flat = index[~self.formed.reshape(-1)[index] & ~self.stuck.reshape(-1)[index]]
        flat = flat[self.forming_V.reshape(-1)[flat] <= voltage_V]
        arrays["formed"].reshape(-1)[flat] = True
        arrays["on"].reshape(-1)[flat] = True
        self._state.pulses["form"] += index.size
        return int(index.size)

    def set(self, cells: np.ndarray) -> int:
        """Apply one SET pulse to `cells`: off cells turn on, at a value that `Cell.set_S` gives. Returns pulses.

        cells: bool map (rows, cols), or distinct flat indices (row * cols + col) for a few cells. Cells that are not
        formed or are stuck take the pulse and do not change; cells that are on already do not change either.
        """
        changed, count = self._switch(cells, "set", True)
        generator = self._write_stream()
        reached_S = self.model.set_S(self.lrs_grid.reshape(-1)[changed] * self.model.grid_S, generator)
        self._change()["on_grid"].reshape(-1)[changed] = self._to_grid(reached_S)
        self._begin_to_age(changed, generator)
        return count

    def reset(self, cells: np.ndarray) -> int:
        """Apply one RESET pulse to `cells`: on cells turn off. Returns the pulses. `cells` as for `set`.

        The off conductance of a cell is drawn once, or with each RESET where the model's `redraws_hrs` says so.
        """
        changed, count = self._switch(cells, "reset", False)
        if not (self.model.redraws_hrs or self._state.ageing):
            return count
        generator = self._write_stream()
        self._begin_to_age(changed, generator)
        if self.model.redraws_hrs:
            before_S = self.off_grid.reshape(-1)[changed] * self.model.grid_S
            reached = self._to_grid(self.model.reset_S(before_S, generator))
            self._change()["off_grid"].reshape(-1)[changed] = np.minimum(reached, self.on_grid.reshape(-1)[changed])
        return count

    def tune(
        self,
        cells: np.ndarray,
        target_S: Union[float, np.ndarray],
        *,
        relative_error: Optional[float] = None,
    ) -> int:
        """Tune formed `cells` to `target_S` (one value, or one per cell in the order of `cells`), in closed loop.

        What is reached is `Cell.tuned_S`, kept within the grid. relative_error: standard deviation over the target;
        None: that of the model. Returns the writes (one per cell).
        """
        index = self._flat(cells)
        targets_S = np.broadcast_to(np.asarray(target_S, np.float64), index.shape)
        changed = self._count_writes(index, "tune")
        able = np.isin(index, changed, assume_unique=True)
        generator = self._write_stream()
        reached_S = self.model.tuned_S(targets_S[able], generator, relative_error=relative_error)
        arrays = self._change()
        arrays["on_grid"].reshape(-1)[changed] = self._to_grid(reached_S)
        arrays["on"].reshape(-1)[changed] = True
        self._begin_to_age(changed, generator)
        return int(index.size)

    def stick(self, lrs: Optional[np.ndarray] = None, hrs: Optional[np.ndarray] = None) -> None:
        """Fix cells, bool maps (rows, cols): `lrs` conduct and `hrs` are off from now on, whatever pulse they get.

        Conducting cells that a measured map shows as unformed have no on conductance: theirs is drawn.
        """
        maps = [np.zeros(self.on.shape, bool) if cells is None else np.asarray(cells) for cells in (lrs, hrs)]
        if any(cells.shape != self.on.shape or cells.dtype != bool for cells in maps) or (maps[0] & maps[1]).any():
            raise ShapeError(f"faults are bool maps of shape {self.on.shape} that do not overlap")
        stuck_lrs, stuck_hrs = maps
        arrays = self._change()
        unknown = stuck_lrs & (self.lrs_grid == 0)
        if unknown.any():
            drawn_S = self.model.sample_lrs_S(stream(self.seed, "macro", self.index, "lrs"), self.on.shape)
            drawn = self._to_grid(drawn_S[unknown])
            arrays["lrs_grid"][unknown] = arrays["on_grid"][unknown] = drawn
            arrays["off_grid"][unknown] = np.minimum(self.off_grid[unknown], drawn)
        arrays["stuck"] |= stuck_lrs | stuck_hrs
        arrays["formed"] |= stuck_lrs | stuck_hrs
        arrays["on"] |= stuck_lrs
        arrays["on"] &= ~stuck_hrs

    def age(self, seconds: float, temperature_K: Optional[float] = None) -> None:
        """Let every formed cell drift and relax for `seconds` more, counted from its last programming.

        temperature_K: None for the temperature of the model's figures. ConfigError when the model does not age.
        """
        if not self.model.ages:
            raise ConfigError(f"{self.model.name} has neither drift nor relaxation: nothing would age")
        if not seconds >= 0:
            raise ConfigError(f"an age of {seconds} s; it must be 0 or more")
        acceleration = self.model.acceleration(temperature_K)
        ageing = self._state.ageing
        if not ageing:
            names = self.model.ageing_numbers
            ageing["age_s"] = np.zeros(self.on.shape)
            drawn = stream(self.seed, "macro", self.index, "aging").standard_normal((len(names),) + self.on.shape)
            ageing.update(zip(names, drawn))
        ageing["age_s"] += seconds * acceleration
        held = np.where(self._change()["on"], self.on_grid, self.off_grid * self.formed)
        self._to_grid(self.model.aged_S(held * self.model.grid_S, **ageing))  # counts what is cut

    def _begin_to_age(self, changed: np.ndarray, generator: np.random.Generator) -> None:
        """Cells that were just programmed begin to age anew, with ageing numbers of their own."""
        ageing = self._state.ageing
        if not ageing:
            return
        ageing["age_s"].reshape(-1)[changed] = 0.0
        names = self.model.ageing_numbers
        for name, drawn in zip(names, generator.standard_normal((len(names), changed.size))):
            ageing[name].reshape(-1)[changed] = drawn

    def _switch(self, cells: np.ndarray, kind: str, on: bool) -> Tuple[np.ndarray, int]:
        """Count the pulses, flip the cells that answer; returns (flat indices of flipped cells, pulses)."""
        index = self._flat(cells)
        able = self._count_writes(index, kind)
        flipped = able[self.on.reshape(-1)[able] != on]
        self._change()["on"].reshape(-1)[flipped] = on
        return flipped, int(index.size)

    def _count_writes(self, index: np.ndarray, kind: str) -> np.ndarray:
        """Book one pulse per cell; returns those of `index` that can answer: formed, not stuck, not worn out."""
        arrays = self._change()
        self._state.pulses[kind] += index.size
        arrays["writes"].reshape(-1)[index] += np.uint32(1)
        able = index[self.formed.reshape(-1)[index] & ~self.stuck.reshape(-1)[index]]
        if self.model.endurance_cycles is None:
            return able
        worn = self.writes.reshape(-1)[able] > 2 * self.model.endurance_cycles
        arrays["stuck"].reshape(-1)[able[worn]] = True
        return able[~worn]

    def _write_stream(self) -> np.random.Generator:
        """A generator for this programming operation alone: resuming needs no more than the count of operations."""
        self._state.operations += 1
        return stream(self.seed, "macro", self.index, "write", self.operations)

    def _to_grid(self, conductance_S: np.ndarray) -> np.ndarray:
        """Siemens -> grid units; what is cut at the maximum is counted."""
        grid, clipped = self.model.to_grid(conductance_S, self.rows)
        self._state.clipped += clipped
        return grid

    def _flat(self, cells: np.ndarray) -> np.ndarray:
        """Flat indices of `cells`, a bool map (rows, cols) or an integer array of distinct flat indices."""
        cells = np.asarray(cells)
        if cells.dtype == bool and cells.shape != self.on.shape:
            raise ShapeError(f"a map of cells of shape {cells.shape}, expected {self.on.shape}")
        if cells.dtype == bool:
            return np.flatnonzero(cells)
        if cells.ndim != 1 or (cells.size and cells.dtype.kind not in "iu"):
            raise ShapeError(f"cells must be a bool map {self.on.shape} or a list of flat indices")
        ordered = np.sort(cells)
        if cells.size and (ordered[0] < 0 or ordered[-1] >= self.on.size or np.any(ordered[1:] == ordered[:-1])):
            raise ShapeError(f"flat indices of cells must be distinct and lie in 0..{self.on.size - 1}")
        return cells.astype(np.intp)

    @property
    def is_whole(self) -> bool:
        """True when rows and columns are those of the physical array: no line is out of use."""
        return not self._state.lines

    @property
    def physical_shape(self) -> Tuple[int, int]:
        """(rows, columns) of the array with its lines out of use."""
        if self.is_whole:
            return self.rows, self.cols
        rows, cols = self._state.lines["physical_shape"].tolist()
        return rows, cols

    @property
    def line_maps(self) -> Tuple[np.ndarray, np.ndarray]:
        """(physical row of each row, physical column of each column): integer arrays (rows,), (cols,)."""
        if self.is_whole:
            return np.arange(self.rows), np.arange(self.cols)
        return self._state.lines["row_map"], self._state.lines["col_map"]

    def in_use(self, physical: np.ndarray) -> np.ndarray:
        """The cells in use of a map of the physical array: (rows, cols)."""
        return physical[np.ix_(*self.line_maps)]

    def on_array(self, cells: np.ndarray, elsewhere: float = 0) -> np.ndarray:
        """The map of the physical array that holds `cells` (rows, cols) where they lie, and `elsewhere` the rest."""
        physical = np.full(self.physical_shape, elsewhere, cells.dtype)
        physical[np.ix_(*self.line_maps)] = cells
        return physical

    @property
    def whole(self) -> Region:
        """The region of all rows and columns."""
        return Region(slice(0, self.rows), slice(0, self.cols))

    def check(self, region: Region) -> None:
        """ConfigError for a region that does not lie inside the macro."""
        if region.rows.stop > self.rows or region.cols.stop > self.cols:
            raise ConfigError(
                f"rows {region.rows} and cols {region.cols} are no region of a macro of {self.rows} x {self.cols}"
            )

    def conductance_grid(self, region: Optional[Region] = None) -> np.ndarray:
        """Present conductance of a region (default: all) in grid units, float32, read-only; no noise."""
        where = self.whole if region is None else region
        self.check(where)
        return self._memo.get(self.changes, ("cells", where), make=lambda: read_only(self._present_grid(where)))

    def _present_grid(self, region: Region) -> np.ndarray:
        held = self._state.held_grid(self.model, (region.rows, region.cols))
        held[~self.formed[region.rows, region.cols]] = self.pristine_grid
        return held

    def conductance_S(self) -> np.ndarray:
        """Present conductance of all cells in siemens, float64; no noise."""
        return self.conductance_grid().astype(np.float64) * self.model.grid_S

    def read_grid(self, generator: np.random.Generator) -> np.ndarray:
        """One noisy read-out of all cells in grid units, float32, not rounded."""
        grid = self.conductance_grid()
        noise = generator.standard_normal(grid.shape, dtype=np.float32)
        noise *= self.model.read_std(grid, self.model.grid_S)
        return np.add(grid, noise, out=noise)

    def read_S(self, generator: np.random.Generator) -> np.ndarray:
        """One noisy read-out of all cells in siemens, float64 (rows, cols)."""
        return self.read_grid(generator).astype(np.float64) * self.model.grid_S

    def voltage_share(self, wires: Wires) -> np.ndarray:
        """Share of the read voltage that each cell sees when all rows are driven, float32 (rows, cols)."""
        array_S = self.on_array(self.conductance_S())  # cells on lines out of use are taken to carry no current
        volts = cell_voltages_V(array_S, np.ones((1, len(array_S))), wires=wires, tolerance=1e-4)[0]
        return self.in_use(volts).astype(np.float32)

    def read_noise(self, seed: int, region: Region, *, held: bool = False) -> ReadNoise:
        """Random numbers for the noise of products with one region, keyed by (seed, macro, first row, first column).

        They count the samples read: keep them and pass them to each `multiply` of that region.
        """
        return ReadNoise(seed, "read", self.index, region.rows.start, region.cols.start, held=held)

    def effective_grid(self, region: Optional[Region], wires: Optional[Wires], *, threads: int = 1) -> np.ndarray:
        """Conductances of a region that a product multiplies: float32 grid units, read-only.

        Those of the cells, or, behind `wires`, the effective ones rounded to the grid; all cells of the macro load the
        lines. They are kept until a cell changes: the exact model takes one nodal solve per line of the region, half a
        minute for all of a 512 x 512 macro; the reduced model takes 0.1 s.
        """
        where = self.whole if region is None else region
        if wires is None:
            return self.conductance_grid(where)
        self.check(where)
        row_map, col_map = self.line_maps

        def behind_wires() -> np.ndarray:
            array_S = self.on_array(self.conductance_S())
            found_S = effective_S(array_S, wires, rows=row_map[where.rows], cols=col_map[where.cols], threads=threads)
            return read_only(np.rint(found_S / self.model.grid_S).astype(np.float32))

        return self._memo.get(self.changes, ("effective", where, wires), make=behind_wires)

    def operand(self, region: Region, reading: Reading = IDEAL, *, threads: int = 1) -> Operand:
        """One region as a product takes it: its effective conductances, and with noise the variances of its reads."""

        def make() -> Operand:
            grid = self.effective_grid(region, reading.wires, threads=threads)
            if reading.noise is None:
                return Operand(grid)
            return Operand(grid, read_variance(self.model.read_std(grid, self.model.grid_S)))

        return self._memo.get(self.changes, ("operand", region, reading.wires, reading.noise is not None), make=make)

    def column_sums_grid(self, region: Region, wires: Optional[Wires] = None, *, threads: int = 1) -> np.ndarray:
        """sum_i (G+ - G-)_ij of the conductances that a product multiplies: float64 (pairs,), grid units."""
        return self.operand(region, Reading(wires=wires), threads=threads).column_sums_grid

    def calibrated_adc(self, *, bits: int, arrangement: str = "pair", region: Optional[Region] = None) -> Adc:
        """A converter for one region (default: all), its range the largest current that any input can give."""
        lsb = bounding_lsb(self.conductance_grid(region), bits, arrangement=arrangement)
        return Adc(bits, coarse_lsb(lsb, bits), arrangement)

    def multiply(
        self,
        codes: np.ndarray,
        region: Optional[Region] = None,
        *,
        input_bits: int,
        adc: Adc,
        reading: Reading = IDEAL,
        threads: int = 1,
        onto: Optional[np.ndarray] = None,
    ) -> Tuple[np.ndarray, int]:
        """The crossbar product of one region (default: all) as it is now; see `product.multiply`.

        codes: uint8 (n, region rows). reading: read noise, errors of converters, wires. onto: int64 (n, pairs) that
        the product is added to; None: a new array. Returns (int64 (n, pairs), saturated conversions). ConfigError for
        a region outside the macro.
        """
        return self.operand(self.whole if region is None else region, reading, threads=threads).multiply(
            codes,
            input_bits=input_bits,
            adc=adc,
            noise=reading.noise,
            errors=reading.errors,
            threads=threads,
            onto=onto,
        )

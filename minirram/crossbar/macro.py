"""The state of one array of cells and its modes: form, set, reset, read, multiply.

Static variation is drawn once, from streams named after (seed, macro index, quantity): no order of calls changes it.
"""

import numpy as np

from ..device.cell import CellModel
from ..errors import ConfigError, DataError, ShapeError
from ..rng import stream
from .converters import largest_pair_currents
from .product import multiply
from .read_noise import ReadNoise, read_variance
from .wires import cell_voltages_V, effective_S

_STATE_ARRAYS = ("forming_V", "lrs_grid", "on_grid", "off_grid", "formed", "on", "stuck", "writes")
_AGING_ARRAYS = ("age_s", "drift_normal", "relaxation_normal")
_LINE_ARRAYS = ("row_map", "col_map", "physical_shape")
_PULSES = ("form", "set", "reset", "tune")


class Macro:
    """One array of rows x cols cells; pair k of a row is columns 2k (G+) and 2k+1 (G-).

    Arrays (rows, cols), all readable, changed only by the modes below:
    `formed`, `on` bool; `on_grid`, `off_grid` float32, what a cell conducts when on and when off, in grid units;
    `lrs_grid` float32, the on conductance as formed; `forming_V` float32; `stuck` bool, cells that answer to no
    pulse; `writes` uint32, SET, RESET and tuning pulses each cell has seen.
    `pulses` counts pulses by kind ("form", "set", "reset", "tune"); `clipped` counts conductances cut at the grid's
    maximum.

    Made by `Macro.sample`, `Macro.from_map` or `Macro.from_state`.
    """

    def __init__(self, model, seed, index, arrays, pulses=None, operations=0, clipped=0):
        self.model = model
        self.seed = int(seed)
        self.index = int(index)
        self.forming_V, self.lrs_grid, self.on_grid, self.off_grid = (arrays[name] for name in _STATE_ARRAYS[:4])
        self.formed, self.on, self.stuck, self.writes = (arrays[name] for name in _STATE_ARRAYS[4:])
        self.rows, self.cols = self.on.shape
        self.pulses = {kind: int((pulses or {}).get(kind, 0)) for kind in _PULSES}
        self.operations = int(operations)
        self.clipped = int(clipped)
        self._wired_S = None
        self._wired_grids = {}
        self._aging = {name: arrays[name] for name in _AGING_ARRAYS if name in arrays}
        self._lines = {name: arrays[name] for name in _LINE_ARRAYS if name in arrays}
        self.pristine_grid = np.float32(np.rint(model.pristine_S / model.grid_S))

    @classmethod
    def sample(cls, model: CellModel, seed, index=0, rows=512, cols=512):
        """A macro of pristine cells whose forming voltages, on and off conductances are drawn from `model`."""
        shape = _checked_shape(rows, cols)

        def streamed(quantity):
            return stream(seed, "macro", index, quantity)

        lrs_grid, clipped_on = model.to_grid(model.sample_lrs_S(streamed("lrs"), shape), rows)
        hrs_grid, clipped_off = model.to_grid(model.sample_hrs_S(streamed("hrs"), shape), rows)
        forming_V = model.sample_forming_V(streamed("form"), shape).astype(np.float32)
        arrays = _pristine_arrays(forming_V, lrs_grid, hrs_grid)
        macro = cls(model, seed, index, arrays, clipped=clipped_on + clipped_off)
        macro.stick(*_draw_stuck(model, seed, index, shape))
        return macro

    @classmethod
    def from_map(cls, model: CellModel, conductance_S, seed, index=0, rows=None, cols=None):
        """A macro from a measured map: formed and on where the map is above 0, never to be formed where it is 0.

        conductance_S: float (map rows, map cols). The macro takes the shape of the map unless `rows`, `cols` ask for
        a larger array; its remaining cells are then unformed. What a map does not hold, off conductances and stuck
        cells, is drawn from `model`. DataError for NaN, infinite, negative or too large values; ShapeError for a map
        that is not two-dimensional, has an odd number of columns or is larger than the macro.
        """
        measured_S = np.asarray(conductance_S, np.float64)
        if measured_S.ndim != 2:
            raise ShapeError(f"a conductance map has rows and columns; this one has {measured_S.ndim} axes")
        shape = _checked_shape(rows or measured_S.shape[0], cols or measured_S.shape[1])
        if measured_S.shape[0] > shape[0] or measured_S.shape[1] > shape[1]:
            raise ShapeError("a map of {} x {} does not fit a macro of {} x {}".format(*measured_S.shape, *shape))
        _check_map(measured_S, model.grid_max(shape[0]) * model.grid_S)
        on_S = np.zeros(shape)
        on_S[: measured_S.shape[0], : measured_S.shape[1]] = measured_S
        lrs_grid, _ = model.to_grid(on_S, shape[0])
        hrs_S = model.sample_hrs_S(stream(seed, "macro", index, "hrs"), shape)
        hrs_grid, clipped = model.to_grid(hrs_S, shape[0])
        formed = on_S > 0
        arrays = _pristine_arrays(np.where(formed, 0.0, np.inf).astype(np.float32), lrs_grid, hrs_grid)
        arrays["formed"], arrays["on"] = formed, formed.copy()
        macro = cls(model, seed, index, arrays, clipped=clipped)
        macro.stick(*_draw_stuck(model, seed, index, shape))
        return macro

    def state(self):
        """A dict of arrays that `from_state` takes back; every draw made so far is in it."""
        state = {name: getattr(self, name) for name in _STATE_ARRAYS}
        state.update(self._aging)
        state.update(self._lines)
        counters = [self.seed, self.index, self.operations, self.clipped] + [self.pulses[kind] for kind in _PULSES]
        state["counters"] = np.array(counters, np.int64)
        return state

    @classmethod
    def from_state(cls, model: CellModel, state):
        """The macro that `state` describes; DataError when an array is missing or of another shape."""
        missing = [name for name in _STATE_ARRAYS + ("counters",) if name not in state]
        if missing:
            raise DataError("the state of a macro lacks {}".format(", ".join(missing)))
        shape = np.shape(state["on"])
        present = _STATE_ARRAYS + tuple(name for name in _AGING_ARRAYS if name in state)
        if any(np.shape(state[name]) != shape for name in present) or np.shape(state["counters"]) != (8,):
            raise DataError(f"the arrays of a macro's state differ in shape; expected {shape} for all cells")
        _check_lines(state, shape)
        kinds = {"formed": "b", "on": "b", "stuck": "b", "writes": "u"}
        for name in present:
            array = np.asarray(state[name])
            if array.dtype.kind != kinds.get(name, "f") or np.isnan(array).any():
                raise DataError(f"the macro's array {name} is {array.dtype} or holds NaN")
        seed, index, operations, clipped, *pulses = (int(number) for number in state["counters"])
        arrays = {name: np.array(state[name]) for name in present + _LINE_ARRAYS if name in state}
        return cls(model, seed, index, arrays, dict(zip(_PULSES, pulses)), operations, clipped)

    def on_lines(self, row_map, col_map):
        """The macro that uses only some physical lines: its row i is row `row_map[i]` of this one, columns likewise.

        Integer arrays without repeats; `col_map` holds whole pairs. IR drop still sees the cells where they are.
        """
        if np.array_equal(row_map, np.arange(self.rows)) and np.array_equal(col_map, np.arange(self.cols)):
            return self
        _checked_shape(len(row_map), len(col_map))
        where = np.ix_(row_map, col_map)
        arrays = {name: array[where] for name, array in self.state().items() if np.shape(array) == self.on.shape}
        arrays.update(row_map=row_map, col_map=col_map, physical_shape=np.array(self.on.shape, np.int64))
        return type(self)(self.model, self.seed, self.index, arrays, self.pulses, self.operations, self.clipped)

    def form(self, voltage_V, cells=None):
        """Apply one forming pulse of `voltage_V` to `cells` (default: all); what forms is on. Returns the pulses.

        A pulse counts for every cell addressed, formed or not: forming drives whole lines.
        """
        index = np.arange(self.on.size) if cells is None else self._flat(cells)
        flat = index[~self.formed.reshape(-1)[index] & ~self.stuck.reshape(-1)[index]]
        flat = flat[self.forming_V.reshape(-1)[flat] <= voltage_V]
        self.formed.reshape(-1)[flat] = True
        self.on.reshape(-1)[flat] = True
        self.pulses["form"] += index.size
        return int(index.size)

    def set(self, cells):
        """Apply one SET pulse to `cells`: off cells turn on, at a value that `model.re_set` decides. Returns pulses.

        cells: bool map (rows, cols), or distinct flat indices (row * cols + col) for a few cells. Cells that are not
        formed or are stuck take the pulse and do not change; cells that are on already do not change either.
        """
        changed, count = self._switch(cells, "set", True)
        generator = self._write_stream()
        if self.model.re_set == "replay":
            old_S = self.lrs_grid.reshape(-1)[changed] * self.model.grid_S
            reached_S = old_S * self.model.write_factor(generator, changed.shape)
        else:
            reached_S = self.model.sample_lrs_S(generator, changed.shape)
        self.on_grid.reshape(-1)[changed] = self._to_grid(reached_S)
        self._rejuvenate(changed, generator)
        return count

    def reset(self, cells):
        """Apply one RESET pulse to `cells`: on cells turn off. Returns the pulses. `cells` as for `set`.

        Under `re_set = "replay"` the off value of a cell is drawn once; under "redraw" each RESET draws it anew.
        """
        changed, count = self._switch(cells, "reset", False)
        if self.model.re_set == "redraw" or self._aging:
            generator = self._write_stream()
            self._rejuvenate(changed, generator)
        if self.model.re_set == "redraw":
            drawn = self._to_grid(self.model.sample_hrs_S(generator, changed.shape))
            self.off_grid.reshape(-1)[changed] = np.minimum(drawn, self.on_grid.reshape(-1)[changed])
        return count

    def tune(self, cells, target_S, relative_error=None):
        """Tune formed `cells` to `target_S` (one value, or one per cell in the order of `cells`), in closed loop.

        What is reached is normal around the target, kept within the grid; its standard deviation is `relative_error`
        of the target, model.tuning_std_S without one. Returns the writes (one per cell).
        """
        index = self._flat(cells)
        targets_S = np.broadcast_to(np.asarray(target_S, np.float64), index.shape)
        changed = self._count_writes(index, "tune")
        able = np.isin(index, changed, assume_unique=True)
        generator = self._write_stream()
        spread_S = self.model.tuning_std_S if relative_error is None else relative_error * targets_S[able]
        reached_S = np.maximum(targets_S[able] + spread_S * generator.standard_normal(changed.size), 0.0)
        self.on_grid.reshape(-1)[changed] = self._to_grid(reached_S)
        self.on.reshape(-1)[changed] = True
        self._rejuvenate(changed, generator)
        return int(index.size)

    def stick(self, lrs=None, hrs=None):
        """Fix cells, bool maps (rows, cols): `lrs` conduct and `hrs` are off from now on, whatever pulse they get.

        Conducting cells that a measured map shows as unformed have no on conductance: theirs is drawn.
        """
        maps = [np.zeros(self.on.shape, bool) if cells is None else np.asarray(cells) for cells in (lrs, hrs)]
        if any(cells.shape != self.on.shape or cells.dtype != bool for cells in maps) or (maps[0] & maps[1]).any():
            raise ShapeError(f"faults are bool maps of shape {self.on.shape} that do not overlap")
        stuck_lrs, stuck_hrs = maps
        unknown = stuck_lrs & (self.lrs_grid == 0)
        if unknown.any():
            drawn_S = self.model.sample_lrs_S(stream(self.seed, "macro", self.index, "lrs"), self.on.shape)
            self.lrs_grid[unknown] = self._to_grid(drawn_S[unknown])
            self.on_grid[unknown] = self.lrs_grid[unknown]
            self.off_grid[unknown] = np.minimum(self.off_grid[unknown], self.on_grid[unknown])
        self.stuck |= stuck_lrs | stuck_hrs
        self.formed |= stuck_lrs | stuck_hrs
        self.on |= stuck_lrs
        self.on &= ~stuck_hrs

    @property
    def is_whole(self):
        """True when rows and columns are those of the physical array: no line is out of use."""
        return not self._lines

    @property
    def physical_shape(self):
        """(rows, columns) of the array with its lines out of use."""
        return self.on.shape if self.is_whole else tuple(self._lines["physical_shape"].tolist())

    @property
    def line_maps(self):
        """(physical row of each row, physical column of each column): integer arrays (rows,), (cols,)."""
        if self.is_whole:
            return np.arange(self.rows), np.arange(self.cols)
        return self._lines["row_map"], self._lines["col_map"]

    def in_use(self, physical):
        """The cells in use of a map of the physical array: (rows, cols)."""
        return physical[np.ix_(*self.line_maps)]

    def on_array(self, cells, elsewhere=0):
        """The map of the physical array that holds `cells` (rows, cols) where they lie, and `elsewhere` the rest."""
        physical = np.full(self.physical_shape, elsewhere, cells.dtype)
        physical[np.ix_(*self.line_maps)] = cells
        return physical

    def age(self, seconds, temperature_K=None):
        """Let time pass: every formed cell drifts and relaxes from its last programming on.

        temperature_K: None for the temperature of the model's figures. ConfigError when the model does not age.
        """
        if not self.model.ages:
            raise ConfigError(f"{self.model.name} has neither drift nor relaxation: nothing would age")
        if not seconds >= 0:
            raise ConfigError(f"an age of {seconds} s; it must be 0 or more")
        if not self._aging:
            luck = stream(self.seed, "macro", self.index, "aging").standard_normal((2,) + self.on.shape)
            self._aging = dict(zip(_AGING_ARRAYS, (np.zeros(self.on.shape), *luck)))
        temperature_K = self.model.reference_K if temperature_K is None else temperature_K
        self._aging["age_s"] += seconds * self.model.acceleration(temperature_K)

    def _rejuvenate(self, changed, generator):
        """Cells that were just programmed begin to age anew, with new luck."""
        if self._aging:
            fresh = (0.0, *generator.standard_normal((2, changed.size)))
            for array, values in zip(self._aging.values(), fresh):
                array.reshape(-1)[changed] = values

    def _switch(self, cells, kind, on):
        """Count the pulses, flip the cells that answer; returns (flat indices of flipped cells, pulses)."""
        index = self._flat(cells)
        able = self._count_writes(index, kind)
        flipped = able[self.on.reshape(-1)[able] != on]
        self.on.reshape(-1)[flipped] = on
        return flipped, int(index.size)

    def _count_writes(self, index, kind):
        """Book one pulse per cell; returns those of `index` that can answer: formed, not stuck, not worn out."""
        self.pulses[kind] += index.size
        self.writes.reshape(-1)[index] += np.uint32(1)
        able = index[self.formed.reshape(-1)[index] & ~self.stuck.reshape(-1)[index]]
        if self.model.endurance_cycles is None:
            return able
        worn = self.writes.reshape(-1)[able] > 2 * self.model.endurance_cycles
        self.stuck.reshape(-1)[able[worn]] = True
        return able[~worn]

    def _write_stream(self):
        """A generator for this programming operation alone: resuming needs no more than the count of operations."""
        self.operations += 1
        return stream(self.seed, "macro", self.index, "write", self.operations)

    def _to_grid(self, conductance_S):
        """Siemens -> grid units; what is cut at the grid's maximum is counted."""
        grid, clipped = self.model.to_grid(conductance_S, self.rows)
        self.clipped += clipped
        return grid

    def _flat(self, cells):
        """Flat indices of `cells`, a bool map (rows, cols) or an integer array of distinct flat indices."""
        cells = np.asarray(cells)
        if cells.dtype == bool:
            if cells.shape != self.on.shape:
                raise ShapeError(f"a map of cells of shape {cells.shape}, expected {self.on.shape}")
            return np.flatnonzero(cells)
        if cells.ndim != 1 or (cells.size and cells.dtype.kind not in "iu"):
            raise ShapeError(f"cells must be a bool map {self.on.shape} or a list of flat indices")
        ordered = np.sort(cells)
        if cells.size and (ordered[0] < 0 or ordered[-1] >= self.on.size or np.any(ordered[1:] == ordered[:-1])):
            raise ShapeError(f"flat indices of cells must be distinct and lie in 0..{self.on.size - 1}")
        return cells.astype(np.intp)

    def conductance_grid(self, rows=slice(None), cols=slice(None)):
        """Present conductance of a region in grid units, float32: on, off or pristine value of each; no noise."""
        held = np.where(self.on[rows, cols], self.on_grid[rows, cols], self.off_grid[rows, cols])
        if self._aging:
            aged_S = self.model.aged_S(
                held.astype(np.float64) * self.model.grid_S, *(array[rows, cols] for array in self._aging.values())
            )
            held, _ = self.model.to_grid(aged_S, self.rows)
        return np.where(self.formed[rows, cols], held, self.pristine_grid)

    def conductance_S(self, rows=slice(None), cols=slice(None)):
        """Present conductance of a region in siemens, float64; no noise."""
        return self.conductance_grid(rows, cols).astype(np.float64) * self.model.grid_S

    def read_grid(self, generator, rows=slice(None), cols=slice(None)):
        """One noisy read-out of a region in grid units, float32, not rounded (training reads weights this way)."""
        grid = self.conductance_grid(rows, cols)
        noise = generator.standard_normal(grid.shape, dtype=np.float32)
        noise *= self.model.read_std(grid, self.model.read_noise_floor_S / self.model.grid_S)
        return np.add(grid, noise, out=noise)

    def read_S(self, generator):
        """One noisy read-out of all cells in siemens, float64 (rows, cols)."""
        return self.read_grid(generator).astype(np.float64) * self.model.grid_S

    def voltage_share(self, wires):
        """Share of the read voltage that each cell sees when all rows are driven, float32 (rows, cols)."""
        array_S = self.on_array(self.conductance_S())  # cells on lines out of use are taken to carry no current
        volts = cell_voltages_V(array_S, np.ones((1, len(array_S))), wires, tolerance=1e-4)[0]
        return self.in_use(volts).astype(np.float32)

    def leak_lsb(self, rows, cols, adc):
        """Largest reading per plane, in LSB, that each pair of columns of a region can give when fully pruned.

        Float64 (pairs,): what the off conductances let through because the two cells of a pair differ. Below 0.5 a
        pruned column reads exactly 0 for every input.
        """
        check_region(self, rows, cols)
        off_grid = np.where(self.formed[rows, cols], self.off_grid[rows, cols], self.pristine_grid)
        return largest_pair_currents(off_grid) / float(adc.tile_lsb)

    def read_noise(self, seed, rows, cols, held=False):
        """A `crossbar.ReadNoise` for products with one region, keyed by (seed, macro, first row, first column).

        It counts the samples read: keep it and pass it to each `multiply` of that region.
        """
        return ReadNoise(seed, "read", self.index, rows.start or 0, cols.start or 0, held=held)

    def wired_grid(self, wires, rows=slice(None), cols=slice(None), threads=1):
        """Effective conductances of a region behind `wires.Wires`, rounded to the grid: float32, grid units.

        All cells of the macro load the lines. Results are kept until a cell changes: the exact model takes one nodal
        solve per line of the region, half a minute for all of a 512 x 512 macro; the reduced model takes 0.1 s.
        """
        present_S = self.conductance_S()
        if self._wired_S is None or not np.array_equal(self._wired_S, present_S):
            self._wired_S, self._wired_grids = present_S, {}
        key = (wires, rows.indices(self.rows), cols.indices(self.cols))
        if key not in self._wired_grids:
            row_map, col_map = self.line_maps
            effective = effective_S(self.on_array(present_S), wires, row_map[rows], col_map[cols], threads)
            self._wired_grids[key] = np.rint(effective / self.model.grid_S).astype(np.float32)
        return self._wired_grids[key]

    def multiply(self, codes, rows, cols, input_bits, adc, noise=None, errors=None, threads=1, wires=None, onto=None):
        """The crossbar product of one region (slices of whole pairs) as it is now; see `crossbar.multiply`.

        codes: uint8 (n, region rows). noise: from `read_noise`, None for ideal reads. wires: `Wires` for IR drop,
        None for ideal wires. onto: int64 (n, pairs) that the product is added to; None: a new array.
        Returns (int64 (n, pairs), saturated conversions). ConfigError for a region outside the macro.
        """
        check_region(self, rows, cols)
        if wires is None:
            cells_grid = self.conductance_grid(rows, cols)
        else:
            cells_grid = self.wired_grid(wires, rows, cols, threads)
        variance = None
        if noise is not None:
            floor = self.model.read_noise_floor_S / self.model.grid_S
            variance = read_variance(self.model.read_std(cells_grid, floor))
        return multiply(codes, cells_grid, input_bits, adc, noise, variance, errors, threads, onto)


def _checked_shape(rows, cols):
    if rows < 1 or cols < 2 or cols % 2:
        raise ShapeError(f"a macro of {rows} x {cols}: it needs rows and an even number of columns")
    return int(rows), int(cols)


def _pristine_arrays(forming_V, lrs_grid, hrs_grid):
    """State arrays of cells never pulsed. RESET never raises a conductance: off <= on where on is known."""
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


def _draw_stuck(model, seed, index, shape):
    """Cells that conduct (LRS) or are off (HRS) whatever is done to them: two bool maps."""
    fate = stream(seed, "macro", index, "stuck").random(shape)
    return fate < model.stuck_lrs, (fate >= model.stuck_lrs) & (fate < model.stuck_lrs + model.stuck_hrs)


def _check_lines(state, shape):
    """DataError unless the line maps of a macro's state, if there are any, lead to distinct physical lines."""
    present = [name for name in _LINE_ARRAYS if name in state]
    if not present:
        return
    if len(present) < len(_LINE_ARRAYS):
        raise DataError("the state of a macro holds {} of {}".format(", ".join(present), ", ".join(_LINE_ARRAYS)))
    maps = [np.asarray(state[name]) for name in _LINE_ARRAYS]
    if any(lines.ndim != 1 or lines.dtype.kind not in "iu" for lines in maps) or len(maps[2]) != 2:
        raise DataError("the line maps of a macro's state must be lists of integers")
    for lines, logical, physical in zip(maps, shape, maps[2]):
        inside = lines.size == logical and lines.min() >= 0 and lines.max() < physical
        if not inside or len(np.unique(lines)) < logical:
            raise DataError(
                "the line maps of a macro's state do not lead from its {} x {} cells to distinct lines of {}".format(
                    *shape, maps[2].tolist()
                )
            )
    plus, minus = maps[1][0::2], maps[1][1::2]
    if maps[2][1] % 2 or len(plus) != len(minus) or (plus % 2).any() or (minus != plus + 1).any():
        raise DataError("the column map of a macro's state does not keep the two columns of a pair together")


def _check_map(measured_S, limit_S):
    """DataError for the first value of a measured map that is no conductance."""
    too_large = f"is above {limit_S:.4g} S, the largest a column can sum exactly; is the unit right?"
    for what, wrong in (
        ("is not a number", ~np.isfinite(measured_S)),
        ("is negative", measured_S < 0),
        (too_large, measured_S > limit_S),
    ):
        if wrong.any():
            row, col = np.argwhere(wrong)[0]
            raise DataError(f"the map's value {float(measured_S[row, col])!r} at row {row}, column {col} {what}")


def check_region(macro, rows, cols):
    """ConfigError unless `rows` and `cols` are slices of whole pairs inside the macro; returns (n_rows, n_pairs)."""
    n_rows = len(range(*rows.indices(macro.rows)))
    n_cols = len(range(*cols.indices(macro.cols)))
    start = cols.indices(macro.cols)[0]
    inside = (rows.stop is None or rows.stop <= macro.rows) and (cols.stop is None or cols.stop <= macro.cols)
    if not (n_rows and n_cols and inside) or start % 2 or n_cols % 2 or (cols.step or 1) != 1:
        raise ConfigError(
            f"rows {rows} and cols {cols} are no region of whole pairs in a macro of {macro.rows} x {macro.cols}"
        )
    return n_rows, n_cols // 2

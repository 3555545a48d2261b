"""A chip: several macros under one placement, from pristine cells to the weights of a network.

The flow of pulses (Li et al., arXiv 2311.07164): form all cells; read them out; at pair level RESET the partner of
each pair (initialisation); afterwards RESET and SET carry out what the masks say. Two levels of pruning share it:

- pair: one cell of a pair is kept or reset, its partner stays off; which of the two is the sign, drawn once.
  A mask and its scores have the shape (fan_in, fan_out).
- cell: both cells are formed and each is kept or reset: w = m+ G+ - m- G-. Masks and scores are (2, fan_in,
fan_out), [0] = plus.
"""

from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..crossbar.behind_wires import Attenuated, Exact
from ..crossbar.converters import Adc
from ..crossbar.macro import Macro
from ..crossbar.memo import Memo
from ..crossbar.wires import Wires
from ..device.formed_maps import MapTaken, formed_maps
from ..device.interface import Cell
from ..errors import ConfigError, DataError, ShapeError
from ..files import part, prefixed
from .dead_lines import ChipLines
from .levels import cells_on, check_level, mask_shape
from .placement import Placement, Shapes, place

PULSES = ("form", "partner_reset", "set", "reset", "probe_reset", "probe_set")

ByName = Mapping[str, np.ndarray]


READ_CELLS = 2**15
"""pairs of cells whose weights are worked out together: their arrays stay in a core's cache"""


class Chip:
    """State of the macros that carry one network, and the pulses they have received.

    `pulses` counts by kind: form, partner_reset (initialisation), set and reset (what the masks asked for),
    probe_reset and probe_set (the search for stuck cells). The program count of a training run is set + reset.
    """

    def __init__(self, macros: Iterable[Macro], placement: Placement, *, level: str) -> None:
        self.macros = tuple(macros)
        if len(self.macros) < placement.n_macros:
            raise ConfigError(f"the network needs {placement.n_macros} macros, the chip has {len(self.macros)}")
        self.placement = placement
        self.level = check_level(level)
        self.used = placement.used_cells()
        self.pulses = dict.fromkeys(PULSES, 0)
        self.maps: Tuple[MapTaken, ...] = ()
        """how the measured maps were taken that the chip started from; none: it was drawn"""
        self.maps_left_out = 0
        """measured maps beyond the macros that the network needs"""
        self._memo = Memo()
        self.attenuated: List[Attenuated] = []
        """what reads of weights see of each macro since `update_ir_drop`; none: ideal wires"""
        self._solves = 0

    def __repr__(self) -> str:
        macros = f"{len(self.macros)} macro{'s' if len(self.macros) > 1 else ''}"
        rows, cols = self.macros[0].rows, self.macros[0].cols
        weights = f"{self.placement.n_pairs:,} weights at {self.level} level"
        return f"<Chip: {macros} of {rows} x {cols} cells of {self.cell_model.name}, {weights}>"

    @property
    def changes(self) -> Tuple[int, ...]:
        """Grows with every change of a conductance or of the IR drop: what follows from them is kept by this stamp."""
        return (self._solves, *(macro.changes for macro in self.macros))

    @classmethod
    def sample(
        cls, cell_model: Cell, shapes: Shapes, *, level: str, seed: int, lines: Optional[ChipLines] = None
    ) -> "Chip":
        """A pristine chip with as many macros as the matrices `shapes` ((name, (fan_in, fan_out)), ...) need.

        lines: `ChipLines` when some lines are dead; the chip then consists of the live ones.
        """
        lines = ChipLines() if lines is None else lines
        placement = place(shapes, lines.logical_rows, macro_pairs=lines.logical_pairs)
        lines.check_macros(placement.n_macros)
        macros = [
            Macro.sample(cell_model, seed, index=index, rows=lines.rows, cols=2 * lines.pairs).on_lines(
                lines.row_map(index), lines.col_map(index)
            )
            for index in range(placement.n_macros)
        ]
        return cls(macros, placement, level=level)

    @classmethod
    def from_maps(
        cls,
        cell_model: Cell,
        maps_S: Sequence[np.ndarray],
        *,
        shapes: Shapes,
        level: str,
        seed: int,
        lines: Optional[ChipLines] = None,
    ) -> "Chip":
        """A formed chip whose macros are measured maps (siemens, all of one shape (rows, cols); 0 = unformed).

        Cells that conduct as pristine ones do are not formed, shorted ones are stuck: `maps` says how each was taken.
        lines: as for `sample`; what the maps hold on dead lines does not matter. Maps beyond the macros that the
        matrices need are left out: `maps_left_out`. ConfigError when the maps are too few
        for the matrices or not of the size that `lines` states, ShapeError when their shapes differ.
        """
        sizes = {np.shape(map_S) for map_S in maps_S}
        if len(sizes) != 1 or len(next(iter(sizes))) != 2:
            raise ShapeError(f"the maps of a chip must be tables of one size, these are {sorted(sizes)}")
        rows, cols = sizes.pop()
        if lines is None:
            lines = ChipLines(rows=rows, pairs=cols // 2)
        elif (lines.rows, 2 * lines.pairs) != (rows, cols):
            raise ConfigError(
                f"dead lines of macros of {lines.rows} rows and {lines.pairs} pairs, maps of {rows} x "
                f"{cols} cells: state rows and pairs with the dead lines"
            )
        placement = place(shapes, lines.logical_rows, macro_pairs=lines.logical_pairs)
        lines.check_macros(placement.n_macros)
        if len(maps_S) < placement.n_macros:
            raise ConfigError(
                f"the network needs {placement.n_macros} macros of {lines.logical_rows} x "
                f"{2 * lines.logical_pairs} cells, {len(maps_S)} map(s) were given; minirram fit-network proposes one "
                "that fits"
            )
        largest_S = cell_model.grid_max(rows) * cell_model.grid_S
        found = formed_maps(maps_S[: placement.n_macros], cell_model, largest_S=largest_S)
        macros = []
        for index, (map_S, shorted) in enumerate(zip(found.maps_S, found.shorted)):
            macro = Macro.from_map(cell_model, map_S, seed=seed, index=index)
            if shorted.any():
                macro.stick(shorted)
            macros.append(macro.on_lines(lines.row_map(index), lines.col_map(index)))
        chip = cls(macros, placement, level=level)
        chip.maps, chip.maps_left_out = found.taken, len(maps_S) - placement.n_macros
        return chip

    def formed_S(self) -> np.ndarray:
        """The as-formed map, float64 (macros, rows, cols), siemens: what each cell conducts after FORM alone."""
        maps = [np.where(macro.formed, macro.lrs_grid, macro.pristine_grid) for macro in self.macros]
        return np.stack(maps).astype(np.float64) * self.cell_model.grid_S

    def physical(self, cells: np.ndarray, elsewhere: float = 0) -> np.ndarray:
        """`cells` (macros, rows, cols) by physical numbers: (macros, physical rows, physical columns).

        Lines out of use, dead ones among them, hold `elsewhere`.
        """
        return np.stack([macro.on_array(one, elsewhere) for macro, one in zip(self.macros, cells)])

    def physical_placement(self) -> Placement:
        """The placement by physical numbers: tiles are cut where lines out of use part them."""
        maps = [macro.line_maps for macro in self.macros]
        line_maps: List[Tuple[np.ndarray, np.ndarray]] = [(row_map, col_map[::2] // 2) for row_map, col_map in maps]
        rows, cols = self.macros[0].physical_shape
        return self.placement.on_lines(line_maps, macro_rows=rows, macro_pairs=cols // 2)

    def partners(self, signs: ByName) -> np.ndarray:
        """Bool map (macros, rows, cols): the cell of each pair that its sign does not use."""
        unused: np.ndarray = np.zeros(self.used.shape, bool)
        for name in self.placement.names:
            self.placement.scatter(name, (~signs[name], signs[name]), cells=unused)
        return unused

    @property
    def cell_model(self) -> Cell:
        """What kind of cell the chip has."""
        return self.macros[0].model

    def conductance_S(self) -> np.ndarray:
        """Present conductances, float64 (macros, rows, cols), siemens."""
        return np.stack([macro.conductance_S() for macro in self.macros])

    def form(self, voltage_V: float) -> None:
        """FORM every cell in use at `voltage_V`; cells whose forming voltage is higher stay pristine.

        What no matrix uses stays unformed, as in the program file: it draws a hundredth of the current.
        """
        for index, used in enumerate(self.used):
            self.pulses["form"] += self._form(index, used, voltage_V)

    def stick(self, faults: Iterable[Tuple[int, int, int, bool]]) -> None:
        """Fix cells: (macro, physical row, physical column, conducts) of each; cells on dead lines do not matter.

        ConfigError for a cell that the chip does not have.
        """
        faults = tuple(faults)
        rows, cols = self.macros[0].physical_shape
        for macro, row, col, _ in faults:
            if macro >= len(self.macros) or row >= rows or col >= cols:
                raise ConfigError(
                    f"stuck cell at row {row}, column {col} of macro {macro}: the chip has {len(self.macros)} macro(s) "
                    f"of {rows} x {cols} cells"
                )
        for index, one in enumerate(self.macros):
            on: np.ndarray = np.zeros((rows, cols), bool)
            off = on.copy()
            for _, row, col, conducts in (fault for fault in faults if fault[0] == index):
                (on if conducts else off)[row, col] = True
            one.stick(one.in_use(on), one.in_use(off))

    def stuck_cells(self) -> int:
        """Number of cells in use that answer to no pulse."""
        return sum(int(np.count_nonzero(macro.stuck & used)) for macro, used in zip(self.macros, self.used))

    def read_out(self, generator: np.random.Generator) -> np.ndarray:
        """One noisy read of every cell, siemens, float64 (macros, rows, cols)."""
        return np.stack([macro.read_S(generator) for macro in self.macros])

    def reset_partners(self, signs: ByName) -> None:
        """Pair level: RESET the cell of each pair that its sign does not use; every pair is then kept."""
        everything: Dict[str, np.ndarray] = {
            name: np.ones(self.placement.shape(name), bool) for name in self.placement.names
        }
        n_set, n_reset = self._bring_to(self.wanted_on(everything, signs))
        self.pulses["partner_reset"] += n_set + n_reset

    def wanted_on(self, masks: ByName, signs: ByName) -> np.ndarray:
        """Bool map (macros, rows, cols) of the cells that `masks` (dict name -> bool) keep on."""
        wanted: np.ndarray = np.zeros(self.used.shape, bool)
        for name in self.placement.names:
            expected = mask_shape(self.level, self.placement.shape(name))
            if name not in masks or masks[name].shape != expected:
                found = masks[name].shape if name in masks else "none"
                raise DataError(f"mask of {name}: shape {found}, expected {expected}")
            self.placement.scatter(name, cells_on(self.level, masks[name], sign=signs[name]), cells=wanted)
        return wanted

    def program(self, masks: ByName, signs: ByName) -> Tuple[int, int]:
        """SET and RESET the cells that differ from `masks`. Returns (set pulses, reset pulses)."""
        n_set, n_reset = self._bring_to(self.wanted_on(masks, signs))
        self.pulses["set"] += n_set
        self.pulses["reset"] += n_reset
        return n_set, n_reset

    def tune(self, cells: np.ndarray, target_S: np.ndarray, *, relative_error: Optional[float] = None) -> int:
        """Tune `cells` (bool) to `target_S` (siemens), both (macros, rows, cols); see `Macro.tune`. Returns writes."""
        writes = 0
        for macro, chosen, target in zip(self.macros, cells, target_S):
            writes += macro.tune(chosen, target[chosen], relative_error=relative_error)
        return writes

    def read_out_when_off(self, generator: np.random.Generator) -> np.ndarray:
        """RESET every cell in use, read all cells, SET those in use again: the read-out, siemens.

        Every cell takes both pulses: which of them answer is what the reading is to tell.
        """
        for index, used in enumerate(self.used):
            self.pulses["probe_reset"] += self._reset(index, used)
        read_S = self.read_out(generator)
        for index, used in enumerate(self.used):
            self.pulses["probe_set"] += self._set(index, used)
        return read_S

    def age(self, seconds: float, temperature_K: Optional[float] = None) -> None:
        """Age every macro by `seconds` more; see `Macro.age`."""
        for macro in self.macros:
            macro.age(seconds, temperature_K)

    def update_ir_drop(self, wires: Wires, *, exact: bool = False) -> None:
        """Let reads of weights include the IR drop of `wires`, for the present conductances, reduced or exact.

        The shares of voltage stay until the next call: they depend on how much conducts, hardly on which cells do.
        """
        self.attenuated = [(Exact if exact else Attenuated)(macro, wires) for macro in self.macros]
        self._solves += 1

    def through_wires(self, d_cells: np.ndarray) -> np.ndarray:
        """d_loss/d_conductance from d_loss/d_(cell as reads of weights see it), both float32 (macros, rows, cols).

        Through the wires of the last `update_ir_drop`, by its model.
        """
        return np.stack([behind.gradient(d_macro) for behind, d_macro in zip(self.attenuated, d_cells)])

    def _bring_to(self, wanted: np.ndarray) -> Tuple[int, int]:
        """Pulse every used cell whose state is not that of `wanted` (macros, rows, cols): formed ones, not stuck."""
        n_set = n_reset = 0
        for index, (target, used) in enumerate(zip(wanted, self.used)):
            on, answers = self._on_and_answering(index)
            differs = (on != target) & used & answers
            n_set += self._set(index, differs & target)
            n_reset += self._reset(index, differs & ~target)
        return n_set, n_reset

    # How pulses reach the cells of one macro: bool maps (rows, cols) in, the number of pulses out. A chip behind a
    # driver has its own way.

    def _form(self, index: int, cells: np.ndarray, voltage_V: float) -> int:
        return self.macros[index].form(voltage_V, cells)

    def _set(self, index: int, cells: np.ndarray) -> int:
        return self.macros[index].set(cells)

    def _reset(self, index: int, cells: np.ndarray) -> int:
        return self.macros[index].reset(cells)

    def _on_and_answering(self, index: int) -> Tuple[np.ndarray, np.ndarray]:
        """Of the cells of one macro: those that are on, and those that answer to SET and RESET."""
        macro = self.macros[index]
        return macro.on, macro.formed & ~macro.stuck

    def observe(self) -> None:
        """Read what the cells conduct now, where only reading tells. A simulated chip knows."""

    def pair_grid(self, name: str) -> Tuple[np.ndarray, np.ndarray]:
        """Present (plus, minus) conductances of matrix `name`, float32 grid units, each (fan_in, fan_out), read-only.

        As reads of weights see them: after `update_ir_drop`, times the share of the voltage that reaches the cell.
        """
        return self._memo.get(self.changes, ("pairs", name), make=lambda: self._gather_pairs(name))

    def _gather_pairs(self, name: str) -> Tuple[np.ndarray, np.ndarray]:
        plus = np.empty(self.placement.shape(name), np.float32)
        minus = np.empty_like(plus)
        for tile in self.placement.tiles_of(name):
            grid = self.attenuated[tile.macro].grid if self.attenuated else self.macros[tile.macro].conductance_grid
            block = grid(tile.region)
            plus[tile.matrix_rows, tile.matrix_cols] = block[:, 0::2]
            minus[tile.matrix_rows, tile.matrix_cols] = block[:, 1::2]
        plus.flags.writeable = minus.flags.writeable = False
        return plus, minus

    def column_sums_lsb(self, name: str, adc: Adc, *, wires: Optional[Wires], threads: int = 1) -> np.ndarray:
        """S_j = sum_i (G+ - G-)_ij of matrix `name` in LSB of its tiles, float64 (fan_out,): what a zero point adds.

        Of the conductances that `Macro.multiply` uses behind these wires: of the present ones, effective and rounded.
        """

        def sums() -> np.ndarray:
            total = np.zeros(self.placement.shape(name)[1])
            for tile in self.placement.tiles_of(name):
                own = self.macros[tile.macro].column_sums_grid(tile.region, wires, threads=threads)
                total[tile.matrix_cols] += own
            return total

        return self._memo.get(self.changes, ("sums", name, wires), make=sums) / float(adc.tile_lsb)

    def read_weights(self, name: str, scale_S: float, *, generator: Optional[np.random.Generator] = None) -> np.ndarray:
        """Weights (G+ - G-) / scale of matrix `name`, float32 (fan_in, fan_out), from one fresh read of each of
        its cells.

        The independent read errors of the two cells enter as one Gaussian of their summed variance: the same law from
        half the draws. Without a generator the read is noiseless.
        """
        plus, minus = self.pair_grid(name)
        weights = np.empty(plus.shape, np.float32)
        at_a_time = max(1, READ_CELLS // plus.shape[1])  # a generator's numbers do not depend on how many it is asked
        for first in range(0, len(plus), at_a_time):
            rows = slice(first, first + at_a_time)
            read = np.subtract(plus[rows], minus[rows], out=weights[rows])
            if generator is not None:
                noise = generator.standard_normal(read.shape, dtype=np.float32)
                noise *= self.cell_model.pair_read_std(plus[rows], minus[rows], unit_S=self.cell_model.grid_S)
                read += noise
            read *= np.float32(self.cell_model.grid_S / scale_S)
        return weights

    def replace_conductances(self, map_S: np.ndarray) -> None:
        """Let every cell conduct what `map_S` (macros, rows, cols), siemens, says: a chip as it was read back.

        By physical numbers; what the map holds on lines out of use does not matter. See `Macro.replace_conductances`.
        """
        expected = (len(self.macros),) + self.macros[0].physical_shape
        if map_S.shape != expected:
            raise ShapeError(f"a map of shape {map_S.shape}, the chip has {expected}")
        for macro, cells_S in zip(self.macros, map_S):
            macro.replace_conductances(cells_S)

    def formed(self) -> np.ndarray:
        """Cells that formed, or are stuck: bool (macros, rows, cols)."""
        return np.stack([macro.formed for macro in self.macros])

    @property
    def tuned(self) -> bool:
        """Whether cells were tuned to conductances of their own, so that a mask alone does not tell what they hold."""
        return any(macro.pulses["tune"] for macro in self.macros)

    def clipped(self) -> int:
        """Number of conductances so far that were cut at the largest that the grid holds."""
        return sum(macro.clipped for macro in self.macros)

    def unformed_pairs(self) -> int:
        """Number of pairs in use with a cell that never formed."""
        return self._pairs_where(lambda plus, minus: ~(plus & minus))

    def dead_pairs(self) -> int:
        """Number of pairs in use of which no cell formed: their weight is 0."""
        return self._pairs_where(lambda plus, minus: ~(plus | minus))

    def _pairs_where(self, holds: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> int:
        """Number of pairs in use for which `holds` is true of their formed cells."""
        count = 0
        for tile in self.placement.tiles:
            formed = self.macros[tile.macro].formed[tile.rows, tile.cols]
            count += int(np.count_nonzero(holds(formed[:, 0::2], formed[:, 1::2])))
        return count

    def state(self) -> Dict[str, np.ndarray]:
        """A flat dict of named arrays that `restore` and `from_state` take: `pulses/KIND`, and `macroK/NAME` of each
        macro's state."""
        arrays = prefixed("pulses", {kind: np.int64(count) for kind, count in self.pulses.items()})
        for index, macro in enumerate(self.macros):
            arrays.update(prefixed(f"macro{index}", macro.state()))
        return arrays

    @classmethod
    def from_state(cls, cell_model: Cell, placement: Placement, *, level: str, arrays: Mapping[str, Any]) -> "Chip":
        """The chip whose `state` was `arrays`; DataError when it lacks something or does not fit the placement."""
        count = len({name.split("/")[0] for name in arrays if name.startswith("macro")})
        macros = [Macro.from_state(cell_model, part(arrays, f"macro{index}")) for index in range(count)]
        rows, cols = placement.macro_rows, 2 * placement.macro_pairs
        for macro in macros:
            if macro.on.shape != (rows, cols):
                raise DataError(f"a macro of {macro.rows} x {macro.cols} cells, expected {rows} x {cols}")
        chip = cls(macros, placement, level=level)
        chip._restore_pulses(arrays)
        return chip

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Take the state that `state` gave; DataError when it lacks something."""
        self._restore_pulses(arrays)
        for index, macro in enumerate(self.macros):
            macro.restore(part(arrays, f"macro{index}"))

    def _restore_pulses(self, arrays: Mapping[str, Any]) -> None:
        counts = part(arrays, "pulses")
        missing = [kind for kind in PULSES if kind not in counts]
        if missing:
            raise DataError(f"the state of a chip lacks its pulse counts {', '.join(missing)}")
        self.pulses.update({kind: int(counts[kind]) for kind in PULSES})

"""A chip: several macros under one placement, from pristine cells to the weights of a network.

The flow of pulses (Li et al., arXiv 2311.07164): form all cells; read them out; at pair level RESET the partner of
each pair (initialisation); afterwards RESET and SET carry out what the masks say. Two levels of pruning share it:

- pair: one cell of a pair is kept or reset, its partner stays off; which of the two is the sign, drawn once.
  A mask and its scores have the shape (fan_in, fan_out).
- cell: both cells are formed and each is kept or reset: w = m+ G+ - m- G-. Masks and scores are (2, fan_in,
fan_out), [0] = plus.
"""

from dataclasses import replace

import numpy as np

from ..crossbar.macro import Macro
from ..errors import ConfigError, DataError, ShapeError
from .dead_lines import ChipLines
from .levels import cells_on, check_level, mask_shape
from .placement import place

PULSES = ("form", "partner_reset", "set", "reset", "probe_reset", "probe_set")


class Chip:
    """State of the macros that carry one network, and the pulses they have received.

    `pulses` counts by kind: form, partner_reset (initialisation), set and reset (what the masks asked for),
    probe_reset and probe_set (the search for stuck cells). The program count of a training run is set + reset.
    """

    def __init__(self, macros, placement, level):
        if len(macros) < placement.n_macros:
            raise ConfigError(f"the network needs {placement.n_macros} macros, the chip has {len(macros)}")
        self.macros = list(macros)
        self.placement = placement
        self.level = check_level(level)
        self.used = placement.used_cells()
        self.pulses = dict.fromkeys(PULSES, 0)
        self._weights_grid = {}
        self._shares = None

    @classmethod
    def sample(cls, cell_model, shapes, level, seed, lines=None):
        """A pristine chip with as many macros as the matrices `shapes` ((name, (fan_in, fan_out)), ...) need.

        lines: `lines.ChipLines` when some lines are dead; the chip then consists of the live ones.
        """
        lines = ChipLines() if lines is None else lines
        placement = place(shapes, lines.logical_rows, lines.logical_pairs)
        lines.check_macros(placement.n_macros)
        macros = [
            Macro.sample(cell_model, seed, index, lines.rows, 2 * lines.pairs).on_lines(
                lines.row_map(index), lines.col_map(index)
            )
            for index in range(placement.n_macros)
        ]
        return cls(macros, placement, level)

    @classmethod
    def from_maps(cls, cell_model, maps_S, shapes, level, seed, lines=None):
        """A formed chip whose macros are measured maps (siemens, all of one shape (rows, cols); 0 = unformed).

        lines: as for `sample`; what the maps hold on dead lines does not matter. ConfigError when the maps are too few
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
                f"{cols} cells: state rows and pairs with the "
                "dead lines"
            )
        placement = place(shapes, lines.logical_rows, lines.logical_pairs)
        lines.check_macros(placement.n_macros)
        if len(maps_S) < placement.n_macros:
            raise ConfigError(
                f"the network needs {placement.n_macros} macros of {lines.logical_rows} x "
                f"{2 * lines.logical_pairs} cells, {len(maps_S)} map(s) were given"
            )
        macros = [
            Macro.from_map(cell_model, map_S, seed, index).on_lines(lines.row_map(index), lines.col_map(index))
            for index, map_S in enumerate(maps_S[: placement.n_macros])
        ]
        return cls(macros, placement, level)

    def formed_S(self):
        """The as-formed map, float64 (macros, rows, cols), siemens: what each cell conducts after FORM alone."""
        maps = [np.where(macro.formed, macro.lrs_grid, macro.pristine_grid) for macro in self.macros]
        return np.stack(maps).astype(np.float64) * self.cell_model.grid_S

    def physical(self, cells, elsewhere=0):
        """`cells` (macros, rows, cols) by physical numbers: (macros, physical rows, physical columns).

        Lines out of use, dead ones among them, hold `elsewhere`.
        """
        return np.stack([macro.on_array(one, elsewhere) for macro, one in zip(self.macros, cells)])

    def physical_placement(self):
        """The `mapping.Placement` by physical numbers: tiles are cut where lines out of use part them."""
        line_maps = [(row_map, col_map[::2] // 2) for row_map, col_map in (macro.line_maps for macro in self.macros)]
        rows, cols = self.macros[0].physical_shape
        return self.placement.on_lines(line_maps, rows, cols // 2)

    def partners(self, signs):
        """Bool map (macros, rows, cols): the cell of each pair that its sign does not use."""
        unused = np.zeros(self.used.shape, bool)
        for name in self.placement.names:
            self.placement.scatter(name, ~signs[name], signs[name], unused)
        return unused

    @property
    def cell_model(self):
        """The technology's `CellModel`."""
        return self.macros[0].model

    def conductance_S(self):
        """Present conductances, float64 (macros, rows, cols), siemens."""
        return np.stack([macro.conductance_S() for macro in self.macros])

    def form(self, voltage_V):
        """FORM every cell in use at `voltage_V`; cells whose forming voltage is higher stay pristine.

        What no matrix uses stays unformed, as in the program file: it draws a hundredth of the current.
        """
        for macro, used in zip(self.macros, self.used):
            self.pulses["form"] += macro.form(voltage_V, used)
        self._weights_grid.clear()

    def stick(self, faults):
        """Fix cells: (macro, physical row, physical column, conducts) of each; cells on dead lines do not matter.

        ConfigError for a cell that the chip does not have.
        """
        for macro, row, col, _ in faults:
            if (
                macro >= len(self.macros)
                or row >= self.macros[macro].physical_shape[0]
                or (col >= self.macros[macro].physical_shape[1])
            ):
                raise ConfigError(
                    "stuck cell at row {}, column {} of macro {}: the chip has {} macro(s) of {}".format(
                        row, col, macro, len(self.macros), "{} x {} cells".format(*self.macros[0].physical_shape)
                    )
                )
        for index, macro in enumerate(self.macros):
            stuck = np.zeros((2,) + macro.physical_shape, bool)
            for _, row, col, conducts in (fault for fault in faults if fault[0] == index):
                stuck[0 if conducts else 1, row, col] = True
            macro.stick(*(macro.in_use(cells) for cells in stuck))
        self._weights_grid.clear()

    def stuck_cells(self):
        """Number of cells in use that answer to no pulse."""
        return sum(int(np.count_nonzero(macro.stuck & used)) for macro, used in zip(self.macros, self.used))

    def read_out(self, generator):
        """One noisy read of every cell, siemens, float64 (macros, rows, cols)."""
        return np.stack([macro.read_S(generator) for macro in self.macros])

    def reset_partners(self, signs):
        """Pair level: RESET the cell of each pair that its sign does not use; every pair is then kept."""
        everything = {name: np.ones(self.placement.shape(name), bool) for name in self.placement.names}
        n_set, n_reset = self._bring_to(self.wanted_on(everything, signs))
        self.pulses["partner_reset"] += n_set + n_reset

    def wanted_on(self, masks, signs):
        """Bool map (macros, rows, cols) of the cells that `masks` (dict name -> bool) keep on."""
        wanted = np.zeros(self.used.shape, bool)
        for name in self.placement.names:
            expected = mask_shape(self.level, self.placement.shape(name))
            if name not in masks or masks[name].shape != expected:
                found = masks[name].shape if name in masks else "none"
                raise DataError(f"mask of {name}: shape {found}, expected {expected}")
            self.placement.scatter(name, *cells_on(self.level, masks[name], signs[name]), wanted)
        return wanted

    def program(self, masks, signs):
        """SET and RESET the cells that differ from `masks`. Returns (set pulses, reset pulses)."""
        n_set, n_reset = self._bring_to(self.wanted_on(masks, signs))
        self.pulses["set"] += n_set
        self.pulses["reset"] += n_reset
        return n_set, n_reset

    def tune(self, cells, target_S, relative_error=None):
        """Tune `cells` (bool) to `target_S` (siemens), both (macros, rows, cols); see `Macro.tune`. Returns writes."""
        writes = 0
        for macro, chosen, target in zip(self.macros, cells, target_S):
            writes += macro.tune(chosen, target[chosen], relative_error)
        self._weights_grid.clear()
        return writes

    def read_out_when_off(self, generator):
        """RESET every cell in use, read all cells, SET those in use again: the read-out, siemens.

        Every cell takes both pulses: which of them answer is what the reading is to tell.
        """
        for macro, used in zip(self.macros, self.used):
            self.pulses["probe_reset"] += macro.reset(used)
        read_S = self.read_out(generator)
        for macro, used in zip(self.macros, self.used):
            self.pulses["probe_set"] += macro.set(used)
        self._weights_grid.clear()
        return read_S

    def age(self, seconds, temperature_K=None):
        """Let time pass for every macro; see `Macro.age`."""
        for macro in self.macros:
            macro.age(seconds, temperature_K)
        self._weights_grid.clear()

    def feel_wires(self, wires):
        """Let reads of weights include the IR drop of `wires.Wires`, by the reduced model for the present masks.

        The shares of voltage stay until the next call: they depend on how much conducts, hardly on which cells do.
        """
        self._shares = [macro.voltage_share(wires) for macro in self.macros]
        self._weights_grid.clear()

    def _bring_to(self, wanted):
        """Pulse every used cell whose state is not that of `wanted` (macros, rows, cols): formed ones, not stuck."""
        n_set = n_reset = 0
        for macro, target, used in zip(self.macros, wanted, self.used):
            differs = (macro.on != target) & used & macro.formed & ~macro.stuck
            n_set += macro.set(differs & target)
            n_reset += macro.reset(differs & ~target)
        self._weights_grid.clear()
        return n_set, n_reset

    def pair_grid(self, name):
        """Present (plus, minus) conductances of matrix `name`, float32 grid units, each (fan_in, fan_out).

        As the rows and columns see them: after `feel_wires`, times the share of the voltage that reaches the cell.
        """
        if name not in self._weights_grid:
            plus = np.empty(self.placement.shape(name), np.float32)
            minus = np.empty_like(plus)
            for tile in self.placement.tiles_of(name):
                block = self.macros[tile.macro].conductance_grid(tile.rows, tile.cols)
                if self._shares is not None:
                    block = block * self._shares[tile.macro][tile.rows, tile.cols]
                plus[tile.matrix_rows, tile.matrix_cols] = block[:, 0::2]
                minus[tile.matrix_rows, tile.matrix_cols] = block[:, 1::2]
            self._weights_grid[name] = plus, minus
        return self._weights_grid[name]

    def column_sums_lsb(self, name, adc):
        """S_j = sum_i (G+ - G-)_ij of matrix `name` in LSB of its tiles, float64 (fan_out,): what a zero point adds."""
        plus, minus = self.pair_grid(name)
        return (plus.astype(np.float64) - minus).sum(axis=0) / float(adc.tile_lsb)

    def read_weights(self, name, scale_S, generator=None):
        """Weights (G+ - G-) / scale of matrix `name`, float32 (fan_in, fan_out), from one fresh read of each of
        its cells.

        The independent read errors of the two cells enter as one Gaussian of their summed variance: the same law from
        half the draws. Without a generator the read is noiseless.
        """
        plus, minus = self.pair_grid(name)
        weights = plus - minus
        if generator is not None:
            # Two floors and two relative errors, added in quadrature: those of one cell of this conductance.
            floor = np.sqrt(2.0) * self.cell_model.read_noise_floor_S / self.cell_model.grid_S
            spread = self.cell_model.read_std(np.sqrt(plus * plus + minus * minus), floor)
            spread *= generator.standard_normal(plus.shape, dtype=np.float32)
            weights += spread
        weights *= np.float32(self.cell_model.grid_S / scale_S)
        return weights

    def replace_conductances(self, map_S):
        """Let every cell conduct what `map_S` (macros, rows, cols), siemens, says: a chip as it was read back.

        By physical numbers; what the map holds on lines out of use does not matter.
        """
        expected = (len(self.macros),) + self.macros[0].physical_shape
        if map_S.shape != expected:
            raise ShapeError(f"a map of shape {map_S.shape}, the chip has {expected}")
        # What was read back says itself which cells conduct: no stuck cells are drawn on top.
        model = replace(self.cell_model, stuck_lrs=0.0, stuck_hrs=0.0)
        self.macros = [
            Macro.from_map(model, macro.on_array(macro.in_use(cells_S)), macro.seed, macro.index).on_lines(
                *macro.line_maps
            )
            for macro, cells_S in zip(self.macros, map_S)
        ]
        self._weights_grid.clear()

    def unformed_pairs(self):
        """Number of pairs in use with a cell that never formed."""
        bad = 0
        for tile in self.placement.tiles:
            formed = self.macros[tile.macro].formed[tile.rows, tile.cols]
            bad += int(np.count_nonzero(~(formed[:, 0::2] & formed[:, 1::2])))
        return bad

    def state(self):
        """A flat dict of arrays that `restore` takes back: every macro's state, and the pulse counts."""
        arrays = {"pulses": np.array(list(self.pulses.values()), np.int64)}
        for index, macro in enumerate(self.macros):
            arrays.update({f"macro{index}/{name}": array for name, array in macro.state().items()})
        return arrays

    def restore(self, arrays):
        """Take the state that `state` gave; DataError when it lacks something."""
        if "pulses" not in arrays:
            raise DataError("the state of a chip lacks its pulse counts")
        self.pulses.update(zip(PULSES, (int(count) for count in arrays["pulses"])))  # older runs lack the last kinds
        for index, macro in enumerate(self.macros):
            start = f"macro{index}/"
            own = {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}
            self.macros[index] = Macro.from_state(macro.model, own)
        self._weights_grid.clear()

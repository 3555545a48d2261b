"""A chip behind a driver as the `Chip` that learning works on: its weights are reads, its flips are pulses."""

from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from ..chip.chip import Chip
from ..chip.dead_lines import ChipLines
from ..chip.placement import Shapes, place
from ..crossbar.macro import Macro
from ..crossbar.wires import Wires
from ..device.interface import Cell
from ..device.pulses import PulseRecipe, pulse_recipes
from ..device.thresholds import on_border_S
from ..errors import BenchError, ConfigError
from .session import Session

MOST_WRONG = 0.1
"""share of the on cells, or of the off cells, that may not be what a run that goes on left"""


class DrivenChip(Chip):
    """A chip whose cells only the driver of `session` reaches.

    `macros` hold what is known of the cells: what was last read, and the state that pulses were to give. Every read of
    weights is a read of the bench. Where reads carry no noise (`Capabilities.noisy`), that of the technology is added,
    with the same random numbers as on a simulated chip. A flip of a mask bit is one pulse, without a verifying read.

    resting: until `restore`, the bench is left alone: a run that goes on takes its chip as it stands. was_formed: an
    earlier start formed the cells, and left nothing that says which are on.
    """

    session: Session
    recipes: Dict[str, PulseRecipe]
    _was_formed: bool

    @classmethod
    def behind(
        cls,
        session: Session,
        cell_model: Cell,
        shapes: Shapes,
        *,
        level: str,
        seed: int,
        lines: Optional[ChipLines] = None,
        resting: bool = False,
        was_formed: bool = False,
    ) -> "DrivenChip":
        """The chip of `session` for the matrices `shapes`; `cell_model`, `level`, `lines` as for `Chip.sample`.

        ConfigError when the bench has another size than `lines` (default: 512 x 512 cells), or too few macros.
        """
        lines = ChipLines() if lines is None else lines
        placement = place(shapes, lines.logical_rows, macro_pairs=lines.logical_pairs)
        lines.check_macros(placement.n_macros)
        bench = session.capabilities
        if bench.shape != (lines.rows, 2 * lines.pairs) or bench.macros < placement.n_macros:
            raise ConfigError(
                f"the network needs {placement.n_macros} macros of {lines.rows} x {2 * lines.pairs} cells; "
                f"{bench.name} has {bench.macros} of {bench.rows} x {bench.cols}: state the size with --rows and --cols"
            )
        nothing = np.zeros(bench.shape)
        macros = [
            Macro.from_map(cell_model, nothing, seed=seed, index=index, draw_stuck=False).on_lines(
                lines.row_map(index), lines.col_map(index)
            )
            for index in range(placement.n_macros)
        ]
        chip = cls(macros, placement, level=level)
        chip.session, chip.recipes = session, pulse_recipes(cell_model, max_pulses=1)
        chip._resting = resting
        chip._was_formed = was_formed
        chip._take_from_macros()
        return chip

    def _take_from_macros(self) -> None:
        self._on = np.stack([macro.on for macro in self.macros])
        self._formed = np.stack([macro.formed for macro in self.macros])
        self._writes = np.stack([macro.writes for macro in self.macros])

    # -- pulses --

    def form(self, voltage_V: float) -> None:
        """FORM every cell in use that is not on, then read which are on: those have formed.

        Where an earlier start has formed the chip, cells that are off get a SET instead: nothing is formed twice.
        """
        super().form(voltage_V)
        if self._resting:
            return
        for index, read_S in enumerate(self._read_all()):
            self._formed[index] = self._on[index] = self.used[index] & (read_S >= on_border_S(self.cell_model))
        self.observe()

    def _form(self, index: int, cells: np.ndarray, voltage_V: float) -> int:
        model = self.cell_model
        recipe = pulse_recipes(model, voltage_V, max_pulses=1).get("FORM")
        if recipe is None:  # this technology needs none; a simulation is told that its cells are in use
            recipe = PulseRecipe("FORM", voltage_V, 0.0, self.recipes["SET"].select_V, model.read_time_s)
        if self._was_formed:
            recipe = self.recipes["SET"]
        if not self._resting:
            cells = cells & ~(self._read(index, cells) >= on_border_S(model))
        return self._pulse(index, cells, recipe)

    def _set(self, index: int, cells: np.ndarray) -> int:
        return self._switch(index, cells, self.recipes["SET"], True)

    def _reset(self, index: int, cells: np.ndarray) -> int:
        return self._switch(index, cells, self.recipes["RESET"], False)

    def _switch(self, index: int, cells: np.ndarray, recipe: PulseRecipe, on: bool) -> int:
        count = self._pulse(index, cells, recipe)
        self._on[index][cells & self._formed[index]] = on
        return count

    def _pulse(self, index: int, cells: np.ndarray, recipe: PulseRecipe) -> int:
        """Pulses given; none while the bench rests. `cells` (rows, cols) by logical numbers."""
        if self._resting:
            return 0
        macro = self.macros[index]
        call: Any = getattr(self.session, recipe.kind.lower())
        pulses = call(index, macro.on_array(cells), recipe).pulses
        if recipe.kind != "FORM":
            self._writes[index] += macro.in_use(pulses).astype(np.uint32)
        return int(pulses.sum())

    def _on_and_answering(self, index: int) -> Tuple[np.ndarray, np.ndarray]:
        bad = self.macros[index].in_use(self.session.known_bad(index))
        return self._on[index], self._formed[index] & ~bad

    # -- reads --

    def _read_all(self) -> List[np.ndarray]:
        """Of each macro the cells in use, siemens, float64 (rows, cols); NaN elsewhere."""
        return [self._read(index, used) for index, used in enumerate(self.used)]

    def _read(self, index: int, cells: np.ndarray) -> np.ndarray:
        """Siemens of `cells` (rows, cols) of a macro, NaN elsewhere; BenchError for a cell without a value."""
        macro = self.macros[index]
        read_S = macro.in_use(self.session.read(index, macro.on_array(cells)))
        missing = int(np.count_nonzero(cells & np.isnan(read_S)))
        if missing:
            raise BenchError(
                f"{self.session.capabilities.name}: {missing} cells of macro {index} were not read; weights need all. "
                "Leave their lines out with --dead-lines"
            )
        return read_S

    def observe(self) -> None:
        """Read the cells in use: what is read is what `macros` hold, as is what is known of their state."""
        if self._resting:
            return
        model = self.cell_model
        for index, (macro, read_S) in enumerate(zip(self.macros, self._read_all())):
            on, formed, arrays = self._on[index], self._formed[index], dict(macro.state())
            grid, clipped = model.to_grid(np.where(self.used[index], np.maximum(read_S, 0.0), 0.0), macro.rows)
            first = formed & on & (macro.lrs_grid == 0)
            arrays["lrs_grid"] = np.where(first, grid, macro.lrs_grid)
            arrays["on_grid"] = np.where(formed & on, grid, macro.on_grid)
            arrays["off_grid"] = np.where(formed & ~on, grid, macro.off_grid)
            arrays["clipped"] = np.array(macro.clipped + clipped, np.int64)
            macro.restore(dict(arrays, on=on, formed=formed, writes=self._writes[index]))

    def read_out(self, generator: np.random.Generator) -> np.ndarray:
        """One read of every cell in use, siemens, float64 (macros, rows, cols); a pristine cell's value elsewhere."""
        self.observe()
        if self._resting or not self.session.capabilities.noisy:
            return super().read_out(generator)
        return np.stack([np.where(np.isnan(read_S), self.cell_model.pristine_S, read_S) for read_S in self._read_all()])

    def pair_grid(self, name: str) -> Tuple[np.ndarray, np.ndarray]:
        """(plus, minus) of matrix `name` from one read of the bench, float32 grid units, each (fan_in, fan_out)."""
        if self._resting:
            return super().pair_grid(name)
        plus = np.empty(self.placement.shape(name), np.float32)
        minus = np.empty_like(plus)
        for tile in self.placement.tiles_of(name):
            macro = self.macros[tile.macro]
            mask: np.ndarray = np.zeros((macro.rows, macro.cols), bool)
            mask[tile.rows, tile.cols] = True
            block = self._read(tile.macro, mask)[tile.rows, tile.cols] / self.cell_model.grid_S
            plus[tile.matrix_rows, tile.matrix_cols] = block[:, 0::2]
            minus[tile.matrix_rows, tile.matrix_cols] = block[:, 1::2]
        return plus, minus

    def read_weights(self, name: str, scale_S: float, *, generator: Optional[np.random.Generator] = None) -> np.ndarray:
        """Weights from one read of the bench; `generator` for the noise that the bench's reads lack."""
        own = generator if self._resting or not self.session.capabilities.noisy else None
        return super().read_weights(name, scale_S, generator=own)

    # -- what is kept --

    def state(self) -> Dict[str, np.ndarray]:
        """As `Chip.state`: of a simulation its whole truth, else what is known of the cells."""
        if not self._resting:
            self.observe()
        arrays = super().state()
        own = getattr(self.session.driver, "state", None)
        return arrays if own is None else dict(arrays, **own())

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Go on with the chip as it stands: cells that are not as `arrays` say are pulsed until they are.

        BenchError when the bench shows another chip: cells that were formed before and do not switch.
        """
        super().restore(arrays)
        own = getattr(self.session.driver, "restore", None)
        if own is not None:
            own(arrays)
        self._resting = False
        self._take_from_macros()
        if own is None:
            self._reconcile()

    def _reconcile(self) -> None:
        """Bring the cells to the state in `macros`: the run that was stopped may have pulsed on."""
        wanted, border_S = self._on.copy(), on_border_S(self.cell_model)
        for index, read_S in enumerate(self._read_all()):
            self._on[index] = self._formed[index] & (read_S >= border_S)
        self._bring_to(wanted)
        is_on = np.stack(self._read_all()) >= border_S
        for word, cells in (("on", self._formed & wanted), ("off", self._formed & ~wanted)):
            wrong = np.count_nonzero(cells & (is_on != wanted))
            if wrong > MOST_WRONG * np.count_nonzero(cells):
                raise BenchError(
                    f"{wrong} of {np.count_nonzero(cells)} cells do not become {word}, as the run left them: this is "
                    "not the chip that it was started on"
                )
        self._on[...] = wanted
        self.observe()

    def update_ir_drop(self, wires: Wires, *, exact: bool = False) -> None:
        """ConfigError: what a bench reads lies behind its own wires."""
        raise ConfigError("reads of a bench lie behind its own wires: leave out --wire-ohm")

    def age(self, seconds: float, temperature_K: Optional[float] = None) -> None:
        """ConfigError: time passes on the bench."""
        raise ConfigError("a chip behind a driver ages by itself")

    def tune(self, cells: np.ndarray, target_S: np.ndarray, *, relative_error: Optional[float] = None) -> int:
        """ConfigError: a driver has no closed-loop tuning."""
        raise ConfigError("a driver forms, sets, resets and reads; it does not tune cells to a target")

"""The simulated chip behind the interface of a driver: macros of `crossbar` that answer to voltages."""

import os
from typing import Any, Dict, Mapping, Optional, Sequence

import numpy as np

from ..crossbar.macro import Macro
from ..device.interface import Cell
from ..device.pulses import PulseRecipe
from ..device.thresholds import thresholds
from ..errors import ConfigError, DataError
from ..files import blaming, part, prefixed, read_npz, write_npz
from .protocol import Capabilities, Pulsed, Verify, check_call, check_recipe

SWITCHING_SHARE = 0.8
"""a SET or RESET below this share of the technology's voltage changes nothing (assumed)"""


class SimulatedDriver:
    """The simulated `macros` as a bench: a pulse does what its kind says only where its voltages would.

    FORM acts on cells whose forming voltage is reached. SET and RESET act in their polarity from `SWITCHING_SHARE` of
    the technology's voltage. A closed gate (`select_V` of 0 or below) lets nothing through. A current limit below that
    of a cell that is just on, at the read voltage, forms and sets nothing.

    noise: a generator, whose reads carry the technology's read noise; None: reads are exact. verifies: the bench
    verifies by itself. keep: path of an .npz file that the state is read from, if it is there, and written to after
    every pulse: a chip that outlives the process. Lines out of use hold no cells: they read 0 S.
    """

    def __init__(
        self,
        macros: Sequence[Macro],
        *,
        noise: Optional[np.random.Generator] = None,
        verifies: bool = False,
        keep: Optional[str] = None,
    ) -> None:
        self.macros = tuple(macros)
        self.noise = noise
        self.keep = keep
        if keep is not None and os.path.isdir(keep):
            raise ConfigError(f"{keep}: a folder; the state of a simulated chip is kept in a file")
        if keep is not None and os.path.exists(keep):
            arrays = read_npz(keep)
            with blaming(keep):
                self.restore(arrays)
        rows, cols = self.macros[0].physical_shape
        self.model: Cell = self.macros[0].model
        self.least_current_A = thresholds(self.model).on_min_S * self.model.read_voltage_V
        self.idle = True
        self._capabilities = Capabilities(
            f"simulated {self.model.name}",
            len(self.macros),
            rows,
            cols,
            granularity="mask",
            max_line_V=20.0,
            max_current_A=1e-2,
            verifies=verifies,
            noisy=noise is not None,
            multiplies=True,
            read_unit_S=self.model.grid_S,
        )

    @property
    def capabilities(self) -> Capabilities:
        """Those of the simulation; its limits are wide."""
        return self._capabilities

    def form(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """FORM: cells whose forming voltage is reached."""
        return self._pulse("form", macro, mask, recipe, verify)

    def set(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """SET."""
        return self._pulse("set", macro, mask, recipe, verify)

    def reset(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """RESET."""
        return self._pulse("reset", macro, mask, recipe, verify)

    def read(self, macro: int, mask: np.ndarray, recipe: Optional[PulseRecipe] = None) -> np.ndarray:
        """Siemens of the cells of `mask`; a READ averages as many reads as its recipe says."""
        mask = check_call(self.capabilities, macro, mask)
        array = self.macros[macro]
        read_S = array.conductance_S()
        if self.noise is not None:
            averages = 1 if recipe is None else recipe.max_pulses
            read_S = np.mean([array.read_S(self.noise) for _ in range(averages)], axis=0)
        if recipe is not None and recipe.select_V <= 0:
            read_S = np.zeros_like(read_S)
        return np.where(mask, array.on_array(read_S), np.nan)

    def multiply(self, macro: int, codes: np.ndarray) -> np.ndarray:
        """float64 (n, pairs): sum of code * (G+ - G-), siemens, from one exact read."""
        read_S = self.macros[macro].on_array(self.macros[macro].conductance_S())
        return np.asarray(codes, np.float64) @ (read_S[:, 0::2] - read_S[:, 1::2])

    def known_bad(self, macro: int) -> np.ndarray:
        """Stuck cells: a simulation knows them."""
        array = self.macros[macro]
        return array.on_array(array.stuck)

    def safe_idle(self) -> None:
        """Nothing is driven between two calls."""
        self.idle = True

    def close(self) -> None:
        """Nothing is held."""
        self.safe_idle()

    def state(self) -> Dict[str, np.ndarray]:
        """`macroK/NAME` of each macro's state: what `restore` takes, and what a chip's state names so."""
        return {
            name: array
            for index, macro in enumerate(self.macros)
            for name, array in prefixed(f"macro{index}", macro.state()).items()
        }

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Go back to a state of these macros; DataError when something is missing."""
        for index, macro in enumerate(self.macros):
            own = part(arrays, f"macro{index}")
            if not own:
                raise DataError(f"the state of the simulated chip lacks macro {index}")
            macro.restore(own)

    def _pulse(self, kind: str, macro: int, mask: np.ndarray, recipe: PulseRecipe, verify: Optional[Verify]) -> Pulsed:
        mask = check_call(self.capabilities, macro, mask)
        check_recipe(self.capabilities, recipe)
        array, self.idle = self.macros[macro], False
        pulses, pending = np.zeros(mask.shape, np.uint32), mask.copy()
        for number in range(recipe.max_pulses):
            self._apply(array, array.in_use(pending), recipe.pulse(number))
            if self.keep is not None:
                write_npz(self.keep, self.state())
            pulses += pending
            if verify is not None:
                pending &= ~verify.passed(recipe.kind, self.read(macro, pending, verify.read))
                if not pending.any():
                    break
        self.idle = True
        return Pulsed(pulses, pending if verify is not None else np.zeros(mask.shape, bool))

    def _apply(self, array: Macro, cells: np.ndarray, recipe: PulseRecipe) -> None:
        """One pulse into `cells`: what they do follows from the voltages."""
        across_V, model = recipe.row_V - recipe.col_V, array.model
        limited = 0 < recipe.compliance_A < self.least_current_A
        if recipe.select_V <= 0:
            return
        if recipe.kind == "FORM":
            array.form(-np.inf if limited else across_V, cells)
        elif across_V >= SWITCHING_SHARE * model.set_voltage_V and recipe.kind == "SET" and not limited:
            array.set(cells)
        elif -across_V >= SWITCHING_SHARE * model.reset_voltage_V and recipe.kind == "RESET":
            array.reset(cells)

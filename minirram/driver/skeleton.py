"""What drivers of laboratory benches share: masks become rows, rows become the calls of the bench.

A bench is a subclass that says what its lines and its reads are. `form`, `set`, `reset` and `read` are here.
"""

from typing import Optional

import numpy as np

from ..device.pulses import PulseRecipe
from ..errors import BenchError
from .protocol import Capabilities, Pulsed, Verify, check_call, check_recipe


class RowBench:
    """A bench that is driven row by row. Subclasses give the four methods below; each call names one row.

    The host verifies (`verified.pulse`): a call gives every cell `recipe.max_pulses` pulses and reads nothing.
    """

    capabilities: Capabilities

    def pulse_row(self, macro: int, row: int, cols: np.ndarray, recipe: PulseRecipe) -> None:
        """One pulse into the cells `cols` (integers) of a row."""
        raise BenchError(f"{type(self).__name__}.pulse_row is to be written: see the comments in its file")

    def read_row(self, macro: int, row: int, cols: np.ndarray, recipe: Optional[PulseRecipe]) -> np.ndarray:
        """Siemens of the cells `cols` of a row, float64 of the same length, NaN where the bench gives no value."""
        raise BenchError(f"{type(self).__name__}.read_row is to be written: see the comments in its file")

    def safe_idle(self) -> None:
        """All lines to ground."""
        raise BenchError(f"{type(self).__name__}.safe_idle is to be written: see the comments in its file")

    def close(self) -> None:
        """Let go of the bench."""

    def form(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """FORM, row by row."""
        return self._pulse(macro, mask, recipe)

    def set(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """SET, row by row."""
        return self._pulse(macro, mask, recipe)

    def reset(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """RESET, row by row."""
        return self._pulse(macro, mask, recipe)

    def _pulse(self, macro: int, mask: np.ndarray, recipe: PulseRecipe) -> Pulsed:
        mask = check_call(self.capabilities, macro, mask)
        check_recipe(self.capabilities, recipe)
        for row in np.flatnonzero(mask.any(axis=1)).tolist():
            cols = np.flatnonzero(mask[row])
            together = [cols] if self.capabilities.granularity != "cell" else np.split(cols, len(cols))
            for some in together:
                for number in range(recipe.max_pulses):
                    self.pulse_row(macro, row, some, recipe.pulse(number))
        return Pulsed(mask * np.uint32(recipe.max_pulses), np.zeros(mask.shape, bool))

    def read(self, macro: int, mask: np.ndarray, recipe: Optional[PulseRecipe] = None) -> np.ndarray:
        """Siemens of the cells of `mask`, row by row."""
        mask = check_call(self.capabilities, macro, mask)
        read_S = np.full(mask.shape, np.nan)
        for row in np.flatnonzero(mask.any(axis=1)).tolist():
            cols = np.flatnonzero(mask[row])
            read_S[row, cols] = self.read_row(macro, row, cols, recipe)
        return read_S

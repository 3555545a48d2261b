"""What reads of the weights of one macro see behind its wires, and the gradient through them.

Wires are solved when one of these is made. Cells that switch later count by the share of the voltage that they had.
"""

import numpy as np

from .elimination import Eliminated
from .macro import Macro
from .region import Region
from .wires import Wires, attenuated_gradient

TOLERANCE = 1e-2
"""of the solve for a gradient, which batches blur by more"""


class Attenuated:
    """By the reduced model (`attenuated_S`): `share` of the voltage that each cell sees, float32 (rows, cols)."""

    def __init__(self, macro: Macro, wires: Wires) -> None:
        self._macro, self._wires = macro, wires
        self.share = macro.voltage_share(wires)
        self._array_share = macro.on_array(self.share)

    def grid(self, region: Region) -> np.ndarray:
        """The cells of a region as reads of weights see them now, float32 grid units."""
        return self._macro.conductance_grid(region) * self.share[region.rows, region.cols]

    def gradient(self, d_seen: np.ndarray) -> np.ndarray:
        """d_loss/d_conductance of all cells, (rows, cols), for d_loss/d_grid of all, float32."""
        macro = self._macro
        d_conductance = attenuated_gradient(
            macro.on_array(macro.conductance_S()),
            macro.on_array(d_seen),
            share=self._array_share,
            wires=self._wires,
            tolerance=TOLERANCE,
        )
        return macro.in_use(d_conductance)


class Exact(Attenuated):
    """By the exact transfer (`Eliminated`): memory and time grow with rows x columns x columns, for small macros."""

    def __init__(self, macro: Macro, wires: Wires) -> None:
        super().__init__(macro, wires)
        self._solved = Eliminated(macro.on_array(macro.conductance_S()), wires)
        transfer = macro.in_use(self._solved.transfer_S) / macro.model.grid_S
        self._error = (transfer - macro.conductance_grid() * self.share).astype(np.float32)

    def grid(self, region: Region) -> np.ndarray:
        """The cells of a region as reads of weights see them now, float32 grid units."""
        return super().grid(region) + self._error[region.rows, region.cols]

    def gradient(self, d_seen: np.ndarray) -> np.ndarray:
        """d_loss/d_conductance of all cells, (rows, cols), where the wires were solved last."""
        macro = self._macro
        return macro.in_use(self._solved.gradient(macro.on_array(d_seen))).astype(np.float32)

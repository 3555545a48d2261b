"""A skeleton for a bench of pulse units behind a switch matrix (PXI). It was not run on one: nothing here is tested.

What such benches offer in public laboratory code, and where it belongs:

- settings per operation, FORM, SET, RESET and READ with a polarity each, from a TOML file: bit-line, source-line,
  word-line and bulk voltage, aperture, settling time. They come from the recipe here: `pulse_row`.
- `read()` gives resistance, conductance, current and voltage, arrays of word lines x bit lines: `read_row` takes the
  conductance. A wait for relaxation comes before it: `RELAXATION_s`.
- counters per cell: the host counts; a mask of good lines: `known_bad`.
"""

from typing import Optional

import numpy as np

from .protocol import Capabilities
from .skeleton import RowBench

RELAXATION_s = 0.0
"""wait between a pulse and a read; the bench's own figure belongs here"""


class PulseUnitBench(RowBench):
    """Rows are bit lines, columns are source lines, word lines select, as in `orientation` 1 of a program file.

    port: how the instruments are opened, for example the name of their settings file. The figures of `capabilities`
    are placeholders: state those of the instruments before anything is connected.
    """

    def __init__(self, port: Optional[str] = None) -> None:
        self.capabilities = Capabilities(
            "pulse units behind a switch matrix",
            macros=1,
            rows=64,
            cols=64,
            granularity="cell",
            max_line_V=5.0,
            max_current_A=1e-3,
        )
        self.good_rows: np.ndarray = np.ones(64, bool)
        self.good_cols: np.ndarray = np.ones(64, bool)

    # pulse_row: set the bit line to recipe.row_V, the source line to recipe.col_V, the word line to recipe.select_V and
    # the bulk to 0 V; aperture recipe.width_s; route `row` and `cols` by the switch matrix; fire once.
    # read_row: settings of READ, wait RELAXATION_s, `read()`, of its arrays the conductance at (word line, bit lines).
    # safe_idle: all units to 0 V and off, then open the switch matrix.

    def known_bad(self, macro: int) -> np.ndarray:
        """Cells outside the mask of good lines."""
        return ~np.outer(self.good_rows, self.good_cols)

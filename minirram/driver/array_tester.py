"""A skeleton for a tester with 64 channels and a 32 x 32 array. It was not run on one: nothing here is tested.

Calls of such a tester in public laboratory code, and where they belong:

- `read_one`, `read_slice`, `read_all(V)`: currents, NaN where nothing was selected. `read_row` divides by the voltage.
- `pulse_one`, `pulse_slice`, `pulse_slice_masked`, `pulse_all`: `pulse_row` is the masked slice.
- `generate_ramp(low, high, start, step, stop, pulse ns, between ns, number, read at, read after)`: ramps with reads on
  the tester itself; a driver that uses it states `verifies`.
- a command buffer with `execute`, `wait` and `get_iter`: calls are queued there; `pulse_row` and `read_row` may fill it
  and `execute` once a row.
"""

from typing import Optional

from .protocol import Capabilities
from .skeleton import RowBench

READ_V = 0.2
"""voltage of a read whose recipe is the bench's own"""


class ArrayTester(RowBench):
    """32 rows and 32 columns on 64 channels. port: how the tester is opened. The limits are placeholders."""

    def __init__(self, port: Optional[str] = None) -> None:
        self.capabilities = Capabilities(
            "64-channel array tester",
            macros=1,
            rows=32,
            cols=32,
            granularity="line",
            max_line_V=5.0,
            max_current_A=1e-3,
        )

    # pulse_row: pulse_slice_masked on the row's channel with the mask `cols`: low recipe.col_V, high recipe.row_V,
    # width recipe.width_s in ns; then execute and wait.
    # read_row: read_slice(V) of the row with V = recipe.row_V - recipe.col_V or READ_V, execute, wait; the currents
    # come from get_iter; conductance = current / V, and NaN stays NaN.
    # safe_idle: all channels to ground, an empty command buffer, wait.

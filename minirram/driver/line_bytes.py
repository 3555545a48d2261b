"""Bytes that a program takes over the serial line: requests, and answers when each cell answers to its first pulse."""

from typing import Dict

import numpy as np

from ..xbp import table
from ..xbp.records import Program
from .messages import HEAD, ROWS
from .programmer import masks_to_read, steps
from .protocol import Capabilities

BAUD = 115200
FRAME_BYTES = 16384
"""longest frame that is assumed of a board"""
_AROUND = HEAD.size + 4 + 3
"""bytes of a frame beside its contents: head, CRC, first code of the stuffing, two zeros"""
_REQUEST = ROWS.size + 2 * table.RECIPE.size
READ_BYTES, PULSED_BYTES = 4.0, 2.125
"""of an answer, for each cell"""


def line_bytes(capabilities: Capabilities, program: Program) -> Dict[str, int]:
    """{"state": the read before the first pulse, "pulses": with verifying reads, "read-back": the read at the end}"""
    shape = capabilities.shape
    reading = sum(_exchanged(mask, READ_BYTES) for mask in masks_to_read(program, shape).values())
    pulsing = 0
    for step in steps(program):
        mask, recipe = step.mask(shape), step.recipe
        one = _exchanged(mask, PULSED_BYTES)
        if step.read is None:
            pulsing += one * recipe.max_pulses
        elif capabilities.verifies:
            pulsing += one
        else:
            reads = recipe.good_reads * (2 if recipe.read_first else 1)
            pulsing += one + reads * _exchanged(mask, READ_BYTES)
    return {"state": reading, "pulses": pulsing, "read-back": reading}


def minutes(n_bytes: int) -> float:
    """Minutes over a line of `BAUD`: eight data bits, a start and a stop bit."""
    return n_bytes * 10 / BAUD / 60


def _exchanged(mask: np.ndarray, per_cell: float) -> int:
    """Bytes of the requests for the cells of `mask` (rows, cols), and of their answers."""
    rows, cols = mask.shape
    stride = (cols + 7) // 8
    per = max(1, (FRAME_BYTES - HEAD.size - _REQUEST) // max(4 * cols, 2 * cols + stride))
    total = 0
    for start in range(0, rows, per):
        part = mask[start : start + per]
        if part.any():
            contents = (_REQUEST + len(part) * stride, int(np.ceil(per_cell * np.count_nonzero(part))))
            total += sum(_AROUND + size + size // 254 for size in contents)
    return total

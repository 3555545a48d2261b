"""What programming a chip has cost: pulses, how they are spread over its cells, energy and time."""

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from ..json_codec import Result
from .chip import Chip


@dataclass(frozen=True)
class Wear(Result):
    """How the writes of a chip are spread over its cells in use."""

    mean: float
    """writes of a cell, mean"""
    median: float
    """writes of a cell, median"""
    percentile_99: float
    """writes that 99 % of the cells do not exceed"""
    max: int
    """writes of the most worn cell"""
    from_writes: Tuple[int, ...]
    """first number of writes of each class: 0, 1, 2, 4, 8, ..."""
    cells: Tuple[int, ...]
    """cells in each class"""
    cycles_left: Optional[float]
    """SET and RESET cycles that the most worn cell may still take; None: there is no limit"""


@dataclass(frozen=True)
class Programs(Result):
    """SET and RESET pulses that learning asked for.

    Forming and partner resets are counted apart; with the first masks, half a pulse per weight at density 0.5, and the
    way back to the best epoch.
    """

    set: int
    """SET pulses"""
    reset: int
    """RESET pulses"""
    total: int
    """SET and RESET pulses"""
    per_weight: float
    """total over pairs in use"""
    energy_J: float
    """joules of the pulses"""
    time_s: float
    """seconds of the pulses, one cell after the other"""
    wear: Wear
    """how all writes are spread over the cells"""


def program_counts(chip: Chip, *, n_set: int, n_reset: int) -> Programs:
    """Programs of a learned chip. n_set, n_reset: pulses that learning asked for."""
    model, total = chip.cell_model, n_set + n_reset
    return Programs(
        set=int(n_set),
        reset=int(n_reset),
        total=int(total),
        per_weight=float(total / chip.placement.n_pairs),
        energy_J=float(n_set * model.set_energy_J + n_reset * model.reset_energy_J),
        time_s=float(n_set * model.set_time_s + n_reset * model.reset_time_s),
        wear=wear_histogram(writes_per_cell(chip), model.endurance_cycles),
    )


def writes_per_cell(chip: Chip) -> np.ndarray:
    """SET, RESET and tuning pulses that each cell in use has seen, initialisation included: int64, one axis."""
    writes = [macro.writes[used] for macro, used in zip(chip.macros, chip.used)]
    return np.concatenate(writes).astype(np.int64)


def wear_histogram(writes: np.ndarray, endurance_cycles: Optional[int]) -> Wear:
    """How `writes` (integers, one per cell) are spread. endurance_cycles: SET and RESET cycles that a cell takes."""
    top = int(writes.max())
    starts = [0] + [2**k for k in range(top.bit_length())]
    cells, _ = np.histogram(writes, bins=starts + [max(starts[-1] * 2, 1)])
    return Wear(
        mean=float(writes.mean()),
        median=float(np.median(writes)),
        percentile_99=float(np.percentile(writes, 99)),
        max=top,
        from_writes=tuple(starts),
        cells=tuple(cells.tolist()),
        cycles_left=None if endurance_cycles is None else endurance_cycles - top / 2,
    )

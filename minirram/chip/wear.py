"""What programming a chip has cost: pulses, how they are spread over its cells, energy and time."""

from typing import Any, Dict, Optional

import numpy as np

from .chip import Chip


def program_counts(chip: Chip, *, n_set: int, n_reset: int) -> Dict[str, Any]:
    """Programs of a learned chip as a JSON-ready dict.

    n_set, n_reset: pulses that learning asked for: forming and partner resets apart, with the first masks, half a pulse
    per weight at density 0.5, and the way back to the best epoch. Keys: `set`, `reset`, `total`; `per_weight`
    (total over pairs in use); `energy_J`; `time_s` (one cell after the other); `wear`, see `wear_histogram`.
    """
    model, total = chip.cell_model, n_set + n_reset
    return {
        "set": n_set,
        "reset": n_reset,
        "total": total,
        "per_weight": total / chip.placement.n_pairs,
        "energy_J": n_set * model.set_energy_J + n_reset * model.reset_energy_J,
        "time_s": n_set * model.set_time_s + n_reset * model.reset_time_s,
        "wear": wear_histogram(writes_per_cell(chip), model.endurance_cycles),
    }


def writes_per_cell(chip: Chip) -> np.ndarray:
    """SET, RESET and tuning pulses that each cell in use has seen, initialisation included: int64, one axis."""
    writes = [macro.writes[used] for macro, used in zip(chip.macros, chip.used)]
    return np.concatenate(writes).astype(np.int64)


def wear_histogram(writes: np.ndarray, endurance_cycles: Optional[int] = None) -> Dict[str, Any]:
    """How `writes` (integers, one per cell) are spread: a JSON-ready dict.

    `mean`, `median`, `percentile_99`, `max`: writes of a cell. `from`, `cells`: cells with 0, 1, 2-3, 4-7, 8-15, ...
    writes; `from` is the first number of each class. `cycles_left`: what the most worn cell may still take of
    `endurance_cycles` (a cycle is a SET and a RESET); None without a limit.
    """
    top = int(writes.max())
    starts = [0] + [2**k for k in range(top.bit_length())]
    cells, _ = np.histogram(writes, bins=starts + [max(starts[-1] * 2, 1)])
    return {
        "mean": float(writes.mean()),
        "median": float(np.median(writes)),
        "percentile_99": float(np.percentile(writes, 99)),
        "max": top,
        "from": starts,
        "cells": cells.tolist(),
        "cycles_left": None if endurance_cycles is None else endurance_cycles - top / 2,
    }

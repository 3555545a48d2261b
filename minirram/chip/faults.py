"""Cells that answer to no pulse: found by reading, and avoided by the choice of signs or of bits."""

from typing import Dict, Mapping, NamedTuple, Tuple

import numpy as np

from ..device.thresholds import on_border_S
from .chip import Chip
from .placement import Placement

ByName = Mapping[str, np.ndarray]


class Faults(NamedTuple):
    """Which cells of a chip are stuck, as far as reading can tell."""

    never_on: np.ndarray
    """bool (macros, rows, cols): off after FORM (stuck in the off state, or not formed)"""
    never_off: np.ndarray
    """bool (macros, rows, cols): on after RESET"""


def find_faults(chip: Chip, generator: np.random.Generator) -> Faults:
    """Read a freshly formed chip, RESET all its cells in use, read it again, SET them: its `Faults`.

    The chip books the pulses as `probe_reset` and `probe_set`.
    """
    border_S = on_border_S(chip.cell_model)
    never_on = chip.used & (chip.read_out(generator) < border_S)
    never_off = chip.used & (chip.read_out_when_off(generator) > border_S)
    return Faults(never_on, never_off)


def signs_around(signs: ByName, faults: Faults, *, placement: Placement) -> Dict[str, np.ndarray]:
    """Signs (dict name -> bool (fan_in, fan_out), True = the plus cell is the one that a mask keeps or prunes) under
    which masks stay free to choose: where one cell of a pair is stuck, the mask decides about the other.

    A pair then has two weights to choose from: 0 and +-G beside a cell that is never on, -+G and 0 beside one that
    is never off. Pairs without a fault, or with two, stay as they are.
    """
    around = {}
    for name, sign in signs.items():
        plus_stuck, minus_stuck = placement.gather(name, faults.never_on | faults.never_off)
        around[name] = np.where(plus_stuck != minus_stuck, minus_stuck, sign)
    return around


def masks_around(
    masks: ByName, scores: ByName, *, signs: ByName, drawn: ByName, faults: Faults, placement: Placement
) -> Tuple[Dict[str, np.ndarray], Dict[str, np.ndarray]]:
    """Pair-level masks and scores learned under the signs `drawn`, carried over to `signs` of `signs_around`.

    Of the two weights that a pair with one stuck cell can have, its mask takes the one nearest to the weight learned.
    Beside a cell that is never off, weights 0 and +-G of the stuck cell: +-G if that was learned, else 0, which needs
    the other cell on. Beside one that is never on, 0 where the sign changed. Where the sign or the mask changed, the
    |score| becomes the median of the layer's kept or pruned ones. Returns (masks, scores), dicts name -> array
    (fan_in, fan_out).
    """
    new_masks, new_scores = {}, {}
    for name, mask in masks.items():
        changed = signs[name] != drawn[name]
        plus_stuck, minus_stuck = placement.gather(name, faults.never_on | faults.never_off)
        plus_on, minus_on = placement.gather(name, faults.never_off)
        beside_on = (plus_on | minus_on) & (plus_stuck != minus_stuck)
        kept = np.where(beside_on, ~(changed & mask), mask & ~changed)
        magnitude = np.abs(scores[name])
        typical = np.where(kept, _median(magnitude[mask]), _median(magnitude[~mask])).astype(np.float32)
        replaced = changed | (kept != mask)
        new_scores[name] = np.where(replaced, np.copysign(typical, scores[name]), scores[name])
        new_masks[name] = kept
    return new_masks, new_scores


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else 0.0


class Forced(NamedTuple):
    """Bits of one matrix's cell-level mask that faults decide: bool (2, fan_in, fan_out), [0] = plus."""

    kept: np.ndarray
    """cells that are never off"""
    pruned: np.ndarray
    """cells that are never on"""

    def on(self, mask: np.ndarray) -> np.ndarray:
        """`mask` with these bits as they must be."""
        return (mask | self.kept) & ~self.pruned

    def among(self, scores: np.ndarray) -> np.ndarray:
        """`scores` under which the best cells are those that are never off, the worst those that are never on."""
        return np.where(self.kept, np.float32(np.inf), np.where(self.pruned, np.float32(0), scores))


def forced_bits(faults: Faults, placement: Placement) -> Dict[str, Forced]:
    """Cell level: dict name -> `Forced`, the bits of its mask that no learning can choose."""
    return {
        name: Forced(
            np.stack(placement.gather(name, faults.never_off)), np.stack(placement.gather(name, faults.never_on))
        )
        for name in placement.names
    }

"""Cells that answer to no pulse: found by reading, and avoided by the choice of signs."""

from typing import NamedTuple

import numpy as np


class Faults(NamedTuple):
    """Which cells of a chip are stuck, as far as reading can tell."""

    never_on: np.ndarray
    """bool (macros, rows, cols): off after FORM (stuck in the off state, or not formed)"""
    never_off: np.ndarray
    """bool (macros, rows, cols): on after RESET"""


def find_faults(chip, generator):
    """Read a freshly formed chip, RESET all its cells in use, read it again, SET them: its `Faults`."""
    border_S = on_border_S(chip.cell_model)
    never_on = chip.used & (chip.read_out(generator) < border_S)
    never_off = chip.used & (chip.read_out_when_off(generator) > border_S)
    return Faults(never_on, never_off)


def on_border_S(cell_model):
    """Conductance from which a cell counts as on: as many standard deviations of ln G above the median off
    conductance as below the median on conductance."""
    off, on = np.log(cell_model.hrs_median_S), np.log(cell_model.lrs_median_S)
    spreads = cell_model.hrs_sigma_ln, cell_model.lrs_sigma_ln
    share = spreads[0] / sum(spreads) if sum(spreads) else 0.5
    return float(np.exp(off + share * (on - off)))


def signs_around(signs, faults, placement):
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


def masks_around(masks, scores, signs, drawn, faults, placement):
    """Pair-level masks and scores learned under the signs `drawn`, carried over to `signs` of `signs_around`.

    Where the sign changed, the mask that gives the weight nearest to the one learned: pruned beside a cell that is
    never on, the opposite beside one that is never off. Its |score| becomes the median of its layer's kept or pruned
    ones. Returns (masks, scores), dicts name -> array (fan_in, fan_out).
    """
    new_masks, new_scores = {}, {}
    for name, mask in masks.items():
        changed = signs[name] != drawn[name]
        plus_on, minus_on = placement.gather(name, faults.never_off)
        kept = np.where(changed, (plus_on | minus_on) & ~mask, mask)
        magnitude = np.abs(scores[name])
        typical = np.where(kept, np.median(magnitude[mask]), np.median(magnitude[~mask])).astype(np.float32)
        new_scores[name] = np.where(changed, np.copysign(typical, scores[name]), scores[name])
        new_masks[name] = kept
    return new_masks, new_scores

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
    """Signs (dict name -> bool (fan_in, fan_out), True = the plus cell stays on) that let the stuck cells do no harm.

    A cell that is never on becomes the partner of its pair, one that is never off the kept cell. Pairs without a
    fault, or with one on each side that ask for opposite signs, stay as they are.
    """
    around = {}
    for name, sign in signs.items():
        plus_never_on, minus_never_on = placement.gather(name, faults.never_on)
        plus_never_off, minus_never_off = placement.gather(name, faults.never_off)
        want_plus = minus_never_on | plus_never_off
        want_minus = plus_never_on | minus_never_off
        around[name] = np.where(want_plus != want_minus, want_plus, sign)
    return around

"""Program counts: energy and time from the pulses, wear by a loop over cells."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.chip.wear import program_counts, wear_histogram, writes_per_cell
from minirram.device.presets import TAOX_40NM

from ..support.tiny import StripeData, tiny_learner


def learned(**changes):
    learner = tiny_learner(**changes)
    learner.epoch(StripeData())
    return learner


def test_counts_of_a_mask_run():
    chip = learned(model=replace(TAOX_40NM, endurance_cycles=10_000)).chip
    counts = program_counts(chip, n_set=chip.pulses["set"], n_reset=chip.pulses["reset"])
    assert counts.total == chip.pulses["set"] + chip.pulses["reset"] > 0
    assert counts.per_weight == counts.total / 972
    assert counts.energy_J == pytest.approx(counts.set * 6.0e-12 + counts.reset * 4.1e-12, rel=0.05)
    assert counts.time_s == pytest.approx(counts.total * 50e-9)
    wear = counts.wear
    assert sum(wear.cells) == 2 * 972 == len(writes_per_cell(chip))
    assert wear.mean * 2 * 972 == pytest.approx(counts.total + chip.pulses["partner_reset"])
    assert wear.cycles_left == 10_000 - wear.max / 2


def test_hysteresis_spreads_less_wear():
    free, held = (learned(hysteresis=limit, hysteresis_end=limit).chip for limit in (0.0, 0.05))
    assert writes_per_cell(held).sum() < writes_per_cell(free).sum()


@given(st.lists(st.integers(0, 300), min_size=1, max_size=50))
def test_histogram_is_that_of_a_loop(writes):
    wear = wear_histogram(np.array(writes), endurance_cycles=None)
    borders = [*wear.from_writes, 10**9]
    counted = [sum(low <= n < high for n in writes) for low, high in zip(borders, borders[1:])]
    assert list(wear.cells) == counted and sum(counted) == len(writes)
    assert wear.max == max(writes) and wear.cycles_left is None
    assert wear.from_writes[:2] == (0, 1)[: len(wear.from_writes)]

"""A programming that is stopped at any moment: between calls, within one, within a line of the journal."""

import os

import numpy as np

from minirram.chip.placement import place
from minirram.crossbar.macro import Macro
from minirram.device.presets import TAOX_40NM
from minirram.driver import programmer
from minirram.driver.journal import Journal, _line
from minirram.driver.simulated import SimulatedDriver
from minirram.programming.build import build_program

from .benches import LIMITS, RECIPES

ROWS, COLS = 12, 16
HEADER = {"program": "test"}


class Stopped(BaseException):
    """The power went."""


class Power:
    """Counts the moments at which it may go, and goes at `at`."""

    def __init__(self, at=None, seed=0):
        self.at, self.moments = at, 0
        self.generator = np.random.default_rng(seed)

    def gone(self):
        """Whether this is the moment."""
        self.moments += 1
        return self.at is not None and self.moments == self.at + 1


class Mortal:
    """A driver whose calls may stop before, in the middle and after."""

    def __init__(self, driver, power):
        self.driver, self.power = driver, power

    @property
    def capabilities(self):
        return self.driver.capabilities

    def __getattr__(self, name):
        call = getattr(self.driver, name)
        if name not in ("form", "set", "reset", "read"):
            return call

        def mortal(macro, mask, *rest, **options):
            if self.power.gone():
                raise Stopped
            if self.power.gone():
                some = mask & (self.power.generator.random(mask.shape) < self.power.generator.random())
                call(macro, some, *rest, **options)
                raise Stopped
            result = call(macro, mask, *rest, **options)
            if self.power.gone():
                raise Stopped
            return result

        return mortal


class MortalJournal(Journal):
    """A journal whose lines may not be written, be cut, or be the last thing that happened."""

    power = Power()

    def write(self, **entry):
        line = _line(entry)
        if self.power.gone():
            raise Stopped
        if self.power.gone():
            self._handle.write(line[: int(self.power.generator.integers(1, len(line)))])
            self._handle.flush()
            raise Stopped
        super().write(**entry)
        if self.power.gone():
            raise Stopped


def small_program(seed=0, level="pair"):
    """The program of one matrix on one macro of ROWS x COLS cells."""
    placement = place((("m", (ROWS, COLS // 2)),), ROWS, macro_pairs=COLS // 2)
    generator = np.random.default_rng(seed)
    plus = generator.random((ROWS, COLS // 2)) < 0.5
    keep = generator.random((ROWS, COLS // 2)) < 0.5
    on = np.zeros((1, ROWS, COLS), bool)
    on[0, :, 0::2], on[0, :, 1::2] = keep & plus, keep & ~plus
    partners = np.zeros_like(on)
    partners[0, :, 0::2], partners[0, :, 1::2] = ~plus, plus
    return build_program(
        placement,
        on,
        level=level,
        recipes=RECIPES,
        limits=LIMITS,
        chip_id=1,
        partners=partners if level == "pair" else None,
    )


def small_chip(seed=0, stuck=2):
    """A macro for it, a few of whose cells are stuck."""
    macro = Macro.sample(TAOX_40NM, seed, rows=ROWS, cols=COLS)
    faults = np.zeros((ROWS, COLS), bool)
    faults.reshape(-1)[np.random.default_rng(seed).choice(ROWS * COLS, stuck, replace=False)] = True
    even = np.indices(faults.shape).sum(axis=0) % 2 == 0
    macro.stick(lrs=faults & even, hrs=faults & ~even)
    return macro


def programmed(path, macro, program, *, power=None, wrap=None):
    """Run a program until it is through, however often the power goes; (what was made, read-back, starts)."""
    powers = [Power()] if power is None else list(power)
    for start, now in enumerate([*powers, Power()]):
        driver = SimulatedDriver([macro])
        if wrap is not None:
            driver = wrap(driver)
        MortalJournal.power = now
        try:
            with MortalJournal(path, HEADER) as journal:
                mortal = Mortal(driver, now)
                made = programmer.run(mortal, program, journal)
                read_S = programmer.read_back(mortal, program)
                journal.write(readback="x", new_state="y")
                return made, read_S, start + 1, now.moments
        except Stopped:
            continue
    raise AssertionError("the last start has power")


def on_map(macro):
    """What a chip holds: bool (rows, cols)."""
    return macro.conductance_S() >= LIMITS.on_min_S


def removed(path):
    """The path without its file."""
    if os.path.exists(path):
        os.unlink(path)
    return path

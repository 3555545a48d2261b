"""The kit for drivers: the simulated bench passes, also over a line, and each broken bench breaks its law."""

from dataclasses import replace

import numpy as np
import pytest

from minirram.conformance import check_driver
from minirram.conformance.cases import Violation
from minirram.conformance.drivers import DRIVER_LAWS, Bench
from minirram.driver.protocol import Pulsed
from minirram.driver.serial_driver import SerialDriver
from minirram.driver.simulated import SimulatedDriver

from ..support.benches import LIMITS, RECIPES, served, small_bench, small_macro, two_ends


@pytest.mark.parametrize("noise, verifies", [(False, False), (True, True)])
def test_the_simulated_bench_keeps_every_law(noise, verifies):
    bench = small_bench(noise=np.random.default_rng(1) if noise else None, verifies=verifies)
    report = check_driver(bench, RECIPES, LIMITS)
    assert report.passed and all(result.tried for result in report.results), str(report)


def test_a_board_behind_a_line_keeps_them_too():
    with two_ends() as (host, board), served(small_bench(), board):
        report = check_driver(SerialDriver(None, line=host), RECIPES, LIMITS)
    assert report.passed, str(report)


class Leaks(SimulatedDriver):
    def read(self, macro, mask, recipe=None):
        return np.nan_to_num(super().read(macro, mask, recipe))


class InMicrosiemens(SimulatedDriver):
    def read(self, macro, mask, recipe=None):
        return super().read(macro, mask, recipe) * 1e6


class AnyVoltage(SimulatedDriver):
    def set(self, macro, mask, recipe, *, verify=None):
        return super().set(macro, mask, replace(recipe, row_V=2.0), verify=verify)


class AnyCurrent(SimulatedDriver):
    def set(self, macro, mask, recipe, *, verify=None):
        return super().set(macro, mask, replace(recipe, compliance_A=0.0), verify=verify)


class AnyMacro(SimulatedDriver):
    def read(self, macro, mask, recipe=None):
        return super().read(0, mask, recipe)


class AnyMask(SimulatedDriver):
    def read(self, macro, mask, recipe=None):
        return super().read(macro, np.resize(mask, self._capabilities.shape), recipe)


class CountsTwice(SimulatedDriver):
    def reset(self, macro, mask, recipe, *, verify=None):
        done = super().reset(macro, mask, recipe, verify=verify)
        return Pulsed(2 * done.pulses, done.failed)


class NeverResets(SimulatedDriver):
    def reset(self, macro, mask, recipe, *, verify=None):
        return Pulsed(mask.astype(np.uint32), np.zeros(mask.shape, bool))


class WholeRows(SimulatedDriver):
    def reset(self, macro, mask, recipe, *, verify=None):
        super().reset(macro, np.broadcast_to(mask.any(axis=1)[:, None], mask.shape).copy(), recipe, verify=verify)
        return Pulsed(mask.astype(np.uint32), np.zeros(mask.shape, bool))


class OpenGate(SimulatedDriver):
    def set(self, macro, mask, recipe, *, verify=None):
        return super().set(macro, mask, replace(recipe, select_V=3.3), verify=verify)


class IdleResets(SimulatedDriver):
    def safe_idle(self):
        for macro in self.macros:
            macro.reset(macro.formed & macro.on)


class IdleSets(SimulatedDriver):
    def safe_idle(self):
        for macro in self.macros:
            macro.set(macro.formed & ~macro.on)


class Halves(SimulatedDriver):
    def multiply(self, macro, codes):
        return super().multiply(macro, codes) / 2


class Wavers(SimulatedDriver):
    @property
    def capabilities(self):
        self.looks = getattr(self, "looks", 0) + 1
        return replace(self._capabilities, name=str(self.looks))


BROKEN = [
    (Wavers, "states what it is"),
    (Leaks, "reads the mask"),
    (InMicrosiemens, "reads the mask"),
    (AnyVoltage, "refuses what cannot be: a voltage above max_line_V is not refused"),
    (AnyCurrent, "refuses what cannot be: a current limit above max_current_A is not refused"),
    (AnyMacro, "refuses what cannot be: a macro that is not there is not refused"),
    (AnyMask, "refuses what cannot be: a mask of another shape is not refused"),
    (CountsTwice, "pulses count"),
    (NeverResets, "forms sets and resets"),
    (WholeRows, "forms sets and resets"),
    (OpenGate, "a closed gate forms nothing"),
    (IdleResets, "idles safely"),
    (IdleSets, "idles safely"),
    (Halves, "multiplies"),
]


@pytest.mark.parametrize("kind, law", BROKEN, ids=[kind.__name__ for kind, _ in BROKEN])
def test_a_broken_bench_breaks_its_law(kind, law):
    report = check_driver(kind([small_macro()]), RECIPES, LIMITS)
    law, _, said = law.partition(": ")
    assert law in report.broken and said in str(report), str(report)


@pytest.mark.parametrize("kind, law", BROKEN, ids=[kind.__name__ for kind, _ in BROKEN])
@pytest.mark.parametrize("last", ["SET", "RESET"])
def test_each_law_prepares_the_cells_it_needs(kind, law, last):
    bench = Bench(kind([small_macro()]), RECIPES, LIMITS)
    bench.verified("FORM", bench.corner())
    bench.verified(last, bench.corner())
    tried = {one.__name__.replace("_", " "): one for one in DRIVER_LAWS}
    with pytest.raises(Violation):
        tried[law.partition(": ")[0]](bench)

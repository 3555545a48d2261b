"""The laws that a driver keeps, each as a function that raises `Violation` with what broke it.

`check_driver(driver, recipes, limits)` tries them on a bench: a simulation, a board behind a serial line, a laboratory.
It pulses the cells of a corner of macro 0: give it a chip that may be worn.
"""

from dataclasses import replace
from typing import Any, Callable, Mapping, NamedTuple

import numpy as np

from ..device.pulses import PulseRecipe
from ..device.thresholds import Thresholds
from ..driver.protocol import PULSE_KINDS, Capabilities, Driver, Verify
from ..driver.verified import pulse
from ..errors import MinirramError
from .cases import NotTried, Violation
from .kit import Report, Result


class Bench(NamedTuple):
    """What the laws are tried on."""

    driver: Driver
    recipes: Mapping[str, PulseRecipe]
    """kind -> recipe, as of `device.pulses.pulse_recipes`; without FORM, the cells are formed"""
    limits: Thresholds
    """when a cell counts as on and as off"""
    size: int = 4
    """rows and columns of the corner"""
    most_failing: float = 0.1
    """share of its cells that may not answer"""

    @property
    def capabilities(self) -> Capabilities:
        """Those of the driver."""
        return self.driver.capabilities

    def corner(self) -> np.ndarray:
        """Bool (rows, cols): the cells that the laws use."""
        mask: np.ndarray = np.zeros(self.capabilities.shape, bool)
        mask[: self.size, : self.size] = True
        return mask

    def checkered(self) -> np.ndarray:
        """Every other cell of the corner."""
        return self.corner() & (np.indices(self.capabilities.shape).sum(axis=0) % 2 == 0)

    def verified(self, kind: str, mask: np.ndarray) -> np.ndarray:
        """Pulse until past the limit; the cells that failed."""
        limit_S = self.limits.off_max_S if kind == "RESET" else self.limits.on_min_S
        verify = Verify(self.recipes["READ"], limit_S)
        return pulse(self.driver, 0, mask, recipe=self.recipes[kind], verify=verify).failed


def _must(holds: object, message: str) -> None:
    if not holds:
        raise Violation(message)


def _must_refuse(call: Callable[[], object], what: str) -> None:
    try:
        call()
    except MinirramError:
        return
    raise Violation(f"{what} is not refused")


def states_what_it_is(bench: Bench) -> None:
    """Capabilities are the same each time, and what they promise is there."""
    first = bench.capabilities
    _must(isinstance(first, Capabilities), f"capabilities are a {type(first).__name__}")
    _must(first == bench.capabilities, "capabilities change from one look to the next")
    _must(not first.multiplies or hasattr(bench.driver, "multiply"), "it says that it multiplies, and has no multiply")


def reads_the_mask(bench: Bench) -> None:
    """A read is float64 (rows, cols): siemens of 0 or more in the mask, NaN everywhere else."""
    nothing: np.ndarray = np.zeros(bench.capabilities.shape, bool)
    for mask in (bench.corner(), bench.checkered(), nothing):
        read_S = np.asarray(bench.driver.read(0, mask))
        _must(read_S.shape == mask.shape and read_S.dtype == np.float64, f"a read is {read_S.dtype} {read_S.shape}")
        _must(np.isnan(read_S[~mask]).all(), "a cell outside the mask has a value")
        _must(np.isfinite(read_S[mask]).all(), "a cell of the mask has no value")
        _must((read_S[mask] < 0.1).all(), "a conductance above 0.1 S: is the unit siemens?")


def refuses_what_cannot_be(bench: Bench) -> None:
    """A macro or a mask that the chip does not have, a voltage and a current beyond the limits."""
    driver, mask, recipe = bench.driver, bench.corner(), bench.recipes["SET"]
    _must_refuse(lambda: driver.read(bench.capabilities.macros, mask), "a macro that is not there")
    _must_refuse(lambda: driver.read(0, mask[:, :-1]), "a mask of another shape")
    high = replace(recipe, row_V=bench.capabilities.max_line_V * 1.01)
    _must_refuse(lambda: driver.set(0, mask, high), "a voltage above max_line_V")
    strong = replace(recipe, compliance_A=bench.capabilities.max_current_A * 1.01)
    _must_refuse(lambda: driver.set(0, mask, strong), "a current limit above max_current_A")


def pulses_count(bench: Bench) -> None:
    """Each cell of the mask gets the pulses of the recipe, no other cell any; an empty mask asks for nothing."""
    one = replace(bench.recipes["RESET"], max_pulses=1, verified=False)
    nothing: np.ndarray = np.zeros(bench.capabilities.shape, bool)
    for mask in (bench.checkered(), nothing):
        done = bench.driver.reset(0, mask, one)
        _must(np.array_equal(done.pulses, mask), "the pulses counted are not those asked for")
        _must(not np.any(done.failed), "a cell that was not verified has failed")


def forms_sets_and_resets(bench: Bench) -> None:
    """Verified pulses lead past the limits: FORM and SET on, RESET off, and cells outside the mask stay."""
    corner, half = bench.corner(), bench.checkered()
    kinds = [kind for kind in PULSE_KINDS if kind in bench.recipes]
    for kind in [*kinds, "SET"]:
        failed = bench.verified(kind, corner)
        share = np.count_nonzero(failed) / np.count_nonzero(corner)
        _must(share <= bench.most_failing, f"{kind}: {share:.0%} of the cells do not get past their limit")
    failed = bench.verified("RESET", half)
    read_S = bench.driver.read(0, corner, bench.recipes["READ"])
    wrong = (half & ~failed & (read_S > bench.limits.on_min_S)) | (corner & ~half & (read_S < bench.limits.off_max_S))
    share = np.count_nonzero(wrong) / np.count_nonzero(corner)
    _must(share <= bench.most_failing, f"{share:.0%} of the cells are not what their last pulse left")


def a_closed_gate_forms_nothing(bench: Bench) -> None:
    """A SET with the select line at 0 V, or with a limit of 1 nA, leaves a cell that is off as it is."""
    half = bench.checkered()
    failed = bench.verified("RESET", half)
    one = replace(bench.recipes["SET"], max_pulses=1, verified=False)
    for weak in (replace(one, select_V=0.0), replace(one, compliance_A=1e-9)):
        bench.driver.set(0, half, weak)
        read_S = bench.driver.read(0, half, bench.recipes["READ"])
        turned = np.count_nonzero(half & ~failed & (read_S > bench.limits.on_min_S))
        _must(not turned, f"{turned} cells turned on at a gate of {weak.select_V} V and {weak.compliance_A} A")


def idles_safely(bench: Bench) -> None:
    """Safe idle may be called twice and changes no cell, on or off."""
    bench.verified("SET", bench.corner())
    bench.verified("RESET", bench.checkered())
    before = bench.driver.read(0, bench.corner()) > bench.limits.on_min_S
    bench.driver.safe_idle()
    bench.driver.safe_idle()
    after = bench.driver.read(0, bench.corner()) > bench.limits.on_min_S
    changed = np.count_nonzero(before != after) / np.count_nonzero(bench.corner())
    _must(changed <= bench.most_failing, "cells change in safe idle")


def multiplies(bench: Bench) -> None:
    """The product is that of the conductances that are read, to within 10 %."""
    if not bench.capabilities.multiplies:
        raise NotTried(f"{bench.capabilities.name} does not multiply")
    bench.verified("RESET", bench.checkered())  # one cell of each pair conducts: no product is small by cancelling
    rows, cols = bench.capabilities.shape
    codes = np.zeros((3, rows), np.uint8)
    codes[:, : bench.size] = np.random.default_rng(1).integers(0, 8, (3, bench.size))
    everything: np.ndarray = np.zeros((rows, cols), bool)
    everything[: bench.size] = True
    read_S = np.nan_to_num(bench.driver.read(0, everything, bench.recipes["READ"]))
    driver: Any = bench.driver
    found = np.asarray(driver.multiply(0, codes))
    expected = codes.astype(np.float64) @ (read_S[:, 0::2] - read_S[:, 1::2])
    _must(found.shape == (3, cols // 2), f"a product of shape {found.shape}, expected {(3, cols // 2)}")
    allowed = 0.1 * codes.astype(np.float64) @ (read_S[:, 0::2] + read_S[:, 1::2]) + 1e-12
    _must((np.abs(found - expected) <= allowed).all(), "the product is not that of the conductances")


DRIVER_LAWS = (
    states_what_it_is,
    reads_the_mask,
    refuses_what_cannot_be,
    pulses_count,
    forms_sets_and_resets,
    a_closed_gate_forms_nothing,
    idles_safely,
    multiplies,
)


def check_driver(
    driver: Driver, recipes: Mapping[str, PulseRecipe], limits: Thresholds, *, size: int = 4, most_failing: float = 0.1
) -> Report:
    """Try every law on a driver; returns a `Report`. "open": the bench has nothing that the law speaks of.

    recipes: kind -> recipe. limits: when a cell is on and off. size: rows and columns of the corner of macro 0 that is
    pulsed. most_failing: share of its cells that may not answer.
    """
    bench = Bench(driver, recipes, limits, size, most_failing)
    return Report(tuple(_verdict(law, bench) for law in DRIVER_LAWS))


def _verdict(law: Callable[[Bench], None], bench: Bench) -> Result:
    name = law.__name__.replace("_", " ")
    try:
        law(bench)
    except NotTried as reason:
        return Result(name, True, str(reason))
    except Violation as violation:
        return Result(name, False, str(violation))
    except Exception as error:  # whatever the driver raises is a finding
        return Result(name, False, f"the driver raised {error!r}")
    return Result(name, True, "")

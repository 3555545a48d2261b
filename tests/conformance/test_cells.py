"""The kit for kinds of cells: every preset keeps the laws, and one planted fault of each kind is caught."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from minirram.conformance import cells, check_cell
from minirram.conformance.cases import Violation
from minirram.device.cell import CellModel
from minirram.device.presets import HFOX_1T1R, PCM, TAOX_40NM, TECHNOLOGIES


@pytest.mark.parametrize("name", ["taox-40nm", "hfox-1t1r", "pcm", "sonos-40nm"])
def test_every_preset_keeps_the_laws(name):
    model = TECHNOLOGIES[name]
    report = check_cell(model)
    assert report.passed, str(report)
    tried = {result.law: result.tried for result in report.results}
    assert tried.pop("ageing") == model.ages and all(tried.values())


def test_parameters_of_other_sizes_keep_them_too():
    changes = {"read_noise": 0.1, "read_noise_floor_S": 1e-7, "re_set": "redraw", "lrs_sigma_ln": 0.6, "stuck_hrs": 0.1}
    report = check_cell(dataclasses.replace(HFOX_1T1R, **changes))
    assert report.passed, str(report)


class FormsAtRandom(CellModel):
    """More voltage may form fewer cells than it says."""

    def formed_share(self, voltage_V):
        return np.clip(super().formed_share(voltage_V) + 0.05 * np.sin(40 * np.asarray(voltage_V)), 0, 1)


class FormsEarlier(CellModel):
    def forming_voltage_V(self, share):
        return super().forming_voltage_V(share) - 0.1


class Negative(CellModel):
    """A normal distribution where a log-normal was measured: some cells conduct less than nothing."""

    def sample_lrs_S(self, generator, shape):
        return self.lrs_median_S * (1 + 0.5 * generator.standard_normal(shape))


class StatesAnotherSpread(CellModel):
    def sample_hrs_S(self, generator, shape):
        return super().sample_hrs_S(generator, shape) ** 0.9 * self.hrs_median_S**0.1


class StatesNoSpread(CellModel):
    def lrs_spread(self):
        return self.lrs_median_S, float("nan")


class NoiseOfPairsOfItsOwn(CellModel):
    def pair_read_std(self, plus, minus, *, unit_S=1.0):
        return self.read_std(plus, unit_S) + self.read_std(minus, unit_S)


class NoiseInSiemens(CellModel):
    """A floor in siemens that forgets the unit it is asked in."""

    def read_std(self, conductance, unit_S=1.0):
        return np.hypot(self.read_noise * conductance, np.asarray(1e-7, conductance.dtype))


class RemembersWhatItRedraws(CellModel):
    def set_S(self, formed_S, generator):
        return np.sqrt(formed_S * super().set_S(formed_S, generator))


class RedrawsAnotherSpread(CellModel):
    """New draws that forget the cell, by another law than that of forming."""

    def set_S(self, formed_S, generator):
        return super().set_S(formed_S, generator) ** 0.9 * self.lrs_median_S**0.1


class ReplaysAnotherValue(CellModel):
    def set_S(self, formed_S, generator):
        return 1.001 * super().set_S(formed_S, generator)


class AgesAtOnce(CellModel):
    def aged_S(self, conductance_S, age_s, **numbers):
        return 0.99 * super().aged_S(conductance_S, age_s, **numbers)


class AgesAnew(CellModel):
    """Another course of time with each look."""

    def aged_S(self, conductance_S, age_s, **numbers):
        aged_S = super().aged_S(conductance_S, age_s, **numbers)
        return np.where(age_s > 0, aged_S * (1 + 0.01 * np.random.default_rng().standard_normal(aged_S.shape)), aged_S)


class SlowedByHeat(CellModel):
    def acceleration(self, temperature_K=None):
        return 1 / super().acceleration(temperature_K)


class HasAMemory(CellModel):
    """Draws that depend on how often it was asked."""

    def sample_forming_V(self, generator, shape):
        return super().sample_forming_V(np.random.default_rng(), shape)


class ByColumns(CellModel):
    """Numbers that depend on the shape they are asked for."""

    def sample_lrs_S(self, generator, shape):
        return super().sample_lrs_S(generator, shape[::-1]).T


@dataclass(frozen=True)
class ForgetsAParameter(CellModel):
    """Its samples depend on something that is no parameter."""

    extra: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "extra", round(self.extra * 1.1, 6))


PLANTED = [
    (FormsAtRandom, TAOX_40NM, "forming"),
    (FormsEarlier, TAOX_40NM, "forming"),
    (Negative, TAOX_40NM, "conductance"),
    (StatesAnotherSpread, TAOX_40NM, "distributions"),
    (StatesNoSpread, TAOX_40NM, "distributions"),
    (NoiseOfPairsOfItsOwn, TAOX_40NM, "read noise"),
    (NoiseInSiemens, TAOX_40NM, "read noise"),
    (RemembersWhatItRedraws, PCM, "writing"),
    (RedrawsAnotherSpread, PCM, "writing"),
    (ReplaysAnotherValue, TAOX_40NM, "writing"),
    (AgesAtOnce, PCM, "ageing"),
    (AgesAnew, PCM, "ageing"),
    (SlowedByHeat, HFOX_1T1R, "ageing"),
    (HasAMemory, TAOX_40NM, "sampling"),
    (ByColumns, TAOX_40NM, "sampling"),
    (ForgetsAParameter, TAOX_40NM, "json round trip"),
]


@pytest.mark.parametrize("kind, base, law", PLANTED, ids=[kind.__name__ for kind, _, _ in PLANTED])
def test_a_planted_fault_is_caught(kind, base, law):
    numbers = {field.name: getattr(base, field.name) for field in dataclasses.fields(CellModel)}
    report = check_cell(kind(**numbers))
    assert law in report.broken, str(report)
    assert f"BROKEN {law}" in str(report)


def test_what_a_model_raises_is_a_finding():
    class Raises(CellModel):
        def read_std(self, conductance, unit_S=1.0):
            raise ZeroDivisionError("no noise")

    numbers = {field.name: getattr(TAOX_40NM, field.name) for field in dataclasses.fields(CellModel)}
    report = check_cell(Raises(**numbers))
    assert "read noise" in report.broken and "no noise" in str(report)


RANDOM = np.random.default_rng(0)


def model_with(base, **methods):
    """A cell with the numbers of `base` whose methods are `method(self, own, ...)`; own: that of CellModel."""

    def method(name, change):
        own = getattr(CellModel, name)
        return lambda self, *a, **k: change(self, lambda *b, **c: own(self, *b, **c), *a, **k)

    body = {name: method(name, change) for name, change in methods.items()}
    numbers = {field.name: getattr(base, field.name) for field in dataclasses.fields(CellModel)}
    return dataclasses.dataclass(frozen=True)(type("Changed", (CellModel,), body))(**numbers)


def times(factor):
    return lambda self, own, *a, **k: factor * own(*a, **k)


def at_random(self, own, *a, **k):
    return own(*a, **k) * (1 + 1e-9 * RANDOM.random())


def with_nan(self, own, *a, **k):
    found = np.array(own(*a, **k))
    found.flat[0] = np.nan
    return found


def both_stuck(self, own, *a):
    return tuple(np.ones_like(stuck) for stuck in own(*a))


FOUND = [  # law, base, methods, what it says
    ("sampling", TAOX_40NM, {"sample_lrs_S": lambda s, own, *a: own(*a).astype(np.float32)}, "gives float32"),
    ("sampling", TAOX_40NM, {"sample_lrs_S": at_random}, "the same generator gives other numbers the second time"),
    ("sampling", TAOX_40NM, {"sample_stuck": lambda s, own, *a: tuple(1 * x for x in own(*a))}, "no bool maps"),
    ("sampling", TAOX_40NM, {"sample_stuck": both_stuck}, "stuck in both states"),
    ("conductance", TAOX_40NM, {"sample_hrs_S": with_nan}, "an off conductance is .nan. S"),
    ("conductance", TAOX_40NM, {"sample_lrs_S": times(1e-9)}, "on cells do not conduct more than off cells"),
    ("conductance", TAOX_40NM, {"to_grid": lambda s, own, *a: (own(*a)[0] + 0.5, 0)}, "no float32 integers"),
    ("conductance", TAOX_40NM, {"to_grid": lambda s, own, *a: (np.float32(2**24) + own(*a)[0], 0)}, "not sum exactly"),
    ("conductance", TAOX_40NM, {"to_grid": lambda s, own, *a: (own(*a)[0] + 1, 0)}, "off by more than half a step"),
    ("distributions", TAOX_40NM, {"hrs_spread": lambda s, own: (2 * own()[0], own()[1])}, "lie below the median it"),
    ("forming", TAOX_40NM, {"formed_share": lambda s, own, v: own(np.asarray(v) + 0.05)}, "formed_share: .* from the"),
    ("read_noise", TAOX_40NM, {"read_std": times(-1)}, "read_std is no deviation"),
    ("read_noise", TAOX_40NM, {"read_std": lambda s, own, g, unit_S=1.0: own(g, unit_S) + 1e-9}, "other units"),
    ("writing", TAOX_40NM, {"set_S": times(-1)}, "not above 0"),
    ("writing", TAOX_40NM, {"set_S": at_random}, "set_S: the same generator gives other numbers the second time"),
    ("writing", PCM, {"reset_S": with_nan}, "reset_S gives no conductance"),
    ("writing", TAOX_40NM, {"tuned_S": times(1.001)}, "tuned_S misses its target"),
    ("ageing", PCM, {"acceleration": lambda s, own, kelvin: 2.0 if kelvin is None else own(kelvin)}, "is not 1"),
    ("ageing", PCM, {"acceleration": lambda s, own, k: own(k) if k is None else -1.0}, "accelerations"),
    ("ageing", PCM, {"aged_S": lambda s, own, g, a, **k: own(g, a, **k) * np.where(a > 0, -1, 1)}, "after .* s"),
    ("ageing", PCM, {"aged_S": lambda s, own, g, a, **k: g * (1 - 0.1 * RANDOM.random() * (a > 0))}, "one course"),
    ("ageing", PCM, {"aged_S": lambda s, own, g, a, **k: g * (1 - 1e-4 * len(g) * (a > 0))}, "cells beside it"),
    ("ageing", PCM, {"aged_S": lambda s, own, g, a, **k: g}, "nothing changes"),
]


@pytest.mark.parametrize("law, base, methods, message", FOUND, ids=[f"{one[0]}-{one[3]}" for one in FOUND])
def test_a_law_says_what_it_found(law, base, methods, message):
    getattr(cells, law)(base)
    with pytest.raises(Violation, match=message):
        getattr(cells, law)(model_with(base, **methods))

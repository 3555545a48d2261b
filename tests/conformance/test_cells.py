"""The kit for kinds of cells: every preset keeps the laws, and one planted fault of each kind is caught."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from minirram.conformance import check_cell
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

"""`estimate` finds offset, gain, INL, noise and cells of simulated chips within 0.1 LSB."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from minirram.conformance import Converters, Spec, check, estimate, simulator_factory
from minirram.errors import ConfigError

SPEC = Spec(tile_rows=16, tile_pairs=8, max_rows=40, max_pairs=20, max_batch=1000, adc_bits=(10,), input_bits=(2,))


class Chip:
    """One array with converters and cells that are off, drawn from a seed."""

    def __init__(self, seed, plus_S, minus_S, input_bits, adc_bits, range_A):
        random = np.random.default_rng(seed)
        self.random, self.bits, self.top = random, input_bits, 2 ** (adc_bits - 1) - 1
        pairs = plus_S.shape[1]
        self.offset, self.gain = random.uniform(-1.5, 1.5, pairs), random.normal(1, 0.01, pairs)
        self.bow = 0.0
        self.noise = random.uniform(0.002, 0.005)
        lsb_S = range_A / self.top / 0.2
        self.plus, self.minus = (
            cells_S / lsb_S * random.normal(1, 0.02, cells_S.shape) for cells_S in (plus_S, minus_S)
        )
        self.nominal_S = plus_S - minus_S
        self.cells_S = (self.plus - self.minus) * lsb_S

    def multiply(self, codes):
        y, saturated = np.zeros((len(codes), self.plus.shape[1]), np.int64), 0
        for b in range(self.bits):
            plane = ((codes >> b) & 1).astype(float)
            current = plane @ (self.plus - self.minus)
            current += self.noise * np.sqrt(plane @ (self.plus**2 + self.minus**2)) * self.random.normal(size=y.shape)
            bent = self.bow * (1 - (current / self.top) ** 2)
            code = np.rint(self.gain * current + self.offset + bent)
            saturated += np.count_nonzero(np.abs(code) > self.top)
            y += 2**b * np.clip(code, -self.top, self.top).astype(np.int64)
        return y, saturated


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_a_simulated_chip_is_found_within_a_tenth_of_an_lsb(seed):
    made = []

    def factory(*arguments):
        made.append(Chip(seed, *arguments))
        return made[0]

    found, chip = estimate(factory, SPEC), made[0]
    assert np.abs(found.offset_lsb - chip.offset).max() < 0.1
    assert found.inl_lsb.max() < 0.1
    full_scale = found.gain[None] * found.cells_S - chip.gain[None] * chip.cells_S
    lsb_S = np.abs(chip.cells_S).max() / np.abs(chip.plus - chip.minus).max()
    assert np.abs(full_scale / lsb_S).max() < 0.1
    share = (chip.cells_S * chip.nominal_S).sum(axis=0) / (chip.nominal_S**2).sum(axis=0)  # errors of cells that stay
    assert np.abs(found.gain - chip.gain * share).max() < 3e-3
    assert found.read_noise == pytest.approx(chip.noise, rel=0.03)


@pytest.mark.slow
def test_a_bent_converter_shows_its_bow():
    made = []

    def factory(*arguments):
        made.append(Chip(5, *arguments))
        made[0].bow = 4.0 * (np.arange(8) == 3)
        return made[0]

    found = estimate(factory, SPEC)
    assert found.inl_lsb[3] > 0.4 and np.delete(found.inl_lsb, 3).max() < 0.1


@pytest.mark.slow
def test_an_ideal_device_keeps_its_own_model():
    noisy = Spec(
        tile_rows=16, tile_pairs=8, max_rows=40, max_pairs=20, max_batch=1000, adc_bits=(10,), read_noise=0.003
    )
    found = estimate(simulator_factory(noisy), noisy)
    own = found.spec(noisy)
    assert own.read_noise == pytest.approx(0.003, rel=0.03) and own.adc_offset_lsb < 0.3 and own.adc_gain < 2e-3
    assert check(simulator_factory(noisy, 1), own, exact=False, reads=50).passed


class Bench:
    """Chips of exact cells whose converters, of one array, are far off and stay so from chip to chip."""

    spec = Spec(
        tile_rows=64,
        tile_pairs=16,
        max_rows=200,
        max_pairs=40,
        max_batch=1000,
        adc_bits=(10,),
        input_bits=(4,),
        read_noise=0.01,
    )

    def __init__(self, seed=1):
        random, pairs = np.random.default_rng(seed), self.spec.tile_pairs
        self.offset, self.gain = random.uniform(-20, 20, pairs), random.uniform(0.93, 1.07, pairs)
        self.bow, self.bend = random.uniform(-4, 4, pairs), random.uniform(-3, 3, pairs)
        self.made = 100 * seed

    def chip(self, plus_S, minus_S, input_bits, adc_bits, range_A):
        self.made += 1
        random, top = np.random.default_rng(self.made), 2 ** (adc_bits - 1) - 1
        plus, minus = (cells_S / (range_A / top / 0.2) for cells_S in (plus_S, minus_S))
        own = slice(0, plus.shape[1])

        def multiply(codes):
            y, saturated = np.zeros((len(codes), plus.shape[1]), np.int64), 0
            for b in range(input_bits):
                plane = ((codes >> b) & 1).astype(float)
                deviation = 0.01 * np.sqrt(plane @ (plus**2 + minus**2)) * random.normal(size=y.shape)
                current = plane @ (plus - minus) + deviation
                u = current / top
                bent = self.bow[own] * u**2 + self.bend[own] * u**3
                code = np.rint(self.gain[own] * current + self.offset[own] + bent)
                saturated += np.count_nonzero(np.abs(code) > top)
                y += 2**b * np.clip(code, -top, top).astype(np.int64)
            return y, saturated

        return SimpleNamespace(multiply=multiply)


@pytest.fixture(scope="module")
def known():
    return estimate(Bench().chip, Bench.spec)


def test_a_chip_far_off_keeps_its_own_model(known):
    own = known.spec(Bench.spec)
    assert own.adc_offset_lsb == own.adc_inl_lsb == 0.1 and own.adc_gain < 2e-3 and own.mean_tolerance < 2e-3
    assert (own.max_rows, own.max_pairs) == (64, 16)
    share, curve = np.linspace(-0.6, 0.6, 9)[:, None], Bench()  # what all columns were driven to
    expected = curve.gain * share * 511 + curve.offset + curve.bow * share**2 + curve.bend * share**3
    assert np.abs(own.converters.read(share)[0] - expected).max() < 0.3
    assert np.array_equal(own.converters.silent_lsb, np.rint(curve.offset))
    report = check(Bench().chip, own, exact=False, reads=200)
    assert report.passed, report
    assert report.power["silence"].smallest < 1
    assert len(check(Bench().chip, replace(Bench.spec, max_rows=64), exact=False, reads=50).broken) > 4


@pytest.mark.parametrize(
    "name, change",
    [
        ("offset", 1.0),
        pytest.param("gain", 0.01, marks=pytest.mark.slow),
        pytest.param("bow", 6.0, marks=pytest.mark.slow),
        pytest.param("bend", -8.0, marks=pytest.mark.slow),
    ],
)
def test_one_column_that_left_its_model_is_found(known, name, change):
    other = Bench()
    getattr(other, name)[5] += change
    assert not check(other.chip, known.spec(Bench.spec), exact=False, reads=200).passed


@pytest.mark.slow
def test_columns_that_are_exchanged_are_found(known):
    other = Bench()
    for numbers in (other.offset, other.gain, other.bow, other.bend):
        numbers[[3, 4]] = numbers[[4, 3]]
    assert "mean" in check(other.chip, known.spec(Bench.spec), exact=False, reads=200).broken


def test_converters_are_those_of_pairs_and_of_one_number():
    known = Converters(np.zeros((4, 3)), np.zeros(3))
    assert known.of_pairs(5).silent_lsb.shape == (5,)
    for curve, silent in ((np.zeros((3, 3)), np.zeros(3)), (np.zeros((4, 3)), np.zeros(2)), (np.zeros((4, 0)), [])):
        with pytest.raises(ConfigError, match="expected \\(4, n\\)"):
            Converters(curve, silent)
    with pytest.raises(ConfigError, match="polarity"):
        Spec(arrangement="polarity", converters=known)


def test_what_cannot_be_told_apart_is_refused():
    with pytest.raises(ConfigError, match="polarity"):
        estimate(simulator_factory(Spec(arrangement="polarity")), Spec(arrangement="polarity"))
    with pytest.raises(ConfigError, match="at least 2"):
        estimate(simulator_factory(SPEC), SPEC, reads=1)

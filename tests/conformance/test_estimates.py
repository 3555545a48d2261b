"""`estimate` finds offset, gain, INL, noise and cells of simulated chips within 0.1 LSB."""

import numpy as np
import pytest

from minirram.conformance import Spec, check, estimate, simulator_factory
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


def test_what_cannot_be_told_apart_is_refused():
    with pytest.raises(ConfigError, match="polarity"):
        estimate(simulator_factory(Spec(arrangement="polarity")), Spec(arrangement="polarity"))
    with pytest.raises(ConfigError, match="at least 2"):
        estimate(simulator_factory(SPEC), SPEC, reads=1)

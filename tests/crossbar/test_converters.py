"""Input codes, bit planes, the ADC's transfer and its calibration."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram import rng
from minirram.crossbar import converters
from minirram.crossbar.converters import Adc, ColumnErrors, InputCodes
from minirram.errors import ConfigError, DataError, ShapeError

seeds = st.integers(0, 2**32 - 1)
arrangements = st.sampled_from(converters.ARRANGEMENTS)


@given(st.integers(1, 8), st.integers(0, 255), st.floats(1e-6, 1e3), st.integers(0, 2**32 - 1))
def test_quantise_against_a_loop(bits, zero_point, step, seed):
    codes_of = InputCodes(step, bits, zero_point % 2**bits)
    x = np.random.default_rng(seed).normal(0, 2**bits * step, (3, 5))
    codes, clipped = codes_of.quantise(x)
    expected_clipped = 0
    for index, value in np.ndenumerate(x):
        exact = round(value / step) + zero_point % 2**bits
        expected_clipped += not 0 <= exact < 2**bits
        assert codes[index] == min(max(exact, 0), 2**bits - 1)
    assert codes.dtype == np.uint8 and clipped == expected_clipped


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_codes_survive_the_round_trip(bits, seed):
    codes_of = InputCodes(0.125, bits, 2 ** (bits - 1))
    codes = np.random.default_rng(seed).integers(0, 2**bits, (4, 3)).astype(np.uint8)
    again, clipped = codes_of.quantise((codes.astype(np.float64) - codes_of.zero_point) * codes_of.step)
    assert np.array_equal(again, codes) and clipped == 0


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_bit_planes_add_up_to_the_codes(bits, seed):
    codes = np.random.default_rng(seed).integers(0, 2**bits, (4, 7)).astype(np.uint8)
    planes = converters.bit_planes(codes, bits)
    assert planes.dtype == np.float32 and set(np.unique(planes)) <= {0.0, 1.0}
    assert np.array_equal(sum(2**b * planes[b] for b in range(bits)), codes)


def near_halves(adc, seed):
    """Integer currents (40,) float32 below 2^24 whose codes are nearly, or exactly, half-way between two others."""
    generator = np.random.default_rng(seed)
    edges = (generator.integers(adc.bottom - 2, adc.top + 2, 40) + 0.5) * float(adc.tile_lsb)
    current = np.rint(edges) + generator.integers(-1, 2, 40)
    return np.clip(current, 1 - 2**24, 2**24 - 1).astype(np.float32)


@given(arrangements, st.integers(4, 24), st.floats(0.3, 5000.0), st.booleans(), st.integers(0, 3), seeds)
def test_codes_are_the_exact_quotients_rounded(arrangement, bits, lsb, coarse, shift, seed):
    """Whatever the LSB: of currents that are integers, as RTL divides them, halves to even."""
    adc = Adc(bits, converters.coarse_lsb(lsb, bits) if coarse else lsb, arrangement, shift)
    current = near_halves(adc, seed)
    codes = current.copy()
    saturated = adc.convert(codes)
    exact = [round(Fraction(float(value)) / Fraction(float(adc.tile_lsb))) for value in current]
    assert codes.tolist() == [min(max(code, adc.bottom), adc.top) for code in exact]
    assert saturated == sum(abs(code) > adc.top for code in exact)


@given(arrangements, st.integers(4, 16), st.floats(1.0, 2.0**24), st.integers(0, 3))
def test_a_calibrated_converter_divides_in_float32(arrangement, bits, full_scale, shift):
    lsb = full_scale / converters.top_code(bits, arrangement)
    coarse = converters.coarse_lsb(lsb, bits)
    assert lsb <= coarse <= lsb * (1 + 2.0 ** (bits - 23)) and converters.coarse_lsb(coarse, bits) == coarse
    assert Adc(bits, coarse, arrangement, shift).divides_in_float32 == (coarse * 2.0**-shift < 2.0 ** (25 - bits))


def test_the_float32_quotient_of_a_fine_lsb_is_not_enough():
    """A check of the check: without the wider division some of these codes would be wrong."""
    adc = Adc(24, 1.0001)
    current = near_halves(adc, 1)
    narrow = np.rint(current / adc.tile_lsb)
    assert not adc.divides_in_float32 and adc.convert(current) >= 0 and (narrow != current).any()


@given(arrangements, st.integers(4, 24), st.floats(1e-3, 1e6))
def test_zero_current_reads_zero(arrangement, bits, lsb):
    current = np.zeros((2, 4), np.float32)
    assert Adc(bits, lsb, arrangement).convert(current) == 0
    assert not current.any()


def test_offset_and_gain_per_column():
    errors = ColumnErrors(np.array([0, 3, 0, -2], np.float32), np.array([1, 1, 1.5, 1], np.float32))
    current = np.full((1, 4), 20, np.float32)
    assert Adc(8, 2.0, "polarity").convert(current, errors) == 0
    assert current.tolist() == [[10, 13, 15, 8]]


def test_sampled_errors_have_their_spread():
    errors = converters.sample_column_errors(rng.stream(1, "adc"), 20_000, offset_std_lsb=0.5, gain_std=0.01)
    assert errors.gain.dtype == errors.offset_lsb.dtype == np.float32
    assert np.isclose(errors.offset_lsb.std(), 0.5, rtol=0.03, atol=0) and abs(errors.offset_lsb.mean()) < 0.02
    assert np.isclose((errors.gain - 1).std(), 0.01, rtol=0.03, atol=0)


@given(arrangements, st.integers(4, 14), st.integers(0, 2**32 - 1))
def test_no_input_saturates_a_bounding_lsb(arrangement, bits, seed):
    generator = np.random.default_rng(seed)
    cells = generator.integers(0, 20_000, (6, 8)).astype(np.float32)
    adc = Adc(bits, converters.bounding_lsb(cells, bits, arrangement=arrangement), arrangement)
    planes = generator.integers(0, 2, (64, 6)).astype(np.float32)
    planes[0] = 1
    planes[1:5] = (cells[:, 0::2] > cells[:, 1::2]).T  # the worst inputs of each pair
    planes[5:9] = (cells[:, 0::2] < cells[:, 1::2]).T
    currents = planes @ cells if arrangement == "polarity" else planes @ (cells[:, 0::2] - cells[:, 1::2])
    assert adc.convert(currents) == 0
    assert np.abs(currents).max() >= adc.top - 1  # and the range is not larger than needed


def test_percentile_calibration_saturates_the_share_it_says():
    currents = np.random.default_rng(1).normal(0, 1000, 100_000).astype(np.float32)
    adc = Adc(8, converters.calibrated_lsb(currents, 8, arrangement="pair", percentile=99.0), "pair")
    assert abs(adc.convert(currents.copy()) / 100_000 - 0.01) < 0.002
    adc = Adc(8, converters.calibrated_lsb(currents, 8, arrangement="pair", percentile=100.0), "pair")
    assert adc.convert(currents.copy()) == 0


def test_a_current_that_is_no_number_is_never_a_code():
    with pytest.raises(ConfigError, match="not a number"):
        Adc(8, 1.0).convert(np.array([[1.0, np.nan]], np.float32))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Adc(3, 1.0), "4 to 24"),
        (lambda: Adc(8, 0.0), "LSB"),
        (lambda: Adc(8, float("inf")), "LSB"),
        (lambda: Adc(8, 1.0, "both"), "'pair' or 'polarity'"),
        (lambda: Adc(8, 1.0, "pair", -1), "shift"),
        (lambda: InputCodes(0.0), "step"),
        (lambda: InputCodes(1.0, 9), "input bits"),
        (lambda: InputCodes(1.0, 2, 4), "zero point"),
        (lambda: converters.calibrated_lsb(np.zeros(3), 8, arrangement="pair", percentile=99.9), "all zero"),
        (lambda: converters.calibrated_lsb(np.ones(3), 8, arrangement="pair", percentile=0.0), "percentile"),
    ],
)
def test_wrong_values_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_an_activation_that_is_no_number_is_refused():
    with pytest.raises(DataError, match=r"at \(1, 0\) is NaN"):
        InputCodes(1.0).quantise(np.array([[0.0, 300.0], [np.nan, 1.0]]))


def test_errors_of_unequal_length():
    with pytest.raises(ShapeError, match="one converter per column"):
        ColumnErrors(np.zeros(3, np.float32), np.ones(4, np.float32))

"""`estimate` finds offset, gain, INL, noise and cells of simulated chips within 0.1 LSB."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from minirram.conformance import Converters, Spec, check, curves, estimate, simulator_factory
from minirram.conformance.cases import Violation
from minirram.conformance.mean_laws import overload
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


@pytest.mark.parametrize(
    "seed, pairs", [(1, 3), pytest.param(2, 8, marks=pytest.mark.slow), pytest.param(3, 8, marks=pytest.mark.slow)]
)
def test_a_simulated_chip_is_found_within_a_tenth_of_an_lsb(seed, pairs):
    made = []

    def factory(*arguments):
        made.append(Chip(seed, *arguments))
        return made[0]

    found, chip = estimate(factory, SPEC, pairs=pairs), made[0]
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
    assert found.inl_lsb[3] == pytest.approx(4 * 2 / 3, abs=0.1)  # of a parabola from its best line
    assert np.delete(found.inl_lsb, 3).max() < 0.1


@pytest.mark.slow
def test_an_ideal_device_keeps_its_own_model():
    noisy = Spec(
        tile_rows=16, tile_pairs=8, max_rows=40, max_pairs=20, max_batch=1000, adc_bits=(10,), read_noise=0.003
    )
    found = estimate(simulator_factory(noisy), noisy)
    own = found.spec(noisy)
    assert own.read_noise == pytest.approx(0.003, rel=0.03) and own.adc_offset_lsb < 0.1 and own.adc_gain < 2e-3
    assert check(simulator_factory(noisy, 1), own, exact=False, reads=50).passed


class Bench:
    """Chips of exact cells whose converters are far off, each its own way, and stay so from chip to chip."""

    def __init__(self, spec, seed=1):
        self.spec, self.sides = spec, 1 if spec.arrangement == "pair" else 2
        random, shape = np.random.default_rng(seed), (3 * self.sides, spec.max_pairs)
        self.offset, self.gain = random.uniform(-20, 20, shape), random.uniform(0.93, 1.07, shape)
        self.bow, self.bend = random.uniform(-4, 4, shape), random.uniform(-3, 3, shape)
        self.range = np.full(shape, np.inf)
        self.made = 100 * seed

    def curve(self, number, share, top):
        """What conversion `number` of all pairs rounds, at shares (n, pairs) of the current of the largest code."""
        gain, offset, bow, bend = (
            numbers[number, : share.shape[1]] for numbers in (self.gain, self.offset, self.bow, self.bend)
        )
        return gain * share * top + offset + bow * share**2 + bend * share**3

    def chip(self, plus_S, minus_S, input_bits, adc_bits, range_A):
        self.made += 1
        random, top = np.random.default_rng(self.made), 2 ** (adc_bits - (self.sides == 1)) - 1
        plus, minus = (cells_S / (range_A / top / 0.2) for cells_S in (plus_S, minus_S))

        def sides(rows):
            if self.sides == 1:
                return [(1, plus[rows] - minus[rows], plus[rows] ** 2 + minus[rows] ** 2)]
            return [(1, plus[rows], plus[rows] ** 2), (-1, minus[rows], minus[rows] ** 2)]

        def multiply(codes):
            y, saturated = np.zeros((len(codes), plus.shape[1]), np.int64), 0
            tiles = [slice(row, row + self.spec.tile_rows) for row in range(0, len(plus), self.spec.tile_rows)]
            for b in range(input_bits):
                conversions = [(rows, *side) for rows in tiles for side in sides(rows)]
                for number, (rows, sign, cells, squares) in enumerate(conversions):
                    plane = ((codes[:, rows] >> b) & 1).astype(float)
                    noise = self.spec.read_noise * np.sqrt(plane @ squares) * random.normal(size=y.shape)
                    share = np.minimum((plane @ cells + noise) / top, self.range[number, : y.shape[1]])
                    code = np.rint(self.curve(number, share, top))
                    saturated += np.count_nonzero(np.abs(code) > top)
                    y += sign * 2**b * np.clip(code, -top if self.sides == 1 else 0, top).astype(np.int64)
            return y, saturated

        return SimpleNamespace(multiply=multiply)


def spec(**changes):
    return replace(
        Spec(
            tile_rows=32,
            tile_pairs=4,
            max_rows=100,
            max_pairs=11,
            max_batch=1000,
            adc_bits=(10,),
            input_bits=(2,),
            read_noise=0.003,
        ),
        **changes,
    )


def off(bench, found):
    """How far each curve is off where it was seen, (conversions, pairs)."""
    top = 2 ** (bench.spec.adc_bits[0] - (bench.sides == 1)) - 1
    conversions = [found.converters.of_pairs(found.cells_S.shape[1], k) for k in range(found.converters.conversions)]
    ends = [one.reached for one in conversions]
    shares = [low + np.linspace(0, 1, 33)[:, None] * (high - low) for low, high in ends]
    pairs = enumerate(zip(conversions, shares))
    return np.array([np.abs(one.read(u)[0] - bench.curve(k, u, top)).max(axis=0) for k, (one, u) in pairs])


@pytest.fixture(scope="module")
def known():
    return estimate(Bench(spec()).chip, spec())


@pytest.mark.slow
def test_curves_are_known_over_the_whole_range(known):
    bench = Bench(spec())
    assert known.curve_error_lsb < 0.1 and off(bench, known).max() < 0.1
    assert known.missed_lsb < 12 and np.abs(known.converters.reached).min() > 0.9
    assert np.abs(known.offset_lsb - bench.offset[0, :4]).max() < 0.1
    assert np.array_equal(known.converters.silent_lsb, np.rint(bench.offset[0, :4]))
    assert known.cells_S.shape == (32, 4) and known.inputs == 32000
    lines = str(known).splitlines()
    assert "4 converters" in lines[0] and "codes at an end were not reached" in lines[5]


def test_a_chip_far_off_keeps_its_own_model(known):
    own = known.spec(spec())
    assert own.adc_offset_lsb == known.curve_error_lsb and own.adc_inl_lsb == known.rough_lsb
    assert own.adc_gain < 2e-3 and own.mean_tolerance < 2e-3
    assert own.noise_tolerance == known.noise_error < 0.06 and f"{100 * known.noise_error:.2g} % of it" in str(known)
    assert abs(own.read_noise / 0.003 - 1) < own.noise_tolerance
    assert (own.max_rows, own.max_pairs) == (32, 4)
    report = check(Bench(spec()).chip, own, exact=False, reads=200)
    assert report.passed, report
    assert report.power["silence"].smallest < 1
    assert len(check(Bench(spec()).chip, replace(spec(), max_rows=32), exact=False, reads=50).broken) > 4


ARRAYS = {
    "two row tiles, arrays side by side": (spec(), {"row_tiles": 2, "pairs": 5}),
    "polarity": (spec(arrangement="polarity"), {}),
    "polarity, two row tiles": (spec(arrangement="polarity", tile_pairs=2), {"row_tiles": 2, "pairs": 3}),
    "all rows of a large array": (spec(tile_rows=100), {"rows": 100}),
    "noise of 3 LSB": (spec(read_noise=0.02), {"pairs": 2}),
    "no noise": (spec(read_noise=0.0, tile_rows=64), {}),
    "polarity, no noise": (spec(arrangement="polarity", read_noise=0.0, tile_rows=64), {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_each_arrangement_keep_their_own_model_and_no_other(name):
    claimed, what = ARRAYS[name]
    found = estimate(Bench(claimed).chip, claimed, **what)
    few = claimed.arrangement == "polarity" and claimed.tile_rows == 32  # 16 cells make few small currents
    assert found.curve_error_lsb < (0.125 if few else 0.105)
    assert off(Bench(claimed), found).max() < (0.16 if few else 0.1)
    own = found.spec(claimed)
    tiles = what.get("row_tiles", 1)
    assert found.converters.conversions == tiles * Bench(claimed).sides
    assert own.max_rows == min(100, tiles * claimed.tile_rows) and own.max_pairs == found.cells_S.shape[1]
    assert check(Bench(claimed).chip, own, exact=False, reads=200).passed
    other = Bench(claimed)
    # Two conversions without noise may each be a step off.
    other.offset[found.converters.conversions - 1, found.cells_S.shape[1] - 1] += 3
    assert not check(other.chip, own, exact=False, reads=200).passed


@pytest.mark.parametrize(
    "name, change",
    [
        ("offset", 0.7),
        ("gain", 0.005),
        pytest.param("bow", 6.0, marks=pytest.mark.slow),
        pytest.param("bend", -8.0, marks=pytest.mark.slow),
    ],
)
def test_one_column_that_left_its_model_is_found(known, name, change):
    other = Bench(spec())
    getattr(other, name)[0, 2] += change
    assert not check(other.chip, known.spec(spec()), exact=False, reads=200).passed


def test_columns_that_are_exchanged_are_found(known):
    other = Bench(spec())
    for numbers in (other.offset, other.gain, other.bow, other.bend):
        numbers[:, [2, 3]] = numbers[:, [3, 2]]
    assert "mean" in check(other.chip, known.spec(spec()), exact=False, reads=200).broken


@pytest.mark.slow
def test_codes_that_lie_about_a_curve_are_a_tolerance():
    bench = Bench(spec())
    smooth = bench.curve
    bench.curve = lambda number, share, top: smooth(number, share, top) + np.sign(np.sin(12 * share))
    assert estimate(bench.chip, bench.spec, reads=2).spec(bench.spec).adc_inl_lsb > 0.3


@pytest.mark.slow
def test_codes_that_no_input_reaches_are_counted():
    bench = Bench(spec())
    bench.range[0, 1] = 0.6  # of the range; its current rises no further
    found = estimate(bench.chip, bench.spec, reads=2)
    assert found.missed_lsb > 0.3 * 511


def test_a_conversion_that_cannot_be_read_is_named():
    bench = Bench(spec())
    bench.offset[0, 2] = 2000
    with pytest.raises(Violation, match="pair 2: 0 of 8000 inputs do not saturate; a curve needs 80"):
        estimate(bench.chip, bench.spec, reads=2)
    bench = Bench(spec(arrangement="polarity"))
    bench.range[0, 1] = 0.6
    with pytest.raises(Violation, match="conversions saturate at 1.25 times the range"):
        estimate(bench.chip, bench.spec, reads=2)


def test_converters_are_those_of_pairs_and_of_conversions():
    known = Converters(np.zeros((4, 3)), np.zeros(3))
    assert known.of_pairs(5).silent_lsb.shape == (5,) and known.conversions == 1
    shapes = [((1, 3), 3, None), ((4, 3), 2, None), ((4, 0), 0, None), ((4,), (), None), ((4, 3), 3, (2, 2))]
    for curve, silent, reached in shapes:
        with pytest.raises(ConfigError, match="expected \\("):
            Converters(np.zeros(curve), np.zeros(silent), None if reached is None else np.zeros(reached))
    with pytest.raises(ConfigError, match="1 known conversions of a pair; 'polarity' has"):
        Spec(arrangement="polarity", converters=known)
    numbers = np.arange(6.0).reshape(2, 3)
    two = Converters(np.stack([numbers, np.ones((2, 3))]), numbers, np.stack([numbers - 1, numbers + 1]))
    assert Spec(arrangement="polarity", converters=two).converters.conversions == 2
    assert np.array_equal(two.of_pairs(4, 1).silent_lsb, [3, 4, 5, 3])
    assert np.array_equal(two.of_pairs(4, 3).reached[1], [4, 5, 6, 4])


@pytest.mark.parametrize("steps", [1, curves.STEPS])
def test_a_fit_without_noise_is_what_was_made(monkeypatch, steps):
    """The first step begins at the curve of the nominal cells: it finds all but a hundredth of their errors."""
    monkeypatch.setattr(curves, "STEPS", steps)
    random, made = np.random.default_rng(1), np.array([10.0, 460.0, 4.0])
    patterns, nominal = random.integers(0, 2, (400, 8)).astype(float), random.uniform(-0.2, 0.2, (8, 2))
    away = 0.02 * nominal * random.normal(size=nominal.shape)
    away -= nominal * (away * nominal).sum(axis=0) / (nominal**2).sum(axis=0)  # a common factor is the curve's
    share = patterns @ (nominal + away)
    mean = made[0] + made[1] * share + made[2] * share**2
    std = 0.5 * patterns.any(axis=1)[:, None] * np.ones(2)
    found = curves.fit(patterns, mean, std, nominal, (-511, 511))
    if steps == 1:
        assert np.abs(found.cells - nominal - away).max() < 0.01 * np.abs(away).max()
        return
    assert np.allclose(found.cells, nominal + away, rtol=0, atol=1e-12)
    assert np.allclose(found.curve[:3], made[:, None], atol=1e-6) and np.allclose(found.curve[3:], 0, atol=1e-6)
    ends = patterns @ nominal
    inside = (std > 0) & (share >= ends.min(axis=0)) & (share <= ends.max(axis=0))
    assert np.array_equal(found.inside, inside)  # where the nominal cells reach
    seen = np.where(inside, share, np.nan)
    assert np.allclose(found.reached, [np.nanmin(seen, axis=0), np.nanmax(seen, axis=0)], atol=1e-6)
    middle, width = found.reached.mean(axis=0), np.ptp(found.reached, axis=0)
    assert np.allclose(found.slope, made[1] + 2 * made[2] * middle, atol=1e-6)  # of a parabola's best line
    assert np.allclose(found.inl, made[2] * width**2 / 6, rtol=0.1)
    assert found.error.max() < 1e-3 and found.rough.max() < 1e-3 and found.residual.max() < 1e-6


def test_an_overload_may_hold_the_offset_of_the_other_polarity():
    claimed = spec(arrangement="polarity", adc_offset_lsb=20.0, max_rows=16)
    overload(Bench(claimed).chip, claimed, 50)
    with pytest.raises(Violation, match="an overload"):
        overload(Bench(claimed).chip, replace(claimed, adc_offset_lsb=17.0), 50)


def test_a_curve_goes_on_as_a_line():
    parabola = Converters(np.array([[1.0], [0], [3]]), np.zeros(1), np.array([[-1.0], [0.5]]))
    code, slope = parabola.read(np.array([[-2.0], [0.25], [0.5], [1.5]]))
    assert np.allclose(code[:, 0], [4 + 6, 1 + 3 / 16, 1.75, 1.75 + 3]) and np.allclose(slope[:, 0], [-6, 1.5, 3, 3])


@pytest.mark.parametrize(
    "claimed, what, message",
    [
        (replace(SPEC, tile_rows=7), {}, "7 rows of an array; a curve needs at least 8"),
        (spec(arrangement="polarity", tile_rows=31), {}, "31 rows of an array; a curve needs at least 32"),
        (Spec(max_rows=2000, tile_rows=2000), {"rows": 1001}, "1001 rows; 8000 inputs tell of at most 1000"),
        (SPEC, {"pairs": 21}, "21 pairs; the device takes 1 to 20"),
        (SPEC, {"pairs": 0}, "0 pairs"),
        (SPEC, {"row_tiles": 3}, "3 row tiles; the device takes 1 to 2"),
        (SPEC, {"row_tiles": 0}, "0 row tiles"),
        (SPEC, {"reads": 1}, "at least 2"),
    ],
)
def test_what_cannot_be_estimated_is_refused(claimed, what, message):
    with pytest.raises(ConfigError, match=message):
        estimate(simulator_factory(claimed), claimed, **what)

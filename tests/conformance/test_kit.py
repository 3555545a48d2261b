"""The conformance kit passes what keeps the laws, and says which law a broken device breaks."""

import itertools
import re
import runpy
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from minirram.conformance import (
    Spec,
    cases,
    check,
    comparisons,
    exact_laws,
    mean_laws,
    moments,
    noise_laws,
    noisy_laws,
    simulator_factory,
)
from minirram.conformance.cases import Problem
from minirram.errors import ConfigError

from ..support.asked import FILE as ASKED
from ..support.asked import asked
from ..support.places import ROOT
from . import broken_devices, good_device

SMALL = {"tile_rows": 16, "tile_pairs": 8, "max_rows": 40, "max_pairs": 20, "max_batch": 200}
EXACT = Spec(**SMALL)
NOISY = Spec(read_noise=0.01, **SMALL)

FOUND_BY = {
    "a zero half an LSB off": "zero in zero out",
    "the range of the largest sample": "independence of the batch",
    "sums in 32 bits": "large sums",
    "the LSB of the newest device": "devices side by side",
    "saturation of all devices is counted together": "devices side by side",
    "codes taken as they lie in memory": "what is handed over",
    "row 13 of a tile is dead": "every line",
    "asleep after a call that drives nothing": "zero in zero out",
    "the 400th call is one off": "repeatability",
}
NOISE_FOUND_BY = {
    "sigma x 0.9": "noise",
    "dead beyond pair 6": "mean",
    "half an LSB off": "silence",
    "a tenth of the noise common to all columns": "independent columns",
    "a generator rebuilt at each call": "independent reads",
    "uniform noise": "distribution",
    "1 % of the left neighbour": "crosstalk",
    "variation drawn again at each call": "static cells",
    "one column of the wrong sign": "gain",
    "the highest plane halved": "single planes",
    "a soft end of the range": "curve",
    "dead beyond row tile 4": "every tile",
    "5 input bits are 4": "bit widths",
    "no noise from the third call on": "single calls",
    "saturation counted in the first row tile": "overload",
    "planes 2 and 3 share noise": "noise of planes",
    "no noise beyond row tile 4": "noise of tiles",
}


def slow_but(names, few):
    """The names as parameters, all but `few` of them for the slow run."""
    return [name if name in few else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_but(FOUND_BY, ["a zero half an LSB off"]))
def test_a_broken_device_breaks_the_law_that_it_should(name):
    report = check(broken_devices.device(broken_devices.EXACT[name]), EXACT, seed=1)
    assert FOUND_BY[name] in report.broken
    assert "BROKEN " + FOUND_BY[name] in str(report) and "seed=1" in str(report)


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_but(NOISE_FOUND_BY, ["sigma x 0.9", "dead beyond pair 6"]))
def test_broken_noise_breaks_the_law_that_it_should(name):
    factory = broken_devices.device(broken_devices.NOISY[name], NOISY.read_noise)
    spec = replace(NOISY, max_rows=150) if "row tile" in name else NOISY
    assert NOISE_FOUND_BY[name] in check(factory, spec, exact=False).broken


@pytest.mark.slow
@pytest.mark.parametrize("arrangement", ["pair", "polarity"])
def test_minirram_passes_exactly(arrangement):
    spec = Spec(arrangement=arrangement, **SMALL)
    report = check(simulator_factory(spec), spec, effort="quick")
    assert report.passed, str(report)


@pytest.mark.parametrize("arrangement, held", [("pair", False), pytest.param("polarity", True, marks=pytest.mark.slow)])
def test_minirram_passes_with_noise(arrangement, held):
    spec = Spec(arrangement=arrangement, read_noise=0.0065, held_noise=held, **SMALL)
    report = check(simulator_factory(spec, seed=3), spec, exact=False)
    assert report.passed, str(report)


COARSE = [
    {"adc_bits": bits, "arrangement": arrangement, "read_noise": read_noise}
    for bits in ((4,), (6,), (8,), (4, 14), (24,))
    for arrangement in ("pair", "polarity")
    for read_noise in (0.0065, 0.037)
]


@pytest.mark.slow
@pytest.mark.parametrize("values", COARSE, ids=str)
def test_the_false_alarm_rate_holds_for_any_adc(values):
    """At 1e-3 per call, more than 1 alarm in 10 calls happens less than once in twenty thousand."""
    spec = Spec(input_bits=(4,), **values, **SMALL)
    reports = [check(simulator_factory(spec, seed), spec, exact=False) for seed in range(10)]
    assert sum(not report.passed for report in reports) <= 1
    is_open = {result.law for result in reports[0].results if not result.tried}
    assert ("overload" in is_open) == (values["adc_bits"] == (24,))


def test_what_rounding_hides_is_open():
    """4 bits for each polarity: no code is as fine as the noise, and nothing is claimed about it."""
    spec = Spec(arrangement="polarity", adc_bits=(4,), read_noise=0.0065, **SMALL)
    report = check(simulator_factory(spec), spec, exact=False)
    noise = {
        "noise",
        "single calls",
        "noise of planes",
        "noise of tiles",
        "independent columns",
        "independent reads",
        "distribution",
    }
    assert noise <= {result.law for result in report.results if result.verdict == "open"}
    assert not noise & set(report.power)


@pytest.mark.slow
def test_fresh_noise_is_not_held_noise():
    held = Spec(read_noise=0.01, held_noise=True, **SMALL)
    assert "noise of planes" in check(broken_devices.device(read_noise=0.01), held, exact=False).broken
    assert "noise of planes" in check(simulator_factory(held), NOISY, exact=False).broken


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault, tolerance", [("a gain of 1.01", {"adc_gain": 0.012}), ("half an LSB off", {"adc_offset_lsb": 0.6})]
)
def test_a_chip_within_its_stated_tolerance_passes(fault, tolerance):
    factory = broken_devices.device(broken_devices.NOISY[fault], NOISY.read_noise)
    assert not check(factory, NOISY, exact=False).passed
    tolerant = Spec(read_noise=0.01, **tolerance, **SMALL)
    report = check(factory, tolerant, exact=False)
    assert report.passed, str(report)


@pytest.mark.parametrize("bounds", [(), (-3, 7)], ids=["wide", "stops"])
@pytest.mark.parametrize("std", [0.0, 0.1, 0.45, 0.99, 1.0, 3.0])
def test_moments_of_a_rounded_current_against_draws(std, bounds):
    random = np.random.default_rng(1)
    current = random.uniform(-5, 5, 7) + (2.0 if bounds else 0.0)
    codes = np.rint(current + std * random.standard_normal((200_000, 7)))
    codes = np.clip(codes, *bounds) if bounds else codes
    mean, variance = moments.rounded(current, np.full(7, std), *bounds)
    near = 0.02 if bounds and std >= 1 else 0.0  # LSB: wide noise is stopped before it is rounded
    assert np.allclose(codes.mean(axis=0), mean, rtol=0, atol=5 * np.sqrt((variance + 1e-9) / 200_000) + near)
    assert np.allclose(codes.var(axis=0), variance, rtol=0.02 + near, atol=1e-3 + near)


@pytest.mark.slow
def test_more_reads_find_smaller_errors():
    few, many = (check(simulator_factory(NOISY), NOISY, exact=False, reads=reads).power for reads in (100, 900))
    assert few.keys() == many.keys()
    for law in ("mean", "noise", "independent columns"):
        assert 2 < few[law].smallest / many[law].smallest < 4


@pytest.mark.slow
def test_a_law_reads_as_often_as_the_wanted_error_takes():
    """The report has it found, with about as many reads as the square root's law says; other laws keep theirs."""
    spec = replace(NOISY, max_rows=32, max_pairs=8)
    few = check(simulator_factory(spec), spec, exact=False, reads=100)
    wanted = few.power["gain"].smallest / 2
    report = check(simulator_factory(spec), spec, exact=False, reads=100, finds={"gain": wanted})
    assert report.power["gain"].smallest <= wanted
    reads = {result.law: result.reads for result in report.results}
    assert 350 < reads["gain"] < 600 and reads["mean"] == 100
    assert f"({reads['gain']:,} reads)" in str(report)


def test_an_error_that_no_number_of_reads_finds_leaves_its_law_open():
    spec = replace(NOISY, max_rows=32, max_pairs=8, adc_gain=0.01)
    finds = {"gain": 0.5, "overload": 0.5}
    report = check(simulator_factory(spec), spec, exact=False, reads=100, finds=finds)
    gain, overload = (result for result in report.results if result.law in finds)
    assert gain.verdict == overload.verdict == "open" and gain.reads == 100
    assert "100 reads find 1" in gain.message and gain.message.endswith("0.5 was asked")
    assert overload.message.startswith("it has no smallest error")


@pytest.mark.slow
def test_a_broken_law_stays_broken_whatever_it_is_to_find():
    spec = replace(NOISY, max_rows=32, max_pairs=8)
    factory = broken_devices.device(broken_devices.NOISY["a gain of 1.01"], spec.read_noise)
    assert "gain" in check(factory, spec, exact=False, finds={"gain": 0.5}).broken


@pytest.mark.parametrize(
    "finds, exact, said",
    [
        ({"gain": 0.5}, True, "exact=False"),
        ({"gian": 0.5}, False, "no law 'gian'; choose mean, gain,"),
        ({"gain": 0.0}, False, "above 0"),
        ({"gain": float("nan")}, False, "above 0"),
    ],
)
def test_wrong_wishes_are_refused(finds, exact, said):
    with pytest.raises(ConfigError, match=said):
        check(simulator_factory(NOISY), NOISY, exact=exact, finds=finds)


@pytest.mark.slow
def test_the_power_is_what_it_says():
    """A device whose noise is wrong by what the report says it finds with 99 %: found in at least 11 of 12."""
    percent = check(simulator_factory(NOISY), NOISY, exact=False).power["noise"].smallest
    change = (broken_devices.NOISE, broken_devices.NOISE.replace("READ_NOISE", f"{1 + percent / 100} * READ_NOISE"))
    found = 0
    for _ in range(12):
        try:
            noise_laws.noise(broken_devices.device(change, NOISY.read_noise), NOISY, 400)
        except cases.Violation:
            found += 1
        broken_devices.device()  # another generator
    assert found >= 11


def noise_times(factor):
    """The good device with another size of noise."""
    change = (broken_devices.NOISE, broken_devices.NOISE.replace("READ_NOISE", f"{factor} * READ_NOISE"))
    return broken_devices.device(change, NOISY.read_noise)


@pytest.mark.parametrize("law", [noise_laws.noise, noise_laws.noise_of_planes, noise_laws.noise_of_tiles])
def test_noise_may_be_off_by_its_tolerance_and_by_no_more_than_the_power_beyond(law):
    spec = replace(NOISY, max_rows=48, noise_tolerance=0.2)
    unit = 1 if law is noise_laws.noise else 2  # the variance of a result is off by twice as much
    for factor in (0.8, 1.2):
        found = law(noise_times(factor), spec, 400)
        with pytest.raises(cases.Violation, match="variance"):
            law(noise_times(factor), replace(spec, noise_tolerance=0.0), 400)
    strict = law(noise_times(1), replace(spec, noise_tolerance=0.0), 400)
    assert found.smallest - strict.smallest == pytest.approx(unit * 22)  # (1.2^2 - 1) / 2
    with pytest.raises(cases.Violation, match="expected 1 within"):
        law(noise_times(1 + found.smallest / unit / 100), spec, 400)


def test_means_of_a_noise_that_may_be_off():
    """Standard errors grow by the tolerance; where rounding hides noise that may be less, nothing is said of it."""
    for law in (mean_laws.mean, mean_laws.gain, mean_laws.single_planes, mean_laws.crosstalk):
        strict, found = (
            law(simulator_factory(NOISY), replace(NOISY, noise_tolerance=tolerance), 400).smallest
            for tolerance in (0.0, 0.5)
        )
        assert 1.1 < found / strict <= 1.5
    with pytest.raises(cases.NotTried, match="lost in the steps"):
        noise_laws.distribution(simulator_factory(NOISY), replace(NOISY, noise_tolerance=0.7), 400)


def mean_code(current, std):
    """Of N(current, std^2) rounded, by the distribution function."""
    edges = np.arange(-20, 20) + 0.5
    return -20 + (1 - moments.normal_cdf((edges - current[:, None]) / max(std, 1e-12))).sum(axis=1)


@pytest.mark.parametrize("std", [0.0, 0.05, 0.2, 0.4, 0.7])
@pytest.mark.parametrize("share", [0.02, 0.3])
def test_what_rounding_may_add_to_a_mean(std, share):
    current = np.random.default_rng(1).uniform(-1, 1, 2000)
    wanted = moments.Moments(current, current, std)
    spec = replace(NOISY, noise_tolerance=share)
    allowed = mean_laws._rounding(spec, wanted)
    for other in (std * (1 - share), std * (1 + share)):
        off = np.abs(mean_code(current, other) - mean_code(current, std)).max()
        assert off <= allowed + 1e-9
    known = replace(spec, adc_offset_lsb=0.1, converters=cases.Converters(np.zeros((2, 1)), np.zeros(1)))
    for other in (std * (1 - share), std):
        off = np.abs(mean_code(current + 0.1, other) - mean_code(current, std)).max()
        assert off <= 0.1 + mean_laws._rounding(known, wanted) + 1e-9
    if not std:
        assert off == 1  # a step may lie between


@pytest.mark.parametrize("off", [-0.1, 0.1])
def test_without_noise_an_offset_within_its_tolerance_may_move_a_code_by_a_step(off):
    device = broken_devices.device((broken_devices.CODE, f"code = np.rint(current / self.lsb + {off})"))
    spec = Spec(adc_bits=(8,), adc_offset_lsb=0.1, **SMALL)
    assert check(device, spec, exact=False, reads=50).broken == ()


@pytest.mark.slow
def test_a_seed_repeats_the_cases(monkeypatch):
    """Without one the cases differ from call to call, but not in CI."""
    broken = broken_devices.device(broken_devices.EXACT["a rounded LSB"])
    first, again = (check(broken, EXACT, effort="quick", seed=5) for _ in range(2))
    assert str(first) == str(again) and first.seed == 5
    monkeypatch.setenv("CI", "true")
    assert check(broken, NOISY, exact=False).seed == 0
    monkeypatch.delenv("CI")
    assert check(broken, NOISY, exact=False).seed != check(broken, NOISY, exact=False).seed


@pytest.mark.parametrize(
    "values",
    [
        {"arrangement": "both"},
        {"tile_rows": 0},
        {"max_batch": 0},
        {"input_bits": (0,)},
        {"adc_bits": (25,)},
        {"noise_tolerance": -0.1},
        {"mean_tolerance": float("nan")},
    ],
    ids=str,
)
def test_wrong_specs_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        Spec(**values)


def test_wrong_efforts_are_refused():
    for options, message in (
        ({"effort": "great"}, "quick, normal, thorough"),
        ({"reads": 3, "exact": False}, "at least 50"),
    ):
        with pytest.raises(ConfigError, match=message):
            check(simulator_factory(EXACT), EXACT, **options)


@pytest.mark.slow
def test_counterexamples_are_small():
    message = check(broken_devices.device(broken_devices.EXACT["sign lost"]), EXACT, seed=1).results[1].message
    assert re.match(r"\d x 1 pairs in 1 row tile of \d+, batch 1, 1 input bits", message)
    assert "gives" in message and "expected" in message


def test_expected_is_the_simulator():
    case = cases.coarse(EXACT, Problem(20, 5, 3, 4, 8, 2, 1), squeeze=0.1)
    device = broken_devices.device()(case.plus * 1e-9, case.minus * 1e-9, 4, 8, 127 * case.lsb * 0.2e-9)
    y, saturated = device.multiply(case.codes)
    wanted, count = cases.expected(EXACT, case)
    assert np.array_equal(y, wanted) and saturated == count > 0


@pytest.mark.slow
def test_the_worked_example_says_what_the_page_says(capsys, tmp_path, monkeypatch):
    """Runs the code of docs/conformance.md, wrong and right, and compares the verdicts that the page prints."""
    monkeypatch.setenv("CI", "true")
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    example, noisy, finds, cell = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    rounded_down = "len(self.difference_S) // SPEC.tile_rows"
    rounded_up = re.search(r"`(-\(-len.*?)`", page).group(1)
    assert rounded_down in example
    printed = []
    for code in (example, example.replace(rounded_down, rounded_up), noisy + finds, cell):
        script = tmp_path / "example.py"
        script.write_text(code, encoding="utf-8")
        runpy.run_path(str(script))
        printed.append(re.findall(r"^(holds|BROKEN) +(.*)", capsys.readouterr().out, re.MULTILINE))
    assert printed[0] + printed[1] == re.findall(r"^(holds|BROKEN) +(.*)", page, re.MULTILINE)
    assert [verdict for verdict, _ in printed[2]] == len(noisy_laws.STATISTICAL_LAWS) * ["holds"]
    assert [verdict for verdict, _ in printed[3]] == 8 * ["holds"]


class Off:
    """A device whose answers, or counts, are off by 1000 in the first call, 2000 in the second and so on."""

    def __init__(self, answers, counts):
        self.off, self.saturated, self.calls = (answers, counts), [], 0

    def factory(self, *made):
        device = simulator_factory(EXACT)(*made).multiply

        def multiply(codes):
            self.calls += 1000
            y, saturated = device(codes)
            self.saturated.append(saturated)
            return y + self.calls * self.off[0], saturated + self.calls * self.off[1]

        return SimpleNamespace(multiply=multiply)


@pytest.mark.parametrize("law", exact_laws.EXACT_LAWS, ids=lambda law: law.__name__)
def test_a_law_says_what_it_found_and_what_there_should_be(law):
    problem = Problem(rows=24, pairs=5, batch=6, input_bits=4, adc_bits=8, fraction_bits=3, seed=3)
    for answers, counts, said in ((1, 0, r"gives (-?\d+) at .* expected (-?\d+)"), (0, 1, r"reports (\d+) .* (\d+)$")):
        device = Off(answers, counts)
        try:
            law(device.factory, EXACT, problem)
        except cases.Violation as violation:
            found, wanted = map(int, re.search(said, str(violation)).groups())
            assert found - wanted >= 1000 and (found - wanted) % 1000 == 0
        else:
            assert not answers  # not every law counts
    if law in (exact_laws.saturation, exact_laws.devices_side_by_side):
        device = Off(0, 0)
        for seed in range(8):
            law(device.factory, EXACT, problem._replace(seed=seed))
        assert any(device.saturated)


def test_the_comparisons_of_the_noisy_laws_are_those_that_were_meant():
    """`python -m tests.support.filled` writes the file anew, where a change of the laws is meant."""
    assert asked() == ASKED.read_text(encoding="utf-8")


NOT_JUDGED = {"independence_of_the_batch": {8}, "repeatability": {2}, "what_is_handed_over": {4}}
"""calls whose answer a law does not look at: they are there for what they leave behind"""
COUNTED = {
    "integer_exactness": {0},
    "saturation": {0, 1},
    "zero_in_zero_out": {0, 2},
    "large_sums": {0, 1},
    "devices_side_by_side": {0, 1, 2},
}
"""calls whose count of saturated conversions a law looks at"""
OF_ONE_DEVICE = {"sign", "superposition_of_planes", "independence_of_the_batch", "repeatability"}
"""laws that hold answers against answers: either may be the wrong one"""


@pytest.mark.parametrize("law", exact_laws.EXACT_LAWS, ids=lambda law: law.__name__)
def test_a_law_looks_at_the_answer_of_each_call(law):
    """One call alone is off by one, in its answer or in its count."""
    problem = Problem(rows=20, pairs=10, batch=7, input_bits=3, adc_bits=5, fraction_bits=2, seed=1)

    def found(call, answers, counts):
        calls = itertools.count()

        def factory(*made):
            device = good_device.Device(*made)

            def multiply(codes):
                wrong = next(calls) == call
                y, saturated = device.multiply(codes)
                return y + answers * wrong, saturated + counts * wrong

            return SimpleNamespace(multiply=multiply)

        try:
            law(factory, EXACT, problem)
        except cases.Violation as violation:
            return str(violation), next(calls)
        return "", next(calls)

    said, n_calls = found(None, 0, 0)
    assert not said
    judged = set(range(n_calls)) - NOT_JUDGED.get(law.__name__, set())
    told = {call: found(call, 1, 0)[0] for call in range(n_calls)}
    assert {call for call in told if told[call]} == judged
    for call in judged if law.__name__ not in OF_ONE_DEVICE else ():
        gives, wanted = map(int, re.search(r"gives (-?\d+) at .* expected (-?\d+)", told[call]).groups())
        assert gives - wanted == 1
    assert {call for call in range(n_calls) if found(call, 0, 1)[0]} == COUNTED.get(law.__name__, set())


def test_what_is_driven_when_noise_is_tried(monkeypatch):
    tried = []
    monkeypatch.setattr(noise_laws, "_variances_hold", lambda f, spec, case, **_: tried.append(case) or 0.0)
    noise_laws.noise(None, NOISY, 50)
    driven = [np.flatnonzero(case.codes.any(axis=0)).tolist() for case in tried]
    assert driven == [list(range(16)), list(range(8, 16)), list(range(1, 16, 3)), [8]]
    case, _ = noise_laws._deviations(simulator_factory(NOISY, seed=1), NOISY, 1, reads=50)
    assert case.codes.shape[1] == NOISY.tile_rows


def test_the_exact_laws_without_hypothesis_are_no_finding(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ConfigError, match="needs hypothesis"):
        check(simulator_factory(EXACT), EXACT)


def test_the_laws_that_share_the_false_alarms_are_counted():
    assert comparisons.LAWS == len(noisy_laws.STATISTICAL_LAWS)

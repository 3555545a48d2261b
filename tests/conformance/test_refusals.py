"""What no device may answer is a finding; what a device cannot show is open, and says why."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from minirram.conformance import Spec, check, kit, mean_laws, noise_laws, simulator_factory
from minirram.conformance.cases import NotTried, Problem, Violation, coarse, make_device

SMALL = {"tile_rows": 16, "tile_pairs": 8, "max_rows": 40, "max_pairs": 20, "max_batch": 200}
EXACT = Spec(**SMALL)


@pytest.mark.parametrize("answer", [lambda y: y[1:], lambda y: y[:, 1:], lambda y: y.astype(float), lambda y: y > 0])
def test_answers_of_another_form(answer):
    def factory(*made):
        device = simulator_factory(EXACT)(*made)
        return SimpleNamespace(multiply=lambda codes: (answer(device.multiply(codes)[0]), 0))

    case = coarse(EXACT, Problem(20, 5, 3, 4, 8, 2, 1))
    assert make_device(simulator_factory(EXACT), EXACT, case)(case.codes)[0].shape == (3, 5)
    with pytest.raises(Violation, match=r"20 x 5 pairs .*: the answer is .*, expected integers \(3, 5\)"):
        make_device(factory, EXACT, case)(case.codes)


@pytest.mark.parametrize("call", [3, None], ids=["of the covering cases", "of the drawn ones"])
def test_a_device_that_answers_in_another_way_when_it_is_asked_again(monkeypatch, call):
    pytest.importorskip("hypothesis", reason="the kit needs hypothesis, of the extra 'conformance'")
    call = call or max(kit.FEWEST_COVERING, 2 * kit.EFFORTS["quick"] // 5) + 1
    tried = []

    def law(factory, spec, problem):
        tried.append(problem)
        if len(tried) == call:
            raise Violation("once")

    monkeypatch.setattr(kit, "EXACT_LAWS", (law,))
    (found,) = check(simulator_factory(EXACT), EXACT, effort="quick", seed=1).results
    assert found.verdict == "BROKEN" and "the device is not deterministic" in found.message and len(tried) > call


OPEN = [
    (noise_laws.noise, {"read_noise": 0.0}, "the device claims to have no read noise"),
    (noise_laws.noise, {"read_noise": 1e-3, "mean_tolerance": 0.5}, "lost in the steps of the ADC"),
    (mean_laws.overload, {"adc_bits": (24,)}, "the cells cannot drive this ADC to twice its range"),
    (noise_laws.noise_of_planes, {"input_bits": (1,)}, "inputs of one bit have one plane"),
    (noise_laws.noise_of_tiles, {"max_rows": 31}, "matrices of one row tile"),
    (noise_laws.independent_columns, {"max_pairs": 1}, "matrices of one pair of columns"),
]


@pytest.mark.parametrize("law, other, why", OPEN, ids=range(len(OPEN)))
def test_what_cannot_be_tried_is_open(monkeypatch, law, other, why):
    spec = Spec(**dict(SMALL, read_noise=0.01, adc_bits=(8,)))
    law(simulator_factory(spec), spec, 50)  # and this can
    spec = Spec(**dict(SMALL, **dict({"read_noise": 0.01, "adc_bits": (8,)}, **other)))
    with pytest.raises(NotTried, match=why):
        law(simulator_factory(spec), spec, 50)
    monkeypatch.setattr(kit, "STATISTICAL_LAWS", (law,))
    (found,) = check(simulator_factory(spec), spec, exact=False, reads=50).results
    assert found.verdict == "open" and why in found.message


@pytest.mark.parametrize("rows, pairs", [(1, 2), (2, 3), (3, 2)])
@pytest.mark.parametrize("law", [mean_laws.gain, mean_laws.single_planes, mean_laws.crosstalk])
def test_matrices_of_few_rows_have_a_current_in_every_pair(law, rows, pairs):
    """With none, the gain was 0 / 0: a finding about a device that keeps the laws."""
    spec = Spec(**dict(SMALL, read_noise=0.01, adc_bits=(8,), max_rows=rows, max_pairs=pairs))
    assert np.isfinite(law(simulator_factory(spec), spec, 50).smallest)


def test_the_borders_of_what_can_be_tried():
    for law, other in (
        (noise_laws.noise_of_tiles, {"max_rows": 32}),
        (noise_laws.independent_columns, {"max_pairs": 2}),
    ):
        spec = Spec(**dict(SMALL, read_noise=0.01, adc_bits=(8,), **other))
        assert law(simulator_factory(spec), spec, 50).smallest > 0


@pytest.mark.parametrize("off", [-1, 1])
def test_saturated_conversions_that_are_miscounted(off):
    spec = Spec(adc_bits=(8,), **SMALL)

    def factory(*made):
        device = simulator_factory(spec)(*made)

        def multiply(codes):
            y, saturated = device.multiply(codes)
            return y, saturated + off

        return SimpleNamespace(multiply=multiply)

    mean_laws.overload(simulator_factory(spec), spec, 50)
    with pytest.raises(Violation, match=r": \d+ saturated conversions reported, there are \d+") as told:
        mean_laws.overload(factory, spec, 50)
    found, there_are = np.array(re.findall(r": (\d+) saturated .* are (\d+)$", str(told.value)), int)[0]
    assert found - there_are == off

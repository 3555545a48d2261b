"""Drift that is compensated: the gain by its law, probes that travel with a run, and factors in products and files."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram.crossbar.conditions import Conditions
from minirram.crossbar.wires import Wires
from minirram.device.presets import PCM
from minirram.errors import ConfigError, DataError
from minirram.inference import digital_json
from minirram.inference.calibration import calibrate_adcs, calibrated
from minirram.inference.compensation import PROBE_VECTORS, Probe, gain, measured_factors
from minirram.inference.forward import forward
from minirram.inference.model import Model
from minirram.inference.product import ChipProduct
from minirram.nn.network import input_bits, matrices

from ..support.tiny import StripeData, tiny_learner
from .test_digital_json import reads_of, sums_from_file

AT_ONE_PACE = PCM.changed(drift_exponent_std=0.0, grid_S=1e-11)
"""every cell loses the same share"""
YEAR_s = 3.15e7


@pytest.fixture
def trained():
    """(learner on a chip of that technology, calibration codes, model with probes)"""
    learner, data = tiny_learner(model=AT_ONE_PACE), StripeData()
    learner.epoch(data)
    learner.adopt(learner.best)
    model = Model(learner.chip.placement, learner.signs, learner.scales_S, {}, learner.state)
    codes = data.calibration_codes()
    return (
        learner,
        codes,
        calibrated(learner.network, model, chip=learner.chip, codes=codes, adc_bits=14, arrangement="pair"),
    )


def product_of(learner, model, **options):
    bits = input_bits(learner.network)
    factors = model.factors
    return ChipProduct(learner.chip, model.adcs, input_bits=bits, scales_S=model.scales_S, factors=factors, **options)


@settings(max_examples=50)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 20), st.floats(0.01, 3.0), st.sampled_from((0.0, 0.2))
)
def test_the_gain_is_the_slope_of_the_least_squares(seed, vectors, columns, share, noise):
    draw = np.random.default_rng(seed)
    before = draw.integers(-5000, 5000, (vectors, columns))
    before[0, 0] = 4000  # some response
    now = np.rint(share * before + noise * share * np.abs(before) * draw.normal(size=before.shape)).astype(np.int64)
    slope = np.linalg.lstsq(before.reshape(-1, 1).astype(float), now.ravel().astype(float), rcond=None)[0][0]
    probe = Probe(np.zeros((vectors, 3), np.uint8), before)
    if slope > 0:
        assert gain(probe, now, "fc") == pytest.approx(slope)
    if not noise:
        assert gain(probe, now, "fc") == pytest.approx(share, abs=1e-3)


def test_a_matrix_that_answers_the_other_way_is_refused_and_a_silent_one_left_alone():
    probe = Probe(np.ones((1, 2), np.uint8), np.array([[3, -4]]))
    for now in ([[-3, 4]], [[0, 0]], [[4, 3]]):
        with pytest.raises(DataError, match="matrix fc answers its probe vectors with .* program the chip anew"):
            gain(probe, np.array(now), "fc")
    assert gain(replace(probe, response_lsb=np.zeros((1, 2), np.int64)), np.array([[3, 4]]), "fc") == 1.0


def test_drift_that_all_cells_share_is_taken_back_whole(trained):
    learner, codes, model = trained
    young = forward(learner.network, model.state, codes=codes, product=product_of(learner, model))
    learner.chip.age(YEAR_s)
    faded = (YEAR_s / AT_ONE_PACE.drift_start_s) ** -AT_ONE_PACE.drift_exponent
    factors = measured_factors(model.probes, product_of(learner, model))
    assert factors == pytest.approx(dict.fromkeys(model.scales_S, 1 / faded), rel=2e-3)
    model = replace(model, factors=factors)
    old = forward(learner.network, model.state, codes=codes, product=product_of(learner, model))
    assert np.mean(np.abs(old - young) < 0.02 * np.abs(young).max()) > 0.95  # a code may flip where it rounds


def test_probes_travel_with_the_model_and_lie_within_the_converters(trained):
    learner, codes, model = trained
    product = product_of(learner, model)
    again = Model.from_arrays(model.to_arrays(learner.network), learner.network, adc_bits=14, adc_arrangement="pair")
    for name, (fan_in, fan_out) in matrices(learner.network):
        probe = again.probes[name]
        assert probe.codes.shape == (PROBE_VECTORS, fan_in) and probe.response_lsb.shape == (PROBE_VECTORS, fan_out)
        assert probe.codes.any(axis=1).all()
        assert np.array_equal(product.totals(name, probe.codes), probe.response_lsb)
    assert not any(map(any, product.saturated.values()))
    bare = replace(model, probes={}).to_arrays(learner.network)  # a run of an older version
    assert Model.from_arrays(bare, learner.network, adc_bits=14, adc_arrangement="pair").probes == {}
    lost = dict(model.to_arrays(learner.network))
    del lost["probe_response_lsb/fc1"]
    with pytest.raises(DataError, match="probe_response_lsb/fc1 is missing"):
        Model.from_arrays(lost, learner.network, adc_bits=14, adc_arrangement="pair")


def test_the_file_alone_is_enough_to_measure_the_factor(trained):
    learner, _, model = trained
    factors = dict.fromkeys(model.scales_S, 1.5)
    plain, factored = (
        digital_json.describe(learner.network, replace(model, factors=some), chip=learner.chip)["matrices"]
        for some in ({}, factors)
    )
    map_S = learner.chip.physical(learner.chip.conductance_S())
    for before, entry in zip(plain, factored):
        assert (before["drift"]["factor"], entry["drift"]["factor"]) == (1.0, 1.5)
        assert entry["weight_per_lsb"] == 1.5 * before["weight_per_lsb"]
        codes = np.array([list(bytes.fromhex(text)) for text in entry["drift"]["probes"]], np.uint8)
        found = sums_from_file(entry, codes, map_S, reads_of(entry["tiles"]))
        assert np.abs(found - np.array(entry["drift"]["response_lsb"])).max() <= 15  # a plane's code may round


def test_compensation_needs_an_age():
    with pytest.raises(ConfigError, match="needs an age above 0 s"):
        Conditions(compensated=True)
    assert Conditions(compensated=True, age_s=1.0).compensated


@pytest.mark.slow
@pytest.mark.parametrize("model_of_wires", ["solve", "reduced"])
def test_converters_are_calibrated_behind_the_wires(trained, model_of_wires):
    """Lines that drop most of the voltage leave small currents: the range follows, and nothing is lost to rounding."""
    learner, codes, model = trained
    wires = Wires(100.0, 100.0, model_of_wires)
    adcs = calibrate_adcs(
        learner.network,
        model.state,
        codes=codes,
        chip=learner.chip,
        scales_S=model.scales_S,
        adc_bits=14,
        wires=wires,
        arrangement="pair",
    )
    for name, (fan_in, _) in matrices(learner.network):
        (tile,) = learner.chip.placement.tiles_of(name)
        cells = learner.chip.macros[tile.macro].effective_grid(tile.region, wires)
        assert 0 < adcs[name].lsb < model.adcs[name].lsb
        bound = np.abs(cells[:, 0::2] - cells[:, 1::2]).sum(axis=0).max()
        assert adcs[name].lsb * adcs[name].top <= 1.1001 * bound, fan_in

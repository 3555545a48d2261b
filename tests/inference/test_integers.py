"""The law of the digital side in integers, beside exact arithmetic, and what it does to classes."""

import json
from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minirram.crossbar.converters import Adc
from minirram.device.presets import technology
from minirram.errors import ConfigError
from minirram.inference import digital_json
from minirram.inference.forward import predict
from minirram.inference.integer_forward import classes, integer_forward
from minirram.inference.integer_network import integer_network
from minirram.inference.integers import TOP, Factor, factor_of, mean, scaled, shared_factors
from minirram.inference.product import ChipProduct
from minirram.nn.network import input_bits
from minirram.runs.config import RunConfig
from minirram.runs.folder import RunFolder, open_test
from minirram.runs.train import train
from minirram.tasks.registry import task

from ..support import fixed_point
from ..support import network_laws as laws
from ..support.integer_kinds import kinds_of_networks
from ..support.random_networks import networks

INT32 = st.integers(-TOP, TOP)


@given(INT32, st.integers(-TOP - 1, TOP), st.integers(0, 62))
def test_a_product_is_exact_and_rounded_once(x, multiplier, shift):
    exact = Fraction(x * multiplier, 2**shift)
    expected = floor(exact + Fraction(1, 2)) if shift else int(exact)
    assert scaled(np.array([x]), Factor(multiplier, shift))[0] == max(-TOP, min(TOP, expected))


@given(st.integers(-(2**50), 2**50), st.integers(1, 2**20))
def test_a_mean_is_rounded_halves_up(total, count):
    assert mean(np.int64(total), np.int64(count)) == floor(Fraction(total, count) + Fraction(1, 2))


@given(st.floats(2.0**-31, 2.0**30), st.floats(-1, 1))
def test_factors_are_near_by_their_last_bit(value, share):
    one, other = shared_factors(np.array([value, value * share]))
    assert one == factor_of(value) and one.shift == other.shift and 2**29 <= one.multiplier <= TOP
    assert abs(one.multiplier * 2.0**-one.shift - value) <= 2.0**-30 * value
    assert abs(other.multiplier - value * share * 2.0**one.shift) <= 0.5


def test_factors_that_do_not_fit_are_refused():
    assert factor_of(0.0) == (0, 62)
    with pytest.raises(ConfigError, match="does not fit 32 bits"):
        factor_of(2.0**31)


def errors_of_a_random_network(network, seed, adc_bits):
    """What each layer of the integers is off by on a random chip; none for layers that integers do not have."""
    case = laws.make_case(network, seed)
    described = laws.described(case, adc_bits)
    try:
        integers = integer_network(described)
    except ConfigError:
        return []
    adcs = {name: Adc(adc_bits, 1.0) for name in case.weights}
    learner, bits = case.learner, input_bits(network)
    product = ChipProduct(learner.chip, adcs, input_bits=bits, scales_S=learner.scales_S)
    return fixed_point.measured(described, integers, case.codes, product.totals)


RANDOM = given(networks(), st.integers(0, 2**16), st.sampled_from((8, 14, 20)))
ANY_SIZE = dict(deadline=None, suppress_health_check=list(HealthCheck))


@settings(max_examples=6, **ANY_SIZE)
@RANDOM
def test_the_error_of_the_fixed_point_is_within_its_budget(network, seed, adc_bits):
    for one in errors_of_a_random_network(network, seed, adc_bits):
        assert one.off.max(initial=0) <= one.budget, one.name


@pytest.mark.parametrize("network", list(kinds_of_networks()), ids=lambda network: network.name)
def test_every_kind_of_step_is_within_its_budget(network):
    errors = errors_of_a_random_network(network, 0, 14)
    assert len(errors) > 1 and all(one.off.max(initial=0) <= one.budget for one in errors)


@pytest.mark.slow
def test_the_error_of_three_hundred_random_networks_is_within_its_budget():
    found = []

    @settings(max_examples=300, derandomize=True, database=None, **ANY_SIZE)
    @RANDOM
    def look(network, seed, adc_bits):
        errors = errors_of_a_random_network(network, seed, adc_bits)
        found.extend([fixed_point.shares(errors)] if errors else [])

    look()
    share, largest, rms = np.max(found, axis=0)
    print(f"{len(found)} networks: at most {largest:.2f} units, rms {rms:.2f}, {share:.0%} of a budget")
    assert 0.3 < share <= 1 and len(found) > 150


@pytest.mark.slow
@pytest.mark.parametrize("name, epochs", [("fashion-mnist", 1), ("spoken-digits", 4)])
def test_classes_of_the_drawn_test_sets_are_those_of_floats(name, epochs, tmp_path):
    chosen = task(name)
    recipe = replace(chosen.recipes["quick"], epochs=epochs)
    config = RunConfig(name, "synthetic", chosen.network, recipe, technology("taox-40nm"))
    train(str(tmp_path / "run"), config)
    chip, model, _ = RunFolder.open(str(tmp_path / "run")).load_trained()
    described = json.loads(json.dumps(digital_json.describe(config.network, model, chip=chip)))
    network = integer_network(described)
    product = ChipProduct(chip, model.adcs, input_bits=input_bits(config.network), scales_S=model.scales_S)
    test = open_test(config)
    floats = predict(config.network, model.state, codes=test.codes, product=product)
    found = np.concatenate(
        [
            classes(integer_forward(network, test.codes[k : k + 100], product.totals, saw=None))
            for k in range(0, len(test.codes), 100)
        ]
    )
    same = np.mean(found == np.argmax(floats, axis=-1))
    print(f"{name}: {same:.2%} of {len(found)} classes as of floats, accuracy {np.mean(found == test.labels):.2%}")
    share, largest, rms = fixed_point.shares(fixed_point.measured(described, network, test.codes[:20], product.totals))
    print(f"{name}: values of 20 inputs at most {largest:.2f} units off, rms {rms:.2f}, {share:.0%} of a budget")
    assert share <= 1
    assert same >= 0.999 and len(found) == {"fashion-mnist": 2000, "spoken-digits": 300}[name]

"""The cell model: samplers against CDFs, hostile parameters."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram import rng
from minirram.device.goodness import ks_distance, ks_distance_on_grid
from minirram.device.presets import TAOX_40NM, TECHNOLOGIES, technology
from minirram.errors import ConfigError


def test_ks_distance_sees_a_wrong_spread():
    wrong = dataclasses.replace(TAOX_40NM, lrs_sigma_ln=0.2, forming_std_V=0.2)
    generator = rng.stream(1, "ks")
    assert ks_distance(TAOX_40NM.sample_lrs_S(generator, 2000), wrong.lrs_cdf) > 0.05
    rounded = np.round(TAOX_40NM.sample_forming_V(generator, 2000) / 0.02) * 0.02
    assert ks_distance_on_grid(rounded, wrong.formed_share, step=0.02) > 0.05


@pytest.mark.parametrize("name", sorted(TECHNOLOGIES))
def test_samplers_follow_their_cdfs(name):
    model = technology(name)
    limit = 1.95 / math.sqrt(20_000)  # exceeded once in a thousand
    draws = model.sample_lrs_S(rng.stream(2, name, "lrs"), 20_000)
    assert ks_distance(draws, model.lrs_cdf) < limit
    draws = model.sample_hrs_S(rng.stream(2, name, "hrs"), 20_000)
    assert ks_distance(draws, model.hrs_cdf) < limit
    if model.forming_std_V > 0:
        draws = model.sample_forming_V(rng.stream(2, name, "form"), 20_000)
        assert ks_distance(draws, model.formed_share) < limit


def test_a_verified_reset_stays_below_its_limit():
    drawn_S = TAOX_40NM.sample_hrs_S(rng.stream(3, "hrs"), (200, 200))
    assert drawn_S.max() <= TAOX_40NM.hrs_max_S
    assert ks_distance(drawn_S, TAOX_40NM.hrs_cdf) < 1.63 / 200  # 1 % level for n = 40,000
    with pytest.raises(ConfigError, match="hrs_max_S"):
        dataclasses.replace(TAOX_40NM, hrs_max_S=0.5e-6)


@given(st.floats(0.001, 0.999))
def test_forming_voltage_inverts_the_share(share):
    assert math.isclose(float(TAOX_40NM.formed_share(TAOX_40NM.forming_voltage_V(share))), share, rel_tol=1e-9)


@given(st.integers(1, 4096))
def test_a_full_column_at_grid_max_is_exact_in_float32(rows):
    assert rows * TAOX_40NM.grid_max(rows) < 2**24


def test_to_grid_rounds_to_integers_and_counts_clipping():
    grid, clipped = TAOX_40NM.to_grid(np.array([0.0, 1.4e-9, 12.3456e-6, 1.0]), 512)
    assert grid.dtype == np.float32 and clipped == 1
    assert grid.tolist() == [0.0, 1.0, 12346.0, 32767.0]


def test_write_factor_is_clipped():
    factor = TAOX_40NM.write_factor(rng.stream(3, "w"), 10_000)
    assert np.max(np.abs(factor - 1)) <= 0.003 * (1 + 1e-9)
    assert np.isclose(factor.std(), 0.0015 * 0.9594, rtol=0.02, atol=0)  # std of a normal clipped at 2 sigma: 0.9594


def test_read_std_adds_the_floor_in_quadrature():
    conductance = np.array([3.0, 4.0])
    model = dataclasses.replace(TAOX_40NM, read_noise=1.0)
    assert np.allclose(model.read_std(conductance), conductance, rtol=1e-12, atol=0)
    model = dataclasses.replace(model, read_noise_floor_S=4e-6)
    assert np.allclose(model.read_std(conductance, 1e-6), [5.0, math.sqrt(32)], rtol=1e-12, atol=0)
    assert np.allclose(model.read_std(conductance * 1e-6), [5e-6, math.sqrt(32) * 1e-6], rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lrs_median_S": 0.0}, "lrs_median_S"),
        ({"read_noise": -0.1}, "read_noise"),
        ({"read_noise": -1}, "read_noise"),
        ({"read_noise": True}, "must be a number"),
        ({"read_noise": "0.01"}, "must be a number"),
        ({"read_noise": None}, "must be a number"),
        ({"read_noise": np.float32("nan")}, "finite"),
        ({"forming_std_V": float("nan")}, "forming_std_V"),
        ({"re_set": "forget"}, "replay"),
        ({"stuck_lrs": 0.6, "stuck_hrs": 0.5}, "above 1"),
        ({"endurance_cycles": 0}, "endurance_cycles"),
    ],
)
def test_wrong_parameters_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(TAOX_40NM, **change)


def test_share_outside_its_range():
    with pytest.raises(ConfigError, match="share"):
        TAOX_40NM.forming_voltage_V(1.0)

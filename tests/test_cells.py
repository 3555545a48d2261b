"""The cell model against the measured maps, its own samplers and hostile parameters."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram import cells, rng
from minirram.errors import ConfigError
from minirram.technologies import TAOX_40NM, TECHNOLOGIES, technology

from .conftest import data_folder


def measured_conductance_S():
    """The formed cells of the published maps."""
    names = ("random_conductance_50x8.csv", "random_conductance_50x50.csv")
    maps = [np.loadtxt(str(data_folder("devices", name)), delimiter=",") for name in names]
    values_uS = np.concatenate([values.ravel() for values in maps])
    return values_uS[values_uS > 0] * 1e-6


def test_on_conductance_follows_the_measured_maps():
    measured = measured_conductance_S()
    assert measured.size == 1430
    assert cells.ks_distance(measured, TAOX_40NM.lrs_cdf) <= 0.03


def test_forming_voltage_follows_the_measured_sweep():
    measured = np.loadtxt(str(data_folder("devices", "breakdown_voltage_400.csv")))
    assert cells.ks_distance_on_grid(measured, TAOX_40NM.formed_share, 0.02) <= 0.05


def test_ks_distance_sees_a_wrong_spread():
    wrong = dataclasses.replace(TAOX_40NM, lrs_sigma_ln=0.2, forming_std_V=0.2)
    generator = rng.stream(1, "ks")
    assert cells.ks_distance(TAOX_40NM.sample_lrs_S(generator, 2000), wrong.lrs_cdf) > 0.05
    rounded = np.round(TAOX_40NM.sample_forming_V(generator, 2000) / 0.02) * 0.02
    assert cells.ks_distance_on_grid(rounded, wrong.formed_share, 0.02) > 0.05


@pytest.mark.parametrize("name", sorted(TECHNOLOGIES))
def test_samplers_follow_their_cdfs(name):
    model = technology(name)
    limit = 1.95 / math.sqrt(20_000)  # exceeded once in a thousand
    draws = model.sample_lrs_S(rng.stream(2, name, "lrs"), 20_000)
    assert cells.ks_distance(draws, model.lrs_cdf) < limit
    draws = model.sample_hrs_S(rng.stream(2, name, "hrs"), 20_000)
    assert cells.ks_distance(draws, model.hrs_cdf) < limit
    if model.forming_std_V > 0:
        draws = model.sample_forming_V(rng.stream(2, name, "form"), 20_000)
        assert cells.ks_distance(draws, model.formed_share) < limit


@pytest.mark.parametrize("name", sorted(TECHNOLOGIES))
def test_every_number_of_a_preset_has_a_source(name):
    model = technology(name)
    for field in dataclasses.fields(model):
        if field.name not in ("name", "sources"):
            assert model.source(field.name)
    with pytest.raises(ConfigError, match="no source"):
        model.source("colour")


def test_formed_share_matches_the_published_curve():
    measured = {3.2: 0.03, 3.3: 0.16, 3.4: 0.39, 3.5: 0.71, 3.6: 0.94}
    for voltage_V, share in measured.items():
        assert abs(float(TAOX_40NM.formed_share(voltage_V)) - share) < 0.04


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
    assert np.allclose(model.read_std(conductance, 0.0), conductance, rtol=1e-12, atol=0)
    assert np.allclose(model.read_std(conductance, 4.0), [5.0, math.sqrt(32)], rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lrs_median_S": 0.0}, "lrs_median_S"),
        ({"read_noise": -0.1}, "read_noise"),
        ({"forming_std_V": float("nan")}, "forming_std_V"),
        ({"re_set": "forget"}, "replay"),
        ({"stuck_lrs": 0.6, "stuck_hrs": 0.5}, "above 1"),
        ({"endurance_cycles": 0}, "endurance_cycles"),
    ],
)
def test_wrong_parameters_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(TAOX_40NM, **change)


def test_unknown_technology_lists_the_known_ones():
    with pytest.raises(ConfigError, match="taox-40nm"):
        technology("unobtainium")


def test_share_outside_its_range():
    with pytest.raises(ConfigError, match="share"):
        TAOX_40NM.forming_voltage_V(1.0)

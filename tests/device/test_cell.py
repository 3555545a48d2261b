"""The cell model: samplers against CDFs, fits of measured maps, hostile parameters."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram import rng
from minirram.device.fit import fit_maps, ks_distance, ks_distance_on_grid
from minirram.device.presets import TAOX_40NM, TECHNOLOGIES, technology
from minirram.errors import ConfigError, DataError

from ..support.places import data_folder


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


RAMP_S = np.linspace(8e-6, 16e-6, 30)


def test_fit_of_the_published_maps():
    names = ("random_conductance_50x8.csv", "random_conductance_50x50.csv")
    maps = [np.loadtxt(str(data_folder("devices", name)), delimiter=",") * 1e-6 for name in names]
    forming_V = np.loadtxt(str(data_folder("devices", "breakdown_voltage_400.csv")))
    fit = fit_maps(maps, TAOX_40NM, forming_V=forming_V)
    assert (fit.cells, fit.formed) == (2900, 1430)
    assert math.isclose(fit.model.lrs_median_S, TAOX_40NM.lrs_median_S, rel_tol=1e-4)
    assert math.isclose(fit.model.lrs_sigma_ln, TAOX_40NM.lrs_sigma_ln, rel_tol=1e-3)
    assert math.isclose(fit.model.forming_mean_V, TAOX_40NM.forming_mean_V, rel_tol=1e-3)
    assert math.isclose(fit.model.forming_std_V, TAOX_40NM.forming_std_V, rel_tol=1e-2)
    assert fit.is_lognormal and fit.ks_lognormal < fit.ks_normal and not fit.ks_normal < fit.ks_limit
    assert fit.ks_forming < 0.07
    assert "1430 formed cells" in fit.model.source("lrs_sigma_ln")


def test_fit_recovers_what_was_drawn():
    truth = dataclasses.replace(TAOX_40NM, lrs_median_S=30e-6, lrs_sigma_ln=0.3, read_noise=0.02)
    lrs_S = truth.sample_lrs_S(rng.stream(4, "fit"), (60, 60))
    noise = rng.stream(4, "read").standard_normal((5, 60, 60))
    fit = fit_maps(list(lrs_S * (1 + 0.02 * noise)), TAOX_40NM, repeated=True)
    assert math.isclose(fit.model.lrs_median_S, 30e-6, rel_tol=0.02)
    assert math.isclose(fit.model.lrs_sigma_ln, 0.3, rel_tol=0.03)
    assert math.isclose(fit.model.read_noise, 0.02, rel_tol=0.03)
    assert fit.ks_forming is None


def test_repeated_reads_count_each_cell_once():
    """Reads of one array are no independent cells: limits and spread are those of 400 cells, whatever the reads."""
    truth = dataclasses.replace(TAOX_40NM, read_noise=0.3)
    lrs_S = truth.sample_lrs_S(rng.stream(4, "once"), (20, 20))
    reads_S = lrs_S * (1 + 0.3 * np.clip(rng.stream(4, "reads").standard_normal((200, 20, 20)), -3, 3))
    reads_S[7, 0, 0] = 0.0
    fit = fit_maps(list(reads_S), TAOX_40NM, repeated=True)
    assert (fit.cells, fit.formed) == (400, 399)
    assert math.isclose(fit.ks_limit, 0.886 / math.sqrt(399), rel_tol=1e-12)
    assert math.isclose(fit.model.lrs_sigma_ln, np.log(lrs_S).std(), rel_tol=0.05)
    assert fit.is_lognormal and math.isclose(fit.model.read_noise, 0.3, rel_tol=0.03)
    assert "of 200 map(s)" in fit.model.source("read_noise")


def test_swept_forming_voltages_are_compared_on_their_grid():
    drawn_V = TAOX_40NM.sample_forming_V(rng.stream(6, "sweep"), 4000)
    exact = fit_maps([RAMP_S], TAOX_40NM, forming_V=drawn_V).ks_forming
    swept = fit_maps([RAMP_S], TAOX_40NM, forming_V=np.rint(drawn_V / 0.1) * 0.1).ks_forming
    assert exact < 0.03 and swept < 0.03  # steps of nearly a standard deviation would cost 0.17 off their grid


def test_fit_says_when_a_map_is_not_log_normal():
    generator = rng.stream(5, "two")
    two_kinds_S = np.where(generator.random(3000) < 0.5, 5e-6, 20e-6) * np.exp(0.1 * generator.standard_normal(3000))
    assert not fit_maps([two_kinds_S], TAOX_40NM).is_lognormal


@pytest.mark.parametrize(
    "maps, options, message",
    [
        ([], {}, "at least 20"),
        ([np.zeros((50, 50))], {}, "0 formed cells"),
        ([np.full((5, 5), np.nan)], {}, "map 0"),
        ([np.ones((5, 5)), -np.ones((5, 5))], {}, "map 1"),
        ([np.ones((5, 5))], {"repeated": True}, "two maps"),
        ([np.ones((5, 5)), np.ones((5, 6))], {"repeated": True}, "one shape"),
        ([RAMP_S * 1e6], {}, "is the unit right"),
        ([RAMP_S * 1e3], {}, "is the unit right"),
        ([np.full((5, 5), 1e-5)], {}, "no distribution"),
        ([RAMP_S], {"forming_V": [3.4]}, "1 forming voltages; a fit needs at least 20"),
        ([RAMP_S], {"forming_V": np.full(30, 3.4)}, "no distribution"),
        ([RAMP_S], {"forming_V": np.append(np.linspace(3, 4, 30), np.nan)}, "finite and above 0"),
        ([RAMP_S], {"forming_V": np.append(np.linspace(3, 4, 30), -3.4)}, "finite and above 0"),
    ],
)
def test_hostile_maps_are_not_fitted(maps, options, message):
    with pytest.raises(DataError, match=message):
        fit_maps(maps, TAOX_40NM, **options)


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

"""Fits of measured maps: what was drawn is found, what is not usable says why."""

import dataclasses
import math

import numpy as np
import pytest

from minirram import rng
from minirram.device.fit import fit_maps
from minirram.device.fit_lines import bad_lines
from minirram.device.fit_reads import ORIENTATIONS
from minirram.device.fit_verdict import NOT_USABLE, USABLE, WITH_EXCLUSIONS
from minirram.device.presets import HFOX_1T1R, PCM, SONOS_40NM, TAOX_40NM
from minirram.errors import DataError

from ..support.places import data_folder

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
    assert fit.is_lognormal and fit.on.ks < fit.ks_normal and not fit.ks_normal < fit.on.ks_limit
    assert fit.forming.ks < 0.07 and fit.verdict == USABLE
    assert "1430 formed cells" in fit.model.source("lrs_sigma_ln")


def test_fit_recovers_what_was_drawn():
    truth = dataclasses.replace(TAOX_40NM, lrs_median_S=30e-6, lrs_sigma_ln=0.3, read_noise=0.02)
    lrs_S = truth.sample_lrs_S(rng.stream(4, "fit"), (60, 60))
    noise = rng.stream(4, "read").standard_normal((5, 60, 60))
    fit = fit_maps(list(lrs_S * (1 + 0.02 * noise)), TAOX_40NM, repeated=True)
    assert math.isclose(fit.model.lrs_median_S, 30e-6, rel_tol=0.02)
    assert math.isclose(fit.model.lrs_sigma_ln, 0.3, rel_tol=0.03)
    assert math.isclose(fit.model.read_noise, 0.02, rel_tol=0.03)
    assert fit.forming is None


def test_repeated_reads_count_each_cell_once():
    """Reads of one array are no independent cells: limits and spread are those of 400 cells, whatever the reads."""
    truth = dataclasses.replace(TAOX_40NM, read_noise=0.3)
    lrs_S = truth.sample_lrs_S(rng.stream(4, "once"), (20, 20))
    reads_S = lrs_S * (1 + 0.3 * np.clip(rng.stream(4, "reads").standard_normal((200, 20, 20)), -3, 3))
    reads_S[7, 0, 0] = 0.0
    fit = fit_maps(list(reads_S), TAOX_40NM, repeated=True)
    assert (fit.cells, fit.formed) == (400, 399)
    assert math.isclose(fit.on.ks_limit, 0.886 / math.sqrt(399), rel_tol=1e-12)
    assert math.isclose(fit.model.lrs_sigma_ln, np.log(lrs_S).std(), rel_tol=0.05)
    assert fit.is_lognormal and math.isclose(fit.model.read_noise, 0.3, rel_tol=0.03)
    assert "of 200 map(s)" in fit.model.source("read_noise")


def test_swept_forming_voltages_are_compared_on_their_grid():
    drawn_V = TAOX_40NM.sample_forming_V(rng.stream(6, "sweep"), 4000)
    exact = fit_maps([RAMP_S], TAOX_40NM, forming_V=drawn_V).forming.ks
    swept = fit_maps([RAMP_S], TAOX_40NM, forming_V=np.rint(drawn_V / 0.1) * 0.1).forming.ks
    assert exact < 0.03 and swept < 0.03  # steps of nearly a standard deviation would cost 0.17 off their grid


def test_fit_says_when_a_map_is_not_log_normal():
    generator = rng.stream(5, "two")
    two_kinds_S = np.where(generator.random(3000) < 0.5, 5e-6, 20e-6) * np.exp(0.1 * generator.standard_normal(3000))
    fit = fit_maps([two_kinds_S], TAOX_40NM)
    assert [state.name for state in fit.states] == ["off", "on"]  # a factor of four apart: two states
    near_S = np.where(generator.random(3000) < 0.5, 8e-6, 20e-6) * np.exp(0.1 * generator.standard_normal(3000))
    fit = fit_maps([near_S], TAOX_40NM)
    assert not fit.is_lognormal and [state.name for state in fit.states] == ["on"]
    assert "on cells are not exactly log-normal" in " ".join(fit.remarks)


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


# -- states, grid, unit ------------------------------------------------------------------------------------------------


def drawn(model, shape, name, off=0.0, pristine=0.0):
    """A map of on cells, with shares of off and of pristine ones."""
    generator = rng.stream(7, name)
    kind = generator.random(shape)
    map_S = np.where(kind < off, model.sample_hrs_S(generator, shape), model.sample_lrs_S(generator, shape))
    return np.where(kind > 1 - pristine, 0.1e-6 * np.exp(0.2 * generator.standard_normal(shape)), map_S)


def test_on_off_and_pristine_cells_become_numbers_of_the_model():
    fit = fit_maps([drawn(HFOX_1T1R, (60, 80), "three", off=0.3, pristine=0.2)], HFOX_1T1R)
    model = fit.model
    assert [state.name for state in fit.states] == ["pristine", "off", "on"]
    assert model.lrs_median_S == pytest.approx(HFOX_1T1R.lrs_median_S, rel=0.03)
    assert model.lrs_sigma_ln == pytest.approx(HFOX_1T1R.lrs_sigma_ln, rel=0.05)
    assert model.hrs_median_S == pytest.approx(HFOX_1T1R.hrs_median_S, rel=0.03)
    assert model.hrs_sigma_ln == pytest.approx(HFOX_1T1R.hrs_sigma_ln, rel=0.1)
    assert model.pristine_S == pytest.approx(0.1e-6, rel=0.05)
    assert sum(state.cells for state in fit.states) + fit.outliers == fit.cells == 4800
    assert fit.formed == pytest.approx(0.8 * 4800, rel=0.03)
    assert "fitted to" in model.source("hrs_sigma_ln") and "fitted to" in model.source("pristine_S")
    assert not any("no off cells" in line for line in fit.remarks)


@pytest.mark.parametrize("base", [TAOX_40NM, HFOX_1T1R, PCM, SONOS_40NM], ids=lambda model: model.name)
def test_off_cells_that_are_not_measured_are_those_of_the_base(base):
    fit = fit_maps([drawn(base, (40, 50), "on alone")], base)
    assert fit.model.hrs_median_S == base.hrs_median_S and fit.verdict == USABLE
    assert any(line.startswith("no off cells in the maps") for line in fit.remarks)


def test_a_verified_reset_stays_where_the_off_cells_keep_it():
    """TaOx cells were verified below 4 uS; cells that spread beyond were not."""
    kept = fit_maps([drawn(TAOX_40NM, (60, 60), "verified", off=0.5)], TAOX_40NM)
    assert kept.model.hrs_max_S == TAOX_40NM.hrs_max_S
    wild = dataclasses.replace(TAOX_40NM, hrs_median_S=2e-6, hrs_sigma_ln=0.45, hrs_max_S=None, lrs_median_S=30e-6)
    lost = fit_maps([drawn(wild, (60, 60), "wild", off=0.5)], TAOX_40NM)
    assert lost.model.hrs_max_S is None and any("verified RESET is taken away" in line for line in lost.remarks)


@pytest.mark.parametrize("median_S, sigma, step_S", [(12e-6, 0.147, 1e-9), (118e-6, 0.38, 5e-8), (120e-9, 0.1, 1e-11)])
def test_the_grid_holds_what_was_fitted(median_S, sigma, step_S):
    truth = dataclasses.replace(TAOX_40NM, lrs_median_S=median_S, lrs_sigma_ln=sigma)
    base = dataclasses.replace(TAOX_40NM, lrs_median_S=median_S, hrs_median_S=median_S / 12, hrs_max_S=None)
    fit = fit_maps([drawn(truth, (40, 50), "grid")], base)
    assert fit.model.grid_S == step_S
    assert fit.grid_max_S == fit.model.grid_max(512) * step_S > median_S * math.exp(6 * sigma) / 1.1
    on_grid, clipped = fit.model.to_grid(fit.model.sample_lrs_S(rng.stream(8, "many"), 300_000), 512)
    assert clipped == 0 and np.median(on_grid) > 300
    assert (fit.model.grid_S != TAOX_40NM.grid_S) == any("the grid is" in line for line in fit.remarks)


def test_a_map_in_another_unit_is_not_usable():
    map_S = drawn(TAOX_40NM, (40, 50), "unit", pristine=0.3)
    assert fit_maps([map_S], TAOX_40NM, unit="uS").verdict == USABLE
    small = fit_maps([map_S * 1e-3], TAOX_40NM, unit="nS")
    assert small.verdict == NOT_USABLE and "the unit is likely uS, not nS" in small.reasons[0]
    with pytest.raises(DataError, match="is the unit right. In uS the cells would be as taox-40nm has them"):
        fit_maps([map_S * 1e3], TAOX_40NM, unit="mS")


def test_states_between_two_names_are_remarked():
    between = dataclasses.replace(TAOX_40NM, hrs_median_S=0.3e-6)
    fit = fit_maps([drawn(between, (20, 30), "doubt", off=0.3)], TAOX_40NM)
    assert fit.verdict == USABLE
    assert fit.remarks[0] == "the states are named by their likelihood: pristine, on may be off, on"


def test_pristine_cells_alone_are_not_usable():
    fit = fit_maps([1e-7 * np.exp(0.2 * rng.stream(9, "p").standard_normal((20, 20)))], TAOX_40NM)
    assert fit.verdict == NOT_USABLE and fit.reasons == (
        f"no cell is in the on state: the maps hold pristine cells around {fit.states[0].median_S * 1e9:.3g} nS",
    )
    assert fit.formed == 0 and fit.model.lrs_median_S == TAOX_40NM.lrs_median_S and not fit.is_lognormal


def test_off_cells_that_reach_the_on_cells_are_not_usable():
    truth = dataclasses.replace(TAOX_40NM, lrs_median_S=2e-6)
    fit = fit_maps([drawn(truth, (30, 40), "low")], TAOX_40NM, states=("on",))
    assert fit.verdict == NOT_USABLE
    assert fit.reasons[0].startswith("off cells around 1 uS (of the technology, not measured) reach on cells around 2")


@pytest.mark.slow
def test_what_no_log_normal_describes_is_not_usable():
    generator = rng.stream(10, "odd")
    ends_S = np.where(generator.random((40, 50)) < 0.5, 8e-6, 22e-6) * np.exp(
        0.02 * generator.standard_normal((40, 50))
    )
    fit = fit_maps([ends_S], TAOX_40NM)
    assert fit.verdict == NOT_USABLE and "the on cells are not log-normal" in fit.reasons[0]
    generator = rng.stream(11, "wide")
    normal = generator.standard_normal((60, 60))
    wide_S = np.where(generator.random((60, 60)) < 0.5, 3e-6 * np.exp(normal), 12e-6 * np.exp(0.25 * normal))
    assert any("cannot be told apart" in line for line in fit_maps([wide_S], TAOX_40NM).reasons)


def test_cells_of_no_state_are_left_out_and_too_many_are_not_usable():
    generator = rng.stream(12, "stray")
    for share, verdict in ((0.1, WITH_EXCLUSIONS), (0.5, NOT_USABLE)):
        map_S = drawn(TAOX_40NM, (50, 60), "stray")
        stray = generator.random(map_S.shape) < share
        map_S[stray] = np.exp(generator.uniform(math.log(1e-9), math.log(1e-3), stray.sum()))
        fit = fit_maps([map_S], TAOX_40NM)
        assert fit.verdict == verdict, fit
        if verdict == WITH_EXCLUSIONS:
            assert f"outliers, cells in no state: {fit.outliers}" in fit.exclusions
            assert fit.outliers == pytest.approx(stray.sum(), rel=0.15)
            assert fit.model.lrs_sigma_ln == pytest.approx(TAOX_40NM.lrs_sigma_ln, rel=0.06)
        else:
            assert f"{fit.outliers} of 3000 cells belong to no state" in fit.reasons and fit.outliers > 1050


def test_cells_without_a_value_and_shorted_ones_are_counted():
    map_S = drawn(TAOX_40NM, (20, 30), "marked")
    map_S[0, :3], map_S[1, :2], map_S[2, 0] = np.nan, np.inf, 0
    fit = fit_maps([map_S], TAOX_40NM)
    assert (fit.cells, fit.formed, fit.not_read, fit.shorted) == (600, 596, 3, 2)
    assert fit.verdict == WITH_EXCLUSIONS and fit.exclusions == ("shorted cells: 2", "cells without a value: 3")


# -- lines -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pristine", [0.0, 0.5])
def test_bad_lines_are_found_and_left_out(pristine):
    map_S = drawn(TAOX_40NM, (40, 60), f"lines {pristine}", pristine=pristine)
    clean = fit_maps([map_S, map_S[:, ::-1].copy()], TAOX_40NM)
    assert clean.bad_rows == clean.bad_cols == ()
    map_S[7], map_S[:, 20], map_S[:, 33] = 0.0, map_S[:, 20] * 0.6, 5e-4
    fit = fit_maps([drawn(TAOX_40NM, (40, 60), "other", pristine=pristine), map_S], TAOX_40NM)
    assert fit.bad_rows == ((1, 7),) and fit.bad_cols == ((1, 20), (1, 33))
    assert fit.verdict == WITH_EXCLUSIONS
    assert fit.exclusions[:2] == ("row 7 of map 1", "columns 20, 33 of map 1")
    assert fit.model.lrs_median_S == pytest.approx(TAOX_40NM.lrs_median_S, rel=0.02)


def test_random_maps_have_no_bad_lines():
    """Few of 200 maps of any yield show one: the level is one in a hundred maps."""
    generator, found = rng.stream(13, "yield"), 0
    for _ in range(200):
        shape = tuple(generator.integers(6, 40, 2))
        formed = generator.random(shape) < generator.uniform(0.3, 1.0)
        ln_G = 0.15 * generator.standard_normal(shape)
        odd = generator.random(shape) < 0.05
        lines = bad_lines(formed, ln_G, odd=odd, read=np.ones(shape, bool))
        found += bool(lines.rows or lines.cols)
    assert found <= 6


def test_many_bad_lines_are_not_usable():
    map_S = drawn(TAOX_40NM, (40, 60), "half")
    map_S[:15] = 0.0
    fit = fit_maps([map_S], TAOX_40NM)
    assert fit.verdict == NOT_USABLE and fit.reasons == ("15 of the 40 rows of map 0 are not as the others",)
    assert fit.exclusions == ("rows 0 to 14 of map 0",)


# -- repeated reads ----------------------------------------------------------------------------------------------------


def reads_of(model, shape, count, name, noise=0.01, trend=0.0):
    lrs_S = model.sample_lrs_S(rng.stream(14, name), shape)
    steps = (1 + trend) ** np.arange(count)
    return list(lrs_S * steps[:, None, None] * (1 + noise * rng.stream(15, name).standard_normal((count, *shape))))


@pytest.mark.parametrize("trend", [0.0, 0.02, -0.05])
def test_the_common_trend_is_no_read_noise(trend):
    fit = fit_maps(reads_of(TAOX_40NM, (30, 40), 5, f"trend {trend}", 0.008, trend), TAOX_40NM, repeated=True)
    assert fit.model.read_noise == fit.reads.noise == pytest.approx(0.008, rel=0.05)
    assert fit.reads.trend[0] == 1 and fit.reads.trend[-1] == pytest.approx((1 + trend) ** 4, abs=0.003)
    assert (fit.reads.reads, fit.reads.cells, fit.reads.jumping, fit.verdict) == (5, 1200, 0, USABLE)


def test_cells_that_jump_are_no_read_noise():
    reads_S = reads_of(TAOX_40NM, (30, 40), 6, "jump")
    for k, read_S in enumerate(reads_S):
        read_S[:1, :9] *= 1.3 if k % 2 else 0.8
    fit = fit_maps(reads_S, TAOX_40NM, repeated=True)
    assert fit.reads.jumping == 9 and fit.reads.noise == pytest.approx(0.01, rel=0.06)
    assert fit.exclusions == ("cells that jump between reads, out of the read noise: 9",)


@pytest.mark.parametrize("name", sorted(ORIENTATIONS))
def test_a_read_of_another_orientation_is_left_out_if_two_remain(name):
    for count in (2, 4):
        reads_S = reads_of(TAOX_40NM, (24, 24), count, "turned", noise=0.05)
        reads_S[1] = np.ascontiguousarray(ORIENTATIONS[name](reads_S[1]))
        fit = fit_maps(reads_S, TAOX_40NM, repeated=True)
        back = {"turned by 90 degrees": "turned by 270 degrees", "turned by 270 degrees": "turned by 90 degrees"}
        said = fit.reasons if count == 2 else fit.exclusions
        assert fit.verdict == (NOT_USABLE if count == 2 else WITH_EXCLUSIONS)
        assert said[0].startswith(f"map 1 is {back.get(name, name)} (")
        assert count == 2 or (fit.reads.reads == 3 and fit.reads.noise == pytest.approx(0.05, rel=0.1))


def test_a_read_of_another_array_and_of_another_shape_are_said():
    reads_S = [*reads_of(TAOX_40NM, (20, 30), 3, "one"), *reads_of(TAOX_40NM, (20, 30), 1, "another")]
    fit = fit_maps(reads_S, TAOX_40NM, repeated=True)
    assert fit.verdict == WITH_EXCLUSIONS and "map 3 is a read of another array" in fit.exclusions[0]
    fit = fit_maps(reads_S[2:], TAOX_40NM, repeated=True)
    assert fit.verdict == NOT_USABLE and "map 1 is a read of another array" in fit.reasons[0]
    with pytest.raises(DataError, match=r"map 1 is \(30, 20\), map 0 \(20, 30\); is it transposed"):
        fit_maps([reads_S[0], reads_S[1].T], TAOX_40NM, repeated=True)


def test_repeats_that_are_not_called_so_are_remarked():
    reads_S = reads_of(TAOX_40NM, (20, 30), 2, "twice")
    assert "maps 0 and 1 look like reads of one array" in " ".join(fit_maps(reads_S, TAOX_40NM).remarks)
    others_S = [*reads_of(TAOX_40NM, (20, 30), 1, "a"), *reads_of(TAOX_40NM, (20, 30), 1, "b")]
    assert "look like reads" not in " ".join(fit_maps(others_S, TAOX_40NM).remarks)


def test_marked_cells_of_reads():
    reads_S = reads_of(TAOX_40NM, (20, 30), 3, "marks")
    reads_S[0][0, 0], reads_S[1][0, 1], reads_S[2][0, 2] = np.nan, np.inf, 0.0
    for read_S in reads_S:
        read_S[0, 3] = np.nan
    fit = fit_maps(reads_S, TAOX_40NM, repeated=True)
    assert (fit.cells, fit.not_read, fit.shorted, fit.formed) == (600, 1, 1, 598)
    assert fit.reads.cells == 596


def test_reads_that_are_copies_have_no_noise():
    (read_S,) = reads_of(TAOX_40NM, (20, 30), 1, "copy")
    fit = fit_maps([read_S, read_S], TAOX_40NM, repeated=True)
    assert fit.model.read_noise == 0 and any("the reads are equal" in line for line in fit.remarks)


@pytest.mark.parametrize("noise_S, remarked", [(0.2e-6, False), (40e-6, True)])
def test_pulses_that_explain_little_are_remarked_with_their_direction(noise_S, remarked):
    """Readings that scatter by more than they rise: the constant is of no use, and the report says so."""
    n, random = np.arange(60.0), np.random.default_rng(1)
    rising_S = 2e-6 + 18e-6 * n / n[-1]
    read_S = np.abs(rising_S[:, None] + noise_S * random.standard_normal((60, 3))) + 1e-9
    fit = fit_maps(reads_of(TAOX_40NM, (20, 30), 1, "pulses"), TAOX_40NM, pulses=np.column_stack([n, read_S]))
    said = [line for line in fit.remarks if "pulse response explains" in line]
    (response,) = fit.pulses
    assert bool(said) == remarked
    assert all(f"the {response.direction} pulse response explains {response.explained:.0%}" in line for line in said)

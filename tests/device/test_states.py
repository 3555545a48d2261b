"""States of cells: found under contamination, named as the technology expects, or said to be unclear."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram.device.fit_unit import likely_other_unit, likely_unit
from minirram.device.formed_maps import formed_maps
from minirram.device.presets import HFOX_1T1R, PCM, SONOS_40NM, TAOX_40NM, TECHNOLOGIES
from minirram.device.states import OUTLIER, over_steps, separate
from minirram.errors import ConfigError

GRID_S = TAOX_40NM.grid_max(512) * TAOX_40NM.grid_S


def planted(generator, n, medians_S, sigmas, shares, outliers=0.0):
    """(conductances, kind of each: index or OUTLIER)."""
    kinds = generator.choice(len(shares), n, p=np.array(shares) / sum(shares))
    ln_G = np.log(np.array(medians_S))[kinds] + np.array(sigmas)[kinds] * generator.standard_normal(n)
    stray = generator.random(n) < outliers
    ln_G[stray] = generator.uniform(math.log(1e-9), math.log(1e-3), stray.sum())
    return np.exp(ln_G), np.where(stray, OUTLIER, kinds)


def labels_of_the_truth(values_S, medians_S, sigmas, shares, outliers):
    """The likeliest kind of each cell for one who has the planted numbers."""
    densities = []
    for median_S, sigma, share in zip(medians_S, sigmas, shares):
        z = np.log(values_S / median_S) / sigma
        densities.append((1 - outliers) * share / sum(shares) * np.exp(-0.5 * z**2) / (sigma * math.sqrt(2 * math.pi)))
    floor = np.full(values_S.size, outliers / math.log(1e6))
    return np.where(floor > np.max(densities, axis=0), OUTLIER, np.argmax(densities, axis=0))


CONTAMINATED = st.tuples(
    st.integers(0, 10**6),
    st.floats(0, 0.3),  # outliers
    st.floats(0.3, 3.0),  # on median, relative to the technology
    st.floats(0.05, 0.3),  # sigma of on cells
    st.sampled_from(
        [("on",), ("pristine", "on"), ("off", "on"), ("pristine", "off", "on"), ("pristine", "on", "short")]
    ),
)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(CONTAMINATED)
def test_planted_states_are_recovered_under_contamination(case):
    check_recovery(case, n=1500)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(CONTAMINATED)
def test_planted_states_are_recovered_in_many_cases(case):
    check_recovery(case, n=2500)


def check_recovery(case, n):
    seed, outliers, relative, sigma, names = case
    on_S = relative * TAOX_40NM.lrs_median_S
    medians = {"pristine": 0.1e-6, "off": on_S / 12, "on": on_S, "short": 30 * on_S}
    if "pristine" in names and "off" in names and medians["off"] < 0.6e-6:
        medians["pristine"] = 0.03e-6
    sigmas = {"pristine": 0.2, "off": 0.35, "on": sigma, "short": 0.2}
    shares = {"pristine": 0.3, "off": 0.4, "on": 1.0, "short": 0.06}
    truth = [[table[name] for name in names] for table in (medians, sigmas, shares)]
    values_S, kinds = planted(np.random.default_rng(seed), n, *truth, outliers)
    found = separate(values_S, TAOX_40NM)
    ideal = labels_of_the_truth(values_S, *truth, outliers)
    assert tuple(state.name for state in found.states) == names, found.states
    assert not found.overlap
    for k, state in enumerate(found.states):
        count = np.count_nonzero(kinds == k)
        error = sigmas[state.name] / math.sqrt(count)
        assert abs(math.log(state.median_S / medians[state.name])) < 6 * error + 0.02
        assert state.sigma_ln == pytest.approx(sigmas[state.name], rel=0.1 + 4 / math.sqrt(count))
        best = np.mean(ideal[kinds == k] == k)
        assert np.mean(found.labels[kinds == k] == k) > best - 0.05 - 3 / math.sqrt(count)
    if names[0] == "pristine":
        assert medians["pristine"] < found.formed_min_S < medians[names[1]]
    else:
        assert found.formed_min_S == 0


@pytest.mark.parametrize("name", sorted(TECHNOLOGIES))
def test_every_technology_finds_its_own_on_and_off_cells(name):
    model, generator = TECHNOLOGIES[name], np.random.default_rng(3)
    values_S = np.concatenate([model.sample_lrs_S(generator, 600), model.sample_hrs_S(generator, 400)])
    found = separate(values_S, model)
    assert [(state.name, state.cells) for state in found.states] == [("off", 400), ("on", 600)] and not found.doubt


def test_on_cells_of_another_technology_are_on_cells():
    found = separate(HFOX_1T1R.sample_lrs_S(np.random.default_rng(4), 400), TAOX_40NM)
    assert [state.name for state in found.states] == ["on"]


def test_pristine_cells_alone_are_pristine():
    found = separate(0.1e-6 * np.exp(0.2 * np.random.default_rng(5).standard_normal(400)), TAOX_40NM)
    assert [state.name for state in found.states] == ["pristine"] and found.formed_min_S == math.inf


def test_what_lies_too_near_is_one_state_and_what_overlaps_is_said():
    generator = np.random.default_rng(6)
    near_S, _ = planted(generator, 3000, (10e-6, 14e-6), (0.1, 0.1), (1, 1))
    assert [state.name for state in separate(near_S, TAOX_40NM).states] == ["on"]
    wide_S, _ = planted(generator, 3000, (3e-6, 12e-6), (1.0, 0.25), (1, 1))
    assert "cells around 12 uS overlap" in separate(wide_S, TAOX_40NM).overlap


def test_doubtful_names_are_said_and_can_be_given():
    generator = np.random.default_rng(7)
    values_S, _ = planted(generator, 2000, (0.3e-6, 12e-6), (0.2, 0.15), (1, 1))
    found = separate(values_S, TAOX_40NM)
    assert found.doubt in ("pristine, on may be off, on", "off, on may be pristine, on")
    named = separate(values_S, TAOX_40NM, ("off", "on"))
    assert [state.name for state in named.states] == ["off", "on"] and not named.doubt and named.formed_min_S == 0
    with pytest.raises(ConfigError, match=r"3 states were named, the cells have 2 group\(s\): \d+ nS, 12 uS"):
        separate(values_S, TAOX_40NM, ("pristine", "off", "on"))
    with pytest.raises(ConfigError, match="in this order"):
        separate(values_S, TAOX_40NM, ("on", "off"))


def test_all_cells_are_labelled_though_not_all_are_fitted(monkeypatch):
    values_S, kinds = planted(np.random.default_rng(8), 3000, (0.1e-6, 12e-6), (0.2, 0.15), (1, 1))
    whole = separate(values_S, TAOX_40NM)
    monkeypatch.setattr("minirram.device.states._MOST_FITTED", 1000)
    third = separate(values_S, TAOX_40NM)
    assert np.array_equal(third.labels, kinds) and np.array_equal(whole.labels, kinds)
    assert third.states[1].cells == whole.states[1].cells
    assert third.states[1].median_S == pytest.approx(whole.states[1].median_S, rel=0.02)


@pytest.mark.parametrize("unit, scale", [("S", 1.0), ("mS", 1e3), ("uS", 1e6), ("nS", 1e9)])
def test_the_likely_unit_of_conductances(unit, scale):
    values_S, _ = planted(np.random.default_rng(9), 600, (0.1e-6, 12e-6), (0.2, 0.15), (1, 2))
    assert likely_unit(values_S * scale, TAOX_40NM) == unit


@pytest.mark.parametrize("unit, scale", [("ohm", 1.0), ("kOhm", 1e-3), ("MOhm", 1e-6)])
def test_the_likely_unit_of_resistances(unit, scale):
    values_S, _ = planted(np.random.default_rng(10), 600, (0.1e-6, 12e-6), (0.2, 0.15), (1, 2))
    assert likely_unit(scale / values_S, TAOX_40NM) == unit


def test_another_unit_is_said_where_it_is_likelier_by_far():
    groups = np.log([0.1, 12.0])
    shares = (0.3, 0.7)
    assert likely_other_unit(groups + math.log(1e-9), shares, TAOX_40NM, unit="nS") == "uS"
    assert likely_other_unit(groups + math.log(1e-6), shares, TAOX_40NM, unit="uS") is None
    assert likely_other_unit(groups + math.log(10e-6), shares, TAOX_40NM, unit="uS") is None
    ohms = np.sort(-np.log([10e6, 83e3]))  # read as kOhm, they were ohm
    assert likely_other_unit(ohms - math.log(1e3), shares, TAOX_40NM, unit="kOhm") == "ohm"
    for model in (TAOX_40NM, HFOX_1T1R, PCM, SONOS_40NM):
        own = np.log([model.hrs_median_S, model.lrs_median_S])
        assert likely_other_unit(own, (0.5, 0.5), model, unit="uS") is None


def test_maps_of_a_chip_hold_formed_cells_alone():
    generator = np.random.default_rng(11)
    values_S, kinds = planted(generator, 40 * 60, (0.1e-6, 12e-6, 400e-6), (0.2, 0.15, 0.1), (3, 7, 0.1))
    values_S[0], kinds[0] = 0.0, 0
    map_S = values_S.reshape(40, 60)
    found = formed_maps([map_S, map_S[:, ::-1]], TAOX_40NM, largest_S=GRID_S)
    first, second = found.taken
    assert first.formed == second.formed == np.count_nonzero(kinds > 0)
    assert first.pristine == np.count_nonzero(kinds == 0) - 1 and first.shorted == np.count_nonzero(kinds == 2) > 0
    assert np.array_equal(found.maps_S[0] > 0, (kinds > 0).reshape(40, 60))
    assert np.array_equal(found.shorted[1][:, ::-1], (kinds == 2).reshape(40, 60))
    assert np.array_equal(found.maps_S[0][kinds.reshape(40, 60) == 1], values_S[kinds == 1])
    assert found.maps_S[0].max() == GRID_S
    assert first.line.startswith(f"{first.formed} of 2400 cells formed (from 1.")
    assert f"{first.pristine} as pristine cells, {first.shorted} shorted, stuck on" in first.line


@pytest.mark.parametrize("side", [4, 20])
def test_marked_shorts_are_stuck_in_a_map_of_any_size(side):
    map_S = np.random.default_rng(0).lognormal(np.log(12e-6), 0.2, (side, side))
    map_S[1, 2] = np.inf
    found = formed_maps([map_S], TAOX_40NM, largest_S=6e-4)
    assert found.maps_S[0][1, 2] == 6e-4 and np.argwhere(found.shorted[0]).tolist() == [[1, 2]]
    assert found.taken[0].shorted == 1 and found.taken[0].formed == side * side


def test_maps_of_on_cells_stay_as_they_are():
    map_S = TAOX_40NM.sample_lrs_S(np.random.default_rng(12), (30, 20))
    map_S[3, 4] = 0
    found = formed_maps([map_S], TAOX_40NM, largest_S=GRID_S)
    assert np.array_equal(found.maps_S[0], map_S) and not found.shorted[0].any()
    assert found.taken[0].line == "599 of 600 cells formed"
    few = formed_maps([map_S[:2, :2]], TAOX_40NM, largest_S=GRID_S)
    assert few.taken[0].formed == 4 and few.taken[0].formed_min_S == 0


def test_low_cells_of_a_chip_are_counted_and_stay_as_measured():
    values_S, kinds = planted(np.random.default_rng(13), 2000, (1e-6, 12e-6), (0.3, 0.15), (1, 9))
    found = formed_maps([values_S.reshape(40, 50)], TAOX_40NM, largest_S=GRID_S)
    assert found.taken[0].low == np.count_nonzero(kinds == 0) and found.taken[0].formed == 2000
    assert np.array_equal(found.maps_S[0].ravel(), values_S)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 5, 7]))
def test_rounded_values_are_spread_over_their_steps(seed, step):
    """Values that stand there once or twice stay; rounded ones keep their step, and none stands there twice."""
    generator = np.random.default_rng(seed)
    drawn = generator.uniform(20, 90, 200)
    assert over_steps(drawn) is drawn
    rounded = step * np.rint(drawn / step)
    spread = over_steps(rounded)
    found = np.unique(spread)
    if spread is not rounded:
        smallest = np.diff(np.unique(rounded)).min()
        assert found.size == 200 and np.array_equal(smallest * np.rint(spread / smallest), rounded)
        assert np.abs(np.sort(spread) - np.sort(drawn)).max() <= smallest


def test_an_instrument_of_coarse_steps_shows_the_same_states():
    values_S, _ = planted(np.random.default_rng(14), 3000, (0.9e-6, 12e-6), (0.4, 0.1), (1, 1))
    rounded_S = 0.25e-6 * np.rint(values_S / 0.25e-6)
    found = separate(rounded_S[rounded_S > 0], TAOX_40NM)
    assert [state.name for state in found.states] == ["off", "on"]
    assert found.states[1].sigma_ln == pytest.approx(0.1, rel=0.06) and found.states[1].ks < found.states[1].ks_limit

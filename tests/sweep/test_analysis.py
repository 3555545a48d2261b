"""Findings of a table beside slow oracles."""

import itertools
import math
from statistics import NormalDist

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from minirram.errors import ConfigError
from minirram.sweep.analysis import clopper_pearson, main_effects, pareto_front, two_way, wilson, yields


def rows_of(function, **values):
    """A row per combination."""
    for number, combination in enumerate(itertools.product(*values.values())):
        row = dict(zip(values, combination))
        yield dict(row, point=str(number), value=function(**row), energy_J=None)


def test_main_effects_of_a_sum_are_its_parts():
    rows = list(rows_of(lambda a, b, c: 3 * a + b, a=(0, 1), b=(0.0, 0.5, 1.0), c=("x",)))
    first, second = main_effects(rows, ("a", "b", "c"), figure="value")
    assert (first.parameter, second.parameter) == ("a", "b")
    assert first.difference == pytest.approx(3) and second.difference == pytest.approx(1)
    assert first.variance_share + second.variance_share == pytest.approx(1)
    values = [row["value"] for row in rows if row["a"] == 1]
    assert first.levels[1].mean == pytest.approx(np.mean(values))
    assert first.levels[1].standard_error == pytest.approx(np.std(values, ddof=1) / np.sqrt(3))


def test_many_values_are_grouped_and_failed_points_left_out():
    rows = list(rows_of(lambda a: a**2, a=tuple(np.linspace(0, 1, 60).tolist())))
    rows[3]["value"] = None
    (effect,) = main_effects(rows, ("a",), figure="value")
    assert len(effect.levels) == 6 and sum(level.points for level in effect.levels) == 59
    assert [level.mean for level in effect.levels] == sorted(level.mean for level in effect.levels)
    with pytest.raises(ConfigError, match="no column"):
        main_effects(rows, ("a",), figure="valu")
    with pytest.raises(ConfigError, match="numbers"):
        main_effects(rows, ("a",), figure="point")


def test_a_map_holds_the_means_of_its_cells():
    rows = list(rows_of(lambda a, b, c: 10 * a + b + c, a=(1, 2), b=(3, 4), c=(0, 1)))
    rows = [row for row in rows if (row["a"], row["b"]) != (2, 4)]
    found = two_way(rows, "a", "b", figure="value")
    assert (found.down_values, found.across_values) == (("1", "2"), ("3", "4"))
    assert (found.down, found.across) == ("a", "b") and found.means == ((13.5, 14.5), (23.5, None))


figures = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=1, max_size=30)


@given(figures)
def test_the_front_is_what_no_other_point_beats(points):
    rows = [{"point": str(k), "value": v, "energy_J": e} for k, (v, e) in enumerate(points)]

    def beaten(v, e):
        return any((w >= v and f < e) or (w > v and f <= e) for w, f in points)

    front = [(one.value, one.energy_J) for one in pareto_front(rows, figure="value")]
    assert sorted(front) == sorted({point for point in points if not beaten(*point)})


def at_least(good, of, share):
    """Probability of `good` successes or more, term by term."""
    return sum(math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(good, of + 1))


@given(st.integers(1, 60), st.data())
def test_ends_of_the_intervals_are_where_their_tests_turn(of, data):
    good = data.draw(st.integers(0, of))
    confidence = data.draw(st.sampled_from([0.68, 0.9, 0.95, 0.99]))
    tail, z = (1 - confidence) / 2, NormalDist().inv_cdf(0.5 + confidence / 2)
    low, high = clopper_pearson(good, of, confidence)
    assert low == 0 if good == 0 else at_least(good, of, low) == pytest.approx(tail, rel=1e-6)
    assert high == 1 if good == of else 1 - at_least(good + 1, of, high) == pytest.approx(tail, rel=1e-6)
    for end in wilson(good, of, confidence):
        assert abs(good / of - end) == pytest.approx(z * math.sqrt(end * (1 - end) / of), abs=1e-7)


def test_intervals_that_are_known():
    """scipy.stats.binomtest(8, 10).proportion_ci, to its last digits printed."""
    assert wilson(8, 10, confidence=0.95) == pytest.approx((0.490162472, 0.943317849), abs=1e-9)
    assert clopper_pearson(8, 10, confidence=0.95) == pytest.approx((0.443904538, 0.974789273), abs=1e-9)


def test_yield_counts_chips_once_per_setting():
    rows = list(rows_of(lambda chip_seed, a, b: chip_seed / 10 + a, chip_seed=range(10), a=(0.0, 0.25), b=(1, 2)))
    found = {
        (one.setting["a"], one.setting["b"]): one
        for one in yields(rows, ("chip_seed", "a", "b"), threshold=0.5, figure="value")
    }
    assert {key: (one.good, one.chips) for key, one in found.items()} == {
        ("0", "1"): (5, 10),
        ("0", "2"): (5, 10),
        ("0.25", "1"): (7, 10),
        ("0.25", "2"): (7, 10),
    }
    narrow = yields(rows, ("chip_seed", "a", "b"), threshold=0.5, confidence=0.5, figure="value")[0]
    assert (narrow.low, narrow.high) == wilson(narrow.good, 10, 0.5) and narrow.confidence == 0.5
    one = found["0", "1"]
    assert one.exact_low < one.low < one.share < one.high < one.exact_high
    for wrong in ((3, 2, 0.9), (0, 0, 0.9), (1, 2, 1.0)):
        with pytest.raises(ConfigError):
            wilson(*wrong)

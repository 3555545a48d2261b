"""Forming voltages and pulse responses: recovery under contamination, units, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram.device.fit_forming import fit_forming
from minirram.device.fit_pulses import fit_pulses, response_S
from minirram.errors import DataError


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.floats(1.0, 8.0), st.floats(0.02, 0.08), st.floats(0, 0.3))
def test_forming_voltages_are_recovered_under_contamination(seed, mean_V, relative, outliers):
    generator = np.random.default_rng(seed)
    voltages_V = mean_V * (1 + relative * generator.standard_normal(1500))
    stray = generator.random(1500) < outliers
    voltages_V[stray] = generator.uniform(0.05 * mean_V, 2 * mean_V, stray.sum())
    found = fit_forming(voltages_V.reshape(30, 50))
    assert found.mean_V == pytest.approx(mean_V, rel=0.01)
    assert found.std_V == pytest.approx(relative * mean_V, rel=0.2)
    assert found.cells == 1500 and found.outliers <= stray.sum() + 30


def test_the_end_of_a_sweep_is_no_forming_voltage():
    generator = np.random.default_rng(1)
    voltages_V = np.round(np.clip(generator.normal(3.4, 0.1, 600), None, 3.75) / 0.05) * 0.05
    clean = fit_forming(voltages_V)
    assert clean.at_end == 0
    with_end = np.concatenate([voltages_V, np.full(60, 5.0)])
    found = fit_forming(with_end)
    assert found.at_end == 60 and found.cells == 660
    assert (found.mean_V, found.std_V) == (pytest.approx(clean.mean_V), pytest.approx(clean.std_V))


@pytest.mark.parametrize("scale, message", [(1e3, r"is the unit volt\? As mV it is 3.4"), (1e-3, "is the unit volt")])
def test_voltages_in_another_unit_are_refused(scale, message):
    with pytest.raises(DataError, match=message):
        fit_forming(scale * np.random.default_rng(2).normal(3.4, 0.1, 50))


def curves(generator, pulses, start_S, end_S, constant, count, noise_S):
    n = np.arange(pulses + 1.0)
    shape = np.expm1(-n / constant) / np.expm1(-pulses / constant)
    mean_S = start_S + (end_S - start_S) * shape
    return n, mean_S[:, None] + noise_S * generator.standard_normal((pulses + 1, count))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(20, 120), st.floats(0.1, 1.0), st.booleans(), st.integers(1, 4))
def test_a_pulse_response_is_recovered(seed, pulses, relative, rising, count):
    ends_S = (2e-6, 20e-6) if rising else (20e-6, 2e-6)
    constant = relative * pulses
    n, curves_S = curves(np.random.default_rng(seed), pulses, *ends_S, constant, count, 0.1e-6)
    (found,) = fit_pulses(np.column_stack([n, curves_S]))
    assert (found.direction, found.curves, found.pulses) == ("rising" if rising else "falling", count, pulses)
    assert found.constant_pulses == pytest.approx(constant, rel=0.2)
    assert (found.start_S, found.end_S) == (pytest.approx(ends_S[0], abs=0.3e-6), pytest.approx(ends_S[1], abs=0.3e-6))
    assert found.deviation_S == pytest.approx(0.1e-6, rel=0.5) and found.explained > 0.99
    assert response_S(found, np.array([0.0, pulses])) == pytest.approx([found.start_S, found.end_S])


def slow_squares(n, curves_S, constant):
    """Sum of squared residuals by a least-squares solver, for one constant."""
    shape = (1 - np.exp(-n / constant)) / (1 - np.exp(-n[-1] / constant))
    design = np.column_stack([np.ones_like(n), shape])
    return sum(
        float(((design @ np.linalg.lstsq(design, curve, rcond=None)[0] - curve) ** 2).sum()) for curve in curves_S.T
    )


def test_the_constant_is_that_of_least_squares():
    n, curves_S = curves(np.random.default_rng(3), 60, 2e-6, 20e-6, 18.0, 3, 0.5e-6)
    (found,) = fit_pulses(np.column_stack([n, curves_S]))
    least = min(slow_squares(n, curves_S, constant) for constant in np.linspace(5, 60, 1500))
    assert slow_squares(n, curves_S, found.constant_pulses) <= least * (1 + 1e-6)


@pytest.mark.parametrize("numbering", ["on", "again"])
def test_pulses_up_and_down_are_two_branches(numbering):
    generator = np.random.default_rng(4)
    n, up_S = curves(generator, 50, 2e-6, 20e-6, 15.0, 2, 0.1e-6)
    _, down_S = curves(generator, 50, 20e-6, 2e-6, 10.0, 2, 0.1e-6)
    numbers = np.concatenate([n, n + 51 if numbering == "on" else n])
    up, down = fit_pulses(np.column_stack([numbers, np.concatenate([up_S, down_S])]))
    assert (up.direction, down.direction) == ("rising", "falling")
    assert up.constant_pulses == pytest.approx(15, rel=0.2) and down.constant_pulses == pytest.approx(10, rel=0.25)
    assert up.first_row == 0 and down.first_row in (50, 51)


def test_one_column_is_counted_from_zero():
    n, curves_S = curves(np.random.default_rng(5), 30, 2e-6, 20e-6, 9.0, 1, 1e-8)
    counted = fit_pulses(np.column_stack([n, curves_S]))
    assert fit_pulses(curves_S) == fit_pulses(curves_S[:, 0]) == counted


@pytest.mark.parametrize(
    "table, message",
    [
        (np.column_stack([np.linspace(0, 3, 20), np.linspace(1e-6, 2e-6, 20)]), "row 1: .* pulse numbers are whole"),
        (np.column_stack([np.arange(-1.0, 19), np.linspace(1e-6, 2e-6, 20)]), "row 0: .* 0 or above"),
        (np.column_stack([np.arange(20.0), np.linspace(1, 2, 20)]), "is the unit right"),
        (np.column_stack([np.arange(20.0), np.linspace(-1e-6, 2e-6, 20)]), "row 0, curve 0: .* no conductance"),
        (np.column_stack([np.arange(20.0), np.full(20, np.nan)]), "row 0, curve 0"),
        (np.column_stack([np.arange(20.0), np.full(20, 1e-6)]), "the same after every pulse"),
        (np.column_stack([np.arange(4.0), np.linspace(1e-6, 2e-6, 4)]), "at least 5"),
        (np.zeros((0, 2)), "not of shape"),
    ],
)
def test_what_is_no_pulse_response_is_refused(table, message):
    with pytest.raises(DataError, match=message):
        fit_pulses(table)

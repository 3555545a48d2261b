"""The formulas of docs/physics.md: each stands on the page as it is written here, and gives what the code gives.

The formulas of an array are held by the tests that the page names: there the loop beside the product is the formula.
"""

import math
import re

import numpy as np
import pytest

from minirram.device.presets import HFOX_1T1R, PCM, TAOX_40NM
from minirram.units import BOLTZMANN_J_K, ELECTRON_CHARGE_C

from ..support.places import ROOT

CELL = TAOX_40NM
G = np.geomspace(1e-7, 3e-5, 20)
"""conductances, siemens"""
AGING = HFOX_1T1R.changed(name="aging", drift_exponent=0.03, drift_exponent_std=0.01, drift_start_s=20.0)
AGE_S = 1e4


def normals(size, seed=0):
    return np.random.default_rng(seed).standard_normal(size)


def share_formed():
    voltage = CELL.forming_mean_V + CELL.forming_std_V * np.linspace(-3, 3, 9)
    phi = [0.5 * math.erfc(-(v - CELL.forming_mean_V) / CELL.forming_std_V / math.sqrt(2)) for v in voltage]
    return CELL.formed_share(voltage), phi


def forming_voltage():
    got = CELL.sample_forming_V(np.random.default_rng(0), (50,))
    return got, CELL.forming_mean_V + CELL.forming_std_V * normals(50)


def on_state():
    got = CELL.sample_lrs_S(np.random.default_rng(0), (50,))
    return got, CELL.lrs_median_S * np.exp(CELL.lrs_sigma_ln * normals(50))


def read_noise():
    cell = CELL.changed(name="floor", read_noise_floor_S=2e-8)
    return cell.read_std(G), [math.sqrt((cell.read_noise * g) ** 2 + 2e-8**2) for g in G]


def replay():
    noise = np.clip(normals(20), -CELL.write_clip_sigmas, CELL.write_clip_sigmas)
    return CELL.set_S(G, np.random.default_rng(0)), G * (1 + CELL.write_noise * noise)


def tuning():
    got = CELL.tuned_S(G, np.random.default_rng(0))
    return got, [max(g + CELL.tuning_std_S * k, 0) for g, k in zip(G, normals(20))]


def aged(cell):
    drift, relaxation = normals(20, 1), normals(20, 2)
    got = cell.aged_S(G, np.full(20, AGE_S), drift_normal=drift, relaxation_normal=relaxation)
    return got, drift, relaxation


def drift():
    cell = AGING.changed(name="drift", relaxation_mean_S=0.0, relaxation_std_S=0.0)
    got, n, _ = aged(cell)
    return got, [g * (AGE_S / 20.0) ** -(0.03 + 0.01 * k) for g, k in zip(G, n)]


def relaxation():
    cell = AGING.changed(name="relax", drift_exponent=0.0, drift_exponent_std=0.0)
    got, _, n = aged(cell)
    decades = math.log10(AGE_S / cell.relaxation_time_s)
    own = cell.relaxation_mean_per_decade
    c_mean = cell.relaxation_per_decade if own is None else own
    mean, std = (
        cell.relaxation_mean_S * (1 + c_mean * decades),
        cell.relaxation_std_S * (1 + cell.relaxation_per_decade * decades),
    )
    change = [(mean + std * k) * min(g / cell.lrs_median_S, 1) for g, k in zip(G, n)]
    return got, np.maximum(G + change, 0)


def heat():
    energy_J = HFOX_1T1R.activation_eV * ELECTRON_CHARGE_C
    worth = math.exp(energy_J / BOLTZMANN_J_K * (1 / HFOX_1T1R.reference_K - 1 / 358.15))
    return HFOX_1T1R.acceleration(358.15), worth


FORMULAS = {
    "V_form = mean + std N": forming_voltage,
    "a pulse of V forms the share Phi((V - mean) / std)": share_formed,
    "G = median exp(sigma N)": on_state,
    "std = hypot(r G, floor)": read_noise,
    "G' = G_formed (1 + w N), N cut at some sigmas": replay,
    "G = max(target + std N, 0)": tuning,
    "G(t) = G (t / t0)^-nu, nu of each cell = mean + std N": drift,
    "G(t) = G + (mean + std N) (1 + c log10(t / t1)) min(G / G_on, 1)": relaxation,
    "a second at T is worth exp(E / k (1 / T_ref - 1 / T)) seconds": heat,
}


@pytest.mark.parametrize("formula", list(FORMULAS))
def test_a_formula_of_the_page_gives_what_the_code_gives(formula):
    page = (ROOT / "docs" / "physics.md").read_text(encoding="utf-8")
    assert re.search(rf"\| [^|]*{re.escape(formula)}[^|]* \|", page), "the page and this test state one formula"
    got, expected = FORMULAS[formula]()
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert np.ptp(np.atleast_1d(got)) > 0 or np.size(got) == 1


def test_presets_that_age_do_so_by_these_formulas():
    assert HFOX_1T1R.relaxation_std_S > 0 and HFOX_1T1R.activation_eV > 0 and PCM.drift_exponent > 0

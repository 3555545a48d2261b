"""The presets against the measured maps; a source for every number; a macro of each kind works."""

import dataclasses

import numpy as np
import pytest

from minirram.crossbar.macro import Macro
from minirram.device import goodness
from minirram.device.presets import TAOX_40NM, TECHNOLOGIES, technology
from minirram.errors import ConfigError

from ..support.places import data_folder


def measured_conductance_S():
    """The formed cells of the published maps."""
    names = ("random_conductance_50x8.csv", "random_conductance_50x50.csv")
    maps = [np.loadtxt(str(data_folder("devices", name)), delimiter=",") for name in names]
    values_uS = np.concatenate([values.ravel() for values in maps])
    return values_uS[values_uS > 0] * 1e-6


def test_on_conductance_follows_the_measured_maps():
    measured = measured_conductance_S()
    assert measured.size == 1430
    assert goodness.ks_distance(measured, TAOX_40NM.lrs_cdf) <= 0.03


def test_forming_voltage_follows_the_measured_sweep():
    measured = np.loadtxt(str(data_folder("devices", "breakdown_voltage_400.csv")))
    assert goodness.ks_distance_on_grid(measured, TAOX_40NM.formed_share, step=0.02) <= 0.05


@pytest.mark.parametrize("name", sorted(TECHNOLOGIES))
def test_every_preset_makes_a_macro_that_works(name):
    model = technology(name)
    macro = Macro.sample(model, 1, index=0, rows=32, cols=32)
    macro.form(model.forming_voltage_V(0.9999))
    on_S = macro.conductance_S()
    macro.reset(np.ones((32, 32), bool))
    off_S = macro.conductance_S()
    assert np.median(on_S) > 3 * np.median(off_S)
    if model.ages:
        macro.set(np.ones((32, 32), bool))
        macro.age(3600.0)
        assert np.isfinite(macro.conductance_S()).all()


@pytest.mark.parametrize("days, mean_nA, std_nA", [(1.0, -11.5, 25.6), (5.0, -40.7, 34.6)])
def test_sonos_relaxes_as_its_fit_says(days, mean_nA, std_nA):
    """Mean change and total spread (19.9 nA as programmed) of cells at 1600 nA."""
    model = technology("sonos-40nm")
    normal = np.random.default_rng(1).standard_normal(200_000)
    programmed_S = np.full(normal.shape, model.lrs_median_S)
    change_nA = (
        (model.aged_S(programmed_S, days * 86400, drift_normal=normal, relaxation_normal=normal) - programmed_S)
        * model.read_voltage_V
        * 1e9
    )
    assert np.isclose(change_nA.mean(), mean_nA, rtol=0.01, atol=0)
    assert np.isclose(np.hypot(change_nA.std(), 19.9), std_nA, rtol=0.01, atol=0)


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


def test_unknown_technology_lists_the_known_ones():
    with pytest.raises(ConfigError, match="taox-40nm"):
        technology("unobtainium")

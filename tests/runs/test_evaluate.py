"""What an evaluation answers without drawing, and the ages at which it looks."""

from dataclasses import replace

import pytest

from minirram.crossbar.conditions import Conditions
from minirram.device.presets import PCM
from minirram.errors import ConfigError
from minirram.runs.evaluate import AsIf, age, evaluate, expected
from minirram.runs.folder import RunFolder

from ..support.hostile_files import whole_run
from ..support.tiny import tiny_chip, tiny_recipe


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run of two classes of 4 x 4 pixels."""
    return whole_run(str(tmp_path_factory.mktemp("evaluate") / "run"))


def test_without_read_noise_the_expected_answers_are_those_that_are_given(whole):
    own = RunFolder.open(whole).config
    as_if = AsIf(replace(own, cell_model=own.cell_model.changed(read_noise=1e-9, read_noise_floor_S=0.0)))
    found, given = expected(whole, as_if=as_if), evaluate(whole, as_if=as_if)
    assert (found.samples, found.clipped_conductances) == (given.samples, given.clipped_conductances)
    assert found.accuracy == pytest.approx(given.accuracy, abs=1e-6) and found.standard_deviation < 1e-3


def test_a_question_that_covariances_do_not_answer_opens_no_test_set(whole):
    run = RunFolder.open(whole)
    before = run.test_openings()
    with pytest.raises(ConfigError, match="held noise needs draws"):
        expected(whole, "test", conditions=Conditions(held_noise=True))
    assert run.test_openings() == before
    expected(whole, "test")
    assert run.test_openings() == before + 1


def test_cells_with_a_law_of_temperature_age_at_any():
    """That of their figures among them, and those near it."""
    recipe, law = tiny_recipe(), PCM.changed(activation_eV=0.3, reference_K=330.0)
    assert law.acceleration(330.0) == law.acceleration(1.1 * 300.0) == 1
    for kelvin in (300.0, 330.0):
        chip, aged = tiny_chip(recipe, model=law), tiny_chip(recipe, model=law)
        age(chip, Conditions(age_s=1e6, temperature_K=kelvin))
        aged.age(1e6 * law.acceleration(kelvin))
        assert (chip.conductance_S() == aged.conductance_S()).all()

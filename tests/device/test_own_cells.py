"""A technology is one file outside the package: numbers as JSON, a preset that is registered, or physics of its own."""

import dataclasses
import importlib
import json
import sys

import numpy as np
import pytest

from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines
from minirram.conformance import check_cell
from minirram.device import interface
from minirram.device.cell import CellModel
from minirram.device.presets import (
    TAOX_40NM,
    TECHNOLOGIES,
    load_cell_model,
    register_technology,
    save_cell_model,
    technology,
)
from minirram.device.pulses import pulse_recipes
from minirram.device.thresholds import thresholds
from minirram.errors import ConfigError, DataError
from minirram.inference.model import Model
from minirram.learn.mask_learner import MaskLearner
from minirram.runs.config import RunConfig
from minirram.runs.folder import RunFolder

from ..support.tiny import StripeData, tiny_adcs, tiny_chip, tiny_network, tiny_recipe

PHYSICS = '''
"""Cells of two layers: forming voltages are uniform, noise is shot noise, conductance creeps towards its median."""

from dataclasses import dataclass

import numpy as np

from minirram.device.interface import Cell


@dataclass(frozen=True)
class TwoLayerCell(Cell):
    name: str = "two-layer"
    pristine_S: float = 5e-8
    low_V: float = 1.0
    high_V: float = 2.0
    on_S: float = 20e-6
    off_S: float = 0.5e-6
    shot_S: float = 2e-9
    creep_s: float = 1e5
    endurance_cycles: int = 1000
    ageing_numbers = ("creep_normal",)

    def sample_forming_V(self, generator, shape):
        return generator.uniform(self.low_V, self.high_V, shape)

    def sample_lrs_S(self, generator, shape):
        return self.on_S * generator.uniform(0.8, 1.2, shape)

    def sample_hrs_S(self, generator, shape):
        return self.off_S * generator.uniform(0.5, 1.5, shape)

    def read_std(self, conductance, unit_S=1.0):
        return np.sqrt(conductance * np.asarray(self.shot_S / unit_S, conductance.dtype))

    def set_S(self, formed_S, generator):
        return 0.5 * (formed_S + self.sample_lrs_S(generator, formed_S.shape))

    def aged_S(self, conductance_S, age_s, creep_normal):
        share = (1 - np.exp(-age_s / self.creep_s)) * np.clip(0.5 + 0.2 * creep_normal, 0, 1)
        return conductance_S + share * 0.1 * (self.on_S - conductance_S)
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The module that a user wrote in a folder of their own, imported; it is forgotten afterwards."""
    (tmp_path / "two_layer.py").write_text(PHYSICS)
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(interface.KINDS)
    yield importlib.import_module("two_layer")
    sys.modules.pop("two_layer", None)
    for name in set(interface.KINDS) - known:
        del interface.KINDS[name]


def trained_run(folder, model):
    """A tiny run of a few epochs, saved: (its learner, its folder)."""
    recipe, data = tiny_recipe(epochs=3), StripeData()
    learner = MaskLearner(tiny_network(), tiny_chip(recipe, model=model), recipe=recipe)
    for _ in range(recipe.epochs):
        learner.epoch(data)
    learner.adopt(learner.best)
    run = RunFolder.create(folder, RunConfig("fashion-mnist", "synthetic", tiny_network(), recipe, model, adc_bits=10))
    adcs = tiny_adcs(learner, data.calibration_codes(), 10)
    placed = Model(learner.chip.placement, learner.signs, learner.scales_S, adcs, learner.state)
    run.save_trained(learner.chip, placed, masks=learner.masks)
    return learner, run


@pytest.mark.slow
def test_physics_of_ones_own_is_one_file(own, tmp_path):
    model = own.TwoLayerCell(on_S=22e-6)
    report = check_cell(model)
    assert report.passed, str(report)
    learner, _ = trained_run(tmp_path / "run", model)
    assert learner.best.validation > 0.7
    chip, _, masks = RunFolder.open(tmp_path / "run").load_trained()
    assert chip.cell_model == model and isinstance(chip.cell_model, own.TwoLayerCell)
    assert np.array_equal(chip.conductance_S(), learner.chip.conductance_S())
    assert all(np.array_equal(mask, learner.masks[name]) for name, mask in masks.items())
    for one in (chip, learner.chip):
        one.age(1e4)
    assert np.array_equal(chip.conductance_S(), learner.chip.conductance_S())
    # What was not stated is estimated from the cell's own samples.
    limits = thresholds(model)
    assert 0.75e-6 < limits.off_max_S < limits.on_min_S < 17e-6
    assert abs(model.forming_voltage_V(0.25) - 1.25) < 0.02
    assert abs(float(model.formed_share(1.9)) - 0.9) < 0.02
    assert set(pulse_recipes(model)) == {"READ", "SET", "RESET"}


@pytest.mark.slow
def test_a_class_that_was_not_imported_is_named(own, tmp_path):
    trained_run(tmp_path / "run", own.TwoLayerCell())
    kept = interface.KINDS.pop("TwoLayerCell")
    with pytest.raises(DataError, match="config.json.*'TwoLayerCell' are not known: import.*import two_layer"):
        RunFolder.open(tmp_path / "run")
    interface.KINDS["TwoLayerCell"] = kept
    assert RunFolder.open(tmp_path / "run").config.cell_model == own.TwoLayerCell()


def test_a_cell_is_saved_by_its_class_and_its_parameters(own, tmp_path):
    model = own.TwoLayerCell(shot_S=3e-9)
    save_cell_model(tmp_path / "cell.json", model)
    written = json.loads((tmp_path / "cell.json").read_text())
    assert written["type"] == "TwoLayerCell" and written["module"] == "two_layer" and written["shot_S"] == 3e-9
    assert load_cell_model(tmp_path / "cell.json") == model
    (tmp_path / "cell.json").write_text(json.dumps(dict(written, colour=1)))
    with pytest.raises(DataError, match="cell.json: not a cell model: colour"):
        load_cell_model(tmp_path / "cell.json")


@pytest.mark.slow
def test_numbers_alone_are_one_json_file(tmp_path):
    numbers = {
        "name": "mine",
        "forming_mean_V": 2.0,
        "forming_std_V": 0.1,
        "pristine_S": 1e-7,
        "lrs_median_S": 3e-5,
        "lrs_sigma_ln": 0.2,
        "hrs_median_S": 1e-6,
        "hrs_sigma_ln": 0.3,
        "read_noise": 0.01,
        "write_noise": 0.01,
    }
    (tmp_path / "mine.json").write_text(json.dumps(numbers))
    model = load_cell_model(tmp_path / "mine.json")
    assert isinstance(model, CellModel) and model.lrs_median_S == 3e-5
    report = check_cell(model)
    assert report.passed, str(report)
    learner, run = trained_run(tmp_path / "run", model)
    chip, _, _ = RunFolder.open(run.folder).load_trained()
    assert chip.cell_model == model and np.array_equal(chip.conductance_S(), learner.chip.conductance_S())
    del numbers["read_noise"]
    (tmp_path / "mine.json").write_text(json.dumps(numbers))
    with pytest.raises(DataError, match="mine.json: not a cell model: read_noise is missing"):
        load_cell_model(tmp_path / "mine.json")


def test_a_preset_can_be_registered_from_outside(tmp_path, monkeypatch):
    (tmp_path / "my_presets.py").write_text(
        "from dataclasses import replace\n"
        "from minirram.device.presets import TAOX_40NM, register_technology\n"
        "register_technology(replace(TAOX_40NM, name='mine', read_noise=0.02))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("minirram.device.presets.TECHNOLOGIES", dict(TECHNOLOGIES))
    importlib.import_module("my_presets")
    sys.modules.pop("my_presets")
    assert technology("mine").read_noise == load_cell_model("mine").read_noise == 0.02
    assert register_technology(technology("mine")) == technology("mine")
    with pytest.raises(ConfigError, match="another technology 'mine'"):
        register_technology(dataclasses.replace(TAOX_40NM, name="mine"))


def test_two_kinds_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="two kinds of cells are called CellModel"):
        type("CellModel", (CellModel,), {})


def test_parameters_that_a_kind_does_not_have_are_refused(own):
    assert own.TwoLayerCell().changed(on_S=1e-5).on_S == 1e-5
    with pytest.raises(ConfigError, match="a TwoLayerCell has no parameter read_noise"):
        own.TwoLayerCell().changed(read_noise=0.1)


def test_a_reset_law_of_ones_own_is_asked_for_every_reset():
    class Deepens(CellModel):
        """Each RESET leaves half of what the one before left."""

        redraws_hrs = True

        def reset_S(self, off_S, generator):
            return off_S / 2

    numbers = {field.name: getattr(TAOX_40NM, field.name) for field in dataclasses.fields(CellModel)}
    chip = Chip.sample(Deepens(**numbers), (("w", (4, 2)),), level="cell", seed=1, lines=ChipLines(rows=4, pairs=2))
    macro = chip.macros[0]
    macro.form(10.0)
    before = macro.off_grid.copy()
    for _ in range(3):
        macro.reset(np.ones(macro.on.shape, bool))
        macro.set(np.ones(macro.on.shape, bool))
    assert np.abs(macro.off_grid - before / 8).max() <= 1.0

"""The configuration of a run arrives at every call that takes a part of it, in the commands that come after training.

One run has nothing as by default: wires, bits and arrangement of the converters, seeds, level, density. Calls are
looked at where they are made.
"""

import inspect

import numpy as np
import pytest

from minirram.chip.chip import Chip
from minirram.crossbar.macro import Macro
from minirram.inference import propagation
from minirram.learn.mask_learner import MaskLearner
from minirram.runs import bench, cell_costs, demo, driven, energy, evaluate, recalibrate, reconfigured, vectors

from ..support.options import call, figures

OWN = ("--wire-ohm", "100", "--adc-bits", "9", "--adc-arrangement", "polarity", "--seed", "4", "--chip-seed", "6")
OWN += ("--level", "cell", "--density", "0.4", "--epochs", "2", "--batch-size", "30", "--wire-gradient", "exact")

pytestmark = pytest.mark.slow


def looked_at(monkeypatch, owner, name):
    """Calls of `owner.name` from now on, each as {parameter: value}, defaults included."""
    found, original = [], getattr(owner, name)
    signature = inspect.signature(original)

    def seen(*arguments, **options):
        bound = signature.bind(*arguments, **options)
        bound.apply_defaults()
        found.append(bound.arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, seen)
    return found


def given(calls, parameter):
    """What the calls gave for a parameter; there must be calls."""
    assert calls
    return [one[parameter] for one in calls]


def ohms(calls):
    return {None if wires is None else wires.row_ohm for wires in given(calls, "wires")}


@pytest.fixture
def own(runs):
    return runs.trained(*OWN)


def test_of_a_recalibration(runs, own, monkeypatch, tmp_path):
    program, readback = str(tmp_path / "program.xbp"), str(tmp_path / "readback.npy")
    figures("export", own, "--out", program)
    np.save(readback, runs.chip("programmed", *OWN))
    calibrated = looked_at(monkeypatch, recalibrate, "calibrated")
    learners = looked_at(monkeypatch, MaskLearner, "__init__")
    described = looked_at(monkeypatch, recalibrate.digital_json, "describe")
    streams, solved = looked_at(monkeypatch, recalibrate, "stream"), looked_at(monkeypatch, Chip, "update_ir_drop")
    out = str(tmp_path / "new")
    figures("recalibrate", own, "--readback", readback, "--out", out, "--program", program, "--relearn-steps", "1")
    assert set(given(calibrated, "adc_bits")) == {9} and set(given(calibrated, "arrangement")) == {"polarity"}
    assert ohms(calibrated) == ohms(learners) == ohms(described) == {100}
    assert {one["seed"] for one in streams} == {4} and len(streams) > 2
    assert set(given(solved, "exact")) == {True} and len(solved) > 2
    assert {one["recipe"].wire_gradient for one in learners} == {"exact"}


def test_of_an_evaluation(own, monkeypatch, tmp_path):
    described = looked_at(monkeypatch, evaluate.digital_json, "describe")
    calibrated = looked_at(monkeypatch, reconfigured, "calibrated")
    figures("evaluate", own, "--digital", str(tmp_path / "digital.json"), "--adc-bits", "6")
    assert ohms(described) == ohms(calibrated) == {100}
    assert (calibrated[0]["adc_bits"], calibrated[0]["arrangement"]) == (6, "polarity")


def test_of_an_evaluation_on_another_chip(own, monkeypatch, tmp_path):
    scales = looked_at(monkeypatch, reconfigured, "weight_scale_S")
    kept = looked_at(monkeypatch, reconfigured, "kept_weights")
    calibrated = looked_at(monkeypatch, reconfigured, "calibrated")
    out = str(tmp_path / "study")
    figures("sweep", "--run", own, "--vary", "chip_seed=8", "--set", "samples=5", "--out", out)
    assert set(given(scales, "density")) == {0.4} and {one["level"] for one in (*scales, *kept)} == {"cell"}
    assert ohms(calibrated) == {100} and calibrated[0]["arrangement"] == "polarity"


def test_of_moments(own, monkeypatch):
    products = looked_at(monkeypatch, propagation, "ChipProduct")
    grids = looked_at(monkeypatch, Macro, "effective_grid")
    found = evaluate.expected(own, as_if=evaluate.AsIf(samples=5))
    assert found.samples == 5 and ohms(grids) == {100}
    assert {one["conditions"].wires.row_ohm for one in products} == {100}


def test_of_what_cells_cost(runs, own, monkeypatch, tmp_path):
    program, readback = str(tmp_path / "program.xbp"), str(tmp_path / "readback.npy")
    figures("export", own, "--out", program)
    worse_S = np.array(runs.chip("programmed", *OWN))
    worse_S.flat[np.argsort(worse_S.ravel())[-40:]] = 1e-7
    np.save(readback, worse_S)
    states, streams = looked_at(monkeypatch, cell_costs, "seen"), looked_at(monkeypatch, cell_costs, "stream")
    call("verify", program, readback, "--run", own)
    assert ohms(states) == {100} and len(states) == 2 and set(given(streams, "seed")) == {4}


def test_of_energy_with_other_converters(own, monkeypatch):
    calibrated = looked_at(monkeypatch, energy, "calibrated")
    figures("energy", own, "--adc-bits", "6")
    assert ohms(calibrated) == {100} and (calibrated[0]["adc_bits"], calibrated[0]["arrangement"]) == (6, "polarity")


def test_of_vectors(own, monkeypatch, tmp_path):
    written, grids = looked_at(monkeypatch, vectors, "_write"), looked_at(monkeypatch, Macro, "effective_grid")
    figures("vectors", own, "--layer", "conv2", "--out", str(tmp_path / "vectors"), "--format", "npz")
    assert ohms(written) == ohms(grids) == {100}


def test_of_a_bench_and_its_manifest(own, monkeypatch, tmp_path):
    described = looked_at(monkeypatch, bench.digital_json, "describe")
    out = str(tmp_path / "bench")
    figures("bench", own, "--driver", "simulated", "--out", out)
    assert ohms(described) == {100}


def test_of_a_transfer(own, monkeypatch, tmp_path):
    learners = looked_at(monkeypatch, MaskLearner, "__init__")
    figures("transfer", own, "--chip-seed", "9", "--epochs", "1", "--out", str(tmp_path / "other"))
    assert ohms(learners) == {100} and {one["recipe"].level for one in learners} == {"cell"}


def test_of_a_chip_behind_a_driver(runs, monkeypatch, tmp_path):
    made = []
    behind = driven.DrivenChip.behind
    monkeypatch.setattr(driven.DrivenChip, "behind", lambda *a, **k: made.append(k) or behind(*a, **k))
    here = ("--driver", "simulated", "--level", "cell", "--chip-seed", "6", "--epochs", "1")
    figures(*runs.arguments(str(tmp_path / "run"), *here))
    assert {(one["level"], one["seed"]) for one in made} == {("cell", 6)}


def test_of_what_stands_beside_a_demo(monkeypatch, runs):
    streams = looked_at(monkeypatch, demo, "stream")
    run = evaluate.RunFolder.open(runs.trained(*OWN))
    data, asked = demo.open_training(run.config), evaluate.open_test(run.config)
    demo._beside(run.config, data, asked)
    assert [(one["seed"], one["name"]) for one in streams] == [(4, ("linear",)), (4, ("unpruned",))]

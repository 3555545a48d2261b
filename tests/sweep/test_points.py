"""Points of a study on one small run: energies, trainings, what workers are given, and what a cluster would take."""

from dataclasses import replace

import numpy as np
import pytest

from minirram.runs.energy import WhatIf, account
from minirram.runs.folder import RunFolder
from minirram.sweep import forecast as forecasts
from minirram.sweep import points, supplies
from minirram.sweep.driver import sweep
from minirram.sweep.findings import rows_in
from minirram.sweep.forecast import Costs, forecast, simulated
from minirram.sweep.parameters import Setup, with_values
from minirram.sweep.points import Job
from minirram.sweep.study import Study
from minirram.sweep.supplies import Supplies, packed
from minirram.sweep.table import Table
from minirram.tasks import registry
from minirram.tasks.held import held

from ..support.hostile_files import whole_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of two classes of 4 x 4 pixels."""
    return whole_run(str(tmp_path_factory.mktemp("points") / "run"))


@pytest.mark.parametrize("values", [{}, {"adc_bits": 6}, {"input_bits": 3}, {"adc_bits": 5, "input_bits": 2}])
def test_the_energy_of_a_point_is_that_of_its_bits(run, values):
    found, expected = points._energy(run, with_values(Setup(RunFolder.open(run).config), values)), WhatIf(**values)
    told = account(run, what_if=expected)
    assert found == {"energy_J": told.total_J, "latency_s": told.total.latency_s}
    assert (told.total_J == account(run).total_J) == (not values)


def test_the_bits_of_a_run_are_its_own(run, tmp_path):
    """A run of 6 bits that is asked for 8, as most runs have, is asked for others."""
    made = Supplies(config=replace(RunFolder.open(run).config, adc_bits=6, data_crc=0))
    points.KINDS["train"](made, Job("train", "six", {}, str(tmp_path)))
    folder = str(tmp_path / "points" / "six")
    asked = Setup(replace(RunFolder.open(folder).config, adc_bits=8))
    assert points._energy(folder, asked)["energy_J"] == account(folder, what_if=WhatIf(adc_bits=8)).total_J


def test_a_training_behind_wires_needs_no_second_look(run, tmp_path, monkeypatch):
    """Its validation was behind them; conditions of use alone are looked at."""
    looked, evaluate = [], points.evaluate
    monkeypatch.setattr(points, "evaluate", lambda folder, *a, **how: looked.append(how) or evaluate(folder, *a, **how))
    base = Supplies(config=replace(RunFolder.open(run).config, data_crc=0))
    found = points.KINDS["train"](base, Job("train", "wires", {"wires.row_ohm": 50.0}, str(tmp_path)))
    results = RunFolder.open(tmp_path / "points" / "wires")
    assert results.config.wires.row_ohm == 50 and looked == [] and 0 <= found.value == found.accuracy <= 1
    for name, asked in (("offset", {"adc_offset_lsb": 1.0}), ("drawn", {"draws": 2})):
        points.KINDS["train"](base, Job("train", name, {"wires.row_ohm": 50.0, **asked}, str(tmp_path)))
    assert [(how["conditions"].adc_offset_lsb, how["draws"]) for how in looked] == [(1.0, 1), (0.0, 2)]
    assert all(how["conditions"].wires.row_ohm == 50 for how in looked)


@pytest.mark.parametrize("with_test", [False, True])
def test_workers_hold_the_data_of_what_is_varied(run, with_test):
    base = RunFolder.open(run).config
    arrays = packed({}, base, with_test=with_test, with_files=False)
    both = packed({"run": run}, base, with_test=with_test, with_files=False)
    assert {name for name in both if name.startswith("data/")} == {name for name in arrays if name.startswith("data/")}
    try:
        assert supplies._unpacked(arrays).base() == base
        have = held(base.data, base.data_layout)
        assert have.holds_test == with_test
        for part, own in zip(("train", "validation"), registry.load_parts(base.task, base.data_layout, base.data)):
            assert np.array_equal(have.parts[part].inputs, own.inputs)
            assert np.array_equal(have.parts[part].labels, own.labels)
    finally:
        supplies.forget()


def test_a_forecast_is_the_simulation_of_the_measured_points(run, tmp_path, monkeypatch):
    study = Study(run=(run,), grid={"seed": tuple(range(3))}, fixed={"samples": 2})
    sweep(study, tmp_path)
    path = tmp_path / "sweep.csv"
    _, rows = rows_in(tmp_path)
    text = path.read_text()
    for number, row in enumerate(text.splitlines()[1:]):
        cells = row.split(",")
        cells[-5] = str(number + 1)  # seconds
        text = text.replace(row, ",".join(cells))
    path.write_text(text)
    added, add = [], Table.add
    monkeypatch.setattr(Table, "add", lambda table, row: added.append(row) or add(table, row))
    costs, asked = Costs(scheduler_s=0.01, message_s=0.1, start_s=3.0, bytes_per_s=1e3), dict(points=12, workers=4)
    found = {seed: forecast(tmp_path, costs=costs, seed=seed, **asked) for seed in (0, 1)}
    assert len({row["point"] for row in added}) == forecasts.TIMED_ROWS == len(added) / 2
    assert {row["seconds"] for row in added} == {"1", "2", "3"} and path.read_text() == text
    for seed, told in found.items():
        assert (told.points, told.workers, told.measured_points, told.point_s) == (12, 4, 3, 2.0)
        whole_s, busy_s = simulated([1.0, 2.0, 3.0], costs=costs, driver_s=told.driver_s, seed=seed, **asked)
        # driver_s is measured, new in each run: sums in another order agree to rounding only
        assert told.elapsed_s == pytest.approx(whole_s + costs.start_s + told.scatter_s, rel=1e-12)
        assert told.scheduler_busy == pytest.approx(busy_s / told.elapsed_s, rel=1e-12)
        assert told.driver_s > 0 and told.ideal_s == 6.0
        assert told.scatter_s == 3 * told.scatter_bytes / 1e3 and told.costs == costs
    assert len({round(told.elapsed_s - told.scatter_s) for told in found.values()}) == 2

"""Studies, tables and forecasts that cannot be, beside the last ones that can."""

import errno
import os
import sys
from dataclasses import replace

import pytest

from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DataError
from minirram.files import write_json
from minirram.learn.recipe import Recipe
from minirram.runs.config import RunConfig
from minirram.runs.folder import RunFolder
from minirram.sweep import driver
from minirram.sweep.findings import rows_in
from minirram.sweep.forecast import forecast
from minirram.sweep.study import Samples, Study
from minirram.sweep.supplies import Supplies
from minirram.sweep.table import Table, read_rows

from ..support.tiny import tiny_network

CONFIG = RunConfig("fashion-mnist", "synthetic", tiny_network(), Recipe(), TAOX_40NM)
RANGES = {"read_noise": (0.01, 0.1)}


def table(folder, *rows, columns="point,a,value,seconds,error"):
    """The table of a study in `folder`."""
    (folder / "sweep.csv").write_text("\n".join([columns, *rows, ""]))
    return str(folder)


@pytest.mark.parametrize("kind", ["logarithmic", "whole"])
def test_samples_of_a_parameter_have_a_range(kind):
    samples = Samples("lhs", points=2, ranges=RANGES, **{kind: ("read_noise",)})
    with pytest.raises(ConfigError, match="^samples: draws has no range"):
        replace(samples, **{kind: ("read_noise", "draws")})


def test_samples_without_their_package(monkeypatch):
    samples = Samples("lhs", points=2, ranges=RANGES)
    for name in ("scipy.stats", "scipy.stats.qmc"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match="^samples need scipy: pip install '..lab.'"):
        samples.values()


def test_a_table_that_is_read(tmp_path):
    for text, said in (None, "there is no such table; minirram sweep makes one"), ("", "is empty"):
        if text is not None:
            (tmp_path / "sweep.csv").write_text(text)
        with pytest.raises(DataError, match=f"sweep.csv:? {said}"):
            read_rows(tmp_path)
    assert rows_in(table(tmp_path, "k,1,0.5,2.5,"))[1][0]["seconds"] == 2.5
    for wrong in ("nan", "inf", "soon"):
        with pytest.raises(DataError, match=f"sweep.csv, line 3: seconds is '{wrong}', which is no number"):
            rows_in(table(tmp_path, "k,1,0.5,2.5,", f"l,1,0.5,{wrong},"))


def test_a_table_begins_with_its_key_and_ends_with_the_error(tmp_path):
    for columns in (("a", "error"), ("point", "a")):
        with pytest.raises(ValueError, match="^a table begins with the column point and ends with error"):
            Table(tmp_path, columns)
    assert os.listdir(str(tmp_path)) == []


def test_a_forecast_rests_on_points_that_were_measured(tmp_path):
    folder = table(tmp_path, "k,1,0.5,2.5,failed", "l,1,0.5,,")
    with pytest.raises(ConfigError, match="has no point that was measured: run some first"):
        forecast(folder, points=1, workers=1)
    for points, workers in ((0, 1), (1, 0)):
        with pytest.raises(ConfigError, match=f"^{points} points on {workers} workers; at least one of each"):
            forecast(folder, points=points, workers=workers)


def test_a_study_that_evaluates_runs_trains_nothing():
    assert Supplies(config=CONFIG).base() == CONFIG
    with pytest.raises(ConfigError, match="^this study evaluates runs; there is nothing to train"):
        Supplies({"run": "folder"}).base()


@pytest.fixture
def run(tmp_path):
    """The folder of a run that says that it is finished."""
    folder = tmp_path / "run"
    RunFolder.create(folder, CONFIG)
    for name in ("chip.npz", "model.npz", "masks.npz"):
        (folder / name).write_bytes(b"arrays")
    write_json(folder / "results.json", {})
    return folder


def test_runs_of_a_study_are_finished_and_stay_as_they_are(run, tmp_path):
    study, out = Study(run=(str(run),), grid={"read_noise": (0.1, 0.2)}), tmp_path / "out"
    out.mkdir()
    assert driver.left_in(study, out).points == 2
    (run / "masks.npz").write_bytes(b"others")
    with pytest.raises(ConfigError, match="^run .*run is not what it was when .*out was begun; choose another folder"):
        driver.left_in(study, out)
    (run / "results.json").unlink()
    with pytest.raises(ConfigError, match="run: its training has not ended; train it on with --resume"):
        driver.left_in(study, out)


def test_a_measured_chip_has_no_other_individuals(tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    RunFolder.create(run, replace(CONFIG, maps=("map.npy",), recipe=replace(CONFIG.recipe, chip_seed=5)))
    for name in ("chip.npz", "model.npz", "masks.npz", "results.json"):
        (run / name).write_bytes(b"{}")
    out.mkdir()
    assert driver.left_in(Study(run=(str(run),), grid={"chip_seed": (5,), "draws": (1, 2)}), out).points == 2
    for seeds in ((0,), (5, 6)):
        with pytest.raises(ConfigError, match="run: its chip is the measured map map.npy, which has no other individ"):
            driver.left_in(Study(run=(str(run),), grid={"chip_seed": seeds}), tmp_path / "other")


def test_a_disk_that_is_full_ends_a_sweep(tmp_path, monkeypatch):
    """It is no error of one point."""

    def full(shared, job):
        raise OSError(errno.ENOSPC, "No space left on device", "masks.npz")

    monkeypatch.setattr(driver, "run_point", full)
    monkeypatch.setattr(driver, "_supplies", lambda plan, **options: {})
    study = Study(task="fashion-mnist", grid={"read_noise": (0.1, 0.2)})
    with pytest.raises(ConfigError, match="^masks.npz: No space left on device. Make room, then the same command goes"):
        driver.sweep(study, tmp_path)
    assert not (tmp_path / "sweep.csv").exists()

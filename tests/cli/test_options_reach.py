"""What a command is told, and what its run was made with, reaches every function below that takes it."""

from dataclasses import replace

import numpy as np
import pytest

from minirram.crossbar.wires import Wires
from minirram.inference.examine import answering, examine
from minirram.runs.folder import RunFolder, open_training

from ..support.options import call, figures
from ..support.page_texts import without_matplotlib
from ..support.reach import reaching

MADE = {
    "adc_bits": 9,
    "adc_arrangement": "polarity",
    "level": "cell",
    "batch_size": 30,
    "seed": 3,
    "chip_seed": 4,
    "learning_rate": 0.21,
    "momentum": 0.83,
    "weight_decay": 3e-4,
    "density": 0.41,
    "hysteresis": 0.0031,
    "hysteresis_end": 0.0011,
}
"""of the run: none is a default"""
AGEING = ("--technology", "hfox-1t1r")
LATER = {name: MADE[name] for name in ("adc_bits", "adc_arrangement", "level", "chip_seed")}
"""what commands that come after hand on"""


def words(options):
    """Options of the command line."""
    return [word for name, value in options.items() for word in ("--" + name.replace("_", "-"), str(value))]


@pytest.fixture(scope="module")
def run(runs):
    """The folder of a run of which nothing is as by default; its training is watched, too."""
    given = {name: value for name, value in MADE.items() if name not in ("seed", "batch_size")}  # lanes have their own
    with reaching(**given, arrangement="polarity", threads=3) as others:
        folder = runs.trained(*words(MADE), *AGEING, "--threads", "3")
    assert not others
    return folder


def test_evaluation(run):
    with reaching(**LATER, threads=3, draws=2, age_s=1e4, read_noise=0.02, split="test") as others:
        options = ["--age", "1e4", "--compensate", "--draws", "2", "--read-noise", "0.02", "--split", "test"]
        figures("evaluate", run, "--threads", "3", *options)
    assert not others


def test_accounts(run):
    later = {name: value for name, value in LATER.items() if name != "adc_bits"}
    with reaching(
        **later, arrangement="polarity", threads=3, adc_bits={7, 9}, read_voltage_V=0.11, read_time_s=3e-7
    ) as others:
        options = ["--adc-bits", "7", "--read-voltage", "0.11", "--read-time", "3e-7"]
        figures("energy", run, "--threads", "3", *options)
    assert not others


def test_the_answers_on_a_page_are_those_of_the_first_draw(run):
    """Behind the same wires, factors and noise as when the run is examined."""
    folder = RunFolder.open(run)
    (chip, model, _), validation = folder.load_trained(), open_training(folder.config).validation
    config = replace(folder.config, wires=Wires(20.0, 20.0))
    model = replace(model, factors={name: 1.5 + k for k, name in enumerate(chip.placement.names)})
    score = examine(config, chip, model=model, examination=validation, split="validation", threads=1)
    predict = answering(config, chip, model=model, split="validation", threads=1)
    assert np.array_equal(validation.figures(predict)["confusion"], score.confusion)


@pytest.mark.slow
def test_the_page(run, tmp_path):
    with without_matplotlib(), reaching(**LATER, arrangement="polarity", threads=3) as others:
        figures("report", run, "--threads", "3", "--drift", "--out", str(tmp_path / "page.html"))
    assert not others


@pytest.mark.slow
def test_recalibration(run, tmp_path):
    readback = str(tmp_path / "readback.npy")
    figures("export", run)
    figures("chip", run, "--out", readback, "--state", "programmed")
    with reaching(**LATER, arrangement="polarity", threads=3, momentum=0.83, programs=False) as others:
        out = ["--out", str(tmp_path / "new")]
        figures("recalibrate", run, "--readback", readback, *out, "--relearn-steps", "2", "--threads", "3")
    assert not others


@pytest.mark.slow
def test_transfers(run, tmp_path):
    later = dict(LATER, chip_seed={4, 6})
    with reaching(**later, arrangement="polarity", threads=3, momentum=0.83, density=0.41) as others:
        options = ["--chip-seed", "6", "--epochs", "1", "--out", str(tmp_path / "moved")]
        figures("transfer", run, "--threads", "3", *options)
    assert not others


@pytest.mark.slow
def test_benches(run, runs, tmp_path):
    made = ["--out", str(tmp_path / "bench"), "--timeout", "7.5"]
    with reaching(level="cell", chip_seed=4, timeout_s=7.5) as others:
        assert call("bench", run, "--driver", "simulated", *made).code in (0, 1)
    assert not others
    options = [*words(MADE), "--driver", "simulated", "--timeout", "7.5", "--threads", "3"]
    given = {name: MADE[name] for name in ("level", "adc_bits", "chip_seed", "density")}
    with reaching(**given, arrangement="polarity", timeout_s=7.5, threads=3) as others:
        figures(*runs.arguments(str(tmp_path / "driven"), *options))
    assert not others


@pytest.mark.slow
def test_sweeps(run, tmp_path):
    made = ["--out", str(tmp_path / "study"), "--processes", "1", "--energy"]
    later = {name: value for name, value in LATER.items() if name != "adc_bits"}
    with reaching(**later, arrangement="polarity", adc_bits={6, 9}, age_s=1e4) as others:
        figures("sweep", "--run", run, "--vary", "adc_bits=6", "--set", "age_s=1e4", *made)
    assert not others

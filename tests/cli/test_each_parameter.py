"""Parameters of studies, in use and in training: a value that is changed changes a figure of its points."""

import csv
import os

import pytest

from ..support.options import call

pytestmark = pytest.mark.slow

USE = {
    "chip_seed": ("0", "5"),
    "read_noise": ("0.0065", "0.3"),
    "held_noise": ("false", "true", "read_noise=0.3"),
    "lrs_median_S": ("10e-6", "20e-6"),
    "lrs_sigma_ln": ("0.1", "0.9"),
    "stuck_lrs": ("0", "0.2"),
    "stuck_hrs": ("0", "0.2"),
    "faults": ("few.txt", "many.txt"),
    "adc_bits": ("8", "5"),
    "adc_arrangement": ("pair", "polarity"),
    "adc_offset_lsb": ("0", "2"),
    "adc_gain": ("0", "0.2"),
    "conditions.seed": ("0", "1", "adc_offset_lsb=2"),
    "wire_ohm": ("1", "50"),
    "row_ohm": ("1", "80"),
    "col_ohm": ("1", "80"),
    "split": ("validation", "test"),
    "draws": ("1", "3"),
    "samples": ("5", "12"),
}
"""parameter -> two values, and what else is set; of a run in use"""
AGEING = {
    "age_s": ("1e3", "3e8"),
    "compensated": ("false", "true", "age_s=3e8"),
    "drift_exponent": ("0.05", "0.2", "age_s=3e8"),
}
"""the same of a run whose cells drift"""
TRAINED = {
    "seed": ("0", "1"),
    "chip_seed": ("0", "1"),
    "technology": ("taox-40nm", "hfox-1t1r"),
    "lrs_median_S": ("10e-6", "20e-6"),
    "write_noise": ("0", "0.3"),
    "formed_share": ("0.4", "0.8"),
    "density": ("0.5", "0.7"),
    "level": ("pair", "cell"),
    "width": ("1", "0.5"),
    "widths.fc1": ("8", "16"),
    "input_bits": ("4", "2"),
    "adc_bits": ("8", "5"),
    "adc_arrangement": ("pair", "polarity"),
    "wire_ohm": ("1", "50"),
    "stuck_lrs": ("0", "0.2"),
    "epochs": ("1", "2"),
    "batch_size": ("20", "40"),
    "learning_rate": ("0.01", "0.3"),
    "momentum": ("0.9", "0.5"),
    "weight_decay": ("0", "0.1"),
    "hysteresis": ("0.01", "0.5"),
    "rows": ("64", "80"),
    "pairs": ("32", "40"),
}
SMALL = {"rows": "64", "pairs": "32", "batch_size": "20", "epochs": "1"}


def rows_of(folder, *command):
    """The rows of a sweep without what names the point and its time."""
    answer = call("sweep", *command, "--energy", "--out", str(folder))
    assert answer.code == 0, answer.err
    with open(os.path.join(str(folder), "sweep.csv"), newline="", encoding="utf-8") as handle:
        return [
            {key: text for key, text in row.items() if key not in ("point", "seconds")}
            for row in csv.DictReader(handle)
        ]


def check(rows, name):
    """Two whole rows, of which a figure differs that is not the parameter."""
    assert [row["error"] for row in rows] == ["", ""]
    assert [key for key in rows[0] if key != name and rows[0][key] != rows[1][key]]


def options(name, cases, folder):
    """Of a sweep over the two values of a parameter."""
    *values, kept = (*cases[name][:2], cases[name][2:])
    if name == "faults":
        values = [str(folder / file) for file in values]
    return ["--vary", f"{name}={','.join(values)}", *(part for one in kept for part in ("--set", one))]


@pytest.mark.parametrize("name", USE)
def test_a_condition_of_use(runs, tmp_path, name):
    for file, rows in (("few.txt", 1), ("many.txt", 60)):
        lines = (f"0 {row} {col} stuck_on\n" for row in range(rows) for col in range(0, 20, 2))
        (tmp_path / file).write_text("".join(lines))
    check(rows_of(tmp_path / "out", "--run", runs.trained(), *options(name, USE, tmp_path)), name)


@pytest.mark.parametrize("name", AGEING)
def test_an_age(runs, tmp_path, name):
    run = runs.trained("--technology", "pcm")
    check(rows_of(tmp_path / "out", "--run", run, *options(name, AGEING, tmp_path)), name)


def test_a_temperature(runs, tmp_path):
    hot = ["--vary", "temperature_K=300,420", "--set", "age_s=1e5"]
    check(rows_of(tmp_path / "out", "--run", runs.trained("--technology", "hfox-1t1r"), *hot), "temperature_K")


@pytest.mark.parametrize("name", TRAINED)
def test_a_parameter_of_training(runs, tmp_path, name):
    sizes = [part for one, value in SMALL.items() if one != name for part in ("--set", f"{one}={value}")]
    task = ["--task", "fashion-mnist", "--data", runs.data, "--preset", "quick", *sizes]
    check(rows_of(tmp_path / "out", *task, *options(name, TRAINED, tmp_path)), name)

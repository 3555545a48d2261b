"""A run goes on with another NumPy or BLAS where --anyway says so, and notes what it was."""

import json
import os
import shutil

import pytest

from minirram.runs.environment import environment

from ..support.options import call, figures, shows


def elsewhere(folder):
    """Let the run in a folder have been learned with another NumPy."""
    path = os.path.join(folder, "config.json")
    with open(path) as handle:
        value = json.load(handle)
    (known,) = value["environments"]
    assert known == environment().to_json()
    value["environments"] = [dict(known, numpy="1.0", kernel="Prescott")]
    with open(path, "w") as handle:
        json.dump(value, handle)
    return folder


def numpys(folder):
    with open(os.path.join(folder, "config.json")) as handle:
        return [entry["numpy"] for entry in json.load(handle)["environments"]]


@shows("train", "--anyway")
def test_a_run_from_elsewhere_is_refused_and_goes_on_anyway(runs):
    out = runs.path("elsewhere")
    shutil.copytree(runs.trained(), out)
    assert figures(*runs.arguments(elsewhere(out), "--resume"))["epochs"] == 1  # it has ended: nothing is learned
    more = runs.arguments(out, "--resume", "--epochs", "2")
    refused = call(*more)
    assert refused.code == 2 and "NumPy 1.0" in refused.err and "--anyway" in refused.err
    assert figures(*more, "--anyway")["epochs"] == 2
    assert numpys(out) == ["1.0", environment().numpy]
    unasked = call(*runs.arguments(runs.path("fresh"), "--anyway"))
    assert unasked.code == 2 and "--resume" in unasked.err


@shows("demo", "--anyway")
@shows("compare", "--anyway")
@shows("transfer", "--anyway")
@pytest.mark.parametrize("command", ["demo", "compare", "transfer"])
def test_anyway_is_noted_in_all_that_goes_on(command, runs, tmp_path):
    below = tmp_path / "out" / "pair" if command == "compare" else tmp_path / "out"
    shutil.copytree(runs.trained(), str(below))
    elsewhere(str(below))
    words = {
        "demo": ["demo", "--resume", "--adc-bits", "99"],
        "compare": ["compare", "fashion-mnist", "--data", runs.data, "--seeds", "-1"],
        "transfer": ["transfer", runs.trained(), "--epochs", "0"],
    }[command] + ["--out", str(tmp_path / "out")]
    assert call(*words).code == 2 and numpys(str(below)) == ["1.0"]  # refused for another reason
    assert call(*words, "--anyway").code == 2 and numpys(str(below)) == ["1.0", environment().numpy]

"""Every --json holds what its schema in docs/schemas says: no key more, none less, each of its type."""

import copy
import json

import numpy as np
import pytest

from minirram.cli import main, schemas

from ..support.options import figures
from ..support.places import ROOT, data_folder
from ..support.schemas import FOLDER, validator


@pytest.mark.slow
def test_the_schemas_are_those_of_the_types():
    """`python -m minirram.cli.schemas docs/schemas` writes them."""
    written = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}
    assert written == schemas.schemas() and set(written) == {*main.COMMANDS, schemas.TASK_FILE}


def test_schemas_are_written_as_files(tmp_path):
    schemas.write_schemas(str(tmp_path / "new"))
    for path in FOLDER.glob("*.json"):
        assert (tmp_path / "new" / path.name).read_text() == path.read_text()


def test_every_entry_is_described():
    def undescribed(entry, name):
        for key, value in entry.get("properties", {}).items():
            if not value.get("description"):
                yield f"{name}.{key}"
        for key, value in entry.get("definitions", {}).items():
            yield from undescribed(value, f"{name}/{key}")

    for command, described in schemas.schemas().items():
        assert list(undescribed(described, command)) == []


@pytest.fixture(scope="module")
def outputs(runs, tmp_path_factory):
    """{command: what it prints} of small runs."""
    folder = tmp_path_factory.mktemp("schemas")
    run, file, other, readback = runs.trained(), *(str(folder / name) for name in ("a.xbp", "b.xbp", "r.npy"))
    found = {"export": figures("export", run, "--out", file)}
    figures("export", runs.trained("--chip-seed", "1"), "--out", other, "--code-bits", "0")
    found["chip"] = figures("chip", run, "--out", readback, "--state", "programmed")
    wrong_S = np.load(readback)
    wrong_S[0, 0] = 2e-6
    np.save(readback, wrong_S)
    found["inspect"] = figures("inspect", found["export"]["targets"])
    found["verify"] = figures("verify", file, readback, "--run", run, code=1)
    found["recalibrate"] = figures("recalibrate", run, "--readback", readback, "--out", str(folder / "r"))
    found["diff"] = figures("diff", file, other, code=1)
    found["dump"] = figures("dump", file, "--format", "npy", "--out", str(folder / "arrays"))
    old = str(ROOT / "tests" / "xbp" / "files" / "format1.xbp")
    found["convert"] = figures("convert", old, "--out", str(folder / "c.xbp"))
    found["bench"] = figures("bench", run, "--driver", "simulated", "--out", str(folder / "bench"))
    found["repair"] = figures("repair", run, readback, "--out", str(folder / "repair.xbp"))
    found["train"] = runs.results()
    found["evaluate"] = figures("evaluate", run, "--draws", "2")
    found["report"] = figures("report", run, "--out", str(folder / "report.html"))
    found["energy"] = figures("energy", run, "--density", "0.3", "--macros", "1")
    found["doctor"] = figures("doctor")
    found["task"] = figures("task", "retina")
    found["networks"] = figures("networks", "--network", "vgg16")
    maps = [str(data_folder("devices", f"random_conductance_50x{k}.csv")) for k in (50, 8)]
    found["fit"] = figures("fit", *maps, "--unit", "uS")
    found["import"] = figures("import", maps[0], "--unit", "uS", "--out", str(folder / "map.npy"))
    found["paper"] = figures("paper", "--out", str(folder / "p"), "--results", str(ROOT / "docs" / "results"))
    found["transfer"] = figures("transfer", run, "--out", str(folder / "t"), "--epochs", "1", "--chip-seed", "3")
    return found


@pytest.mark.slow
def test_real_outputs_are_what_the_schemas_say(outputs):
    pytest.importorskip("jsonschema", reason="outputs are validated with jsonschema, of the extra 'test'")
    for command, value in outputs.items():
        validator(command).validate(value)
    # The options' tests validate compare, demo, fit-network, place, sweep and vectors, and many more outputs of these.
    assert set(outputs) == set(main.COMMANDS) - {"compare", "demo", "fit-network", "place", "sweep", "vectors"}


@pytest.mark.slow
def test_an_unknown_key_a_missing_one_and_a_wrong_type_are_faults(outputs):
    pytest.importorskip("jsonschema", reason="outputs are validated with jsonschema, of the extra 'test'")
    for command, value in outputs.items():
        check, name = validator(command), sorted(value)[0]
        first = value[name]
        assert not check.is_valid(dict(value, unheard_of=1) if command != "networks" else {name: dict(first, x=1)})
        assert not check.is_valid(dict(value, **{name: {"odd": [None]}})), (command, name)
        if command != "networks":
            assert not check.is_valid({key: entry for key, entry in value.items() if key != name})


def test_faults_deep_inside_are_found(outputs):
    pytest.importorskip("jsonschema", reason="outputs are validated with jsonschema, of the extra 'test'")
    places = [
        ("evaluate", ("ideal", "accuracy")),
        ("train", ("test", "ideal", "roc_auc")),
        ("energy", ("total", "range", "total_J", "high")),
        ("energy", ("by_matrix", "conv1", "by_plane", "array_J", 0)),
        ("energy", ("training", "host", "gpu_int8", "low")),
        ("verify", ("cells", 0, "why")),
        ("inspect", ("tiles", 0, "target_nS", "mean")),
        ("networks", ("vgg16", "account", "digital_hardware", "gpu_int8", "saved_fraction", "low")),
        ("fit", ("model", "lrs_median_S")),
        ("transfer", ("digital_only", "steps")),
    ]
    for command, path in places:
        value = copy.deepcopy(outputs[command])
        *above, last = path
        inner = value
        for key in above:
            inner = inner[key]
        inner[last] = {"not": "a number"}
        assert not validator(command).is_valid(value), (command, path)

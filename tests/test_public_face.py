"""The public face: what `import minirram` offers, lazily and typed, and that it does what the commands do."""

import inspect
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import minirram as mr
from minirram.cli import main
from minirram.errors import ConfigError, DataError, ShapeError
from minirram.files import read_npz
from minirram.json_codec import bare
from minirram.labfiles.maps import Policy
from minirram.nn.layers import base
from minirram.runs import run as run_module

from .support.places import ROOT


def in_a_process(script):
    """What a script prints in an interpreter of its own, as JSON."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=str(ROOT), stdout=subprocess.PIPE, check=True
    )
    return json.loads(result.stdout)


# -- names -------------------------------------------------------------------------------------------------------------


def test_every_name_is_there_and_listed():
    assert sorted(mr.__all__) == mr.__all__ and set(mr.__all__) == set(mr._HOMES)
    assert set(dir(mr)) == {*mr.__all__, "__version__"} and 20 <= len(mr.__all__) <= 30
    for name in mr.__all__:
        value = getattr(mr, name)
        assert value.__doc__, name
        if not inspect.ismodule(value):
            assert value.__module__ == "minirram." + mr._HOMES[name], name
    with pytest.raises(AttributeError, match="module 'minirram' has no attribute 'tune'"):
        getattr(mr, "tune")  # noqa: B009


def test_what_editors_see_is_what_is_loaded():
    """The imports under TYPE_CHECKING name the same things from the same modules."""
    source = inspect.getsource(mr)
    block = source[source.index("if TYPE_CHECKING") : source.index("else:\n")]
    seen = {}
    for line in block.splitlines()[1:]:
        module, names = line.strip().split(" import ")
        seen.update({name.strip(): module[len("from .") :] for name in names.split(",")})
    assert seen == mr._HOMES


def test_a_name_loads_what_it_needs_and_no_more():
    script = """
        import json, sys
        import minirram
        def loaded():
            return [name for name in sys.modules if name == "numpy" or name.startswith("minirram.")]
        found = [loaded()]
        minirram.MinirramError
        found.append(loaded())
        minirram.technology, minirram.Recipe, minirram.nn.Network
        found.append(loaded())
        print(json.dumps(found))
    """
    nothing, error, some = in_a_process(script)
    assert nothing == [] and error == ["minirram.errors"]
    assert "minirram.nn.network" in some
    assert not [name for name in some if name.startswith(("minirram.nn.engine", "minirram.runs", "minirram.inference"))]
    assert "minirram.learn.mask_learner" not in some


@pytest.mark.slow
@pytest.mark.parametrize("first", ["face", "modules"])
def test_an_import_of_any_module_leaves_the_face_as_it_is(first):
    """Importing a submodule sets an attribute of its package: no public name but a package's own may be one."""
    script = f"""
        import importlib, json, pathlib
        import minirram as mr
        names = [".".join(path.with_suffix("").parts) for path in pathlib.Path("minirram").rglob("*.py")]
        names = [name for name in names if not name.endswith(("__init__", "__main__"))]
        if {first!r} == "face":
            [getattr(mr, name) for name in mr.__all__]
        for name in names:
            importlib.import_module(name)
        print(json.dumps({{name: type(getattr(mr, name)).__name__ for name in mr.__all__}}))
    """
    kinds = in_a_process(script)
    assert {name for name, kind in kinds.items() if kind == "module"} == {"nn", "xbp", "conformance"}
    assert kinds["energy"] == kinds["evaluate"] == kinds["train"] == "function"


def test_the_names_of_nn_are_all_layers_and_the_network():
    layers = {kind.__name__ for kind in base._CLASSES.values() if kind.__module__.startswith("minirram.nn.layers.")}
    assert set(mr.nn.__all__) == layers | {"Layer", "Network"}


@pytest.mark.slow
def test_types_that_mypy_sees(tmp_path):
    api = pytest.importorskip("mypy.api")
    user = tmp_path / "user.py"
    user.write_text(
        textwrap.dedent(
            """
            import minirram as mr

            run = mr.Run("runs/mine")
            reveal_type(run.evaluate("test").accuracy)
            reveal_type(mr.energy)
            reveal_type(mr.nn.Linear("fc", 36, 2))
            run.evaluate("test", drws=3)
            mr.tune
            """
        )
    )
    out, _, _ = api.run(
        ["--config-file=", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache"), str(user)]
    )
    assert 'Revealed type is "builtins.float"' in out and "minirram.nn.layers.linear.Linear" in out
    assert 'Unexpected keyword argument "drws"' in out and 'Module has no attribute "tune"' in out
    assert "Found 2 errors" in out, out


# -- a run of arrays, by the library and by the command line -----------------------------------------------------------


def stripes(n=420, seed=0):
    """(images (n, 6, 6) float, labels): bright rows or bright columns, in noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    row, col = np.mgrid[0:6, 0:6]
    bright = np.where(labels[:, None, None] == 0, row, col) % 2
    return bright + 0.3 * generator.standard_normal((n, 6, 6)), labels


NETWORK = mr.nn.Network("mine", (6, 6, 1), 4, (mr.nn.Flatten("f"), mr.nn.Linear("fc", 36, 2)))
RECIPE = mr.Recipe(epochs=6, batch_size=20, hysteresis=0.001, hysteresis_end=0.001)
LINES = mr.ChipLines(rows=64, pairs=32)
"""of macros that the small networks fill"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on arrays of the caller."""
    data = mr.LabelledData.split(*stripes(), class_names=("rows", "columns"), origin="drawn for a test")
    return mr.train(NETWORK, data, RECIPE, out=tmp_path_factory.mktemp("face") / "run", lines=LINES)


def call_json(capsys, *arguments):
    """The JSON object that a good command prints."""
    capsys.readouterr()
    code = main.main(list(map(str, arguments)) + ["--json"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return json.loads(captured.out)


def shown(result):
    """A result as a command prints it."""
    return json.loads(json.dumps(bare(result)))


def timeless(value):
    """A JSON object without what a clock or a counter of looks says."""
    if not isinstance(value, dict):
        return value
    clocks = ("training_seconds", "samples_per_second", "test_openings")
    return {key: timeless(item) for key, item in value.items() if key not in clocks}


def test_the_library_and_the_commands_give_the_same_figures_and_files(run, tmp_path, capsys):
    again = shown(run.evaluate("test", draws=2))
    assert timeless(call_json(capsys, "evaluate", run.folder, "--split", "test", "--draws", "2")) == timeless(again)
    assert again["accuracy"] > 0.8 and run.results.test.accuracy > 0.8

    options = ["--adc-bits", "6", "--density", "0.3"]
    found = run.energy(adc_bits=6, densities=(0.3,))
    assert call_json(capsys, "energy", run.folder, *options) == shown(found)

    mine, theirs = tmp_path / "mine.xbp", tmp_path / "theirs" / "theirs.xbp"
    theirs.parent.mkdir()
    exported = shown(run.export(mine, code_bits=16))
    paths = {"file": str(mine), "targets": str(tmp_path / "targets.xbp")}
    assert dict(call_json(capsys, "export", run.folder, "--out", theirs, "--code-bits", "16"), **paths) == exported
    assert mine.read_bytes() == theirs.read_bytes()
    for name in ("evaluate", "energy", "export"):  # the functions take a folder or a run
        assert getattr(mr.Run, name) is getattr(mr, name)
    assert timeless(shown(mr.evaluate(run.folder))) == timeless(shown(run.evaluate()))


def test_a_run_carries_its_arrays(run):
    data = mr.LabelledData.split(*stripes())
    arrays = read_npz(run.folder + "/data.npz")
    np.testing.assert_array_equal(arrays["test_inputs"], data.test.inputs)
    np.testing.assert_array_equal(arrays["train_labels"], data.training.labels)
    config = json.loads(Path(run.folder, "config.json").read_text())
    assert config["data"] == "." and config["data_crc"] == run.config.data_crc > 0
    layout = config["layout"]
    assert layout["class_names"] == ["rows", "columns"] and layout["input_shape"] == [6, 6]
    assert not layout["per_pixel"] and str(arrays["origin"]) == "drawn for a test"
    assert layout["codes"]["low"] == [data.training.inputs.min()]
    assert layout["codes"]["high"] == [data.training.inputs.max()]


@pytest.mark.parametrize(
    "function, step",
    [
        (mr.evaluate, "evaluate_step.evaluate"),
        (mr.energy, "energy_step.account"),
        (mr.export, "export_step.export"),
        (mr.recalibrate, "recalibrate_step.recalibrate"),
    ],
)
def test_every_argument_arrives_under_its_name(function, step, monkeypatch):
    """Each is something of its own, which the step behind the face receives as it was given."""
    received = {}

    def seen(*arguments, **named):
        received.update(named, **{f"place {k}": value for k, value in enumerate(arguments)})
        for change in ("what_if", "as_if"):
            received.update(vars(named[change]) if change in named else {})

    monkeypatch.setattr("minirram.runs.run." + step, seen)
    numbers = {"adc_bits": 7, "input_bits": 3, "read_voltage_V": 0.11, "read_time_s": 3e-7, "macros": 2}
    checked = dict(numbers, densities=(0.3,)) if function is mr.energy else {}
    given = {name: checked.get(name, f"of {name}") for name in inspect.signature(function).parameters}
    function(**given)
    for name, value in given.items():
        assert received.get(name) == value or value in [received[key] for key in received if key.startswith("place")]


def test_a_run_that_was_moved_is_evaluated_where_it_lies(run, tmp_path, capsys):
    import shutil

    moved = tmp_path / "moved"
    shutil.copytree(run.folder, str(moved))
    score = call_json(capsys, "evaluate", moved, "--split", "test")
    assert timeless(score) == timeless(shown(run.evaluate("test")))


def test_a_training_that_was_stopped_goes_on_by_either_door(run, tmp_path, capsys):
    data = mr.LabelledData.split(*stripes(), class_names=("rows", "columns"), origin="drawn for a test")

    def stop(row):
        raise KeyboardInterrupt

    for name in ("library", "command"):
        with pytest.raises(KeyboardInterrupt):
            mr.train(NETWORK, data, RECIPE, out=tmp_path / name, lines=LINES, progress=stop)
        with pytest.raises(DataError, match="the training of this run has not ended"):
            mr.Run(tmp_path / name)
    resumed = mr.train(NETWORK, data, RECIPE, out=tmp_path / "library", lines=LINES, resume=True)
    assert timeless(shown(resumed.results)) == timeless(shown(run.results))
    folder = tmp_path / "command"
    (tmp_path / "lines.json").write_text(json.dumps({"rows": 64, "pairs": 32}))
    options = ["--out", folder, "--dead-lines", tmp_path / "lines.json", "--resume"]
    found = dict(call_json(capsys, "train", "mine", "--data", folder, *options), readings=[])
    assert timeless(found) == timeless(shown(run.results))
    other = mr.LabelledData.split(*stripes(seed=1), class_names=("rows", "columns"))
    with pytest.raises(ConfigError, match="choose another folder"):
        mr.train(NETWORK, other, RECIPE, out=tmp_path / "library", lines=LINES, resume=True)


def _map_and_faults(folder):
    """(keywords, options): a measured map, and cells that are stuck."""
    np.save(folder / "map.npy", np.random.default_rng(5).lognormal(np.log(12.0), 0.15, (256, 128)))
    (folder / "stuck.txt").write_text("0 3 4 stuck_on\n0 5 6 stuck_off\n")
    paths = str(folder / "map.npy"), str(folder / "stuck.txt")
    options = ["--map", paths[0], "--unit", "uS", "--faults", paths[1]]
    return {"maps": [paths[0]], "unit": "uS", "faults": paths[1]}, options


def _lines_and_cell(folder):
    """(keywords, options): dead lines, and cells of another technology."""
    (folder / "dead.json").write_text(
        json.dumps({"rows": 256, "pairs": 64, "dead_rows": [[0, 2]], "dead_cols": [[0, 9]]})
    )
    lines = mr.ChipLines(dead_rows=((0, 2),), dead_cols=((0, 9),), rows=256, pairs=64)
    return {"lines": lines, "cell": "hfox-1t1r"}, ["--dead-lines", folder / "dead.json", "--technology", "hfox-1t1r"]


def _converters_and_wires(folder):
    """(keywords, options): converters, and lines that drop voltage."""
    keywords = {"adc_bits": 10, "adc_arrangement": "polarity", "wires": mr.Wires(2.0, 2.0)}
    return keywords, ["--adc-bits", "10", "--adc-arrangement", "polarity", "--wire-ohm", "2"]


@pytest.mark.parametrize(
    "chosen",
    [_map_and_faults, _lines_and_cell, pytest.param(_converters_and_wires, marks=pytest.mark.slow)],
)
def test_a_task_by_its_name_is_trained_as_by_the_command(chosen, tmp_path, capsys, monkeypatch):
    from dataclasses import replace

    from minirram.tasks.fashion_mnist import fashion_mnist_cnn
    from minirram.tasks.registry import TASKS

    from .support.tiny import save_garments

    save_garments(tmp_path, train=240, validation=20, test=20)
    fashion = TASKS["fashion-mnist"]
    quick = replace(RECIPE, epochs=1, batch_size=120)
    small = replace(fashion, network=fashion_mnist_cnn(conv1=8, conv2=4, hidden=16), recipes={"quick": quick})
    monkeypatch.setitem(TASKS, "fashion-mnist", small)
    keywords, options = chosen(tmp_path)
    mine = mr.train("fashion-mnist", tmp_path, "quick", out=tmp_path / "mine", **keywords)
    options = ["--preset", "quick", "--out", tmp_path / "theirs", *options]
    theirs = call_json(capsys, "train", "fashion-mnist", "--data", tmp_path, *options)
    told = [one for one in theirs["readings"] if one["layout"] != "dead lines"]  # which `lines` has without a file
    assert timeless(dict(theirs, readings=told)) == timeless(shown(mine.results))
    for name in ("config.json", "masks.npz", "model.npz", "chip.npz"):
        assert (tmp_path / "mine" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes(), name


KINDS = {
    "features": ((5,), (1, 1, 5), 0),
    "windows": ((12,), (1, 12, 1), 8),
    "windows of channels": ((12, 3), (1, 12, 3), 0),
    "colour images": ((4, 4, 3), (4, 4, 3), 0),
    "four channels": ((4, 4, 4), (4, 4, 4), 0),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_sample_is_learned_from(kind, tmp_path):
    sample, shape, zero = KINDS[kind]
    generator = np.random.default_rng(3)
    labels = np.arange(300) % 2
    inputs = generator.standard_normal((300,) + sample) + 1.5 * (2 * labels - 1).reshape((-1,) + (1,) * len(sample))
    inputs *= np.linspace(1, 50, sample[-1])  # channels of their own scales
    nn, size = mr.nn, int(np.prod(shape))
    layers = (nn.Flatten("f"), nn.Linear("fc1", size, 16), nn.BatchNorm("bn", 16), nn.Relu("relu"))
    layers += (nn.Quantize("act", 4), nn.Linear("fc2", 16, 2))
    network = nn.Network("kind", shape, 4, layers, input_zero=zero)
    run = mr.train(network, mr.LabelledData.split(inputs, labels), RECIPE, out=tmp_path / "run", lines=LINES)
    assert run.evaluate("test").accuracy > 0.8
    assert mr.Run(str(tmp_path / "run")).evaluate().accuracy == run.results.validation.accuracy


def test_what_cannot_be_trained_says_why(tmp_path):
    data = mr.LabelledData.split(*stripes())
    three = mr.nn.Network("three", (6, 6, 1), 4, (mr.nn.Flatten("f"), mr.nn.Linear("fc", 36, 3)))
    with pytest.raises(ShapeError, match="network three gives 3 classes; the data have 2"):
        mr.train(three, data, RECIPE, out=tmp_path / "run")
    with pytest.raises(ConfigError, match="network mine learns from LabelledData"):
        mr.train(NETWORK, "synthetic", RECIPE, out=tmp_path / "run")
    with pytest.raises(ConfigError, match="network mine has no recipe 'quick'; give a Recipe"):
        mr.train(NETWORK, data, "quick", out=tmp_path / "run")
    with pytest.raises(ConfigError, match="no task 'mnist'"):
        mr.train("mnist", "synthetic", out=tmp_path / "run")
    with pytest.raises(DataError, match="not a run folder"):
        mr.Run(tmp_path)
    assert not (tmp_path / "run").exists()


def test_measured_maps_arrive_with_their_unit_their_faults_and_their_policy(monkeypatch):
    """As far as the value that carries them; the command's tests follow that."""

    class Seen(Exception):
        pass

    def carried(*arguments):
        raise Seen(*arguments)

    monkeypatch.setattr(run_module, "ChipFiles", carried)
    policy = Policy(missing="unformed")
    with pytest.raises(Seen) as seen:
        mr.train("fashion-mnist", "synthetic", maps=["a.npy"], unit="uS", faults="f.npy", policy=policy, out="none")
    assert seen.value.args == (("a.npy",), "uS", "f.npy", policy)

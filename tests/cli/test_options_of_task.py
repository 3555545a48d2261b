"""`task`, and tasks that are files: options and their effects; what is wrong is named with its place."""

import json

import numpy as np
import pytest

from minirram.cli.network_file import graph_of
from minirram.tasks.registry import TASKS
from minirram.tasks.task_file import NetworkPart, read_task_file

from ..support import own_task
from ..support.options import call, figures, shows


@pytest.fixture
def mine(tmp_path):
    """A folder with the files of a small task of features."""
    own_task.features(str(tmp_path))
    return tmp_path


@shows("task", "TASK", "--out")
@pytest.mark.parametrize("name", list(TASKS))
def test_the_json_of_a_built_in_task_is_that_task(tmp_path, name):
    path = str(tmp_path / "built-in.json")
    told = call("task", name).out
    shown = figures("task", name, "--out", path)
    assert shown["document"] == told.rstrip("\n") and shown["file"] == path
    assert json.loads(told) == json.loads((tmp_path / "built-in.json").read_text())
    if name not in ("fashion-mnist", "retina"):  # `call` gives those two small networks
        assert read_task_file(path).complete() == TASKS[name]


@shows("task", "--data", "--check")
def test_a_draft_fits_its_data_and_a_check_says_what_they_are(mine):
    draft, data = str(mine / "draft.json"), str(mine / "mine.csv")
    shown = figures("task", "--data", data, "--out", draft)
    assert (
        shown["name"] == "draft"
        and shown["file"] == draft
        and shown["data"]["samples"] == {"train": 102, "validation": 24, "test": 24}
    )
    assert [layer["output"] for layer in shown["layers"]][-1] == [3]
    for path in (draft, str(mine / "mine.json")):
        checked = figures("task", "--check", path, "--data", data)
        assert not checked["problems"] and checked["data"] == shown["data"] and checked["document"] is None
    assert figures("task", "--check", draft)["data"] is None
    assert "nothing is wrong" in call("task", "--check", draft, "--data", data).out


@shows("task", "--label", "--leave-out", "--split", "--validation", "--test", "--seed", "--missing")
def test_a_draft_reads_its_data_as_asked_and_its_file_says_so(tmp_path):
    path, draft = str(tmp_path / "lab.csv"), str(tmp_path / "draft.json")
    rows = [f"{'ab'[k % 2]};S{k:03d};{k % 7},5;{'' if k == 3 else k};{'test' if k < 8 else 'train'}" for k in range(80)]
    (tmp_path / "lab.csv").write_text("\n".join(["kind;specimen;left;right;part", *rows]) + "\n")
    stated = ["--label", "kind", "--split", "part", "--validation", "0.25"]
    refused = call("task", "--data", path, *stated)
    assert refused.code == 3 and "specimen: 'S000' is no number" in refused.err and "--leave-out" in refused.err
    stated += ["--leave-out", "specimen"]
    refused = call("task", "--data", path, *stated)
    assert refused.code == 3 and "line 5, right: no number" in refused.err and "--missing" in refused.err
    stated += ["--missing", "mean", "--seed", "5"]
    shown = figures("task", "--data", path, "--out", draft, *stated)
    assert shown["data"]["samples"] == {"train": 54, "validation": 18, "test": 8}
    assert "'specimen' left out" in shown["data"]["taken"] and "seed 5" in shown["data"]["split"]
    assert figures("task", "--check", draft, "--data", path)["data"] == shown["data"]
    drawn = figures("task", "--data", path, "--label", "kind", "--leave-out", "specimen", "part", "--missing", "drop",
                    "--test", "0.5")  # fmt: skip
    assert drawn["data"]["samples"]["test"] == 40
    refused = call("task", "--check", draft, "--missing", "mean")
    assert refused.code == 2 and "--missing: of a draft" in refused.err


def test_a_task_by_its_name_is_checked_with_its_data(runs):
    checked = figures("task", "--check", "fashion-mnist", "--data", runs.data, code=3)
    assert "the training set has 60 samples" in checked["problems"][0]["what"]
    alone = figures("task", "--check", "fashion-mnist")
    assert alone["data"] is None and alone["layers"] == checked["layers"]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["spoken-digits", "--check", "--network", "graph.onnx"], "--network belongs to the check of a .json file"),
        (["spoken-digits", "--check", "--out", "new.json"], "writes nothing"),
        (["--check"], "takes a TASK"),
        (["spoken-digits", "--network", "graph.onnx"], "--network goes with --check"),
        (["spoken-digits", "--data", "mine.csv"], "--data goes with --check"),
        (["spoken-digits", "--missing", "mean"], "--missing: of a draft"),
        (["mine.json", "--out", "new.json"], "is the JSON of a task already"),
        ([], "name a TASK, or --data"),
    ],
)
def test_options_that_exclude_each_other_are_named_and_nothing_is_written(mine, monkeypatch, arguments, said):
    monkeypatch.chdir(mine)
    before = sorted(path.name for path in mine.iterdir())
    refused = call("task", *arguments)
    assert refused.code == 2 and said in refused.err
    assert sorted(path.name for path in mine.iterdir()) == before


def test_a_check_names_every_wrong_layer_and_exits_with_3(mine):
    value = json.loads((mine / "mine.json").read_text())
    value["network"]["layers"][1]["in_features"] = "seven"
    value["network"]["layers"][3]["type"] = "ReLU"
    (mine / "wrong.json").write_text(json.dumps(value))
    found = figures("task", "--check", str(mine / "wrong.json"), code=3)
    places = [(problem["where"], problem["layer"]) for problem in found["problems"]]
    assert places == [("network.layers[1]", "fc1"), ("network.layers[3]", "relu")]
    told = call("task", "--check", str(mine / "wrong.json")).out
    assert "wrong: network.layers[1]: layer fc1: in_features is 'seven', not an integer" in told
    assert "or is it Relu?" in told


def test_a_check_says_which_number_would_fit(mine):
    value = json.loads((mine / "mine.json").read_text())
    value["network"]["layers"][5]["in_features"] = 13
    (mine / "wrong.json").write_text(json.dumps(value))
    (problem,) = figures("task", "--check", str(mine / "wrong.json"), code=3)["problems"]
    assert (problem["where"], problem["layer"]) == ("network.layers[5]", "fc2")
    assert (
        "its input is (12,), expected (13,)" in problem["what"] and "in_features would have to be 12" in problem["what"]
    )


@pytest.mark.slow
@shows("task", "--network")
def test_a_check_takes_the_graph_of_another_file(mine):
    onnx = pytest.importorskip("onnx", reason="graphs are read with onnx, of the extra 'onnx'")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(*end) for end in (("x", number, [1, 7]), ("y", number, [1, 3]))]
    weight = onnx.numpy_helper.from_array(np.ones((7, 3), np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(mine / "graph.onnx"))
    value = json.loads((mine / "mine.json").read_text())
    del value["network"]["layers"]
    (mine / "apart.json").write_text(json.dumps(value))
    arguments = ["task", "--check", str(mine / "apart.json"), "--data", str(mine / "mine.csv")]
    assert "no network was given apart" in figures(*arguments, code=3)["problems"][0]["what"]
    assert figures(*arguments, "--network", str(mine / "graph.onnx"))["weights"] == 21
    results = call("train", *arguments[2:], "--network", str(mine / "graph.onnx"), "--out", str(mine / "run"))
    assert results.code == 0, results.err
    assert call("task", "retina", "--network", "graph.onnx").code == 2
    signed = NetworkPart("signed", (1, 1, 7), 8, input_zero=100)
    found = graph_of(str(mine / "graph.onnx"), signed)
    assert (found.input_zero, found.input_bits, found.input_shape) == (100, 8, (1, 1, 7))


@pytest.mark.slow
@shows("verify", "--simulate")
def test_a_simulated_readback_is_said_and_is_a_noisy_read_of_the_chip(runs, tmp_path):
    file = str(tmp_path / "program.xbp")
    figures("export", runs.trained(), "--out", file)
    loose, tight = (
        figures("verify", file, "--simulate", "--run", runs.trained(), "--tolerance", tolerance, code=code)
        for tolerance, code in (("0.1", 0), ("0.001", 1))
    )
    assert loose["simulated"] and loose["differing"] == 0
    kept = np.count_nonzero(runs.chip("programmed") > 4.1e-6)
    assert 0.5 * kept < tight["differing"] <= kept and tight["bit_errors"] == 0  # read noise 0.65 %, beyond 0.1 %
    assert "nothing was measured" in call("verify", file, "--simulate", "--run", runs.trained()).out
    for arguments in (["--simulate"], [], ["r.npy", "--simulate", "--run", runs.trained()]):
        assert call("verify", file, *arguments).code == 2


@pytest.mark.slow
def test_a_task_that_is_a_file_is_compared_with_its_data(mine):
    """Its layout is that of its data: no task that is registered has it."""
    made = ["--out", str(mine / "compared"), "--arms", "pair", "--seeds", "0", "--epochs", "1"]
    summary = figures("compare", str(mine / "mine.json"), "--data", str(mine / "mine.csv"), *made)
    assert [row["arm"] for row in summary["arms"]] == ["pair"]

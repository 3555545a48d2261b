"""The check of a task's file: each thing that can be wrong, its place, and what would be right; and the JSON schema."""

import copy
import functools
import json

import numpy as np
import pytest

from minirram.cli.schemas import task_file_schema
from minirram.errors import ConfigError, DataError
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.norm import BatchNorm
from minirram.runs.task_check import check_file
from minirram.tasks.draft import draft
from minirram.tasks.labelled_data import LabelledData
from minirram.tasks.registry import TASKS
from minirram.tasks.task_file import read_task_file, task_document, write_task_file

from ..support import own_task
from ..support.options import call


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """(folder with the files of a task of 7 features and 3 classes, its JSON)."""
    folder = tmp_path_factory.mktemp("check")
    own_task.features(str(folder))
    return folder, json.loads((folder / "mine.json").read_text())


def changed(value, place, new):
    """A copy of a JSON value with another entry at a place; None: without that entry."""
    value = copy.deepcopy(value)
    *above, last = place
    inner = value
    for key in above:
        inner = inner.setdefault(key, {}) if isinstance(key, str) else inner[key]
    if new is None:
        del inner[last]
    else:
        inner[last] = new
    return value


LAYERS = ("network", "layers")
RECIPE = ("recipes", "full")
FAULTS = [
    (
        (*LAYERS, 1, "out_features"),
        0,
        "network.layers[1]",
        "fc1",
        "out_features = 0, expected an integer of at least 1",
    ),
    ((*LAYERS, 1, "type"), "linear", "network.layers[1]", "fc1", "or is it Linear?"),
    ((*LAYERS, 2, "channels"), None, "network.layers[2]", "bn", "channels is missing"),
    ((*LAYERS, 2, "chanels"), 12, "network.layers[2]", "bn", "a BatchNorm has the fields name, channels, affine"),
    ((*LAYERS, 1, "in_features"), 9, "network.layers[1]", "fc1", "in_features would have to be 7"),
    ((*LAYERS, 2, "channels"), 11, "network.layers[2]", "bn", "channels would have to be 12"),
    (
        (*LAYERS, 0),
        {"type": "Relu", "name": "r"},
        "network.layers[1]",
        "fc1",
        "put a Flatten or a GlobalAverage before it",
    ),
    ((*LAYERS, 4), {"type": "Relu", "name": "r"}, "network.layers[5]", "fc2", "put a Quantize before it"),
    (("network", "input_bits"), 9, "network", None, "input_bits is 9; it must be 1 to 8"),
    (("network", "input_shape"), [1, 7], "network.input_shape", None, "not a list of 3"),
    (("network", "input_zero"), 0, "network", None, "input_zero is 0, which is unsigned"),
    (("network", "input_zero"), 16, "network", None, "input_zero is 16, no code of 4 bits"),
    (("network", "signd"), True, "network.signd", None, "is not known"),
    (("layout", "class_names"), ["x", "y"], "data", None, "class 'z' is none of x, y"),
    (("layout", "per_pixel"), True, "data", None, "and the samples have a label each"),
    ((*RECIPE, "epochs"), 0, "recipes.full", None, "epochs is 0; it must be at least 1"),
    ((*RECIPE, "batch_size"), 500, "recipes.full", None, "batch size 500: the training set has 102 samples"),
    (("data", "missing"), "zero", "data", None, "choose one of error, drop, mean"),
    (("data", "label"), "mood", "data", None, "no column 'mood'"),
    (("drawn",), "mnist", "", None, "choose one of fashion-mnist"),
    (("name",), None, "name", None, "name is missing"),
]


@pytest.mark.parametrize("place, new, where, layer, what", FAULTS)
def test_a_fault_is_named_with_its_place_and_its_remedy(mine, tmp_path, place, new, where, layer, what):
    folder, value = mine
    (tmp_path / "wrong.json").write_text(json.dumps(changed(value, place, new)))
    found = check_file(str(tmp_path / "wrong.json"), str(folder / "mine.csv"))
    (problem,) = found.problems
    assert what in problem.what and problem.layer == layer
    assert problem.where == where or not where


def test_a_file_without_a_fault_has_no_problem(mine):
    folder, _ = mine
    found = check_file(str(folder / "mine.json"), str(folder / "mine.csv"))
    assert found.problems == () and (found.weights, found.macros) == (7 * 12 + 12 * 3, 1)
    assert found.data.samples["train"] == 102
    assert [layer.output for layer in found.layers] == [(7,), (12,), (12,), (12,), (12,), (3,)]


def test_what_is_no_json_is_an_error_with_its_line(tmp_path):
    (tmp_path / "broken.json").write_text('{"name": "x",\n "network": }')
    with pytest.raises(DataError, match="broken.json: not a JSON file .*line 2"):
        check_file(str(tmp_path / "broken.json"))


# -- the schema --------------------------------------------------------------------------------------------------------


@functools.lru_cache(None)
def validator():
    jsonschema = pytest.importorskip("jsonschema", reason="schemas are validated with jsonschema, of the extra 'test'")
    jsonschema.Draft7Validator.check_schema(task_file_schema())
    return jsonschema.Draft7Validator(task_file_schema())


@pytest.mark.slow
def test_the_schema_takes_the_files_of_the_built_in_tasks_and_of_a_user(mine):
    documents = [json.loads(json.dumps(task_document(task))) for task in TASKS.values()]
    for document in [*documents, mine[1], {"name": "least"}]:
        assert list(validator().iter_errors(document)) == []


@pytest.mark.parametrize("place, new", [fault[:2] for fault in FAULTS if fault[0][-1] in ("chanels", "signd", "name")])
def test_the_schema_refuses_what_is_not_known_or_missing(mine, place, new):
    assert not validator().is_valid(changed(mine[1], place, new))


def test_the_schema_refuses_wrong_types_deep_inside(mine):
    for place in ((*LAYERS, 1, "in_features"), (*LAYERS, 4, "bits"), (*RECIPE, "epochs"), ("data", "seed")):
        assert not validator().is_valid(changed(mine[1], place, "four")), place


# -- files and drafts --------------------------------------------------------------------------------------------------


def test_a_file_leaves_open_what_only_data_can_say(mine, tmp_path):
    stated = read_task_file(str(mine[0] / "mine.json"))
    with pytest.raises(ConfigError, match="layout.input_shape is left to the data; name a file of data"):
        stated.complete()
    assert stated.own_network().input_zero == 8
    no_layers = changed(mine[1], LAYERS, None)
    (tmp_path / "apart.json").write_text(json.dumps(no_layers))
    with pytest.raises(ConfigError, match="network.layers is missing, and no network was given apart"):
        read_task_file(str(tmp_path / "apart.json")).own_network()
    given_apart = read_task_file(str(tmp_path / "apart.json"))
    data = LabelledData.split(*own_task.blobs(60, 7, 3))
    assert given_apart.complete(data, network=stated.own_network()).network == stated.own_network()


def test_a_draft_in_time_slides_along_time_alone():
    data = LabelledData.split(np.random.default_rng(0).uniform(0, 1, (40, 64, 3)), np.arange(40) % 4)
    first, second, _ = (layer for layer in draft("mine", data).network.layers if isinstance(layer, Conv2d))
    assert (first.kernel, first.stride, first.padding, first.groups) == ((1, 5), (1, 1), (0, 2), 1)
    assert all(layer.affine for layer in draft("mine", data).network.layers if isinstance(layer, BatchNorm))
    assert (second.kernel, second.stride, second.padding, second.groups) == ((1, 5), (1, 2), (0, 2), 1)


@pytest.mark.parametrize(
    "sample, kinds",
    [((9,), {"Linear"}), ((40,), {"Linear"}), ((64, 3), {"Conv2d"}), ((17, 19), {"Conv2d"}), ((33, 21, 4), {"Conv2d"})],
)
@pytest.mark.parametrize("low", [0, -1])
def test_a_draft_is_a_task_that_the_data_enter(tmp_path, sample, kinds, low):
    generator = np.random.default_rng(0)
    data = LabelledData.split(generator.uniform(low, 1, (40, *sample)), np.arange(40) % 4)
    task = draft("mine", data)
    assert bool(task.network.input_zero) == (low < 0)
    assert {type(layer).__name__ for layer in task.network.layers if layer.matrices()} >= kinds
    write_task_file(str(tmp_path / "mine.json"), task_document(task))
    assert read_task_file(str(tmp_path / "mine.json")).complete() == task
    codes = task.layout.codes.codes(data.training.inputs, task.network)
    assert codes.shape[1:] == task.network.input_shape and codes.max() == 15


def test_a_task_s_file_that_was_edited_is_not_overwritten(mine, tmp_path):
    path = str(tmp_path / "mine.json")
    write_task_file(path, mine[1])
    write_task_file(path, mine[1])
    with pytest.raises(ConfigError, match="is there, and may have been edited"):
        write_task_file(path, changed(mine[1], ["name"], "other"))
    assert json.loads((tmp_path / "mine.json").read_text()) == mine[1]


def test_a_table_is_no_file_of_a_task(tmp_path):
    (tmp_path / "mine.csv").write_text("1,2,a\n")
    told = call("task", "--check", str(tmp_path / "mine.csv"), "--data", str(tmp_path / "mine.json"))
    assert told.code == 2 and "--check takes the .json file of a task" in told.err

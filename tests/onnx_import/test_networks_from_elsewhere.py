"""Networks that nobody here wrote, those of the package onnx: computed right, or the operator that is missing named."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the package onnx: pip install '.[onnx]'")
pytest.importorskip("onnxruntime", reason="needs the package onnxruntime")

from minirram.chip.placement import place  # noqa: E402
from minirram.errors import DataError  # noqa: E402
from minirram.nn.forward import plain_forward  # noqa: E402
from minirram.nn.network import matrices, weights_by_layer  # noqa: E402
from minirram.onnx_import import network_from_onnx  # noqa: E402
from minirram.onnx_import.operators import OPERATORS  # noqa: E402

from ..support.onnx_models import light_model, numbers, runtime_answer, save  # noqa: E402
from .test_operators import ours  # noqa: E402

WEIGHTS = {
    "resnet50": 25_502_912,
    "vgg19": 143_652_544,
    "squeezenet": 1_231_552,
    "densenet121": 7_894_208,
    "inception_v2": 11_174_080,
    "shufflenet": 1_365_464,
    "inception_v1": 6_990_272,
    "bvlc_alexnet": 60_954_656,
    "zfnet512": 87_242_528,
}
"""the whole networks, and their weights"""


@pytest.mark.slow
@pytest.mark.parametrize("name", list(WEIGHTS))
def test_a_whole_network_gives_the_logits_of_onnxruntime(name: str, tmp_path: Any) -> None:
    """At its own size, 224 x 224."""
    model = light_model(name)
    x = numbers((1, 3, 224, 224), 1)
    expected = runtime_answer(model, x).reshape(-1)
    path = save(model, tmp_path / "m.onnx")
    del model
    imported = network_from_onnx(path, weights=True)
    assert imported.weights is not None
    assert sum(weights_by_layer(imported.network).values()) == WEIGHTS[name]
    assert place(matrices(imported.network)).n_pairs == WEIGHTS[name]
    image = x.transpose(0, 2, 3, 1)
    found = plain_forward(imported.network, imported.weights, state=imported.state, x=image).reshape(-1)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", list(WEIGHTS))
def test_the_graph_alone_is_read_without_its_weights(name: str) -> None:
    path = f"{onnx.__path__[0]}/backend/test/data/light/light_{name}.onnx"
    imported = network_from_onnx(path)
    assert imported.weights is None and sum(weights_by_layer(imported.network).values()) == WEIGHTS[name]


def with_constants(case: Any) -> Any:
    """(model of a node test whose inputs but the first are constants, first input, whether it may be compared)"""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs, _ = case.data_sets[0]
    names = [value.name for value in model.graph.input]
    for name, array in zip(names[1:], inputs[1:]):
        if not isinstance(array, (np.ndarray, np.generic)):
            return model, None
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
        (value,) = [value for value in model.graph.input if value.name == name]
        model.graph.input.remove(value)
    del model.graph.output[1:]
    return model, np.asarray(inputs[0]) if inputs and isinstance(inputs[0], np.ndarray) else None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_node_tests_of_onnx_are_right_or_the_node_is_named(tmp_path: Any) -> None:
    """Every one of more than 1,500; those with a layer give the numbers of onnxruntime."""
    from onnx.backend.test.loader import load_node_model_tests

    right: Any = Counter()
    for case in load_node_model_tests():
        model, x = with_constants(case)
        path = save(model, tmp_path / "m.onnx")
        kind = model.graph.node[0].op_type if len(model.graph.node) else ""
        try:
            imported = network_from_onnx(path, weights=True)
        except DataError as error:
            if kind not in OPERATORS:
                assert re.search(
                    r"node .* \(|inputs|outputs|input|axes|tensor|nodes|works on|operator set", str(error)
                ), error
            continue
        if x is None or imported.notes:  # a softmax was left out
            continue
        found, expected = ours(path, x.astype(np.float32)), runtime_answer(model, x)
        error = np.abs(found.reshape(-1) - expected.reshape(-1)).max() / max(np.abs(expected).max(), 1e-30)
        assert error <= 1e-5, (case.name, error)
        right[kind] += 1
    assert sum(right.values()) >= 45 and len(right) >= 9, right

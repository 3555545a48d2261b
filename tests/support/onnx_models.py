"""ONNX models for tests: built node by node, or those that ship with the package onnx, with random weights."""

import os
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the package onnx: pip install '.[onnx]'")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

LIGHT = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "light")


def model_of(
    nodes: Sequence[Any],
    constants: Dict[str, np.ndarray],
    shape: Sequence[Any] = (1, 3, 8, 8),
    *,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
) -> Any:
    """A model from input "x" to "y"."""
    graph = helper.make_graph(
        list(nodes),
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model


def node(kind: str, inputs: str, output: str = "y", **attributes: Any) -> Any:
    """A node; inputs: names parted by spaces, "-" for one that is left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(kind, names, [output], name=f"{kind}_{output}", **attributes)


def save(model: Any, path: Any) -> str:
    """Write a model; its path."""
    with open(path, "wb") as handle:
        handle.write(model.SerializeToString())
    return str(path)


def numbers(shape: Sequence[int], seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """Random float32 numbers."""
    return (scale * np.random.default_rng(seed).standard_normal(tuple(shape))).astype(np.float32)


def small_network(seed: int = 0) -> Any:
    """A residual network with biases, a kept batch norm, a signed branch and a softmax; 3 x 8 x 8 to 5 classes."""
    weights = {
        "w1": numbers((6, 3, 3, 3), seed, 0.3),
        "b1": numbers((6,), seed + 1, 0.2),
        "w2": numbers((6, 1, 3, 3), seed + 2, 0.4),
        "g": np.random.default_rng(seed).uniform(0.5, 1.5, 6).astype(np.float32),
        "beta": numbers((6,), seed + 3, 0.2),
        "mean": numbers((6,), seed + 4, 0.2),
        "var": np.random.default_rng(seed + 5).uniform(0.5, 1.5, 6).astype(np.float32),
        "w3": numbers((6, 6, 1, 1), seed + 6, 0.4),
        "w4": numbers((5, 6 * 16), seed + 7, 0.2),
        "b4": numbers((5,), seed + 8, 0.2),
    }
    nodes = [
        node("Conv", "x w1 b1", "c1", pads=[1, 1, 1, 1]),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w2", "c2", pads=[1, 1, 1, 1], group=6),
        node("BatchNormalization", "c2 g beta mean var", "n2"),
        node("Conv", "n2 w3", "c3"),
        node("Add", "c3 r1", "s"),
        node("Relu", "s", "r3"),
        node("MaxPool", "r3", "p", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Flatten", "p", "f"),
        node("Gemm", "f w4 b4", "l", transB=1),
        node("Softmax", "l", "y", axis=1),
    ]
    return model_of(nodes, weights)


def light_model(name: str, seed: int = 0) -> Any:
    """A network of the package onnx, `light_NAME.onnx`, with random weights, and its logits as the output.

    The files hold ConstantOfShape nodes in place of weights: each becomes numbers of the size that lets signals pass.
    """
    model = onnx.load(os.path.join(LIGHT, f"light_{name}.onnx"))
    graph, random = model.graph, np.random.default_rng(seed)
    stated = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    first_use = {name: (one.op_type, place) for one in graph.node for place, name in enumerate(one.input)}
    made = [(one.output[0], stated[one.input[0]]) for one in graph.node if one.op_type == "ConstantOfShape"]
    kept = [one for one in graph.node if one.op_type not in ("ConstantOfShape", "Softmax")]
    softmax = [one for one in graph.node if one.op_type == "Softmax"]
    tensors = [tensor for tensor in graph.initializer if not tensor.name.endswith("__SHAPE")]
    for tensor, shape in made:
        tensors.append(numpy_helper.from_array(_weights(first_use[tensor], tuple(map(int, shape)), random), tensor))
    del graph.node[:], graph.initializer[:], graph.input[:-1]
    graph.node.extend(kept)
    taken = {name for one in kept for name in one.input}
    inputs = taken - {name for one in kept for name in one.output}
    graph.initializer.extend(tensor for tensor in tensors if tensor.name in taken)
    (data,) = inputs - {tensor.name for tensor in tensors}
    graph.input[0].CopyFrom(helper.make_tensor_value_info(data, TensorProto.FLOAT, [1, 3, 224, 224]))
    logits = softmax[-1].input[0] if softmax else graph.output[0].name
    graph.output[0].CopyFrom(helper.make_tensor_value_info(logits, TensorProto.FLOAT, None))
    return model


def _weights(use: Tuple[str, int], shape: Tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    kind, place = use
    if kind in ("Conv", "Gemm") and place == 1:
        return random.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(2 / np.prod(shape[1:])))
    if (kind == "BatchNormalization" and place in (1, 4)) or kind == "Unsqueeze":
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    return (0.1 * random.standard_normal(shape)).astype(np.float32)


def runtime_answer(model: Any, x: np.ndarray) -> np.ndarray:
    """What onnxruntime gives for x; the test is skipped where it is not installed."""
    runtime = pytest.importorskip("onnxruntime", reason="needs the package onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return session.run(None, {given.name: x})[0]


def names_of(graph: Any) -> List[str]:
    """Names of the nodes."""
    return [one.name for one in graph.node]


def with_long_names(model: Any, start: str) -> Any:
    """The same model; the names of its nodes and of what passes between them begin with `start`."""
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    for one in model.graph.node:
        one.name = start + one.name
        for names in (one.input, one.output):
            for k, name in enumerate(names):
                names[k] = name if name in kept or not name else start + name
    for array in model.graph.initializer:
        array.name = start + array.name
    return model

"""Each thing that an operator does not do here is refused by the name of its node, with what would be right."""

import re
import sys

import numpy as np
import pytest

from minirram.errors import ConfigError, DataError
from minirram.onnx_import import graph, network_from_onnx
from minirram.onnx_import.graph import MOST_NUMBERS

from ..support.onnx_models import TensorProto, helper, model_of, node, numbers, save, small_network
from .test_hostile_files import refusal

W = {"w": numbers((4, 3, 3, 3)), "k": numbers((4, 3, 1, 1))}
FLAT = node("Flatten", "x", "f")
MEAN = node("GlobalAveragePool", "x", "g")
POOL = {"kernel_shape": [2, 2]}
NORM = {name: np.ones(3, np.float32) for name in ("g", "b", "m", "v")}


def ints(**arrays):
    """Constants of integers."""
    return {name: np.int64(values) for name, values in arrays.items()}


def two_outputs():
    return helper.make_node("MaxPool", ["x"], ["y", "places"], name="pool", kernel_shape=[2, 2])


SCALES = {"s": np.float32([1, 1, 2, 2])}
RESIZED = {"exclude_outside": 1, "antialias": 1, "axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}.items()
REFUSED = [
    # windows
    ("strides .* of an image with 2 sides", [node("Conv", "x w", strides=[1])], W),
    ("pads .* of an image with 2 sides", [node("Conv", "x w", pads=[1, 1])], W),
    ("auto_pad 'UP'", [node("Conv", "x w", auto_pad="UP")], W),
    ("for an input of 4 axes; one or two sides", [node("Conv", "x w")], {"w": numbers((4, 3, 3))}),
    ("kernel_shape .* with kernels of shape", [node("Conv", "x w", kernel_shape=[5, 5])], W),
    ("in 2 groups for 3 channels", [node("Conv", "x w", group=2)], W),
    ("in 1 groups for 3 channels", [node("Conv", "x w")], {"w": numbers((4, 2, 3, 3))}),
    ("one pixel .* 1 x 1", [MEAN, node("Conv", "g w", pads=[1, 1, 1, 1])], W),
    ("places of the largest values", [two_outputs()], {}),
    (
        "ceil_mode with count_include_pad",
        [
            node(
                "AveragePool",
                "x",
                kernel_shape=[3, 3],
                strides=[2, 2],
                pads=[1, 1, 1, 1],
                ceil_mode=1,
                count_include_pad=1,
            )
        ],
        {},
    ),
    ("the mean over the axes", [node("ReduceMean", "x", axes=[1])], {}),
    ("mode is 'reflect'", [node("Pad", "x p", mode="reflect")], ints(p=[0, 0, 1, 1, 0, 0, 1, 1])),
    *((f"{name} is", [node("Resize", "x - s", mode="linear", **{name: value})], SCALES) for name, value in RESIZED),
    ("a border of another number", [node("Pad", "x p v")], {**ints(p=[0, 0, 1, 1, 0, 0, 1, 1]), "v": np.float32(2)}),
    ("its axes are stated", [node("Pad", "x p - a")], ints(p=[1, 1, 1, 1], a=[2, 3])),
    ("borders of height and width", [node("Pad", "x p")], ints(p=[0, 1, 1, 1, 0, 0, 1, 1])),
    ("borders of height and width", [node("Pad", "x p")], ints(p=[0, 0, -1, 1, 0, 0, 1, 1])),
    ("images of two sides", [node("Resize", "x - s", mode="linear")], {"s": np.float32([1, 1, 2])}, (1, 3, 8)),
    ("neither four scales", [node("Resize", "x - s", mode="linear")], {"s": np.float32([2, 2])}),
    ("keep their size", [node("Resize", "x - s", mode="linear")], {"s": np.float32([1, 2, 2, 2])}),
    ("keep their size", [node("Resize", "x - - s", mode="linear")], ints(s=[1, 6, 16, 16])),
    (
        "coordinate_transformation_mode 'tf_crop",
        [node("Resize", "x - s", mode="linear", coordinate_transformation_mode="tf_crop_and_resize")],
        {"s": np.float32([1, 1, 2, 2])},
    ),
    ("mode 'cubic'", [node("Resize", "x - s", mode="cubic")], {"s": np.float32([1, 1, 2, 2])}),
    (
        "leave a part of a pixel",
        [node("Resize", "x - s", mode="linear", coordinate_transformation_mode="align_corners")],
        {"s": np.float32([1, 1, 1.3, 1.3])},
    ),
    ("storage_order is 1; 0 is supported", [node("MaxPool", "x", storage_order=1, **POOL)], {}),
    ("images of one or two sides are needed", [FLAT, node("MaxPool", "f", **POOL)], {}),
    # operands
    ("its input 0 is a constant", [node("Sub", "c x")], {"c": numbers((1,))}),
    ("its input 1 is computed from the data", [node("Relu", "x", "r"), node("Conv", "x r")], {}),
    ("its input 1 is missing", [node("Conv", "x -")], {}),
    # matrices
    ("put a Flatten before it", [node("Gemm", "x w")], {"w": numbers((8, 4))}),
    ("samples of one axis are supported", [node("MatMul", "x w")], {"w": numbers((8, 4))}),
    ("transA is 1", [FLAT, node("Gemm", "f w", transA=1)], {"w": numbers((192, 4))}),
    ("a matrix of shape", [FLAT, node("Gemm", "f w")], {"w": numbers((5, 4))}),
    # operators
    (
        "put the batch norm before the Flatten",
        [FLAT, node("BatchNormalization", "f g b m v")],
        {name: np.ones(192, np.float32) for name in NORM},
    ),
    ("a negative variance", [node("BatchNormalization", "x g b m v")], {**NORM, "v": np.float32([1, -1, 1])}),
    ("training_mode is 1", [node("BatchNormalization", "x g b m v", training_mode=1)], NORM),
    ("put it before the Flatten", [FLAT, node("LRN", "f", size=3)], {}),
    ("both must be alike", [node("Conv", "x w", "c"), node("Add", "c x")], W),
    ("a constant per element of a flattened image", [FLAT, node("Add", "f c")], {"c": numbers((192,))}),
    ("a constant of shape .* for 3 channels", [node("Add", "x c")], {"c": numbers((8,))}),
    ("a constant of shape .* for 3 channels", [node("Add", "x c")], {"c": numbers((3,))}, (1, 3, 3, 3)),  # along width
    ("a constant of shape .* for 3 channels", [node("BatchNormalization", "x g b m v")], {**NORM, "g": numbers((2,))}),
    ("divides by 0", [node("Div", "x c")], {"c": np.zeros(1, np.float32)}),
    ("joins along axis 2", [node("Concat", "x x", axis=2)], {}),
    ("joins samples of", [node("MaxPool", "x", "p", **POOL), node("Concat", "x p", axis=1)], {}),
    ("axis 2; 1, all but the batch", [node("Flatten", "x", axis=2)], {}),
    ("one row, or channels in groups", [node("Reshape", "x s")], ints(s=[1, 6, 4, 8])),
    ("that of a channel shuffle", [node("Transpose", "x", perm=[0, 2, 3, 1])], {}),
    ("height and width of one pixel", [node("Squeeze", "x s")], ints(s=[2, 3])),
    ("height and width behind features", [MEAN, node("Flatten", "g", "f"), node("Unsqueeze", "f s")], ints(s=[0, 3])),
    ("is in training mode", [node("Dropout", "x r t")], {"r": np.float32(0.5), "t": np.bool_(True)}),
    ("axis 2; that of the classes", [node("Softmax", "x", axis=2)], {}),
    ("follows a softmax", [node("Softmax", "x", "s", axis=1), node("Relu", "s")], {}),
    ("cannot be used", [node("LRN", "x")], {}),
    ("cannot be used", [node("Softmax", "x", axis="classes")], {}),
    # constants
    ("works on constants alone; of these Add, Cast", [node("Sigmoid", "w", "v"), node("Conv", "x v")], W),
    ("states no number", [node("Constant", "", "w"), node("Conv", "x w")], {}),
    (
        f"takes more than {MOST_NUMBERS} numbers",
        [node("ConstantOfShape", "s", "w"), node("Add", "w w", "v"), node("Conv", "x v")],
        ints(s=[MOST_NUMBERS]),
    ),
    ("takes 1 of a constant of shape", [node("Gather", "w i", "v"), node("Conv", "x v")], {**W, **ints(i=[0])}),
    ("takes 3 of a constant of shape", [node("Gather", "s i", "v"), node("Conv", "x v")], ints(s=[1, 2], i=[0, 0, 0])),
    (r"Reshape_v .*: cannot reshape", [node("Reshape", "w s", "v"), node("Conv", "x v")], {**W, **ints(s=[5])}),
    (
        r"would make \(4, 3\)",
        [node("Add", "a b", "w"), node("Conv", "x w")],
        ints(a=np.ones((4, 1)), b=np.ones((1, 3))),
    ),
    # the network
    ("size is 16777217; at most 16777216", [node("LRN", "x", size=2**24 + 1)], {}),
    ("a graph without a layer", [node("Identity", "x")], {}),
    ("its output does not depend on its input", [node("Shape", "x")], {}),
    ("input 'x' has 5 axes", [node("Relu", "x")], {}, (1, 3, 8, 8, 8)),
    ("input 'x' has 1 axes", [node("Relu", "x")], {}, (3,)),
    ("tensor 'w' is object; floats and integers are read", [node("Conv", "x w")], {"w": np.array([["a"]], object)}),
    ("ends? with the image, or with a matrix", [node("Conv", "x w", "c"), node("Flatten", "c")], W),
]


@pytest.mark.parametrize("case", REFUSED, ids=[f"{k}-{case[0]}" for k, case in enumerate(REFUSED)])
def test_what_an_operator_does_not_do_is_refused(case, tmp_path):
    said, nodes, constants, *shape = case
    text = refusal(model_of(nodes, constants, *shape), tmp_path)
    assert re.search(said, text), text


def test_as_many_nodes_as_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "MOST_NODES", 2)
    assert network_from_onnx(save(model_of([node("Relu", "x", "a"), node("Relu", "a")], {}), tmp_path / "m.onnx"))
    three = model_of([node("Relu", "x", "a"), node("Relu", "a", "b"), node("Relu", "b")], {})
    assert "3 nodes; at most 2" in refusal(three, tmp_path)


def elsewhere(name, *dims):
    """A tensor whose numbers are not in the file."""
    tensor = helper.make_tensor(name, TensorProto.FLOAT, [0], [])
    del tensor.dims[:]
    tensor.dims.extend(dims)
    tensor.data_location = TensorProto.EXTERNAL
    return tensor


def test_as_many_numbers_as_are_read(tmp_path):
    """Of all constants together; none of them takes memory here."""
    model = model_of([node("Relu", "x")], {})
    model.graph.initializer.extend([elsewhere("a", 2**27), elsewhere("b", 2**27)])
    assert network_from_onnx(save(model, tmp_path / "m.onnx"))
    model.graph.initializer.extend([elsewhere("c", 1)])
    with pytest.raises(DataError, match=f"more than {MOST_NUMBERS} numbers in its initialisers"):
        network_from_onnx(save(model, tmp_path / "m.onnx"))


def test_sparse_constants(tmp_path):
    model = model_of([node("Conv", "x w")], {})
    values, places = (helper.make_tensor("w", kind, [1], [1]) for kind in (TensorProto.FLOAT, TensorProto.INT64))
    model.graph.sparse_initializer.extend([helper.make_sparse_tensor(values, places, [4, 3, 3, 3])])
    assert "sparse initialisers; dense ones are read" in refusal(model, tmp_path)


def test_the_graph_alone_has_no_weights(tmp_path):
    path = save(small_network(), tmp_path / "m.onnx")
    assert network_from_onnx(path, weights=True).trained_weights
    with pytest.raises(ConfigError, match="the graph alone was read; ask for weights"):
        network_from_onnx(path).trained_weights  # noqa: B018


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (dict(input_bits=1), dict(input_bits=0), "layer input: 0 bits, expected 1 to 8"),
        (dict(input_bits=8), dict(input_bits=9), "layer input: 9 bits, expected 1 to 8"),
        (dict(input_zero=255), dict(input_zero=256), "input_zero 256 is no 8-bit code"),
        (dict(bits=8), dict(bits=9), "9 bits, expected 1 to 8"),
    ],
)
def test_codes_that_there_are_not(good, bad, said, tmp_path):
    """They were asked for: the file is not to blame."""
    path = save(small_network(), tmp_path / "m.onnx")
    assert network_from_onnx(path, **good)
    with pytest.raises(ConfigError, match=f"^(?!.*onnx).*{said}"):
        network_from_onnx(path, **bad)


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match="reading ONNX files needs the package onnx: "):
        network_from_onnx(tmp_path / "m.onnx")

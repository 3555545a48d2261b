"""Each thing that an operator does not do here is refused by the name of its node, with what would be right."""

import re

import numpy as np
import pytest

from ..support.onnx_models import helper, model_of, node, numbers
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
    # the network
    ("ends? with the image, or with a matrix", [node("Conv", "x w", "c"), node("Flatten", "c")], W),
]


@pytest.mark.parametrize("case", REFUSED, ids=[f"{k}-{case[0]}" for k, case in enumerate(REFUSED)])
def test_what_an_operator_does_not_do_is_refused(case, tmp_path):
    said, nodes, constants, *shape = case
    text = refusal(model_of(nodes, constants, *shape), tmp_path)
    assert re.search(said, text), text

"""Each operator, and graphs of several, against onnxruntime: the float network gives the same numbers."""

from typing import Any, Dict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx", reason="needs the package onnx: pip install '.[onnx]'")

from minirram.errors import DataError  # noqa: E402
from minirram.nn.forward import plain_forward  # noqa: E402
from minirram.onnx_import import network_from_onnx  # noqa: E402

from ..support.onnx_models import (  # noqa: E402
    model_of,
    node,
    numbers,
    runtime_answer,
    save,
    small_network,
    with_long_names,
)

CONV = node("Conv", "x w b", pads=[1, 1, 1, 1])
KERNELS = {"w": numbers((6, 3, 3, 3), scale=0.3), "b": numbers((6,), 1)}
SIGNS = {"g": numbers((3,), 1), "o": numbers((3,), 2), "m": numbers((3,), 3), "v": numbers((3,), 4) ** 2}


def ours(path: str, x: np.ndarray, **options: Any) -> np.ndarray:
    """The float network's answer, channels first."""
    imported = network_from_onnx(path, weights=True, **options)
    assert imported.weights is not None
    shape = (len(x),) + imported.network.input_shape
    image = x.reshape((len(x), shape[3]) + shape[1:3]).transpose(0, 2, 3, 1)
    y = plain_forward(imported.network, imported.weights, state=imported.state, x=image)
    return y.transpose(0, 3, 1, 2) if y.ndim == 4 else y


def check(model: Any, tmp_path: Any, shape: Any = (2, 3, 8, 8), **options: Any) -> None:
    """Ours is onnxruntime's, up to rounding."""
    x = numbers(shape, 7)
    expected = runtime_answer(model, x)
    found = ours(save(model, tmp_path / "m.onnx"), x, **options)
    assert found.size == expected.size
    error = np.abs(found.reshape(-1) - expected.reshape(-1)).max()
    assert error <= 1e-5 * max(np.abs(expected).max(), 1e-3)


RIGHT: Dict[str, Any] = {
    "convolution with bias": ([CONV], KERNELS),
    "pads that differ": ([node("Conv", "x w", pads=[0, 1, 2, 3], strides=[2, 1])], {"w": numbers((4, 3, 3, 2))}),
    "dilated": ([node("Conv", "x w", pads=[2, 2, 2, 2], dilations=[2, 2])], {"w": numbers((4, 3, 3, 3))}),
    "dilated depthwise": (
        [node("Conv", "x w", dilations=[2, 1], group=3)],
        {"w": numbers((6, 1, 3, 3))},
    ),
    "SAME_UPPER": ([node("Conv", "x w", auto_pad="SAME_UPPER", strides=[3, 2])], {"w": numbers((4, 3, 4, 3))}),
    "SAME_LOWER": ([node("Conv", "x w", auto_pad="SAME_LOWER", strides=[3, 2])], {"w": numbers((4, 3, 4, 3))}),
    "max pool SAME_UPPER": (
        [node("MaxPool", "x", auto_pad="SAME_UPPER", kernel_shape=[4, 3], strides=[3, 2])],
        {},
    ),
    "average pool SAME_LOWER": (
        [node("AveragePool", "x", auto_pad="SAME_LOWER", kernel_shape=[2, 5], strides=[3, 1])],
        {},
    ),
    "batch norm": ([node("BatchNormalization", "x g o m v", epsilon=0.01)], SIGNS),
    "a small variance": ([node("BatchNormalization", "x g o m v", epsilon=1e-7)], dict(SIGNS, v=np.full(3, 1e-7, "f"))),
    "bias, batch norm, scale, shift": (
        [
            node("Conv", "x w b", "c"),
            node("BatchNormalization", "c g o m v", "n"),
            node("Mul", "n f", "s"),
            node("Add", "s h", "t"),
            node("Sub", "t h2"),
        ],
        {
            "w": numbers((3, 3, 3, 3)),
            "b": numbers((3,), 1),
            "f": numbers((3, 1, 1), 8),
            "h": numbers((1, 3, 1, 1), 9),
            "h2": numbers((1,), 3),
            **SIGNS,
        },
    ),  # fmt: skip
    "a batch norm that two take": (
        [node("BatchNormalization", "x g o m v", "n"), node("Add", "n h", "a"), node("Add", "a n")],
        dict(SIGNS, h=numbers((3, 1, 1), 9)),
    ),
    "division": ([node("Div", "x f")], {"f": np.float32([255.0])}),
    "clip": ([node("Clip", "x lo hi")], {"lo": np.float32(-0.5), "hi": np.float32(6)}),
    "clip from below": ([node("Clip", "x lo")], {"lo": np.float32(0)}),
    "response norm": (
        [node("LRN", "x", "n", size=3, alpha=0.5, bias=2.0), node("LRN", "n", size=5, alpha=0.3, beta=0.6)],
        {},
    ),
    "max pool": ([node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 1])], {}),
    "max pool rounded up": ([node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)], {}),
    "average pool": ([node("AveragePool", "x", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 1, 1, 0])], {}),
    "average pool with padding": (
        [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)],
        {},
    ),
    "average pool rounded up": ([node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)], {}),
    "global average": ([node("GlobalAveragePool", "x")], {}),
    "mean over height and width": ([node("ReduceMean", "x", axes=[2, 3], keepdims=0)], {}),
    "sum of three": ([node("Sum", "x c x2"), *()], None),
    "joined": ([node("Relu", "x", "r"), node("Concat", "x r x", axis=1)], {}),
    "the input taken twice": ([node("Relu", "x", "r"), node("Add", "x r")], {}),
    "padding": ([node("Pad", "x p")], {"p": np.int64([0, 0, 1, 2, 0, 0, 3, 0])}),
    "bilinear": ([node("Resize", "x - s", mode="linear")], {"s": np.float32([1, 1, 2, 1.5])}),
    "bilinear to a size": ([node("Resize", "x - - s", mode="linear")], {"s": np.int64([2, 3, 5, 11])}),
    "bilinear, corners aligned": (
        [node("Resize", "x - s", mode="linear", coordinate_transformation_mode="align_corners")],
        {"s": np.float32([1, 1, 2, 3])},
    ),
    "bilinear, asymmetric": (
        [node("Resize", "x - s", mode="linear", coordinate_transformation_mode="asymmetric")],
        {"s": np.float32([1, 1, 2, 0.5])},
    ),
    "a channel shuffle": (
        [
            node("Conv", "x w", "c"),
            node("Reshape", "c a", "p"),
            node("Transpose", "p", "t", perm=[0, 2, 1, 3, 4]),
            node("Reshape", "t z"),
        ],
        {"w": numbers((6, 3, 3, 3)), "a": np.int64([0, 2, 3, 6, 6]), "z": np.int64([0, 6, 6, 6])},
    ),
    "flattened, with the shape computed": (
        [
            node("Shape", "x", "sh"),
            node("Gather", "sh zero", "n", axis=0),
            node("Unsqueeze", "n zero1", "n1"),
            node("Concat", "n1 rest", "target", axis=0),
            node("MaxPool", "x", "p", kernel_shape=[2, 2], strides=[2, 2]),
            node("Relu", "p", "r"),
            node("Reshape", "r target", "f"),
            node("Dropout", "f", "d"),
            node("Gemm", "d w b", transB=1, alpha=0.5, beta=2.0),
        ],
        {
            "zero": np.int64(0),
            "zero1": np.int64([0]),
            "rest": np.int64([-1]),
            "w": numbers((5, 48)),
            "b": numbers((5,)),
        },
    ),
    "a matrix that is transposed first": (
        [
            node("GlobalAveragePool", "x", "g"),
            node("Squeeze", "g axes", "s"),
            node("Transpose", "w", "wt", perm=[1, 0]),
            node("MatMul", "s wt", "m"),
            node("Add", "b m"),
        ],
        {"axes": np.int64([2, 3]), "w": numbers((5, 3)), "b": numbers((5,))},
    ),
    "a convolution of one pixel": (
        [node("GlobalAveragePool", "x", "g"), node("Conv", "g w b")],
        {"w": numbers((4, 3, 1, 1)), "b": numbers((4,))},
    ),
    "a signed value that is taken again after another": (
        [
            node("Conv", "x w", "c"),
            node("Relu", "c", "r"),
            node("Conv", "r v1", "a"),
            node("Conv", "c v2", "b"),
            node("Concat", "a b", axis=1),
        ],
        {"w": numbers((4, 3, 3, 3)), "v1": numbers((2, 4, 1, 1)), "v2": numbers((3, 4, 1, 1))},
    ),
    "an output that is not the last layer's": (
        [node("Conv", "x w", "c"), node("Relu", "c", "r"), node("Shape", "r", "s"), node("Reshape", "c s")],
        {"w": numbers((4, 3, 3, 3))},
    ),
    "branches": (
        [
            node("Conv", "x w", "c"),
            node("Relu", "c", "r"),
            node("Conv", "r v1", "a", pads=[1, 1, 1, 1]),
            node("Conv", "r v2", "b"),
            node("MaxPool", "r", "p", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("Relu", "c", "unused"),
            node("Concat", "a b p", axis=1),
        ],
        {"w": numbers((4, 3, 3, 3)), "v1": numbers((2, 4, 3, 3)), "v2": numbers((3, 4, 1, 1))},
    ),
}


@pytest.mark.parametrize("name", list(RIGHT))
def test_operators_are_those_of_onnxruntime(name: str, tmp_path: Any) -> None:
    nodes, constants = RIGHT[name]
    if constants is None:
        nodes, constants = [node("Relu", "x", "r"), node("Sum", "x r c")], {"c": numbers((3, 1, 1))}
    check(model_of(nodes, constants, (2, 3, 8, 8)), tmp_path)


LAYERS = {
    "bias, batch norm, scale, shift": ["conv_c Conv2d", "batchnormalization_n BatchNorm"],
    "a bias and a gain": ["conv_c Conv2d", "mul_y BatchNorm"],
    "a convolution of one pixel": ["globalaveragepool_g GlobalAverage", "globalaveragepool_g_codes SignedQuantize"]
    + ["conv_y Linear", "conv_y_2 Bias"],
    "an output that is not the last layer's": ["conv_c Conv2d", "relu_r Relu", "conv_c_again Recall"],
    "a signed value that is taken again after another": ["conv_c Conv2d", "relu_r Relu", "relu_r_codes Quantize"]
    + ["conv_a Conv2d", "conv_c_again Recall", "conv_c_codes SignedQuantize", "conv_b Conv2d", "conv_a_again Recall"]
    + ["concat_y Concat"],
    "joined": [
        "input_again Pad",
        "relu_r Relu",
        "input_again_again Recall",
        "concat_y_part1 Concat",
        "concat_y Concat",
    ],
    "pads that differ": ["conv_y_pad Pad", "conv_y Conv2d"],
    "one pixel at the end": ["conv_y Conv2d", "logits Flatten"],
}
"""names and kinds of layers; what is absorbed leaves no layer behind"""


@pytest.mark.parametrize("name", list(LAYERS))
def test_layers_are_named_after_their_nodes(name: str, tmp_path: Any) -> None:
    apart = {
        "a bias and a gain": ([node("Conv", "x w b", "c"), node("Mul", "c f")], dict(KERNELS, f=numbers((6, 1, 1), 2))),
        "one pixel at the end": ([node("Conv", "x w")], {"w": numbers((4, 3, 8, 8))}),
    }
    model = model_of(*(apart.get(name) or RIGHT[name]), (2, 3, 8, 8))
    layers = network_from_onnx(save(model, tmp_path / "m.onnx"), weights=True).network.layers
    assert [f"{layer.name} {type(layer).__name__}" for layer in layers] == LAYERS[name]
    check(model, tmp_path)


def test_signals_in_time_and_features(tmp_path: Any) -> None:
    convolution = [node("Conv", "x w", "c", pads=[2, 1], strides=[2], group=1), node("MaxPool", "c", kernel_shape=[2])]
    check(model_of(convolution, {"w": numbers((4, 3, 5))}, (2, 3, 40)), tmp_path, (2, 3, 40))
    dense = [node("Gemm", "x w b", "h", transB=1), node("Relu", "h", "r"), node("MatMul", "r v")]
    constants = {"w": numbers((7, 10)), "b": numbers((7,)), "v": numbers((7, 3))}
    check(model_of(dense, constants, (2, 10)), tmp_path, (2, 10))


def test_a_network_with_batch_norms_kept_and_folded(tmp_path: Any) -> None:
    model = small_network()
    path = save(model, tmp_path / "m.onnx")
    kept, folded = (network_from_onnx(path, weights=True, fold_batch_norms=fold) for fold in (False, True))
    kinds = [[type(layer).__name__ for layer in one.network.layers] for one in (kept, folded)]
    assert kinds[0].count("BatchNorm") == 1 and kinds[1].count("BatchNorm") == 0
    assert kinds[1].count("Bias") == kinds[0].count("Bias") + 1
    x = numbers((4, 3, 8, 8), 3)
    one, other = (ours(path, x, fold_batch_norms=fold) for fold in (False, True))
    assert np.abs(one - other).max() < 1e-5 * np.abs(one).max()
    del model.graph.node[-1]  # the softmax
    model.graph.output[0].name = "l"
    expected = np.concatenate([runtime_answer(model, x[k : k + 1]) for k in range(4)])
    assert np.abs(one - expected).max() < 1e-5 * np.abs(expected).max()


def test_same_borders_of_dilated_kernels(tmp_path: Any) -> None:
    """onnxruntime has none; the rule of the specification: as many outputs as strides fit."""
    found = []
    for k, border in enumerate((dict(auto_pad="SAME_UPPER"), dict(pads=[0, 2, 1, 2]))):
        conv = node("Conv", "x w", strides=[2, 1], dilations=[1, 2], **border)
        model = model_of([conv], {"w": numbers((4, 3, 3, 3))}, (2, 3, 8, 8))
        found.append(ours(save(model, tmp_path / f"{k}.onnx"), numbers((2, 3, 8, 8), 7)))
    assert found[0].shape == (2, 4, 4, 8) and np.array_equal(*found)


def test_layers_whose_names_begin_with_the_same_sixty_letters_have_names_of_their_own(tmp_path: Any) -> None:
    path = save(small_network(), tmp_path / "m.onnx")
    long = save(with_long_names(small_network(), "/backbone/stage/" * 5), tmp_path / "long.onnx")
    x = numbers((4, 3, 8, 8), 3)
    assert np.array_equal(ours(path, x), ours(long, x))
    names = [layer.name for layer in network_from_onnx(long).network.layers]
    assert len(set(names)) == len(names) and max(map(len, names)) <= 64


def test_the_graph_alone_has_state_before_training(tmp_path: Any) -> None:
    imported = network_from_onnx(save(small_network(), tmp_path / "m.onnx"), bits=3, input_bits=5, input_zero=4)
    assert imported.weights is None and imported.network.input_bits == 5 and imported.network.input_zero == 4
    assert not any(imported.state[name].any() for name in imported.state if name.endswith((".offset", ".mean")))
    assert imported.notes == ("node Softmax_y (Softmax): left out, the order of the classes is that of the logits",)
    assert imported.operators["Conv"] == 3 and imported.input_shape == (3, 8, 8)
    bits = {layer.bits for layer in imported.network.layers if hasattr(layer, "bits")}
    assert bits == {3}


def test_the_size_of_the_input_may_be_another(tmp_path: Any) -> None:
    model = model_of([CONV], KERNELS, (1, 3, "height", "width"))
    path = save(model, tmp_path / "m.onnx")
    with pytest.raises(DataError, match=r"does not state its size.*--size"):
        network_from_onnx(path)
    assert network_from_onnx(path, size=(5, 9)).network.input_shape == (5, 9, 3)


NAMED = {
    "unknown": ([node("LSTM", "x w")], {"w": numbers((1, 3))}, r"no layer for 1 operator\(s\): node LSTM_y \(LSTM\)"),
    "two unknown": ([node("Sin", "x", "s"), node("Erf", "s")], {}, r"2 operator.*\(Sin\); node Erf_y \(Erf\)"),
    "nearest": ([node("Resize", "x - s")], {"s": np.float32([1, 1, 2, 2])}, r"Resize_y \(Resize\): mode 'nearest'"),
    "dilated pool": ([node("MaxPool", "x", kernel_shape=[2, 2], dilations=[2, 2])], {}, "MaxPool_y.*dilations"),
    "softmax inside": ([node("Softmax", "x", "s", axis=1), node("Relu", "s")], {}, "Relu_y.*follows a softmax"),
    "a constant image": ([node("Add", "x c")], {"c": numbers((3, 8, 8))}, r"Add_y .*one number per channel"),
    "computed kernels": ([node("Relu", "x", "r"), node("Conv", "x r")], {}, "Conv_y.*computed from the data"),
    "pooled places": (
        [node("Flatten", "x", "f"), node("Relu", "f")],
        {},
        "output is a flattened image",
    ),
    "wrong fan": ([node("Flatten", "x", "f"), node("Gemm", "f w")], {"w": numbers((5, 4))}, r"Gemm_y.*\(5, 4\)"),
    "a kernel that does not fit": ([node("Conv", "x w")], {"w": numbers((2, 3, 9, 9))}, "Conv_y.*does not fit"),
    "corners of a part of a pixel": (
        [node("Resize", "x - s", mode="linear", coordinate_transformation_mode="align_corners")],
        {"s": np.float32([1, 1, 0.6, 0.6])},
        "Resize_y.*part of a pixel",
    ),
}


@pytest.mark.parametrize("name", list(NAMED))
def test_what_is_not_supported_is_named_with_its_node(name: str, tmp_path: Any) -> None:
    nodes, constants, message = NAMED[name]
    with pytest.raises(DataError, match=message):
        network_from_onnx(save(model_of(nodes, constants), tmp_path / "m.onnx"), weights=True)


@st.composite
def chains(draw: Any) -> Any:
    """A few convolutions and pools with any strides, pads, dilations and groups, and joins of what fits."""
    nodes, constants, channels, side, last = [], {}, 3, 8, "x"
    sides = {"x": (3, 8)}
    for k in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(("Conv", "Conv", "MaxPool", "AveragePool", "Relu", "Join")))
        name = f"t{k}"
        kernel = draw(st.integers(1, min(3, side)))
        stride = draw(st.integers(1, 2))
        pads = [draw(st.integers(0, kernel - 1)) for _ in range(4)]
        window = {"kernel_shape": [kernel, kernel], "strides": [stride, stride], "pads": pads}
        if kind == "Conv":
            groups = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
            outputs = groups * draw(st.integers(1, 3))
            constants[f"w{k}"] = numbers((outputs, channels // groups, kernel, kernel), k, 0.5)
            constants[f"b{k}"] = numbers((outputs,), k + 50)
            nodes.append(node(kind, f"{last} w{k} b{k}", name, group=groups, **window))
            channels = outputs
        elif kind == "Join":
            fits = [other for other, shape in sides.items() if shape == (channels, side)]
            nodes.append(node("Add", f"{last} {draw(st.sampled_from(fits))}", name))
        else:
            nodes.append(node(kind, last, name, **({} if kind == "Relu" else window)))
        if kind not in ("Join", "Relu"):
            down, across = ((side + pads[a] + pads[a + 2] - kernel) // stride + 1 for a in (0, 1))
            if down != across:
                nodes.append(node("Resize", f"{name} - - s{k}", name + "s", mode="linear"))
                constants[f"s{k}"] = np.int64([2, channels, down, down])
                name += "s"
            side = down
        sides[name] = (channels, side)
        last = name
    nodes[-1].output[0] = "y"
    return model_of(nodes, constants, (2, 3, 8, 8))


@settings(max_examples=25, deadline=None)
@given(chains())
def test_random_chains_are_those_of_onnxruntime(tmp_path_factory: Any, model: Any) -> None:
    check(model, tmp_path_factory.mktemp("chain"))

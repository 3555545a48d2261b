"""Files that are damaged, or made to do harm: one clear error, little memory, no other file opened."""

import re
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="needs the package onnx: pip install '.[onnx]'")
from onnx import TensorProto, helper  # noqa: E402

from minirram.errors import ConfigError, DataError, MinirramError, MissingFileError  # noqa: E402
from minirram.onnx_import import builder, imported, network_from_onnx  # noqa: E402

from ..support.onnx_models import model_of, node, numbers, save, small_network  # noqa: E402

KERNELS = numbers((4, 3, 3, 3))
WHOLE = small_network().SerializeToString()


def refusal(model: Any, tmp_path: Any) -> str:
    """What is said of a model that is refused."""
    with pytest.raises(DataError) as raised:
        network_from_onnx(save(model, tmp_path / "m.onnx"), weights=True)
    return str(raised.value)


def huge(dims: Any) -> Any:
    """A tensor that announces `dims` and holds nothing."""
    return helper.make_tensor("w", TensorProto.FLOAT, [1], np.float32([0]).tobytes(), raw=True), dims


def with_tensor(dims: Any) -> Any:
    model = model_of([node("Conv", "x w")], {})
    tensor, dims = huge(dims)
    del tensor.dims[:]
    tensor.dims.extend(dims)
    model.graph.initializer.append(tensor)
    return model


@pytest.mark.parametrize("length", [0, 1, 10, len(WHOLE) // 2, len(WHOLE) - 1])
def test_a_file_that_is_cut_off(length: int, tmp_path: Any) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(WHOLE[:length])
    with pytest.raises(DataError, match=r"m\.onnx: "):
        network_from_onnx(path, weights=True)


def test_no_file_and_no_onnx(tmp_path: Any) -> None:
    with pytest.raises(MissingFileError, match="no.onnx"):
        network_from_onnx(tmp_path / "no.onnx")
    (tmp_path / "text.onnx").write_text("network, layers, 3\n")
    with pytest.raises(DataError, match="no ONNX model"):
        network_from_onnx(tmp_path / "text.onnx")


def test_weights_in_another_file_are_not_opened(tmp_path: Any) -> None:
    model = model_of([node("Conv", "x w")], {})
    tensor = model.graph.initializer.add()
    tensor.name, tensor.data_type, tensor.data_location = "w", TensorProto.FLOAT, TensorProto.EXTERNAL
    tensor.dims.extend([4, 3, 3, 3])
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../../etc/passwd"
    assert re.search(r"'w' lies in another file, which is not opened.*external_data=False", refusal(model, tmp_path))
    path = save(model, tmp_path / "m.onnx")
    assert network_from_onnx(path).network.layers[0].out_channels == 4  # the graph alone needs its shape


@pytest.mark.parametrize("dims", [[2**40], [2**20, 2**20], [-1, 3, 3, 3], [2**62, 4], [2**15, 2**14]])
def test_a_tensor_that_announces_too_much(dims: Any, tmp_path: Any) -> None:
    tracemalloc.start()
    try:
        assert re.search("tensor 'w'.*numbers", refusal(with_tensor(dims), tmp_path))
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_a_tensor_that_holds_less_than_it_announces(tmp_path: Any) -> None:
    assert re.search("tensor 'w' is damaged", refusal(with_tensor([4, 3, 3, 3]), tmp_path))


@pytest.mark.parametrize("shape", [[1, 3, 2**31, 2**31], [1, 2**40, 1, 1], [1, 3, 2**14, 2**14]])
def test_an_input_that_is_too_large(shape: Any, tmp_path: Any) -> None:
    assert re.search("at most", refusal(model_of([node("Relu", "x")], {}, shape), tmp_path))


def test_constants_that_grow(tmp_path: Any) -> None:
    shape = [node("ConstantOfShape", "s", "w"), node("Conv", "x w")]
    assert re.search("asks for the shape", refusal(model_of(shape, {"s": np.int64([2**30, 3, 3, 3])}), tmp_path))
    doubled = [node("Concat", f"c{k} c{k}", f"c{k + 1}", axis=0) for k in range(40)] + [node("Conv", "x c40")]
    tracemalloc.start()
    try:
        assert re.search("more than", refusal(model_of(doubled, {"c0": numbers((2**20,))}), tmp_path))
        assert tracemalloc.get_traced_memory()[1] < 4e9
    finally:
        tracemalloc.stop()


def test_what_is_made_of_a_small_file_is_bounded_before_it_is_made(tmp_path: Any, monkeypatch: Any) -> None:
    growing = [node("Resize", "x - - s", mode="linear")]
    grown = model_of(growing, {"s": np.int64([1, 3, 2**13, 2**12])})
    assert re.search(r"Resize_y.*gives \(8192, 4096, 3\); at most", refusal(grown, tmp_path))
    constant = node("Constant", "", "w", value=huge(())[0])
    del constant.attribute[0].t.dims[:]
    constant.attribute[0].t.dims.extend([2**40, 1, 1, 1])
    tracemalloc.start()
    try:
        assert re.search("tensor 'w' of shape", refusal(model_of([constant, node("Conv", "x w")], {}), tmp_path))
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    for module in (builder, imported):
        monkeypatch.setattr(module, "MOST_NUMBERS", 100)
    biases = [node("Add", "x c", "t0"), *(node("Add", f"t{k} c", f"t{k + 1}") for k in range(40)), node("Relu", "t40")]
    per_channel = refusal(model_of(biases, {"c": numbers((3, 1, 1))}), tmp_path)
    assert re.search("more than 100 weights and numbers per channel", per_channel)
    sums = [node("Add", "c c", "t0"), *(node("Add", f"t{k} c", f"t{k + 1}") for k in range(3)), node("Mul", "x t3")]
    worked = refusal(model_of(sums, {"c": numbers((3, 5, 5))}), tmp_path)
    assert re.search("more than 200 numbers are worked out from constants", worked)


NAMES = {
    "graph": b"made",
    "node": b"Conv_c",
    "operator": b"Conv",
    "attribute": b"pads",
    "constant": b"kernels",
    "tensor": b"c",
}


@pytest.mark.parametrize("what", list(NAMES))
def test_names_that_are_no_utf_8(what: str, tmp_path: Any) -> None:
    model = model_of([node("Conv", "x kernels", "c", pads=[1, 1, 1, 1]), node("Relu", "c")], {"kernels": KERNELS})
    data, name = model.SerializeToString(), NAMES[what]
    written = bytes([len(name)]) + name
    assert written in data
    before, _, after = data.rpartition(written)  # a constant's own name stands behind the nodes that take it
    (tmp_path / "m.onnx").write_bytes(before + bytes([len(name)]) + name[:-1] + b"\xff" + after)
    with pytest.raises(DataError, match="no UTF-8|no ONNX model"):
        network_from_onnx(tmp_path / "m.onnx", weights=True)


def test_many_large_matrices_from_a_small_file(tmp_path: Any) -> None:
    """A node makes 2^26 numbers of a line of text; a hundred of them would fill the memory."""
    nodes = [node("ConstantOfShape", "s", "w")] + [node("Conv", "x w", f"c{k}") for k in range(100)]
    nodes += [node("Add", f"c{k} c{k + 1}", f"a{k}") for k in range(99)]
    nodes += [node("Sum", " ".join(f"a{k}" for k in range(99)))]
    model = model_of(nodes, {"s": np.int64([2**12, 2**14, 1, 1])}, (1, 2**14, 1, 1))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="more than 268435456 weights"):
            network_from_onnx(save(model, tmp_path / "m.onnx"))
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    grouped = [node("ConstantOfShape", "s", "w"), node("Conv", "x w", group=2**20)]
    model = model_of(grouped, {"s": np.int64([2**20, 1, 1, 1])}, (1, 2**20, 1, 1))
    assert "groups; at most" in refusal(model, tmp_path)


def test_graphs_that_are_none(tmp_path: Any) -> None:
    circle = [node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b")]
    assert re.search(r"node Add_a \(Add\) takes 'b'.*a circle", refusal(model_of(circle, {}), tmp_path))
    assert re.search("both give 'y'", refusal(model_of([node("Relu", "x", "y"), node("Relu", "x", "y")], {}), tmp_path))
    assert re.search("0 inputs", refusal(model_of([node("Relu", "x", "z")], {}), tmp_path))
    assert re.search("0 inputs", refusal(model_of([node("Identity", "c")], {"c": numbers((3,))}), tmp_path))
    assert re.search("operator set 6", refusal(model_of([node("Relu", "x")], {}, opset=6), tmp_path))
    twice = model_of([node("Conv", "x w")], {"w": numbers((4, 3, 3, 3))})
    twice.graph.initializer.append(twice.graph.initializer[0])
    assert re.search("two initialisers are called 'w'", refusal(twice, tmp_path))
    nan = model_of([node("Conv", "x w")], {"w": np.full((4, 3, 3, 3), np.nan, np.float32)})
    assert re.search("'w' holds NaN", refusal(nan, tmp_path))
    several = model_of([node("Relu", "x", "y"), node("Relu", "y", "z")], {}, outputs=("y", "z"))
    assert re.search(r"2 outputs \(y, z\); say which", refusal(several, tmp_path))
    path = save(several, tmp_path / "m.onnx")
    assert len(network_from_onnx(path, output="y").network.layers) == 1
    with pytest.raises(ConfigError, match="no output is called 'q'"):
        network_from_onnx(path, output="q")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_bytes_that_are_changed_give_a_network_or_one_error(tmp_path_factory: Any, changes: Any) -> None:
    damaged = bytearray(WHOLE)
    for place, value in changes:
        damaged[place] = value
    path = tmp_path_factory.mktemp("damaged") / "m.onnx"
    path.write_bytes(bytes(damaged))
    try:
        network_from_onnx(path, weights=True)
    except MinirramError as error:
        assert str(error)

"""An ONNX file as plain values: nodes in order, constants as arrays, the one input and the one output.

A file may come from anywhere. Its sizes are bounded before memory is taken, and no other file is opened for it.
"""

import math
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Set, Tuple

import numpy as np

from ..errors import ConfigError, DataError, MinirramError, how_to_install
from ..files import read_bytes
from ..files.budgets import ONNX

MOST_BYTES = 2**31
"""of a file: what its format can hold"""
MOST_NODES = 20_000
MOST_NUMBERS = 2**28
"""numbers in all constants together"""
MOST_VALUES = 2**26
"""numbers in one activation of a sample"""
OLDEST_OPSET = 7
"""before it, operators had other rules for shapes"""


@dataclass(frozen=True)
class Node:
    """One operator of the graph."""

    name: str
    """its name, or its kind and number"""
    kind: str
    """operator"""
    inputs: Tuple[str, ...]
    """names of tensors; "": left out"""
    outputs: Tuple[str, ...]
    """names of tensors"""
    attributes: Dict[str, Any]
    """numbers, texts, lists and arrays by name"""

    def __str__(self) -> str:
        return f"node {self.name} ({self.kind})"


@dataclass(frozen=True)
class Graph:
    """What of a file is needed for its output."""

    name: str
    opset: int
    nodes: Tuple[Node, ...]
    """in the order of evaluation"""
    constants: Dict[str, np.ndarray]
    input: str
    """name of the tensor that goes in"""
    input_shape: Tuple[Optional[int], ...]
    """its shape; None: not stated"""
    output: str
    """name of the tensor that comes out"""

    @property
    def uses(self) -> Dict[str, int]:
        """{tensor: how many nodes take it}; the output counts once more."""
        found = {self.output: 1}
        for node in self.nodes:
            for name in node.inputs:
                found[name] = found.get(name, 0) + 1
        return found


def read_graph(path: "os.PathLike[str]", *, weights: bool, output: Optional[str]) -> Graph:
    """The graph in a file; DataError says what is wrong with it.

    weights: False: constants that lie in other files are taken for zeros, since their shapes are all that is asked for.
    output: name of the output tensor; None: there is one. ConfigError without the package onnx.
    """
    model = _load(path)
    opset = max([entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")], default=0)
    if 0 < opset < OLDEST_OPSET:  # 0: operators of other domains alone, which are named later
        raise DataError(f"operator set {opset}; {OLDEST_OPSET} or later is read: export it anew")
    proto = model.graph
    _text(proto.name, *(value.name for value in (*proto.input, *proto.output)))
    if len(proto.node) > MOST_NODES:
        raise DataError(f"{len(proto.node)} nodes; at most {MOST_NODES}")
    if len(proto.sparse_initializer):
        raise DataError("sparse initialisers; dense ones are read")
    constants = _constants(proto.initializer, weights)
    inputs = [value for value in proto.input if value.name not in constants]
    outputs = [value.name for value in proto.output]
    if output is not None and output not in outputs:
        raise ConfigError(f"no output is called {output!r}; there are {', '.join(outputs) or 'none'}")
    if output is None and len(outputs) != 1:
        raise DataError(f"{len(outputs)} outputs ({', '.join(outputs)}); say which one, --output")
    wanted = outputs[0] if output is None else output
    nodes = _needed([_node(index, entry, weights) for index, entry in enumerate(proto.node)], wanted)
    taken = {name for node in nodes for name in node.inputs} | {wanted}
    inputs = [value for value in inputs if value.name in taken]
    if len(inputs) != 1:
        raise DataError(f"{len(inputs)} inputs ({', '.join(value.name for value in inputs)}); one is needed")
    _check_order(nodes, {*constants, inputs[0].name})
    dims = inputs[0].type.tensor_type.shape.dim
    shape = tuple(dim.dim_value if dim.dim_value > 0 else None for dim in dims)
    return Graph(proto.name or "onnx", opset, tuple(nodes), constants, inputs[0].name, shape, wanted)


def _load(path: "os.PathLike[str]") -> Any:
    """The model as protocol buffers."""
    try:
        import onnx
    except ImportError:
        raise ConfigError(f"reading ONNX files needs the package onnx: {how_to_install('onnx')}") from None
    try:
        model = onnx.load_model_from_string(read_bytes(path, ONNX))
    except MinirramError:
        raise
    except Exception:  # protobuf has a class of errors per implementation
        raise DataError("no ONNX model, or one that is cut off") from None
    if not len(model.graph.node):
        raise DataError("no ONNX model, or one without nodes")
    return model


def _constants(tensors: Any, weights: bool) -> Dict[str, np.ndarray]:
    """{name: array} of initialisers."""
    found: Dict[str, np.ndarray] = {}
    total = 0
    for tensor in tensors:
        _text(tensor.name)
        if tensor.name in found:
            raise DataError(f"two initialisers are called {tensor.name!r}")
        total += _numbers(tensor)
        if total > MOST_NUMBERS:
            raise DataError(f"more than {MOST_NUMBERS} numbers in its initialisers")
        found[tensor.name] = _array(tensor, weights)
    return found


def _numbers(tensor: Any) -> int:
    """How many numbers a tensor announces; DataError when that cannot be."""
    if any(dim < 0 for dim in tensor.dims) or math.prod(tensor.dims) > MOST_NUMBERS:
        raise DataError(f"tensor {tensor.name!r} of shape {list(tensor.dims)}; at most {MOST_NUMBERS} numbers")
    return math.prod(tensor.dims)


def _array(tensor: Any, weights: bool) -> np.ndarray:
    """A tensor as an array, floats as float32."""
    import onnx

    _numbers(tensor)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        if weights:
            raise DataError(
                f"tensor {tensor.name!r} lies in another file, which is not opened; save the model in one file "
                "(torch.onnx.export(..., external_data=False))"
            )
        return np.broadcast_to(np.float32(0), tuple(tensor.dims))
    try:
        array = np.asarray(onnx.numpy_helper.to_array(tensor))
    except Exception as error:  # what it raises differs between versions
        raise DataError(f"tensor {tensor.name!r} is damaged: {error}") from None
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise DataError(f"tensor {tensor.name!r} holds NaN or infinity")
    elif array.dtype.kind not in "iub":
        raise DataError(f"tensor {tensor.name!r} is {array.dtype}; floats and integers are read")
    return array


def _text(*names: Any) -> None:
    """DataError unless all are texts: what is no UTF-8 comes as bytes."""
    for name in names:
        if not isinstance(name, str):
            raise DataError(f"a name that is no UTF-8: {name[:40]!r}")


def _node(index: int, entry: Any, weights: bool) -> Node:
    import onnx

    _text(entry.name, entry.op_type, entry.domain, *entry.input, *entry.output)
    kind = entry.op_type if entry.domain in ("", "ai.onnx") else f"{entry.domain}.{entry.op_type}"
    attributes: Dict[str, Any] = {}
    for attribute in entry.attribute:
        _text(attribute.name)
        if attribute.type == onnx.AttributeProto.TENSOR:
            attributes[attribute.name] = _array(attribute.t, weights)
        elif attribute.type in (onnx.AttributeProto.FLOAT, onnx.AttributeProto.INT, onnx.AttributeProto.STRING):
            value = onnx.helper.get_attribute_value(attribute)
            attributes[attribute.name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        elif attribute.type in (onnx.AttributeProto.FLOATS, onnx.AttributeProto.INTS):
            attributes[attribute.name] = tuple(onnx.helper.get_attribute_value(attribute))
    return Node(entry.name or f"{entry.op_type} {index}", kind, tuple(entry.input), tuple(entry.output), attributes)


def _needed(nodes: List[Node], output: str) -> List[Node]:
    """The nodes that `output` hangs on, in order; DataError where two give one tensor."""
    maker: Dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in filter(None, node.outputs):
            if name in maker:
                raise DataError(f"{node} and {nodes[maker[name]]} both give {name!r}")
            maker[name] = index
    needed: Set[int] = set()
    waiting = [output]
    while waiting:
        index = maker.get(waiting.pop(), -1)
        if index >= 0 and index not in needed:
            needed.add(index)
            waiting += nodes[index].inputs
    return [node for index, node in enumerate(nodes) if index in needed]


def _check_order(nodes: List[Node], known: Set[str]) -> None:
    """DataError unless every node takes what is there before it: a circle has no such order."""
    known = {"", *known}
    for node in nodes:
        missing = [name for name in node.inputs if name not in known]
        if missing:
            raise DataError(
                f"{node} takes {missing[0]!r}, which nothing before it gives: a circle, or a part is missing"
            )
        known.update(node.outputs)

"""Nodes whose inputs are constants: worked out once, as the file is read. Exporters state shapes and weights so."""

import math
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ..errors import DataError
from .graph import MOST_NUMBERS, Node

MOST_LISTED = 2**16
"""numbers in a list that is put together: a shape has a few"""
Arrays = List[Any]
"""arrays of the inputs; None: left out"""


def folded(node: Node, arrays: Arrays) -> np.ndarray:
    """What a node with constant inputs gives; DataError for another operator, or for a result that is too large."""
    if node.kind not in FOLDED:
        raise DataError(f"{node} works on constants alone; of these {', '.join(sorted(FOLDED))} are worked out")
    if sum(array.size for array in arrays if array is not None) > MOST_NUMBERS:
        raise DataError(f"{node} takes more than {MOST_NUMBERS} numbers")
    try:
        result = np.asarray(FOLDED[node.kind](node, arrays))
    except (ValueError, IndexError, TypeError, KeyError, OverflowError) as error:
        raise DataError(f"{node}: {error}") from None
    return result.astype(np.float32) if result.dtype == np.float64 else result


def axes_of(node: Node, arrays: Arrays, place: int = 1) -> Optional[Tuple[int, ...]]:
    """The axes of a node: an attribute, or an input since operator set 13; None: not stated."""
    if len(arrays) > place and arrays[place] is not None:
        return tuple(int(axis) for axis in np.ravel(arrays[place]))
    axes = node.attributes.get("axes")
    return None if axes is None else tuple(axes)


def _constant(node: Node, arrays: Arrays) -> np.ndarray:
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if name in node.attributes:
            return np.asarray(node.attributes[name])
    raise DataError(f"{node} states no number")


def _constant_of_shape(node: Node, arrays: Arrays) -> np.ndarray:
    shape = tuple(int(length) for length in arrays[0])
    if any(length < 0 for length in shape) or math.prod(shape) > MOST_NUMBERS:
        raise DataError(f"{node} asks for the shape {shape}; at most {MOST_NUMBERS} numbers")
    return np.broadcast_to(np.ravel(node.attributes.get("value", np.float32(0)))[0], shape)


def _cast(node: Node, arrays: Arrays) -> np.ndarray:
    import onnx

    return arrays[0].astype(onnx.helper.tensor_dtype_to_np_dtype(node.attributes["to"]))


def _unsqueeze(node: Node, arrays: Arrays) -> np.ndarray:
    axes = axes_of(node, arrays) or ()
    result = arrays[0]
    for axis in sorted(axis % (result.ndim + len(axes)) for axis in axes):
        result = np.expand_dims(result, axis)
    return result


def _squeeze(node: Node, arrays: Arrays) -> np.ndarray:
    return np.squeeze(arrays[0], axes_of(node, arrays))


def _reshape(node: Node, arrays: Arrays) -> np.ndarray:
    target = [int(length) for length in arrays[1]]
    shape = arrays[0].shape
    return arrays[0].reshape([shape[k] if length == 0 else length for k, length in enumerate(target)])


def _transpose(node: Node, arrays: Arrays) -> np.ndarray:
    return np.transpose(arrays[0], node.attributes.get("perm"))


def _concat(node: Node, arrays: Arrays) -> np.ndarray:
    if sum(array.size for array in arrays) > MOST_LISTED:
        raise DataError(f"{node} makes a list of more than {MOST_LISTED} numbers")
    return np.concatenate(arrays, axis=node.attributes["axis"])


def _gather(node: Node, arrays: Arrays) -> np.ndarray:
    if arrays[0].ndim != 1 or arrays[1].size > arrays[0].size:
        raise DataError(
            f"{node} takes {arrays[1].size} of a constant of shape {arrays[0].shape}; some of a list are taken"
        )
    return arrays[0][arrays[1]]


def _slice(node: Node, arrays: Arrays) -> np.ndarray:
    given = [arrays[k] if k < len(arrays) else None for k in range(1, 5)]
    starts, ends = arrays[1], arrays[2]
    axes = range(len(starts)) if given[2] is None else given[2]
    steps = [1] * len(starts) if given[3] is None else given[3]
    result = arrays[0]
    for start, end, axis, step in zip(starts, ends, axes, steps):
        index: List[Any] = [slice(None)] * result.ndim
        index[int(axis)] = slice(int(start), int(end), int(step))
        result = result[tuple(index)]
    return result


def _broadcast(operation: Callable[[Any, Any], Any]) -> Callable[[Node, Arrays], np.ndarray]:
    def work(node: Node, arrays: Arrays) -> np.ndarray:
        shape = np.broadcast(*arrays).shape
        if math.prod(shape) > max(array.size for array in arrays):
            raise DataError(f"{node} would make {shape} of {[array.shape for array in arrays]}")
        return operation(*arrays)

    return work


FOLDED: Dict[str, Callable[[Node, Arrays], Any]] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Identity": lambda node, arrays: arrays[0],
    "Cast": _cast,
    "Shape": lambda node, arrays: np.array(arrays[0].shape, np.int64),
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Concat": _concat,
    "Gather": _gather,
    "Slice": _slice,
    "Add": _broadcast(np.add),
    "Sub": _broadcast(np.subtract),
    "Mul": _broadcast(np.multiply),
    "Div": _broadcast(lambda a, b: a // b if np.result_type(a, b).kind in "iu" else a / b),
}
"""operator -> its result; none makes more numbers than went in, but ConstantOfShape, which takes no memory"""

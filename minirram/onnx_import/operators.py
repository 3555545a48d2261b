"""The operators that have a layer here: each makes the layers of one node."""

from typing import Any, Callable, Dict, List, Optional

import numpy as np

from ..nn.layers.activation import Clip, Relu
from ..nn.layers.join import Add, ChannelShuffle, Concat, Flatten
from ..nn.layers.norm import BATCH_NORM_EPSILON
from ..nn.layers.response_norm import ResponseNorm
from . import matrices, windows
from .builder import Builder, Value
from .constants import axes_of
from .operands import Operands, constant, expect, needed, seen, theirs, value_of


def _batch_norm(build: Builder, operands: Operands) -> Value:
    expect(build, training_mode=0, spatial=1)
    value = value_of(build, operands)
    gamma, beta, mean, var = (
        build.per_channel(needed(build, operands, place), value.shape[-1]) for place in (1, 2, 3, 4)
    )
    if value.order is not None:
        build.fail("a flattened image is normalised; put the batch norm before the Flatten")
    if (var < 0).any():
        build.fail("a negative variance")
    epsilon = float(build.node.attributes.get("epsilon", 1e-5))
    own = np.maximum(var + epsilon - BATCH_NORM_EPSILON, 0)
    gamma = gamma * np.sqrt((own + BATCH_NORM_EPSILON) / np.maximum(var + epsilon, np.finfo(np.float32).tiny))
    return build.batch_norm(value, gamma, beta, mean=mean, var=own)


def _response_norm(build: Builder, operands: Operands) -> Value:
    value = value_of(build, operands)
    if value.order is not None:
        build.fail("a flattened image is normalised; put it before the Flatten")
    size = int(build.node.attributes["size"])
    alpha, beta, bias = (
        float(build.node.attributes.get(name, default))
        for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    return build.emit(ResponseNorm(build.name(), size, alpha, beta, bias), value, positive=value.positive)


def _relu(build: Builder, operands: Operands) -> Value:
    return build.emit(Relu(build.name()), value_of(build, operands), positive=True)


def _clip(build: Builder, operands: Operands) -> Value:
    value = value_of(build, operands)
    bounds: List[Optional[float]] = []
    for place, name in ((1, "min"), (2, "max")):
        found = constant(build, operands, place)
        stated = build.node.attributes.get(name) if found is None else float(np.ravel(found)[0])
        bounds.append(None if stated is None or abs(stated) > 1e30 else float(stated))
    low, high = bounds
    positive = value.positive or (low is not None and low >= 0)
    if high is None:
        if low is None:
            return Value(**dict(vars(value), uses=build.uses))
        if low == 0:
            return build.emit(Relu(build.name()), value, positive=True)
    return build.emit(Clip(build.name(), low, high), value, positive=positive and (high is None or high >= 0))


def _sum(build: Builder, operands: Operands) -> Value:
    """Add and Sum: of activations, or of activations and a constant."""
    value = None
    for operand in operands:
        if value is None:
            value = operand
        elif isinstance(operand, Value) and isinstance(value, Value):
            value = _add(build, value, operand)
        elif isinstance(operand, Value):
            value = build.affine(operand, None, _aligned(build, operand, value))
        else:
            value = build.affine(value, None, _aligned(build, value, operand))
    return Value(**dict(vars(value), uses=build.uses))


def _add(build: Builder, one: Value, other: Value) -> Value:
    if one.shape != other.shape or one.order != other.order:
        build.fail(f"adds samples of {one.shape} and {other.shape}; both must be alike")
    if one.layer != build.last:
        one, other = other, one
    return build.emit(Add(build.name(), other.layer), one, positive=one.positive and other.positive)


def _aligned(build: Builder, value: Value, array: Any) -> np.ndarray:
    """A constant beside activations: one number, or one per channel along the axis of the channels."""
    found = np.asarray(array)
    if value.order is not None and found.size > 1:
        build.fail("a constant per element of a flattened image; put it before the Flatten")
    padded = (1,) * (value.rank - found.ndim) + found.shape
    if found.size > 1 and (len(padded) != value.rank or padded[1] != found.size):
        build.fail(f"a constant of shape {found.shape} for {value.shape[-1]} channels; one number per channel, or one")
    return found


def _mul(build: Builder, operands: Operands) -> Value:
    place = 0 if isinstance(operands[0], Value) else 1
    value, factor = (
        value_of(build, operands, place),
        _aligned(build, operands[place], needed(build, operands, 1 - place)),
    )
    return build.affine(value, factor, np.zeros(1))


def _div(build: Builder, operands: Operands) -> Value:
    value, factor = value_of(build, operands), _aligned(build, operands[0], needed(build, operands, 1))
    if not np.all(factor):
        build.fail("divides by 0")
    return build.affine(value, 1.0 / factor.astype(np.float64), np.zeros(1))


def _sub(build: Builder, operands: Operands) -> Value:
    value = value_of(build, operands)
    return build.affine(value, None, -_aligned(build, value, needed(build, operands, 1)).astype(np.float64))


def _concat(build: Builder, operands: Operands) -> Value:
    values = [value_of(build, operands, place) for place in range(len(operands))]
    rank, axis = values[0].rank, build.node.attributes.get("axis", 1)
    if axis % rank != 1:
        build.fail(f"joins along axis {axis}; the axis of the channels, 1, is supported")
    if any(value.rank != rank or value.shape[:-1] != values[0].shape[:-1] or value.order for value in values):
        build.fail(f"joins samples of {', '.join(str(value.shape) for value in values)}")
    joined = values[0]
    for number, other in enumerate(values[1:]):
        positive = joined.positive and other.positive
        name = build.name(build.node.name + ("" if number == len(values) - 2 else f"_part{number + 1}"))
        joined = build.emit(Concat(name, other.layer), joined, positive=positive)
    return Value(**dict(vars(joined), uses=build.uses))


def _flatten(build: Builder, operands: Operands) -> Value:
    value = value_of(build, operands)
    if build.node.attributes.get("axis", 1) % value.rank != 1:
        build.fail(f"axis {build.node.attributes['axis']}; 1, all but the batch, is supported")
    return _flat(build, value)


def _flat(build: Builder, value: Value) -> Value:
    """All numbers of a sample in one row."""
    if len(value.shape) == 1:
        return seen(build, value, rank=2)
    height, width, _ = value.shape
    order = value.shape if height * width > 1 else None
    return build.emit(Flatten(build.name()), value, rank=2, order=order, positive=value.positive, shares=value.shares)


def _reshape(build: Builder, operands: Operands) -> Value:
    value, target = value_of(build, operands), needed(build, operands, 1)
    wanted = [int(length) for length in np.ravel(target)]
    stated = theirs(value)
    if 0 in wanted and not build.node.attributes.get("allowzero", 0):
        wanted = [(1, *stated)[k] if length == 0 and k <= len(stated) else length for k, length in enumerate(wanted)]
    rest: List[Any] = wanted[1:]
    count = int(np.prod(stated))
    known = int(np.prod([length for length in rest if length != -1]))
    if -1 in rest and known and not count % known:
        rest[rest.index(-1)] = count // known
    if rest == [count]:
        return _flat(build, value)
    if value.parted is not None and value.parted[1] and tuple(rest) == stated:
        return build.emit(ChannelShuffle(build.name(), value.parted[0]), value, positive=value.positive, parted=None)
    if tuple(rest) == stated or (len(value.shape) == 1 and rest == [count] + [1] * (len(rest) - 1)):
        return seen(build, value, rank=len(wanted), parted=None)
    if value.rank == 4 and len(rest) == 4 and rest[0] * rest[1] == stated[0] and tuple(rest[2:]) == stated[1:]:
        return seen(build, value, parted=(rest[0], False))
    build.fail(f"samples of {stated} become {rest}; one row, or channels in groups for a shuffle, are supported")


def _transpose(build: Builder, operands: Operands) -> Value:
    value = value_of(build, operands)
    if value.parted is None or build.node.attributes.get("perm") != (0, 2, 1, 3, 4):
        build.fail(f"perm {build.node.attributes.get('perm')}; that of a channel shuffle is supported")
    return seen(build, value, parted=(value.parted[0], True))


def _squeeze(build: Builder, operands: Operands) -> Value:
    value, axes = value_of(build, operands), axes_of(build.node, operands)
    if len(value.shape) != 1 or sorted(axis % value.rank for axis in axes or ()) != list(range(2, value.rank)):
        build.fail(f"axes {axes}; height and width of one pixel are supported")
    return seen(build, value, rank=2)


def _unsqueeze(build: Builder, operands: Operands) -> Value:
    value, axes = value_of(build, operands), axes_of(build.node, operands) or ()
    rank = value.rank + len(axes)
    if value.rank != 2 or value.order or sorted(axis % rank for axis in axes) != list(range(2, rank)):
        build.fail(f"axes {axes}; height and width behind features are supported")
    return seen(build, value, rank=rank)


def _same(build: Builder, operands: Operands) -> Value:
    """Identity, and what is one in use."""
    return seen(build, value_of(build, operands))


def _dropout(build: Builder, operands: Operands) -> Value:
    mode = constant(build, operands, 2)
    if mode is not None and np.any(mode):
        build.fail("is in training mode")
    return _same(build, operands)


def _softmax(build: Builder, operands: Operands) -> Value:
    value = value_of(build, operands)
    axis = build.node.attributes.get("axis")
    if axis is not None and axis % value.rank != 1 and not (len(value.shape) == 1 and axis % value.rank > 0):
        build.fail(f"axis {axis}; that of the classes, 1, is supported")
    build.notes.append(f"{build.node}: left out, the order of the classes is that of the logits")
    return seen(build, value, shares=True)


Operator = Callable[[Builder, Operands], Value]
OPERATORS: Dict[str, Operator] = {
    "Add": _sum,
    "AveragePool": windows.average_pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": windows.conv,
    "Div": _div,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gemm": matrices.gemm,
    "GlobalAveragePool": windows.global_average,
    "Identity": _same,
    "LRN": _response_norm,
    "LogSoftmax": _softmax,
    "MatMul": matrices.matmul,
    "MaxPool": windows.max_pool,
    "Mul": _mul,
    "Pad": windows.pad,
    "ReduceMean": windows.reduce_mean,
    "Relu": _relu,
    "Reshape": _reshape,
    "Resize": windows.resize,
    "Softmax": _softmax,
    "Squeeze": _squeeze,
    "Sub": _sub,
    "Sum": _sum,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Upsample": windows.resize,
}
"""operator -> what makes its layers"""
VIEWS = ("Identity", "Dropout", "Flatten", "Reshape", "Squeeze", "Unsqueeze")
"""operators that may follow a softmax that is left out"""

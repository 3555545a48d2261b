"""Operators with a matrix, and the bias that may follow one."""

from typing import Optional

import numpy as np

from ..nn.layers.linear import Linear
from .builder import Builder, Value
from .operands import Operands, constant, expect, needed, value_of


def with_bias(build: Builder, value: Value, bias: Optional[np.ndarray]) -> Value:
    """value + bias per channel on the digital side; None: there is none."""
    if bias is None:
        return value
    uses, build.uses = build.uses, 1
    value = build.affine(value, None, bias)
    build.uses = uses
    return Value(**dict(vars(value), uses=uses))


def linear(build: Builder, value: Value, matrix: np.ndarray) -> Value:
    """The product with a matrix (fan_in, fan_out) as the file has it."""
    if matrix.ndim != 2 or len(value.shape) != 1 or matrix.shape[0] != value.shape[0]:
        build.fail(f"a matrix of shape {matrix.shape} for samples of {value.shape}")
    if value.order is not None and build.weighted:
        height, width, channels = value.order
        matrix = matrix.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(matrix.shape)
    layer = Linear(build.name(), *matrix.shape)
    build.hold(layer.name, matrix, matrix.shape)
    return build.emit(layer, build.codes_of(value), order=None)


def gemm(build: Builder, operands: Operands) -> Value:
    """Gemm: alpha x W + beta b, x (n, fan_in) the data, W and b constants."""
    expect(build, transA=0)
    value, matrix = value_of(build, operands), needed(build, operands, 1)
    if value.rank != 2:
        build.fail(f"its input has {value.rank} axes; put a Flatten before it")
    alpha, beta = (float(build.node.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    matrix = matrix.T if build.node.attributes.get("transB", 0) else matrix
    bias = constant(build, operands, 2)
    value = linear(build, value, matrix if alpha == 1 else matrix * np.float32(alpha))
    return with_bias(build, value, None if bias is None else beta * bias)


def matmul(build: Builder, operands: Operands) -> Value:
    """MatMul: x W, x (n, fan_in) the data, W a constant."""
    value, matrix = value_of(build, operands), needed(build, operands, 1)
    if value.rank != 2:
        build.fail(f"its input has {value.rank} axes; samples of one axis are supported")
    return linear(build, value, matrix)

"""A network in integers at work, in NumPy: the reference for export/infer.c."""

import zlib
from typing import Callable, Dict, List, Optional, Tuple

import numpy as np

from ..errors import ShapeError
from ..nn.layers.convolution import im2col
from ..nn.layers.windows import bordered, places
from .integers import (
    ADD,
    AFFINE,
    CLIP,
    CONCAT,
    CONVOLVE,
    FLATTEN,
    MAX_POOL,
    MEAN_POOL,
    PAD,
    QUANTIZE,
    RECALL,
    RECUR,
    SCALE,
    SHUFFLE,
    TOP,
    Factor,
    IntegerNetwork,
    Matrix,
    Step,
    clipped,
    mean,
    rounded_shift,
    scaled,
)

Totals = Callable[[str, np.ndarray], np.ndarray]
"""(matrix, codes uint8 (n, fan_in)) -> int64 (n, fan_out): what the chip gives, zero point not taken back"""


def integer_forward(
    network: IntegerNetwork,
    codes: np.ndarray,
    totals: Totals,
    *,
    saw: Optional[Callable[[int, np.ndarray], None]],
) -> np.ndarray:
    """The logits of input codes, uint8 (n, height, width, channels): int32 (n, height, width, classes).

    totals: such as `ChipProduct.totals`. saw: is told the index of every step and what leaves it: uint8 codes or int32
    values (n, height, width, channels).
    """
    if codes.shape[1:] != network.input_shape or codes.max(initial=0) >= 2**network.input_bits:
        raise ShapeError(f"codes {codes.shape[1:]}, expected {network.input_shape}, below 2^{network.input_bits}")
    joined = {step.other for step in network.steps}
    kept: Dict[int, np.ndarray] = {}
    x = codes
    for index, step in enumerate(network.steps):
        if step.kind == CONVOLVE:
            x = _convolve(network.matrices, step, x, totals)
        elif step.kind == RECUR:
            x = _recur(network.matrices, step, x, totals)
        elif step.kind in _JOINS:
            x = _JOINS[step.kind](step, x, kept[step.other])
        else:
            x = _ALONE[step.kind](step, x)
        if index in joined:
            kept[index] = x
        if saw is not None:
            saw(index, x)
    return x


def classes(logits: np.ndarray) -> np.ndarray:
    """Index of the largest logit, the first of several: int64 (n, ...)."""
    found: np.ndarray = np.argmax(logits.reshape(logits.shape[0], -1, logits.shape[-1]), axis=-1)
    return found[:, 0] if found.shape[1] == 1 else found.reshape(logits.shape[:-1])


def step_crcs(
    network: IntegerNetwork, codes: np.ndarray, totals: Totals, *, chunk: int = 100
) -> Tuple[np.ndarray, np.ndarray]:
    """(CRC-32 of what leaves every step, uint32 (n, steps); classes, int64 (n,)): what boards are compared by.

    The CRC is over the codes, or the values as little-endian int32, row by row and channels last.
    """
    crcs: np.ndarray = np.zeros((len(codes), len(network.steps)), np.uint32)
    found: List[np.ndarray] = []
    for start in range(0, len(codes), chunk):

        def saw(index: int, x: np.ndarray, start: int = start) -> None:
            data = np.ascontiguousarray(x if x.dtype == np.uint8 else x.astype("<i4"))
            for k, sample in enumerate(data):
                crcs[start + k, index] = zlib.crc32(sample.tobytes())

        found.append(classes(integer_forward(network, codes[start : start + chunk], totals, saw=saw)))
    return crcs, np.concatenate(found)


def _product(matrix: Matrix, codes: np.ndarray, totals: Totals) -> np.ndarray:
    """Values (n, fan_out) of codes (n, fan_in), int64."""
    total = totals(matrix.name, codes)
    if matrix.taken_back is not None:
        total = total - matrix.taken_back
    return scaled(total, matrix.factor)


def _convolve(matrices: Tuple[Matrix, ...], step: Step, x: np.ndarray, totals: Totals) -> np.ndarray:
    first, groups, *place, _, zero_point = step.numbers
    kernel, stride, padding, dilation = ((place[k], place[k + 1]) for k in (0, 2, 4, 6))
    parts = []
    for matrix, part in zip(matrices[first : first + groups], np.split(x, groups, axis=-1)):
        patches = im2col(part, kernel, stride=stride, padding=padding, dilation=dilation, fill=zero_point)
        y = _product(matrix, patches.reshape(-1, patches.shape[-1]), totals)
        parts.append(y.reshape(patches.shape[:3] + y.shape[1:]))
    return clipped(np.concatenate(parts, axis=-1))


def _recur(matrices: Tuple[Matrix, ...], step: Step, x: np.ndarray, totals: Totals) -> np.ndarray:
    into, hidden, multiplier, shift, bits, _ = step.numbers
    h: List[np.ndarray] = []
    for t in range(x.shape[2]):
        total = _product(matrices[into], np.ascontiguousarray(x[:, 0, t]), totals)
        if t:
            codes = _codes(h[-1], Factor(multiplier, shift), bits, 0)
            total = total + _product(matrices[hidden], codes, totals)
        h.append(np.maximum(clipped(total), 0))
    return np.stack(h, axis=1)[:, None]


def _codes(x: np.ndarray, factor: Factor, bits: int, zero_point: int) -> np.ndarray:
    return np.clip(scaled(x, factor) + zero_point, 0, 2**bits - 1).astype(np.uint8)


def _affine(step: Step, x: np.ndarray) -> np.ndarray:
    _, shift, zero_point = step.numbers
    table = np.asarray(step.table, np.int64)
    return clipped(rounded_shift((x.astype(np.int64) - zero_point) * table[:, 0], shift) + table[:, 1])


def _clip(step: Step, x: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(x, np.int32(step.numbers[0])), np.int32(step.numbers[1]))


def _quantize(step: Step, x: np.ndarray) -> np.ndarray:
    multiplier, shift, bits, zero_point = step.numbers
    return _codes(x, Factor(multiplier, shift), bits, zero_point)


def _views(step: Step, x: np.ndarray, fill: int) -> List[np.ndarray]:
    """The places of all windows."""
    kernel, stride, border = step.numbers[:2], step.numbers[2:4], step.numbers[4:8]
    x = bordered(x, border, fill=fill)  # type: ignore[arg-type]
    rows, cols = ((x.shape[k + 1] - kernel[k]) // stride[k] + 1 for k in (0, 1))
    return places(x, kernel=kernel, stride=stride, size=(rows, cols))  # type: ignore[arg-type]


def _max_pool(step: Step, x: np.ndarray) -> np.ndarray:
    first, *others = _views(step, x, 0 if x.dtype == np.uint8 else -TOP)
    largest = first.copy()
    for view in others:
        np.maximum(largest, view, out=largest)
    return largest


def _mean_pool(step: Step, x: np.ndarray) -> np.ndarray:
    total = np.sum(_views(step, x.astype(np.int64), 0), axis=0)
    inside = _views(step, np.ones(x.shape[:3] + (1,), np.int64), 0)
    whole = np.int64(step.numbers[0] * step.numbers[1])
    return clipped(mean(total, np.where(step.numbers[8], whole, np.sum(inside, axis=0))))


def _pad(step: Step, x: np.ndarray) -> np.ndarray:
    return bordered(x, step.numbers[:4], fill=step.numbers[4])  # type: ignore[arg-type]


def _scale(step: Step, x: np.ndarray) -> np.ndarray:
    multiplier, shift, zero_point = step.numbers
    return clipped(scaled(x.astype(np.int64) - zero_point, Factor(multiplier, shift)))


def _operands(step: Step, x: np.ndarray, other: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Both inputs as values with the fraction of the output."""
    one, two, shift, other_shift, zero_point, other_zero = step.numbers
    return (
        scaled(x.astype(np.int64) - zero_point, Factor(one, shift)),
        scaled(other.astype(np.int64) - other_zero, Factor(two, other_shift)),
    )


def _add(step: Step, x: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, two = _operands(step, x, other)
    return clipped(one + two)


def _concat(step: Step, x: np.ndarray, other: np.ndarray) -> np.ndarray:
    return clipped(np.concatenate(_operands(step, x, other), axis=-1))


def _recall(step: Step, x: np.ndarray, other: np.ndarray) -> np.ndarray:
    return other


def _shuffle(step: Step, x: np.ndarray) -> np.ndarray:
    (groups,) = step.numbers
    parted = x.reshape(x.shape[:-1] + (groups, x.shape[-1] // groups))
    return np.ascontiguousarray(parted.swapaxes(-1, -2)).reshape(x.shape)


def _flatten(step: Step, x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), 1, 1, -1)


_ALONE: Dict[int, Callable[[Step, np.ndarray], np.ndarray]] = {
    AFFINE: _affine,
    CLIP: _clip,
    QUANTIZE: _quantize,
    MAX_POOL: _max_pool,
    MEAN_POOL: _mean_pool,
    PAD: _pad,
    SCALE: _scale,
    SHUFFLE: _shuffle,
    FLATTEN: _flatten,
}
_JOINS: Dict[int, Callable[[Step, np.ndarray, np.ndarray], np.ndarray]] = {
    ADD: _add,
    CONCAT: _concat,
    RECALL: _recall,
}

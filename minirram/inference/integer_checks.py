"""What must hold of a network in integers: the checks of export/SPEC.md, 2.4, which export/infer.c makes, too."""

from typing import Callable, Dict, NamedTuple

import numpy as np

from ..errors import ConfigError
from .integers import (
    ADD,
    AFFINE,
    CLIP,
    CONCAT,
    CONVOLVE,
    FLATTEN,
    MAX_POOL,
    MEAN_POOL,
    MOST_SHIFT,
    NO_OTHER,
    PAD,
    QUANTIZE,
    RECALL,
    RECUR,
    SCALE,
    SHUFFLE,
    TOP,
    IntegerNetwork,
    Matrix,
    Step,
)

MOST_NUMBERS = 1 << 24
"""numbers between two layers"""
MOST_KEPT = 16
"""outputs that wait for a later step"""
MOST_LENGTH = 0xFFFF
"""of a side of an image, and of its channels"""


class Numbers(NamedTuple):
    """What leaves a step: its shape, and whether they are codes."""

    height: int
    width: int
    channels: int
    codes: bool


def checked_network(network: IntegerNetwork) -> IntegerNetwork:
    """`network`; ConfigError says which step or matrix is wrong."""
    if not 1 <= network.input_bits <= 8 or network.input_zero >= 2**network.input_bits or not network.steps:
        raise ConfigError("the input has 1 to 8 bits and a zero point among its codes, and there is a step")
    for matrix in network.matrices:
        _need(_matrix_holds(matrix), f"matrix {matrix.name}")
    numbers = _sized("the input", Numbers(*network.input_shape, True))
    joined = {step.other for step in network.steps if step.other != NO_OTHER}
    _need(len(joined) <= MOST_KEPT, f"more than {MOST_KEPT} outputs that wait for a later step: they")
    left: Dict[int, Numbers] = {}
    for index, step in enumerate(network.steps):
        joins = step.kind in (ADD, CONCAT, RECALL)
        _need(step.other < index if joins else step.other == NO_OTHER, f"step {step.name}: other")
        before = (numbers, left[step.other]) if joins else (numbers,)
        numbers = left[index] = _sized(f"step {step.name}", _CHECKS[step.kind](network, step, *before))
    return network


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ConfigError(f"{what}: a number out of its range")


def _sized(what: str, numbers: Numbers) -> Numbers:
    shape = numbers[:3]
    _need(1 <= min(shape) and max(shape) <= MOST_LENGTH, what)
    _need(shape[0] * shape[1] * shape[2] <= MOST_NUMBERS, what)
    return numbers


def _matrix_holds(matrix: Matrix) -> bool:
    """Sizes, and totals that fit 32 bits. Covered: as many cells as the matrix has."""
    top = 2**matrix.adc_bits - 1 if matrix.polarity else 2 ** (matrix.adc_bits - 1) - 1
    if not (1 <= matrix.input_bits <= 8 and 4 <= matrix.adc_bits <= 24 and min(matrix.fan_in, matrix.fan_out) >= 1):
        return False
    if not (1 <= matrix.lsb[0] <= 1 << 24 and -64 <= matrix.lsb[1] <= 64 and matrix.factor.shift <= MOST_SHIFT):
        return False
    total = len(matrix.reads) * top * (2**matrix.input_bits - 1)
    if matrix.taken_back is not None:
        total += int(np.abs(matrix.taken_back.astype(np.int64)).max())
    covered = 0
    for read in matrix.reads:
        if read.col0 % 2 or read.pairs < 1 or read.matrix_col + read.pairs > matrix.fan_out or not read.pieces:
            return False
        for row0, rows, matrix_row in read.pieces:
            if rows < 1 or row0 + rows > MOST_LENGTH or matrix_row + rows > matrix.fan_in:
                return False
            covered += rows * read.pairs
    return covered == matrix.fan_in * matrix.fan_out and total <= TOP


def _convolve(network: IntegerNetwork, step: Step, x: Numbers) -> Numbers:
    first, groups, kh, kw, down, right, above, left, dh, dw, out, _ = step.numbers
    what = f"step {step.name}"
    _need(x.codes and groups >= 1 and first + groups <= len(network.matrices), what)
    _need(x.channels % groups == 0 and min(kh, kw, down, right, dh, dw) >= 1, what)
    chosen = network.matrices[first : first + groups]
    _need(all(m.fan_in == kh * kw * (x.channels // groups) for m in chosen), what)
    _need(all(m.fan_out * groups == out for m in chosen), what)
    _need(all((m.taken_back is not None) == (step.numbers[-1] > 0) for m in chosen), what)
    height = (x.height + 2 * above - dh * (kh - 1) - 1) // down + 1
    width = (x.width + 2 * left - dw * (kw - 1) - 1) // right + 1
    return Numbers(height, width, out, False)


def _recur(network: IntegerNetwork, step: Step, x: Numbers) -> Numbers:
    into, hidden, _, shift, bits, zero = step.numbers
    what = f"step {step.name}"
    _need(x.codes and x.height == 1 and max(into, hidden) < len(network.matrices), what)
    one, two = network.matrices[into], network.matrices[hidden]
    _need(one.fan_in == x.channels and one.fan_out == two.fan_in == two.fan_out, what)
    _need((one.taken_back is not None) == (zero > 0) and two.taken_back is None, what)
    _need(1 <= bits <= 8 and shift <= MOST_SHIFT, what)
    return Numbers(1, x.width, one.fan_out, False)


def _affine(network: IntegerNetwork, step: Step, x: Numbers) -> Numbers:
    channels, shift, zero = step.numbers
    _need(channels == x.channels and shift <= MOST_SHIFT and (x.codes or zero == 0), f"step {step.name}")
    return x._replace(codes=False)


def _clip(network: IntegerNetwork, step: Step, x: Numbers) -> Numbers:
    low, high = step.numbers
    _need(not x.codes and -TOP <= low <= high, f"step {step.name}")
    return x


def _quantize(network: IntegerNetwork, step: Step, x: Numbers) -> Numbers:
    _, shift, bits, zero = step.numbers
    _need(not x.codes and shift <= MOST_SHIFT and 1 <= bits <= 8 and zero < 2**bits, f"step {step.name}")
    return x._replace(codes=True)


def _pool(network: IntegerNetwork, step: Step, x: Numbers) -> Numbers:
    kh, kw, down, right, above, left, below, beside = step.numbers[:8]
    what = f"step {step.name}"
    _need(min(kh, kw, down, right) >= 1 and max(above, below) < kh and max(left, beside) < kw, what)
    if step.kind == MEAN_POOL:
        _need(not x.codes and step.numbers[8] <= 1, what)
    height = (x.height + above + below - kh) // down + 1
    return x._replace(height=height, width=(x.width + left + beside - kw) // right + 1)


def _pad(network: IntegerNetwork, step: Step, x: Numbers) -> Numbers:
    above, left, below, beside, fill = step.numbers
    _need(x.codes or fill == 0, f"step {step.name}")
    return x._replace(height=x.height + above + below, width=x.width + left + beside)


def _scale(network: IntegerNetwork, step: Step, x: Numbers) -> Numbers:
    _, shift, zero = step.numbers
    _need(shift <= MOST_SHIFT and (x.codes or zero == 0), f"step {step.name}")
    return x._replace(codes=False)


def _join(network: IntegerNetwork, step: Step, x: Numbers, other: Numbers) -> Numbers:
    _, _, shift, other_shift, zero, other_zero = step.numbers
    what = f"step {step.name}"
    _need(max(shift, other_shift) <= MOST_SHIFT, what)
    _need((x.codes or zero == 0) and (other.codes or other_zero == 0), what)
    _need(x[: 3 if step.kind == ADD else 2] == other[: 3 if step.kind == ADD else 2], what)
    channels = x.channels if step.kind == ADD else x.channels + other.channels
    return Numbers(x.height, x.width, channels, False)


def _recall(network: IntegerNetwork, step: Step, x: Numbers, other: Numbers) -> Numbers:
    return other


def _shuffle(network: IntegerNetwork, step: Step, x: Numbers) -> Numbers:
    (groups,) = step.numbers
    _need(groups >= 1 and x.channels % groups == 0, f"step {step.name}")
    return x


def _flatten(network: IntegerNetwork, step: Step, x: Numbers) -> Numbers:
    return Numbers(1, 1, x.height * x.width * x.channels, x.codes)


_CHECKS: Dict[int, Callable[..., Numbers]] = {
    CONVOLVE: _convolve,
    RECUR: _recur,
    AFFINE: _affine,
    CLIP: _clip,
    QUANTIZE: _quantize,
    MAX_POOL: _pool,
    MEAN_POOL: _pool,
    PAD: _pad,
    SCALE: _scale,
    ADD: _join,
    CONCAT: _join,
    RECALL: _recall,
    SHUFFLE: _shuffle,
    FLATTEN: _flatten,
}

"""Each check of a network in integers, at its limit: the last number that is right, and the first that is not."""

import numpy as np
import pytest

from minirram.errors import ConfigError
from minirram.inference.integer_checks import MOST_KEPT, MOST_LENGTH, checked_network
from minirram.inference.integers import (
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
    Factor,
    IntegerNetwork,
    Matrix,
    Read,
    Step,
)

CODES, VALUES = (FLATTEN, ()), (SCALE, (1, 0, 0))
"""first steps after which there are codes, and values"""


def matrix(fan_in=2, fan_out=2, **other):
    """A matrix in one piece of one macro."""
    reads = (Read(0, 0, fan_out, 0, ((0, fan_in, 0),)),)
    made = Matrix("m", fan_in, fan_out, 4, 8, False, (1, 0), Factor(1, 0), None, reads)
    return made._replace(**other)


def network(*steps, shape=(4, 4, 2), matrices=(), bits=4, zero=0):
    """Steps (kind, numbers) or (kind, numbers, other) in a row."""
    made = [Step(kind, f"s{k}", 0, *(other or (NO_OTHER,)), numbers) for k, (kind, numbers, *other) in enumerate(steps)]
    return IntegerNetwork(shape, bits, zero, 0, tuple(matrices), tuple(made))


def conv(kh=1, kw=1, down=1, right=1, above=0, left=0, dh=1, dw=1, out=2, first=0, groups=1, zero=0):
    return (CONVOLVE, (first, groups, kh, kw, down, right, above, left, dh, dw, out, zero))


def pool(kind, *numbers, last=()):
    return (kind, (*numbers, *last))


def kept(count):
    """`count` outputs that wait, each recalled in the end."""
    return [VALUES] * count + [(RECALL, (), k) for k in range(count)]


back = np.zeros(2, np.int32)
LIMITS = {
    "height": (dict(shape=(MOST_LENGTH, 1, 1)), dict(shape=(MOST_LENGTH + 1, 1, 1))),
    "width": (dict(shape=(1, MOST_LENGTH, 1)), dict(shape=(1, MOST_LENGTH + 1, 1))),
    "channels": (dict(shape=(1, 1, MOST_LENGTH)), dict(shape=(1, 1, MOST_LENGTH + 1))),
    "no rows": (dict(shape=(1, 1, 1)), dict(shape=(0, 1, 1))),
    "numbers": (dict(shape=(4096, 4096, 1)), dict(shape=(4096, 4097, 1))),
    "input bits": (dict(bits=8), dict(bits=9)),
    "zero point": (dict(zero=15), dict(zero=16)),
}
STEPS = {
    "kept": (kept(MOST_KEPT), kept(MOST_KEPT + 1)),
    "earlier": ([VALUES, (RECALL, (), 0)], [VALUES, (RECALL, (), 1)]),
    "joins nothing": ([CODES], [(FLATTEN, (), 0)]),
    "affine shift": ([(AFFINE, (2, MOST_SHIFT, 0))], [(AFFINE, (2, MOST_SHIFT + 1, 0))]),
    "affine channels": ([(AFFINE, (2, 0, 0))], [(AFFINE, (3, 0, 0))]),
    "affine zero of values": ([VALUES, (AFFINE, (2, 0, 0))], [VALUES, (AFFINE, (2, 0, 1))]),
    "clip order": ([VALUES, (CLIP, (3, 3))], [VALUES, (CLIP, (3, 2))]),
    "clip of codes": ([VALUES, (CLIP, (0, 3))], [CODES, (CLIP, (0, 3))]),
    "quantize shift": ([VALUES, (QUANTIZE, (1, MOST_SHIFT, 4, 0))], [VALUES, (QUANTIZE, (1, MOST_SHIFT + 1, 4, 0))]),
    "quantize bits": ([VALUES, (QUANTIZE, (1, 0, 8, 0))], [VALUES, (QUANTIZE, (1, 0, 9, 0))]),
    "quantize no bit": ([VALUES, (QUANTIZE, (1, 0, 1, 0))], [VALUES, (QUANTIZE, (1, 0, 0, 0))]),
    "quantize zero": ([VALUES, (QUANTIZE, (1, 0, 4, 15))], [VALUES, (QUANTIZE, (1, 0, 4, 16))]),
    "quantize codes": ([VALUES, (QUANTIZE, (1, 0, 4, 0))], [CODES, (QUANTIZE, (1, 0, 4, 0))]),
    "pool window": ([pool(MAX_POOL, 4, 4, 1, 1, 0, 0, 0, 0)], [pool(MAX_POOL, 5, 4, 1, 1, 0, 0, 0, 0)]),
    "pool wide": ([pool(MAX_POOL, 4, 4, 1, 1, 0, 0, 0, 0)], [pool(MAX_POOL, 4, 5, 1, 1, 0, 0, 0, 0)]),
    "pool step": ([pool(MAX_POOL, 2, 2, 1, 1, 0, 0, 0, 0)], [pool(MAX_POOL, 2, 2, 1, 0, 0, 0, 0, 0)]),
    "pool above": ([pool(MAX_POOL, 2, 2, 1, 1, 1, 1, 1, 1)], [pool(MAX_POOL, 2, 2, 1, 1, 2, 1, 1, 1)]),
    "pool left": ([pool(MAX_POOL, 2, 2, 1, 1, 1, 1, 1, 1)], [pool(MAX_POOL, 2, 2, 1, 1, 1, 2, 1, 1)]),
    "pool below": ([pool(MAX_POOL, 2, 2, 1, 1, 1, 1, 1, 1)], [pool(MAX_POOL, 2, 2, 1, 1, 1, 1, 2, 1)]),
    "pool beside": ([pool(MAX_POOL, 2, 2, 1, 1, 1, 1, 1, 1)], [pool(MAX_POOL, 2, 2, 1, 1, 1, 1, 1, 2)]),
    "mean flag": (
        [VALUES, pool(MEAN_POOL, 2, 2, 1, 1, 0, 0, 0, 0, last=(1,))],
        [VALUES, pool(MEAN_POOL, 2, 2, 1, 1, 0, 0, 0, 0, last=(2,))],
    ),
    "mean of codes": (
        [VALUES, pool(MEAN_POOL, 2, 2, 1, 1, 0, 0, 0, 0, last=(1,))],
        [CODES, pool(MEAN_POOL, 2, 2, 1, 1, 0, 0, 0, 0, last=(1,))],
    ),
    "pad of values": ([VALUES, (PAD, (1, 1, 1, 1, 0))], [VALUES, (PAD, (1, 1, 1, 1, 1))]),
    "pad of codes": ([(PAD, (1, 1, 1, 1, 1))], [(PAD, (MOST_LENGTH, 1, 1, 1, 1))]),
    "pad wide": ([(PAD, (1, 1, 1, 1, 1))], [(PAD, (1, MOST_LENGTH, 1, 1, 1))]),
    "pad below": ([(PAD, (1, 1, 1, 1, 1))], [(PAD, (1, 1, MOST_LENGTH, 1, 1))]),
    "pad beside": ([(PAD, (1, 1, 1, 1, 1))], [(PAD, (1, 1, 1, MOST_LENGTH, 1))]),
    "scale shift": ([(SCALE, (1, MOST_SHIFT, 0))], [(SCALE, (1, MOST_SHIFT + 1, 0))]),
    "scale zero": ([VALUES, (SCALE, (1, 0, 0))], [VALUES, (SCALE, (1, 0, 1))]),
    "add shapes": ([VALUES, VALUES, (ADD, (1, 1, 0, 0, 0, 0), 0)], [VALUES, CODES, (ADD, (1, 1, 0, 0, 0, 0), 0)]),
    "add shift": ([VALUES, VALUES, (ADD, (1, 1, 62, 62, 0, 0), 0)], [VALUES, VALUES, (ADD, (1, 1, 63, 0, 0, 0), 0)]),
    "add other shift": (
        [VALUES, VALUES, (ADD, (1, 1, 62, 62, 0, 0), 0)],
        [VALUES, VALUES, (ADD, (1, 1, 0, 63, 0, 0), 0)],
    ),
    "add zero": ([VALUES, VALUES, (ADD, (1, 1, 0, 0, 0, 0), 0)], [VALUES, VALUES, (ADD, (1, 1, 0, 0, 1, 0), 0)]),
    "add other zero": ([VALUES, VALUES, (ADD, (1, 1, 0, 0, 0, 0), 0)], [VALUES, VALUES, (ADD, (1, 1, 0, 0, 0, 1), 0)]),
    "concat sides": (
        [VALUES, VALUES, (CONCAT, (1, 1, 0, 0, 0, 0), 0)],
        [VALUES, (PAD, (1, 0, 0, 0, 0)), (CONCAT, (1, 1, 0, 0, 0, 0), 0)],
    ),
    "shuffle": ([(SHUFFLE, (2,))], [(SHUFFLE, (3,))]),
    "shuffle none": ([(SHUFFLE, (1,))], [(SHUFFLE, (0,))]),
}
MATRICES = {
    "convolution": ([conv()], [conv(out=3)], [matrix()]),
    "its fan-in": ([conv()], [conv(kh=2)], [matrix()]),
    "its codes": ([conv()], [VALUES, conv()], [matrix()]),
    "its matrices": ([conv()], [conv(first=1)], [matrix()]),
    "its groups": ([conv(groups=1)], [conv(groups=0)], [matrix()]),
    "its step": ([conv()], [conv(right=0)], [matrix()]),
    "its dilation": ([conv()], [conv(dh=0)], [matrix()]),
    "its zero": ([conv(zero=1)], [conv(zero=0)], [matrix(taken_back=back)]),
    "its window": ([conv(kh=4, kw=4)], [conv(kh=4, kw=4, dh=2)], [matrix(fan_in=32)]),
    "recurrent": ([(RECUR, (0, 0, 1, 0, 8, 0))], [(RECUR, (0, 1, 1, 0, 8, 0))], [matrix()]),
    "recurrent bits": ([(RECUR, (0, 0, 1, 0, 8, 0))], [(RECUR, (0, 0, 1, 0, 9, 0))], [matrix()]),
    "recurrent shift": ([(RECUR, (0, 0, 1, 62, 8, 0))], [(RECUR, (0, 0, 1, 63, 8, 0))], [matrix()]),
    "recurrent zero": ([(RECUR, (0, 0, 1, 0, 8, 0))], [(RECUR, (0, 0, 1, 0, 8, 1))], [matrix()]),
    "recurrent fan-in": ([(RECUR, (0, 1, 1, 0, 8, 0))], [(RECUR, (2, 1, 1, 0, 8, 0))], [matrix(), matrix(), matrix(3)]),
    "recurrent square": ([(RECUR, (0, 1, 1, 0, 8, 0))], [(RECUR, (0, 2, 1, 0, 8, 0))], [matrix(), matrix(), matrix(3)]),
}
OF_A_MATRIX = {
    "input bits": (matrix(input_bits=8), matrix(input_bits=9)),
    "ADC bits": (matrix(adc_bits=4), matrix(adc_bits=3)),
    "most ADC bits": (matrix(adc_bits=24), matrix(adc_bits=25)),
    "LSB": (matrix(lsb=(1 << 24, 64)), matrix(lsb=((1 << 24) + 1, 64))),
    "no LSB": (matrix(lsb=(1, -64)), matrix(lsb=(0, -64))),
    "exponent": (matrix(lsb=(1, 64)), matrix(lsb=(1, 65))),
    "factor": (matrix(factor=Factor(1, MOST_SHIFT)), matrix(factor=Factor(1, MOST_SHIFT + 1))),
    "even column": (matrix(), matrix(reads=(Read(0, 1, 2, 0, ((0, 2, 0),)),))),
    "column": (matrix(), matrix(reads=(Read(0, 0, 2, 1, ((0, 2, 0),)),))),
    "row of the matrix": (matrix(), matrix(reads=(Read(0, 0, 2, 0, ((0, 2, 1),)),))),
    "row of the macro": (
        matrix(reads=(Read(0, 0, 2, 0, ((MOST_LENGTH - 2, 2, 0),)),)),
        matrix(reads=(Read(0, 0, 2, 0, ((MOST_LENGTH - 1, 2, 0),)),)),
    ),
    "covered": (matrix(), matrix(reads=(Read(0, 0, 2, 0, ((0, 1, 0),)),))),
    "total": (
        matrix(taken_back=np.array([2**31 - 1 - 127 * 15, 0], np.int32)),
        matrix(taken_back=np.array([2**31 - 127 * 15, 0], np.int32)),
    ),
}


def check(good, bad):
    checked_network(good)
    with pytest.raises(ConfigError, match="out of its range|1 to 8 bits"):
        checked_network(bad)


@pytest.mark.parametrize("name", LIMITS)
def test_the_input_at_its_limits(name):
    check(*(network((SHUFFLE, (1,)), **one) for one in LIMITS[name]))


@pytest.mark.parametrize("name", STEPS)
def test_a_step_at_its_limits(name):
    check(*(network(*one) for one in STEPS[name]))


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_that_fits_its_step(name):
    good, bad, held = MATRICES[name]
    shape = (1, 4, 2) if name.startswith("recurrent") else (4, 4, 2)
    check(network(*good, matrices=held, shape=shape), network(*bad, matrices=held, shape=shape))


@pytest.mark.parametrize("name", OF_A_MATRIX)
def test_a_matrix_at_its_limits(name):
    check(*(network(CODES, matrices=[one]) for one in OF_A_MATRIX[name]))


def test_a_network_without_steps_is_none():
    check(network(CODES), network())

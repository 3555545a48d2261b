"""The laws of a device without noise: integers, bit for bit. Each raises `Violation` with a counterexample."""

from typing import Any, List

import numpy as np

from .cases import (
    Case,
    Factory,
    Problem,
    Spec,
    Violation,
    coarse,
    draw_codes,
    expected,
    largest_code,
    make_device,
    must_equal,
    odd_lsb,
    unsaturated,
    within_budget,
)

MANY_CALLS = 1100


def _must_count(found: int, wanted: int, case: Case, what: str) -> None:
    if found != wanted:
        raise Violation(f"{case}: {what} reports {found} saturated conversions, there are {wanted}")


def integer_exactness(factory: Factory, spec: Spec, problem: Problem) -> None:
    """LSB = one grid unit, nothing saturates: the integer matrix product, for every shape and remainder of tiles."""
    case = unsaturated(spec, problem)
    y, saturated = make_device(factory, spec, case)(case.codes)
    product = case.codes.astype(np.float64) @ (case.plus - case.minus).astype(np.float64)  # below 2^53
    must_equal(y, product.astype(np.int64), case, "the exact product")
    _must_count(saturated, 0, case, "the exact product")


def conversion(factory: Factory, spec: Spec, problem: Problem) -> None:
    """Any LSB: rint(I / LSB) of each plane and tile, weighted by 2^b."""
    case = coarse(spec, problem)
    y, _ = make_device(factory, spec, case)(case.codes)
    must_equal(y, expected(spec, case)[0], case, "the converted product")


def saturation(factory: Factory, spec: Spec, problem: Problem) -> None:
    """A range that is too small: codes stop at M and every saturated conversion of the call is counted.

    In half of the cases as many conversions as a case may have: a counter of 16 bits is not enough.
    """
    if problem.seed % 2:
        problem = within_budget(problem._replace(batch=spec.max_batch))
    case = coarse(spec, problem, squeeze=0.05)
    multiply = make_device(factory, spec, case)
    wanted, count = expected(spec, case)
    for call in ("the first call", "the second call"):
        y, saturated = multiply(case.codes)
        must_equal(y, wanted, case, f"{call} of a saturated product")
        _must_count(saturated, count, case, call)


def zero_in_zero_out(factory: Factory, spec: Spec, problem: Problem) -> None:
    """No driven row, no current, no code; nor after a call that was driven, which answers as ever."""
    case = coarse(spec, problem)
    multiply = make_device(factory, spec, case)
    wanted, _ = expected(spec, case)
    for _ in range(2):
        y, saturated = multiply(np.zeros_like(case.codes))
        must_equal(y, np.zeros_like(y), case, "an input of zeros")
        _must_count(saturated, 0, case, "an input of zeros")
        must_equal(multiply(case.codes)[0], wanted, case, "the call after one of zeros")


def pruned_column(factory: Factory, spec: Spec, problem: Problem) -> None:
    """Pairs whose two cells are equal read exactly zero, whatever the others do."""
    case = coarse(spec, problem)
    pruned = problem.random().random(problem.pairs) < 0.3
    pruned[-1] = True
    case.minus[:, pruned] = case.plus[:, pruned]
    y, _ = make_device(factory, spec, case)(case.codes)
    must_equal(y * pruned, np.zeros_like(y), case, "a pair of equal cells")


def sign(factory: Factory, spec: Spec, problem: Problem) -> None:
    """G+ and G- exchanged: the negative result."""
    case = coarse(spec, problem)
    y, _ = make_device(factory, spec, case)(case.codes)
    swapped, _ = make_device(factory, spec, case._replace(plus=case.minus, minus=case.plus))(case.codes)
    must_equal(swapped, -y, case, "G+ and G- exchanged")


def superposition_of_planes(factory: Factory, spec: Spec, problem: Problem) -> None:
    """Each bit plane is a read of its own: their results add up."""
    case = coarse(spec, problem)
    multiply = make_device(factory, spec, case)
    y, _ = multiply(case.codes)
    parts = [multiply(case.codes & np.uint8(1 << b))[0] for b in range(case.input_bits)]
    must_equal(np.sum(parts, axis=0), y, case, "the sum over single bit planes")


def independence_of_the_batch(factory: Factory, spec: Spec, problem: Problem) -> None:
    """A sample's result depends neither on the samples around it, nor on their number, nor on its place."""
    case = coarse(spec, problem._replace(batch=max(5, problem.batch)))
    case.codes[1] >>= 1  # samples of unequal range
    case.codes[2] = 0
    multiply = make_device(factory, spec, case)
    y, _ = multiply(case.codes)
    some = problem.random().permutation(len(case.codes))[:4]
    alone = [multiply(case.codes[k : k + 1])[0][0] for k in some]
    must_equal(np.array(alone), y[some], case, "one sample at a time")
    cut = int(some[0])
    parts = [multiply(part)[0] for part in (case.codes[:cut], case.codes[cut:]) if len(part)]
    must_equal(np.concatenate(parts), y, case, f"the batch in two parts, cut at {cut},")
    must_equal(multiply(case.codes[::-1].copy())[0][::-1], y, case, "the batch in reverse order")
    another = make_device(factory, spec, case)
    another(case.codes[:1])
    must_equal(another(case.codes)[0], y, case, "the batch after a single sample")


def every_line(factory: Factory, spec: Spec, problem: Problem) -> None:
    """One driven row and cells that are all different: each row and each column has a place of its own."""
    case = coarse(spec, problem)
    random = problem.random()
    codes = np.zeros_like(case.codes)
    codes[np.arange(len(codes)), random.integers(0, problem.rows, len(codes))] = 2**case.input_bits - 1
    codes[-1] = 0
    codes[-1, -1] = 1
    plus = random.integers(spec.g_max // 2, spec.g_max + 1, case.plus.shape)
    minus = random.integers(0, spec.g_max // 2 + 1, case.plus.shape)
    lsb = odd_lsb(spec.g_max / largest_code(spec, case.adc_bits), problem.fraction_bits)
    case = case._replace(plus=plus, minus=minus, codes=codes, lsb=lsb)
    y, _ = make_device(factory, spec, case)(case.codes)
    must_equal(y, expected(spec, case)[0], case, "one driven row")


def large_sums(factory: Factory, spec: Spec, problem: Problem) -> None:
    """All cells of one polarity and all inputs at their largest: no sum overflows, on any number of tiles.

    In half of the cases with the most bits, and in half of those with the largest batch.
    """
    if problem.seed % 2:
        problem = problem._replace(input_bits=max(spec.input_bits), adc_bits=max(spec.adc_bits))
    if problem.seed % 4 == 1:
        problem = problem._replace(batch=spec.max_batch)
    case = coarse(spec, within_budget(problem))
    largest = np.full_like(case.plus, spec.g_max)
    codes = np.full_like(case.codes, 2**case.input_bits - 1)
    for plus, minus in ((largest, 0 * largest), (0 * largest, largest)):
        full = case._replace(plus=plus, minus=minus, codes=codes)
        y, saturated = make_device(factory, spec, full)(codes)
        wanted, count = expected(spec, full)
        must_equal(y, wanted, full, "the largest sum")
        _must_count(saturated, count, full, "the largest sum")


def repeatability(factory: Factory, spec: Spec, problem: Problem) -> None:
    """The same call gives the same, whatever was asked in between, and so does a second device of the same cells.

    Another call is one that differs in one code alone. In some of the cases few cells answer MANY_CALLS times: what
    counts calls in 8 or 10 bits begins again.
    """
    case = coarse(spec, problem)
    first, second = make_device(factory, spec, case), make_device(factory, spec, case)
    y, _ = first(case.codes)
    must_equal(first(case.codes)[0], y, case, "the second call")
    random = problem.random()
    first(draw_codes(random, case.codes.shape, case.input_bits))
    must_equal(first(case.codes)[0], y, case, "the call after one with other inputs")
    others, changed = case.codes.copy(), tuple(int(random.integers(size)) for size in case.codes.shape)
    others[changed] ^= np.uint8(2**case.input_bits - 1)
    must_equal(
        first(others)[0], expected(spec, case, codes=others)[0], case, f"the call with another code at {changed}"
    )
    must_equal(second(case.codes)[0], y, case, "a second device of the same cells")
    if problem.seed % 8 == 0:
        few = coarse(spec, problem._replace(rows=min(problem.rows, 5), pairs=min(problem.pairs, 3), batch=1))
        multiply, wanted = make_device(factory, spec, few), expected(spec, few)[0]
        for call in range(MANY_CALLS):
            must_equal(multiply(few.codes)[0], wanted, few, f"call {call + 1} of one device")


def devices_side_by_side(factory: Factory, spec: Spec, problem: Problem) -> None:
    """Two devices of other cells, bits and ranges, made first and used in turn: each answers for itself."""
    random = problem.random()
    bits = {"input_bits": int(random.choice(spec.input_bits)), "adc_bits": int(random.choice(spec.adc_bits))}
    cases = [coarse(spec, problem), coarse(spec, problem._replace(seed=problem.seed + 1, **bits), squeeze=0.3)]
    devices = [make_device(factory, spec, case) for case in cases]
    for k in (0, 1, 0):
        y, saturated = devices[k](cases[k].codes)
        wanted, count = expected(spec, cases[k])
        must_equal(y, wanted, cases[k], "one of two devices")
        _must_count(saturated, count, cases[k], "one of two devices")


def what_is_handed_over(factory: Factory, spec: Spec, problem: Problem) -> None:
    """Cells and codes in any memory layout; an answer that stays when the next one is given; cells that stay when the
    caller writes to the arrays that it handed over."""
    case = coarse(spec, problem)
    multiply = make_device(factory, spec, case)
    wanted, _ = expected(spec, case)
    n, rows = case.codes.shape
    wide = np.zeros((2 * n, 2 * rows), np.uint8)
    wide[::2, ::2] = case.codes
    layouts = {
        "in Fortran order": np.asfortranarray(case.codes),
        "that are every other row and column of an array": wide[::2, ::2],
        "that run backwards in memory": np.ascontiguousarray(case.codes[::-1])[::-1],
    }
    first = multiply(case.codes)[0]
    for what, codes in layouts.items():
        must_equal(multiply(codes)[0], wanted, case, f"codes {what}")
    multiply(np.zeros_like(case.codes))
    must_equal(first, wanted, case, "the first answer, looked at after later calls,")
    columns = case._replace(plus=np.asfortranarray(case.plus), minus=np.asfortranarray(case.minus))
    handed: List[np.ndarray] = []

    def keeping(plus_S: np.ndarray, minus_S: np.ndarray, *others: Any) -> Any:
        handed.extend((plus_S, minus_S))
        return factory(plus_S, minus_S, *others)

    multiply = make_device(keeping, spec, columns)
    must_equal(multiply(case.codes)[0], wanted, case, "cells in Fortran order")
    for cells_S in handed:
        cells_S.flags.writeable = True
        cells_S[:] = 0
    must_equal(multiply(case.codes)[0], wanted, case, "a device whose caller wrote to its arrays of cells")


EXACT_LAWS = (
    integer_exactness,
    conversion,
    saturation,
    zero_in_zero_out,
    pruned_column,
    sign,
    superposition_of_planes,
    independence_of_the_batch,
    every_line,
    large_sums,
    repeatability,
    devices_side_by_side,
    what_is_handed_over,
)

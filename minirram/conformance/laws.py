"""The laws that a crossbar multiplier keeps, each as a function that raises `Violation` with a counterexample.

Exact laws compare integers on one random case; statistical laws compare means and variances of repeated reads of a
noisy device. `minirram.conformance` runs them.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Callable, NamedTuple, Optional, Tuple, Union

import numpy as np

from ..crossbar.converters import ARRANGEMENTS, top_code
from ..errors import ConfigError, MinirramError

FALSE_ALARM = 1e-3
"""Chance that `check(..., exact=False)` rejects a device that keeps the laws, over all comparisons of one call."""

Multiply = Callable[[np.ndarray], Tuple[np.ndarray, int]]
"""codes (n, rows) -> (integers (n, pairs), saturated conversions)"""
Factory = Callable[[np.ndarray, np.ndarray, int, int, float], Any]
"""(G_plus_S, G_minus_S, input_bits, adc_bits, range_A) -> a device with such a `multiply`"""
Numbers = Union[float, np.ndarray]

_READS = 400  # repetitions behind each mean and variance of the statistical checks


@dataclass(frozen=True)
class Spec:
    """What the device claims to be."""

    arrangement: str = "pair"
    """pair: one signed conversion of I+ - I-; polarity: one unsigned conversion each, subtracted"""
    tile_rows: int = 512
    """rows of one array: a conversion sums at most this many, further rows are summed after the ADC"""
    tile_pairs: int = 256
    """pairs of columns of one array"""
    input_bits: Tuple[int, ...] = (1, 4, 8)
    """input resolutions to try, 1..8"""
    adc_bits: Tuple[int, ...] = (8, 14)
    """ADC resolutions to try, 4..24"""
    grid_S: float = 1e-9
    """conductances are multiples of this"""
    g_max_S: float = 32.767e-6
    """largest conductance that the device takes"""
    read_voltage_V: float = 0.2
    """voltage of a driven row"""
    read_noise: float = 0.0
    """relative standard deviation of one read of one cell; statistical checks only"""
    held_noise: bool = False
    """True when a cell keeps one deviation over the bit planes of a sample; statistical checks only"""
    mean_tolerance: float = 0.0
    """relative error of the conductances that the device may have for good; statistical checks only"""
    max_rows: int = 1100
    """largest matrix to try"""
    max_pairs: int = 600
    """largest matrix to try"""
    examples: int = 40
    """random cases per law"""

    def __post_init__(self) -> None:
        if self.arrangement not in ARRANGEMENTS:
            raise ConfigError(f"arrangement {self.arrangement!r}: choose 'pair' or 'polarity'")
        for field in ("tile_rows", "tile_pairs", "max_rows", "max_pairs", "examples"):
            if getattr(self, field) < 1:
                raise ConfigError(f"{field} is {getattr(self, field)}; it must be at least 1")


class Violation(MinirramError):
    """A device broke a law; the message is the counterexample."""


class NotTried(MinirramError):
    """A law has no case that would tell on a device like this; the message says why."""


class Case(NamedTuple):
    """One multiplication to try. Conductances are integers on the grid, the LSB is `lsb` grid units of current."""

    plus: np.ndarray
    minus: np.ndarray
    codes: np.ndarray
    input_bits: int
    adc_bits: int
    lsb: int

    def __repr__(self) -> str:
        rows, pairs = self.plus.shape
        return (
            f"{rows} x {pairs} pairs, batch {len(self.codes)}, {self.input_bits} input bits, {self.adc_bits} ADC bits, "
            f"LSB of {self.lsb} grid units"
        )


def largest_code(spec: Spec, adc_bits: int) -> int:
    """M of an ADC of `adc_bits` in the arrangement of `spec`."""
    return top_code(adc_bits, spec.arrangement)


def _device(factory: Factory, spec: Spec, case: Case) -> Multiply:
    """The device for one case, and its multiply with the shape of the answer checked."""
    range_A = largest_code(spec, case.adc_bits) * case.lsb * spec.grid_S * spec.read_voltage_V
    device = factory(case.plus * spec.grid_S, case.minus * spec.grid_S, case.input_bits, case.adc_bits, range_A)

    def multiply(codes: np.ndarray) -> Tuple[np.ndarray, int]:
        y, saturated = device.multiply(codes)
        y = np.asarray(y)
        if y.shape != (len(codes), case.plus.shape[1]) or y.dtype.kind not in "iu":
            raise Violation(
                f"{case}: the answer is {y.dtype} {y.shape}, expected integers {(len(codes), case.plus.shape[1])}"
            )
        return y.astype(np.int64), int(saturated)

    return multiply


def expected(spec: Spec, case: Case, *, codes: Optional[np.ndarray] = None) -> Tuple[np.ndarray, int]:
    """What an ideal device gives: (int64 (n, pairs), saturated conversions), in exact integers."""
    codes = case.codes if codes is None else codes
    top = largest_code(spec, case.adc_bits)
    total = np.zeros((len(codes), case.plus.shape[1]), np.int64)
    saturated = 0
    polarities = [(case.plus - case.minus, 1)] if spec.arrangement == "pair" else [(case.plus, 1), (case.minus, -1)]
    for row in range(0, len(case.plus), spec.tile_rows):
        tile = slice(row, row + spec.tile_rows)
        for b in range(case.input_bits):
            plane = ((codes[:, tile] >> b) & 1).astype(np.int64)
            for conductance, sign in polarities:
                # The LSB is an odd number of grid units, so no current lies half-way between two codes.
                code = np.rint((plane @ conductance[tile]) / case.lsb).astype(np.int64)
                saturated += int(np.count_nonzero(np.abs(code) > top))
                total += sign * 2**b * np.clip(code, -top, top)
    return total, saturated


def _must_equal(found: np.ndarray, wanted: np.ndarray, case: Case, what: str) -> None:
    if not np.array_equal(found, wanted):
        sample, pair = np.argwhere(found != wanted)[0]
        raise Violation(
            f"{case}: {what} gives {found[sample, pair]} at sample {sample}, pair {pair}; expected "
            f"{wanted[sample, pair]}"
        )


def _draw(
    spec: Spec,
    rows: int,
    pairs: int,
    input_bits: int,
    adc_bits: int,
    generator: np.random.Generator,
    *,
    lsb: int,
    g_max: int,
    n: int = 3,
) -> Case:
    """A random case; `g_max` in grid units. Some cells are off, whole rows and samples may be silent."""
    shape = (rows, pairs)
    plus, minus = (generator.integers(0, g_max + 1, shape) * (generator.random(shape) < 0.7) for _ in range(2))
    codes = generator.integers(0, 2**input_bits, (n, rows)) * (generator.random((n, rows)) < 0.8)
    return Case(plus, minus, codes.astype(np.uint8), input_bits, adc_bits, lsb)


def _unsaturated(
    spec: Spec,
    rows: int,
    pairs: int,
    input_bits: int,
    adc_bits: int,
    generator: np.random.Generator,
    *,
    n: int = 3,
) -> Case:
    """A case with an LSB of one grid unit and cells so small that nothing saturates: the product is exact."""
    rows_of_tile = min(rows, spec.tile_rows)
    g_max = min(largest_code(spec, adc_bits) // rows_of_tile, int(spec.g_max_S / spec.grid_S))
    case = _draw(spec, rows, pairs, input_bits, adc_bits, generator, lsb=1, g_max=max(g_max, 1), n=n)
    if g_max == 0:  # more rows than codes: leave on only as many rows of each tile as the ADC can count
        allowed = np.arange(rows) % spec.tile_rows < largest_code(spec, adc_bits)
        case = case._replace(plus=case.plus * allowed[:, None], minus=case.minus * allowed[:, None])
    return case


def _coarse(
    spec: Spec,
    rows: int,
    pairs: int,
    input_bits: int,
    adc_bits: int,
    generator: np.random.Generator,
    *,
    n: int = 3,
    squeeze: float = 1.0,
) -> Case:
    """A case with large cells and an LSB that fits their currents; `squeeze` below 1 makes it saturate."""
    g_max = int(spec.g_max_S / spec.grid_S)
    rows_of_tile = min(rows, spec.tile_rows)
    lsb = int(squeeze * g_max * rows_of_tile / largest_code(spec, adc_bits)) // 2 * 2 + 1
    return _draw(spec, rows, pairs, input_bits, adc_bits, generator, lsb=lsb, g_max=g_max, n=n)


def integer_exactness(factory: Factory, spec: Spec, *problem: Any) -> None:
    """LSB = one grid unit, nothing saturates: the integer matrix product, for every shape and remainder of tiles."""
    case = _unsaturated(spec, *problem)
    y, saturated = _device(factory, spec, case)(case.codes)
    _must_equal(y, case.codes.astype(np.int64) @ (case.plus - case.minus), case, "the exact product")
    if saturated:
        raise Violation(f"{case}: {saturated} conversions called saturated, none is")


def conversion(factory: Factory, spec: Spec, *problem: Any) -> None:
    """A coarse LSB: rint(I / LSB) of each plane and tile, weighted by 2^b."""
    case = _coarse(spec, *problem)
    y, _ = _device(factory, spec, case)(case.codes)
    _must_equal(y, expected(spec, case)[0], case, "the converted product")


def saturation(factory: Factory, spec: Spec, *problem: Any) -> None:
    """A range that is too small: codes stop at M and every saturated conversion is counted."""
    case = _coarse(spec, *problem, squeeze=0.05)
    y, saturated = _device(factory, spec, case)(case.codes)
    wanted, count = expected(spec, case)
    _must_equal(y, wanted, case, "the saturated product")
    if saturated != count:
        raise Violation(f"{case}: {saturated} saturated conversions reported, there are {count}")


def zero_in_zero_out(factory: Factory, spec: Spec, *problem: Any) -> None:
    """No driven row, no current, no code."""
    case = _coarse(spec, *problem)
    y, _ = _device(factory, spec, case)(np.zeros_like(case.codes))
    _must_equal(y, np.zeros_like(y), case, "an input of zeros")


def pruned_column(factory: Factory, spec: Spec, *problem: Any) -> None:
    """A pair whose two cells are equal reads exactly zero, whatever the others do."""
    case = _coarse(spec, *problem)
    case.minus[:, -1] = case.plus[:, -1]
    y, _ = _device(factory, spec, case)(case.codes)
    _must_equal(y[:, -1:], np.zeros_like(y[:, -1:]), case, "a pair of equal cells")


def sign(factory: Factory, spec: Spec, *problem: Any) -> None:
    """G+ and G- exchanged: the negative result."""
    case = _coarse(spec, *problem)
    y, _ = _device(factory, spec, case)(case.codes)
    swapped, _ = _device(factory, spec, case._replace(plus=case.minus, minus=case.plus))(case.codes)
    _must_equal(swapped, -y, case, "G+ and G- exchanged")


def superposition_of_planes(factory: Factory, spec: Spec, *problem: Any) -> None:
    """Each bit plane is a read of its own: their results add up."""
    case = _coarse(spec, *problem)
    multiply = _device(factory, spec, case)
    y, _ = multiply(case.codes)
    parts = [multiply(case.codes & np.uint8(1 << b))[0] for b in range(case.input_bits)]
    _must_equal(np.sum(parts, axis=0), y, case, "the sum over single bit planes")


def independence_of_the_batch(factory: Factory, spec: Spec, *problem: Any) -> None:
    """A sample's result does not depend on the samples around it."""
    case = _coarse(spec, *problem, n=5)
    case.codes[1] >>= 1  # samples of unequal range
    case.codes[2] = 0
    multiply = _device(factory, spec, case)
    y, _ = multiply(case.codes)
    alone = np.concatenate([multiply(case.codes[k : k + 1])[0] for k in (4, 1, 2, 0, 3)])[[3, 1, 2, 4, 0]]
    _must_equal(alone, y, case, "one sample at a time")


def repeatability(factory: Factory, spec: Spec, *problem: Any) -> None:
    """The same call, and a second device of the same conductances, give the same result."""
    case = _coarse(spec, *problem)
    first, second = _device(factory, spec, case), _device(factory, spec, case)
    y, _ = first(case.codes)
    _must_equal(first(case.codes)[0], y, case, "the second call")
    _must_equal(second(case.codes)[0], y, case, "a second device of the same cells")


EXACT_LAWS = (
    integer_exactness,
    conversion,
    saturation,
    zero_in_zero_out,
    pruned_column,
    sign,
    superposition_of_planes,
    independence_of_the_batch,
    repeatability,
)


def _noisy_case(spec: Spec, seed: int, rows: int) -> Case:
    """A fixed case for repeated reads. The fewer rows, the finer is the LSB against the noise of one read."""
    generator = np.random.default_rng(seed)
    rows, pairs = min(rows, spec.max_rows), min(6, spec.max_pairs)
    g_max = int(spec.g_max_S / spec.grid_S)
    adc_bits, input_bits = max(spec.adc_bits), max(spec.input_bits)
    lsb = int(1.2 * g_max * min(rows, spec.tile_rows) / largest_code(spec, adc_bits)) // 2 * 2 + 1
    return _draw(spec, rows, pairs, input_bits, adc_bits, generator, lsb=lsb, g_max=g_max, n=1)


def _repeated(factory: Factory, spec: Spec, case: Case, calls: int = 1) -> np.ndarray:
    """Results of `_READS` reads of the case's first sample in each of some calls, float64 (calls, reads, pairs)."""
    multiply = _device(factory, spec, case)
    codes = np.repeat(case.codes[:1], _READS, axis=0)
    return np.array([multiply(codes)[0] for _ in range(calls)], np.float64)


def predicted_variance(spec: Spec, case: Case) -> np.ndarray:
    """Variance of one result by the noise law, (LSB of one conversion)^2, float64 (pairs,), without rounding."""
    squares = case.plus.astype(np.float64) ** 2 + case.minus.astype(np.float64) ** 2
    cells = squares * (spec.read_noise / case.lsb) ** 2
    code: np.ndarray = case.codes[0].astype(np.int64)
    if spec.held_noise:
        return (code.astype(np.float64) ** 2) @ cells
    return sum(4.0**b * (((code >> b) & 1) @ cells) for b in range(case.input_bits))


def _rounding(spec: Spec, case: Case) -> Tuple[float, float]:
    """Largest mean error and variance that the conversions themselves can add, LSB and LSB^2."""
    tiles = -(-len(case.plus) // spec.tile_rows)
    conversions = tiles * (1 if spec.arrangement == "pair" else 2)
    return conversions * (2**case.input_bits - 1) / 2, conversions * (4**case.input_bits - 1) / 3 / 4


def _quantile(comparisons: int) -> float:
    """Two-sided normal quantile for one of `comparisons` in each of the statistical laws."""
    return NormalDist().inv_cdf(1 - FALSE_ALARM / len(STATISTICAL_LAWS) / comparisons / 2)


def _must_lie(found: np.ndarray, wanted: Numbers, slack: Numbers, case: Case, what: str) -> None:
    if np.any(np.abs(found - wanted) > slack):
        pair = int(np.argmax(np.abs(found - wanted) - slack))
        raise Violation(
            f"{case}: {what} of pair {pair} is {found[pair]:.6g}, expected "
            f"{np.broadcast_to(wanted, found.shape)[pair]:.6g} within "
            f"{np.broadcast_to(slack, found.shape)[pair]:.3g}"
        )


def mean(factory: Factory, spec: Spec) -> None:
    """The mean of repeated reads is the exact product, within rounding, tolerance and statistics."""
    for seed in range(3):
        case = _noisy_case(spec, seed, spec.tile_rows + 3)
        reads = _repeated(factory, spec, case)[0]
        wanted = (case.codes[0].astype(np.int64) @ (case.plus - case.minus)) / case.lsb
        scale = (case.codes[0].astype(np.int64) @ (case.plus + case.minus)) / case.lsb
        slack = _quantile(3 * len(wanted)) * reads.std(axis=0, ddof=1) / np.sqrt(_READS)
        slack = slack + _rounding(spec, case)[0] + spec.mean_tolerance * scale
        _must_lie(reads.mean(axis=0), wanted, slack, case, "the mean")


def single_planes(factory: Factory, spec: Spec) -> None:
    """Each bit plane alone gives its own share: the mean of a code of one bit is that bit's weight times the sum."""
    case = _one_sided(_noisy_case(spec, 0, 8))
    currents = (case.plus - case.minus).sum(axis=0) / case.lsb
    multiply = _device(factory, spec, case)
    for b in range(case.input_bits):
        y: np.ndarray = multiply(np.full((_READS, len(case.plus)), 1 << b, np.uint8))[0].astype(np.float64)
        slack = _quantile(case.input_bits * len(currents)) * y.std(axis=0, ddof=1) / np.sqrt(_READS)
        slack = slack + 2**b * (_rounding(spec, case._replace(input_bits=1))[0] + spec.mean_tolerance * abs(currents))
        _must_lie(y.mean(axis=0), 2.0**b * currents, slack, case, f"the mean of plane {b} alone")


def overload(factory: Factory, spec: Spec) -> None:
    """Currents four times the range: every conversion of a driven plane stops at M and is counted."""
    case = _one_sided(_noisy_case(spec, 0, 8)._replace(adc_bits=min(spec.adc_bits)))
    top = largest_code(spec, case.adc_bits)
    g_max = int(spec.g_max_S / spec.grid_S)
    case.plus[:, 0::2], case.minus[:, 1::2] = g_max, g_max
    case = case._replace(lsb=max(1, len(case.plus) * g_max // (4 * top)))
    if 2 * top * case.lsb > len(case.plus) * g_max:
        raise NotTried(f"{case}: the cells cannot drive this ADC to twice its range")
    codes = np.full((20, len(case.plus)), 2**case.input_bits - 1, np.uint8)
    y, saturated = _device(factory, spec, case)(codes)
    signs = np.where(np.arange(case.plus.shape[1]) % 2, -1, 1)
    _must_equal(y, np.tile(signs * codes[0, 0].astype(np.int64) * top, (len(codes), 1)), case, "an overload")
    if saturated != y.size * case.input_bits:
        raise Violation(f"{case}: {saturated} saturated conversions reported, there are {y.size * case.input_bits}")


def _one_sided(case: Case) -> Case:
    """The case with one cell of each pair off, G- and G+ in turn: currents far from zero."""
    case.minus[:, 0::2], case.plus[:, 1::2] = 0, 0
    return case


def noise(factory: Factory, spec: Spec) -> None:
    """The variance of repeated reads is the sum over the driven cells of the squares of their read noise."""
    for seed in range(3):
        case = _noisy_case(spec, seed, 8)
        reads = _repeated(factory, spec, case)[0]
        wanted = predicted_variance(spec, case)
        # Upper quantile of chi^2 / dof (Wilson and Hilferty 1931); the lower one lies closer to 1.
        h = 2 / 9 / (_READS - 1)
        spread = (1 - h + _quantile(3 * len(wanted)) * np.sqrt(h)) ** 3 - 1
        slack = spread * (wanted + _rounding(spec, case)[1]) + _rounding(spec, case)[1]
        _must_lie(reads.var(axis=0, ddof=1), wanted, slack, case, "the variance")


def silence(factory: Factory, spec: Spec) -> None:
    """Rows that are not driven give zero on average: no offset, not even half an LSB."""
    case = _noisy_case(spec, 0, spec.tile_rows + 3)
    case.codes[:] = 0
    reads = _repeated(factory, spec, case)[0]
    slack = _quantile(reads.shape[1]) * reads.std(axis=0, ddof=1) / np.sqrt(_READS)
    _must_lie(reads.mean(axis=0), 0.0, slack, case, "the mean with no row driven,")


def static_cells(factory: Factory, spec: Spec) -> None:
    """What is static stays: the means of two calls agree, and reads within a call do not."""
    case = _noisy_case(spec, 0, spec.tile_rows + 3)
    calls = _repeated(factory, spec, case, calls=2)
    pooled = calls.var(axis=1, ddof=1).mean(axis=0)
    slack = _quantile(calls.shape[2]) * np.sqrt(2 * pooled / _READS)
    _must_lie(calls[1].mean(axis=0), calls[0].mean(axis=0), slack, case, "the mean of a second call,")


def fresh_reads(factory: Factory, spec: Spec) -> None:
    """Successive reads are independent: no correlation between neighbours, within a call or from call to call."""
    case = _noisy_case(spec, 0, 8)
    if np.any(predicted_variance(spec, case) < _rounding(spec, case)[1]) and spec.read_noise:
        raise NotTried(f"{case}: the noise of one read is lost in the steps of the ADC")
    calls = _repeated(factory, spec, case, calls=2)
    deviations = calls - calls.mean(axis=1, keepdims=True)
    power = (deviations**2).sum(axis=1).mean(axis=0)
    if np.any(power == 0):
        if spec.read_noise:
            raise Violation(f"{case}: repeated reads never differ")
        return
    slack = _quantile(2 * calls.shape[2]) / np.sqrt(_READS)
    neighbours = (deviations[:, 1:] * deviations[:, :-1]).sum(axis=1).mean(axis=0) / power
    _must_lie(neighbours, 0.0, slack, case, "the correlation of neighbouring reads")
    between = (deviations[0] * deviations[1]).sum(axis=0) / power
    _must_lie(between, 0.0, slack, case, "the correlation of two calls")


STATISTICAL_LAWS = (mean, single_planes, overload, noise, silence, static_cells, fresh_reads)

"""What a device is, worked out from reads: offset, gain and INL of its converters, read noise, cells."""

from dataclasses import dataclass, replace
from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..errors import ConfigError
from .cases import (
    Case,
    Converters,
    Factory,
    Multiply,
    Spec,
    Violation,
    largest_code,
    make_device,
    odd_lsb,
    smallest_code,
)
from .curves import STANDARD_ERRORS, Fit, fit
from .moments import rounded

FEWEST_ROWS = {"pair": 8, "polarity": 32}
"""of an array: fewer cells make too few currents for a curve"""
LARGEST_ROWS = 64
"""rows that are driven of each array where no other number is asked for: each is one unknown of a column"""
PATTERNS, READS = 8000, 2
"""inputs of different rows, which together smooth the steps of the converters, and reads of each, at first"""
MOST_PATTERNS, MOST_READS = 4 * PATTERNS, 100
"""where noise or steps ask for them"""
MARGIN_LSB = 0.1
"""what a curve may be off: four standard errors"""
FULL_SCALE = 1.25
"""current of all rows of one sign over that of the largest code: converters of small gain reach their last code, too"""


@dataclass(frozen=True, eq=False)
class Estimate:
    """The arrays as they were found. (pairs,) is (conversions, pairs) where a plane of a pair is converted more than
    once: row tile after row tile, in each I+ before I- where the arrangement is "polarity"."""

    offset_lsb: np.ndarray
    """float64 (pairs,): what a converter adds to no current"""
    gain: np.ndarray
    """float64 (pairs,): slope of the best line of a converter, over the cells as asked for; errors of single cells are
    taken to cancel"""
    inl_lsb: np.ndarray
    """float64 (pairs,): largest deviation of the curve from its best line, where it was seen"""
    read_noise: float
    """relative standard deviation of one read of one cell"""
    noise_error: float
    """what that may be off, relative: four standard errors"""
    cells_S: np.ndarray
    """float64 (rows, pairs): G+ - G- of each pair and row, without the gain; NaN where a row was not driven"""
    cell_error: float
    """relative standard deviation of those against what was asked for, over the mean of a cell"""
    gain_error: float
    """what a gain may be off: four standard errors, of reads and of cells"""
    curve_error_lsb: float
    """what a curve may be off where it was seen: four standard errors, of the worst converter at its worst current"""
    rough_lsb: float
    """what conversions are off their curve, on average over a sixteenth of the range, beyond four standard errors"""
    missed_lsb: float
    """codes at an end of its range that the worst converter was not driven to: what it does there is not known"""
    reads: int
    """of each input"""
    inputs: int
    """of each conversion"""
    converters: Converters
    """the curve of each converter, where it was seen, and its code where no row is driven"""

    def spec(self, claimed: Spec) -> Spec:
        """`claimed` with this noise and these converters, for matrices of these arrays: the device's own model.

        Tolerances are what an estimate may be off: `curve_error_lsb`, `rough_lsb`, `gain_error`, `cell_error`,
        `noise_error`.
        """
        tiles = self.converters.conversions // _sides(claimed)
        return replace(
            claimed,
            converters=self.converters,
            read_noise=self.read_noise,
            noise_tolerance=self.noise_error,
            adc_offset_lsb=self.curve_error_lsb,
            adc_gain=self.gain_error,
            adc_inl_lsb=self.rough_lsb,
            mean_tolerance=self.cell_error,
            max_rows=min(claimed.max_rows, tiles * claimed.tile_rows),
            max_pairs=min(claimed.max_pairs, self.cells_S.shape[1]),
        )

    def __str__(self) -> str:
        offset, gain = self.offset_lsb, self.gain
        lines = {
            "read": f"{offset.size} converters, {self.reads} reads of each of {self.inputs} inputs",
            "offset": f"{offset.min():.2f} to {offset.max():.2f} LSB",
            "gain": f"{gain.min():.4f} to {gain.max():.4f}, known to {100 * self.gain_error:.2g} %",
            "INL": f"up to {self.inl_lsb.max():.2f} LSB",
            "curves": f"known to {self.curve_error_lsb:.2g} LSB, codes lie about them to {self.rough_lsb:.2g} LSB",
            "range": f"{self.missed_lsb:.0f} codes at an end were not reached at most: a curve goes on there as a line",
            "read noise": f"{100 * self.read_noise:.3g} % of a cell, known to {100 * self.noise_error:.2g} % of it",
            "cells": f"off by {100 * self.cell_error:.2g} %",
        }
        return "\n".join(f"{name:10s}  {line}" for name, line in lines.items())


class _Group(NamedTuple):
    """The rows of an array that drive one conversion of each pair, of these signs."""

    rows: np.ndarray
    signs: np.ndarray
    """(rows,): of the current of a driven row, at its converter"""
    side: int
    """1, or -1 where the codes are subtracted"""


class _Reads(NamedTuple):
    """Codes of one conversion of each pair, from reads of each pattern."""

    patterns: np.ndarray
    """bool (inputs, rows)"""
    squares: np.ndarray
    """(inputs, pairs): of the driven cells, shares"""
    mean: np.ndarray
    """(inputs, pairs)"""
    variance: np.ndarray
    """(inputs, pairs): of one read"""
    times: int


class _Found(NamedTuple):
    """One conversion of each pair."""

    fit: Fit
    nominal: np.ndarray
    """(rows, pairs), shares"""
    read_noise: float
    noise_error: float
    """four standard errors, relative"""
    seen: _Reads
    silent: np.ndarray
    """(pairs,)"""


def estimate(
    factory: Factory,
    spec: Spec,
    *,
    rows: int = LARGEST_ROWS,
    pairs: Optional[int] = None,
    row_tiles: int = 1,
    reads: Optional[int] = None,
    seed: int = 0,
) -> Estimate:
    """Offset, gain and INL of the converters, read noise and cells, from reads alone; one device is made.

    Cells are such that the rows drive each converter over its whole range, evenly. rows: of each array, at most, that
    have cells and are driven. pairs: of the matrix; None: those of one array. row_tiles: of the matrix. reads: of each
    of PATTERNS inputs; None: as many, of up to MOST_PATTERNS, as the noise asks for. ConfigError for fewer rows than
    FEWEST_ROWS; Violation for a converter that cannot be read.
    """
    rows = min(rows, spec.tile_rows, spec.max_rows)
    pairs = min(spec.tile_pairs, spec.max_pairs) if pairs is None else pairs
    _refuse(spec, rows, pairs, row_tiles, reads)
    random = np.random.default_rng(seed)
    case, groups = _asked(spec, random, rows, pairs, row_tiles)
    multiply = make_device(factory, spec, case)
    silent = _codes(multiply, spec, case, np.zeros((min(100, spec.max_batch), len(case.plus)), np.uint8)).mean(axis=0)
    found = []
    for group in groups:
        rest = np.zeros(pairs) if len(groups) == 1 else _rest(multiply, spec, case, group)
        found.append(_found(_Bench(multiply, spec, case, group, rest, silent), random, reads))
    return _together(spec, case, groups, found)


def _refuse(spec: Spec, rows: int, pairs: int, row_tiles: int, reads: Optional[int]) -> None:
    most = max(1, spec.max_rows // spec.tile_rows)
    fewest = FEWEST_ROWS[spec.arrangement]
    if rows < fewest:
        raise ConfigError(f"estimate: {rows} rows of an array; a curve needs at least {fewest}")
    if rows > PATTERNS // 8:
        raise ConfigError(f"estimate: {rows} rows; {PATTERNS} inputs tell of at most {PATTERNS // 8}")
    if not 1 <= pairs <= spec.max_pairs:
        raise ConfigError(f"estimate: {pairs} pairs; the device takes 1 to {spec.max_pairs}")
    if not 1 <= row_tiles <= most:
        raise ConfigError(f"estimate: {row_tiles} row tiles; the device takes 1 to {most}")
    if reads is not None and reads < 2:
        raise ConfigError(f"{reads} reads of each input; noise needs at least 2")


def _sides(spec: Spec) -> int:
    """Conversions of one array for one pair and plane."""
    return 1 if spec.arrangement == "pair" else 2


def _asked(
    spec: Spec, random: np.random.Generator, rows: int, pairs: int, row_tiles: int
) -> Tuple[Case, Sequence[_Group]]:
    """(cells, groups of rows): G+ on in even rows, G- in odd ones, so that every column is driven to both ends."""
    shape = (row_tiles - 1) * spec.tile_rows + rows, pairs
    inside = np.arange(shape[0]) % spec.tile_rows
    size = np.full(shape[0], float(spec.g_max))
    if spec.arrangement == "polarity":
        for k, part in enumerate(_small_cells(rows // 2)):
            size[inside // 2 == k] *= part
    cells = np.ceil(random.uniform(0.5, 1, shape) * size[:, None]).astype(np.int64) * (inside < rows)[:, None]
    signs = np.where(inside % 2 == 0, 1, -1)
    plus, minus = (cells * (signs == sign)[:, None] for sign in (1, -1))
    groups, sums = [], []
    for first in range(0, shape[0], spec.tile_rows):
        own = first + np.arange(rows)
        halves = [own[signs[own] == side] for side in (1, -1)]
        sums += [cells[half].sum(axis=0).min() for half in halves]
        if spec.arrangement == "pair":
            groups.append(_Group(own, signs[own], 1))
        else:
            groups += [_Group(half, np.ones(len(half)), side) for half, side in zip(halves, (1, -1))]
    bits = min(spec.input_bits), max(spec.adc_bits)
    lsb = odd_lsb(min(sums) / FULL_SCALE / largest_code(spec, bits[1]), 12)
    return Case(plus, minus, np.zeros((0, shape[0]), np.uint8), *bits, lsb, spec.tile_rows), groups


def _small_cells(rows: int) -> np.ndarray:
    """Sizes over that of the others of the first cells of one polarity: without them there are few small currents."""
    return np.geomspace(1 / 40, 1 / 4, min(12, rows // 2))


def _codes(multiply: Multiply, spec: Spec, case: Case, patterns: np.ndarray) -> np.ndarray:
    """Mean code of the planes, float64 (n, pairs): every plane is the same pattern (n, rows) of 0 and 1."""
    codes = patterns.astype(np.uint8) * np.uint8(2**case.input_bits - 1)
    parts = range(0, len(codes), spec.max_batch)
    return np.concatenate([multiply(codes[k : k + spec.max_batch])[0] for k in parts]) / (2**case.input_bits - 1)


def _patterns(group: _Group, random: np.random.Generator, count: int) -> np.ndarray:
    """Rows that are driven, bool (count, rows): currents evenly over the range, half of them towards its ends.

    A share of the rows of one sign is driven for the current, and of all rows by chance, for the cells.
    """
    one_sign = bool(np.all(group.signs > 0))
    target = random.uniform(0 if one_sign else -1, 1, (count, 1))
    ends = target[::2]
    ends[:] = np.sign(ends) * (0.8 + 0.3 * np.abs(ends)) / FULL_SCALE
    common = random.random((count, 1)) * (1 - np.abs(target)) * (not one_sign)
    share = np.where(group.signs > 0, np.maximum(target, 0), np.maximum(-target, 0)) + common
    if one_sign:  # the other end is no current
        small = np.arange(len(group.signs)) < len(_small_cells(len(group.signs)))
        share[1::4] = np.where(small, 0.5, 0.5 / len(small))
    patterns: np.ndarray = random.random(share.shape) < share
    return patterns


def _rest(multiply: Multiply, spec: Spec, case: Case, group: _Group) -> np.ndarray:
    """What the other conversions of a pair add to the code, (pairs,): told from this one at its largest code."""
    pattern = np.zeros((min(100, spec.max_batch), len(case.plus)), np.uint8)
    pattern[:, group.rows[group.signs > 0]] = 2**case.input_bits - 1
    y, saturated = multiply(pattern)
    if saturated < y.size * case.input_bits:
        raise Violation(
            f"{case}: {saturated} of {y.size * case.input_bits} conversions saturate at {FULL_SCALE} times the range; "
            "an offset cannot be told from those of the other conversions of its pair"
        )
    rest: np.ndarray = y.mean(axis=0) / (2**case.input_bits - 1) - group.side * largest_code(spec, case.adc_bits)
    return rest


@dataclass(frozen=True, eq=False)
class _Bench:
    """One conversion of each pair, to be read."""

    multiply: Multiply
    spec: Spec
    case: Case
    group: _Group
    rest: np.ndarray
    """(pairs,): what the other conversions add"""
    silent: np.ndarray
    """(pairs,): what all add when no row is driven"""

    @property
    def codes(self) -> Tuple[int, int]:
        """The smallest and the largest."""
        return smallest_code(self.spec, self.case.adc_bits), largest_code(self.spec, self.case.adc_bits)

    @property
    def nominal(self) -> np.ndarray:
        """(rows, pairs): cells as asked for, as shares of the current of the largest code."""
        cells = (self.case.plus + self.case.minus)[self.group.rows]
        return self.group.signs[:, None] * cells / (self.codes[1] * self.case.lsb)

    def read(self, patterns: np.ndarray, times: int) -> _Reads:
        """Read each of some patterns (inputs, rows) so often; mean and variance by Welford (1962)."""
        inputs = np.zeros((len(patterns), len(self.case.plus)), np.uint8)
        inputs[:, self.group.rows] = patterns
        mean = squares = np.zeros((len(patterns), len(self.rest)))
        for k in range(times):
            codes = self.group.side * (_codes(self.multiply, self.spec, self.case, inputs) - self.rest)
            off = codes - mean
            mean = mean + off / (k + 1)
            squares = squares + off * (codes - mean)
        return _Reads(patterns, patterns.astype(np.float64) @ self.nominal**2, mean, squares / (times - 1), times)

    def fit(self, seen: _Reads) -> Fit:
        """Curves and cells."""
        free = np.abs(seen.mean) < 0.8 * self.codes[1]
        variance = seen.variance[free].sum() / (_alike(self.spec, self.case) * seen.squares[free].sum())
        std = np.sqrt(seen.squares * max(variance, 1e-6))
        return fit(seen.patterns.astype(np.float64), seen.mean, std, self.nominal, self.codes)


def _found(bench: _Bench, random: np.random.Generator, reads: Optional[int]) -> _Found:
    """Read a conversion and fit it; again, more often and by more inputs, where noise and steps ask for it."""
    seen = bench.read(_patterns(bench.group, random, PATTERNS), READS if reads is None else reads)
    fitted = bench.fit(seen)
    if reads is None and fitted.error.max() > MARGIN_LSB:
        seen = bench.read(_patterns(bench.group, random, MOST_PATTERNS), _reads_needed(seen, fitted))
        fitted = bench.fit(seen)
    silent = bench.group.side * (bench.silent - bench.rest)
    return _Found(fitted, bench.nominal, *_noise(bench.spec, bench.case, seen, fitted), seen, silent)


def _alike(spec: Spec, case: Case) -> float:
    """Variance of the mean code of the planes over that of one plane: 1 where they share the deviations."""
    planes = 2.0 ** np.arange(case.input_bits)
    return 1.0 if spec.held_noise else float((planes**2).sum() / planes.sum() ** 2)


def _reads_needed(seen: _Reads, found: Fit) -> int:
    """Reads of MOST_PATTERNS inputs by which each curve is known to MARGIN_LSB, if any, up to MOST_READS."""
    of_reads = np.array([seen.variance[inside, pair].mean() for pair, inside in enumerate(found.inside.T)])
    others = np.maximum(found.residual - 1.1 * of_reads / seen.times, 0)  # rounding, and what is rough
    allowed = found.residual * (0.9 * MARGIN_LSB / found.error) ** 2 * MOST_PATTERNS / len(seen.mean) - others
    needed = np.ceil(of_reads / np.maximum(allowed, 1e-9)).max()
    return int(np.clip(needed, READS, MOST_READS))


def _noise(spec: Spec, case: Case, seen: _Reads, found: Fit) -> Tuple[float, float]:
    """(relative noise with which rounded reads would vary as they do, by bisection; what it may be off, relative)."""
    some = slice(None, None, max(1, len(seen.mean) // 4000))
    code, slope = Converters(found.curve, found.curve[0]).read(seen.patterns[some] @ found.cells)  # read inside alone
    inside = found.inside[some]
    relative = np.abs(slope) * np.sqrt(seen.squares[some])
    each, low, high = seen.variance[some][inside] / _alike(spec, case), 0.0, 1.0

    def expected(noise: float) -> np.ndarray:
        return rounded(code[inside], (noise * relative)[inside])[1]

    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(middle).mean() < each.mean() else (low, middle)
    error = STANDARD_ERRORS * np.std(each - expected(low)) / np.sqrt(each.size)
    grows = (expected(1.1 * low) - expected(0.9 * low)).mean() / 0.2  # for noise all larger
    return low, float(min(error / max(grows, 1e-12), 1.0))


def _together(spec: Spec, case: Case, groups: Sequence[_Group], found: Sequence[_Found]) -> Estimate:
    """The estimate of the whole matrix, from its conversions."""
    top, unit = largest_code(spec, case.adc_bits), largest_code(spec, case.adc_bits) * case.lsb

    def each(numbers: Sequence[np.ndarray]) -> np.ndarray:
        """(..., conversions, pairs), without the axis of one conversion."""
        return numbers[0] if len(numbers) == 1 else np.stack(numbers, axis=-2)

    fits = [one.fit for one in found]
    cells_S = np.full(case.plus.shape, np.nan)
    for group, one in zip(groups, found):
        cells_S[group.rows] = group.side * one.fit.cells * unit * spec.grid_S
    error = [one.fit.cells - one.nominal for one in found]
    mean_cell = np.mean([np.abs(one.nominal).mean() for one in found])
    spread = [np.std(e, axis=0) / np.sqrt((one.nominal**2).sum(axis=0)) for e, one in zip(error, found)]
    gain_errors = [
        np.hypot(f.slope_error / np.maximum(np.abs(f.slope), 1e-9), STANDARD_ERRORS * s) for f, s in zip(fits, spread)
    ]
    converters = Converters(
        each([f.curve for f in fits]), each([one.silent for one in found]), each([f.reached for f in fits])
    )
    return Estimate(
        offset_lsb=each([f.curve[0] for f in fits]),
        gain=each([f.slope / top for f in fits]),
        inl_lsb=each([f.inl for f in fits]),
        read_noise=float(np.mean([one.read_noise for one in found])),
        noise_error=float(np.sqrt(np.mean([one.noise_error**2 for one in found]) / len(found))),
        cells_S=cells_S,
        cell_error=float(np.std(np.concatenate(error)) / mean_cell),
        gain_error=float(np.max(gain_errors)),
        curve_error_lsb=float(max(f.error.max() for f in fits)),
        rough_lsb=float(max(f.rough.max() for f in fits)),
        missed_lsb=_missed(spec, case, fits),
        reads=max(one.seen.times for one in found),
        inputs=max(len(one.seen.mean) for one in found),
        converters=converters,
    )


def _missed(spec: Spec, case: Case, fits: Sequence[Fit]) -> float:
    """Codes between what the worst converter was driven to and its last code."""
    last = np.array([smallest_code(spec, case.adc_bits), largest_code(spec, case.adc_bits)])
    ends = [np.stack([Converters(f.curve, f.curve[0]).read(end)[0] for end in f.reached]) for f in fits]
    short = [np.abs(last[:, None] - end) for end in ends]
    return float(np.max(short))

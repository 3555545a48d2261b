"""The laws of a noisy device: statistics of repeated reads, on all its columns. Each raises `Violation`, or returns the
`Power` of what it looked at: the smallest error that it finds in 99 of 100 devices.
"""

from dataclasses import replace
from statistics import NormalDist
from typing import Callable, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ..device.cell import normal_cdf
from .cases import Case, Factory, NotTried, Spec, Violation, largest_code, make_device, odd_lsb
from .moments import Moments, moments
from .noisy_cases import LEAST_STD, heard, least_std, one_sided, quiet_case, random_case, reads_of, shape_of

FALSE_ALARM = 1e-3
"""Chance that `check(..., exact=False)` rejects a device that keeps the laws, over all comparisons of one call."""
READS = 400
"""repetitions behind each mean and variance"""

CURRENTS = 8
"""of one sign, of each column, with which its converter is tried"""
MOST_RESULTS = 2**22
"""of a batch that is read for its last samples"""
FEW_PAIRS = 64
"""pairs where single calls or many samples are read"""
FEWEST_PRODUCTS, MOST_PRODUCTS = 2000, 2**20
"""products of deviations behind a correlation at any distance"""

Numbers = Union[float, np.ndarray]
_FOUND = NormalDist().inv_cdf(0.99)
_SMOOTHED = 2e-3  # by which the sum of two rounded polarities is no rounded normal number


class Power(NamedTuple):
    """What a law finds with 99 %."""

    smallest: float
    unit: str

    def __str__(self) -> str:
        return f"{self.smallest:.2g} {self.unit}"


def quantile(comparisons: int) -> float:
    """Two-sided normal quantile for one of `comparisons` in each of the statistical laws."""
    return NormalDist().inv_cdf(1 - FALSE_ALARM / len(STATISTICAL_LAWS) / comparisons / 2)


def _must_lie(found: np.ndarray, wanted: Numbers, slack: Numbers, case: Case, what: str) -> None:
    if np.all(np.abs(found - wanted) <= slack):
        return
    pair = int(np.argmax(np.abs(found - wanted) - slack))
    wanted, slack = (float(np.broadcast_to(numbers, found.shape)[pair]) for numbers in (wanted, slack))
    where = f" of pair {pair}" if len(found) > 1 else ""
    raise Violation(f"{case}: {what}{where} is {found[pair]:.6g}, expected {wanted:.6g} within {slack:.3g}")


# --- means ------------------------------------------------------------------------------------------------------------


def _conversions(spec: Spec, case: Case) -> int:
    """Conversions of one plane and column."""
    return -(-len(case.plus) // spec.tile_rows) * (1 if spec.arrangement == "pair" else 2)


def _tolerance(spec: Spec, case: Case, wanted: Moments) -> np.ndarray:
    """What the mean of each sample (n, pairs) may be off for good: cells, and offset, gain and INL of converters."""
    conversions = _conversions(spec, case)
    steps = conversions * (2**case.input_bits - 1) * (spec.adc_offset_lsb + spec.adc_inl_lsb)
    currents = case.codes.astype(np.float64) @ (case.plus + case.minus) / case.lsb
    rounding = _rounding(spec, wanted) * conversions * (2**case.input_bits - 1)
    return steps + spec.adc_gain * np.abs(wanted.mean) + spec.mean_tolerance * currents + rounding


def _rounding(spec: Spec, wanted: Moments) -> float:
    """What rounding may add to the mean of one conversion for good where currents, steps or noise may be off, LSB.

    Noise s leaves a bias of sum_k (-1)^k sin(2 pi k x) exp(-2 (pi k s)^2) / (pi k) of a current x; two such are at most
    1 apart. Where the noise alone is off it is max |z phi(z)| = 0.242 of the change of ln s.
    """
    left = float(np.exp(-2 * (np.pi * least_std(spec, wanted)) ** 2))
    smoothed = 1.0 if left == 1 else min(1.0, -2 / np.pi * np.log1p(-left))
    if spec.mean_tolerance or spec.adc_offset_lsb or spec.adc_gain or spec.adc_inl_lsb:
        return smoothed if spec.converters is not None else 1.0  # unknown ones may have uneven steps
    return min(smoothed, -np.log1p(-min(spec.noise_tolerance, 1 - 1e-9)) / 4)


def _rare(case: Case, q: float, reads: int) -> float:
    """What a mean may be off besides q standard errors where a code seldom changes: Bernstein's bound.

    One change is a step of the highest plane.
    """
    return q**2 * 2.0 ** (case.input_bits - 1) / (3 * reads)


def _means_hold(factory: Factory, spec: Spec, case: Case, *, reads: int, share: int, what: str) -> np.ndarray:
    """Compare the mean of each sample and column, one of `share` such comparisons in its law.

    Returns the smallest error of a mean that is found (samples, pairs); where the noise is far below a step, half a
    step in each plane.
    """
    found = reads_of(factory, spec, case, reads=reads)[0]
    wanted = moments(spec, case, case.codes)
    q = quantile(share * wanted.mean.size)
    variance = np.maximum(wanted.variance, found.var(axis=0, ddof=1))
    rare = _rare(case, q, reads)
    slack = q * np.sqrt(variance / reads) + rare + _tolerance(spec, case, wanted) + 1e-9
    for k in range(len(case.codes)):
        _must_lie(found.mean(axis=0)[k], wanted.mean[k], slack[k], case, f"the mean of {what}, sample {k},")
    hidden = 0.5 * (2**case.input_bits - 1) if wanted.finest < LEAST_STD else 0.0
    error = (1 + spec.noise_tolerance) * np.sqrt(wanted.variance / reads)
    return (q + _FOUND) * error + rare + hidden + _tolerance(spec, case, wanted)


def mean(factory: Factory, spec: Spec, reads: int) -> Power:
    """The mean of repeated reads is that of the exact product: all columns, all tiles, several inputs."""
    for seed in range(2):
        case = random_case(spec, seed, spec.tile_rows + 3)
        random = np.random.default_rng(seed)
        codes = random.integers(0, 2**case.input_bits, (4, len(case.plus)))
        codes[0] = 2**case.input_bits - 1
        codes[1] *= random.random(len(case.plus)) < 0.1
        case = case._replace(codes=codes.astype(np.uint8))
        error = _means_hold(factory, spec, case, reads=reads, share=2, what="repeated reads")
    largest = np.median((2**case.input_bits - 1) * (case.plus + case.minus).sum(axis=0) / case.lsb)
    return Power(100 * float(np.median(error[0]) / largest), "% of the sum of a column's cells")


def gain(factory: Factory, spec: Spec, reads: int) -> Power:
    """Large currents of one sign, up to 0.6 of the range: each column's result over the exact one is 1, and so is
    their mean."""
    case = one_sided(spec, random_case(spec, 3, spec.tile_rows))
    largest = np.abs(case.plus - case.minus).sum(axis=0).max() * (1 + 6 * spec.read_noise)
    case = case._replace(lsb=odd_lsb(largest / 0.6 / largest_code(spec, case.adc_bits), 12))
    codes = np.array([[share] for share in (1.0, 0.5)]) * (2**case.input_bits - 1) * np.ones(len(case.plus))
    case = case._replace(codes=codes.astype(np.uint8))
    found, wanted = reads_of(factory, spec, case, reads=reads)[0].mean(axis=0), moments(spec, case, case.codes)
    tolerance = _tolerance(spec, case, wanted)
    power = (wanted.mean**2).sum(axis=0)
    ratio = (found * wanted.mean).sum(axis=0) / power
    error = np.sqrt((wanted.mean**2 * wanted.variance).sum(axis=0) / reads) / power + 1e-9
    error *= 1 + spec.noise_tolerance
    allowed = ((tolerance + _rare(case, quantile(2 * len(ratio)), reads)) * np.abs(wanted.mean)).sum(axis=0) / power
    _must_lie(ratio, 1.0, quantile(2 * len(ratio)) * error + allowed, case, "the gain")
    pooled = np.sqrt((error**2).sum()) / len(error)
    _must_lie(ratio.mean(keepdims=True), 1.0, quantile(2) * pooled + allowed.mean(), case, "the mean gain")
    hidden = 0.5 * (2**case.input_bits - 1) / np.median(np.abs(wanted.mean[0])) if wanted.finest < LEAST_STD else 0.0
    found = (quantile(2 * len(ratio)) + _FOUND) * np.median(error) + hidden + np.median(allowed)
    return Power(100 * float(found), "% of a column's gain")


def curve(factory: Factory, spec: Spec, reads: int) -> Power:
    """Currents of both signs over the range of each column's converter: the mean follows, and nothing saturates."""
    case = one_sided(spec, random_case(spec, 16, spec.tile_rows, (min(spec.input_bits), max(spec.adc_bits))))
    top, largest = largest_code(spec, case.adc_bits), np.abs(case.plus - case.minus).sum(axis=0).max()
    errors = (1 + 8 * spec.read_noise) * (1 + spec.mean_tolerance) * (1 + spec.adc_gain)
    room = max(0.95 - (spec.adc_offset_lsb + spec.adc_inl_lsb + 0.5) / top, 0.1)
    case = case._replace(lsb=odd_lsb(largest * errors / room / top, 12))
    random = np.random.default_rng(16)
    order = random.permutation(len(case.plus))
    steps = np.unique(np.ceil(np.arange(1, CURRENTS + 1) / CURRENTS * len(order)).astype(int))
    codes = np.zeros((len(steps), len(order)), np.uint8)
    for sample, step in zip(codes, steps):
        sample[order[:step]] = 2**case.input_bits - 1
    case = case._replace(codes=codes)
    for turned in (case, case._replace(plus=case.minus, minus=case.plus)):
        error = _means_hold(factory, spec, turned, reads=reads, share=2, what="currents over the range")
        if spec.converters is None:
            _must_count(make_device(factory, spec, turned)(codes)[1], 0, turned)
    return Power(float(np.median(error)) / (2**case.input_bits - 1), "LSB of one converter")


def every_tile(factory: Factory, spec: Spec, reads: int) -> Power:
    """The largest matrix, one row tile after the other, all of them and some of all rows: each gives its own share."""
    case = one_sided(spec, random_case(spec, 17, spec.max_rows, (min(spec.input_bits), max(spec.adc_bits))))
    tiles = np.arange(len(case.plus)) // spec.tile_rows
    some = np.random.default_rng(17).random((4, len(tiles))) < 0.5
    driven = np.concatenate([tiles == np.arange(tiles[-1] + 1)[:, None], np.ones((1, len(tiles)), bool), some])
    case = case._replace(codes=(driven * (2**case.input_bits - 1)).astype(np.uint8))
    error = _means_hold(factory, spec, case, reads=reads, share=1, what="single row tiles")
    wanted = moments(spec, case, case.codes).mean
    return Power(100 * float(np.median(error[0] / np.maximum(np.abs(wanted[0]), 1e-9))), "% of a tile")


def bit_widths(factory: Factory, spec: Spec, reads: int) -> Power:
    """Every width of inputs and of ADCs that the `Spec` names, on some rows."""
    count, errors = max(len(spec.input_bits), len(spec.adc_bits)), []
    for k in range(count):
        bits = spec.input_bits[k % len(spec.input_bits)], spec.adc_bits[k % len(spec.adc_bits)]
        case = one_sided(spec, random_case(spec, 18 + k, min(8, spec.tile_rows), bits))
        codes = np.random.default_rng(k).integers(0, 2 ** bits[0], (3, len(case.plus)))
        codes[0] = 2 ** bits[0] - 1
        case = case._replace(codes=codes.astype(np.uint8))
        what = f"{bits[0]} input bits and {bits[1]} ADC bits"
        error = _means_hold(factory, spec, case, reads=reads, share=count, what=what)
        errors.append(np.median(error[0]) / np.median(np.abs(moments(spec, case, case.codes).mean[0])))
    return Power(100 * float(max(errors)), "% of a result")


def single_planes(factory: Factory, spec: Spec, reads: int) -> Power:
    """Each bit plane alone gives its own share: the mean of a code of one bit is that bit's weight times the sum."""
    case = one_sided(spec, random_case(spec, 4, spec.tile_rows))
    planes = 2 ** np.arange(case.input_bits)[:, None] * np.ones(len(case.plus), int)
    case = case._replace(codes=planes.astype(np.uint8))
    error = _means_hold(factory, spec, case, reads=reads, share=1, what="single planes")
    wanted = moments(spec, case, case.codes).mean
    return Power(100 * float(np.median(error / np.abs(wanted))), "% of a plane")


def single_rows(factory: Factory, spec: Spec, reads: int) -> Power:
    """One driven row at a time, the first and the last of each tile and some between: each has cells of its own."""
    case = random_case(spec, 5, 2 * spec.tile_rows + 3)
    case = case._replace(plus=np.maximum(case.plus, spec.g_max // 2), minus=case.minus // 2)
    random, rows = np.random.default_rng(5), len(case.plus)
    borders = [row + more for row in range(0, rows + 1, spec.tile_rows) for more in (-1, 0) if 0 <= row + more < rows]
    driven = np.unique(np.concatenate((borders, [rows - 1], random.integers(0, rows, 3))))
    codes = np.zeros((len(driven), rows), np.uint8)
    codes[np.arange(len(driven)), driven] = 2**case.input_bits - 1
    case = case._replace(codes=codes, lsb=max(spec.g_max / largest_code(spec, case.adc_bits), 1e-3) * 1.2)
    error = _means_hold(factory, spec, case, reads=reads, share=1, what="one driven row")
    found = np.median(error) * case.lsb / (2**case.input_bits - 1) / spec.g_max
    return Power(100 * float(found), "% of the largest cell")


def crosstalk(factory: Factory, spec: Spec, reads: int) -> Power:
    """Pairs of equal cells between pairs that carry large currents read zero on average."""
    case = one_sided(spec, random_case(spec, 6, spec.tile_rows))
    minus, plus = case.minus.copy(), case.plus.copy()
    plus[:, 1::3], minus[:, 1::3] = spec.g_max // 2, spec.g_max // 2
    full = np.full((1, len(plus)), 2**case.input_bits - 1, np.uint8)
    case = case._replace(plus=plus, minus=minus, codes=full)
    error = _means_hold(factory, spec, case, reads=reads, share=1, what="pruned and driven pairs")
    neighbour = float(np.median(np.abs(moments(spec, case, case.codes).mean[0, 0::3])))
    return Power(100 * float(np.median(error) / neighbour), "% of a neighbour's current")


def silence(factory: Factory, spec: Spec, reads: int) -> Power:
    """Rows that are not driven give zero: no offset beyond `Spec.adc_offset_lsb`, no half of an LSB, no noise."""
    case = random_case(spec, 7, spec.max_rows, (min(spec.input_bits), max(spec.adc_bits)))
    case = case._replace(codes=np.zeros((1, len(case.plus)), np.uint8))
    found = reads_of(factory, spec, case, reads=reads)[0, :, 0]
    wanted = moments(spec, case, case.codes)
    slack = quantile(found.shape[1]) * found.std(axis=0, ddof=1) / np.sqrt(reads) + _tolerance(spec, case, wanted)[0]
    _must_lie(found.mean(axis=0), wanted.mean[0], slack, case, "the mean with no row driven")
    if spec.converters is None and np.ptp(found, axis=0).any():
        raise Violation(f"{case}: reads with no row driven differ; without a current there is no noise")
    return Power(0.5 + spec.adc_offset_lsb + spec.adc_inl_lsb, "LSB of one converter")


def static_cells(factory: Factory, spec: Spec, reads: int) -> Power:
    """What is static stays: the means of two calls agree, on all columns."""
    case = random_case(spec, 8, spec.tile_rows + 3)
    calls = reads_of(factory, spec, case, reads=reads, calls=2)[:, :, 0]
    variance = np.maximum(calls.var(axis=1, ddof=1).mean(axis=0), moments(spec, case, case.codes).variance[0])
    q = quantile(variance.size)
    slack = q * np.sqrt(2 * variance / reads) + 2 * _rare(case, q, reads) + 1e-9
    _must_lie(calls[1].mean(axis=0), calls[0].mean(axis=0), slack, case, "the mean of a second call")
    currents = case.codes[0].astype(np.float64) @ (case.plus + case.minus) / case.lsb
    found = np.median((slack + _FOUND * np.sqrt(2 * variance / reads)) / np.maximum(currents, 1))
    return Power(100 * float(found), "% of the sum of a column's cells")


def overload(factory: Factory, spec: Spec, reads: int) -> None:
    """Currents four times the range, in every row tile: each conversion of a driven plane stops at M and is counted.

    Not counted are pairs without cells, and planes and row tiles that are not driven.
    """
    case, signs = _overloaded(spec, spec.max_rows)
    top, rows = largest_code(spec, case.adc_bits), len(case.plus)
    tiles, last = -(-rows // spec.tile_rows), (rows - 1) // spec.tile_rows * spec.tile_rows
    codes = np.zeros((4, rows), np.uint8)
    codes[0], codes[1], codes[2, last:] = 2**case.input_bits - 1, 1, 2**case.input_bits - 1
    codes = np.tile(codes, (5, 1))[: spec.max_batch]
    y, saturated = make_device(factory, spec, case)(codes)
    code = codes.max(axis=1).astype(np.int64)
    driven = np.array([tiles, tiles, 1, 0])[np.arange(len(codes)) % 4]
    wanted = signs * (code * driven)[:, None] * top
    if spec.converters is not None:
        wanted = np.rint(moments(spec, case, codes).mean)
    silent = (2**case.input_bits - 1) * _conversions(spec, case) - code * driven  # what other conversions may add
    slack, loaded = _silent_codes(spec) * silent, (case.plus + case.minus).any(axis=0)
    for k in np.flatnonzero(driven):
        _must_lie(y[k, loaded].astype(np.float64), wanted[k, loaded], slack[k], case, "an overload")
    planes = np.array([bin(one).count("1") for one in code.tolist()])
    _must_count(saturated, int((planes * driven).sum()) * int(loaded.sum()), case)


def _overloaded(spec: Spec, rows: int) -> Tuple[Case, np.ndarray]:
    """(case, sign of the current of each pair): up to eight rows of each tile drive two of three pairs.

    NotTried where so few cells cannot overload the ADC.
    """
    case = random_case(spec, 9, rows)._replace(adc_bits=min(spec.adc_bits))
    rows, top = len(case.plus), largest_code(spec, case.adc_bits)
    inside, rest = np.arange(rows) % spec.tile_rows, rows % spec.tile_rows
    fewest = min(8, spec.tile_rows, rest or rows)
    lsb = max(1, fewest * spec.g_max // (4 * top))
    if 2 * top * lsb > fewest * spec.g_max:
        if rest and rest < min(8, rows):  # without the last tile, which has too few rows
            return _overloaded(spec, rows - rest)
        raise NotTried(f"{case}: the cells cannot drive this ADC to twice its range")
    signs = np.where(np.arange(case.plus.shape[1]) % 2, -1.0, 1.0)
    cells = spec.g_max * (inside < 8)[:, None] * (np.arange(len(signs)) % 3 < 2)
    return case._replace(plus=cells * (signs > 0), minus=cells * (signs < 0), lsb=lsb), signs


def _must_count(found: int, wanted: int, case: Case) -> None:
    if found != wanted:
        raise Violation(f"{case}: {found} saturated conversions reported, there are {wanted}")


def _silent_codes(spec: Spec) -> float:
    """What a conversion that no row drives may be off, LSB."""
    if spec.converters is None:
        return float(np.floor(spec.adc_offset_lsb + spec.adc_inl_lsb + 0.5))
    noisy = spec.converters.silent_lsb != np.rint(spec.converters.silent_lsb)
    return float(noisy.any())


# --- noise ------------------------------------------------------------------------------------------------------------


def _variances_hold(factory: Factory, spec: Spec, case: Case, *, reads: int, share: int, what: str) -> float:
    """Compare the variance of each sample and column and that of all columns, one of `share` such in its law.

    The reads are the last ones of a batch as large as may be. Returns the least that is found.
    """
    batch = min(spec.max_batch, MOST_RESULTS // case.plus.shape[1]) // len(case.codes)
    found = reads_of(factory, spec, case, reads=max(reads, batch))[0, -reads:]
    return _variances_lie(found, spec, case, share=share, what=what)


def _variances_lie(found: np.ndarray, spec: Spec, case: Case, *, share: int, what: str) -> float:
    """The same of reads (reads, samples, pairs)."""
    reads, samples, pairs = found.shape
    wanted = moments(spec, case, case.codes)
    tolerance = ((1 + spec.adc_gain) * (1 + spec.mean_tolerance) * (1 + spec.noise_tolerance)) ** 2 - 1
    if spec.held_noise and case.codes.max() > 1:
        tolerance += 1 / 12 / wanted.finest**2  # planes that share noise share its rounding
    # Upper quantile of chi^2 / dof (Wilson and Hilferty 1931); the lower one lies closer to 1.
    h, share = 2 / 9 / (reads - 1), share * samples
    spread = (1 - h + quantile(2 * share * pairs) * np.sqrt(h)) ** 3 - 1
    error = np.sqrt(2 / (reads - 1) / pairs)
    for k, ratio in enumerate(found.var(axis=0, ddof=1) / wanted.variance):
        _must_lie(ratio, 1.0, spread + tolerance, case, f"variance over that of the law, {what}, sample {k},")
        mean, slack = ratio.mean(keepdims=True), quantile(2 * share) * error + tolerance
        _must_lie(mean, 1.0, slack, case, f"the mean variance over that of the law, {what}, sample {k},")
    return float((quantile(2 * share) + _FOUND) * error + tolerance) / 2  # of a standard deviation


def noise(factory: Factory, spec: Spec, reads: int) -> Power:
    """The variance of repeated reads is the sum over the driven cells of the squares of their read noise.

    All rows of an array in turn with every other one, its last eight, one in three, and single ones; one bit plane.
    """
    every = np.arange(spec.tile_rows)
    last = every >= min(spec.tile_rows, spec.max_rows) - 8
    for seed, driven in enumerate((every >= 0, last, every % 3 == 1, every == min(spec.tile_rows, spec.max_rows) // 2)):
        case = quiet_case(spec, seed, spec.tile_rows, driven if driven[: spec.max_rows].any() else None)
        rows = int(case.codes.sum())
        if not seed:
            drives = case.codes[0] > 0
            case = heard(
                spec, case._replace(codes=np.stack([drives, drives & (np.cumsum(drives) % 2 == 1)]) * np.uint8(1))
            )
        smallest = _variances_hold(factory, spec, case, reads=reads, share=4, what=f"{rows} driven rows")
    return Power(100 * smallest, "% of the standard deviation of a read")


def single_calls(factory: Factory, spec: Spec, reads: int) -> Power:
    """Calls of one sample each, one after the other, have the mean and the noise of a batch."""
    bits = min(spec.input_bits), max(spec.adc_bits)
    case = one_sided(spec, random_case(spec, 22, spec.tile_rows, bits))
    case = case._replace(plus=case.plus[:, :FEW_PAIRS], minus=case.minus[:, :FEW_PAIRS])
    codes = np.full((1, len(case.plus)), 2 ** bits[0] - 1, np.uint8)
    single = replace(spec, max_batch=1)
    _means_hold(factory, single, case._replace(codes=codes), reads=reads, share=2, what="calls of one sample")
    case = quiet_case(spec, 19, spec.tile_rows, pairs=FEW_PAIRS, input_bits=bits[0])
    found = reads_of(factory, single, case, reads=reads)[0]
    smallest = _variances_lie(found, spec, case, share=2, what="calls of one sample")
    return Power(100 * smallest, "% of the standard deviation of a read")


def noise_of_planes(factory: Factory, spec: Spec, reads: int) -> Power:
    """Bit planes are reads of their own, or share the deviations of the cells with `held_noise`: all, and any two."""
    bits = max(spec.input_bits)
    if bits == 1:
        raise NotTried("inputs of one bit have one plane")
    two = [1 << a | 1 << b for a in range(bits) for b in range(a)]
    smallest = 0.0
    for seed, (codes, pairs) in enumerate((([2**bits - 1], None), (two, FEW_PAIRS))):
        case = quiet_case(spec, 10 + seed, spec.tile_rows, pairs=pairs)
        case = case._replace(codes=case.codes * np.array(codes, np.uint8)[:, None])
        found = _variances_hold(factory, spec, case, reads=reads, share=2, what=f"inputs {codes}")
        smallest = smallest or found
    return Power(200 * smallest, "% of the variance of a result")


def noise_of_tiles(factory: Factory, spec: Spec, reads: int) -> Power:
    """Row tiles have noise of their own: each one, and the variances of all of them add up."""
    if spec.max_rows < 2 * spec.tile_rows:
        raise NotTried("matrices of one row tile")
    whole, bits = spec.max_rows // spec.tile_rows, min(spec.input_bits)
    case = quiet_case(spec, 12, whole * spec.tile_rows, input_bits=bits)
    tiles = np.arange(case.codes.shape[1]) // spec.tile_rows
    codes = case.codes * np.concatenate([np.ones((1, len(tiles)), bool), tiles == np.arange(whole)[:, None]])
    smallest = _variances_hold(factory, spec, case._replace(codes=codes), reads=reads, share=2, what="row tiles")
    if spec.max_rows % spec.tile_rows:
        rest = np.arange(spec.max_rows) >= whole * spec.tile_rows
        case = quiet_case(spec, 20, spec.max_rows, rest, input_bits=bits)
        _variances_hold(factory, spec, case, reads=reads, share=2, what="the last row tile")
    return Power(200 * smallest, "% of the variance of a result")


def _codes(spec: Spec) -> Sequence[int]:
    """Inputs of one plane, of any two neighbours and of all planes."""
    bits = max(spec.input_bits)
    return sorted({1, 2**bits - 1, *(3 << b for b in range(bits - 1))})


def _deviations(factory: Factory, spec: Spec, code: int, *, reads: int, calls: int = 1) -> Tuple[Case, np.ndarray]:
    """(case, deviations of reads of all rows from their column's mean over its deviation (calls, reads, pairs))."""
    case = quiet_case(spec, 13 + code, spec.tile_rows)
    case = case._replace(codes=case.codes * np.uint8(code))
    found = reads_of(factory, spec, case, reads=reads, calls=calls)[:, :, 0]
    std = found.std(axis=1, keepdims=True, ddof=1)
    if not std.all():
        raise Violation(f"{case}: repeated reads of pair {int(np.argwhere(std == 0)[0][-1])} never differ")
    return case, (found - found.mean(axis=1, keepdims=True)) / std


def independent_columns(factory: Factory, spec: Spec, reads: int) -> Power:
    """No two columns share noise, in any plane: each two, neighbours, and all columns together."""
    if shape_of(spec, spec.tile_rows)[1] < 2:
        raise NotTried("matrices of one pair of columns")
    for code in _codes(spec):
        case, calls = _deviations(factory, spec, code, reads=reads)
        z = calls[0]
        columns = z.shape[1]
        correlation = z.T @ z / (reads - 1)
        upper = correlation[np.triu_indices(columns, 1)]
        distances = sorted({1, min(2, columns - 1), min(spec.tile_pairs, columns - 1)})
        tests = len(_codes(spec)) * (len(upper) + len(distances) + 1)
        _must_lie(upper, 0.0, quantile(tests) / np.sqrt(reads), case, "the correlation of two columns")
        for distance in distances:
            together = np.diagonal(correlation, distance).mean(keepdims=True)
            error = 1 / np.sqrt((reads - 1) * (columns - distance))
            _must_lie(together, 0.0, quantile(tests) * error, case, f"the correlation of columns {distance} apart")
        common = upper.mean(keepdims=True)
        error = np.sqrt(2 / (reads - 1)) / columns
        _must_lie(common, 0.0, (quantile(tests) + 2) * error, case, "the correlation of all columns")  # chi^2 is skew
    return Power(100 * float((quantile(tests) + 2 + _FOUND) * error), "% of the variance, common to all columns")


def _no_distance(calls: np.ndarray, case: Case, share: int) -> None:
    """No deviations of (calls, reads, columns) are alike those at any distance, counted conversion by conversion.

    A stream of random numbers that begins again is found by the distance at which it does. As many distances as leave
    FEWEST_PRODUCTS, whose sum is normal. share: such comparisons in its law.
    """
    flat = calls.reshape(-1)[:MOST_PRODUCTS]
    distances = np.arange(1, max(1, len(flat) - FEWEST_PRODUCTS))
    if not len(distances):
        return
    size = 2 ** int(np.ceil(np.log2(2 * len(flat))))
    products = np.fft.irfft(np.abs(np.fft.rfft(flat, size)) ** 2, size)[distances]
    scores = products / np.sqrt(len(flat) - distances)
    slack = (
        quantile(share * len(distances)) + np.sqrt(len(flat) - distances) / calls.shape[1]
    )  # what taking the mean costs
    worst = int(np.argmax(np.abs(scores) - slack))
    what = f"the correlation of conversions {distances[worst]} apart, in standard errors,"
    _must_lie(scores[worst : worst + 1], 0.0, slack[worst], case, what)


def independent_reads(factory: Factory, spec: Spec, reads: int) -> Power:
    """Reads share no noise, in any plane: at any distance, from call to call, and at some distances in each column."""
    for code in _codes(spec):
        case, calls = _deviations(factory, spec, code, reads=reads, calls=2)
        z, columns = calls[0], calls.shape[2]
        lags = sorted({1, 2, 3, 4, 5, *(2**k for k in range(3, 20) if 2**k <= reads // 2)})
        q, error = quantile(2 * len(_codes(spec)) * (len(lags) + 1) * (columns + 1)), 1 / np.sqrt(reads * columns)
        for lag in lags:
            taking_the_mean = (1 - lag / reads) / reads
            each = (z[lag:] * z[:-lag]).sum(axis=0) / (reads - 1) + taking_the_mean
            _must_lie(each, 0.0, q / np.sqrt(reads), case, f"the correlation of reads {lag} apart")
            _must_lie(each.mean(keepdims=True), 0.0, q * error, case, f"the mean correlation of reads {lag} apart")
        each = (calls[0] * calls[1]).sum(axis=0) / (reads - 1)
        _must_lie(each, 0.0, q / np.sqrt(reads), case, "the correlation of two calls")
        _must_lie(each.mean(keepdims=True), 0.0, q * error, case, "the mean correlation of two calls")
        _no_distance(calls, case, 2 * len(_codes(spec)))
    return Power(100 * float((q + _FOUND) * error), "% of the variance, shared by two reads")


def distribution(factory: Factory, spec: Spec, reads: int) -> Power:
    """Deviations are normal, of all rows, of one cell of each polarity, and of all planes together: Kolmogorov's
    distance of each column and of all columns together."""
    every = np.arange(spec.tile_rows)
    one = every == min(spec.tile_rows, spec.max_rows) // 2
    most = 1 if spec.held_noise else max(spec.input_bits)  # planes that share deviations give few values
    for seed, driven, planes in ((15, every >= 0, 1), (21, one, 1), (25, every >= 0, most)):
        case = quiet_case(spec, seed, spec.tile_rows, driven)
        case = case._replace(codes=case.codes * np.uint8(2**planes - 1))
        found = reads_of(factory, spec, case, reads=reads)[0, :, 0]
        steps = _conversions(spec, case) / 12 if planes == 1 else 0.0  # rounding of many planes is nearly normal, too
        std = np.sqrt(np.maximum(found.var(axis=0, ddof=1) - steps, LEAST_STD**2))
        below, above = (normal_cdf((found + edge - found.mean(axis=0)) / std) for edge in (-0.5, 0.5))
        share = below + np.random.default_rng(15).random(found.shape) * (above - below)
        each = np.array([_kolmogorov(column) for column in share.T])
        _must_lie(
            each, 0.0, _allowed(reads, 6 * len(each)), case, "the distance of the noise from a normal distribution"
        )
        together, allowed = _kolmogorov(share.ravel()), _allowed(share.size, 6)
        what = "the distance of all columns' noise from a normal distribution"
        _must_lie(np.array([together]), 0.0, allowed, case, what)
    return Power(allowed + _FOUND * 0.5 / float(np.sqrt(share.size)), "in the cumulative distribution")


def _kolmogorov(share: np.ndarray) -> float:
    """Largest distance of values on 0 to 1 (n,) from even ones."""
    n, share = len(share), np.sort(share)
    return float(max(np.max(np.arange(1, n + 1) / n - share), np.max(share - np.arange(n) / n)))


def _allowed(n: int, comparisons: int) -> float:
    """What it is at most, in one of so many comparisons of a law: Massart 1990."""
    return float(np.sqrt(np.log(2 * comparisons * len(STATISTICAL_LAWS) / FALSE_ALARM) / 2 / n)) + _SMOOTHED


Law = Callable[[Factory, Spec, int], Optional[Power]]
STATISTICAL_LAWS: Sequence[Law] = (
    mean,
    gain,
    curve,
    every_tile,
    bit_widths,
    single_planes,
    single_rows,
    crosstalk,
    silence,
    static_cells,
    overload,
    noise,
    single_calls,
    noise_of_planes,
    noise_of_tiles,
    independent_columns,
    independent_reads,
    distribution,
)

"""The laws of noise: variance, independence and distribution of repeated reads. Each raises `Violation`, or returns
the `Power` of what it looked at.
"""

from dataclasses import replace
from typing import Sequence, Tuple

import numpy as np

from ..device.cell import normal_cdf
from .cases import Case, Factory, NotTried, Spec, Violation
from .comparisons import FALSE_ALARM, FOUND, LAWS, Power, must_lie, quantile
from .mean_laws import conversions, means_hold
from .moments import moments
from .noisy_cases import LEAST_STD, heard, one_sided, quiet_case, random_case, reads_of, shape_of

MOST_RESULTS = 2**22
"""of a batch that is read for its last samples"""
FEW_PAIRS = 64
"""pairs where single calls or many samples are read"""
FEWEST_PRODUCTS, MOST_PRODUCTS = 2000, 2**20
"""products of deviations behind a correlation at any distance"""
_SMOOTHED = 2e-3  # by which the sum of two rounded polarities is no rounded normal number


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
        must_lie(ratio, 1.0, spread + tolerance, case, f"variance over that of the law, {what}, sample {k},")
        mean, slack = ratio.mean(keepdims=True), quantile(2 * share) * error + tolerance
        must_lie(mean, 1.0, slack, case, f"the mean variance over that of the law, {what}, sample {k},")
    return float((quantile(2 * share) + FOUND) * error + tolerance) / 2  # of a standard deviation


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
    means_hold(factory, single, case._replace(codes=codes), reads=reads, share=2, what="calls of one sample")
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
        must_lie(upper, 0.0, quantile(tests) / np.sqrt(reads), case, "the correlation of two columns")
        for distance in distances:
            together = np.diagonal(correlation, distance).mean(keepdims=True)
            error = 1 / np.sqrt((reads - 1) * (columns - distance))
            must_lie(together, 0.0, quantile(tests) * error, case, f"the correlation of columns {distance} apart")
        common = upper.mean(keepdims=True)
        error = np.sqrt(2 / (reads - 1)) / columns
        must_lie(common, 0.0, (quantile(tests) + 2) * error, case, "the correlation of all columns")  # chi^2 is skew
    return Power(100 * float((quantile(tests) + 2 + FOUND) * error), "% of the variance, common to all columns")


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
    must_lie(scores[worst : worst + 1], 0.0, slack[worst], case, what)


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
            must_lie(each, 0.0, q / np.sqrt(reads), case, f"the correlation of reads {lag} apart")
            must_lie(each.mean(keepdims=True), 0.0, q * error, case, f"the mean correlation of reads {lag} apart")
        each = (calls[0] * calls[1]).sum(axis=0) / (reads - 1)
        must_lie(each, 0.0, q / np.sqrt(reads), case, "the correlation of two calls")
        must_lie(each.mean(keepdims=True), 0.0, q * error, case, "the mean correlation of two calls")
        _no_distance(calls, case, 2 * len(_codes(spec)))
    return Power(100 * float((q + FOUND) * error), "% of the variance, shared by two reads")


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
        steps = conversions(spec, case) / 12 if planes == 1 else 0.0  # rounding of many planes is nearly normal, too
        std = np.sqrt(np.maximum(found.var(axis=0, ddof=1) - steps, LEAST_STD**2))
        below, above = (normal_cdf((found + edge - found.mean(axis=0)) / std) for edge in (-0.5, 0.5))
        share = below + np.random.default_rng(15).random(found.shape) * (above - below)
        each = np.array([_kolmogorov(column) for column in share.T])
        must_lie(
            each, 0.0, _allowed(reads, 6 * len(each)), case, "the distance of the noise from a normal distribution"
        )
        together, allowed = _kolmogorov(share.ravel()), _allowed(share.size, 6)
        what = "the distance of all columns' noise from a normal distribution"
        must_lie(np.array([together]), 0.0, allowed, case, what)
    return Power(allowed + FOUND * 0.5 / float(np.sqrt(share.size)), "in the cumulative distribution")


def _kolmogorov(share: np.ndarray) -> float:
    """Largest distance of values on 0 to 1 (n,) from even ones."""
    n, share = len(share), np.sort(share)
    return float(max(np.max(np.arange(1, n + 1) / n - share), np.max(share - np.arange(n) / n)))


def _allowed(n: int, comparisons: int) -> float:
    """What it is at most, in one of so many comparisons of a law: Massart 1990."""
    return float(np.sqrt(np.log(2 * comparisons * LAWS / FALSE_ALARM) / 2 / n)) + _SMOOTHED

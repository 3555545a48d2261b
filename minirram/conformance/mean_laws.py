"""The laws of means: what repeated reads give on average, and what saturates. Each raises `Violation`, or returns the
`Power` of what it looked at.
"""

from typing import Tuple

import numpy as np

from .cases import Case, Factory, NotTried, Spec, Violation, largest_code, make_device, odd_lsb
from .comparisons import FOUND, Power, must_lie, quantile
from .moments import Moments, moments
from .noisy_cases import LEAST_STD, least_std, one_sided, random_case, reads_of

CURRENTS = 8
"""of one sign, of each column, with which its converter is tried"""


def conversions(spec: Spec, case: Case) -> int:
    """Conversions of one plane and column."""
    return -(-len(case.plus) // spec.tile_rows) * (1 if spec.arrangement == "pair" else 2)


def _tolerance(spec: Spec, case: Case, wanted: Moments) -> np.ndarray:
    """What the mean of each sample (n, pairs) may be off for good: cells, and offset, gain and INL of converters."""
    count = conversions(spec, case)
    steps = count * (2**case.input_bits - 1) * (spec.adc_offset_lsb + spec.adc_inl_lsb)
    currents = case.codes.astype(np.float64) @ (case.plus + case.minus) / case.lsb
    rounding = _rounding(spec, wanted) * count * (2**case.input_bits - 1)
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


def means_hold(factory: Factory, spec: Spec, case: Case, *, reads: int, share: int, what: str) -> np.ndarray:
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
        must_lie(found.mean(axis=0)[k], wanted.mean[k], slack[k], case, f"the mean of {what}, sample {k},")
    hidden = 0.5 * (2**case.input_bits - 1) if wanted.finest < LEAST_STD else 0.0
    error = (1 + spec.noise_tolerance) * np.sqrt(wanted.variance / reads)
    return (q + FOUND) * error + rare + hidden + _tolerance(spec, case, wanted)


def mean(factory: Factory, spec: Spec, reads: int) -> Power:
    """The mean of repeated reads is that of the exact product: all columns, all tiles, several inputs."""
    for seed in range(2):
        case = random_case(spec, seed, spec.tile_rows + 3)
        random = np.random.default_rng(seed)
        codes = random.integers(0, 2**case.input_bits, (4, len(case.plus)))
        codes[0] = 2**case.input_bits - 1
        codes[1] *= random.random(len(case.plus)) < 0.1
        case = case._replace(codes=codes.astype(np.uint8))
        error = means_hold(factory, spec, case, reads=reads, share=2, what="repeated reads")
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
    must_lie(ratio, 1.0, quantile(2 * len(ratio)) * error + allowed, case, "the gain")
    pooled = np.sqrt((error**2).sum()) / len(error)
    must_lie(ratio.mean(keepdims=True), 1.0, quantile(2) * pooled + allowed.mean(), case, "the mean gain")
    hidden = 0.5 * (2**case.input_bits - 1) / np.median(np.abs(wanted.mean[0])) if wanted.finest < LEAST_STD else 0.0
    found = (quantile(2 * len(ratio)) + FOUND) * np.median(error) + hidden + np.median(allowed)
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
        error = means_hold(factory, spec, turned, reads=reads, share=2, what="currents over the range")
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
    error = means_hold(factory, spec, case, reads=reads, share=1, what="single row tiles")
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
        error = means_hold(factory, spec, case, reads=reads, share=count, what=what)
        errors.append(np.median(error[0]) / np.median(np.abs(moments(spec, case, case.codes).mean[0])))
    return Power(100 * float(max(errors)), "% of a result")


def single_planes(factory: Factory, spec: Spec, reads: int) -> Power:
    """Each bit plane alone gives its own share: the mean of a code of one bit is that bit's weight times the sum."""
    case = one_sided(spec, random_case(spec, 4, spec.tile_rows))
    planes = 2 ** np.arange(case.input_bits)[:, None] * np.ones(len(case.plus), int)
    case = case._replace(codes=planes.astype(np.uint8))
    error = means_hold(factory, spec, case, reads=reads, share=1, what="single planes")
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
    error = means_hold(factory, spec, case, reads=reads, share=1, what="one driven row")
    found = np.median(error) * case.lsb / (2**case.input_bits - 1) / spec.g_max
    return Power(100 * float(found), "% of the largest cell")


def crosstalk(factory: Factory, spec: Spec, reads: int) -> Power:
    """Pairs of equal cells between pairs that carry large currents read zero on average."""
    case = one_sided(spec, random_case(spec, 6, spec.tile_rows))
    minus, plus = case.minus.copy(), case.plus.copy()
    plus[:, 1::3], minus[:, 1::3] = spec.g_max // 2, spec.g_max // 2
    full = np.full((1, len(plus)), 2**case.input_bits - 1, np.uint8)
    case = case._replace(plus=plus, minus=minus, codes=full)
    error = means_hold(factory, spec, case, reads=reads, share=1, what="pruned and driven pairs")
    neighbour = float(np.median(np.abs(moments(spec, case, case.codes).mean[0, 0::3])))
    return Power(100 * float(np.median(error) / neighbour), "% of a neighbour's current")


def silence(factory: Factory, spec: Spec, reads: int) -> Power:
    """Rows that are not driven give zero: no offset beyond `Spec.adc_offset_lsb`, no half of an LSB, no noise."""
    case = random_case(spec, 7, spec.max_rows, (min(spec.input_bits), max(spec.adc_bits)))
    case = case._replace(codes=np.zeros((1, len(case.plus)), np.uint8))
    found = reads_of(factory, spec, case, reads=reads)[0, :, 0]
    wanted = moments(spec, case, case.codes)
    slack = quantile(found.shape[1]) * found.std(axis=0, ddof=1) / np.sqrt(reads) + _tolerance(spec, case, wanted)[0]
    must_lie(found.mean(axis=0), wanted.mean[0], slack, case, "the mean with no row driven")
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
    must_lie(calls[1].mean(axis=0), calls[0].mean(axis=0), slack, case, "the mean of a second call")
    currents = case.codes[0].astype(np.float64) @ (case.plus + case.minus) / case.lsb
    found = np.median((slack + FOUND * np.sqrt(2 * variance / reads)) / np.maximum(currents, 1))
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
    silent = (2**case.input_bits - 1) * conversions(spec, case) - code * driven  # what other conversions may add
    slack, loaded = _silent_codes(spec) * silent, (case.plus + case.minus).any(axis=0)
    for k in np.flatnonzero(driven):
        must_lie(y[k, loaded].astype(np.float64), wanted[k, loaded], slack[k], case, "an overload")
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

"""The laws of a noisy device: statistics of repeated reads, on all its columns. Each raises `Violation`, or returns the
`Power` of what it looked at: the smallest error that it finds in 99 of 100 devices.
"""

from statistics import NormalDist
from typing import Callable, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ..device.cell import normal_cdf
from .cases import Case, Factory, NotTried, Problem, Spec, Violation, draw, largest_code, make_device, odd_lsb
from .moments import Moments, moments

FALSE_ALARM = 1e-3
"""Chance that `check(..., exact=False)` rejects a device that keeps the laws, over all comparisons of one call."""
READS = 400
"""repetitions behind each mean and variance"""

FEWEST_PRODUCTS, MOST_PRODUCTS = 2000, 2**20
"""products of deviations behind a correlation at any distance"""

Numbers = Union[float, np.ndarray]
_FOUND = NormalDist().inv_cdf(0.99)
_SMOOTHED = 2e-3  # by which the sum of two rounded polarities is no rounded normal number
_LEAST_STD = 0.4  # LSB; a conversion with less noise tells too little about it


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


# --- cases and reads --------------------------------------------------------------------------------------------------


def _shape(spec: Spec, rows: int) -> Tuple[int, int]:
    """(rows, pairs): as many pairs as two arrays and a remainder have."""
    rows = min(rows, spec.max_rows)
    return rows, max(1, min(spec.max_pairs, 2 * spec.tile_pairs + 3, 300_000 // rows))


def _random_case(spec: Spec, seed: int, rows: int) -> Case:
    """Cells of any size, and an LSB with which no input saturates."""
    rows, pairs = _shape(spec, rows)
    problem = Problem(rows, pairs, 1, max(spec.input_bits), max(spec.adc_bits), 0, seed)
    lsb = odd_lsb(1.2 * spec.g_max * min(rows, spec.tile_rows) / largest_code(spec, problem.adc_bits), 3)
    case = draw(problem, lsb=lsb, g_max=spec.g_max, tile_rows=spec.tile_rows)
    random = problem.random()
    shape = (2,) + case.plus.shape
    plus, minus = random.integers(0, spec.g_max + 1, shape) * (random.random(shape) < 0.7)
    return case._replace(plus=plus, minus=minus)


def _one_sided(spec: Spec, case: Case) -> Case:
    """The case with one cell of each pair off, G- and G+ in turn: currents far from zero, in every pair."""
    plus, minus = case.plus.copy(), case.minus.copy()
    minus[:, 0::2], plus[:, 1::2] = 0, 0
    for cells in (plus[:, 0::2], minus[:, 1::2]):
        cells[0, ~cells.any(axis=0)] = spec.g_max  # of few rows all may have been drawn off
    return case._replace(plus=plus, minus=minus)


def _quiet_case(spec: Spec, seed: int, rows: int, driven: Optional[np.ndarray] = None) -> Case:
    """Currents near zero and an LSB of one standard deviation of a read: what is seen is the noise.

    In each column and tile G- is G+ in another order of the `driven` rows, so I+ - I- is zero. With one conversion for
    each polarity only as many rows of a tile are driven as the ADC has codes for. NotTried where that is not one.
    """
    if not spec.read_noise:
        raise NotTried("the device claims to have no read noise")
    random = np.random.default_rng(seed)
    rows, pairs = _shape(spec, rows)
    top = largest_code(spec, max(spec.adc_bits))
    plus = random.integers(spec.g_max // 2, spec.g_max + 1, (rows, pairs))
    drives = np.ones(rows, bool) if driven is None else driven[:rows].copy()
    if spec.arrangement == "polarity":
        free = 0.8 if spec.converters is None else 0.6  # of the range: their offsets and gains take some
        most = int((free * top * spec.read_noise) ** 2)  # the sum of so many cells is top standard deviations of a read
        for row in range(0, rows, spec.tile_rows):
            drives[row : row + spec.tile_rows] &= np.cumsum(drives[row : row + spec.tile_rows]) <= most
    if not drives.any():
        raise NotTried(f"an ADC of {max(spec.adc_bits)} bits has no code as fine as the noise of a read")
    minus = plus.copy()
    for row in range(0, rows, spec.tile_rows):
        own = row + np.flatnonzero(drives[row : row + spec.tile_rows])
        minus[own] = random.permuted(plus[own], axis=0)
    in_tile = plus[: spec.tile_rows][drives[: spec.tile_rows]].astype(np.float64)
    sides = 2 if spec.arrangement == "pair" else 1
    std = spec.read_noise * np.sqrt(sides * np.median((in_tile**2).sum(axis=0)))
    error = 2 * spec.mean_tolerance * np.median(in_tile.sum(axis=0)) / top  # what wrong cells may add to the current
    bits, codes = (max(spec.input_bits), max(spec.adc_bits)), drives[None].astype(np.uint8)
    case = Case(plus, minus, codes, *bits, max(std, error), spec.tile_rows)
    if _least_std(spec, moments(spec, case, case.codes)) < _LEAST_STD:
        raise NotTried(f"{case}: the noise of one read is lost in the steps of the ADC")
    return case


def _reads(factory: Factory, spec: Spec, case: Case, *, reads: int, calls: int = 1) -> np.ndarray:
    """Results of `reads` reads of each sample of the case in turn: float64 (calls, reads, samples, pairs)."""
    multiply = make_device(factory, spec, case)
    codes = np.tile(case.codes, (reads, 1))
    parts = range(0, len(codes), spec.max_batch)
    found = [np.concatenate([multiply(codes[k : k + spec.max_batch])[0] for k in parts]) for _ in range(calls)]
    return np.array(found, np.float64).reshape((calls, reads) + (len(case.codes), case.plus.shape[1]))


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
    left = float(np.exp(-2 * (np.pi * _least_std(spec, wanted)) ** 2))
    smoothed = 1.0 if left == 1 else min(1.0, -2 / np.pi * np.log1p(-left))
    if spec.mean_tolerance or spec.adc_offset_lsb or spec.adc_gain or spec.adc_inl_lsb:
        return smoothed if spec.converters is not None else 1.0  # unknown ones may have uneven steps
    return min(smoothed, -np.log1p(-min(spec.noise_tolerance, 1 - 1e-9)) / 4)


def _least_std(spec: Spec, wanted: Moments) -> float:
    """Standard deviation of the quietest driven conversion of a device whose noise is within its tolerance, LSB."""
    return max(wanted.finest * (1 - spec.noise_tolerance), 0.0)


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
    found = _reads(factory, spec, case, reads=reads)[0]
    wanted = moments(spec, case, case.codes)
    q = quantile(share * wanted.mean.size)
    variance = np.maximum(wanted.variance, found.var(axis=0, ddof=1))
    rare = _rare(case, q, reads)
    slack = q * np.sqrt(variance / reads) + rare + _tolerance(spec, case, wanted) + 1e-9
    for k in range(len(case.codes)):
        _must_lie(found.mean(axis=0)[k], wanted.mean[k], slack[k], case, f"the mean of {what}, sample {k},")
    hidden = 0.5 * (2**case.input_bits - 1) if wanted.finest < _LEAST_STD else 0.0
    error = (1 + spec.noise_tolerance) * np.sqrt(wanted.variance / reads)
    return (q + _FOUND) * error + rare + hidden + _tolerance(spec, case, wanted)


def mean(factory: Factory, spec: Spec, reads: int) -> Power:
    """The mean of repeated reads is that of the exact product: all columns, all tiles, several inputs."""
    for seed in range(2):
        case = _random_case(spec, seed, spec.tile_rows + 3)
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
    case = _one_sided(spec, _random_case(spec, 3, spec.tile_rows))
    largest = np.abs(case.plus - case.minus).sum(axis=0).max() * (1 + 6 * spec.read_noise)
    case = case._replace(lsb=odd_lsb(largest / 0.6 / largest_code(spec, case.adc_bits), 3))
    codes = np.array([[share] for share in (1.0, 0.5)]) * (2**case.input_bits - 1) * np.ones(len(case.plus))
    case = case._replace(codes=codes.astype(np.uint8))
    found, wanted = _reads(factory, spec, case, reads=reads)[0].mean(axis=0), moments(spec, case, case.codes)
    tolerance = _tolerance(spec, case, wanted)
    power = (wanted.mean**2).sum(axis=0)
    ratio = (found * wanted.mean).sum(axis=0) / power
    error = np.sqrt((wanted.mean**2 * wanted.variance).sum(axis=0) / reads) / power + 1e-9
    error *= 1 + spec.noise_tolerance
    allowed = ((tolerance + _rare(case, quantile(2 * len(ratio)), reads)) * np.abs(wanted.mean)).sum(axis=0) / power
    _must_lie(ratio, 1.0, quantile(2 * len(ratio)) * error + allowed, case, "the gain")
    pooled = np.sqrt((error**2).sum()) / len(error)
    _must_lie(ratio.mean(keepdims=True), 1.0, quantile(2) * pooled + allowed.mean(), case, "the mean gain")
    hidden = 0.5 * (2**case.input_bits - 1) / np.median(np.abs(wanted.mean[0])) if wanted.finest < _LEAST_STD else 0.0
    found = (quantile(2 * len(ratio)) + _FOUND) * np.median(error) + hidden + np.median(allowed)
    return Power(100 * float(found), "% of a column's gain")


def single_planes(factory: Factory, spec: Spec, reads: int) -> Power:
    """Each bit plane alone gives its own share: the mean of a code of one bit is that bit's weight times the sum."""
    case = _one_sided(spec, _random_case(spec, 4, spec.tile_rows))
    planes = 2 ** np.arange(case.input_bits)[:, None] * np.ones(len(case.plus), int)
    case = case._replace(codes=planes.astype(np.uint8))
    error = _means_hold(factory, spec, case, reads=reads, share=1, what="single planes")
    wanted = moments(spec, case, case.codes).mean
    return Power(100 * float(np.median(error / np.abs(wanted))), "% of a plane")


def single_rows(factory: Factory, spec: Spec, reads: int) -> Power:
    """One driven row at a time, the first and the last of each tile and some between: each has cells of its own."""
    case = _random_case(spec, 5, 2 * spec.tile_rows + 3)
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
    case = _one_sided(spec, _random_case(spec, 6, spec.tile_rows))
    minus, plus = case.minus.copy(), case.plus.copy()
    plus[:, 1::3], minus[:, 1::3] = spec.g_max // 2, spec.g_max // 2
    full = np.full((1, len(plus)), 2**case.input_bits - 1, np.uint8)
    case = case._replace(plus=plus, minus=minus, codes=full)
    error = _means_hold(factory, spec, case, reads=reads, share=1, what="pruned and driven pairs")
    neighbour = float(np.median(np.abs(moments(spec, case, case.codes).mean[0, 0::3])))
    return Power(100 * float(np.median(error) / neighbour), "% of a neighbour's current")


def silence(factory: Factory, spec: Spec, reads: int) -> Power:
    """Rows that are not driven give zero: no offset beyond `Spec.adc_offset_lsb`, not even half an LSB."""
    case = _random_case(spec, 7, spec.tile_rows + 3)
    case = case._replace(codes=np.zeros((1, len(case.plus)), np.uint8))
    found = _reads(factory, spec, case, reads=reads)[0, :, 0]
    wanted = moments(spec, case, case.codes)
    slack = quantile(found.shape[1]) * found.std(axis=0, ddof=1) / np.sqrt(reads) + _tolerance(spec, case, wanted)[0]
    _must_lie(found.mean(axis=0), wanted.mean[0], slack, case, "the mean with no row driven")
    return Power(0.5 + spec.adc_offset_lsb + spec.adc_inl_lsb, "LSB of one converter")


def static_cells(factory: Factory, spec: Spec, reads: int) -> Power:
    """What is static stays: the means of two calls agree, on all columns."""
    case = _random_case(spec, 8, spec.tile_rows + 3)
    calls = _reads(factory, spec, case, reads=reads, calls=2)[:, :, 0]
    variance = np.maximum(calls.var(axis=1, ddof=1).mean(axis=0), moments(spec, case, case.codes).variance[0])
    q = quantile(variance.size)
    slack = q * np.sqrt(2 * variance / reads) + 2 * _rare(case, q, reads) + 1e-9
    _must_lie(calls[1].mean(axis=0), calls[0].mean(axis=0), slack, case, "the mean of a second call")
    currents = case.codes[0].astype(np.float64) @ (case.plus + case.minus) / case.lsb
    found = np.median((slack + _FOUND * np.sqrt(2 * variance / reads)) / np.maximum(currents, 1))
    return Power(100 * float(found), "% of the sum of a column's cells")


def overload(factory: Factory, spec: Spec, reads: int) -> None:
    """Currents four times the range: every conversion of a driven plane stops at M and is counted, on all columns."""
    case = _one_sided(spec, _random_case(spec, 9, 8)._replace(adc_bits=min(spec.adc_bits)))
    top = largest_code(spec, case.adc_bits)
    plus, minus = spec.g_max * (case.plus >= 0), spec.g_max * (case.minus >= 0)
    case = _one_sided(spec, case._replace(plus=plus, minus=minus, lsb=max(1, len(plus) * spec.g_max // (4 * top))))
    if 2 * top * case.lsb > len(plus) * spec.g_max:
        raise NotTried(f"{case}: the cells cannot drive this ADC to twice its range")
    n = min(20, spec.max_batch)
    codes = np.full((n, len(plus)), 2**case.input_bits - 1, np.uint8)
    y, saturated = make_device(factory, spec, case)(codes)
    signs = np.where(np.arange(plus.shape[1]) % 2, -1.0, 1.0)
    wanted, slack = signs * int(codes[0, 0]) * top, int(codes[0, 0]) * _silent_codes(spec, case)
    if spec.converters is not None:
        wanted = np.rint(moments(spec, case, codes[:1]).mean[0])
    for sample in y:
        _must_lie(sample.astype(np.float64), wanted, slack, case, "an overload")
    if saturated != y.size * case.input_bits:
        raise Violation(f"{case}: {saturated} saturated conversions reported, there are {y.size * case.input_bits}")


def _silent_codes(spec: Spec, case: Case) -> float:
    """What conversions that no row drives may add to a plane, LSB: those of the other polarity."""
    if spec.arrangement == "pair":
        return 0.0
    if spec.converters is None:
        return float(np.floor(spec.adc_offset_lsb + spec.adc_inl_lsb + 0.5))
    noisy = spec.converters.silent_lsb != np.rint(spec.converters.silent_lsb)
    return float(noisy.any())


# --- noise ------------------------------------------------------------------------------------------------------------


def _variances_hold(factory: Factory, spec: Spec, case: Case, *, reads: int, share: int, what: str) -> float:
    """Compare the variance of each column and that of all together, one of `share` such in its law; the least found."""
    found = _reads(factory, spec, case, reads=reads)[0, :, 0].var(axis=0, ddof=1)
    wanted = moments(spec, case, case.codes)
    ratio = found / wanted.variance[0]
    tolerance = ((1 + spec.adc_gain) * (1 + spec.mean_tolerance) * (1 + spec.noise_tolerance)) ** 2 - 1
    if spec.held_noise and case.codes.max() > 1:
        tolerance += 1 / 12 / wanted.finest**2  # planes that share noise share its rounding
    # Upper quantile of chi^2 / dof (Wilson and Hilferty 1931); the lower one lies closer to 1.
    h = 2 / 9 / (reads - 1)
    spread = (1 - h + quantile(2 * share * len(ratio)) * np.sqrt(h)) ** 3 - 1
    _must_lie(ratio, 1.0, spread + tolerance, case, f"variance over that of the law, {what},")
    error = np.sqrt(2 / (reads - 1) / len(ratio))
    _must_lie(
        ratio.mean(keepdims=True), 1.0, quantile(2 * share) * error + tolerance, case, f"the mean of that, {what},"
    )
    return float((quantile(2 * share) + _FOUND) * error + tolerance) / 2  # of a standard deviation


def noise(factory: Factory, spec: Spec, reads: int) -> Power:
    """The variance of repeated reads is the sum over the driven cells of the squares of their read noise.

    All rows of an array, its last eight, one in three, and single ones; one bit plane.
    """
    every = np.arange(spec.tile_rows)
    last = every >= min(spec.tile_rows, spec.max_rows) - 8
    for seed, driven in enumerate((every >= 0, last, every % 3 == 1, every == min(spec.tile_rows, spec.max_rows) // 2)):
        case = _quiet_case(spec, seed, spec.tile_rows, driven if driven[: spec.max_rows].any() else None)
        smallest = _variances_hold(
            factory, spec, case, reads=reads, share=4, what=f"{int(case.codes.sum())} driven rows"
        )
    return Power(100 * smallest, "% of the standard deviation of a read")


def noise_of_planes(factory: Factory, spec: Spec, reads: int) -> Power:
    """Bit planes are reads of their own, or share the deviations of the cells with `held_noise`."""
    if max(spec.input_bits) == 1:
        raise NotTried("inputs of one bit have one plane")
    smallest = 0.0
    for seed, code in enumerate((2 ** max(spec.input_bits) - 1, 3)):
        case = _quiet_case(spec, 10 + seed, spec.tile_rows)
        case = case._replace(codes=case.codes * np.uint8(code))
        smallest = _variances_hold(factory, spec, case, reads=reads, share=2, what=f"all inputs {code}")
    return Power(200 * smallest, "% of the variance of a result")


def noise_of_tiles(factory: Factory, spec: Spec, reads: int) -> Power:
    """Row tiles have noise of their own: the variances of three of them add up."""
    if spec.max_rows < 2 * spec.tile_rows:
        raise NotTried("matrices of one row tile")
    case = _quiet_case(spec, 12, min(3, spec.max_rows // spec.tile_rows) * spec.tile_rows)
    smallest = _variances_hold(factory, spec, case, reads=reads, share=1, what="several row tiles")
    return Power(200 * smallest, "% of the variance of a result")


def _deviations(factory: Factory, spec: Spec, seed: int, *, reads: int, calls: int = 1) -> Tuple[Case, np.ndarray]:
    """(case, deviations of reads of all rows from their column's mean over its deviation (calls, reads, pairs))."""
    case = _quiet_case(spec, seed, spec.tile_rows)
    found = _reads(factory, spec, case, reads=reads, calls=calls)[:, :, 0]
    std = found.std(axis=1, keepdims=True, ddof=1)
    if not std.all():
        raise Violation(f"{case}: repeated reads of pair {int(np.argwhere(std == 0)[0][-1])} never differ")
    return case, (found - found.mean(axis=1, keepdims=True)) / std


def independent_columns(factory: Factory, spec: Spec, reads: int) -> Power:
    """No two columns share noise: each pair of columns, neighbours, and all of them together."""
    case, calls = _deviations(factory, spec, 13, reads=reads)
    z = calls[0]
    columns = z.shape[1]
    if columns < 2:
        raise NotTried("matrices of one pair of columns")
    correlation = z.T @ z / (reads - 1)
    upper = correlation[np.triu_indices(columns, 1)]
    distances = sorted({1, min(2, columns - 1), min(spec.tile_pairs, columns - 1)})
    tests = len(upper) + len(distances) + 1
    _must_lie(upper, 0.0, quantile(tests) / np.sqrt(reads), case, "the correlation of two columns")
    for distance in distances:
        together = np.diagonal(correlation, distance).mean(keepdims=True)
        error = 1 / np.sqrt((reads - 1) * (columns - distance))
        _must_lie(together, 0.0, quantile(tests) * error, case, f"the correlation of columns {distance} apart")
    common = upper.mean(keepdims=True)
    error = np.sqrt(2 / (reads - 1)) / columns
    _must_lie(common, 0.0, (quantile(tests) + 2) * error, case, "the correlation of all columns")  # chi^2 is skew
    return Power(100 * float((quantile(tests) + 2 + _FOUND) * error), "% of the variance, common to all columns")


def _no_distance(calls: np.ndarray, case: Case) -> None:
    """No deviations of (calls, reads, columns) are alike those at any distance, counted conversion by conversion.

    A stream of random numbers that begins again is found by the distance at which it does. As many distances as leave
    FEWEST_PRODUCTS, whose sum is normal.
    """
    flat = calls.reshape(-1)[:MOST_PRODUCTS]
    distances = np.arange(1, max(1, len(flat) - FEWEST_PRODUCTS))
    if not len(distances):
        return
    size = 2 ** int(np.ceil(np.log2(2 * len(flat))))
    products = np.fft.irfft(np.abs(np.fft.rfft(flat, size)) ** 2, size)[distances]
    scores = products / np.sqrt(len(flat) - distances)
    slack = quantile(2 * len(distances)) + np.sqrt(len(flat) - distances) / calls.shape[1]  # what taking the mean costs
    worst = int(np.argmax(np.abs(scores) - slack))
    what = f"the correlation of conversions {distances[worst]} apart, in standard errors,"
    _must_lie(scores[worst : worst + 1], 0.0, slack[worst], case, what)


def independent_reads(factory: Factory, spec: Spec, reads: int) -> Power:
    """Reads share no noise: at any distance, from call to call, and at some distances in each column."""
    case, calls = _deviations(factory, spec, 14, reads=reads, calls=2)
    z, columns = calls[0], calls.shape[2]
    lags = sorted({1, 2, 3, 4, 5, *(2**k for k in range(3, 20) if 2**k <= reads // 2)})
    q = quantile(2 * (len(lags) + 1) * (columns + 1))
    for lag in lags:
        each = (z[lag:] * z[:-lag]).sum(axis=0) / (reads - 1) + (1 - lag / reads) / reads  # what taking the mean costs
        _must_lie(each, 0.0, q / np.sqrt(reads), case, f"the correlation of reads {lag} apart")
        together, error = each.mean(keepdims=True), 1 / np.sqrt(reads * columns)
        _must_lie(together, 0.0, q * error, case, f"the mean correlation of reads {lag} apart")
    each = (calls[0] * calls[1]).sum(axis=0) / (reads - 1)
    _must_lie(each, 0.0, q / np.sqrt(reads), case, "the correlation of two calls")
    _must_lie(each.mean(keepdims=True), 0.0, q * error, case, "the mean correlation of two calls")
    _no_distance(calls, case)
    return Power(100 * float((q + _FOUND) * error), "% of the variance, shared by two reads")


def distribution(factory: Factory, spec: Spec, reads: int) -> Power:
    """Deviations are normal: Kolmogorov's distance of all columns together."""
    case = _quiet_case(spec, 15, spec.tile_rows)
    found = _reads(factory, spec, case, reads=reads)[0, :, 0]
    std = np.sqrt(np.maximum(found.var(axis=0, ddof=1) - 1 / 12 * _conversions(spec, case), _LEAST_STD**2))
    below, above = (normal_cdf((found + edge - found.mean(axis=0)) / std) for edge in (-0.5, 0.5))
    share = np.sort((below + np.random.default_rng(15).random(found.shape) * (above - below)).ravel())
    n = len(share)
    distance: float = max(np.max(np.arange(1, n + 1) / n - share), np.max(share - np.arange(n) / n))
    allowed = np.sqrt(np.log(2 * len(STATISTICAL_LAWS) / FALSE_ALARM) / 2 / n) + _SMOOTHED  # Massart 1990
    _must_lie(np.array([distance]), 0.0, allowed, case, "the distance of the noise from a normal distribution")
    return Power(float(allowed + _FOUND * 0.5 / np.sqrt(n)), "in the cumulative distribution")


Law = Callable[[Factory, Spec, int], Optional[Power]]
STATISTICAL_LAWS: Sequence[Law] = (
    mean,
    gain,
    single_planes,
    single_rows,
    crosstalk,
    silence,
    static_cells,
    overload,
    noise,
    noise_of_planes,
    noise_of_tiles,
    independent_columns,
    independent_reads,
    distribution,
)

"""Cases for the laws of a noisy device, and reads of them."""

from typing import Optional, Tuple

import numpy as np

from .cases import Case, Factory, NotTried, Problem, Spec, draw, largest_code, make_device, odd_lsb
from .moments import Moments, moments

MOST_CELLS = 3_000_000
"""cells of one case"""
LEAST_STD = 0.4
"""LSB; a conversion with less noise tells too little about it"""


def shape_of(spec: Spec, rows: int, pairs: Optional[int] = None) -> Tuple[int, int]:
    """(rows, pairs): all pairs, or so many, as far as a case may have MOST_CELLS."""
    rows = min(rows, spec.max_rows)
    return rows, max(1, min(spec.max_pairs if pairs is None else pairs, spec.max_pairs, MOST_CELLS // rows))


def random_case(spec: Spec, seed: int, rows: int, bits: Optional[Tuple[int, int]] = None) -> Case:
    """Cells of any size, and an LSB with which no input saturates. bits: of inputs and ADC; None: the most."""
    rows, pairs = shape_of(spec, rows)
    problem = Problem(rows, pairs, 1, *(bits or (max(spec.input_bits), max(spec.adc_bits))), 0, seed)
    lsb = odd_lsb(1.2 * spec.g_max * min(rows, spec.tile_rows) / largest_code(spec, problem.adc_bits), 3)
    case = draw(problem, lsb=lsb, g_max=spec.g_max, tile_rows=spec.tile_rows)
    random = problem.random()
    shape = (2,) + case.plus.shape
    plus, minus = random.integers(0, spec.g_max + 1, shape) * (random.random(shape) < 0.7)
    return case._replace(plus=plus, minus=minus)


def one_sided(spec: Spec, case: Case) -> Case:
    """The case with one cell of each pair off, G- and G+ in turn: currents far from zero, in every pair."""
    plus, minus = case.plus.copy(), case.minus.copy()
    minus[:, 0::2], plus[:, 1::2] = 0, 0
    for cells in (plus[:, 0::2], minus[:, 1::2]):
        cells[0, ~cells.any(axis=0)] = spec.g_max  # of few rows all may have been drawn off
    return case._replace(plus=plus, minus=minus)


def quiet_case(
    spec: Spec,
    seed: int,
    rows: int,
    driven: Optional[np.ndarray] = None,
    *,
    pairs: Optional[int] = None,
    input_bits: Optional[int] = None,
) -> Case:
    """Currents near zero and an LSB of one standard deviation of a read: what is seen is the noise.

    In each column and tile G- is G+ in another order of the `driven` rows, in every other one of them too, so I+ - I-
    is zero. With one conversion for each polarity only as many rows of a tile are driven as the ADC has codes for.
    NotTried where that is not one.
    """
    if not spec.read_noise:
        raise NotTried("the device claims to have no read noise")
    random = np.random.default_rng(seed)
    rows, pairs = shape_of(spec, rows, pairs)
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
        for half in (own[0::2], own[1::2]):
            minus[half] = random.permuted(plus[half], axis=0)
    first = np.flatnonzero(drives)[0] // spec.tile_rows * spec.tile_rows
    in_tile = plus[first : first + spec.tile_rows][drives[first : first + spec.tile_rows]].astype(np.float64)
    sides = 2 if spec.arrangement == "pair" else 1
    std = spec.read_noise * np.sqrt(sides * np.median((in_tile**2).sum(axis=0)))
    error = 2 * spec.mean_tolerance * np.median(in_tile.sum(axis=0)) / top  # what wrong cells may add to the current
    bits = (max(spec.input_bits) if input_bits is None else input_bits), max(spec.adc_bits)
    codes = drives[None].astype(np.uint8)
    return heard(spec, Case(plus, minus, codes, *bits, max(std, error), spec.tile_rows))


def heard(spec: Spec, case: Case) -> Case:
    """The case; NotTried where the noise of a read of one of its samples is lost in the steps of the ADC."""
    if least_std(spec, moments(spec, case, case.codes)) < LEAST_STD:
        raise NotTried(f"{case}: the noise of one read is lost in the steps of the ADC")
    return case


def reads_of(factory: Factory, spec: Spec, case: Case, *, reads: int, calls: int = 1) -> np.ndarray:
    """Results of `reads` reads of each sample of the case in turn: float64 (calls, reads, samples, pairs)."""
    multiply = make_device(factory, spec, case)
    codes = np.tile(case.codes, (reads, 1))
    parts = range(0, len(codes), spec.max_batch)
    found = [np.concatenate([multiply(codes[k : k + spec.max_batch])[0] for k in parts]) for _ in range(calls)]
    return np.array(found, np.float64).reshape((calls, reads) + (len(case.codes), case.plus.shape[1]))


def least_std(spec: Spec, wanted: Moments) -> float:
    """Standard deviation of the quietest driven conversion of a device whose noise is within its tolerance, LSB."""
    return max(wanted.finest * (1 - spec.noise_tolerance), 0.0)

"""What a device is, worked out from reads: offset, gain and INL of its converters, read noise, cells."""

from dataclasses import dataclass, replace
from typing import Tuple

import numpy as np

from ..errors import ConfigError
from .cases import Case, Converters, Factory, Problem, Spec, draw, largest_code, make_device, odd_lsb
from .moments import rounded

LARGEST_ROWS = 64
"""rows that are driven: each is one unknown of a column"""
PATTERNS = 3000
"""inputs of different rows; together they smooth the steps of the converters"""
TURNS = 5
"""of fitting cells and curves of converters one after the other"""
MARGIN_LSB = 0.1
"""what an estimated offset or INL may be off"""


@dataclass(frozen=True, eq=False)
class Estimate:
    """One array as it was found."""

    offset_lsb: np.ndarray
    """float64 (pairs,): what a converter adds"""
    gain: np.ndarray
    """float64 (pairs,): slope of a converter over the cells as asked for; errors of single cells are taken to cancel"""
    inl_lsb: np.ndarray
    """float64 (pairs,): largest smooth deviation (second and third order) from a line, within what was driven"""
    read_noise: float
    """relative standard deviation of one read of one cell"""
    cells_S: np.ndarray
    """float64 (rows, pairs): G+ - G- of each pair, without the gain"""
    cell_error: float
    """relative standard deviation of those against what was asked for, over the mean of a cell"""
    gain_error: float
    """what a gain may be off: four standard errors, of reads and of cells"""
    converters: Converters
    """the curve of each converter, and its code where no row is driven"""

    def spec(self, claimed: Spec) -> Spec:
        """`claimed` with this noise and these converters, for matrices of one array: the device's own model.

        Tolerances are what an estimate may be off: MARGIN_LSB of offset and INL each, `gain_error`, `cell_error`.
        """
        return replace(
            claimed,
            converters=self.converters,
            read_noise=self.read_noise,
            adc_offset_lsb=MARGIN_LSB,
            adc_gain=self.gain_error,
            adc_inl_lsb=MARGIN_LSB,
            mean_tolerance=self.cell_error,
            max_rows=min(claimed.max_rows, claimed.tile_rows),
            max_pairs=min(claimed.max_pairs, claimed.tile_pairs),
        )


def estimate(factory: Factory, spec: Spec, *, reads: int = 16, seed: int = 0) -> Estimate:
    """Offset, gain and INL of the converters of one array, its read noise and its cells, from reads alone.

    factory: as of `check`; one device is made, of at most LARGEST_ROWS rows. reads: of each of PATTERNS inputs, at
    least 2; where the noise of a read is many LSB more are needed. ConfigError for converters per polarity: their two
    offsets cannot be told apart.
    """
    if spec.arrangement != "pair":
        raise ConfigError("estimate: the converters of an arrangement per polarity cannot be told apart")
    if reads < 2:
        raise ConfigError(f"{reads} reads of each input; noise needs at least 2")
    case, patterns = _asked(spec, seed)
    found, silent = _read(factory, spec, case, patterns, reads=reads)
    nominal = (case.plus - case.minus).astype(np.float64)
    mean = found.mean(axis=0)
    design = np.concatenate([np.ones((len(patterns), 1)), patterns], axis=1)
    solution = np.linalg.lstsq(design, mean, rcond=None)[0]
    line = design @ solution
    gain = (solution[1:] * nominal).sum(axis=0) * case.lsb / (nominal**2).sum(axis=0)
    cells_grid = solution[1:] * case.lsb / gain
    error = np.std(cells_grid - nominal) / np.mean((case.plus + case.minus) / 2)
    top = largest_code(spec, case.adc_bits)
    return Estimate(
        offset_lsb=solution[0],
        gain=gain,
        inl_lsb=_smooth_inl(mean - line, line),
        read_noise=_noise(case, patterns, found.var(axis=0, ddof=1), line, gain),
        cells_S=cells_grid * spec.grid_S,
        cell_error=float(error),
        gain_error=_gain_error(case, design, found, np.std(cells_grid - nominal, axis=0)),
        converters=Converters(_curves(case, patterns, mean, cells_lsb=cells_grid / case.lsb, top=top), silent),
    )


def _asked(spec: Spec, seed: int) -> Tuple[Case, np.ndarray]:
    """(cells of one array, inputs (PATTERNS, rows) of 0 and 1): a third drives few rows, the others one column far."""
    rows = min(spec.tile_rows, spec.max_rows, LARGEST_ROWS)
    pairs = min(spec.tile_pairs, spec.max_pairs)
    random = np.random.default_rng(seed)
    shape = rows, pairs
    plus, minus = (random.integers(0, spec.g_max + 1, shape) for _ in range(2))
    sides = [np.maximum(sign * (plus - minus), 0).sum(axis=0).max() for sign in (1, -1)]
    problem = Problem(rows, pairs, 1, max(spec.input_bits), max(spec.adc_bits), 3, seed)
    lsb = odd_lsb(1.1 * max(sides) / largest_code(spec, problem.adc_bits), 3)
    case = draw(problem, lsb=lsb, g_max=spec.g_max, tile_rows=spec.tile_rows)._replace(plus=plus, minus=minus)
    towards = (plus - minus).T[random.integers(0, pairs, PATTERNS)] > 0
    share = random.beta(0.4, 0.4, (PATTERNS, 1))
    patterns = random.random((PATTERNS, rows)) < np.where(towards, share, 1 - share)
    patterns[::3] = random.random(patterns[::3].shape) < 2 / rows
    return case, patterns.astype(np.float64)


def _read(
    factory: Factory, spec: Spec, case: Case, patterns: np.ndarray, *, reads: int
) -> Tuple[np.ndarray, np.ndarray]:
    """(codes of the lowest plane (reads, PATTERNS, pairs), codes of a silent plane (pairs,)), float64.

    What the silent planes read as is taken back.
    """
    multiply = make_device(factory, spec, case)
    planes = 2**case.input_bits - 1
    silent = multiply(np.zeros((min(100, spec.max_batch), len(case.plus)), np.uint8))[0].mean(axis=0) / planes
    codes = patterns.astype(np.uint8)
    parts = range(0, len(codes), spec.max_batch)
    found = [np.concatenate([multiply(codes[k : k + spec.max_batch])[0] for k in parts]) for _ in range(reads)]
    return np.array(found, np.float64) - (planes - 1) * silent, silent


def _curves(case: Case, patterns: np.ndarray, mean: np.ndarray, *, cells_lsb: np.ndarray, top: int) -> np.ndarray:
    """float64 (4, pairs): polynomials of third order through the means, over currents as shares of that of `top`.

    cells_lsb: first estimate (rows, pairs). A line through a bent converter bends the cells: so cells and curves are
    fitted in turn. The cells keep their scale, that of the cells as asked for.
    """
    nominal = (case.plus - case.minus) / case.lsb
    inverse, curve = np.linalg.pinv(patterns), np.zeros((4, mean.shape[1]))
    for _ in range(TURNS):
        cells_lsb = cells_lsb * (nominal**2).sum(axis=0) / (cells_lsb * nominal).sum(axis=0)
        share = patterns @ cells_lsb / top
        for pair in range(mean.shape[1]):
            powers = np.stack([share[:, pair] ** k for k in range(4)], axis=1)
            curve[:, pair] = np.linalg.lstsq(powers, mean[:, pair], rcond=None)[0]
        seen, slope = Converters(curve, curve[0]).read(share)
        cells_lsb = cells_lsb + inverse @ ((mean - seen) / slope) * top
    return curve


def _gain_error(case: Case, design: np.ndarray, found: np.ndarray, cells_grid: np.ndarray) -> float:
    """Four standard errors of the worst gain: what reads leave open, and cells with these deviations (pairs,)."""
    nominal = (case.plus - case.minus).astype(np.float64)
    covariance = np.linalg.inv(design.T @ design)[1:, 1:]
    squares = (nominal**2).sum(axis=0)
    reads = np.einsum("ip,ij,jp->p", nominal, covariance, nominal) * case.lsb**2 / squares**2
    variance = reads * found.var(axis=0, ddof=1).mean(axis=0) / len(found) + cells_grid**2 / squares
    return 4 * float(np.sqrt(variance.max()))


def _smooth_inl(residual: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Largest |a (x^2 - line) + b (x^3 - line)| of each column, fitted to what the line leaves."""
    inl = []
    for left, x in zip(residual.T, line.T):
        x = x / max(np.abs(x).max(), 1e-9)
        base = np.stack([np.ones_like(x), x], axis=1)
        bent = np.stack([x**2, x**3], axis=1)
        bent -= base @ np.linalg.lstsq(base, bent, rcond=None)[0]
        inl.append(np.abs(bent @ np.linalg.lstsq(bent, left, rcond=None)[0]).max())
    return np.array(inl)


def _noise(case: Case, patterns: np.ndarray, variance: np.ndarray, line: np.ndarray, gain: np.ndarray) -> float:
    """The relative noise with which rounded reads would vary as they do; by bisection."""
    some = slice(None, None, 10)
    squares = case.plus.astype(np.float64) ** 2 + case.minus.astype(np.float64) ** 2
    relative = gain * np.sqrt(patterns[some] @ squares) / case.lsb
    seen, low, high = variance[some].mean(), 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if rounded(line[some], middle * relative)[1].mean() < seen else (low, middle)
    return low

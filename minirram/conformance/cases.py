"""What a device claims to be, random cases for it, and what an ideal device answers."""

from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Optional, Tuple

import numpy as np

from ..crossbar.converters import ARRANGEMENTS, top_code
from ..errors import ConfigError, MinirramError

Multiply = Callable[[np.ndarray], Tuple[np.ndarray, int]]
"""codes (n, rows) -> (integers (n, pairs), saturated conversions)"""
Factory = Callable[[np.ndarray, np.ndarray, int, int, float], Any]
"""(G_plus_S, G_minus_S, input_bits, adc_bits, range_A) -> a device with such a `multiply`"""

PAPER_ROWS = (400, 576)
"""rows of the matrices of the paper's networks: sizes that no tile divides"""
MOST_CELLS = 100_000
"""cells of one case: more would make a check slow and tell nothing new"""
MOST_PRODUCTS = 6_000_000
"""additions of one case, over samples, bit planes, rows and pairs"""


@dataclass(frozen=True, eq=False)
class Converters:
    """What each converter is known to do. Pair p of a matrix meets number p modulo their count.

    Where a plane of a pair is converted more than once, arrays have an axis more, of these conversions: row tile after
    row tile, in each I+ before I- where the arrangement is "polarity".
    """

    curve_lsb: np.ndarray
    """float64 (order + 1, [conversions,] converters): what is rounded is sum_k curve[k] (I / I_M)^k; I_M is the current
    of the largest code"""
    silent_lsb: np.ndarray
    """float64 ([conversions,] converters): code of a conversion that no row drives"""
    reached: Optional[np.ndarray] = None
    """float64 (2, [conversions,] converters): lowest and highest I / I_M that the curve was seen at; beyond them it
    goes on as a line. None: it holds everywhere"""

    def __post_init__(self) -> None:
        curve, silent = np.shape(self.curve_lsb), np.shape(self.silent_lsb)
        if len(curve) not in (2, 3) or curve[0] < 2 or silent != curve[1:] or 0 in silent:
            raise ConfigError(f"converters: curves {curve} and silent codes {silent}; expected (order + 1, n) and (n,)")
        if self.reached is not None and np.shape(self.reached) != (2,) + silent:
            raise ConfigError(f"converters: reached {np.shape(self.reached)}; expected {(2,) + silent}")

    @property
    def conversions(self) -> int:
        """Of one pair and plane that have a curve of their own."""
        return int(np.prod(np.shape(self.silent_lsb)[:-1], dtype=int))

    def of_pairs(self, pairs: int, conversion: int = 0) -> "Converters":
        """Those that the pairs of a matrix meet in one conversion."""
        number = np.arange(pairs) % np.shape(self.silent_lsb)[-1]

        def own(numbers: np.ndarray, first: Tuple[int, ...]) -> np.ndarray:
            return numbers.reshape(first + (self.conversions, -1))[..., conversion % self.conversions, number]

        reached = None if self.reached is None else own(self.reached, (2,))
        return Converters(own(self.curve_lsb, self.curve_lsb.shape[:1]), own(self.silent_lsb, ()), reached)

    def read(self, share: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """(what is rounded, its slope) at currents as shares of I_M, (n, converters), LSB; of one conversion."""
        inside = share if self.reached is None else np.clip(share, *self.reached)
        code = slope = np.zeros(np.broadcast(share, self.silent_lsb).shape)
        for coefficients in self.curve_lsb[::-1]:  # Horner, with the derivative
            code, slope = code * inside + coefficients, slope * inside + code
        return code + slope * (share - inside), slope


@dataclass(frozen=True)
class Spec:
    """What the device claims to be."""

    arrangement: str = "pair"
    """pair: one signed conversion of I+ - I-; polarity: one unsigned conversion each, subtracted"""
    tile_rows: int = 512
    """rows of one array: a conversion sums at most this many, further rows are summed after the ADC"""
    tile_pairs: int = 256
    """pairs of columns of one array"""
    input_bits: Tuple[int, ...] = tuple(range(1, 9))
    """input resolutions to try, 1..8"""
    adc_bits: Tuple[int, ...] = tuple(range(4, 25))
    """ADC resolutions to try, 4..24"""
    grid_S: float = 1e-9
    """conductances are multiples of this"""
    g_max_S: float = 32.767e-6
    """largest conductance that the device takes"""
    read_voltage_V: float = 0.2
    """voltage of a driven row"""
    read_noise: float = 0.0
    """relative standard deviation of one read of one cell; statistical checks only"""
    noise_tolerance: float = 0.0
    """relative error of `read_noise`; statistical checks only"""
    held_noise: bool = False
    """True when a cell keeps one deviation over the bit planes of a sample; statistical checks only"""
    mean_tolerance: float = 0.0
    """relative error of the conductances that the device may have for good; statistical checks only"""
    adc_offset_lsb: float = 0.0
    """largest offset of a converter, LSB; statistical checks only"""
    adc_gain: float = 0.0
    """largest relative gain error of a converter; statistical checks only"""
    adc_inl_lsb: float = 0.0
    """largest integral non-linearity of a converter, LSB; statistical checks only"""
    converters: Optional[Converters] = None
    """what each converter is known to do, `estimate` says; tolerances are then those about it; statistical checks only
    """
    max_rows: int = 4700
    """largest matrix to try: nine tiles of 512 rows and a remainder"""
    max_pairs: int = 600
    """largest matrix to try"""
    max_batch: int = 1000
    """largest batch to try"""

    def __post_init__(self) -> None:
        if self.arrangement not in ARRANGEMENTS:
            raise ConfigError(f"arrangement {self.arrangement!r}: choose 'pair' or 'polarity'")
        if self.converters is not None and self.arrangement == "polarity" and self.converters.conversions % 2:
            raise ConfigError(
                f"{self.converters.conversions} known conversions of a pair; 'polarity' has I+ and I- of each row tile"
            )
        for field in ("tile_rows", "tile_pairs", "max_rows", "max_pairs", "max_batch"):
            if getattr(self, field) < 1:
                raise ConfigError(f"{field} is {getattr(self, field)}; it must be at least 1")
        tolerances = ("noise_tolerance", "mean_tolerance", "adc_offset_lsb", "adc_gain", "adc_inl_lsb")
        for field in ("read_noise",) + tolerances:
            if not getattr(self, field) >= 0:
                raise ConfigError(f"{field} is {getattr(self, field)}; it must be 0 or more")
        for field, low, high in (("input_bits", 1, 8), ("adc_bits", 4, 24)):
            bits = getattr(self, field)
            if not bits or min(bits) < low or max(bits) > high:
                raise ConfigError(f"{field} is {bits}; name at least one of {low} to {high}")

    @property
    def g_max(self) -> int:
        """Largest conductance in grid units."""
        return int(self.g_max_S / self.grid_S + 1e-6)


class Violation(MinirramError):
    """A device broke a law; the message is the counterexample."""


class NotTried(MinirramError):
    """A law has no case that would tell on a device like this; the message says why."""


class Problem(NamedTuple):
    """The size of a case, to be drawn and made smaller. What fills it comes from `seed`."""

    rows: int
    pairs: int
    batch: int
    input_bits: int
    adc_bits: int
    fraction_bits: int
    """the LSB is an odd multiple of 2^-fraction_bits grid units"""
    seed: int

    def random(self) -> np.random.Generator:
        """What fills the case."""
        return np.random.default_rng(self.seed)


class Case(NamedTuple):
    """One multiplication to try. Conductances are integers on the grid, the LSB is `lsb` grid units of current."""

    plus: np.ndarray
    minus: np.ndarray
    codes: np.ndarray
    input_bits: int
    adc_bits: int
    lsb: float
    tile_rows: int

    def __repr__(self) -> str:
        rows, pairs = self.plus.shape
        tiles = -(-rows // self.tile_rows)
        return (
            f"{rows} x {pairs} pairs in {tiles} row tile{'s' if tiles > 1 else ''} of {self.tile_rows}, batch "
            f"{len(self.codes)}, {self.input_bits} input bits, {self.adc_bits} ADC bits, LSB of {self.lsb:g} grid units"
        )


def smallest_code(spec: Spec, adc_bits: int) -> int:
    """-M where the conversion is signed, else 0."""
    return -top_code(adc_bits, spec.arrangement) if spec.arrangement == "pair" else 0


def largest_code(spec: Spec, adc_bits: int) -> int:
    """M of an ADC of `adc_bits` in the arrangement of `spec`."""
    return top_code(adc_bits, spec.arrangement)


def make_device(factory: Factory, spec: Spec, case: Case) -> Multiply:
    """The device for one case, and its multiply with the form of the answer checked.

    Conductances and codes are handed over read-only: a device that writes to them raises.
    """
    range_A = largest_code(spec, case.adc_bits) * case.lsb * spec.grid_S * spec.read_voltage_V
    G_plus_S, G_minus_S = (cells * spec.grid_S for cells in (case.plus, case.minus))
    G_plus_S.flags.writeable = G_minus_S.flags.writeable = False
    device = factory(G_plus_S, G_minus_S, case.input_bits, case.adc_bits, range_A)

    def multiply(codes: np.ndarray) -> Tuple[np.ndarray, int]:
        codes = codes[:]
        codes.flags.writeable = False
        y, saturated = device.multiply(codes)
        y = np.asarray(y)
        if y.shape != (len(codes), case.plus.shape[1]) or y.dtype.kind not in "iu":
            raise Violation(
                f"{case}: the answer is {y.dtype} {y.shape}, expected integers {(len(codes), case.plus.shape[1])}"
            )
        return y.astype(np.int64, copy=False), int(saturated)

    return multiply


def expected(spec: Spec, case: Case, *, codes: Optional[np.ndarray] = None) -> Tuple[np.ndarray, int]:
    """What an ideal device gives: (int64 (n, pairs), saturated conversions).

    Sums are below 2^53, hence exact in float64. The LSB is an odd multiple m of a power of two, so I / LSB keeps
    1 / 2m away from any half, and float64 rounds it the right way.
    """
    codes = case.codes if codes is None else codes
    top = largest_code(spec, case.adc_bits)
    total = np.zeros((len(codes), case.plus.shape[1]))
    saturated = 0
    cells = (case.plus - case.minus,) if spec.arrangement == "pair" else (case.plus, case.minus)
    polarities = [(conductance.astype(np.float64), sign) for conductance, sign in zip(cells, (1, -1))]
    for row in range(0, len(case.plus), spec.tile_rows):
        tile = slice(row, row + spec.tile_rows)
        for b in range(case.input_bits):
            plane = ((codes[:, tile] >> b) & 1).astype(np.float64)
            for conductance, sign in polarities:
                code = np.rint((plane @ conductance[tile]) / case.lsb)
                saturated += int(np.count_nonzero(np.abs(code) > top))
                total += sign * 2.0**b * np.clip(code, -top, top)
    return total.astype(np.int64), saturated


def must_equal(found: np.ndarray, wanted: np.ndarray, case: Case, what: str) -> None:
    """Violation with the first entry in which two answers (n, pairs) differ."""
    if not np.array_equal(found, wanted):
        sample, pair = np.argwhere(found != wanted)[0]
        raise Violation(
            f"{case}: {what} gives {found[sample, pair]} at sample {sample}, pair {pair}; expected "
            f"{wanted[sample, pair]}"
        )


def within_budget(problem: Problem) -> Problem:
    """The problem with fewer pairs and samples where it would be too large to try."""
    pairs = min(problem.pairs, max(1, MOST_CELLS // problem.rows))
    batch = min(problem.batch, max(2, MOST_PRODUCTS // (problem.rows * pairs * problem.input_bits)))
    return problem._replace(pairs=pairs, batch=batch)


def draw(problem: Problem, *, lsb: float, g_max: int, tile_rows: int) -> Case:
    """A random case; `g_max` in grid units; tile_rows: of an array.

    Cells and inputs are of one of several kinds, dense to nearly empty.
    """
    random = problem.random()
    plus, minus = (draw_cells(random, (problem.rows, problem.pairs), g_max) for _ in range(2))
    codes = draw_codes(random, (problem.batch, problem.rows), problem.input_bits)
    return Case(plus, minus, codes, problem.input_bits, problem.adc_bits, lsb, tile_rows)


def draw_cells(random: np.random.Generator, shape: Tuple[int, int], g_max: int) -> np.ndarray:
    """int64 conductances: of any size with three in ten off, off or at the maximum, or only a few of them on."""
    kind = random.integers(4)
    if kind == 3:
        return random.integers(0, g_max + 1, shape) * (random.random(shape) < 2 / shape[0])
    if kind == 2:
        return g_max * random.integers(0, 2, shape)
    return random.integers(0, g_max + 1, shape) * (random.random(shape) < 0.7)


def draw_codes(random: np.random.Generator, shape: Tuple[int, int], input_bits: int) -> np.ndarray:
    """uint8 codes: of any size with two in ten zero, zero or the largest, or one driven row in each sample."""
    kind = random.integers(4)
    codes = random.integers(0, 2**input_bits, shape)
    if kind == 3:
        codes *= np.arange(shape[1]) == random.integers(0, shape[1], (shape[0], 1))
    elif kind == 2:
        codes = (2**input_bits - 1) * random.integers(0, 2, shape)
    else:
        codes *= random.random(shape) < 0.8
    return codes.astype(np.uint8)


def unsaturated(spec: Spec, problem: Problem) -> Case:
    """A case with an LSB of one grid unit and cells so small that nothing saturates: the product is exact."""
    top = largest_code(spec, problem.adc_bits)
    g_max = min(top // min(problem.rows, spec.tile_rows), spec.g_max)
    case = draw(problem, lsb=1, g_max=max(g_max, 1), tile_rows=spec.tile_rows)
    if g_max == 0:  # more rows than codes: leave on only as many rows of each tile as the ADC can count
        allowed = np.arange(problem.rows) % spec.tile_rows < top
        case = case._replace(plus=case.plus * allowed[:, None], minus=case.minus * allowed[:, None])
    return case


def coarse(spec: Spec, problem: Problem, *, squeeze: float = 1.0) -> Case:
    """A case with large cells and an LSB that fits their currents; `squeeze` below 1 makes it saturate."""
    full_scale = squeeze * spec.g_max * min(problem.rows, spec.tile_rows)
    lsb = odd_lsb(full_scale / largest_code(spec, problem.adc_bits), problem.fraction_bits)
    return draw(problem, lsb=lsb, g_max=spec.g_max, tile_rows=spec.tile_rows)


def odd_lsb(about: float, fraction_bits: int) -> float:
    """An odd multiple m of 2^-fraction_bits near `about`; of fewer fraction bits where m would pass 2^20."""
    while fraction_bits and about * 2.0**fraction_bits > 2**20:
        fraction_bits -= 1
    return float((int(about * 2.0**fraction_bits) // 2 * 2 + 1) * 2.0**-fraction_bits)

"""A kit that checks any crossbar multiplier against the laws of minirram: a simulator, RTL, a chip behind a driver.

    factory(G_plus_S, G_minus_S, input_bits, adc_bits, range_A) -> device
    device.multiply(codes) -> (integers (n, pairs), count of saturated conversions)

G_plus_S, G_minus_S: float64 (rows, pairs), siemens, multiples of `Spec.grid_S`. codes: uint8 (n, rows). range_A:
current of the largest code M, so that LSB = range_A / M. docs/conformance.md has the laws in words and a worked
example.

Needs hypothesis, the extra `conformance`.
"""

import os
import secrets
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..crossbar.converters import Adc
from ..crossbar.product import multiply_tiles
from ..crossbar.read_noise import ReadNoise, read_variance
from ..errors import ConfigError, how_to_install
from .cases import PAPER_ROWS, Factory, NotTried, Problem, Spec, Violation, largest_code, within_budget
from .comparisons import FALSE_ALARM, FEWEST_READS, READS, Power, reads_that_find
from .covering import breaks, cover, shrunk
from .exact_laws import EXACT_LAWS
from .noisy_laws import STATISTICAL_LAWS, Law

__all__ = ["EFFORTS", "FALSE_ALARM", "Power", "Report", "Result", "Simulator", "Spec", "check", "simulator_factory"]

EFFORTS: Dict[str, int] = {"quick": 15, "normal": 60, "thorough": 500}
"""name -> random cases per exact law; seconds in docs/conformance.md"""


FEWEST_COVERING = 8
"""of them that cover the `Spec`; of more cases two in five"""


class Result(NamedTuple):
    """Verdict on one law."""

    law: str
    passed: bool
    message: str
    """the counterexample; empty when the law holds; why, when no case of this `Spec` could tell"""
    power: Optional[Power] = None
    """smallest error that a statistical law finds in 99 of 100 devices; None for exact laws and open ones"""
    reads: Optional[int] = None
    """of each sample, behind a statistical law"""

    @property
    def tried(self) -> bool:
        """False when no case of this `Spec` could tell whether the law holds."""
        return not (self.passed and self.message)

    @property
    def verdict(self) -> str:
        """The word for it: "holds", "BROKEN" or, when it could not be tried, "open"."""
        return "BROKEN" if not self.passed else "holds" if self.tried else "open"


class Report(NamedTuple):
    """Verdicts on all laws. `print(report)` lists them."""

    results: Tuple[Result, ...]
    seed: int = 0
    """of the random cases: `check(..., seed=this)` tries the same ones"""

    @property
    def power(self) -> Dict[str, Power]:
        """law -> smallest error that it finds in 99 of 100 devices with the reads it had."""
        return {result.law: result.power for result in self.results if result.power is not None}

    @property
    def passed(self) -> bool:
        """True when every law holds."""
        return all(result.passed for result in self.results)

    @property
    def broken(self) -> Tuple[str, ...]:
        """Names of the laws that do not hold."""
        return tuple(result.law for result in self.results if not result.passed)

    def __str__(self) -> str:
        lines = [f"{result.verdict:6s} {result.law}" for result in self.results]
        if self.power:
            width = max(map(len, self.power))
            lines += ["", "smallest error that is found in 99 of 100 devices:"]
            for result in self.results:
                if result.power is not None:
                    lines += [f"  {result.law:{width}s}  {result.power} ({result.reads:,} reads)"]
        lines += ["", *(result.law + ": " + result.message for result in self.results if result.message)]
        if not self.passed:
            lines += [f"The same cases again: seed={self.seed}"]
        return "\n".join(lines).rstrip()


def check(
    factory: Factory,
    spec: Spec,
    *,
    exact: bool = True,
    effort: str = "normal",
    seed: Optional[int] = None,
    reads: int = READS,
    finds: Optional[Mapping[str, float]] = None,
) -> Report:
    """Try the device that `factory` makes against every law; returns a `Report`.

    exact: True for simulators and RTL without noise: integers are compared bit for bit on random cases, which
    hypothesis shrinks. False for noisy devices: means and variances of repeated reads are compared, with the
    false-alarm rate `FALSE_ALARM` over the whole call.
    effort: one of EFFORTS, how many cases each exact law is tried on. seed: of the cases, as `Report.seed` gives it to
    repeat a failure; None: another one each time, and always the same where the variable CI is set.
    reads: of each sample of a noisy device, at least 50; `Report.power` says what they find.
    finds: law -> error that it is to find in 99 of 100 devices, in the unit of `Report.power`. Such a law reads as
    often as that takes, `reads` at least and `comparisons.MOST_READS` at most. One that does not find it then is open.
    """
    if reads < FEWEST_READS:
        raise ConfigError(f"{reads} reads; statistics need at least {FEWEST_READS}")
    finds = _wanted(finds or {}, exact=exact)
    if effort not in EFFORTS:
        raise ConfigError(f"effort {effort!r}: choose {', '.join(EFFORTS)}")
    if seed is None:
        seed = 0 if os.environ.get("CI") else secrets.randbits(32)
    if exact:
        _hypothesis()
        results = [_verdict(law, partial(_search, law, factory, spec, EFFORTS[effort], seed)) for law in EXACT_LAWS]
    else:
        results = [_noisy_verdict(law, factory, spec, reads, finds.get(_name(law))) for law in STATISTICAL_LAWS]
    return Report(tuple(results), seed)


def _name(law: Callable[..., Optional[Power]]) -> str:
    return law.__name__.replace("_", " ")


def _wanted(finds: Mapping[str, float], *, exact: bool) -> Mapping[str, float]:
    """`finds`; ConfigError for an unknown law or an error that cannot be found."""
    laws = [_name(law) for law in STATISTICAL_LAWS]
    if finds and exact:
        raise ConfigError("finds: an exact device is compared bit for bit; it is for exact=False")
    for law, error in finds.items():
        if law not in laws:
            raise ConfigError(f"finds: there is no law {law!r}; choose {', '.join(laws)}")
        if not error > 0:
            raise ConfigError(f"finds: an error of {error!r} under {law!r}; it must be above 0")
    return finds


def _noisy_verdict(law: Law, factory: Factory, spec: Spec, reads: int, wanted: Optional[float]) -> Result:
    """Verdict with `reads` of each sample, or with as many more as find an error of `wanted`."""
    if wanted is not None:
        reads = max(reads, _reads_for(wanted, partial(law, factory, spec)))
    result = _verdict(law, partial(law, factory, spec, reads))._replace(reads=reads)
    if wanted is None or result.message or (result.power is not None and result.power.smallest <= wanted):
        return result
    found = "it has no smallest error" if result.power is None else f"{reads:,} reads find {result.power} and more"
    return result._replace(message=f"{found}; {wanted:.2g} was asked")


def _reads_for(wanted: float, law: Callable[[int], Optional[Power]]) -> int:
    """Reads that find an error of `wanted`, from what fewer find; not whether the law holds: 0 where it breaks."""
    few, more = FEWEST_READS, 4 * FEWEST_READS
    try:
        return reads_that_find(wanted, [(number, law(number)) for number in (few, more)])
    except Exception:  # the verdict finds it again, with its own reads
        return 0


def _verdict(law: Callable[..., Optional[Power]], attempt: Callable[[], Optional[Power]]) -> Result:
    name = _name(law)
    try:
        power = attempt()
    except NotTried as reason:
        return Result(name, True, str(reason))
    except Violation as violation:
        return Result(name, False, str(violation))
    except Exception as error:  # whatever the device under test raises is a finding
        return Result(name, False, f"the device raised {error!r}")
    if power is not None and power.unit.startswith("%") and power.smallest >= 100:
        return Result(name, True, f"with these reads and this ADC it finds nothing below {power}")
    return Result(name, True, "", power)


def _sizes(tile: int, largest: int, others: Sequence[int] = ()) -> Any:
    """Sizes to draw: small, at the borders of one to nine tiles, any, and `others`; small ones are the simplest."""
    st = _hypothesis().strategies
    borders = {tiles * tile + more for tiles in range(1, 10) for more in (-1, 0, 1)} | set(others)
    kinds = [st.integers(1, min(9, largest)), st.integers(1, min(2 * tile, largest)), st.integers(1, largest)]
    known = sorted(size for size in borders if 1 <= size <= largest)
    return st.one_of(kinds[:1] + ([st.sampled_from(known)] if known else []) + kinds[1:])


def _search(law: Callable[..., None], factory: Factory, spec: Spec, examples: int, seed: int) -> None:
    """Look for a case that breaks `law`, among those that cover the `Spec` and by hypothesis, which shrinks best."""
    covering = max(FEWEST_COVERING, 2 * examples // 5)
    tried = partial(law, factory, spec)
    broken = next((problem for problem in cover(spec, covering, seed) if breaks(problem, tried)), None)
    _draw(tried, spec, max(1, examples - covering), seed)
    if broken is not None:
        raise shrunk(broken, tried)[1]


def _draw(law: Callable[[Problem], None], spec: Spec, examples: int, seed: int) -> None:
    """Let hypothesis draw cases and shrink one that breaks `law`."""
    hypothesis = _hypothesis()
    st = hypothesis.strategies

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        report_multiple_bugs=False,
        verbosity=hypothesis.Verbosity.quiet,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(
        st.builds(
            Problem,
            rows=_sizes(spec.tile_rows, spec.max_rows, PAPER_ROWS),
            pairs=_sizes(spec.tile_pairs, spec.max_pairs),
            batch=st.one_of(st.integers(1, min(3, spec.max_batch)), st.integers(1, spec.max_batch)),
            input_bits=st.sampled_from(spec.input_bits),
            adc_bits=st.sampled_from(spec.adc_bits),
            fraction_bits=st.integers(0, 12),
            seed=st.integers(0, 2**32 - 1),
        )
    )
    def attempt(problem: Problem) -> None:
        law(within_budget(problem))

    try:
        attempt()
    except hypothesis.errors.Flaky:
        raise Violation("a case that failed passed when it was repeated: the device is not deterministic") from None


def _hypothesis() -> Any:
    try:
        import hypothesis
    except ImportError:
        raise ConfigError(f"the conformance kit needs hypothesis: {how_to_install('conformance')}") from None
    return hypothesis


class Simulator:
    """minirram's own crossbar as a device under test; `simulator_factory` makes it."""

    def __init__(self, spec: Spec, cells_grid: np.ndarray, *, input_bits: int, adc: Adc, seed: int) -> None:
        self.spec, self.cells_grid, self.input_bits, self.adc = spec, cells_grid, input_bits, adc
        self.noises: Optional[List[ReadNoise]] = None
        self.variances: Optional[List[np.ndarray]] = None
        if spec.read_noise:
            starts = range(0, len(cells_grid), spec.tile_rows)
            self.noises = [ReadNoise(seed, "conformance", row, held=spec.held_noise) for row in starts]
            std_grid = np.float32(spec.read_noise) * cells_grid
            self.variances = [read_variance(std_grid[row : row + spec.tile_rows]) for row in starts]

    def multiply(self, codes: np.ndarray) -> Tuple[np.ndarray, int]:
        """(int64 (n, pairs), saturated conversions) of codes (n, rows)."""
        y, saturated = multiply_tiles(
            codes,
            self.cells_grid,
            input_bits=self.input_bits,
            adc=self.adc,
            tile_rows=self.spec.tile_rows,
            noises=self.noises,
            variances=self.variances,
        )
        return y, int(saturated.sum())


def simulator_factory(spec: Spec, seed: int = 0) -> Factory:
    """A factory for `check` that makes minirram's own simulator of `spec`."""

    def factory(
        G_plus_S: np.ndarray, G_minus_S: np.ndarray, input_bits: int, adc_bits: int, range_A: float
    ) -> Simulator:
        cells_grid = np.stack([G_plus_S, G_minus_S], axis=2).reshape(len(G_plus_S), -1) / spec.grid_S
        lsb = range_A / largest_code(spec, adc_bits) / (spec.grid_S * spec.read_voltage_V)
        adc = Adc(adc_bits, lsb, spec.arrangement)
        return Simulator(spec, np.rint(cells_grid).astype(np.float32), input_bits=input_bits, adc=adc, seed=seed)

    return factory

"""A kit that checks any crossbar multiplier against the laws of minirram: a simulator, RTL, a chip behind a driver.

    factory(G_plus_S, G_minus_S, input_bits, adc_bits, range_A) -> device
    device.multiply(codes) -> (integers (n, pairs), count of saturated conversions)

G_plus_S, G_minus_S: float64 (rows, pairs), siemens, multiples of `Spec.grid_S`. codes: uint8 (n, rows). range_A:
current of the largest code M, so that LSB = range_A / M. docs/conformance.md has the laws in words and a worked
example.

Needs hypothesis (`pip install minirram[conformance]`).
"""

from typing import Any, Callable, List, NamedTuple, Optional, Tuple

import numpy as np

from ..crossbar.converters import Adc
from ..crossbar.product import multiply_tiles
from ..crossbar.read_noise import ReadNoise, read_variance
from ..errors import ConfigError
from .laws import EXACT_LAWS, FALSE_ALARM, STATISTICAL_LAWS, Factory, NotTried, Spec, Violation, largest_code

__all__ = ["FALSE_ALARM", "Report", "Result", "Simulator", "Spec", "check", "simulator_factory"]


class Result(NamedTuple):
    """Verdict on one law."""

    law: str
    passed: bool
    message: str
    """the counterexample; empty when the law holds; why, when no case of this `Spec` could tell"""

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
        lines += ["", *(result.law + ": " + result.message for result in self.results if result.message)]
        return "\n".join(lines).rstrip()


def check(factory: Factory, spec: Spec, *, exact: bool = True) -> Report:
    """Try the device that `factory` makes against every law; returns a `Report`.

    exact: True for simulators and RTL without noise: integers are compared bit for bit on random cases, which
    hypothesis shrinks. False for noisy devices: means and variances of repeated reads are compared, with the
    false-alarm rate `FALSE_ALARM` over the whole call.
    """
    if exact:
        _hypothesis()
    laws = EXACT_LAWS if exact else STATISTICAL_LAWS
    return Report(tuple(_verdict(law, factory, spec, exact) for law in laws))


def _verdict(law: Callable[..., None], factory: Factory, spec: Spec, exact: bool) -> Result:
    name = law.__name__.replace("_", " ")
    try:
        if exact:
            _search(law, factory, spec)
        else:
            law(factory, spec)
    except NotTried as reason:
        return Result(name, True, str(reason))
    except Violation as violation:
        return Result(name, False, str(violation))
    except Exception as error:  # whatever the device under test raises is a finding
        return Result(name, False, f"the device raised {error!r}")
    return Result(name, True, "")


def _search(law: Callable[..., None], factory: Factory, spec: Spec) -> None:
    """Let hypothesis look for a case that breaks `law`, and shrink it."""
    hypothesis = _hypothesis()
    st = hypothesis.strategies

    def sizes(tile: int, largest: int) -> Any:
        near = [size for size in (tile - 1, tile, tile + 1, 2 * tile, 2 * tile + 3) if 1 <= size <= largest]
        small = st.integers(1, min(9, largest))
        return st.one_of(small, st.sampled_from(near)) if near else small

    @hypothesis.settings(
        max_examples=spec.examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        report_multiple_bugs=False,
        verbosity=hypothesis.Verbosity.quiet,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    @hypothesis.given(
        sizes(spec.tile_rows, spec.max_rows),
        sizes(spec.tile_pairs, spec.max_pairs),
        st.sampled_from(spec.input_bits),
        st.sampled_from(spec.adc_bits),
        st.integers(0, 2**32 - 1),
    )
    def attempt(rows: int, pairs: int, input_bits: int, adc_bits: int, seed: int) -> None:
        law(factory, spec, rows, pairs, input_bits, adc_bits, np.random.default_rng(seed))

    try:
        attempt()
    except hypothesis.errors.Flaky:
        raise Violation("a case that failed passed when it was repeated: the device is not deterministic") from None


def _hypothesis() -> Any:
    try:
        import hypothesis
    except ImportError:
        raise ConfigError("the conformance kit needs hypothesis: pip install minirram[conformance]") from None
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

"""The laws that a kind of cell keeps, each as a function that raises `Violation` with what broke it.

`check_cell(model)` tries them on any `Cell`: a preset, a fitted model, physics of one's own. Statistical laws compare
samples with what the model says of itself; the chance that a model that keeps them is rejected is `FALSE_ALARM`.
"""

import json
from statistics import NormalDist
from typing import Callable, Tuple

import numpy as np

from ..crossbar.macro import Macro
from ..crossbar.read_noise import read_variance
from ..crossbar.region import Reading
from ..device.cell_json import cell_from_json, cell_to_json
from ..device.interface import Cell, Shape
from ..rng import stream
from .cases import NotTried, Violation
from .comparisons import FALSE_ALARM
from .kit import Report, Result

_DRAWS = 20_000  # samples behind each distribution
_READS = 4000  # repeated reads behind each variance
_SHAPE = (50, 40)
_AGES_S = (0.0, 1.0, 1e3, 1e6)
_COMPARISONS = 12  # of distributions and moments in one call
# Kolmogorov's distance of n samples that true samples exceed with that chance: sqrt(-ln(p / 2) / 2n).
_KS_LIMIT = float(np.sqrt(-np.log(FALSE_ALARM / _COMPARISONS / 2) / 2 / _DRAWS))

Sampler = Callable[[np.random.Generator, Shape], np.ndarray]


def _quantile(comparisons: int) -> float:
    return NormalDist().inv_cdf(1 - FALSE_ALARM / _COMPARISONS / comparisons / 2)


def _samplers(model: Cell) -> Tuple[Tuple[str, Sampler], ...]:
    return (
        ("sample_forming_V", model.sample_forming_V),
        ("sample_lrs_S", model.sample_lrs_S),
        ("sample_hrs_S", model.sample_hrs_S),
    )


def _must(holds: object, message: str) -> None:
    if not holds:
        raise Violation(message)


def _must_follow(samples: np.ndarray, cdf: Callable[[np.ndarray], np.ndarray], what: str) -> None:
    """Both one-sided limits of a distribution function against samples; ties belong to one step."""
    values, counts = np.unique(samples, return_counts=True)
    empirical = np.cumsum(counts) / counts.sum()
    at = np.asarray(cdf(values), np.float64)
    below = np.asarray(cdf(np.nextafter(values, -np.inf)), np.float64)
    before = np.concatenate(([0.0], empirical[:-1]))
    distance = float(max(np.abs(empirical - at).max(), np.abs(before - below).max()))
    _must(distance <= _KS_LIMIT, f"{what}: {distance:.3g} from the samples, true samples stay within {_KS_LIMIT:.3g}")


def sampling(model: Cell) -> None:
    """Samples come from the generator alone: the same stream gives the same numbers, in the order of the cells."""
    for name, sampler in _samplers(model):
        first, again = (sampler(stream(1, name), _SHAPE) for _ in range(2))
        _must(first.shape == _SHAPE and first.dtype == np.float64, f"{name} gives {first.dtype} {first.shape}")
        _must(np.array_equal(first, again), f"{name}: the same generator gives other numbers the second time")
        flat = sampler(stream(1, name), (first.size,))
        _must(np.array_equal(flat, first.ravel()), f"{name}: the shape that is asked for changes the numbers")
    stuck_lrs, stuck_hrs = model.sample_stuck(stream(1, "stuck"), _SHAPE)
    _must(stuck_lrs.dtype == stuck_hrs.dtype == bool, "sample_stuck gives no bool maps")
    _must(not (stuck_lrs & stuck_hrs).any(), "sample_stuck: a cell is stuck in both states")


def conductance(model: Cell) -> None:
    """Conductances are finite, on and pristine ones above 0; they lie on the grid, and on cells above off cells."""
    lrs_S, hrs_S = model.sample_lrs_S(stream(2, "lrs"), _SHAPE), model.sample_hrs_S(stream(2, "hrs"), _SHAPE)
    for name, values_S, least_S in (("on", lrs_S, 1e-300), ("off", hrs_S, 0.0), ("pristine", model.pristine_S, 0.0)):
        wrong = ~(np.isfinite(values_S) & (np.asarray(values_S) >= least_S))
        _must(not wrong.any(), f"the {name} conductance of a cell is {np.asarray(values_S)[wrong].ravel()[:1]} S")
    _must(np.median(lrs_S) > np.median(hrs_S), "on cells do not conduct more than off cells")
    grid, _ = model.to_grid(lrs_S, _SHAPE[0])
    whole = grid.dtype == np.float32 and np.array_equal(grid, np.rint(grid)) and grid.min() >= 0
    _must(whole, "to_grid gives no float32 integers of 0 or more")
    _must(_SHAPE[0] * float(grid.max()) < 2**24, "to_grid: a full column does not sum exactly in float32")
    coarse = np.abs(grid * model.grid_S - lrs_S) > 0.51 * model.grid_S
    _must(coarse.mean() < 0.5, "to_grid: most conductances are off by more than half a step")


def distributions(model: Cell) -> None:
    """`lrs_cdf` and `hrs_cdf` are those of the samples; so are the spreads that thresholds are made of."""
    for name, sampler, cdf, spread in (
        ("lrs", model.sample_lrs_S, model.lrs_cdf, model.lrs_spread()),
        ("hrs", model.sample_hrs_S, model.hrs_cdf, model.hrs_spread()),
    ):
        samples_S = sampler(stream(3, name), (_DRAWS,))
        _must_follow(samples_S, cdf, f"{name}_cdf")
        median_S, sigma_ln = spread
        below = np.mean(samples_S <= median_S)
        _must(abs(below - 0.5) < 0.05, f"{name}_spread: {below:.0%} of the samples lie below the median it states")
        _must(np.isfinite(sigma_ln) and sigma_ln >= 0, f"{name}_spread: a deviation of {sigma_ln}")


def forming(model: Cell) -> None:
    """More voltage forms more cells, none of those of less is left out, and as many as `formed_share` says."""
    drawn_V = model.sample_forming_V(stream(4, "form"), (_DRAWS,))
    _must_follow(drawn_V, model.formed_share, "formed_share")
    volts = np.linspace(drawn_V.min() - 0.1, drawn_V.max() + 0.1, 200)
    shares = np.asarray([float(model.formed_share(np.asarray(volt))) for volt in volts])
    _must((np.diff(shares) >= 0).all(), "formed_share falls with the voltage")
    _must(shares.min() >= 0 and shares.max() <= 1, "formed_share leaves 0..1")
    for share in (0.01, 0.5, 0.999):
        volt = model.forming_voltage_V(share)
        found, below = np.mean(drawn_V <= volt), np.mean(drawn_V < volt)  # apart where many cells form at one voltage
        slack = 6 * np.sqrt(share * (1 - share) * 2 / _DRAWS)  # a model may go by samples of its own, about as many
        near = below - slack <= share <= found + slack
        _must(near, f"forming_voltage_V({share}) forms {found:.3f} of the cells")


def read_noise(model: Cell) -> None:
    """`read_std` is a deviation, the same in siemens and on the grid; pairs, reads and products have its moments."""
    cells_S = model.sample_lrs_S(stream(5, "lrs"), (40,))
    std_S = np.asarray(model.read_std(cells_S, 1.0))
    _must(std_S.shape == cells_S.shape and (np.isfinite(std_S) & (std_S >= 0)).all(), "read_std is no deviation")
    grid = (cells_S / model.grid_S).astype(np.float32)
    on_grid = np.asarray(model.read_std(grid, model.grid_S), np.float64)
    _must(np.allclose(on_grid * model.grid_S, std_S, rtol=1e-5, atol=0), "read_std is another law in other units")
    pair = np.asarray(model.pair_read_std(grid[:20], grid[20:], unit_S=model.grid_S), np.float64)
    of_two = np.hypot(on_grid[:20], on_grid[20:])
    _must(np.allclose(pair, of_two, rtol=1e-5, atol=0), "pair_read_std is not that of two independent reads")
    _must_read_with(model)


def _must_read_with(model: Cell) -> None:
    """Variances of repeated reads and of what products take, against `read_std` in float64."""
    macro = Macro.sample(model, 5, rows=6, cols=8)
    macro.form(np.inf)
    held_S = macro.conductance_S()
    wanted = np.asarray(model.read_std(held_S, 1.0)) ** 2
    generator = stream(5, "reads")
    found = np.var([macro.read_S(generator) for _ in range(_READS)], axis=0, ddof=1)
    slack = _quantile(found.size) * np.sqrt(2 / _READS) * wanted * 1.1 + 1e-30
    _must((np.abs(found - wanted) <= slack).all(), "the variance of repeated reads is not read_std squared")
    reading = Reading(macro.read_noise(1, macro.whole))
    variance = macro.operand(macro.whole, reading).variance
    exact = read_variance(np.asarray(model.read_std(held_S, 1.0) / model.grid_S, np.float32))
    _must(variance is not None and np.allclose(variance, exact, rtol=1e-3, atol=0), "products have another read noise")


def writing(model: Cell) -> None:
    """SET gives finite positive conductances: near the old one where cells replay, a new draw where they redraw."""
    formed_S = model.sample_lrs_S(stream(6, "lrs"), (_DRAWS,))
    reached_S = np.asarray(model.set_S(formed_S, stream(6, "set")))
    _must((np.isfinite(reached_S) & (reached_S > 0)).all(), "set_S gives a conductance that is not above 0")
    again_S = np.asarray(model.set_S(formed_S, stream(6, "set")))
    _must(np.array_equal(reached_S, again_S), "set_S: the same generator gives other numbers the second time")
    rule = getattr(model, "re_set", None)
    if rule == "redraw":
        _must_follow(reached_S, model.lrs_cdf, "set_S under re_set = 'redraw'")
        correlation = np.corrcoef(formed_S, reached_S)[0, 1]
        _must(abs(correlation) < 6 / np.sqrt(_DRAWS), f"set_S redraws, but remembers: correlation {correlation:.3f}")
    if rule == "replay":
        ratio = reached_S / formed_S
        _must(abs(ratio.mean() - 1) < 6 * ratio.std() / np.sqrt(_DRAWS) + 1e-12, "set_S replays another mean value")
        spread = getattr(model, "write_noise", ratio.std())
        _must(
            ratio.std() <= 1.05 * spread + 1e-12, f"set_S replays with a spread of {ratio.std():.3g}, not {spread:.3g}"
        )
    if model.redraws_hrs:
        off_S = np.asarray(model.reset_S(model.sample_hrs_S(stream(6, "hrs"), _SHAPE), stream(6, "reset")))
        _must(off_S.shape == _SHAPE and (np.isfinite(off_S) & (off_S >= 0)).all(), "reset_S gives no conductance")
    tuned_S = np.asarray(model.tuned_S(np.full(1000, 5e-6), stream(6, "tune"), relative_error=0.0))
    _must(np.allclose(tuned_S, 5e-6, rtol=1e-9, atol=0), "tuned_S misses its target without an error")


def ageing(model: Cell) -> None:
    """Age 0 changes nothing, age adds up however it is cut, a cell has one course, and heat never slows it down."""
    _must(model.acceleration(None) == 1.0, "acceleration(None) is not 1")
    rates = [model.acceleration(kelvin) for kelvin in (250.0, 300.0, 350.0, 400.0)]
    _must(all(np.isfinite(rates)) and min(rates) > 0, f"accelerations {rates}")
    _must((np.diff(np.array(rates)) >= 0).all(), "acceleration falls with the temperature")
    if not model.ages:
        raise NotTried(f"{model.name} does not age")
    cells_S = model.sample_lrs_S(stream(7, "lrs"), _SHAPE)
    drawn = stream(7, "numbers").standard_normal((len(model.ageing_numbers),) + _SHAPE)
    numbers = dict(zip(model.ageing_numbers, drawn))

    def at(age_s: float) -> np.ndarray:
        return np.asarray(model.aged_S(cells_S, np.full(_SHAPE, age_s), **numbers))

    _must(np.allclose(at(0.0), cells_S, rtol=1e-12, atol=0), "aged_S changes conductances at age 0")
    for age_s in _AGES_S:
        _must((np.isfinite(at(age_s)) & (at(age_s) >= 0)).all(), f"aged_S gives no conductance after {age_s} s")
        _must(np.array_equal(at(age_s), at(age_s)), "aged_S: a cell has more than one course of time")
        half = {name: values[:20] for name, values in numbers.items()}
        part = np.asarray(model.aged_S(cells_S[:20], np.full((20, _SHAPE[1]), age_s), **half))
        _must(np.array_equal(part, at(age_s)[:20]), "aged_S: a cell depends on the cells beside it")
    _must(not np.array_equal(at(_AGES_S[-1]), cells_S), "the model says that it ages, and nothing changes")
    whole, cut = Macro.sample(model, 7, rows=6, cols=8), Macro.sample(model, 7, rows=6, cols=8)
    for macro, steps in ((whole, (1e4,)), (cut, (2.5e3, 0.0, 7.5e3))):
        macro.form(np.inf)
        for seconds in steps:
            macro.age(seconds)
    _must(np.array_equal(whole.conductance_S(), cut.conductance_S()), "ageing in steps is not ageing at once")


def json_round_trip(model: Cell) -> None:
    """The class and the parameters are enough to make the same cell again."""
    text = json.dumps(cell_to_json(model), allow_nan=False)
    again = cell_from_json(json.loads(text))
    _must(type(again) is type(model) and again == model, f"comes back from JSON as {again!r}")
    one, two = (cell.sample_lrs_S(stream(8, "lrs"), (20,)) for cell in (model, again))
    _must(np.array_equal(one, two), "draws other conductances after JSON")


CELL_LAWS = (sampling, conductance, distributions, forming, read_noise, writing, ageing, json_round_trip)


def check_cell(model: Cell) -> Report:
    """Try every law on a kind of cell; returns a `Report`. "open": the model has nothing that the law speaks of."""
    return Report(tuple(_verdict(law, model) for law in CELL_LAWS))


def _verdict(law: Callable[[Cell], None], model: Cell) -> Result:
    name = law.__name__.replace("_", " ")
    try:
        law(model)
    except NotTried as reason:
        return Result(name, True, str(reason))
    except Violation as violation:
        return Result(name, False, str(violation))
    except Exception as error:  # whatever the model raises is a finding
        return Result(name, False, f"the model raised {error!r}")
    return Result(name, True, "")

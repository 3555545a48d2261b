"""What a study varies, and its points: a grid, a list, samples of ranges."""

import hashlib
import itertools
import json
import math
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ..errors import ConfigError, how_to_install
from ..files import Path, read_json
from ..json_codec import built
from .parameters import Value

MOST_POINTS = 10**7
"""more points are a slip"""


@dataclass(frozen=True)
class Samples:
    """Points drawn over ranges, by `scipy.stats.qmc`."""

    method: str
    """"lhs": Latin hypercube; "sobol": scrambled Sobol sequence, best with a power of 2"""
    points: int
    """how many of them"""
    ranges: Dict[str, Tuple[float, float]]
    """parameter -> lowest and highest value"""
    logarithmic: Tuple[str, ...] = ()
    """parameters whose logarithm is drawn evenly"""
    whole: Tuple[str, ...] = ()
    """parameters whose values are rounded to whole numbers"""
    seed: int = 0
    """of the samples"""

    def __post_init__(self) -> None:
        if self.method not in ("lhs", "sobol"):
            raise ConfigError(f"samples by {self.method!r}; choose lhs or sobol")
        if self.points < 1 or not self.ranges:
            raise ConfigError("samples need at least one point, and the ranges of their parameters")
        for name in (*self.logarithmic, *self.whole):
            if name not in self.ranges:
                raise ConfigError(f"samples: {name} has no range")
        for name, (low, high) in self.ranges.items():
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ConfigError(f"the range of {name} runs from {low} to {high}")
            if name in self.logarithmic and low <= 0:
                raise ConfigError(f"the range of {name} begins at {low}; a logarithmic one begins above 0")

    def values(self) -> List[Dict[str, Value]]:
        """The points, as {parameter: value}; the same for the same seed and version of SciPy."""
        try:
            from scipy.stats import qmc
        except ImportError:
            raise ConfigError(f"samples need scipy: {how_to_install('lab')}") from None
        kind = qmc.LatinHypercube if self.method == "lhs" else qmc.Sobol
        sampler = kind(d=len(self.ranges), seed=self.seed)
        if self.method == "sobol":
            drawn = sampler.random_base2(max(0, math.ceil(math.log2(self.points))))[: self.points]
        else:
            drawn = sampler.random(self.points)
        return [
            {name: self._scaled(name, float(share)) for name, share in zip(self.ranges, row)} for row in drawn.tolist()
        ]

    def _scaled(self, name: str, share: float) -> Value:
        low, high = self.ranges[name]
        if name in self.logarithmic:
            value = low * (high / low) ** share
        else:
            value = low + (high - low) * share
        return int(round(value)) if name in self.whole else float(f"{value:.9g}")  # the last bits differ by platform


@dataclass(frozen=True)
class Study:
    """What is varied around what. A point has the fixed values, those of a combination of the grid, an entry of the
    list and a sample.
    """

    run: Tuple[str, ...] = ()
    """run folder to evaluate, several may be given; left out: each point trains a run"""
    task: str = ""
    """task that each point trains: a name, a .json or a .py file"""
    data: str = "synthetic"
    """data of the trainings: folder, file, or "synthetic\""""
    preset: str = "full"
    """recipe of the task that trainings vary"""
    fixed: Dict[str, Any] = field(default_factory=dict)
    """parameter -> value of all points"""
    grid: Dict[str, Tuple[Any, ...]] = field(default_factory=dict)
    """parameter -> values; every combination is a point"""
    points: Tuple[Dict[str, Any], ...] = ()
    """list of points, each {parameter: value} of the same parameters"""
    samples: Optional[Samples] = None
    """points drawn over ranges"""
    energy: bool = False
    """whether the energy of an inference is accounted for, too"""

    def __post_init__(self) -> None:
        if bool(self.run) == bool(self.task):
            raise ConfigError("a study evaluates runs (run) or trains (task): name one of them")
        for name, values in self.grid.items():
            if not values:
                raise ConfigError(f"the grid has no value of {name}")
        listed = {tuple(sorted(point)) for point in self.points}
        if len(listed) > 1:
            raise ConfigError(f"the points of the list have different parameters: {sorted(map(list, listed))}")
        repeated = [name for name in self._names() if self._names().count(name) > 1]
        if repeated:
            raise ConfigError(f"{repeated[0]} is stated twice: fixed, in the grid, in the list or in the samples")
        if self.count > MOST_POINTS:
            raise ConfigError(f"{self.count} points; a study has at most {MOST_POINTS}")

    def _names(self) -> List[str]:
        listed = list(self.points[0]) if self.points else []
        return [*self.fixed, *self.grid, *listed, *(self.samples.ranges if self.samples else ())]

    @property
    def kind(self) -> str:
        """ "evaluate" or "train\""""
        return "evaluate" if self.run else "train"

    @property
    def names(self) -> Tuple[str, ...]:
        """Parameters of its points: columns of the table."""
        return (*(("run",) if self.run else ()), *self._names())

    def ordered(self, names: Sequence[str]) -> "Study":
        """The same study with its parameters in the order of `names`."""

        def by_name(values: Mapping[str, Any]) -> Dict[str, Any]:
            return {name: values[name] for name in sorted(values, key=list(names).index)}

        samples = self.samples and replace(self.samples, ranges=by_name(self.samples.ranges))
        points = tuple(by_name(point) for point in self.points)
        return replace(self, fixed=by_name(self.fixed), grid=by_name(self.grid), points=points, samples=samples)

    @property
    def count(self) -> int:
        """Number of points."""
        grid = math.prod(len(values) for values in self.grid.values())
        samples = self.samples.points if self.samples else 1
        return max(1, len(self.run)) * grid * max(1, len(self.points)) * samples

    def each(self) -> "Iterator[Point]":
        """The points, in the order of the finished table."""
        samples = self.samples.values() if self.samples else [{}]
        runs = [{"run": run} for run in self.run] or [{}]
        combinations = itertools.product(*([(name, value) for value in values] for name, values in self.grid.items()))
        for combination in combinations:
            for run, listed, sample in itertools.product(runs, self.points or ({},), samples):
                yield Point.of({**run, **self.fixed, **dict(combination), **listed, **sample}, self.names)

    def base(self) -> Dict[str, Any]:
        """What must be the same for points to lie in one table, beside its columns."""
        names = ("task", "data", "preset", "energy")
        return dict({name: getattr(self, name) for name in names}, names=list(self.names))


@dataclass(frozen=True)
class Point:
    """One row: a value of each parameter. Its key names it in the table."""

    values: Tuple[Tuple[str, Value], ...]
    """(parameter, value), in the order of the columns"""

    @classmethod
    def of(cls, values: Mapping[str, Value], names: Tuple[str, ...]) -> "Point":
        """From {parameter: value}."""
        return cls(tuple((name, values[name]) for name in names))

    @property
    def key(self) -> str:
        """12 hexadecimal digits that stand for its values."""
        text = json.dumps(sorted(self.values), allow_nan=False)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]


def read_study(path: Path) -> Study:
    """The study in a JSON file; DataError says what is wrong at which place."""
    return built(Study, read_json(path))


def study_of(text: Mapping[str, Any]) -> Study:
    """The study of a JSON object, as `read_study`."""
    return built(Study, dict(text))


def values_of(text: str) -> Tuple[Value, ...]:
    """Values as the command line states them: `0,0.01,pcm`, or `0:20` and `4:15:2`, which leave out their end."""
    parts = text.split(":")
    if len(parts) in (2, 3) and all(_is_int(part) for part in parts):
        found = tuple(range(*map(int, parts)))
        if not found:
            raise ConfigError(f"{text} holds no value; a range is FIRST:END[:STEP] and leaves END out")
        return found
    if len(parts) in (2, 3) and all(isinstance(value_of(part), (int, float)) for part in parts):
        raise ConfigError(f"{text}: a range has whole numbers; list other values, such as 0,0.05,0.1")
    return tuple(value_of(part) for part in text.split(","))


def value_of(text: str) -> Value:
    """One value: a number, true, false, none, or a text."""
    text = text.strip()
    named = {"true": True, "false": False, "none": None}
    if text.lower() in named:
        return named[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _is_int(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True

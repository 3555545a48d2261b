"""minirram sweep: many points, evaluated or trained, in one table."""

import argparse
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Tuple

from ..engines.engine import Engine
from ..errors import ConfigError
from ..sweep.driver import SweepResults, columns_of, left_in, sweep
from ..sweep.findings import Findings, findings, lines_of, write_findings
from ..sweep.forecast import Forecast, forecast
from ..sweep.forecast import lines_of as forecast_lines
from ..sweep.parameters import Look
from ..sweep.study import Samples, Study, read_study, value_of, values_of
from .arguments import CONTENTS, GOOD, engine_options, given, positive
from .field_options import field_option, finite
from .sweep_progress import SweepProgress


@dataclass(frozen=True)
class SweepReport(SweepResults):
    """What `minirram sweep` gives."""

    findings: Optional[Findings]
    """what the table says; None: no point has figures"""
    forecast: Optional[Forecast] = None
    """what a cluster would take; None: it was not asked for"""


RESULT = SweepReport
EXAMPLES = (
    (
        "minirram sweep --run runs/demo --vary read_noise=0,0.01,0.02 --vary adc_bits=6:10 --out studies/noise",
        "read noise by ADC bits on a trained run",
    ),
    (
        "minirram sweep --task fashion-mnist --preset quick --vary density=0.3,0.5 --chips 0:4 --out studies/density "
        "--processes 2",
        "train eight chips, two at a time",
    ),
)


OWN_PROGRESS = True
"""its points run beside each other: `SweepProgress` shows them"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram sweep` takes."""
    parser.add_argument("study", nargs="?", metavar="STUDY.json", help="what is varied; the options below add to it")
    parser.add_argument("--out", required=True, help="folder of the study; points that are there are not run again")
    _add_points(parser.add_argument_group("points"))
    engine_options(parser.add_argument_group("engine", "the table does not depend on it"), "points")
    said = parser.add_argument_group("findings", "of the whole table: text, and findings.json")
    said.add_argument("--figure", metavar="COLUMN", default="value", help="the column that is looked at")
    said.add_argument(
        "--threshold", type=finite, help="yield: share of chips whose figure is at least this; default: no yield"
    )
    parser.add_argument(
        "--simulate-cluster",
        metavar="WORKERSxPOINTS",
        help="run nothing: what so many points like those in --out would take on so many workers",
    )
    parser.add_argument("--retry-failed", action="store_true", help="run points again whose row is an error")


def _add_points(what: Any) -> None:
    """Which points a study has."""
    field_option(what, "--run", Study, "run", action="append", type=str, nargs=None, metavar="RUN")
    field_option(what, "--task", Study, "task", more="in place of --run")
    field_option(what, "--data", Study, "data", more=f"default {Study.data}")
    field_option(what, "--preset", Study, "preset", metavar="NAME", more=f"default {Study.preset}")
    what.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="a grid: 0,0.01,0.02 or FIRST:END[:STEP], END left out; every combination is a point",
    )
    what.add_argument(
        "--chips", metavar="VALUES", help="individuals of the chip, as --vary chip_seed=VALUES; default: one"
    )
    what.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value that all points share; default: what the run or task has",
    )
    what.add_argument(
        "--lhs", type=positive, metavar="N", help="N points of a Latin hypercube over --range; default: none"
    )
    what.add_argument(
        "--sobol", type=positive, metavar="N", help="N points of a Sobol sequence over --range; default: none"
    )
    what.add_argument(
        "--range",
        action="append",
        default=[],
        metavar="NAME=LOW:HIGH[:log|:whole]",
        help="range of a sampled parameter; log: evenly by its logarithm; whole: whole numbers",
    )
    field_option(what, "--energy", Study, "energy")
    field_option(what, "--analytic", Look, "analytic", more="CNN and CRNN; docs/scaling.md")


def run(options: argparse.Namespace) -> SweepReport:
    """Run what is not done yet, and say what the table says."""
    study, engine = study_of(options), Engine(options.processes, options.dask)
    if options.simulate_cluster is not None:
        workers, points = _size(options.simulate_cluster)
        found = findings(options.out, figure=options.figure, threshold=options.threshold)
        thought = forecast(options.out, points=points, workers=workers)
        return SweepReport(**vars(left_in(study, options.out)), findings=found, forecast=thought)
    if options.figure not in columns_of(study):
        raise ConfigError(
            f"--figure {options.figure!r} is no column of the table; it has {', '.join(columns_of(study))}"
        )
    with SweepProgress() as progress:
        shown = None if options.quiet else progress.tell
        done = sweep(
            study,
            options.out,
            engine=engine,
            retry_failed=options.retry_failed,
            progress=shown,
        )
    found = findings(options.out, figure=options.figure, threshold=options.threshold)
    write_findings(options.out, found)
    return SweepReport(**vars(done), findings=found if found.points else None)


def study_of(options: argparse.Namespace) -> Study:
    """The study that the options ask for, on top of that of the file."""
    stated: Dict[str, Any] = given(options, ["task", "data", "preset"])
    if options.run:
        stated["run"] = tuple(options.run)
    if options.study is None:
        if not options.run and options.task is None:
            raise ConfigError("name a STUDY.json, a run to evaluate (--run) or a task to train (--task)")
        base = Study(**stated)
    else:
        base = replace(read_study(options.study), **stated)
    if base.run and (options.data is not None or options.preset is not None):
        raise ConfigError("--data and --preset are of trainings; a run is evaluated on its own data")
    grid = dict(_named(text, "--vary") for text in options.vary)
    if options.chips is not None:
        grid["chip_seed"] = options.chips
    fixed = {name: value_of(text) for name, text in (_named(text, "--set") for text in options.set)}
    if options.analytic:
        fixed["analytic"] = True
    return replace(
        base,
        fixed={**base.fixed, **fixed},
        grid={**base.grid, **{name: values_of(text) for name, text in grid.items()}},
        samples=_samples(options) or base.samples,
        energy=base.energy or options.energy,
    )


def _size(text: str) -> Tuple[int, int]:
    """(workers, points) of WORKERSxPOINTS."""
    workers, times, points = text.partition("x")
    if not (times and workers.isdecimal() and points.isdecimal()):
        raise ConfigError(f"--simulate-cluster {text}: it must be WORKERSxPOINTS, such as 1000x100000")
    return int(workers), int(points)


def _named(text: str, flag: str) -> Tuple[str, str]:
    """(name, rest) of NAME=REST."""
    name, equals, rest = text.partition("=")
    if not (name and equals and rest):
        raise ConfigError(f"{flag} {text}: it must be NAME=VALUE")
    return name.strip(), rest


def _samples(options: argparse.Namespace) -> Optional[Samples]:
    """The samples that the options ask for."""
    asked = {name: getattr(options, name) for name in ("lhs", "sobol") if getattr(options, name) is not None}
    if not asked and not options.range:
        return None
    if len(asked) != 1 or not options.range:
        raise ConfigError("samples are --lhs N or --sobol N over at least one --range NAME=LOW:HIGH")
    ((method, points),) = asked.items()
    ranges: Dict[str, Tuple[float, float]] = {}
    marked: Dict[str, List[str]] = {"log": [], "whole": []}
    for text in options.range:
        name, rest = _named(text, "--range")
        low, high, *marks = rest.split(":") if ":" in rest else (rest, "")
        if any(mark not in marked for mark in marks):
            raise ConfigError(f"--range {text}: behind LOW:HIGH may stand log or whole")
        try:
            ranges[name] = float(low), float(high)
        except ValueError:
            raise ConfigError(f"--range {text}: it must be NAME=LOW:HIGH") from None
        for mark in marks:
            marked[mark].append(name)
    return Samples(method, points, ranges, logarithmic=tuple(marked["log"]), whole=tuple(marked["whole"]))


def text(results: SweepReport) -> str:
    """What was done, and where the table is."""
    lines = [f"points    {results.points}, {results.there} were there, {results.run} run now"]
    if results.repeated:
        lines.append(f"repeated  {results.repeated}, each run once")
    if results.failed:
        lines.append(f"failed    {results.failed}; their rows say why; --retry-failed runs them again")
        lines.append(f"          the first: {results.first_error}")
    if results.run:
        lines.append(f"time      {results.seconds:.1f} s, {results.point_seconds / results.run:.2f} s a point")
    lines.append(f"table     {results.table}")
    if results.forecast is not None:
        return "\n".join(forecast_lines(results.forecast))
    if results.findings is not None:
        lines += lines_of(results.findings)
    return "\n".join(lines)


def exit_code(results: SweepReport) -> int:
    """CONTENTS when no point of the study has figures."""
    return CONTENTS if results.failed == results.points else GOOD

"""Runs the points of a study on an engine and keeps its table. No printing."""

import glob
import os
import time
import zlib
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

import numpy as np

from ..device.presets import technology
from ..engines.engine import SERIAL, SHARED_FILE, Engine, running
from ..engines.running import Running, completed
from ..errors import ConfigError
from ..files import Path, blaming, read_json, write_json
from ..files.budgets import CHECKSUM
from ..files.reading import pieces
from ..json_codec import Result, plain
from ..runs import own_data
from ..runs.config import RunConfig
from ..runs.folder import RunFolder
from .parameters import Parameter, Setup, find, parameters, with_values
from .points import ABOUT, FIGURES, Job, failed_row, run_point
from .study import Point, Study
from .supplies import forget, packed
from .table import KEY, NO_ROOM, Table, alone, told_when_full, write_parquet

STUDY = "study.json"
"""what is varied, in the folder of a study"""
DEFAULT_TECHNOLOGY = "taox-40nm"


@dataclass(frozen=True)
class SweepResults(Result):
    """What a sweep did."""

    table: str
    """path of the table"""
    parquet: Optional[str]
    """path of the same as parquet; None: pyarrow is not installed, or points are missing"""
    kind: str
    """"evaluate" or "train\""""
    points: int
    """points of the study"""
    repeated: int
    """points that stood in the study more than once; each is run once"""
    there: int
    """points whose row was there before"""
    run: int
    """points that were run now"""
    failed: int
    """points of the study whose row is an error"""
    first_error: Optional[str]
    """what the first of them says; None: none failed"""
    seconds: float
    """of this sweep"""
    point_seconds: float
    """of the points that were run now, summed"""
    dashboard: Optional[str]
    """address of the dashboard of the cluster; None: there is none"""


@dataclass(frozen=True)
class Progress:
    """How far a sweep is."""

    done: int
    """points with a row"""
    points: int
    """of the study"""
    failed: int
    """of those that were run now"""
    left_s: Optional[float]
    """seconds left at the present rate; None: nothing has ended"""
    dashboard: Optional[str] = None
    """of the cluster"""


Tell = Callable[[Progress], None]


def sweep(
    study: Study,
    out: Path,
    *,
    engine: Engine = SERIAL,
    retry_failed: bool = False,
    progress: Optional[Tell] = None,
) -> SweepResults:
    """Run the points of a study that have no row in `out/sweep.csv` yet; returns what was done.

    engine: where they run; the rows do not depend on it. retry_failed: whether points whose row is an error are run
    again. progress: is told when the engine is there, and after each point. ConfigError for a study that cannot be, for
    a folder of another study, and when another sweep works there.
    """
    out, started = os.path.abspath(os.fspath(out)), time.perf_counter()
    try:
        with told_when_full(out), alone(out):
            plan = Plan.of(study, out)
            with Table(out, columns_of(study)) as table:
                if retry_failed:
                    table.drop(key for key in plan.keys if key in table.failed)
                there = sum(key in table.lines for key in plan.keys)
                seconds, dashboard = _run(plan, table, engine, progress=progress)
                table.sort(plan.keys)
                return SweepResults(
                    table=table.path,
                    parquet=write_parquet(out),
                    kind=study.kind,
                    points=len(plan.keys),
                    repeated=study.count - len(plan.keys),
                    there=there,
                    run=len(seconds),
                    failed=sum(key in table.failed for key in plan.keys),
                    first_error=_first_error(plan, table),
                    seconds=time.perf_counter() - started,
                    point_seconds=sum(seconds),
                    dashboard=dashboard,
                )
    finally:
        forget()


def _first_error(plan: "Plan", table: Table) -> Optional[str]:
    return next((table.error_of(key) for key in plan.keys if key in table.failed), None)


def columns_of(study: Study) -> Tuple[str, ...]:
    """Names of the columns of a study's table."""
    return (KEY, *study.names, *FIGURES, *ABOUT)


def left_in(study: Study, out: Path) -> SweepResults:
    """What a study's folder holds; nothing is run."""
    out = os.path.abspath(os.fspath(out))
    plan = Plan.of(study, out)
    with Table(out, columns_of(study)) as table:
        there = sum(key in table.lines for key in plan.keys)
        return SweepResults(
            table=table.path,
            parquet=None,
            kind=study.kind,
            points=len(plan.keys),
            repeated=study.count - len(plan.keys),
            there=there,
            run=0,
            failed=sum(key in table.failed for key in plan.keys),
            first_error=_first_error(plan, table),
            seconds=0.0,
            point_seconds=0.0,
            dashboard=None,
        )


@dataclass(frozen=True, eq=False)
class Plan:
    """A study whose names and folders were checked."""

    study: Study
    folder: str
    """of the study, absolute"""
    runs: Dict[str, str]
    """run as the study names it -> its folder"""
    base: Optional[RunConfig]
    """what trainings vary; None: runs are evaluated"""
    keys: Dict[str, Point]
    """key -> point, each once, in the order of the study"""

    @classmethod
    def of(cls, study: Study, folder: str) -> "Plan":
        """ConfigError for what cannot be, or when `folder` holds another study."""
        runs = {name: _finished(name) for name in study.run}
        base = None if runs else _base_of(study, folder)
        setup = Setup(RunFolder.open(next(iter(runs.values()))).config if base is None else base)
        keys = {point.key: point for point in _typed(study, setup)}
        _check_chips(runs, keys)
        _remember(study, folder, runs, base)
        return cls(study, folder, runs, base, keys)

    def jobs(self, done: Iterable[str]) -> Iterator[Job]:
        """The points that are not done."""
        done, study = set(done), self.study
        for key, point in self.keys.items():
            if key not in done:
                yield Job(study.kind, key, dict(point.values), self.folder, study.energy)


def _finished(run: str) -> str:
    """The folder of a finished run; ConfigError when it is not finished."""
    opened = RunFolder.open(run)
    if not opened.has("results.json"):
        raise ConfigError(f"{run}: its training has not ended; train it on with --resume")
    return os.path.abspath(run)


def _check_chips(runs: Dict[str, str], keys: Dict[str, Point]) -> None:
    """ConfigError where other individuals are asked for of a chip that is a measured map: there are none."""
    for name, folder in runs.items():
        config = RunFolder.open(folder).config
        if not config.maps:
            continue
        asked = {
            value
            for point in keys.values()
            for parameter, value in point.values
            if parameter in ("chip_seed", "recipe.chip_seed") and dict(point.values)["run"] == name
        }
        if asked - {config.recipe.chip_seed}:
            raise ConfigError(
                f"{name}: its chip is the measured map {', '.join(config.maps)}, which has no other individuals; leave "
                f"out --chips and chip_seed, or sweep a --task, whose chips are drawn"
            )


def _base_of(study: Study, folder: str) -> RunConfig:
    """What trainings vary: what `minirram train` begins with; the folder carries data of one's own."""
    found = own_data.given(study.task, study.data)
    recipe, cell = found.task.recipe(study.preset), technology(DEFAULT_TECHNOLOGY)
    config = RunConfig(found.task.name, found.source, found.task.network, recipe, cell, layout=found.task.layout)
    return own_data.carried(config, folder, found.arrays)


def _typed(study: Study, setup: Setup) -> Iterator[Point]:
    """The points, each value of its parameter's type. ConfigError for an unknown name or a value of another type."""
    known: Dict[Any, Dict[str, Parameter]] = {}
    for point in study.each():
        values = dict(point.values)
        cell = values.get("technology")
        if cell not in known:
            known[cell] = parameters(setup if cell is None else with_values(setup, {"technology": cell}))
        yield Point(
            tuple(
                (name, value if name == "run" else find(name, known[cell]).read(value))
                for name, value in values.items()
            )
        )


def _remember(study: Study, folder: str, runs: Dict[str, str], base: Optional[RunConfig]) -> None:
    """Write `study.json`; ConfigError when there is one of another study. Points may have been added."""
    path = os.path.join(folder, STUDY)
    known = {
        **study.base(),
        "runs": {name: _checksum(run) for name, run in runs.items()},
        "config": None if base is None else base.to_json(),
    }
    if os.path.exists(path):
        with blaming(path):
            had = read_json(path)["base"]
            runs = {**had["runs"]}
        _check_same(folder, had, known)
        known["runs"] = {**runs, **known["runs"]}
    write_json(path, {"base": known, "study": plain(study)})


def _check_same(folder: str, had: Dict[str, Any], wanted: Dict[str, Any]) -> None:
    """ConfigError, naming what differs."""
    for name, value in wanted.items():
        if name == "runs":
            changed = [run for run, crc in value.items() if had["runs"].get(run, crc) != crc]
            if changed:
                raise ConfigError(f"run {changed[0]} is not what it was when {folder} was begun; choose another folder")
        elif had.get(name) != value:
            raise ConfigError(f"{folder} is a study with another {name}; choose another folder")


def _checksum(folder: str) -> str:
    """CRC-32 of what an evaluation reads of a run."""
    crc = 0
    for name in ("config.json", "chip.npz", "model.npz", "masks.npz"):
        for piece in pieces(os.path.join(folder, name), CHECKSUM, follow=False):
            crc = zlib.crc32(piece, crc)
    return f"{crc:08x}"


def _run(plan: Plan, table: Table, engine: Engine, *, progress: Optional[Tell]) -> Tuple[List[float], Optional[str]]:
    """Run what has no row; (seconds of each point, dashboard)."""
    for left in glob.glob(os.path.join(glob.escape(plan.folder), SHARED_FILE.format("*"))):
        os.unlink(left)  # of a driver that was killed
    if all(key in table.lines for key in plan.keys):
        return [], None
    opens = _opens_test(plan)
    arrays = _supplies(plan, opens_test=opens, with_files=engine.dask is not None)
    for folder in plan.runs.values() if opens else ():  # what is not there was not opened
        RunFolder.open(folder).log_test_opening("sweep")
    clock, seconds = _Clock(plan, table, progress), []
    with running(engine, arrays=arrays, folder=plan.folder) as started:
        del arrays
        clock.tell(started)
        for job, row, error in completed(started, run_point, plan.jobs(table.lines)):
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise error
            table.add(failed_row(job, error) if error is not None else row)
            seconds.append(0.0 if error is not None else float(row["seconds"]))
            clock.tell(started)
        return seconds, started.link


def _supplies(plan: Plan, *, opens_test: bool, with_files: bool) -> Dict[str, np.ndarray]:
    """What the workers of a plan read."""
    script = plan.study.task if plan.study.task.endswith(".py") else ""
    with_test = plan.base is not None or opens_test
    return packed(plan.runs, plan.base, with_test=with_test, with_files=with_files, script=script)


def supplies_of(study: Study, folder: str) -> Dict[str, np.ndarray]:
    """What the workers of a cluster would read of a study in `folder`, absolute; the test set counts, unopened."""
    return _supplies(Plan.of(study, folder), opens_test=False, with_files=True)


def _opens_test(plan: Plan) -> bool:
    """Whether points look at the test set; its opening is noted in each run, once per start."""
    looked_at = (dict(point.values).get(name) for point in plan.keys.values() for name in ("split", "look.split"))
    return "test" in looked_at


class _Clock:
    """Tells how far a sweep is."""

    def __init__(self, plan: Plan, table: Table, progress: Optional[Tell]) -> None:
        self.progress, self.table, self.points = progress, table, len(plan.keys)
        self.plan, self.started_s = plan, time.monotonic()
        self.before = sum(key in table.lines for key in plan.keys)
        self.failed_before = len(table.failed)
        self.done = self.before - 1

    def tell(self, engine: Running) -> None:
        """One point more has ended; at the first call none has."""
        self.done += 1
        if self.progress is None:
            return
        now = self.done - self.before
        left = (time.monotonic() - self.started_s) / now * (self.points - self.done) if now else None
        self.progress(Progress(self.done, self.points, len(self.table.failed) - self.failed_before, left, engine.link))

"""What a cluster would take for a study: a simulation of scheduler, workers and driver, from measured points.

Each point passes the scheduler twice (handed out, come back) and the driver once (its row). Scheduler and driver do one
thing at a time; workers compute for as long as measured points did, drawn from them at random. What is not measured is
a number of `Costs`.
"""

import heapq
import math
import os
import pickle
import tempfile
import time
from dataclasses import dataclass
from typing import List, Sequence, Tuple

from ..errors import ConfigError
from ..files import Path
from ..json_codec import Result
from ..rng import stream
from .findings import rows_in
from .points import ABOUT, FIGURES, Job
from .table import KEY, TABLE, Table, read_rows

AHEAD = 2
"""points per worker that the scheduler holds, as `engines.dask_cluster` does"""
TIMED_ROWS = 200
"""rows that are written to find what the driver takes for one"""


@dataclass(frozen=True)
class Costs(Result):
    """What a cluster adds to the points."""

    scheduler_s: float = 1e-3
    """seconds that the scheduler takes per point; Dask's documentation says about 1 ms"""
    message_s: float = 1e-3
    """seconds that a message travels; assumed, of a data centre"""
    start_s: float = 10.0
    """seconds in which a worker starts; assumed"""
    bytes_per_s: float = 1e9
    """of one network link; assumed, 10 Gbit/s"""


@dataclass(frozen=True)
class Forecast(Result):
    """What points on workers would take."""

    points: int
    """of the study that is thought of"""
    workers: int
    """of one thread each"""
    measured_points: int
    """rows whose seconds were taken"""
    point_s: float
    """mean of their seconds"""
    driver_s: float
    """seconds that the driver takes for a row, measured"""
    costs: Costs
    """what was assumed"""
    elapsed_s: float
    """from the start of the workers to the last row, simulated"""
    ideal_s: float
    """the seconds of all points over the workers"""
    efficiency: float
    """ideal over elapsed"""
    scheduler_busy: float
    """share of the time in which the scheduler works"""
    driver_busy: float
    """share of the time in which the driver works"""
    most_workers: int
    """workers that scheduler and driver can keep busy with such points"""
    scatter_bytes: int
    """of data and runs, held by each worker once"""
    scatter_s: float
    """seconds until all have them, passed on from worker to worker"""
    message_bytes: int
    """of a point on its way out and its row on its way back"""
    table_bytes: int
    """of the finished table"""
    folder_bytes: int
    """of the run folders of trainings; 0: runs are evaluated"""


def forecast(folder: Path, *, points: int, workers: int, costs: Costs = Costs(), seed: int = 0) -> Forecast:
    """What `points` such as those in a study's folder would take on `workers`. ConfigError where none was measured."""
    if points < 1 or workers < 1:
        raise ConfigError(f"{points} points on {workers} workers; at least one of each")
    _, rows = rows_in(folder)
    seconds = [float(row["seconds"]) for row in rows if row["seconds"] is not None and row["error"] is None]
    if not seconds:
        raise ConfigError(f"{os.fspath(folder)} has no point that was measured: run some first")
    driver_s, row_bytes = _driver_cost(folder)
    job_bytes = len(pickle.dumps(_job(rows[0])))
    scatter = _scatter_bytes(folder)
    scatter_s = math.ceil(math.log2(workers + 1)) * scatter / costs.bytes_per_s
    elapsed_s, scheduler_s = simulated(
        seconds, points=points, workers=workers, costs=costs, driver_s=driver_s, seed=seed
    )
    elapsed_s += costs.start_s + scatter_s
    ideal_s = points * sum(seconds) / len(seconds) / workers
    return Forecast(
        points=points,
        workers=workers,
        measured_points=len(seconds),
        point_s=sum(seconds) / len(seconds),
        driver_s=driver_s,
        costs=costs,
        elapsed_s=elapsed_s,
        ideal_s=ideal_s,
        efficiency=ideal_s / elapsed_s,
        scheduler_busy=scheduler_s / elapsed_s,
        driver_busy=points * driver_s / elapsed_s,
        most_workers=int(sum(seconds) / len(seconds) / max(costs.scheduler_s, driver_s)),
        scatter_bytes=scatter,
        scatter_s=scatter_s,
        message_bytes=job_bytes + row_bytes,
        table_bytes=points * row_bytes,
        folder_bytes=int(points * _folder_bytes(folder)),
    )


def simulated(
    seconds: Sequence[float], *, points: int, workers: int, costs: Costs, driver_s: float, seed: int = 0
) -> Tuple[float, float]:
    """(elapsed seconds, seconds in which the scheduler works) of points drawn from `seconds`, by discrete events.

    The driver hands over AHEAD points per worker, and one more with each row; the scheduler gives a free worker the
    next point it has.
    """
    drawn = stream(seed, "forecast").choice(list(seconds), points)
    scheduler_free = driver_free = busy = 0.0
    handed = min(points, AHEAD * workers)
    waiting, free, begun, ended = handed, workers, 0, 0.0
    events: List[Tuple[float, int]] = []  # (when a worker ends, 0), (when a row is written, 1), in order of time
    now, done = 0.0, 0
    while done < points:
        while free and waiting:
            scheduler_free = max(scheduler_free, now) + costs.scheduler_s / 2
            busy += costs.scheduler_s / 2
            heapq.heappush(events, (scheduler_free + costs.message_s + float(drawn[begun]), 0))
            free, waiting, begun = free - 1, waiting - 1, begun + 1
        now, kind = heapq.heappop(events)
        if kind == 0:
            scheduler_free = max(scheduler_free, now + costs.message_s) + costs.scheduler_s / 2
            busy += costs.scheduler_s / 2
            free += 1
            driver_free = max(driver_free, scheduler_free + costs.message_s) + driver_s
            heapq.heappush(events, (driver_free, 1))
        else:
            done, ended = done + 1, now
            if handed < points:
                handed, waiting = handed + 1, waiting + 1
    return ended, busy


def _driver_cost(folder: Path) -> Tuple[float, int]:
    """(seconds that the driver takes for a row of a study, bytes of a row)."""
    columns, rows = read_rows(folder)
    with tempfile.TemporaryDirectory() as place, Table(place, columns) as table:
        started = time.perf_counter()
        for number in range(TIMED_ROWS):
            table.add(dict(rows[number % len(rows)], **{KEY: f"{number:012x}"}))
        taken_s = (time.perf_counter() - started) / TIMED_ROWS
    return taken_s, os.path.getsize(os.path.join(os.fspath(folder), TABLE)) // (len(rows) + 1)


def _job(row: dict) -> Job:
    """The point of a row, as it travels."""
    values = {name: value for name, value in row.items() if name not in (KEY, *FIGURES, *ABOUT)}
    return Job("evaluate", row[KEY], values, "/folder/of/the/study")


def _scatter_bytes(folder: Path) -> int:
    """Bytes of data and runs of a study, as workers hold them."""
    from .driver import supplies_of
    from .findings import study_in

    return sum(array.nbytes for array in supplies_of(study_in(folder), os.path.abspath(os.fspath(folder))).values())


def _folder_bytes(folder: Path) -> float:
    """Mean bytes of the run folder of a training of a study; 0 where there is none."""
    place = os.path.join(os.fspath(folder), "points")
    runs = os.listdir(place) if os.path.isdir(place) else []
    sizes = [
        os.path.getsize(os.path.join(place, run, name)) for run in runs for name in os.listdir(os.path.join(place, run))
    ]
    return sum(sizes) / len(runs) if runs else 0.0


def lines_of(found: Forecast) -> List[str]:
    """The forecast as text."""
    measured = f"{found.point_s:.3g} s a point ({found.measured_points} measured)"
    return [
        f"forecast   {found.points} points on {found.workers} workers, {measured}",
        f"elapsed    {found.elapsed_s:.0f} s, {found.efficiency:.0%} of the workers' time is points",
        f"scheduler  busy {found.scheduler_busy:.0%}",
        f"driver     busy {found.driver_busy:.0%}, {found.driver_s * 1e3:.2f} ms a row",
        f"workers    at most {found.most_workers} can be kept busy with such points",
        f"data       {found.scatter_bytes / 1e6:.1f} MB to each worker, in {found.scatter_s:.1f} s",
        f"messages   {found.message_bytes} bytes a point; the table has {found.table_bytes / 1e6:.1f} MB",
        f"folders    {found.folder_bytes / 1e9:.2f} GB of run folders",
    ]

"""What two workers gain over one process on points of an evaluation, and what a point costs beside its computation.

    python benchmarks/sweep.py --json          same, processes, dask, overhead_ms_per_point; a few minutes

same: whether the tables of all engines are equal, apart from seconds and host. processes, dask: speed-up of two workers
over one process, their start left out; dask is null where it is not installed. limit: the same of two processes that
have each their own study and no engine, what the cores give. All take turns, a quarter of the points each.
overhead_ms_per_point: time of the driver and of a pipe for a point that computes nothing, its row written. worker_mb:
largest resident memory of a worker.
training_worker_mb: the same of two trainings of one epoch on the data of --train; null without.
The run is a small Fashion-MNIST network, trained for one epoch on drawn garments; --run takes another.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
UNLIKE = {"seconds", "host"}
TURNS = 4


def main(arguments=None):
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--samples", type=int, default=400, help="of a point")
    parser.add_argument("--run", help="run folder, instead of a small one")
    parser.add_argument("--train", metavar="DATA", help="Fashion-MNIST, to measure the memory of trainings")
    options = parser.parse_args(arguments)
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ[library + "_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    os.environ["PYTHONPATH"] = str(ROOT)
    import machine

    found = machine.tell(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINIRRAM_TRUST"] = folder  # the data of its run lie there
        results = measured(folder, options.run or small_run(folder), options)
    if options.json:
        print(json.dumps(dict(results, machine=found), indent=2))
    else:
        print("\n".join(f"{key:24s} {value}" for key, value in results.items()))


def small_run(folder):
    """A run of one epoch on drawn garments."""
    import minirram as mr
    from minirram.rng import stream
    from minirram.tasks import datasets, drawn_garments, fashion_mnist

    parts = {}
    for part, n in (("train", 600), ("validation", 400), ("test", 20)):
        inputs, labels = drawn_garments.garments(stream(0, part), n)
        parts[part] = {"inputs": inputs, "labels": labels}
    datasets.save(folder, fashion_mnist.LAYOUT, parts=parts, origin="drawn for a benchmark")
    out = os.path.join(folder, "run")
    mr.train("fashion-mnist", folder, mr.Recipe(epochs=1, batch_size=20), out=out, threads=1)
    return out


def measured(folder, run, options):
    """The figures of all engines, each over the same quarters of the points in turn."""
    from minirram.engines.engine import SERIAL, Engine

    noises = [round(0.02 * k / options.points, 9) for k in range(options.points)]
    with contextlib.ExitStack() as stack:
        engines = {"one": SERIAL, "processes": Engine(2)}
        file = stack.enter_context(cluster(folder))
        if file is not None:
            engines["dask"] = Engine(dask=file)
        tables = {name: [] for name in engines}
        seconds = dict.fromkeys((*engines, "limit"), 0.0)
        for turn in range(TURNS):
            some = noises[turn::TURNS]
            for name, engine in engines.items():
                rows, of_point = swept(run, some, options.samples, os.path.join(folder, f"{name}{turn}"), engine)
                tables[name] += rows
                seconds[name] += of_point / TURNS
            seconds["limit"] += two_alone(run, some, options.samples, os.path.join(folder, f"alone{turn}")) / TURNS
    gains = {
        name: seconds["one"] / seconds[name] if name in seconds else None for name in ("processes", "dask", "limit")
    }
    same = all(table == tables["one"] for table in tables.values())
    worker = worker_mb()
    return dict(
        same=same,
        **gains,
        overhead_ms_per_point=overhead_ms(os.path.join(folder, "nothing")),
        seconds_per_point=seconds["one"],
        worker_mb=worker,
        training_worker_mb=trained_mb(options.train, os.path.join(folder, "trainings")) if options.train else None,
    )


def two_alone(run, noises, samples, out):
    """Seconds per point of two processes at a time that know nothing of one another."""
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(2) as pool:
        halves = [(run, noises[k::2], samples, f"{out}-{k}") for k in range(2)]
        return sum(of_point for _, of_point in pool.starmap(swept, halves, chunksize=1)) / 4


def swept(run, noises, samples, out, engine=None):
    """(rows without what depends on where they ran, seconds per point behind the first ones)."""
    from minirram.engines.engine import SERIAL
    from minirram.sweep.driver import sweep
    from minirram.sweep.study import Study
    from minirram.sweep.table import read_rows

    study = Study(run=(run,), grid={"read_noise": tuple(noises)}, fixed={"samples": samples})
    ends = []
    sweep(study, out, engine=engine or SERIAL, progress=lambda _: ends.append(time.perf_counter()))
    warm = min(3, len(ends) - 2)
    of_point = (ends[-1] - ends[warm]) / (len(ends) - 1 - warm)
    rows = read_rows(out)[1]
    failed = [row["error"] for row in rows if row["error"]]
    if failed:
        raise SystemExit(f"{len(failed)} of {len(rows)} points failed: {failed[0]}")
    return [{k: v for k, v in row.items() if k not in UNLIKE} for row in rows], of_point


def nothing(shared, item):
    """A point that computes nothing."""
    return {"point": f"{item:012x}", "value": 0.5}


def overhead_ms(out, points=1000):
    """Milliseconds per point that computes nothing, in two processes, its row written."""
    from minirram.engines.engine import Engine, running
    from minirram.engines.running import completed
    from minirram.sweep.points import ABOUT, FIGURES
    from minirram.sweep.table import Table

    os.makedirs(out)
    with Table(out, ("point", *FIGURES, *ABOUT)) as table, running(Engine(2), folder=out) as engine:
        started = None
        for _, row, _ in completed(engine, nothing, range(points)):
            started = started or time.perf_counter()
            table.add(row)
        return (time.perf_counter() - started) / (points - 1) * 1e3


def worker_mb():
    """Largest resident memory of the processes that have ended, megabytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def trained_mb(data, out):
    """The same after two trainings of one epoch at a time, on all of the data."""
    from minirram.engines.engine import Engine
    from minirram.sweep.driver import sweep
    from minirram.sweep.study import Study

    sweep(Study(task="fashion-mnist", data=data, grid={"seed": (0, 1)}, fixed={"epochs": 1}), out, engine=Engine(2))
    return worker_mb()


@contextlib.contextmanager
def cluster(folder):
    """A scheduler and two workers on loopback: the path of its scheduler file; None without dask.distributed."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        yield None
        return
    file = os.path.join(folder, "scheduler.json")

    def program(name, *words):
        script = f"from distributed.cli.dask_{name} import main; main()"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([sys.executable, "-c", script, "--scheduler-file", file, *words], **quiet)

    here = ["--host", "127.0.0.1", "--no-dashboard"]
    programs = [program("scheduler", *here, "--port", "0")]
    try:
        while not os.path.exists(file):
            time.sleep(0.05)
        alone = ["--nthreads", "1", "--no-nanny", "--local-directory", folder]
        programs += [program("worker", *here, *alone) for _ in range(2)]
        yield file
    finally:
        for one in programs:
            one.kill()
            one.wait()


if __name__ == "__main__":
    main()

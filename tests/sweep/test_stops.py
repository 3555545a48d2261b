"""A study that is stopped at any place goes on: kill -9 of workers, driver and scheduler; a full disk; a real cluster.

All of it in processes of their own, on loopback.
"""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import minirram as mr
from minirram.tasks import fashion_mnist

from ..support.places import ROOT
from ..support.tiny import save_garments

pytestmark = pytest.mark.slow
UNLIKE = ("seconds", "host")
"""columns that depend on where a point ran"""
ENVIRONMENT = dict(os.environ, PYTHONPATH=str(ROOT), OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a small network that is worth an evaluation of a tenth of a second."""
    folder = tmp_path_factory.mktemp("stops")
    save_garments(folder / "data", train=600, validation=200, test=30)
    network = fashion_mnist.fashion_mnist_cnn(conv1=8, conv2=4, hidden=16)
    task = mr.Task("fashion-mnist-stops", network, fashion_mnist.LAYOUT, fashion_mnist.TASK.recipes)
    recipe = mr.Recipe(epochs=2, batch_size=20)
    mr.train(
        task, str(folder / "data"), recipe, out=str(folder / "run"), threads=1, lines=mr.ChipLines(rows=64, pairs=32)
    )
    return str(folder / "run")


def study(folder, run, noises, offsets):
    """A study of noises x offsets as a file; returns its path."""
    grid = {
        "read_noise": [round(0.004 * k, 6) for k in range(noises)],
        "adc_offset_lsb": [0.5 * k for k in range(offsets)],
    }
    path = os.path.join(str(folder), "study.json")
    with open(path, "w") as handle:
        json.dump({"run": [run], "grid": grid, "fixed": {"samples": 40}}, handle)
    return path


def command(path, out, *options):
    return [sys.executable, "-m", "minirram", "sweep", path, "--out", str(out), "--json", *options]


def swept(path, out, *options, code=0):
    """Sweep, in a process of its own; what it prints."""
    found = subprocess.run(
        command(path, out, *options), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=900
    )
    assert found.returncode == code, found.stderr.decode()
    return json.loads(found.stdout.decode()) if code == 0 else found.stderr.decode()


def rows(out):
    """The finished rows of a table, without the columns that depend on where they ran."""
    with open(os.path.join(str(out), "sweep.csv"), newline="", encoding="utf-8") as handle:
        return [{name: cell for name, cell in row.items() if name not in UNLIKE} for row in csv.DictReader(handle)]


def lines(out):
    """How many whole lines the table has now."""
    with contextlib.suppress(FileNotFoundError):
        with open(os.path.join(str(out), "sweep.csv"), "rb") as handle:
            return handle.read().count(b"\n")
    return 0


def until(condition, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def started(*words, **options):
    """A process that ends with the block."""
    process = subprocess.Popen(words, env=ENVIRONMENT, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def cluster(folder, workers=2):
    """A Dask scheduler and workers on loopback: (path of the scheduler file, scheduler, workers)."""
    file = os.path.join(str(folder), "scheduler.json")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with contextlib.ExitStack() as stack:

        def program(name, *words):
            script = f"from distributed.cli.dask_{name} import main; main()"
            return stack.enter_context(started(sys.executable, "-c", script, *words, **quiet))

        here = ["--scheduler-file", file, "--host", "127.0.0.1", "--no-dashboard"]
        scheduler = program("scheduler", *here, "--port", "0")
        until(lambda: os.path.exists(file))
        alone = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder), "--memory-limit", "400MB"]
        yield file, scheduler, [program("worker", *here, *alone) for _ in range(workers)]


def test_two_hundred_points_are_the_same_rows_on_every_engine(run, tmp_path):
    pytest.importorskip("distributed", reason="a real cluster: extra 'cluster'")
    path = study(tmp_path, run, 20, 10)
    found = {}
    for name, options in (("serial", ()), ("processes", ("--processes", "2"))):
        assert swept(path, tmp_path / name, *options)["run"] == 200
        found[name] = rows(tmp_path / name)
    with cluster(tmp_path) as (file, _, _):
        assert swept(path, tmp_path / "dask", "--dask", file)["run"] == 200
    found["dask"] = rows(tmp_path / "dask")
    assert found["serial"] == found["processes"] == found["dask"]
    assert len({row["value"] for row in found["serial"]}) > 5 and not any(row["error"] for row in found["serial"])


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as handle:
        return [int(child) for child in handle.read().split()]


def workers_of(pid):
    """The spawned workers of a driver, without multiprocessing's own helper."""
    found = []
    for child in children(pid):
        with contextlib.suppress(OSError), open(f"/proc/{child}/cmdline", "rb") as handle:
            if b"spawn_main" in handle.read():
                found.append(child)
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="looks for processes in /proc")
def test_killed_workers_and_drivers_lose_no_row_and_write_none_twice(run, tmp_path):
    path, out = study(tmp_path, run, 10, 4), tmp_path / "killed"
    swept(path, tmp_path / "whole")
    with started(*command(path, out, "--processes", "2"), stderr=subprocess.DEVNULL) as driver:
        until(lambda: lines(out) > 6)
        for worker in workers_of(driver.pid):
            os.kill(worker, signal.SIGKILL)
        begun = lines(out)
        until(lambda: lines(out) > begun + 6)
        refused = swept(path, out, code=2)
        assert "another sweep works" in refused
        driver.kill()
    kept = rows(out)
    with open(out / "sweep.csv", "ab") as handle:
        handle.write(b"0123456789ab,half a ro")
    again = swept(path, out)
    assert again["there"] >= 13 and again["there"] + again["run"] == 40 and again["failed"] == 0
    assert rows(out) == rows(tmp_path / "whole") and all(row in rows(out) for row in kept)
    assert sorted(os.listdir(out)) == sorted(os.listdir(tmp_path / "whole"))


def test_a_cluster_may_lose_workers_its_scheduler_and_its_driver(run, tmp_path):
    pytest.importorskip("distributed", reason="a real cluster: extra 'cluster'")
    path, out = study(tmp_path, run, 12, 6), tmp_path / "out"
    with cluster(tmp_path, workers=3) as (file, scheduler, workers):
        with started(*command(path, out, "--dask", file), stderr=subprocess.PIPE) as driver:
            until(lambda: lines(out) > 5)
            workers[0].kill()
            begun = lines(out)
            until(lambda: lines(out) > begun + 5)
            driver.kill()
        done = lines(out)
        with started(*command(path, out, "--dask", file), stderr=subprocess.PIPE) as driver:
            until(lambda: lines(out) > done + 3)
            scheduler.kill()
            _, said = driver.communicate(timeout=300)
            assert driver.returncode == 2 and b"the same command goes on" in said, said.decode()
    os.unlink(file)
    there = lines(out) - 1
    with cluster(tmp_path) as (file, _, _):
        again = swept(path, out, "--dask", file)
    assert (again["there"], again["there"] + again["run"], again["failed"]) == (there, 72, 0)
    swept(path, tmp_path / "whole", "--processes", "2")
    assert rows(out) == rows(tmp_path / "whole")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a small tmpfs: needs root")
def test_a_full_disk_stops_clearly_and_the_same_command_goes_on(run, tmp_path):
    path, disk = study(tmp_path, run, 8, 3), tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], stderr=subprocess.PIPE)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
    try:
        out = disk / "out"
        out.mkdir()
        with open(disk / "filler", "wb") as filler:
            filler.write(b"0" * 52 * 1024)  # leaves room for some of the rows
        said = swept(path, out, code=2)
        assert "No space left" in said and "the same command goes on" in said
        kept = rows(out)
        assert 0 < len(kept) < 24
        os.unlink(disk / "filler")
        again = swept(path, out)
        assert again["there"] == len(kept) and again["there"] + again["run"] == 24
        swept(path, tmp_path / "whole")
        assert rows(out) == rows(tmp_path / "whole")
    finally:
        subprocess.run(["umount", str(disk)])

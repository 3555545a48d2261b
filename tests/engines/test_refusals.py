"""Engines that are not there, that are gone, or whose workers are others: each is refused before a number is made."""

import sys
import threading
import time
from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import pytest

from minirram import __version__
from minirram.engines.engine import Engine, running
from minirram.engines.pool import WorkerDied, WorkerPool
from minirram.engines.running import Running, completed
from minirram.errors import ConfigError, MissingFileError


class AtOnce:
    """An executor that has run what it is given."""

    def submit(self, function, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future


class Client:
    """Of a scheduler with one worker, whose version of minirram is `version`."""

    version, status, dashboard_link, named = __version__, "running", "http://h:8787", None
    workers = 1
    """there are so many; none takes a task where there is none"""

    def __init__(self, **named):
        Client.named = named
        if named.get("address") == "tcp://nobody:1":
            raise OSError("timed out")
        if named.get("address") == "tcp://silent:1":
            raise TimeoutError

    def run(self, function):
        if self.version is None:
            raise ImportError("No module named 'minirram'")
        return {"tcp://worker:1": function() if self.version == __version__ else self.version}

    def nthreads(self):
        return {f"tcp://worker:{number}": 1 for number in range(1, self.workers + 1)}

    def submit(self, function, pure):
        raise TimeoutError("no workers")

    def scatter(self, value, broadcast):
        return value

    def get_executor(self, pure, retries):
        return AtOnce()

    def close(self, timeout):
        Client.named = None


@pytest.fixture(autouse=True)
def distributed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=Client))


def started(where, folder="."):
    return running(Engine(dask=where), arrays={"x": np.ones(3)}, folder=folder)


def test_dask_without_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"--dask needs dask.distributed: .*\.\[cluster\]"), started("tcp://h:1"):
        pytest.fail("the body must not run")


def test_schedulers_that_are_not_there(tmp_path):
    file = tmp_path / "scheduler.json"
    with pytest.raises(MissingFileError, match=r"scheduler\.json: there is no such scheduler file; --dask takes one"):
        with started(str(file)):
            pytest.fail("the body must not run")
    file.write_text("{}")
    with started(str(file)):
        assert Client.named["scheduler_file"] == str(file)
    for where, why in (("tcp://nobody:1", "timed out"), ("tcp://silent:1", "TimeoutError")):
        with pytest.raises(ConfigError, match=f"no Dask scheduler at {where}: {why}"), started(where):
            pytest.fail("the body must not run")


def test_workers_with_another_version(monkeypatch):
    for version, message in (
        ("0.0.1", f"worker tcp://worker:1 has minirram 0.0.1; this is {__version__}"),
        (None, r"a worker of the cluster cannot import minirram \(No module named 'minirram'\); install it there"),
    ):
        monkeypatch.setattr(Client, "version", version)
        with pytest.raises(ConfigError, match=message), started("tcp://h:1"):
            pytest.fail("the body must not run")
        assert Client.named is None  # it was closed


def test_a_scheduler_without_a_worker_is_named(monkeypatch):
    monkeypatch.setattr(Client, "workers", 0)
    with pytest.raises(ConfigError, match=r"the scheduler at tcp://h:1 has no worker \(no workers\); start one: dask"):
        with started("tcp://h:1"):
            pytest.fail("the body must not run")
    assert Client.named is None


def test_tasks_of_a_cluster_read_its_arrays_and_as_many_are_begun_as_it_can_do(monkeypatch):
    for workers, at_once in ((1, 16), (20, 40)):
        monkeypatch.setattr(Client, "workers", workers)
        with started("tcp://h:1") as engine:
            ended = list(completed(engine, lambda shared, item: item * shared.arrays()["x"].sum(), range(3)))
            assert [(item, result) for item, result, _ in ended] == [(0, 0.0), (1, 3.0), (2, 6.0)]
            assert (engine.at_once, engine.link) == (at_once, "http://h:8787")


def test_a_scheduler_that_goes_away(monkeypatch):
    with started("tcp://h:1") as engine:
        engine.check()
        monkeypatch.setattr(Client, "status", "closed")
        with pytest.raises(ConfigError, match=r"the scheduler at tcp://h:1 is gone \(its client is closed\)"):
            engine.check()


def ending(end, gone=None):
    """An engine whose one future ends by `end`; gone: what its check says."""

    class Ending(Running):
        def check(self):
            if gone is not None:
                raise ConfigError(gone)

        def submit(self, function, item):
            future = Future()
            end(future)
            return future

    return completed(Ending(), print, [7])


def test_items_that_come_back_without_a_result():
    error = ValueError("of the item")
    assert list(ending(lambda future: future.set_exception(error))) == [(7, None, error)]

    def cancel(future):
        future.cancel()
        future.set_running_or_notify_cancel()

    with pytest.raises(ConfigError, match="gave an item back without a result; the same command goes on"):
        list(ending(cancel))
    with pytest.raises(ConfigError, match="the scheduler is gone"):  # why it came back is told, where that is known
        list(ending(cancel, gone="the scheduler is gone"))
    for stop in (KeyboardInterrupt, SystemExit):  # no error of the item: it ends the whole
        with pytest.raises(stop):
            list(ending(lambda future, stop=stop: future.set_exception(stop())))


def test_a_pool_that_is_closed_starts_no_process():
    before, pool = set(threading.enumerate()), WorkerPool(1)
    with pool._lock:  # the process is about to be started
        begun = pool.submit(print)
        waiting = pool.submit(print)
        (minder,) = set(threading.enumerate()) - before  # of the one process that the pool may have
        until = time.monotonic() + 5
        while not begun.running() and time.monotonic() < until:
            time.sleep(0.001)
        pool.shutdown(wait=False)
    with pytest.raises(WorkerDied, match="the process of this task ended"):
        begun.result(5)
    with pytest.raises(WorkerDied):
        waiting.result(5)
    minder.join(5)
    assert pool._workers == [] and not minder.is_alive()
    with pytest.raises(RuntimeError, match="this pool is closed"):
        pool.submit(print)

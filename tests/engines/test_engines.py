"""Engines: results as they end, workers that die, parents that die, memory that is shared."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from minirram.engines.engine import SERIAL, Engine, running
from minirram.engines.pool import WorkerDied, WorkerPool
from minirram.engines.running import Running, completed
from minirram.engines.shared import InMemory, write_shared
from minirram.errors import ConfigError, DataError


def total(shared, item):
    """What tasks of these tests do: it depends on the shared array and on the item."""
    return float(shared.arrays()["x"].sum()) * item


def results(engine, items, folder):
    arrays = {"x": np.arange(5.0)}
    with running(engine, arrays=arrays, folder=str(folder)) as started:
        return {item: result for item, result, error in completed(started, total, items) if error is None}


def test_serial_and_any_executor_give_the_same_and_leave_no_file(tmp_path):
    expected = {item: 10.0 * item for item in range(9)}
    with ThreadPoolExecutor(3) as threads:
        for engine in (SERIAL, Engine(executor=threads)):
            assert results(engine, range(9), tmp_path) == expected
    assert os.listdir(tmp_path) == []


def test_an_engine_that_is_gone_ends_the_wait(monkeypatch):
    class Gone(Running):
        at_once = 4

        def submit(self, function, item):
            return Future()  # never ends

        def check(self):
            raise ConfigError("the scheduler is gone")

    monkeypatch.setattr("minirram.engines.running.LOOK_S", 0.01)
    with pytest.raises(ConfigError, match="scheduler is gone"):
        list(completed(Gone(), total, range(2)))


def test_an_error_ends_the_workers_and_cancels_what_waits():
    with pytest.raises(ZeroDivisionError), WorkerPool(1) as pool:
        futures = [pool.submit(time.sleep, 60) for _ in range(3)]
        started = time.monotonic()
        raise ZeroDivisionError
    with pytest.raises(WorkerDied):
        futures[0].result(20)
    assert all(future.cancelled() for future in futures[1:]) and time.monotonic() - started < 20
    assert not any(worker.process.is_alive() for worker in pool._workers)


def test_one_engine_at_a_time():
    for wrong in (dict(processes=2, dask="tcp://h:1"), dict(processes=0), dict(dask="a", executor=object())):
        with pytest.raises(ConfigError):
            Engine(**wrong)


def test_no_more_is_begun_than_keeps_the_workers_busy():
    begun = []

    class Lazy(Running):
        at_once = 3

        def submit(self, function, item):
            begun.append(item)
            future = Future()
            if len(begun) >= 3:
                future.set_result(item)
                for waiting in self.waiting:
                    waiting.set_result(0)
                self.waiting = []
            else:
                self.waiting.append(future)
            return future

        waiting = []

    engine = Lazy(at_once=3)
    ended = completed(engine, total, iter(range(100)))
    next(ended)
    assert len(begun) == 3


def test_an_item_whose_process_died_is_run_again_and_its_error_told_after_three_times():
    tried = []

    class Dying(Running):
        def submit(self, function, item):
            tried.append(item)
            future = Future()
            dies = item == "always" or (item == "once" and tried.count("once") == 1)
            future.set_exception(WorkerDied("killed")) if dies else future.set_result(item)
            return future

    ended = [(item, str(error)) for item, _, error in completed(Dying(), total, ["a", "once", "always", "b"])]
    assert ended == [("a", "None"), ("once", "None"), ("always", "killed"), ("b", "None")]
    assert (tried.count("once"), tried.count("always")) == (2, 3)


def test_shared_arrays_are_read_as_written_and_cannot_be_written(tmp_path):
    arrays = {"a": np.arange(7, dtype=np.uint8), "b/c": np.ones((3, 0, 2)), "d": np.eye(5, dtype=np.float32)[:, ::2]}
    shared = write_shared(tmp_path / "s.bin", arrays)
    for name, array in shared.arrays().items():
        assert array.dtype == arrays[name].dtype and np.array_equal(array, arrays[name])
        assert not array.flags.writeable
    arrays["a"] = arrays["a"] + 1
    again = write_shared(tmp_path / "s.bin", arrays)
    assert again != shared and np.array_equal(again.arrays()["a"], arrays["a"])
    (tmp_path / "t.bin").write_bytes(b"no\n")
    with pytest.raises(DataError):
        type(shared)(str(tmp_path / "t.bin")).arrays()
    assert InMemory(arrays).arrays() is arrays


def environment():
    return os.environ["OPENBLAS_NUM_THREADS"], os.getpid()


def suicide(path):
    """The process ends in the middle, the first time."""
    if not os.path.exists(path):
        open(path, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return "second"


@pytest.mark.slow
def test_processes_have_one_blas_thread_and_a_killed_one_loses_only_its_task(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    with WorkerPool(2) as pool:
        threads, pid = pool.submit(environment).result(60)
        assert threads == "1" and pid != os.getpid() and os.environ["OPENBLAS_NUM_THREADS"] == "7"
        lost = pool.submit(suicide, str(tmp_path / "once"))
        kept = [pool.submit(max, k, 2) for k in range(6)]
        assert isinstance(lost.exception(60), WorkerDied)
        assert [future.result(60) for future in kept] == [2, 2, 2, 3, 4, 5]
        assert pool.submit(suicide, str(tmp_path / "once")).result(60) == "second"
        assert isinstance(pool.submit(int, "x").exception(60), ValueError)
        with pytest.raises(Exception, match="pickle|local"):
            pool.submit(lambda: 1).result(60)
    assert results(Engine(2), range(5), tmp_path) == {item: 10.0 * item for item in range(5)}


SLEEPER = """
import os, signal, sys, time
from minirram.engines.pool import WorkerPool
def sleep(path):
    open(path, "w").write(str(os.getpid()))
    time.sleep(600)
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets jobs in the background ignore it
    with WorkerPool(2) as pool:
        for k in range(2):
            pool.submit(sleep, sys.argv[1] + str(k))
        pool.submit(sleep, sys.argv[1] + "2").result()
"""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as handle:
            return handle.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_die_with_their_parent_and_ctrl_c_is_quick(tmp_path, number):
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)
    start = str(tmp_path / "pid")
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parent = subprocess.Popen(
        [sys.executable, str(script), start],
        env=dict(os.environ, PYTHONPATH=root),
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    pids = []
    while len(pids) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
        texts = [path.read_text() for path in (tmp_path / "pid0", tmp_path / "pid1") if path.exists()]
        pids = [int(text) for text in texts if text]
    assert len(pids) == 2
    began = time.monotonic()
    os.kill(parent.pid, number)
    parent.communicate(timeout=30)
    while any(map(alive, pids)) and time.monotonic() < began + 20:
        time.sleep(0.02)
    assert not any(map(alive, pids)) and time.monotonic() < began + 10

"""Spawned processes that work off tasks. One that dies loses only its task; all of them die with their parent."""

import contextlib
import os
import queue
import signal
import threading
from concurrent.futures import Executor, Future
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Callable, Iterator, List, NamedTuple, Optional

from ..errors import MinirramError

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""environment variables that a BLAS reads when it is loaded"""


class WorkerDied(MinirramError):
    """A process ended in the middle of a task: it was killed, perhaps for want of memory."""


class _Task(NamedTuple):
    future: "Future[Any]"
    function: Callable[..., Any]
    arguments: Any
    named: Any


class WorkerPool(Executor):
    """`processes` spawned processes with one BLAS thread each, started when they are first needed.

    The future of a task whose process ended holds `WorkerDied`; another process takes its place. Leaving the pool by
    an exception kills the processes, so that Ctrl-C is quick.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._tasks: "queue.SimpleQueue[Optional[_Task]]" = queue.SimpleQueue()
        self._minders: List[threading.Thread] = []
        self._workers: List[_Worker] = []
        self._lock = threading.Lock()
        self._closed = False

    def submit(  # type: ignore[override]  # typeshed names the types of the arguments
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> "Future[Any]":
        """The future of fn(*args, **kwargs), which must be picklable."""
        if self._closed:
            raise RuntimeError("this pool is closed")
        task = _Task(Future(), fn, args, kwargs)
        self._tasks.put(task)
        if len(self._minders) < self.processes:
            minder = threading.Thread(target=self._mind, daemon=True)
            self._minders.append(minder)
            minder.start()
        return task.future

    def _mind(self) -> None:
        """Feed one process after the other with tasks, until the pool is closed."""
        worker: Optional[_Worker] = None
        while True:
            task = self._tasks.get()
            if task is None:
                break
            if not task.future.set_running_or_notify_cancel():
                continue
            try:
                if worker is None:
                    worker = self._started()
                good, answer = worker.answer(task)
            except (EOFError, OSError):
                good, answer = False, WorkerDied("the process of this task ended: killed, perhaps for want of memory")
                worker = None
            except BaseException as error:  # what cannot be pickled
                good, answer = False, error
            if good:
                task.future.set_result(answer)
            else:
                task.future.set_exception(answer)
        if worker is not None:
            worker.end()

    def _started(self) -> "_Worker":
        with self._lock:  # the environment is that of the whole parent
            if self._closed:
                raise EOFError
            worker = _Worker()
            self._workers = [known for known in self._workers if known.process.is_alive()] + [worker]
            return worker

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks. wait: until those submitted have ended."""
        self._closed = True
        if cancel_futures:
            with contextlib.suppress(queue.Empty):
                while True:
                    task = self._tasks.get_nowait()
                    if task is not None:
                        task.future.cancel()
        for _ in self._minders:
            self._tasks.put(None)
        if wait:
            for minder in self._minders:
                minder.join()

    def kill(self) -> None:
        """End all processes now; tasks that wait or run are lost."""
        self.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for worker in self._workers:
                worker.process.kill()
            for worker in self._workers:
                worker.process.join(5)

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            self.shutdown()
        else:
            self.kill()


class _Worker:
    """One process, its tasks and answers on a pipe, and a second pipe that tells it when its parent is gone."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self.tasks, theirs = context.Pipe()
        lifeline, self.lifeline = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(theirs, lifeline), daemon=True)
        with one_blas_thread():
            self.process.start()
        theirs.close()
        lifeline.close()

    def answer(self, task: _Task) -> Any:
        """(True, what the task gives) or (False, what it raises); EOFError, OSError when the process ends before."""
        self.tasks.send(task[1:])
        return self.tasks.recv()

    def end(self) -> None:
        """Let the process end by itself."""
        with contextlib.suppress(OSError):
            self.tasks.close()
        self.process.join()
        self.lifeline.close()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """What is started meanwhile has an environment in which a BLAS takes one thread."""
    before = {name: os.environ.get(name) for name in BLAS_THREADS}
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(tasks: Connection, lifeline: Connection) -> None:
    """What a worker does: tasks until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent says what happens
    threading.Thread(target=_die_with_parent, args=(lifeline,), daemon=True).start()
    while True:
        try:
            function, arguments, named = tasks.recv()
        except EOFError:
            return
        try:
            answer = True, function(*arguments, **named)
        except BaseException as error:
            answer = False, error  # type: ignore[assignment]
        tasks.send(answer)


def _die_with_parent(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)

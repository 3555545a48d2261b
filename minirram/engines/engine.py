"""Which engine items run on: this process, several, a Dask cluster, or any executor."""

import contextlib
import os
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Iterator, Mapping, Optional, Union

import numpy as np

from ..errors import ConfigError
from .pool import WorkerPool
from .running import Running
from .shared import InFile, InMemory, write_shared

Shared = Union[InFile, InMemory]


@dataclass(frozen=True)
class Engine:
    """Where items run; the results do not depend on it."""

    processes: int = 1
    """items at a time; 1: in this process, one after the other"""
    dask: Optional[str] = None
    """address of a scheduler, tcp://..., or the path of its scheduler.json; None: processes of this machine"""
    executor: Optional[Executor] = None
    """any executor, e.g. `mpi4py.futures.MPIPoolExecutor`; its workers read the folder of the results"""

    def __post_init__(self) -> None:
        named = [self.processes != 1, self.dask is not None, self.executor is not None]
        if sum(named) > 1:
            raise ConfigError("one engine at a time: processes, a Dask scheduler, or an executor")
        if self.processes < 1:
            raise ConfigError(f"{self.processes} processes; at least 1")


SERIAL = Engine()
SHARED_FILE = "shared-{}.bin"
"""name of the file of shared arrays, with the number of the process"""


@contextlib.contextmanager
def running(engine: Engine, *, arrays: Optional[Mapping[str, np.ndarray]] = None, folder: str) -> Iterator[Running]:
    """The engine, started; it is ended behind the block, at once when an exception leaves that.

    arrays: what all tasks read; in `folder` they are written once for processes that map them.
    """
    held = {} if arrays is None else dict(arrays)
    if engine.dask is not None:
        from .dask_cluster import dask_running

        with dask_running(engine.dask, held) as started:
            yield started
    elif engine.executor is None and engine.processes == 1:
        yield Running(shared=InMemory(held))
    else:
        with contextlib.ExitStack() as stack:
            shared: Shared = InMemory()
            if held:
                shared = write_shared(os.path.join(folder, SHARED_FILE.format(os.getpid())), held)
                stack.callback(_removed, shared.path)
            if engine.executor is not None:
                yield Running(engine.executor, 64, shared)
            else:
                pool = stack.enter_context(WorkerPool(engine.processes))
                yield Running(pool, engine.processes + 1, shared)


def _removed(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)

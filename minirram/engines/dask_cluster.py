"""A Dask cluster as an engine (extra `cluster`): its scheduler, its workers, the data held once by each of them."""

import contextlib
import os
import time
from typing import Any, Callable, Dict, Iterator

import numpy as np

from .. import __version__
from ..errors import ConfigError, MissingFileError, how_to_install
from ..progress.stages import stage
from .running import RETRIES, Running
from .shared import InMemory

CONNECT_S = 10
"""how long a scheduler is waited for"""
WORKER_S = 300
"""how long the first worker is waited for: an adaptive cluster starts one when there is work"""
ASK_S = 5.0
"""how often the number of workers is asked for"""
AHEAD = 2
"""items per worker that the scheduler holds"""


class DaskRunning(Running):
    """A scheduler that answers; tasks name the shared arrays by the future that scattered them."""

    def __init__(self, client: Any, shared: Any, where: str) -> None:
        super().__init__(client.get_executor(pure=False, retries=RETRIES), shared=shared)
        self.client, self.where, self.link = client, where, client.dashboard_link
        self._ask_for_workers()

    def _ask_for_workers(self) -> None:
        """How much to hand over: an adaptive cluster has workers once there is work."""
        self._asked_s = time.monotonic()
        self.at_once = max(AHEAD * sum(self.client.nthreads().values()), 16)

    def submit(self, function: Callable[..., Any], item: Any) -> Any:
        """The future of function(shared, item)."""
        if time.monotonic() > self._asked_s + ASK_S:
            self._ask_for_workers()
        return super().submit(function, item)

    def check(self) -> None:
        """ConfigError when the scheduler does not answer any more."""
        if self.client.status != "running":
            raise ConfigError(
                f"the scheduler at {self.where} is gone (its client is {self.client.status}); what has ended is "
                "kept, the same command goes on"
            )


@contextlib.contextmanager
def dask_running(where: str, arrays: Dict[str, np.ndarray]) -> Iterator[Running]:
    """The cluster of the scheduler `where`; ConfigError when dask is not installed, or nobody answers there."""
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError(f"--dask needs dask.distributed: {how_to_install('cluster')}") from None
    if "://" not in where and not os.path.isfile(where):
        raise MissingFileError(f"{where}: there is no such scheduler file; --dask takes one, or tcp://HOST:PORT")
    named = {"address": where} if "://" in where else {"scheduler_file": where}
    try:
        client = Client(timeout=CONNECT_S, set_as_default=False, **named)
    except Exception as error:  # of its own code, whatever a file or an address makes it raise
        raise ConfigError(f"no Dask scheduler at {where}: {str(error) or type(error).__name__}") from None
    try:
        _await_worker(client, where)
        _check_versions(client)
        shared = client.scatter(InMemory(arrays), broadcast=True) if arrays else InMemory()
        yield DaskRunning(client, shared, where)
    finally:
        with contextlib.suppress(Exception):  # a scheduler that is gone is no reason to hide what happened
            client.close(timeout=5)


def _await_worker(client: Any, where: str) -> None:
    """Give the cluster a task, which makes an adaptive one grow; ConfigError when no worker takes it."""
    if client.nthreads():
        return
    with stage("waiting for a worker"):
        try:
            client.submit(os.getpid, pure=False).result(timeout=WORKER_S)
        except Exception as error:  # of another class in each version of distributed
            text = str(error) or f"none within {WORKER_S} s"
            raise ConfigError(f"the scheduler at {where} has no worker ({text}); start one: dask worker") from None


def _check_versions(client: Any) -> None:
    """ConfigError when a worker has another version of minirram, or none: its numbers might be others."""
    try:
        found = client.run(_version)
    except ImportError as error:
        raise ConfigError(f"a worker of the cluster cannot import minirram ({error}); install it there") from None
    for worker, version in sorted(found.items()):
        if version != __version__:
            raise ConfigError(f"worker {worker} has minirram {version}; this is {__version__}")


def _version() -> str:
    return __version__

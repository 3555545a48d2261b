"""An engine that was started, and how items are run on it: results come as they end."""

import queue
from concurrent.futures import Executor, Future
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Tuple, TypeVar

from ..errors import ConfigError
from .pool import WorkerDied

RETRIES = 2
"""how often an item is run again after its process ended"""
LOOK_S = 1.0
"""how often the health of the engine is looked at while nothing ends"""

Item = TypeVar("Item")


class Running:
    """An engine that was started. `shared` is what tasks are given to read: arrays, by memory map or by value."""

    at_once: int = 1
    """items that are handed over before the first has ended"""
    link: Optional[str] = None
    """address of a dashboard; None: there is none"""

    def __init__(self, executor: Optional[Executor] = None, at_once: int = 1, shared: Any = None) -> None:
        self.executor, self.at_once, self.shared = executor, at_once, shared

    def submit(self, function: Callable[..., Any], item: Any) -> "Future[Any]":
        """The future of function(shared, item)."""
        if self.executor is not None:
            return self.executor.submit(function, self.shared, item)
        future: "Future[Any]" = Future()
        try:
            future.set_result(function(self.shared, item))
        except Exception as error:
            future.set_exception(error)
        return future

    def check(self) -> None:
        """ConfigError when the engine is gone."""


def completed(
    engine: Running, function: Callable[[Any, Item], Any], items: Iterable[Item]
) -> Iterator[Tuple[Item, Any, Optional[Exception]]]:
    """(item, function(shared, item), None) of each item as it ends, or (item, None, what it raised).

    An item whose process ended is run again, RETRIES times. Not more items are begun than keep the workers busy.
    """
    ended: "queue.SimpleQueue[Future[Any]]" = queue.SimpleQueue()
    waiting: Dict["Future[Any]", Tuple[Item, int]] = {}

    def begin(item: Item, tries: int) -> None:
        future = engine.submit(function, item)
        waiting[future] = item, tries
        future.add_done_callback(ended.put)

    for item in items:
        begin(item, 0)
        while len(waiting) >= engine.at_once:
            yield from _next(engine, ended, waiting, begin)
    while waiting:
        yield from _next(engine, ended, waiting, begin)


def _next(
    engine: Running,
    ended: "queue.SimpleQueue[Future[Any]]",
    waiting: "Dict[Future[Any], Tuple[Any, int]]",
    begin: Callable[[Any, int], None],
) -> Iterator[Tuple[Any, Any, Optional[Exception]]]:
    """The next item that ended; none when it is run again."""
    while True:
        try:
            future = ended.get(timeout=LOOK_S)
            break
        except queue.Empty:
            engine.check()
    item, tries = waiting.pop(future)
    if future.cancelled():
        engine.check()
        raise ConfigError("the engine gave an item back without a result; the same command goes on")
    error = future.exception()
    if isinstance(error, WorkerDied) and tries < RETRIES:
        begin(item, tries + 1)
    elif error is None:
        yield item, future.result(), None
    elif isinstance(error, Exception):
        yield item, None, error
    else:
        raise error

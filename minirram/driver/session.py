"""A bench in use: calls queue and run one after the other, with a time-out and a log; it always ends idle."""

import io
import json
import queue
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from types import TracebackType
from typing import Any, Dict, Optional, TextIO, Tuple, Type

import numpy as np

from ..device.pulses import PulseRecipe
from ..errors import BenchError, ConfigError, MinirramError
from ..files import open_to_append
from .protocol import Capabilities, Driver, Pulsed, Verify, check_call, check_recipe

DEFAULT_TIMEOUT_S = 60.0
MOST_TIMEOUT_S = 4e6
"""what threads of all systems can wait for"""
MOST_S = 0.1
"""no cell conducts so much, either sign: a read that says so is in another unit than siemens; offsets may be below 0"""


class Session:
    """`driver` with a queue: itself a `Driver`, for use in a `with` statement.

    Calls from any thread run in the order in which they were made; `submit` does not wait for its call. A call that
    takes longer than `timeout_s` raises BenchError, and so do all after it: nobody knows what the bench does.
    log: path of a file that gets one JSON object a line per call: `at_s` since the start, `call`, `macro`, `cells`,
    `pulses`, `failed`, `seconds`, `error`. On the way out, with an error or Ctrl-C too, the queue is dropped, the call
    that runs may end, and the bench goes to safe idle.
    """

    def __init__(self, driver: Driver, *, timeout_s: float = DEFAULT_TIMEOUT_S, log: Optional[str] = None) -> None:
        if not 0 < timeout_s <= MOST_TIMEOUT_S:
            raise ConfigError(
                f"the time-out of a call is {timeout_s} s; it must be above 0, at most {MOST_TIMEOUT_S:g}"
            )
        self.driver = driver
        self.timeout_s = timeout_s
        self._capabilities = _capabilities_of(driver)
        self._left: Optional[str] = None  # what went wrong on the way out
        self.broken: Optional[str] = None
        self._started = time.perf_counter()
        self._log: Optional[TextIO] = None
        if log is not None:
            self.log_to(log)
        self._queue: "queue.Queue[Optional[Job]]" = queue.Queue()
        self._worker = threading.Thread(target=self._work, name="bench", daemon=True)
        self._worker.start()

    def log_to(self, path: str) -> None:
        """Append the calls from now on to the file `path`."""
        if self._log is not None:
            self._log.close()
        self._log = io.TextIOWrapper(open_to_append(path), encoding="utf-8")

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()
        if kind is None and self._left is not None:
            raise BenchError(self._left)

    @property
    def capabilities(self) -> Capabilities:
        """Those of the driver."""
        return self._capabilities

    def submit(self, call: str, *arguments: Any, **options: Any) -> "Future[Any]":
        """Queue a call of the driver: its Future."""
        if self.broken is not None:
            raise BenchError(self.broken)
        future: "Future[Any]" = Future()
        self._queue.put((future, call, arguments, options))
        return future

    def _call(self, call: str, *arguments: Any, **options: Any) -> Any:
        future = self.submit(call, *arguments, **options)
        try:
            return future.result(self.timeout_s)
        except FutureTimeout:
            future.cancel()
            self.broken = (
                f"{self.capabilities.name}: {call} took longer than {self.timeout_s:g} s; the bench is left alone"
            )
            raise BenchError(self.broken) from None

    def _work(self) -> None:
        """What the bench's thread does: one call after the other, until a None."""
        for future, *job in iter(self._queue.get, None):
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._run(*job))
            except BaseException as error:  # it belongs to whoever waits for the call
                future.set_exception(error)

    def _run(self, call: str, arguments: Any, options: Dict[str, Any]) -> Any:
        if self.broken is not None:
            raise BenchError(self.broken)
        entry: Dict[str, Any] = {"at_s": round(time.perf_counter() - self._started, 6), "call": call}
        if arguments and isinstance(arguments[0], (int, np.integer)):
            entry["macro"] = int(arguments[0])
        if len(arguments) > 1 and isinstance(arguments[1], np.ndarray):
            entry["cells"] = int(np.count_nonzero(arguments[1]))
        started = time.perf_counter()
        try:
            result = getattr(self.driver, call)(*arguments, **options)
            if call in ("form", "set", "reset"):
                result = _pulsed(result, *arguments[1:3], verified=options.get("verify") is not None)
                entry.update(pulses=int(result.pulses.sum()), failed=int(np.count_nonzero(result.failed)))
            return result
        except (MinirramError, KeyboardInterrupt) as error:
            entry["error"] = str(error)
            raise
        except BaseException as error:  # of the bench's own code, whatever it raises
            entry["error"] = f"{type(error).__name__}: {error}"
            raise BenchError(f"{self.capabilities.name}: {call} failed: {entry['error']}") from error
        finally:
            entry["seconds"] = round(time.perf_counter() - started, 6)
            self._write(entry)

    def _write(self, entry: Dict[str, Any]) -> None:
        if self._log is not None:
            self._log.write(json.dumps(entry) + "\n")
            self._log.flush()

    def form(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """As `Driver.form`."""
        return self._pulse("form", macro, mask, recipe, verify)

    def set(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """As `Driver.set`."""
        return self._pulse("set", macro, mask, recipe, verify)

    def reset(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """As `Driver.reset`."""
        return self._pulse("reset", macro, mask, recipe, verify)

    def _pulse(self, call: str, macro: int, mask: np.ndarray, recipe: PulseRecipe, verify: Optional[Verify]) -> Pulsed:
        mask = check_call(self.capabilities, macro, mask)
        check_recipe(self.capabilities, recipe)
        done: Pulsed = self._call(call, macro, mask, recipe, verify=verify)
        return done

    def read(self, macro: int, mask: np.ndarray, recipe: Optional[PulseRecipe] = None) -> np.ndarray:
        """As `Driver.read`: NaN outside the mask, and where the bench has no value."""
        mask = check_call(self.capabilities, macro, mask)
        found = self._call("read", macro, mask, recipe)
        try:
            read_S = np.asarray(found, np.float64 if not np.iscomplexobj(found) else None)
        except (TypeError, ValueError):
            read_S = np.array(None)
        if read_S.dtype != np.float64 or read_S.shape != mask.shape:
            raise BenchError(
                f"{self.capabilities.name}: a read is {read_S.dtype} of shape {read_S.shape}, expected real numbers of "
                f"shape {mask.shape}"
            )
        read_S = np.where(mask & np.isfinite(read_S), read_S, np.nan)
        for row, col in np.argwhere(np.abs(read_S) >= MOST_S)[:1]:  # infinite: out of the meter's range, no value
            raise BenchError(
                f"{self.capabilities.name}: macro {macro} row {row} col {col} reads {read_S[row, col]:g} S; reads are "
                "in siemens, NaN where there is none"
            )
        return read_S

    def multiply(self, macro: int, codes: np.ndarray) -> np.ndarray:
        """As `Driver.multiply`."""
        if not self.capabilities.multiplies:
            raise BenchError(f"{self.capabilities.name} does not multiply")
        return self._call("multiply", macro, codes)

    def known_bad(self, macro: int) -> np.ndarray:
        """Cells that the bench knows to answer to no pulse: bool (rows, cols); none where it says nothing."""
        if not hasattr(self.driver, "known_bad"):
            return np.zeros(self.capabilities.shape, bool)
        return np.asarray(self._call("known_bad", macro))

    def safe_idle(self) -> None:
        """All lines to ground, behind what is queued."""
        self._call("safe_idle")

    def close(self) -> None:
        """Drop the queue, let the running call end, go to safe idle, close the driver and the log.

        Each step has the time-out of a call: a bench that hangs does not hold the caller.
        """
        while not self._queue.empty():
            job = self._queue.get_nowait()
            if job is not None:
                job[0].cancel()
        self._queue.put(None)
        self._worker.join(self.timeout_s)
        last = threading.Thread(target=self._leave, name="bench leaves", daemon=True)
        last.start()
        last.join(self.timeout_s)

    def _leave(self) -> None:
        try:
            try:
                self.driver.safe_idle()
            finally:
                self.driver.close()
        except BaseException as error:  # told by whoever leaves: this is a thread of its own
            self._left = (
                f"{self.capabilities.name}: safe idle failed, lines may be driven: {type(error).__name__}: {error}"
            )
        finally:
            if self._log is not None:
                self._write({"at_s": round(time.perf_counter() - self._started, 6), "call": "close"})
                self._log.close()
                self._log = None


def _capabilities_of(driver: Driver) -> Capabilities:
    """What a driver says of itself; BenchError or ConfigError when it says nothing of use."""
    name = type(driver).__name__
    try:
        found = driver.capabilities
    except MinirramError:
        raise
    except Exception as error:
        raise BenchError(f"{name}: capabilities failed: {type(error).__name__}: {error}") from error
    if not isinstance(found, Capabilities):
        raise ConfigError(
            f"{name}: capabilities are {type(found).__name__}, expected minirram.driver.protocol.Capabilities"
        )
    return found


def _pulsed(found: Any, mask: np.ndarray, recipe: PulseRecipe, *, verified: bool) -> Pulsed:
    """What a bench says of its pulses; ValueError for what cannot be."""
    if not isinstance(found, tuple) or len(found) != 2:
        raise ValueError("it returns no pair of pulses and failures")
    pulses, failed = np.asarray(found[0]), np.asarray(found[1])
    if pulses.shape != mask.shape or failed.shape != mask.shape:
        raise ValueError(f"it gives maps of shape {pulses.shape} and {failed.shape}, expected {mask.shape}")
    if pulses.dtype.kind not in "iu" or failed.dtype != bool:
        raise ValueError(
            f"it counts pulses in {pulses.dtype} and failures in {failed.dtype}, expected integers and bool"
        )
    if (pulses < 0).any() or (pulses > recipe.max_pulses).any():
        raise ValueError(
            f"it counts {pulses.min()} to {pulses.max()} pulses of a cell, the recipe gives at most {recipe.max_pulses}"
        )
    outside = int(np.count_nonzero((pulses > 0) & ~mask))
    if outside or (failed & ~mask).any():
        raise ValueError(f"it pulsed {outside} cells that were not asked for, or says that such cells failed")
    missing = 0 if verified else int(np.count_nonzero(mask & (pulses == 0)))
    if missing:
        raise ValueError(f"it gave no pulse to {missing} of {np.count_nonzero(mask)} cells")
    return Pulsed(pulses.astype(np.uint32), failed)


Job = Tuple["Future[Any]", str, Any, Dict[str, Any]]
"""a queued call: where its result goes, its name, its arguments"""

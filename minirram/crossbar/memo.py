"""Results that are kept as long as the state that they were made of has not changed."""

from typing import Callable, Dict, Hashable, Tuple, TypeVar

Value = TypeVar("Value")


class Memo:
    """Results by key, all of one state. A stamp names the state; with another stamp nothing of before is left."""

    def __init__(self) -> None:
        self._kept: Tuple[Hashable, Dict] = (None, {})

    def get(self, stamp: Hashable, key: Hashable, *, make: Callable[[], Value]) -> Value:
        """The result for `key` in the state `stamp`: from `make`, unless it was made in the same state before.

        Threads may ask at a time; two that ask for one key may both make it.
        """
        known, results = self._kept
        if known != stamp:
            results = {}
            self._kept = stamp, results
        if key not in results:
            results[key] = make()
        return results[key]

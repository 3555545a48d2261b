"""Data sets that this process holds: many runs then read or draw them once, and encode them once per network."""

from typing import Any, Dict, Hashable, Mapping, Optional, Tuple

import numpy as np

from ..nn.network import Network
from .datasets import Dataset, Layout, dataset
from .examinations import Examination, examination
from .training_data import TrainingData, training_data

KEPT = 3
"""encodings that are kept, the latest ones"""
_HELD: Dict[Tuple[str, str], "Held"] = {}


class Held:
    """The parts of one data set, part -> `Dataset`, and what they became for the last networks."""

    def __init__(self, parts: Mapping[str, Dataset]) -> None:
        self.parts = dict(parts)
        self._encoded: Dict[Hashable, Any] = {}

    @property
    def holds_test(self) -> bool:
        """Whether the test part was given."""
        return "test" in self.parts

    def training(self, layout: Layout, network: Network) -> TrainingData:
        """What a learner of `network` is given."""
        key = "training", layout, network
        if key not in self._encoded:
            validation = self.parts["validation"]
            self._keep(key, training_data(layout, self.parts["train"], validation=validation, network=network))
        return self._encoded[key]

    def test(self, layout: Layout, network: Network) -> Examination:
        """The test part as an examination."""
        key = "test", layout, network
        if key not in self._encoded:
            self._keep(key, examination(layout, self.parts["test"], network=network))
        return self._encoded[key]

    def _keep(self, key: Hashable, value: Any) -> None:
        if len(self._encoded) == KEPT:
            self._encoded.pop(next(iter(self._encoded)))
        self._encoded[key] = value


def hold(source: str, layout: Layout, parts: Mapping[str, Mapping[str, np.ndarray]], *, origin: str) -> None:
    """Let this process take a data set from `parts` instead of `source`.

    parts: "train", "validation" and, where it is opened, "test" -> arrays as in its file; they were checked.
    """
    found = {part: dataset(layout, arrays, origin=origin) for part, arrays in parts.items()}
    _HELD[source, layout.data_set] = Held(found)


def held(source: str, layout: Layout) -> Optional[Held]:
    """What this process holds of a data set; None: it is read or drawn."""
    return _HELD.get((source, layout.data_set))


def let_go() -> None:
    """Hold nothing any more."""
    _HELD.clear()

"""A task: the network, what its data look like, and the recipes by which it is learned."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from ..errors import ConfigError, DataError, did_you_mean
from ..json_codec import built, plain
from ..learn.recipe import Recipe
from ..nn.layers.base import Layer, layer_from_json
from ..nn.network import Network
from ..rng import stream
from .datasets import Dataset, Layout, check, dataset, hold_back

_DRAWN = "synthetic, drawn by code"


@dataclass(frozen=True)
class Drawing:
    """Data drawn by code, for use without a file."""

    draw: Callable[[np.random.Generator, int], Dict[str, np.ndarray]]
    """(generator, n) -> {"inputs", "labels" and, for pixel labels, "region": array of n}"""
    training: int
    """items drawn for training; their last twelfth is validation"""
    test: int
    """items drawn for the test set"""


@dataclass(frozen=True)
class Task:
    """What is learned, from what, and how. All but `drawn` is data."""

    name: str
    """what the command line calls it"""
    network: Network
    """what is learned"""
    layout: Layout
    """what its data look like and how inputs become codes"""
    recipes: Dict[str, Recipe]
    """how its masks are learned: "full", and by custom "quick" for a few minutes"""
    drawn: Optional[Drawing] = None
    """its built-in data; None: there are none"""

    def __post_init__(self) -> None:
        if not self.name or not self.recipes:
            raise ConfigError(f"task {self.name!r} needs a name and at least one recipe")

    def recipe(self, name: str) -> Recipe:
        """The recipe of that name; ConfigError lists the names when there is none."""
        if name not in self.recipes:
            close = did_you_mean(name, self.recipes)
            raise ConfigError(
                f"task {self.name} has no recipe {name!r}{close}; choose one of {', '.join(self.recipes)}"
            )
        return self.recipes[name]

    def to_json(self) -> Dict[str, Any]:
        """A JSON-ready dict of all but `drawn`; `from_json` reads it. `task_file` has the JSON that people write."""
        return {name: plain(getattr(self, name)) for name in ("name", "network", "layout", "recipes")}

    @classmethod
    def from_json(cls, value: Any) -> "Task":
        """The task that `to_json` wrote; DataError says what is wrong at which place."""
        if isinstance(value, dict) and "drawn" in value:
            raise DataError("drawn is no data: a task that draws its own is a .py file")
        return built(cls, value, readers={Layer: layer_from_json})

    def draw_training(self) -> Tuple[Dataset, Dataset]:
        """The built-in training and validation parts. The set is fixed: it depends on its name and the part alone."""
        training, validation = hold_back(self._draw("train", self._drawing().training))
        return dataset(self.layout, training, origin=_DRAWN), dataset(self.layout, validation, origin=_DRAWN)

    def draw_test(self) -> Dataset:
        """The built-in test part."""
        return dataset(self.layout, self._draw("test", self._drawing().test), origin=_DRAWN)

    def _drawing(self) -> Drawing:
        if self.drawn is None:
            raise ConfigError(f"task {self.name} has no built-in data; name the folder of {self.layout.data_set}.npz")
        return self.drawn

    def _draw(self, part: str, n: int) -> Dict[str, np.ndarray]:
        arrays = self._drawing().draw(stream(0, "synthetic", self.layout.data_set, part), n)
        check(self.layout, arrays, where=f"task {self.name}, drawn {part}")
        return arrays

"""A network on plain arrays, layer by layer: no chip, no engine, any dtype."""

from typing import Any, Callable, Dict

import numpy as np

from .layers.base import Parameters
from .network import Network

Arrays = Dict[str, np.ndarray]


def _ignored(name: str, values: np.ndarray) -> None:
    pass


def plain_forward(
    network: Network,
    weights: Arrays,
    *,
    state: Arrays,
    x: np.ndarray,
    saw: Callable[[str, np.ndarray], None] = _ignored,
) -> np.ndarray:
    """The output of the last layer for values x (n, height, width, channels), with the statistics of `state`.

    Quantisers with range 0 leave values as they are. saw: is told a quantiser's name and the values that it gets, as
    magnitudes that belong to its range; it may set the range before the quantiser rounds.
    """
    parameters = Parameters(weights, state, saw=saw)
    sources = set(network.sources)
    earlier: Arrays = {}
    value: Any = x
    for layer in network.layers:
        value, _ = layer.forward((value,) + tuple(earlier[name] for name in layer.others), parameters)
        if layer.name in sources:
            earlier[layer.name] = value
    return value

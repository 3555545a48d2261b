"""The gradient of a network's loss with the statistics and ranges of its state: what a small error of a weight does.

Layer by layer on plain arrays, as `forward`. Training goes another way: there statistics are those of the batch.
"""

from dataclasses import replace
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from .layers.base import Parameters
from .loss import softmax_cross_entropy
from .network import Network

Arrays = Dict[str, np.ndarray]


def frozen_gradients(
    network: Network,
    weights: Arrays,
    *,
    state: Arrays,
    x: np.ndarray,
    labels: np.ndarray,
    weight: Optional[np.ndarray] = None,
) -> Tuple[float, Arrays]:
    """(loss, {matrix: d loss / d weight (fan_in, fan_out)}) for values x (n, height, width, channels).

    The loss is the sum of the samples' cross-entropies, or of the pixels'. labels, weight: as of
    `softmax_cross_entropy`. Quantisers pass the gradient straight through where they do not clip.
    """
    frozen = Parameters(weights, state)
    going_back = replace(frozen, training=True)
    sources = set(network.sources)
    earlier: Arrays = {}
    kept: List[Any] = []
    value: Any = x
    for layer in network.layers:
        inputs = (value,) + tuple(earlier[name] for name in layer.others)
        value, own = layer.forward(inputs, frozen if layer.whole_batch else going_back)
        kept.append(own)
        if layer.name in sources:
            earlier[layer.name] = value
    loss, _, dy = softmax_cross_entropy(value, labels, weight=weight, total=1.0)
    return loss, _backward(network, dy, kept)


def _backward(network: Network, dy: np.ndarray, kept: List[Any]) -> Arrays:
    """Gradients of the matrices; joins send theirs to the earlier layers that they name."""
    gradients: Arrays = {}
    joined: Dict[str, Any] = {}
    for layer, own in zip(reversed(network.layers), reversed(kept)):
        (dy, *dothers), found = layer.backward(dy + joined.pop(layer.name, 0), own)
        gradients.update((name, found[name]) for name, _ in layer.matrices())
        for name, dother in zip(layer.others, dothers):
            joined[name] = joined.get(name, 0) + dother
    return gradients

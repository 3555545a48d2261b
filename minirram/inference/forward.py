"""A trained network on simulated macros: bit-serial codes, read noise, ADC, shift and add, then the digital layers."""

from collections import Counter
from typing import Callable, Dict, Iterator, Optional, Tuple
from typing import Counter as CounterOf

import numpy as np

from ..nn.layers.base import Inference, Layer, Product, Signal
from ..nn.network import Network, matrices

CHUNK = 500
"""samples that pass through the network together; results do not depend on it"""


def forward(
    network: Network,
    state: Dict[str, np.ndarray],
    *,
    codes: np.ndarray,
    product: Product,
    clipped: Optional[CounterOf[str]] = None,
) -> np.ndarray:
    """The network's output for input codes: float32 (n, classes) or (n, height, width, classes).

    codes: uint8 (n, height, width, channels). product: a callable (name, codes (m, fan_in), zero_point) -> float32
    (m, fan_out) such as `ChipProduct`. clipped: optional Counter that takes, per quantiser, the activations out of
    its range.
    """
    signal = Signal(codes, network.input_step, network.input_zero)
    for _, _, given in signals(network, state, codes=codes, product=product, clipped=clipped):
        signal = given
    return signal.floats()


def signals(
    network: Network,
    state: Dict[str, np.ndarray],
    *,
    codes: np.ndarray,
    product: Product,
    clipped: Optional[CounterOf[str]] = None,
) -> Iterator[Tuple[Layer, Signal, Signal]]:
    """(layer, what it takes, what it gives) of each layer of `forward` in turn; it takes others' beside that."""
    inference = Inference(product, state, Counter() if clipped is None else clipped)
    signal = Signal(codes, network.input_step, network.input_zero)
    sources = set(network.sources)
    earlier: Dict[str, Signal] = {}
    for layer in network.layers:
        taken = signal
        signal = layer.on_codes((taken,) + tuple(earlier[name] for name in layer.others), inference)
        if layer.name in sources:
            earlier[layer.name] = signal
        yield layer, taken, signal


def predict(
    network: Network,
    state: Dict[str, np.ndarray],
    *,
    codes: np.ndarray,
    product: Product,
    clipped: Optional[CounterOf[str]] = None,
    chunk: int = CHUNK,
    on_share: Optional[Callable[[float], None]] = None,
) -> np.ndarray:
    """`forward` in chunks of samples: the same output with little memory.

    on_share: called with the share of the codes, 0..1, that is new through a layer with matrices, over all of them.
    """
    parts = []
    for k in range(0, len(codes), chunk):
        some, told = codes[k : k + chunk], product
        if on_share is not None:
            told = _telling(product, on_share, len(some) / len(codes) / len(tuple(matrices(network))))
        parts.append(forward(network, state, codes=some, product=told, clipped=clipped))
    return np.concatenate(parts)


def _telling(product: Product, on_share: Callable[[float], None], share: float) -> Product:
    """`product`, which tells a share when it has first multiplied with a matrix."""
    known = set()

    def told(name: str, codes: np.ndarray, zero_point: int = 0) -> np.ndarray:
        found = product(name, codes, zero_point=zero_point)
        if name not in known:
            known.add(name)
            on_share(share)
        return found

    return told

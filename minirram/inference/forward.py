"""A trained network on simulated macros: bit-serial codes, read noise, ADC, shift and add, then the digital layers."""

from collections import Counter
from typing import Counter as CounterOf
from typing import Dict, Optional

import numpy as np

from ..nn.layers.base import Inference, Product, Signal
from ..nn.network import Network

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
    inference = Inference(product, state, Counter() if clipped is None else clipped)
    signal = Signal(codes, network.input_step, network.input_zero)
    sources = set(network.sources)
    earlier: Dict[str, Signal] = {}
    for layer in network.layers:
        signal = layer.on_codes((signal,) + tuple(earlier[name] for name in layer.others), inference)
        if layer.name in sources:
            earlier[layer.name] = signal
    return signal.floats()


def predict(
    network: Network,
    state: Dict[str, np.ndarray],
    *,
    codes: np.ndarray,
    product: Product,
    clipped: Optional[CounterOf[str]] = None,
    chunk: int = CHUNK,
) -> np.ndarray:
    """`forward` in chunks of samples: the same output with little memory."""
    parts = [
        forward(network, state, codes=codes[k : k + chunk], product=product, clipped=clipped)
        for k in range(0, len(codes), chunk)
    ]
    return np.concatenate(parts)

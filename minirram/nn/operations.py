"""Digital operations and memory traffic of a network's layers, per sample."""

from collections import Counter
from dataclasses import replace
from typing import Dict, Mapping

from .layers.base import FREE, DigitalEvents, n_values
from .network import Network, matrix_codes, walk

FLOAT_BITS = 16
"""bits of an activation that waits for a later layer (assumed: a 16-bit float, the typical digital arithmetic)"""


def digital_events(network: Network) -> Dict[str, DigitalEvents]:
    """dict layer name -> `DigitalEvents` of a `networks.Network`, as `digital.json` lays the arithmetic out.

    A layer says what its own arithmetic is (`Layer.operations`). Beside it: the input codes are written once; where the
    codes of a matrix have a zero point, it is taken back by an addition per output; what a later layer joins waits in
    the buffer at FLOAT_BITS.
    """
    joins, codes = Counter(network.sources), matrix_codes(network)
    events = {"input": DigitalEvents(bits_written=n_values(network.input_shape) * network.input_bits)}
    for layer, inputs, output in walk(network):
        found, n = layer.operations(inputs, output), n_values(output)
        signed = sum(codes[name].zero_point > 0 for name, _ in layer.matrices())
        if signed:
            found = replace(found, adds=found.adds + signed * n)
        if layer.name in joins:
            found = replace(found, bits_kept=joins[layer.name] * n * FLOAT_BITS)
        if layer.others:
            found = replace(found, bits_taken=sum(map(n_values, inputs[1:])) * FLOAT_BITS)
        if found != FREE:
            events[layer.name] = found
    return events


def buffer_bits(digital: Mapping[str, DigitalEvents]) -> float:
    """Bits that the buffer must hold at a time: the codes that a layer reads and those it writes, and what is kept
    for later layers meanwhile. digital: dict layer -> `DigitalEvents`, in order.
    """
    most = codes = kept = 0.0
    for entry in digital.values():
        kept += entry.bits_kept
        most = max(most, codes + entry.bits_written + kept)
        codes = entry.bits_written or codes
        kept -= entry.bits_taken
    return most

"""Digital operations and memory traffic of a network's layers, per sample."""

from dataclasses import replace
from typing import Dict, Mapping

from .layers.base import FREE, DigitalEvents, n_values
from .network import Network, matrix_codes, walk

FLOAT_BITS = 16
"""bits of an activation that waits for a later layer (assumed: a 16-bit float, the typical digital arithmetic)"""


def digital_events(network: Network) -> Dict[str, DigitalEvents]:
    """dict layer name -> `DigitalEvents` of a `networks.Network`, as `digital.json` lays the arithmetic out.

    A layer says what its own arithmetic is (`Layer.operations`). Beside it: the input codes are written once; where the
    codes of a matrix have a zero point, it is taken back by an addition per sum; what later layers join waits in the
    buffer at FLOAT_BITS until the last of them has taken it.
    """
    codes = matrix_codes(network)
    last_join = {name: layer.name for layer in network.layers for name in layer.others}
    events = {"input": DigitalEvents(bits_written=n_values(network.input_shape) * network.input_bits)}
    bits = {step.layer.name: n_values(step.output) * FLOAT_BITS for step in walk(network)}
    for layer, inputs, output in walk(network):
        found = layer.operations(inputs, output)
        sums = sum(cols for name, (_, cols) in layer.matrices() if codes[name].zero_point)
        found = replace(
            found,
            adds=found.adds + layer.positions(output) * sums,
            bits_kept=bits[layer.name] if layer.name in last_join else 0.0,
            bits_taken=sum(bits[name] for name in layer.others),
            bits_freed=sum(bits[name] for name in set(layer.others) if last_join[name] == layer.name),
        )
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
        kept -= entry.bits_freed
    return most

"""Run folders of format 1: their fields under the names of format 2. There the order of numbers carried meaning."""

import json
from typing import Any, Callable, Dict, Mapping

import numpy as np

from ..errors import DataError
from ..files import json_of

Arrays = Dict[str, np.ndarray]

_TILE = ("matrix", "row_start", "col_start", "n_rows", "n_pairs", "macro", "row0", "pair0")
_MACRO_COUNTERS = ("seed", "index", "operations", "clipped", "pulses/form", "pulses/set", "pulses/reset", "pulses/tune")
_CHIP_PULSES = ("form", "partner_reset", "set", "reset", "probe_reset", "probe_set")
_HALF = ("has_uint32", "uinteger")


_LAYERS = {"MeanSteps": "GlobalAverage"}  # classes of layers that have another name now


def named_config(value: Mapping[str, Any]) -> Dict[str, Any]:
    """`config.json`: the layers of the network under their present names."""
    network = value.get("network")
    if not isinstance(network, dict) or not isinstance(network.get("layers"), list):
        return dict(value)
    layers = [
        dict(layer, type=_LAYERS[layer["type"]]) if isinstance(layer, dict) and layer.get("type") in _LAYERS else layer
        for layer in network["layers"]
    ]
    return dict(value, network=dict(network, layers=layers))


def named_model(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """`model.npz`: the placement's tiles and matrices with the names of their numbers."""
    try:
        placement = json_of(str(arrays["placement"]))
        if "shapes" not in placement:
            return dict(arrays)
        named = {name: placement[name] for name in ("macro_rows", "macro_pairs")}
        named["matrices"] = [
            {"name": name, "fan_in": fan_in, "fan_out": fan_out} for name, (fan_in, fan_out) in placement["shapes"]
        ]
        named["tiles"] = [dict(zip(_TILE, tile)) for tile in placement["tiles"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"placement: {error}") from None
    return dict(arrays, placement=np.array(json.dumps(named)))


def named_counts(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """`chip.npz` and `checkpoint.npz`: counts of pulses and draws, and states of generators, one name per number."""
    found = dict(arrays)
    for name, array in arrays.items():
        owner, last = name.rpartition("/")[::2]
        start = owner + "/" if owner else ""
        if last == "counters":
            found.update({start + kind: count for kind, count in zip(_MACRO_COUNTERS, array)})
        elif last == "pulses":
            counts = dict(dict.fromkeys(_CHIP_PULSES, np.int64(0)), **dict(zip(_CHIP_PULSES, array)))
            found.update({f"{name}/{kind}": count for kind, count in counts.items()})
        elif last == "half":
            found.update({start + kind: word for kind, word in zip(_HALF, found.pop(name))})
    return found


NAMED: Mapping[str, Callable[[Mapping[str, np.ndarray]], Arrays]] = {
    "model.npz": named_model,
    "chip.npz": named_counts,
    "checkpoint.npz": named_counts,
}
"""file of format 1 -> what gives its arrays the names of format 2; what has them already stays as it is"""

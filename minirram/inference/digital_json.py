"""The digital side of inference as a JSON-ready description: what export/SPEC.md, part 2, specifies.

With it and the macros' integer outputs a controller needs no Python: sums -> activations -> batch norm -> codes.
"""

from dataclasses import fields
from typing import Any, Dict, Optional

import numpy as np

from ..chip.chip import Chip
from ..chip.placement import Placement
from ..crossbar.wires import Wires
from ..nn.layers.base import Layer, Shape
from ..nn.network import Network, input_bits, output_shapes
from .compensation import Probe
from .model import Model

FORMAT = 1
"""version of `digital.json`"""


def describe(network: Network, model: Model, *, chip: Chip, wires: Optional[Wires] = None) -> Dict[str, Any]:
    """The description of a trained network (`Model`) on a chip: a dict of numbers, text and lists.

    wires: `Wires` behind which the chip is read; the column sums are those of its products.
    """
    bits, shapes, placement = input_bits(network), output_shapes(network), chip.physical_placement()
    return {
        "format": FORMAT,
        "network": network.name,
        **({"readback_sha256": model.readback_sha256} if model.readback_sha256 else {}),
        "input": {
            "shape": list(network.input_shape),
            "bits": network.input_bits,
            "step": network.input_step,
            "zero_point": network.input_zero,
        },
        "matrices": [_matrix(name, model, chip, placement, bits[name], wires) for name in placement.names],
        "layers": [_layer(layer, model.state, shapes[layer.name]) for layer in network.layers],
    }


def _matrix(
    name: str, model: Model, chip: Chip, placement: Placement, bits: int, wires: Optional[Wires]
) -> Dict[str, Any]:
    """One matrix: weighted sum = total * weight_per_lsb, total = the integers of its tiles after shift and add.

    placement: by physical numbers, as in the program file.
    """
    adc, shape, factor = model.adcs[name], placement.shape(name), model.factors.get(name, 1.0)
    return {
        "name": name,
        "fan_in": shape[0],
        "fan_out": shape[1],
        "input_bits": bits,
        "weight_per_lsb": float(adc.tile_lsb) * chip.cell_model.grid_S / model.scales_S[name] * factor,
        "column_sums_lsb": [float(value) for value in chip.column_sums_lsb(name, adc, wires=wires)],
        **({"drift": _drift(model.probes[name], factor)} if name in model.probes else {}),
        "adc": {
            "bits": adc.bits,
            "arrangement": adc.arrangement,
            "lsb_A": float(adc.tile_lsb) * chip.cell_model.grid_S * chip.cell_model.read_voltage_V,
            "lsb_nS": float(adc.tile_lsb) * (chip.cell_model.grid_S * 1e9),
            "shift": adc.shift,
        },
        "tiles": [
            {
                "tile": number,
                "macro": tile.macro,
                "row0": tile.row0,
                "col0": 2 * tile.pair0,
                "rows": tile.n_rows,
                "pairs": tile.n_pairs,
                "matrix_row": tile.row_start,
                "matrix_col": tile.col_start,
            }
            for number, tile in enumerate(placement.tiles)
            if tile.matrix == name
        ],
    }


def _drift(probe: Probe, factor: float) -> Dict[str, Any]:
    """Probe vectors as hexadecimal text, what the chip made of them when it was programmed, and the factor since."""
    return {
        "factor": factor,
        "probes": [bytes(vector).hex() for vector in probe.codes],
        "response_lsb": probe.response_lsb.tolist(),
    }


def _layer(layer: Layer, state: Dict[str, np.ndarray], shape: Shape) -> Dict[str, Any]:
    """One layer: its type, its parameters, and what calibration or training left in it."""
    entry: Dict[str, Any] = {"type": type(layer).__name__, "name": layer.name, "output_shape": list(shape)}
    for field in fields(layer):
        value = getattr(layer, field.name)
        entry[field.name] = list(value) if isinstance(value, tuple) else value
    entry.update(layer.digital(state))
    return entry

"""From calibration inputs: ranges of quantisers, ranges of ADCs, and probe vectors."""

from dataclasses import replace
from typing import Dict, Mapping, Optional

import numpy as np

from ..chip.chip import Chip
from ..chip.placement import Tile
from ..crossbar.conditions import Conditions
from ..crossbar.converters import Adc, bit_planes, calibrated_lsb, coarse_lsb
from ..crossbar.wires import Wires
from ..errors import ConfigError
from ..nn.forward import plain_forward
from ..nn.layers.activation import clip_tail
from ..nn.network import Network, input_bits, quantisers
from ..progress.stages import stage
from .compensation import make_probes
from .forward import predict
from .model import Model
from .product import ChipProduct, IdealProduct

LEAST_RANGE = 1e-3
"""range of a quantiser that sees nothing above 0"""
CALIBRATION_CHUNK = 50
"""samples that pass together when the ADCs are calibrated"""
HEADROOM = 1.1
"""ADC range over the largest calibration current: read noise and other inputs go a little beyond"""
CALIBRATION_VECTORS = 4096
"""input vectors per chunk and matrix whose currents are looked at"""


def calibrate_ranges(
    network: Network, state: Dict[str, np.ndarray], *, weights: Dict[str, np.ndarray], codes: np.ndarray
) -> Dict[str, np.ndarray]:
    """The state with the ranges of all quantisers, one after the other, from what calibration `codes` make of them.

    A range is the value that activations exceed with the quantiser's tail probability, see `clip_tail`.
    """
    state, bits = dict(state), quantisers(network)

    def saw(name: str, values: np.ndarray) -> None:
        index = values.size - 1 - int(clip_tail(bits[name]) * values.size)
        top = float(np.partition(values, index, axis=None)[index])
        state[name + ".range"] = np.float32(top if top > 0 else max(float(values.max()), LEAST_RANGE))

    x = (codes.astype(np.float32) - np.float32(network.input_zero)) * np.float32(network.input_step)
    plain_forward(network, weights, state=state, x=x, saw=saw)
    return state


def calibrate_adcs(
    network: Network,
    state: Dict[str, np.ndarray],
    *,
    codes: np.ndarray,
    chip: Chip,
    scales_S: Mapping[str, float],
    adc_bits: int,
    arrangement: str,
    percentile: float = 100.0,
    wires: Optional[Wires] = None,
) -> Dict[str, Adc]:
    """One ADC per matrix, its range HEADROOM over noiseless plane currents of the calibration `codes`: name -> Adc.

    All tiles of a matrix share the LSB, so their sums add up without alignment. percentile: of |current| that the
    largest code covers, 100 for the largest seen. Of each product at most CALIBRATION_VECTORS input vectors are
    looked at. wires: those that the products go through. ConfigError where no current flows in a layer.
    """
    weights = {name: effective_weights(chip, name, scale_S, wires) for name, scale_S in scales_S.items()}
    ideal, bits = IdealProduct(weights), input_bits(network)
    largest: Dict[str, float] = {}

    def recording(name: str, codes: np.ndarray, zero_point: int = 0) -> np.ndarray:
        some = codes[:: -(-len(codes) // CALIBRATION_VECTORS)]
        tiles = chip.placement.tiles_of(name)
        lsb = max(
            _tile_lsb(cells, some[:, tile.matrix_rows], bits[name], adc_bits, arrangement, percentile)
            for tile, cells in zip(tiles, (_cells(chip, tile, wires) for tile in tiles))
        )
        largest[name] = max(lsb, largest.get(name, 0.0))
        return ideal(name, codes, zero_point)

    predict(network, state, codes=codes, product=recording, chunk=CALIBRATION_CHUNK)
    for layer in network.layers:  # a group whose channels are all 0 takes the range of its neighbours
        widest = max((largest[name] for name, _ in layer.matrices()), default=1.0)
        if not widest:
            raise ConfigError(f"no current flows in layer {layer.name}: all its input codes are 0, or its cells alike")
        largest.update({name: widest for name, _ in layer.matrices() if not largest[name]})
    return {
        name: Adc(adc_bits, coarse_lsb(float(np.float32(HEADROOM * lsb)), adc_bits), arrangement)
        for name, lsb in largest.items()
    }


def calibrated(
    network: Network,
    model: Model,
    *,
    chip: Chip,
    codes: np.ndarray,
    adc_bits: int,
    arrangement: str,
    wires: Optional[Wires] = None,
    ranges_behind_wires: bool = True,
) -> Model:
    """The model with ADCs and probes from calibration `codes` on the chip as it is, behind its wires.

    ranges_behind_wires: False for ADC ranges of the bare conductances, wider than needed: those of a training, whose
    results stay what they were.
    """
    with stage("calibrating ADCs", 2) as going:
        adcs = calibrate_adcs(
            network,
            model.state,
            codes=codes,
            chip=chip,
            scales_S=model.scales_S,
            adc_bits=adc_bits,
            arrangement=arrangement,
            wires=wires if ranges_behind_wires else None,
        )
        going.advance()
        bits, conditions = input_bits(network), Conditions(wires=wires)
        product = ChipProduct(chip, adcs, input_bits=bits, scales_S=model.scales_S, conditions=conditions)
        probes = make_probes(network, model.state, codes=codes, product=product)
    return replace(model, adcs=adcs, probes=probes, factors={})


def _cells(chip: Chip, tile: Tile, wires: Optional[Wires]) -> np.ndarray:
    """What a product multiplies in one tile: float32 (rows, 2 * pairs), grid units."""
    return chip.macros[tile.macro].effective_grid(tile.region, wires)


def effective_weights(chip: Chip, name: str, scale_S: float, wires: Optional[Wires]) -> np.ndarray:
    """Weights as the product sees them, float32 (fan_in, fan_out), noiseless."""
    if wires is None:
        return chip.read_weights(name, scale_S)
    weights = np.empty(chip.placement.shape(name), np.float32)
    for tile in chip.placement.tiles_of(name):
        cells = _cells(chip, tile, wires)
        weights[tile.matrix_rows, tile.matrix_cols] = cells[:, 0::2] - cells[:, 1::2]
    return weights * np.float32(chip.cell_model.grid_S / scale_S)


def _tile_lsb(
    cells: np.ndarray, codes: np.ndarray, bits: int, adc_bits: int, arrangement: str, percentile: float
) -> float:
    """LSB that fits the plane currents of one tile's cells (rows, 2 * pairs); 0 where no current flows."""
    if arrangement == "pair":
        cells = cells[:, 0::2] - cells[:, 1::2]
    currents = np.matmul(bit_planes(codes, bits).reshape(-1, codes.shape[1]), cells)
    if not currents.any():
        return 0.0
    return calibrated_lsb(currents, adc_bits, arrangement=arrangement, percentile=percentile)

"""Ranges from calibration inputs: of quantisers, from the values that they get, and of ADCs, from the currents."""

from typing import Dict, Mapping

import numpy as np

from ..chip.chip import Chip
from ..chip.placement import Tile
from ..crossbar.converters import Adc, bit_planes, calibrated_lsb
from ..errors import ConfigError
from ..nn.forward import plain_forward
from ..nn.layers.activation import clip_tail
from ..nn.network import Network, input_bits, quantisers
from .forward import predict
from .product import IdealProduct

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
    arrangement: str = "pair",
    percentile: float = 100.0,
) -> Dict[str, Adc]:
    """One ADC per matrix, its range HEADROOM over noiseless plane currents of the calibration `codes`: name -> Adc.

    All tiles of a matrix share the LSB, so their sums add up without alignment. percentile: of |current| that the
    largest code covers, 100 for the largest seen. Of each product at most CALIBRATION_VECTORS input vectors are
    looked at. ConfigError where no current flows in a layer.
    """
    weights = {name: chip.read_weights(name, scale_S) for name, scale_S in scales_S.items()}
    ideal, bits = IdealProduct(weights), input_bits(network)
    largest: Dict[str, float] = {}

    def recording(name: str, codes: np.ndarray, zero_point: int = 0) -> np.ndarray:
        some = codes[:: -(-len(codes) // CALIBRATION_VECTORS)]
        lsb = max(
            _tile_lsb(chip, tile, some[:, tile.matrix_rows], bits[name], adc_bits, arrangement, percentile)
            for tile in chip.placement.tiles_of(name)
        )
        largest[name] = max(lsb, largest.get(name, 0.0))
        return ideal(name, codes, zero_point)

    predict(network, state, codes=codes, product=recording, chunk=CALIBRATION_CHUNK)
    for layer in network.layers:  # a group whose channels are all 0 takes the range of its neighbours
        widest = max((largest[name] for name, _ in layer.matrices()), default=1.0)
        if not widest:
            raise ConfigError(f"no current flows in layer {layer.name}: all its input codes are 0, or its cells alike")
        largest.update({name: widest for name, _ in layer.matrices() if not largest[name]})
    return {name: Adc(adc_bits, float(np.float32(HEADROOM * lsb)), arrangement) for name, lsb in largest.items()}


def _tile_lsb(
    chip: Chip, tile: Tile, codes: np.ndarray, bits: int, adc_bits: int, arrangement: str, percentile: float
) -> float:
    """LSB that fits the plane currents of one tile; 0 where no current flows."""
    cells = chip.macros[tile.macro].conductance_grid(tile.region)
    if arrangement == "pair":
        cells = cells[:, 0::2] - cells[:, 1::2]
    currents = np.matmul(bit_planes(codes, bits).reshape(-1, codes.shape[1]), cells)
    if not currents.any():
        return 0.0
    return calibrated_lsb(currents, adc_bits, arrangement=arrangement, percentile=percentile)

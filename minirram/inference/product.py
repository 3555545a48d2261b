"""The product of codes with a network's matrices: on a simulated chip, or as plain arithmetic."""

from collections import Counter
from typing import Callable, Dict, Mapping, Optional
from typing import Counter as CounterOf

import numpy as np

from ..chip.chip import Chip
from ..chip.placement import Tile
from ..crossbar.conditions import Conditions
from ..crossbar.converters import Adc
from ..crossbar.product import remove_zero_point
from ..crossbar.region import Reading

IDEAL_CONDITIONS = Conditions()


class ChipProduct:
    """The product of codes with the matrices on a chip, as `forward` wants it, with counts of what saturated.

    adcs, input_bits, scales_S: by matrix name the `Adc`, the bits of the input codes, the conductance of weight 1.
    factors: by matrix name what its products are multiplied by against drift; 1 where it is not named.
    noise_seed: of the read noise; None for ideal reads. observer: called with (name, codes) of every product.
    conditions: `Conditions` of use. `saturated`, `conversions`: counts by matrix, over its tiles and all products so
    far.
    """

    def __init__(
        self,
        chip: Chip,
        adcs: Mapping[str, Adc],
        *,
        input_bits: Mapping[str, int],
        scales_S: Mapping[str, float],
        factors: Optional[Mapping[str, float]] = None,
        noise_seed: Optional[int] = None,
        threads: int = 1,
        observer: Optional[Callable[[str, np.ndarray], None]] = None,
        conditions: Conditions = IDEAL_CONDITIONS,
    ) -> None:
        self.chip = chip
        self.adcs = adcs
        self.input_bits = input_bits
        self.scales_S = scales_S
        self.factors = {} if factors is None else factors
        self.wires = conditions.wires
        self.readings: Dict[Tile, Reading] = {}
        for tile in chip.placement.tiles:
            macro, arrangement = chip.macros[tile.macro], adcs[tile.matrix].arrangement
            errors = conditions.column_errors(tile.macro, tile.cols, macro_cols=macro.cols, arrangement=arrangement)
            noise = None
            if noise_seed is not None:
                noise = macro.read_noise(noise_seed, tile.region, held=conditions.held_noise)
            self.readings[tile] = Reading(noise, errors, conditions.wires)
        self.threads = threads
        self.observer = observer
        self.saturated = {name: [0] * len(chip.placement.tiles_of(name)) for name in chip.placement.names}
        self.conversions: CounterOf[str] = Counter()

    def __call__(self, name: str, codes: np.ndarray, zero_point: int = 0) -> np.ndarray:
        """sum_i (code_i - zero_point) w_ij for codes (n, fan_in): float32 (n, fan_out), in units of weight x code."""
        total = self.totals(name, codes)
        chip, adc = self.chip, self.adcs[name]
        if zero_point:
            sums_lsb = chip.column_sums_lsb(name, adc, wires=self.wires, threads=self.threads)
            remove_zero_point(total, zero_point, sums_lsb=sums_lsb)
        lsb_weight = float(adc.tile_lsb) * chip.cell_model.grid_S / self.scales_S[name]
        return (total * (lsb_weight * self.factors.get(name, 1.0))).astype(np.float32)

    def totals(self, name: str, codes: np.ndarray) -> np.ndarray:
        """sum_i code_i (G+ - G-)_ij in LSB of the tiles, for codes (n, fan_in): what the chip gives, int64
        (n, fan_out)."""
        if self.observer is not None:
            self.observer(name, codes)
        chip, adc = self.chip, self.adcs[name]
        total: np.ndarray = np.zeros((len(codes), chip.placement.shape(name)[1]), np.int64)
        bits = self.input_bits[name]
        polarities = 2 if adc.arrangement == "polarity" else 1
        for index, tile in enumerate(chip.placement.tiles_of(name)):
            columns = total[:, tile.matrix_cols]
            _, saturated = chip.macros[tile.macro].multiply(
                codes[:, tile.matrix_rows],
                tile.region,
                input_bits=bits,
                adc=adc,
                reading=self.readings[tile],
                threads=self.threads,
                onto=columns,
            )
            self.saturated[name][index] += saturated
            self.conversions[name] += columns.size * bits * polarities
        return total


class IdealProduct:
    """The same product as plain arithmetic with given weights (dict name -> array): no planes, ADC or noise."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights

    def __call__(self, name: str, codes: np.ndarray, zero_point: int = 0) -> np.ndarray:
        """sum_i (code_i - zero_point) w_ij for codes (n, fan_in): float32 (n, fan_out)."""
        return np.matmul(codes.astype(np.float32) - np.float32(zero_point), self.weights[name])

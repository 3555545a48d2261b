"""The product of codes with a network's matrices: on a simulated chip, or as plain arithmetic."""

from collections import Counter
from typing import Counter as CounterOf

import numpy as np

from ..crossbar.conditions import Conditions
from ..crossbar.product import remove_zero_point

IDEAL_CONDITIONS = Conditions()


class ChipProduct:
    """The product of codes with the matrices on a chip, as `forward` wants it, with counts of what saturated.

    adcs: dict matrix name -> `converters.Adc`. input_bits: dict matrix name -> bits of its input codes. scales_S:
    dict matrix name -> conductance of weight 1. noise_seed: of the read noise; None for ideal reads. observer:
    called with (name, codes) of every product. conditions: `Conditions` of use. `saturated`, `conversions`: counts
    by matrix, over its tiles and all products so far.
    """

    def __init__(
        self, chip, adcs, input_bits, scales_S, noise_seed=None, threads=1, observer=None, conditions=IDEAL_CONDITIONS
    ):
        self.chip = chip
        self.adcs = adcs
        self.input_bits = input_bits
        self.scales_S = scales_S
        self.wires = conditions.wires
        self.noises, self.errors = {}, {}
        for tile in chip.placement.tiles:
            macro = chip.macros[tile.macro]
            self.errors[tile] = conditions.column_errors(tile, macro.cols, adcs[tile.matrix].arrangement)
            if noise_seed is not None:
                self.noises[tile] = macro.read_noise(noise_seed, tile.rows, tile.cols, conditions.held_noise)
        self.threads = threads
        self.observer = observer
        self.saturated = {name: [0] * len(chip.placement.tiles_of(name)) for name in chip.placement.names}
        self.conversions: CounterOf[str] = Counter()

    def __call__(self, name, codes, zero_point=0):
        """sum_i (code_i - zero_point) w_ij for codes (n, fan_in): float32 (n, fan_out), in units of weight x code."""
        if self.observer is not None:
            self.observer(name, codes)
        chip, adc = self.chip, self.adcs[name]
        total = np.zeros((len(codes), chip.placement.shape(name)[1]), np.int64)
        bits = self.input_bits[name]
        polarities = 2 if adc.arrangement == "polarity" else 1
        for index, tile in enumerate(chip.placement.tiles_of(name)):
            columns = total[:, tile.matrix_cols]
            _, saturated = chip.macros[tile.macro].multiply(
                codes[:, tile.matrix_rows],
                tile.rows,
                tile.cols,
                bits,
                adc,
                self.noises.get(tile),
                self.errors[tile],
                self.threads,
                self.wires,
                columns,
            )
            self.saturated[name][index] += saturated
            self.conversions[name] += columns.size * bits * polarities
        lsb_weight = float(adc.tile_lsb) * chip.cell_model.grid_S / self.scales_S[name]
        if zero_point:
            remove_zero_point(total, zero_point, chip.column_sums_lsb(name, adc))
        return (total * lsb_weight).astype(np.float32)


class IdealProduct:
    """The same product as plain arithmetic with given weights (dict name -> array): no planes, ADC or noise."""

    def __init__(self, weights):
        self.weights = weights

    def __call__(self, name, codes, zero_point=0):
        """sum_i (code_i - zero_point) w_ij for codes (n, fan_in): float32 (n, fan_out)."""
        return np.matmul(codes.astype(np.float32) - np.float32(zero_point), self.weights[name])

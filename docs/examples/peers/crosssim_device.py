"""CrossSim behind the conformance kit: `python docs/examples/peers/crosssim_device.py`, with CrossSim 3 installed.

Each polarity is a core of its own with unsigned converters, so that both cells of a pair are real cells. CrossSim
slices the inputs, converts and adds. The adapter cuts the matrix into arrays, as CrossSim's own cut makes them equal
where their number divides the rows. CrossSim does not count what saturates: the adapter says 0.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from simulator import AnalogCore, CrossSimParameters

from minirram.conformance import Spec, check

EXACT = Spec(arrangement="polarity", tile_rows=128, tile_pairs=64, max_rows=400, max_pairs=140, max_batch=50)
NOISY = replace(EXACT, read_noise=0.0065, input_bits=(2,), adc_bits=(14,), max_rows=160, max_pairs=80)


def parameters(spec, input_bits, adc_bits, largest_sum):
    """Parameters of a core; `largest_sum`: end of the converter's range in units of the largest conductance."""
    found = CrossSimParameters()
    weights, inputs = found.core.mapping.weights, found.core.mapping.inputs.mvm
    weights.percentile, weights.min, weights.max = None, -1.0, 1.0
    inputs.min, inputs.max = 0.0, 1.0
    found.xbar.device.infinite_on_off_ratio = True
    if spec.read_noise:
        error = found.xbar.device.read_noise
        error.enable, error.model, error.magnitude = True, "NormalProportionalDevice", spec.read_noise
    found.xbar.adc.mvm.model = "QuantizerADC"  # makes new parameters of the converter
    dac, adc = found.xbar.dac.mvm, found.xbar.adc.mvm
    dac.model, dac.bits, dac.signed, dac.input_bitslicing, dac.slice_size = "QuantizerDAC", input_bits, False, True, 1
    adc.bits, adc.signed, adc.adc_per_ibit = adc_bits, False, True
    adc.calibrated_range = [0.0, largest_sum]
    return found


class Device:
    """Two cores, G+ and G-, for each array of rows."""

    def __init__(self, spec, plus_S, minus_S, input_bits, adc_bits, range_A):
        largest_sum = range_A / (spec.read_voltage_V * spec.g_max_S)
        made = parameters(spec, input_bits, adc_bits, largest_sum)
        self.tiles = [slice(row, row + spec.tile_rows) for row in range(0, len(plus_S), spec.tile_rows)]
        self.cores = [
            [AnalogCore(cells_S[tile].T / spec.g_max_S, made) for cells_S in (plus_S, minus_S)] for tile in self.tiles
        ]
        self.codes_max = 2**input_bits - 1
        self.lsb = largest_sum / (2**adc_bits - 1)

    def multiply(self, codes):
        """(integers (n, pairs), 0)"""
        total = 0
        for tile, cores in zip(self.tiles, self.cores):
            inputs = codes.T[tile] / self.codes_max
            plus, minus = (np.rint(core.matmat(inputs) * self.codes_max / self.lsb) for core in cores)
            total = total + (plus - minus).T.astype(np.int64)
        return total, 0


if __name__ == "__main__":
    for spec, exact in ((EXACT, True), (NOISY, False)):
        print(check(partial(Device, spec), spec, exact=exact, seed=0))

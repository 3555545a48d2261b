"""aihwkit behind the conformance kit: `python docs/examples/peers/aihwkit_device.py`, with aihwkit 1.1 installed.

aihwkit takes inputs of many levels at once, one array at a time. The adapter gives it one bit plane and one array at a
time, and adds: what is tried is its product with its converter. It does not count what saturates: the adapter says 0.
The tile in PyTorch has no noise of its cells at each read, so only the exact laws are asked.
"""

from functools import partial

import numpy as np
import torch
from aihwkit.simulator.configs import TorchInferenceRPUConfig
from aihwkit.simulator.parameters import IOParameters
from aihwkit.simulator.parameters.enums import BoundManagementType, NoiseManagementType
from aihwkit.simulator.tiles.inference_torch import TorchInferenceTile

from minirram.conformance import Spec, check

EXACT = Spec(tile_rows=128, tile_pairs=64, max_rows=400, max_pairs=140, max_batch=50)


class Device:
    """Tiles of the differences G+ - G- over the largest conductance."""

    def __init__(self, spec, plus_S, minus_S, input_bits, adc_bits, range_A):
        top = 2 ** (adc_bits - 1) - 1
        largest_sum = range_A / (spec.read_voltage_V * spec.g_max_S)
        weights = torch.tensor((plus_S - minus_S).T / spec.g_max_S, dtype=torch.float32)
        self.spec, self.input_bits, self.lsb = spec, input_bits, largest_sum / top
        self.forward = IOParameters(
            inp_res=-1,
            out_bound=largest_sum,
            out_res=1 / (2 * top),
            out_noise=0.0,
            noise_management=NoiseManagementType.NONE,
            bound_management=BoundManagementType.NONE,
        )
        starts = range(0, weights.shape[1], spec.tile_rows)
        self.tiles = [(row, self.tile(weights[:, row : row + spec.tile_rows])) for row in starts]

    def tile(self, weights):
        """One array of aihwkit."""
        config = TorchInferenceRPUConfig(forward=self.forward)
        config.mapping.max_input_size = config.mapping.max_output_size = 0
        made = TorchInferenceTile(*weights.shape, config)
        made.set_weights(weights)
        return made.eval()

    @torch.no_grad()
    def multiply(self, codes):
        """(integers (n, pairs), 0)"""
        total = 0
        for row, tile in self.tiles:
            for b in range(self.input_bits):
                plane = ((codes[:, row : row + self.spec.tile_rows] >> b) & 1).astype(np.float32)
                total = total + 2**b * np.rint(tile.forward(torch.from_numpy(plane)).numpy().astype(float) / self.lsb)
        return total.astype(np.int64), 0


if __name__ == "__main__":
    print(check(partial(Device, EXACT), EXACT, seed=0))

"""A crossbar that keeps the laws, in plain lines. `broken_devices` changes one of them at a time."""

from copy import deepcopy  # noqa: F401 - for the broken ones

import numpy as np

GRID_S, READ_V = 1e-9, 0.2
TILE_ROWS, TILE_PAIRS, CHUNK = 16, 8, 50
READ_NOISE = 0.0
MADE, MEMORY = [], {}


class Device:
    def __init__(self, plus_S, minus_S, input_bits, adc_bits, range_A):
        MADE.append(self)
        self.generator = np.random.default_rng(len(MADE))
        self.calls = 0
        self.plus = np.rint(plus_S / GRID_S)
        self.minus = np.rint(minus_S / GRID_S)
        self.input_bits = input_bits
        self.top = 2 ** (adc_bits - 1) - 1
        self.lsb = range_A / self.top / (GRID_S * READ_V)

    def multiply(self, codes):
        self.calls += 1
        y = np.zeros((len(codes), self.plus.shape[1]), np.int64)
        saturated = 0
        for first in range(0, len(codes), CHUNK):
            chunk, self.first = slice(first, first + CHUNK), first
            for row in range(0, codes.shape[1], TILE_ROWS):
                tile = slice(row, row + TILE_ROWS)
                for pair in range(0, y.shape[1], TILE_PAIRS):
                    cols = slice(pair, pair + TILE_PAIRS)
                    for b in range(self.input_bits):
                        plane = ((codes[chunk, tile] >> b) & 1).astype(np.float64)
                        current = plane @ (self.plus[tile, cols] - self.minus[tile, cols])
                        current += self.noise(plane, tile, cols, b)
                        code = np.rint(current / self.lsb)
                        saturated += np.count_nonzero(np.abs(code) > self.top)
                        y[chunk, cols] += 2**b * np.clip(code, -self.top, self.top).astype(np.int64)
        return y, saturated

    def noise(self, plane, tile, cols, b):
        variance = plane @ (self.plus[tile, cols] ** 2 + self.minus[tile, cols] ** 2)
        normals = self.generator.standard_normal(variance.shape)
        return READ_NOISE * np.sqrt(variance) * normals

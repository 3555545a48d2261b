"""Energy: events counted on a real batch, times a sourced cost of each.

Cell reads are not an average: every bit plane of every input vector drives the real conductances, so the energy of
a row is V^2 t times the sum of its cells' conductances, and masks change it. All other costs are joules per event.
"""

from dataclasses import dataclass
from typing import Dict, Tuple

import numpy as np

from .errors import ConfigError

_ONES = np.array([bin(code).count("1") for code in range(256)], np.uint8)
"""how many bit planes an input code drives"""


@dataclass(frozen=True)
class Costs:
    """Joules per event outside the array.

    Sources: ISAAC (Shafiee, ISCA 2016, 32 nm, simulated); Horowitz, ISSCC 2014, 45 nm.
    """

    row_drive_J: float = 0.39e-12
    """one row driven for one bit plane; ISAAC's 1-bit DAC, per 100 ns"""
    shift_add_J: float = 0.021e-12
    """one shift-and-add of an ADC code; ISAAC"""
    partial_add_J: float = 0.1e-12
    """one 32-bit addition of the sums of two row tiles; Horowitz"""
    gpu_op_J: float = 0.4807e-12
    """one INT8 operation of a GPU, 624 TOPS at 300 W (authors' constant); 2 operations per MAC"""
    adc_bits_J: Tuple[Tuple[int, float], ...] = (
        (4, 1.40e-12),
        (5, 1.42e-12),
        (6, 1.62e-12),
        (7, 1.99e-12),
        (8, 2.60e-12),
        (9, 3.55e-12),
        (10, 5.03e-12),
    )
    """one conversion by bits, 40 nm: fit of Accelergy's ADC plug-in; beyond 10 bits four times per bit (thermal)"""

    def conversion_J(self, bits):
        """Energy of one conversion at `bits` (4 and up)."""
        known = dict(self.adc_bits_J)
        largest = max(known)
        if bits > largest:
            return known[largest] * 4.0 ** (bits - largest)
        if bits not in known:
            raise ConfigError("no energy for an ADC of {} bits; known are {} and up".format(bits, min(known)))
        return known[bits]


class EventCounter:
    """Counts what enters the crossbars: pass it to `inference.ChipProduct` as observer.

    `vectors[name]`: input vectors; `driven[name]`: int64 (fan_in,), how often each row was driven, bit planes summed.
    """

    def __init__(self):
        self.vectors: Dict[str, int] = {}
        self.driven: Dict[str, np.ndarray] = {}

    def __call__(self, name, codes):
        """Count one product: codes uint8 (n, fan_in)."""
        ones = np.take(_ONES, codes).sum(axis=0, dtype=np.int64)
        self.vectors[name] = self.vectors.get(name, 0) + len(codes)
        self.driven[name] = self.driven.get(name, 0) + ones


def inference_energy(counter, chip, adcs, input_bits, n_samples, costs=None):
    """Events and joules per inference and matrix: dict name -> dict. A mean over the `n_samples` that were counted.

    Keys of each: `cell_reads` (cells that a driven row reads, bit planes counted one by one), `rows_driven`,
    `conversions`, `shift_adds`, `partial_adds` (events); `array_J`, `drive_J`, `adc_J`, `digital_J`, `total_J`.
    """
    costs = Costs() if costs is None else costs
    return {
        name: _matrix_energy(name, counter, chip, adcs[name], input_bits[name], n_samples, costs)
        for name in chip.placement.names
    }


def _matrix_energy(name, counter, chip, adc, bits, n_samples, costs):
    model, tiles = chip.cell_model, chip.placement.tiles_of(name)
    fan_in, fan_out = chip.placement.shape(name)
    driven = counter.driven[name] / n_samples
    vectors = counter.vectors[name] / n_samples
    plus, minus = chip.pair_grid(name)
    row_conductance_S = (plus.sum(axis=1, dtype=np.float64) + minus.sum(axis=1, dtype=np.float64)) * model.grid_S
    row_tiles = len({tile.row_start for tile in tiles})
    col_tiles = len({tile.col_start for tile in tiles})
    polarities = 2 if adc.arrangement == "polarity" else 1
    conversions = vectors * fan_out * row_tiles * bits * polarities
    partial_adds = vectors * fan_out * (row_tiles - 1)
    events = {
        "cell_reads": float(driven.sum()) * 2 * fan_out,
        "rows_driven": float(driven.sum()) * col_tiles,
        "conversions": conversions,
        "shift_adds": conversions,
        "partial_adds": partial_adds,
        "array_J": float(driven @ row_conductance_S) * model.read_voltage_V**2 * model.read_time_s,
        "drive_J": float(driven.sum()) * col_tiles * costs.row_drive_J,
        "adc_J": conversions * costs.conversion_J(adc.bits),
        "digital_J": conversions * costs.shift_add_J + partial_adds * costs.partial_add_J,
    }
    events["total_J"] = sum(value for key, value in events.items() if key.endswith("_J"))
    return events


def totals(by_matrix):
    """The sum over matrices: one dict with the keys of `inference_energy`'s entries."""
    entries = list(by_matrix.values())
    return {key: sum(entry[key] for entry in entries) for key in entries[0]}


def programming_energy(pulses, cell_model):
    """Joules of the pulses that a chip has received, by kind. pulses: `Chip.pulses`."""
    each_J = {
        "form": cell_model.form_energy_J,
        "partner_reset": cell_model.reset_energy_J,
        "set": cell_model.set_energy_J,
        "reset": cell_model.reset_energy_J,
    }
    return {kind: count * each_J[kind] for kind, count in pulses.items()}


def gpu_energy_J(macs, costs=None):
    """Energy of the same MACs on a GPU."""
    return 2 * macs * (costs or Costs()).gpu_op_J

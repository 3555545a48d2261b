"""Joules, seconds and square micrometres of counted events. Every figure is an array (3,): low, typical, high.

low takes every cost at its low value at once, high every cost at its high one: a bracket, not a confidence interval.
"""

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

import numpy as np

from ..errors import ConfigError
from ..nn.layers.base import DigitalEvents
from .costs import Costs, load_costs
from .events import MatrixEvents, bits_moved

JOULES = ("array_J", "lines_J", "drive_J", "adc_J", "digital_J", "buffer_J", "links_J")
"""terms of the energy: cells, lines, row drivers, conversions, arithmetic, code buffers, interconnect"""

KIND_OF = {
    "form": "form",
    "partner_reset": "reset",
    "set": "set",
    "reset": "reset",
    "probe_reset": "reset",
    "probe_set": "set",
}
"""what a chip counts -> which pulse it is"""

TRAINING_MACS = 3
"""MACs of one training step over those of inference: forward, gradient of the inputs, gradient of the weights"""

WEIGHT_MOVES = 4
"""times a training step moves each weight: fetched forward, backward and for its update, and written back"""


LARGEST_READ = 1000.0
"""volts, or seconds, of a read that is asked for: far above any cell's, far below what overflows"""


@dataclass(frozen=True, eq=False)
class ReadPulse:
    """What drives a row."""

    voltage_V: np.ndarray
    """float64 (3,)"""
    time_s: np.ndarray
    """float64 (3,), how long the cells conduct per bit plane"""


def read_pulse(
    cell_model: Any, costs: Costs, *, voltage_V: Optional[float] = None, time_s: Optional[float] = None
) -> ReadPulse:
    """The `ReadPulse` of a technology: its own voltage and time with the ratios of `costs` around them.

    A voltage_V or time_s that is given is taken as known: without a range.
    """
    for name, value, unit in (("voltage", voltage_V, "V"), ("time", time_s, "s")):
        if value is not None and not 0 < value <= LARGEST_READ:
            raise ConfigError(f"a read {name} of {value:g} {unit}; it must be above 0, and at most {LARGEST_READ:g}")
    return ReadPulse(
        cell_model.read_voltage_V * costs["read_voltage_ratio"] if voltage_V is None else np.full(3, float(voltage_V)),
        cell_model.read_time_s * costs["read_time_ratio"] if time_s is None else np.full(3, float(time_s)),
    )


def matrix_energy(events: MatrixEvents, costs: Costs, *, adc_bits: int, pulse: ReadPulse) -> Dict[str, np.ndarray]:
    """Joules of one matrix in one inference: dict of the terms `JOULES` and `total_J`, each float64 (3,).

    events: `events.MatrixEvents`. Cells: V^2 G t each. Lines: C V^2 from the supply per charge.
    """
    conversions = events.conversions.sum()
    square_V: np.ndarray = pulse.voltage_V**2
    bit_J = costs["link_bit_J"] + events.between_macros * costs["net_bit_J"]
    joules = {
        "array_J": events.siemens_read.sum() * square_V * pulse.time_s,
        "lines_J": events.line_pitches * costs["line_F"] * square_V,
        "drive_J": events.rows_driven.sum() * costs["row_drive_J"],
        "adc_J": conversions * costs.adc(adc_bits, "J"),
        "digital_J": conversions * costs["shift_add_J"] + events.partial_adds * costs["partial_add_J"],
        "buffer_J": events.bits_read * costs["buffer_bit_J"],
        "links_J": bits_moved(events, adc_bits) * bit_J,
    }
    joules["total_J"] = sum(joules.values())
    return joules


def digital_energy(events: DigitalEvents, costs: Costs) -> Dict[str, np.ndarray]:
    """Joules of one layer's digital arithmetic: dict with `digital_J`, `buffer_J`, `total_J`, each float64 (3,)."""
    digital_J = (
        events.multiplies * costs["multiply_J"] + events.adds * costs["add_J"] + events.compares * costs["compare_J"]
    )
    buffer_J = events.buffer_bits * costs["buffer_bit_J"]
    return {"digital_J": digital_J, "buffer_J": buffer_J, "total_J": digital_J + buffer_J}


def matrix_latency(
    events: MatrixEvents, costs: Costs, *, adc_bits: int, adcs_per_macro: int, pulse: ReadPulse
) -> Dict[str, np.ndarray]:
    """Seconds of one matrix in one inference: dict `read_s`, `conversion_s`, `digital_s`, `buffer_s`, `latency_s`.

    Planes and vectors follow one another; macros work side by side, tiles on one macro in turn; a conversion does not
    overlap the next read. Shift-and-adds keep step with the ADCs.
    """
    reads = events.vectors * len(events.conversions)
    tiles = max(len(columns) for columns in events.converted.values())
    rounds = max(
        sum(-(-columns // adcs_per_macro) for columns in tile_columns) for tile_columns in events.converted.values()
    )
    seconds = {
        "read_s": reads * tiles * pulse.time_s,
        "conversion_s": reads * rounds * costs.adc(adc_bits, "s"),
        "digital_s": events.partial_adds * costs["digital_op_s"] / costs["digital_lanes"],
        "buffer_s": events.bits_read / costs["buffer_width_bits"] * costs["buffer_access_s"],
    }
    seconds["latency_s"] = sum(seconds.values())
    return seconds


def digital_latency(events: DigitalEvents, costs: Costs) -> Dict[str, np.ndarray]:
    """Seconds of one layer's digital arithmetic: dict `digital_s`, `buffer_s`, `latency_s`."""
    operations = events.multiplies + events.adds + events.compares
    digital_s = operations * costs["digital_op_s"] / costs["digital_lanes"]
    buffer_s = events.buffer_bits / costs["buffer_width_bits"] * costs["buffer_access_s"]
    return {"digital_s": digital_s, "buffer_s": buffer_s, "latency_s": digital_s + buffer_s}


def adcs_per_macro(placement: Any, costs: Costs, *, arrangement: str) -> int:
    """Converters of one macro."""
    converted = placement.macro_pairs * (2 if arrangement == "polarity" else 1)
    return int(-(-converted // int(costs["columns_per_adc"][1])))


def chip_area(
    placement: Any, costs: Costs, *, adc_bits: int, arrangement: str, buffer_bits: float, n_macros: int
) -> Dict[str, np.ndarray]:
    """Square micrometres of a chip with `n_macros` macros: dict `cells_um2`, `drivers_um2`, `adcs_um2`, `adders_um2`,
    `digital_um2`, `buffer_um2`, `total_um2`. Wires between macros, pads, the controller's memory are not in it.
    """
    adcs = adcs_per_macro(placement, costs, arrangement=arrangement)
    area = {
        "cells_um2": n_macros * placement.macro_rows * 2 * placement.macro_pairs * costs["cell_um2"],
        "drivers_um2": n_macros * placement.macro_rows * costs["row_drive_um2"],
        "adcs_um2": n_macros * adcs * costs.adc(adc_bits, "um2"),
        "adders_um2": n_macros * adcs * (costs["shift_add_um2"] + costs["partial_add_um2"]),
        "digital_um2": costs["digital_lanes"] * costs["lane_um2"],
        "buffer_um2": buffer_bits * costs["buffer_bit_um2"],
    }
    area["total_um2"] = sum(area.values())
    return area


def programming_energy(pulses: Mapping[str, int], cell_model: Any, *, costs: Costs) -> Dict[str, np.ndarray]:
    """Joules of pulses by kind, each float64 (3,). pulses: as `Chip.pulses`."""
    each_J = {
        "form": cell_model.form_energy_J * costs["form_ratio"],
        "set": cell_model.set_energy_J * costs["write_ratio"],
        "reset": cell_model.reset_energy_J * costs["write_ratio"],
    }
    return {kind: count * each_J[KIND_OF[kind]] for kind, count in pulses.items()}


def programming_time(pulses: Mapping[str, int], cell_model: Any) -> Dict[str, float]:
    """Seconds of the pulses by kind, given one after another."""
    each_s = {"form": cell_model.form_time_s, "set": cell_model.set_time_s, "reset": cell_model.reset_time_s}
    return {kind: count * each_s[KIND_OF[kind]] for kind, count in pulses.items()}


def read_out_energy(
    chip: Any, costs: Costs, *, adc_bits: int, pulse: ReadPulse, arrangement: str
) -> Dict[str, np.ndarray]:
    """Joules of one read-out of every pair in use, row by row: dict `array_J`, `lines_J`, `drive_J`, `adc_J`, each
    float64 (3,).

    Present conductances. Every row in use is driven once; its line is charged over the width of the macro, the column
    lines of its cells in use over the height. Every pair is converted once, per polarity each of its two cells.
    """
    rows, cols = chip.used.shape[1:]
    cells_S = sum(float(macro_S[used].sum()) for macro_S, used in zip(chip.conductance_S(), chip.used))
    n_rows = int(np.count_nonzero(chip.used.any(axis=2)))
    pitches = n_rows * cols + int(np.count_nonzero(chip.used)) * rows
    square_V: np.ndarray = pulse.voltage_V**2
    return {
        "array_J": cells_S * square_V * pulse.time_s,
        "lines_J": pitches * costs["line_F"] * square_V,
        "drive_J": n_rows * costs["row_drive_J"],
        "adc_J": pair_conversions(chip.placement, arrangement) * costs.adc(adc_bits, "J"),
    }


def pair_conversions(placement: Any, arrangement: str) -> int:
    """Conversions of one read-out of every pair in use."""
    return placement.n_pairs * (2 if arrangement == "polarity" else 1)


def digital_hardware(
    macs: float, weights: float, *, activations: float, own: Optional[Costs] = None
) -> Dict[str, np.ndarray]:
    """Joules of one inference on digital hardware: dict name -> float64 (3,). own: `Costs` that replace the package's.

    macs, weights, activations: of the network, activations = values entering and leaving matrices. Peak throughput at
    rated power for GPU and CPU. The accelerator reads each weight once (8 bits) and each activation once (8 bits).
    """
    costs = load_costs("digital-baselines")
    costs = costs if own is None else own.over(costs)
    return {
        "gpu_int8": 2 * macs * costs["gpu_int8_op_J"],
        "gpu_fp32": 2 * macs * costs["gpu_fp32_op_J"],
        "cpu_int8": 2 * macs * costs["cpu_int8_op_J"],
        "microcontroller": macs * costs["mcu_mac_J"],
        "accelerator": macs * costs["accelerator_mac_J"]
        + 8 * weights * costs["accelerator_weight_bit_J"]
        + 8 * activations * costs["accelerator_activation_bit_J"],
    }


def training_hardware(
    macs: float, weights: float, *, activations: float, steps: int, batch_size: int, own: Optional[Costs] = None
) -> Dict[str, np.ndarray]:
    """Joules of one training of `steps` of `batch_size`, by the figures and names of `digital_hardware`.

    macs, weights, activations: of one inference. Each sample takes TRAINING_MACS times its MACs and activations; each
    weight moves WEIGHT_MOVES times a step and serves the whole batch. What masks need beside weights is not counted.
    """
    samples = steps * batch_size
    return digital_hardware(
        TRAINING_MACS * macs * samples,
        WEIGHT_MOVES * weights * steps,
        activations=TRAINING_MACS * activations * samples,
        own=own,
    )


def saved_fraction(total_J: np.ndarray, hardware_J: np.ndarray) -> np.ndarray:
    """1 - total / hardware, float64 (3,): low, typical, high. The lowest saving pairs the high total with the low
    hardware.
    """
    return 1.0 - np.asarray(total_J)[::-1] / np.asarray(hardware_J)

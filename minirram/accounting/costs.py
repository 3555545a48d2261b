"""Costs of events from technology files: joules, seconds and square micrometres, low / typical / high, a source each.

A technology file is JSON: {"format": "minirram-costs", "version": 1, "name": ..., "about": ..., "costs": {name:
{"low": [number, source], "typical": [number, source], "high": [number, source]}}}. The named ones lie in the package,
in `cost_files`; users pass the path of their own. A file may leave out what is never asked of it.

The typical energy of a conversion states a third item: up to how many samples per second it holds. The typical time of
a conversion may not be shorter: energy and time of a converter belong to one operating point.
"""

import os
import pkgutil
import re
import reprlib
from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

import numpy as np

from ..errors import ConfigError, DataError, did_you_mean
from ..files import json_of, read_json

NAMED = ("macro-40nm", "adc-survey", "paper-board", "neurosim-45nm", "neurosim-32nm", "mnsim-2", "digital-baselines")
"""technology files in the package"""

CASES = ("low", "typical", "high")

MEANINGS = {
    "read_voltage_ratio": "read voltage over that of the run's cells",
    "read_time_ratio": "duration of one read over that of the run's cells",
    "form_ratio": "energy of a FORM pulse over that of the run's cells",
    "write_ratio": "energy of a SET or RESET pulse over that of the run's cells",
    "line_F": "capacitance of a row or column line per cell, F",
    "row_drive_J": "driver and word line (select) of one row for one bit plane; the row line itself is line_F",
    "row_drive_um2": "driver of one row",
    "cell_um2": "one cell",
    "columns_per_adc": "converted columns that share one ADC",
    "shift_add_J": "one shift-and-add of an ADC code; it keeps step with the ADC",
    "shift_add_um2": "one shift-and-add unit, one per ADC",
    "partial_add_J": "one addition of the sums of two row tiles",
    "partial_add_um2": "one adder of partial sums, one per ADC",
    "buffer_bit_J": "one bit of an input code read from, or an output code written to, the buffer",
    "buffer_access_s": "one access of the buffer",
    "buffer_width_bits": "bits of one access",
    "buffer_bit_um2": "one bit of the buffer",
    "link_bit_J": "one bit on the wires of a macro: of a code from the buffer to the rows, of a sum back from the ADCs",
    "net_bit_J": "the same bit on its way between macros, where a network fills more than one",
    "multiply_J": "one multiplication of the digital layers",
    "add_J": "one addition of the digital layers",
    "compare_J": "one comparison of the digital layers: pooling, activation, clipping",
    "digital_op_s": "one operation of one lane of the digital layers, or one addition of partial sums",
    "digital_lanes": "lanes of the chip that work side by side",
    "lane_um2": "one lane of the digital layers",
    "gpu_int8_op_J": "one 8-bit operation of a GPU; a MAC is two",
    "gpu_fp32_op_J": "one 32-bit float operation of a GPU",
    "cpu_int8_op_J": "one 8-bit operation of a server CPU",
    "mcu_mac_J": "one MAC of a microcontroller",
    "accelerator_mac_J": "one 8-bit MAC of a digital accelerator",
    "accelerator_weight_bit_J": "moving one bit of a weight to the MACs of an accelerator, once per inference",
    "accelerator_activation_bit_J": "reading or writing one bit of an activation of an accelerator",
}
"""name of a cost -> what it pays for; beside these adc_<bits>b_J, adc_<bits>b_s, adc_<bits>b_um2 of one conversion"""

BOUNDS = {
    "J": (0.0, 1.0),
    "s": (0.0, 1.0),
    "um2": (0.0, 1e12),
    "F": (0.0, 1e-6),
    "ratio": (0.0, 1e6),
    "adc": (1.0, 1e6),
    "bits": (1.0, 1e6),
    "lanes": (1.0, 1e9),
}
"""last word of a cost's name -> its smallest and largest number. The last three are counts: whole numbers"""

MOST_SAMPLES_HZ = 1e12
"""of one converter"""
ROUNDING = 1e-3
"""of times and rates that are stated with four digits"""

_COUNTS = ("adc", "bits", "lanes")

_DIGITAL_HARDWARE = ("gpu_", "cpu_", "mcu_", "accelerator_")
LEAST_OPERATION_J = 1e-21
"""of digital hardware, whose energy divides that of the chip; kT ln 2 is 3e-21 J at 300 K"""

_ADC = re.compile(r"adc_\d+b_(J|s|um2)$")
_ADC_ENERGY = re.compile(r"adc_\d+b_J$")


@dataclass(frozen=True, eq=False)
class Costs:
    """The numbers of one technology file. `costs[name]` is float64 (3,): low, typical, high."""

    name: str
    """of the technology"""
    about: str
    """one line on what it describes"""
    values: Dict[str, np.ndarray]
    """cost name -> float64 (3,), SI and um^2"""
    sources: Dict[str, Tuple[str, str, str]]
    """cost name -> where each of the three comes from"""

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.values:
            meaning = MEANINGS.get(name, "one conversion of the ADC")
            raise ConfigError(
                f"technology file {self.name} has no cost {name!r} ({meaning}); add it with low, typical and high"
            )
        return self.values[name]

    def over(self, base: "Costs") -> "Costs":
        """These costs where they are stated, those of `base` elsewhere."""
        values, sources = dict(base.values), dict(base.sources)
        values.update(self.values)
        sources.update(self.sources)
        return Costs(self.name, self.about, values, sources)

    def adc(self, bits: int, unit: str) -> np.ndarray:
        """Cost of one conversion at `bits`; unit: 'J', 's' or 'um2'. ConfigError names the bits that are known."""
        name = f"adc_{bits}b_{unit}"
        known = sorted(
            int(found.group(1)) for found in map(re.compile(r"adc_(\d+)b_J").fullmatch, self.values) if found
        )
        if name not in self.values and known:
            counts = ", ".join(map(str, known))
            raise ConfigError(
                f"technology file {self.name} has no cost {name!r}: its ADCs have {counts} bits; state that, "
                f"--adc-bits {known[-1]}, or add the cost with low, typical and high"
            )
        return self[name]


def load_costs(name: str = "macro-40nm") -> Costs:
    """The `Costs` of a named technology file, or of the file at a path.

    ConfigError for an unknown name, MissingFileError for a path where nothing lies, DataError for wrong contents.
    """
    if name in NAMED:
        data = pkgutil.get_data(__package__, f"cost_files/{name}.json")
        return costs_from_json(json_of(data or b""), name)
    path = os.fspath(name)
    if not path.endswith(".json"):
        known = ", ".join(NAMED)
        close = did_you_mean(path, NAMED)
        raise ConfigError(f"no costs {path!r}{close}; choose one of {known}, or the path of a .json file")
    return costs_from_json(read_json(path), path)


def costs_from_json(value: Any, where: str) -> Costs:
    """The `Costs` that a parsed technology file holds; DataError says what is wrong with it. where: for messages."""
    if not isinstance(value, dict) or (value.get("format"), value.get("version")) != ("minirram-costs", 1):
        raise DataError(f'{where}: no technology file; it needs "format": "minirram-costs", "version": 1')
    for key, kind in (("name", str), ("about", str), ("costs", dict)):
        if not isinstance(value.get(key), kind):
            raise DataError(f"{where}: {key!r} is {value.get(key)!r}, expected {kind.__name__}")
    values, sources, rates_Hz = {}, {}, {}
    for name, entry in value["costs"].items():
        if name not in MEANINGS and not _ADC.match(name):
            known = ", ".join(MEANINGS)
            raise DataError(f"{where}: no event costs {name!r}; known are {known} and adc_<bits>b_J, _s, _um2")
        if _ADC_ENERGY.match(name):
            entry, rates_Hz[name] = _split_rate(entry, name, where)
        values[name], sources[name] = _checked(entry, name, where)
    _check_operating_points(values, rates_Hz, where)
    return Costs(value["name"], value["about"], values, sources)


def _split_rate(entry: Any, name: str, where: str) -> Tuple[Any, float]:
    """(entry without it, samples per second up to which the typical energy of a conversion holds)."""
    typical = entry.get("typical") if isinstance(entry, dict) else None
    rate_Hz = typical[2] if isinstance(typical, list) and len(typical) == 3 else None
    if isinstance(rate_Hz, bool) or not isinstance(rate_Hz, (int, float)) or not 0 < rate_Hz <= MOST_SAMPLES_HZ:
        raise DataError(
            f"{where}: cost {name}, typical: {reprlib.repr(typical)}, expected [joules, source, samples per second "
            "up to which they hold]"
        )
    return dict(entry, typical=entry["typical"][:2]), float(rate_Hz)


def _check_operating_points(values: Dict[str, np.ndarray], rates_Hz: Dict[str, float], where: str) -> None:
    """DataError where a conversion is typically faster than its energy holds."""
    for name, rate_Hz in rates_Hz.items():
        time = name[:-1] + "s"
        if time in values and values[time][1] * rate_Hz < 1.0 - ROUNDING:
            raise DataError(
                f"{where}: {time} is {values[time][1]:g} s, but {name} holds up to {rate_Hz:g} samples/s; energy and "
                "time of a converter belong to one operating point"
            )


def _checked(entry: Any, name: str, where: str) -> Tuple[np.ndarray, Tuple[str, str, str]]:
    """(float64 (3,), three sources) of one cost."""
    if not isinstance(entry, dict) or set(entry) != set(CASES):
        raise DataError(f"{where}: cost {name} needs exactly {', '.join(CASES)}")
    numbers: List[float] = []
    sources: List[str] = []
    for case in CASES:
        pair = entry[case]
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], str) and pair[1].strip()):
            raise DataError(f"{where}: cost {name}, {case}: {reprlib.repr(pair)}, expected [number, source]")
        numbers.append(_in_bounds(pair[0], name, f"{where}: cost {name}, {case}"))
        sources.append(pair[1])
    if sorted(numbers) != numbers:
        raise DataError(f"{where}: cost {name}: {numbers} are not in the order low, typical, high")
    low, typical, high = sources
    return np.array(numbers), (low, typical, high)


def _in_bounds(number: Any, name: str, where: str) -> float:
    """A number of the cost `name`; DataError outside its BOUNDS."""
    kind = name.rsplit("_", 1)[1]
    least, most = BOUNDS[kind]
    if name.startswith(_DIGITAL_HARDWARE):
        least = LEAST_OPERATION_J
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) < float("inf"):
        raise DataError(f"{where}: {reprlib.repr(number)}, expected a finite number")
    if number < least:
        raise DataError(f"{where}: {name} is {number:g}; at least {least:g}")
    if number > most:
        raise DataError(f"{where}: {name} is above {most:g}, the most that is taken")
    if kind in _COUNTS and number != int(number):
        raise DataError(f"{where}: {name} is {number:g}, expected a whole number")
    return float(number)

"""minirram energy: energy, latency and area of a run by matrix and event."""

import argparse
from typing import Dict, Iterator, List

from ..accounting.figures import JOULES
from ..runs.energy import EnergyAccount, WhatIf, account
from ..units import si_format
from .arguments import costs_option, data_option, group, run_option, threads_option
from .counts import count_lines
from .field_options import field_option, finite

RESULT = EnergyAccount
EXAMPLES = (
    ("minirram energy runs/mine", "joules, seconds and area by layer and event"),
    ("minirram energy runs/mine --costs paper-board --adc-bits 14", "with the parts of the paper's board"),
)
COLUMNS = JOULES + ("total_J",)
TERMS = COLUMNS + ("latency_s",)
COUNTS = (
    *("rows_driven", "cell_reads", "conversions", "partial_adds"),
    *("bits_read", "bits_moved", "bits_written", "bits_kept"),
)
SHOWN = {
    "array": ("array_J",),
    "lines": ("lines_J", "drive_J"),
    "adc": ("adc_J",),
    "digital": ("digital_J",),
    "buffer": ("buffer_J",),
    "links": ("links_J",),
    "total": ("total_J",),
    "latency": ("latency_s",),
}
"""columns of the table -> the terms that they add up; lines stand with their drivers, so that 80 columns hold it"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram energy` takes."""
    run_option(parser)
    data_option(parser)
    costs_option(parser)
    changed = group(parser, "what if", "in place of what the run has")
    for flag, name in OF_WHAT_IF:
        field_option(changed, flag, WhatIf, name)
    field_option(
        changed, "--density", WhatIf, "densities", more="repeat it for each", type=finite, action="append", default=[]
    )
    threads_option(parser)


OF_WHAT_IF = (
    ("--adc-bits", "adc_bits"),
    ("--input-bits", "input_bits"),
    ("--read-voltage", "read_voltage_V"),
    ("--read-time", "read_time_s"),
    ("--macros", "macros"),
)
"""options and their fields"""


def run(options: argparse.Namespace) -> EnergyAccount:
    """Account for the run."""
    what_if = WhatIf(
        costs=options.costs,
        adc_bits=options.adc_bits,
        input_bits=options.input_bits,
        read_voltage_V=options.read_voltage,
        read_time_s=options.read_time,
        densities=tuple(options.density),
        macros=options.macros,
    )
    return account(options.run, data=options.data, threads=options.threads, what_if=what_if)


def text(found: EnergyAccount) -> str:
    """A table of joules by layer and event, counts, area, and what stands beside."""
    parts = (_head(found), _table(found), _counts(found), _beside(found))
    return "\n".join(line for lines in parts for line in lines)


def _head(found: EnergyAccount) -> Iterator[str]:
    known = {name: getattr(found, name) for name in ("accuracy", "roc_auc", "pr_auc")}
    quality = ", ".join(f"{name} {value:.2%}" for name, value in known.items() if value is not None)
    quality += f" on {found.samples} validation inputs" if quality else ""
    yield f"one inference at {found.adc_bits} ADC bits, {found.input_bits} input bits; {quality or found.assumed}"
    yield f"costs: {found.costs.name} ({found.costs.about})"
    yield f"read: {si_format(found.read_voltage_V, 'V')} for {si_format(found.read_time_s, 's')}"
    yield from count_lines("energy", found)


def _table(found: EnergyAccount) -> Iterator[str]:
    """Joules and seconds by layer: a matrix and the arithmetic behind it share a row."""
    yield ""
    yield _row("", list(SHOWN))
    names = list(found.by_matrix) + [name for name in found.digital_layers if name not in found.by_matrix]
    for name in names:
        parts = [rows[name] for rows in (found.by_matrix, found.digital_layers) if name in rows]
        yield _row(name, _figures({key: sum(getattr(part, key) for part in parts) for key in TERMS}))
    total = found.total
    yield _row("total", _figures({key: getattr(total, key) for key in TERMS}))
    for case in ("low", "high"):
        yield _row(case, _figures({key: getattr(total.range[key], case) for key in TERMS}))


def _counts(found: EnergyAccount) -> Iterator[str]:
    yield ""
    yield f"{'activity':14s}{found.activity:>14.3f}"
    for name in COUNTS:
        yield f"{name:14s}{getattr(found.total, name):>14.0f}"
    turns = found.reprogramming
    if turns is not None:
        joules = _si(turns.reprogramming_J, "J")
        n_set, n_reset = turns.pulses["set"], turns.pulses["reset"]
        yield f"reprogramming  {turns.macros_written} macros, {n_set} SET, {n_reset} RESET: {joules}"
        if turns.inferences_until_worn is not None:
            yield f"  the first cell wears out after {turns.inferences_until_worn:.3g} inferences"
    area = found.area_um2.range["total_um2"]
    yield f"area {area.typical:.3g} um^2 ({area.low:.3g} .. {area.high:.3g})"
    for row in found.density_sweep:
        array, adc, total = (_si(joules, "J") for joules in (row.array_J, row.adc_J, row.total_J))
        yield f"density {row.density:<6g} array {array}, conversions {adc}, total {total}"


def _beside(found: EnergyAccount) -> Iterator[str]:
    """Digital hardware, and what the training cost."""
    yield ""
    for name, hardware in found.digital_hardware.items():
        saved = hardware.saved_fraction
        low, typical, high = (1.0 / (1.0 - share) for share in (saved.low, saved.typical, saved.high))
        joules, words = _si(hardware.typical, "J"), beside_chip(typical)
        yield f"{name:16s}{joules:>10s}, {words} ({shortly(low)} .. {shortly(high)})"
    if found.compensation is not None:
        once, share = found.compensation, found.compensation.total_J / found.total_J
        yield f"compensating drift once: {once.cell_reads:.0f} reads, {_si(once.total_J, 'J')}, {share:.2g} inferences"
    training = found.training
    joules = _si(training.total_J, "J")
    times = shortly(training.total_J / found.total_J) if found.total_J else "no"
    yield f"training: {joules} on the chip, as much as {times} inferences"
    yield f"  all pulses and {training.read_outs} read-outs of the weights; the host's arithmetic comes on top:"
    for name, figure in training.host.items():
        yield f"  {name:16s}{_si(figure.typical, 'J'):>10s}"


def beside_chip(ratio: float) -> str:
    """In words: digital hardware takes `ratio` times the joules of the chip."""
    if ratio >= 1:
        return f"{shortly(ratio)} times what the chip takes"
    return f"the chip takes {shortly(1 / ratio)} times as much"


def shortly(number: float) -> str:
    """A number to two digits, without an exponent where it is large."""
    return f"{number:.2g}" if number < 100 else f"{number:,.0f}"


def _figures(row: Dict[str, float]) -> List[str]:
    return [_si(sum(row[key] for key in terms), terms[0].rsplit("_", 1)[1]) for terms in SHOWN.values()]


def _si(value: float, unit: str) -> str:
    return "0" if value == 0 else si_format(value, unit, digits=3)


def _row(name: str, cells: List[str]) -> str:
    if len(name) > 13:  # its end tells it from others
        name = f"{name[:6]}..{name[-5:]}"
    return f"{name:14s}" + "".join(f"{cell:>8s}" for cell in cells)

"""minirram energy: energy, latency and area of a run by matrix and event."""

import argparse
from typing import Any, Dict, Iterator

from ..accounting.figures import JOULES
from ..runs.energy import WhatIf, account
from ..units import si_format
from .arguments import costs_option, data_option, run_option, threads_option

COLUMNS = JOULES + ("total_J",)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram energy` takes."""
    run_option(parser)
    data_option(parser)
    parser.add_argument("--adc-bits", type=int, help="what if the ADCs had so many bits: calibrated and evaluated anew")
    parser.add_argument("--input-bits", type=int, help="what if input codes had so many bits")
    parser.add_argument("--read-voltage", type=float, metavar="V", help="what if rows were driven so, volts")
    parser.add_argument("--read-time", type=float, metavar="S", help="what if a read took so long, seconds")
    parser.add_argument(
        "--density",
        type=float,
        action="append",
        default=[],
        metavar="D",
        help="what if so many connections were kept (repeat for a sweep)",
    )
    parser.add_argument("--macros", type=int, help="what if there were only so many macros, programmed in turn")
    costs_option(parser)
    threads_option(parser)


def run(options: argparse.Namespace) -> Any:
    """Account for the run."""
    what_if = WhatIf(
        technology=options.costs,
        adc_bits=options.adc_bits,
        input_bits=options.input_bits,
        read_voltage_V=options.read_voltage,
        read_time_s=options.read_time,
        densities=tuple(options.density),
        macros=options.macros,
    )
    return account(options.run, options.data, options.threads, what_if)


def text(found: Any) -> str:
    """A table of joules by layer and event, counts, area, and what stands beside."""
    return "\n".join(_lines(found))


def _lines(account: Any) -> Iterator[str]:
    quality = ", ".join(
        f"{key} {account[key]:.2%}" for key in ("accuracy", "roc_auc", "pr_auc") if account.get(key) is not None
    )
    yield "one inference at {adc_bits} ADC bits, {input_bits} input bits; {0}".format(
        quality or account["assumed"], **account
    )
    yield "costs: {name} ({about})".format(**account["technology"])
    yield "read: {} for {}".format(si_format(account["read_voltage_V"], "V"), si_format(account["read_time_s"], "s"))
    yield ""
    yield _row("", [key[:-2] for key in COLUMNS] + ["latency"])
    rows: Dict[str, Dict[str, float]] = {}
    for part in (account["by_matrix"], account["digital_layers"], {"total": account["total"]}):
        for name, entry in part.items():  # a matrix and the arithmetic behind it share a row
            row = rows.setdefault(name, dict.fromkeys(COLUMNS + ("latency_s",), 0.0))
            row.update({key: value + entry.get(key, 0.0) for key, value in row.items()})
    for name, row in rows.items():
        yield _row(name, [_si(row[key], "J") for key in COLUMNS] + [_si(row["latency_s"], "s")])
    ranges = account["total"]["range"]
    for case in ("low", "high"):
        yield _row(case, [_si(ranges[key][case], "J") for key in COLUMNS] + [_si(ranges["latency_s"][case], "s")])
    yield ""
    yield "{:14s}{:>14.3f}".format("activity", account["activity"])
    for key in ("rows_driven", "cell_reads", "conversions", "partial_adds", "bits_read", "bits_written", "bits_kept"):
        yield "{:14s}{:>14.0f}".format(key, account["total"][key])
    if "reprogramming" in account:
        turns = account["reprogramming"]
        yield "reprogramming  {macros_written} macros, {pulses[set]} SET, {pulses[reset]} RESET: {0}".format(
            _si(turns["reprogramming_J"], "J"), **turns
        )
        if turns["inferences_until_worn"] is not None:
            yield "  the first cell wears out after {:.3g} inferences".format(turns["inferences_until_worn"])
    area = account["area_um2"]["range"]["total_um2"]
    yield "area {typical:.3g} um^2 ({low:.3g} .. {high:.3g})".format(**area)
    for row in account.get("density_sweep", ()):
        yield "density {density:<6g} array {0}, conversions {1}, total {2}".format(
            *(_si(row[key], "J") for key in ("array_J", "adc_J", "total_J")), **row
        )
    yield ""
    for name, found in account["baselines"].items():
        taken = {case: 1.0 - fraction for case, fraction in found["saved_fraction"].items()}
        yield "{:16s}{:>10s}; of that the chip takes {typical:.3g} ({high:.2g} .. {low:.2g})".format(
            name, _si(found["typical"], "J"), **taken
        )
    training = account["training"]
    yield "training: {} read-outs and pulses {}; the host's arithmetic:".format(
        training["read_outs"], _si(training["total_J"], "J")
    )
    for name, found in training["host"].items():
        yield "  {:16s}{:>10s}".format(name, _si(found["typical"], "J"))


def _si(value, unit):
    return si_format(value, unit, digits=3)


def _row(name, cells):
    return f"{name:12s}" + "".join(f"{cell:>11s}" for cell in cells)

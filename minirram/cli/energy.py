"""The commands on energy, latency and area: each returns (exit code, JSON-ready result, text)."""

from typing import Dict

from ..accounting.costs import NAMED
from ..accounting.figures import JOULES
from ..accounting.shapes import NETWORKS
from ..runs import energy
from ..runs.energy import WhatIf
from ..runs.networks import describe_networks
from ..tasks.registry import TASKS
from ..units import si_format
from .arguments import data_option, run_option, threads_option

GOOD = 0
COLUMNS = JOULES + ("total_J",)


def _technology_option(parser):
    parser.add_argument(
        "--technology-file",
        default="macro-40nm",
        metavar="NAME",
        help="costs of events: {}, or the path of a .json file; default %(default)s".format(", ".join(NAMED[:-1])),
    )


def _energy_options(parser):
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
    _technology_option(parser)
    threads_option(parser)


def _energy(options):
    what_if = WhatIf(
        options.technology_file,
        options.adc_bits,
        options.input_bits,
        options.read_voltage,
        options.read_time,
        tuple(options.density),
        options.macros,
    )
    account = energy.account(options.run, options.data, options.threads, what_if)
    return GOOD, account, "\n".join(_energy_lines(account))


def _energy_lines(account):
    quality = ", ".join(f"{key} {account[key]:.2%}" for key in ("accuracy", "roc_auc", "pr_auc") if key in account)
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
    return si_format(value, unit, 3)


def _row(name, cells):
    return f"{name:12s}" + "".join(f"{cell:>11s}" for cell in cells)


def _networks_options(parser):
    parser.add_argument(
        "--network",
        metavar="NAME",
        help="one of {}: with energy, latency and area from its shapes alone".format(
            ", ".join(list(TASKS) + list(NETWORKS))
        ),
    )
    _technology_option(parser)
    parser.add_argument("--adc-bits", type=int, default=8, help="of the ADCs, with --network; default %(default)s")


def _networks(options):
    table = describe_networks(options.network, options.technology_file, options.adc_bits)
    return GOOD, table, "\n".join(line for name, entry in table.items() for line in _network_lines(name, entry))


def _network_lines(name, entry):
    yield "{}: {weights} weights, {macs} MACs, {macros} macro(s), {conversions} conversions".format(name, **entry)
    for layer, count in entry["weights_by_layer"].items():
        yield f"  {layer:12s} {count}"
    if "energy_J" not in entry:
        return
    yield "  utilisation  {utilisation:.1%}".format(**entry)
    yield "  assumed      {adc_bits} ADC bits, density {density:g}, {activity:.0%} of bits set".format(**entry)
    for key, unit in (("energy_J", "J"), ("latency_s", "s")):
        values = [_si(entry[key][case], unit) for case in ("typical", "low", "high")]
        yield "  {:12s} {} ({} .. {})".format(key[:-2], *values)
    yield "  area         {typical:.3g} um^2 ({low:.3g} .. {high:.3g})".format(**entry["area_um2"])
    for baseline, found in entry["baselines"].items():
        yield "  {:16s}{:>10s}; of that the chip takes {:.3g}".format(
            baseline, _si(found["typical"], "J"), 1.0 - found["saved_fraction"]["typical"]
        )


COMMANDS = (
    ("energy", _energy, _energy_options, "energy, latency and area of a run by matrix and event"),
    ("networks", _networks, _networks_options, "weights, MACs, macros and conversions of networks"),
)

"""minirram networks: weights, MACs, macros and conversions of networks."""

import argparse
from typing import Dict, Iterator

from ..accounting.shapes import NETWORKS
from ..errors import ConfigError
from ..runs.networks import NetworkCounts, describe_networks
from ..tasks.registry import TASKS
from ..units import si_format
from .arguments import DEFAULT_COSTS, costs_option
from .energy import beside_chip

RESULT = Dict[str, NetworkCounts]
EXAMPLES = (
    ("minirram networks", "weights, macros and conversions of all networks"),
    ("minirram networks --network resnet50", "with energy, latency and area"),
)
ADC_BITS = 8


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram networks` takes."""
    names = ", ".join([*TASKS, *NETWORKS])
    parser.add_argument(
        "--network",
        metavar="NAME",
        help=f"one of {names}: with energy, latency and area from its shapes alone; default: counts of all",
    )
    costs_option(parser, default=None)
    parser.add_argument("--adc-bits", type=int, help=f"resolution of the ADCs, with --network; default {ADC_BITS}")


def run(options: argparse.Namespace) -> Dict[str, NetworkCounts]:
    """Count; with a name, account for energy too."""
    if options.network is None:
        if options.adc_bits is not None or options.costs is not None:
            raise ConfigError("--adc-bits and --costs belong to the energy of one network: name it, --network")
        return describe_networks()
    adc_bits = ADC_BITS if options.adc_bits is None else options.adc_bits
    return describe_networks(options.network, costs=options.costs or DEFAULT_COSTS, adc_bits=adc_bits)


def text(table: Dict[str, NetworkCounts]) -> str:
    """A few lines per network."""
    return "\n".join(line for name, entry in table.items() for line in _lines(name, entry))


def _lines(name: str, entry: NetworkCounts) -> Iterator[str]:
    counts = f"{entry.weights} weights, {entry.macs} MACs, {entry.macros} macro(s), {entry.conversions} conversions"
    yield f"{name}: {counts}"
    for layer, count in entry.weights_by_layer.items():
        yield f"  {layer:12s} {count}"
    account = entry.account
    if account is None:
        return
    yield f"  utilisation  {entry.utilisation:.1%}"
    yield f"  assumed      {account.adc_bits} ADC bits, density {account.density:g}, {account.activity:.0%} of bits set"
    for label, figure, unit in (("energy", account.total_J, "J"), ("latency", account.latency_s, "s")):
        low, typical, high = (si_format(value, unit, digits=3) for value in (figure.low, figure.typical, figure.high))
        yield f"  {label:12s} {typical} ({low} .. {high})"
    area = account.area_um2
    yield f"  area         {area.typical:.3g} um^2 ({area.low:.3g} .. {area.high:.3g})"
    for hardware, found in account.digital_hardware.items():
        joules, ratio = si_format(found.typical, "J", digits=3), 1.0 / (1.0 - found.saved_fraction.typical)
        yield f"  {hardware:16s}{joules:>10s}, {beside_chip(ratio)}"

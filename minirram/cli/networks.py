"""minirram networks: weights, MACs, macros and conversions of networks."""

import argparse
from typing import Any, Iterator

from ..accounting.shapes import NETWORKS
from ..errors import ConfigError
from ..runs.networks import describe_networks
from ..tasks.registry import TASKS
from ..units import si_format
from .arguments import DEFAULT_COSTS, costs_option

ADC_BITS = 8


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram networks` takes."""
    names = ", ".join([*TASKS, *NETWORKS])
    parser.add_argument(
        "--network", metavar="NAME", help=f"one of {names}: with energy, latency and area from its shapes alone"
    )
    costs_option(parser, default=None)
    parser.add_argument("--adc-bits", type=int, help=f"of the ADCs, with --network; default {ADC_BITS}")


def run(options: argparse.Namespace) -> Any:
    """Count; with a name, account for energy too."""
    if options.network is None:
        if options.adc_bits is not None or options.costs is not None:
            raise ConfigError("--adc-bits and --costs belong to the energy of one network: name it, --network")
        return describe_networks()
    adc_bits = ADC_BITS if options.adc_bits is None else options.adc_bits
    return describe_networks(options.network, options.costs or DEFAULT_COSTS, adc_bits)


def text(table: Any) -> str:
    """A few lines per network."""
    return "\n".join(line for name, entry in table.items() for line in _lines(name, entry))


def _lines(name: str, entry: Any) -> Iterator[str]:
    yield "{}: {weights} weights, {macs} MACs, {macros} macro(s), {conversions} conversions".format(name, **entry)
    for layer, count in entry["weights_by_layer"].items():
        yield f"  {layer:12s} {count}"
    if "energy_J" not in entry:
        return
    yield "  utilisation  {utilisation:.1%}".format(**entry)
    yield "  assumed      {adc_bits} ADC bits, density {density:g}, {activity:.0%} of bits set".format(**entry)
    for key, unit in (("energy_J", "J"), ("latency_s", "s")):
        values = [si_format(entry[key][case], unit, digits=3) for case in ("typical", "low", "high")]
        yield "  {:12s} {} ({} .. {})".format(key[:-2], *values)
    yield "  area         {typical:.3g} um^2 ({low:.3g} .. {high:.3g})".format(**entry["area_um2"])
    for baseline, found in entry["baselines"].items():
        yield "  {:16s}{:>10s}; of that the chip takes {:.3g}".format(
            baseline, si_format(found["typical"], "J", digits=3), 1.0 - found["saved_fraction"]["typical"]
        )

"""minirram vectors: test vectors of the product for RTL, C and SPICE."""

import argparse
import os
import re

from ..crossbar.converters import ARRANGEMENTS
from ..errors import ConfigError
from ..runs.vectors import Wanted, Written, of_run, of_shape
from ..units import si_format
from ..vectors.formats import FORMATS
from .arguments import given, group
from .field_options import field_option, finite

RESULT = Written
EXAMPLES = (
    ("minirram vectors 64x16 --format readmemh --out vectors", "a drawn matrix of 64 rows and 16 pairs, for Verilog"),
    ("minirram vectors runs/mine --layer fc2 --format c --out vectors", "a layer of a run, for firmware"),
    ("minirram vectors 16x8 --format spice --wire-ohm 2 --out vectors", "a netlist with its lines, for ngspice"),
)
OF_A_SHAPE = ("input_bits", "adc_bits", "arrangement", "wire_ohm")
OF_A_RUN = ("layer", "tile")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram vectors` takes."""
    parser.add_argument("source", metavar="RUN|SHAPE", help="folder of a finished run, or ROWSxPAIRS such as 64x16")
    field_option(parser, "--format", Wanted, "form", choices=FORMATS, required=True)
    parser.add_argument("--out", required=True, help="folder to write; it must be new or empty")
    field_option(parser, "--samples", Wanted, "samples", default=Wanted.samples)
    field_option(parser, "--seed", Wanted, "seed", default=Wanted.seed)
    field_option(parser, "--noise", Wanted, "noise")
    of_run = group(parser, "of a run")
    of_run.add_argument("--layer", metavar="NAME", help="matrix of the run; may be left out where there is one")
    of_run.add_argument("--tile", type=int, metavar="K", help="one tile of it, from 0; default: all")
    shape = group(parser, "of a shape")
    shape.add_argument("--input-bits", type=int, help="bits of the input codes; default 4")
    shape.add_argument("--adc-bits", type=int, help="resolution of the ADCs; default 8")
    shape.add_argument("--arrangement", choices=ARRANGEMENTS, help="how currents are converted; default pair")
    shape.add_argument("--wire-ohm", type=finite, help="resistance of a line per cell, in a netlist; default 0")


def run(options: argparse.Namespace) -> Written:
    """Write the vectors."""
    wanted = Wanted(options.format, options.samples, options.seed, options.noise)
    shape = re.fullmatch(r"(\d{1,6})x(\d{1,6})", options.source)
    others, kind = (OF_A_RUN, "a run") if shape else (OF_A_SHAPE, "a shape")
    for name in given(options, others):
        raise ConfigError(f"--{name.replace('_', '-')} belongs to {kind}, not to {options.source}")
    if shape:
        rows, pairs = map(int, shape.groups())
        return of_shape((rows, pairs), options.out, wanted, **given(options, OF_A_SHAPE))
    if not os.path.isdir(options.source) and "x" in options.source and os.sep not in options.source:
        raise ConfigError(f"{options.source!r} is no folder, and no shape such as 64x16")
    return of_run(options.source, options.out, wanted, **given(options, OF_A_RUN))


def text(found: Written) -> str:
    """What was written, and the paths."""
    noise = "" if found.noise_lsb is None else f", noise of at most {found.noise_lsb:.2f} LSB"
    return "\n".join(
        [
            found.about,
            f"{found.rows} x {found.pairs} pairs in {found.tiles} tile(s), {found.samples} samples of "
            f"{found.input_bits} bits",
            f"{found.adc_bits} ADC bits, {found.arrangement}, LSB {si_format(found.lsb_S, 'S')}; "
            f"{found.saturated} conversions saturate{noise}",
            *found.files,
        ]
    )

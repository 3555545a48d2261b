"""minirram export: write the program file of a run."""

import argparse
from typing import Any

from ..runs.export import export
from .arguments import run_option


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram export` takes."""
    run_option(parser)
    parser.add_argument("--from", dest="old", metavar="OLD", help="program the chip holds: write only what differs")
    parser.add_argument("--out", help="program file to write; default RUN/program.xbp")
    parser.add_argument("--code-bits", type=int, choices=(0, 8, 16), default=8, help="conductance targets (0: none)")


def run(options: argparse.Namespace) -> Any:
    """Write the program."""
    return export(options.run, options.out, options.code_bits, options.old)


def text(exported: Any) -> str:
    """What was written; kept cells that never formed, where there are any."""
    line = "{file}: {bytes} bytes, {cells_on} of {cells} cells on, program {program_id}".format(**exported)
    if exported["not_formed"]:
        line += f"\ncells to keep that never formed  {exported['not_formed']}"
    return line

"""minirram export: write the program file of a run."""

import argparse

from ..runs.export import Export, export
from .arguments import run_option
from .counts import count_lines

RESULT = Export
EXAMPLES = (
    ("minirram export runs/mine", "program.xbp, targets.xbp and digital.json in the run's folder"),
    (
        "minirram export runs/mine --from runs/before/program.xbp --out step.xbp",
        "only what differs from the program that the chip holds",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram export` takes."""
    run_option(parser)
    parser.add_argument("--from", dest="old", metavar="OLD", help="program the chip holds: write only what differs")
    parser.add_argument("--out", help="program file to write; default RUN/program.xbp")
    parser.add_argument(
        "--code-bits",
        type=int,
        choices=(0, 8, 16),
        help="bits of the conductance targets in targets.xbp beside it; 0: no such file; default 16 for a placed run, "
        "8 for masks",
    )
    parser.add_argument("--with-targets", action="store_true", help="targets in the program, too: for tuning cells")


def run(options: argparse.Namespace) -> Export:
    """Write the program."""
    return export(
        options.run, options.out, code_bits=options.code_bits, old=options.old, with_targets=options.with_targets
    )


def text(exported: Export) -> str:
    """What was written; kept cells that never formed, where there are any."""
    cells = f"{exported.cells_on} of {exported.cells} cells on"
    lines = [f"{exported.file}: {exported.bytes} bytes, {cells}, state {exported.base_state} -> {exported.new_state}"]
    if exported.targets is not None:
        lines.append(f"{exported.targets}: {exported.targets_bytes} bytes, for verify")
    if exported.digital_bytes is not None:
        lines.append(f"digital.bin: {exported.digital_bytes} bytes, digital.json for firmware")
    else:
        lines.append(f"no digital.bin: {exported.not_in_integers}")
    return "\n".join([*lines, *count_lines("export", exported)])

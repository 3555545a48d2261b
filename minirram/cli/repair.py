"""minirram repair: the program that takes a chip from what was measured to the masks of its run."""

import argparse
from typing import Iterator

from ..runs.repair import Repaired, repair
from .arguments import FAILED, GOOD, run_option

RESULT = Repaired
EXAMPLES = (
    ("minirram repair runs/mine readback.npy", "program from the measured state to the masks"),
    ("minirram repair runs/mine runs/mine/bench/cells.npz --out again.xbp", "from what the bench read last"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram repair` takes."""
    run_option(parser)
    parser.add_argument("readback", metavar="READBACK", help="conductances as measured: .npy, or cells.npz of a bench")
    parser.add_argument("--out", help="program file to write; default RUN/repair.xbp")


def run(options: argparse.Namespace) -> Repaired:
    """Write the program; nothing is written when no pulse is needed."""
    return repair(options.run, options.readback, options.out)


def text(made: Repaired) -> str:
    """What was written, and which cells no program brings there."""
    return "\n".join(_lines(made))


def _lines(made: Repaired) -> Iterator[str]:
    if made.file is None:
        yield "no cell needs a pulse"
    else:
        pulses = ", ".join(f"{count} {kind}" for kind, count in made.pulses.items() if count)
        yield f"{made.file}: {made.bytes} bytes, {made.cells} cells to pulse ({pulses}), state {made.new_state}"
        yield f"for the chip {made.chip_id} as read back with {made.readback_id}, and for no other"
    if made.hopeless:
        yield f"{len(made.hopeless)} cells cannot be brought to what the masks say:"
    yield from (f"  macro {cell.macro} row {cell.row} col {cell.col}: {cell.why}" for cell in made.hopeless)


def exit_code(made: Repaired) -> int:
    """Failed when a cell cannot be brought to the masks."""
    return FAILED if made.hopeless else GOOD

"""minirram recalibrate: take a run to its chip as it reads back, without a pulse."""

import argparse
from typing import Iterator, Optional

from ..labfiles.units import OF_A_CELL
from ..runs.recalibrate import FOLDER, PROGRAM, Recalibration, recalibrate
from .arguments import data_option, run_option, threads_option
from .counts import count_lines

RESULT = Recalibration
EXAMPLES = (
    (
        "minirram recalibrate runs/mine --readback readback.npy",
        "digital statistics and ADC ranges of the chip as it is",
    ),
    (
        "minirram recalibrate runs/mine --readback readback.npy --relearn-steps 100",
        "then let the masks learn for 100 batches",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram recalibrate` takes."""
    run_option(parser)
    parser.add_argument("--readback", required=True, metavar="FILE", help="conductances read back: any lab file")
    parser.add_argument("--unit", default="S", help=f"unit of the read-back: {OF_A_CELL}")
    parser.add_argument("--out", metavar="FOLDER", help=f"run folder to make; default RUN/{FOLDER}")
    parser.add_argument(
        "--relearn-steps", type=int, default=0, metavar="N", help=f"let masks learn on for N batches; makes {PROGRAM}"
    )
    parser.add_argument(
        "--program", metavar="FILE", help="with --relearn-steps: program that the chip holds; default RUN/program.xbp"
    )
    data_option(parser)
    threads_option(parser)


def run(options: argparse.Namespace) -> Recalibration:
    """Recalibrate."""
    return recalibrate(
        options.run,
        options.readback,
        unit=options.unit,
        out=options.out,
        relearn_steps=options.relearn_steps,
        program=options.program,
        data=options.data,
        threads=options.threads,
    )


def text(found: Recalibration) -> str:
    """What was lost, and what came back."""
    return "\n".join(_lines(found))


def _lines(found: Recalibration) -> Iterator[str]:
    name = found.programmed.primary
    yield f"read-back {found.readback.line}"
    yield from (f"suspected {what}" for what in found.suspects)
    yield f"validation {name} {found.programmed.value:.2%} as programmed, {found.read_back.value:.2%} as read back"
    yield f"recalibrated            {found.recalibrated.value:.2%}{_share(found.recovered)}, no pulse"
    relearned = found.relearned
    if relearned is not None:
        pulses = ", ".join(f"{count} {kind}" for kind, count in relearned.pulses.items())
        yield f"relearned {relearned.steps:5d} steps   {relearned.score.value:.2%}, {pulses}"
        if relearned.beyond_per_pulse is not None:
            yield f"  {relearned.beyond:.0%} of the loss beyond that, {relearned.beyond_per_pulse:.2e} per pulse"
        yield f"  {relearned.program}"
    yield from count_lines("recalibrate", found)
    yield f"{found.folder}: model.npz and digital.json of read-back SHA-256 {found.readback_sha256}"


def _share(recovered: Optional[float]) -> str:
    return "" if recovered is None else f", {recovered:.0%} of the loss won back"

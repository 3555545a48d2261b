"""minirram bench: program a run's chip through a driver, without a compiler."""

import argparse

from ..programming.readback import MOST_LISTED
from ..progress.stages import stage
from ..runs.bench import Bench, bench
from .arguments import FAILED, GOOD, driver_options, run_option

RESULT = Bench
EXAMPLES = (
    ("minirram bench runs/mine --driver simulated --dry-run", "pulses, time and wear, without a pulse"),
    (
        "minirram bench runs/mine --driver serial --port /dev/ttyUSB0@921600",
        "program the chip behind a serial line; the same command goes on after a stop",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram bench` takes."""
    run_option(parser)
    driver_options(parser, required=True)
    parser.add_argument("--out", help="folder of journal, read-back, results and manifest; default RUN/bench")
    parser.add_argument("--program", metavar="FILE", help="program to run; default: the whole program of the run")
    parser.add_argument(
        "--readback", metavar="FILE.npy", help="last read-back of the chip, for a repair or an increment; default: none"
    )
    parser.add_argument("--dry-run", action="store_true", help="estimate pulses, time and wear; pulse nothing")


def run(options: argparse.Namespace) -> Bench:
    """Form, program, read back, verify; go on where a stop was."""
    timeout = {} if options.timeout is None else {"timeout_s": options.timeout}
    with stage("programming") as going:

        def stepped(done: int, of: int) -> None:
            """A step of the program is through; those before a stop count as done at first."""
            if going.total is None:
                going.total, going.done, going.first = of, done - 1, done - 1
            going.advance(done - going.done, f"step {done}/{of}")

        return bench(
            options.run,
            options.driver,
            port=options.port,
            out=options.out,
            program=options.program,
            readback=options.readback,
            dry_run=options.dry_run,
            progress=stepped,
            **timeout,
        )


def text(made: Bench) -> str:
    """The estimate, what was done, and which cells failed."""
    ask, sizes = made.estimate, made.line_bytes
    pulses = ", ".join(f"{count} {kind}" for kind, count in ask.pulses.items())
    lines = [
        f"bench                   {made.bench}",
        f"cells to pulse          {ask.cells} in {ask.steps} steps: {pulses}",
        f"time                    {ask.seconds:.3g} s on this bench, which may pulse many cells at once, when each "
        f"answers to its first pulse; at most {ask.most_seconds:.3g} s",
        f"serial line             {sum(sizes.values()):,} bytes, {made.line_minutes:.3g} minutes at 115,200 baud: "
        + ", ".join(f"{size:,} {what}" for what, size in sizes.items()),
        f"wear                    at most {ask.most_pulses} pulses of one cell",
    ]
    if made.state == "untouched":
        return "\n".join([*lines, "nothing was pulsed: a dry run; docs/driver.md lists ten slow steps"])
    if made.resumed:
        lines.append(f"went on after a stop    {made.interrupted} cells may have got pulses that are not counted")
    lines += [
        f"pulses given            {made.pulses}, at most {made.most_pulses} to one cell",
        f"state                   {made.state}; the program leaves state {made.new_state}",
        f"read-back               {'none' if made.readback_id is None else f'digest {made.readback_id} of its values'}",
        f"cells                   {len(made.failed)} of {made.checked} failed; results in {made.folder}",
    ]
    lines += [f"  macro {cell.macro} row {cell.row} col {cell.col}: {cell.why}" for cell in made.failed[:MOST_LISTED]]
    if len(made.failed) > MOST_LISTED:
        lines.append(f"  and {len(made.failed) - MOST_LISTED} more: {made.folder}/cells.npz holds each cell")
    return "\n".join(lines)


def exit_code(made: Bench) -> int:
    """Failed when a cell is not what the program says."""
    return GOOD if made.passed else FAILED

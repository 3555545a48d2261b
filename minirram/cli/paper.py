"""minirram paper: each claim of the paper beside ours."""

import argparse
import os
import textwrap
from typing import Iterator

from ..errors import ConfigError
from ..progress.stages import stage
from ..study.paper import AGREES, DIFFERS, FILES, OUT, PaperTable, results, spent, table, write
from ..study.paper_runs import PRESETS, chosen_names, make
from ..tasks.datasets import SYNTHETIC
from .arguments import group, threads_option

RESULT = PaperTable
EXAMPLES = (
    ("minirram paper --out paper", "the table from the results that the project keeps"),
    ("minirram paper --out paper --run quick", "with masks, baseline and energies made anew on built-in data"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram paper` takes."""
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for paper.json, paper.md and new results")
    parser.add_argument(
        "--results",
        metavar="DIR",
        default="docs/results",
        help="results that are kept, of the source tree; default %(default)s",
    )
    anew = group(parser, "results anew", "what is in OUT/results already is not made again")
    anew.add_argument("--run", choices=PRESETS, help="make them: quick takes minutes, full hours; default: none")
    anew.add_argument("--only", nargs="+", metavar="NAME", default=[], help="these results alone, with --run")
    anew.add_argument("--data", metavar="DIR", help="folder of the data sets, with --run; default: built-in data")
    threads_option(parser)


def run(options: argparse.Namespace) -> PaperTable:
    """Make results where that is asked for, read the table, write it."""
    if options.data is not None and options.run is None:
        raise ConfigError("--data is what results are made from: give --run, too")
    if options.only and options.run is None:
        raise ConfigError("--only names results to make: give --run, too")
    folders = os.path.join(options.out, "results"), options.results
    if options.run is not None:
        wanted = chosen_names(options.run, options.only)
        results(folders, [name for name in FILES if name not in wanted])  # told before hours, not after
        how = dict(data=options.data or SYNTHETIC, threads=options.threads, only=options.only)
        with stage("making results") as told:
            for name in make(options.out, options.run, **how):
                told.advance(note=name)
    whole = table(folders)
    write(options.out, whole)
    return whole


def text(whole: PaperTable) -> str:
    """The claims in 80 columns."""
    return "\n".join(_lines(whole))


def _lines(whole: PaperTable) -> Iterator[str]:
    """The claims as text of 80 columns."""
    for row in whole.claims:
        yield row.claim
        ours = f"ours {row.ours}; " if row.ours else ""
        for part in (f"paper {row.paper}; {ours}{row.status}", row.why, row.command):
            yield from textwrap.wrap(part, 78, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    counts = {status: sum(row.status == status for row in whole.claims) for status in (AGREES, DIFFERS, OUT)}
    yield ", ".join(f"{count} {status}" for status, count in counts.items()) + f"; results took {spent(whole.seconds)}"

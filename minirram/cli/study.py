"""The commands that set runs side by side: each returns (exit code, JSON-ready result, text)."""

import os
import sys
from dataclasses import replace

from ..device.presets import load_cell_model
from ..errors import ConfigError
from ..runs.config import RunConfig
from ..runs.folder import RunFolder
from ..study import report
from ..study.arms import ARMS, DEFAULT_ARMS
from ..study.comparison import compare
from ..study.transfer import transfer
from ..tasks.registry import TASKS, task
from .arguments import data_option, positive, threads_option

GOOD = 0


def _compare_options(parser):
    parser.add_argument("task", choices=list(TASKS), metavar="TASK", help="one of " + ", ".join(TASKS))
    parser.add_argument("--data", required=True, help='folder that holds TASK.npz, or "synthetic"')
    parser.add_argument("--out", required=True, help="folder of the comparison; what is done there is not run again")
    parser.add_argument(
        "--arms",
        nargs="+",
        choices=list(ARMS),
        metavar="ARM",
        default=list(DEFAULT_ARMS),
        help="from " + ", ".join(ARMS) + " (default: " + " ".join(DEFAULT_ARMS) + ")",
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of chip and learning (0 1 2)")
    parser.add_argument("--preset", choices=("full", "quick"), default="full", help="recipe of all arms (%(default)s)")
    parser.add_argument("--epochs", type=int, help="instead of the preset's")
    parser.add_argument("--samples-per-epoch", type=int, help="crops of an epoch, for tasks that train on crops")
    parser.add_argument("--score-step", type=float, help="of the masks, instead of the preset's")
    parser.add_argument("--rates", nargs="+", type=float, help="first learning rates of weights; a single one stays")
    parser.add_argument("--tuning-epochs", type=positive, help="of trainings that choose settings (as all others)")
    parser.add_argument("--technology", default="taox-40nm", help="preset of the cells, or a fitted .json")
    parser.add_argument("--processes", type=positive, default=1, help="trainings at a time (%(default)s)")
    threads_option(parser)


def _compare(options):
    chosen = task(options.task)
    recipe = chosen.recipes[options.preset]
    changes = {name: getattr(options, name) for name in ("epochs", "samples_per_epoch", "score_step")}
    recipe = replace(recipe, **{name: value for name, value in changes.items() if value is not None})
    data = options.data if options.data == "synthetic" else os.path.abspath(options.data)
    base = RunConfig(options.task, data, chosen.build_network(), recipe, load_cell_model(options.technology))
    summary = compare(
        base,
        options.out,
        options.arms,
        options.seeds,
        options.processes,
        options.threads,
        options.rates,
        options.tuning_epochs,
        _tell,
    )
    note = report.write_report(options.out, summary)
    if note is not None:
        _tell(note)
    return GOOD, summary, report.as_text(summary)


def _tell(line):
    sys.stderr.write(line + "\n")


def _transfer_options(parser):
    parser.add_argument("run", metavar="RUN", help="run folder of the first chip")
    parser.add_argument("--out", required=True, help="run folder of the other chip; a stopped transfer continues there")
    parser.add_argument("--chip-seed", type=int, help="which individual the other chip is; default: the same one")
    parser.add_argument("--epochs", type=int, required=True, help="of the re-learning")
    parser.add_argument("--learning-rate", type=float, help="of the re-learning; default: 0.05 of the run's")
    parser.add_argument("--stuck-lrs", type=float, help="share of cells that are always on; default: the technology's")
    parser.add_argument("--stuck-hrs", type=float, help="share of cells that are always off; default: the technology's")
    parser.add_argument(
        "--know-faults", action="store_true", help="read the stuck cells out first; signs and bits avoid them"
    )
    data_option(parser)
    threads_option(parser)


def _transfer(options):
    changes = {"epochs": options.epochs, "chip_seed": options.chip_seed, "learning_rate": options.learning_rate}
    changes = {name: value for name, value in changes.items() if value is not None}
    cell_model = RunFolder.open(options.run).config.cell_model
    shares = {"stuck_lrs": options.stuck_lrs, "stuck_hrs": options.stuck_hrs}
    faulty = replace(cell_model, **{name: share for name, share in shares.items() if share is not None})
    if options.know_faults and not faulty.stuck_lrs + faulty.stuck_hrs:
        raise ConfigError("--know-faults without stuck cells; give --stuck-lrs or --stuck-hrs")
    data = options.data if options.data in (None, "synthetic") else os.path.abspath(options.data)
    results = transfer(
        options.run,
        options.out,
        changes,
        faulty,
        options.know_faults,
        options.threads,
        lambda row: _tell("epoch {epoch}  validation {validation:.4f}".format(**row)),
        data,
    )
    lines = ["validation on the first chip {home:.4f}, with its masks on the other {before:.4f}".format(**results)]
    digital = results["digital_only"]
    stages = [("without a pulse, digital statistics of the other chip", digital["validation"], digital["recovered"])]
    for epoch, (score, share) in enumerate(zip(results["after"], results["recovered"]), 1):
        stages.append((f"after epoch {epoch}", score, share))
    for stage, score, share in stages:
        won = "" if share is None else f"   {share:.1%} of the gap"
        lines.append(f"{stage} {score:.4f}{won}")
    name = results["test"]["before"]["primary"]
    lines.append(
        "test {} {:.4f} before, {:.4f} after, on the simulated macros".format(
            name, results["test"]["before"][name], results["test"]["after"][name]
        )
    )
    return GOOD, results, "\n".join(lines)


COMMANDS = (
    ("compare", _compare, _compare_options, "set masks, free weights and weight optimisation side by side"),
    ("transfer", _transfer, _transfer_options, "take the masks of a run to another chip and learn on"),
)

"""minirram compare: set masks, free weights and weight optimisation side by side."""

import argparse
from dataclasses import replace

from ..device.presets import load_cell_model
from ..engines.engine import Engine
from ..errors import ConfigError
from ..learn.recipe import Recipe
from ..runs import own_data
from ..runs.config import RunConfig
from ..study import report
from ..study.arms import ARMS, DEFAULT_ARMS
from ..study.comparison import compare
from ..study.summary import Comparison
from ..tasks.data_report import data_report, report_lines
from .arguments import (
    anyway_option,
    chip_files,
    chip_group,
    chip_lines,
    chip_options,
    engine_options,
    given,
    group,
    positive,
    take_environment,
    task_argument,
    technology_option,
    tell,
    threads_option,
    training_data_option,
)
from .counts import count_lines
from .field_options import field_option, finite

RESULT = Comparison
EXAMPLES = (
    (
        "minirram compare fashion-mnist --data data --out runs/compare --processes 2 --threads 1",
        "the usual arms on three chips, two trainings at a time",
    ),
    (
        "minirram compare retina --data data --out runs/retina --arms pair float --seeds 0",
        "masks beside free weights, one chip",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram compare` takes."""
    task_argument(parser)
    files = group(parser, "data and folder")
    training_data_option(files)
    files.add_argument(
        "--out", metavar="FOLDER", required=True, help="folder of the comparison; what is done there is not run again"
    )
    _arm_options(parser)
    recipe = group(parser, "the recipe", "of all arms, in place of what the preset says")
    recipe.add_argument("--preset", metavar="NAME", default="full", help="recipe of the task to start from")
    for name in OF_RECIPE:
        field_option(recipe, "--" + name.replace("_", "-"), Recipe, name)
    technology_option(parser, told=False)
    field_option(chip_group(parser), "--adc-bits", RunConfig, "adc_bits", more=f"default {RunConfig.adc_bits}")
    chip_options(parser)
    engine_options(parser, "trainings")
    threads_option(parser)
    anyway_option(parser)


OF_RECIPE = ("epochs", "samples_per_epoch", "score_step")
"""fields of the recipe that options change"""


def _arm_options(parser: argparse.ArgumentParser) -> None:
    """What is compared, and how the settings of learned weights are chosen."""
    arms = group(parser, "the arms")
    arms.add_argument(
        "--arms",
        nargs="+",
        choices=list(ARMS),
        metavar="ARM",
        default=list(DEFAULT_ARMS),
        help=f"from {', '.join(ARMS)} (default: {' '.join(DEFAULT_ARMS)})",
    )
    arms.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        metavar="N",
        default=[0, 1, 2],
        help="seeds of chip and learning, one training of each arm for each",
    )
    arms.add_argument(
        "--rates",
        nargs="+",
        type=finite,
        metavar="X",
        help="learning rates of weights that the search begins with; a single one stays; default: three of each arm",
    )
    arms.add_argument(
        "--tuning-epochs", type=positive, help="epochs of the trainings that choose settings; default: as all others"
    )
    arms.add_argument(
        "--writes-per-weight",
        type=finite,
        metavar="X",
        help="budget of the arms that have one (the paper's is 37 for fashion-mnist); default: what pair has spent",
    )


def run(options: argparse.Namespace) -> Comparison:
    """Run what is not done yet, sum up, write the tables."""
    take_environment(options)
    if (options.rates or options.tuning_epochs) and all(ARMS[name].level is not None for name in options.arms):
        raise ConfigError("--rates and --tuning-epochs are of learned weights; the arms named learn masks alone")
    if options.score_step is not None and all(ARMS[name].level is None for name in options.arms):
        raise ConfigError("--score-step is that of masks; the arms named learn weights alone")
    if options.writes_per_weight is not None and not any(ARMS[name].budgeted for name in options.arms):
        raise ConfigError("--writes-per-weight is the budget of arms with 'budget' in their names; none is named")
    found = own_data.given(options.task, options.data)
    chosen = found.task
    recipe = replace(chosen.recipe(options.preset), **given(options, ["epochs", "samples_per_epoch", "score_step"]))
    cell_model = load_cell_model(options.technology)
    if found.arrays is not None:
        for line in report_lines(data_report(found.arrays, chosen.layout, network=chosen.network)):
            tell(line)
    files, lines = chip_files(options), chip_lines(options)
    base = RunConfig(
        chosen.name,
        found.source,
        chosen.network,
        recipe,
        cell_model,
        layout=chosen.layout,
        lines=lines,
        **files.names(),
        **given(options, ["adc_bits"]),
    )
    summary = compare(
        base,
        options.out,
        names=options.arms,
        seeds=options.seeds,
        files=files,
        engine=Engine(options.processes, options.dask),
        threads=options.threads,
        rates=options.rates,
        tuning_epochs=options.tuning_epochs,
        writes_per_weight=options.writes_per_weight,
        progress=None if options.quiet else tell,
        arrays=found.arrays,
    )
    note = report.write_report(options.out, summary)
    if note is not None:
        tell(note)
    return summary


def text(summary: Comparison) -> str:
    """The table, one line per arm; then what was counted of each."""
    told = [f"read {one.line}" for one in summary.readings] + [f"warning {line}" for line in summary.warnings]
    counts = (f"{row.arm}: {line}" for row in summary.arms for line in count_lines("compare", row))
    return "\n".join([report.as_text(summary), *told, *counts])

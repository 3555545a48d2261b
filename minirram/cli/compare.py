"""minirram compare: set masks, free weights and weight optimisation side by side."""

import argparse
import os
from dataclasses import replace
from typing import Optional, Tuple

from ..device.presets import load_cell_model, technology
from ..engines.engine import Engine
from ..errors import ConfigError
from ..learn.recipe import Recipe
from ..pages.outcome import outcome_of
from ..runs import own_data
from ..runs.chip_files import ChipFiles
from ..runs.config import RunConfig
from ..runs.folder import RunFolder
from ..study import report
from ..study.arms import ARMS, DEFAULT_ARMS
from ..study.comparison import Plan, compare
from ..study.placed_transfer import is_placed
from ..study.summary import Comparison, OfRun
from ..tasks.data_report import data_report, report_lines
from ..tasks.labelled_data import LabelledData
from .arguments import (
    DEFAULT_TECHNOLOGY,
    anyway_option,
    chip_files,
    chip_group,
    chip_lines,
    chip_options,
    engine_options,
    given,
    group,
    positive,
    source_of,
    take_environment,
    task_argument,
    technology_option,
    tell,
    threads_option,
    training_data_option,
)
from .counts import count_lines
from .field_options import field_option, finite

DEFAULT_PRESET = "full"
RESULT = Comparison
EXAMPLES = (
    (
        "minirram compare fashion-mnist --data data --out runs/compare --processes 2 --threads 1",
        "the usual arms on three chips, two trainings at a time",
    ),
    (
        "minirram compare runs/mine --out runs/compare --arms pair float --seeds 0",
        "the network, data and recipe of a run, also of a placed one",
    ),
    (
        "minirram compare retina --data data --out runs/retina --arms pair float --seeds 0",
        "masks beside free weights, one chip",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram compare` takes."""
    task_argument(parser, runs=True)
    files = group(parser, "data and folder")
    training_data_option(files, required=False)
    files.add_argument(
        "--out", metavar="FOLDER", required=True, help="folder of the comparison; what is done there is not run again"
    )
    _arm_options(parser)
    recipe = group(parser, "the recipe", "of all arms, in place of what the preset says")
    recipe.add_argument(
        "--preset", metavar="NAME", help=f"recipe of the task to start from; default {DEFAULT_PRESET}, or the run's"
    )
    for name in OF_RECIPE:
        field_option(recipe, "--" + name.replace("_", "-"), Recipe, name)
    technology_option(parser)
    field_option(chip_group(parser), "--adc-bits", RunConfig, "adc_bits", more=f"default {RunConfig.adc_bits}")
    chip_options(parser)
    engine_options(parser, "trainings")
    threads_option(parser)
    anyway_option(parser)


OF_RECIPE = ("epochs", "samples_per_epoch", "score_step")
"""fields of the recipe that options change"""


SCHEMES = (
    "masks: pair, pair-free, pair-quiet, cell; free weights: float; weights written on the chip: wo-ideal, and "
    "wo-every, wo-step, wo-plain or wo-plain-one, with -free or -budget (as many writes as pair has programs) and "
    "the error of a write in %%: -0.15, -1, -5, -15, of plain ones also -6"
)
"""names of the arms, in words"""


def _arm_options(parser: argparse.ArgumentParser) -> None:
    """What is compared, and how the settings of learned weights are chosen."""
    arms = group(parser, "the arms")
    arms.add_argument(
        "--arms",
        nargs="+",
        choices=list(ARMS),
        metavar="ARM",
        default=list(DEFAULT_ARMS),
        help=f"{SCHEMES} (default: {' '.join(DEFAULT_ARMS)})",
    )
    field_option(arms, "--seeds", Plan, "seeds", nargs="+", type=int, metavar="N", default=[0, 1, 2])
    field_option(arms, "--rates", Plan, "rates", nargs="+", type=finite, metavar="X", more="a single one stays")
    field_option(arms, "--tuning-epochs", Plan, "tuning_epochs", type=positive, metavar="N")
    more = "the paper's is 37 for fashion-mnist"
    field_option(arms, "--writes-per-weight", Plan, "writes_per_weight", metavar="X", more=more)


def run(options: argparse.Namespace) -> Comparison:
    """Run what is not done yet, sum up, write the tables."""
    take_environment(options)
    if (options.rates or options.tuning_epochs) and all(ARMS[name].level is not None for name in options.arms):
        raise ConfigError("--rates and --tuning-epochs are of learned weights; the arms named learn masks alone")
    if options.score_step is not None and all(ARMS[name].level is None for name in options.arms):
        raise ConfigError("--score-step is that of masks; the arms named learn weights alone")
    if options.writes_per_weight is not None and not any(ARMS[name].budgeted for name in options.arms):
        raise ConfigError("--writes-per-weight is the budget of arms with 'budget' in their names; none is named")
    files = chip_files(options)
    named = RunFolder.open(options.task) if RunFolder.exists(options.task) else None
    base, arrays = _of_task(options) if named is None else _of_run(named, options, files)
    if arrays is not None:
        for line in report_lines(data_report(arrays, base.data_layout, network=base.network)):
            tell(line)
    base = replace(
        base,
        recipe=replace(base.recipe, **given(options, list(OF_RECIPE))),
        cell_model=base.cell_model if options.technology is None else load_cell_model(options.technology),
        lines=chip_lines(options, None if files.maps else base.lines),
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
        arrays=arrays,
        run=None if named is None else _judged(named),
    )
    note = report.write_report(options.out, summary)
    if note is not None:
        tell(note)
    return summary


def _of_task(options: argparse.Namespace) -> Tuple[RunConfig, Optional[LabelledData]]:
    """(configuration of a task on the usual chip, data that the comparison is to carry)."""
    if options.data is None:
        raise ConfigError(f"{options.task}: a task needs data: name them, --data")
    found = own_data.given(options.task, options.data)
    chosen = found.task
    recipe, cells = chosen.recipe(options.preset or DEFAULT_PRESET), technology(DEFAULT_TECHNOLOGY)
    base = RunConfig(chosen.name, found.source, chosen.network, recipe, cells, layout=chosen.layout)
    return base, found.arrays


def _of_run(run: RunFolder, options: argparse.Namespace, files: ChipFiles) -> Tuple[RunConfig, Optional[LabelledData]]:
    """(configuration of a run, data that the comparison is to carry).

    A placed network has no recipe for masks: it takes the usual one.
    """
    if options.preset is not None:
        raise ConfigError("--preset is that of a task; a run has a recipe: leave it out")
    config, arrays = own_data.of_run(run, None if options.data is None else source_of(options.data))
    if not files.maps and files.faults is None:
        files.check_named(config)
    if is_placed(run):
        config = replace(config, recipe=Recipe(batch_size=config.recipe.batch_size))
    return replace(config, data_crc=0), arrays


def _judged(run: RunFolder) -> OfRun:
    """What the results of a run say."""
    found = outcome_of(run)
    learned = "weights" if is_placed(run) else "masks"
    name = os.path.basename(os.path.abspath(run.folder))
    return OfRun(name, learned, found.split, found.score.primary, found.score.value)


def text(summary: Comparison) -> str:
    """The table, one line per arm; then what was counted of each."""
    told = [f"read {one.line}" for one in summary.readings] + [f"warning {line}" for line in summary.warnings]
    if summary.run is not None:
        one = summary.run
        told.append(f"the {one.learned} of the run {one.name} itself: {one.split} {one.primary} {one.value:.4f}")
    counts = (f"{row.arm}: {line}" for row in summary.arms for line in count_lines("compare", row))
    return "\n".join([report.as_text(summary), *told, *counts])

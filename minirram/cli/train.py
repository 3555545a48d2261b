"""minirram train: learn the masks of a task's network on a simulated chip."""

import argparse
import contextlib
from dataclasses import fields, replace
from typing import Iterator, Optional, Tuple

from ..crossbar.wires import Wires
from ..device.cell import CellModel
from ..device.presets import load_cell_model, technology
from ..driver.session import DEFAULT_TIMEOUT_S
from ..errors import ConfigError
from ..learn.recipe import Recipe
from ..runs import own_data
from ..runs.chip_files import ChipFiles
from ..runs.config import RunConfig
from ..runs.driven import open_session
from ..runs.folder import RunFolder
from ..runs.train import TrainingResults, train
from ..tasks.data_report import report_lines
from ..tasks.datasets import SYNTHETIC
from ..tasks.labelled_data import LabelledData
from ..tasks.task_file import read_task_file
from .arguments import (
    DEFAULT_TECHNOLOGY,
    anyway_option,
    chip_files,
    chip_group,
    chip_lines,
    chip_options,
    converter_options,
    driver_options,
    given,
    group,
    source_of,
    take_environment,
    task_argument,
    technology_option,
    tell,
    threads_option,
    training_data_option,
    warn,
)
from .counts import count_lines
from .evaluate import ideal_reads
from .field_options import field_option, field_options, finite
from .network_file import graph_of

RESULT = TrainingResults
EXAMPLES = (
    ("minirram train fashion-mnist --data synthetic --preset quick --out runs/quick", "a minute on built-in data"),
    (
        "minirram train mine.json --data mine.csv --map MAP.csv --unit uS --out runs/mine",
        "data of your own on a measured map, in microsiemens",
    ),
)
DEFAULT_PRESET = "full"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram train` takes."""
    task_argument(parser)
    files = group(parser, "data and run")
    training_data_option(files)
    files.add_argument("--out", metavar="RUN", required=True, help="run folder to make, or to continue with --resume")
    files.add_argument(
        "--resume", action="store_true", help="continue the run in --out; a finished one with more --epochs"
    )
    files.add_argument(
        "--network", metavar="FILE.onnx", help="graph of an ONNX file as the network; default: the task's"
    )
    files.add_argument(
        "--preset",
        metavar="NAME",
        help=f"recipe of the task to start from; quick takes a minute; default {DEFAULT_PRESET}",
    )
    chip = chip_group(parser)
    technology_option(parser)
    of_technology = "default: the technology's"
    field_option(chip, "--read-noise", CellModel, "read_noise", more=f"0.01 = 1 %; {of_technology}")
    field_option(chip, "--re-set", CellModel, "re_set", more=of_technology, choices=("replay", "redraw"))
    converter_options(chip, "default {}")
    chip.add_argument(
        "--wire-ohm",
        type=finite,
        metavar="OHM",
        help="learn through the IR drop of lines: resistance of a line per cell; default: no IR drop",
    )
    chip_options(parser)
    driver_options(parser)
    recipe = group(parser, "the recipe", "each in place of what the preset says")
    field_options(recipe, Recipe)
    threads_option(parser)
    anyway_option(parser)


def run(options: argparse.Namespace) -> TrainingResults:
    """Train, or continue."""
    take_environment(options)
    if options.driver is None and (options.port is not None or options.timeout is not None):
        raise ConfigError("--port and --timeout belong to a driver: name that, too, --driver")
    files = chip_files(options)
    config, arrays = _config(options, files)
    warn(config.cell_model)
    with contextlib.ExitStack() as stack:
        session = None
        if options.driver is not None:
            timeout_s = DEFAULT_TIMEOUT_S if options.timeout is None else options.timeout
            session = open_session(options.driver, config, port=options.port, files=files, timeout_s=timeout_s)
            stack.enter_context(session)
        results = train(
            options.out,
            config,
            threads=options.threads,
            resume=options.resume,
            files=files,
            session=session,
            arrays=arrays,
            more=_tell_of_more_epochs,
        )
    if not options.quiet:
        tell(f"run folder {options.out}; one page with all of it: minirram report {options.out}")
    return results


def _tell_of_more_epochs(had: int, asked: int) -> None:
    """Say what becomes of a run that takes more epochs."""
    tell(
        f"{had} epoch(s) become {asked}: the learning rate falls over all of them; "
        f"results so far stay in results-{had}-epochs.json"
    )


def _config(options: argparse.Namespace, files: ChipFiles) -> Tuple[RunConfig, Optional[LabelledData]]:
    """(RunConfig that the options ask for, data that the run is to carry).

    The run to resume, else the task, gives what the options leave open.
    """
    base, arrays = _base(options)
    cell_model = base.cell_model if options.technology is None else load_cell_model(options.technology)
    config = replace(
        base,
        recipe=replace(base.recipe, **given(options, [field.name for field in fields(Recipe)])),
        cell_model=cell_model.changed(**given(options, ["read_noise", "re_set"])),
        lines=chip_lines(options, base.lines),
        wires=base.wires if options.wire_ohm is None else Wires(options.wire_ohm, options.wire_ohm),
        **files.names(),
        **given(options, ["adc_bits", "adc_arrangement"]),
    )
    return config, arrays


def _base(options: argparse.Namespace) -> Tuple[RunConfig, Optional[LabelledData]]:
    """(configuration of the run to resume, else of the task; data that the run is to carry).

    A run of a task that is not registered can be resumed by the name of the task.
    """
    resumed = RunFolder.open(options.out).config if options.resume and RunFolder.exists(options.out) else None
    if resumed is not None and options.task == resumed.task and options.preset is None:
        network = graph_of(options.network, resumed.network) or resumed.network
        return replace(resumed, data=source_of(options.data), network=network), None
    if options.task.endswith(".json"):
        stated = read_task_file(options.task)
        chosen = own_data.given(stated, options.data, network=graph_of(options.network, stated.network))
        task = chosen.task
    else:
        chosen = own_data.given(options.task, options.data)
        task = replace(chosen.task, network=graph_of(options.network, chosen.task.network) or chosen.task.network)
    if resumed is None:
        recipe = task.recipe(options.preset or DEFAULT_PRESET)
        cell_model = technology(DEFAULT_TECHNOLOGY)
        fresh = RunConfig(task.name, chosen.source, task.network, recipe, cell_model, layout=task.layout)
        return fresh, chosen.arrays
    network = task.network if options.network is not None else resumed.network
    recipe = resumed.recipe if options.preset is None else task.recipe(options.preset)
    config = replace(resumed, task=task.name, data=chosen.source, layout=task.layout, recipe=recipe, network=network)
    return config, chosen.arrays


def text(results: TrainingResults) -> str:
    """The figures of a run."""
    return "\n".join(results_lines(results))


def results_lines(results: TrainingResults) -> Iterator[str]:
    """A line per figure; what was counted and should not be there, where it is."""
    if results.data_report is not None:
        yield from report_lines(results.data_report)
    if results.data.startswith(SYNTHETIC):
        yield "data                    drawn by code, not the data set of that name"
    validation, test, bits = results.validation, results.test, results.adc_bits
    noise = "" if results.read_noise is None else f", read noise {results.read_noise:.2%}"
    yield f"validation {validation.primary:12s} {validation.value:.2%}   on the macro, {bits} ADC bits{noise}"
    yield f"test {test.primary:18s} {test.value:.2%}{ideal_reads(test)}"
    yield f"kept fraction           {results.kept_fraction:.3f}    best epoch {results.best_epoch} of {results.epochs}"
    pulses = ", ".join(f"{count} {kind}" for kind, count in results.pulses.items() if count)
    yield f"pulses                  {pulses}"
    if results.driver is not None:
        yield f"chip                    behind the driver of {results.driver}"
    yield f"training                {results.samples_per_second:.0f} samples/s, {results.training_seconds:.0f} s"
    for reading in results.readings:
        yield f"read                    {reading.line}"
    yield from count_lines("train", results)
    yield from (f"warning                 {line}" for line in results.warnings)
    for index, one in enumerate(results.maps):
        yield f"map {index:<19d} {one.line}"

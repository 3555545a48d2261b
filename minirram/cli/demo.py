"""minirram demo: the whole job on built-in data."""

import argparse
import os
from dataclasses import replace
from typing import Iterator

from ..learn.recipe import Recipe
from ..pages.run import Wishes
from ..runs.config import RunConfig
from ..runs.demo import DemoResults, demo, demo_config
from ..units import si_format
from .arguments import anyway_option, group, take_environment, threads_option
from .energy import beside_chip
from .field_options import field_option
from .report import write_report
from .train import results_lines

RESULT = DemoResults
EXAMPLES = (
    ("minirram demo --out runs/demo", "a minute on two cores; nothing is downloaded"),
    ("minirram demo --out runs/board --adc-bits 14", "with the ADCs of the paper's board"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram demo` takes."""
    run = group(parser, "the run")
    run.add_argument("--out", metavar="RUN", required=True, help="run folder to make, or to continue with --resume")
    run.add_argument("--resume", action="store_true", help="continue the demo in --out, if there is one")
    field_option(run, "--seed", Recipe, "seed", default=0)
    field_option(run, "--adc-bits", RunConfig, "adc_bits", default=RunConfig.adc_bits)
    threads_option(parser)
    anyway_option(parser)


def run(options: argparse.Namespace) -> DemoResults:
    """The demo, with its progress on stderr, and its page."""
    take_environment(options)
    config = demo_config(options.seed, options.adc_bits)
    results = demo(options.out, config, threads=options.threads, resume=options.resume)
    return replace(results, report=write_report(options.out, wishes=Wishes(threads=options.threads)).file)


def text(results: DemoResults) -> str:
    """The figures of the run, what stands beside them, and where to look next."""
    return "\n".join(_lines(results))


def _lines(results: DemoResults) -> Iterator[str]:
    yield from results_lines(results)
    yield f"linear classifier       {results.linear_accuracy:.2%}, of the same images"
    yield f"unpruned random chip    {results.unpruned_accuracy:.2%}, every connection kept"
    if results.test.chance is not None:
        yield f"chance level            {results.test.chance:.2%}, always the most frequent class"
    array, total, gpu = (si_format(joules, "J") for joules in (results.array_J, results.total_J, results.gpu_J))
    yield f"energy of an image      {total} at {results.adc_bits} ADC bits, of that {array} in the cells"
    yield f"the same on a GPU       {gpu} in INT8, {beside_chip(results.gpu_J / results.total_J)}"
    yield f"program file            {results.program}, {results.program_bytes} bytes"
    folder = os.path.dirname(results.program)
    yield f"look next               energy by layer: minirram energy {folder}"
    yield f"                        with more noise: minirram evaluate {folder} --read-noise 0.02"
    yield f"                        what the chip is told: minirram inspect {results.program}"
    yield f"report                  {results.report}"

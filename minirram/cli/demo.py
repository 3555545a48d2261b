"""minirram demo: the whole job on built-in data."""

import argparse
from dataclasses import replace

from ..pages.run import Wishes
from ..runs.demo import DemoResults, demo, demo_config
from ..units import si_format
from .arguments import threads_option
from .progress import Progress
from .report import write_report
from .train import results_lines

RESULT = DemoResults


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram demo` takes."""
    parser.add_argument("--out", required=True, help="run folder to make")
    parser.add_argument("--seed", type=int, default=0, help="of scores, signs, batches and read noise")
    threads_option(parser)


def run(options: argparse.Namespace) -> DemoResults:
    """The demo, with its progress on stderr, and its page."""
    config = demo_config(options.seed)
    with Progress(config.recipe.epochs) as progress:
        results = demo(options.out, config, threads=options.threads, progress=progress.row)
    return replace(results, report=write_report(options.out, wishes=Wishes(threads=options.threads)).file)


def text(results: DemoResults) -> str:
    """The figures of the run, and what stands beside them."""
    array, total, gpu = (si_format(joules, "J") for joules in (results.array_J, results.total_J, results.gpu_J))
    lines = [
        *results_lines(results),
        f"linear classifier       {results.linear_accuracy:.2%}",
        f"unpruned random chip    {results.unpruned_accuracy:.2%}",
        f"energy/inference        {array} in the array, {total} in all at {results.adc_bits} ADC bits; GPU {gpu}",
        f"program file            {results.program} ({results.program_bytes} bytes)",
        f"report                  {results.report}",
    ]
    return "\n".join(lines)

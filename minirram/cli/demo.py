"""minirram demo: the whole job on built-in data."""

import argparse
from dataclasses import replace
from typing import Any

from ..device.presets import technology
from ..runs.config import RunConfig
from ..runs.demo import demo_baselines
from ..runs.energy import account
from ..runs.export import export
from ..runs.train import learn
from ..tasks.registry import task
from ..units import si_format
from .arguments import threads_option
from .progress import Progress
from .train import results_lines


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram demo` takes."""
    parser.add_argument("--out", required=True, help="run folder to make")
    parser.add_argument("--seed", type=int, default=0, help="of scores, signs, batches and read noise")
    threads_option(parser)


def run(options: argparse.Namespace) -> Any:
    """Train, set a linear classifier beside it, account for energy, export."""
    chosen = task("fashion-mnist")
    recipe = replace(chosen.recipes["quick"], seed=options.seed)
    config = RunConfig("fashion-mnist", "synthetic", chosen.network, recipe, technology("taox-40nm"))
    with Progress(recipe.epochs) as progress:
        results, test_set = learn(options.out, config, options.threads, progress=progress.row)
    results.update(demo_baselines(options.out, test_set))
    found = account(options.out, threads=options.threads)
    exported = export(options.out)
    total = found["total"]
    results.update(energy_J=total["total_J"], array_J=total["array_J"], gpu_J=found["gpu_J"])
    results.update(program=exported["file"], program_bytes=exported["bytes"])
    return results


def text(results: Any) -> str:
    """The figures of the run, and what stands beside them."""
    energies = [si_format(results[key], "J") for key in ("array_J", "energy_J", "gpu_J")]
    lines = [
        *results_lines(results),
        f"linear classifier       {results['linear_accuracy']:.2%}",
        f"unpruned random chip    {results['unpruned_accuracy']:.2%}",
        f"energy/inference        {energies[0]} in the array, {energies[1]} in all at {results['adc_bits']} ADC bits; "
        f"GPU {energies[2]}",
        f"program file            {results['program']} ({results['program_bytes']} bytes)",
    ]
    return "\n".join(lines)

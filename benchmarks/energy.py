"""What accounting adds to the time of inference, and the paper's three tasks under one set of constants.

    python benchmarks/energy.py --json             overhead: seconds of an accounted inference over a bare one, minus 1
    python benchmarks/energy.py --json --paper     energies of the three networks with random masks, a minute or two

The overhead is the Fashion-MNIST network on its macro: 4-bit inputs, 8-bit ADCs, fresh read noise. The bare and the
accounted inference alternate; the account holds everything that `minirram energy` prints of one inference. `--paper`
takes networks with random masks of density 0.5, whose batch norm and activation ranges have seen a few batches of the
built-in data, and codes of that data. For trained networks: minirram energy RUN --adc-bits 8.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
ADC_BITS = 8
SAMPLES = {"fashion-mnist": 400, "spoken-digits": 400, "retina": 4}
BATCHES = {"fashion-mnist": 20, "spoken-digits": 20, "retina": 5}
PAPER_CUTS = {
    "fashion-mnist": {"arxiv": 0.821, "journal": 0.783},
    "spoken-digits": {"arxiv": 0.512, "journal": 0.679},
    "retina": {"arxiv": 0.998, "journal": 0.997},
}
"""energy cuts against a GPU: Li et al., arXiv 2311.07164, and Nature Communications 17:1190 (2026)"""


def main(arguments=None):
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--paper", action="store_true", help="the paper's three tasks instead of the overhead")
    parser.add_argument("--costs", default="macro-40nm", help="costs, with --paper")
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ[library + "_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import machine

    found = machine.tell(options.threads)
    if options.paper:
        results = {name: paper_figures(name, options.costs, options.threads) for name in SAMPLES}
    else:
        results = overhead(options.repetitions, options.threads)
    print(json.dumps(dict(results, machine=found), indent=2) if options.json else "\n".join(lines(results)))


def lines(results, indent=""):
    """Nested results as text."""
    for key, value in results.items():
        if isinstance(value, dict):
            yield indent + key
            yield from lines(value, indent + "  ")
        else:
            yield f"{indent}{key:24s} {value:.4g}"


class RandomNetwork:
    """A task's network on a sampled chip, with random masks and calibrated digital state, and codes to answer."""

    def __init__(self, name, threads):
        from minirram.accounting import shapes
        from minirram.device.presets import technology
        from minirram.inference.calibration import calibrate_adcs
        from minirram.learn.mask_learner import MaskLearner
        from minirram.rng import stream
        from minirram.runs import train
        from minirram.runs.config import RunConfig
        from minirram.tasks.registry import load_training, task

        chosen = task(name)
        recipe, self.network = chosen.recipes["quick"], chosen.network
        self.config = RunConfig(name, "synthetic", self.network, recipe, technology("taox-40nm"))
        self.chip = train.make_chip(self.config)
        learner = MaskLearner(self.network, self.chip, recipe=recipe, threads=threads)
        data = load_training(name, chosen.layout, source="synthetic", network=self.network)
        generator, reads = stream(recipe.seed, "benchmark"), learner.generators("benchmark", "read")
        for _, (codes, labels, weight) in zip(range(BATCHES[name]), data.batches(generator, recipe)):
            learner.engine.training_step(
                learner.read_weights(reads), learner.state, x=codes, labels=labels, weight=weight
            )
        self.state, self.scales_S, self.signs, self.masks = (
            learner.state,
            learner.scales_S,
            learner.signs,
            learner.masks,
        )
        self.adcs = calibrate_adcs(
            self.network,
            self.state,
            codes=data.calibration_codes(),
            chip=self.chip,
            scales_S=self.scales_S,
            adc_bits=ADC_BITS,
            arrangement="pair",
        )
        self.codes = data.calibration_codes(SAMPLES[name])
        self.shapes, self.threads = shapes.of_network(self.network), threads

    def infer(self, observer=None):
        """All codes through the macros; returns the count of samples."""
        from minirram.inference.forward import predict
        from minirram.inference.product import ChipProduct

        product = ChipProduct(
            self.chip,
            self.adcs,
            input_bits=self.shapes.bits,
            scales_S=self.scales_S,
            noise_seed=0,
            threads=self.threads,
            observer=observer,
        )
        predict(self.network, self.state, codes=self.codes, product=product)
        return len(self.codes)

    def count(self):
        """Infer with a counter: (events.EventCounter, samples)."""
        from minirram.accounting import events

        counter = events.EventCounter(self.shapes.bits, self.threads)
        return counter, self.infer(counter)

    def account(self, counter, samples, costs_name="macro-40nm"):
        """Account for the counted inputs and the chip as it is."""
        from minirram.accounting import costs, events, figures
        from minirram.accounting.account import inference_account

        table = costs.load_costs(costs_name)
        pulse = figures.read_pulse(self.config.cell_model, table)
        return inference_account(
            events.counted_events(counter, self.chip, adcs=self.adcs, inferences=samples),
            self.shapes,
            placement=self.chip.placement,
            costs=table,
            adc_bits=ADC_BITS,
            pulse=pulse,
            arrangement="pair",
        )

    def infer_and_account(self):
        """All that an accounted inference adds to a bare one."""
        return self.account(*self.count())


def overhead(repetitions, threads):
    """Median over repetitions of accounted over bare time, minus 1: wall clock, and processor time of all threads."""
    network = RandomNetwork("fashion-mnist", threads)
    network.infer()
    network.infer_and_account()
    pairs = [(seconds(network.infer), seconds(network.infer_and_account)) for _ in range(repetitions)]
    wall, processor = ([(bare[k], accounted[k]) for bare, accounted in pairs] for k in (0, 1))
    return {
        "overhead": statistics.median(accounted / bare for bare, accounted in wall) - 1.0,
        "overhead_cpu": statistics.median(accounted / bare for bare, accounted in processor) - 1.0,
        "inference_s": statistics.median(bare for bare, _ in wall),
        "accounted_s": statistics.median(accounted for _, accounted in wall),
        "samples": len(network.codes),
        "threads": threads,
    }


def seconds(function):
    """(wall time, processor time of all threads) of one call."""
    start, cpu_start = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, time.process_time() - cpu_start


def paper_figures(name, costs_name, threads):
    """One task: joules in the array, pruned and, for the same inputs, with every connection kept; all terms; cuts
    beside the paper's.
    """
    import numpy as np

    network = RandomNetwork(name, threads)
    counter, samples = network.count()
    found = network.account(counter, samples, costs_name)
    total = found.total
    everything = {matrix: np.ones_like(mask) for matrix, mask in network.masks.items()}
    network.chip.program(everything, network.signs)
    dense_J = network.account(counter, samples, costs_name).total.array_J
    cuts = {key: found.digital_hardware[key].saved_fraction.typical for key in ("gpu_int8", "gpu_fp32")}
    return {
        "array_pruned_J": total.array_J,
        "array_dense_J": dense_J,
        "activity": total.cell_reads / all_cells(network),
        "conversions": total.conversions,
        **{
            key: getattr(total, key)
            for key in ("lines_J", "drive_J", "adc_J", "digital_J", "buffer_J", "links_J", "total_J")
        },
        "total_low_J": total.range["total_J"].low,
        "total_high_J": total.range["total_J"].high,
        "latency_s": total.latency_s,
        "gpu_int8_J": found.digital_hardware["gpu_int8"].typical,
        "cut_gpu_int8": cuts["gpu_int8"],
        "cut_gpu_fp32": cuts["gpu_fp32"],
        "cut_paper_arxiv": PAPER_CUTS[name]["arxiv"],
        "cut_paper_journal": PAPER_CUTS[name]["journal"],
    }


def all_cells(network):
    """Cells that would be read in one inference if every bit of every code were set."""
    return sum(
        network.shapes.positions[name] * rows * 2 * cols * network.shapes.bits[name]
        for name, (rows, cols) in network.shapes.matrices
    )


if __name__ == "__main__":
    main()

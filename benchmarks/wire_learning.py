"""Gradients through the wires: a small CNN on a small macro that loses as much current as one of 512 x 512.

    python benchmarks/wire_learning.py [--json] [--ohm 90] [--every 10] [--density 0.5] [--seed 0] [WAY ...]

Ways to learn, each with the same recipe, seed and chip; all are judged by the exact transfer of their best masks:
ideal: without wires, judged without; straight, reduced, exact: `--wire-gradient` of `train`, with `--wire-steps` but
for straight, which solves once in an epoch.
"""

import argparse
import json
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
WAYS = ("ideal", "straight", "reduced", "exact")
ROWS, PAIRS, SIZE = 128, 40, {"conv1": 16, "conv2": 4, "hidden": 16}


def main(arguments=None):
    """Parse, learn each way, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"default: {' '.join(WAYS)}")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--ohm", type=float, default=90.0, help="resistance of a line per cell")
    parser.add_argument("--every", type=int, default=10, help="steps from one solve to the next")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--hysteresis", type=float, default=0.01)
    parser.add_argument("--density", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ[library + "_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import machine

    found = machine.tell(1)
    figures = {way: learned(way, options) for way in options.ways or WAYS}
    if options.json:
        print(json.dumps(dict(figures, machine=found), indent=2))
    else:
        for way, own in figures.items():
            print(way, *(f"{name} {value:.4g}" for name, value in own.items()))


def learned(way, options):
    """Accuracy on the exact transfer, share of the current lost, processor time, flips, of one way to learn."""
    from dataclasses import replace

    from minirram.chip.chip import Chip
    from minirram.chip.dead_lines import ChipLines
    from minirram.crossbar.elimination import Eliminated
    from minirram.crossbar.wires import Wires
    from minirram.device.presets import technology
    from minirram.learn.mask_learner import MaskLearner
    from minirram.nn.network import matrices
    from minirram.runs.config import RunConfig
    from minirram.runs.folder import open_training
    from minirram.tasks.fashion_mnist import fashion_mnist_cnn
    from minirram.tasks.registry import task

    garments, network = task("fashion-mnist"), fashion_mnist_cnn(**SIZE)
    wires = None if way == "ideal" else Wires(options.ohm, options.ohm)
    chosen = dict(epochs=options.epochs, density=options.density, seed=options.seed)
    chosen.update(hysteresis=options.hysteresis, hysteresis_end=0.7 * options.hysteresis)
    if way not in ("ideal", "straight"):
        chosen.update(wire_gradient=way, wire_steps=options.every)
    recipe = replace(garments.recipe("quick"), **chosen)
    cells = technology("taox-40nm")
    config = RunConfig("fashion-mnist", "synthetic", network, recipe, cells, wires=wires, layout=garments.layout)
    data = open_training(config)
    lines = ChipLines(rows=ROWS, pairs=PAIRS)
    chip = Chip.sample(config.cell_model, matrices(network), level="pair", seed=0, lines=lines)
    chip.form(config.forming_voltage_V)
    learner = MaskLearner(network, chip, recipe=recipe, wires=wires)
    started = time.process_time()
    for _ in range(recipe.epochs):
        learner.epoch(data)
    spent = time.process_time() - started
    learner.adopt(learner.best)
    lost = 0.0
    if wires is not None:
        chip.update_ir_drop(wires, exact=True)
        conductance_S = chip.macros[0].conductance_S()
        lost = 1 - Eliminated(conductance_S, wires).transfer_S.sum() / conductance_S.sum()
    accuracy = data.validation_score(learner.predict)
    flips = chip.pulses["set"] + chip.pulses["reset"]
    return {"accuracy": accuracy, "lost": float(lost), "cpu_s": spent, "flips": flips}


if __name__ == "__main__":
    main()

"""Gradients through the wires: a small CNN on a small macro that loses as much current as one of 512 x 512.

    python benchmarks/wire_learning.py [--json] [--ohm 90] [--every 10] [--density 0.5] [--seed 0] [WAY ...]
    python benchmarks/wire_learning.py --cnn --data data --ohm 3 [WAY ...]   # the task's own, on 512 x 512 cells

Ways to learn, each with the same recipe, seed and chip; all are judged by the exact transfer of their best masks, as
they are and after the digital statistics have seen 50 batches through it (adapted). Ways:
ideal: without wires, judged without; straight, reduced, exact: `--wire-gradient` of `train`, with `--wire-steps` but
for straight, which solves once in an epoch. No ways, of the task's own CNN at 3 ohm: cost, a step on its macro of
512 x 512 cells, straight and reduced, and a solve, in processor time of one run; lost, the share of the current that
random masks lose, by lines of a macro and density.
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
    parser.add_argument("--hysteresis", type=float, help="default: 0.01; that of the recipe with --cnn")
    parser.add_argument("--density", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cnn", action="store_true", help="the task's CNN and recipe on a macro of 512 x 512 cells")
    parser.add_argument("--data", default="synthetic", help="folder of the data; default: drawn garments")
    options = parser.parse_args(arguments)
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ[library + "_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import machine

    found = machine.tell(1)
    figures = {}
    for way in options.ways or WAYS:
        figures[way] = {"cost": cost, "lost": lost}[way]() if way in ("cost", "lost") else learned(way, options)
        if not options.json:
            print(way, *(f"{name} {value:.4g}" for name, value in figures[way].items()), flush=True)
    if options.json:
        print(json.dumps(dict(figures, machine=found), indent=2))


def learned(way, options):
    """Accuracy on the exact transfer, share of the current lost, processor time, flips, of one way to learn."""
    from dataclasses import replace

    from minirram.chip.chip import Chip
    from minirram.chip.dead_lines import ChipLines
    from minirram.crossbar.wires import Wires
    from minirram.device.presets import technology
    from minirram.learn.adaptation import follow_chip
    from minirram.learn.mask_learner import MaskLearner
    from minirram.nn.network import matrices
    from minirram.runs.config import RunConfig
    from minirram.runs.folder import open_training
    from minirram.tasks.fashion_mnist import fashion_mnist_cnn
    from minirram.tasks.registry import task

    garments = task("fashion-mnist")
    network = garments.network if options.cnn else fashion_mnist_cnn(**SIZE)
    wires = None if way == "ideal" else Wires(options.ohm, options.ohm)
    chosen = dict(epochs=options.epochs, density=options.density, seed=options.seed)
    if options.hysteresis is not None:
        chosen.update(hysteresis=options.hysteresis, hysteresis_end=0.7 * options.hysteresis)
    if way not in ("ideal", "straight"):
        chosen.update(wire_gradient=way, wire_steps=options.every)
    recipe = replace(garments.recipe("full" if options.cnn else "quick"), **chosen)
    cells = technology("taox-40nm")
    config = RunConfig("fashion-mnist", options.data, network, recipe, cells, wires=wires, layout=garments.layout)
    data = open_training(config)
    lines = ChipLines() if options.cnn else ChipLines(rows=ROWS, pairs=PAIRS)
    chip = Chip.sample(config.cell_model, matrices(network), level="pair", seed=0, lines=lines)
    chip.form(config.forming_voltage_V)
    learner = MaskLearner(network, chip, recipe=recipe, wires=wires)
    started = time.process_time()
    for _ in range(recipe.epochs):
        learner.epoch(data)
    spent = time.process_time() - started
    learner.adopt(learner.best)
    share_lost = 0.0
    if wires is not None:
        chip.update_ir_drop(wires, exact=True)
        macro, behind = chip.macros[0], chip.attenuated[0]
        share_lost = 1 - behind.grid(macro.whole).sum() / macro.conductance_grid().sum()
    found = {"as_learned": learner.best.validation, "accuracy": data.validation_score(learner.predict)}
    if wires is not None:
        follow_chip(learner, data, stage="behind the exact wires")
        found["adapted"] = data.validation_score(learner.predict)
    flips = chip.pulses["set"] + chip.pulses["reset"]
    return dict(found, lost=float(share_lost), cpu_s=spent, flips=flips)


def cost(steps=20):
    """Processor time of a step of the CNN, straight and reduced in turn, of a solve, and their ratio."""
    from dataclasses import replace

    from minirram.chip.chip import Chip
    from minirram.crossbar.wires import Wires
    from minirram.device.presets import technology
    from minirram.learn.mask_learner import MaskLearner
    from minirram.nn.network import matrices
    from minirram.rng import stream
    from minirram.runs.config import RunConfig
    from minirram.runs.folder import open_training
    from minirram.tasks.registry import task

    garments, cells = task("fashion-mnist"), technology("taox-40nm")
    recipe, network = garments.recipe("full"), garments.network
    data = open_training(RunConfig("fashion-mnist", "synthetic", network, recipe, cells, layout=garments.layout))
    learners = {}
    for way in ("straight", "reduced"):
        chip = Chip.sample(cells, matrices(network), level="pair", seed=0)
        chip.form(cells.forming_voltage_V(recipe.formed_share))
        own = replace(recipe, wire_gradient=way)
        learners[way] = MaskLearner(network, chip, recipe=own, wires=Wires(3.0, 3.0))
    figures = {}

    def timed(name, work):
        started = time.process_time()
        work()
        figures[name] = figures.get(name, 0.0) + time.process_time() - started

    for learner in learners.values():
        timed("solve_s", learner.apply_wires)
    figures["solve_s"] /= len(learners)
    batches = data.batches(stream(0, "batches"), recipe)
    for _, (codes, labels, weight) in zip(range(steps), batches):
        for way, learner in learners.items():
            timed(way + "_step_s", lambda: learner.step(codes, labels, weight=weight, rate=0.1))  # noqa: B023
    for way in learners:
        figures[way + "_step_s"] /= steps
    return dict(figures, ratio=figures["reduced_step_s"] / figures["straight_step_s"])


def lost(densities=(0.5, 0.2, 0.1, 0.05, 0.0)):
    """Share of the current that random masks of the CNN lose at 3 ohm per cell, by the reduced model."""
    import numpy as np

    from minirram.chip.chip import Chip
    from minirram.chip.dead_lines import ChipLines
    from minirram.chip.levels import draw_signs
    from minirram.crossbar.wires import Wires
    from minirram.device.presets import technology
    from minirram.learn.recipe import Recipe
    from minirram.nn.network import matrices
    from minirram.tasks.fashion_mnist import fashion_mnist_cnn

    shapes, cells, found = matrices(fashion_mnist_cnn()), technology("taox-40nm"), {}
    for size in (512, 256, 128):
        chip = Chip.sample(cells, shapes, level="pair", seed=0, lines=ChipLines(rows=size, pairs=size // 2))
        chip.form(cells.forming_voltage_V(Recipe().formed_share))
        signs, generator = draw_signs(0, chip.placement), np.random.default_rng(0)
        chip.reset_partners(signs)
        for density in densities:
            chip.program({name: generator.random(shape) < density for name, shape in shapes}, signs)
            chip.update_ir_drop(Wires(3.0, 3.0))
            seen = sum(behind.grid(macro.whole).sum() for behind, macro in zip(chip.attenuated, chip.macros))
            found[f"{size}_at_{density:g}"] = 1 - float(seen / sum(m.conductance_grid().sum() for m in chip.macros))
    return found


if __name__ == "__main__":
    main()

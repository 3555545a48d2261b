"""What exact wires bring to learning: a small CNN on a small macro that loses as much current as one of 512 x 512.

    python benchmarks/wire_learning.py [--json] [--ohm 90] [--every 10] [--epochs 3] [--density 0.5] [WAY ...]

Ways to learn, each with the same recipe, seed and chip; all are judged by the exact transfer of their best masks:
ideal: without wires, judged without; reduced: as `train --wire-ohm`; transfer: weights are the exact transfer, solved
anew every so many steps, with shares of the reduced model for the flips between; gradient: and the gradient goes
through the wires exactly, scaled to the size it had without them, for which rate and hysteresis were set; unscaled:
the same gradient as it comes.
"""

import argparse
import json
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
WAYS = ("ideal", "reduced", "transfer", "gradient", "unscaled")
SOLVED = WAYS[2:]
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

    from minirram.chip.dead_lines import ChipLines
    from minirram.crossbar.wires import Wires
    from minirram.device.presets import technology
    from minirram.nn.network import matrices
    from minirram.runs.config import RunConfig
    from minirram.runs.folder import open_training
    from minirram.tasks.fashion_mnist import fashion_mnist_cnn
    from minirram.tasks.registry import task

    garments, network = task("fashion-mnist"), fashion_mnist_cnn(**SIZE)
    limits = {"hysteresis": options.hysteresis, "hysteresis_end": 0.7 * options.hysteresis}
    recipe = replace(garments.recipe("quick"), epochs=options.epochs, density=options.density, **limits)
    config = RunConfig("fashion-mnist", "synthetic", network, recipe, technology("taox-40nm"), layout=garments.layout)
    data = open_training(config)
    lines = ChipLines(rows=ROWS, pairs=PAIRS)
    chip = exact_chip().sample(config.cell_model, matrices(network), level="pair", seed=0, lines=lines)
    chip.form(config.forming_voltage_V)
    wires = None if way == "ideal" else Wires(options.ohm, options.ohm)
    learner = exact_learner()(network, chip, recipe=recipe, wires=wires)
    learner.way, learner.every = way, options.every
    started = time.process_time()
    for _ in range(recipe.epochs):
        learner.epoch(data)
    spent = time.process_time() - started
    learner.adopt(learner.best)
    lost = 0.0
    if wires is not None:
        chip.solve(wires)
        lost = 1 - chip.behind[0].transfer_S.sum() / chip.macros[0].conductance_S().sum()
    accuracy = data.validation_score(learner.predict)
    flips = chip.pulses["set"] + chip.pulses["reset"]
    return {"accuracy": accuracy, "lost": float(lost), "cpu_s": spent, "flips": flips}


def exact_chip():
    """The class of a chip that knows its exact transfer."""
    import numpy as np

    from minirram.chip.chip import Chip
    from minirram.crossbar.elimination import Eliminated

    class ExactChip(Chip):
        """Reads of weights are the transfer that was last solved, flips since then by their shares of the voltage."""

        behind = ()

        def solve(self, wires):
            self.then = [macro.conductance_grid() for macro in self.macros]
            self.behind = [Eliminated(macro.conductance_S(), wires) for macro in self.macros]
            self.update_ir_drop(wires)

        def _gather_pairs(self, name):
            if not self.behind:
                return super()._gather_pairs(name)
            cells = np.stack(
                [
                    (macro.conductance_grid() - then) * share + behind.transfer_S / macro.model.grid_S
                    for macro, then, share, behind in zip(self.macros, self.then, self._voltage_share, self.behind)
                ]
            )
            return self.placement.gather(name, cells.astype(np.float32))

    return ExactChip


def exact_learner():
    """The class of a learner on such a chip."""
    import numpy as np

    from minirram.learn.mask_learner import MaskLearner

    class ExactLearner(MaskLearner):
        """Solves the wires at the start of an epoch and every `every` steps of it."""

        way, every, steps = "reduced", 1, 0

        def apply_wires(self):
            if self.way in SOLVED:
                self.chip.solve(self.wires)
            else:
                super().apply_wires()

        def update(self, gradients, rate):
            if self.way in ("gradient", "unscaled"):
                gradients = self.through_wires(gradients)
            super().update(gradients, rate)
            self.steps += 1
            if self.way in SOLVED and self.steps % self.every == 0:
                self.chip.solve(self.wires)

        def through_wires(self, gradients):
            chip, d_cells = self.chip, np.zeros(self.chip.used.shape)
            for name, gradient in gradients.items():
                own = gradient / self.scales_S[name]
                chip.placement.scatter(name, (own, -own), cells=d_cells)
            back = np.stack([behind.gradient(d_macro) for behind, d_macro in zip(chip.behind, d_cells)])
            found = {}
            for name, gradient in gradients.items():
                plus, minus = chip.placement.gather(name, back.astype(np.float32))
                exact = np.where(self.signs[name], plus, -minus) * np.float32(self.scales_S[name])
                if self.way == "unscaled":
                    found[name] = exact
                    continue
                size = np.linalg.norm(gradient * self.kept[name]) / np.linalg.norm(exact * self.kept[name])
                found[name] = exact * np.float32(size)
            return found

    return ExactLearner


if __name__ == "__main__":
    main()

"""Whether another NumPy or BLAS kernel learns the same bits: `python benchmarks/kernels.py`, once for each of them.

Three steps of fashion-mnist on built-in data: the CRC-32 of what each step gives, and the CPU seconds of four steps.
`OPENBLAS_CORETYPE=SkylakeX` and the like choose the kernel; `OPENBLAS_NUM_THREADS=1` keeps threads out of the seconds.
"""

import argparse
import time
import zlib
from dataclasses import replace

import numpy as np

from minirram.device.presets import technology
from minirram.learn.mask_learner import MaskLearner
from minirram.rng import stream
from minirram.runs.config import RunConfig
from minirram.runs.environment import environment
from minirram.runs.folder import open_training
from minirram.runs.made_chip import make_chip
from minirram.tasks import registry

STEPS = 3


def crc(arrays):
    """CRC-32, hexadecimal, of a dict of arrays."""
    found = 0
    for name in sorted(arrays):
        found = zlib.crc32(np.ascontiguousarray(arrays[name]).tobytes(), found)
    return f"{found:08x}"


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    import machine

    machine.tell()
    task = registry.TASKS["fashion-mnist"]
    task = registry.TASKS[task.name] = replace(task, drawn=replace(task.drawn, training=1200, test=100))
    config = RunConfig(task.name, "synthetic", task.network, task.recipe("quick"), technology("taox-40nm"))
    data, chip = open_training(config), make_chip(config)
    learner = MaskLearner(config.network, chip, recipe=config.recipe)
    print(f"{environment().named()}; before: masks {crc(learner.masks)}, scores {crc(learner.scores)}")
    batches = list(data.batches(stream(0, "batches", 0), config.recipe))
    for step, (codes, labels, weight) in enumerate(batches[:STEPS], 1):
        learner.step(codes, labels, weight=weight, rate=config.recipe.learning_rate)
        print(f"step {step}: scores {crc(learner.scores)}, state {crc(learner.state)}, masks {crc(learner.masks)}")
    seconds = []
    for _ in range(3):
        before_s = time.process_time()
        for codes, labels, weight in batches[:4]:
            weights = learner.read_weights(learner.read_generators)
            learner.engine.training_step(weights, learner.state, x=codes, labels=labels, weight=weight)
        seconds.append(time.process_time() - before_s)
    print(f"{min(seconds):.3f} CPU s for 4 steps")


if __name__ == "__main__":
    main()

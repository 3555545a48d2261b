"""What a checkpoint of the U-Net takes: bytes and seconds, all in one file as before, and apart from the formed chip.

    python benchmarks/checkpoint.py

Nothing is learned: scores, velocities and masks are drawn anew before each, and the chip is pulsed to the masks.
"""

import os
import tempfile
import time
import zlib
from typing import Any, Callable, Tuple

import numpy as np

from minirram.chip.chip import Chip
from minirram.device.presets import TAOX_40NM
from minirram.files import read_npz, write_npz
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.recipe import Recipe
from minirram.nn.network import matrices
from minirram.runs.checkpoints import FILE, FORMED, Checkpoints
from minirram.tasks.registry import TASKS

ROUNDS = 5
FLIPS = 0.05
"""share of the bits that flip from one checkpoint to the next"""


def timed(work: Callable[[], Any]) -> float:
    """Seconds of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def learn_anything(learner: MaskLearner, random: np.random.Generator) -> None:
    """Draw what an epoch would change."""
    for name, mask in learner.masks.items():
        learner.scores[name][...] = random.standard_normal(mask.shape)
        learner.velocity[name][...] = random.standard_normal(mask.shape)
        learner.masks[name] = mask ^ (random.random(mask.shape) < FLIPS)
    learner.chip.program(learner.masks, learner.signs)
    learner.keep_best()


def main() -> None:
    """Print a row for each way."""
    import machine

    machine.tell()
    network, recipe, random = TASKS["retina"].network, Recipe(), np.random.default_rng(0)
    chip = Chip.sample(TAOX_40NM, matrices(network), level=recipe.level, seed=1)
    chip.form(5.0)
    learner = MaskLearner(network, chip, recipe=recipe)
    with tempfile.TemporaryDirectory() as folder:
        own, one = Checkpoints(folder), os.path.join(folder, "one.npz")
        ways: Tuple[Callable[[], Any], ...] = (
            lambda: write_npz(one, learner.checkpoint(), compress=False),
            lambda: own.save(learner.checkpoint()),
            lambda: read_npz(one),
            lambda: Checkpoints(folder).load(read_npz(os.path.join(folder, FILE))),
        )
        seconds = []
        for _ in range(ROUNDS):  # in turn: the machine may be shared
            learn_anything(learner, random)
            seconds.append([timed(way) for way in ways])
        sizes = {name: os.path.getsize(os.path.join(folder, name)) / 1e6 for name in ("one.npz", FILE, FORMED)}
    old_save, new_save, old_load, new_load = np.median(seconds, axis=0)
    print(f"one file: {sizes['one.npz']:.1f} MB, saved in {old_save:.2f} s, read in {old_load:.2f} s")
    print(f"apart: {sizes[FILE]:.1f} MB, saved in {new_save:.2f} s, read in {new_load:.2f} s")
    print(f"written once: {sizes[FORMED]:.1f} MB; medians of {ROUNDS}")
    scores = np.concatenate([array.reshape(-1) for array in learner.scores.values()])
    apart = np.ascontiguousarray(scores.view(np.uint8).reshape(-1, 4).T)
    for what, data in (("deflated", scores.tobytes()), ("deflated byte by byte", apart.tobytes())):
        started = time.perf_counter()
        share = len(zlib.compress(data, 1)) / len(data)
        seconds_of = time.perf_counter() - started
        print(f"scores {what}: {share:.0%} of their size, {seconds_of:.2f} s")


if __name__ == "__main__":
    main()

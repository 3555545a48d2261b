"""The command line with small networks, few drawn images and one epoch, for tests of pages.

With the variable SMALL, for blocks that say so, numbers that the command states are small, too.

`python -m tests.support.short_minirram ARGUMENTS` is `minirram ARGUMENTS` in all else, and a script where they begin
with its path. `--ready` has it take commands from clients, see `ready`.
"""

import dataclasses
import os
import pathlib
import runpy
import sys
from typing import List

import numpy as np

from minirram.cli import main
from minirram.cli import sweep as sweep_command
from minirram.study import paper_runs
from minirram.sweep.study import Study, read_study
from minirram.tasks import draft, fashion_mnist, fashion_mnist_macro, registry, retina, spoken_digits

from .ready import commands

NETWORKS = {
    "fashion-mnist": fashion_mnist.fashion_mnist_cnn(conv1=8, conv2=8, hidden=16),
    "fashion-mnist-affine": fashion_mnist.fashion_mnist_cnn(conv1=8, conv2=8, hidden=16, affine=True),
    "fashion-mnist-macro": fashion_mnist_macro.fashion_mnist_macro(widths=(4, 8, 8, 8), hidden=16),
    "retina": retina.retina_unet(width=4),
    "spoken-digits": spoken_digits.spoken_digit_crnn(conv1=8, conv2=8, rnn=16, hidden=16),
}
"""that stand in for those of the tasks"""
DRAWN = {"retina": 2}
"""samples that a task draws, for training and for test; others draw 264"""
CROPS = 16
"""samples of an epoch, of tasks that say how many"""


SMALL = "MINIRRAM_TEST_SMALL"
"""variable that has `few` read a command line"""
FIGURES = "MINIRRAM_TEST_FIGURES"
"""variable that has reports draw, where matplotlib is there"""
MOST = {"--epochs": 1, "--tuning-epochs": 1, "--draws": 2, "--relearn-steps": 5, "--processes": 1}
"""option of a command -> its largest number"""
MOST_OF_SCRIPTS = {"--updates": 3, "--steps": 1, "--rounds": 1}
"""epochs of a script are those over which a rate falls"""
FIRST = {"--seeds": 1, "--rates": 1, "--updates": 1, "--arms": 4, "--tasks": 1}
"""option -> so many of its words"""
STATED = {"compare": {"--seeds": "0", "--rates": "0.1", "--tuning-epochs": "1"}}
"""command -> options that it gets where it lacks them"""


def few(words: List[str]) -> List[str]:
    """A command line with small numbers and short lists of them."""
    found: List[str] = []
    option, taken, most = "", 0, MOST_OF_SCRIPTS if words[0].endswith(".py") else MOST
    for word in words:
        option, taken = (word, 0) if word.startswith("--") else (option, taken + 1)
        if taken and option in most:
            word = str(min(int(word), most[option]))
        if taken <= FIRST.get(option, taken):
            found.append(word)
    lacking = {name: value for name, value in STATED.get(words[0], {}).items() if name not in words}
    return [*found, *(word for pair in lacking.items() for word in pair)]


def read_short_study(path: str) -> Study:
    """The study of a file with one value of each list of its grid, and the last point of its own list."""
    study = read_study(path)
    return dataclasses.replace(study, grid={k: v[:1] for k, v in study.grid.items()}, points=study.points[-1:])


def shorten() -> None:
    """Make the built-in tasks small: network, data, epochs. Drafts train for 300 steps, no array is compressed."""
    draft.STEPS = 300
    np.savez_compressed = np.savez
    for name, task in registry.TASKS.items():
        n = DRAWN.get(name, 264)
        drawn = dataclasses.replace(task.drawn, training=n, test=n) if task.drawn else None
        network = NETWORKS.get(name, task.network)
        recipes = {
            key: dataclasses.replace(recipe, epochs=1, samples_per_epoch=recipe.samples_per_epoch and CROPS)
            for key, recipe in task.recipes.items()
        }
        registry.TASKS[name] = dataclasses.replace(task, network=network, drawn=drawn, recipes=recipes)


if __name__ == "__main__":
    shorten()
    if sys.argv[1:] == ["--ready"]:
        main.build_parser()  # loads every command
        sys.argv[1:] = commands()
    del sys.path[0]  # the current folder, which an installed minirram does not look into
    if FIGURES not in os.environ:
        sys.modules["matplotlib"] = None  # they take longer than all else, and one page has them
    if SMALL in os.environ:
        sys.argv[1:], sweep_command.read_study = few(sys.argv[1:]), read_short_study
        longer = dict.fromkeys(paper_runs.TASKS, 200)  # few samples: more epochs for as many updates
        paper_runs.PLANS["quick"] = paper_runs.PLANS["quick"]._replace(epochs=longer)
    if sys.argv[1].endswith(".py"):
        del sys.argv[0]
        sys.path.insert(0, str(pathlib.Path(sys.argv[0]).resolve().parent))
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        sys.exit(main.main(sys.argv[1:]))

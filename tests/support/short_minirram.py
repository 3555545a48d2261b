"""The command line with small networks, few drawn images and one epoch, for tests of pages.

With the variable SMALL, for blocks that say so, numbers that the command states are small, too.

`python -m tests.support.short_minirram ARGUMENTS` is `minirram ARGUMENTS` in all else, and a script where they begin
with its path.
"""

import dataclasses
import os
import pathlib
import runpy
import sys
from typing import List

from minirram.cli import main
from minirram.tasks import draft, fashion_mnist, fashion_mnist_macro, registry, retina, spoken_digits

NETWORKS = {
    "fashion-mnist": fashion_mnist.fashion_mnist_cnn(conv1=8, conv2=8, hidden=16),
    "fashion-mnist-affine": fashion_mnist.fashion_mnist_cnn(conv1=8, conv2=8, hidden=16, affine=True),
    "fashion-mnist-macro": fashion_mnist_macro.fashion_mnist_macro(widths=(4, 8, 8, 8), hidden=16),
    "retina": retina.retina_unet(width=4),
    "spoken-digits": spoken_digits.spoken_digit_crnn(conv1=8, conv2=8, rnn=16, hidden=16),
}
"""that stand in for those of the tasks"""
DRAWN = {"retina": 8}
"""samples that a task draws, for training and for test; others draw 480"""
CROPS = 96
"""samples of an epoch, of tasks that say how many"""


SMALL = "MINIRRAM_TEST_SMALL"
"""variable that has `few` read a command line"""
MOST = {"--epochs": 1, "--tuning-epochs": 1, "--draws": 2, "--relearn-steps": 5}
"""option of a command -> its largest number; epochs of a script are those over which a rate falls"""
FIRST = {"--seeds": 1, "--rates": 1, "--updates": 1}
"""option -> so many of its numbers"""


def few(words: List[str]) -> List[str]:
    """A command line with small numbers and short lists of them."""
    found: List[str] = []
    option, taken = "", 0
    for word in words:
        option, taken = (word, 0) if word.startswith("--") else (option, taken + 1)
        if taken and option in MOST and not words[0].endswith(".py"):
            word = str(min(int(word), MOST[option]))
        if taken <= FIRST.get(option, taken):
            found.append(word)
    return found


def shorten() -> None:
    """Make the built-in tasks small: networks, drawn data, epochs. Drafts train for 300 steps."""
    draft.STEPS = 300
    for name, task in registry.TASKS.items():
        n = DRAWN.get(name, 480)
        drawn = dataclasses.replace(task.drawn, training=n, test=n) if task.drawn else None
        network = NETWORKS.get(name, task.network)
        recipes = {
            key: dataclasses.replace(recipe, epochs=1, samples_per_epoch=recipe.samples_per_epoch and CROPS)
            for key, recipe in task.recipes.items()
        }
        registry.TASKS[name] = dataclasses.replace(task, network=network, drawn=drawn, recipes=recipes)


if __name__ == "__main__":
    shorten()
    del sys.path[0]  # the current folder, which an installed minirram does not look into
    sys.argv[1:] = few(sys.argv[1:]) if SMALL in os.environ else sys.argv[1:]
    if sys.argv[1].endswith(".py"):
        del sys.argv[0]
        sys.path.insert(0, str(pathlib.Path(sys.argv[0]).resolve().parent))
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        sys.exit(main.main(sys.argv[1:]))

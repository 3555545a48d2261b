"""The command line with small networks, few drawn images and one epoch, for tests that run the commands of pages.

`python -m tests.support.short_minirram ARGUMENTS` is `minirram ARGUMENTS` in all else, and a script where they begin
with its path.
"""

import dataclasses
import pathlib
import runpy
import sys

from minirram.cli import main
from minirram.tasks import draft, fashion_mnist, registry, retina

NETWORKS = {
    "fashion-mnist": fashion_mnist.fashion_mnist_cnn(conv1=8, conv2=8, hidden=16),
    "retina": retina.retina_unet(width=2),
}
"""that stand in for those of the tasks"""
DRAWN = {"retina": 8}
"""samples that a task draws, for training and for test; others draw 480"""


def shorten() -> None:
    """Make the built-in tasks small: networks, drawn data, epochs. Drafts train for 300 steps."""
    draft.STEPS = 300
    for name, task in registry.TASKS.items():
        n = DRAWN.get(name, 480)
        drawn = dataclasses.replace(task.drawn, training=n, test=n) if task.drawn else None
        network = NETWORKS.get(name, task.network)
        recipes = {key: dataclasses.replace(recipe, epochs=1) for key, recipe in task.recipes.items()}
        registry.TASKS[name] = dataclasses.replace(task, network=network, drawn=drawn, recipes=recipes)


if __name__ == "__main__":
    shorten()
    if sys.argv[1].endswith(".py"):
        del sys.argv[0]
        sys.path.insert(0, str(pathlib.Path(sys.argv[0]).resolve().parent))
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        sys.exit(main.main(sys.argv[1:]))

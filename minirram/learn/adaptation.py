"""The digital side seen anew: batch norms and ranges of activations follow a chip, and nothing is pulsed."""

import itertools
from typing import Callable

import numpy as np

from ..nn.engine.engine import Engine
from ..rng import stream
from .learned import Arrays
from .learner import Learner, TrainingData
from .recipe import Schedule

ADAPTATION_STEPS = 50
"""batches that the digital statistics see; 0.5 % of what they were is then left in them"""


def retake_statistics(
    engine: Engine,
    state: Arrays,
    *,
    read_weights: Callable[[], Arrays],
    data: TrainingData,
    order: np.random.Generator,
    recipe: Schedule,
    steps: int = ADAPTATION_STEPS,
) -> None:
    """Let `steps` training batches pass; the running statistics and ranges in `state` move in place.

    read_weights: one fresh read of the chip as weights. order: of the batches. Trained parameters stay.
    """
    passes = itertools.chain.from_iterable(data.batches(order, recipe) for _ in itertools.count())
    for codes, labels, weight in itertools.islice(passes, steps):
        engine.training_step(read_weights(), state, x=codes, labels=labels, weight=weight)


def follow_chip(learner: Learner, data: TrainingData, *, stage: str, steps: int = ADAPTATION_STEPS) -> None:
    """Let the statistics of a learner see its chip as it is now, `steps` batches; `stage` names the random numbers."""
    reads = learner.generators(stage, "read")
    retake_statistics(
        learner.engine,
        learner.state,
        read_weights=lambda: learner.read_weights(reads),
        data=data,
        order=stream(learner.recipe.seed, stage),
        recipe=learner.recipe,
        steps=steps,
    )

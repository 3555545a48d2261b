"""Recipes at their limits, and weights that a chip cannot want."""

import numpy as np
import pytest

from minirram.chip.dead_lines import ChipLines
from minirram.errors import ConfigError, ShapeError
from minirram.learn.recipe import MOST_SEED, Recipe
from minirram.learn.written_weights import WriteLearner, Writing

from ..support.tiny import tiny_chip, tiny_network, tiny_recipe

FIELDS = {
    "steps": (dict(hysteresis_steps=1), dict(hysteresis_steps=0), "hysteresis_steps is 0; it must be at least 1"),
    "hysteresis": (dict(hysteresis=0.007), dict(hysteresis=np.inf), "hysteresis is inf; it must be finite and not"),
    "its end": (dict(hysteresis_end=0.0), dict(hysteresis_end=-1e-9), "hysteresis_end is -1e-09; it must be finite"),
    "its fall": (dict(hysteresis_end=0.01), dict(hysteresis_end=0.02), "hysteresis_end 0.02 is above hysteresis 0.01"),
    "no number": (dict(hysteresis=0.01), dict(hysteresis=np.nan), "hysteresis is nan; it must be finite"),
    "score step": (dict(score_step=1e-9), dict(score_step=0.0), "score_step is 0.0; it must be finite and above 0"),
    "wire gradient": (dict(wire_gradient="exact"), dict(wire_gradient="solve"), "wire_gradient 'solve': choose one of"),
    "wire steps": (dict(wire_steps=1), dict(wire_steps=0), "wire_steps is 0; it must be at least 1"),
    "chip seed": (
        dict(chip_seed=MOST_SEED),
        dict(chip_seed=MOST_SEED + 1),
        "chip_seed is 9223372036854775808; it must",
    ),
    "rate": (dict(learning_rate=0.0), dict(learning_rate=-0.1), "learning_rate is -0.1; it must be finite and not"),
    "decay": (dict(weight_decay=0.0), dict(weight_decay=np.inf), "weight_decay is inf; it must be finite"),
    "momentum": (dict(momentum=0.0), dict(momentum=1.0), "momentum is 1.0; it must lie in 0..1, 1 excluded"),
    "epochs": (dict(epochs=1), dict(epochs=0), "epochs is 0; it must be at least 1"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_recipe_at_its_limits(name):
    good, bad, said = FIELDS[name]
    Recipe(**good)
    with pytest.raises(ConfigError, match=f"^{said}"):
        Recipe(**bad)


def test_weights_of_another_shape():
    recipe = tiny_recipe(level="cell")
    chip = tiny_chip(recipe, lines=ChipLines(rows=96, pairs=16))
    learner = WriteLearner(tiny_network(), chip, recipe=recipe, writing=Writing(0.0, 0.0))
    weights = {name: np.ones_like(wanted) for name, wanted in learner.wanted.items()}
    learner.aim(weights)
    assert all((wanted == 1).all() for wanted in learner.wanted.values())
    with pytest.raises(ShapeError, match=r"^weights of fc2: \(3, 12\), expected \(12, 3\)"):
        learner.aim(dict(weights, fc2=weights["fc2"].T))

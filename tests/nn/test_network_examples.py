"""The code of docs/networks.md runs, and does what the page says."""

import pathlib
import re
import runpy

import numpy as np

from minirram.chip.chip import Chip
from minirram.chip.placement import place
from minirram.device.presets import TAOX_40NM
from minirram.inference.forward import predict
from minirram.inference.product import ChipProduct
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.recipe import Recipe
from minirram.nn.network import input_bits, matrices, weights_by_layer

from ..support.tiny import tiny_adcs

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "networks.md"
STEPS = 60


def example(number, tmp_path):
    """Names that an example of the page defines."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[number]
    script = tmp_path / "example.py"
    script.write_text(code, encoding="utf-8")
    return runpy.run_path(str(script))


def coloured_stripes(generator, n):
    """Codes (n, 8, 8, 3) with stripes in each channel, upright or not; the class tells those of red and of blue."""
    upright = generator.integers(0, 2, (n, 3))
    row, col = np.mgrid[0:8, 0:8]
    place = np.where(upright[:, None, None, :] == 1, col[..., None], row[..., None])
    bright = (place // 2 + generator.integers(0, 2, (n, 1, 1, 3))) % 2
    codes = 8 * bright + generator.integers(0, 8, (n, 8, 8, 3))
    return codes.astype(np.uint8), 2 * upright[:, 0] + upright[:, 2]


def test_a_residual_network_of_three_channels_trains_on_one_macro(tmp_path):
    network, generator = example(0, tmp_path)["network"], np.random.default_rng(1)
    assert sum(weights_by_layer(network).values()) == 4384
    recipe = Recipe(batch_size=40)
    chip = Chip.sample(TAOX_40NM, matrices(network), level=recipe.level, seed=recipe.chip_seed)
    assert chip.placement.n_macros == 1 and chip.placement.n_pairs == 4384
    chip.form(TAOX_40NM.forming_voltage_V(recipe.formed_share))
    learner = MaskLearner(network, chip, recipe=recipe)
    for step in range(STEPS):
        codes, labels = coloured_stripes(generator, recipe.batch_size)
        learner.step(codes, labels, weight=None, rate=0.1 * (1 - step / STEPS))
    codes, labels = coloured_stripes(generator, 200)
    adcs = tiny_adcs(learner, codes[:50], 8)
    product = ChipProduct(chip, adcs, input_bits=input_bits(network), scales_S=learner.scales_S, noise_seed=3)
    answers = predict(network, learner.state, codes, product).argmax(axis=1)
    assert np.mean(answers == labels) > 0.9


def test_tones_are_told_apart(tmp_path, capsys):
    example(1, tmp_path)
    assert float(capsys.readouterr().out.split()[-1]) > 0.9


def test_groups_use_as_many_pairs_as_they_have_weights(tmp_path):
    shapes = [shape for shape in matrices(example(0, tmp_path)["network"]) if shape[0].startswith("branch.")]
    placement = place(shapes)
    assert len(placement.tiles) == 16 and placement.n_pairs == 16 * 9
    assert np.count_nonzero(placement.used_cells()) == 2 * 16 * 9  # no cell twice, none between groups

"""Bits matched to a first chip's answers: greedy flips beside a slow oracle, and what a layer takes and gives."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines
from minirram.chip.faults import Forced
from minirram.device.presets import TAOX_40NM
from minirram.inference.forward import predict
from minirram.inference.product import IdealProduct
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.recipe import Recipe
from minirram.nn.network import initial_state, matrices
from minirram.study import matching
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.retina import retina_unet

STILL = replace(TAOX_40NM, read_noise=0.0, write_noise=0.0)
LINES = ChipLines(rows=128, pairs=64)


def squared_errors(vectors, wanted, weights):
    """Mean squared error of each column, damped: float64 (fan_out,), up to what no flip changes."""
    error = vectors @ weights - wanted
    return np.square(error).sum(axis=0) / len(vectors)


def slow_flips(vectors, wanted, *, weights, flip):
    """`greedy_flips` of one column after another, each flip tried by computing the whole error anew."""
    damping = matching.DAMPING * np.mean(np.square(vectors).sum(axis=0)) / len(vectors)
    flipped = np.zeros(flip.shape, bool)
    for column in range(flip.shape[2]):
        start, each = weights[:, column], flip[:, :, column].copy()
        now = start.copy()
        target = wanted[:, column]
        left = np.square(vectors @ now - target).sum() / len(vectors)
        while True:
            error = np.square(vectors @ now - target).sum() / len(vectors)
            gains = np.full(each.shape, -np.inf)
            for bit, row in np.argwhere(~np.isnan(each)):
                tried = now.copy()
                tried[row] += each[bit, row]
                saved = error - np.square(vectors @ tried - target).sum() / len(vectors)
                gains[bit, row] = saved - damping * ((tried[row] - start[row]) ** 2 - (now[row] - start[row]) ** 2)
            bit, row = np.unravel_index(gains.argmax(), gains.shape)
            if not gains[bit, row] > matching.LEAST_GAIN * left:
                break
            left = max(left - gains[bit, row], 0.0)
            now[row] += each[bit, row]
            each[bit, row] *= -1
            flipped[bit, row, column] ^= True
    return flipped


@given(st.integers(0, 2**32 - 1), st.integers(1, 2), st.integers(1, 7), st.integers(1, 4))
def test_the_bit_that_saves_most_flips_next(seed, bits, fan_in, fan_out):
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((30, fan_in))
    weights = generator.standard_normal((fan_in, fan_out))
    flip = generator.standard_normal((bits, fan_in, fan_out))
    flip[generator.random(flip.shape) < 0.2] = np.nan
    wanted = vectors @ generator.standard_normal((fan_in, fan_out))
    found = matching.greedy_flips(vectors, wanted, weights=weights, flip=flip)
    assert np.array_equal(found, slow_flips(vectors, wanted, weights=weights, flip=flip))
    assert not found[np.isnan(flip)].any()
    after = weights + np.where(found, np.nan_to_num(flip), 0).sum(axis=0)
    assert (squared_errors(vectors, wanted, after) <= squared_errors(vectors, wanted, weights) + 1e-12).all()


def test_batch_norms_are_found_behind_pools_alone():
    assert matching.norms_behind(fashion_mnist_cnn()) == {"conv1": "bn1", "conv2": "bn2"}
    assert matching.norms_behind(fashion_mnist_cnn(affine=True))["fc1"] == "bn3"
    unet = retina_unet()
    assert matching.norms_behind(unet) == {name: f"bn_{name}" for name, _ in matrices(unet) if name != "out"}


@pytest.mark.parametrize("level", ["pair", "cell"])
def test_layers_answer_as_on_the_first_chip(level):
    network = fashion_mnist_cnn(conv1=4, conv2=4, hidden=12)
    recipe = Recipe(epochs=1, level=level, batch_size=10)
    learners = []
    for seed in (0, 1):
        chip = Chip.sample(STILL, matrices(network), level=level, seed=seed, lines=LINES)
        chip.form(4.0)
        learners.append(MaskLearner(network, chip, recipe=replace(recipe, chip_seed=seed)))
    first, other = learners
    codes = np.random.default_rng(0).integers(0, 16, (60, 14, 14, 1), dtype=np.uint8)
    home = first.read_weights()
    first.engine.training_step(home, first.state, x=codes[:10], labels=np.zeros(10, np.int64), weight=None)
    other.state = {name: array.copy() for name, array in first.state.items()}
    frozen = next(iter(other.masks))
    if level == "pair":
        other.free = {frozen: np.zeros(other.masks[frozen].shape, bool)}
    else:
        other.forced = {frozen: Forced(other.masks[frozen], ~other.masks[frozen])}
    masks = {name: mask.copy() for name, mask in other.masks.items()}

    def distance():
        here, there = (
            predict(network, learner.state, codes=codes, product=IdealProduct(learner.read_weights()))
            for learner in (other, first)
        )
        return np.square(here - there).mean()

    before = distance()
    flips = matching.match_masks(other, home, codes=codes)
    assert flips == sum(np.count_nonzero(masks[name] != other.masks[name]) for name in masks) > 0
    assert np.array_equal(masks[frozen], other.masks[frozen])  # none of its bits can be chosen
    assert distance() < 0.5 * before
    assert sum(other.chip.pulses[kind] for kind in ("set", "reset")) >= flips and other.borders
    assert any(not np.array_equal(other.state[n], first.state[n]) for n in ("bn1.mean", "bn2.mean"))


def test_input_vectors_have_the_step_of_their_codes():
    network = fashion_mnist_cnn(conv1=2, conv2=2, hidden=4)
    state = {**initial_state(network), "act1.range": np.float32(3.0)}
    weights = {name: np.ones(shape, np.float32) for name, shape in matrices(network)}
    codes = np.arange(14 * 14, dtype=np.uint8).reshape(1, 14, 14, 1) % 16
    vectors, step = matching.input_vectors(network, state, codes=codes, weights=weights, name="conv1")
    assert vectors.shape == (144, 9) and step == network.input_step
    _, step = matching.input_vectors(network, state, codes=codes, weights=weights, name="conv2")
    assert step == pytest.approx(3.0 / 15)

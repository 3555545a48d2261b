"""Moments of functions of normal numbers, beside sums over a fine grid; accuracy without draws, beside 100 draws."""

import itertools
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import minirram as mr
from minirram.chip.dead_lines import ChipLines
from minirram.crossbar.conditions import Conditions
from minirram.crossbar.wires import Wires
from minirram.device.cell import normal_cdf
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError
from minirram.inference import propagation
from minirram.inference.calibration import calibrate_adcs
from minirram.inference.forward import predict
from minirram.inference.model import Model
from minirram.inference.product import ChipProduct
from minirram.learn.mask_learner import MaskLearner
from minirram.nn.engine.moments import (
    Moments,
    code_chances,
    converted,
    cumulative,
    larger,
    quantised,
    rectified,
    right_answers,
    shifted_sum,
)
from minirram.nn.network import input_bits
from minirram.runs.evaluate import evaluate, expected
from minirram.tasks import datasets, drawn_digits, drawn_garments, fashion_mnist, spoken_digits
from minirram.tasks.retina import retina_unet
from minirram.tasks.speech_features import speech_features

from ..support.tiny import StripeData, tiny_chip, tiny_network, tiny_recipe

DEVIATIONS = np.linspace(-8, 8, 40_001)
WEIGHTS = np.exp(-0.5 * DEVIATIONS**2) / np.exp(-0.5 * DEVIATIONS**2).sum()
means, spreads = st.floats(-4, 9), st.floats(0.02, 3)


def on_grid(function, mean, sigma):
    """(mean, variance) of function(mean + sigma n) of a normal n."""
    values = function(mean + sigma * DEVIATIONS)
    return (WEIGHTS * values).sum(), (WEIGHTS * values**2).sum() - (WEIGHTS * values).sum() ** 2


def one(mean, sigma):
    return Moments(np.array([mean], np.float32), np.array([sigma**2], np.float32))


@given(means, spreads)
def test_what_a_rectifier_a_quantiser_and_a_converter_make_of_a_normal_number(mean, sigma):
    mean, sigma = float(np.float32(mean)), float(np.float32(sigma))
    functions = (
        (lambda x: np.maximum(x, 0), lambda x: rectified(x).moments),
        (lambda x: 0.7 * np.clip(np.rint(x / 0.7), 0, 7), lambda x: quantised(x, 0.7, 3).passed.moments),
        (np.rint, lambda x: converted(*x)),
    )
    for function, moments in functions:
        found = moments(one(mean, sigma))
        expected_mean, expected_variance = on_grid(function, mean, sigma)
        assert float(found.mean[0]) == pytest.approx(expected_mean, abs=4e-3)
        assert float(found.variance[0]) == pytest.approx(expected_variance, abs=8e-3, rel=5e-3)


@given(means, spreads)
def test_gains_are_slopes_of_the_mean_and_bits_those_of_the_codes(mean, sigma):
    for passing in (rectified, lambda x: quantised(x, 0.7, 3).passed):
        passed, step = passing(one(mean, sigma)), 0.02 * sigma
        rise = passing(one(mean + step, sigma)).moments.mean - passing(one(mean - step, sigma)).moments.mean
        assert float(passed.gain[0]) == pytest.approx(float(rise[0]) / (2 * step), abs=0.02, rel=0.02)
        through = passed.gain**2 * np.float32(sigma**2)
        assert float((through + passed.own)[0]) == pytest.approx(float(passed.moments.variance[0]), abs=2e-3, rel=1e-3)
    coded = quantised(one(mean, sigma), 0.7, 3)
    for bit in range(3):
        share, _ = on_grid(lambda x, bit=bit: np.clip(np.rint(x / 0.7), 0, 7).astype(int) >> bit & 1, mean, sigma)
        assert float(coded.planes[bit][0]) == pytest.approx(share, abs=3e-3)


@given(means, spreads, means, spreads)
def test_the_larger_of_two(mean, sigma, other_mean, other_sigma):
    top, first = larger(one(mean, sigma), one(other_mean, other_sigma))
    grid = np.linspace(-6, 6, 401)
    weights = np.exp(-0.5 * (grid[:, None] ** 2 + grid**2))
    a, b = mean + sigma * grid[:, None], other_mean + other_sigma * grid
    values = np.maximum(a, b)
    expected_mean = np.average(values, weights=weights)
    assert float(top.mean[0]) == pytest.approx(expected_mean, abs=3e-3)
    assert float(top.variance[0]) == pytest.approx(np.average((values - expected_mean) ** 2, weights=weights), abs=0.02)
    assert float(first[0]) == pytest.approx(np.average(a > b, weights=weights), abs=0.06)


@given(st.lists(st.tuples(st.floats(-0.49, 0.49), st.floats(0.01, 0.59)), min_size=1, max_size=3))
def test_conversions_are_counted_code_by_code(planes):
    chances = [code_chances(np.array([x], np.float32), np.array([s**2], np.float32))[:, 0] for x, s in planes]
    tail = shifted_sum([chance[:, None] for chance in chances])[:, 0]
    top = 2 * (2 ** len(planes) - 1)
    for k in range(len(tail)):
        reached = 0.0
        for off in itertools.product(range(-2, 3), repeat=len(planes)):
            if sum(2**b * o for b, o in enumerate(off)) >= k - top:
                reached += float(np.prod([chances[b][o + 2] for b, o in enumerate(off)]))
        assert tail[k] == pytest.approx(reached, abs=1e-5)


@pytest.mark.parametrize("outputs, each, all_together", [(2, 0.015, 0.005), (6, 0.1, 0.01)])
def test_the_chance_of_the_right_answer(outputs, each, all_together):
    """Of two it is exact; the largest of more is taken for a normal number."""
    generator, errors = np.random.default_rng(3), []
    for _ in range(30):
        mean, root = generator.normal(size=(1, outputs)), generator.normal(size=(outputs, outputs)) / 2
        drawn = mean + generator.normal(size=(20_000, outputs)) @ root.T
        found = right_answers(mean, (root @ root.T)[None], np.array([1]))
        errors.append(float(found[0]) - (drawn.argmax(axis=1) == 1).mean())
    assert max(map(abs, errors)) < each and abs(np.mean(errors)) < all_together


def test_the_table_and_what_moments_are_not_carried_through():
    x = np.linspace(-7, 7, 999)
    assert np.abs(cumulative(x) - normal_cdf(x)).max() < 1e-5
    propagation.check(tiny_network(), Conditions())
    with pytest.raises(ConfigError, match="held noise"):
        propagation.check(tiny_network(), Conditions(held_noise=True))
    with pytest.raises(ConfigError, match="use draws"):
        propagation.check(retina_unet(), Conditions())


@pytest.fixture(scope="module")
def tiny():
    """(a learner of one epoch, its model with factors, codes)"""
    data, recipe = StripeData(), tiny_recipe(epochs=2)
    chip = tiny_chip(
        recipe, model=TAOX_40NM.changed(read_noise=0.05, read_noise_floor_S=5e-7), lines=ChipLines(rows=80, pairs=24)
    )
    learner = MaskLearner(tiny_network(), chip, recipe=recipe)
    learner.epoch(data)
    learner.epoch(data)
    learner.adopt(learner.best)
    model = Model(learner.chip.placement, learner.signs, learner.scales_S, {}, learner.state, factors={"fc1": 1.3})
    return learner, model, data.validation_codes


OF_USE = Conditions(wires=Wires(60.0, 40.0), adc_offset_lsb=0.8, adc_gain=0.1, seed=3)


def in_use(tiny, adc_bits, arrangement, conditions):
    """(network, model, chip, product of draws) of a chip whose converters are as asked."""
    learner, model, codes = tiny
    network, chip, scales_S = learner.network, learner.chip, learner.scales_S
    asked = {"adc_bits": adc_bits, "arrangement": arrangement, "wires": conditions.wires}
    adcs = calibrate_adcs(network, learner.state, codes=codes, chip=chip, scales_S=scales_S, **asked)
    adcs = {name: replace(adc, lsb=2 * adc.lsb) for name, adc in adcs.items()}  # nothing saturates
    options = {"input_bits": input_bits(network), "scales_S": scales_S, "factors": model.factors}
    product = ChipProduct(chip, adcs, noise_seed=5, conditions=conditions, **options)
    return network, replace(model, adcs=adcs), chip, product


@pytest.mark.parametrize("conditions", [Conditions(), OF_USE], ids=["ideal", "of use"])
@pytest.mark.parametrize("arrangement, bits", [("pair", 6), ("polarity", 7)])
@pytest.mark.parametrize("chances", [(0.0, 1.0), (0.1, 0.9)], ids=["certain", "noisy"])
def test_moments_of_a_chips_product_are_those_of_its_reads(tiny, arrangement, bits, conditions, chances):
    network, model, chip, product = in_use(tiny, bits, arrangement, conditions)
    products, generator, draws = propagation.Products(network, model, chip, conditions), np.random.default_rng(2), 4000
    planes = generator.choice(chances, (4, 1, 72)).astype(np.float32)
    weighed = 4.0 ** np.arange(4)[:, None, None]
    found = products("fc1", planes, (weighed * planes * (1 - planes)).sum(axis=0).astype(np.float32), 3)
    drawn_bits = generator.random((draws, 4, 72)) < planes[:, 0]
    codes = (drawn_bits * 2 ** np.arange(4)[:, None]).sum(axis=1).astype(np.uint8)
    drawn = product("fc1", codes, 3)
    mean, variance = found.passed.moments
    assert np.abs(mean[0] - drawn.mean(axis=0)).max() < 0.03 * drawn.std()
    np.testing.assert_allclose(variance[0], drawn.var(axis=0), rtol=0.1)
    assert (found.above is not None) == (arrangement == "pair" and 0 in chances)
    if found.above is not None:
        for away in (-0.7, 0.4, 1.2):
            threshold = drawn.mean(axis=0) + away * drawn.std(axis=0)
            chance = found.above(threshold)[0]
            assert np.abs(chance - (drawn >= threshold).mean(axis=0)).max() < 0.04


def test_the_accuracy_that_is_predicted_is_that_of_draws(tiny):
    network, model, chip, product = in_use(tiny, 9, "pair", OF_USE)
    ranked = np.sort(predict(network, model.state, codes=tiny[2], product=product), axis=1)
    codes = tiny[2][np.argsort(ranked[:, -1] - ranked[:, -2])[:50]]  # the closest calls
    labels = predict(network, model.state, codes=codes, product=product).argmax(axis=1)
    answers = [predict(network, model.state, codes=codes, product=product).argmax(axis=1) for _ in range(60)]
    drawn = (np.array(answers) == labels).mean(axis=1)
    found = propagation.predicted(network, model, chip, codes=codes, labels=labels, conditions=OF_USE)
    assert 0.8 < drawn.mean() < 0.995
    assert found.accuracy == pytest.approx(drawn.mean(), abs=0.02)
    assert found.standard_deviation == pytest.approx(drawn.std(), rel=0.3)
    with pytest.raises(ConfigError, match="held noise"):
        propagation.predicted(
            network, model, chip, codes=codes, labels=labels, conditions=replace(OF_USE, held_noise=True)
        )


def save_drawn(folder, layout, draw, sizes):
    generator = np.random.default_rng(5)
    parts = {}
    for part, n in sizes.items():
        inputs, labels = draw(generator, n)
        parts[part] = {"inputs": inputs, "labels": labels}
    datasets.save(folder, layout, parts=parts, origin="drawn for a test")


def clips(generator, n):
    drawn, labels = drawn_digits.spoken_digits(generator, n)
    return np.stack([speech_features(clip) for clip in drawn]), labels


@pytest.mark.slow
@pytest.mark.parametrize(
    "task, draw, sizes, epochs",
    [
        (fashion_mnist.TASK, drawn_garments.garments, {"train": 3000, "validation": 800, "test": 20}, 2),
        (spoken_digits.TASK, clips, {"train": 800, "validation": 500, "test": 20}, 6),
    ],
    ids=["cnn", "crnn"],
)
def test_accuracy_without_draws_is_that_of_100_draws(tmp_path, task, draw, sizes, epochs):
    save_drawn(tmp_path / "data", task.layout, draw, sizes)
    recipe = mr.Recipe(epochs=epochs, batch_size=20, hysteresis=0.001, hysteresis_end=0.001)
    mr.train(task, str(tmp_path / "data"), recipe, out=str(tmp_path / "run"), threads=1)
    drawn = evaluate(str(tmp_path / "run"), draws=100, data=str(tmp_path / "data"))
    found = expected(str(tmp_path / "run"), data=str(tmp_path / "data"))
    deviation = np.std(drawn.by_draw, ddof=1)
    print(f"{task.name}: {found.accuracy:.3%} without draws, {drawn.value:.3%} +- {drawn.standard_error:.3%} by 100")
    assert found.samples == drawn.samples and 0.3 < drawn.value < 0.999
    assert abs(found.accuracy - drawn.value) < 0.001, (found, drawn.value, drawn.standard_error)
    assert found.standard_deviation == pytest.approx(deviation, rel=0.35)

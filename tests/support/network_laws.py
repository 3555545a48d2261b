"""The laws of networks, each a function that raises AssertionError: they hold for every legal network.

A law returns whether it could claim anything: a few cases hang on rounding errors.

A `Case` is a network on a small chip of its own: what the chip's cells give as weights is what all ways to compute it
must agree on. Ranges are chosen so that no activation lies near a rounding edge, where float32 could round either way.
"""

import json
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple
from unittest import mock

import numpy as np

from minirram.accounting.events import EventCounter
from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines
from minirram.crossbar.converters import Adc
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError
from minirram.inference import digital_json, integer_binary
from minirram.inference.forward import predict
from minirram.inference.integer_forward import integer_forward
from minirram.inference.integer_network import integer_network
from minirram.inference.model import Model
from minirram.inference.product import ChipProduct, IdealProduct
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.recipe import Recipe
from minirram.nn import network as networks
from minirram.nn import operations
from minirram.nn.engine import convolution_choice
from minirram.nn.engine.engine import Engine
from minirram.runs.config import RunConfig, config_from_json

from .counted import Counting
from .digital_reader import Controller
from .plain_network import Pass, plain_forward, plain_loss

EXACT = 1e-9  # in float64
FLOAT32 = 2e-6  # of the largest value
INTEGERS = 4  # units of float32's error: integers are as fine as the largest value that a layer may have allows
SURE = 2e-4  # codes: activations nearer to a rounding edge may round the other way in float32
STEPS = (1e-5, 1e-6, 1e-7, 1e-8)  # of a direction: rounding errors grow, curvature goes
STEEP_STEPS = (1e-9, 1e-10)  # the same where the loss is so steep that its rounding does not count
GRADIENT = 2e-5  # relative error of a difference
ROUNDING = 1e-14  # of a loss, at least
UNFELT_STEPS = (1e-14, -2e-14, 3e-14)  # too small for a slope to show: what the loss changes by is rounding


class Case(NamedTuple):
    """A network, the learner that carries it on a chip, and what it is asked."""

    network: Any
    learner: MaskLearner
    weights: Dict[str, np.ndarray]  # float32, as the chip gives them
    state: Dict[str, np.ndarray]  # float32, statistics and ranges of the codes
    codes: np.ndarray
    labels: np.ndarray
    label_weight: np.ndarray
    chunk_floats: int
    eager: bool  # transforms of kernels are used wherever they can be, not where they pay

    def in_engine(self, call: Callable[[Engine], Any]) -> Any:
        """call(engine for the batch, float64)"""
        engine = Engine(self.network, len(self.codes), dtype=np.float64, chunk_floats=self.chunk_floats)
        if not self.eager:
            return call(engine)
        with mock.patch.multiple(convolution_choice, FEW_INPUTS=0, FEW_POSITIONS=0):
            return call(engine)

    def in_float32(self) -> Tuple[np.ndarray, Optional[float]]:
        """(output with the statistics of the state, how far off it may be in float32); None: rounding errors may turn a
        code of a quantiser into the next one.
        """
        logits, run = self.plain(whole_batch=False)
        noisy, other = self.plain(whole_batch=False, noise=np.random.default_rng(0))
        same = all((now == then).all() for now, then in zip(other.codes, run.codes))
        if min(run.margin, other.margin) < SURE or not same:
            return logits, None
        return logits, 3 * float(np.abs(noisy - logits).max()) + FLOAT32 * float(np.abs(logits).max())

    def plain(self, whole_batch: bool, **arrays: Any) -> Any:
        """(output, Pass) of the oracle in float64; arrays: `held`, `noise`, or weights and parameters of the state by
        name.
        """
        held, noise = arrays.pop("held", None), arrays.pop("noise", None)
        weights, state = in_float64(self.weights), in_float64(self.state)
        for name, array in arrays.items():
            (weights if name in weights else state)[name] = array
        run = Pass(weights, state, whole_batch, held=held, noise=noise)
        return plain_forward(self.network, self.codes, run), run


def in_float64(arrays: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Copies in float64."""
    return {name: np.array(array, np.float64) for name, array in arrays.items()}


def make_case(network: Any, seed: int = 0) -> Case:
    """A random chip, masks, digital state and batch for a network."""
    random = np.random.default_rng(seed)
    n = int(random.choice((2, 3, 10)))
    recipe = Recipe(
        epochs=1,
        batch_size=n,
        level=str(random.choice(("pair", "cell"))),
        seed=seed,
        chip_seed=seed,
        density=float(random.uniform(0.3, 0.9)),
    )
    lines = ChipLines(((0, 3), (0, 17)), ((0, 5),), "skip", int(random.integers(24, 96)), int(random.integers(5, 24)))
    chip = Chip.sample(TAOX_40NM, networks.matrices(network), level=recipe.level, seed=recipe.chip_seed, lines=lines)
    chip.form(TAOX_40NM.forming_voltage_V(recipe.formed_share))
    learner = MaskLearner(network, chip, recipe=recipe)
    weights = learner.read_weights()
    codes = random.integers(0, 2**network.input_bits, (n,) + network.input_shape).astype(np.uint8)
    state = _state(network, weights, codes, random)
    shape = networks.output_shapes(network)[network.layers[-1].name]
    labels = random.integers(0, shape[-1], (n,) + shape[:-1])
    label_weight = random.integers(0, 3, labels.shape).astype(np.float64)
    label_weight.flat[0] = 1
    chunk_floats = int(random.choice((1, 1_200_000)))
    eager = bool(random.integers(2))
    return Case(network, learner, weights, state, codes, labels, label_weight, chunk_floats, eager)


def _state(network: Any, weights: Dict[str, np.ndarray], codes: np.ndarray, random: Any) -> Dict[str, np.ndarray]:
    """Random scales and shifts, statistics near those of the codes, ranges with every activation off the edges."""
    state = in_float64(networks.initial_state(network))
    for name, array in state.items():
        kind = name.rsplit(".", 1)[1]
        if kind in ("mean", "beta", "offset"):
            array[...] = random.normal(0, 0.3, array.shape)
        elif kind in ("var", "gamma"):
            array[...] = random.uniform(0.6, 1.5, array.shape)
    state = {name: array.astype(np.float32).astype(np.float64) for name, array in state.items()}
    plain_forward(network, codes, Pass(in_float64(weights), state, whole_batch=False, chooses=True))
    return {name: array.astype(np.float32) for name, array in state.items()}


# --- the laws ---------------------------------------------------------------------------------------------------------


def gradient_follows_differences(case: Case) -> bool:
    """The gradient of a training step = differences of the oracle's loss, unquantised and straight through."""
    claims = []
    for quantised in (False, True):
        state = in_float64(case.state)
        for name in state:
            if name.endswith(".range") and not quantised:
                state[name][...] = np.inf
        claims.append(_check_gradient(case, state, np.random.default_rng(len(case.network.layers))))
    return all(claims)


def _check_gradient(case: Case, state: Dict[str, np.ndarray], random: Any) -> bool:
    weights = in_float64(case.weights)

    def second_step(engine: Engine) -> Any:
        """A step in memory that another one has used."""
        engine.training_step(weights, in_float64(state), x=case.codes[::-1], labels=case.labels)
        return engine.training_step(
            weights, in_float64(state), x=case.codes, labels=case.labels, weight=case.label_weight
        )

    loss, _, gradients = case.in_engine(second_step)
    ranges = {name: array for name, array in state.items() if name.endswith(".range")}
    logits, base = case.plain(True, **ranges)
    expected = plain_loss(logits, case.labels, case.label_weight)
    close(loss, expected, EXACT * (1 + expected), "loss")
    arrays = {name: weights.get(name, state.get(name)) for name in gradients}
    assert set(gradients) == set(weights) | set(networks.affine_parameters(case.network))

    def loss_at(moved: Dict[str, np.ndarray]) -> float:
        logits, _ = case.plain(True, held=base, **dict(ranges, **moved))
        return plain_loss(logits, case.labels, case.label_weight)

    direction, size = _direction(gradients, random)
    product = sum(float((gradients[name] * direction[name]).sum()) for name in gradients)

    def loss_after(step: float) -> float:
        return loss_at({name: array + step * direction[name] for name, array in arrays.items()})

    rounding = ROUNDING + max(abs(loss_after(step) - loss_after(0.0)) for step in UNFELT_STEPS)
    for step in STEPS + tuple(step for step in STEEP_STEPS if rounding / step < GRADIENT * size):
        near, far = (loss_after(h) - loss_after(-h) for h in (step, 2 * step))
        difference = (8 * near - far) / (12 * step)  # its error is of the fourth order in the step
        if abs(difference - product) <= GRADIENT * size + rounding / step:
            return True
    assert base.tied, f"differences give {difference:.9g}, the gradient gives {product:.9g} of {size:.3g}"
    return False


def _direction(gradients: Dict[str, np.ndarray], random: Any) -> Tuple[Dict[str, np.ndarray], float]:
    """A random direction in which every array changes the loss alike, so that an error in a small gradient shows too;
    and the size of the loss's slope in such a direction.
    """
    norms = {name: float(np.linalg.norm(gradient)) for name, gradient in gradients.items()}
    largest = max(norms.values()) or 1.0
    scales = {name: largest / (norm + 0.03 * largest) for name, norm in norms.items()}
    direction = {name: scales[name] * random.standard_normal(gradients[name].shape) for name in gradients}
    return direction, float(np.sqrt(sum((norms[name] * scales[name]) ** 2 for name in gradients)))


def engine_is_the_plain_forward(case: Case) -> bool:
    """`Engine.predict` = the layers one after the other; every layer's output has the shape it announces."""
    logits, run = case.plain(whole_batch=False)
    shapes = networks.output_shapes(case.network)
    assert {name: array.shape[1:] for name, array in run.outputs.items()} == shapes
    weights, state = in_float64(case.weights), in_float64(case.state)

    def second_answer(engine: Engine) -> Any:
        engine.predict(weights, state, x=case.codes[::-1])
        return engine.predict(weights, state, x=case.codes)

    found = case.in_engine(second_answer)
    close(found, logits, EXACT * (1 + float(np.abs(logits).max())), "engine")
    return True


def exact_product(case: Case, **options: Any) -> ChipProduct:
    """The product on the chip: noiseless reads, and an ADC whose LSB is one grid unit."""
    adcs = {name: Adc(24, 1.0) for name in case.weights}
    return ChipProduct(
        case.learner.chip,
        adcs,
        input_bits=networks.input_bits(case.network),
        scales_S=case.learner.scales_S,
        **options,
    )


def inference_is_the_plain_forward(case: Case) -> bool:
    """`predict` with an ideal product and on the chip = the layers one after the other."""
    logits, error = case.in_float32()
    if error is None:
        return False
    for product in (IdealProduct(case.weights), exact_product(case)):
        found = predict(case.network, case.state, codes=case.codes, product=product)
        close(found, logits, error, type(product).__name__)
    return True


def operations_are_counted(case: Case) -> bool:
    """MACs, conversions, input vectors and digital operations = those counted one by one."""
    network, chip, n = case.network, case.learner.chip, len(case.codes)
    _, run = case.plain(whole_batch=False)
    counting = Counting(network, {name: array.shape[1:] for name, array in run.outputs.items()})
    assert networks.macs(network) == sum(counting.macs.values())
    row_tiles = {name: len({tile.row_start for tile in chip.placement.tiles_of(name)}) for name in chip.placement.names}
    of_shapes = counting.outputs + counting.skipped
    assert networks.conversions(network, row_tiles) == {name: n * row_tiles[name] for name, n in of_shapes.items()}
    found = {name: vars(entry) for name, entry in operations.digital_events(network).items()}
    for name, count in counting.digital.items():
        events = {key: value for key, value in found.get(name, {}).items() if value}
        assert events == {key: value for key, value in count.items() if value}, name
    assert set(found) <= set(counting.digital)
    assert operations.buffer_bits(operations.digital_events(network)) == counting.peak_bits
    bits = networks.input_bits(network)
    counter = EventCounter(bits)
    product = exact_product(case, observer=counter)
    predict(network, case.state, codes=case.codes, product=product)
    for name, (_, fan_out) in networks.matrices(network):
        assert counter.vectors.get(name, 0) * fan_out == n * counting.outputs[name], name
        conversions = n * counting.outputs[name] * row_tiles[name] * bits[name]
        assert product.conversions[name] == conversions, name
    return True


def json_gives_the_network_back(case: Case) -> bool:
    """A run's configuration holds the network as it is."""
    config = RunConfig("fashion-mnist", "synthetic", case.network, case.learner.recipe, TAOX_40NM)
    assert config_from_json(json.loads(json.dumps(config.to_json()))).network == case.network
    return True


def digital_json_is_enough(case: Case) -> bool:
    """A reader that knows the file and the chip's conductances alone gives the same answers."""
    logits, error = case.in_float32()
    if error is None:
        return False
    chip = case.learner.chip
    controller = Controller(described(case), chip.physical(chip.conductance_S(), 1e-3))
    close(controller.answer(case.codes), logits, error, "reader")
    return True


def described(case: Case, adc_bits: int = 24) -> Dict[str, Any]:
    """digital.json of the case: an LSB is one grid unit."""
    adcs = {name: Adc(adc_bits, 1.0) for name in case.weights}
    learner = case.learner
    model = Model(learner.chip.placement, learner.signs, learner.scales_S, adcs, case.state)
    return json.loads(json.dumps(digital_json.describe(case.network, model, chip=learner.chip), allow_nan=False))


def integers_give_the_values(case: Case) -> bool:
    """The network in integers gives the same logits, and so does its binary; other layers are named."""
    logits, error = case.in_float32()
    try:
        network = integer_network(described(case, adc_bits=23))
    except ConfigError as refusal:
        assert "no form in integers" in str(refusal) or "do not fit 32 bits" in str(refusal), refusal
        return False
    again = integer_binary.from_bytes(integer_binary.to_bytes(network))
    assert integer_binary.to_bytes(again) == integer_binary.to_bytes(network)
    found = integer_forward(network, case.codes, exact_product(case).totals, saw=None)
    if error is None or found.dtype == np.uint8:
        return False
    values = found.reshape(logits.shape) * 2.0 ** -network.steps[-1].fraction
    close(values, logits, INTEGERS * error, "integers")
    return True


def trains_and_predicts(case: Case) -> bool:
    """Two steps of mask learning from ranges that are not calibrated, then answers for the network's own images."""
    learner = case.learner
    for _ in range(2):
        loss, _ = learner.step(case.codes, case.labels, weight=case.label_weight, rate=0.1)
        assert np.isfinite(loss)
    logits = learner.predict(case.codes)
    assert logits.shape == (len(case.codes),) + networks.output_shapes(case.network)[case.network.layers[-1].name]
    assert np.isfinite(logits).all()
    return True


def close(found: Any, expected: Any, error: float, what: str) -> None:
    """AssertionError unless both have one shape and differ by `error` at most."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}"
    off = float(np.abs(found - expected).max(initial=0))
    assert off <= error, f"{what}: off by {off:.3g}, allowed {error:.3g}; largest {np.abs(expected).max(initial=0):.3g}"


LAWS = (
    gradient_follows_differences,
    engine_is_the_plain_forward,
    inference_is_the_plain_forward,
    operations_are_counted,
    json_gives_the_network_back,
    digital_json_is_enough,
    integers_give_the_values,
    trains_and_predicts,  # last: it moves the chip
)

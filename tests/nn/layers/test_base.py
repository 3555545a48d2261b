"""What a class of layers must have, and what is said of one that lacks it."""

import functools
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest

from minirram.errors import ConfigError, DataError, ShapeError
from minirram.json_codec import plain
from minirram.nn.layers.activation import Quantize, Relu
from minirram.nn.layers.base import REQUIRED, Layer, Parameters, layer_from_json
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Concat, Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.layers.recurrent import Rnn
from minirram.nn.layers.resample import AveragePool, GlobalAverage, MaxPool, Upsample
from minirram.nn.network import Network, initial_state, requantised
from minirram.nn.operations import digital_events

from ...support.gradients import check_gradient

KINDS = [
    Conv2d("a", 2, 3, (3, 2), (1, 2), (1, 0)),
    Linear("a", 6, 3),
    BatchNorm("a", 2),
    BatchNorm("a", 2, affine=True),
    Relu("a"),
    Quantize("a", 4),
    Flatten("a"),
    Concat("a", "first"),
    MaxPool("a"),
    Upsample("a"),
    GlobalAverage("a"),
    Rnn("a", 2, 3, 4),
]
IDS = [type(layer).__name__ for layer in KINDS]
SHAPES = {"Linear": (6,), "Rnn": (1, 5, 2)}


@pytest.mark.parametrize("method", REQUIRED)
@pytest.mark.parametrize("kind", [Relu, Conv2d, Rnn])
def test_a_class_that_lacks_a_method_is_refused_when_the_network_is_built(kind, method):
    """Even where its base has the method: it is set to what `Layer` has."""
    broken = dataclass(frozen=True)(type("Broken", (kind,), {method: getattr(Layer, method), "__module__": __name__}))
    layer = broken("odd") if kind is Relu else broken("odd", 1, 2) if kind is Conv2d else broken("odd", 1, 2, 4)
    with pytest.raises(ConfigError, match=f"layer odd: its class Broken has no method {method}"):
        Network("n", (1, 5, 1), 4, (layer,))


def test_what_is_no_layer_is_refused():
    class Plain:
        name = "plain"

    with pytest.raises(ConfigError, match="is no layer"):
        Network("n", (4, 4, 1), 4, (Plain(),))


def test_state_that_is_named_but_not_there_is_refused():
    class Forgetful(Relu):
        def trained(self):
            return (self.name + ".slope",)

    with pytest.raises(ConfigError, match="layer f: Forgetful.initial_state lacks f.slope"):
        Network("n", (4, 4, 1), 4, (Forgetful("f"),))


def test_two_classes_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="two layer classes are called Relu: minirram.nn.layers.activation"):
        type("Relu", (Layer,), {"__module__": __name__})


@pytest.mark.parametrize("layer", KINDS, ids=IDS)
def test_json_round_trip_by_the_name_of_the_class(layer):
    assert layer_from_json(plain(layer)) == layer


@pytest.mark.parametrize("layer", [*KINDS, AveragePool("pool")], ids=[*IDS, "AveragePool"])
def test_sizes_below_one_are_refused(layer):
    whole = {field.name: getattr(layer, field.name) for field in fields(layer)}
    for name, value in whole.items():
        if type(value) is int:
            with pytest.raises(ConfigError):
                replace(layer, **{name: 0})


def test_a_class_that_nobody_defined_is_named():
    with pytest.raises(DataError, match="no class of layers is called 'Unheard'; import the module"):
        layer_from_json({"type": "Unheard", "name": "a"})


@pytest.mark.parametrize("layer", KINDS, ids=IDS)
def test_backward_of_every_kind_against_differences(layer):
    """Gradients of all inputs, matrices and trained state, through a random dy."""
    g = np.random.default_rng(3)
    shape = SHAPES.get(type(layer).__name__, (4, 4, 2))
    inputs = [g.normal(size=(5,) + shape) for _ in range(1 + len(layer.others))]
    weights = {name: g.normal(size=size) for name, size in layer.matrices()}
    state = {name: array + 0.2 for name, array in layer.initial_state(np.float64).items()}
    for name in layer.quantisers():
        state[name + ".range"] = np.array(np.inf)  # a hard quantiser has no differences to follow

    def forward(inputs, weights, state):
        return layer.forward(tuple(inputs), Parameters(weights, state, training=True))

    y, kept = forward(inputs, weights, state)
    assert y.shape[1:] == layer.output_shape(tuple(x.shape[1:] for x in inputs))
    dy = g.normal(size=y.shape)
    dinputs, gradients = layer.backward(dy, kept)
    assert set(gradients) == set(weights) | set(layer.trained())
    values = {**dict(enumerate(inputs)), **weights, **state}

    def loss(value, name):
        changed = {**values, name: value}
        some = [{key: changed[key] for key in part} for part in (weights, state)]
        return float((forward([changed[k] for k in range(len(inputs))], *some)[0] * dy).sum())

    for name, gradient in {**dict(enumerate(dinputs)), **gradients}.items():
        changed = functools.partial(loss, name=name)
        check_gradient(changed, values[name], np.asarray(gradient), g, tolerance=1e-5, step=1e-7)


def test_inputs_and_dy_are_not_written_to():
    g = np.random.default_rng(3)
    for layer in KINDS:
        shape = SHAPES.get(type(layer).__name__, (4, 4, 2))
        inputs = tuple(g.normal(size=(5,) + shape) for _ in range(1 + len(layer.others)))
        weights = {name: g.normal(size=size) for name, size in layer.matrices()}
        state = {name: array + 0.7 for name, array in layer.initial_state(np.float64).items()}
        copies = [x.copy() for x in inputs]
        y, kept = layer.forward(inputs, Parameters(weights, state, training=True))
        dy = g.normal(size=y.shape)
        before = dy.copy()
        layer.backward(dy, kept)
        np.testing.assert_array_equal(dy, before)
        for x, copy in zip(inputs, copies):
            np.testing.assert_array_equal(x, copy)


def test_bits_of_every_quantiser_follow():
    network = Network("n", (1, 6, 1), 4, (Rnn("r", 1, 4, 3), Quantize("q", 5), Flatten("f"), Linear("l", 24, 3)), 4)
    changed = requantised(network, 6)
    assert [changed.layer("r").bits, changed.layer("q").bits, changed.input_bits] == [6, 6, 6]
    assert set(initial_state(changed)) == set(initial_state(network))


def test_a_zero_point_is_taken_back_where_the_matrix_is():
    """Signed codes that are pooled and flattened first: the additions belong to the linear layer."""
    layers = (MaxPool("p"), Flatten("f"), Linear("l", 9, 3))
    found = digital_events(Network("n", (6, 6, 1), 4, layers, input_zero=8))
    assert found["l"].adds == 3 and found["p"].adds == 0 and "f" not in found
    assert digital_events(Network("n", (6, 6, 1), 4, layers))["l"].adds == 0


def test_an_odd_output_of_a_layer_is_named():
    class Halved(Relu):
        def forward(self, inputs, parameters):
            return inputs[0][..., :1], None

    from minirram.nn.engine.engine import Engine

    network = Network("n", (1, 1, 2), 4, (Halved("h"), Flatten("f"), Linear("l", 2, 2)))
    with pytest.raises(ShapeError, match=r"layer h: Halved.forward gives \(6, 1, 1, 1\), expected \(6, 1, 1, 2\)"):
        Engine(network, 6).training_step(
            {"l": np.ones((2, 2), np.float32)}, {}, x=np.ones((6, 1, 1, 2), np.uint8), labels=np.zeros(6, int)
        )

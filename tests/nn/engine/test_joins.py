"""Joins of earlier layers: gradients that come back from several places add, wherever the joined layer stands."""

import numpy as np
import pytest

from minirram.nn.engine import convolution_choice, nodes
from minirram.nn.engine.engine import Engine
from minirram.nn.layers.activation import Quantize, Relu
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Concat, Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.layers.recurrent import Rnn
from minirram.nn.layers.resample import GlobalAverage, MaxPool, Upsample
from minirram.nn.network import Network, output_shapes

from ...nn.engine.test_engine import SMALL, calibrated, problem
from ...support.plain import plain_forward, plain_step


def conv(name, c_in, c_out):
    return Conv2d(name, c_in, c_out, (3, 3), (1, 1), (1, 1))


def of(*layers, shape=(6, 6, 1)):
    """The network of these layers and a classifier."""
    body = Network("body", shape, 4, layers + (Flatten("flat"),))
    return Network("joined", shape, 4, body.layers + (Linear("last", output_shapes(body)["flat"][0], 3),))


BN_RELU_Q = (BatchNorm("n", 4, affine=True), Relu("r"), Quantize("q", 4))
JOINED = {
    "one layer by two": of(conv("a", 1, 4), *BN_RELU_Q, conv("b", 4, 3), Concat("c", "q"), Concat("d", "q")),
    "one layer by three": of(conv("a", 1, 4), Relu("r"), Concat("c", "a"), Concat("d", "a"), Concat("e", "a")),
    "the layer just before": of(conv("a", 1, 4), Concat("c", "a"), conv("b", 8, 2)),
    "the first layer": of(Relu("r"), conv("a", 1, 4), Concat("c", "r"), conv("b", 5, 2), Concat("d", "r")),
    "the first convolution": of(conv("a", 1, 4), *BN_RELU_Q, Concat("c", "a"), conv("b", 8, 2)),
    "its batch norm": of(conv("a", 1, 4), *BN_RELU_Q, Concat("c", "n"), Concat("d", "n")),
    "its relu": of(conv("a", 1, 4), *BN_RELU_Q, Concat("c", "r"), conv("b", 8, 2)),
    "inside a later group": of(
        conv("z", 1, 9), conv("a", 9, 4), *BN_RELU_Q, Concat("c", "n"), Concat("d", "r"), Concat("e", "a")
    ),
    "a convolution before its pool": of(
        conv("z", 1, 9), conv("a", 9, 4), MaxPool("p"), Upsample("u"), Concat("c", "a"), Concat("d", "u")
    ),
    "a join": of(conv("a", 1, 3), Relu("r"), Concat("c", "a"), conv("b", 6, 3), Concat("d", "c"), Concat("e", "c")),
    "a join of itself": of(conv("a", 1, 3), Concat("c", "a"), Concat("d", "c")),
    "an upsampling": of(conv("a", 1, 3), MaxPool("p"), Upsample("u"), conv("b", 3, 2), Concat("c", "u")),
    "a recurrent layer": of(Rnn("a", 2, 4, 3), BatchNorm("n", 4), Concat("c", "a"), Quantize("q", 3), shape=(1, 5, 2)),
}


def check_against_plain_layers(network, batch=5):
    """Loss, gradients and predictions of the engine, in several chunks, against plain layers."""
    weights, state, codes, labels = problem(network, batch, np.float64)
    calibrated(network, weights, state, codes, labels)
    expected = plain_step(network, weights, state, codes, labels, smoothing=0.1)
    engine = Engine(network, batch, dtype=np.float64, chunk_floats=1)
    logits = engine.predict(weights, state, x=codes)
    np.testing.assert_allclose(logits, plain_forward(network, weights, state, codes, False), rtol=1e-8, atol=1e-10)
    for _ in range(2):  # the second step finds the memory of the first
        fresh = {name: array.copy() for name, array in state.items()}
        loss, n_correct, gradients = engine.training_step(weights, fresh, x=codes, labels=labels, smoothing=0.1)
        assert loss == pytest.approx(expected[0], rel=1e-10) and n_correct == expected[1]
        assert set(gradients) == set(expected[2])
        for name, gradient in gradients.items():
            np.testing.assert_allclose(gradient, expected[2][name], rtol=1e-7, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("winograd", [False, True])
@pytest.mark.parametrize("name", JOINED)
def test_joins_of(name, winograd, monkeypatch):
    if winograd:
        monkeypatch.setattr(convolution_choice, "FEW_INPUTS", 1)
        monkeypatch.setattr(convolution_choice, "FEW_POSITIONS", 0)
    check_against_plain_layers(JOINED[name])


ALL = {**JOINED, **{name: make() for name, make in SMALL.items()}}


@pytest.mark.parametrize("network", list(ALL.values()), ids=list(ALL))
def test_every_layer_runs_by_its_own_forward_and_backward(network, monkeypatch):
    """All fast nodes but the batch norm's taken away."""
    kept = {BatchNorm: nodes.FAST[BatchNorm]._replace(takes=lambda *_: False)}
    monkeypatch.setattr(nodes, "FAST", kept)
    check_against_plain_layers(network)


def test_a_batch_norm_leaves_the_recurrent_layer_before_it_alone():
    """The way back through time needs the outputs of the layer, which a batch norm would write over."""
    check_against_plain_layers(of(Rnn("a", 2, 4, 3), BatchNorm("n", 4), Relu("r"), GlobalAverage("m"), shape=(1, 5, 2)))


def test_a_class_derived_from_a_fast_one_runs_by_its_own_methods():
    class Doubled(Relu):
        def forward(self, inputs, parameters):
            y, kept = super().forward(inputs, parameters)
            return 2 * y, kept

        def backward(self, dy, kept):
            return super().backward(2 * dy, kept)

    check_against_plain_layers(of(conv("a", 1, 4), BatchNorm("n", 4), Doubled("r"), conv("b", 4, 2)))


def test_a_layer_of_the_whole_batch_needs_a_node():
    from minirram.errors import ConfigError

    class Odd(BatchNorm):
        pass

    network = of(conv("a", 1, 4), Odd("n", 4))
    with pytest.raises(ConfigError, match="layer n: Odd needs the whole batch"):
        check_against_plain_layers(network)

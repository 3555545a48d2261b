"""A batch cut into lanes and chunks: what goes in, what one node does, what a quantiser's range is estimated from."""

import numpy as np
import pytest

from minirram.nn.engine.engine import Engine
from minirram.nn.engine.lanes import SAMPLE, Lane, groups
from minirram.nn.layers.activation import Quantize
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.network import Network
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.retina import retina_unet

from ...nn.engine.test_engine import problem, small_unet
from ...support.plain import plain_forward


def test_what_one_node_does():
    names = [[layer.name for layer in group] for group in groups(fashion_mnist_cnn())]
    assert names == [
        ["conv1", "bn1", "relu1", "act1"],
        ["conv2", "pool2"],
        ["bn2", "relu2", "act2"],
        ["flatten"],
        ["fc1"],
        ["relu3", "act3"],
        ["fc2"],
    ]
    unet = [[layer.name for layer in group] for group in groups(retina_unet())]
    assert ["bn_down1b", "relu_down1b"] in unet  # its output is joined later, so nothing more may follow in this node
    assert ["pool2"] in unet and ["concat4"] in unet


@pytest.mark.parametrize("zero", [0, 8])
def test_codes_become_values_around_the_zero_point(zero):
    network = Network("n", (4, 5, 2), 4, (Flatten("f"), Linear("l", 40, 3)), input_zero=zero)
    codes = np.random.default_rng(1).integers(0, 16, (5, 4, 5, 2)).astype(np.uint8)
    lane = Lane(network, [3, 4], batch_size=7, dtype=np.float64, training=True)
    lane.load(codes)  # two samples short
    values = np.concatenate([chunk.input.transpose(2, 0, 1, 3) for chunk in lane.chunks])
    np.testing.assert_allclose(values[:5], (codes.astype(float) - zero) / 15, rtol=1e-12)
    np.testing.assert_array_equal(values[5:], 0)


def test_codes_and_their_values_give_the_same():
    network = Network("n", (5, 5, 1), 4, (Conv2d("a", 1, 2), Flatten("f"), Linear("l", 18, 3)), input_zero=7)
    weights, state, codes, labels = problem(network, 6, np.float64)
    engine = Engine(network, 6, dtype=np.float64)
    from_codes = engine.training_step(weights, state, x=codes, labels=labels)[0]
    values = (codes.astype(float) - 7) / 15
    assert engine.training_step(weights, state, x=values, labels=labels)[0] == from_codes
    np.testing.assert_allclose(
        engine.predict(weights, state, x=codes), plain_forward(network, weights, state, codes, False), rtol=1e-9
    )


def test_samples_for_a_range_come_from_all_over():
    """About SAMPLE values per batch, in proportion from every chunk, every channel among them."""
    network = Network("n", (8, 8, 1), 4, (Conv2d("a", 1, 16), Quantize("q", 4), Flatten("f"), Linear("l", 576, 2)))
    weights, state, codes, labels = problem(network, 64)
    engine = Engine(network, 64, chunk_floats=4000)
    engine.training_step(weights, state, x=codes, labels=labels)
    chunks = [chunk for lane in engine._lanes for chunk in lane.chunks]
    assert len(chunks) > 4
    sizes = [chunk.samples["q"].size for chunk in chunks]
    assert SAMPLE <= sum(sizes) <= 2.5 * SAMPLE
    chunk = chunks[0]
    channels = np.broadcast_to(np.arange(16, dtype=np.float32), chunk.nodes["q"].x.shape).copy()
    chunk.sample("q", channels, unit=2)
    assert set(chunk.samples["q"]) == set(2 * np.arange(16))


@pytest.mark.parametrize("few", [0, 4 * 36 + 1, 5 * 36, 10**6])
def test_chunks_of_unequal_size_get_the_same_nodes(few, monkeypatch):
    """Nine samples make lanes of four and five, and a limit may lie between: all must get the same kind of node."""
    layers = (Conv2d("a", 1, 8), Conv2d("b", 8, 8, padding=(1, 1)), Flatten("f"), Linear("l", 288, 3))
    network = Network("n", (8, 8, 1), 4, layers)
    monkeypatch.setattr("minirram.nn.engine.engine.WORTH_TWO", 0)
    weights, state, codes, labels = problem(network, 9, np.float64)
    expected = Engine(network, 9, dtype=np.float64).training_step(weights, state, x=codes, labels=labels)
    monkeypatch.setattr("minirram.nn.engine.convolution_choice.FEW_POSITIONS", few)
    loss, _, gradients = Engine(network, 9, dtype=np.float64).training_step(weights, state, x=codes, labels=labels)
    assert loss == pytest.approx(expected[0], rel=1e-12)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[2][name], rtol=1e-9, atol=1e-12)


def test_without_training_arrays_are_reused_but_not_those_that_are_joined():
    network = small_unet()
    training = Lane(network, [4], batch_size=4, dtype=np.float32, training=True).chunks[0].nodes.values()
    evaluation = Lane(network, [4], batch_size=4, dtype=np.float32, training=False).chunks[0]
    nodes = list(evaluation.nodes.values())
    shared = [np.shares_memory(a.y, b.y) for a, b in zip(nodes, nodes[2:]) if b.layer.name != "relu_a"]
    assert any(shared)
    assert not any(np.shares_memory(a.y, b.y) for a, b in zip(training, list(training)[2:]))
    joined = evaluation.nodes["relu_a"]
    assert not any(np.shares_memory(joined.y, node.y) for node in nodes if node is not joined)

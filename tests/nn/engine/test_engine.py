"""The engine against plain layers, against differences in float64, and its promises: threads, chunks, statistics."""

import threading

import numpy as np
import pytest

from minirram.errors import ConfigError, ShapeError
from minirram.nn.engine.engine import Engine
from minirram.nn.layers.activation import Quantize, Relu, clip_tail
from minirram.nn.layers.convolution import Conv2d, conv2d_forward
from minirram.nn.layers.join import Concat, Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.layers.recurrent import Rnn
from minirram.nn.layers.resample import GlobalAverage, MaxPool, Upsample
from minirram.nn.loss import softmax_cross_entropy
from minirram.nn.network import Network, affine_parameters, initial_state, matrices, output_shapes
from minirram.tasks import fashion_mnist

from ...support.gradients import check_gradient
from ...support.plain import plain_forward


def small_cnn():
    return fashion_mnist.fashion_mnist_cnn(conv1=6, conv2=4, hidden=9)


def small_crnn():
    return Network(
        "small-crnn",
        (9, 12, 1),
        3,
        (
            Conv2d("conv1", 1, 5, (3, 2), (2, 1)),
            MaxPool("pool1"),
            BatchNorm("bn1", 5),
            Relu("relu1"),
            Quantize("act1", 3),
            Conv2d("conv2", 5, 4, (2, 2), (1, 1)),
            BatchNorm("bn2", 4),
            Relu("relu2"),
            Quantize("act2", 3),
            Rnn("rnn", 4, 7, 3),
            GlobalAverage("mean"),
            Quantize("act3", 3),
            Linear("fc", 7, 10),
        ),
    )


def small_unet():
    return Network(
        "small-unet",
        (8, 8, 1),
        6,
        (
            Conv2d("a", 1, 4, (3, 3), (1, 1), (1, 1)),
            BatchNorm("bn_a", 4, affine=True),
            Relu("relu_a"),
            MaxPool("pool"),
            Quantize("act_b", 6),
            Conv2d("b", 4, 6, (3, 3), (1, 1), (1, 1)),
            BatchNorm("bn_b", 6, affine=True),
            Relu("relu_b"),
            Upsample("up"),
            Concat("join", "relu_a"),
            Quantize("act_c", 6),
            Conv2d("c", 10, 4, (3, 3), (1, 1), (1, 1)),
            BatchNorm("bn_c", 4, affine=True),
            Relu("relu_c"),
            Quantize("act_out", 6),
            Conv2d("out", 4, 2, (1, 1)),
        ),
    )


SMALL = {"cnn": small_cnn, "crnn": small_crnn, "unet": small_unet}


def problem(network, batch, dtype=np.float32, seed=1):
    """(weights, state, codes, labels), random."""
    g = np.random.default_rng(seed)
    weights = {
        name: (g.standard_normal(shape) * np.sqrt(2 / shape[0])).astype(dtype) for name, shape in matrices(network)
    }
    state = initial_state(network, dtype)
    for name in affine_parameters(network):
        state[name] += 0.3 * g.standard_normal(state[name].shape).astype(dtype)
    codes = g.integers(0, 2**network.input_bits, (batch,) + network.input_shape).astype(np.uint8)
    shape = output_shapes(network)[network.layers[-1].name]
    return weights, state, codes, g.integers(0, shape[-1], (batch,) + shape[:-1])


def calibrated(network, weights, state, codes, labels):
    """Give `state` ranges, by one step."""
    Engine(network, len(codes), dtype=next(iter(weights.values())).dtype).training_step(
        weights, state, x=codes, labels=labels
    )
    for key in state:
        if key.endswith(".range"):
            state[key] *= 1.01  # it was one of the activations: now none lies on its edge


@pytest.mark.parametrize("name", SMALL)
def test_loss_and_prediction_are_those_of_plain_layers(name):
    network = SMALL[name]()
    weights, state, codes, labels = problem(network, 11, np.float64)
    calibrated(network, weights, state, codes, labels)
    logits = plain_forward(network, weights, state, codes, whole_batch=True)
    expected, n_correct, _ = softmax_cross_entropy(logits, labels, smoothing=0.1)
    frozen = {key: array.copy() for key, array in state.items()}
    engine = Engine(network, 11, dtype=np.float64)
    result = engine.training_step(weights, state, x=codes, labels=labels, smoothing=0.1)
    assert result[0] == pytest.approx(expected, rel=1e-10)
    assert result[1] == n_correct
    np.testing.assert_allclose(
        engine.predict(weights, frozen, x=codes[:7]),
        plain_forward(network, weights, frozen, codes[:7], whole_batch=False),
        rtol=1e-9,
        atol=1e-12,
    )


@pytest.mark.parametrize("name", SMALL)
def test_gradients_of_the_whole_network(name):
    network = SMALL[name]()
    weights, state, codes, labels = problem(network, 5, np.float64)
    for key in state:
        if key.endswith(".range"):
            state[key][...] = np.inf  # a hard quantiser has no differences to follow
    weight = np.random.default_rng(3).integers(0, 3, labels.shape).astype(float)
    engine = Engine(network, 5, dtype=np.float64)
    arrays = dict(weights, **{key: state[key] for key in affine_parameters(network)})

    def step(**changed):
        some = {key: changed.get(key, array) for key, array in weights.items()}
        fresh = {key: changed.get(key, array).copy() for key, array in state.items()}
        return engine.training_step(some, fresh, x=codes, labels=labels, weight=weight, smoothing=0.05)

    gradients = {key: array.copy() for key, array in step()[2].items()}
    assert set(gradients) == set(arrays)
    for key, array in arrays.items():

        def loss(value, key=key):
            return step(**{key: value})[0]

        check_gradient(loss, array, gradients[key], np.random.default_rng(4), tolerance=2e-5)


def test_gradients_go_straight_through_the_quantisers():
    """Linear, quantiser, linear: the second matrix sees levels, the first the gradient where nothing was clipped."""
    network = Network("two", (1, 1, 5), 4, (Flatten("f"), Linear("a", 5, 6), Quantize("q", 3), Linear("b", 6, 4)))
    weights, state, codes, labels = problem(network, 30, np.float64)
    state["q.range"][...] = 0.7
    x = codes.reshape(30, 5) / 15
    z = x @ weights["a"]
    q = np.clip(np.rint(z / 0.1), 0, 7) * 0.1
    _, _, dlogits = softmax_cross_entropy(q @ weights["b"], labels)
    inside = (z >= 0) & (z <= 0.7)
    assert 0.1 < inside.mean() < 0.9
    _, _, gradients = Engine(network, 30, dtype=np.float64).training_step(weights, state, x=codes, labels=labels)
    np.testing.assert_allclose(gradients["b"], q.T @ dlogits, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(gradients["a"], x.T @ (dlogits @ weights["b"].T * inside), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", SMALL)
def test_threads_change_no_bit(name, monkeypatch):
    monkeypatch.setattr("minirram.nn.engine.engine.WORTH_TWO", 0)
    network = SMALL[name]()
    results = []
    for threads in (1, 2):
        weights, state, codes, labels = problem(network, 13)
        engine = Engine(network, 13, threads=threads)
        for _ in range(3):
            loss, n_correct, gradients = engine.training_step(weights, state, x=codes, labels=labels)
        results.append(({**gradients, **state, "logits": engine.predict(weights, state, x=codes)}, loss, n_correct))
    (first, *rest), (second, *other_rest) = results
    assert rest == other_rest
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)


@pytest.mark.parametrize("name", SMALL)
def test_lanes_and_chunks_change_the_result_by_rounding_only(name, monkeypatch):
    network = SMALL[name]()
    weights, state, codes, labels = problem(network, 12, np.float64)
    calibrated(network, weights, state, codes, labels)
    results = []
    for worth_two, floats in ((np.inf, 1), (0, 1), (np.inf, 10**4), (0, 10**4), (np.inf, 10**9), (0, 10**9)):
        monkeypatch.setattr("minirram.nn.engine.engine.WORTH_TWO", worth_two)
        fresh = {key: array.copy() for key, array in state.items()}
        engine = Engine(network, 12, dtype=np.float64, chunk_floats=floats)
        results.append(engine.training_step(weights, fresh, x=codes, labels=labels))
        assert len(engine._lanes) == (1 if worth_two else 2)
    for loss, _, gradients in results[1:]:
        assert loss == pytest.approx(results[0][0], rel=1e-10)
        for key, gradient in gradients.items():
            np.testing.assert_allclose(gradient, results[0][2][key], rtol=1e-8, atol=1e-11)


def test_running_statistics_move_by_a_tenth():
    network = small_cnn()
    weights, state, codes, labels = problem(network, 8, np.float64)
    x = codes * network.input_step
    z = conv2d_forward(x, weights["conv1"], kernel=(3, 3))
    calibrated(network, weights, state, codes, labels)
    np.testing.assert_allclose(state["bn1.mean"], 0.1 * z.mean((0, 1, 2)), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(state["bn1.var"], 0.9 + 0.1 * z.var((0, 1, 2)), rtol=1e-6)


def test_range_is_a_high_quantile_of_the_activations():
    network = fashion_mnist.fashion_mnist_cnn(conv1=16)
    weights, state, codes, labels = problem(network, 60)
    engine = Engine(network, 60)
    for _ in range(30):
        engine.training_step(weights, state, x=codes, labels=labels)
    z = conv2d_forward(codes * network.input_step, weights["conv1"].astype(float), kernel=(3, 3))
    a = np.maximum((z - z.mean((0, 1, 2))) / z.std((0, 1, 2)), 0)
    clipped = (a > state["act1.range"]).mean()
    assert clipped == pytest.approx(clip_tail(4), rel=0.5)


def test_images_of_another_size():
    network = small_unet()
    weights, state, codes, labels = problem(network, 4, np.float64)
    calibrated(network, weights, state, codes, labels)
    engine = Engine(network, 4, dtype=np.float64)
    whole = np.random.default_rng(5).integers(0, 64, (3, 11, 14, 1)).astype(np.uint8)
    logits = engine.predict(weights, state, x=whole)
    assert logits.shape == (3, 11, 14, 2)
    padded = np.pad(whole, ((0, 0), (0, 1), (0, 0), (0, 0)), mode="edge")
    expected = plain_forward(network, weights, state, padded, whole_batch=False)[:, :11]
    np.testing.assert_allclose(logits, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [5, 7, 8])
def test_the_networks_own_size_is_never_padded(size):
    """An odd image is pooled and stretched again: its labels are fewer than its pixels, in training and in use."""
    layers = (Conv2d("a", 1, 3, (3, 3), (1, 1), (1, 1)), MaxPool("p"), Upsample("u"), Conv2d("out", 3, 2, (1, 1)))
    network = Network("odd", (size, size, 1), 4, layers)
    weights, state, codes, labels = problem(network, 4, np.float64)
    logits = Engine(network, 4, dtype=np.float64).predict(weights, state, x=codes)
    assert logits.shape == labels.shape + (2,)
    np.testing.assert_allclose(logits, plain_forward(network, weights, state, codes, False), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 2])
def test_share_does_every_item_once_and_raises_what_goes_wrong(threads, monkeypatch):
    monkeypatch.setattr("minirram.nn.engine.engine.WORTH_TWO", 0)
    engine = Engine(small_cnn(), 4, threads=threads)
    done = []
    engine.share(done.append, range(100))
    assert sorted(done) == list(range(100))
    with pytest.raises(ZeroDivisionError):
        engine.share(lambda item: 1 / item, [1, 0, 2])


def test_small_batches_stay_in_one_thread():
    """The CNN at 120 images has enough to do for two threads, at 60 it has not."""
    network, own = fashion_mnist.fashion_mnist_cnn(), set()
    assert [Engine(network, n, threads=asked).threads for n, asked in ((60, 2), (120, 2), (120, 1))] == [1, 2, 1]
    Engine(network, 60, threads=2).share(lambda _: own.add(threading.current_thread()), range(100))
    assert own == {threading.current_thread()}
    both = threading.Barrier(2)  # passes only when two threads wait at it
    Engine(network, 120, threads=2).share(lambda _: both.wait(60), range(2))


def test_no_samples_give_no_predictions():
    network = small_cnn()
    weights, state, codes, _ = problem(network, 4)
    assert Engine(network, 4).predict(weights, state, x=codes[:0]).shape == (0, 10)


def test_inputs_that_cannot_be_used():
    network = small_cnn()
    weights, state, codes, labels = problem(network, 4)
    engine = Engine(network, 4)
    with pytest.raises(ShapeError, match="a batch of 3, expected 4"):
        engine.training_step(weights, state, x=codes[:3], labels=labels[:3])
    with pytest.raises(ShapeError, match="labels of shape"):
        engine.training_step(weights, state, x=codes, labels=labels[:3])
    with pytest.raises(ShapeError, match="input of shape"):
        engine.predict(weights, state, x=codes[..., 0])
    with pytest.raises(ShapeError, match=r"weights of fc1: \(9, 100\), expected"):
        engine.training_step(dict(weights, fc1=weights["fc1"].T), state, x=codes, labels=labels)
    with pytest.raises(ShapeError, match="layer fc1"):
        engine.predict(weights, state, x=np.zeros((1, 20, 20, 1), np.uint8))
    with pytest.raises(ConfigError, match="at least 1"):
        Engine(network, 0)

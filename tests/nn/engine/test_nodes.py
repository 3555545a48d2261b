"""Every kind of convolution node, at any kernel, padding and pool, against plain layers and against differences."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings

from minirram.nn.engine import convolution_choice, lanes
from minirram.nn.engine.chunk import ALIGNMENT, Workspace, aligned
from minirram.nn.engine.engine import Engine
from minirram.nn.engine.nodes import long_rows
from minirram.nn.layers.activation import Quantize, Relu
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Concat, Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm, tiled
from minirram.nn.layers.resample import MaxPool
from minirram.nn.network import Network

from ...nn.engine.test_engine import calibrated, problem
from ...support.gradients import SMALL_STEP, check_gradient
from ...support.plain import plain_forward

SIZE = st.integers(3, 9)
PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADDING = st.tuples(st.integers(0, 2), st.integers(0, 2))


def convolution_kinds(network):
    """Names of the node classes that the network's convolutions get."""
    lane = lanes.Lane(network, [2], batch_size=2, dtype=np.float64, training=True)
    names = [type(node).__name__ for node in lane.chunks[0].nodes.values()]
    return [name for name in names if name not in ("ActivationNode", "FlattenNode", "LinearNode")]


def check_network(network, batch=5):
    """Predictions against plain layers; every gradient against differences."""
    weights, state, codes, labels = problem(network, batch, np.float64)
    for key in state:
        if key.endswith(".range"):
            state[key][...] = np.inf
    engine = Engine(network, batch, dtype=np.float64, chunk_floats=1)
    calibrated(network, weights, state, codes, labels)
    expected = plain_forward(network, weights, state, codes, whole_batch=False)
    np.testing.assert_allclose(engine.predict(weights, state, x=codes), expected, rtol=1e-8, atol=1e-10)

    def step(name=None, value=None):
        fresh = {key: array.copy() for key, array in state.items()}
        some = dict(weights)
        if name:
            (some if name in some else fresh)[name] = value
        return engine.training_step(some, fresh, x=codes, labels=labels)

    gradients = {key: array.copy() for key, array in step()[2].items()}
    for name, gradient in gradients.items():
        array = weights[name] if name in weights else state[name]

        def loss(value, name=name):
            return step(name, value)[0]

        check_gradient(loss, array, gradient, np.random.default_rng(4), 1, tolerance=1e-4, step=SMALL_STEP)


def second_convolution(height, width, kernel, stride, padding, c_in, c_out, pool):
    """A network whose second convolution is the one in question; assumes that it fits."""
    second = Conv2d("b", c_in, c_out, kernel, stride, padding)
    rows, cols = (
        (length + 2 * pad - k) // s + 1 for length, pad, k, s in zip((height, width), padding, kernel, stride)
    )
    assume(min(rows, cols) >= pool)
    pools = (MaxPool("p", pool),) if pool > 1 else ()
    features = (rows // pool) * (cols // pool) * c_out
    first, last = Conv2d("a", 1, c_in, (1, 1)), (BatchNorm("n", c_out), Flatten("f"), Linear("l", features, 3))
    return Network("second", (height, width, 1), 4, (first, second) + pools + last)


@pytest.mark.slow
@settings(max_examples=60)
@given(SIZE, SIZE, PADDING, st.integers(1, 3), st.integers(1, 2), st.sampled_from([1, 10**9]))
def test_winograd_node(height, width, padding, columns, pool, band_floats):
    """Any width of the kernel, in bands of one row of tiles or all at once."""
    network = second_convolution(height, width, (3, columns), (1, 1), padding, 3, 2, pool)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution_choice, "FEW_INPUTS", 1)
        patch.setattr(convolution_choice, "FEW_POSITIONS", 0)
        patch.setattr("minirram.nn.engine.winograd_nodes.BAND_FLOATS", band_floats)
        assert convolution_kinds(network)[1] == ("WinogradNode" if 2 * padding[1] < columns else "PatchesNode")
        check_network(network)


@pytest.mark.slow
@settings(max_examples=40)
@given(SIZE, SIZE, PAIR, PAIR, PADDING, st.integers(1, 3))
def test_patches_node(height, width, kernel, stride, padding, pool):
    network = second_convolution(height, width, kernel, stride, padding, 2, 3, pool)
    assert convolution_kinds(network)[1] == "PatchesNode"
    check_network(network)


@pytest.mark.slow
@settings(max_examples=40)
@given(SIZE, SIZE, PAIR, PAIR, PADDING, st.integers(1, 2), st.integers(1, 3))
def test_input_node(height, width, kernel, stride, padding, channels, pool):
    """The first convolution with a pool behind it."""
    assume(kernel[0] * kernel[1] * channels <= 16)
    first = Conv2d("a", channels, 3, kernel, stride, padding)
    rows, cols = (
        (length + 2 * pad - k) // s + 1 for length, pad, k, s in zip((height, width), padding, kernel, stride)
    )
    assume(min(rows, cols) >= pool)
    features = 3 * (rows // pool) * (cols // pool)
    pooled = (first, MaxPool("p", pool)) + (BatchNorm("n", 3), Flatten("f"), Linear("l", features, 3))
    network = Network("first", (height, width, channels), 4, pooled)
    assert convolution_kinds(network)[0] == "InputNode"
    check_network(network)


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("after", [(), (Relu("r"),), (Relu("r"), Quantize("q", 4)), (Quantize("q", 4),)])
@pytest.mark.parametrize("kernel, stride, padding", [((3, 3), (1, 1), (1, 1)), ((2, 3), (2, 1), (0, 2))])
def test_first_convolution_normalised_inside_its_product(affine, after, kernel, stride, padding):
    head = (Conv2d("a", 2 if kernel == (2, 3) else 1, 4, kernel, stride, padding), BatchNorm("n", 4, affine))
    rows, cols = ((7 + 2 * p - k) // s + 1 for p, k, s in zip(padding, kernel, stride))
    network = Network(
        "first", (7, 7, head[0].in_channels), 4, head + after + (Flatten("f"), Linear("l", 4 * rows * cols, 3))
    )
    assert "ProductNode" in convolution_kinds(network)
    check_network(network)


def test_an_output_that_is_joined_later_is_not_overwritten():
    """A convolution's own output, joined behind the batch norm that follows it."""
    layers = (
        Conv2d("a", 1, 2, (3, 3), (1, 1), (1, 1)),
        Conv2d("b", 2, 3, (3, 3), (1, 1), (1, 1)),
        BatchNorm("n", 3),
        Relu("r"),
        Concat("c", "b"),
        Flatten("f"),
        Linear("l", 6 * 36, 3),
    )
    check_network(Network("joined", (6, 6, 1), 4, layers))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(1, 300))
def test_long_rows_hold_whole_sets_of_channels(height, width, n, channels):
    image = np.arange(height * width * n * channels, dtype=float).reshape(height, width, n, channels)
    rows = long_rows(image)
    assert rows.shape[1] % channels == 0 and np.shares_memory(rows, image)
    vector = np.arange(channels) + 0.5
    np.testing.assert_array_equal((rows + tiled(vector, rows)).reshape(image.shape), image + vector)


@given(st.integers(1, 1000), st.sampled_from([np.float32, np.float64, bool]))
def test_buffers_are_aligned_and_reused(size, dtype):
    array = aligned((size, 3), dtype)
    assert array.ctypes.data % ALIGNMENT == 0 and array.shape == (size, 3) and array.dtype == dtype
    workspace = Workspace(dtype)
    first = workspace.array("a", (size, 3))
    assert np.shares_memory(first, workspace.array("a", (3, size)))
    assert not np.shares_memory(workspace.gradient((size,)), workspace.gradient((size,)))


def test_one_name_with_two_dtypes_is_two_arrays():
    workspace = Workspace(np.float32)
    numbers, flags = workspace.array("a", (4, 3)), workspace.array("a", (4, 3), dtype=bool)
    assert (numbers.dtype, flags.dtype) == (np.float32, bool) and not np.shares_memory(numbers, flags)
    assert workspace.array("a", (4, 3)) is numbers and workspace.array("a", (4, 3), dtype=bool) is flags

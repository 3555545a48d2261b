"""Batches whose values hardly differ: the moments of the first layer keep their digits, and nothing becomes NaN."""

import numpy as np
import pytest

from minirram.nn.engine.engine import Engine
from minirram.nn.layers.activation import Quantize, Relu
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.network import Network, initial_state, matrices
from minirram.rng import stream


def network():
    layers = (
        Conv2d("conv", 1, 4, (3, 3), (1, 1), (0, 0)),
        BatchNorm("bn", 4, affine=True),
        Relu("relu"),
        Quantize("act", 4),
        Flatten("flat"),
        Linear("fc", 4 * 36, 2),
    )
    return Network("small", (8, 8, 1), 8, layers)


def gradients(codes, dtype):
    """(loss, gradients) of one step of the network on codes (n, 8, 8, 1)."""
    described = network()
    weights = {name: stream(1, name).normal(0, 0.3, shape).astype(dtype) for name, shape in matrices(described)}
    state = {name: array.astype(dtype) for name, array in initial_state(described).items()}
    engine = Engine(described, batch_size=len(codes), dtype=dtype)
    loss, _, found = engine.training_step(weights, state, x=codes, labels=np.arange(len(codes)) % 2)
    return loss, {name: array.astype(np.float64) for name, array in found.items()}, state


@pytest.mark.parametrize("code", [0, 1, 7, 13, 15, 100, 255])
def test_a_constant_batch_gives_numbers(code):
    loss, found, state = gradients(np.full((16, 8, 8, 1), code, np.uint8), np.float32)
    assert np.isfinite(loss) and all(np.isfinite(array).all() for array in found.values())
    assert all(np.isfinite(array).all() for array in state.values())
    assert abs(found["conv"]).max() < 1e-3  # no weight can tell equal patches apart


def gradient_error(share, draw):
    """Of the first layer's gradient in float32, relative to the largest; `share` of the pixels are one brighter."""
    codes = np.full((16, 8, 8, 1), 200, np.uint8)
    codes += (stream(draw, "codes").random(codes.shape) < share).astype(np.uint8)
    _, found, _ = gradients(codes, np.float32)
    _, exact, _ = gradients(codes, np.float64)
    return np.abs(found["conv"] - exact["conv"]).max() / np.abs(exact["conv"]).max()


@pytest.mark.parametrize("share", [0.5, 0.05, 0.005])
def test_low_contrast_keeps_its_gradient(share):
    """In a fifth of the draws: few values are seen, each often; one at a border of the quantiser takes either side."""
    errors = [gradient_error(share, draw) for draw in range(2, 27)]
    assert sorted(errors)[4] < 1e-3

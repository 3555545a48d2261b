"""Means and noise covariances of the outputs, layer by layer, beside drawn noise."""

import numpy as np
import pytest

from minirram.crossbar.converters import bit_planes
from minirram.inference.forward import forward
from minirram.nn.engine.moment_nodes import Settings, Summed, output_moments
from minirram.nn.engine.moments import Moments, Passed
from minirram.nn.layers.activation import Quantize, Relu
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.layers.recurrent import Rnn
from minirram.nn.layers.resample import GlobalAverage, MaxPool
from minirram.nn.network import Network, initial_state, matrices, quantisers

DRAWS = 10_000
SLANTED = {"kernel": (2, 3), "stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}  # no two alike
POOLED, FLAT = (MaxPool("pool", 2), BatchNorm("bn", 2, affine=True), Quantize("act", 4)), Flatten("flatten")
NETWORKS = {
    "counted": ((5, 4, 2), (Conv2d("conv", 2, 2, (2, 2), (1, 2), (1, 1)), *POOLED, FLAT, Linear("last", 6, 3))),
    "slanted": (
        (5, 5, 1),
        (Conv2d("conv", 1, 2, (2, 2)), Relu("relu"), Quantize("act", 4), Conv2d("late", 2, 2, **SLANTED), FLAT),
    ),
    "linear": (
        (1, 1, 6),
        (FLAT, Linear("fc", 6, 8), Quantize("act", 4), Linear("fc2", 8, 6), Relu("r"), Quantize("act2", 5))
        + (Linear("fc3", 6, 5),),
    ),
    "late": (
        (5, 5, 1),
        (Conv2d("conv", 1, 3, (2, 2)), Quantize("act", 4), Conv2d("late", 3, 2, (1, 1)), *POOLED[:2], Relu("relu"))
        + (GlobalAverage("mean"),),
    ),
    "recurrent": (
        (1, 4, 3),
        (Conv2d("conv", 3, 3, (1, 1)), Quantize("act", 5), Rnn("rnn", 3, 4, 6), FLAT),
    ),
}


class Noisy:
    """Products of given weights and their draws: noise of two values behind the first matrix, else normal."""

    def __init__(self, network, generator, share):
        self.generator, self.first = generator, matrices(network)[0][0]
        self.weights = {
            name: (generator.normal(0.5, 1, shape) / np.sqrt(shape[0])).astype(np.float32)
            for name, shape in matrices(network)
        }
        self.std = {
            name: (share * (1 + np.arange(shape[1]) / shape[1])).astype(np.float32) for name, shape in matrices(network)
        }

    def __call__(self, name, planes, variance, zero_point=0):
        weights, std = self.weights[name], self.std[name]
        mean = np.tensordot(2.0 ** np.arange(len(planes)), planes, 1) @ weights - zero_point * weights.sum(axis=0)
        own = np.broadcast_to(std**2, mean.shape)

        def above(threshold):
            return ((mean + std >= threshold).astype(np.float32) + (mean - std >= threshold)) / 2

        total = Moments(mean.astype(np.float32), variance @ weights**2 + own)
        return Summed(Passed(total, weights, own), above if name == self.first else None)

    def drawn(self, name, codes, zero_point=0):
        shape = len(codes), self.weights[name].shape[1]
        noise = self.generator.normal(size=shape) if name != self.first else self.generator.choice((-1, 1), shape)
        total = (codes.astype(np.float32) - zero_point) @ self.weights[name] + self.std[name] * noise
        return total.astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_moments_of_the_outputs_are_those_of_draws(name):
    """One choice of weights at which the approximation is close: it guards the mathematics of each node, not the error
    that clipped values and left out correlations make elsewhere."""
    shape, layers = NETWORKS[name]
    network, generator = Network(name, shape, 3, layers, input_zero=2), np.random.default_rng(12)
    state = initial_state(network)
    for quantiser in quantisers(network):
        state[quantiser + ".range"] = np.float32(2.0)
    if "bn.var" in state:
        state.update({"bn.mean": np.float32([0.2, -0.1]), "bn.var": np.float32([0.5, 2.0])})
        state.update({"bn.gamma": np.float32([0.9, -1.1]), "bn.beta": np.float32([0.5, 0.8])})
    products = Noisy(network, generator, 0.8)
    codes = generator.integers(0, 8, (2,) + shape).astype(np.uint8)
    planes = bit_planes(codes.reshape(-1, shape[-1]), 3).reshape((3,) + codes.shape)
    means, covariance = output_moments(network, codes, planes, Settings(products, state))
    repeated = np.repeat(codes, DRAWS, axis=0)
    drawn = forward(network, state, codes=repeated, product=products.drawn).reshape(2, DRAWS, -1)
    for mean, cov, one in zip(means, covariance, drawn.astype(np.float64)):
        expected = np.cov(one.T)
        spread = np.sqrt(np.diag(expected))
        scale = np.maximum(spread, 0.5 * spread.max())
        assert np.abs(mean - one.mean(axis=0)).max() < 0.06 * scale.max(), name
        assert np.abs((cov - expected) / np.outer(scale, scale)).max() < 0.08, name

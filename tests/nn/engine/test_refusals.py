"""What noise covariances are not carried through, beside the network that they pass."""

import numpy as np
import pytest

from minirram.errors import ConfigError
from minirram.nn.engine.moment_nodes import Settings, Summed, output_moments
from minirram.nn.engine.moments import Moments, Passed
from minirram.nn.layers.activation import Quantize
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.resample import MaxPool
from minirram.nn.network import Network

MATRIX = {"conv": np.ones((2, 2), np.float32), "fc": np.ones((8, 3), np.float32)}
CONV = Conv2d("conv", 2, 2, (1, 1))
BEFORE, BEHIND = (MaxPool("pool"), Quantize("act", 4)), (Quantize("act", 4), MaxPool("pool"))


def products(name, planes, variance, zero_point=0):
    """Those of ones, without noise."""
    weights = MATRIX[name]
    zeros = np.zeros((len(variance), weights.shape[1]), np.float32)
    return Summed(Passed(Moments(zeros, zeros), weights, zeros), None)


def moments(*layers, step=1.0):
    network = Network("net", (4, 4, 2), 1, (*layers, Flatten("flatten"), Linear("fc", 8, 3)))
    codes = np.ones((1, 4, 4, 2), np.uint8)
    return output_moments(network, codes, codes[None], Settings(products, {"act.range": np.float32(step)}))


def test_what_passes():
    means, covariance = moments(CONV, *BEFORE)
    assert means.shape == (1, 3) and np.abs(covariance).max() < 1e-6


@pytest.mark.parametrize(
    ("layers", "step", "said"),
    [
        ((Conv2d("conv", 2, 2, (1, 1), groups=2), *BEFORE), 1.0, "layer conv: .* through groups; use draws"),
        ((CONV, *BEHIND), 1.0, "layer fc: noise covariances need codes as a quantiser gives them"),
        ((CONV, *BEFORE), 0.0, "the range of act was never calibrated"),
    ],
)
def test_what_does_not(layers, step, said):
    with pytest.raises(ConfigError, match=said):
        moments(*layers, step=step)

"""Means and noise covariances through the layers of a network: one node per kind of layer, forward and backward.

An activation is taken for a normal number: its mean and variance pass each rectifier, quantiser and pool by `moments`.
What passes on of its deviation is its gain, d E f(x) / d E x (J. J. Bussgang, 1952); what is left of the variance is
noise of its own. With J_l the product of gains and weights from source l to the outputs, their covariance is

    C = sum_l J_l diag(variance_l) J_l^T.

Correlations between the activations of one sample are left out of the moments of a layer; those of outputs are kept.
"""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Protocol, Tuple, Type

import numpy as np

from ...errors import ConfigError
from ..layers.activation import Quantize, Relu
from ..layers.base import Layer, quantisation_step
from ..layers.convolution import Conv2d, add_patches, im2col
from ..layers.join import Flatten
from ..layers.linear import Linear
from ..layers.norm import BATCH_NORM_EPSILON, BatchNorm
from ..layers.recurrent import Rnn
from ..layers.resample import GlobalAverage, MaxPool, windows
from ..network import Network
from .moments import Above, Moments, Passed, larger, quantised, rectified, staircase

Gradient = np.ndarray
"""of the outputs by a signal: (classes, n, ...)"""
Back = Callable[[Gradient, "Covariance"], Optional[Gradient]]
"""gradient by the output of a layer -> by its input (None: nothing is noisy there); it adds the noise of the layer"""


class Covariance:
    """That of the outputs of each sample, float64 (n, classes, classes)."""

    def __init__(self, n: int, classes: int) -> None:
        self.total = np.zeros((n, classes, classes))

    def add(self, gradient: Gradient, variance: np.ndarray) -> None:
        """Noise of its own in a signal: gradient (classes, n, ...), variance (n, ...)."""
        classes, n = gradient.shape[:2]
        stacked = gradient.reshape(classes, n, -1).transpose(1, 0, 2)
        self.total += np.matmul(stacked * variance.reshape(n, 1, -1), stacked.transpose(0, 2, 1))


class Summed(NamedTuple):
    """A product."""

    passed: Passed
    """its moments, the matrix, its noise"""
    above: Optional[Above]
    """chance to reach a threshold, (m, fan_out), counted code by code; None: the codes that entered vary"""


class Products(Protocol):
    """Moments of the products of codes with the matrices of a network."""

    def __call__(self, name: str, planes: np.ndarray, variance: np.ndarray, zero_point: int = 0) -> Summed:
        """sum_i (x_i - zero_point) w_ij of codes x; the gain is the matrix.

        planes: chance of each of their bits, (bits, m, fan_in). variance: of the codes (m, fan_in).
        """


@dataclass(frozen=True)
class Travelling:
    """Moments between layers: of floats, or of codes times their step."""

    moments: Moments
    step: Optional[float] = None
    zero_point: int = 0
    planes: Optional[np.ndarray] = None
    """chance of each bit of the codes, (bits, n, ...)"""
    above: Optional[Above] = None
    """chance to reach a threshold, where elements are independent and their distribution is known"""

    def codes(self, layer: Layer) -> Tuple[np.ndarray, np.ndarray, float]:
        """(planes, variance of the codes, step) for the products of a layer."""
        if self.planes is None or self.step is None:
            raise ConfigError(f"layer {layer.name}: noise covariances need codes as a quantiser gives them")
        return self.planes, self.moments.variance / np.float32(self.step**2), self.step


class Settings(NamedTuple):
    """What layers propagate with."""

    products: Products
    state: Dict[str, np.ndarray]
    """digital state of the network"""

    def step(self, name: str, bits: int) -> float:
        """Of quantiser `name`; ConfigError when it was never calibrated."""
        found = quantisation_step(self.state, name, bits=bits)
        if found is None:
            raise ConfigError(f"the range of {name} was never calibrated")
        return found


def _linear(layer: Linear, x: Travelling, use: Settings) -> Tuple[Travelling, Back]:
    planes, variance, step = x.codes(layer)
    passed, counted = use.products(layer.name, planes, variance, x.zero_point)

    def back(gradient: Gradient, covariance: Covariance) -> Gradient:
        covariance.add(gradient, passed.own * step**2)
        return np.matmul(gradient, passed.gain.T)

    above = None if counted is None else lambda threshold: counted(threshold / step)
    return Travelling(_scaled(passed.moments, step), above=above), back


def _scaled(x: Moments, factor: Any, offset: Any = 0.0) -> Moments:
    return Moments(x.mean * factor + offset, x.variance * factor**2)


def _conv(layer: Conv2d, x: Travelling, use: Settings) -> Tuple[Travelling, Back]:
    if layer.groups != 1:
        raise ConfigError(f"layer {layer.name}: noise covariances are not carried through groups; use draws")
    (planes, variance, step), image = x.codes(layer), x.moments.mean.shape
    seen = [im2col(plane, fill=x.zero_point >> bit & 1, **layer.places) for bit, plane in enumerate(planes)]
    spread, shape = im2col(variance, **layer.places), seen[0].shape[:3]
    flat = np.stack(seen).reshape(len(planes), -1, spread.shape[-1])
    passed, counted = use.products(layer.name, flat, spread.reshape(-1, spread.shape[-1]), x.zero_point)
    moments = Moments(*(part.reshape(shape + part.shape[1:]) for part in _scaled(passed.moments, step)))
    rows, cols = layer.padding

    def back(gradient: Gradient, covariance: Covariance) -> Gradient:
        covariance.add(gradient, passed.own.reshape(moments.mean.shape) * step**2)
        classes, n = gradient.shape[:2]
        patches = np.matmul(gradient, passed.gain.T).reshape((classes * n,) + shape[1:] + (-1,))
        dx = np.zeros((classes * n, image[1] + 2 * rows, image[2] + 2 * cols, image[3]), patches.dtype)
        add_patches(patches, dx, kernel=layer.kernel, stride=layer.stride, dilation=layer.dilation)
        return dx[:, rows : rows + image[1], cols : cols + image[2]].reshape((classes,) + image)

    above = None if counted is None else lambda threshold: counted(threshold / step).reshape(moments.mean.shape)
    return Travelling(moments, above=above), back


def _elementwise(passed: Passed) -> Back:
    def back(gradient: Gradient, covariance: Covariance) -> Gradient:
        covariance.add(gradient, passed.own)
        return gradient * passed.gain

    return back


def _relu(layer: Relu, x: Travelling, use: Settings) -> Tuple[Travelling, Back]:
    passed = rectified(x.moments)
    return Travelling(passed.moments), _elementwise(passed)


def _quantise(layer: Quantize, x: Travelling, use: Settings) -> Tuple[Travelling, Back]:
    step = use.step(layer.name, layer.bits)
    if x.above is not None:
        moments, planes = staircase(x.above, step, layer.bits)

        def back(gradient: Gradient, covariance: Covariance) -> None:
            covariance.add(gradient, moments.variance)

        return Travelling(moments, step, planes=planes), back
    passed, planes = quantised(x.moments, step, layer.bits)
    return Travelling(passed.moments, step, planes=planes), _elementwise(passed)


def _norm(layer: BatchNorm, x: Travelling, use: Settings) -> Tuple[Travelling, Back]:
    state = use.state
    gain = state.get(layer.name + ".gamma", 1.0) / np.sqrt(state[layer.name + ".var"] + BATCH_NORM_EPSILON)
    offset = state.get(layer.name + ".beta", 0.0) - state[layer.name + ".mean"] * gain
    inner = x.above

    def above(threshold: Any) -> np.ndarray:
        chance = inner((threshold - offset) / gain)  # type: ignore[misc]
        return np.where(gain > 0, chance, 1 - chance)

    scaled = Travelling(_scaled(x.moments, gain, offset), above=None if inner is None else above)
    return scaled, lambda gradient, _: gradient * gain


def _pool(layer: MaxPool, x: Travelling, use: Settings) -> Tuple[Travelling, Back]:
    places = [Moments(*parts) for parts in zip(*(windows(part, layer.size) for part in x.moments))]
    top, shares = places[0], [np.ones_like(places[0].mean)]
    for place in places[1:]:
        top, first = larger(top, place)
        shares = [share * first for share in shares] + [1 - first]
    carried = sum(share**2 * place.variance for share, place in zip(shares, places))
    own, shape = np.maximum(top.variance - carried, 0.0), x.moments.mean.shape

    def back(gradient: Gradient, covariance: Covariance) -> Gradient:
        covariance.add(gradient, own)
        dx = np.zeros((len(gradient),) + shape, gradient.dtype)
        for one, dy in zip(dx, gradient):
            for view, share in zip(windows(one, layer.size), shares):
                view[...] = dy * share
        return dx

    inner = x.above

    def above(threshold: Any) -> np.ndarray:
        chances = inner(threshold)  # type: ignore[misc]
        return 1 - np.prod([1 - place for place in windows(chances, layer.size)], axis=0)

    # The bits of a maximum are not those of its parts.
    return Travelling(top, x.step, x.zero_point, above=None if inner is None else above), back


def _flatten(layer: Flatten, x: Travelling, use: Settings) -> Tuple[Travelling, Back]:
    shape = x.moments.mean.shape
    moments = Moments(*(part.reshape(shape[0], -1) for part in x.moments))
    planes = None if x.planes is None else x.planes.reshape(len(x.planes), shape[0], -1)
    return Travelling(moments, x.step, x.zero_point, planes), lambda gradient, _: gradient.reshape((-1,) + shape)


def _mean(layer: GlobalAverage, x: Travelling, use: Settings) -> Tuple[Travelling, Back]:
    shape = x.moments.mean.shape
    places = shape[1] * shape[2]
    moments = Moments(x.moments.mean.mean(axis=(1, 2)), x.moments.variance.sum(axis=(1, 2)) / places**2)

    def back(gradient: Gradient, covariance: Covariance) -> Gradient:
        return np.broadcast_to(gradient[:, :, None, None] / places, (len(gradient),) + shape)

    return Travelling(moments), back


def _rnn(layer: Rnn, x: Travelling, use: Settings) -> Tuple[Travelling, Back]:
    planes, variance, step = x.codes(layer)
    hidden_step = use.step(layer.name, layer.bits)
    fed: List[Passed] = []
    fed_back: List[Optional[Tuple[Passed, Passed]]] = []
    outputs: List[Passed] = []
    total: Optional[Moments] = None
    for t in range(variance.shape[2]):
        fed.append(use.products(layer.name + ".input", planes[:, :, 0, t], variance[:, 0, t], x.zero_point).passed)
        now = _scaled(fed[-1].moments, step)
        if total is None:
            fed_back.append(None)
        else:
            entering, bits = quantised(total, hidden_step, layer.bits)
            spread = entering.moments.variance / np.float32(hidden_step**2)
            product = use.products(layer.name + ".hidden", bits, spread).passed
            fed_back.append((entering, product))
            more = _scaled(product.moments, hidden_step)
            now = Moments(now.mean + more.mean, now.variance + more.variance)
        outputs.append(rectified(now))
        total = now
    moments = Moments(*(np.stack(parts, axis=1)[:, None] for parts in zip(*(one.moments for one in outputs))))

    def back(gradient: Gradient, covariance: Covariance) -> Gradient:
        dx, later = np.zeros((len(gradient),) + variance.shape, gradient.dtype), 0.0
        for t in reversed(range(len(outputs))):
            dy = gradient[:, :, 0, t]
            covariance.add(dy, outputs[t].own)
            d = dy * outputs[t].gain + later
            covariance.add(d, fed[t].own * step**2)
            dx[:, :, 0, t] = np.matmul(d, fed[t].gain.T)
            later = 0.0
            entered_by = fed_back[t]
            if entered_by is not None:
                entering, product = entered_by
                covariance.add(d, product.own * hidden_step**2)
                entered = np.matmul(d, product.gain.T)
                covariance.add(entered, entering.own)
                later = entered * entering.gain
        return dx

    return Travelling(moments), back


PROPAGATE: Dict[Type[Layer], Any] = {
    Conv2d: _conv,
    Linear: _linear,
    Relu: _relu,
    Quantize: _quantise,
    BatchNorm: _norm,
    MaxPool: _pool,
    Flatten: _flatten,
    GlobalAverage: _mean,
    Rnn: _rnn,
}
"""layers that moments are carried through"""


def check_kinds(network: Network) -> None:
    """ConfigError for a layer that moments are not carried through."""
    for layer in network.layers:
        if type(layer) not in PROPAGATE:
            raise ConfigError(
                f"layer {layer.name}: noise covariances are not carried through {type(layer).__name__}; use draws"
            )


def output_moments(
    network: Network, codes: np.ndarray, planes: np.ndarray, use: Settings
) -> Tuple[np.ndarray, np.ndarray]:
    """(means (n, classes), covariances (n, classes, classes)) of the outputs.

    codes: uint8 (n, height, width, channels); planes: their bits, (bits, n, height, width, channels).
    """
    mean = (codes.astype(np.float32) - network.input_zero) * np.float32(network.input_step)
    x = Travelling(Moments(mean, np.zeros_like(mean)), network.input_step, network.input_zero, planes)
    backs: List[Back] = []
    skip = _rectified_by_codes(network)
    for layer in network.layers:
        if layer.name in skip:
            continue
        x, back = PROPAGATE[type(layer)](layer, x, use)
        backs.append(back)
    n, classes = x.moments.mean.shape
    covariance = Covariance(n, classes)
    gradient: Optional[Gradient] = np.broadcast_to(np.eye(classes, dtype=np.float32)[:, None], (classes, n, classes))
    for back in reversed(backs):
        gradient = back(gradient, covariance) if gradient is not None else None
    return x.moments.mean, covariance.total


def _rectified_by_codes(network: Network) -> List[str]:
    """ReLUs before a quantiser, which begins at 0 by itself."""
    pairs = zip(network.layers, network.layers[1:])
    return [one.name for one, after in pairs if isinstance(one, Relu) and isinstance(after, Quantize)]

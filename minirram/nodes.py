"""The layers of a network at work on one chunk of a batch: buffers, forward and backward of each, in order.

A chunk is small enough to stay in a core's cache. Images lie in memory as (height, width, n, channels), which gives
long contiguous runs; the functions of `layers` see them as (n, height, width, channels) views.
"""

import numpy as np

from . import layers
from .convolution import col2im, im2col
from .networks import BatchNorm, Concat, Conv2d, Flatten, Linear, MaxPool, MeanSteps, Quantize, Relu, Rnn, Upsample
from .recurrent import rnn_backward, rnn_forward


class Run:
    """What all chunks share during one pass: weights, digital parameters, statistics of the whole batch."""

    def __init__(self, weights, state, steps, training):
        self.weights = weights
        self.state = state
        self.steps = steps  # {layer name: quantisation step, or None: not calibrated, values pass through}
        self.training = training
        self.statistics = {}  # {batch norm: (count, mean, variance)} of the whole batch
        self.sums = {}  # {batch norm: (d loss / d beta, d loss / d gamma)} of the whole batch


def _image(shape, dtype):
    """A buffer for images (n, height, width, channels) that lies in memory as (height, width, n, channels)."""
    if len(shape) == 2:
        return np.empty(shape, dtype)
    n, height, width, channels = shape
    return np.empty((height, width, n, channels), dtype).transpose(2, 0, 1, 3)


def _rows(image):
    """All positions of such an image as rows (height * width * n, channels), without a copy."""
    return image.transpose(1, 2, 0, 3).reshape(-1, image.shape[3]) if image.ndim == 4 else image


class _Node:
    """One layer on one chunk. `x` is its input buffer, `y` its output buffer, both filled by `forward`."""

    def __init__(self, layer, x, shape):
        self.layer = layer
        self.x = x
        self.y = _image(x.shape[:1] + shape, x.dtype)

    def forward(self, run):
        """Fill y from x."""
        raise NotImplementedError

    def backward(self, dy, run, gradients):
        """dx from dy; adds d loss / d weight to `gradients`."""
        raise NotImplementedError


class _Linear(_Node):
    def forward(self, run):
        layers.linear_forward(self.x, run.weights[self.layer.name], out=self.y)

    def backward(self, dy, run, gradients):
        dx, dweight = layers.linear_backward(dy, self.x, run.weights[self.layer.name])
        gradients[self.layer.name] += dweight
        return dx


class _Conv2d(_Node):
    def __init__(self, layer, x, shape):
        super().__init__(layer, x, shape)
        self.columns = _image(x.shape[:1] + shape[:2] + layer.matrices()[0][1][:1], x.dtype)

    def forward(self, run):
        layer = self.layer
        im2col(self.x, layer.kernel, layer.stride, layer.padding, out=self.columns)
        np.matmul(_rows(self.columns), run.weights[layer.name], out=_rows(self.y))

    def backward(self, dy, run, gradients):
        layer = self.layer
        gradients[layer.name] += np.matmul(_rows(self.columns).T, _rows(dy))
        dcolumns = _image(self.columns.shape, dy.dtype)
        np.matmul(_rows(dy), run.weights[layer.name].T, out=_rows(dcolumns))
        return _in_order(col2im(dcolumns, self.x.shape, layer.kernel, layer.stride, layer.padding))


def _in_order(image):
    """The image itself when its memory is in the order of `_image`, else a copy that is."""
    if image.transpose(1, 2, 0, 3).flags.c_contiguous:
        return image
    copy = _image(image.shape, image.dtype)
    copy[...] = image
    return copy


class _Rnn(_Node):
    def _arguments(self, run):
        layer = self.layer
        weights = run.weights[layer.name + ".input"], run.weights[layer.name + ".hidden"]
        return weights + (run.steps[layer.name], layer.bits)

    def forward(self, run):
        rnn_forward(self.x[:, 0], *self._arguments(run), out=self.y[:, 0])
        self.sample = _sample(self.y)

    def backward(self, dy, run, gradients):
        dx, dw_input, dw_hidden = rnn_backward(dy[:, 0], self.x[:, 0], self.y[:, 0], *self._arguments(run))
        gradients[self.layer.name + ".input"] += dw_input
        gradients[self.layer.name + ".hidden"] += dw_hidden
        return _in_order(dx[:, None])


class _Moments(_Node):
    """First half of a batch norm: this chunk's moments, before the whole batch is known; the last step backward."""

    def __init__(self, layer, x, shape):
        self.layer = layer
        self.x = self.y = x

    def forward(self, run):
        if run.training:
            self.moments = layers.moments(self.x)

    def backward(self, dy, run, gradients):
        count, _, var = run.statistics[self.layer.name]
        gamma = run.state[self.layer.name + ".gamma"] if self.layer.affine else None
        return layers.batch_norm_backward(dy, self.normalised, var, count, *run.sums[self.layer.name], gamma)


class _Normalise(_Node):
    """Second half of a batch norm: normalise with the whole batch's statistics; backward, this chunk's sums."""

    def __init__(self, layer, x, shape, moments):
        super().__init__(layer, x, shape)
        self.first_half = moments
        moments.normalised = _image(x.shape, x.dtype) if layer.affine else self.y

    def forward(self, run):
        _, mean, var = run.statistics[self.layer.name]
        normalised = layers.batch_norm_forward(self.x, mean, var, out=self.first_half.normalised)
        if self.layer.affine:
            np.multiply(normalised, run.state[self.layer.name + ".gamma"].astype(self.x.dtype), out=self.y)
            self.y += run.state[self.layer.name + ".beta"].astype(self.x.dtype)

    def backward(self, dy, run, gradients):
        self.sums = layers.batch_norm_sums(dy, self.first_half.normalised)
        return dy


class _Relu(_Node):
    def forward(self, run):
        layers.relu_forward(self.x, out=self.y)

    def backward(self, dy, run, gradients):
        return layers.relu_backward(dy, self.y)


SAMPLE = 512  # values per chunk that the running range of a quantiser sees


def _sample(x):
    """About SAMPLE values of x, evenly spread in memory."""
    flat = _rows(x).reshape(-1)
    return flat[:: max(1, flat.size // SAMPLE)].copy()


class _Quantize(_Node):
    def forward(self, run):
        step = run.steps[self.layer.name]
        if run.training:
            self.sample = _sample(self.x)
        if step is None:
            self.y[...] = self.x
        else:
            layers.quantise_forward(self.x, step, self.layer.bits, out=self.y)

    def backward(self, dy, run, gradients):
        step = run.steps[self.layer.name]
        return dy if step is None else layers.quantise_backward(dy, self.x, step, self.layer.bits)


class _MaxPool(_Node):
    def __init__(self, layer, x, shape):
        super().__init__(layer, x, shape)
        self.winner = _image(self.y.shape, np.uint8)

    def forward(self, run):
        layers.max_pool_forward(self.x, self.layer.size, out=self.y, winner=self.winner)

    def backward(self, dy, run, gradients):
        dx = _image(self.x.shape, dy.dtype)
        return layers.max_pool_backward(dy, self.winner, self.x.shape, self.layer.size, out=dx)


class _Upsample(_Node):
    def forward(self, run):
        layers.upsample_forward(self.x, out=self.y)

    def backward(self, dy, run, gradients):
        return layers.upsample_backward(dy, out=_image(self.x.shape, dy.dtype))


class _Concat(_Node):
    def __init__(self, layer, x, shape, other):
        super().__init__(layer, x, shape)
        self.other = other

    def forward(self, run):
        layers.concat_forward(self.x, self.other.y, out=self.y)

    def backward(self, dy, run, gradients):
        dx, self.other.skipped = layers.concat_backward(dy, self.x.shape[-1])
        return _in_order(dx)


class _Flatten(_Node):
    def forward(self, run):
        self.y.reshape(self.x.shape)[...] = self.x

    def backward(self, dy, run, gradients):
        return _in_order(dy.reshape(self.x.shape))


class _MeanSteps(_Node):
    def forward(self, run):
        layers.mean_forward(self.x, out=self.y)

    def backward(self, dy, run, gradients):
        return layers.mean_backward(dy, self.x.shape, out=_image(self.x.shape, dy.dtype))


_NODES = {
    Conv2d: _Conv2d,
    Linear: _Linear,
    Rnn: _Rnn,
    Relu: _Relu,
    Quantize: _Quantize,
    MaxPool: _MaxPool,
    Upsample: _Upsample,
    Flatten: _Flatten,
    MeanSteps: _MeanSteps,
}


class Chunk:
    """All layers of a network on `size` samples, cut into segments where a batch norm waits for the whole batch."""

    def __init__(self, network, shapes, size, dtype):
        self.size = size
        self.input = _image((size,) + tuple(network.input_shape), dtype)
        self.segments = [[]]
        nodes = {}
        x = self.input
        for layer in network.layers:
            shape = shapes[layer.name]
            if isinstance(layer, BatchNorm):
                moments = _Moments(layer, x, shape)
                self.segments[-1].append(moments)
                self.segments.append([])
                node = _Normalise(layer, x, shape, moments)
            elif isinstance(layer, Concat):
                node = _Concat(layer, x, shape, nodes[layer.other])
            else:
                node = _NODES[type(layer)](layer, x, shape)
            node.skipped = None
            nodes[layer.name] = node
            self.segments[-1].append(node)
            x = node.y
        self.nodes = nodes
        self.output = x

    def forward(self, segment, run):
        """Run one segment forward."""
        for node in self.segments[segment]:
            node.forward(run)

    def backward(self, segment, dy, run, gradients):
        """Run one segment backward from the gradient of its output; returns that of its input."""
        for node in reversed(self.segments[segment]):
            if getattr(node, "skipped", None) is not None:
                dy = dy + node.skipped
                node.skipped = None
            dy = node.backward(dy, run, gradients)
        return dy

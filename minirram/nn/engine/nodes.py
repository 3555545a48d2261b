"""The layers of a network at work on one chunk of a batch: buffers, forward and backward of each.

A chunk is a few samples, few enough that a layer's arrays stay in a core's cache. Images lie as (height, width, n,
channels), which gives long contiguous runs. What is needed for a moment only lies in a workspace that all chunks of a
lane share.
"""

import math
from typing import Any

import numpy as np

from ..layers.activation import Quantize, Relu, to_codes
from ..layers.join import Concat, Flatten, concat_backward, concat_forward
from ..layers.linear import Linear, linear_forward
from ..layers.norm import BATCH_NORM_EPSILON, BatchNorm
from ..layers.recurrent import Rnn, rnn_backward, rnn_forward
from ..layers.resample import (
    MaxPool,
    MeanSteps,
    Upsample,
    max_pool_backward,
    max_pool_forward,
    mean_backward,
    mean_forward,
    upsample_backward,
    upsample_forward,
)

ALIGNMENT = 64  # bytes: sums of arrays that begin inside a cache line take twice as long
LONG_RUN = 256  # elements; NumPy is slow on shorter runs than this


class Run:
    """What all chunks share during one pass: weights, digital parameters, statistics of the whole batch."""

    def __init__(self, weights, state, steps, training):
        self.weights = weights
        self.state = state
        self.steps = steps  # {layer name: quantisation step, or None: the values pass as they are}
        self.training = training
        self.kernels = {}  # {convolution: transformed weights}
        self.statistics = {}  # {batch norm: (count, mean, variance)}
        self.sums = {}  # {batch norm: (d loss / d beta, d loss / d gamma)}


def aligned(shape, dtype):
    """An empty array that begins at a multiple of ALIGNMENT."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


class Workspace:
    """Named scratch arrays, kept from call to call."""

    def __init__(self, dtype):
        self.dtype = np.dtype(dtype)
        self._flat = {}
        self._views = {}
        self._turn = 0

    def array(self, name, shape, dtype=None):
        """An array of any contents; the same memory for the same name."""
        view = self._views.get((name, shape))
        if view is None:
            size = math.prod(shape)
            flat = self._flat.get(name)
            if flat is None or flat.size < size:
                flat = self._flat[name] = aligned((size,), dtype or self.dtype)
                self._views = {key: old for key, old in self._views.items() if key[0] != name}
            view = self._views[name, shape] = flat[:size].reshape(shape)
        return view

    def gradient(self, shape):
        """The same for a gradient on its way back; the one handed out before stays valid."""
        self._turn = 1 - self._turn
        return self.array(f"gradient{self._turn}", shape)


def nhwc(image):
    """An image of the chunk as `layers` sees it."""
    return image.transpose(2, 0, 1, 3) if image.ndim == 4 else image


def rows(array):
    """All positions of a contiguous array as rows (positions, channels)."""
    return array.reshape(-1, array.shape[-1])


def long_rows(array):
    """A contiguous array as rows long enough for NumPy, each a whole number of times all channels."""
    channels = array.shape[-1]
    count = array.size // channels
    repeat = array.shape[-2] if array.ndim == 4 else 1
    if array.ndim == 4 and repeat * channels < LONG_RUN:
        repeat *= array.shape[1]
    return array.reshape(count // repeat, repeat * channels)


def tiled(vector, like):
    """A value per channel, repeated to the length of a row of `like` = long_rows(...)."""
    row = np.empty((like.shape[1] // len(vector), len(vector)), like.dtype)
    row[...] = vector
    return row.reshape(-1)


def channel_sums(long, channels):
    """Sums per channel, float64 (channels,), of an array in `long_rows`."""
    return np.add.reduce(np.add.reduce(long, axis=0).reshape(-1, channels), axis=0, dtype=np.float64)


class Node:
    """One layer, or a few that belong together, on one chunk. `x` is the input's array, `y` the output's."""

    dskipped = None  # gradient that comes from a Concat further on

    def __init__(self, layer, x, y, chunk):
        self.layer = layer
        self.x = x
        self.y = y
        self.chunk = chunk
        self.workspace = chunk.workspace

    def prepare(self, run):
        """Put the weights into the form that forward and backward use; once per pass, for all chunks."""

    def finish(self):
        """Bring the gradient of that form back to the weights'; once per step and lane."""

    def forward(self, run):
        """Fill y from x."""
        raise NotImplementedError

    def backward(self, run, dy):
        """dx from dy; gradients of weights are added to those of the chunk's lane."""
        raise NotImplementedError

    def add_gradient(self, name, left, right):
        """Add left^T right, summed over rows, to the gradient of matrix `name`; the lane's first chunk begins it."""
        total = self.chunk.gradients[name]
        if self.chunk.begins:
            np.matmul(left.T, right, out=total)
        else:
            total += np.matmul(left.T, right, out=self.workspace.array("dweight", total.shape))


class LinearNode(Node):
    """Matrix product."""

    def forward(self, run):
        """y = x W"""
        linear_forward(self.x, run.weights[self.layer.name], out=self.y)

    def backward(self, run, dy):
        """dx = dy W^T, dW = x^T dy"""
        self.add_gradient(self.layer.name, self.x, dy)
        return np.matmul(dy, run.weights[self.layer.name].T, out=self.workspace.gradient(self.x.shape))


class RnnNode(Node):
    """ReLU-RNN through time."""

    def _arguments(self, run):
        name = self.layer.name
        x, h = (array[0].transpose(1, 0, 2) for array in (self.x, self.y))
        w_input, w_hidden = run.weights[name + ".input"], run.weights[name + ".hidden"]
        return x, h, w_input, w_hidden, run.steps[name], self.layer.bits

    def forward(self, run):
        """h_t = relu(x_t W_input + q(h_{t-1}) W_hidden)"""
        x, h, w_input, w_hidden, step, bits = self._arguments(run)
        rnn_forward(x, w_input, w_hidden, step, bits, out=h)
        if run.training:
            self.chunk.sample(self.layer.name, self.y)

    def backward(self, run, dy):
        """Back through time."""
        x, h, w_input, w_hidden, step, bits = self._arguments(run)
        dx = self.workspace.gradient(self.x.shape)
        inside = dx[0].transpose(1, 0, 2)
        dweights = rnn_backward(dy[0].transpose(1, 0, 2), x, h, w_input, w_hidden, step, bits, out=inside)[1:]
        for part, dweight in zip((".input", ".hidden"), dweights):
            total = self.chunk.gradients[self.layer.name + part]
            if self.chunk.begins:
                total[...] = 0
            total += dweight
        return dx


class MomentsNode(Node):
    """First half of a batch norm: moments of what comes in; backward the last step, once the batch is summed up."""

    normalised: Any = None  # (x - mean) / sqrt(var + epsilon) and the gradient of it, both set by the second half
    dnormalised: Any = None

    def forward(self, run):
        """This chunk's count, mean and sum of squared deviations."""
        if not run.training:
            return
        x, channels = long_rows(self.x), self.x.shape[-1]
        count = self.x.size // channels
        mean = channel_sums(x, channels) / count
        centred = np.subtract(x, tiled(mean, x), out=self.workspace.array("centred", x.shape))
        self.moments = count, mean, channel_sums(np.square(centred, out=centred), channels)

    def backward(self, run, dy):
        """dx = scale * (dy - mean(dy) - normalised * mean(dy * normalised)), with d normalised for dy"""
        name = self.layer.name
        count, _, var = run.statistics[name]
        dbeta, dgamma = run.sums[name]
        scale = 1 / np.sqrt(var + BATCH_NORM_EPSILON)
        if self.layer.affine:
            scale = scale * run.state[name + ".gamma"]
        normalised, dnormalised = long_rows(self.normalised), long_rows(self.dnormalised)
        dx = self.workspace.gradient(self.x.shape)
        total = np.multiply(normalised, tiled(-scale * dgamma / count, normalised), out=dx.reshape(normalised.shape))
        total -= tiled(scale * dbeta / count, total)
        dnormalised *= tiled(scale, dnormalised)
        total += dnormalised
        return dx


class ActivationNode(Node):
    """What happens to each element alone: rest of a batch norm, ReLU, quantisation, or some of them in this order."""

    def __init__(self, group, x, y, chunk, moments=None, overwrite=False):
        super().__init__(group[-1], x, y, chunk)
        self.norm: Any = _first_of(BatchNorm, group)
        self.relu: Any = _first_of(Relu, group)
        self.quantiser: Any = _first_of(Quantize, group)
        self.passes = None
        if chunk.training and (self.relu or self.quantiser):
            self.passes = aligned(y.shape, bool)
        if moments:
            self.normalised = x if overwrite else aligned(x.shape, x.dtype)
            moments.normalised, moments.dnormalised = self.normalised, y

    def forward(self, run):
        """y = quantise(relu(gamma * normalised + beta))"""
        step = run.steps[self.quantiser.name] if self.quantiser else None
        t = self._argument(run, 1 if step is None else step)
        if run.training:
            if self.quantiser:
                self.chunk.sample(self.quantiser.name, t, step or 1)
            self._mark(t, step)
        if step is not None:
            to_codes(t, self.quantiser.bits, out=self.y)
            self.y *= self.y.dtype.type(step)
        elif self.relu:
            np.maximum(t, 0, out=self.y)
        elif t is not self.y:
            self.y[...] = t

    def _argument(self, run, unit):
        """What ReLU and quantiser see, over `unit`: x, or (x - mean) / sqrt(var + epsilon), scaled and shifted."""
        x, y = long_rows(self.x), long_rows(self.y)
        if not self.norm:
            return self.x if unit == 1 else np.multiply(self.x, x.dtype.type(1 / unit), out=self.y)
        name = self.norm.name
        _, mean, var = run.statistics[name]
        normalised = np.subtract(x, tiled(mean, x), out=long_rows(self.normalised))
        normalised *= tiled(1 / np.sqrt(var + BATCH_NORM_EPSILON), x)
        if self.norm.affine:
            np.multiply(normalised, tiled(run.state[name + ".gamma"] / unit, y), out=y)
            y += tiled(run.state[name + ".beta"] / unit, y)
            return self.y
        return self.normalised if unit == 1 else np.multiply(self.normalised, x.dtype.type(1 / unit), out=self.y)

    def _mark(self, t, step):
        """Remember where the gradient passes: above 0 for a ReLU, inside the range for a quantiser; t in steps."""
        if self.passes is None:
            return
        if self.relu:
            np.greater(t, 0, out=self.passes)
        elif step is not None:
            np.greater_equal(t, 0, out=self.passes)
        else:
            self.passes[...] = True
        if step is not None:
            top = t.dtype.type(2**self.quantiser.bits - 1)
            self.passes &= np.less_equal(t, top, out=self.workspace.array("bool", t.shape, bool))

    def backward(self, run, dy):
        """dy where it passes; with a batch norm also its sums."""
        target = self.y if self.norm else dy  # y itself is not needed any more
        if self.passes is not None:
            np.multiply(dy, self.passes, out=target)
        elif target is not dy:
            target[...] = dy
        if self.norm:
            channels = dy.shape[-1]
            product = np.multiply(target, self.normalised, out=self.workspace.array("centred", dy.shape))
            self.sums = channel_sums(long_rows(target), channels), channel_sums(long_rows(product), channels)
        return target


def _first_of(kind, group):
    return next((layer for layer in group if isinstance(layer, kind)), None)


class MaxPoolNode(Node):
    """Maximum over windows."""

    def __init__(self, layer, x, y, chunk):
        super().__init__(layer, x, y, chunk)
        self.first = np.empty((layer.size**2,) + y.shape, bool) if chunk.training else None

    def _first(self):
        return None if self.first is None else self.first.transpose(0, 3, 1, 2, 4)

    def forward(self, run):
        """y = the largest of each window"""
        max_pool_forward(nhwc(self.x), self.layer.size, out=nhwc(self.y), first=self._first())

    def backward(self, run, dy):
        """dy to where the largest was"""
        dx = self.workspace.gradient(self.x.shape)
        max_pool_backward(nhwc(dy), self._first(), nhwc(dx).shape, self.layer.size, out=nhwc(dx))
        return dx


class UpsampleNode(Node):
    """Bilinear interpolation."""

    def forward(self, run):
        """y = x between its pixels"""
        upsample_forward(nhwc(self.x), out=nhwc(self.y))

    def backward(self, run, dy):
        """The transpose of the forward."""
        dx = self.workspace.gradient(self.x.shape)
        upsample_backward(nhwc(dy), out=nhwc(dx))
        return dx


class ConcatNode(Node):
    """Channels of the input, then of an earlier node's output."""

    def __init__(self, layer, x, y, chunk):
        super().__init__(layer, x, y, chunk)
        self.other = chunk.nodes[layer.other]
        if chunk.training:
            self.other.dskipped = aligned(self.other.y.shape, self.other.y.dtype)

    def forward(self, run):
        """y = x, other"""
        concat_forward(self.x, self.other.y, out=self.y)

    def backward(self, run, dy):
        """dx and the part that skips back to the other node"""
        dx, self.other.dskipped[...] = concat_backward(dy, self.x.shape[-1])
        result = self.workspace.gradient(dx.shape)
        result[...] = dx
        return result


class FlattenNode(Node):
    """(height, width, n, channels) -> (n, height * width * channels)"""

    def forward(self, run):
        """y = x in another order"""
        x = nhwc(self.x)
        self.y.reshape(x.shape)[...] = x

    def backward(self, run, dy):
        """dx = dy in the order of x"""
        dx = self.workspace.gradient(self.x.shape)
        nhwc(dx)[...] = dy.reshape(nhwc(dx).shape)
        return dx


class MeanStepsNode(Node):
    """Mean over height and width."""

    def forward(self, run):
        """y = mean of x"""
        mean_forward(nhwc(self.x), out=self.y)

    def backward(self, run, dy):
        """dx = dy / steps"""
        dx = self.workspace.gradient(self.x.shape)
        mean_backward(dy, nhwc(dx).shape, out=nhwc(dx))
        return dx


SIMPLE = {
    Linear: LinearNode,
    Rnn: RnnNode,
    MaxPool: MaxPoolNode,
    Upsample: UpsampleNode,
    Concat: ConcatNode,
    Flatten: FlattenNode,
    MeanSteps: MeanStepsNode,
}

"""Fast nodes of the layers that are neither convolutions nor parts of a batch norm or an activation."""

from typing import Any, Dict, Tuple

import numpy as np

from ..layers.join import Concat, Flatten, concat_backward, concat_forward
from ..layers.linear import Linear, linear_forward
from ..layers.recurrent import Rnn, rnn_backward, rnn_forward
from ..layers.resample import (
    GlobalAverage,
    MaxPool,
    Upsample,
    max_pool_backward,
    max_pool_forward,
    mean_backward,
    mean_forward,
    upsample_backward,
    upsample_forward,
)
from .chunk import Chunk
from .nodes import Node, Pass, nhwc, node_for


@node_for(Linear)
class LinearNode(Node):
    """Matrix product."""

    def forward(self, run: Pass) -> None:
        """y = x W"""
        linear_forward(self.x, run.weights[self.layer.name], out=self.y)

    def backward(self, run: Pass, dy: np.ndarray) -> np.ndarray:
        """dx = dy W^T, dW = x^T dy"""
        self.add_product(self.layer.name, self.x, right=dy)
        return np.matmul(dy, run.weights[self.layer.name].T, out=self.workspace.gradient(self.x.shape))


@node_for(Rnn)
class RnnNode(Node):
    """ReLU-RNN through time."""

    layer: Rnn
    needs_y = True

    def _sequences(self) -> Tuple[np.ndarray, np.ndarray]:
        """x and h (n, steps, features)"""
        return self.x[0].transpose(1, 0, 2), self.y[0].transpose(1, 0, 2)

    def _arguments(self, run: Pass) -> Dict[str, Any]:
        name = self.layer.name
        weights = {"w_input": run.weights[name + ".input"], "w_hidden": run.weights[name + ".hidden"]}
        return dict(weights, step=run.steps[name], bits=self.layer.bits)

    def forward(self, run: Pass) -> None:
        """h_t = relu(x_t W_input + q(h_{t-1}) W_hidden)"""
        x, h = self._sequences()
        rnn_forward(x, out=h, **self._arguments(run))
        if run.training:
            self.chunk.sample(self.layer.name, self.y)

    def backward(self, run: Pass, dy: np.ndarray) -> np.ndarray:
        """Back through time."""
        x, h = self._sequences()
        dx = self.workspace.gradient(self.x.shape)
        inside = dx[0].transpose(1, 0, 2)
        dweights = rnn_backward(dy[0].transpose(1, 0, 2), x, h=h, out=inside, **self._arguments(run))[1:]
        for part, dweight in zip((".input", ".hidden"), dweights):
            total = self.chunk.gradients[self.layer.name + part]
            if self.chunk.begins:
                total[...] = 0
            total += dweight
        return dx


@node_for(MaxPool)
class MaxPoolNode(Node):
    """Maximum over windows."""

    layer: MaxPool

    def __init__(self, layer: MaxPool, x: np.ndarray, *, y: np.ndarray, chunk: Chunk) -> None:
        super().__init__(layer, x, y=y, chunk=chunk)
        self.first = np.empty((layer.size**2,) + y.shape, bool) if chunk.training else None

    def _first(self) -> Any:
        return None if self.first is None else self.first.transpose(0, 3, 1, 2, 4)

    def forward(self, run: Pass) -> None:
        """y = the largest of each window"""
        max_pool_forward(nhwc(self.x), self.layer.size, out=nhwc(self.y), first=self._first())

    def backward(self, run: Pass, dy: np.ndarray) -> np.ndarray:
        """dy to where the largest was"""
        dx = self.workspace.gradient(self.x.shape)
        max_pool_backward(nhwc(dy), self._first(), shape=nhwc(dx).shape, side=self.layer.size, out=nhwc(dx))
        return dx


@node_for(Upsample)
class UpsampleNode(Node):
    """Bilinear interpolation."""

    def forward(self, run: Pass) -> None:
        """y = x between its pixels"""
        upsample_forward(nhwc(self.x), out=nhwc(self.y))

    def backward(self, run: Pass, dy: np.ndarray) -> np.ndarray:
        """The transpose of the forward."""
        dx = self.workspace.gradient(self.x.shape)
        upsample_backward(nhwc(dy), out=nhwc(dx))
        return dx


@node_for(Concat)
class ConcatNode(Node):
    """Channels of the input, then of an earlier node's output."""

    layer: Concat

    def __init__(self, layer: Concat, x: np.ndarray, *, y: np.ndarray, chunk: Chunk) -> None:
        super().__init__(layer, x, y=y, chunk=chunk)
        self.other: np.ndarray = chunk.nodes[layer.other].y

    def forward(self, run: Pass) -> None:
        """y = x, other"""
        concat_forward(self.x, self.other, out=self.y)

    def backward(self, run: Pass, dy: np.ndarray) -> np.ndarray:
        """dx; the other part skips back to the earlier layer"""
        dx, dother = concat_backward(dy, self.x.shape[-1])
        self.chunk.skip_back(self.layer.other, dother)
        result = self.workspace.gradient(dx.shape)
        result[...] = dx
        return result


@node_for(Flatten)
class FlattenNode(Node):
    """(height, width, n, channels) -> (n, height * width * channels)"""

    def forward(self, run: Pass) -> None:
        """y = x in another order"""
        x = nhwc(self.x)
        self.y.reshape(x.shape)[...] = x

    def backward(self, run: Pass, dy: np.ndarray) -> np.ndarray:
        """dx = dy in the order of x"""
        dx = self.workspace.gradient(self.x.shape)
        nhwc(dx)[...] = dy.reshape(nhwc(dx).shape)
        return dx


@node_for(GlobalAverage)
class GlobalAverageNode(Node):
    """Mean over height and width."""

    def forward(self, run: Pass) -> None:
        """y = mean of x"""
        mean_forward(nhwc(self.x), out=self.y)

    def backward(self, run: Pass, dy: np.ndarray) -> np.ndarray:
        """dx = dy / steps"""
        dx = self.workspace.gradient(self.x.shape)
        mean_backward(dy, nhwc(dx).shape, out=nhwc(dx))
        return dx

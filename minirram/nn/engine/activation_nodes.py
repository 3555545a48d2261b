"""Batch norm, ReLU and quantiser: what happens to each element alone is one node; moments of the batch come before."""

from typing import Any, Optional, Sequence, Type, TypeVar

import numpy as np

from ..layers.activation import Quantize, Relu, to_codes
from ..layers.base import Layer
from ..layers.norm import BATCH_NORM_EPSILON, BatchNorm, batch_norm_backward, tiled
from .chunk import Chunk, aligned
from .nodes import FAST, FastNode, Node, Pass, channel_sums, long_rows


class MomentsNode(Node):
    """First half of a batch norm: moments of what comes in; backward the last step, once the batch is summed up."""

    layer: BatchNorm
    normalised: Any = None  # (x - mean) / sqrt(var + epsilon) and the gradient of it, both set by the second half
    dnormalised: Any = None

    def forward(self, run: Pass) -> None:
        """This chunk's count, mean and sum of squared deviations."""
        if not run.training:
            return
        x, channels = long_rows(self.x), self.x.shape[-1]
        count = self.x.size // channels
        mean = channel_sums(x, channels) / count
        centred = np.subtract(x, tiled(mean, x), out=self.workspace.array("centred", x.shape))
        self.moments = count, mean, channel_sums(np.square(centred, out=centred), channels)

    def backward(self, run: Pass, dy: np.ndarray) -> np.ndarray:
        """dx = scale * (dy - mean(dy) - normalised * mean(dy * normalised)), with d normalised for dy"""
        name = self.layer.name
        count, _, var = run.statistics[name]
        dnormalised = long_rows(self.dnormalised)
        dx = self.workspace.gradient(self.x.shape)
        batch_norm_backward(
            dnormalised,
            long_rows(self.normalised),
            var=var,
            count=count,
            sums=run.sums[name],
            gamma=run.state[name + ".gamma"] if self.layer.affine else None,
            out=dx.reshape(dnormalised.shape),
            scratch=dnormalised,
        )
        return dx


class ActivationNode(Node):
    """What happens to each element alone: rest of a batch norm, ReLU, quantisation, or some of them in this order."""

    def __init__(
        self,
        group: Sequence[Layer],
        x: np.ndarray,
        *,
        y: np.ndarray,
        chunk: Chunk,
        moments: Optional[MomentsNode] = None,
    ) -> None:
        super().__init__(group[-1], x, y=y, chunk=chunk)
        self.norm = _first_of(BatchNorm, group)
        self.relu = _first_of(Relu, group)
        self.quantiser = _first_of(Quantize, group)
        self.passes: Optional[np.ndarray] = None
        if chunk.training and (self.relu or self.quantiser):
            self.passes = aligned(y.shape, bool)
        if moments:
            self.normalised = x if chunk.overwritable() else aligned(x.shape, x.dtype)
            moments.normalised, moments.dnormalised = self.normalised, y

    def forward(self, run: Pass) -> None:
        """y = quantise(relu(gamma * normalised + beta))"""
        step = run.steps[self.quantiser.name] if self.quantiser else None
        t = self._argument(run, 1 if step is None else step)
        if run.training:
            if self.quantiser:
                self.chunk.sample(self.quantiser.name, t, unit=step or 1)
            self._mark(t, step)
        if self.quantiser and step is not None:
            to_codes(t, self.quantiser.bits, out=self.y)
            self.y *= self.y.dtype.type(step)
        elif self.relu:
            np.maximum(t, 0, out=self.y)
        elif t is not self.y:
            self.y[...] = t

    def _argument(self, run: Pass, unit: float) -> np.ndarray:
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

    def _mark(self, t: np.ndarray, step: Optional[float]) -> None:
        """Remember where the gradient passes: above 0 for a ReLU, inside the range for a quantiser; t in steps."""
        if self.passes is None:
            return
        if self.relu:
            np.greater(t, 0, out=self.passes)
        elif step is not None:
            np.greater_equal(t, 0, out=self.passes)
        else:
            self.passes[...] = True
        if self.quantiser and step is not None:
            top = t.dtype.type(2**self.quantiser.bits - 1)
            self.passes &= np.less_equal(t, top, out=self.workspace.array("bool", t.shape, dtype=bool))

    def backward(self, run: Pass, dy: np.ndarray) -> Optional[np.ndarray]:
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


Kind = TypeVar("Kind", bound=Layer)


def _first_of(kind: Type[Kind], group: Sequence[Layer]) -> Optional[Kind]:
    return next((layer for layer in group if isinstance(layer, kind)), None)


def _activation(group: Sequence[Layer], x: np.ndarray, y: np.ndarray, chunk: Chunk) -> Sequence[Node]:
    return (ActivationNode(group, x, y=y, chunk=chunk),)


def _batch_norm(group: Sequence[Layer], x: np.ndarray, y: np.ndarray, chunk: Chunk) -> Sequence[Node]:
    moments = MomentsNode(group[0], x, y=x, chunk=chunk)
    return moments, ActivationNode(group, x, y=y, chunk=chunk, moments=moments)


FAST[BatchNorm] = FastNode(_batch_norm, lambda last, following, first: type(following) in (Relu, Quantize))
FAST[Relu] = FastNode(_activation, lambda last, following, first: type(following) is Quantize)
FAST[Quantize] = FastNode(_activation)

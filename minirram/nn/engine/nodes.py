"""A node is a layer at work on one chunk of a batch, or a few layers that belong together: forward and backward.

A class of layers has a fast node when one is registered for it (`node_for`); all others run in a `LayerNode`, by their
own forward and backward.
"""

from typing import Any, Callable, ClassVar, Dict, NamedTuple, Optional, Sequence, Tuple, Type

import numpy as np

from ...errors import ConfigError, ShapeError
from ..layers.base import Layer, Parameters, Shape
from .chunk import Chunk, aligned

LONG_RUN = 256  # elements; NumPy is slow on shorter runs than this


class Pass:
    """What all chunks share during one pass: weights, digital parameters, statistics of the whole batch."""

    def __init__(
        self,
        weights: Dict[str, np.ndarray],
        state: Dict[str, np.ndarray],
        *,
        steps: Dict[str, Optional[float]],
        training: bool,
    ) -> None:
        self.weights = weights
        self.state = state
        self.steps = steps  # {quantiser: its step, or None: the values pass as they are}
        self.training = training
        self.kernels: Dict[str, np.ndarray] = {}  # {convolution: transformed weights}
        self.statistics: Dict[str, Tuple[int, np.ndarray, np.ndarray]] = {}  # {batch norm: (count, mean, variance)}
        self.sums: Dict[str, Tuple[np.ndarray, np.ndarray]] = {}  # {batch norm: (d loss / d beta, d loss / d gamma)}


def nhwc(image: np.ndarray) -> np.ndarray:
    """An image of the chunk as `layers` sees it."""
    return image.transpose(2, 0, 1, 3) if image.ndim == 4 else image


def rows(array: np.ndarray) -> np.ndarray:
    """All positions of a contiguous array as rows (positions, channels)."""
    return array.reshape(-1, array.shape[-1])


def long_rows(array: np.ndarray) -> np.ndarray:
    """A contiguous array as rows long enough for NumPy, each a whole number of times all channels."""
    channels = array.shape[-1]
    count = array.size // channels
    repeat = array.shape[-2] if array.ndim == 4 else 1
    if array.ndim == 4 and repeat * channels < LONG_RUN:
        repeat *= array.shape[1]
    return array.reshape(count // repeat, repeat * channels)


def channel_sums(long: np.ndarray, channels: int) -> np.ndarray:
    """Sums per channel, float64 (channels,), of an array in `long_rows`."""
    return np.add.reduce(np.add.reduce(long, axis=0).reshape(-1, channels), axis=0, dtype=np.float64)


class Node:
    """One layer, or a few that belong together, on one chunk. `x` is the input's array, `y` the output's."""

    needs_y: ClassVar[bool] = False
    """True: backward reads y, so the next node may not write into it"""
    source: Optional[str] = None
    """name of the layer whose output y is, when a later layer joins it"""

    def __init__(self, layer: Layer, x: np.ndarray, *, y: np.ndarray, chunk: Chunk) -> None:
        self.layer = layer
        self.x = x
        self.y = y
        self.chunk = chunk
        self.workspace = chunk.workspace

    def prepare(self, run: Pass) -> None:
        """Put the weights into the form that forward and backward use; once per pass, for all chunks."""

    def finish(self) -> None:
        """Bring the gradient of that form back to the weights'; once per step and lane."""

    def forward(self, run: Pass) -> None:
        """Fill y from x."""
        raise NotImplementedError

    def backward(self, run: Pass, dy: np.ndarray) -> Optional[np.ndarray]:
        """dx from dy; gradients of weights are added to those of the chunk's lane."""
        raise NotImplementedError

    def add_product(self, name: str, left: np.ndarray, *, right: np.ndarray) -> None:
        """Add left^T right, summed over rows, to the gradient of matrix `name`; the lane's first chunk begins it."""
        total = self.chunk.gradients[name]
        if self.chunk.begins:
            np.matmul(left.T, right, out=total)
        else:
            total += np.matmul(left.T, right, out=self.workspace.array("dweight", total.shape))

    def add_gradient(self, name: str, gradient: np.ndarray) -> None:
        """Add to the gradient of a matrix or of a trained digital parameter."""
        totals = self.chunk.gradients
        if name not in totals:
            totals[name] = aligned(np.shape(gradient), self.workspace.dtype)
        if self.chunk.begins:
            totals[name][...] = gradient
        else:
            totals[name] += gradient


class LayerNode(Node):
    """Any layer whose samples do not depend on each other, by its own forward and backward."""

    def __init__(self, layer: Layer, x: np.ndarray, *, y: np.ndarray, chunk: Chunk) -> None:
        super().__init__(layer, x, y=y, chunk=chunk)
        kind = type(layer).__name__
        if layer.whole_batch:
            raise ConfigError(
                f"layer {layer.name}: {kind} needs the whole batch, so the engine needs a node made for it"
            )
        self.inputs = (nhwc(x),) + tuple(nhwc(chunk.nodes[name].y) for name in layer.others)
        state = layer.initial_state(chunk.workspace.dtype)
        self.shapes: Dict[str, Shape] = dict(layer.matrices())
        self.shapes.update({name: state[name].shape for name in layer.trained()})
        self.kept: Any = None

    def forward(self, run: Pass) -> None:
        """y and what the way back needs"""
        saw = self._sample if run.training else _ignored
        parameters = Parameters(run.weights, run.state, training=run.training, saw=saw)
        y, kept = self.layer.forward(self.inputs, parameters)
        self.kept = kept if run.training else None
        self._same("forward", y.shape, nhwc(self.y).shape)
        nhwc(self.y)[...] = y

    def _sample(self, name: str, values: np.ndarray) -> None:
        self.chunk.sample(name, values)

    def backward(self, run: Pass, dy: np.ndarray) -> np.ndarray:
        """dx; what joins bring back goes to the earlier layers"""
        dinputs, gradients = self.layer.backward(nhwc(dy), self.kept)
        self._same("backward", sorted(gradients), sorted(self.shapes))
        self._same("backward", [d.shape for d in dinputs], [x.shape for x in self.inputs])
        for name, gradient in gradients.items():
            self._same("backward", np.shape(gradient), self.shapes[name])
            self.add_gradient(name, gradient)
        for name, dother in zip(self.layer.others, dinputs[1:]):
            self.chunk.skip_back(name, _as_stored(dother))
        dx = self.workspace.gradient(self.x.shape)
        nhwc(dx)[...] = dinputs[0]
        return dx

    def _same(self, method: str, found: Any, expected: Any) -> None:
        if found != expected:
            kind = type(self.layer).__name__
            raise ShapeError(f"layer {self.layer.name}: {kind}.{method} gives {found}, expected {expected}")


def _ignored(name: str, values: np.ndarray) -> None:
    pass


def _as_stored(image: np.ndarray) -> np.ndarray:
    """The inverse of `nhwc`."""
    return image.transpose(1, 2, 0, 3) if image.ndim == 4 else image


Make = Callable[[Sequence[Layer], np.ndarray, np.ndarray, Chunk], Sequence[Node]]
Takes = Callable[[Layer, Layer, bool], bool]


def _takes_nothing(last: Layer, following: Layer, first: bool) -> bool:
    return False


class FastNode(NamedTuple):
    """How the engine runs a class of layers."""

    make: Make
    """(group, x, y, chunk) -> its node, or two halves between which the moments of the whole batch are taken"""
    takes: Takes = _takes_nothing
    """(last layer of the group so far, layer that follows, whether the group is the network's first) -> whether the
    same node does that layer, too"""


FAST: Dict[Type[Layer], FastNode] = {}
"""the classes that have nodes of their own; a class derived from one of them has not"""


def node_for(kind: Type[Layer]) -> Callable[[Type[Node]], Type[Node]]:
    """Decorator: this class of nodes runs layers of class `kind`."""

    def register(node: Type[Node]) -> Type[Node]:
        FAST[kind] = FastNode(lambda group, x, y, chunk: (node(group[0], x, y=y, chunk=chunk),))
        return node

    return register


def make_nodes(group: Sequence[Layer], x: np.ndarray, *, y: np.ndarray, chunk: Chunk) -> Sequence[Node]:
    """The nodes of a group of layers."""
    fast = FAST.get(type(group[0]))
    return fast.make(group, x, y, chunk) if fast else (LayerNode(group[0], x, y=y, chunk=chunk),)


def takes(last: Layer, following: Layer, *, first: bool) -> bool:
    """Whether the node that does `last` does the layer behind it, too; first: it is the network's first node."""
    fast = FAST.get(type(last))
    return fast is not None and fast.takes(last, following, first)

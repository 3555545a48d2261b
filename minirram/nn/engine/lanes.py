"""A batch cut up: lanes of chunks, each chunk with the nodes of the whole network."""

from typing import Any, Callable, List, Optional, Sequence

import numpy as np

from ..layers.base import Layer
from ..network import Network, matrices, output_shapes
from . import activation_nodes, convolution_choice, simple_nodes  # noqa: F401  they register their nodes
from .chunk import Chunk, LaneSums, Workspace
from .nodes import Pass, make_nodes, takes

SAMPLE = 4096  # activations of a batch, per layer, from which the range of a quantiser is estimated


class Lane:
    """Chunks that one thread runs in order; they share a workspace and the sums of gradients.

    sizes: samples of each chunk. training: keep what the way back needs; without it, arrays are reused from layer to
    layer. typical: size of a chunk by which the kinds of nodes are chosen, the same for all lanes of an engine.
    """

    def __init__(
        self,
        network: Network,
        sizes: Sequence[int],
        *,
        batch_size: int,
        dtype: Any,
        training: bool,
        typical: Optional[int] = None,
    ) -> None:
        self.typical = typical or max(sizes)
        self.size = sum(sizes)
        workspace = Workspace(dtype)
        sums = LaneSums(dict(matrices(network)) if training else {}, dtype)
        self.gradients = sums.gradients
        self.chunks = [
            Chunk(
                network,
                size,
                typical=self.typical,
                begins=index == 0,
                training=training,
                wanted=max(1, SAMPLE // batch_size) * size,
                workspace=workspace,
                sums=sums,
            )
            for index, size in enumerate(sizes)
        ]
        for chunk in self.chunks:
            build(chunk)

    def load(self, x: np.ndarray) -> None:
        """Codes (uint8) or floats, (n, height, width, channels), as values into the inputs; 0 where no sample is."""
        start = 0
        for chunk in self.chunks:
            chunk.load(x[start : start + chunk.size])
            start += chunk.size

    def forward(self, segment: int, run: Pass) -> None:
        """One segment of the network, chunk by chunk."""
        for chunk in self.chunks:
            for node in chunk.segments[segment]:
                node.forward(run)

    def backward(self, segment: int, run: Pass, *, loss: Callable[[np.ndarray, slice], np.ndarray]) -> None:
        """One segment back, chunk by chunk; loss(chunk's output, its samples as a slice) -> d loss / d output."""
        start = 0
        for chunk in self.chunks:
            dy: Any = None
            if segment == len(chunk.segments) - 1:
                dy = loss(chunk.output, slice(start, start + chunk.size))
            for node in reversed(chunk.segments[segment]):
                if node.source:
                    dy += chunk.skipped(node.source)
                dy = node.backward(run, dy)
            start += chunk.size
        for node in self.chunks[0].segments[segment]:
            node.finish()


def build(chunk: Chunk) -> None:
    """Give a chunk its nodes."""
    shapes = output_shapes(chunk.network)
    x = chunk.input
    for group in groups(chunk.network):
        name = group[-1].name
        y = chunk.image(name, shapes[name])
        chunk.add_nodes(name, make_nodes(group, x, y=y, chunk=chunk))
        x = y


def groups(network: Network) -> List[List[Layer]]:
    """The layers in order as lists, each the work of one node: nobody else needs what lies inside a group."""
    sources = set(network.sources)
    result = [[network.layers[0]]]
    for layer in network.layers[1:]:
        last = result[-1][-1]
        if last.name not in sources and takes(last, layer, first=len(result) == 1):
            result[-1].append(layer)
        else:
            result.append([layer])
    return result

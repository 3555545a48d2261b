"""A batch cut up: chunks of a few samples, each with the nodes of the whole network, and lanes of chunks."""

from typing import Any, List

import numpy as np

from ..layers.activation import Quantize, Relu
from ..layers.convolution import Conv2d, output_size
from ..layers.join import Concat
from ..layers.norm import BatchNorm
from ..layers.resample import MaxPool
from ..network import matrices, output_shapes
from . import first_layer_nodes
from .convolution_nodes import InputNode, PatchesNode
from .nodes import SIMPLE, ActivationNode, MomentsNode, Workspace, aligned
from .winograd_nodes import WinogradNode

FEW_INPUTS = 8  # input channels below which no transform of the input pays
FEW_POSITIONS = 256  # outputs of a chunk below which the transform of the kernel costs more than it saves
SAMPLE = 4096  # activations of a batch, per layer, from which the range of a quantiser is estimated
# what one node does together with the layers that may follow
FUSED = {Conv2d: (MaxPool,), BatchNorm: (Relu, Quantize), Relu: (Quantize,)}


class Lane:
    """Chunks that one thread runs in order; they share a workspace and the sums of gradients.

    sizes: samples of each chunk. training: keep what the way back needs; without it, arrays are reused from layer to
    layer. typical: size of a chunk by which the kinds of nodes are chosen, the same for all lanes of an engine.
    """

    def __init__(self, network, sizes, batch_size, dtype, training, typical=None):
        self.network = network
        self.dtype = np.dtype(dtype)
        self.training = training
        self.typical = typical or max(sizes)
        self.workspace = Workspace(dtype)
        self.gradients = {name: aligned(shape, dtype) for name, shape in matrices(network) if training}
        self.kernel_sums = {}
        self.per_sample = max(1, SAMPLE // batch_size)
        self.size = sum(sizes)
        self.chunks = []
        for size in sizes:
            self.chunks.append(Chunk(self, size))

    def load(self, x):
        """Codes (uint8) or floats, (n, height, width, channels), as values into the inputs; 0 where no sample is."""
        start = 0
        for chunk in self.chunks:
            chunk.load(x[start : start + chunk.size])
            start += chunk.size

    def forward(self, segment, run):
        """One segment of the network, chunk by chunk."""
        for chunk in self.chunks:
            for node in chunk.segments[segment]:
                node.forward(run)

    def backward(self, segment, run, loss):
        """One segment back, chunk by chunk; loss(chunk's output, its samples as a slice) -> d loss / d output."""
        start = 0
        for chunk in self.chunks:
            dy = None
            if segment == len(chunk.segments) - 1:
                dy = loss(chunk.output, slice(start, start + chunk.size))
            for node in reversed(chunk.segments[segment]):
                if node.dskipped is not None:
                    dy += node.dskipped
                dy = node.backward(run, dy)
            start += chunk.size
        for node in self.chunks[0].segments[segment]:
            node.finish()


class Chunk:
    """`size` samples: the nodes in order, cut into segments where a batch norm waits for the whole batch."""

    def __init__(self, lane, size):
        self.size = size
        self.typical = lane.typical
        self.begins = not lane.chunks  # the first chunk of a lane sets the sums, the others add
        self.training = lane.training
        self.network = lane.network
        self.workspace = lane.workspace
        self.gradients = lane.gradients
        self.kernel_sums = lane.kernel_sums
        self.wanted = lane.per_sample * size
        self.sources = {layer.other for layer in self.network.layers if isinstance(layer, Concat)}
        self.samples = {}
        self.nodes = {}
        self._reused = 0
        self.input = self._image("", self.network.input_shape)
        self.segments = self._build()
        self.output = self.segments[-1][-1].y

    def _image(self, name, shape):
        """The array of a layer's output: images (height, width, size, channels), else (size, features)."""
        shape = shape[:2] + (self.size,) + shape[2:] if len(shape) == 3 else (self.size,) + shape
        if self.training or name in self.sources:
            return aligned(shape, self.workspace.dtype)
        self._reused = 1 - self._reused
        return self.workspace.array(f"layer{self._reused}", shape)

    def _build(self):
        shapes = output_shapes(self.network)
        segments: List[list] = [[]]
        x, previous = self.input, ""
        for group in groups(self.network):
            node: Any
            y = self._image(group[-1].name, shapes[group[-1].name])
            if _is_short(group, x is self.input):
                patches = first_layer_nodes.PatchMomentsNode(group[0], group[1], x, shapes[group[0].name], self)
                segments[-1].append(patches)
                segments.append([])
                node = first_layer_nodes.ProductNode(group, y, self, patches)
            elif isinstance(group[0], BatchNorm):
                segments[-1].append(MomentsNode(group[0], x, x, self))
                segments.append([])
                node = ActivationNode(group, x, y, self, segments[-2][-1], previous not in self.sources)
            elif isinstance(group[0], (Relu, Quantize)):
                node = ActivationNode(group, x, y, self)
            elif isinstance(group[0], Conv2d):
                pool = group[1] if len(group) > 1 else None
                node = _convolution_node(group[0], pool, x, self)(group[0], pool, x, y, self)
            else:
                node = SIMPLE[type(group[0])](group[0], x, y, self)
            previous = group[-1].name
            self.nodes[previous] = node
            segments[-1].append(node)
            x = y
        return segments

    def kernel_sum(self, name, shape):
        """The lane's sum of a transformed kernel's gradient."""
        if name not in self.kernel_sums:
            self.kernel_sums[name] = aligned(shape, self.workspace.dtype)
        return self.kernel_sums[name]

    def load(self, x):
        """As `Lane.load`, for at most `size` samples."""
        target = self.input[:, :, : len(x)]
        x = x.transpose(1, 2, 0, 3)
        if x.dtype == np.uint8:
            np.subtract(x, target.dtype.type(self.network.input_zero), out=target)
            target *= target.dtype.type(self.network.input_step)
        else:
            target[...] = x
        self.input[:, :, x.shape[2] :] = 0

    def sample(self, name, values, unit=1):
        """Keep some of the values * unit that quantiser `name` sees, spread over samples, channels and image."""
        flat = values.reshape(-1)
        stride = max(1, flat.size // self.wanted) | 1  # odd: never in step with the channels
        self.samples[name] = flat[::stride] * flat.dtype.type(unit)


def _convolution_node(layer, pool, x, chunk):
    """The kind of node that is fastest for a convolution of x and the max-pool after it (or None), as measured."""
    if x is chunk.input and layer.matrices()[0][1][0] <= first_layer_nodes.MOST_FAN_IN:
        return InputNode
    height, width = output_size(x.shape[0], x.shape[1], layer.kernel, layer.stride, layer.padding)
    if layer.stride != (1, 1) or layer.kernel[0] != 3 or (pool and pool.size != 2):
        return PatchesNode
    if 2 * layer.padding[1] >= layer.kernel[1]:  # wider than the input
        return PatchesNode
    if layer.in_channels < FEW_INPUTS or height * width * chunk.typical < FEW_POSITIONS:
        return PatchesNode
    return WinogradNode


def groups(network):
    """The layers in order as lists, each the work of one node: nobody else needs what lies inside a group."""
    sources = {layer.other for layer in network.layers if isinstance(layer, Concat)}
    result: List[list] = []
    for layer in network.layers:
        group = result[-1] if result else []
        last = group[-1] if group else None
        joins = isinstance(layer, FUSED.get(type(last), ()))
        if len(result) == len(group) == 1:
            joins = joins or _is_short([last, layer], True)
        if last and joins and last.name not in sources:
            group.append(layer)
        else:
            result.append([layer])
    return result


def _is_short(layers, first):
    """True for the network's first convolution with its batch norm, and perhaps more, when the patches are short."""
    return (
        first
        and len(layers) > 1
        and isinstance(layers[0], Conv2d)
        and isinstance(layers[1], BatchNorm)
        and layers[0].matrices()[0][1][0] <= first_layer_nodes.MOST_FAN_IN
    )

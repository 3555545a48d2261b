"""Which node runs a convolution and what follows it: the fastest one, as measured."""

from typing import Optional, Sequence, Type, cast

import numpy as np

from ..layers.base import Layer
from ..layers.convolution import Conv2d, output_size
from ..layers.norm import BatchNorm
from ..layers.resample import MaxPool
from .chunk import Chunk
from .convolution_nodes import ConvolutionNode, InputNode, PatchesNode
from .depthwise_nodes import DepthwiseNode
from .first_layer_nodes import PatchMomentsNode, ProductNode
from .nodes import FAST, FastNode, LayerNode, Node
from .winograd_nodes import WinogradNode

MOST_FAN_IN = 16  # rows of a kernel matrix up to which the first convolution keeps its patches
FEW_INPUTS = 8  # input channels below which no transform of the input pays
FEW_POSITIONS = 256  # outputs of a chunk below which the transform of the kernel costs more than it saves


def _make(group: Sequence[Layer], x: np.ndarray, y: np.ndarray, chunk: Chunk) -> Sequence[Node]:
    layer, following = cast(Conv2d, group[0]), group[1] if len(group) > 1 else None
    if layer.dilation != (1, 1):
        return (LayerNode(layer, x, y=y, chunk=chunk),)
    if layer.groups > 1:
        depthwise = layer.groups == layer.in_channels
        return ((DepthwiseNode if depthwise else LayerNode)(layer, x=x, y=y, chunk=chunk),)
    if isinstance(following, BatchNorm):
        shape = layer.output_shape((chunk.network.input_shape,))
        patches = PatchMomentsNode(layer, following, x=x, shape=shape, chunk=chunk)
        return patches, ProductNode(group, patches, y=y, chunk=chunk)
    pool = following if isinstance(following, MaxPool) else None
    return (_kind(layer, pool, x=x, chunk=chunk)(layer, pool, x=x, y=y, chunk=chunk),)


def _takes(last: Layer, following: Layer, first: bool) -> bool:
    """A pool; a batch norm where the network begins with short patches. Groups and dilation have no node that does."""
    if isinstance(last, Conv2d) and (last.groups > 1 or last.dilation != (1, 1)):
        return False
    return type(following) is MaxPool or (first and type(following) is BatchNorm and _has_short_patches(last))


def _has_short_patches(layer: Layer) -> bool:
    return layer.matrices()[0][1][0] <= MOST_FAN_IN


def _kind(layer: Conv2d, pool: Optional[MaxPool], *, x: np.ndarray, chunk: Chunk) -> Type[ConvolutionNode]:
    """The kind of node for a convolution of x and the max-pool after it."""
    if x is chunk.input and _has_short_patches(layer):
        return InputNode
    height, width = output_size(x.shape[0], x.shape[1], kernel=layer.kernel, stride=layer.stride, padding=layer.padding)
    if layer.stride != (1, 1) or layer.kernel[0] != 3 or (pool and pool.size != 2):
        return PatchesNode
    if 2 * layer.padding[1] >= layer.kernel[1]:  # wider than the input
        return PatchesNode
    if layer.in_channels < FEW_INPUTS or height * width * chunk.typical < FEW_POSITIONS:
        return PatchesNode
    return WinogradNode


FAST[Conv2d] = FastNode(_make, _takes)

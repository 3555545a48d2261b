"""A few samples of a batch: their arrays, and what their nodes share. A chunk stays in a core's cache.

Images lie as (height, width, n, channels), which gives long contiguous runs. What is needed for a moment only lies in
a workspace that all chunks of a lane share.
"""

import math
from typing import Any, Dict, List, Sequence, Set, Tuple

import numpy as np

from ..layers.base import Shape
from ..network import Network

ALIGNMENT = 64  # bytes: sums of arrays that begin inside a cache line take twice as long


def aligned(shape: Shape, dtype: Any) -> np.ndarray:
    """An empty array that begins at a multiple of ALIGNMENT."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


class Workspace:
    """Named scratch arrays, kept from call to call."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self._flat: Dict[Tuple[str, Any], np.ndarray] = {}
        self._views: Dict[Tuple[str, Any, Shape], np.ndarray] = {}
        self._turn = 0

    def array(self, name: str, shape: Shape, *, dtype: Any = None) -> np.ndarray:
        """An array of any contents; the same memory for the same name and dtype (None: that of the workspace)."""
        view = self._views.get((name, dtype, shape))
        if view is None:
            size = math.prod(shape)
            flat = self._flat.get((name, dtype))
            if flat is None or flat.size < size:
                flat = self._flat[name, dtype] = aligned((size,), dtype or self.dtype)
                self._views = {key: old for key, old in self._views.items() if key[:2] != (name, dtype)}
            view = self._views[name, dtype, shape] = flat[:size].reshape(shape)
        return view

    def gradient(self, shape: Shape) -> np.ndarray:
        """The same for a gradient on its way back; the one handed out before stays valid."""
        self._turn = 1 - self._turn
        return self.array(f"gradient{self._turn}", shape)


class LaneSums:
    """What the chunks of a lane add up: gradients of weights, and of kernels in a transformed form."""

    def __init__(self, shapes: Dict[str, Shape], dtype: Any) -> None:
        self.gradients = {name: aligned(shape, dtype) for name, shape in shapes.items()}
        self.kernels: Dict[str, np.ndarray] = {}


class Chunk:
    """`size` samples. `segments`: their nodes in order, cut where a batch norm waits for the whole batch.

    typical: size by which kinds of nodes are chosen. begins: the first chunk of a lane sets the sums, the others add.
    wanted: values of each quantiser's input to keep.
    """

    def __init__(
        self,
        network: Network,
        size: int,
        *,
        typical: int,
        begins: bool,
        training: bool,
        wanted: int,
        workspace: Workspace,
        sums: LaneSums,
    ) -> None:
        self.network = network
        self.size = size
        self.typical = typical
        self.begins = begins
        self.training = training
        self.wanted = wanted
        self.workspace = workspace
        self.gradients = sums.gradients
        self.kernel_sums = sums.kernels
        self.sources: Set[str] = set(network.sources)
        self.samples: Dict[str, np.ndarray] = {}
        self.nodes: Dict[str, Any] = {}  # {last layer of a node: the node}
        self.segments: List[List[Any]] = [[]]
        self._reused = 0
        self._skipped: Dict[str, np.ndarray] = {}
        self._memory: Dict[str, np.ndarray] = {}
        self.input = self.image("", tuple(network.input_shape))

    @property
    def output(self) -> np.ndarray:
        """What the last node gives."""
        return self.segments[-1][-1].y

    def image(self, name: str, shape: Shape) -> np.ndarray:
        """The array of a layer's output: images (height, width, size, channels), else (size, features)."""
        shape = shape[:2] + (self.size,) + shape[2:] if len(shape) == 3 else (self.size,) + shape
        if self.training or name in self.sources:
            return aligned(shape, self.workspace.dtype)
        self._reused = 1 - self._reused
        return self.workspace.array(f"layer{self._reused}", shape)

    def add_nodes(self, name: str, nodes: Sequence[Any]) -> None:
        """The next nodes, `name` the layer whose output they give: one, or two with a segment's end between them."""
        for half in nodes[:-1]:
            self.segments[-1].append(half)
            self.segments.append([])
        node = nodes[-1]
        node.source = name if name in self.sources else None
        self.segments[-1].append(node)
        self.nodes[name] = node

    def overwritable(self) -> bool:
        """True when nobody but the next node needs the output of the last one."""
        last = self.segments[-1][-1] if self.segments[-1] else None
        return last is None or not (last.source or last.needs_y)

    def kernel_sum(self, name: str, shape: Shape) -> np.ndarray:
        """The lane's sum of a transformed kernel's gradient."""
        if name not in self.kernel_sums:
            self.kernel_sums[name] = aligned(shape, self.workspace.dtype)
        return self.kernel_sums[name]

    def skip_back(self, source: str, dother: np.ndarray) -> None:
        """Gradient that a join sends to the output of an earlier layer: the first one is set, later ones are added."""
        if source in self._skipped:
            self._skipped[source] += dother
            return
        if source not in self._memory:
            self._memory[source] = aligned(dother.shape, self.workspace.dtype)
        self._skipped[source] = self._memory[source]
        self._skipped[source][...] = dother

    def skipped(self, source: str) -> np.ndarray:
        """The sum that joins sent to the output of `source` on this way back; it is taken once."""
        return self._skipped.pop(source)

    def load(self, x: np.ndarray) -> None:
        """Codes (uint8) or floats (n, height, width, channels), at most `size`, as values; 0 where no sample is."""
        self._skipped.clear()  # of a step that an error ended
        target = self.input[:, :, : len(x)]
        x = x.transpose(1, 2, 0, 3)
        if x.dtype == np.uint8:
            np.subtract(x, target.dtype.type(self.network.input_zero), out=target)
            target *= target.dtype.type(self.network.input_step)
        else:
            target[...] = x
        self.input[:, :, x.shape[2] :] = 0

    def sample(self, name: str, values: np.ndarray, *, unit: float = 1) -> None:
        """Keep some of the values * unit that quantiser `name` sees, spread over samples, channels and image."""
        flat = values.reshape(-1)
        stride = max(1, flat.size // self.wanted) | 1  # odd: never in step with the channels
        self.samples[name] = flat[::stride] * flat.dtype.type(unit)

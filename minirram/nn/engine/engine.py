"""Runs a network forward and backward over a batch, with threads and preallocated buffers.

Batch norm needs the statistics of the whole batch, so the network is cut there: all samples pass one segment before
any enters the next. A batch is split into lanes, a lane into chunks that fit a core's cache; the borders depend on
shapes alone and sums are taken in the order of lanes and chunks, so the results are the same bits with any number of
threads.
"""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple, TypeVar

import numpy as np

from ...errors import ConfigError, ShapeError
from ..layers.activation import clip_tail
from ..layers.base import Gradients, Shape, quantisation_step
from ..layers.norm import merge_moments
from ..loss import softmax_cross_entropy
from ..network import Network, fitting_size, macs, matrices, output_shapes, quantisers
from .lanes import Lane, groups
from .nodes import Pass, nhwc

Arrays = Dict[str, np.ndarray]
Item = TypeVar("Item")

MOMENTUM = 0.1  # share of the present batch in running means, variances and ranges
LANES = 2  # of a batch worth two threads, a small one has one: a part of the arithmetic, one thread runs both in turn
CHUNK_FLOATS = 1_200_000  # floats of the largest layer for the samples of one chunk: fewer make threads wait more
WORTH_TWO = 100_000_000  # multiplications of a batch below which handing over between threads costs more than it saves
SMALLEST_CHUNK = 4  # samples, unless the lane has fewer: runs in memory get too short below
EVALUATION_FLOATS = 4_000_000  # of a whole image, above which a lane evaluates one sample at a time


class Engine:
    """Forward and backward of one network at one batch size.

    threads: 1 or 2 Python threads at most (the results do not depend on it; with 2, set OPENBLAS_NUM_THREADS=1 before
    NumPy starts); small batches are run by one. dtype: float32, or float64 to check gradients. chunk_floats: size of
    the chunks; it changes results by rounding only.
    """

    def __init__(
        self,
        network: Network,
        batch_size: int,
        *,
        threads: int = 1,
        dtype: Any = np.float32,
        chunk_floats: int = CHUNK_FLOATS,
    ) -> None:
        if batch_size < 1 or threads < 1:
            raise ConfigError(f"batch_size {batch_size} and threads {threads}: at least 1 each")
        self.network = network
        self.batch_size = batch_size
        self.dtype = np.dtype(dtype)
        self.chunk_floats = chunk_floats
        worth = batch_size * macs(network) >= WORTH_TWO
        self._pool = ThreadPoolExecutor(1) if threads > 1 and worth else None
        self._matrices = dict(matrices(network))
        self._quantisers = quantisers(network)
        self._output_shape = output_shapes(network)[network.layers[-1].name]
        lanes = LANES if worth else 1
        edges = [batch_size * k // lanes for k in range(lanes + 1)]
        self._samples = [slice(start, stop) for start, stop in zip(edges, edges[1:]) if stop > start]
        self._lanes: List[Lane] = []
        self._evaluators: Dict[Tuple[int, int], List[Lane]] = {}
        self._fitting: Dict[Tuple[int, int], Tuple[int, int]] = {}

    @property
    def threads(self) -> int:
        """Threads that work: 1 for a small batch, whatever was asked for."""
        return 2 if self._pool else 1

    def training_step(
        self,
        weights: Arrays,
        state: Arrays,
        *,
        x: np.ndarray,
        labels: np.ndarray,
        weight: Optional[np.ndarray] = None,
        smoothing: float = 0.0,
    ) -> Tuple[float, int, Gradients]:
        """(loss, n_correct, gradients) of one batch; running statistics and ranges in `state` move in place.

        weights: {matrix: (fan_in, fan_out)}. x: uint8 codes (batch_size, height, width, channels), or floats as they
        are. labels: integers (batch_size,), or per pixel (batch_size, height, width); weight: as labels, 0 leaves a
        pixel out. smoothing: label smoothing. The loss is the weighted mean cross-entropy. gradients: {matrix or
        affine parameter: array}; the next call overwrites them. Activations are quantised with the ranges that
        `state` held before the step; a range of 0 is calibrated on this batch first.
        """
        self._check_input(x)
        if len(x) != self.batch_size:
            raise ShapeError(f"a batch of {len(x)}, expected {self.batch_size}")
        for array in (labels,) if weight is None else (labels, weight):
            if array.shape != (len(x),) + self._output_shape[:-1]:
                raise ShapeError(f"labels of shape {array.shape} for a batch of {x.shape}")
        if not self._lanes:
            for samples in self._samples:
                sizes = self._chunk_sizes(samples.stop - samples.start)
                typical = sizes[0] if not self._lanes else self._lanes[0].typical
                lane = Lane(
                    self.network, sizes, batch_size=self.batch_size, dtype=self.dtype, training=True, typical=typical
                )
                self._lanes.append(lane)
        if any(state[name + ".range"] == 0 for name in self._quantisers):
            self._calibrate(weights, state, x)
        run = self._run(weights, state, lanes=self._lanes)
        self._forward(run, x)
        total = float(labels.size if weight is None else weight.sum(dtype=np.float64))
        losses = self._backward(run, labels, weight=weight, smoothing=smoothing, total=total)
        self._update(state, run)
        return sum(loss for loss, _ in losses), sum(n for _, n in losses), self._gradients(run)

    def predict(self, weights: Arrays, state: Arrays, *, x: np.ndarray) -> np.ndarray:
        """Logits (n, classes), or per pixel (n, height, width, classes), with frozen statistics and ranges.

        x: any number of samples, codes or floats. Images of another size than the network's are allowed where every
        layer takes them; for a label per pixel they are continued at the lower and right border to a size that the
        layers take (`network.fitting_size`), and the labels of what was added are left out.
        """
        self._check_input(x)
        n, height, width = x.shape[:3]
        rows, columns = self._fitting_size(height, width)
        if (rows, columns) != (height, width):
            x = np.pad(x, ((0, 0), (0, rows - height), (0, columns - width), (0, 0)), mode="edge")
        lanes = self._lanes_for(x.shape[1:3])
        run = self._run(weights, state, lanes=lanes, frozen=True)
        size = lanes[0].size
        parts = [np.empty((0,) + _sample_shape(lanes[0].chunks[0].output), self.dtype)] * (1 + -(-n // size))

        def work(index: int) -> None:
            for k in range(index, len(parts) - 1, len(lanes)):
                parts[k + 1] = _evaluate(lanes[index], run, x[k * size : (k + 1) * size])

        self._each(work, len(lanes))
        logits = np.concatenate(parts)
        return logits if (rows, columns) == (height, width) else logits[:, :height, :width]

    def _chunk_sizes(self, n: int) -> List[int]:
        """n samples of a lane in chunks as even as can be."""
        count = -(-n // max(SMALLEST_CHUNK, self.chunk_floats // _largest_array(self.network)))
        edges = [n * k // count for k in range(count + 1)]
        return [stop - start for start, stop in zip(edges, edges[1:])]

    def share(self, work: Callable[[Item], None], items: Iterable[Item]) -> None:
        """work(item) for every item in the engine's threads, in any order: for what a step does with each matrix."""
        waiting, lock = list(items)[::-1], threading.Lock()

        def take(_: int) -> None:
            while True:
                with lock:
                    if not waiting:
                        return
                    item = waiting.pop()
                work(item)

        self._each(take, LANES)

    def _fitting_size(self, height: int, width: int) -> Tuple[int, int]:
        if (height, width) not in self._fitting:
            self._fitting[height, width] = fitting_size(self.network, (height, width))
        return self._fitting[height, width]

    def _lanes_for(self, size: Tuple[int, int]) -> List[Lane]:
        """Lanes that evaluate images of a size, kept for the next call."""
        if size not in self._evaluators:
            network = self.network
            if size != tuple(network.input_shape[:2]):
                network = network.resized(*size)
            largest = _largest_array(network)
            n = max(1, self.chunk_floats // largest, min(SMALLEST_CHUNK, EVALUATION_FLOATS // largest))
            n = min(n, -(-self.batch_size // LANES))
            self._evaluators[size] = [
                Lane(network, [n], batch_size=n, dtype=self.dtype, training=False) for _ in range(LANES)
            ]
        return self._evaluators[size]

    def _check_input(self, x: np.ndarray) -> None:
        channels = self.network.input_shape[2]
        if x.ndim != 4 or x.shape[3] != channels:
            raise ShapeError(f"input of shape {x.shape}, expected (n, height, width, {channels})")

    def _run(self, weights: Arrays, state: Arrays, *, lanes: List[Lane], frozen: bool = False) -> Pass:
        """What a pass shares; frozen: with the running statistics, else with those of the batch."""
        for name, shape in self._matrices.items():
            if name not in weights or weights[name].shape != shape:
                found = weights[name].shape if name in weights else None
                raise ShapeError(f"weights of {name}: {found}, expected {shape}")
        steps = {name: quantisation_step(state, name, bits=bits) for name, bits in self._quantisers.items()}
        weights = {name: np.asarray(weights[name], self.dtype) for name in self._matrices}
        run = Pass(weights, state, steps=steps, training=not frozen)
        if frozen:
            for norm in _batch_norms(lanes):
                run.statistics[norm] = (1, state[norm + ".mean"], state[norm + ".var"])
        nodes = list(lanes[0].chunks[0].nodes.values())

        def prepare(index: int) -> None:
            for node in nodes[index::LANES]:
                node.prepare(run)

        self._each(prepare, LANES)
        return run

    def _each(self, work: Callable[[int], None], count: int) -> None:
        """work(index) for every lane, in two threads when there are any; an error in one of them is raised here."""
        others = [self._pool.submit(work, index) for index in range(1, count)] if self._pool else []
        work(0)
        for index in range(1, count):
            if self._pool:
                others[index - 1].result()
            else:
                work(index)

    def _forward(self, run: Pass, x: np.ndarray) -> None:
        norms = _batch_norms(self._lanes)
        for segment in range(len(norms) + 1):

            def work(index: int, segment: int = segment) -> None:
                if segment == 0:
                    self._lanes[index].load(x[self._samples[index]])
                self._lanes[index].forward(segment, run)

            self._each(work, len(self._lanes))
            if segment < len(norms):
                parts = [chunk.segments[segment][-1].moments for lane in self._lanes for chunk in lane.chunks]
                count, mean, squares = merge_moments(parts)
                run.statistics[norms[segment]] = (count, mean, squares / count)

    def _backward(
        self, run: Pass, labels: np.ndarray, *, weight: Optional[np.ndarray], smoothing: float, total: float
    ) -> List[Tuple[float, int]]:
        """[(loss, n_correct)] of the chunks; gradients stay with the lanes."""
        norms = _batch_norms(self._lanes)
        losses: List[List[Tuple[float, int]]] = [[] for _ in self._lanes]
        for segment in range(len(norms), -1, -1):

            def work(index: int, segment: int = segment) -> None:
                targets = labels[self._samples[index]]
                parts = None if weight is None else weight[self._samples[index]]

                def loss(logits: np.ndarray, here: slice) -> np.ndarray:
                    value, n_correct, dlogits = softmax_cross_entropy(
                        logits,
                        _as_chunk(targets[here]),
                        weight=None if parts is None else _as_chunk(parts[here]),
                        smoothing=smoothing,
                        total=total,
                    )
                    losses[index].append((value, n_correct))
                    return dlogits

                self._lanes[index].backward(segment, run, loss=loss)

            self._each(work, len(self._lanes))
            if segment:
                sums = [chunk.segments[segment][0].sums for lane in self._lanes for chunk in lane.chunks]
                run.sums[norms[segment - 1]] = sum(part[0] for part in sums), sum(part[1] for part in sums)
        return [one for lane in losses for one in lane]

    def _gradients(self, run: Pass) -> Gradients:
        """Gradients of the whole batch: lanes added in order, affine parameters beside the matrices."""
        gradients = dict(self._lanes[0].gradients)

        def add_lanes(name: str) -> None:
            for lane in self._lanes[1:]:
                gradients[name] += lane.gradients[name]

        self.share(add_lanes, list(gradients))
        for layer in self.network.layers:
            if layer.name in run.sums and layer.trained():
                for part, total in zip((".beta", ".gamma"), run.sums[layer.name]):
                    gradients[layer.name + part] = total.astype(self.dtype)
        return gradients

    def _update(self, state: Arrays, run: Pass) -> None:
        """Move running statistics and ranges towards those of this batch; an infinite range stays."""
        for norm, (_, mean, var) in run.statistics.items():
            for part, value in ((".mean", mean), (".var", var)):
                old = state[norm + part]
                old += (MOMENTUM * (value - old)).astype(old.dtype)
        for name in self._quantisers:
            old = state[name + ".range"]
            if np.isfinite(old):
                old += old.dtype.type(MOMENTUM) * (self._range(name) - old)

    def _range(self, name: str) -> Any:
        """The value that this batch's activations exceed with the quantiser's tail probability; never 0."""
        values = np.concatenate([chunk.samples[name] for lane in self._lanes for chunk in lane.chunks])
        index = len(values) - 1 - int(clip_tail(self._quantisers[name]) * len(values))
        top = np.partition(values, index)[index]
        return top if top > 0 else max(values.max(), values.dtype.type(1e-3))

    def _calibrate(self, weights: Arrays, state: Arrays, x: np.ndarray) -> None:
        """Set the ranges that are still 0 from this batch, one after the other in the network's order."""
        for name in self._quantisers:
            if state[name + ".range"] == 0:
                self._forward(self._run(weights, state, lanes=self._lanes), x)
                state[name + ".range"][...] = self._range(name)


def _batch_norms(lanes: List[Lane]) -> List[str]:
    """Names of the layers that wait for the whole batch: each ends a segment."""
    return [segment[-1].layer.name for segment in lanes[0].chunks[0].segments[:-1]]


def _largest_array(network: Network) -> int:
    """Floats per sample of the largest array between two nodes."""
    shapes = output_shapes(network)
    return max(math.prod(shapes[group[-1].name]) for group in groups(network))


def _as_chunk(labels: np.ndarray) -> np.ndarray:
    """Labels of images in the order of a chunk: (n, height, width) -> (height, width, n)."""
    return labels.transpose(1, 2, 0) if labels.ndim == 3 else labels


def _sample_shape(array: np.ndarray) -> Shape:
    """Shape of one sample of a lane's array."""
    return array.shape[:2] + array.shape[3:] if array.ndim == 4 else array.shape[1:]


def _evaluate(lane: Lane, run: Pass, x: np.ndarray) -> np.ndarray:
    """Logits (n, ...) of at most as many samples as the lane holds."""
    lane.load(x)
    chunk = lane.chunks[0]
    for segment in range(len(chunk.segments)):
        lane.forward(segment, run)
    return nhwc(chunk.output)[: len(x)].copy()

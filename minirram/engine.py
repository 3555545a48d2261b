"""Runs a network forward and backward over the chunks of a batch, with threads and preallocated buffers.

Batch norm needs the statistics of the whole batch, so the network is cut there: every chunk runs one segment before
any chunk runs the next. Chunk borders depend on shapes alone, every chunk belongs to one of a fixed number of lanes,
and sums are taken in the order of chunks and lanes: the results are the same bits with any number of threads.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from . import layers
from .errors import ConfigError, ShapeError
from .networks import BatchNorm, Quantize, Rnn, affine_parameters, clip_tail, matrices, output_shapes
from .nodes import Chunk, Run

MOMENTUM = 0.1  # share of the present batch in running means, variances and ranges
LANES = 2  # sums of gradients are kept per lane, so the number is part of the arithmetic and not of the machine
CHUNK_FLOATS = 200_000  # floats of all layer outputs of one chunk: about half a megabyte of cache per core and pass


class Engine:
    """Forward and backward of one network at one batch size.

    threads: Python threads (1 or 2; the results do not depend on it). Set OPENBLAS_NUM_THREADS=1 before NumPy starts
    when using 2. dtype: float32, or float64 to check gradients.
    """

    def __init__(self, network, batch_size, threads=1, dtype=np.float32, chunk_size=None):
        if batch_size < 1 or threads < 1:
            raise ConfigError("batch_size {} and threads {}: at least 1 each".format(batch_size, threads))
        self.network = network
        self.batch_size = batch_size
        self.dtype = np.dtype(dtype)
        self.shapes = output_shapes(network)
        self.chunk_size = chunk_size or self._chunk_size()
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._matrices = dict(matrices(network))
        self._parameters = affine_parameters(network)
        self._batch_norms = [layer for layer in network.layers if isinstance(layer, BatchNorm)]
        self._quantisers = [layer for layer in network.layers if isinstance(layer, (Quantize, Rnn))]
        self._chunks = []
        self._gradients = []
        self._evaluators = {}

    def _chunk_size(self):
        floats = sum(int(np.prod(shape)) for shape in self.shapes.values())
        return max(1, min(CHUNK_FLOATS // floats, -(-self.batch_size // LANES)))

    def training_step(self, weights, state, x, labels, weight=None, smoothing=0.0):
        """(loss, n_correct, gradients) of one batch; running statistics and ranges in `state` move in place.

        weights: {matrix: (fan_in, fan_out)}. x: uint8 codes (batch_size, height, width, channels), or floats as they
        are. labels: integers (batch_size,) or per pixel (batch_size, height, width); weight: as labels, 0 leaves a
        pixel out. smoothing: label smoothing. The loss is the weighted mean cross-entropy. gradients: {matrix or
        affine parameter: array}, arrays that the next call overwrites. Activations are quantised with the ranges that
        `state` held before the step. A range of 0 is calibrated on this batch first.
        """
        x = self._check_input(x)
        if len(x) != self.batch_size:
            raise ShapeError("a batch of {}, expected {}".format(len(x), self.batch_size))
        if labels.shape != (len(x),) + self.shapes[self.network.layers[-1].name][:-1]:
            raise ShapeError("labels of shape {} for a batch of {}".format(labels.shape, x.shape))
        self._prepare()
        if any(state[layer.name + ".range"] == 0 for layer in self._quantisers):
            self._calibrate(weights, state, x)
        run = self._run(weights, state, training=True)
        self._forward(run, x)
        total = float(len(labels.reshape(-1)) if weight is None else weight.sum(dtype=np.float64))
        losses, gradients = self._backward(run, labels, weight, smoothing, total)
        self._update(state, run)
        return sum(loss for loss, _ in losses), sum(n for _, n in losses), gradients

    def predict(self, weights, state, x):
        """Logits (n, classes), or per pixel (n, height, width, classes), with frozen statistics and ranges.

        x: any number of samples, codes or floats. Images of another size than the network's are allowed where every
        layer is a convolution: they are continued at the lower and right border to a multiple that pooling needs.
        """
        x = self._check_input(x)
        network = self.network
        n, height, width = x.shape[:3]
        multiple = network.size_multiple
        extra = (-height % multiple, -width % multiple)
        if any(extra):
            x = np.pad(x, ((0, 0), (0, extra[0]), (0, extra[1]), (0, 0)), mode="edge")
        evaluators = self._evaluators_for(x.shape[1:3])
        run = self._run(weights, state, training=False)
        size = evaluators[0].size
        parts = [None] * -(-n // size)

        def work(lane):
            chunk = evaluators[lane]
            for k in range(lane, len(parts), len(evaluators)):
                parts[k] = _evaluate(chunk, run, network, x[k * size : (k + 1) * size])

        self._each_lane(work)
        logits = np.concatenate(parts) if parts else np.empty((0,) + evaluators[0].output.shape[1:], self.dtype)
        return logits[:, :height, :width] if logits.ndim == 4 else logits

    def _evaluators_for(self, size):
        if size not in self._evaluators:
            network = self.network
            if size != tuple(network.input_shape[:2]):
                network = network.resized(*size)
            shapes = output_shapes(network)
            self._evaluators[size] = [Chunk(network, shapes, self.chunk_size, self.dtype) for _ in range(LANES)]
        return self._evaluators[size]

    def _check_input(self, x):
        if x.ndim != 4 or x.shape[3] != self.network.input_shape[2]:
            raise ShapeError(
                "input of shape {}, expected (n, height, width, {})".format(x.shape, self.network.input_shape[2])
            )
        return x

    def _prepare(self):
        """Chunks and gradient buffers of the whole batch, made at the first step."""
        if self._chunks:
            return
        for start in range(0, self.batch_size, self.chunk_size):
            size = min(self.chunk_size, self.batch_size - start)
            self._chunks.append(Chunk(self.network, self.shapes, size, self.dtype))
        for _ in range(LANES):
            self._gradients.append({name: np.zeros(shape, self.dtype) for name, shape in self._matrices.items()})

    def _run(self, weights, state, training):
        for name, shape in self._matrices.items():
            if name not in weights or weights[name].shape != shape:
                raise ShapeError(
                    "weights of {}: {}, expected {}".format(name, getattr(weights.get(name), "shape", None), shape)
                )
        steps = {}
        for layer in self._quantisers:
            value = float(state[layer.name + ".range"])
            steps[layer.name] = value / (2**layer.bits - 1) if 0 < value < np.inf else None
        weights = {name: np.asarray(weights[name], self.dtype) for name in self._matrices}
        run = Run(weights, state, steps, training)
        if not training:
            for layer in self._batch_norms:
                run.statistics[layer.name] = (1, state[layer.name + ".mean"], state[layer.name + ".var"])
        return run

    def _each_lane(self, work):
        """work(lane) for every lane, in threads when there are any; the first error is raised here."""
        if self._pool is None:
            for lane in range(LANES):
                work(lane)
        else:
            for done in [self._pool.submit(work, lane) for lane in range(LANES)]:
                done.result()

    def _lane(self, lane):
        """(position of its first sample, chunk) of the chunks of one lane."""
        return [(k * self.chunk_size, self._chunks[k]) for k in range(lane, len(self._chunks), LANES)]

    def _forward(self, run, x):
        segments = len(self._chunks[0].segments)
        for segment in range(segments):

            def work(lane, segment=segment):
                for start, chunk in self._lane(lane):
                    if segment == 0:
                        _load(chunk, self.network, x[start : start + chunk.size])
                    chunk.forward(segment, run)

            self._each_lane(work)
            if segment < len(self._batch_norms):
                name = self._batch_norms[segment].name
                count, mean, squares = layers.merge_moments(c.segments[segment][-1].moments for c in self._chunks)
                run.statistics[name] = (count, mean, squares / count)

    def _backward(self, run, labels, weight, smoothing, total):
        for gradients in self._gradients:
            for array in gradients.values():
                array[...] = 0
        losses = [None] * len(self._chunks)
        grads = [None] * len(self._chunks)
        last = len(self._chunks[0].segments) - 1
        for segment in range(last, -1, -1):

            def work(lane, segment=segment):
                for start, chunk in self._lane(lane):
                    k = start // self.chunk_size
                    here = slice(start, start + chunk.size)
                    if segment == last:
                        losses[k], grads[k] = _loss(chunk, labels[here], weight, here, smoothing, total)
                    grads[k] = chunk.backward(segment, grads[k], run, self._gradients[lane])

            self._each_lane(work)
            if segment:
                layer = self._batch_norms[segment - 1]
                sums = [chunk.segments[segment][0].sums for chunk in self._chunks]
                run.sums[layer.name] = sum(s[0] for s in sums), sum(s[1] for s in sums)
        return losses, self._collect(run)

    def _collect(self, run):
        """Gradients of the whole batch: lanes added in order, affine parameters beside the matrices."""
        first = self._gradients[0]
        for other in self._gradients[1:]:
            for name, array in other.items():
                first[name] += array
        gradients = dict(first)
        for layer in self._batch_norms:
            if layer.affine:
                dbeta, dgamma = run.sums[layer.name]
                gradients[layer.name + ".beta"] = dbeta.astype(self.dtype)
                gradients[layer.name + ".gamma"] = dgamma.astype(self.dtype)
        return gradients

    def _update(self, state, run):
        """Move running statistics and ranges towards those of this batch."""
        for layer in self._batch_norms:
            _, mean, var = run.statistics[layer.name]
            for part, value in ((".mean", mean), (".var", var)):
                state[layer.name + part] += (MOMENTUM * (value - state[layer.name + part])).astype(np.float32)
        for layer in self._quantisers:
            old = state[layer.name + ".range"]
            if np.isfinite(old):
                old += np.float32(MOMENTUM) * (self._range(layer) - old)

    def _range(self, layer):
        """The value that this batch's activations exceed with the quantiser's tail probability."""
        values = np.concatenate([chunk.nodes[layer.name].sample for chunk in self._chunks])
        above = int(clip_tail(layer.bits) * len(values))
        top = np.partition(values, len(values) - 1 - above)[len(values) - 1 - above]
        return np.float32(max(top, np.finfo(np.float32).tiny) if top > 0 else values.max() or 1)

    def _calibrate(self, weights, state, x):
        """Set the ranges that are still 0 from this batch, one after the other in the network's order."""
        for layer in self._quantisers:
            if state[layer.name + ".range"] == 0:
                self._forward(self._run(weights, state, training=True), x)
                state[layer.name + ".range"][...] = self._range(layer)


def _load(chunk, network, x):
    """Put codes or floats into a chunk's input buffer, as values; places without a sample are 0."""
    target = chunk.input[: len(x)]
    if x.dtype == np.uint8:
        np.subtract(x, target.dtype.type(network.input_zero), out=target)
        target *= target.dtype.type(network.input_step)
    else:
        target[...] = x
    chunk.input[len(x) :] = 0


def _evaluate(chunk, run, network, x):
    _load(chunk, network, x)
    for segment in range(len(chunk.segments)):
        chunk.forward(segment, run)
    return chunk.output[: len(x)].copy()


def _loss(chunk, labels, weight, here, smoothing, total):
    """((loss, n_correct), gradient of the logits) of one chunk."""
    loss, n_correct, dlogits = layers.softmax_cross_entropy(
        chunk.output, labels, None if weight is None else weight[here], smoothing, total
    )
    return (loss, n_correct), dlogits

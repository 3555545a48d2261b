"""A slow oracle: a network one layer after the other on a whole batch, by loops over pixels, in float64.

Written from the docstrings of the layers and export/SPEC.md, not from their code. Images are (n, height, width,
channels).
"""

from typing import Any, Callable, Dict, List, Optional

import numpy as np

EPSILON = 1e-5  # added to the variance of a batch norm
TIE = 1e-12  # what equal values may be apart in float64
NOISE = 1e-6  # of the largest value: some ten units in the last place of float32
LEAST_VARIANCE = 0.01  # that a pass chooses: below it a batch norm makes float32's rounding errors large
FACTORS = np.linspace(0.6131, 1.1417, 11)  # of the largest activation: ranges that a quantiser may get; none is n / 8


class Pass:
    """What one pass through a network uses and leaves behind.

    whole_batch: batch norms use the statistics of the batch, else those of the state. held: an earlier pass whose
    decisions are taken again: where a ReLU or a quantiser passes, by how much a quantiser rounds, which value of a
    window is the maximum. With them held a network has no kinks, and its slope is what a gradient ought to be: that of
    the network itself, straight through its quantisers. chooses: fills the statistics and ranges of the state itself.
    noise: errors of the size of a long float32 sum are added to every layer's output.
    """

    def __init__(
        self,
        weights: Dict[str, np.ndarray],
        state: Dict[str, np.ndarray],
        whole_batch: bool,
        *,
        held: Optional["Pass"] = None,
        chooses: bool = False,
        noise: Optional[np.random.Generator] = None,
    ) -> None:
        self.weights = weights
        self.state = state
        self.whole_batch = whole_batch
        self.held = held
        self.chooses = chooses
        self.noise = noise
        self.decisions: List[np.ndarray] = []
        self.codes: List[np.ndarray] = []  # what each quantiser gives
        self.tied = False  # a decision hangs on rounding errors
        self.margin = np.inf  # distance of the activation nearest to a rounding edge, in codes
        self.outputs: Dict[str, np.ndarray] = {}

    def decide(self, found: np.ndarray) -> np.ndarray:
        """The decision that the held pass took at this place, else the one found now."""
        self.decisions.append(found if self.held is None else self.held.decisions[len(self.decisions)])
        return self.decisions[-1]

    def relu(self, x: np.ndarray) -> np.ndarray:
        """x where it is above 0, else 0."""
        self.tied |= _hangs(x)
        return np.where(self.decide(x > 0), x, 0)

    def maximum(self, window: np.ndarray) -> np.ndarray:
        """The first largest value of each window (n, places, channels)."""
        top = window.max(axis=1, keepdims=True)
        equal = window >= top - TIE
        self.tied |= bool((equal.sum(axis=1) > 1).any())
        chosen = self.decide(equal.argmax(axis=1)[:, None])
        return np.take_along_axis(window, chosen, axis=1)[:, 0]

    def quantised(self, layer: Any, x: np.ndarray, zero: int = 0) -> np.ndarray:
        """x as codes of `layer` represent it, `zero` that of 0.0; the range infinity leaves it as it is."""
        value = float(self.state[layer.name + ".range"])
        if np.isinf(value):
            return x
        top = 2**layer.bits - 1
        code = x * top / value + zero
        self.tied |= _hangs(code) or bool((np.abs(code - top) <= TIE * top).any())
        rounded = np.rint(np.minimum(np.maximum(code, 0), top))
        self.codes.append(rounded)
        self.margin = min(self.margin, _edge_distance(code, top))
        passes, rounded, error = (
            self.decide(found) for found in ((code >= 0) & (code <= top), rounded, rounded - code)
        )
        if self.held is None:
            return (rounded - zero) * value / top
        return (np.where(passes, code + error, rounded) - zero) * value / top


def _hangs(distance: np.ndarray) -> bool:
    """Whether a distance from a kink is a rounding error."""
    return bool(((distance != 0) & (np.abs(distance) <= TIE)).any())


def _edge_distance(code: np.ndarray, top: int) -> float:
    """Distance of the code nearest to one of the edges 0.5, 1.5 .. top - 0.5."""
    edge = np.minimum(np.maximum(np.floor(code), 0), top - 1) + 0.5
    return float(np.abs(code - edge).min())


def plain_forward(network: Any, codes: np.ndarray, run: Pass) -> np.ndarray:
    """The output of the last layer, float64; `run.outputs` keeps those of all layers."""
    x = (codes.astype(np.float64) - network.input_zero) / (2**network.input_bits - 1)
    for layer in network.layers:
        x = FORWARD[type(layer).__name__](layer, x, run)
        if run.noise is not None and x.size:
            x = x + NOISE * np.abs(x).max() * run.noise.standard_normal(x.shape)
        run.outputs[layer.name] = x
    return x


def plain_loss(logits: np.ndarray, labels: np.ndarray, weight: np.ndarray) -> float:
    """Weighted mean cross-entropy over all rows or pixels."""
    total = 0.0
    for row, label, share in zip(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), weight.reshape(-1)):
        total += share * (np.log(np.exp(row - row.max()).sum()) + row.max() - row[label])
    return total / float(weight.sum())


def _conv2d(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = layer.kernel, layer.stride, layer.padding, layer.dilation
    reach, across = (kh - 1) * dh + 1, (kw - 1) * dw + 1  # pixels from a kernel's first to its last
    n, height, width, _ = x.shape
    padded = np.zeros((n, height + 2 * ph, width + 2 * pw, layer.in_channels))
    padded[:, ph : ph + height, pw : pw + width] = x
    out_height, out_width = (padded.shape[1] - reach) // sh + 1, (padded.shape[2] - across) // sw + 1
    y = np.empty((n, out_height, out_width, layer.out_channels))
    fan, out = layer.in_channels // layer.groups, layer.out_channels // layer.groups  # channels of a group
    for group in range(layer.groups):
        weight = run.weights[layer.name if layer.groups == 1 else f"{layer.name}.{group}"]
        for i in range(out_height):
            for j in range(out_width):
                window = padded[:, i * sh : i * sh + reach : dh, j * sw : j * sw + across : dw]
                patch = window[..., group * fan : (group + 1) * fan]
                y[:, i, j, group * out : (group + 1) * out] = patch.reshape(n, -1) @ weight
    return y


def _linear(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    return x @ run.weights[layer.name]


def _rnn(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    if run.chooses and run.state[layer.name + ".range"] == 0:
        _choose_range(layer, run, lambda probe: _rnn(layer, x, probe))
    w_input, w_hidden = run.weights[layer.name + ".input"], run.weights[layer.name + ".hidden"]
    y = np.empty(x.shape[:3] + (layer.hidden,))
    for t in range(x.shape[2]):
        total = x[:, 0, t] @ w_input
        if t:
            total = total + run.quantised(layer, y[:, 0, t - 1]) @ w_hidden
        y[:, 0, t] = run.relu(total)
    return y


def _batch_norm(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    rows = x.reshape(-1, layer.channels)
    if run.chooses:
        run.state[layer.name + ".mean"] += rows.mean(axis=0)
        run.state[layer.name + ".var"] *= rows.var(axis=0) + LEAST_VARIANCE
    if run.whole_batch:
        mean, var = rows.mean(axis=0), rows.var(axis=0)
    else:
        mean, var = run.state[layer.name + ".mean"], run.state[layer.name + ".var"]
    y = (x - mean) / np.sqrt(var + EPSILON)
    if layer.affine:
        y = y * run.state[layer.name + ".gamma"] + run.state[layer.name + ".beta"]
    return y


def _relu(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    return run.relu(x)


def _quantize(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    if run.chooses and run.state[layer.name + ".range"] == 0:
        run.state[layer.name + ".range"][...] = x.max() if x.max() > 0 else 1.0
        _choose_range(layer, run, lambda probe: probe.quantised(layer, x))
    return run.quantised(layer, x)


def _signed_quantize(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    zero = 2 ** (layer.bits - 1)
    if run.chooses and run.state[layer.name + ".range"] == 0:
        largest = np.abs(x).max() if x.any() else 1.0
        run.state[layer.name + ".range"][...] = largest * (2**layer.bits - 1) / (zero - 1)
        _choose_range(layer, run, lambda probe: probe.quantised(layer, x, zero))
    return run.quantised(layer, x, zero)


def _clip(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    """x within the bounds, as two kinks."""
    if layer.low is not None:
        x = run.relu(x - layer.low) + layer.low
    if layer.high is not None:
        x = layer.high - run.relu(layer.high - x)
    return x


def _bias(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    return x + run.state[layer.name + ".offset"]


def _choose_range(layer: Any, run: Pass, forward: Callable[[Pass], Any]) -> None:
    """The range, of a few, that leaves all activations farthest from a rounding edge: float32 rounds alike there."""
    state = run.state
    widest = float(state[layer.name + ".range"])
    if not widest:  # the values before any are quantised
        state[layer.name + ".range"][...] = np.inf
        widest = max(float(np.max(forward(Pass(run.weights, state, run.whole_batch)))), 1e-3)
    found = []
    for factor in FACTORS:
        state[layer.name + ".range"][...] = np.float32(widest * factor)
        probe = Pass(run.weights, state, run.whole_batch)
        forward(probe)
        found.append((probe.margin, factor))
    state[layer.name + ".range"][...] = np.float32(widest * max(found)[1])


def _max_pool(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    size = layer.size
    n, height, width, channels = x.shape
    y = np.empty((n, height // size, width // size, channels))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            window = x[:, i * size : (i + 1) * size, j * size : (j + 1) * size].reshape(n, size**2, channels)
            y[:, i, j] = run.maximum(window)
    return y


def _average_pool(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    size = layer.size
    n, height, width, channels = x.shape
    y = np.empty((n, height // size, width // size, channels))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            y[:, i, j] = x[:, i * size : (i + 1) * size, j * size : (j + 1) * size].mean(axis=(1, 2))
    return y


def _within(layer: Any, x: np.ndarray, i: int, j: int) -> np.ndarray:
    """The pixels of the image that window (i, j) of a pool covers."""
    top, left = i * layer.stride[0] - layer.padding[0], j * layer.stride[1] - layer.padding[1]
    return x[:, max(top, 0) : top + layer.kernel[0], max(left, 0) : left + layer.kernel[1]]


def _pool_size(layer: Any, x: np.ndarray) -> List[int]:
    covered = [x.shape[1 + k] + layer.padding[k] + layer.padding[k + 2] for k in (0, 1)]
    return [(length - layer.kernel[k]) // layer.stride[k] + 1 for k, length in enumerate(covered)]


def _max_pool2d(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    rows, cols = _pool_size(layer, x)
    y = np.empty((len(x), rows, cols, x.shape[3]))
    for i in range(rows):
        for j in range(cols):
            y[:, i, j] = run.maximum(_within(layer, x, i, j).reshape(len(x), -1, x.shape[3]))
    return y


def _average_pool2d(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    rows, cols = _pool_size(layer, x)
    y = np.empty((len(x), rows, cols, x.shape[3]))
    for i in range(rows):
        for j in range(cols):
            window = _within(layer, x, i, j)
            count = np.prod(layer.kernel) if layer.counts_padding else window.shape[1] * window.shape[2]
            y[:, i, j] = window.sum(axis=(1, 2)) / count
    return y


def _pad(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    top, left, bottom, right = layer.padding
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))


def _resize(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    """Output by output, by the place that each has among the inputs."""
    for axis, scale in zip((1, 2), layer.scale):
        length = x.shape[axis]
        outputs = int(length * scale + 1e-6)
        lines = []
        for k in range(outputs):
            place = {
                "half_pixel": (k + 0.5) / scale - 0.5,
                "asymmetric": k / scale,
                "align_corners": k * (length - 1) / (outputs - 1) if outputs > 1 else 0.0,
            }[layer.corners]
            place = min(max(place, 0.0), length - 1.0)
            above = int(np.ceil(place))
            below = max(above - 1, 0)
            share = above - place
            lines.append(share * x.take(below, axis) + (1 - share) * x.take(above, axis))
        x = np.stack(lines, axis)
    return x


def _response_norm(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    y, channels = np.empty_like(x), x.shape[-1]
    for i in range(channels):
        first, last = i - (layer.size - 1) // 2, i + layer.size // 2
        squares = sum((x[..., j] ** 2 for j in range(max(first, 0), min(last, channels - 1) + 1)), 0.0)
        y[..., i] = x[..., i] / (layer.bias + layer.alpha * squares / layer.size) ** layer.beta
    return y


def _recall(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    return run.outputs[layer.other]


def _channel_shuffle(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    size = x.shape[-1] // layer.groups
    y = np.empty_like(x)
    for group in range(layer.groups):
        for i in range(size):
            y[..., i * layer.groups + group] = x[..., group * size + i]
    return y


def _upsample(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    """Output k of 2 L lies at k (L - 1) / (2 L - 1) of L inputs."""
    for axis in (1, 2):
        length = x.shape[axis]
        lines = []
        for k in range(2 * length):
            place = k * (length - 1) / (2 * length - 1)
            below = min(int(place), max(length - 2, 0))
            above = min(below + 1, length - 1)
            share = place - below
            lines.append((1 - share) * x.take(below, axis) + share * x.take(above, axis))
        x = np.stack(lines, axis)
    return x


def _concat(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    return np.concatenate([x, run.outputs[layer.other]], axis=-1)


def _add(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    return x + run.outputs[layer.other]


def _flatten(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    return np.stack([sample.reshape(-1) for sample in x])


def _global_average(layer: Any, x: np.ndarray, run: Pass) -> np.ndarray:
    return sum(x[:, i, j] for i in range(x.shape[1]) for j in range(x.shape[2])) / (x.shape[1] * x.shape[2])


FORWARD: Dict[str, Callable[[Any, np.ndarray, Pass], np.ndarray]] = {
    "Conv2d": _conv2d,
    "Linear": _linear,
    "Rnn": _rnn,
    "BatchNorm": _batch_norm,
    "Relu": _relu,
    "Quantize": _quantize,
    "SignedQuantize": _signed_quantize,
    "Clip": _clip,
    "Bias": _bias,
    "MaxPool2d": _max_pool2d,
    "AveragePool2d": _average_pool2d,
    "Pad": _pad,
    "Resize": _resize,
    "ResponseNorm": _response_norm,
    "Recall": _recall,
    "ChannelShuffle": _channel_shuffle,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "Upsample": _upsample,
    "Concat": _concat,
    "Add": _add,
    "Flatten": _flatten,
    "GlobalAverage": _global_average,
}

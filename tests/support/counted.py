"""The digital operations of a network counted one by one, in loops, as docs/energy.md lays them out."""

from collections import Counter
from itertools import product
from typing import Any, Callable, Dict, Iterator, Tuple
from typing import Counter as CounterOf

FLOAT_BITS = 16

Shape = Tuple[int, ...]
Count = CounterOf[str]


class Counting:
    """Counts by layer and by matrix. shapes: of each layer's output as the plain forward gave them."""

    def __init__(self, network: Any, shapes: Dict[str, Shape]) -> None:
        self.digital: Dict[str, Count] = {"input": Counter()}
        self.macs: Count = Counter()
        self.outputs: Count = Counter()  # sums of a matrix's columns, each converted once per plane and row tile
        self.skipped: Count = Counter()  # such sums that are known to be 0: `macs` and `conversions` count them
        self.shapes = shapes
        for _ in _elements(network.input_shape):
            self.digital["input"]["bits_written"] += network.input_bits
        shape, self.zero_point = tuple(network.input_shape), network.input_zero
        zero_points: Dict[str, int] = {}
        for layer in network.layers:
            count = self.digital[layer.name] = Counter()
            COUNT[type(layer).__name__](self, layer, count, shape)
            shape = shapes[layer.name]
            kind = type(layer).__name__
            if kind == "SignedQuantize":
                self.zero_point = 2 ** (layer.bits - 1)
            elif kind == "Recall":
                self.zero_point = zero_points[layer.other]
            elif kind not in ("Flatten", "MaxPool", "MaxPool2d", "Pad", "ChannelShuffle"):
                self.zero_point = 0
            zero_points[layer.name] = self.zero_point
        self.peak_bits = self._buffer(network)

    def _buffer(self, network: Any) -> int:
        """Count what waits for joins; the most bits that lie in the buffer at a time, beside the codes of a layer and
        those that it writes.
        """
        joins = [(layer.name, layer.other) for layer in network.layers if hasattr(layer, "other")]
        codes = peak = self.digital["input"]["bits_written"]
        waiting: Dict[str, int] = {}
        for layer in network.layers:
            count, bits = self.digital[layer.name], sum(FLOAT_BITS for _ in _elements(self.shapes[layer.name]))
            joined_by = [name for name, other in joins if other == layer.name]
            if joined_by:
                waiting[joined_by[-1]] = waiting.get(joined_by[-1], 0) + bits
                count["bits_kept"] += bits
            if hasattr(layer, "other"):
                count["bits_taken"] += sum(FLOAT_BITS for _ in _elements(self.shapes[layer.other]))
            peak = max(peak, codes + count["bits_written"] + sum(waiting.values()))
            codes = count["bits_written"] or codes
            count["bits_freed"] += waiting.pop(layer.name, 0)
        return peak

    def product(self, count: Count, name: str, fan_in: int, fan_out: int, zero_point: int = 0) -> None:
        """One vector through one matrix."""
        for _ in range(fan_out):
            self.outputs[name] += 1
            self.macs[name] += fan_in
            count["multiplies"] += 1  # the integer sum becomes an activation
            if zero_point:
                count["adds"] += 1


def _elements(shape: Shape) -> Iterator[Shape]:
    return product(*(range(length) for length in shape))


def _conv2d(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    fan_in = len(list(_elements(layer.kernel + (shape[2] // layer.groups,))))
    for _ in _elements(counting.shapes[layer.name][:2]):
        for group in range(layer.groups):
            name = layer.name if layer.groups == 1 else f"{layer.name}.{group}"
            counting.product(count, name, fan_in, layer.out_channels // layer.groups, counting.zero_point)


def _linear(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    counting.product(count, layer.name, shape[0], layer.out_features, counting.zero_point)


def _rnn(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for t in range(shape[1]):
        counting.product(count, layer.name + ".input", shape[2], layer.hidden, counting.zero_point)
        if t:
            for _ in range(layer.hidden):
                count.update(multiplies=1, compares=2, bits_written=layer.bits)
            counting.product(count, layer.name + ".hidden", layer.hidden, layer.hidden)
        else:  # h = 0: no product, but the shapes of a network do not tell the first step from the others
            counting.skipped[layer.name + ".hidden"] += layer.hidden
            counting.macs[layer.name + ".hidden"] += layer.hidden**2
        for _ in range(layer.hidden):
            count.update(adds=1 if t else 0, compares=1)


def _batch_norm(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for _ in _elements(shape):
        count.update(multiplies=1, adds=1)


def _relu(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for _ in _elements(shape):
        count["compares"] += 1


def _quantize(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for _ in _elements(shape):
        count.update(multiplies=1, compares=2, bits_written=layer.bits)


def _max_pool(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for _ in _elements(counting.shapes[layer.name]):
        for place in _elements((layer.size, layer.size)):
            if any(place):  # the first of a window meets no other
                count["compares"] += 1


def _average_pool(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for _ in _elements(counting.shapes[layer.name]):
        count["multiplies"] += 1
        for place in _elements((layer.size, layer.size)):
            count["adds"] += 1 if any(place) else 0


def _signed_quantize(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for _ in _elements(shape):
        count.update(multiplies=1, adds=1, compares=2, bits_written=layer.bits)


def _clip(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for _ in _elements(shape):
        count["compares"] += sum(bound is not None for bound in (layer.low, layer.high))


def _in_window(layer: Any, shape: Shape, output: Shape) -> int:
    """Pixels of the image in the window of one output."""
    return sum(
        all(0 <= output[k] * layer.stride[k] - layer.padding[k] + place[k] < shape[k] for k in (0, 1))
        for place in _elements(layer.kernel)
    )


def _max_pool2d(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for output in _elements(counting.shapes[layer.name]):
        count["compares"] += _in_window(layer, shape, output) - 1


def _average_pool2d(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for output in _elements(counting.shapes[layer.name]):
        count.update(multiplies=1, adds=_in_window(layer, shape, output) - 1)


def _response_norm(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for place in _elements(shape):
        first, last = place[-1] - (layer.size - 1) // 2, place[-1] + layer.size // 2
        neighbours = [channel for channel in range(shape[-1]) if first <= channel <= last]
        count.update(multiplies=1, adds=len(neighbours) - 1)  # squares are shared, sums are not
        count.update(multiplies=1, adds=1)  # alpha, bias
        for _table in ("log2", "exp2"):
            count.update(multiplies=1, adds=1)
        count.update(multiplies=2)  # beta between the tables, the signal behind them


def _upsample(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for _ in _elements(counting.shapes[layer.name]):
        for _line in ("above", "below", "between"):
            count.update(multiplies=1, adds=2)


def _concat(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    pass


def _add(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for _ in _elements(shape):
        count["adds"] += 1


def _flatten(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    pass


def _global_average(counting: Counting, layer: Any, count: Count, shape: Shape) -> None:
    for place in _elements(shape[:2]):
        for _ in range(shape[2]):
            count["adds"] += 1 if any(place) else 0
    for _ in range(shape[2]):
        count["multiplies"] += 1


COUNT: Dict[str, Callable[[Counting, Any, Count, Shape], None]] = {
    "Conv2d": _conv2d,
    "Linear": _linear,
    "Rnn": _rnn,
    "BatchNorm": _batch_norm,
    "Relu": _relu,
    "Quantize": _quantize,
    "SignedQuantize": _signed_quantize,
    "Clip": _clip,
    "Bias": _add,
    "MaxPool2d": _max_pool2d,
    "AveragePool2d": _average_pool2d,
    "Pad": _flatten,
    "Resize": _upsample,
    "ResponseNorm": _response_norm,
    "Recall": _flatten,
    "ChannelShuffle": _flatten,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "Upsample": _upsample,
    "Concat": _concat,
    "Add": _add,
    "Flatten": _flatten,
    "GlobalAverage": _global_average,
}

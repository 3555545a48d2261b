"""A controller in few lines: it reads digital.json and a map of the chip, nothing else, by export/SPEC.md, part 2."""

from typing import Any, Callable, Dict, Iterator, Tuple

import numpy as np

VOLT = 0.2  # of a read; siemens times this are the ampere of `adc.lsb_A`

Signal = Tuple[np.ndarray, float, int]  # codes with their step and zero point, or values with step 1 and zero 0


class Controller:
    """The digital side of a chip. description: digital.json as read; map_S: (macros, rows, columns) in siemens."""

    def __init__(self, description: Dict[str, Any], map_S: np.ndarray) -> None:
        self.description = description
        self.map_S = map_S
        self.matrices = {entry["name"]: entry for entry in description["matrices"]}
        self.kept: Dict[str, np.ndarray] = {}
        self.signals: Dict[str, Signal] = {}

    def answer(self, codes: np.ndarray) -> np.ndarray:
        """Logits for input codes (n, height, width, channels)."""
        given = self.description["input"]
        signal: Signal = codes.astype(np.int64), given["step"], given["zero_point"]
        for layer in self.description["layers"]:
            signal = READERS[layer["type"]](self, layer, signal)
            self.signals[layer["name"]] = signal
            self.kept[layer["name"]] = _values(signal)
            assert list(signal[0].shape[1:]) == layer["output_shape"], layer["name"]
        return _values(signal)

    def product(self, name: str, signal: Signal) -> np.ndarray:
        """Steps 1 to 5 of section 2.1: codes (n, fan_in) -> values (n, fan_out)."""
        codes, step, zero_point = signal
        entry = self.matrices[name]
        assert codes.min(initial=0) >= 0 and codes.max(initial=0) < 2 ** entry["input_bits"]
        total = self._totals(entry, codes)
        if zero_point:
            total -= np.rint(zero_point * np.array(entry["column_sums_lsb"])).astype(np.int64)
        return total * entry["weight_per_lsb"] * step

    def _totals(self, entry: Dict[str, Any], codes: np.ndarray) -> np.ndarray:
        total = np.zeros((len(codes), entry["fan_out"]), np.int64)
        assert entry["adc"]["arrangement"] == "pair"
        top = 2 ** (entry["adc"]["bits"] - 1) - 1
        driven: Dict[Tuple[int, int, int], list] = {}
        for tile in entry["tiles"]:
            driven.setdefault((tile["macro"], tile["col0"], tile["matrix_col"]), []).append(tile)
        for (macro, col0, first), tiles in driven.items():
            pairs = tiles[0]["pairs"]
            for plane in range(entry["input_bits"]):
                current_A = np.zeros((len(codes), pairs))
                for tile in tiles:
                    cells = self.map_S[macro, tile["row0"] : tile["row0"] + tile["rows"], col0 : col0 + 2 * pairs]
                    bits = (codes[:, tile["matrix_row"] : tile["matrix_row"] + tile["rows"]] >> plane) & 1
                    current_A += bits @ (cells[:, 0::2] - cells[:, 1::2]) * VOLT
                code = np.clip(np.rint(current_A / entry["adc"]["lsb_A"]), -top, top).astype(np.int64)
                total[:, first : first + pairs] += code << plane
        return total


def _values(signal: Signal) -> np.ndarray:
    codes, step, zero_point = signal
    return (codes - zero_point) * step


def _conv2d(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    codes, step, zero_point = signal
    (kh, kw), (sh, sw), (ph, pw) = layer["kernel"], layer["stride"], layer["padding"]
    dh, dw = layer["dilation"]
    padded = np.pad(codes, ((0, 0), (ph, ph), (pw, pw), (0, 0)), constant_values=zero_point)
    y = np.empty([len(codes)] + layer["output_shape"])
    groups = layer["groups"]
    images = np.split(padded, groups, axis=3)
    results = np.split(y, groups, axis=3)  # views
    for group, (image, result) in enumerate(zip(images, results)):
        name = layer["name"] if groups == 1 else f"{layer['name']}.{group}"
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                lines = [i * sh + dh * k for k in range(kh)]
                patch = image[:, lines][:, :, [j * sw + dw * k for k in range(kw)]].reshape(len(codes), -1)
                result[:, i, j] = controller.product(name, (patch, step, zero_point))
    return y, 1.0, 0


def _linear(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    return controller.product(layer["name"], signal), 1.0, 0


def _rnn(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    codes, step, zero_point = signal
    h = np.zeros((len(codes), layer["hidden"]))
    y = np.empty([len(codes)] + layer["output_shape"])
    for t in range(codes.shape[2]):
        total = controller.product(layer["name"] + ".input", (codes[:, 0, t], step, zero_point))
        if t:
            fed_back = _codes(h, layer["step"], layer["bits"])
            total = total + controller.product(layer["name"] + ".hidden", (fed_back, layer["step"], 0))
        h = y[:, 0, t] = np.maximum(total, 0)
    return y, 1.0, 0


def _batch_norm(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    return _values(signal) * np.array(layer["gain"]) + np.array(layer["offset"]), 1.0, 0


def _relu(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    return np.maximum(_values(signal), 0), 1.0, 0


def _codes(values: np.ndarray, step: float, bits: int) -> np.ndarray:
    return np.clip(np.rint(values / step), 0, 2**bits - 1).astype(np.int64)


def _quantize(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    return _codes(_values(signal), layer["step"], layer["bits"]), layer["step"], 0


def _signed_quantize(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    step, zero = layer["step"], layer["zero_point"]
    codes = np.clip(np.rint(_values(signal) / step) + zero, 0, 2 ** layer["bits"] - 1).astype(np.int64)
    return codes, step, zero


def _clip(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    return np.clip(_values(signal), layer["low"], layer["high"]), 1.0, 0


def _bias(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    return _values(signal) + np.array(layer["offset"]), 1.0, 0


def _covered(layer: Dict[str, Any], x: np.ndarray) -> Iterator[Tuple[int, int, np.ndarray]]:
    """(row, column, pixels of the image in that window of a pool)"""
    top, left, bottom, right = layer["padding"]
    for i in range(layer["output_shape"][0]):
        for j in range(layer["output_shape"][1]):
            row, col = i * layer["stride"][0] - top, j * layer["stride"][1] - left
            window = x[:, max(row, 0) : row + layer["kernel"][0], max(col, 0) : col + layer["kernel"][1]]
            yield i, j, window


def _max_pool2d(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    codes, step, zero_point = signal
    y = np.empty([len(codes)] + layer["output_shape"], codes.dtype)
    for i, j, window in _covered(layer, codes):
        y[:, i, j] = window.max(axis=(1, 2))
    return y, step, zero_point


def _average_pool2d(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    x = _values(signal)
    y = np.empty([len(x)] + layer["output_shape"])
    for i, j, window in _covered(layer, x):
        count = np.prod(layer["kernel"]) if layer["counts_padding"] else np.prod(window.shape[1:3])
        y[:, i, j] = window.sum(axis=(1, 2)) / count
    return y, 1.0, 0


def _pad(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    codes, step, zero_point = signal
    top, left, bottom, right = layer["padding"]
    border = ((0, 0), (top, bottom), (left, right), (0, 0))
    return np.pad(codes, border, constant_values=zero_point), step, zero_point


def _resize(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    x = _values(signal)
    for axis, scale in zip((1, 2), layer["scale"]):
        length, outputs = x.shape[axis], layer["output_shape"][axis - 1]
        k = np.arange(outputs)
        if layer["corners"] == "align_corners":
            place = np.linspace(0, length - 1, outputs)
        else:
            place = k / scale if layer["corners"] == "asymmetric" else (k + 0.5) / scale - 0.5
        place = np.clip(place, 0, length - 1)
        below = np.floor(place).astype(int)
        share = (place - below).reshape((-1,) + (1,) * (3 - axis))
        x = (1 - share) * x.take(below, axis) + share * x.take(np.minimum(below + 1, length - 1), axis)
    return x, 1.0, 0


def _response_norm(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    x = _values(signal)
    before, after = (layer["size"] - 1) // 2, layer["size"] // 2
    padded = np.pad(x**2, [(0, 0)] * (x.ndim - 1) + [(before, after)])
    total = sum(padded[..., k : k + x.shape[-1]] for k in range(layer["size"]))
    return x / (layer["bias"] + layer["alpha"] / layer["size"] * total) ** layer["beta"], 1.0, 0


def _recall(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    return controller.signals[layer["other"]]


def _channel_shuffle(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    codes, step, zero_point = signal
    groups, channels = layer["groups"], codes.shape[-1]
    order = [group * (channels // groups) + i for i in range(channels // groups) for group in range(groups)]
    return codes[..., order], step, zero_point


def _max_pool(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    codes, step, zero_point = signal
    size = layer["size"]
    y = np.empty([len(codes)] + layer["output_shape"], codes.dtype)
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            y[:, i, j] = codes[:, i * size : (i + 1) * size, j * size : (j + 1) * size].max(axis=(1, 2))
    return y, step, zero_point


def _average_pool(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    x, size = _values(signal), layer["size"]
    n, (height, width, channels) = len(x), layer["output_shape"]
    windows = x[:, : height * size, : width * size].reshape(n, height, size, width, size, channels)
    return windows.mean(axis=(2, 4)), 1.0, 0


def _upsample(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    x = _values(signal)
    for axis in (1, 2):
        length = x.shape[axis]
        place = np.linspace(0, length - 1, 2 * length)
        below = np.minimum(place.astype(int), max(length - 2, 0))
        share = (place - below).reshape((-1,) + (1,) * (3 - axis))
        x = (1 - share) * x.take(below, axis) + share * x.take(np.minimum(below + 1, length - 1), axis)
    return x, 1.0, 0


def _concat(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    return np.concatenate([_values(signal), controller.kept[layer["other"]]], axis=-1), 1.0, 0


def _add(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    return _values(signal) + controller.kept[layer["other"]], 1.0, 0


def _flatten(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    codes, step, zero_point = signal
    return codes.reshape(len(codes), -1), step, zero_point


def _global_average(controller: Controller, layer: Dict[str, Any], signal: Signal) -> Signal:
    return _values(signal).mean(axis=(1, 2)), 1.0, 0


READERS: Dict[str, Callable[[Controller, Dict[str, Any], Signal], Signal]] = {
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

"""From `digital.json` to integers: fractions, multipliers and offsets of every layer."""

import json
import math
import zlib
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from ..errors import ConfigError, DataError
from .integers import (
    ADD,
    AFFINE,
    CLIP,
    CONCAT,
    CONVOLVE,
    FLATTEN,
    MAX_POOL,
    MEAN_POOL,
    NO_OTHER,
    PAD,
    QUANTIZE,
    RECALL,
    RECUR,
    SCALE,
    SHUFFLE,
    TOP,
    IntegerNetwork,
    Matrix,
    Read,
    Step,
    factor_of,
    fraction_for,
    shared_factors,
)


class Signal(NamedTuple):
    """What is known of the numbers between two layers."""

    shape: Tuple[int, int, int]
    """height, width, channels; a list of features is (1, 1, features)"""
    step: Optional[float]
    """value of one code; None: values"""
    zero_point: int
    bits: int
    """of codes"""
    fraction: int
    """of values"""
    bound: float
    """largest |value| that can be"""

    @property
    def unit(self) -> float:
        """value of one integer"""
        return 2.0**-self.fraction if self.step is None else self.step


def canonical_crc(description: Mapping[str, Any]) -> int:
    """CRC-32 of the canonical JSON of a `digital.json`: keys sorted, no spaces, ASCII."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return zlib.crc32(text.encode("ascii"))


def integer_network(description: Mapping[str, Any]) -> IntegerNetwork:
    """The network of a `digital.json` in integers.

    ConfigError names a layer that integers do not have (Upsample, Resize, ResponseNorm) or numbers that do not fit 32
    bits; DataError for a description that lacks something.
    """
    try:
        return _Builder(description).network()
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"digital.json: {type(error).__name__} {error}") from None


class _Builder:
    """The state of one translation: the steps so far, and what each gives."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.description = description
        self.entries = {entry["name"]: entry for entry in description["matrices"]}
        self.matrices: List[Matrix] = []
        self.steps: List[Step] = []
        self.found: Dict[str, Tuple[int, Signal]] = {}
        own = description["input"]
        height, width, channels = own["shape"]
        top = 2 ** own["bits"] - 1
        bound = max(own["zero_point"], top - own["zero_point"]) * own["step"]
        self.signal = Signal((height, width, channels), own["step"], own["zero_point"], own["bits"], 0, bound)

    def network(self) -> IntegerNetwork:
        """All layers."""
        own = self.description["input"]
        for layer in self.description["layers"]:
            make = _MAKERS.get(layer["type"])
            if make is None:
                raise ConfigError(f"layer {layer['name']}: {layer['type']} has no form in integers")
            make(self, layer)
            self.found[layer["name"]] = len(self.steps) - 1, self.signal
        return IntegerNetwork(
            tuple(own["shape"]),
            own["bits"],
            own["zero_point"],
            canonical_crc(self.description),
            tuple(self.matrices),
            tuple(self.steps),
        )

    def add(
        self,
        kind: int,
        layer: Mapping[str, Any],
        signal: Signal,
        numbers: Tuple[int, ...] = (),
        *,
        other: int = NO_OTHER,
        table: Optional[np.ndarray] = None,
    ) -> None:
        """One step, and what leaves it."""
        self.steps.append(Step(kind, layer["name"], signal.fraction, other, numbers, table))
        self.signal = signal

    def values(self, shape: Tuple[int, int, int], bound: float) -> Signal:
        """Values up to `bound`."""
        return Signal(shape, None, 0, 0, fraction_for(bound), bound)

    def to_values(self, layer: Mapping[str, Any]) -> None:
        """Codes become values."""
        came = self.signal
        if came.step is not None:
            made = self.values(came.shape, came.bound)
            factor = factor_of(came.step * 2.0**made.fraction)
            self.add(SCALE, layer, made, (factor.multiplier, factor.shift, came.zero_point))

    def matrix(self, name: str, step: float, zero_point: int, fraction: int) -> None:
        """Matrix `name`, whose codes have this step, giving values with this fraction."""
        entry, adc = self.entries[name], self.entries[name]["adc"]
        factor = factor_of(entry["weight_per_lsb"] * step * 2.0**fraction)
        taken_back = _taken_back(entry, zero_point) if zero_point else None
        mantissa, exponent = math.frexp(adc["lsb_nS"])
        self.matrices.append(
            Matrix(
                name,
                entry["fan_in"],
                entry["fan_out"],
                entry["input_bits"],
                adc["bits"],
                adc["arrangement"] == "polarity",
                (round(mantissa * 2**24), exponent - 24),
                factor,
                taken_back,
                _reads(entry["tiles"]),
            )
        )

    def bound_of(self, name: str, step: float, zero_point: int) -> float:
        """Largest |value| that matrix `name` can give; ConfigError when its totals do not fit 32 bits."""
        entry = self.entries[name]
        bits = entry["adc"]["bits"]
        top = 2**bits - 1 if entry["adc"]["arrangement"] == "polarity" else 2 ** (bits - 1) - 1
        total = len(_reads(entry["tiles"])) * top * (2 ** entry["input_bits"] - 1)
        if zero_point:
            total += int(np.abs(_taken_back(entry, zero_point).astype(np.int64)).max())
        if total > TOP:
            raise ConfigError(
                f"matrix {name}: totals to {total} do not fit 32 bits; {bits} bits of the ADC and "
                f"{entry['input_bits']} of the codes are too many"
            )
        return total * entry["weight_per_lsb"] * step


def _taken_back(entry: Mapping[str, Any], zero_point: int) -> np.ndarray:
    """rint(z * S_j), int32 (fan_out,)."""
    sums = np.rint(zero_point * np.array(entry["column_sums_lsb"], np.float64))
    if not np.abs(sums).max(initial=0) <= TOP:
        raise ConfigError(f"matrix {entry['name']}: a sum of a column does not fit 32 bits")
    return sums.astype(np.int32)


def _reads(tiles: List[Dict[str, Any]]) -> Tuple[Read, ...]:
    """Tiles with the same macro, columns and matrix columns are driven together."""
    together: Dict[Tuple[int, int, int, int], List[Tuple[int, int, int]]] = {}
    for tile in tiles:
        key = (tile["macro"], tile["col0"], tile["pairs"], tile["matrix_col"])
        together.setdefault(key, []).append((tile["row0"], tile["rows"], tile["matrix_row"]))
    return tuple(Read(*key, tuple(pieces)) for key, pieces in together.items())


def _shape(layer: Mapping[str, Any]) -> Tuple[int, int, int]:
    shape = tuple(layer["output_shape"])
    return shape if len(shape) == 3 else (1, 1, shape[0])  # type: ignore[return-value]


def _products(build: _Builder, layer: Mapping[str, Any], names: List[str], numbers: Tuple[int, ...]) -> None:
    """A convolution, or a matrix product as one over a single pixel."""
    came = build.signal
    if came.step is None:
        raise DataError(f"layer {layer['name']}: its input is not quantised")
    bound = max(build.bound_of(name, came.step, came.zero_point) for name in names)
    first, made = len(build.matrices), build.values(_shape(layer), bound)
    for name in names:
        build.matrix(name, came.step, came.zero_point, made.fraction)
    numbers = (first, len(names), *numbers, made.shape[2], came.zero_point)
    build.add(CONVOLVE, layer, made, numbers)


def _conv(build: _Builder, layer: Mapping[str, Any]) -> None:
    groups, name = layer.get("groups", 1), layer["name"]
    names = [name] if groups == 1 else [f"{name}.{group}" for group in range(groups)]
    places = (*layer["kernel"], *layer["stride"], *layer["padding"], *layer.get("dilation", (1, 1)))
    _products(build, layer, names, places)


def _linear(build: _Builder, layer: Mapping[str, Any]) -> None:
    _products(build, layer, [layer["name"]], (1, 1, 1, 1, 0, 0, 1, 1))


def _rnn(build: _Builder, layer: Mapping[str, Any]) -> None:
    came, name = build.signal, layer["name"]
    if came.step is None:
        raise DataError(f"layer {name}: its input is not quantised")
    bound = build.bound_of(name + ".input", came.step, came.zero_point)
    bound += build.bound_of(name + ".hidden", layer["step"], 0)
    first, made = len(build.matrices), build.values(_shape(layer), bound)
    build.matrix(name + ".input", came.step, came.zero_point, made.fraction)
    build.matrix(name + ".hidden", layer["step"], 0, made.fraction)
    factor = factor_of(2.0**-made.fraction / layer["step"])
    numbers = (first, first + 1, factor.multiplier, factor.shift, layer["bits"], came.zero_point)
    build.add(RECUR, layer, made, numbers)


def _affine(build: _Builder, layer: Mapping[str, Any]) -> None:
    came = build.signal
    offset = np.array(layer["offset"], np.float64)
    gain = np.array(layer["gain"], np.float64) if "gain" in layer else np.ones_like(offset)
    bound = float((came.bound * np.abs(gain) + np.abs(offset)).max())
    made = build.values(came.shape, bound)
    factors = shared_factors(gain * came.unit * 2.0**made.fraction)
    table = np.array([factor.multiplier for factor in factors], np.int32)
    offsets = np.rint(offset * 2.0**made.fraction).astype(np.int32)
    table = np.stack([table, offsets], axis=1)
    build.add(AFFINE, layer, made, (len(offset), factors[0].shift, came.zero_point), table=table)


def _clip(build: _Builder, layer: Mapping[str, Any]) -> None:
    build.to_values(layer)
    came = build.signal
    low, high = (0.0, None) if layer["type"] == "Relu" else (layer["low"], layer["high"])
    unit = 2.0**came.fraction
    bounds = [-TOP if low is None else int(round(low * unit)), TOP if high is None else int(round(high * unit))]
    bounds = [max(-TOP, min(TOP, bound)) for bound in bounds]
    limits = [came.bound if limit is None else abs(limit) for limit in (low, high)]
    build.add(CLIP, layer, came._replace(bound=min(came.bound, max(limits))), (bounds[0], bounds[1]))


def _quantize(build: _Builder, layer: Mapping[str, Any]) -> None:
    build.to_values(layer)
    came, bits, zero = build.signal, layer["bits"], layer.get("zero_point", 0)
    factor = factor_of(2.0**-came.fraction / layer["step"])
    bound = max(zero, 2**bits - 1 - zero) * layer["step"]
    made = Signal(came.shape, layer["step"], zero, bits, 0, bound)
    build.add(QUANTIZE, layer, made, (factor.multiplier, factor.shift, bits, zero))


def _max_pool(build: _Builder, layer: Mapping[str, Any]) -> None:
    build.add(MAX_POOL, layer, build.signal._replace(shape=_shape(layer)), _windows(layer))


def _mean_pool(build: _Builder, layer: Mapping[str, Any]) -> None:
    build.to_values(layer)
    came = build.signal
    windows = _windows(layer) if layer["type"] != "GlobalAverage" else (*came.shape[:2], 1, 1, 0, 0, 0, 0)
    build.add(MEAN_POOL, layer, came._replace(shape=_shape(layer)), (*windows, int(layer.get("counts_padding", 0))))


def _windows(layer: Mapping[str, Any]) -> Tuple[int, ...]:
    if "size" in layer:
        return (layer["size"],) * 4 + (0,) * 4
    return (*layer["kernel"], *layer["stride"], *layer["padding"])


def _pad(build: _Builder, layer: Mapping[str, Any]) -> None:
    came = build.signal
    build.add(PAD, layer, came._replace(shape=_shape(layer)), (*layer["padding"], came.zero_point))


def _join(build: _Builder, layer: Mapping[str, Any]) -> None:
    index, other = build.found[layer["other"]]
    came, adds = build.signal, layer["type"] == "Add"
    bound = came.bound + other.bound if adds else max(came.bound, other.bound)
    made = build.values(_shape(layer), bound)
    one, two = (factor_of(signal.unit * 2.0**made.fraction) for signal in (came, other))
    numbers = (one.multiplier, two.multiplier, one.shift, two.shift, came.zero_point, other.zero_point)
    build.add(ADD if adds else CONCAT, layer, made, numbers, other=index)


def _recall(build: _Builder, layer: Mapping[str, Any]) -> None:
    index, other = build.found[layer["other"]]
    build.add(RECALL, layer, other, other=index)


def _shuffle(build: _Builder, layer: Mapping[str, Any]) -> None:
    build.add(SHUFFLE, layer, build.signal, (layer["groups"],))


def _flatten(build: _Builder, layer: Mapping[str, Any]) -> None:
    build.add(FLATTEN, layer, build.signal._replace(shape=_shape(layer)))


_MAKERS: Dict[str, Callable[[_Builder, Mapping[str, Any]], None]] = {
    "Conv2d": _conv,
    "Linear": _linear,
    "Rnn": _rnn,
    "BatchNorm": _affine,
    "Bias": _affine,
    "Relu": _clip,
    "Clip": _clip,
    "Quantize": _quantize,
    "SignedQuantize": _quantize,
    "MaxPool": _max_pool,
    "MaxPool2d": _max_pool,
    "AveragePool": _mean_pool,
    "AveragePool2d": _mean_pool,
    "GlobalAverage": _mean_pool,
    "Pad": _pad,
    "Add": _join,
    "Concat": _join,
    "Recall": _recall,
    "ChannelShuffle": _shuffle,
    "Flatten": _flatten,
}
"""layers that have a form in integers"""

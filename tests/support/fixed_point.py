"""How far the digital side in integers is from exact arithmetic, beside the budget that SPEC.md, 2.3 states.

Both get the same totals from the chip, and the same codes behind each quantiser: what is compared is the arithmetic
from one quantiser to the next.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import numpy as np

from minirram.inference import integers as kinds
from minirram.inference.integer_forward import integer_forward
from minirram.inference.integers import NO_OTHER, IntegerNetwork

from .digital_reader import READERS, Controller, Signal

FLOATS = 1e-11  # relative error of the float64 side
MOST = 2**29  # half of the largest value in units: times the error of a multiplier, half a unit of it


class Found(NamedTuple):
    """What one layer was off by."""

    name: str
    off: np.ndarray
    """|integers - floats|, of values in units of their last bit, of a quantiser's input in codes"""
    budget: float
    """the same, at most"""


class FloatSide(Controller):
    """The digital side in float64, on given totals; `seen`: {layer: codes or values of the integers}."""

    def __init__(self, description: Dict[str, Any], totals: Callable[[str, np.ndarray], np.ndarray]) -> None:
        super().__init__(description, np.zeros((0, 0, 0)))
        self.totals = totals
        self.seen: Dict[str, np.ndarray] = {}
        self.fractions: Dict[str, int] = {}

    def product(self, name: str, signal: Signal) -> np.ndarray:
        """Steps 4 and 5 of section 2.1 in float64."""
        codes, step, zero_point = signal
        entry = self.matrices[name]
        total = self.totals(name, codes.astype(np.uint8)).astype(np.float64)
        if zero_point:
            total -= np.rint(zero_point * np.array(entry["column_sums_lsb"]))
        return total * entry["weight_per_lsb"] * step

    def recurrent(self, layer: Dict[str, Any], signal: Signal) -> Signal:
        """Codes that are fed back are those of the integers."""
        codes, step, zero_point = signal
        unit = 2.0 ** -self.fractions[layer["name"]]
        y = np.empty([len(codes)] + layer["output_shape"])
        for t in range(codes.shape[2]):
            total = self.product(layer["name"] + ".input", (codes[:, 0, t], step, zero_point))
            if t:
                h = self.seen[layer["name"]][:, 0, t - 1] * unit
                back = np.clip(np.floor(h / layer["step"] + 0.5), 0, 2 ** layer["bits"] - 1)
                total = total + self.product(layer["name"] + ".hidden", (back, layer["step"], 0))
            y[:, 0, t] = np.maximum(total, 0)
        return y, 1.0, 0


def measured(
    description: Dict[str, Any], network: IntegerNetwork, codes: np.ndarray, totals: Callable[..., np.ndarray]
) -> List[Found]:
    """What each layer was off by, for input codes (n, height, width, channels)."""
    floats, budgets = FloatSide(description, totals), budgets_of(network)
    last = {step.name: index for index, step in enumerate(network.steps)}
    floats.fractions = {name: network.steps[index].fraction for name, index in last.items()}

    def saw(index: int, x: np.ndarray) -> None:
        floats.seen[network.steps[index].name] = x

    integer_forward(network, codes, totals, saw=saw)
    given = description["input"]
    signal: Signal = codes.astype(np.int64), given["step"], given["zero_point"]
    found = []
    for layer in description["layers"]:
        name, before = layer["name"], signal
        if layer["type"] == "Rnn":
            signal = floats.recurrent(layer, signal)
        else:
            signal = READERS[layer["type"]](floats, layer, signal)
        ours = floats.seen[name].reshape(signal[0].shape)
        if layer["type"] in ("Quantize", "SignedQuantize"):
            x, step, zero_point = before
            exact = (x - zero_point) * step / layer["step"] + layer.get("zero_point", 0)
            off = np.abs(np.clip(exact, 0, 2 ** layer["bits"] - 1) - ours)
            found.append(Found(name, np.maximum(off - 0.5, 0), budgets[last[name]]))
            signal = ours.astype(np.int64), signal[1], signal[2]
        elif ours.dtype != np.uint8:
            unit = 2.0 ** -floats.fractions[name]
            found.append(Found(name, np.abs(signal[0] / unit - ours), budgets[last[name]] / unit))
        floats.signals[name] = signal
        floats.kept[name] = (signal[0] - signal[2]) * signal[1]
    return found


def budgets_of(network: IntegerNetwork) -> List[float]:
    """Of each step, how far its values may be from exact ones; of a quantiser, how many codes beside half a code."""
    made: List[float] = []
    kept: List[float] = []  # the same, of values alone: codes are taken as they are
    for index, step in enumerate(network.steps):
        came = kept[index - 1] if index else 0.0
        other = 0.0 if step.other == NO_OTHER else kept[step.other]
        unit = 2.0**-step.fraction
        made.append(_budget(network, step, came, other, unit) + FLOATS * 2**30 * unit)
        is_codes = step.kind == kinds.QUANTIZE
        kept.append(0.0 if is_codes else made[-1])
    return made


def _budget(network: IntegerNetwork, step: Any, came: float, other: float, unit: float) -> float:
    numbers = step.numbers
    if step.kind == kinds.CONVOLVE:
        own = max(_own(matrix.factor.multiplier) for matrix in network.matrices[numbers[0] : numbers[0] + numbers[1]])
        return own * unit
    if step.kind == kinds.RECUR:
        return sum(_own(network.matrices[which].factor.multiplier) for which in numbers[:2]) * unit
    if step.kind == kinds.AFFINE:
        largest = int(np.abs(np.asarray(step.table)[:, 0].astype(np.int64)).max())
        return came * largest * 2.0 ** -numbers[1] * _ratio(network, step) + (_own(largest) + 0.5) * unit
    if step.kind == kinds.QUANTIZE:
        multiplier, shift, bits, _ = numbers
        return came * multiplier * 2.0**-shift * _ratio(network, step) + 2.0 ** (bits - 1) / multiplier
    if step.kind in (kinds.ADD, kinds.CONCAT):
        parts = came + _own(numbers[0]) * unit, other + _own(numbers[1]) * unit
        return sum(parts) if step.kind == kinds.ADD else max(parts)
    if step.kind == kinds.SCALE:
        return _own(numbers[0]) * unit
    if step.kind == kinds.RECALL:
        return other
    return came + (0.5 * unit if step.kind in (kinds.MEAN_POOL, kinds.CLIP) else 0.0)


def _own(multiplier: int) -> float:
    """Units that a product with a factor adds: its last bit on the largest value, and one rounding."""
    return MOST / max(1, abs(multiplier)) + 0.5


def _ratio(network: IntegerNetwork, step: Any) -> float:
    """From integers to integers times this is from values to values (of a quantiser: to codes)."""
    index = next(k for k, one in enumerate(network.steps) if one is step)
    before = network.steps[index - 1].fraction if index else 0
    return 2.0 ** (before - (0 if step.kind == kinds.QUANTIZE else step.fraction))


def shares(found: List[Found]) -> Tuple[float, float, float]:
    """(largest share of its budget that a layer took, largest and root mean square error of values in units)"""
    share = max(float(one.off.max(initial=0)) / one.budget for one in found)
    values = np.concatenate([one.off.ravel() for one in found])
    return share, float(values.max(initial=0)), float(np.sqrt(np.mean(values**2)))

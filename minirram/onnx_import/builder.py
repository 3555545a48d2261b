"""From nodes to layers: a graph has branches, a `Network` is a line of layers that returns to earlier ones by name."""

import re
from dataclasses import dataclass, replace
from typing import Any, Dict, List, NoReturn, Optional, Tuple

import numpy as np

from ..errors import ConfigError, DataError, ShapeError
from ..nn.layers.activation import Quantize, SignedQuantize
from ..nn.layers.base import Codes, Layer, Shape, n_values
from ..nn.layers.bias import Bias
from ..nn.layers.join import Recall
from ..nn.layers.norm import BATCH_NORM_EPSILON, BatchNorm
from .graph import MOST_NUMBERS, MOST_VALUES, Node

INPUT = ""
"""what stands for the name of a layer where the network's input is meant"""


@dataclass(frozen=True)
class Value:
    """A tensor of activations, as the layer that gives it has it."""

    layer: str
    """name of the layer"""
    shape: Shape
    """of a sample, channels last"""
    rank: int
    """axes of the tensor in the file, the batch among them"""
    uses: int = 1
    """how many nodes take it"""
    positive: bool = False
    """whether no value is below 0"""
    order: Optional[Shape] = None
    """shape of the image that was flattened: there the channels came first, here they come last"""
    parted: Optional[Tuple[int, bool]] = None
    """(groups, whether they are transposed): channels on their way to a shuffle"""
    shares: bool = False
    """whether a softmax has been left out"""


class Builder:
    """The layers so far, what they give, and the numbers in them (float64)."""

    def __init__(
        self, *, bits: int, input_shape: Tuple[int, int, int], input_codes: Codes, weighted: bool = True
    ) -> None:
        self.bits = bits
        self.weighted = weighted  # whether the numbers of matrices are wanted
        self.numbers = 0  # of matrices and channels so far
        self.layers: List[Layer] = []
        self.shapes: Dict[str, Shape] = {INPUT: input_shape}
        self.codes: Dict[str, Optional[Codes]] = {INPUT: input_codes}
        self.weights: Dict[str, np.ndarray] = {}
        self.state: Dict[str, np.ndarray] = {}
        self.quantised: Dict[str, str] = {}
        self.notes: List[str] = []
        self.node = Node("input", "Input", (), (), {})
        self.uses = 1  # of the output of the present node
        self.named = set(self.shapes)  # names that are given away

    @property
    def last(self) -> str:
        """Name of the last layer."""
        return self.layers[-1].name if self.layers else INPUT

    def fail(self, text: str) -> NoReturn:
        """DataError that names the present node."""
        raise DataError(f"{self.node}: {text}")

    def name(self, of: str = "") -> str:
        """A name for a layer of the present node that no other layer has, nor one that comes before it in the end."""
        plain = re.sub(r"\W+", "_", of or self.node.name, flags=re.ASCII).strip("_").lower()[:60] or "layer"
        name, number = plain, 2
        while name in self.named:
            name, number = f"{plain}_{number}", number + 1
        self.named.add(name)
        return name

    def emit(self, layer: Layer, value: Value, *others: Value, **changes: Any) -> Value:
        """Append a layer that takes `value`; what it gives. changes: what is other than in `value`."""
        self.go_to(value.layer)
        shape = self._append(layer)
        plain: Dict[str, Any] = {"positive": False, "parted": None, "uses": self.uses, **changes}
        return replace(value, layer=layer.name, shape=shape, **plain)

    def _append(self, layer: Layer) -> Shape:
        names = (self.last,) + layer.others
        try:
            shape = layer.output_shape(tuple(self.shapes[name] for name in names))
        except (ShapeError, ConfigError) as error:
            self.fail(str(error))
        if n_values(shape) > MOST_VALUES:
            self.fail(f"gives {shape}; at most {MOST_VALUES} numbers")
        self.codes[layer.name] = layer.codes_joined(tuple(self.codes[name] for name in names))
        self.shapes[layer.name] = shape
        self.layers.append(layer)
        return shape

    def count(self, numbers: int) -> None:
        """Take note of so many numbers before memory is taken for them; fail when they become too many."""
        self.numbers += numbers
        if self.numbers > MOST_NUMBERS:
            self.fail(f"with it the network has more than {MOST_NUMBERS} weights and numbers per channel")

    def hold(self, name: str, matrix: np.ndarray, shape: Tuple[int, int]) -> None:
        """The numbers of a matrix, as float32 (fan_in, fan_out)."""
        self.count(matrix.size)
        if self.weighted:
            self.weights[name] = np.ascontiguousarray(matrix.reshape(shape), np.float32)

    def go_to(self, name: str) -> None:
        """Let the last layer give what layer `name` gave."""
        if name == self.last:
            return
        self._append(Recall(self.name(name + "_again"), name))

    def codes_of(self, value: Value) -> Value:
        """The same as codes: they alone enter a matrix. Quantised once for all that take it."""
        if self.codes[value.layer] is not None:
            return value
        if value.layer not in self.quantised:
            self.go_to(value.layer)
            kind = Quantize if value.positive else SignedQuantize
            layer = kind(self.name(value.layer + "_codes"), self.bits)
            self._append(layer)
            self.quantised[value.layer] = layer.name
        return replace(value, layer=self.quantised[value.layer])

    def affine(self, value: Value, gain: Optional[np.ndarray], offset: np.ndarray) -> Value:
        """value * gain + offset per channel; a batch norm or a bias that nothing else takes becomes part of it."""
        channels = value.shape[-1]
        offset = self.per_channel(offset, channels)
        gain = None if gain is None else self.per_channel(gain, channels)
        last = self.layers[-1] if self.layers else None
        if value.uses == 1 and last is not None and value.layer == last.name:
            if isinstance(last, BatchNorm):
                gamma, beta = (self.state[f"{last.name}.{part}"] for part in ("gamma", "beta"))
                self.state[last.name + ".gamma"] = gamma if gain is None else gamma * gain
                self.state[last.name + ".beta"] = (beta if gain is None else beta * gain) + offset
                return replace(value, uses=self.uses, positive=False)
            if isinstance(last, Bias):
                before = self.state.pop(last.name + ".offset")
                if gain is None:
                    self.state[last.name + ".offset"] = before + offset
                    return replace(value, uses=self.uses, positive=False)
                self.drop_last()
                value = replace(value, layer=self.last)
                offset = offset + before * gain
        if gain is None:
            name = self.name()
            self.state[name + ".offset"] = offset
            return self.emit(Bias(name, channels), value)
        ones = np.ones(channels)
        return self.batch_norm(value, gain * np.sqrt(1 + BATCH_NORM_EPSILON), offset, mean=0 * ones, var=ones)

    def batch_norm(self, value: Value, gamma: Any, beta: Any, *, mean: Any, var: Any) -> Value:
        """(value - mean) / sqrt(var + epsilon) * gamma + beta; a bias before it moves its mean."""
        last = self.layers[-1] if self.layers else None
        if value.uses == 1 and isinstance(last, Bias) and value.layer == last.name:
            mean = mean - self.state.pop(last.name + ".offset")
            self.drop_last()
            value = replace(value, layer=self.last)
        name = self.name()
        self.state.update({name + ".mean": mean, name + ".var": var, name + ".gamma": gamma, name + ".beta": beta})
        return self.emit(BatchNorm(name, value.shape[-1], affine=True), value)

    def drop_last(self) -> None:
        """Take the last layer away; nothing else takes its output."""
        name = self.layers.pop().name
        del self.shapes[name], self.codes[name]

    def per_channel(self, array: np.ndarray, channels: int) -> np.ndarray:
        """A constant that is added or multiplied, as float64 (channels,)."""
        self.count(channels)
        values = np.asarray(array, np.float64)
        if values.size == 1:
            return np.full(channels, float(values.reshape(())))
        if values.size != channels:
            self.fail(f"a constant of shape {values.shape} for {channels} channels; one number per channel, or one")
        return values.reshape(-1)

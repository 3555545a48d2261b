"""A network for inputs of another range: chips take codes, which stand for values of an interval of length 1."""

from dataclasses import replace
from typing import Any, Dict, List

from ..errors import DataError
from ..nn.layers.activation import Clip
from ..nn.layers.base import Layer
from ..nn.layers.bias import Bias
from ..nn.layers.join import Recall
from ..nn.layers.norm import BatchNorm
from ..nn.layers.response_norm import ResponseNorm
from .imported import Imported


def scaled_input(imported: Imported, span: float, *, zero: int) -> Imported:
    """The network that gives for x / span what `imported`, with weights, gives for x; `zero`: input code of 0.0.

    Layers pass a factor on until a matrix or a batch norm takes it into its numbers. DataError where a branch with the
    factor meets one without.
    """
    weights, state = dict(imported.trained_weights), dict(imported.state)
    factors: Dict[str, float] = {}
    layers: List[Layer] = []
    factor = span
    for layer in imported.network.layers:
        others = [factors[name] for name in layer.others]
        if isinstance(layer, Recall):
            factor = others[0]
        elif any(other != factor for other in others):
            raise DataError(f"layer {layer.name} joins the input itself with what a matrix made of it")
        if factor != 1.0:
            layer, factor = _absorbed(layer, factor, weights, state)
        factors[layer.name] = factor
        layers.append(layer)
    network = replace(imported.network, layers=tuple(layers), input_zero=zero)
    return replace(imported, network=network, weights=weights, state=state)


def _absorbed(layer: Layer, factor: float, weights: Dict[str, Any], state: Dict[str, Any]) -> Any:
    """(the layer for its input over `factor`, factor of its output)"""
    name = layer.name
    if layer.matrices():
        for matrix, _ in layer.matrices():
            weights[matrix] = weights[matrix] * weights[matrix].dtype.type(factor)
        return layer, 1.0
    if isinstance(layer, BatchNorm):
        state[name + ".mean"] = state[name + ".mean"] / state[name + ".mean"].dtype.type(factor)
        state[name + ".gamma"] = state[name + ".gamma"] * state[name + ".gamma"].dtype.type(factor)
        return layer, 1.0
    if isinstance(layer, Bias):
        state[name + ".offset"] = state[name + ".offset"] / state[name + ".offset"].dtype.type(factor)
    if isinstance(layer, ResponseNorm):  # x f / (bias + alpha f^2 ...)^beta
        layer = replace(layer, alpha=layer.alpha * factor**2)
    if isinstance(layer, Clip):
        low, high = (None if bound is None else bound / factor for bound in (layer.low, layer.high))
        layer = replace(layer, low=low, high=high)
    return layer, factor

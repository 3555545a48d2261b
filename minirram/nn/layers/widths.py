"""The widths of a network: how many channels its layers give, and the same network with others."""

from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

from ...errors import ConfigError, ShapeError
from ..network import Network
from .activation import Clip, Quantize, Relu, SignedQuantize
from .base import Layer, Shape
from .bias import Bias
from .convolution import Conv2d
from .join import Add, Concat, Flatten, Recall
from .linear import Linear
from .norm import BatchNorm
from .recurrent import Rnn
from .resample import AveragePool, GlobalAverage, MaxPool, Upsample
from .resize import Resize
from .response_norm import ResponseNorm
from .windows import AveragePool2d, MaxPool2d, Pad

_PASSING = (Relu, Clip, ResponseNorm, Quantize, SignedQuantize, Bias, BatchNorm, Flatten) + (
    MaxPool,
    MaxPool2d,
    AveragePool,
    AveragePool2d,
    GlobalAverage,
    Upsample,
    Resize,
    Pad,
)
"""layers that give as many channels as they get"""
_OWN = {Conv2d: "out_channels", Linear: "out_features", Rnn: "hidden"}
"""the field that says how many channels a layer gives"""
_INPUT = "the input"


def widths(network: Network) -> Dict[str, int]:
    """{layer: channels it gives} of all widths that can be chosen; what a sum ties to one of them is not listed.

    Inputs and outputs of the network are fixed, and what enters layers of a kind that is not known here.
    """
    tied = _Tied(network)
    found = {}
    for layer in network.layers:
        chosen = type(layer) in _OWN and tied.root(tied.own[layer.name]) == layer.name
        if chosen and layer.name not in tied.fixed:
            found[layer.name] = _width(layer)
    return found


def with_widths(network: Network, chosen: Mapping[str, int]) -> Network:
    """The network with other `widths`; those not named stay. ConfigError for a width that cannot be chosen."""
    unknown = sorted(set(chosen) - set(widths(network)))
    if unknown:
        raise ConfigError(f"network {network.name}: the width of {unknown[0]} cannot be chosen")
    tied, layers = _Tied(network), []
    shapes: Dict[str, Shape] = {}
    shape: Shape = tuple(network.input_shape)
    for layer in network.layers:
        root = tied.root(tied.own[layer.name])
        layer = _fitted(layer, shape, chosen.get(root))
        shape = shapes[layer.name] = layer.output_shape((shape,) + tuple(shapes[name] for name in layer.others))
        layers.append(layer)
    return replace(network, layers=tuple(layers))


def deeper(network: Network) -> Optional[Network]:
    """The network with its last full layer of free width, and all up to the next matrix, a second time.

    One width has one proportion to the inputs and the classes, which no macro need have. None without such a layer.
    """
    own, layers = widths(network), network.layers
    full = {layer.name: (k, layer) for k, layer in enumerate(layers) if isinstance(layer, Linear) and layer.name in own}
    if not full:
        return None
    start, first = list(full.values())[-1]
    end = next((k for k in range(start + 1, len(layers)) if layers[k].matrices()), len(layers))
    again = [replace(first, in_features=first.out_features), *layers[start + 1 : end]]
    again = [replace(layer, name=f"{layer.name}_2") for layer in again]
    try:
        return replace(network, layers=(*layers[:end], *again, *layers[end:]))
    except (ShapeError, ConfigError):
        return None


def _width(layer: Layer) -> int:
    return int(getattr(layer, _OWN[type(layer)]))


def _is_depthwise(layer: Layer) -> bool:
    return isinstance(layer, Conv2d) and 1 < layer.groups == layer.in_channels == layer.out_channels


def _fitted(layer: Layer, shape: Shape, width: Optional[int]) -> Layer:
    """The layer for inputs of `shape`, and with `width` channels where one is given."""
    changes: Dict[str, Any] = {}
    if _is_depthwise(layer):
        changes = dict.fromkeys(("groups", "in_channels", "out_channels"), shape[-1])
    elif isinstance(layer, Conv2d) and layer.groups == 1:
        changes = {"in_channels": shape[-1]}
    elif isinstance(layer, (Linear, Rnn)):
        changes = {"in_features": shape[-1]}
    elif isinstance(layer, (BatchNorm, Bias)):
        changes = {"channels": shape[-1]}
    if width is not None and type(layer) in _OWN and not _is_depthwise(layer):
        changes[_OWN[type(layer)]] = width
    return replace(layer, **changes)


class _Tied:
    """Which layers give as many channels as others, and which widths are fixed.

    own: per layer the name of the layer that decides its channels. fixed: roots that cannot be chosen.
    """

    def __init__(self, network: Network) -> None:
        self.own: Dict[str, str] = {}
        self.fixed: Set[str] = {_INPUT}
        self._parent: Dict[str, str] = {}
        self._parts: Dict[str, Tuple[str, ...]] = {}
        last = _INPUT
        for layer in network.layers:
            last = self.own[layer.name] = self._of(layer, last)
        self._fix(last)

    def root(self, name: str) -> str:
        """The layer that stands for all that are tied to it."""
        while name in self._parent:
            name = self._parent[name]
        return name

    def _of(self, layer: Layer, last: str) -> str:
        """Whose channels `layer` gives when it gets those of `last`."""
        if isinstance(layer, _PASSING) or _is_depthwise(layer):
            return last
        if isinstance(layer, Recall):
            return self.own[layer.other]
        if isinstance(layer, Add):
            return self._tie(last, self.own[layer.other])
        if isinstance(layer, Concat):
            self._parts[layer.name] = (last, self.own[layer.other])
        elif type(layer) not in _OWN or (isinstance(layer, Conv2d) and layer.groups > 1):
            self._fix(last)
            self._fix(layer.name)
        return layer.name

    def _tie(self, one: str, other: str) -> str:
        """Both have one width from now on."""
        one, other = self.root(one), self.root(other)
        if one in self._parts or other in self._parts or {one, other} & self.fixed:
            self._fix(one)
            self._fix(other)
        if one != other:
            self._parent[other] = one
        return one

    def _fix(self, name: str) -> None:
        """The width stays, and that of each part where channels were joined."""
        names: List[str] = [name]
        while names:
            root = self.root(names.pop())
            names += self._parts.get(root, ())
            self.fixed.add(root)

"""What the package asks of a layer. A kind of layer is one frozen dataclass, derived from `Layer`, that answers all.

A layer gets the output of the layer before it, and the outputs of the earlier layers that it names in `others`.
`inputs` lists both in this order: shapes of one sample, arrays of a batch, or signals on a chip. A batch of images is
(n, height, width, channels), else (n, features).
"""

import difflib
import math
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Callable, ClassVar, Counter, Dict, NamedTuple, Optional, Protocol, Tuple, Type

import numpy as np

from ...errors import ConfigError, DataError
from ...json_codec import built

Shape = Tuple[int, ...]
Shapes = Tuple[Shape, ...]
Arrays = Tuple[np.ndarray, ...]
Gradients = Dict[str, np.ndarray]


def n_values(shape: Shape) -> float:
    """Number of values of one sample, as a float: events are counted in floats."""
    return float(math.prod(shape))


@dataclass(frozen=True)
class DigitalEvents:
    """Events of one layer's digital arithmetic in one inference."""

    multiplies: float = 0
    """multiplications"""
    adds: float = 0
    """additions and subtractions"""
    compares: float = 0
    """comparisons"""
    bits_written: float = 0
    """bits of codes put into the buffer"""
    bits_kept: float = 0
    """bits of activations put into the buffer for a later layer that joins them"""
    bits_taken: float = 0
    """bits of such activations taken out again"""
    bits_freed: float = 0
    """bits of such activations that no later layer takes again: the buffer forgets them"""

    @property
    def buffer_bits(self) -> float:
        """Bits moved into and out of the buffer."""
        return self.bits_written + self.bits_kept + self.bits_taken


FREE = DigitalEvents()
"""what a layer declares that takes no arithmetic: it only reorders what is there"""


class Codes(NamedTuple):
    """Unsigned codes as they travel between layers and enter a matrix."""

    bits: int
    """1 to 8"""
    zero_point: int = 0
    """code that stands for 0.0"""


@dataclass(frozen=True)
class Signal:
    """What travels between layers on a chip: floats, or codes with their step and zero point."""

    values: np.ndarray
    """float32, or uint8 codes"""
    step: Optional[float] = None
    """value of one code; None: the values are floats"""
    zero_point: int = 0
    """code that stands for 0.0"""

    def floats(self) -> np.ndarray:
        """The values that codes stand for; floats as they are."""
        if self.step is None:
            return self.values
        return (self.values.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.step)


class Product(Protocol):
    """The product of codes with a matrix."""

    def __call__(self, name: str, codes: np.ndarray, *, zero_point: int = 0) -> np.ndarray:
        """sum_i (code_i - zero_point) w_ij of codes (m, fan_in): float32 (m, fan_out)."""


def _ignored(name: str, values: np.ndarray) -> None:
    pass


@dataclass(frozen=True)
class Parameters:
    """What a layer computes with in training."""

    weights: Dict[str, np.ndarray]
    """per matrix (fan_in, fan_out)"""
    state: Dict[str, np.ndarray]
    """digital state of the network"""
    training: bool = False
    """True: statistics are those of the batch, and `backward` follows"""
    saw: Callable[[str, np.ndarray], None] = _ignored
    """is told a quantiser's name and the values that it sees: its range is estimated from them"""

    def step(self, name: str, bits: int) -> Optional[float]:
        """As `quantisation_step`."""
        return quantisation_step(self.state, name, bits=bits)


def quantisation_step(state: Dict[str, np.ndarray], name: str, *, bits: int) -> Optional[float]:
    """Step of quantiser `name`; None while its range is not calibrated (0) or infinite: values pass as they are."""
    value = float(state[name + ".range"])
    return value / (2**bits - 1) if 0 < value < math.inf else None


@dataclass(frozen=True)
class Inference:
    """What a layer computes with on a chip."""

    product: Product
    """the product of codes with a matrix"""
    state: Dict[str, np.ndarray]
    """digital state of the network"""
    clipped: Counter[str] = field(default_factory=Counter)
    """per quantiser: activations out of its range so far"""

    def step(self, name: str, bits: int) -> float:
        """Step of quantiser `name`; DataError when its range was never calibrated."""
        step = quantisation_step(self.state, name, bits=bits)
        if step is None:
            raise DataError(f"the range of {name} was never calibrated (it is {float(self.state[name + '.range'])})")
        return step


_CLASSES: Dict[str, Type["Layer"]] = {}


@dataclass(frozen=True)
class Layer:
    """One layer. A class of one's own derives from it and has the methods of REQUIRED; the others have defaults.

    A class enters the registry by being defined: run folders name layers by their class.
    """

    name: str
    """name of the layer, its own in the network; matrices and digital state are named after it"""
    whole_batch: ClassVar[bool] = False
    """True: in training a sample's output depends on the other samples; the engine needs a node made for the class"""
    keeps_shifts: ClassVar[bool] = False
    """True: what is added to a channel of the input is added to that channel of the output"""

    def __init_subclass__(cls) -> None:
        known = _CLASSES.get(cls.__name__, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ConfigError(f"two layer classes are called {cls.__name__}: {known.__module__} has the other")
        _CLASSES[cls.__name__] = cls

    @property
    def others(self) -> Tuple[str, ...]:
        """Names of the earlier layers whose outputs it joins."""
        return ()

    def output_shape(self, inputs: Shapes) -> Shape:
        """Shape of the output for one sample; ShapeError when the inputs do not fit."""
        raise NotImplementedError

    # -- parameters -----------------------------------------------------------------------------

    def matrices(self) -> Tuple[Tuple[str, Tuple[int, int]], ...]:
        """((name, (fan_in, fan_out)), ...) of its weight matrices."""
        return ()

    def positions(self, output: Shape) -> int:
        """Input vectors per sample that each matrix meets: the places of the output."""
        return math.prod(output[:-1])

    def initial_state(self, dtype: type) -> Dict[str, np.ndarray]:
        """Its part of the digital state before training."""
        return {}

    def trained(self) -> Tuple[str, ...]:
        """Names of the entries of its state that are trained by gradients."""
        return ()

    def quantisers(self) -> Dict[str, int]:
        """{name: bits} of the quantisers in it; each has the entry name.range in its state."""
        return {}

    def requantised(self, bits: int) -> "Layer":
        """The layer with codes of `bits`; the ranges they cover stay. Here: its field `bits` is changed."""
        changes: Dict[str, Any] = {"bits": bits} if self.quantisers() else {}
        return replace(self, **changes)

    # -- training, on plain arrays ---------------------------------------------------------------

    def forward(self, inputs: Arrays, parameters: Parameters) -> Tuple[np.ndarray, Any]:
        """(output of a batch, what `backward` needs). The inputs are not written to."""
        raise NotImplementedError

    def backward(self, dy: np.ndarray, kept: Any) -> Tuple[Arrays, Gradients]:
        """(one gradient per input, gradients of its matrices and of its `trained` state), all as d loss / d value.

        kept: what `forward` returned with `Parameters.training`. dy is not written to.
        """
        raise NotImplementedError

    # -- on a chip --------------------------------------------------------------------------------

    def on_codes(self, inputs: Tuple[Signal, ...], inference: Inference) -> Signal:
        """The same as `forward`, with products taken on codes."""
        raise NotImplementedError

    def codes_out(self, codes: Optional[Codes]) -> Optional[Codes]:
        """What leaves it when `codes` enter (None: floats); None where it gives floats."""
        return None

    def codes_joined(self, codes: Tuple[Optional[Codes], ...]) -> Optional[Codes]:
        """As `codes_out`, from what each of its inputs is; for a layer that passes on the codes of an earlier one."""
        return self.codes_out(codes[0])

    def codes_in(self, codes: Codes) -> Dict[str, Codes]:
        """{matrix: codes that enter it} when `codes` enter the layer."""
        return {name: codes for name, _ in self.matrices()}

    def operations(self, inputs: Shapes, output: Shape) -> DigitalEvents:
        """Digital arithmetic per sample, `FREE` for none. What joins wait for in the buffer is not counted here."""
        raise NotImplementedError

    def digital(self, state: Dict[str, np.ndarray]) -> Dict[str, Any]:
        """What `digital.json` says of it beside its description: numbers that training or calibration left."""
        raise NotImplementedError


MOST_CHANNELS = 2**24
"""and features of a layer; beyond, memory is taken before anything can be said of the network"""
REQUIRED = ("output_shape", "forward", "backward", "on_codes", "operations", "digital")
"""methods that every class of layers defines itself"""


def check_layer(layer: Layer) -> None:
    """ConfigError unless `layer` is a frozen dataclass that answers all that is asked of a layer."""
    kind = type(layer)
    if not isinstance(layer, Layer) or not is_dataclass(kind):
        raise ConfigError(f"{layer!r} is no layer: its class derives from Layer and is a frozen dataclass")
    for method in REQUIRED:
        if getattr(kind, method) is getattr(Layer, method):
            raise ConfigError(f"layer {layer.name}: its class {kind.__name__} has no method {method}")
    for one in fields(layer):
        value = getattr(layer, one.name)
        if isinstance(value, int) and value > MOST_CHANNELS:
            raise ConfigError(f"layer {layer.name}: {one.name} is {value}; at most {MOST_CHANNELS}")
    state = layer.initial_state(np.float32)
    missing = {*layer.trained(), *(name + ".range" for name in layer.quantisers())} - set(state)
    if missing:
        raise ConfigError(f"layer {layer.name}: {kind.__name__}.initial_state lacks {', '.join(sorted(missing))}")


def layer_from_json(value: Any) -> Layer:
    """The layer that `json_codec.plain` wrote, by the name of its class; DataError when no such class is defined."""
    name = value.get("type") if isinstance(value, dict) else None
    if name not in _CLASSES:
        known = {kind.__name__.lower(): kind.__name__ for kind in shipped_layers()}
        near = difflib.get_close_matches(str(name).lower(), list(known), n=1)
        meant = f", or is it {known[near[0]]}?" if near else ""
        raise DataError(f"no class of layers is called {name!r}; import the module that defines it{meant}")
    try:
        return built(_CLASSES[name], value)
    except DataError as error:
        said = str(error)
        called = value.get("name")
        raise DataError(said if called is None or said.startswith("layer ") else f"layer {called}: {said}") from None


def shipped_layers() -> Tuple[Type[Layer], ...]:
    """The classes of layers of the package that are loaded, by name."""
    package = __name__.rpartition(".")[0] + "."
    return tuple(kind for _, kind in sorted(_CLASSES.items()) if kind.__module__.startswith(package))

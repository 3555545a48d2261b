"""Random legal networks of every layer there is: a hypothesis strategy that adds one fitting layer after the other.

A rule per kind of layer says which of its kind fit what is there; a new kind of layer is one more rule in RULES.
"""

from functools import partial
from typing import Any, Dict, List, Optional, Tuple

from hypothesis import strategies as st

from minirram.nn.layers.activation import Clip, Quantize, Relu, SignedQuantize
from minirram.nn.layers.bias import Bias
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Add, ChannelShuffle, Concat, Flatten, Recall
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.layers.recurrent import Rnn
from minirram.nn.layers.resample import AveragePool, GlobalAverage, MaxPool, Upsample
from minirram.nn.layers.resize import CORNERS, Resize
from minirram.nn.layers.response_norm import ResponseNorm
from minirram.nn.layers.windows import AveragePool2d, MaxPool2d, Pad
from minirram.nn.network import Network

BITS = st.integers(1, 8)
LONGEST = 9  # pixels of an input's side
MOST_PIXELS = 120  # of an image that may be made larger
MOST_CHANNELS = 16  # of a layer that may be joined to another
MOST_LAYERS = 14
MOST_NORMS = 3  # each may enlarge the rounding errors of a constant channel 316 times
FAVOUR = 12  # added to the weight of the kind of layer that a network has more of


class Grown:
    """The layers so far, what the last one gives, and what earlier ones gave."""

    def __init__(self, shape: Tuple[int, ...], bits: Optional[int]) -> None:
        self.layers: List[Any] = []
        self.earlier: Dict[str, Tuple[int, ...]] = {}
        self.shape = shape
        self.bits = bits  # of the codes that the last layer gives; None: floats
        self.earlier_bits: Dict[str, Optional[int]] = {}

    @property
    def is_image(self) -> bool:
        """Whether the last layer gives (height, width, channels)."""
        return len(self.shape) == 3

    @property
    def name(self) -> str:
        """Name of the next layer."""
        return f"layer{len(self.layers)}"

    def draw(self, draw: Any, rules: Any) -> None:
        """Append a layer by one of the rules, if one fits."""
        fitting = []
        for rule, weight in rules.items():
            layers = rule(self)
            fitting += [] if layers is None else weight * [layers]
        self.add(draw(draw(st.sampled_from(fitting))))

    def add(self, layer: Any) -> None:
        """Append a layer."""
        self.shape = layer.output_shape((self.shape,) + tuple(self.earlier[name] for name in layer.others))
        self.earlier[layer.name] = self.shape
        self.layers.append(layer)
        if isinstance(layer, (Quantize, SignedQuantize)):
            self.bits = layer.bits
        elif isinstance(layer, Recall):
            self.bits = self.earlier_bits[layer.other]
        elif not isinstance(layer, (Flatten, MaxPool, MaxPool2d, Pad, ChannelShuffle)):
            self.bits = None
        self.earlier_bits[layer.name] = self.bits


Side = Tuple[int, int, int]  # kernel, stride, padding along one side of an image
Layers = Optional[st.SearchStrategy]  # of layers that fit what is there; None: this kind does not fit


def _conv2d(grown: Grown) -> Layers:
    if not grown.is_image or grown.bits is None:
        return None
    channels = grown.shape[2]
    sides = [_side(length) for length in grown.shape[:2]]
    outputs = st.sampled_from((1, 2, 3, 4, 8))
    return st.builds(partial(_convolution, grown.name, channels), *sides, outputs, dilation=_dilation(grown))


def _dilation(grown: Grown) -> Any:
    """1 mostly: with wide padding any kernel of 4 fits twice as far apart."""
    return st.sampled_from(((1, 1), (1, 1), (1, 1), (2, 1), (1, 2), (2, 2)))


def _depthwise(grown: Grown) -> Layers:
    """Groups of one channel, or of a few."""
    if not grown.is_image or grown.bits is None or grown.shape[2] == 1:
        return None
    channels = grown.shape[2]
    groups = st.sampled_from([n for n in range(2, channels + 1) if channels % n == 0] + 3 * [channels])
    sides = [_side(length) for length in grown.shape[:2]]
    return st.builds(partial(_convolution, grown.name, channels), *sides, st.integers(1, 2), groups)


def _convolution(
    name: str, channels: int, rows: Side, cols: Side, outputs: int, groups: int = 1, dilation: Any = (1, 1)
) -> Conv2d:
    """outputs: channels that each group gives. Padding grows with the kernel's reach, so that it fits where it did."""
    kernel, stride, padding = zip(rows, cols)
    more = [(apart - 1) * (side - 1) for apart, side in zip(dilation, kernel)]
    padding = tuple(pad + -(-extra // 2) for pad, extra in zip(padding, more))
    return Conv2d(name, channels, groups * outputs, kernel, stride, padding, groups, dilation)


@st.composite
def _side(draw: Any, length: int) -> Side:
    """(kernel, stride, padding) along an image's side."""
    kernel = draw(st.sampled_from([k for k in (1, 2, 3, 3, 3, 4) if k <= length + 2]))
    least = -(-max(0, kernel - length) // 2)
    return kernel, draw(st.sampled_from((1, 1, 1, 2, 3))), draw(st.sampled_from((least, least, least + 1, least + 2)))


def _linear(grown: Grown) -> Layers:
    if grown.is_image or grown.bits is None:
        return None
    return st.builds(Linear, st.just(grown.name), st.just(grown.shape[0]), st.integers(2, 8))


def _rnn(grown: Grown) -> Layers:
    if not grown.is_image or grown.shape[0] != 1 or grown.shape[1] < 2 or grown.bits is None:
        return None
    return st.builds(Rnn, st.just(grown.name), st.just(grown.shape[2]), st.integers(1, 5), BITS)


def _batch_norm(grown: Grown) -> Layers:
    if sum(isinstance(layer, BatchNorm) for layer in grown.layers) >= MOST_NORMS:
        return None
    return st.builds(BatchNorm, st.just(grown.name), st.just(grown.shape[-1]), st.booleans())


def _relu(grown: Grown) -> Layers:
    return st.just(Relu(grown.name))


def _quantize(grown: Grown) -> Layers:
    return st.builds(Quantize, st.just(grown.name), BITS)


def _max_pool(grown: Grown) -> Layers:
    if not grown.is_image or min(grown.shape[:2]) < 2:
        return None
    return st.builds(MaxPool, st.just(grown.name), st.integers(2, min(3, *grown.shape[:2])))


def _average_pool(grown: Grown) -> Layers:
    if not grown.is_image or min(grown.shape[:2]) < 2:
        return None
    return st.builds(AveragePool, st.just(grown.name), st.integers(2, min(3, *grown.shape[:2])))


def _signed_quantize(grown: Grown) -> Layers:
    return st.builds(SignedQuantize, st.just(grown.name), st.integers(2, 8))


def _clip(grown: Grown) -> Layers:
    bounds = st.sampled_from(((None, 0.7), (-0.4, None), (0.0, 1.0), (-0.5, 0.5)))
    return bounds.map(lambda pair: Clip(grown.name, *pair))


def _bias(grown: Grown) -> Layers:
    return st.just(Bias(grown.name, grown.shape[-1]))


@st.composite
def _window(draw: Any, length: int) -> Tuple[int, int, int, int]:
    """(kernel, stride, padding before, padding after) along an image's side."""
    kernel = draw(st.integers(1, 4))
    before, after = (draw(st.integers(0, kernel - 1)) for _ in range(2))
    kernel = min(kernel, length + before + after)
    return kernel, draw(st.integers(1, 3)), min(before, kernel - 1), min(after, kernel - 1)


@st.composite
def _pools(draw: Any, kind: Any, grown: Grown) -> Any:
    (kh, sh, top, bottom), (kw, sw, left, right) = (draw(_window(length)) for length in grown.shape[:2])
    options = {"counts_padding": draw(st.booleans())} if kind is AveragePool2d else {}
    shape = grown.shape[0] + top + bottom - kh, grown.shape[1] + left + right - kw
    if min(shape) < 0:
        kh = kw = 1
        top = left = bottom = right = 0
    return kind(grown.name, (kh, kw), (sh, sw), (top, left, bottom, right), **options)


def _max_pool2d(grown: Grown) -> Layers:
    return _pools(MaxPool2d, grown) if grown.is_image else None


def _average_pool2d(grown: Grown) -> Layers:
    return _pools(AveragePool2d, grown) if grown.is_image else None


def _pad(grown: Grown) -> Layers:
    if not grown.is_image or grown.shape[0] * grown.shape[1] > MOST_PIXELS:
        return None
    return st.builds(Pad, st.just(grown.name), st.tuples(*4 * (st.integers(0, 2),)))


def _resize(grown: Grown) -> Layers:
    if not grown.is_image or grown.shape[0] * grown.shape[1] > MOST_PIXELS // 4:
        return None
    scales = [
        st.sampled_from([scale for scale in (0.5, 0.75, 1.0, 1.5, 2.0) if n * scale >= 1]) for n in grown.shape[:2]
    ]
    return st.builds(Resize, st.just(grown.name), st.tuples(*scales), st.sampled_from(CORNERS))


def _response_norm(grown: Grown) -> Layers:
    numbers = st.sampled_from(((5, 1e-4, 0.75, 1.0), (3, 0.5, 0.75, 2.0), (2, 1.0, 0.5, 1.0), (4, 0.3, 1.0, 0.7)))
    return numbers.map(lambda some: ResponseNorm(grown.name, *some))


def _recall(grown: Grown) -> Layers:
    return st.builds(Recall, st.just(grown.name), st.sampled_from(sorted(grown.earlier))) if grown.earlier else None


def _channel_shuffle(grown: Grown) -> Layers:
    channels = grown.shape[-1]
    groups = [n for n in range(1, channels + 1) if channels % n == 0]
    return st.builds(ChannelShuffle, st.just(grown.name), st.sampled_from(groups))


def _upsample(grown: Grown) -> Layers:
    if not grown.is_image or 4 * grown.shape[0] * grown.shape[1] > MOST_PIXELS:
        return None
    return st.just(Upsample(grown.name))


def _concat(grown: Grown) -> Layers:
    fitting = [
        name
        for name, shape in grown.earlier.items()
        if shape[:-1] == grown.shape[:-1] and shape[-1] + grown.shape[-1] <= MOST_CHANNELS
    ]
    return st.builds(Concat, st.just(grown.name), st.sampled_from(fitting)) if fitting else None


def _add(grown: Grown) -> Layers:
    fitting = [name for name, shape in grown.earlier.items() if shape == grown.shape]
    return st.builds(Add, st.just(grown.name), st.sampled_from(fitting)) if fitting else None


def _flatten(grown: Grown) -> Layers:
    return st.just(Flatten(grown.name)) if grown.is_image else None


def _global_average(grown: Grown) -> Layers:
    return st.just(GlobalAverage(grown.name)) if grown.is_image else None


# {rule: how often it is taken among those that fit}; what needs codes or an image of height 1 fits seldom
RULES = {
    _conv2d: 6,
    _depthwise: 3,
    _linear: 6,
    _rnn: 12,
    _concat: 2,
    _add: 2,
    _quantize: 3,
    _batch_norm: 3,
    _relu: 1,
    _max_pool: 1,
    _average_pool: 1,
    _upsample: 1,
    _signed_quantize: 1,
    _clip: 1,
    _bias: 1,
    _max_pool2d: 1,
    _average_pool2d: 1,
    _pad: 1,
    _resize: 1,
    _response_norm: 1,
    _recall: 1,
    _channel_shuffle: 1,
}
ON_CODES = (_conv2d, _depthwise, _linear, _rnn)
ENDS_THE_IMAGE = {_flatten: 1, _global_average: 1}  # late


@st.composite
def networks(draw: Any, favourite: str = "") -> Network:
    """Any legal network with a matrix at least; its last layer may be of any kind.

    A network has more layers of one kind: nodes of one kind in a row share memory. favourite: class of that kind; "":
    any.
    """
    rule = draw(st.sampled_from([rule for rule in RULES if not favourite or _makes(rule) == favourite.lower()]))
    favourites = (rule, _quantize) if rule in ON_CODES else (rule,)
    rules = {rule: weight + FAVOUR * (rule in favourites) for rule, weight in RULES.items()}
    height = 1 if rule is _rnn else draw(st.sampled_from((1, 1, 1) + tuple(range(2, LONGEST + 1))))
    shape = height, draw(st.integers(1 + (rule is _rnn), LONGEST)), draw(st.integers(1, 4))
    bits = draw(BITS)
    zero = draw(st.one_of(st.just(0), st.integers(1, 2**bits - 1)))
    grown = Grown(shape, bits)
    wanted = draw(st.integers(2, MOST_LAYERS))
    while len(grown.layers) < wanted:
        ends = grown.is_image and 2 * len(grown.layers) > wanted and draw(st.integers(0, 3)) == 0
        grown.draw(draw, ENDS_THE_IMAGE if ends else rules)
    has_matrix = any(isinstance(layer, (Conv2d, Linear, Rnn)) for layer in grown.layers)
    if not has_matrix or grown.shape[-1] == 1 or draw(st.booleans()):
        _add_head(draw, grown)
    return Network("random", shape, bits, tuple(grown.layers), input_zero=zero)


def _makes(rule: Any) -> str:
    """Class of the layers that a rule makes, in small letters."""
    return rule.__name__.replace("_", "")


def _add_head(draw: Any, grown: Grown) -> None:
    """Two classes or more: per pixel of an image, else of the sample."""
    if grown.bits is None:
        grown.draw(draw, {_quantize: 1})
    classes = draw(st.integers(2, 4))
    if grown.is_image:
        grown.add(Conv2d(grown.name, grown.shape[2], classes, (1, 1)))
    else:
        grown.add(Linear(grown.name, grown.shape[0], classes))

"""A trained network on simulated macros: bit-serial codes, read noise, ADC, shift and add, then the digital layers."""

from collections import Counter
from typing import Any, Callable, Dict
from typing import Counter as CounterOf

import numpy as np

from . import layers
from .conditions import Conditions
from .converters import Adc, InputCodes, bit_planes, calibrated_lsb
from .convolution import im2col
from .crossbar import remove_zero_point
from .errors import DataError, ShapeError
from .networks import BatchNorm, Concat, Conv2d, Flatten, Linear, MaxPool, MeanSteps, Quantize, Relu, Rnn, Upsample

CHUNK = 500
"""samples that pass through the network together; results do not depend on it"""
CALIBRATION_CHUNK = 50
"""samples that pass together when the ADCs are calibrated"""
HEADROOM = 1.1
"""ADC range over the largest calibration current: read noise and other inputs go a little beyond"""
CALIBRATION_VECTORS = 4096
"""input vectors per chunk and matrix whose currents are looked at"""
IDEAL_CONDITIONS = Conditions()


class ChipProduct:
    """The product of codes with the matrices on a chip, as `forward` wants it, with counts of what saturated.

    adcs: dict matrix name -> `converters.Adc`. input_bits: dict matrix name -> bits of its input codes. scales_S:
    dict matrix name -> conductance of weight 1. noise_seed: of the read noise; None for ideal reads. observer:
    called with (name, codes) of every product. conditions: `Conditions` of use. `saturated`, `conversions`: counts
    by matrix, over its tiles and all products so far.
    """

    def __init__(
        self, chip, adcs, input_bits, scales_S, noise_seed=None, threads=1, observer=None, conditions=IDEAL_CONDITIONS
    ):
        self.chip = chip
        self.adcs = adcs
        self.input_bits = input_bits
        self.scales_S = scales_S
        self.wires = conditions.wires
        self.noises, self.errors = {}, {}
        for tile in chip.placement.tiles:
            macro = chip.macros[tile.macro]
            self.errors[tile] = conditions.column_errors(tile, macro.cols, adcs[tile.matrix].arrangement)
            if noise_seed is not None:
                self.noises[tile] = macro.read_noise(noise_seed, tile.rows, tile.cols, conditions.held_noise)
        self.threads = threads
        self.observer = observer
        self.saturated = {name: [0] * len(chip.placement.tiles_of(name)) for name in chip.placement.names}
        self.conversions: CounterOf[str] = Counter()

    def __call__(self, name, codes, zero_point=0):
        """sum_i (code_i - zero_point) w_ij for codes (n, fan_in): float32 (n, fan_out), in units of weight x code."""
        if self.observer is not None:
            self.observer(name, codes)
        chip, adc = self.chip, self.adcs[name]
        total = np.zeros((len(codes), chip.placement.shape(name)[1]), np.int64)
        bits = self.input_bits[name]
        polarities = 2 if adc.arrangement == "polarity" else 1
        for index, tile in enumerate(chip.placement.tiles_of(name)):
            columns = total[:, tile.matrix_cols]
            _, saturated = chip.macros[tile.macro].multiply(
                codes[:, tile.matrix_rows],
                tile.rows,
                tile.cols,
                bits,
                adc,
                self.noises.get(tile),
                self.errors[tile],
                self.threads,
                self.wires,
                columns,
            )
            self.saturated[name][index] += saturated
            self.conversions[name] += columns.size * bits * polarities
        lsb_weight = float(adc.tile_lsb) * chip.cell_model.grid_S / self.scales_S[name]
        if zero_point:
            remove_zero_point(total, zero_point, chip.column_sums_lsb(name, adc))
        return (total * lsb_weight).astype(np.float32)


class IdealProduct:
    """The same product as plain arithmetic with given weights (dict name -> array): no planes, ADC or noise."""

    def __init__(self, weights):
        self.weights = weights

    def __call__(self, name, codes, zero_point=0):
        """sum_i (code_i - zero_point) w_ij for codes (n, fan_in): float32 (n, fan_out)."""
        return np.matmul(codes.astype(np.float32) - np.float32(zero_point), self.weights[name])


class _Signal:
    """What travels between layers: floats, or codes with their step and zero point."""

    def __init__(self, values, step=None, zero_point=0):
        self.values = values
        self.step = step
        self.zero_point = zero_point

    def floats(self):
        """The values that codes stand for; floats as they are."""
        if self.step is None:
            return self.values
        return (self.values.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.step)


def input_bits(network):
    """Bits of the codes that enter each matrix: dict matrix name -> bits. ShapeError where floats would enter one."""
    bits, present = {}, network.input_bits
    for layer in network.layers:
        if isinstance(layer, Quantize):
            present = layer.bits
        elif isinstance(layer, (Conv2d, Linear, Rnn)):
            if present is None:
                raise ShapeError(f"layer {layer.name}: its input is not quantised; put a Quantize before it")
            for name, _ in layer.matrices():
                bits[name] = present
            if isinstance(layer, Rnn):
                bits[layer.name + ".hidden"] = layer.bits
            present = None
        elif not isinstance(layer, (Flatten, MaxPool)):
            present = None
    return bits


def input_zero_points(network):
    """Input code that stands for 0.0 at each matrix, dict name -> int: only the network's input can be signed."""
    signed = True
    zero_points = {}
    for layer in network.layers:
        if isinstance(layer, (Conv2d, Linear, Rnn)):
            for name, _ in layer.matrices():
                zero_points[name] = network.input_zero if signed and not name.endswith(".hidden") else 0
        if not isinstance(layer, (Flatten, MaxPool)):
            signed = False
    return zero_points


def forward(network, state, codes, product, clipped=None):
    """The network's output for input codes: float32 (n, classes) or (n, height, width, classes).

    codes: uint8 (n, height, width, channels). product: a callable (name, codes (m, fan_in), zero_point) -> float32
    (m, fan_out) such as `ChipProduct`. clipped: optional Counter that takes, per quantiser, the activations out of
    its range.
    """
    signal = _Signal(codes, network.input_step, network.input_zero)
    clipped = Counter() if clipped is None else clipped
    joined_later = {layer.other for layer in network.layers if isinstance(layer, Concat)}
    outputs: Dict[str, _Signal] = {}
    for layer in network.layers:
        signal = _LAYERS[type(layer)](layer, signal, state, product, outputs, clipped)
        if layer.name in joined_later:
            outputs[layer.name] = signal
    return signal.floats()


def _conv2d(layer, signal, _state, product, _outputs, _clipped):
    patches = im2col(signal.values, layer.kernel, layer.stride, layer.padding, fill=signal.zero_point)
    y = product(layer.name, patches.reshape(-1, patches.shape[-1]), signal.zero_point)
    return _Signal((y * np.float32(signal.step)).reshape(patches.shape[:3] + y.shape[1:]))


def _linear(layer, signal, _state, product, _outputs, _clipped):
    return _Signal(product(layer.name, signal.values, signal.zero_point) * np.float32(signal.step))


def _rnn(layer, signal, state, product, _outputs, clipped):
    hidden_codes = _codes_of(layer, state)
    sequence = signal.values[:, 0]
    h: list = []
    for t in range(sequence.shape[1]):
        codes = np.ascontiguousarray(sequence[:, t])
        total = product(layer.name + ".input", codes, signal.zero_point) * np.float32(signal.step)
        if t:
            codes, out_of_range = hidden_codes.quantise(h[-1])
            clipped[layer.name] += out_of_range
            total += product(layer.name + ".hidden", codes) * np.float32(hidden_codes.step)
        h.append(layers.relu_forward(total))
    return _Signal(np.stack(h, axis=1)[:, None])


def _quantize(layer, signal, state, _product, _outputs, clipped):
    grid = _codes_of(layer, state)
    codes, out_of_range = grid.quantise(signal.floats())
    clipped[layer.name] += out_of_range
    return _Signal(codes, grid.step)


def _codes_of(layer, state):
    """The `InputCodes` that a calibrated range gives."""
    value = float(state[layer.name + ".range"])
    if not value > 0:
        raise DataError(f"the range of {layer.name} was never calibrated (it is {value})")
    return InputCodes(value / (2**layer.bits - 1), layer.bits)


def _batch_norm(layer, signal, state, *_):
    affine = [state.get(layer.name + part) for part in (".gamma", ".beta")]
    return _Signal(
        layers.batch_norm_forward(signal.floats(), state[layer.name + ".mean"], state[layer.name + ".var"], *affine)
    )


def _relu(_layer, signal, *_):
    return _Signal(layers.relu_forward(signal.floats()))


def _max_pool(layer, signal, *_):
    return _Signal(layers.max_pool_forward(signal.values, layer.size), signal.step, signal.zero_point)


def _upsample(_layer, signal, *_):
    return _Signal(layers.upsample_forward(signal.floats()))


def _concat(layer, signal, _state, _product, outputs, _clipped):
    return _Signal(layers.concat_forward(signal.floats(), outputs[layer.other].floats()))


def _flatten(_layer, signal, *_):
    return _Signal(signal.values.reshape(len(signal.values), -1), signal.step, signal.zero_point)


def _mean_steps(_layer, signal, *_):
    return _Signal(layers.mean_forward(signal.floats()))


_LAYERS: Dict[Any, Callable[..., _Signal]] = {
    Conv2d: _conv2d,
    Linear: _linear,
    Rnn: _rnn,
    Quantize: _quantize,
    BatchNorm: _batch_norm,
    Relu: _relu,
    MaxPool: _max_pool,
    Upsample: _upsample,
    Concat: _concat,
    Flatten: _flatten,
    MeanSteps: _mean_steps,
}


def predict(network, state, codes, product, clipped=None, chunk=CHUNK):
    """`forward` in chunks of samples: the same output with little memory."""
    parts = [forward(network, state, codes[k : k + chunk], product, clipped) for k in range(0, len(codes), chunk)]
    return np.concatenate(parts)


def calibrate_adcs(network, state, codes, chip, scales_S, adc_bits, arrangement="pair", percentile=100.0):
    """One ADC per matrix, its range HEADROOM over noiseless plane currents of the calibration `codes`: name -> Adc.

    All tiles of a matrix share the LSB, so their sums add up without alignment. percentile: of |current| that the
    largest code covers, 100 for the largest seen. Of each product at most CALIBRATION_VECTORS input vectors are
    looked at.
    """
    weights = {name: chip.read_weights(name, scale_S) for name, scale_S in scales_S.items()}
    ideal, bits = IdealProduct(weights), input_bits(network)
    largest: Dict[str, float] = {}

    def recording(name, patches, zero_point=0):
        some = patches[:: -(-len(patches) // CALIBRATION_VECTORS)]
        lsb = max(
            _tile_lsb(chip, tile, some[:, tile.matrix_rows], bits[name], adc_bits, arrangement, percentile)
            for tile in chip.placement.tiles_of(name)
        )
        largest[name] = max(lsb, largest.get(name, 0.0))
        return ideal(name, patches, zero_point)

    predict(network, state, codes, recording, chunk=CALIBRATION_CHUNK)
    return {name: Adc(adc_bits, float(np.float32(HEADROOM * lsb)), arrangement) for name, lsb in largest.items()}


def _tile_lsb(chip, tile, codes, bits, adc_bits, arrangement, percentile):
    """LSB that fits the plane currents of one tile; 0 where no current flows."""
    cells = chip.macros[tile.macro].conductance_grid(tile.rows, tile.cols)
    if arrangement == "pair":
        cells = cells[:, 0::2] - cells[:, 1::2]
    currents = np.matmul(bit_planes(codes, bits).reshape(-1, codes.shape[1]), cells)
    return calibrated_lsb(currents, adc_bits, arrangement, percentile) if currents.any() else 0.0

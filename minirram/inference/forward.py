"""A trained network on simulated macros: bit-serial codes, read noise, ADC, shift and add, then the digital layers."""

from collections import Counter
from typing import Any, Callable, Dict

import numpy as np

from ..crossbar.converters import InputCodes
from ..errors import DataError
from ..nn.layers.activation import Quantize, Relu, relu_forward
from ..nn.layers.convolution import Conv2d, im2col
from ..nn.layers.join import Concat, Flatten, concat_forward
from ..nn.layers.linear import Linear
from ..nn.layers.norm import BatchNorm, batch_norm_forward
from ..nn.layers.recurrent import Rnn
from ..nn.layers.resample import MaxPool, MeanSteps, Upsample, max_pool_forward, mean_forward, upsample_forward

CHUNK = 500
"""samples that pass through the network together; results do not depend on it"""


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
        h.append(relu_forward(total))
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
        batch_norm_forward(signal.floats(), state[layer.name + ".mean"], state[layer.name + ".var"], *affine)
    )


def _relu(_layer, signal, *_):
    return _Signal(relu_forward(signal.floats()))


def _max_pool(layer, signal, *_):
    return _Signal(max_pool_forward(signal.values, layer.size), signal.step, signal.zero_point)


def _upsample(_layer, signal, *_):
    return _Signal(upsample_forward(signal.floats()))


def _concat(layer, signal, _state, _product, outputs, _clipped):
    return _Signal(concat_forward(signal.floats(), outputs[layer.other].floats()))


def _flatten(_layer, signal, *_):
    return _Signal(signal.values.reshape(len(signal.values), -1), signal.step, signal.zero_point)


def _mean_steps(_layer, signal, *_):
    return _Signal(mean_forward(signal.floats()))


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

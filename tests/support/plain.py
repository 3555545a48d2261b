"""A network by its layers' own forward and backward, on the whole batch: what the engine must agree with."""

import numpy as np

from minirram.nn.layers.base import Parameters
from minirram.nn.loss import softmax_cross_entropy


def plain_forward(network, weights, state, codes, whole_batch):
    """The network's output; whole_batch: with the statistics of this batch, as in training."""
    return _outputs(network, Parameters(weights, state, training=whole_batch), codes)[0][network.layers[-1].name]


def _outputs(network, parameters, codes):
    """({layer: output}, {layer: what its backward needs})"""
    dtype = next(iter(parameters.weights.values())).dtype
    x = (codes.astype(dtype) - dtype.type(network.input_zero)) * dtype.type(network.input_step)
    outputs, kept = {}, {}
    for layer in network.layers:
        inputs = (x,) + tuple(outputs[name] for name in layer.others)
        x, kept[layer.name] = layer.forward(inputs, parameters)
        outputs[layer.name] = x
    return outputs, kept


def plain_step(network, weights, state, codes, labels, **loss_options):
    """(loss, n_correct, gradients) of a training step; `state` stays as it is."""
    outputs, kept = _outputs(network, Parameters(weights, state, training=True), codes)
    last = network.layers[-1].name
    loss, n_correct, dlogits = softmax_cross_entropy(outputs[last], labels, **loss_options)
    dys, gradients = {last: dlogits}, {}
    before = [None] + [layer.name for layer in network.layers[:-1]]
    for layer, previous in reversed(list(zip(network.layers, before))):
        dinputs, found = layer.backward(dys[layer.name], kept[layer.name])
        gradients.update(found)
        for name, dinput in zip((previous,) + tuple(layer.others), dinputs):
            dys[name] = dys.get(name, 0) + np.asarray(dinput)
    return loss, n_correct, gradients

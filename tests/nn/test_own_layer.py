"""A layer of one's own is one file outside the package: it trains, infers, is counted, exported and read back.

A second file, with a node for the engine, makes it fast.
"""

import importlib
import json
import subprocess
import sys

import numpy as np
import pytest

from minirram.accounting import shapes
from minirram.device.presets import TAOX_40NM
from minirram.inference import digital_json
from minirram.inference.forward import predict
from minirram.inference.model import Model
from minirram.inference.product import ChipProduct, IdealProduct
from minirram.learn.mask_learner import MaskLearner
from minirram.nn.engine import nodes
from minirram.nn.engine.engine import Engine
from minirram.nn.layers.activation import Quantize
from minirram.nn.layers.base import DigitalEvents
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.network import Network, input_bits
from minirram.runs.config import RunConfig, config_from_json

from ..support.places import ROOT
from ..support.plain import plain_step
from ..support.tiny import StripeData, tiny_adcs, tiny_chip, tiny_recipe
from .engine.test_engine import problem

OWN_LAYERS = '''
"""A rectifier with a trained gain, and a linear layer that is gated by an earlier output."""

from dataclasses import dataclass

import numpy as np

from minirram.nn.layers.base import DigitalEvents, Layer, Signal, n_values


@dataclass(frozen=True)
class TrainedGain(Layer):
    start: float = 0.5

    def output_shape(self, inputs):
        return inputs[0]

    def initial_state(self, dtype):
        return {self.name + ".gain": np.array(self.start, dtype)}

    def trained(self):
        return (self.name + ".gain",)

    def forward(self, inputs, parameters):
        rectified, gain = np.maximum(inputs[0], 0), parameters.state[self.name + ".gain"]
        return gain * rectified, (rectified, gain)

    def backward(self, dy, kept):
        rectified, gain = kept
        return (gain * dy * (rectified > 0),), {self.name + ".gain": (dy * rectified).sum()}

    def on_codes(self, inputs, inference):
        return Signal(inference.state[self.name + ".gain"] * np.maximum(inputs[0].floats(), 0))

    def operations(self, inputs, output):
        return DigitalEvents(multiplies=n_values(output), compares=n_values(output))

    def digital(self, state):
        return {"gain": float(state[self.name + ".gain"])}


@dataclass(frozen=True)
class GatedLinear(Layer):
    in_features: int
    out_features: int
    gate: str

    @property
    def others(self):
        return (self.gate,)

    def matrices(self):
        return ((self.name, (self.in_features, self.out_features)),)

    def output_shape(self, inputs):
        assert inputs == ((self.in_features,), (self.out_features,))
        return (self.out_features,)

    def forward(self, inputs, parameters):
        (x, gate), weight = inputs, parameters.weights[self.name]
        z = x @ weight
        return z * gate, (x, gate, weight, z)

    def backward(self, dy, kept):
        x, gate, weight, z = kept
        return ((dy * gate) @ weight.T, dy * z), {self.name: x.T @ (dy * gate)}

    def on_codes(self, inputs, inference):
        codes, gate = inputs
        z = inference.product(self.name, codes.values, zero_point=codes.zero_point) * np.float32(codes.step)
        return Signal(z * gate.floats())

    def operations(self, inputs, output):
        return DigitalEvents(multiplies=2 * n_values(output))

    def digital(self, state):
        return {}
'''
OWN_NODES = '''
import numpy as np

from minirram.nn.engine.nodes import Node, node_for
from own_layers import TrainedGain


@node_for(TrainedGain)
class TrainedGainNode(Node):
    """In the arrays of the chunk, where the generic node copies."""

    needs_y = True

    def forward(self, run):
        self.gain = run.state[self.layer.name + ".gain"]
        np.maximum(self.x, 0, out=self.y)
        self.y *= self.gain

    def backward(self, run, dy):
        self.add_gradient(self.layer.name + ".gain", (dy * self.y).sum() / self.gain)
        dx = self.workspace.gradient(self.x.shape)
        np.multiply(dy, self.y > 0, out=dx)
        dx *= self.gain
        return dx
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The module of the file, in a folder that is not the package's."""
    (tmp_path / "own_layers.py").write_text(OWN_LAYERS)
    (tmp_path / "own_nodes.py").write_text(OWN_NODES)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("own_layers")
    for name in ("own_layers", "own_nodes"):
        sys.modules.pop(name, None)


def own_network(own):
    return Network(
        "own",
        (6, 6, 1),
        4,
        (
            Conv2d("conv", 1, 8, (3, 3), (1, 1), (1, 1)),
            BatchNorm("bn", 8),
            own.TrainedGain("gain"),
            Quantize("act", 4),
            Flatten("flatten"),
            Linear("fc1", 288, 12),
            own.TrainedGain("gain2"),
            Quantize("act2", 4),
            own.GatedLinear("gated", 12, 12, "gain2"),
            Quantize("act3", 4),
            Linear("fc2", 12, 3),
        ),
        input_zero=4,
    )


@pytest.mark.slow
def test_it_trains_infers_is_counted_and_exported(own):
    network, data, recipe = own_network(own), StripeData(), tiny_recipe(epochs=12)
    learner = MaskLearner(network, tiny_chip(recipe, network), recipe=recipe)
    for _ in range(12):
        learner.epoch(data)
    learner.adopt(learner.best)
    assert learner.best.validation > 0.9 and learner.state["gain.gain"] != 0.5

    weights, codes = learner.read_weights(), data.validation_codes
    trained = learner.engine.predict(weights, learner.state, x=codes)
    np.testing.assert_allclose(
        np.median(predict(network, learner.state, codes=codes, product=IdealProduct(weights)) - trained), 0, atol=1e-5
    )
    adcs = tiny_adcs(learner, data.calibration_codes(), 10)
    product = ChipProduct(learner.chip, adcs, input_bits=input_bits(network), scales_S=learner.scales_S)
    answers = predict(network, learner.state, codes=codes, product=product).argmax(axis=1)
    assert np.mean(answers == data.validation_labels) > 0.9

    digital = shapes.of_network(network).digital
    assert digital["gain"] == DigitalEvents(multiplies=288, compares=288)
    assert digital["gain2"] == DigitalEvents(multiplies=12, compares=12, bits_kept=12 * 16)
    assert digital["gated"] == DigitalEvents(multiplies=24, bits_taken=12 * 16, bits_freed=12 * 16)

    model = Model(learner.chip.placement, learner.signs, learner.scales_S, adcs, learner.state)
    entries = {entry["name"]: entry for entry in digital_json.describe(network, model, chip=learner.chip)["layers"]}
    assert entries["gain"]["type"] == "TrainedGain" and entries["gain"]["start"] == 0.5
    assert entries["gain"]["gain"] == float(learner.state["gain.gain"])
    assert entries["gated"]["gate"] == "gain2"
    back = Model.from_arrays(model.to_arrays(network), network, adc_bits=10, adc_arrangement="pair")
    assert back.state["gain.gain"] == learner.state["gain.gain"]


def test_its_gradients_are_those_of_plain_layers(own, monkeypatch):
    """By the layers' own methods, then with a node of its own."""
    monkeypatch.setattr(nodes, "FAST", dict(nodes.FAST))
    network = own_network(own)
    weights, state, codes, labels = problem(network, 7, np.float64)
    state.update({name: np.array(1.5) for name in state if name.endswith(".range")})
    expected = plain_step(network, weights, state, codes, labels)
    for file in ("", "own_nodes"):
        if file:
            importlib.import_module(file)
        engine = Engine(network, 7, dtype=np.float64, chunk_floats=1)
        fresh = {name: array.copy() for name, array in state.items()}
        loss, _, gradients = engine.training_step(weights, fresh, x=codes, labels=labels)
        kinds = {type(node).__name__ for node in engine._lanes[0].chunks[0].nodes.values()}
        assert ("TrainedGainNode" in kinds) == bool(file)
        assert loss == pytest.approx(expected[0], rel=1e-12) and set(gradients) == set(expected[2])
        for name, gradient in gradients.items():
            np.testing.assert_allclose(gradient, expected[2][name], rtol=1e-8, atol=1e-11, err_msg=name)


@pytest.mark.slow
def test_a_run_folder_names_its_class(own, tmp_path):
    config = RunConfig("fashion-mnist", "synthetic", own_network(own), tiny_recipe(), TAOX_40NM)
    text = json.dumps(config.to_json())
    assert config_from_json(json.loads(text)).network == config.network
    (tmp_path / "config.json").write_text(text)
    script = (
        "import json, sys; from minirram.errors import DataError; from minirram.runs.config import config_from_json\n"
        "value = json.load(open('config.json'))\n"
        "try:\n    config_from_json(value)\nexcept DataError as error:\n    print(error)\n"
        "import own_layers\nprint(config_from_json(value).network.layer('gain').start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=str(tmp_path),
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        universal_newlines=True,
        check=True,
    )
    refused, start = done.stdout.strip().split("\n")
    assert refused == (
        "network.layers[2]: no class of layers is called 'TrainedGain'; import the module that defines it"
    )
    assert start == "0.5"

"""digital.json is enough: a reader that knows nothing else computes the output from it and the macros' integers."""

import json

import numpy as np
import pytest

from minirram import digital, inference
from minirram.runs import Model

from .tiny import StripeData, tiny_learner


def controller(description, codes, sums_of):
    """The digital side for a network of conv, pool, batch norm and linear layers, written from the file alone."""
    matrices = {entry["name"]: entry for entry in description["matrices"]}
    values, step, zero_point = codes, description["input"]["step"], description["input"]["zero_point"]
    for layer in description["layers"]:
        kind = layer["type"]
        if kind in ("Conv2d", "Linear"):
            matrix = matrices[layer["name"]]
            x = values
            if kind == "Conv2d":
                rows, cols = layer["padding"]
                x = np.pad(x, ((0, 0), (rows, rows), (cols, cols), (0, 0)), constant_values=zero_point)
                height, width, _ = layer["output_shape"]
                x = np.stack(
                    [
                        [
                            x[:, i : i + layer["kernel"][0], j : j + layer["kernel"][1]].reshape(len(x), -1)
                            for j in range(width)
                        ]
                        for i in range(height)
                    ]
                ).transpose(2, 0, 1, 3)
            total = sums_of(layer["name"], x.reshape(-1, matrix["fan_in"]))
            total -= np.rint(zero_point * np.array(matrix["column_sums_lsb"])).astype(np.int64)
            values = (total * matrix["weight_per_lsb"] * step).reshape([len(codes)] + layer["output_shape"])
        elif kind == "MaxPool":
            n, height, width, channels = values.shape
            values = values.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
        elif kind == "BatchNorm":
            values = values * np.array(layer["gain"]) + np.array(layer["offset"])
        elif kind == "Relu":
            values = np.maximum(values, 0)
        elif kind == "Quantize":
            step, zero_point = layer["step"], 0
            values = np.clip(np.rint(values / step), 0, 2 ** layer["bits"] - 1).astype(np.uint8)
        elif kind == "Flatten":
            values = values.reshape(len(values), -1)
        else:
            pytest.fail("unknown layer " + kind)
    return values


def test_a_controller_needs_only_the_file():
    data, learner = StripeData(), tiny_learner()
    learner.epoch(data)
    learner.take_best()
    adcs = inference.calibrate_adcs(
        learner.network, learner.state, data.calibration_codes(), learner.chip, learner.scales_S, 10
    )
    model = Model(learner.chip.placement, learner.signs, learner.scales_S, adcs, learner.state)
    description = json.loads(json.dumps(digital.describe(learner.network, model, learner.chip), allow_nan=False))

    def sums_of(name, codes):
        entry = next(matrix for matrix in description["matrices"] if matrix["name"] == name)
        total = np.zeros((len(codes), entry["fan_out"]), np.int64)
        for tile in entry["tiles"]:
            rows = slice(tile["matrix_row"], tile["matrix_row"] + tile["rows"])
            cells = learner.chip.conductance_S()[tile["macro"]]
            cells = cells[tile["row0"] : tile["row0"] + tile["rows"], tile["col0"] : tile["col0"] + 2 * tile["pairs"]]
            current_A = (cells[:, 0::2] - cells[:, 1::2]) * 0.2
            for plane in range(entry["input_bits"]):
                bits = (codes[:, rows] >> plane) & 1
                code = np.rint(bits @ current_A / entry["adc"]["lsb_A"])
                top = 2 ** (entry["adc"]["bits"] - 1) - 1
                total[:, tile["matrix_col"] : tile["matrix_col"] + tile["pairs"]] += (
                    np.clip(code, -top, top).astype(np.int64) << plane
                )
        return total

    codes = data.validation_codes
    product = inference.ChipProduct(learner.chip, adcs, inference.input_bits(learner.network), learner.scales_S)
    expected = inference.forward(learner.network, learner.state, codes, product)
    got = controller(description, codes, sums_of)
    assert np.mean(np.abs(got - expected) < 1e-3) > 0.97  # float64 here: a code may round the other way

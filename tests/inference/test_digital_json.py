"""digital.json is enough: a reader that knows nothing else computes the output from it and the macros' integers."""

import json

import numpy as np
import pytest

from minirram.chip.dead_lines import ChipLines
from minirram.inference import digital_json
from minirram.inference.forward import forward
from minirram.inference.model import Model
from minirram.inference.product import ChipProduct
from minirram.learn.mask_learner import MaskLearner
from minirram.nn.network import input_bits

from ..support.tiny import StripeData, tiny_adcs, tiny_chip, tiny_network, tiny_recipe


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


def reads_of(tiles):
    """The tiles whose rows are driven together: those of one matrix on the same columns of a macro."""
    reads = {}
    for tile in tiles:
        reads.setdefault((tile["macro"], tile["col0"], tile["matrix_col"]), []).append(tile)
    return list(reads.values())


def sums_from_file(entry, codes, map_S, reads):
    """The integer totals of one matrix by the specification's steps 1 to 3, from its entry and a map of the chip."""
    total = np.zeros((len(codes), entry["fan_out"]), np.int64)
    top = 2 ** (entry["adc"]["bits"] - 1) - 1
    for tiles in reads:
        col0, pairs, col = tiles[0]["col0"], tiles[0]["pairs"], tiles[0]["matrix_col"]
        for plane in range(entry["input_bits"]):
            current_A = 0
            for tile in tiles:
                cells = map_S[tile["macro"], tile["row0"] : tile["row0"] + tile["rows"], col0 : col0 + 2 * pairs]
                bits = (codes[:, tile["matrix_row"] : tile["matrix_row"] + tile["rows"]] >> plane) & 1
                current_A = current_A + bits @ (cells[:, 0::2] - cells[:, 1::2]) * 0.2
            code = np.clip(np.rint(current_A / entry["adc"]["lsb_A"]), -top, top)
            total[:, col : col + pairs] += code.astype(np.int64) << plane
    return total


DEAD = {
    "skip": ChipLines(((0, 3), (0, 40), (1, 0)), ((0, 5), (0, 30)), "skip", 80, 16),
    "spare": ChipLines(((0, 3), (0, 40), (1, 0)), ((0, 5), (0, 30)), "spare", 80, 16),
    "whole": None,
    "half-formed": ChipLines(rows=64, pairs=16),
}


@pytest.mark.parametrize("lines", list(DEAD))
def test_a_controller_needs_only_the_file(lines):
    data, recipe = StripeData(), tiny_recipe(formed_share=0.493 if lines == "half-formed" else 0.9999)
    learner = MaskLearner(tiny_network(), tiny_chip(recipe, lines=DEAD[lines]), recipe=recipe)
    learner.epoch(data)
    learner.adopt(learner.best)
    adcs = tiny_adcs(learner, data.calibration_codes(), 10)
    model = Model(learner.chip.placement, learner.signs, learner.scales_S, adcs, learner.state)
    description = json.loads(
        json.dumps(digital_json.describe(learner.network, model, chip=learner.chip), allow_nan=False)
    )

    map_S = learner.chip.physical(learner.chip.conductance_S(), 1e-3)
    entries = {matrix["name"]: matrix for matrix in description["matrices"]}

    def sums_of(name, codes):
        return sums_from_file(entries[name], codes, map_S, reads_of(entries[name]["tiles"]))

    codes = data.validation_codes
    product = ChipProduct(learner.chip, adcs, input_bits=input_bits(learner.network), scales_S=learner.scales_S)
    expected = forward(learner.network, learner.state, codes=codes, product=product)
    got = controller(description, codes, sums_of)
    assert np.mean(np.abs(got - expected) < 1e-3) > 0.97  # float64 here: a code may round the other way

    # Rows that a dead one parts are still driven together: one conversion, not one for each tile.
    entry, random = entries["fc1"], np.random.default_rng(0)
    codes = random.integers(0, 16, (40, entry["fan_in"])).astype(np.uint8)
    together = product("fc1", codes) / entry["weight_per_lsb"]
    apart = sums_from_file(entry, codes, map_S, [[tile] for tile in entry["tiles"]])
    assert np.mean(np.abs(sums_of("fc1", codes) - together) < 0.01) > 0.97
    assert (np.mean(np.abs(apart - together) < 0.01) > 0.97) == (lines not in ("skip", "spare"))

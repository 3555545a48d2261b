"""What inference refuses: figures, descriptions of the digital side and its binary, and what a run has saved."""

import copy
import json
import struct
import zlib

import numpy as np
import pytest

from minirram.chip.placement import place
from minirram.crossbar.converters import Adc
from minirram.errors import ConfigError, DataError, ShapeError
from minirram.inference.examine import Figures
from minirram.inference.integer_binary import HEADER, from_bytes, to_bytes
from minirram.inference.integer_forward import integer_forward
from minirram.inference.integer_network import integer_network
from minirram.inference.integers import TOP
from minirram.inference.model import Model
from minirram.nn.network import initial_state, matrices

from ..support.tiny import tiny_network

LINEAR = {"type": "Linear", "name": "fc", "output_shape": [2]}
DESCRIPTION = {
    "input": {"shape": [1, 1, 2], "bits": 4, "zero_point": 1, "step": 0.1},
    "matrices": [
        {
            "name": "fc",
            "fan_in": 2,
            "fan_out": 2,
            "input_bits": 4,
            "adc": {"bits": 8, "arrangement": "pair", "lsb_nS": 0.5},
            "weight_per_lsb": 0.01,
            "column_sums_lsb": [3, -4],
            "tiles": [{"macro": 0, "col0": 0, "pairs": 2, "matrix_col": 0, "row0": 0, "rows": 2, "matrix_row": 0}],
        }
    ],
    "layers": [LINEAR],
}
TOTAL = 127 * 15
"""the largest of the one matrix"""


def described(**changes):
    """The description with other entries; matrix: changes of its matrix."""
    matrix = changes.pop("matrix", {})
    made = dict(copy.deepcopy(DESCRIPTION), **changes)
    made["matrices"] = [dict(one, **matrix) for one in made["matrices"]]
    return made


DESCRIPTIONS = {
    "a column": (
        described(matrix={"column_sums_lsb": [0, TOTAL - TOP]}),
        described(matrix={"column_sums_lsb": [0, -TOP - 1]}),
        ConfigError,
        "^matrix fc: a sum of a column does not fit 32 bits",
    ),
    "a total": (
        described(matrix={"column_sums_lsb": [TOP - TOTAL, 0]}),
        described(matrix={"column_sums_lsb": [TOP - TOTAL + 1, 0]}),
        ConfigError,
        "^matrix fc: totals to 2147483648 do not fit 32 bits",
    ),
    "codes for a matrix": (
        described(layers=[LINEAR]),
        described(layers=[{"type": "Relu", "name": "r"}, LINEAR]),
        DataError,
        "^layer fc: its input is not quantised",
    ),
    "codes for a recurrence": (
        described(layers=[LINEAR]),
        described(layers=[LINEAR, {"type": "Rnn", "name": "rnn", "output_shape": [1, 2, 2]}]),
        DataError,
        "^layer rnn: its input is not quantised",
    ),
    "a key": (described(), described(matrix={"adc": {}}), DataError, "^digital.json: KeyError 'bits'"),
    "a number": (described(), described(layers=3), DataError, "^digital.json: TypeError "),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_description_of_the_digital_side(name):
    good, bad, kind, said = DESCRIPTIONS[name]
    assert integer_network(good).steps
    with pytest.raises(kind, match=said):
        integer_network(bad)


def of_macro(number):
    tiles = [dict(DESCRIPTION["matrices"][0]["tiles"][0], macro=number)]
    return integer_network(described(matrix={"tiles": tiles}))


def test_a_network_that_fits_its_binary():
    assert from_bytes(to_bytes(of_macro(0xFFFF))).matrices[0].reads[0].macro == 0xFFFF
    with pytest.raises(ConfigError, match="^network too large for the binary of the digital side: "):
        to_bytes(of_macro(0x10000))


def test_bytes_behind_the_last_step():
    data = to_bytes(of_macro(0))
    fields = list(HEADER.unpack_from(data))
    assert fields[4] == len(data)
    fields[4] += 4
    longer = HEADER.pack(*fields) + data[HEADER.size : -4] + bytes(4)
    with pytest.raises(DataError, match=f"^byte {len(data) - 4}: more than the header says"):
        from_bytes(longer + struct.pack("<I", zlib.crc32(longer)))


def test_codes_that_a_network_takes():
    network = of_macro(0)

    def classes_of(codes):
        return integer_forward(network, np.array(codes, np.uint8), lambda name, x: x.astype(np.int64), saw=None)

    assert classes_of([[[[15, 0]]]]).shape == (1, 1, 1, 2)
    for codes in ([[[[16, 0]]]], [[[[1, 2, 3]]]]):
        with pytest.raises(ShapeError, match=r"^codes \(1, 1, .\), expected \(1, 1, 2\), below 2\^4"):
            classes_of(codes)


def test_figures_that_are_known():
    assert Figures.of({"accuracy": 0.5, "confusion": [[1]]}).confusion == ((1,),)
    with pytest.raises(ConfigError, match="^an examination gives the figures accuracy, kappa; known are .'accuracy'"):
        Figures.of({"accuracy": 0.5, "kappa": 0.1})


@pytest.fixture(scope="module")
def saved():
    """The arrays of a model of the tiny network."""
    network = tiny_network()
    shapes = dict(matrices(network))
    model = Model(
        placement=place(matrices(network)),
        signs={name: np.ones(shape, bool) for name, shape in shapes.items()},
        scales_S=dict.fromkeys(shapes, 1e-4),
        adcs={name: Adc(10, 1.0, shift=24) for name in shapes},
        state={name: np.ones_like(value) for name, value in initial_state(network).items()},
    )
    return model.to_arrays(network)


def other_placement(arrays):
    return {"placement": np.array(json.dumps(place((("fc1", (72, 12)),)).to_json()))}


SAVED = {
    "no placement": (lambda arrays: {"placement": np.array("{}")}, "^not a placement: macro_rows is missing"),
    "no JSON": (lambda arrays: {"placement": np.array("{")}, "^placement: "),
    "another network": (other_placement, r"^holds the matrices \('fc1',\), those of tiny are \['conv', 'fc1', 'fc2'\]"),
    "a shift": (lambda arrays: {"adc_shift/fc1": np.array(25, "i8")}, "^adc_shift/fc1: tile shift 25; choose 0 to 24"),
}


@pytest.mark.parametrize("name", SAVED)
def test_a_model_as_a_run_saved_it(name, saved):
    change, said = SAVED[name]

    def model_of(arrays):
        return Model.from_arrays(arrays, tiny_network(), adc_bits=10, adc_arrangement="pair")

    assert model_of(saved).adcs["fc1"].shift == 24
    with pytest.raises(DataError, match=said):
        model_of(dict(saved, **change(saved)))

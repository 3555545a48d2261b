"""Vectors hold what an ideal array answers, in every format the same."""

import os
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.crossbar.wires import Wires, column_currents_A
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError
from minirram.vectors import formats
from minirram.vectors.vectors import Span, answer, draw, spans

FLAT = Wires(0.0, 0.0)


def oracle(stimulus):
    """(y, saturated per sample) in Python's integers, one conversion after the other."""
    (numerator, shift), adc = stimulus.lsb, stimulus.adc
    samples, pairs = len(stimulus.codes), stimulus.shape[1]
    y, saturated = np.zeros((samples, pairs), np.int64), np.zeros(samples, np.int64)

    def converted(current):
        quotient, remainder = divmod(abs(current) << shift, numerator)
        quotient += 2 * remainder > numerator or (2 * remainder == numerator and quotient % 2)
        return (1 if current >= 0 else -1) * min(quotient, adc.top), int(quotient > adc.top)

    for row, rows, pair, columns in stimulus.tiles:
        for n, j, b in np.ndindex(samples, columns, stimulus.input_bits):
            driven = [i for i in range(row, row + rows) if stimulus.codes[n, i] >> b & 1]
            plus, minus = (sum(int(stimulus.cells_grid[i, 2 * (pair + j) + k]) for i in driven) for k in (0, 1))
            currents = [plus - minus] if adc.arrangement == "pair" else [plus, minus]
            for (code, over), sign in zip(map(converted, currents), (1, -1)):
                y[n, pair + j] += sign * 2**b * code
                saturated[n] += over
    return y, saturated


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 4)),
    st.sampled_from(["pair", "polarity"]),
    st.integers(1, 8),
    st.sampled_from([4, 5, 8, 14, 20]),
    st.integers(0, 99),
)
def test_the_answer_is_that_of_integers_alone(shape, arrangement, input_bits, adc_bits, seed):
    kinds = {"input_bits": input_bits, "adc_bits": adc_bits, "arrangement": arrangement}
    stimulus = draw(TAOX_40NM, shape, samples=14, seed=seed, **kinds)
    found = answer(stimulus)
    wanted = oracle(stimulus)
    assert np.array_equal(found.y, wanted[0]) and np.array_equal(found.saturated, wanted[1])


def test_tiles_cover_the_matrix_once():
    covered = np.zeros((1100, 300), int)
    for tile in spans(*covered.shape):
        covered[tile.row_slice, tile.pair_slice] += 1
    assert (covered == 1).all() and len(spans(*covered.shape)) == 6


def test_the_noise_budget_is_that_of_the_cells():
    cell = TAOX_40NM.changed(read_noise_floor_S=2e-7)  # relative and absolute noise
    stimulus = draw(cell, (6, 2), samples=15, input_bits=2)
    found = answer(stimulus, cell).noise_lsb
    std_lsb = cell.read_std(stimulus.cells_grid, 1e-9) / float(stimulus.adc.tile_lsb)
    planes = [(stimulus.codes >> b) & 1 for b in (0, 1)]
    squares = (std_lsb.astype(float) ** 2).reshape(6, 2, 2).sum(axis=2)
    assert np.allclose(found**2, planes[0] @ squares + 4 * (planes[1] @ squares)) and found[0].max() == 0 < found.max()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """(stimulus, arrays, folder of each format)"""
    folder = tmp_path_factory.mktemp("vectors")
    stimulus = draw(TAOX_40NM, (5, 3), samples=12, arrangement="polarity")
    found = answer(stimulus, TAOX_40NM)
    for form in formats.FORMATS:
        formats.write(str(folder / form), form, stimulus, found, wires=FLAT, about="of a test")
    return stimulus, formats.arrays(stimulus, found), folder


@pytest.mark.parametrize("form", ["readmemh", "spice"])
def test_words_are_read_back(written, form):
    stimulus, arrays, folder = written
    for name, values in arrays.items():
        words = [int(word, 16) for word in (folder / form / f"{name}.hex").read_text().split()]
        if name == "expected":
            words = [word - (word >> 63 << 64) for word in words]
        assert words == values.ravel().tolist()
    parameters = re.findall(r"localparam (\w+) = (\d+);", (folder / form / "parameters.vh").read_text())
    assert {name: int(value) for name, value in parameters} == formats.sizes(stimulus)


def test_c_and_numpy_hold_the_same(written):
    stimulus, arrays, folder = written
    text = (folder / "c" / "vectors.h").read_text()
    with np.load(str(folder / "npz" / "vectors.npz")) as archive:
        for name, values in arrays.items():
            assert np.array_equal(archive[name], values) and archive[name].dtype == values.dtype
            shape, body = re.search(rf"vectors_{name}((?:\[\d+\])+) = (.*?);", text, re.DOTALL).groups()
            assert [int(size) for size in re.findall(r"\d+", shape)] == list(values.shape)
            assert [int(word) for word in re.findall(r"-?\d+", body)] == values.ravel().tolist()
        for name, value in formats.sizes(stimulus).items():
            assert archive[name] == value and f"#define VECTORS_{name} {value}\n" in text


def test_the_readme_says_the_order_and_the_lsb(written):
    stimulus, _, folder = written
    numerator, shift = stimulus.lsb
    assert numerator / 2.0**shift == float(stimulus.adc.tile_lsb)
    for form in formats.FORMATS:
        text = (folder / form / "README.txt").read_text()
        assert f"LSB = {numerator} / 2^{shift}" in text and "row 0 first" in text and "bit 0 has the weight 1" in text
        assert sorted(path.name for path in folder.iterdir()) == sorted(formats.FORMATS)


def test_a_folder_is_whole_or_not_there(written, tmp_path, monkeypatch):
    stimulus, _, folder = written
    found, out = answer(stimulus), str(tmp_path / "out")

    def fails(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(formats, "sizes", fails)
        with pytest.raises(OSError):
            formats.write(out, "readmemh", stimulus, found, wires=FLAT, about="")
    assert os.listdir(str(tmp_path)) == []
    formats.write(out, "npz", stimulus, found, wires=FLAT, about="")
    with pytest.raises(ConfigError, match="no empty folder"):
        formats.write(out, "c", stimulus, found, wires=FLAT, about="")
    assert sorted(os.listdir(out)) == ["README.txt", "vectors.npz"]


@pytest.mark.parametrize("values", [{"shape": (0, 3)}, {"samples": 0}, {"samples": 1}, {"adc_bits": 3}], ids=str)
def test_what_cannot_be_drawn_is_refused(values):
    with pytest.raises(ConfigError):
        draw(TAOX_40NM, **{"shape": (2, 2), **values})


def test_a_netlist_is_one_tile():
    stimulus = draw(TAOX_40NM, (600, 1), samples=12)
    assert stimulus.tiles == (Span(0, 512, 0, 1), Span(512, 88, 0, 1))
    with pytest.raises(ConfigError, match="one tile"):
        formats.write("nowhere", "spice", stimulus, answer(stimulus), wires=FLAT, about="")


def test_the_currents_of_a_netlist_are_exact_to_their_digits(tmp_path):
    """They are compared with a simulator's to 1e-6; what they are wrong by must not count."""
    stimulus = draw(TAOX_40NM, (40, 4), samples=6, input_bits=2)
    wires = Wires(300.0, 300.0)
    formats.write(str(tmp_path / "v"), "spice", stimulus, answer(stimulus), wires=wires, about="")
    planes = (stimulus.codes[:, None, :] >> np.arange(2)[:, None]) & 1
    inputs_V = planes.reshape(12, 40) * stimulus.read_voltage_V
    cells_S = stimulus.cells_grid.astype(float) * stimulus.grid_S
    exact_A = column_currents_A(cells_S, inputs_V, wires=wires, tolerance=1e-13)
    found_A = np.loadtxt(str(tmp_path / "v" / "expected_A.txt"))
    assert np.abs(found_A - exact_A).max() <= 1e-9 * exact_A.max()

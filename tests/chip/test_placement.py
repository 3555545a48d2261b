"""Placement of matrices on macros: nothing overlaps, nothing is lost, the way back is the identity."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.chip.placement import place, placement_from_json
from minirram.errors import ConfigError, DataError, ShapeError

CNN = [("conv1", (9, 64)), ("conv2", (576, 16)), ("fc1", (400, 128)), ("fc2", (128, 10))]

shapes = st.lists(st.tuples(st.integers(1, 90), st.integers(1, 50)), min_size=1, max_size=6).map(
    lambda sizes: [(f"m{k}", size) for k, size in enumerate(sizes)]
)


@given(shapes, st.integers(4, 40), st.integers(3, 20))
def test_tiles_cover_each_matrix_once_and_never_overlap(matrices, rows, pairs):
    placement = place(matrices, rows, macro_pairs=pairs)
    occupied = np.zeros((placement.n_macros, rows, 2 * pairs), int)
    covered = {name: np.zeros(shape, int) for name, shape in matrices}
    for tile in placement.tiles:
        assert 0 <= tile.row0 and tile.row0 + tile.n_rows <= rows
        assert 0 <= tile.pair0 and tile.pair0 + tile.n_pairs <= pairs
        occupied[tile.macro, tile.rows, tile.cols] += 1
        covered[tile.matrix][tile.matrix_rows, tile.matrix_cols] += 1
    assert occupied.max() == 1
    assert all((count == 1).all() for count in covered.values())
    assert np.array_equal(placement.used_cells(), occupied == 1)
    assert placement.n_pairs == sum(rows * cols for _, (rows, cols) in matrices)


@given(shapes, st.integers(4, 40), st.integers(3, 20))
def test_scatter_then_gather_is_the_identity(matrices, rows, pairs):
    placement = place(matrices, rows, macro_pairs=pairs)
    cells = np.full((placement.n_macros, rows, 2 * pairs), -1)
    values = {}
    for k, (name, shape) in enumerate(matrices):
        plus = np.arange(np.prod(shape)).reshape(shape) + 10000 * k
        values[name] = plus, -plus - 5
        placement.scatter(name, values[name], cells=cells)
    for name, (plus, minus) in values.items():
        got_plus, got_minus = placement.gather(name, cells)
        assert np.array_equal(got_plus, plus) and np.array_equal(got_minus, minus)


def test_cnn_takes_62272_pairs_of_one_macro():
    placement = place(CNN)
    assert placement.n_macros == 1
    assert placement.n_pairs == 62272
    assert placement.utilisation == 62272 / 131072
    assert len(placement.tiles_of("conv2")) == 2  # 576 rows on a 512-row macro: a remainder tile of 64


def test_pair_is_two_neighbouring_columns():
    placement = place([("w", (2, 2))], 4, macro_pairs=3)
    cells = np.zeros((1, 4, 6))
    placement.scatter("w", (np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 8]])), cells=cells)
    tile = placement.tiles[0]
    assert cells[0, tile.rows, tile.cols].tolist() == [[1, 5, 2, 6], [3, 7, 4, 8]]


def test_json_round_trip():
    placement = place(CNN)
    assert placement_from_json(json.loads(json.dumps(placement.to_json()))) == placement


@pytest.mark.parametrize(
    "field, value, message", [("row_start", 500, "outside its matrix"), ("row0", 511, "outside its macro")]
)
def test_tiles_out_of_place_are_refused(field, value, message):
    damaged = place(CNN).to_json()
    damaged["tiles"][0][field] = value
    with pytest.raises(DataError, match=message):
        placement_from_json(damaged)


@pytest.mark.parametrize(
    "value", [{}, [], {"macro_rows": 1, "macro_pairs": 1, "matrices": [{"name": "a"}], "tiles": []}]
)
def test_damaged_json_is_refused(value):
    with pytest.raises(DataError, match="not a placement"):
        placement_from_json(value)


@pytest.mark.parametrize(
    "matrices, message",
    [
        ([], "at least 1 x 1"),
        ([("a", (0, 3))], "at least 1 x 1"),
        ([("a", (1, 1)), ("a", (2, 2))], "two matrices of one name"),
        ([("a", (6, 2**40))], "4294967296 tiles of 512 x 256 pairs; at most"),
    ],
)
def test_bad_shapes_are_refused(matrices, message):
    with pytest.raises(ConfigError, match=message):
        place(matrices)


def test_wrong_arrays_are_refused():
    placement = place([("w", (2, 2))], 4, macro_pairs=3)
    with pytest.raises(ShapeError, match="expected"):
        placement.gather("w", np.zeros((1, 4, 5)))
    with pytest.raises(ShapeError, match="plus of w"):
        placement.scatter("w", (np.zeros((1, 2)), np.zeros((2, 2))), cells=np.zeros((1, 4, 6)))
    with pytest.raises(ConfigError, match="no matrix 'v'"):
        placement.gather("v", np.zeros((1, 4, 6)))

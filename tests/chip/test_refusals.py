"""What is no chip, no placement and no file of cell results: refused, beside the last value that is right."""

from dataclasses import replace

import numpy as np
import pytest

from minirram.chip.cell_results import FAILURES, CellResults
from minirram.chip.chip import Chip
from minirram.chip.dead_lines import MOST_LINES, ChipLines, read_faults
from minirram.chip.placement import Placement, place, placement_from_json
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DataError, ShapeError
from minirram.files import write_npz

SHAPE = (2, 3, 4)


def maps(**other):
    """Results of two macros of 3 x 4 cells."""
    right = {
        "pulses": np.zeros(SHAPE, np.uint32),
        "last_read_S": np.zeros(SHAPE),
        "failure": np.full(SHAPE, len(FAILURES) - 1, np.uint8),
        "interrupted": np.zeros(SHAPE, bool),
    }
    return dict(right, **other)


@pytest.mark.parametrize(
    "other, kind, message",
    [
        ({"pulses": np.zeros((3, 4), np.uint32)}, ShapeError, r"pulses is uint32 \(3, 4\); all maps are"),
        ({"pulses": np.zeros(SHAPE, np.int32)}, ShapeError, "pulses is int32"),
        ({"failure": np.zeros((2, 3, 5), np.uint8)}, ShapeError, r"failure is uint8 \(2, 3, 5\); all maps are"),
        ({"interrupted": np.zeros(SHAPE, np.uint8)}, ShapeError, "interrupted is uint8"),
        ({"failure": np.full(SHAPE, len(FAILURES), np.uint8)}, DataError, "a failure of kind 4; known are 0..3"),
    ],
)
def test_results_that_are_none(tmp_path, other, kind, message):
    assert CellResults(**maps()).failed()[0][3] == FAILURES[-1]
    with pytest.raises(kind, match=message):
        CellResults(**maps(**other))
    write_npz(tmp_path / "cells.npz", maps(**other))
    with pytest.raises(DataError, match=rf"cells\.npz: {message}"):
        read_faults(tmp_path / "cells.npz")


def test_files_of_something_else(tmp_path):
    left = {name: array for name, array in maps().items() if name != "failure"}
    write_npz(tmp_path / "cells.npz", left)
    with pytest.raises(DataError, match=r"cells\.npz: not a file of cell results, it lacks failure$"):
        CellResults.load(tmp_path / "cells.npz")


def test_the_state_of_a_chip_of_another_size():
    small, large = (place((("m", (8, 4)),), rows, macro_pairs=4) for rows in (8, 9))
    state = Chip.sample(TAOX_40NM, (("m", (8, 4)),), level="pair", seed=1, lines=ChipLines(rows=8, pairs=4)).state()
    assert Chip.from_state(TAOX_40NM, small, level="pair", arrays=state).macros[0].rows == 8
    with pytest.raises(DataError, match="a macro of 8 x 8 cells, expected 9 x 8"):
        Chip.from_state(TAOX_40NM, large, level="pair", arrays=state)


@pytest.mark.parametrize("what", MOST_LINES)
def test_the_lines_of_a_macro(what):
    for count in (1, MOST_LINES[what]):
        assert getattr(ChipLines(**{what: count}), what) == count
    for count in (0, MOST_LINES[what] + 1):
        with pytest.raises(ConfigError, match=f"macros of {count} {what}; a macro has 1 to {MOST_LINES[what]}"):
            ChipLines(**{what: count})


def test_tiles_that_leave_weights_out():
    whole = place((("m", (9, 4)),), 8, macro_pairs=4)
    assert placement_from_json(whole.to_json()) == whole
    *first, last = whole.tiles
    for tiles in (first, [*whole.tiles, last], [*first, replace(last, n_pairs=3)]):
        with pytest.raises(ConfigError, match="the tiles of matrix m do not cover its 9 x 4 weights"):
            Placement(whole.shapes, tuple(tiles), 8, 4)

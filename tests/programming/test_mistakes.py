"""Verification tells the natural mistakes apart, counts by kind, tile and line, and lists fifty cells at most."""

import time

import numpy as np
import pytest

from minirram.errors import DataError
from minirram.programming import readback
from minirram.rng import stream
from minirram.xbp.records import Program, TileProgram

ON_nS, OFF_nS = 5000, 1000


def program(shape=(1, 24, 24), seed=1, n_tiles=1):
    """A program that keeps half of the cells, drawn, and its map in siemens."""
    mask = stream(seed, "mask").random(shape) < 0.5
    rows = shape[1] // n_tiles
    tiles = tuple(
        TileProgram(k, m, j * rows, 0, rows, shape[2], 0, ON_nS, OFF_nS, mask[m, j * rows : (j + 1) * rows])
        for k, (m, j) in enumerate(np.ndindex(shape[0], n_tiles))
    )
    drawn = stream(seed, "values").normal(1, 0.02, shape)
    return Program(1, *shape, (), tiles, before=2), np.where(mask, 12e-6, 0.2e-6) * drawn, mask


MISTAKES = {
    "rows and columns exchanged": lambda g, mask: g.swapaxes(1, 2),
    "rows in reverse order": lambda g, mask: g[:, ::-1],
    "columns in reverse order": lambda g, mask: g[:, :, ::-1],
    "two columns of each pair": lambda g, mask: g.reshape(1, 24, 12, 2)[..., ::-1].reshape(1, 24, 24),
    "rows one further on": lambda g, mask: np.roll(g, 1, axis=1),
    "1000 times too small": lambda g, mask: g * 1e-3,
    "1000 times too large": lambda g, mask: g * 1e3,
    "before programming": lambda g, mask: np.full_like(g, 12e-6),
    "before forming": lambda g, mask: np.full_like(g, -3e-9),
    "of another chip": lambda g, mask: program(seed=2)[1],
    "on and off are exchanged": lambda g, mask: np.where(mask, 0.2e-6, 12e-6),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_named(what):
    made, right_S, mask = program()
    found = readback.verify(made, np.ascontiguousarray(MISTAKES[what](right_S, mask)))
    assert not found.passed and any(what in suspect for suspect in found.suspects), found.suspects


def test_a_half_formed_chip_that_no_reset_reached_is_named():
    made, right_S, mask = program()
    formed = mask | (stream(4, "formed").random(mask.shape) < 0.5)
    found = readback.verify(made, np.where(formed, 12e-6, 0.0))
    assert set(found.kinds) == {"on"} and any("before programming" in what for what in found.suspects)


def test_a_right_map_and_single_faults_are_no_mistake():
    made, right_S, mask = program()
    assert readback.verify(made, right_S).suspects == ()
    right_S[tuple(np.argwhere(mask)[0])] = -3e-9  # open
    right_S[tuple(np.argwhere(mask)[1])] = np.inf  # overflow
    right_S[tuple(np.argwhere(~mask)[0])] = 9e-6  # short
    right_S[tuple(np.argwhere(~mask)[1])] = -3e-9  # open, as it should be
    found = readback.verify(made, right_S)
    assert found.kinds == {"off": 1, "on": 1, "not a number": 1}
    assert (found.open, found.overflow, found.suspects, found.bit_errors) == (1, 1, (), 3)


def test_float16_is_refused():
    made, right_S, _ = program()
    with pytest.raises(DataError, match="float16"):
        readback.verify(made, right_S.astype(np.float16))


def test_wrong_cells_are_counted_by_place_and_few_are_listed():
    made, right_S, mask = program((2, 24, 24), n_tiles=2)
    right_S[1, 13, :] = np.where(mask[1, 13], 0, 12e-6)
    right_S[0, :, 7] = np.where(mask[0, :, 7], 0, 12e-6)
    right_S[1, 20, :3] = np.nan
    found = readback.verify(made, right_S)
    assert found.differing == 24 + 24 + 3 and len(found.cells) == 50
    assert (found.rows[0].macro, found.rows[0].number, found.rows[0].cells) == (1, 13, 24)
    assert (found.cols[0].macro, found.cols[0].number, found.cols[0].cells) == (0, 7, 24)
    assert {(one.number, one.cells) for one in found.tiles} == {(3, 27), (0, 12), (1, 12)}
    every = readback.wrong_cells(made, right_S)
    assert every[:50] == found.cells and len(every) == 51 and list(every) == sorted(every)


def test_a_chip_full_of_wrong_cells_takes_a_moment():
    """A U-Net's chip took 27 s and 196 MB of text."""
    made, right_S, mask = program((1, 512, 512))
    began = time.process_time()
    found = readback.verify(made, np.where(mask, 0.2e-6, 12e-6))
    assert found.differing == mask.size and len(found.cells) == 50 and time.process_time() - began < 5

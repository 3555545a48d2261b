"""Programs, repairs and pictures that cannot be made."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from minirram.errors import ConfigError
from minirram.programming import dump
from minirram.programming.repair import repair

from ..support.stops import COLS, ROWS, small_program

READBACK_S = np.full((1, ROWS, COLS), 12e-6)
ABLE = np.ones((1, ROWS, COLS), bool)


def test_a_level_of_masks():
    assert small_program(level="cell").tiles and small_program(level="pair").tiles
    with pytest.raises(ConfigError, match="^level 'weight': choose 'pair' or 'cell'"):
        small_program(level="weight")


def repaired(program):
    return repair(program, READBACK_S, formable=ABLE, pristine_max_S=3e-7)


def test_a_repair_reads_and_has_masks():
    whole = small_program()
    assert repaired(whole).program.recipes
    tile = replace(whole.tiles[0], mask=None, code_bits=0, codes=None, passes=whole.tiles[0].passes[:1])
    increment = replace(whole, tiles=(tile,), before=2, base_state=0)
    with pytest.raises(ConfigError, match="^tile 0 has no mask: a repair starts from a whole program"):
        repaired(increment)
    blind = tuple(replace(one, verify_id=255, read_first=0, good_reads=0) for one in whole.recipes)
    unread = replace(whole, recipes=tuple(one for one in blind if one.kind_name != "READ"))
    with pytest.raises(ConfigError, match="^the program has no READ: a repair verifies what it pulses"):
        repaired(unread)


def test_pictures_without_their_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio.v2", None)
    monkeypatch.setitem(sys.modules, "imageio", None)
    with pytest.raises(ConfigError, match="^pictures of masks need imageio: pip install '.*report"):
        dump.dump(small_program(), tmp_path / "masks", form="png")
    assert not (tmp_path / "masks").exists()

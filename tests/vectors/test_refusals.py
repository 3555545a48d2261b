"""Formats of vectors that there are not."""

import pytest

from minirram.crossbar.wires import Wires
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError
from minirram.vectors import formats
from minirram.vectors.vectors import answer, draw


def test_a_format_that_there_is_not(tmp_path):
    stimulus = draw(TAOX_40NM, (2, 1), samples=12)
    with pytest.raises(ConfigError, match="^format 'verilog': choose readmemh, c, npz, spice"):
        formats.write(str(tmp_path / "out"), "verilog", stimulus, answer(stimulus), wires=Wires(0.0, 0.0), about="")
    assert not (tmp_path / "out").exists()

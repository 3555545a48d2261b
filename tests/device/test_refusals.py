"""What is no cell and no pulse is refused, beside the last value that is right."""

from dataclasses import replace

import numpy as np
import pytest

from minirram.device.cell_json import cell_from_json, cell_to_json
from minirram.device.interface import KINDS, Cell
from minirram.device.presets import TAOX_40NM
from minirram.device.pulses import pulse_recipes
from minirram.errors import ConfigError, DataError

SET = pulse_recipes(TAOX_40NM)["SET"]


@pytest.fixture(scope="module")
def plain():
    """A cell without parameters that can be saved; no other module knows its class."""

    class Plain(Cell):
        def sample_forming_V(self, generator, shape):
            return np.ones(shape)

        sample_lrs_S = sample_hrs_S = sample_forming_V

        def read_std(self, conductance, unit_S=1.0):
            return 0 * conductance

    yield Plain()
    del KINDS["Plain"]


def test_cells_that_cannot_be_saved_or_read(plain):
    assert cell_from_json(cell_to_json(TAOX_40NM)) == TAOX_40NM
    with pytest.raises(ConfigError, match="Plain is no dataclass: what its parameters are cannot be saved"):
        cell_to_json(plain)
    for value in ("taox-40nm", [1], None):
        with pytest.raises(DataError, match="a cell is described by a dict of its parameters, not by "):
            cell_from_json(value)


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_shares_of_formed_cells(plain, share):
    assert TAOX_40NM.forming_voltage_V(1e-9) < TAOX_40NM.forming_voltage_V(1 - 1e-9)
    assert plain.forming_voltage_V(1 - 1e-9) == 1.0
    for cell in (plain, TAOX_40NM):
        with pytest.raises(ConfigError, match="share"):
            cell.forming_voltage_V(share)
    with pytest.raises(ConfigError, match=f"the share of formed cells is {share}; it must lie between 0 and 1"):
        plain.forming_voltage_V(share)


@pytest.mark.parametrize(
    "field, right, wrong, message",
    [
        ("max_pulses", 1, 0, "SET: 0 pulses, 1 good reads; at least 1 each"),
        ("good_reads", 1, 0, "SET: 10 pulses, 0 good reads; at least 1 each"),
        ("row_step_V", 0.0, -1e-9, "SET: steps and the guard band are 0 or above"),
        ("col_step_V", 0.0, -1e-9, "SET: steps and the guard band are 0 or above"),
        ("select_step_V", 0.0, -1e-9, "SET: steps and the guard band are 0 or above"),
        ("guard_S", 0.0, -1e-9, "a ramp falls where it ends lower"),
    ],
)
def test_pulses(field, right, wrong, message):
    assert getattr(replace(SET, **{field: right}), field) == right
    with pytest.raises(ConfigError, match=message):
        replace(SET, **{field: wrong})

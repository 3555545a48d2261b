"""What is no state, no cells and no temperature of an array is refused."""

import numpy as np
import pytest

from minirram.crossbar.conditions import Conditions
from minirram.crossbar.converters import Adc
from minirram.crossbar.product import multiply_tiles
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DataError, ShapeError

from ..support.benches import small_macro


@pytest.mark.parametrize("kelvin", [0.0, -1.0, float("nan")])
def test_temperatures(kelvin):
    assert Conditions(age_s=1.0, temperature_K=5e-324).temperature_K > 0
    with pytest.raises(ConfigError, match=f"a temperature of {kelvin:g} K; it must be above 0 K"):
        Conditions(age_s=1.0, temperature_K=kelvin)


def test_the_state_of_an_array_of_another_size():
    macro = small_macro(rows=8, cols=16, model=TAOX_40NM)
    macro.restore(small_macro(seed=2).state())
    with pytest.raises(DataError, match=r"the state of a macro of \(9, 16\) cells, expected \(8, 16\)"):
        macro.restore(small_macro(rows=9).state())


def test_tiles_without_a_row():
    adc = Adc(8, 1.0)
    y, saturated = multiply_tiles(np.ones((2, 1), np.uint8), np.ones((1, 2), np.float32), input_bits=1, adc=adc)
    assert y.tolist() == [[0], [0]] and saturated.tolist() == [0]
    with pytest.raises(ShapeError, match=r"cells of shape \(0, 2\), expected \(rows, 2 \* pairs\)"):
        multiply_tiles(np.ones((2, 0), np.uint8), np.ones((0, 2), np.float32), input_bits=1, adc=adc)

"""SI formatting at the edges."""

import pytest

from minirram.units import si_format


@pytest.mark.parametrize(
    "value, unit, text",
    [
        (12.34e-6, "S", "12.34 uS"),
        (0, "V", "0 V"),
        (1e-9, "J", "1 nJ"),
        (-0.5, "V", "-500 mV"),
        (1000, "ohm", "1 kohm"),
        (float("nan"), "A", "nan A"),
        (3e-21, "J", "0.003 aJ"),
    ],
)
def test_si_format(value, unit, text):
    assert si_format(value, unit) == text

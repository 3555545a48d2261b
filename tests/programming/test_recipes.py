"""Pulse recipes to the file's units and back."""

from hypothesis import given
from hypothesis import strategies as st

from minirram.device.pulses import PulseRecipe
from minirram.programming.recipes import pulse_recipe, pulse_record

mV = st.integers(-5000, 5000)


@st.composite
def recipes(draw):
    """Any recipe whose numbers a file can hold."""
    lines = {}
    for line in ("row", "col", "select"):
        start, to = draw(mV), draw(mV)
        ramps = start != to and draw(st.booleans())
        lines[f"{line}_V"] = start / 1e3
        lines[f"{line}_step_V"] = draw(st.integers(1, 500)) / 1e3 if ramps else 0.0
        lines[f"{line}_to_V"] = (to if ramps else start) / 1e3
    verified = draw(st.booleans())
    return PulseRecipe(
        draw(st.sampled_from(["FORM", "SET", "RESET"])),
        width_s=draw(st.integers(1, 10**8)) / 1e9,
        compliance_A=draw(st.integers(0, 10**6)) / 1e9,
        max_pulses=draw(st.integers(1, 1000)),
        verified=verified,
        source="of the program file",
        settle_s=draw(st.integers(0, 10**6)) / 1e9,
        floating=draw(st.integers(0, 7)),
        read_first=verified and draw(st.booleans()),
        good_reads=draw(st.integers(1, 9)) if verified else 1,
        guard_S=draw(st.integers(0, 10**4)) / 1e9,
        **lines,
    )


@given(recipes(), st.integers(0, 15), st.integers(0, 50))
def test_a_recipe_comes_back_from_a_file(recipe, number, pulse):
    record = pulse_record(recipe, number)
    assert record.id == number and pulse_recipe(record) == recipe
    ends = sorted((record.row_mV, record.row_to_mV))
    assert ends[0] <= round(recipe.pulse(pulse).row_V * 1e3) <= ends[1]
    assert recipe.pulse(0).row_V == recipe.row_V

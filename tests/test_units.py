"""Quantities and lines as people read them: SI prefixes at the edges, numbers with their units, ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.cli import console
from minirram.report.page import Page
from minirram.units import in_columns, in_ranges, named_lines, si_format, with_units_bound


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


@given(numbers=st.sets(st.integers(0, 30)))
def test_ranges_name_every_number_once(numbers):
    text = in_ranges(sorted(numbers), most=99)
    found = []
    for part in text.split(", ") if text else []:
        ends = [int(one) for one in part.split(" to ")]
        assert len(ends) == 1 or ends[1] >= ends[0] + 2
        found += range(ends[0], ends[-1] + 1)
    assert found == sorted(numbers)


def test_of_many_ranges_the_first_are_named():
    assert in_ranges([3, 5, 7, 8, 9, 20, 22, 24], most=3) == "3, 5, 7 to 9 and 3 more"
    assert named_lines("row", [3]) == "row 3" and named_lines("column", [3, 4]) == "columns 3, 4"


PARTS = ("95.3 %", "156 nJ", "4 of 9", "12 s", "a word", "3 stops", "9.6 \u00b5S")


@given(st.lists(st.sampled_from(PARTS), max_size=30))
def test_a_number_and_its_unit_stand_on_one_line(parts):
    text = " and ".join(parts)
    lines = console.fitted(text).split("\n")
    assert " ".join(line.strip() for line in lines) == text.strip() and "\u00a0" not in "".join(lines)
    for number, unit in (("95.3", "%"), ("156", "nJ"), ("12", "s"), ("9.6", "\u00b5S")):
        assert not any(line.endswith(number) for line in lines), unit
    assert with_units_bound(text).replace("\u00a0", " ") == text
    page = Page("Run", "t", text, "b", ()).html()
    assert with_units_bound("95.3 %") == "95.3\u00a0%" and page.count("95.3\u00a0%") == parts.count("95.3 %")


@given(st.integers(1, 12), st.integers(1, 4), st.integers(40, 90))
def test_a_table_is_cut_where_it_is_too_wide(columns, rows, width):
    table = [
        [f"{'name' * (k + 1)}"] + [f"{k}.{column}" * (1 + column % 4) for column in range(columns)] for k in range(rows)
    ]
    lines = in_columns(table, width=width, indent="  ")
    assert max(map(len, lines)) <= width and all(line.startswith("  name") for line in lines)
    found = [[] for _ in table]
    for number, line in enumerate(lines):
        found[number % rows] += line.split()[1:]
    assert found == [row[1:] for row in table]

"""Every option of `import`, changed, and its effect seen in the map that it writes."""

import numpy as np
import pytest

from ..support.options import call, figures, shows

OPTIONS = ("--delimiter", "--decimal", "--layout", "--index", "--first", "--variable")


@pytest.fixture
def taken(tmp_path):
    """taken(text, *options, name=...): the map in siemens that `import` makes of a file."""

    def take(text, *options, name="lab.csv"):
        (tmp_path / name).write_text(text)
        out = str(tmp_path / "map.npy")
        shown = figures("import", str(tmp_path / name), "--out", out, *options)
        assert shown["out"] == out
        return np.load(out)

    return take


@shows("import", "FILE", "--out", "--unit")
def test_a_map_is_taken_in_its_unit(taken):
    for unit, scale in (("uS", 1e-6), ("mS", 1e-3)):
        assert np.array_equal(taken("0.125,0.25\n0.5,0\n", "--unit", unit), np.array([[0.125, 0.25], [0.5, 0]]) * scale)
    assert np.array_equal(taken("8;10\n20;40\n", "--unit", "kOhm"), [[1 / 8e3, 1 / 10e3], [1 / 20e3, 1 / 40e3]])
    assert np.array_equal(taken("V (V),I (uA)\n0.5,6\n0.25,3\n"), [[6e-6 / 0.5], [3e-6 / 0.25]])


@shows("import", "--missing", "--open", "--short", "--offset")
@pytest.mark.parametrize(
    "kind, cell, unit",
    [("missing", "n/a", "uS"), ("open", "OVLD", "ohm"), ("short", "OVLD", "uS"), ("offset", "-0.001", "uS")],
)
def test_cells_without_a_conductance_follow_the_policy(taken, tmp_path, kind, cell, unit):
    text = f"12.5;{cell}\n30100.5;29000.5\n" if unit == "ohm" else f"12.5;{cell}\n13.5;14.5\n"
    assert taken(text, "--unit", unit, f"--{kind}", "unformed")[0, 1] == 0
    refused = call("import", str(tmp_path / "lab.csv"), "--out", "x", "--unit", unit, f"--{kind}", "error")
    assert refused.code == 3 and f"row 0, column 1 is {kind} (line 1: '12.5;{cell}')" in refused.err


@shows("import", *OPTIONS)
def test_what_two_readings_leave_open_can_be_stated(taken, tmp_path):
    def asked(text, *options):
        (tmp_path / "lab.csv").write_text(text)
        refused = call("import", str(tmp_path / "lab.csv"), "--out", "x", "--unit", "uS", *options)
        assert refused.code == 3 and "minirram import --" in refused.err
        return lambda *stated: (taken(text, "--unit", "uS", *options, *stated) * 1e6).round(9).tolist()

    commas = asked("12,5\n13,5\n")
    assert commas("--decimal", "comma") == [[12.5], [13.5]]
    assert commas("--delimiter", "comma") == [[12, 5], [13, 5]]
    listed = asked("0,0,12.5\n0,1,13.5\n1,1,14.5\n", "--missing", "unformed")
    assert listed("--layout", "list") == [[12.5, 13.5], [0, 14.5]]
    assert listed("--layout", "grid") == [[0, 0, 12.5], [0, 1, 13.5], [1, 1, 14.5]]
    numbered = asked("0,12.5,0.5\n1,13.5,0.5\n2,14.5,0.5\n")
    assert numbered("--index", "rows") == [[12.5, 0.5], [13.5, 0.5], [14.5, 0.5]]
    assert numbered("--index", "none")[2] == [2, 14.5, 0.5]
    first = asked("row,col,G\n1,1,12.5\n1,2,13.5\n2,2,14.5\n", "--missing", "unformed")
    assert first("--first", "1") == [[12.5, 13.5], [0, 14.5]]
    assert first("--first", "0") == [[0, 0, 0], [0, 12.5, 13.5], [0, 0, 14.5]]


@shows("import", "--variable")
def test_the_array_is_named_where_a_file_holds_several(tmp_path):
    path, out = str(tmp_path / "lab.npz"), str(tmp_path / "map.npy")
    np.savez(path, on=np.full((2, 2), 12.5), off=np.full((3, 2), 0.5))
    refused = call("import", path, "--unit", "uS", "--out", out)
    assert refused.code == 3 and "holds off, on" in refused.err
    assert figures("import", path, "--unit", "uS", "--out", out, "--variable", "off")["reading"]["shape"] == [3, 2]
    assert call("import", path, "--unit", "uS", "--out", out, "--variable", "none").code == 2

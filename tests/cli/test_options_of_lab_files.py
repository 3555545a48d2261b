"""Every option of `import`, changed, and its effect seen in the map that it writes; policies in other commands."""

import numpy as np
import pytest

from minirram.runs.folder import RunFolder

from ..support.lab_files import POLICIES, kinds_refused
from ..support.options import call, figures, shows
from ..support.tiny import save_garments

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
    if kind == "short":
        assert taken(text, "--unit", unit, "--short", "keep")[0, 1] == np.inf
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


@shows("train", *POLICIES)
@shows("transfer", *POLICIES)
@shows("compare", *POLICIES)
@shows("fit-network", *POLICIES)
def test_the_policies_arrive_where_maps_are_read(runs, tmp_path):
    many = str(tmp_path / "many")
    save_garments(many, train=260, validation=20, test=20)
    for arguments in (
        runs.arguments(str(tmp_path / "none")),
        ["transfer", runs.trained(), "--epochs", "1"],
        ["compare", "fashion-mnist", "--data", many, "--arms", "pair", "--seeds", "0"],
        ["fit-network", "fashion-mnist"],
    ):
        assert kinds_refused(*arguments, folder=str(tmp_path)) == ["missing", "open", "short", "offset"]


def test_a_run_tells_what_was_taken_and_remembers_the_policy(runs, tmp_path):
    maps_uS = np.round(np.random.default_rng(3).lognormal(np.log(12), 0.2, (2, 64, 64)), 3)
    paths = [str(tmp_path / f"map{k}.csv") for k in range(2)]
    for path, map_uS in zip(paths, maps_uS):
        np.savetxt(path, map_uS, fmt="%.3f", delimiter=";")
    with open(paths[1]) as handle:
        text = handle.read()
    rows = text.splitlines()
    rows[2] = "OVLD" + rows[2][rows[2].index(";") :]
    rows[0] = "#N/A" + rows[0][rows[0].index(";") :]
    with open(paths[1], "w") as handle:
        handle.write("\n".join(rows) + "\n")
    out = str(tmp_path / "run")
    arguments = runs.arguments(out, "--map", paths[0], "--map", paths[1], "--unit", "uS", "--missing", "unformed")
    refused = call(*arguments)
    assert refused.code == 3 and "--short keep for shorted, stuck on" in refused.err
    arguments += ["--short", "keep"]
    results = figures(*arguments)
    assert [reading["counts"].get("missing") for reading in results["readings"]] == [0, 1, None]
    assert results["readings"][2]["layout"] == "dead lines"
    assert [taken["shorted"] for taken in results["maps"]] == [0, 1] and results["stuck_cells"] == 1
    shown = call(*arguments, "--resume").out
    assert "map1.csv: grid 64 x 64 in uS; UTF-8; semicolons between values" in shown
    assert "1 missing, 1 short (1 of them" in shown
    assert RunFolder.open(out).config.maps[1].endswith(" missing=unformed short=keep")


@shows("verify", "--unit")
def test_a_read_back_is_verified_in_its_unit(runs, tmp_path):
    program, nS = str(tmp_path / "program.xbp"), str(tmp_path / "back.csv")
    figures("export", runs.trained(), "--out", program)
    read_S = runs.chip("programmed")
    np.savetxt(nS, read_S[0] * 1e9, fmt="%.3f")
    refused = call("verify", program, nS, "--unit", "nS")
    assert refused.code == 3 and "the program is for" in refused.err
    whole = str(tmp_path / "back.npy")
    np.save(whole, read_S * 1e9)
    assert figures("verify", program, whole, "--unit", "nS")["readback"]["unit"] == "nS"
    assert f"read-back {whole}: grid" in call("verify", program, whole, "--unit", "nS").out
    assert call("verify", program, whole).code == 3

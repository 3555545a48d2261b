"""Dead lines: every logical line lies on a live physical one, none twice; chips work on what is left."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines, read_faults, read_lines
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DataError, MissingFileError

dead = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 11)), max_size=8).map(tuple)
policies = st.sampled_from(["skip", "spare"])


@given(dead, dead, policies)
def test_maps_are_one_to_one_onto_live_lines(dead_rows, dead_cols, policy):
    lines = ChipLines(dead_rows, dead_cols, policy, rows=12, pairs=9)
    for macro in range(4):
        rows, cols = lines.row_map(macro), lines.col_map(macro)
        assert len(rows) == lines.logical_rows and len(cols) == 2 * lines.logical_pairs
        assert len(set(rows)) == len(rows) and len(set(cols)) == len(cols)
        assert not set(rows) & {row for m, row in dead_rows if m == macro}
        assert not set(cols) & {col for m, col in dead_cols if m == macro}
        assert np.array_equal(cols[0::2] + 1, cols[1::2]) and not (cols[0::2] % 2).any()
        if policy == "skip":
            assert np.all(np.diff(rows) > 0) and np.all(np.diff(cols) > 0)
        else:
            moved = {k for k, row in enumerate(rows) if row != k}
            assert moved == {row for m, row in dead_rows if m == macro and row < len(rows)}


@given(dead, dead, policies)
def test_the_report_names_exactly_what_moved(dead_rows, dead_cols, policy):
    lines = ChipLines(dead_rows, dead_cols, policy, rows=12, pairs=9)
    expected = []
    for macro in range(3):
        for line, physical in (("row", lines.row_map(macro)), ("pair", lines.pair_map(macro))):
            expected += [(macro, line, k, p) for k, p in enumerate(physical) if k != p]
    assert [tuple(entry.values()) for entry in lines.report()] == expected


def test_two_small_cases_by_hand():
    skip = ChipLines(((0, 1),), ((0, 5),), "skip", rows=4, pairs=4)
    assert skip.row_map(0).tolist() == [0, 2, 3] and skip.row_map(1).tolist() == [0, 1, 2]
    assert skip.col_map(0).tolist() == [0, 1, 2, 3, 6, 7]
    spare = ChipLines(((0, 1),), ((0, 5),), "spare", rows=4, pairs=4)
    assert spare.row_map(0).tolist() == [0, 3, 2]
    assert spare.report() == [
        {"macro": 0, "line": "row", "logical": 1, "physical": 3},
        {"macro": 0, "line": "pair", "logical": 2, "physical": 3},
    ]


@pytest.mark.parametrize("policy", ["skip", "spare"])
def test_a_chip_keeps_the_cells_of_its_live_lines(policy):
    shapes = (("fc", (700, 300)),)
    dead_rows, dead_cols = ((0, 3), (0, 510), (1, 0)), ((0, 10), (1, 511))
    lines = ChipLines(dead_rows, dead_cols, policy)
    chip, intact = (
        Chip.sample(TAOX_40NM, shapes, level="pair", seed=1, lines=lines),
        Chip.sample(TAOX_40NM, shapes, level="pair", seed=1),
    )
    assert (chip.placement.macro_rows, chip.placement.macro_pairs) == (510, 255)
    for index, macro in enumerate(chip.macros):
        where = np.ix_(lines.row_map(index), lines.col_map(index))
        if index < len(intact.macros):
            assert np.array_equal(macro.lrs_grid, intact.macros[index].lrs_grid[where])
    chip.form(5.0)
    assert chip.unformed_pairs() == 0


def test_dead_lines_of_a_macro_that_the_chip_does_not_have():
    with pytest.raises(ConfigError, match=r"macro 2: the chip has macros 0\.\.0"):
        Chip.sample(TAOX_40NM, (("fc", (20, 3)),), level="pair", seed=1, lines=ChipLines(dead_rows=((2, 5),)))


@pytest.mark.parametrize(
    "values, message",
    [
        ({"policy": "pray"}, "choose skip or spare"),
        ({"dead_rows": ((0, 512),)}, "rows 0..511"),
        ({"dead_cols": ((-1, 0),)}, "macro -1"),
        ({"dead_rows": ((0, 1.5),)}, "must be integers"),
        ({"dead_rows": ((0, 1, 2),)}, r"pairs of \(macro, row\)"),
        ({"dead_rows": ((0, 0),), "rows": 1}, "without a live row"),
    ],
)
def test_impossible_lines_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        ChipLines(**values)


def test_dead_lines_from_a_file(tmp_path):
    path = tmp_path / "dead.json"
    path.write_text('{"dead_rows": [[0, 17], [1, 3]], "policy": "spare"}')
    assert read_lines(str(path)) == ChipLines(((0, 17), (1, 3)), (), "spare")
    path.write_text('{"bad_cols": [[0, 5]], "bad_rows": [[0, 17]], "verdict": "usable"}')  # the report of a fit
    assert read_lines(str(path)) == ChipLines(((0, 17),), ((0, 5),))


@pytest.mark.parametrize(
    "text, message",
    [
        ("[3]", "must hold a JSON object"),
        ('{"dead_rows": [5]}', "not a table of dead lines"),
        ('{"dead_rows": [[0]]}', "pairs of"),
        ('{"dead_rows": [[0, "x"]]}', "must be integers"),
        ('{"dead_rows": [[0, 512]]}', "rows 0..511"),
        ('{"broken": []}', "broken"),
        ('{"policy": null}', "not a table of dead lines"),
    ],
)
def test_hostile_files_of_dead_lines(tmp_path, text, message):
    path = tmp_path / "dead.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_lines(str(path))


def test_stuck_cells_from_a_file(tmp_path):
    path = tmp_path / "faults.txt"
    path.write_text("0 3 4 stuck_on\n\n  1 5 6   stuck_off\n")
    assert read_faults(str(path)) == ((0, 3, 4, True), (1, 5, 6, False))
    with pytest.raises(MissingFileError, match="no such file"):
        read_faults(str(tmp_path / "none"))


WAYS = {
    "comma": "0,3,4,stuck_on\n1,5,6,stuck_off\n",
    "semicolon": "0; 3; 4; stuck_on\r\n1; 5; 6; stuck_off\r\n",
    "tab": "0\t3\t4\tstuck_on\n1\t5\t6\tstuck_off",
    "spaces": "  0   3 4 stuck_on \n\n1 5 6 stuck_off\n",
    "quotes": '"0","3","4","stuck_on"\n"1","5","6","stuck_off"\n',
    "header": "# of the tester\nmacro,row,col,kind\n0,3,4,stuck_on\n1,5,6,stuck_off\n",
    "order": "state;BL;WL;macro\nstuck_on;4;3;0\nstuck_off;6;5;1\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("way", list(WAYS))
def test_stuck_cells_in_every_way_of_writing_them(tmp_path, way, encoding):
    path = tmp_path / "faults.CSV"
    path.write_bytes(WAYS[way].encode(encoding))
    assert read_faults(str(path)) == ((0, 3, 4, True), (1, 5, 6, False))


def test_stuck_cells_in_a_sheet(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="needs openpyxl: pip install '.[lab]'")
    book = openpyxl.Workbook()
    for row in (("macro", "row", "col", "kind"), (0, 3, 4, "stuck_on"), (1, 5, 6, "stuck_off")):
        book.active.append(row)
    book.save(tmp_path / "faults.xlsx")
    assert read_faults(str(tmp_path / "faults.xlsx")) == ((0, 3, 4, True), (1, 5, 6, False))


@pytest.mark.parametrize(
    "data, message",
    [
        (b"0 3 4 stuck", "line 1: .*: expected: macro row col"),
        (b"0 3 4 stuck_on\n0 3 stuck_on", "line 2: .*: expected"),
        (b"0 -3 4 stuck_on", "line 1"),
        (b"0 3 4 5 stuck_on", "line 1"),
        (b"0 3 4 stuck_on\n0 3 4 stuck_off", "line 2: .* names a cell for the second time"),
        (b"row,col,state\n3,4,stuck_on", "line 1: .*: a header names the columns macro, row, col"),
        (b"macro,row,col,row\n0,3,4,stuck_on", "line 1: .*: a header names the columns"),
        (b"0;3;4,stuck_on", "line 1: .*: expected"),
        (b"\x81\x90", "no text"),
    ],
)
def test_hostile_files_of_stuck_cells(tmp_path, data, message):
    path = tmp_path / "faults.txt"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_faults(str(path))


def test_stuck_cells_have_physical_numbers():
    lines = ChipLines(dead_rows=((0, 3),), dead_cols=((0, 6),))
    chip = Chip.sample(TAOX_40NM, (("fc", (40, 30)),), level="pair", seed=1, lines=lines)
    chip.stick(((0, 5, 9, True), (0, 2, 1, False), (0, 3, 0, True), (0, 100, 200, True)))
    macro = chip.macros[0]
    # Row 3 and columns 6 and 7 are out of use: what lies beyond has moved up.
    assert np.argwhere(macro.stuck).tolist() == [[2, 1], [4, 7], [99, 198]]
    assert macro.on[4, 7] and not macro.on[2, 1]
    assert chip.stuck_cells() == 2  # the third is not in use
    for fault in ((1, 0, 0, True), (0, 512, 0, True), (0, 0, 512, False)):
        with pytest.raises(ConfigError, match="1 macro.* of 512 x 512 cells"):
            chip.stick((fault,))

"""What the reader of lab files takes, what it refuses with which line, and its bounds."""

import io
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pytest

from minirram.errors import ConfigError, DataError, MissingFileError, ShapeError
from minirram.labfiles import arrays, dialect, text
from minirram.labfiles.dialect import Dialect
from minirram.labfiles.maps import KEEP, Policy, read_chip_map, read_column, read_forming_voltages, read_map
from minirram.labfiles.text import decode
from minirram.labfiles.units import known, stated

GRID_uS = np.array([[12.5, 13.25], [11.75, 0.5]])


def uS(path, unit="uS", **options):
    return np.round(read_map(path, unit, **options).conductances_S * 1e6, 9).tolist()


# -- text --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, name",
    [
        ("µ1".encode(), "UTF-8"),
        (b"\xef\xbb\xbf\xc2\xb51", "UTF-8 with byte-order mark"),
        ("µ1".encode("utf-16"), "UTF-16"),
        ("\ufeffµ1".encode("utf-16-be"), "UTF-16"),
        ("\ufeffµ1".encode("utf-32-be"), "UTF-32"),
        (b"\xb51", "cp1252"),
    ],
)
def test_encodings(data, name):
    assert decode(data, "here") == (("µ1",), name)


def test_utf_16_without_a_mark():
    for codec in ("utf-16-le", "utf-16-be"):
        assert decode("1,2\r\n3,4".encode(codec), "here") == (("1,2", "3,4"), "UTF-16 without byte-order mark")


def test_line_ends():
    assert decode(b"1\r\n2\r\r\n3\n4\r5\x0b6", "here").lines == ("1", "2", "3", "4", "5\x0b6")


@pytest.mark.parametrize("data", [b"\x00\x01\x02\x03", b"\x81\x90", b"\xff\xfe1", b"12\x00.5"])
def test_what_is_no_text(data):
    with pytest.raises(DataError, match="here: no text"):
        decode(data, "here")


def test_units_as_people_write_them():
    assert [known(word).name for word in ("µS", "μS", "kΩ", "MΩ", "Ohm", "kohm", "Ω")] == [
        *("uS", "uS", "kOhm", "MOhm", "ohm", "kOhm", "ohm")
    ]
    assert known("mOhm") is known("MS") is known("siemens") is None
    names = ("G (µS)", "R [kOhm]", "I/uA", "G_S", "Unit: nS", "mV", "current in nA", '"G (S)"')
    assert [stated(name).name for name in names] == ["uS", "kOhm", "uA", "S", "nS", "mV", "nA", "S"]
    assert stated("sample (3)") is stated("conductance") is stated("wafer A") is stated("read at 200 mV") is None
    names = ("R / kΩ", "R / MΩ", "conductance, uS", "G [µS] at 0.2 V", "Microsiemens", "R (GOhm)", "I [fA]", "R[mΩ]")
    assert [stated(name).name for name in names] == ["kOhm", "MOhm", "uS", "uS", "uS", "GOhm", "fA", "mOhm"]


GRID = [[12.5, 13.5, 11.25], [9.5, 12.25, 10.75], [11.5, 12.75, 13.25]]


def _labelled(corner, names=("BL0", "BL1", "BL2"), rows=("WL0", "WL1", "WL2"), delimiter=","):
    lines = [[corner, *names], *([name, *map(str, row)] for name, row in zip(rows, GRID))]
    return "".join(delimiter.join(line) + "\n" for line in lines)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("corner", ["G [nS]", "G / nS", "nS", "conductance in nS", "G (nS) at 0.2 V"])
@pytest.mark.parametrize("names", [("BL0", "BL1", "BL2"), ("0", "1", "2")])
def test_a_unit_in_the_corner_counts_and_may_not_be_contradicted(file, delimiter, corner, names):
    path = file(_labelled(corner, names, delimiter=delimiter))
    assert np.allclose(read_map(path).conductances_S, 1e-9 * np.array(GRID), rtol=1e-12)
    with pytest.raises(DataError, match="header states nS, the unit given is uS"):
        read_map(path, "uS")


@pytest.mark.parametrize("head", ["Current (A)", "Forward read 0.2V I(uA)", "V / mV", "I, nA", "G [pS]", "R (GΩ)"])
def test_a_header_of_another_quantity_contradicts(file, head):
    for contents in (f"{head}\n12.5\n13.5\n11.5\n", _labelled(head)):
        with pytest.raises(DataError, match="the header states"):
            read_map(file(contents), "uS")


@pytest.mark.parametrize(
    "names", [("BL0", "BL1", "mean"), ("a", "b", "Avg."), ("G1", "G2", "note"), ("C0", "C2", "C3")]
)
def test_a_column_that_is_none_of_the_cells_is_refused(file, names):
    rows = "".join(",".join(map(str, row)) + "\n" for row in GRID)
    with pytest.raises(DataError, match="no column of cells|do not count"):
        read_map(file(",".join(names) + "\n" + rows), "uS")
    assert read_map(file("BL0,BL1,BL2\n" + rows), "uS").conductances_S.shape == (3, 3)


LISTED = "0 0 12.5\n0 1 13.5\n1 0 11.5\n1 1 9.5\n"


@pytest.mark.parametrize("head", ["row col G (uS)", "# measured 2024-05-03\nrow col G / uS", "WL BL value in uS"])
def test_names_with_spaces_above_a_list_between_spaces(file, head):
    found = read_map(file(f"{head}\n{LISTED}"))
    assert found.reading.layout == "list" and found.reading.unit == "uS" and found.conductances_S.shape == (2, 2)


@pytest.mark.parametrize(
    "contents",
    [
        "x BL0 BL1 BL2\nWL0 12.5  13.5\nWL1 11.5 9.5\n",
        "BL0,BL1,BL2\n12.5,13.5\n11.5,9.5\n",
        "BL0, BL1, BL2\n9,91, 7,83, 1,16\n4,29, 1,24, 1,71\n",
        "9,91, 7,83, 1,16\n4,29, 1,24, 1,71\n",
        "row,col,G (uS),time\n0,0,12.5\n0,1,13.5\n",
    ],
)
def test_a_header_of_another_width_and_two_kinds_of_commas_are_refused(file, contents):
    with pytest.raises(DataError, match="numbers [0-9] columns|commas with a space|does not name the"):
        read_map(file(contents), "uS")


def test_a_corner_of_words_between_spaces(file):
    found = read_map(file("G in uS 0 1\n0 12.5 13.5\n1 11.5 9.5\n"))
    assert found.reading.unit == "uS" and found.conductances_S.shape == (2, 2)


def test_cells_at_the_end_of_the_range_are_told(file):
    cells = np.random.default_rng(0).lognormal(2.5, 0.2, (30, 30)).round(4)
    free = read_map(file("\n".join(",".join(map(str, row)) for row in cells)), "uS")
    cut = read_map(file("\n".join(",".join(map(str, row)) for row in np.minimum(cells, 15.0))), "uS")
    assert free.reading.saturated == 0 and cut.reading.saturated == np.count_nonzero(cells >= 15.0)
    assert "at the largest value" in cut.reading.line and "largest" not in free.reading.line


def test_a_list_with_a_column_of_times_shows_it(file):
    with pytest.raises(DataError, match="line 2.*'12:00:01' in column 3 is no number"):
        read_map(file("row;col;G (uS);time\n0;0;12,5;12:00:01\n0;1;12,5;12:00:02\n"))


# -- layouts -----------------------------------------------------------------------------------------------------------

LISTED = "row;col;G (uS)\n0;0;12.5\n0;1;13.25\n1;0;11.75\n1;1;0.5\n"


@pytest.mark.parametrize(
    "contents",
    [
        "12.5,13.25\n11.75,0.5\n",
        "# chip A12, 25 degrees\nGain\t3\nBL0,BL1\n12.5,13.25\n11.75,0.5\n\n\n",
        ",0,1\n0,12.5,13.25\n1,11.75,0.5\n",
        "row,BL0,BL1\n1,12.5,13.25\n2,11.75,0.5\n",
        '"12,5","13,25"\n"11,75","0,5"\n',
        "12.5 , 13.25\n11.75 ,\t0.5\n",
        "  12.5   13.25\n 11.75    0.50\n",
        LISTED,
        LISTED.replace("0;", "8;", 0).replace("row;col", "WL;BL"),
        "1\t1\t12.5\n1\t2\t13.25\n2\t1\t11.75\n2\t2\t0.5\n",
        "n;column;row;value\n1;0;0;12.5\n2;1;0;13.25\n3;0;1;11.75\n4;1;1;0.5\n",
        "WL,BL,V (V),I (uA)\n0,0,0.5,6.25\n0,1,0.5,6.625\n1,0,0.5,5.875\n1,1,-0.5,-0.25\n",
    ],
)
def test_layouts_of_one_map(file, contents):
    assert uS(file(contents, "lab.TXT"), None if "(V)" in contents else "uS") == GRID_uS.tolist()


def test_voltages_and_currents(file):
    assert uS(file("0.5,6\n0.25,3\n"), "V,uA") == uS(file("6,0.5\n3,0.25\n"), "uA,V") == [[12], [12]]
    assert uS(file("I;V\n6;0.5\n"), "V,uA") == [[12]]
    found = read_map(file("0.5,6\n0,0\n0.5,OVLD\n0.5,\n"), "V,uA", policy=Policy("unformed", short="unformed"))
    kinds = found.reading.counts
    assert (kinds["conducting"], kinds["missing"], kinds["short"]) == (1, 2, 1)
    with pytest.raises(DataError, match="the header states nA, the unit given is V,uA"):
        read_map(file("V (V),I (nA)\n0.5,6\n"), "V,uA")
    with pytest.raises(DataError, match="column 'T' is neither voltage nor current"):
        read_map(file("V,I,T\n0.5,6,300.5\n"), "V,uA")


def test_a_list_lacks_a_cell_and_holds_macros(file):
    lacking = file("row,col,uS\n0,0,12.5\n1,1,13.5\n")
    with pytest.raises(DataError, match="row 0, column 1 is missing .the list does not hold it., one of 2 such"):
        read_map(lacking)
    assert uS(lacking, policy=Policy(missing="unformed")) == [[12.5, 0], [0, 13.5]]
    assert uS(file("macro,row,col,uS\n0,0,0,12.5\n1,0,0,13.5\n")) == [[[12.5]], [[13.5]]]


@pytest.mark.parametrize(
    "contents, message",
    [
        ("a,b\n", "not a table of numbers: no line is made of numbers alone; line 1: 'a,b'"),
        ("", "the file is empty"),
        ("1,2\n3,4\n", "line 1: '1,2' may be no delimiter, decimal comma: 2 x 1 .*; or commas between"),
        ("1,234\n", "line 1: '1,234' may be"),
        ("12.5;1,234\n13.5;0.5\n", "digits grouped by ','.*--decimal"),
        ("12.5,13.5\n11.5\n", "row 1 has 1 values where the rows above have 2 .line 2: '11.5'"),
        ("12.5,13.5\n\n11.5,12.5\n", "a blank line after row 0: a missing row, or a second map"),
        ("12.5,13.5\n11.5,bad\n", "'bad' at row 1, column 1 is no number .line 2"),
        ("12.5,bad\n11.5,13.5\n", "line 1: '12.5,bad' holds words and numbers"),
        ("12.5,13.5,\n11.5,12.5,\n", "delimiter at the end of each line"),
        ("12.5\n\n13.5\n", "row 1, column 0 is missing .line 2: ''"),
        ("12.5\n13.5\n\n", "line 3: '' beside a column"),
        ("0,12.5\n1,13.5\n2,14.5\n", "the first column may number the rows, or hold values .line 1"),
        ("0,1,2\n12.5,13.5,14.5\n", "the first row may number the columns"),
        (",0,1\n5,12.5,13.5\n7,11.5,12.5\n", "the first column does not number the rows"),
        ("row,col,G\n0,0,12.5\n0,0,13.5\n", "line 3: '0,0,13.5' names a cell for the second time"),
        ("row,col,G\n0,0.5,12.5\n", "whole numbers"),
        ("row,col,G\n1,1,12.5\n2,2,13.5\n", "count from 0, and cells are missing, or from 1"),
        ("row,col,G,T\n0,0,12.5,300\n", "one column of values beside row and column; there are 'G', 'T'"),
        ("0,0,12.5\n0,1,13.5\n1,1,13.5\n", "may begin a list .* or a grid"),
        ("T (K);G (uS)\n300.5;12.5\n", "none for the column 'T .K.'"),
        ("R (kOhm)\n80.5\n", "the header states kOhm, the unit given is uS"),
        ("12.5,-3.25\n11.5,12.5\n", "row 0, column 1 is negative, -3.25e-06 S; the offset .* line|is negative"),
        ("12.5,-inf\n11.5,12.5\n", "row 0, column 1 is negative"),
        ("12.5,1e30\n11.5,12.5\n", "row 0, column 1 is no conductance of a cell"),
        ("12500000,13000000,12000000,9999999,12000000\n", "is the unit right"),
        ("0.00001;0.00002\n", "is the unit right"),
        ("012,013,012,011\n", "not a table of numbers"),
        ("12,54,13,57\n11,53,12,56\n", "integers between commas, or decimal commas .line 1"),
        ("1,25e1,1,35e1\n1,15e1,9,91E+37\n", "integers between commas, or decimal commas"),
        ("#N/A,12596,06835\n15422,40979,20343,96500\n", "line 1: '#N/A,12596,06835' holds words"),
        ("12.5 13.5  14.5\n", "spaces of several widths .line 1"),
        ("12.5 13.5 14.5 \n", "spaces of several widths"),
        ("12.5  13.5 14.5\n11.5 12.5  15.5\n", "spaces of several widths .line 1"),
        (" 12.5 13.5\n11.5  14.5\n", "spaces of several widths"),
        ("12.5 \n 13.5\n", "spaces of several widths .line 2"),
        ("BL0 (uS)  BL1 (uS)\n12.5  \n13.5  \n", "numbers 2 columns, and the rows hold 1"),
        ("row 1\n1 \n2 \n3 \n", "one column, which numbers the rows"),
        ("0x1F,1_0,12.5,13.5\n", "not a table|words and numbers"),
    ],
)
def test_what_is_refused_shows_its_line(file, contents, message):
    path = file(contents)
    with pytest.raises(DataError, match=message) as caught:
        read_map(path, "uS")
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "contents",
    [
        " 12.5  3.5\n  1.5 14.5\n",
        "12.5  3.5\n1.5   14.5\n",
        "12.5   3.5\n 1.5  14.5\n",
        "12.5 3.5\n1.5 14.5 \n",
        " 12.5 3.5\n 1.5 14.5\n",
        '"12.5" ; "3.5"\n"1.5" ; "14.5"\n',
    ],
)
def test_columns_that_stand_below_each_other_hide_no_value(file, contents):
    assert uS(file(contents)) == [[12.5, 3.5], [1.5, 14.5]]


def test_integers_between_commas_are_read_where_nothing_is_left_open(file):
    many = np.random.default_rng(1).integers(10000, 99999, (12, 12))
    text = "\n".join(",".join(map(str, row)) for row in many.tolist())
    assert uS(file(text + "\n"), "nS") == (many / 1000).tolist()
    few = [[12, 54], [13, 57]]
    assert uS(file("12,54\n13,57\n"), dialect=Dialect(delimiter="comma", decimal="point")) == few
    assert uS(file("BL0,BL1,BL2,BL3\n12,54,13,57\n")) == [[12, 54, 13, 57]]


def test_grouped_digits_where_a_number_shows_them(file):
    assert uS(file("10,250.5;11,250\n12,250;9,250.25\n"), "nS") == [[10.2505, 11.25], [12.25, 9.25025]]
    assert uS(file("10.250,5\n11.250\n"), "nS") == [[10.2505], [11.25]]
    assert uS(file("10'250;11'250\n"), "nS") == [[10.25, 11.25]]


def test_policies_and_kinds(file):
    path = file("12.5;;OVLD;-0.001;0\n")
    kept = read_map(path, "uS", policy=KEEP)
    assert kept.reading.counts == {"unformed": 1, "conducting": 1, "open": 0, "short": 1, "missing": 1, "offset": 1}
    assert np.allclose(kept.conductances_S, [[12.5e-6, np.nan, np.inf, -1e-9, 0]], equal_nan=True)
    with pytest.raises(ConfigError, match="policy for short: 'zero'; choose error, unformed, keep"):
        Policy(short="zero")
    with pytest.raises(ConfigError, match="layout 'rows': choose one of grid"):
        Dialect(layout="rows")


@pytest.mark.slow
def test_units_and_sizes_are_checked(file):
    for unit in ("siemens", "", "V", "V,S", "uS,nS", "mohm"):
        with pytest.raises(ConfigError, match="choose one of S, mS, uS, nS, ohm"):
            read_map(file("12.5;13.5\n"), unit)
    with pytest.raises(ConfigError, match="the header states no unit: give it, --unit; one of S, mS, uS"):
        read_map(file("12.5;13.5\n"))
    with pytest.raises(ShapeError, match="macros of 1 x 3 cells; .* an even number"):
        read_chip_map(file("12.5;13.5;14.5\n"), "uS")
    with pytest.raises(ShapeError, match="macros of 65536 x 2 cells; .* at most 65535"):
        read_chip_map(file("12.5;13.5\n" * 65536), "uS")
    assert read_chip_map(file("12.5;13.5\n" * 1024), "uS").conductances_S.shape == (1024, 2)
    with pytest.raises(MissingFileError, match="no such file"):
        read_map("nowhere.csv", "uS")


def test_columns_of_another_quantity(file):
    column = read_column(file("forming (V)\n3.25\n3.5\n"), "V")
    assert column.values.tolist() == [3.25, 3.5] and "2 x 1 values in V" in column.line
    with pytest.raises(DataError, match="the header states mV, expected V"):
        read_column(file("forming (mV)\n3.25\n"), "V")
    with pytest.raises(DataError, match="no number at row 1, column 0 .line 2: 'NaN'"):
        read_column(file("3.25\nNaN\n"), "V")
    with pytest.raises(DataError, match="the first counts"):
        read_column(file("0;3.25\n1;3.5\n2;3.75\n"), "V")
    with pytest.raises(
        DataError, match=r"lab.csv: -3.5 at row 1, column 0 \(line 2: '-3.5'\); expected values above 0"
    ):
        read_column(file("3.25\n-3.5\n"), "V", above_0=True)


@pytest.mark.parametrize("read", [lambda path, **said: read_column(path, "V", **said), read_forming_voltages])
def test_what_is_said_of_a_column_is_heard(file, read):
    path = file("3,25\n3,5\n")
    assert read(path, dialect=Dialect(delimiter="semicolon", decimal="comma")).values.tolist() == [3.25, 3.5]
    assert read(path, dialect=Dialect(delimiter="comma", decimal="point")).values.tolist() == [3, 25, 3, 5]


# -- arrays ------------------------------------------------------------------------------------------------------------


def npy(array, **header):
    """Bytes of a `.npy` file, its header changed."""
    handle = io.BytesIO()
    described = dict(np.lib.format.header_data_from_array_1_0(array), **header)
    np.lib.format.write_array_header_1_0(handle, described)
    return handle.getvalue() + array.tobytes()


def test_arrays_and_archives(file):
    for array in (GRID_uS, GRID_uS.astype(">f4"), np.asfortranarray(GRID_uS)):
        handle = io.BytesIO()
        np.save(handle, array)
        assert uS(file(handle.getvalue(), "a.NPY")) == GRID_uS.tolist()
    for save in (np.savez, np.savez_compressed):
        handle = io.BytesIO()
        save(handle, g=GRID_uS, v=np.ones(3))
        assert uS(file(handle.getvalue(), "a.npz"), dialect=Dialect(variable="g")) == GRID_uS.tolist()
        with pytest.raises(DataError, match="holds g, v: minirram import --variable"):
            read_map(file(handle.getvalue(), "a.npz"), "uS")


@pytest.mark.parametrize(
    "contents, message",
    [
        (b"\x93NUMPY", "not a table of numbers"),
        (npy(GRID_uS, shape=(10**6, 10**6)), "1000000000000 values; at most 67108864"),
        (npy(GRID_uS, shape=(10**3, 10**3)), "the header speaks of 1000000 values, 32 bytes follow"),
        (npy(GRID_uS, descr="|O"), "values of object"),
        (npy(GRID_uS, descr="<c16"), "values of complex128"),
        (npy(GRID_uS, descr="<M8[s]"), "values of datetime64"),
        (npy(GRID_uS)[:-1], "bytes follow"),
        (npy(np.zeros((0, 3))), "holds 0 values"),
        (npy(np.zeros((1, 1, 1, 1))), "one to three axes"),
        pytest.param(b"\x93NUMPY\x01\x00\xf0\xff" + b"(" * 0xFFF0, "a header of 65520 bytes", id="deep"),
        pytest.param(b"\x93NUMPY\x01\x00\x00\x20" + b"(" * 0x2000, "not a table of numbers", id="less deep"),
    ],
)
def test_hostile_arrays(file, contents, message):
    with pytest.raises(DataError, match=message):
        read_map(file(contents, "a.npy"), "uS")


def bomb(kind, size=2**31):
    """A small zip that claims to unpack to `size` bytes, or is packed by a method that cannot be bounded."""
    handle = io.BytesIO()
    with zipfile.ZipFile(handle, "w", kind) as archive:
        archive.writestr("g.npy", npy(GRID_uS))
    data = handle.getvalue()
    if kind == zipfile.ZIP_DEFLATED:
        entry = data.rindex(b"PK\x01\x02")
        data = data[: entry + 24] + size.to_bytes(4, "little") + data[entry + 28 :]
    return data


def test_bombs_are_refused_before_memory_is_taken(file):
    pytest.importorskip("bz2")
    with pytest.raises(DataError, match="unpacks to 2147483648 bytes"):
        read_map(file(bomb(zipfile.ZIP_DEFLATED), "a.npz"), "uS")
    with pytest.raises(DataError, match="cannot be bounded"):
        read_map(file(bomb(zipfile.ZIP_BZIP2), "a.npz"), "uS")


def test_text_is_bounded(file, monkeypatch):
    for module, name, most, contents, message in (
        (text, "TEXT", replace(text.TEXT, most_bytes=20), "1" * 21, "longer than 20 bytes"),
        (text, "MOST_LINES", 3, "1\n" * 4, "5 lines; at most 3"),
        (text, "MOST_LINES", 3, "1\n" * 20, "more than 3 lines"),
        (text, "MOST_LINE_CHARACTERS", 9, "1" * 10, "a line of 10 characters; at most 9"),
        (dialect, "MOST_FIELDS", 5, ";" * 6, "more than 5 values in line 1"),
        (dialect, "MOST_CELLS", 5, "1.5;2.5\n" * 3, "more than 5 cells"),
        (arrays, "LAB", replace(arrays.LAB, most_bytes=9), npy(GRID_uS), "longer than 9 bytes"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, most)
            with pytest.raises(DataError, match=message):
                read_map(file(contents, "a.npy" if module is arrays else "a.csv"), "uS")
    with pytest.raises(DataError, match="an array of .* cells; at most"):
        read_map(file("row,col,G\n0,0,12.5\n60000,60000,12.5\n"), "uS")


@pytest.mark.parametrize(
    "method, told", [(zipfile.ZIP_DEFLATED, "unpacks to 2147483648"), (zipfile.ZIP_BZIP2, "bzip2")]
)
def test_bombs_are_no_workbooks(file, method, told):
    pytest.importorskip("openpyxl")
    with pytest.raises(DataError, match=told):
        read_map(file(bomb(method), "a.xlsx"), "uS")


# -- MATLAB and spreadsheets: extra `lab` ------------------------------------------------------------------------------


def test_matlab(file, tmp_path):
    scipy_io = pytest.importorskip("scipy.io", reason="reads .mat, extra 'lab'")
    for options in ({}, {"do_compression": True}, {"format": "4"}):
        note = {} if "format" in options else {"note": "chip"}
        scipy_io.savemat(str(tmp_path / "a.mat"), {"g": GRID_uS, **note}, **options)
        assert uS(tmp_path / "a.mat") == GRID_uS.tolist()
    scipy_io.savemat(str(tmp_path / "b.MAT"), {"g": GRID_uS, "v": np.ones((2, 2))})
    assert uS(tmp_path / "b.MAT", dialect=Dialect(variable="g")) == GRID_uS.tolist()
    with pytest.raises(DataError, match="holds g, v"):
        read_map(tmp_path / "b.MAT", "uS")
    with pytest.raises(DataError, match="save it with -v7"):
        read_map(file(b"MATLAB 7.3 MAT-file" + bytes(200), "c.mat"), "uS")
    for contents in (b"", bytes(300), b"x" * 300):
        with pytest.raises(DataError):
            read_map(file(contents, "d.mat"), "uS")


def test_a_matlab_bomb(file, monkeypatch):
    pytest.importorskip("scipy.io", reason="reads .mat, extra 'lab'")
    packed = zlib.compress(bytes(2**22))
    element = (15).to_bytes(4, "little") + len(packed).to_bytes(4, "little") + packed
    monkeypatch.setattr(arrays, "LAB", replace(arrays.LAB, unpacked_bytes=2**21))
    with pytest.raises(DataError, match="unpacks to more than"):
        read_map(file(b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + element, "a.mat"), "uS")


def test_spreadsheets(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="reads .xlsx, extra 'lab'")
    import datetime

    def book(**sheets):
        made = openpyxl.Workbook()
        made.remove(made.active)
        for name, (corner, rows) in sheets.items():
            sheet = made.create_sheet(name)
            for r, row in enumerate(rows):
                for c, cell in enumerate(row):
                    sheet.cell(corner + r, corner + c, cell)
        made.save(str(tmp_path / "a.XLSX"))
        return tmp_path / "a.XLSX"

    grid = GRID_uS.tolist()
    assert uS(book(a=(1, grid), empty=(1, []))) == grid
    assert uS(book(a=(3, [["G (uS)", None], *grid])), None) == grid
    assert uS(book(a=(1, [[None, 0, 1], [0, *grid[0]], [1, *grid[1]]]))) == grid
    assert uS(book(a=(1, grid), b=(1, [[9.5, 8.5]])), dialect=Dialect(variable="b")) == [[9.5, 8.5]]
    with pytest.raises(DataError, match="holds a, b: "):
        read_map(book(a=(1, grid), b=(1, grid)), "uS")
    with pytest.raises(DataError, match="row 0, column 1 is missing .*#N/A"):
        read_map(book(a=(1, [[12.5, "#N/A"], grid[1]])), "uS")
    with pytest.raises(DataError, match="cell B1 holds datetime"):
        read_map(book(a=(1, [[12.5, datetime.datetime(2024, 2, 1)], grid[1]])), "uS")
    (tmp_path / "b.xlsx").write_bytes(b"PK\x03\x04 no book")
    with pytest.raises(DataError, match="not a readable .xlsx"):
        read_map(tmp_path / "b.xlsx", "uS")


@pytest.mark.parametrize("name, package", [("a.mat", "scipy"), ("a.xlsx", "openpyxl")])
def test_a_missing_package_names_the_extra(file, monkeypatch, name, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(ConfigError, match=rf"needs {package}: pip install '\.\[lab\]'"):
        read_map(file(b"", name), "uS")


LABELLED = {
    "rows": "cell,G (uS)\nWL0,12.1\nWL1,13.2\nWL2,14.3\n",
    "from 1": "G (uS)\nrow_1;12.1\nrow_2;13.2\nrow_3;14.3\n",
    "quotes and tabs": '# G (uS)\n"WL0"\t12.1\n"WL1"\t13.2\n"WL2"\t14.3\n\n',
    "spaces": "# G (uS)\nWL0 12.1\nWL1 13.2\nWL2 14.3",
    "list": "WL,BL,G (uS)\nWL2,BL0,14.3\nWL0,BL0,12.1\nWL1,BL0,13.2\n",
    "list without a header": "R2 C0 14.3\nR0 C0 12.1\nR1 C0 13.2\n",
}


@pytest.mark.parametrize("way", list(LABELLED))
def test_words_before_numbers_of_rows_and_columns_are_labels(tmp_path, way):
    path = tmp_path / "map.txt"
    path.write_text(LABELLED[way])
    found = read_map(path, "uS")
    assert np.allclose(found.conductances_S, [[12.1e-6], [13.2e-6], [14.3e-6]])
    assert "numbers the rows" in found.reading.written or "count from 0" in found.reading.written


@pytest.mark.parametrize(
    "text, message",
    [
        ("G (uS)\nWL3,12.1\nWL7,13.2\n", "labels of the rows do not count.*'WL3,12.1'"),
        ("G (uS)\nWL0,12.1\nBL1,13.2\n", "WL0"),
        ("G (uS)\nWL0,12.1\nOVER,13.2\n", "not a table of numbers"),
        ("G (uS)\nWL0,BL0,BL1,12.1\nWL1,BL0,BL1,13.2\n", "not a table of numbers"),
        ("G (uS)\nWL0,BL0,12.1\nWL0,BL0,13.2\n", "'WL0,BL0,13.2' names a cell for the second time"),
    ],
)
def test_labels_that_number_nothing_are_refused(tmp_path, text, message):
    path = tmp_path / "map.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_map(path)


def test_nothing_is_replaced_in_a_map_that_is_kept(tmp_path):
    read_S = np.array([[1e-5, -1e-9], [np.inf, np.nan], [0.0, 2e-5]])
    np.save(tmp_path / "map.npy", read_S)
    found = read_map(tmp_path / "map.npy", "S", policy=KEEP)
    assert np.array_equal(found.conductances_S, read_S, equal_nan=True) and found.reading.replaced == 0

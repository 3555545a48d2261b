"""Files that look right and hold something else, each beside one that is read."""

import io
from dataclasses import replace

import numpy as np
import pytest

from minirram.errors import ConfigError, DataError
from minirram.labfiles import arrays
from minirram.labfiles.dialect import UNSTATED, Dialect
from minirram.labfiles.maps import read_column, read_map

GRID_uS = np.array([[12.5, 13.25], [11.75, 0.5]])


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


TEXTS = {
    # name: (text, unit, what is known), the same of one that is refused, what is said
    "no columns of V and I": (
        ("0.5,6\n0.25,3\n", "V,uA"),
        ("0.5,6,7.5\n0.25,3,8.5\n", "V,uA"),
        "3 columns hold values",
    ),
    "only a voltage": (
        ("V,I\n0.5,6\n", "V,uA"),
        ("V,G\n0.5,6\n", "V,uA"),
        "voltages and currents need a column each, 2",
    ),
    "two units": (("a (uS),b (uS)\n9.5,8.5\n",), ("a (uS),b (nS)\n9.5,8.5\n",), "states [nu]S and [nu]S: which is it"),
    "a unit not taken": (
        ("a (nS)\n9500.5\n",),
        ("a (pS)\n9500500\n",),
        "states pS, which is not read; --unit takes S, mS",
    ),
    "one column": (
        ("9.5\n8.5\n", "uS", Dialect(layout="column")),
        ("9.5;7.5\n8.5;6.5\n", "uS", Dialect(layout="column")),
        "2 columns, one was stated .line 1: '9.5;7.5'",
    ),
    "values beside numbers of rows": (
        ("0;9.5\n1;8.5\n", "uS", Dialect(index="rows")),
        ("0\n1\n", "uS", Dialect(index="rows")),
        "holds numbers of rows or columns, and no values",
    ),
    "values below numbers of columns": (
        ("0;1\n9.5;8.5\n", "uS", Dialect(index="cols")),
        ("0;1\n", "uS", Dialect(index="cols")),
        "holds numbers of rows or columns, and no values",
    ),
    "columns of a list": (
        ("0;0;9.5\n0;1;8.5\n", "uS", Dialect(layout="list")),
        ("0;0;9.5;300.5\n0;1;8.5;300.5\n", "uS", Dialect(layout="list")),
        "a list has columns row, column and value; this has 4 columns",
    ),
    "first number": (
        ("row;col;G\n1;1;9.5\n1;2;8.5\n", "uS", Dialect(first=1)),
        ("row;col;G\n1;0;9.5\n1;1;8.5\n", "uS", Dialect(first=1)),
        "a row or column has the number 0, below 1",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_table_that_holds_something_else(file, name):
    good, bad, said = TEXTS[name]

    def read(text, unit=None, dialect=UNSTATED):
        return read_map(file(text), unit, dialect=dialect)

    assert read(*good).conductances_S.size
    with pytest.raises(DataError, match=f"lab.csv: .*{said}"):
        read(*bad)


def test_arrays_of_numbers(file):
    """float16 has steps wider than what tells states apart; one array of macros holds no pairs of values."""
    grid_S = GRID_uS[np.newaxis] * 1e-6
    assert read_map(file(npy(GRID_uS.astype(np.float32)), "a.npy"), "uS").conductances_S.shape == (2, 2)
    with pytest.raises(DataError, match="a.npy: float16, whose steps are wider"):
        read_map(file(npy(GRID_uS.astype(np.float16)), "a.npy"), "uS")
    assert read_map(file(npy(grid_S), "a.npy"), "S").conductances_S.shape == (1, 2, 2)
    with pytest.raises(DataError, match="a.npy: voltages and currents need a column each, the file is a map"):
        read_map(file(npy(grid_S), "a.npy"), "V,uA")


@pytest.mark.parametrize("ending", ["xls", "ods", "h5", "hdf5", "zip", "gz"])
def test_formats_that_are_not_read(file, ending):
    with pytest.raises(DataError, match=rf"lab\.{ending}: \.{ending} is not read; save it as one of \.csv"):
        read_map(file("12.5\n", f"lab.{ending}"), "uS")


def test_units_of_a_column(file):
    assert read_column(file("9.5\n8.5\n"), "kOhm").values.tolist() == [9500, 8500]
    for unit in ("kohm", "V,uA", "m"):
        with pytest.raises(ConfigError, match=f"unit '{unit}' of .*lab.csv: choose one of S, mS"):
            read_column(file("9.5\n8.5\n"), unit)


def test_as_many_cells_of_a_matlab_file_as_are_read(tmp_path, monkeypatch):
    scipy_io = pytest.importorskip("scipy.io", reason="reads .mat, extra 'lab'")
    scipy_io.savemat(str(tmp_path / "a.mat"), {"g": GRID_uS})
    monkeypatch.setattr(arrays, "LAB", replace(arrays.LAB, elements=4))
    assert read_map(tmp_path / "a.mat", "uS").conductances_S.size == 4
    monkeypatch.setattr(arrays, "LAB", replace(arrays.LAB, elements=3))
    with pytest.raises(DataError, match=r"a.mat: g has the shape \(2, 2\); at most 3 cells are read"):
        read_map(tmp_path / "a.mat", "uS")


def test_as_many_cells_of_a_sheet_as_are_read(tmp_path, monkeypatch):
    openpyxl = pytest.importorskip("openpyxl", reason="reads .xlsx, extra 'lab'")
    book = openpyxl.Workbook()
    path = tmp_path / "a.xlsx"
    book.save(str(path))
    with pytest.raises(DataError, match="a.xlsx: not a table of numbers; no sheet holds anything"):
        read_map(path, "uS")
    for row in GRID_uS.tolist():
        book.active.append(row)
    book.save(str(path))
    monkeypatch.setattr(arrays, "SHEET", replace(arrays.SHEET, elements=4))
    assert read_map(path, "uS").conductances_S.size == 4
    monkeypatch.setattr(arrays, "SHEET", replace(arrays.SHEET, elements=3))
    with pytest.raises(DataError, match="a.xlsx: sheet Sheet has more than 3 cells, the most that are read"):
        read_map(path, "uS")

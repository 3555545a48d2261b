"""Arrays from binary lab files: `.npy`, `.npz`, `.mat`, and the rows of an `.xlsx` sheet; sizes are checked first."""

import io
import os
import zlib
from datetime import date, time
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import ConfigError, DataError, how_to_install
from ..files.arrays import DAMAGE, archive_of, array_in
from ..files.budgets import LAB, SHEET
from ..files.reading import Clock, read_bytes
from .dialect import Lines
from .text import PathLike


def read_array(path: PathLike, variable: Optional[str]) -> np.ndarray:
    """The array of a `.npy`, `.npz` or `.mat` file, float64, of one to three axes.

    variable: its name where a file holds several. DataError for what is no array of numbers, and beyond
    `files.budgets.LAB`.
    """
    where = os.fspath(path)
    data = read_bytes(path, LAB)
    reader = {".npy": _from_npy, ".npz": _from_npz, ".mat": _from_mat}[os.path.splitext(where)[1].lower()]
    try:
        array = reader(data, where, variable)
    except DataError as error:
        text = str(error)
        raise DataError(text if text.startswith(where) else f"{where}: {text}") from None
    except DAMAGE as error:
        raise DataError(f"{where}: not a table of numbers ({error})") from None
    if array.dtype.kind not in "fiu" or array.size == 0:
        raise DataError(f"{where}: holds {array.size} values of {array.dtype}, expected numbers")
    if array.dtype.kind == "f" and array.dtype.itemsize < 4:
        raise DataError(f"{where}: float16, whose steps are wider than what tells states apart; save float32")
    if not 1 <= array.ndim <= 3:
        raise DataError(f"{where}: an array of shape {array.shape}; expected one to three axes")
    return array.astype(np.float64)


def _from_npy(data: bytes, where: str, variable: Optional[str]) -> np.ndarray:
    # One array, without a name: `read_table` refuses a variable.
    return array_in(data, LAB, Clock(where, LAB, len(data)), kinds="fiu")


def _named(names: Sequence[str], variable: Optional[str], where: str) -> str:
    """The one name, or the one that was asked for."""
    if variable is None and len(names) == 1:
        return names[0]
    if variable in names:
        return str(variable)
    held = ", ".join(sorted(names)[:20]) or "no array"
    if variable is None:
        raise DataError(f"{where}: holds {held}: minirram import --variable names the one to read")
    raise ConfigError(f"{where} has no {variable!r}; it holds {held}")


def _from_npz(data: bytes, where: str, variable: Optional[str]) -> np.ndarray:
    clock = Clock(where, LAB, len(data))
    with archive_of(io.BytesIO(data), len(data), LAB) as archive:
        names = {name[:-4]: name for name in archive.namelist() if name.endswith(".npy")}
        member = archive.getinfo(names[_named(list(names), variable, where)])
        # `file_size` bounds what is unpacked: zipfile gives no byte more.
        return array_in(archive.read(member), LAB, clock, kinds="fiu")


def _from_mat(data: bytes, where: str, variable: Optional[str]) -> np.ndarray:
    try:
        from scipy import io as scipy_io
    except ImportError:
        raise ConfigError(f"{where}: reading .mat needs scipy: {how_to_install('lab')}") from None
    if data[:10] == b"MATLAB 7.3" or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise DataError(f"{where}: MATLAB 7.3 (HDF5) is not read; save it with -v7")
    _check_mat(data, where)
    try:
        held = scipy_io.whosmat(io.BytesIO(data))
    except Exception as error:  # scipy has errors of its own, and lets others through
        raise ValueError(error) from None
    shapes = {name: shape for name, shape, kind in held if kind in _MAT_CLASSES}
    name = _named(list(shapes), variable, where)
    if int(np.prod([float(length) for length in shapes[name]])) > LAB.elements:
        raise DataError(f"{where}: {name} has the shape {shapes[name]}; at most {LAB.elements} cells are read")
    found: Dict[str, Any] = scipy_io.loadmat(io.BytesIO(data), variable_names=[name], struct_as_record=True)
    return np.asarray(found[name])


_MAT_CLASSES = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
_MAT_COMPRESSED = 15


def _check_mat(data: bytes, where: str) -> None:
    """DataError for a MATLAB 5 file whose compressed elements unpack to more than the budget together."""
    offset, unpacked, most = 128, 0, LAB.unpacks_to(len(data))
    order = "<" if data[126:128] == b"IM" else ">"
    while order and offset + 8 <= len(data):
        kind, size = (int(x) for x in np.frombuffer(data, order + "u4", 2, offset))
        if kind == _MAT_COMPRESSED:
            stream, rest = zlib.decompressobj(), data[offset + 8 : offset + 8 + size]
            while rest and not stream.eof:
                unpacked += len(stream.decompress(rest, 2**20))
                rest = stream.unconsumed_tail
                if unpacked > most:
                    raise DataError(f"{where}: unpacks to more than {most} bytes, the most that is read of its length")
        offset += 8 + size


def read_sheet(path: PathLike, variable: Optional[str]) -> Lines:
    """The rows of the only sheet with contents of an `.xlsx` file, or of the sheet `variable`, as fields of text.

    Numbers have a decimal point. Empty rows and columns around the contents are left out. DataError for dates and
    truth values: a spreadsheet makes dates of "1.2".
    """
    where = os.fspath(path)
    try:
        import openpyxl
    except ImportError:
        raise ConfigError(f"{where}: reading .xlsx needs openpyxl: {how_to_install('lab')}") from None
    data = read_bytes(path, SHEET)
    try:
        archive_of(io.BytesIO(data), len(data), SHEET).close()
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheets = {sheet.title: _cells(sheet, where) for sheet in book.worksheets if variable in (None, sheet.title)}
        names = [sheet.title for sheet in book.worksheets]
    except DataError as error:
        text = str(error)
        raise DataError(text if text.startswith(where) else f"{where}: {text}") from None
    except DAMAGE as error:
        raise DataError(f"{where}: not a readable .xlsx file ({error})") from None
    filled = [name for name in sheets if sheets[name]] if variable is None else names
    if not filled:
        raise DataError(f"{where}: not a table of numbers; no sheet holds anything")
    rows = sheets[_named(filled, variable, where)]
    return Lines(where, ["\t".join(row) for row in rows], rows)


def _cells(sheet: Any, where: str) -> List[Tuple[str, ...]]:
    """The fields of a sheet's rows, without empty rows and columns around them."""
    rows: List[Tuple[str, ...]] = []
    count = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        count += max(1, len(row))
        if count > SHEET.elements:
            raise DataError(
                f"{where}: sheet {sheet.title} has more than {SHEET.elements} cells, the most that are read"
            )
        for column, cell in enumerate(row, start=1):
            if isinstance(cell, (bool, date, time)):
                from openpyxl.utils import get_column_letter

                name = f"{get_column_letter(column)}{number}"
                raise DataError(
                    f"{where}: sheet {sheet.title}, cell {name} holds {cell!r}, not a number: "
                    "a spreadsheet may have made it of one"
                )
        rows.append(tuple("" if cell is None else repr(cell) if isinstance(cell, float) else str(cell) for cell in row))
    width = max(map(len, rows), default=0)
    table = [row + ("",) * (width - len(row)) for row in rows]
    used = [k for k, row in enumerate(table) if any(row)]
    if not used:
        return []
    columns = [k for k in range(width) if any(row[k] for row in table)]
    return [row[columns[0] : columns[-1] + 1] for row in table[used[0] : used[-1] + 1]]

"""Arrays from binary lab files: `.npy`, `.npz`, `.mat`, and the rows of an `.xlsx` sheet; sizes are checked first."""

import io
import os
import tokenize
import zipfile
import zlib
from datetime import date, time
from typing import Any, BinaryIO, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import ConfigError, DataError
from .dialect import MOST_CELLS, Lines
from .text import PathLike, read_bytes

MOST_BYTES = 2**30
"""a binary file is refused above 1 GiB, and so is what a compressed one unpacks to"""
MOST_SHEET_BYTES = 2**27
"""XML of a spreadsheet, unpacked"""
_MOST_SHEET_CELLS = 2**22
_MOST_HEADER_BYTES = 10000  # of a .npy: it is parsed as Python
_DAMAGE = (
    ValueError,
    EOFError,
    OSError,
    KeyError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    zipfile.BadZipFile,
    tokenize.TokenError,
    SyntaxError,
    OverflowError,
    MemoryError,
    RecursionError,
)


def read_array(path: PathLike, variable: Optional[str]) -> np.ndarray:
    """The array of a `.npy`, `.npz` or `.mat` file, float64, of one to three axes.

    variable: its name where a file holds several. DataError for what is no array of numbers, and beyond MOST_BYTES
    and MOST_CELLS.
    """
    where = os.fspath(path)
    data = read_bytes(path, MOST_BYTES)
    reader = {".npy": _from_npy, ".npz": _from_npz, ".mat": _from_mat}[os.path.splitext(where)[1].lower()]
    try:
        array = reader(data, where, variable)
    except _DAMAGE as error:
        raise DataError(f"{where}: not a table of numbers ({error})") from None
    if array.dtype.kind not in "fiu" or array.size == 0:
        raise DataError(f"{where}: holds {array.size} values of {array.dtype}, expected numbers")
    if not 1 <= array.ndim <= 3:
        raise DataError(f"{where}: an array of shape {array.shape}; expected one to three axes")
    return array.astype(np.float64)


def _from_npy(data: bytes, where: str, variable: Optional[str]) -> np.ndarray:
    if variable is not None:
        raise ConfigError(f"{where} holds one array, without a name: leave out --variable")
    return _npy(io.BytesIO(data), len(data), where)


def _npy(handle: BinaryIO, size: int, where: str) -> np.ndarray:
    """The array in the `size` bytes of a `.npy`; the header is held against them before memory is taken."""
    version = np.lib.format.read_magic(handle)
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if header is None:
        raise ValueError(f".npy version {version} is not read")
    length = int.from_bytes(handle.read(2 if version == (1, 0) else 4), "little")
    if length > _MOST_HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes")
    handle.seek(8)
    shape, fortran, dtype = header(handle)
    if dtype.kind not in "fiu":
        raise DataError(f"{where}: holds values of {dtype}, expected numbers")
    count = 1
    for length in shape:
        count *= int(length)
    if count > MOST_CELLS:
        raise DataError(f"{where}: {count} cells; at most {MOST_CELLS} are read")
    if count * dtype.itemsize != size - handle.tell():
        raise ValueError(f"the header speaks of {count} values, {size - handle.tell()} bytes follow it")
    flat = np.frombuffer(handle.read(), dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


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


def _archive(data: bytes, where: str, most: int) -> zipfile.ZipFile:
    """A zip whose members unpack to at most `most` bytes together."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    members = archive.infolist()
    size = sum(member.file_size for member in members)
    if size > most or len(members) > 10000:
        raise DataError(f"{where}: unpacks to {size} bytes in {len(members)} members; at most {most} are read")
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise DataError(f"{where}: compressed by bzip2 or lzma, whose unpacked size cannot be bounded; use deflate")
    return archive


def _from_npz(data: bytes, where: str, variable: Optional[str]) -> np.ndarray:
    with _archive(data, where, MOST_BYTES) as archive:
        names = {name[:-4]: name for name in archive.namelist() if name.endswith(".npy")}
        member = archive.getinfo(names[_named(list(names), variable, where)])
        # `file_size` bounds what is unpacked: zipfile gives no byte more.
        return _npy(io.BytesIO(archive.read(member)), member.file_size, where)


def _from_mat(data: bytes, where: str, variable: Optional[str]) -> np.ndarray:
    try:
        from scipy import io as scipy_io
    except ImportError:
        raise ConfigError(
            f"{where}: reading .mat needs scipy, of the extra 'lab' (pip install minirram[lab])"
        ) from None
    if data[:10] == b"MATLAB 7.3" or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise DataError(f"{where}: MATLAB 7.3 (HDF5) is not read; save it with -v7")
    _check_mat(data, where)
    try:
        held = scipy_io.whosmat(io.BytesIO(data))
    except Exception as error:  # scipy has errors of its own, and lets others through
        raise ValueError(error) from None
    shapes = {name: shape for name, shape, kind in held if kind in _MAT_CLASSES}
    name = _named(list(shapes), variable, where)
    if int(np.prod([float(length) for length in shapes[name]])) > MOST_CELLS:
        raise DataError(f"{where}: {name} has the shape {shapes[name]}; at most {MOST_CELLS} cells are read")
    found: Dict[str, Any] = scipy_io.loadmat(io.BytesIO(data), variable_names=[name], struct_as_record=True)
    return np.asarray(found[name])


_MAT_CLASSES = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
_MAT_COMPRESSED = 15


def _check_mat(data: bytes, where: str) -> None:
    """DataError for a MATLAB 5 file whose compressed elements unpack to more than MOST_BYTES together."""
    offset, unpacked = 128, 0
    order = "<" if data[126:128] == b"IM" else ">"
    while order and offset + 8 <= len(data):
        kind, size = (int(x) for x in np.frombuffer(data, order + "u4", 2, offset))
        if kind == _MAT_COMPRESSED:
            stream, rest = zlib.decompressobj(), data[offset + 8 : offset + 8 + size]
            while rest and not stream.eof:
                unpacked += len(stream.decompress(rest, 2**20))
                rest = stream.unconsumed_tail
                if unpacked > MOST_BYTES:
                    raise DataError(f"{where}: unpacks to more than {MOST_BYTES} bytes, the most that is read")
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
        raise ConfigError(
            f"{where}: reading .xlsx needs openpyxl, of the extra 'lab' (pip install minirram[lab])"
        ) from None
    data = read_bytes(path, MOST_SHEET_BYTES)
    try:
        _archive(data, where, MOST_SHEET_BYTES).close()
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheets = {sheet.title: _cells(sheet, where) for sheet in book.worksheets if variable in (None, sheet.title)}
        names = [sheet.title for sheet in book.worksheets]
        book.close()
    except _DAMAGE as error:
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
        if count > _MOST_SHEET_CELLS:
            raise DataError(
                f"{where}: sheet {sheet.title} has more than {_MOST_SHEET_CELLS} cells, the most that are read"
            )
        for column, cell in enumerate(row, start=1):
            if isinstance(cell, (bool, date, time)):
                raise DataError(
                    f"{where}: sheet {sheet.title}, row {number}, column {column} holds {cell!r}, not a number: "
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

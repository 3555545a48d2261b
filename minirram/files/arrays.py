"""Arrays from `.npz` and `.npy` files: members and headers are checked before memory is taken."""

import ast
import io
import os
import re
import tokenize
import zipfile
import zlib
from typing import IO, Any, BinaryIO, Dict, Iterable, List, NamedTuple, Optional, Tuple

import numpy as np

from ..errors import DataError
from .budgets import ARRAY, ARRAYS, MOST_HEADER_BYTES, MOST_MEMBERS, SCALE, Budget
from .reading import Clock, Path, open_file

Arrays = Dict[str, np.ndarray]

DAMAGE = (
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
"""what NumPy, zipfile, zlib and the readers of lab files raise on damaged files, by the place of the damage"""

_PIECE = 1 << 20
_KINDS = "biufUS"
_PLAIN = re.compile(rb"[\w\s'\"{}()\[\],:<>|=.]*")  # no operator: nothing is worked out
_LONG = re.compile(rb"(?<=\d)L\b")  # of Python 2


class Header(NamedTuple):
    """What the header of a `.npy` says."""

    shape: Tuple[int, ...]
    fortran: bool
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Bytes of the values."""
        count = self.dtype.itemsize
        for length in self.shape:
            count *= length
        return count


def archive_of(handle: IO[bytes], size: int, budget: Budget) -> zipfile.ZipFile:
    """The zip of `size` bytes in an open file, all of whose members together unpack within the budget.

    DataError, without the name of the file, for too many members, too much in them, bzip2 and lzma.
    """
    archive = zipfile.ZipFile(handle)
    members = archive.infolist()
    unpacked, most = sum(member.file_size for member in members), budget.unpacks_to(size)
    if len(members) > MOST_MEMBERS:
        raise DataError(f"{len(members)} members; at most {MOST_MEMBERS} are read")
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"member {member.filename!r} is compressed by bzip2 or lzma, whose unpacked size cannot be bounded; "
                "use deflate"
            )
    if unpacked > most:
        raise DataError(
            f"unpacks to {unpacked} bytes; a file of {size} bytes may unpack to {most}: save it without compression, "
            f"or set {SCALE}"
        )
    return archive


def read_header(handle: IO[bytes], size: int, budget: Budget, *, kinds: str = _KINDS) -> Header:
    """The header of a `.npy` of `size` bytes, whose values follow in the handle.

    ValueError where it is damaged, speaks of other values than there are bytes or of more than the budget's elements,
    and for other dtypes than those of `kinds`.
    """
    start = handle.read(8)
    if start[:6] != b"\x93NUMPY" or len(start) < 8 or start[6] not in (1, 2, 3):
        raise ValueError("no .npy, or of a version that is not read")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(handle.read(width), "little")
    if length > MOST_HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes, at most {MOST_HEADER_BYTES} are read")
    header = _parsed(handle.read(length), budget)
    if header.dtype.kind not in kinds or not header.dtype.itemsize:
        raise ValueError(f"holds values of {header.dtype}, expected {'plain values' if 'U' in kinds else 'numbers'}")
    count, rest = header.size // header.dtype.itemsize, size - 8 - width - length
    if count > budget.elements:
        raise ValueError(f"{count} values; at most {budget.elements} are read")
    if header.size != rest:
        raise ValueError(f"the header speaks of {count} values, {rest} bytes follow it")
    return header


def _parsed(text: bytes, budget: Budget) -> Header:
    """The header from its text, a Python dict of three plain values."""
    if not _PLAIN.fullmatch(text):
        raise ValueError("a header that is no dict of plain values")
    depth = deepest = 0
    for letter in text:
        depth += (letter in b"([{") - (letter in b")]}")
        deepest = max(deepest, depth)
    if deepest > budget.depth:
        raise ValueError(f"a header nested {deepest} deep")
    said = ast.literal_eval(_LONG.sub(b"", text).decode("latin-1").strip())
    if not isinstance(said, dict) or set(said) != {"descr", "fortran_order", "shape"}:
        raise ValueError("a header without descr, fortran_order and shape")
    shape, fortran, descr = said["shape"], said["fortran_order"], said["descr"]
    if not isinstance(shape, tuple) or any(type(length) is not int or length < 0 for length in shape):
        raise ValueError(f"a header with the shape {str(shape)[:50]}")
    if len(shape) > 32 or not isinstance(fortran, bool):
        raise ValueError("a header with too many axes, or an order that is neither True nor False")
    if not isinstance(descr, str):
        raise ValueError("holds records, expected an array of plain values")
    return Header(shape, fortran, np.dtype(descr))


def fill_array(handle: IO[bytes], header: Header, clock: Clock) -> np.ndarray:
    """The array whose header was read from the handle, read in pieces."""
    array = np.empty(header.shape, header.dtype, order="F" if header.fortran else "C")
    flat = array.reshape(-1, order="A").view(np.uint8) if header.size else array.reshape(-1).view(np.uint8)[:0]
    at, target = 0, memoryview(flat)
    while at < header.size:
        piece = handle.read(min(_PIECE, header.size - at))
        if not piece:
            raise EOFError(f"ends after {at} of {header.size} bytes")
        target[at : at + len(piece)] = piece
        at += len(piece)
        clock.check()
    if handle.read(1):  # zipfile looks at the checksum at the end
        raise ValueError("more bytes than the header speaks of")
    return array


def read_npz(path: Path, keys: Optional[Iterable[str]] = None, *, follow: bool = True) -> Arrays:
    """The arrays of an `.npz` as a dict; only `keys` when given, and no other member is unpacked.

    DataError when the file is damaged, lacks a key, holds what is no array of plain values, or is beyond its budget.
    """
    handle, size = open_file(path, ARRAYS, follow=follow)
    where, clock = os.fspath(path), Clock(path, ARRAYS, size)
    with handle:
        try:
            with archive_of(handle, size, ARRAYS) as archive:
                return _members(archive, keys, clock)
        except DataError as error:
            text = str(error)
            raise DataError(text if text.startswith(where) else f"{where}: {text}") from None
        except DAMAGE as error:
            why = "it is no archive" if not zipfile.is_zipfile(handle) else str(error)
            raise DataError(f"{where}: not a readable .npz file ({why})") from None


def _members(archive: zipfile.ZipFile, keys: Optional[Iterable[str]], clock: Clock) -> Arrays:
    """The arrays of an archive by name."""
    names: Dict[str, str] = {}
    for name in archive.namelist():
        key = name[:-4] if name.endswith(".npy") else name
        if key in names:
            raise ValueError(f"two members are called {key!r}")
        names[key] = name
    wanted: List[str] = list(names) if keys is None else list(keys)
    missing = [key for key in wanted if key not in names]
    if missing:
        raise DataError(f"lacks the array(s) {', '.join(missing)}")
    arrays = {}
    for key in wanted:
        member = archive.getinfo(names[key])
        if not member.filename.endswith(".npy"):
            raise ValueError(f"'{key}' is not an array")
        with archive.open(member) as stream:
            arrays[key] = fill_array(stream, read_header(stream, member.file_size, ARRAYS), clock)
    return arrays


def read_npy(path: Path, *, follow: bool = True) -> np.ndarray:
    """The array of a `.npy` file; DataError when it is damaged, of objects, or beyond its budget."""
    handle, size = open_file(path, ARRAY, follow=follow)
    with handle:
        try:
            return fill_array(handle, read_header(handle, size, ARRAY), Clock(path, ARRAY, size))
        except DAMAGE as error:
            raise DataError(f"{os.fspath(path)}: not a .npy file ({error})") from None


def array_in(data: bytes, budget: Budget, clock: Clock, *, kinds: str) -> np.ndarray:
    """The array in the bytes of a `.npy`; errors as of `read_header`, without the name of the file."""
    handle: BinaryIO = io.BytesIO(data)
    return fill_array(handle, read_header(handle, len(data), budget, kinds=kinds), clock)


def prefixed(prefix: str, arrays: Any) -> Dict[str, Any]:
    """{'prefix/name': array}"""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def part(arrays: Any, prefix: str) -> Dict[str, Any]:
    """The inverse of `prefixed`."""
    start = prefix + "/"
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}


def fill(target: Arrays, source: Any, *, what: str) -> None:
    """Replace the arrays of `target` by those of `source`, which must have the same names, shapes and types."""
    for name, old in target.items():
        new = source[name]
        if new.shape != old.shape or new.dtype != old.dtype:
            raise DataError(f"{what} of {name}: {new.dtype} {new.shape}, expected {old.dtype} {old.shape}")
        target[name] = new

"""Digests of what a chip is meant to hold, of a read-back, and of the bytes of a file. See export/SPEC.md, 1.5.

The state of a chip is the exclusive or of a number for the chip, one for each tile and one for each cell that is on. So
a state has one digest, whichever programs led there, and an increment takes one digest to the next by its cells alone.
"""

import hashlib
import zlib
from typing import Any, Iterator, Mapping, Optional

import numpy as np

from . import table

_NOT_READ = 0xFFFFFFFF
_PART = 1 << 15  # cells that are mixed at a time: they stay in the cache
BLOCK = 1 << 20
"""cells of a tile that are looked at together"""
_COVERED = ("n_row", "n_col", "macro", "row0", "col0", "level", "on_min_nS", "off_max_nS")  # of a TILE


def mix(values: np.ndarray) -> np.ndarray:
    """uint32 -> uint32 of the same shape: the finaliser of MurmurHash3, a bijection without linear relations."""
    x = np.asarray(values, np.uint32)
    x = _multiplied(x ^ x >> np.uint32(16))
    x ^= x >> np.uint32(16)
    return x


def _mixed(value: int) -> int:
    """`mix` of one integer, ten times faster than as an array."""
    x = value & 0xFFFFFFFF
    x ^= x >> 16
    x = x * 0x85EBCA6B & 0xFFFFFFFF
    x ^= x >> 13
    x = x * 0xC2B2AE35 & 0xFFFFFFFF
    return x ^ x >> 16


def of_chip(chip_id: int) -> int:
    """The chip's part of a state."""
    return _mixed(chip_id)


def of_tile(values: Mapping[str, Any]) -> int:
    """A tile's part of a state: where it lies and when its cells are on. values: the fields of its TILE record."""
    payload = table.TILE.pack(*(values[name] if name in _COVERED else 0 for name, _ in table.TILE_FIELDS))
    return _mixed(zlib.crc32(payload[:11] + payload[12:20]))


def of_cells(macro: int, row0: int, col0: int, cells: np.ndarray) -> int:
    """The part of the cells that are set in a map, bool (n_row, n_col), whose corner is row0, col0 of the macro.

    The exclusive or of mix(key ^ row << 16 ^ column). The first shift of `mix` moves the row onto the column, so it is
    made for rows and for columns. The last one is made once, for the exclusive or of all cells.
    """
    state = 0
    for rows in blocks(*cells.shape):
        state ^= _of_block(macro, row0 + rows.start, col0, cells[rows])
    return state


def _of_block(macro: int, row0: int, col0: int, cells: np.ndarray) -> int:
    n_row, n_col = cells.shape
    key = _mixed(macro + 1)
    row = np.arange(row0, row0 + n_row, dtype=np.uint32)
    row ^= row << np.uint32(16)
    col = np.arange(col0, col0 + n_col, dtype=np.uint32) ^ np.uint32(key ^ key >> 16)
    if np.count_nonzero(cells) * 8 < cells.size:
        rows, cols = np.nonzero(cells)
        return _last_shift(int(np.bitwise_xor.reduce(_multiplied(row[rows] ^ col[cols]))))
    state, part = 0, max(1, _PART // n_col)
    first = row[:part, np.newaxis] ^ col
    room = np.empty((2, *first.shape), np.uint32)
    for k in range(0, n_row, part):
        set_ = cells[k : k + part]
        x, shifted = room[:, : len(set_)]
        if np.all(row[k : k + part] ^ row[k] == row[: len(set_)] ^ row[0]):  # in most tiles, and faster
            np.bitwise_xor(first[: len(set_)], row[k] ^ row[0], out=x)
        else:
            np.bitwise_xor(row[k : k + part, np.newaxis], col, out=x)
        _multiplied(x, shifted)
        np.copyto(shifted, set_)
        x *= shifted
        state ^= int(np.bitwise_xor.reduce(x, axis=None))
    return _last_shift(state)


def _multiplied(x: np.ndarray, shifted: Optional[np.ndarray] = None) -> np.ndarray:
    """`mix` between its first shift and its last one, in place; shifted: room of the same shape."""
    x *= np.uint32(0x85EBCA6B)
    x ^= np.right_shift(x, np.uint32(13), out=shifted)
    x *= np.uint32(0xC2B2AE35)
    return x


def _last_shift(value: int) -> int:
    return value ^ value >> 16


def blocks(n_row: int, n_col: int) -> Iterator[slice]:
    """Slices of rows that hold no more than BLOCK cells: what is worked out for a tile takes the memory of one."""
    step = max(1, BLOCK // n_col)
    return (slice(start, min(start + step, n_row)) for start in range(0, n_row, step))


def readback_id(readback_S: np.ndarray) -> int:
    """CRC-32 of a read-back in siemens, any shape: u32 nS per cell in C order, rounded half to even.

    Cells below 0 count as 0, those that were not read (NaN) or conduct 4.29 S and more as FFFFFFFF.
    """
    nS = np.rint(np.asarray(readback_S, np.float64) * 1e9)
    nS = np.where(np.isnan(nS), float(_NOT_READ), np.clip(nS, 0.0, float(_NOT_READ)))
    return zlib.crc32(nS.astype("<u4").tobytes())


def program_digest(data: bytes) -> str:
    """SHA-256 of a file: 64 hexadecimal digits that name exactly these bytes."""
    return hashlib.sha256(data).hexdigest()

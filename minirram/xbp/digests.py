"""Digests of what a chip is meant to hold, of a read-back, and of the bytes of a file. See export/SPEC.md, 1.5.

The state of a chip is the exclusive or of a number for the chip, one for each tile and one for each cell that is on. So
a state has one digest, whichever programs led there, and an increment takes one digest to the next by its cells alone.
"""

import hashlib
import zlib
from typing import Any, Mapping

import numpy as np

from . import table

_NOT_READ = 0xFFFFFFFF
_PART = 1 << 14  # cells that are mixed at a time
_COVERED = ("n_row", "n_col", "macro", "row0", "col0", "level", "on_min_nS", "off_max_nS")  # of a TILE


def mix(values: np.ndarray) -> np.ndarray:
    """uint32 -> uint32 of the same shape: the finaliser of MurmurHash3, a bijection without linear relations."""
    x = np.asarray(values, np.uint32)
    x = x ^ x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return x


def _mixed(value: int) -> int:
    return int(mix(np.array([value & 0xFFFFFFFF], np.uint32))[0])


def of_chip(chip_id: int) -> int:
    """The chip's part of a state."""
    return _mixed(chip_id)


def of_tile(values: Mapping[str, Any]) -> int:
    """A tile's part of a state: where it lies and when its cells are on. values: the fields of its TILE record."""
    payload = table.TILE.pack(*(values[name] if name in _COVERED else 0 for name, _ in table.TILE_FIELDS))
    return _mixed(zlib.crc32(payload[:11] + payload[12:20]))


def of_cells(macro: int, row0: int, col0: int, cells: np.ndarray) -> int:
    """The part of the cells that are set in a map, bool (n_row, n_col), whose corner is row0, col0 of the macro."""
    n_row, n_col = cells.shape
    rows = np.arange(row0, row0 + n_row, dtype=np.uint32)[:, np.newaxis] << np.uint32(16)
    address = (rows | np.arange(col0, col0 + n_col, dtype=np.uint32)) ^ np.uint32(_mixed(macro + 1))
    # Places first: twice as fast as with a bool map. In parts that stay in the cache.
    places, flat, state = np.flatnonzero(cells), address.reshape(-1), 0
    for start in range(0, len(places), _PART):
        state ^= int(np.bitwise_xor.reduce(mix(flat.take(places[start : start + _PART]))))
    return state


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

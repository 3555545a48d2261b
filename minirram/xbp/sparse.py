"""The SPARSE encoding of pulse maps: how many cells lie between one set cell and the next, as LEB128 numbers.

Cells are numbered row by row over the rows of a record. A number counts the clear cells before a set one, in groups of
7 bits, low ones first; bit 7 of a byte says that another follows. See export/SPEC.md.
"""

from typing import List, Optional, Tuple

import numpy as np

from . import table

_MOST_BYTES = table.LIMITS["GAP_BYTES"]
_MOST_GAP = (1 << 7 * _MOST_BYTES) - 1


def encode(cells: np.ndarray, max_payload: int) -> Optional[List[Tuple[int, int, bytes]]]:
    """(first row, rows, stored bytes) of the records of a map, bool (n_row, n_col) with a set cell.

    Each record starts at the row of the next set cell and takes as many whole rows as fit, up to one with a set cell.
    None where a row does not fit `max_payload` bytes.
    """
    n_col = cells.shape[1]
    place = np.flatnonzero(cells)
    rows = place // n_col
    gap = np.diff(place, prepend=-1) - 1
    records, k = [], 0
    while k < len(place):
        # At most so many cells fit: each takes a byte.
        part = slice(k, k + max_payload + 1)
        gaps = gap[part].copy()
        gaps[0] = place[k] - rows[k] * n_col
        ends = np.cumsum(_sizes(gaps))
        fitting = int(np.searchsorted(ends, max_payload, side="right"))
        fitting = min(fitting, int(np.searchsorted(gaps > _MOST_GAP, True)) if gaps.max() > _MOST_GAP else fitting)
        stop = k + fitting
        if stop < len(place):  # whole rows only
            stop = k + int(np.searchsorted(rows[k:stop], rows[stop]))
        if stop == k:
            return None
        first, last = int(rows[k]), int(rows[stop - 1])
        records.append((first, last - first + 1, _bytes(gaps[: stop - k])))
        k = stop
    return records


def decode(stored: bytes, n_row: int, n_col: int) -> Optional[np.ndarray]:
    """int64 (n,): the numbers of the set cells, ascending; None where the bytes are no encoding of those rows."""
    data = np.frombuffer(stored, np.uint8)
    last = np.flatnonzero(data < 0x80)
    if not len(last) or last[-1] != len(data) - 1:
        return None
    starts = np.concatenate(([0], last[:-1] + 1))
    sizes = last - starts + 1
    if sizes.max() > _MOST_BYTES:
        return None
    gap: np.ndarray = np.zeros(len(last), np.int64)
    for byte in range(int(sizes.max())):
        some = sizes > byte
        gap[some] |= (data[starts[some] + byte] & 0x7F).astype(np.int64) << 7 * byte
    place: np.ndarray = np.cumsum(gap + 1) - 1
    return place if place[-1] < n_row * n_col else None


def _sizes(gaps: np.ndarray) -> np.ndarray:
    """Bytes of each number."""
    return 1 + sum((gaps >> 7 * byte > 0).astype(np.int64) for byte in range(1, _MOST_BYTES))


def _bytes(gaps: np.ndarray) -> bytes:
    """The numbers as LEB128."""
    sizes = _sizes(gaps)
    ends = np.cumsum(sizes)
    stored = np.empty(ends[-1], np.uint8)
    for byte in range(int(sizes.max())):
        some = sizes > byte
        more = (sizes[some] > byte + 1) * 0x80
        stored[(ends - sizes)[some] + byte] = gaps[some] >> 7 * byte & 0x7F | more
    return stored.tobytes()

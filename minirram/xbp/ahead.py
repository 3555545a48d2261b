"""Many row records of a program file looked at together, before they are trusted.

A file is mostly row records that go on where the one before ends. `look` says which do so with nothing amiss, so that
the reader is left with their checksums and bits, and it decodes their PackBits in one go. It judges nothing: what
does not go on is left to the reader.
"""

import struct
from typing import Any, List, NamedTuple, Tuple

import numpy as np

from . import packbits, table

Shape = Tuple[int, int, int, int]  # of a tile: bytes of a row in MASK, GTAR and OPS, and its rows

_HEAD = table.RECORD.size
_FIELDS: np.dtype = np.dtype([(name, f"<u{struct.calcsize(letter)}") for name, letter in table.RECORD_FIELDS])
_TILE = table.TYPES["TILE"]
_FIRST, _LAST = table.TYPES[table.ROW_TYPES[0]], table.TYPES[table.ROW_TYPES[-1]]
_BATCH_BYTES = 1 << 21  # of payloads at a time
_size_of = struct.Struct("<H").unpack_from


class Ahead(NamedTuple):
    """Records from one on; all lists have one entry for each."""

    first: int
    """number of the first one"""
    starts: List[int]
    """offset of each record"""
    bodies: List[int]
    """offset of its checksum"""
    checksums: List[int]
    rows: List[Any]
    """bytes, the decoded payloads of row records; None: they are not those rows, or SPARSE, or another record"""
    n_row: List[int]
    alike: List[int]
    """how many records behind each one go on with its map, with nothing amiss but checksum and bits"""


NOTHING = Ahead(0, [], [], [], [], [], [])


def row_bytes(n_col: int, code_bits: int) -> Tuple[int, int, int]:
    """Bytes of a row in MASK, GTAR and OPS."""
    return (n_col + 7) // 8, n_col * code_bits // 8, (n_col + 7) // 8


def look(data: bytes, at: int, first: int, shape: Shape, *, max_payload: int, length: int) -> Ahead:
    """The records from number `first` at offset `at` on; shape: that of the tile that is being read there.

    data: a file, of `length` bytes as its header says. The record at `at` is whole.
    """
    starts, bodies, shapes, tile_of = _records(data, at, shape, most=_BATCH_BYTES // max_payload, length=length)
    start, body, whole = np.array(starts), np.array(bodies), np.frombuffer(data, np.uint8)
    heads = whole.take(start[:, np.newaxis] + np.arange(_HEAD)).view(_FIELDS)[:, 0]
    head = {name: heads[name].astype(np.intp) for name, _ in table.RECORD_FIELDS}
    is_row = (_FIRST <= head["type"]) & (head["type"] <= _LAST)
    tile = np.array(shapes).take(tile_of, axis=0)
    size = head["n_row"] * tile[np.arange(len(tile)), np.where(is_row, head["type"] - _FIRST, 0)]
    fits, end = is_row & (size <= max_payload), start + _HEAD + head["stored"]
    packed, raw = (fits & (head["encoding"] == table.ENCODINGS[name]) for name in ("PACKBITS", "RAW"))
    rows: List[Any] = [None] * len(starts)
    payload = [data[k:stop] for k, stop in zip((start + _HEAD).tolist(), end.tolist())]
    for k in np.flatnonzero(raw).tolist():
        rows[k] = payload[k]
    which = np.flatnonzero(packed).tolist()
    for k, one in zip(which, packbits.decode([payload[k] for k in which], size[packed].tolist()) if which else ()):
        rows[k] = one

    good = (raw & (head["stored"] == size)) | (packed & (head["stored"] < size))
    good &= np.fromiter((one is not None for one in rows), bool, len(rows)) & (head["n_row"] > 0)
    good &= head["row"] + head["n_row"] <= tile[:, 3]
    for byte in range(3):
        good &= (end + byte >= body) | (whole.take(np.minimum(end + byte, body)) == 0)
    good[1:] &= np.diff(head["number"]) == 1
    good[1:] &= np.diff(head["row"]) == head["n_row"][:-1]
    for name in ("type", "tile", "recipe", "pass"):
        good[1:] &= np.diff(head[name]) == 0
    # The next record that does not go on, seen from each.
    place = np.arange(len(good))
    stops = np.minimum.accumulate(np.where(good, len(good), place)[::-1])[::-1]
    alike = np.append(stops[1:], len(good)) - place - 1
    checksums = whole.take(body[:, np.newaxis] + np.arange(4)).view("<u4")[:, 0]
    return Ahead(first, starts, bodies, checksums.tolist(), rows, head["n_row"].tolist(), alike.tolist())


def _records(
    data: bytes, at: int, shape: Shape, *, most: int, length: int
) -> Tuple[List[int], List[int], List[Shape], List[int]]:
    """(where records start, where their checksums are, shapes of tiles, which of them each record belongs to)."""
    starts: List[int] = []
    bodies, tile_of, shapes, limit = [], [], [shape], min(len(data), length) - 4
    while len(starts) < most and at + _HEAD <= limit:
        size = _size_of(data, at + 2)[0]
        body = at + _HEAD + (size + 3 & ~3)
        if body > limit:
            break
        if data[at] == _TILE and size == table.TILE.size:
            n_row, n_col, _, _, _, _, code_bits, *_ = table.TILE.unpack_from(data, at + _HEAD)
            shapes.append((*row_bytes(n_col, code_bits), n_row))
        starts.append(at)
        bodies.append(body)
        tile_of.append(len(shapes) - 1)
        at = body + 4
    return starts, bodies, shapes, tile_of

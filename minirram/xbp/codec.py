"""Bytes <-> records of the program file (XBP 2.0, export/SPEC.md). No physics.

`write` is deterministic and canonical. `read` takes bytes from anybody: it makes the numbered checks of SPEC.md in
their order and raises `FormatError` with the offset and the error class of the first one that fails.
"""

import zlib
from typing import Any, List, Optional, Tuple

import numpy as np

from ..errors import ConfigError
from ..files import utf8
from . import packbits, rules, sparse, table
from .host import program_of
from .reader import Reader
from .records import Program, TileProgram, pack_bits

Record = Tuple[int, int, int, int, int, int, int, bytes]  # see `_record`

_BATCH_BYTES = 1 << 18  # encoded at a time: stays in the cache


def read(data: bytes, chip_id: Optional[int] = None, *, max_payload: int = table.LIMITS["MAX_PAYLOAD"]) -> Program:
    """The `records.Program` that the bytes of a file hold.

    chip_id: refuse a program for any other chip (None: any chip will do). max_payload: the largest that this reader
    takes. FormatError(offset, kind) for the first broken rule: the streaming checks come first, then the host's.
    """
    return program_of(check(data, chip_id, max_payload=max_payload))


def check(data: bytes, chip_id: Optional[int] = None, *, max_payload: int = table.LIMITS["MAX_PAYLOAD"]) -> Reader:
    """The checks of a streaming reader alone; arguments as of `read`. The `reader.Reader` with the records."""
    reader = Reader(data, chip_id, max_payload=max_payload)
    reader.run()
    return reader


def write(program: Program) -> bytes:
    """The bytes of a `records.Program`; the same program gives the same bytes on every platform."""
    chip = _values(program, table.CHIP_FIELDS)
    front = [_record("CHIP", table.CHIP.pack(*chip))]
    front += [_record("RECIPE", table.RECIPE.pack(*_values(recipe, table.RECIPE_FIELDS))) for recipe in program.recipes]
    front += [_record("META", _metadata(key, text)) for key, text in sorted(program.meta.items())]
    tiles = [_tile_records(tile, program.max_payload) for tile in program.tiles]
    if program.directory and tiles:
        front += _directory(program, front, tiles)
    return _assemble(program, front + [record for records in tiles for record in records] + [_record("END", b"")])


def _values(source: Any, fields: rules.Fields) -> List[int]:
    """The values of an object's fields in the file's order; reserved ones are 0."""
    return [getattr(source, name, 0) for name, _ in fields]


def _record(
    kind: str,
    stored: bytes,
    *,
    encoding: str = "RAW",
    tile: int = 0,
    row: int = 0,
    n_row: int = 0,
    recipe: int = 0,
    number: int = 0,
) -> Record:
    """(type, encoding, tile, row, n_row, recipe, pass, stored bytes) of a record."""
    return table.TYPES[kind], table.ENCODINGS[encoding], tile, row, n_row, recipe, number, stored


def _size(record: Record) -> int:
    """Bytes that a record takes in the file."""
    return table.RECORD.size + (len(record[-1]) + 3 & ~3) + 4


def _metadata(key: str, text: str) -> bytes:
    encoded = utf8(text)
    return bytes((len(key), len(encoded))) + key.encode("ascii") + encoded


def _directory(program: Program, front: List[Record], tiles: List[List[Record]]) -> List[Record]:
    """DIR records: where the TILE record of each tile starts."""
    per = program.max_payload // table.DIR.size
    at = table.HEADER.size + sum(map(_size, front)) + table.DIR.size * len(tiles)
    at += -(-len(tiles) // per) * (table.RECORD.size + 4)
    entries = []
    for tile, records in zip(program.tiles, tiles):
        entries.append(table.DIR.pack(tile.number, 0, at))
        at += sum(map(_size, records))
    return [_record("DIR", b"".join(entries[k : k + per])) for k in range(0, len(entries), per)]


def _tile_records(tile: TileProgram, max_payload: int) -> List[Record]:
    """TILE, MASK, GTAR and OPS records of one tile."""
    records = [_record("TILE", table.TILE.pack(*_values(tile, table.TILE_FIELDS)), tile=tile.number)]
    if tile.mask is not None:
        records += _row_records("MASK", tile.number, pack_bits(tile.mask), max_payload)
    if tile.codes is not None:
        records += _row_records("GTAR", tile.number, tile.code_bytes, max_payload)
    for number, (recipe, cells) in enumerate(tile.passes):
        records += _pulse_records(tile.number, number, recipe, cells, max_payload)
    return records


def _pulse_records(tile: int, number: int, recipe: int, cells: np.ndarray, max_payload: int) -> List[Record]:
    """OPS records of one pass: SPARSE where that makes the pass smaller.

    Records without a set bit are left out. A pass without any set bit keeps its first: passes keep their number.
    """
    marks = {"tile": tile, "recipe": recipe, "number": number}
    thin = np.count_nonzero(cells) * 8 < cells.size  # a set cell takes a byte or more
    gaps = sparse.encode(cells, max_payload) if thin else None
    short = [
        _record("OPS", stored, encoding="SPARSE", row=row, n_row=n_row, **marks) for row, n_row, stored in gaps or ()
    ]
    if short and sum(map(_size, short)) < _least_size(cells, max_payload):
        return short
    wide = _row_records("OPS", tile, pack_bits(cells), max_payload, recipe=recipe, number=number)
    return short if short and sum(map(_size, short)) < sum(map(_size, wide)) else wide


def _least_size(cells: np.ndarray, max_payload: int) -> int:
    """Bytes below which no bitmap of the rows with a set cell comes: the records and two bytes for each."""
    per = max_payload // ((cells.shape[1] + 7) // 8)
    rows = np.add.reduceat(cells.any(axis=1), np.arange(0, len(cells), per), dtype=np.int64)
    return int(np.count_nonzero(rows)) * (table.RECORD.size + 8)


def _row_records(
    kind: str, tile: int, rows: np.ndarray, max_payload: int, *, recipe: int = 0, number: int = 0
) -> List[Record]:
    """Records of as many whole rows as fit, PackBits where that is smaller; of OPS, those with a set bit.

    rows: uint8 (n_row, bytes per row).
    """
    n_row, stride = rows.shape
    per = max_payload // stride
    first = np.arange(0, n_row, per)
    if kind == "OPS":
        pulsed = np.add.reduceat(rows.any(axis=1), first, dtype=np.int64) > 0
        first = first[pulsed] if pulsed.any() else first[:1]
    records: List[Record] = []
    batch = max(1, _BATCH_BYTES // max_payload)
    for k in range(0, len(first), batch):
        starts = first[k : k + batch].tolist()
        payloads = [rows[row : row + per].tobytes() for row in starts]
        packed = packbits.encode_shorter(np.frombuffer(b"".join(payloads), np.uint8), list(map(len, payloads)))
        for row, payload, short in zip(starts, payloads, packed):
            encoding, stored = ("RAW", payload) if short is None else ("PACKBITS", short)
            fields = table.TYPES[kind], table.ENCODINGS[encoding], tile, row, min(per, n_row - row), recipe, number
            records.append((*fields, stored))
    return records


def _assemble(program: Program, records: List[Record]) -> bytes:
    """Header and records; each checksum goes on from the one before it."""
    sizes = np.fromiter((len(record[-1]) for record in records), np.int64, len(records))
    length = table.HEADER.size + int(np.sum((sizes + 3 & ~3) + table.RECORD.size + 4))
    if length > table.LIMITS["MAX_FILE"]:
        raise ConfigError(
            f"the program takes {length} bytes, a file at most {table.LIMITS['MAX_FILE']}: export it with shorter "
            "conductance codes or without any (code_bits 8 or 0)"
        )
    header = table.HEADER.pack(
        table.MAGIC,
        table.MAJOR,
        program.minor,
        program.max_payload,
        length,
        len(records),
        program.build_id,
        program.chip_id,
        0,
    )[:-4]
    crc = zlib.crc32(header)
    parts = [header, crc.to_bytes(4, "little")]
    pack, zeros = table.RECORD.pack, (b"", bytes(3), bytes(2), bytes(1))
    for index, (kind, encoding, tile, row, n_row, recipe, number, stored) in enumerate(records):
        size = len(stored)
        body = pack(kind, encoding, size, index, tile, row, n_row, recipe, number) + stored + zeros[size & 3]
        crc = zlib.crc32(body, crc)
        parts += (body, crc.to_bytes(4, "little"))
    return b"".join(parts)

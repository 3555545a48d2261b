"""Bytes <-> records of the program file (XBP 1.0, export/SPEC.md). No physics.

`write` is deterministic and canonical. `read` takes bytes from anybody: it makes the numbered checks of SPEC.md in
their order and raises `FormatError` with the offset and the error class of the first one that fails.
"""

import zlib
from typing import Any, List, Optional, Tuple

import numpy as np

from ..errors import ConfigError
from . import packbits, rules, table
from .host import program_of
from .reader import Reader
from .records import Program, TileProgram, pack_bits

Record = Tuple[int, int, int, int, int, int, bytes]  # see `_record`

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
    chip = _values(program, table.CHIP_FIELDS, program_id=program.program_id)
    front = [_record("CHIP", table.CHIP.pack(*chip))]
    front += [_record("RECIPE", table.RECIPE.pack(*_values(recipe, table.RECIPE_FIELDS))) for recipe in program.recipes]
    front += [_record("META", _metadata(key, text)) for key, text in sorted(program.meta.items())]
    tiles = [_tile_records(tile, program.max_payload) for tile in program.tiles]
    if program.directory and tiles:
        front.append(_record("DIR", _directory(program, front, tiles)))
    return _assemble(program, front + [record for records in tiles for record in records] + [_record("END", b"")])


def _values(source: Any, fields: rules.Fields, **given: int) -> List[int]:
    """The values of an object's fields in the file's order; reserved ones are 0."""
    return [given[name] if name in given else getattr(source, name, 0) for name, _ in fields]


def _record(kind: str, payload: bytes, *, tile: int = 0, row: int = 0, n_row: int = 0) -> Record:
    """(type, encoding, tile, row, n_row, decoded length, stored bytes) of a raw record."""
    return table.TYPES[kind], table.ENCODINGS["RAW"], tile, row, n_row, len(payload), payload


def _size(record: Record) -> int:
    """Bytes that a record takes in the file."""
    return table.RECORD.size + (len(record[-1]) + 3 & ~3) + 4


def _metadata(key: str, text: str) -> bytes:
    encoded = text.encode("utf-8")
    return bytes((len(key), len(encoded))) + key.encode("ascii") + encoded


def _directory(program: Program, front: List[Record], tiles: List[List[Record]]) -> bytes:
    """DIR entries: where the TILE record of each tile starts."""
    at = table.HEADER.size + sum(map(_size, front)) + table.RECORD.size + table.DIR.size * len(tiles) + 4
    entries = b""
    for tile, records in zip(program.tiles, tiles):
        entries += table.DIR.pack(tile.number, 0, at)
        at += sum(map(_size, records))
    return entries


def _tile_records(tile: TileProgram, max_payload: int) -> List[Record]:
    """TILE, MASK, GTAR and OPS records of one tile."""
    records = [_record("TILE", table.TILE.pack(*_values(tile, table.TILE_FIELDS)), tile=tile.number)]
    if tile.mask is not None:
        records += _row_records("MASK", tile.number, pack_bits(tile.mask), b"", max_payload)
    if tile.codes is not None:
        records += _row_records("GTAR", tile.number, tile.code_bytes, b"", max_payload)
    for number, (recipe, cells) in enumerate(tile.passes):
        prefix = table.OPS.pack(recipe, number, 0)
        records += _row_records("OPS", tile.number, pack_bits(cells), prefix, max_payload)
    return records


def _row_records(kind: str, number: int, rows: np.ndarray, prefix: bytes, max_payload: int) -> List[Record]:
    """Records of as many whole rows as fit, PackBits where that is smaller; OPS without a set bit are left out.

    rows: uint8 (n_row, bytes per row). A pass without any set bit keeps its first record, so that passes keep their
    number.
    """
    n_row, stride = rows.shape
    per = (max_payload - len(prefix)) // stride
    first = np.arange(0, n_row, per)
    if prefix:
        pulsed = np.add.reduceat(rows.any(axis=1), first, dtype=np.int64) > 0
        first = first[pulsed] if pulsed.any() else first[:1]
    payloads = [prefix + rows[row : row + per].tobytes() for row in first.tolist()]
    records: List[Record] = []
    batch = max(1, _BATCH_BYTES // max_payload)
    for start in range(0, len(payloads), batch):
        part = payloads[start : start + batch]
        encoded, ends = packbits.encode(np.frombuffer(b"".join(part), np.uint8), [len(payload) for payload in part])
        stored, stops = encoded.tobytes(), ends.tolist()
        for payload, row, begin, end in zip(part, first[start:].tolist(), [0] + stops, stops):
            packed = end - begin < len(payload)
            records.append(
                (
                    table.TYPES[kind],
                    table.ENCODINGS["PACKBITS" if packed else "RAW"],
                    number,
                    row,
                    min(per, n_row - row),
                    len(payload),
                    stored[begin:end] if packed else payload,
                )
            )
    return records


def _assemble(program: Program, records: List[Record]) -> bytes:
    """Header and records with their checksums."""
    length = table.HEADER.size + sum(map(_size, records))
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
    seed = zlib.crc32(header)
    parts = [header, seed.to_bytes(4, "little")]
    for index, (kind, encoding, tile, row, n_row, size, stored) in enumerate(records):
        head = table.RECORD.pack(kind, encoding, 0, tile, row, n_row, size, len(stored), index & 0xFFFF)
        body = head + stored + bytes(-len(stored) % 4)
        parts += (body, zlib.crc32(body, seed).to_bytes(4, "little"))
    return b"".join(parts)

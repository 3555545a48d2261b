"""From records that passed the streaming checks to a `Program`, with the checks that need the whole file."""

from typing import Dict, Iterator, Sequence, Tuple

import numpy as np

from ..errors import FormatError
from . import rules, table
from .reader import MOST_CELLS, Reader, TileRecords
from .records import Program, PulseRecord, TileProgram, good_key, unpack_bits


def program_of(reader: Reader) -> Program:
    """The Program that a `reader.Reader` has read; FormatError for the first host check that fails."""
    _check_size(reader.tiles)
    tiles = tuple(_expand(tile) for tile in reader.tiles)
    for kind, at, text in host_faults(reader, tiles):
        raise FormatError(text, at, kind=kind)
    chip, header = reader.chip, reader.header
    return Program(
        tiles=tiles,
        recipes=tuple(PulseRecord(**_without_reserved(values)) for values in reader.recipes),
        meta={key.decode("ascii"): text.decode("utf-8") for _, key, text in reader.meta},
        directory=bool(reader.directories),
        **{name: chip[name] for name in ("orientation", "state", "base_id", "macros", "rows", "cols")},
        **{name: header[name] for name in ("chip_id", "build_id", "max_payload", "minor")},
    )


def _check_size(tiles: Sequence[TileRecords]) -> None:
    """LIMIT when the file asks for more than a host should expand."""
    cells = 0
    for tile in tiles:
        maps = len(tile.passes) + bool(tile.mask) + tile.values["code_bits"] // 8
        cells += tile.values["n_row"] * tile.values["n_col"] * maps
        if cells > MOST_CELLS:
            message = f"the maps up to tile {tile.number} cover {cells} cells, this reader expands {MOST_CELLS}"
            raise FormatError(message, tile.at, kind="LIMIT")


def _expand(tile: TileRecords) -> TileProgram:
    """The TileProgram of one tile's records."""
    values = {name: value for name, value in tile.values.items() if name != "n_keep"}
    n_row, n_col, bits = values["n_row"], values["n_col"], values["code_bits"]
    passes = []
    for recipe, records in tile.passes:
        rows = np.zeros((n_row, tile.stride), np.uint8)
        for row, count, bitmap in records:
            rows[row : row + count] = np.frombuffer(bitmap, np.uint8).reshape(count, -1)
        passes.append((recipe, unpack_bits(rows, (n_row, n_col))))
    return TileProgram(
        number=tile.number,
        mask=unpack_bits(b"".join(tile.mask), (n_row, n_col)) if tile.mask else None,
        codes=_codes(b"".join(tile.codes), bits, n_row, n_col) if tile.codes else None,
        passes=tuple(passes),
        **values,
    )


def _without_reserved(values: Dict[str, int]) -> Dict[str, int]:
    return {name: value for name, value in values.items() if not name.startswith("reserved")}


def _codes(data: bytes, bits: int, n_row: int, n_col: int) -> np.ndarray:
    """uint8 or uint16 (n_row, n_col) in this machine's byte order."""
    return np.frombuffer(data, f"<u{bits // 8}").astype(f"u{bits // 8}").reshape(n_row, n_col)


def host_faults(reader: Reader, tiles: Sequence[TileProgram]) -> Iterator[Tuple[str, int, str]]:
    """Checks Y1 to Y5, which need the whole file: (error class, byte offset, text) of each fault."""
    yield from _metadata_faults(reader.meta)
    listed = b"".join(table.DIR.pack(tile.number, 0, tile.at) for tile in reader.tiles)
    for number, (at, payload) in enumerate(reader.directories):
        if number or payload != listed or not listed:
            yield "DIRECTORY", at + table.RECORD.size, "not one list of all tiles and where their records start"
    starts = {tile.number: tile.at for tile in reader.tiles}
    for kind, number, text in rules.contradictions(tiles, reader.kinds):
        yield kind, starts[number], text


def _metadata_faults(meta: Sequence[Tuple[int, bytes, bytes]]) -> Iterator[Tuple[str, int, str]]:
    """Keys visible ASCII, sorted, unique; texts UTF-8."""
    last = b""
    for at, key, text in meta:
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            yield "METADATA", at, f"the text of {key!r} is not UTF-8"
        if not good_key(key.decode("latin-1")) or key <= last:
            yield "METADATA", at, f"key {key!r} after {last!r}: keys are visible ASCII, sorted and unique"
        last = key

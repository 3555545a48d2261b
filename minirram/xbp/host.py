"""From records that passed the streaming checks to a `Program`, with the checks that need the whole file."""

from typing import Dict, Iterator, Sequence, Tuple

from ..errors import FormatError
from . import rules, table
from .reader import Reader, TileRecords
from .records import Program, PulseRecord, TileProgram, good_key


def program_of(reader: Reader) -> Program:
    """The Program that a `reader.Reader` has read; FormatError for the first host check that fails."""
    for kind, at, text in _host_faults(reader):
        raise FormatError(text, at, kind=kind)
    chip, header = reader.chip, reader.header
    try:  # checks Y3 to Y5 are those of every Program
        return Program(
            tiles=tuple(_expand(tile) for tile in reader.tiles),
            recipes=tuple(PulseRecord(**_without_reserved(values)) for values in reader.recipes),
            meta={key.decode("ascii"): text.decode("utf-8") for _, key, text in reader.meta},
            directory=bool(reader.directories),
            **{name: value for name, value in _without_reserved(chip).items() if name not in ("maps", "new_state")},
            **{name: header[name] for name in ("chip_id", "build_id", "max_payload", "minor")},
        )
    except rules.Contradiction as error:
        at = next(tile.at for tile in reader.tiles if tile.number == error.tile)
        raise FormatError(str(error), at, kind=error.kind) from None


def _expand(tile: TileRecords) -> TileProgram:
    """The TileProgram of one tile's records."""
    mask, codes, passes = tile.maps()
    return TileProgram(number=tile.number, mask=mask, codes=codes, passes=passes, **tile.values)


def _without_reserved(values: Dict[str, int]) -> Dict[str, int]:
    return {name: value for name, value in values.items() if not name.startswith("reserved")}


def _host_faults(reader: Reader) -> Iterator[Tuple[str, int, str]]:
    """Checks Y1 and Y2, which need the whole file: (error class, byte offset, text) of each fault."""
    yield from _metadata_faults(reader.meta)
    listed = b"".join(table.DIR.pack(tile.number, 0, tile.at) for tile in reader.tiles)
    if reader.directories and b"".join(payload for _, payload in reader.directories) != listed:
        at = reader.directories[0][0] + table.RECORD.size
        yield "DIRECTORY", at, "not one list of all tiles and where their records start"


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

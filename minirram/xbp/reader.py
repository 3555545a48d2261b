"""The reader of program files that nobody vouches for: the numbered checks of export/SPEC.md, in their order.

`Reader.run` makes the checks that a streaming reader makes too, record by record; the C reader agrees with it on the
error class of every file. `minirram.xbp.host` makes the checks that need the whole file.
"""

import struct
import zlib
from typing import Any, Callable, Dict, Iterable, List, NoReturn, Optional, Tuple

import numpy as np

from ..errors import FormatError
from . import packbits, rules, table

_NAMES = {number: name for name, number in table.TYPES.items()}
_STAGES = {name: stage for stage, name in enumerate(table.ROW_TYPES)}
_MASK, _GTAR, _OPS = range(3)
_HEAD = table.RECORD.size
_unpack_head = table.RECORD.unpack_from
_GOOD_CRC = 0x2144DF1C  # CRC-32 of anything followed by its own CRC-32, from any start
_BATCH_BYTES = 1 << 20  # decoded ahead at a time
MOST_CELLS = 1 << 28  # of all maps together: small files can ask for terabytes, and a host keeps the maps
_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


class TileRecords:
    """The tile that is being read: its fields, its row records so far, and how far it has come."""

    def __init__(self, number: int, values: Dict[str, int], *, at: int) -> None:
        self.number, self.values, self.at = number, values, at
        self.stage, self.next_row = _MASK, 0
        self.mask: List[bytes] = []
        self.codes: List[bytes] = []
        self.passes: List[Tuple[int, List[Tuple[int, int, bytes]]]] = []  # (recipe, [(row, n_row, bitmap)])
        n_col = values["n_col"]
        self.stride = (n_col + 7) // 8
        self.row_bytes = (self.stride, n_col * values["code_bits"] // 8, self.stride)
        self.pad = (1 << 8 * self.stride) - (1 << n_col)

    def repeated(self, bits: int, n_row: int) -> int:
        """The pattern `bits` of one row, in each of n_row rows."""
        return int.from_bytes(bits.to_bytes(self.stride, "little") * n_row, "little")


class Reader:
    """State while a file is read; `run` makes all streaming checks."""

    def __init__(self, data: bytes, chip_id: Optional[int], *, max_payload: int) -> None:
        self.data = bytes(data)
        self.expected_chip, self.limit = chip_id, max_payload
        self.header: Dict[str, int] = {}
        self.chip: Dict[str, int] = {}
        self.recipes: List[Dict[str, int]] = []
        self.meta: List[Tuple[int, bytes, bytes]] = []  # (offset, key, text)
        self.directories: List[Tuple[int, bytes]] = []
        self.kinds: Dict[int, int] = {}  # id of a recipe -> its kind
        self.tiles: List[TileRecords] = []
        self.tile: Optional[TileRecords] = None  # the one that is being read
        self.ended = False
        self.at, self.index, self.seed, self.program_id = 0, 0, 0, 0
        self.max_payload = self.file_length = self.n_records = 0
        self.decoded: Dict[int, Optional[bytes]] = {}  # offset of a record -> its payload, not trusted yet
        self.decoded_to, self.cells = 0, 0

    def _fail(self, kind: str, at: int, message: str) -> NoReturn:
        """Raise FormatError of class `kind` at byte offset `at`."""
        raise FormatError(message, at, kind=kind)

    def run(self) -> None:
        """All streaming checks. FormatError for the first that fails."""
        self._read_header()
        while not self.ended:
            self._read_record()
        if len(self.data) > self.at:
            self._fail("EXTRA", self.at, f"{len(self.data) - self.at} bytes after END")

    def _read_header(self) -> None:
        """Checks H1 to H7."""
        if len(self.data) < table.HEADER.size:
            self._fail("TRUNCATED", len(self.data), f"{len(self.data)} bytes, a file header takes 32")
        values = self._fields(table.HEADER, table.HEADER_FIELDS, 0)
        if values["magic"] != table.MAGIC:
            message = "not a program file (or one damaged by a text-mode transfer): it starts with"
            self._fail("MAGIC", 0, f"{message} {values['magic']!r}")
        if values["major"] != table.MAJOR:
            self._fail("VERSION", 8, f"format version {values['major']}, this reader takes {table.MAJOR}")
        self.seed = zlib.crc32(self.data[:28])
        if values["crc"] != self.seed:
            self._fail("CRC", 28, f"the header's checksum is {values['crc']:08x}, expected {self.seed:08x}")
        self._refuse(0, table.HEADER_FIELDS, rules.header_faults(values, self.limit))
        if self.expected_chip is not None and values["chip_id"] != self.expected_chip:
            self._fail("CHIP", 24, f"made for chip {values['chip_id']:08x}, this is chip {self.expected_chip:08x}")
        self.header, self.at = values, table.HEADER.size
        self.max_payload, self.file_length = values["max_payload"], values["file_length"]
        self.n_records = values["n_records"]

    def _read_record(self) -> None:
        """Checks R1 to R10, then those of the record's type."""
        at, data, index = self.at, self.data, self.index
        if len(data) - at < _HEAD:
            self._fail("TRUNCATED", len(data), f"the file ends inside the head of record {index}")
        kind, encoding, reserved, tile, row, n_row, length, stored, sequence = _unpack_head(data, at)
        if length > self.max_payload or stored > self.max_payload:
            self._fail("LENGTH", at + 10, f"lengths {length} and {stored}, the header allows {self.max_payload}")
        end = at + _HEAD + (stored + 3 & ~3) + 4
        if end > self.file_length:
            self._fail("LENGTH", at + 12, f"the record ends at {end}, the file at {self.file_length}")
        if end > len(data):
            self._fail("TRUNCATED", len(data), f"the file ends inside record {index}")
        if zlib.crc32(data[at:end], self.seed) != _GOOD_CRC:
            self._fail("CRC", end - 4, f"the checksum of record {index} differs")
        if sequence != index & 0xFFFF:
            self._fail("SEQUENCE", at + 14, f"record {index} says it is number {sequence}")
        if reserved or (stored & 3 and any(data[at + _HEAD + stored : end - 4])):
            self._fail("RESERVED", at + 3, f"byte 3 or a pad byte of record {index} is not 0")
        name = _NAMES.get(kind)
        if name is None and not kind & table.ANCILLARY:
            self._fail("TYPE", at, f"unknown record type {kind:04x}")
        if (name == "END") != (index == self.n_records - 1):
            message = f"record {index} of {self.n_records} has type {kind:04x}; the last one is END and no other"
            self._fail("COUNT", at, message)
        if (name == "CHIP") != (index == 0):
            self._fail("ORDER", at, f"record {index} has type {kind:04x}; the first one is CHIP and no other")
        self.at, self.index = end, index + 1
        if name is not None:
            payload = self._payload(at, name, encoding, tile, row, n_row, length, stored)
            _PARSERS[name](self, at, payload, tile, row, n_row, name)

    def _payload(
        self, at: int, name: str, encoding: int, tile: int, row: int, n_row: int, length: int, stored: int
    ) -> bytes:
        """Checks R11 to R14; the decoded payload."""
        rows = name in _STAGES
        if encoding > rows:
            self._fail("ENCODING", at + 2, f"encoding {encoding} of a {name} record")
        if stored >= length if encoding else stored != length:
            message = f"{stored} bytes stored for {length} decoded ones in encoding {encoding}"
            self._fail("LENGTH", at + 12, message)
        if length != table.FIXED_SIZES.get(name, length):
            self._fail("LENGTH", at + 10, f"{length} bytes in a {name} record, expected {table.FIXED_SIZES[name]}")
        if not rows and (row or n_row or (tile and name != "TILE")):
            self._fail("RESERVED", at + 4, f"tile or row numbers in a {name} record")
        if not encoding:
            return self.data[at + _HEAD : at + _HEAD + stored]
        payload = self._unpacked(at)
        if payload is None:
            self._fail("PACKBITS", at + _HEAD, f"these are not {length} bytes in PackBits")
        return payload

    def _unpacked(self, at: int) -> Optional[bytes]:
        """The PackBits payload of the record at `at`; many records ahead are decoded in one go, still untrusted."""
        if at >= self.decoded_to:
            here, offsets, stored, lengths, total = at, [], [], [], 0
            while total < _BATCH_BYTES and here + _HEAD <= len(self.data):
                _, encoding, _, _, _, _, length, size, _ = _unpack_head(self.data, here)
                if encoding == 1 and length <= self.max_payload and size <= self.max_payload:
                    offsets.append(here)
                    stored.append(self.data[here + _HEAD : here + _HEAD + size])
                    lengths.append(length)
                total += length
                here += _HEAD + (size + 3 & ~3) + 4
            self.decoded, self.decoded_to = dict(zip(offsets, packbits.decode(stored, lengths))), here
        return self.decoded[at]

    def _fields(self, layout: struct.Struct, fields: rules.Fields, at: int) -> Dict[str, Any]:
        """The integers of a layout at byte offset `at`, by name."""
        return dict(zip((name for name, _ in fields), layout.unpack_from(self.data, at)))

    def _refuse(self, at: int, fields: rules.Fields, faults: Iterable[rules.Fault]) -> None:
        """Fail with the first of `faults`, at the offset of its field behind `at`."""
        for kind, name, text in faults:
            before = [character for _, character in fields[: [field for field, _ in fields].index(name)]]
            offset = struct.calcsize("<" + "".join(before))
            self._fail(kind, at + offset, f"{name} {text}")

    def _read_chip(self, at: int, *_: Any) -> None:
        """Checks C1 and C2."""
        self.chip = self._fields(table.CHIP, table.CHIP_FIELDS, at + _HEAD)
        self._refuse(at + _HEAD, table.CHIP_FIELDS, rules.chip_faults(self.chip))

    def _read_recipe(self, at: int, *_: Any) -> None:
        """Checks P1 to P4."""
        if self.tile:
            self._fail("ORDER", at, "a RECIPE after the first TILE")
        body = at + _HEAD
        values = self._fields(table.RECIPE, table.RECIPE_FIELDS, body)
        self._refuse(body, table.RECIPE_FIELDS, rules.recipe_faults(values))
        self._refuse(body, table.RECIPE_FIELDS, rules.recipe_order_faults(values, self.kinds))
        self.kinds[values["id"]] = values["kind"]
        self.recipes.append(values)

    def _read_tile(self, at: int, payload: bytes, number: int, *_: Any) -> None:
        """Checks T1 to T3."""
        if self.tile:
            self._advance(at, self.tile, _OPS)
            if number <= self.tile.number:
                self._fail("ORDER", at + 4, f"tile {number} after tile {self.tile.number}")
        values = self._fields(table.TILE, table.TILE_FIELDS, at + _HEAD)
        self._refuse(at + _HEAD, table.TILE_FIELDS, rules.tile_faults(values, self.chip))
        self.tile = TileRecords(number, values, at=at)
        self.tiles.append(self.tile)

    def _advance(self, at: int, tile: TileRecords, stage: int) -> None:
        """Checks M1 and M2: a tile enters a later stage only when its rows so far are complete; none comes back."""
        if stage < tile.stage:
            self._fail("ORDER", at, f"{table.ROW_TYPES[stage]} of tile {tile.number} too late")
        if stage == tile.stage:
            return
        whole = tile.next_row == tile.values["n_row"]
        none = tile.stage == _MASK and stage == _OPS and tile.next_row == 0
        skipped = tile.stage == _MASK and (stage == _GTAR) != (tile.values["code_bits"] > 0)
        if not (whole or none) or skipped:
            shape = f"tile {tile.number} of {tile.values['n_row']} rows with {tile.values['code_bits']} code bits"
            order = f"{table.ROW_TYPES[tile.stage]} ends at row {tile.next_row}, then comes {table.ROW_TYPES[stage]}"
            self._fail("ORDER", at, f"{shape}: {order}")
        ones = int(_ONES[np.frombuffer(b"".join(tile.mask), np.uint8)].sum(dtype=np.int64)) if tile.mask else 0
        if stage == _OPS and ones != tile.values["n_keep"]:
            self._fail("TOTAL", tile.at, f"tile {tile.number} keeps {tile.values['n_keep']} cells, its mask has {ones}")
        tile.stage, tile.next_row = stage, 0

    def _read_rows(self, at: int, payload: bytes, number: int, row: int, n_row: int, name: str) -> None:
        """Checks W1 to W5, O1 to O4 and K1 on rows of MASK, GTAR and OPS."""
        tile, stage = self.tile, _STAGES[name]
        if tile is None or number != tile.number:
            self._fail("ORDER", at, f"rows of tile {number}, which is not the present one")
        if stage != tile.stage:
            self._advance(at, tile, stage)
        if not 1 <= n_row <= tile.values["n_row"] - row:
            self._fail("RANGE", at + 6, f"rows {row} + {n_row} of a tile of {tile.values['n_row']}")
        prefix = table.OPS.size if stage == _OPS else 0
        if len(payload) != prefix + n_row * tile.row_bytes[stage]:
            self._fail("LENGTH", at + 10, f"{len(payload)} bytes for {n_row} rows of {tile.row_bytes[stage]}")
        if stage == _OPS:
            self._check_pulses(at, tile, payload, row)
        elif row != tile.next_row:
            self._fail("ORDER", at + 6, f"{table.ROW_TYPES[stage]} from row {row}, expected row {tile.next_row}")
        tile.next_row = row + n_row
        self._count_cells(at, n_row * tile.values["n_col"])
        bitmap = payload[prefix:]
        bits = int.from_bytes(bitmap, "little") if stage != _GTAR else 0
        if tile.pad and stage != _GTAR and bits & tile.repeated(tile.pad, n_row):
            self._fail("RESERVED", at + _HEAD, f"a bit beyond column {tile.values['n_col'] - 1}")
        if stage == _OPS:
            tile.passes[-1][1].append((row, n_row, bitmap))
            return
        self.program_id = zlib.crc32(payload, self.program_id)
        (tile.mask if stage == _MASK else tile.codes).append(payload)
        pairs = stage == _MASK and tile.values["level"] == table.LEVELS["pair"]
        if pairs and bits & bits >> 1 & int.from_bytes(b"\x55" * len(payload), "little"):
            self._fail("PAIR", at + _HEAD, "both cells of a pair on at pair level")

    def _count_cells(self, at: int, cells: int) -> None:
        """Check Y6, made while reading: the memory of the host is at stake."""
        self.cells += cells
        if self.cells > MOST_CELLS:
            self._fail("LIMIT", at, f"the maps up to here cover more than {MOST_CELLS} cells")

    def _check_pulses(self, at: int, tile: TileRecords, payload: bytes, row: int) -> None:
        """Checks O1 to O4; opens a new pass."""
        recipe, pass_, reserved = table.OPS.unpack_from(payload)
        body = at + _HEAD
        if reserved:
            self._fail("RESERVED", body + 2, "bytes 2 and 3 are not 0")
        if self.kinds.get(recipe, table.KINDS["READ"]) == table.KINDS["READ"]:
            self._fail("RECIPE", body, f"recipe {recipe} is no FORM, SET or RESET of this file")
        if pass_ == len(tile.passes):
            tile.passes.append((recipe, []))
            tile.next_row = 0
        if pass_ != len(tile.passes) - 1 or row < tile.next_row:
            message = f"pass {pass_} from row {row} after pass {len(tile.passes) - 1} up to row {tile.next_row}"
            self._fail("ORDER", body + 1, message)
        if recipe != tile.passes[-1][0]:
            self._fail("RECIPE", body, f"a second recipe in pass {pass_}")

    def _read_meta(self, at: int, payload: bytes, *_: Any) -> None:
        """Check A1."""
        if len(payload) < 3 or payload[0] < 1 or len(payload) != 2 + payload[0] + payload[1]:
            self._fail("LENGTH", at + _HEAD, "key and text do not fill the record")
        self.meta.append((at, payload[2 : 2 + payload[0]], payload[2 + payload[0] :]))

    def _read_directory(self, at: int, payload: bytes, *_: Any) -> None:
        """Nothing that a streaming reader checks."""
        self.directories.append((at, payload))

    def _read_end(self, at: int, *_: Any) -> None:
        """Checks E1 to E3."""
        if self.at != self.file_length:
            self._fail("LENGTH", at, f"END ends at {self.at}, the header says at {self.file_length}")
        if self.tile:
            self._advance(at, self.tile, _OPS)
        if self.program_id != self.chip["program_id"]:
            message = f"program_id {self.chip['program_id']:08x}, the masks and codes give {self.program_id:08x}"
            self._fail("TOTAL", table.HEADER.size + _HEAD + 12, message)
        self.ended = True


_PARSERS: Dict[str, Callable] = {
    "CHIP": Reader._read_chip,
    "RECIPE": Reader._read_recipe,
    "TILE": Reader._read_tile,
    "MASK": Reader._read_rows,
    "GTAR": Reader._read_rows,
    "OPS": Reader._read_rows,
    "META": Reader._read_meta,
    "DIR": Reader._read_directory,
    "END": Reader._read_end,
}

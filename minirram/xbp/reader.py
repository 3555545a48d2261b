"""The reader of program files that nobody vouches for: the numbered checks of export/SPEC.md, in their order.

`Reader.run` makes the checks that a streaming reader makes too, record by record; the C reader agrees with it on the
error class of every file. `minirram.xbp.host` makes the checks that need the whole file.
"""

import itertools
import struct
import zlib
from typing import Any, Callable, Dict, Iterable, List, NoReturn, Optional, Tuple

import numpy as np

from ..errors import FormatError
from ..files.budgets import PROGRAM, SCALE
from . import ahead, digests, rules, sparse, table
from .records import unpack_bits

TileMaps = Tuple[Optional[np.ndarray], Optional[np.ndarray], Tuple[Tuple[int, np.ndarray], ...]]

_NAMES = {number: name for name, number in table.TYPES.items()}
_STAGES = {table.TYPES[name]: stage for stage, name in enumerate(table.ROW_TYPES)}
_FIXED_SIZES = {table.TYPES[name]: size for name, size in table.FIXED_SIZES.items()}
_MASK, _GTAR, _OPS, _NEXT = range(4)
_RAW, _PACKBITS, _SPARSE = (table.ENCODINGS[name] for name in ("RAW", "PACKBITS", "SPARSE"))
_HEAD = table.RECORD.size
_CHIP, _END = table.TYPES["CHIP"], table.TYPES["END"]
_TILE = table.TYPES["TILE"]  # those of the rows follow it, in the order of the stages
_unpack_head = table.RECORD.unpack_from
_unpack_crc = struct.Struct("<I").unpack_from
_CODE_BYTES = 8  # of a host for each conductance code: it becomes a conductance


class TileRecords:
    """The tile that is being read: its fields, its row records so far, and how far it has come."""

    def __init__(self, number: int, values: Dict[str, int], *, at: int) -> None:
        self.number, self.values, self.at = number, values, at
        self.stage, self.next_row = _MASK, 0
        self.mask: List[bytes] = []
        self.codes: List[bytes] = []
        self.passes: List[Tuple[int, List[Tuple[int, int, Any]]]] = []  # (recipe, [(row, n_row, bitmap or cells)])
        self.n_row, self.n_col = values["n_row"], values["n_col"]
        self.stride = (self.n_col + 7) // 8
        self.row_bytes = ahead.row_bytes(self.n_col, values["code_bits"])
        self.pad = (1 << 8 * self.stride) - (1 << self.n_col)
        self._maps: Optional[TileMaps] = None

    def repeated(self, bits: int, n_row: int) -> int:
        """The pattern `bits` of one row, in each of n_row rows."""
        return int.from_bytes(bits.to_bytes(self.stride, "little") * n_row, "little")

    def maps(self) -> TileMaps:
        """(mask or None, codes or None, (recipe, cells) of each pass): the maps of a tile that was read whole."""
        if self._maps is None:
            shape, bits = (self.n_row, self.n_col), self.values["code_bits"]
            mask = unpack_bits(b"".join(self.mask), shape) if self.mask else None
            codes = None
            if self.codes:
                stored = np.frombuffer(b"".join(self.codes), f"<u{bits // 8}")
                codes = stored.astype(f"u{bits // 8}", copy=False).reshape(shape)
            self.mask, self.codes = [], []
            self._maps = mask, codes, tuple((recipe, self._pulses(records)) for recipe, records in self.passes)
        return self._maps

    def _pulses(self, records: List[Tuple[int, int, Any]]) -> np.ndarray:
        """bool (n_row, n_col) of one pass."""
        rows_in = [rows for _, _, rows in records]
        if sum(n_row for _, n_row, _ in records) == self.n_row and all(isinstance(rows, bytes) for rows in rows_in):
            return unpack_bits(b"".join(rows_in), (self.n_row, self.n_col))
        packed: np.ndarray = np.zeros((self.n_row, self.stride), np.uint8)
        for row, n_row, rows in records:
            if isinstance(rows, bytes):
                packed[row : row + n_row] = np.frombuffer(rows, np.uint8).reshape(n_row, -1)
        cells = unpack_bits(packed, (self.n_row, self.n_col))
        for row, n_row, rows in records:
            if not isinstance(rows, bytes):
                cells[row : row + n_row].reshape(-1)[rows] = True
        return cells


_OTHERS = (
    (b"\x89XDI", "digital.bin, the digital side of a network; the program is the file program.xbp"),
    (b"\x93NUMPY", "an array of NumPy, .npy"),
    (b"PK\x03\x04", "an archive such as .npz or .xlsx"),
    (b"{", "a JSON file"),
)
"""first bytes of files that are taken for programs, and what they are"""


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
        self.expanded, self.most_expanded = 0, PROGRAM.unpacks_to(len(self.data))  # bytes of all maps so far
        self.at, self.index = 0, 0
        self.crc = 0  # CRC-32 of all bytes so far but the checksums themselves
        self.record: Optional[int] = None  # number of the one that is being read
        self.max_payload = self.file_length = self.n_records = 0
        self.ahead = ahead.NOTHING

    def _fail(self, kind: str, at: int, message: str) -> NoReturn:
        """Raise FormatError of class `kind` at byte offset `at`."""
        raise FormatError(message, at, kind=kind, record=self.record)

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
            other = next((f": {what}" for start, what in _OTHERS if self.data[:8].startswith(start)), "")
            self._fail("MAGIC", 0, f"{message} {values['magic']!r}{other}")
        if values["major"] != table.MAJOR:
            self._fail(
                "VERSION", 8, f"format version {values['major']}, this reader takes {table.MAJOR}{_advice(values)}"
            )
        self.crc = zlib.crc32(self.data[:28])
        if values["crc"] != self.crc:
            self._fail("CRC", 28, f"the header's checksum is {values['crc']:08x}, expected {self.crc:08x}")
        self._refuse(0, table.HEADER_FIELDS, rules.header_faults(values, self.limit))
        if self.expected_chip is not None and values["chip_id"] != self.expected_chip:
            self._fail("CHIP", 24, f"made for chip {values['chip_id']:08x}, this is chip {self.expected_chip:08x}")
        self.header, self.at = values, table.HEADER.size
        self.max_payload, self.file_length = values["max_payload"], values["file_length"]
        self.n_records = values["n_records"]

    def _read_record(self) -> None:
        """Checks R1 to R10, then those of the record's type."""
        at, data, index = self.at, self.data, self.index
        self.record = index
        if len(data) - at < _HEAD:
            self._fail("TRUNCATED", len(data), f"the file ends inside the head of record {index}")
        head = _unpack_head(data, at)
        kind, _, stored, number = head[:4]
        if stored > self.max_payload:
            self._fail("LENGTH", at + 2, f"{stored} bytes of payload, the header allows {self.max_payload}")
        body = at + _HEAD + (stored + 3 & ~3)
        if body + 4 > self.file_length:
            self._fail("LENGTH", at + 2, f"the record ends at {body + 4}, the file at {self.file_length}")
        if body + 4 > len(data):
            self._fail("TRUNCATED", len(data), f"the file ends inside record {index}")
        self.crc = zlib.crc32(data[at:body], self.crc)
        if self.crc != _unpack_crc(data, body)[0]:
            self._fail("CRC", body, f"the checksum of record {index} differs, or one before it is missing")
        if number != index:
            self._fail("SEQUENCE", at + 4, f"record {index} says it is number {number}")
        if stored & 3 and any(data[at + _HEAD + stored : body]):
            self._fail("RESERVED", at + _HEAD + stored, f"a pad byte of record {index} is not 0")
        parser = _PARSERS.get(kind)
        if parser is None and not kind & table.ANCILLARY:
            self._fail("TYPE", at, f"unknown record type {kind:02x}")
        if (kind == _END) != (index == self.n_records - 1):
            message = f"record {index} of {self.n_records} has type {kind:02x}; the last one is END and no other"
            self._fail("COUNT", at, message)
        if (kind == _CHIP) != (index == 0):
            self._fail("ORDER", at, f"record {index} has type {kind:02x}; the first one is CHIP and no other")
        self.at, self.index = body + 4, index + 1
        if parser is not None:
            self._check_head(at, head)
            parser(self, at, head)

    def _check_head(self, at: int, head: Tuple[int, ...]) -> None:
        """Checks R11 to R13."""
        kind, encoding, stored, _, tile, row, n_row, recipe, pass_ = head
        stage = _STAGES.get(kind)
        if encoding > _HIGHEST_ENCODING[stage]:
            self._fail("ENCODING", at + 1, f"encoding {encoding} of a {_NAMES[kind]} record")
        if stage is None and stored != _FIXED_SIZES.get(kind, stored):
            self._fail("LENGTH", at + 2, f"{stored} bytes in a {_NAMES[kind]} record, expected {_FIXED_SIZES[kind]}")
        unused = row or n_row or (tile and kind != _TILE) if stage is None else 0
        if unused or (stage != _OPS and (recipe or pass_)):
            self._fail("RESERVED", at + 8, f"a number in the head of a {_NAMES[kind]} record that has none")

    def _payload(self, at: int, stored: int) -> bytes:
        """The stored bytes of the record at `at`."""
        return self.data[at + _HEAD : at + _HEAD + stored]

    def _place(self, at: int, tile: TileRecords) -> int:
        """Place of the record at `at`, rows of the present tile, among those that were looked at ahead."""
        number = self.index - 1
        if number >= self.ahead.first + len(self.ahead.starts):
            shape, limits = (*tile.row_bytes, tile.n_row), {"max_payload": self.max_payload, "length": self.file_length}
            self.ahead = ahead.look(self.data, at, number, shape, **limits)
        return number - self.ahead.first

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
        """Checks C1 to C3."""
        self.chip = self._fields(table.CHIP, table.CHIP_FIELDS, at + _HEAD)
        self._refuse(at + _HEAD, table.CHIP_FIELDS, rules.chip_faults(self.chip))

    def _read_recipe(self, at: int, *_: Any) -> None:
        """Checks P1 to P5."""
        if self.tile:
            self._fail("ORDER", at, "a RECIPE after the first TILE")
        body = at + _HEAD
        values = self._fields(table.RECIPE, table.RECIPE_FIELDS, body)
        self._refuse(body, table.RECIPE_FIELDS, rules.recipe_faults(values))
        self._refuse(body, table.RECIPE_FIELDS, rules.recipe_order_faults(values, self.kinds, self.chip))
        self.kinds[values["id"]] = values["kind"]
        self.recipes.append(values)

    def _read_tile(self, at: int, head: Tuple[int, ...]) -> None:
        """Checks T1 to T3."""
        number = head[4]
        if self.tile:
            self._advance(at, self.tile, _NEXT)
            if number <= self.tile.number:
                self._fail("ORDER", at + 8, f"tile {number} after tile {self.tile.number}")
        values = self._fields(table.TILE, table.TILE_FIELDS, at + _HEAD)
        self._refuse(at + _HEAD, table.TILE_FIELDS, rules.tile_faults(values, self.chip))
        self.tile = TileRecords(number, values, at=at)
        self.tiles.append(self.tile)
        self._expand(self._has(_MASK) + (_CODE_BYTES if values["code_bits"] else 0))

    def _advance(self, at: int, tile: TileRecords, stage: int) -> None:
        """Check M1: each tile has the maps that CHIP names, whole and in order."""
        while tile.stage < stage:
            if self._has(tile.stage) and tile.stage != _OPS and tile.next_row != tile.n_row:
                rows = f"{table.ROW_TYPES[tile.stage]} ends at row {tile.next_row} of {tile.n_row}"
                self._fail("ORDER", at, f"tile {tile.number}: {rows}")
            tile.stage, tile.next_row = tile.stage + 1, 0
        if stage < tile.stage or (stage < _NEXT and not self._has(stage)):
            self._fail("ORDER", at, f"{table.ROW_TYPES[stage]} of tile {tile.number}: too late, or not named by CHIP")

    def _has(self, stage: int) -> bool:
        """Whether CHIP says that tiles have MASK, GTAR or OPS."""
        return bool(self.chip["maps"] >> stage & 1)

    def _read_rows(self, at: int, head: Tuple[int, ...]) -> None:
        """Checks W1 to W6, O1 to O3 and K1 on rows of MASK, GTAR and OPS."""
        kind, encoding, stored, _, number, row, n_row, recipe, pass_ = head
        tile, stage = self.tile, _STAGES[kind]
        if tile is None or number != tile.number:
            self._fail("ORDER", at + 8, f"rows of tile {number}, which is not the present one")
        if tile.stage != stage or not self._has(stage):
            self._advance(at, tile, stage)
        if not 1 <= n_row <= tile.n_row - row:
            self._fail("RANGE", at + 10, f"rows {row} + {n_row} of a tile of {tile.n_row}")
        length = n_row * tile.row_bytes[stage]
        if encoding == _SPARSE:
            bad = not stored or tile.stride > self.max_payload
        else:
            bad = length > self.max_payload or (stored >= length if encoding else stored != length)
        if bad:
            self._fail("LENGTH", at + 2, f"{stored} bytes in encoding {encoding} for {n_row} rows, {length} bytes")
        place = self._place(at, tile)
        rows: Any = self.ahead.rows[place]
        if encoding == _SPARSE:
            rows = sparse.decode(self._payload(at, stored), n_row, tile.n_col)
        if rows is None:
            self._fail("PACKED", at + _HEAD, f"these are not {n_row} rows in encoding {encoding}")
        if stage == _OPS:
            self._check_pulses(at, tile, row, recipe, pass_)
        elif row != tile.next_row:
            self._fail("ORDER", at + 10, f"{table.ROW_TYPES[stage]} from row {row}, expected row {tile.next_row}")
        tile.next_row = row + n_row
        if stage != _GTAR and encoding != _SPARSE:
            self._check_bits(at, tile, rows, n_row, stage)
        if stage == _OPS:
            tile.passes[-1][1].append((row, n_row, rows))
        else:
            (tile.mask if stage == _MASK else tile.codes).append(rows)
        self._read_alike(tile, stage, place)

    def _read_alike(self, tile: TileRecords, stage: int, place: int) -> None:
        """The records behind the one at `place` that go on with its map, up to the first with another checksum.

        What is left of their checks: R5, W6 and K1. `_read_record` says what is wrong with the first other one.
        """
        found, first = self.ahead, place + 1
        stop, end = first, first + min(found.alike[place], self.n_records - 1 - self.index)
        while stop < end:
            crc = zlib.crc32(self.data[found.starts[stop] : found.bodies[stop]], self.crc)
            if crc != found.checksums[stop]:
                break
            self.crc, stop = crc, stop + 1
        if stage != _GTAR:
            for k in range(first, stop):
                self.record = self.index + k - first
                self._check_bits(found.starts[k], tile, found.rows[k], found.n_row[k], stage)
        self.at, self.index = found.bodies[stop - 1] + 4, self.index + stop - first
        n_row, rows = found.n_row[first:stop], found.rows[first:stop]
        starts = list(itertools.accumulate([tile.next_row, *n_row]))
        tile.next_row = starts.pop()
        if stage == _OPS:
            tile.passes[-1][1].extend(zip(starts, n_row, rows))
        else:
            (tile.mask if stage == _MASK else tile.codes).extend(rows)

    def _check_bits(self, at: int, tile: TileRecords, rows: bytes, n_row: int, stage: int) -> None:
        """Checks W6 and K1, row by row."""
        paired = stage == _MASK and tile.values["level"] == table.LEVELS["pair"]
        if not paired and not tile.pad:
            return
        bits = int.from_bytes(rows, "little")
        pad = bits & tile.repeated(tile.pad, n_row) if tile.pad else 0
        pairs = bits & bits >> 1 & int.from_bytes(b"\x55" * len(rows), "little") if paired else 0
        if not pad and not pairs:
            return
        first_pad, first_pair = (((found & -found).bit_length() - 1) // (8 * tile.stride) for found in (pad, pairs))
        if pad and (not pairs or first_pad <= first_pair):
            self._fail("RESERVED", at + _HEAD, f"a bit beyond column {tile.n_col - 1}")
        self._fail("PAIR", at + _HEAD, "both cells of a pair on at pair level")

    def _check_pulses(self, at: int, tile: TileRecords, row: int, recipe: int, pass_: int) -> None:
        """Checks O1 to O3; opens a new pass."""
        if self.kinds.get(recipe, table.KINDS["READ"]) == table.KINDS["READ"]:
            self._fail("RECIPE", at + 14, f"recipe {recipe} is no FORM, SET or RESET of this file")
        if pass_ == len(tile.passes):
            tile.passes.append((recipe, []))
            tile.next_row = 0
            self._expand(1)
        if pass_ != len(tile.passes) - 1 or row < tile.next_row:
            message = f"pass {pass_} from row {row} after pass {len(tile.passes) - 1} up to row {tile.next_row}"
            self._fail("ORDER", at + 15, message)
        if recipe != tile.passes[-1][0]:
            self._fail("RECIPE", at + 14, f"a second recipe in pass {pass_}")

    def _read_meta(self, at: int, head: Tuple[int, ...]) -> None:
        """Check A1."""
        payload = self._payload(at, head[2])
        if len(payload) < 3 or payload[0] < 1 or len(payload) != 2 + payload[0] + payload[1]:
            self._fail("LENGTH", at + _HEAD, "key and text do not fill the record")
        self.meta.append((at, payload[2 : 2 + payload[0]], payload[2 + payload[0] :]))

    def _read_directory(self, at: int, head: Tuple[int, ...]) -> None:
        """Check A2."""
        payload = self._payload(at, head[2])
        if not payload or len(payload) % table.DIR.size:
            self._fail("LENGTH", at + 2, f"{len(payload)} bytes are no entries of {table.DIR.size} bytes each")
        self.directories.append((at, payload))

    def _read_end(self, at: int, *_: Any) -> None:
        """Checks E1 to E3."""
        if self.at != self.file_length:
            self._fail("LENGTH", at, f"END ends at {self.at}, the header says at {self.file_length}")
        if self.tile:
            self._advance(at, self.tile, _NEXT)
        if self._has(_OPS) and not any(tile.passes for tile in self.tiles):
            self._fail("ORDER", at, "CHIP names pulses, and there are none")
        state = self._state()
        if state != self.chip["new_state"]:
            message = f"new_state {self.chip['new_state']:08x}, the maps give {state:08x}"
            self._fail("TOTAL", table.HEADER.size + _HEAD + 16, message)
        self.ended = True

    def _expand(self, maps: int) -> None:
        """Check Y6 as maps of the present tile begin: a small file can ask for terabytes, and a host keeps the maps."""
        tile = self.tiles[-1]
        self.expanded += tile.n_row * tile.n_col * maps
        if self.expanded > self.most_expanded:
            most = f"this reader {self.most_expanded} ({SCALE})"
            message = f"the maps up to tile {tile.number} take {self.expanded} bytes, {most}"
            self._fail("LIMIT", tile.at, message)

    def _state(self) -> int:
        """Digest of the state that the maps lead to."""
        whole, change = self._has(_MASK), rules.changes(self.chip)
        state = digests.of_chip(self.header["chip_id"]) if whole else self.chip["base_state"]
        for tile in self.tiles:
            mask, _, passes = tile.maps()
            turned = [mask] if mask is not None else [cells for _, cells in passes] if change else []
            state ^= digests.of_tile(tile.values) if whole else 0
            for cells in turned:
                state ^= digests.of_cells(tile.values["macro"], tile.values["row0"], tile.values["col0"], cells)
        return state


def _advice(values: Dict[str, Any]) -> str:
    """What to do about a file of format 1."""
    return "; minirram convert OLD.xbp --out NEW.xbp writes it anew" if values["major"] == 1 else ""


_HIGHEST_ENCODING = {_MASK: _PACKBITS, _GTAR: _PACKBITS, _OPS: _SPARSE, None: _RAW}
_BY_NAME: Dict[str, Callable] = {
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
_PARSERS = {table.TYPES[name]: parser for name, parser in _BY_NAME.items()}

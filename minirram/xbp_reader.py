"""The reader of program files that nobody vouches for: the numbered checks of export/SPEC.md, in their order.

`Reader.run` makes the checks that a streaming reader makes too, record by record; the C reader agrees with it on the
error class of every file. `minirram.xbp_host` makes the checks that need the whole file.
"""

import zlib

import numpy as np

from . import packbits
from . import xbp_rules as rules
from . import xbp_table as table
from .errors import FormatError

_T = table.TYPES
_ROW_TYPES = (_T["MASK"], _T["GTAR"], _T["OPS"])
_STAGE = {_T["MASK"]: 0, _T["GTAR"]: 1, _T["OPS"]: 2}
_BATCH_BYTES = 1 << 20  # decoded ahead at a time
_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


class _Tile:
    """The tile that is being read: its fields and the row records so far."""

    def __init__(self, number, values, at):
        self.number, self.values, self.at = number, values, at
        self.stage, self.closed = 0, False
        self.mask, self.codes = [], []
        self.mask_rows = self.code_rows = 0
        self.passes, self.next_row = [], 0  # passes: [recipe, [(row, n_row, payload)]]
        n_col = values["n_col"]
        self.stride = (n_col + 7) // 8
        self.pad = (1 << 8 * self.stride) - (1 << n_col)

    def repeated(self, bits, n_row):
        """The pattern `bits` of one row, in each of n_row rows."""
        return int.from_bytes(bits.to_bytes(self.stride, "little") * n_row, "little")


class Reader:
    """State while a file is read; `run` makes all streaming checks."""

    def __init__(self, data, chip_id, max_payload):
        self.data = bytes(data)
        self.expected_chip, self.limit = chip_id, max_payload
        self.header, self.chip, self.recipes, self.meta, self.directory = {}, {}, [], [], None
        self.kinds, self.tiles, self.tile = {}, [], None
        self.at, self.index, self.seed, self.program_id = 0, 0, 0, 0
        self.decoded, self.decoded_to = {}, 0

    def fail(self, kind, at, message):
        """Raise FormatError of class `kind` at byte offset `at`."""
        raise FormatError(message, at, kind)

    def run(self):
        """All streaming checks. FormatError for the first that fails."""
        self.read_header()
        while self.index < self.header["n_records"]:
            self.read_record()
        if len(self.data) > self.at:
            self.fail("EXTRA", self.at, "{} bytes after END".format(len(self.data) - self.at))

    def read_header(self):
        """Checks H1 to H8."""
        if len(self.data) < table.HEADER.size:
            self.fail("TRUNCATED", len(self.data), "{} bytes, a file header takes 32".format(len(self.data)))
        values = self.unpack(table.HEADER, table.HEADER_FIELDS, 0)
        if values["magic"] != table.MAGIC:
            self.fail(
                "MAGIC",
                0,
                "not a program file (or one damaged by a text-mode transfer): it starts with {!r}".format(
                    values["magic"]
                ),
            )
        if values["major"] != table.MAJOR:
            self.fail("VERSION", 8, "format version {}, this reader knows {}".format(values["major"], table.MAJOR))
        self.seed = zlib.crc32(self.data[:28])
        if values["crc"] != self.seed:
            self.fail("CRC", 28, "the header's checksum is {:08x}, expected {:08x}".format(values["crc"], self.seed))
        self.refuse(0, table.HEADER_FIELDS, rules.header_faults(values, self.limit))
        if self.expected_chip is not None and values["chip_id"] != self.expected_chip:
            self.fail(
                "CHIP", 24, "made for chip {:08x}, this is chip {:08x}".format(values["chip_id"], self.expected_chip)
            )
        self.header, self.at = values, table.HEADER.size

    def read_record(self):
        """Checks R1 to R15, then those of the record's type."""
        at, data = self.at, self.data
        if len(data) - at < table.RECORD.size:
            self.fail("TRUNCATED", len(data), "the file ends inside the head of record {}".format(self.index))
        kind, encoding, reserved, tile, row, n_row, length, stored, sequence = table.RECORD.unpack_from(data, at)
        if max(length, stored) > self.header["max_payload"]:
            self.fail(
                "LENGTH",
                at + 10,
                "lengths {} and {}, the header allows {}".format(length, stored, self.header["max_payload"]),
            )
        end = at + table.RECORD.size + (stored + 3 & ~3) + 4
        if end > self.header["file_length"]:
            self.fail(
                "LENGTH", at + 12, "the record ends at {}, the file at {}".format(end, self.header["file_length"])
            )
        if end > len(data):
            self.fail("TRUNCATED", len(data), "the file ends inside record {}".format(self.index))
        crc = zlib.crc32(data[at : end - 4], self.seed)
        if crc != int.from_bytes(data[end - 4 : end], "little"):
            self.fail("CRC", end - 4, "the checksum of record {} is not {:08x}".format(self.index, crc))
        if sequence != self.index & 0xFFFF:
            self.fail("SEQUENCE", at + 14, "record {} says it is number {}".format(self.index, sequence))
        body = at + table.RECORD.size
        if reserved or data[body + stored : end - 4].strip(b"\0"):
            self.fail("RESERVED", at + 3, "byte 3 or a pad byte of record {} is not 0".format(self.index))
        known = kind in _PARSERS
        if not known and not kind & table.ANCILLARY:
            self.fail("TYPE", at, "unknown record type {:04x}".format(kind))
        if (kind == _T["END"]) != (self.index == self.header["n_records"] - 1):
            self.fail(
                "COUNT",
                at,
                "record {} of {} has type {:04x}; the last one is END and no other".format(
                    self.index, self.header["n_records"], kind
                ),
            )
        if (kind == _T["CHIP"]) != (self.index == 0):
            self.fail(
                "ORDER", at, "record {} has type {:04x}; the first one is CHIP and no other".format(self.index, kind)
            )
        if known:
            payload = self.payload(at, kind, encoding, tile, row, n_row, length, stored)
            _PARSERS[kind](self, at, payload, tile, row, n_row)
        self.at, self.index = end, self.index + 1

    def payload(self, at, kind, encoding, tile, row, n_row, length, stored):
        """Checks R12 to R15; the decoded payload."""
        rows = kind in _ROW_TYPES
        if encoding > (1 if rows else 0):
            self.fail("ENCODING", at + 2, "encoding {} of record type {:04x}".format(encoding, kind))
        if stored >= length if encoding else stored != length:
            self.fail(
                "LENGTH",
                at + 12,
                "{} bytes stored for {} decoded ones in encoding {}".format(stored, length, encoding),
            )
        if not rows and (row or n_row or (tile and kind != _T["TILE"])):
            self.fail("RESERVED", at + 4, "tile or row numbers in record type {:04x}".format(kind))
        if not encoding:
            return self.data[at + table.RECORD.size : at + table.RECORD.size + stored]
        payload = self.unpacked(at)
        if payload is None:
            self.fail("PACKBITS", at + table.RECORD.size, "these are not {} bytes in PackBits".format(length))
        return payload

    def unpacked(self, at):
        """The PackBits payload of the record at `at`; many records ahead are decoded in one go, still untrusted."""
        if at >= self.decoded_to:
            offsets, stored, lengths, total = [], [], [], 0
            while total < _BATCH_BYTES and at + table.RECORD.size <= len(self.data):
                _, encoding, _, _, _, _, length, size, _ = table.RECORD.unpack_from(self.data, at)
                if encoding == table.ENCODINGS["PACKBITS"] and max(length, size) <= self.header["max_payload"]:
                    offsets.append(at)
                    stored.append(self.data[at + table.RECORD.size : at + table.RECORD.size + size])
                    lengths.append(length)
                total += length
                at += table.RECORD.size + (size + 3 & ~3) + 4
            self.decoded, self.decoded_to = dict(zip(offsets, packbits.decode(stored, lengths))), at
        return self.decoded[self.at]

    def unpack(self, layout, fields, at, size=None):
        """The fields at offset `at` as a dict; with `size` given, LENGTH when it is not the layout's."""
        if size is not None and size != layout.size:
            self.fail("LENGTH", at - 6, "a payload of {} bytes, expected {}".format(size, layout.size))
        return dict(zip((name for name, _ in fields), layout.unpack_from(self.data, at)))

    def refuse(self, at, fields, faults):
        """Fail with the first of `faults`, at the offset of its field behind `at`."""
        for kind, name, text in faults:
            before = [character for _, character in fields[: [field for field, _ in fields].index(name)]]
            offset = table.struct.calcsize("<" + "".join(before))
            self.fail(kind, at + offset, "{} {}".format(name, text))

    def read_chip(self, at, payload, *_):
        """Checks C1 to C4."""
        body = at + table.RECORD.size
        self.chip = self.unpack(table.CHIP, table.CHIP_FIELDS, body, len(payload))
        self.refuse(body, table.CHIP_FIELDS, rules.chip_faults(self.chip))

    def read_recipe(self, at, payload, *_):
        """Checks P1 to P6."""
        if self.tile:
            self.fail("ORDER", at, "a RECIPE after the first TILE")
        body = at + table.RECORD.size
        values = self.unpack(table.RECIPE, table.RECIPE_FIELDS, body, len(payload))
        self.refuse(body, table.RECIPE_FIELDS, rules.recipe_faults(values))
        self.refuse(body, table.RECIPE_FIELDS, rules.recipe_order_faults(values, self.kinds))
        self.kinds[values["id"]] = values["kind"]
        self.recipes.append(values)

    def read_tile(self, at, payload, number, *_):
        """Checks T1 to T5."""
        self.close_tile(at)
        if self.tile and number <= self.tile.number:
            self.fail("ORDER", at + 4, "tile {} after tile {}".format(number, self.tile.number))
        body = at + table.RECORD.size
        values = self.unpack(table.TILE, table.TILE_FIELDS, body, len(payload))
        self.refuse(body, table.TILE_FIELDS, rules.tile_faults(values, self.chip))
        self.tile = _Tile(number, values, at)
        self.tiles.append(self.tile)

    def close_tile(self, at):
        """Checks M1 to M3 on the maps of the present tile: before its first OPS, the next TILE and END."""
        tile = self.tile
        if tile is None or tile.closed:
            return
        values, n_row = tile.values, tile.values["n_row"]
        wanted = n_row if values["code_bits"] else 0
        if tile.mask_rows not in (0, n_row) or tile.code_rows != wanted or (wanted and not tile.mask_rows):
            self.fail(
                "ORDER",
                at,
                "tile {} has {} rows of mask and {} of codes, expected {} (or no mask) and {}".format(
                    tile.number, tile.mask_rows, tile.code_rows, n_row, wanted
                ),
            )
        ones = int(_ONES[np.frombuffer(b"".join(tile.mask), np.uint8)].sum(dtype=np.int64)) if tile.mask else 0
        if ones != values["n_keep"]:
            self.fail(
                "TOTAL",
                tile.at,
                "tile {} keeps {} cells, its mask has {}".format(tile.number, values["n_keep"], ones),
            )
        tile.closed = True

    def place_rows(self, at, kind, payload, number, row, n_row, width, prefix=0):
        """Checks W1 to W4 that MASK, GTAR and OPS share; the tile."""
        tile = self.tile
        if tile is None or number != tile.number or _STAGE[kind] < tile.stage:
            self.fail("ORDER", at, "rows of tile {} where they must not stand".format(number))
        if kind == _T["GTAR"] and not tile.values["code_bits"]:
            self.fail("ORDER", at, "conductance codes in tile {}, which declares none".format(number))
        if kind == _T["OPS"]:
            self.close_tile(at)
        tile.stage = _STAGE[kind]
        if not 1 <= n_row <= tile.values["n_row"] - row:
            self.fail("RANGE", at + 6, "rows {} + {} of a tile of {}".format(row, n_row, tile.values["n_row"]))
        if len(payload) != prefix + n_row * width:
            self.fail("LENGTH", at + 10, "{} bytes for {} rows of {}".format(len(payload), n_row, width))
        return tile

    def check_pad(self, at, tile, bits, n_row):
        """Check W5: no bit beyond the last column."""
        if tile.pad and bits & tile.repeated(tile.pad, n_row):
            self.fail("RESERVED", at + table.RECORD.size, "a bit beyond column {}".format(tile.values["n_col"] - 1))

    def read_mask(self, at, payload, number, row, n_row):
        """Checks W1 to W6, K1."""
        stride = self.tile.stride if self.tile else 0
        tile = self.place_rows(at, _T["MASK"], payload, number, row, n_row, stride)
        if row != tile.mask_rows:
            self.fail("ORDER", at + 6, "mask from row {}, expected row {}".format(row, tile.mask_rows))
        bits = int.from_bytes(payload, "little")
        self.check_pad(at, tile, bits, n_row)
        if tile.values["level"] == table.LEVELS["pair"] and bits & bits >> 1 & int.from_bytes(
            b"\x55" * len(payload), "little"
        ):
            self.fail("PAIR", at + table.RECORD.size, "both cells of a pair on at pair level")
        tile.mask.append(payload)
        tile.mask_rows += n_row
        self.program_id = zlib.crc32(payload, self.program_id)

    def read_codes(self, at, payload, number, row, n_row):
        """Checks W1 to W4, W6."""
        width = self.tile.values["n_col"] * self.tile.values["code_bits"] // 8 if self.tile else 0
        tile = self.place_rows(at, _T["GTAR"], payload, number, row, n_row, width)
        if row != tile.code_rows:
            self.fail("ORDER", at + 6, "codes from row {}, expected row {}".format(row, tile.code_rows))
        tile.codes.append(payload)
        tile.code_rows += n_row
        self.program_id = zlib.crc32(payload, self.program_id)

    def read_ops(self, at, payload, number, row, n_row):
        """Checks W1 to W5, O1 to O4."""
        stride = self.tile.stride if self.tile else 0
        tile = self.place_rows(at, _T["OPS"], payload, number, row, n_row, stride, table.OPS.size)
        recipe, pass_, reserved = table.OPS.unpack_from(payload)
        body = at + table.RECORD.size
        if reserved:
            self.fail("RESERVED", body + 2, "bytes 2 and 3 are not 0")
        if self.kinds.get(recipe, table.KINDS["READ"]) == table.KINDS["READ"]:
            self.fail("RECIPE", body, "recipe {} is no FORM, SET or RESET of this file".format(recipe))
        new = pass_ == len(tile.passes)
        if not new and (pass_ != len(tile.passes) - 1 or row < tile.next_row):
            self.fail(
                "ORDER",
                body + 1,
                "pass {} from row {} after pass {} up to row {}".format(
                    pass_, row, len(tile.passes) - 1, tile.next_row
                ),
            )
        if not new and recipe != tile.passes[-1][0]:
            self.fail("RECIPE", body, "a second recipe in pass {}".format(pass_))
        bitmap = payload[table.OPS.size :]
        self.check_pad(at, tile, int.from_bytes(bitmap, "little"), n_row)
        if new:
            tile.passes.append((recipe, []))
        tile.passes[-1][1].append((row, n_row, bitmap))
        tile.next_row = row + n_row

    def read_meta(self, at, payload, *_):
        """Check A1."""
        if len(payload) < 2 or payload[0] < 1 or len(payload) != 2 + payload[0] + payload[1]:
            self.fail("LENGTH", at + table.RECORD.size, "key and text do not fill the record")
        self.meta.append((at, payload[2 : 2 + payload[0]], payload[2 + payload[0] :]))

    def read_directory(self, at, payload, *_):
        """Checks D1 and D2."""
        if self.directory is not None:
            self.fail("ORDER", at, "a second DIR")
        if not payload or len(payload) % table.DIR.size:
            self.fail(
                "LENGTH", at + 10, "{} bytes in a DIR, expected a multiple of {}".format(len(payload), table.DIR.size)
            )
        self.directory = at, list(table.DIR.iter_unpack(payload))

    def read_end(self, at, payload, *_):
        """Checks E1 to E4."""
        if payload:
            self.fail("LENGTH", at + 10, "END carries {} bytes".format(len(payload)))
        if at + table.RECORD.size + 4 != self.header["file_length"]:
            self.fail("LENGTH", at, "the file ends here, the header says at {}".format(self.header["file_length"]))
        self.close_tile(at)
        if self.program_id != self.chip["program_id"]:
            self.fail(
                "TOTAL",
                table.HEADER.size + table.RECORD.size + 12,
                "program_id {:08x}, the masks and codes give {:08x}".format(self.chip["program_id"], self.program_id),
            )


_PARSERS = {
    _T["CHIP"]: Reader.read_chip,
    _T["RECIPE"]: Reader.read_recipe,
    _T["TILE"]: Reader.read_tile,
    _T["MASK"]: Reader.read_mask,
    _T["GTAR"]: Reader.read_codes,
    _T["OPS"]: Reader.read_ops,
    _T["META"]: Reader.read_meta,
    _T["DIR"]: Reader.read_directory,
    _T["END"]: Reader.read_end,
}

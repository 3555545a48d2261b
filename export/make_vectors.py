"""Write vectors/: golden program files, hostile ones, and expected.json, which says what a reader must make of each.

good/*.xbp read without an error; expected.json holds every decoded record and the summary. bad/*.xbp break one rule
each and are named after the check that must refuse them; all other checks before it pass. Run `python
export/make_vectors.py` after a change of the format; a test compares the files with what this writes.
"""

import json
import pathlib
import struct
import sys
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import numpy as np  # noqa: E402

from minirram.errors import FormatError  # noqa: E402
from minirram.json_codec import bare  # noqa: E402
from minirram.programming import readback  # noqa: E402
from minirram.programming.build import increment, targets_of, without_targets  # noqa: E402
from minirram.xbp import codec, digests, packbits, sparse, table  # noqa: E402
from minirram.xbp.records import Program, PulseRecord, TileProgram  # noqa: E402

CHIP_ID = 0x1234ABCD
T = table.TYPES

READER_PAYLOAD = 1024  # of the readers for which expected.json holds: H6.xbp is for one of 2,048

RECIPES = (
    PulseRecord(0, table.KINDS["READ"], row_mV=200, select_mV=3300, width_ns=50, settle_ns=1000),
    PulseRecord(1, table.KINDS["FORM"], row_mV=3800, select_mV=3300, width_ns=100000),
    PulseRecord(
        2,
        table.KINDS["SET"],
        0,
        drive=table.DRIVES["row"],
        read_first=1,
        good_reads=2,
        max_pulses=10,
        row_mV=1600,
        row_step_mV=100,
        row_to_mV=2000,
        select_mV=1400,
        select_step_mV=50,
        select_to_mV=1800,
        width_ns=50,
        settle_ns=10000,
        compliance_nA=60000,
        budget_nA=500000,
        guard_nS=300,
    ),
    PulseRecord(
        3, table.KINDS["RESET"], 0, floating=1, max_pulses=10, col_mV=1800, select_mV=3300, width_ns=50, settle_ns=10000
    ),
)


def bits(text):
    """Bool map from rows of 0 and 1."""
    return np.array([[letter == "1" for letter in row] for row in text.split()])


def pattern(n_row, n_col, divisor):
    """A fixed bool map without any random generator."""
    row, col = np.mgrid[:n_row, :n_col]
    return (row * 7 + col * col * 3 + col * 5 + row * col) % divisor == 0


def example():
    """The worked example of SPEC.md: one tile of 3 x 6 cells at pair level, on a chip of one macro of 4 x 8."""
    mask = bits("100100 000010 010001")
    codes = np.where(mask, [[100, 0, 0, 120, 0, 0], [0, 0, 0, 0, 255, 0], [0, 90, 0, 0, 0, 1]], 0).astype(np.uint8)
    partners = bits("011001 101001 101010")
    tile = TileProgram(
        0,
        0,
        1,
        2,
        3,
        6,
        1,
        5400,
        4900,
        mask,
        8,
        500,
        5242880,
        codes,
        ((1, np.ones((3, 6), bool)), (3, partners), (3, ~mask & ~partners)),
    )
    return Program(CHIP_ID, 1, 4, 8, RECIPES, (tile,), 0xB111D, meta={"task": "example"}, max_payload=64)


def several_tiles():
    """Tiles of all levels and code sizes on several macros."""
    wide = pattern(40, 300, 5)
    wide[:, 1::2] &= ~wide[:, 0::2]
    runs = np.zeros((20, 512), bool)
    runs[:, 3:400] = True
    return (
        TileProgram(
            0,
            0,
            0,
            0,
            40,
            300,
            1,
            5400,
            4900,
            wide,
            16,
            0,
            30000,
            np.where(wide, 1 + np.arange(40 * 300).reshape(40, 300) * 5 % 65535, 0).astype(np.uint16),
            ((1, np.ones((40, 300), bool)), (3, ~wide)),
        ),
        TileProgram(
            3,
            2,
            100,
            0,
            20,
            512,
            2,
            5400,
            4900,
            runs,
            8,
            0,
            65536,
            np.where(runs, 200, 0).astype(np.uint8),
            ((1, runs), (3, ~runs & pattern(20, 512, 2))),
        ),
        TileProgram(65535, 1, 511, 511, 1, 1, 0, 1, 0, np.ones((1, 1), bool), 8, 0, 1, np.full((1, 1), 255, np.uint8)),
    )


def good():
    """name -> Program."""
    odd = TileProgram(
        7, 0, 0, 1, 5, 13, 0, 5400, 4900, pattern(5, 13, 3), passes=((3, ~pattern(5, 13, 3)), (2, pattern(5, 13, 9)))
    )
    old = example()
    turned = bits("100000 000010 010101")
    codes = np.where(turned, 77, 0).astype(np.uint8)
    new = Program(
        CHIP_ID,
        1,
        4,
        8,
        RECIPES,
        (TileProgram(0, 0, 1, 2, 3, 6, 1, 5400, 4900, turned, 8, 500, 5242880, codes),),
        0xB111D,
        before=table.BEFORE["programmed"],
        max_payload=64,
    )
    form_only = TileProgram(0, 0, 0, 0, 8, 16, 1, 5400, 4900, passes=((1, np.ones((8, 16), bool)),))
    thin = np.zeros((200, 512), bool)
    thin[::7, 11::97] = thin[3, 1:3] = thin[199, 511] = True
    blocks = tuple(
        TileProgram(k, 0, k, 0, 1, 2, 0, 2, 1, np.ones((1, 2), bool), passes=((1, np.ones((1, 2), bool)),))
        for k in range(19)
    )
    base = {"before": table.BEFORE["programmed"], "base_state": 0xBA5E57A7}
    measured = {"before": table.BEFORE["measured"], "base_state": 0xBA5E57A7, "readback_id": 0x0EADBAC2}
    sparse_tile = TileProgram(
        5, 0, 100, 0, 200, 512, 2, 5400, 4900, passes=((2, thin), (3, ~thin & np.roll(thin, 1, 1)))
    )
    return {
        "example": old,
        "nothing": Program(CHIP_ID, 1, 1, 1, (), (), **base),
        "form-only": Program(CHIP_ID, 1, 8, 16, RECIPES[:2], (form_only,), directory=False),
        "odd-columns": Program(CHIP_ID, 1, 16, 16, RECIPES, (odd,), orientation=0, before=1, directory=False),
        "several-macros": Program(
            CHIP_ID, 3, 512, 512, RECIPES, several_tiles(), meta={"a": "\u00b5S", "b": "x" * 255}, minor=7
        ),
        "without-targets": without_targets(old),
        "targets": targets_of(old),
        "increment": increment(old, new),
        "sparse": Program(CHIP_ID, 1, 512, 512, RECIPES, (sparse_tile,), **base),
        "repair": Program(CHIP_ID, 1, 512, 512, RECIPES, (sparse_tile,), max_payload=256, **measured),
        "long-directory": Program(CHIP_ID, 1, 19, 2, RECIPES[:2], blocks, max_payload=64),
    }


def records_of(data):
    """[head fields (list), stored bytes] of each record of a good file."""
    at, records = table.HEADER.size, []
    while at < len(data):
        head = list(table.RECORD.unpack_from(data, at))
        body = at + table.RECORD.size
        records.append([head, data[body : body + head[2]]])
        at = body + (head[2] + 3 & ~3) + 4
    return records


def assemble(records, header=(), numbers=True, pad=0, wrong_crc=None):
    """A file from records, with good checksums except `wrong_crc`; `header` changes header fields by name."""
    bodies = []
    for index, (head, stored) in enumerate(records):
        head = list(head)
        if numbers:
            head[3] = index
        bodies.append(table.RECORD.pack(*head) + stored + bytes([pad] * (-len(stored) % 4)))
    values = {
        "magic": table.MAGIC,
        "major": table.MAJOR,
        "minor": 0,
        "max_payload": 64,
        "n_records": len(records),
        "file_length": 32 + sum(len(body) + 4 for body in bodies),
        "build_id": 0xB111D,
        "chip_id": CHIP_ID,
    }
    values.update(header)
    front = table.HEADER.pack(*(values.get(name, 0) for name, _ in table.HEADER_FIELDS))[:28]
    crc = zlib.crc32(front)
    data = front + struct.pack("<I", crc)
    for index, body in enumerate(bodies):
        crc = zlib.crc32(body, crc)
        data += body + struct.pack("<I", crc ^ (index == wrong_crc))
    return data


class Base:
    """The records of the worked example, to be broken: indices by type, edits by field name."""

    def __init__(self, data=None):
        self.records = records_of(codec.write(example()) if data is None else data)

    def index(self, kind, nth=0):
        """Index of the nth record of a type."""
        return [k for k, (head, _) in enumerate(self.records) if head[0] == T[kind]][nth]

    def head(self, kind, nth=0, **fields):
        """Change fields of a record's head."""
        names = [name for name, _ in table.RECORD_FIELDS]
        for name, value in fields.items():
            self.records[self.index(kind, nth)][0][names.index(name)] = value
        return self

    def payload(self, record_type, layout, nth=0, **fields):
        """Change fields of a record's payload (`layout`: a list of xbp.table)."""
        record = self.records[self.index(record_type, nth)]
        at = 0
        for name, character in layout:
            size = struct.calcsize("<" + character)
            if name in fields:
                record[1] = record[1][:at] + struct.pack("<" + character, fields[name]) + record[1][at + size :]
            at += size
        return self

    def raw(self, kind, payload, nth=0, **fields):
        """Replace a record's payload by raw bytes."""
        self.records[self.index(kind, nth)][1] = payload
        return self.head(kind, nth, **{**{"encoding": 0, "stored": len(payload)}, **fields})

    def drop(self, kind, nth=0):
        """Leave a record out."""
        del self.records[self.index(kind, nth)]
        return self

    def insert(self, at, kind, payload=b"", **fields):
        """Put a record of type number `kind` before index `at`."""
        head = dict.fromkeys((name for name, _ in table.RECORD_FIELDS), 0)
        head.update({"type": kind, "stored": len(payload), **fields})
        self.records.insert(at, [list(head.values()), payload])
        return self

    def swap(self, a, b):
        """Exchange two records."""
        self.records[a], self.records[b] = self.records[b], self.records[a]
        return self

    def file(self, **options):
        """The bytes."""
        return assemble(self.records, **options)


def decoded(record, n_col=6, code_bytes=1):
    """The decoded payload of a record of a tile with n_col columns."""
    head, stored = record
    row_bytes = n_col * code_bytes if head[0] == T["GTAR"] else (n_col + 7) // 8
    return packbits.decode([stored], [head[6] * row_bytes])[0] if head[1] == 1 else stored


def bad_headers():
    """check -> bytes, for the file header and the frame of records."""
    data, base = codec.write(example()), Base
    first = base().records[0]
    return {
        "H1": data[:31],
        "H2": data.replace(b"\r\n", b"\n", 1),
        "H3": base().file(header={"major": 3}),
        "H4": data[:28] + b"\0\0\0\0" + data[32:],
        "H5-small": base().file(header={"max_payload": 60}),
        "H5-odd": base().file(header={"max_payload": 66}),
        "H5-long": base().file(header={"file_length": (1 << 30) + 4}),
        "H6": base().file(header={"max_payload": 2048}),
        "H7": base().file(header={"chip_id": CHIP_ID ^ 1}),
        "R1": data[:40],
        "R2": base().head("CHIP", stored=68).file(),
        "R3": base().file(header={"file_length": len(data) - 4}),
        "R4": data[:-1],
        "R5": base().file(wrong_crc=3),
        "R6": base().head("TILE", number=1).file(numbers=False),
        "R7": base().file(pad=1),
        "R8": base().insert(5, 0x30).file(),
        "R9-early": base().insert(5, T["END"]).file(),
        "R9-late": base().file(header={"n_records": len(base().records) + 1}),
        "R9-missing": base().drop("END").file(),
        "R10-missing": base().drop("CHIP").file(),
        "R10-second": base().insert(1, T["CHIP"], first[1]).file(),
        "R11-type": base().head("TILE", encoding=1).file(),
        "R11-mask": base().head("MASK", encoding=2).file(),
        "R11-number": base().head("OPS", encoding=3).file(),
        "R12": base().raw("TILE", bytes(24)).file(),
        "R12-end": base().insert(base().index("END"), T["END"], bytes(4)).drop("END", 1).file(),
        "R13": base().head("CHIP", tile=1).file(),
        "R13-pass": base().head("MASK", **{"pass": 1}).file(),
    }


def bad_encodings():
    """check -> bytes: the FORM pass (three times 3F) in encodings that are none."""
    return {
        "W4-illegal": _packed(b"\x80\x3f"),
        "W4-short": _packed(b"\xff\x3f"),
        "W4-long": _packed(b"\xfd\x3f"),
        "W4-input": _packed(b"\x05\x3f"),
        "W4-dangling": _packed(b"\xfe"),
        "W4-sparse-end": _packed(b"\x00\x80", 2),
        "W4-sparse-beyond": _packed(b"\x11\x00", 2),
        "W4-sparse-wide": _packed(b"\x80\x80\x80\x80\x00", 2),
        "W3-sparse": _packed(b"", 2),
    }


def _packed(stored, encoding=1):
    base = Base()
    base.records[base.index("OPS")][1] = stored
    return base.head("OPS", stored=len(stored), encoding=encoding).file()


def bad_fields():
    """check -> bytes, for the fields of CHIP, RECIPE and TILE."""
    chip, recipe, tile = table.CHIP_FIELDS, table.RECIPE_FIELDS, table.TILE_FIELDS

    def broken(record, layout, nth=0, **fields):
        return Base().payload(record, layout, nth, **fields).file()

    late = Base()
    late.records.insert(late.index("MASK"), late.records[late.index("RECIPE", 3)])
    return {
        "C1-rows": broken("CHIP", chip, rows=0),
        "C1-orientation": broken("CHIP", chip, orientation=2),
        "C1-before": broken("CHIP", chip, before=4),
        "C1-maps": broken("CHIP", chip, maps=8),
        "C1-formed": broken("CHIP", chip, before=1, maps=4),
        "C1-idle": broken("CHIP", chip, maps=3),
        "C1-targets": broken("CHIP", chip, maps=6),
        "C2": broken("CHIP", chip, reserved=1),
        "C2-second": broken("CHIP", chip, reserved2=256),
        "C3-base": broken("CHIP", chip, base_state=5),
        "C3-readback": broken("CHIP", chip, readback_id=5),
        "C3-idle": broken("CHIP", chip, before=2, maps=3),
        "P1": late.file(),
        "P2-id": broken("RECIPE", recipe, id=16),
        "P2-kind": broken("RECIPE", recipe, kind=5),
        "P2-pulses": broken("RECIPE", recipe, max_pulses=0),
        "P2-width": broken("RECIPE", recipe, width_ns=0),
        "P2-drive": broken("RECIPE", recipe, 2, drive=3),
        "P2-no-step": broken("RECIPE", recipe, 2, row_step_mV=0),
        "P2-no-way": broken("RECIPE", recipe, 2, select_to_mV=1400),
        "P3": broken("RECIPE", recipe, reserved=1),
        "P3-floating": broken("RECIPE", recipe, floating=8),
        "P3-first": broken("RECIPE", recipe, 2, read_first=2),
        "P4-blind": broken("RECIPE", recipe, 1, good_reads=1),
        "P4-reads": broken("RECIPE", recipe, 2, good_reads=0),
        "P4-budget": broken("RECIPE", recipe, 2, budget_nA=59999),
        "P4-unlimited": broken("RECIPE", recipe, 2, compliance_nA=0),
        "P4-forming": broken("CHIP", chip, maps=4),
        "P4-twice": broken("RECIPE", recipe, 1, id=0),
        "P4-verify": broken("RECIPE", recipe, 2, verify_id=1),
        "P4-read": broken("RECIPE", recipe, verify_id=0, good_reads=1),
        "T3-rows": broken("TILE", tile, row0=2),
        "T3-cols": broken("TILE", tile, col0=4),
        "T3-overflow": broken("TILE", tile, row0=65535, n_row=3),
        "T3-macro": broken("TILE", tile, macro=1),
        "T3-bits": broken("TILE", tile, code_bits=12),
        "T3-level": broken("TILE", tile, level=3),
        "T3-pair": broken("TILE", tile, col0=1),
        "T3-lsb": broken("TILE", tile, g_lsb=0),
        "T3-maps": broken("CHIP", chip, maps=5),
        "T3-thresholds": broken("TILE", tile, on_min_nS=4900),
    }


def bad_tiles():
    """check -> bytes, for the order and the contents of rows."""
    end = Base().index("END")
    second = Base().records[Base().index("TILE")]
    mask_rows = decoded(Base().records[Base().index("MASK")])
    ops = decoded(Base().records[Base().index("OPS", 1)])
    short = mask_rows[:2]
    pulses_of = {"recipe": 3, "pass": 2}
    return {
        "T1": Base()
        .raw("MASK", short, n_row=2)
        .drop("GTAR")
        .drop("OPS")
        .drop("OPS")
        .drop("OPS")
        .insert(end - 4, T["TILE"], second[1], tile=1)
        .file(),
        "T2": Base().insert(end, T["TILE"], second[1], tile=0).file(),
        "W1-before": Base().swap(Base().index("TILE"), Base().index("MASK")).file(),
        "W1-other": Base().head("MASK", tile=1).file(),
        "M1-late": Base().insert(end, T["MASK"], mask_rows, n_row=3).file(),
        "M1-part": Base().raw("MASK", short, n_row=2).file(),
        "M1-none": Base().drop("GTAR").file(),
        "M1-more": Base()
        .payload("CHIP", table.CHIP_FIELDS, maps=5)
        .payload("TILE", table.TILE_FIELDS, code_bits=0, g_lsb=0, g_off_nS=0)
        .file(),
        "W2": Base().head("MASK", n_row=4).file(),
        "W2-none": Base().head("MASK", n_row=0).file(),
        "W3-raw": Base().raw("MASK", short, n_row=3).file(),
        "W3-packed": Base().head("MASK", encoding=1).file(),
        "W5": Base().raw("MASK", short, row=1, n_row=2).file(),
        "W6": Base().raw("MASK", mask_rows[:2] + bytes((mask_rows[2] | 0x40,))).file(),
        "W6-ops": Base().raw("OPS", ops[:2] + bytes((ops[2] | 0x80,)), 1).file(),
        "K1": Base().raw("MASK", b"\x03" + mask_rows[1:]).file(),
        "O1-read": Base().head("OPS", 1, recipe=0).file(),
        "O1-missing": Base().head("OPS", 1, recipe=9).file(),
        "O2-pass": Base().head("OPS", 1, **{"pass": 2}).file(),
        "O2-row": Base().insert(end, T["OPS"], ops, n_row=3, **pulses_of).file(),
        "O3": Base()
        .raw("OPS", ops[:2], 1, n_row=2)
        .raw("OPS", ops[2:], 2, row=2, n_row=1, **{"recipe": 1, "pass": 1})
        .file(),
        "A1": Base().raw("META", b"\x04\x08taskexample").file(),
        "A2": Base().raw("DIR", b"").file(),
        "A2-part": Base().raw("DIR", bytes(12)).file(),
        "E1": Base().file(header={"file_length": len(Base().file()) + 4}),
        "E2": Base().raw("MASK", short, n_row=2).drop("GTAR").drop("OPS").drop("OPS").drop("OPS").file(),
        "E2-pulses": Base().drop("OPS").drop("OPS").drop("OPS").file(),
        "E3": Base().payload("CHIP", table.CHIP_FIELDS, new_state=1).file(),
        "X1": Base().file() + b"\0",
    }


def bad_host():
    """check -> bytes that a streaming reader takes and a host refuses."""
    base, end = Base(), Base().index("END")
    listed = Base().records[Base().index("DIR")][1]
    bare = struct.pack("<HHHHHBB4I", 1, 2, 0, 1, 2, 1, 8, 5400, 4900, 0, 1)
    codes = decoded(base.records[base.index("GTAR")])
    ops = decoded(base.records[base.index("OPS", 2)])
    twice = Program(
        CHIP_ID,
        1,
        8,
        16,
        RECIPES,
        (TileProgram(0, 0, 0, 0, 8, 16, 1, 5400, 4900, passes=((2, pattern(8, 16, 3)),)),),
        before=2,
    )
    turned = Base(codec.write(twice))
    again = [list(turned.records[turned.index("OPS")][0]), turned.records[turned.index("OPS")][1]]
    again[0][8] = 1
    turned.records.insert(turned.index("END"), again)
    shared = Base().drop("DIR").insert(end - 1, T["TILE"], bare, tile=1)
    shared.insert(end, T["MASK"], b"\0", tile=1, n_row=1).insert(end + 1, T["GTAR"], b"\0\0", tile=1, n_row=1)
    fields = dict(zip((name for name, _ in table.TILE_FIELDS), table.TILE.unpack(bare)))
    state = example().new_state ^ digests.of_tile(fields)
    return {
        "Y1-key": Base().raw("META", b"\x04\x07ta kexample").file(),
        "Y1-text": Base().raw("META", b"\x04\x02task\xc3\x28").file(),
        "Y1-order": Base().insert(Base().index("META"), T["META"], b"\x04\x01taskx").file(),
        "Y2-offset": Base().raw("DIR", listed[:4] + struct.pack("<I", 32)).file(),
        "Y2-twice": Base().insert(Base().index("DIR"), T["DIR"], listed).file(),
        "Y3": shared.payload("CHIP", table.CHIP_FIELDS, new_state=state).file(),
        "Y4": Base().raw("GTAR", b"\x01" + codes[1:2] + b"\x01" + codes[3:]).file(),
        "Y5": Base().raw("OPS", bytes((ops[0] | 1,)) + ops[1:], 2).file(),
        "Y5-twice": turned.payload("CHIP", table.CHIP_FIELDS, new_state=0).file(header={"max_payload": 1024}),
    }


def bad():
    """name -> bytes of all hostile files."""
    files = {}
    for part in (bad_headers(), bad_encodings(), bad_fields(), bad_tiles(), bad_host()):
        files.update(part)
    return files


def expectation(data):
    """What expected.json says of a good file: its decoded records and its summary."""
    records, n_col, code_bytes, most = [], 1, 1, table.HEADER.unpack_from(data)[3]
    for head, stored in records_of(data):
        if head[0] == T["TILE"]:
            n_col, code_bytes = struct.unpack_from("<H", stored, 2)[0], stored[11] // 8
        if head[0] not in T.values():
            continue
        pieces = [(head[5], head[6], decoded([head, stored], n_col, code_bytes))]
        if head[1] == table.ENCODINGS["SPARSE"]:
            pieces = list(pieces_of(stored, head[5], head[6], n_col, most))
        records += [[f"{head[0]:02x}", head[4], row, n, head[7], head[8], body.hex()] for row, n, body in pieces]
    return {"records": records, "summary": bare(readback.describe(codec.read(data, CHIP_ID), data))}


def pieces_of(stored, row, n_row, n_col, most):
    """(first row, rows, bitmap) of the pieces in which a reader hands a SPARSE record to its sink."""
    cells = np.zeros((n_row, n_col), bool)
    cells.reshape(-1)[sparse.decode(stored, n_row, n_col)] = True
    per, at = most // ((n_col + 7) // 8), 0
    while cells[at:].any():
        at += int(np.argmax(cells[at:].any(axis=1)))
        n = min(per, n_row - at)
        n -= int(np.argmax(cells[at : at + n][::-1].any(axis=1)))
        yield row + at, n, np.packbits(cells[at : at + n], axis=1, bitorder="little").tobytes()
        at += n


def refusal(data):
    """Error class and byte offset with which the Python reader refuses a file; None when it takes it."""
    try:
        codec.read(data, CHIP_ID, max_payload=READER_PAYLOAD)
    except FormatError as error:
        streaming = error.kind not in table.HOST_ERRORS
        return {"error": error.kind, "offset": error.offset, "record": error.record, "streaming": streaming}
    return None


def all_files():
    """path below vectors/ -> bytes, expected.json included."""
    files = {f"good/{name}.xbp": codec.write(program) for name, program in good().items()}
    ancillary = Base().insert(7, 0xFF, b"\x01\x02\x03\x04\x05", tile=9, row=9, encoding=77).drop("DIR").file()
    files["good/unknown-ancillary.xbp"] = ancillary
    expected = {"chip_id": CHIP_ID, "reader_payload": READER_PAYLOAD, "good": {}, "bad": {}}
    for path, data in files.items():
        expected["good"][path[5:]] = expectation(data)
    for name, data in bad().items():
        files[f"bad/{name}.xbp"] = data
        expected["bad"][name + ".xbp"] = refusal(data)
    text = json.dumps(expected, indent=1, sort_keys=True) + "\n"
    return dict(files, **{"expected.json": text.encode("ascii")})


if __name__ == "__main__":
    for path, data in all_files().items():
        target = HERE / "vectors" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

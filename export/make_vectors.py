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
from minirram.programming.build import increment  # noqa: E402
from minirram.xbp import codec, packbits, table  # noqa: E402
from minirram.xbp.records import Program, PulseRecord, TileProgram  # noqa: E402

CHIP_ID = 0x1234ABCD
T = table.TYPES

RECIPES = (
    PulseRecord(0, table.KINDS["READ"], row_mV=200, select_mV=3300, width_ns=50),
    PulseRecord(1, table.KINDS["FORM"], row_mV=3800, select_mV=3300, width_ns=100000),
    PulseRecord(2, table.KINDS["SET"], 0, 10, row_mV=2000, select_mV=3300, width_ns=50, compliance_nA=60000),
    PulseRecord(3, table.KINDS["RESET"], 0, 10, col_mV=1800, select_mV=3300, floating=1, width_ns=50),
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


def good():
    """name -> Program."""
    wide = pattern(40, 300, 5)
    wide[:, 1::2] &= ~wide[:, 0::2]
    runs = np.zeros((20, 512), bool)
    runs[:, 3:400] = True
    tiles = (
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
        TileProgram(3, 2, 100, 0, 20, 512, 2, 5400, 4900, runs, passes=((1, runs), (3, ~runs & pattern(20, 512, 2)))),
        TileProgram(65535, 1, 511, 511, 1, 1, 0, 1, 0, np.ones((1, 1), bool), 8, 0, 1, np.full((1, 1), 255, np.uint8)),
    )
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
        max_payload=64,
    )
    form_only = TileProgram(0, 0, 0, 0, 8, 16, 1, 5400, 4900, passes=((1, np.ones((8, 16), bool)),))
    return {
        "example": old,
        "empty": Program(CHIP_ID, 1, 1, 1, (), ()),
        "form-only": Program(CHIP_ID, 1, 8, 16, RECIPES, (form_only,), directory=False),
        "odd-columns": Program(CHIP_ID, 1, 16, 16, RECIPES, (odd,), orientation=0, state=1, directory=False),
        "several-macros": Program(CHIP_ID, 3, 512, 512, RECIPES, tiles, meta={"a": "\u00b5S", "b": "x" * 255}, minor=7),
        "increment": increment(old, new),
    }


def records_of(data):
    """[head fields (list), stored bytes] of each record of a good file."""
    at, records = table.HEADER.size, []
    while at < len(data):
        head = list(table.RECORD.unpack_from(data, at))
        body = at + table.RECORD.size
        records.append([head, data[body : body + head[7]]])
        at = body + (head[7] + 3 & ~3) + 4
    return records


def assemble(records, header=(), sequence=True, pad=0, wrong_crc=None):
    """A file from records, with good checksums except `wrong_crc`; `header` changes header fields by name."""
    bodies = []
    for index, (head, stored) in enumerate(records):
        head = list(head)
        if sequence:
            head[8] = index
        bodies.append(table.RECORD.pack(*head) + stored + bytes([pad] * (-len(stored) % 4)))
    values = {
        "magic": table.MAGIC,
        "major": 1,
        "minor": 0,
        "max_payload": 64,
        "n_records": len(records),
        "file_length": 32 + sum(len(body) + 4 for body in bodies),
        "build_id": 0xB111D,
        "chip_id": CHIP_ID,
    }
    values.update(header)
    front = table.HEADER.pack(*(values.get(name, 0) for name, _ in table.HEADER_FIELDS))[:28]
    seed = zlib.crc32(front)
    data = front + struct.pack("<I", seed)
    for index, body in enumerate(bodies):
        data += body + struct.pack("<I", zlib.crc32(body, seed) ^ (index == wrong_crc))
    return data


class Base:
    """The records of the worked example, to be broken: indices by type, edits by field name."""

    def __init__(self):
        self.records = records_of(codec.write(example()))

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
        return self.head(kind, nth, encoding=0, length=len(payload), stored=len(payload), **fields)

    def drop(self, kind, nth=0):
        """Leave a record out."""
        del self.records[self.index(kind, nth)]
        return self

    def insert(self, at, kind, payload=b"", **fields):
        """Put a record of type number `kind` before index `at`."""
        head = dict.fromkeys((name for name, _ in table.RECORD_FIELDS), 0)
        head.update(type=kind, length=len(payload), stored=len(payload), **fields)
        self.records.insert(at, [list(head.values()), payload])
        return self

    def swap(self, a, b):
        """Exchange two records."""
        self.records[a], self.records[b] = self.records[b], self.records[a]
        return self

    def file(self, **options):
        """The bytes."""
        return assemble(self.records, **options)


def decoded(record):
    """The decoded payload of a record."""
    head, stored = record
    return packbits.decode([stored], [head[6]])[0] if head[1] else stored


def bad_headers():
    """check -> bytes, for the file header and the frame of records."""
    data, base = codec.write(example()), Base
    first = base().records[0]
    fat = [list(first[0]), first[1]]
    fat[0][6] = fat[0][7] = 68
    return {
        "H1": data[:31],
        "H2": data.replace(b"\r\n", b"\n", 1),
        "H3": base().file(header={"major": 2}),
        "H4": data[:28] + b"\0\0\0\0" + data[32:],
        "H5-small": base().file(header={"max_payload": 60}),
        "H5-odd": base().file(header={"max_payload": 66}),
        "H5-long": base().file(header={"file_length": (64 << 20) + 4}),
        "H6": base().file(header={"max_payload": 2048}),
        "H7": base().file(header={"chip_id": CHIP_ID ^ 1}),
        "R1": data[:40],
        "R2": base().head("CHIP", length=68, stored=68).file(),
        "R3": base().file(header={"file_length": len(data) - 4}),
        "R4": data[:-1],
        "R5": base().file(wrong_crc=3),
        "R6": base().head("TILE", sequence=1).file(sequence=False),
        "R7-byte": base().head("TILE", reserved=1).file(),
        "R7-pad": base().file(pad=1),
        "R8": base().insert(5, 0x0030).file(),
        "R9-early": base().insert(5, T["END"]).file(),
        "R9-late": base().file(header={"n_records": len(base().records) + 1}),
        "R9-missing": base().drop("END").file(),
        "R10-missing": base().drop("CHIP").file(),
        "R10-second": base().insert(1, T["CHIP"], first[1]).file(),
        "R11-type": base().head("TILE", encoding=1).file(),
        "R11-number": base().head("MASK", encoding=2).file(),
        "R12-raw": base().head("MASK", length=2).file(),
        "R12-packed": base().head("MASK", encoding=1).file(),
        "R12-fixed": base().raw("TILE", bytes(28)).file(),
        "R13": base().head("CHIP", tile=1).file(),
    }


def bad_packbits():
    """check -> bytes: encodings of the FORM pass (1, 0, 0, 0, then three times 3F) that are none."""
    return {
        "R14-illegal": _packed(b"\x80\x01\xfe\x00\xfe\x3f"),
        "R14-short": _packed(b"\x00\x01\xfe\x00"),
        "R14-long": _packed(b"\x00\x01\xfe\x00\xfb\x3f"),
        "R14-input": _packed(b"\x00\x01\xfe\x00\x05\x3f"),
        "R14-dangling": _packed(b"\x00\x01\xfe\x00\xfe"),
    }


def _packed(stored):
    base = Base()
    record = base.records[base.index("OPS")]
    record[1] = stored
    return base.head("OPS", stored=len(stored)).file()


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
        "C1-state": broken("CHIP", chip, state=3),
        "C1-base": broken("CHIP", chip, base_id=5),
        "C2": broken("CHIP", chip, reserved=1),
        "P1": late.file(),
        "P2-id": broken("RECIPE", recipe, id=16),
        "P2-kind": broken("RECIPE", recipe, kind=5),
        "P2-pulses": broken("RECIPE", recipe, max_pulses=0),
        "P2-width": broken("RECIPE", recipe, width_ns=0),
        "P3": broken("RECIPE", recipe, reserved=1),
        "P3-floating": broken("RECIPE", recipe, floating=8),
        "P4-twice": broken("RECIPE", recipe, 1, id=0),
        "P4-verify": broken("RECIPE", recipe, 2, verify_id=1),
        "P4-read": broken("RECIPE", recipe, verify_id=0),
        "T3-rows": broken("TILE", tile, row0=2),
        "T3-cols": broken("TILE", tile, col0=4),
        "T3-overflow": broken("TILE", tile, row0=65535, n_row=3),
        "T3-macro": broken("TILE", tile, macro=1),
        "T3-bits": broken("TILE", tile, code_bits=12),
        "T3-level": broken("TILE", tile, level=3),
        "T3-pair": broken("TILE", tile, col0=1),
        "T3-lsb": broken("TILE", tile, g_lsb=0),
        "T3-thresholds": broken("TILE", tile, on_min_nS=4900),
    }


def bad_tiles():
    """check -> bytes, for the order and the contents of rows."""
    end = Base().index("END")
    second = Base().records[Base().index("TILE")]
    mask_rows = decoded(Base().records[Base().index("MASK")])
    ops = decoded(Base().records[Base().index("OPS", 1)])
    short = mask_rows[:2]
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
        "W1-late": Base().insert(end, T["MASK"], mask_rows, n_row=3).file(),
        "M1-part": Base().raw("MASK", short, n_row=2).file(),
        "M1-codes": Base().payload("TILE", table.TILE_FIELDS, code_bits=0, g_lsb=0, g_off_nS=0).file(),
        "M2": Base().payload("TILE", table.TILE_FIELDS, n_keep=6).file(),
        "W2": Base().head("MASK", n_row=4).file(),
        "W2-none": Base().head("MASK", n_row=0).file(),
        "W3": Base().head("MASK", n_row=2).file(),
        "W4": Base().raw("MASK", short, row=1, n_row=2).file(),
        "W5": Base().raw("MASK", mask_rows[:2] + bytes((mask_rows[2] | 0x40,))).file(),
        "K1": Base().raw("MASK", b"\x03" + mask_rows[1:]).file(),
        "O1": Base().raw("OPS", ops[:2] + b"\x01" + ops[3:], 1).file(),
        "O2-read": Base().raw("OPS", b"\x00" + ops[1:], 1).file(),
        "O2-missing": Base().raw("OPS", b"\x09" + ops[1:], 1).file(),
        "O3-pass": Base().raw("OPS", ops[:1] + b"\x02" + ops[2:], 1).file(),
        "O3-row": Base().insert(end, T["OPS"], b"\x03\x02" + ops[2:], n_row=3).file(),
        "O4": Base()
        .raw("OPS", ops, 1)
        .raw("OPS", b"\x01\x01\0\0" + ops[4:5], 2, row=2, n_row=1)
        .raw("OPS", ops[:5], 1, n_row=1)
        .file(),
        "A1": Base().raw("META", b"\x04\x08taskexample").file(),
        "E1": Base().file(header={"file_length": len(Base().file()) + 4}),
        "E2": Base().raw("MASK", short, n_row=2).drop("GTAR").drop("OPS").drop("OPS").drop("OPS").file(),
        "E3": Base().payload("CHIP", table.CHIP_FIELDS, program_id=1).file(),
        "X1": Base().file() + b"\0",
    }


def bad_host():
    """check -> bytes that a streaming reader takes and a host refuses."""
    base, end = Base(), Base().index("END")
    tile = Base().records[Base().index("TILE")][1]
    listed = Base().records[Base().index("DIR")][1]
    bare = struct.pack("<HHHHHBB5I", 1, 2, 0, 1, 2, 0, 1, 0, 0, 0, 5400, 4900)
    codes = decoded(base.records[base.index("GTAR")])
    ops = decoded(base.records[base.index("OPS", 2)])
    stray = Base().raw("GTAR", b"\x01" + codes[1:2] + b"\x01" + codes[3:])
    value = zlib.crc32(
        decoded(stray.records[stray.index("GTAR")]), zlib.crc32(decoded(stray.records[stray.index("MASK")]))
    )
    files = {
        "Y1-key": Base().raw("META", b"\x04\x07ta kexample").file(),
        "Y1-text": Base().raw("META", b"\x04\x02task\xc3\x28").file(),
        "Y1-order": Base().insert(Base().index("META"), T["META"], b"\x04\x01taskx").file(),
        "Y2-offset": Base().raw("DIR", listed[:4] + struct.pack("<I", 32)).file(),
        "Y2-twice": Base().insert(Base().index("DIR"), T["DIR"], listed).file(),
        "Y3": Base().drop("DIR").insert(end - 1, T["TILE"], bare, tile=1).file(),
        "Y4": stray.payload("CHIP", table.CHIP_FIELDS, program_id=value).file(),
        "Y5": Base().raw("OPS", ops[:4] + bytes((ops[4] | 1,)) + ops[5:], 2).file(),
    }
    if len(tile) != table.TILE.size:
        raise SystemExit("the example's TILE has changed its size")
    return files


def bad():
    """name -> bytes of all hostile files."""
    files = {}
    for part in (bad_headers(), bad_packbits(), bad_fields(), bad_tiles(), bad_host()):
        files.update(part)
    return files


def expectation(data):
    """What expected.json says of a good file: its decoded records and its summary."""
    records = [
        [f"{head[0]:04x}", head[3], head[4], head[5], decoded([head, stored]).hex()]
        for head, stored in records_of(data)
        if head[0] in T.values()
    ]
    return {"records": records, "summary": bare(readback.describe(codec.read(data, CHIP_ID), len(data)))}


def refusal(data):
    """Error class and byte offset with which the Python reader refuses a file; None when it takes it."""
    try:
        codec.read(data, CHIP_ID, max_payload=1024)
    except FormatError as error:
        return {"error": error.kind, "offset": error.offset, "streaming": error.kind not in table.HOST_ERRORS}
    return None


def all_files():
    """path below vectors/ -> bytes, expected.json included."""
    files = {f"good/{name}.xbp": codec.write(program) for name, program in good().items()}
    ancillary = Base().insert(7, 0x8FFF, b"\x01\x02\x03\x04\x05", tile=9, row=9, encoding=77).drop("DIR").file()
    files["good/unknown-ancillary.xbp"] = ancillary
    expected = {"chip_id": CHIP_ID, "good": {}, "bad": {}}
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

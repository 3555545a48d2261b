"""Damaged program files with good checksums, read by the C and the Python reader: both must say the same of each.

A checksum hides the parser from random damage, so every mutant gets its sequence numbers, lengths and CRCs recomputed
(now and then one of them is left wrong on purpose). Run from anywhere: `python export/tests/mutants.py CLASSIFY
[--count N] [--seed N]`, CLASSIFY being the program built from classify.c, usually with sanitizers.
"""

import argparse
import collections
import pathlib
import struct
import subprocess
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import numpy as np  # noqa: E402

from minirram.errors import FormatError  # noqa: E402
from minirram.xbp import codec, digests, packbits, sparse, table  # noqa: E402
from minirram.xbp.records import Program, PulseRecord, TileProgram, unpack_bits  # noqa: E402

CHIP_ID = 0xC0FFEE11
READER_PAYLOAD = 1024  # of the C reader that the Makefile builds
HEAD_FIELDS = [name for name, _ in table.RECORD_FIELDS]
BATCH = 2000


def random_tile(random, number, chip, maps, kinds):
    """A small tile in a band of rows of its own; bitmaps dense, sparse or empty, pulses that agree with the mask."""
    level = int(random.integers(3))
    step = 2 if level else 1
    n_row, n_col = int(random.integers(1, 12)), step * int(random.integers(1, 40 // step))
    row0, col0 = 20 * number + int(random.integers(0, 20 - n_row)), step * int(random.integers(0, (64 - n_col) // step))
    shape = n_row, n_col
    mask = random.random(shape) < random.choice([0.02, 0.5, 0.97]) if maps & 1 else None
    if mask is not None and level == 1:
        mask[:, 1::2] &= ~mask[:, 0::2]
    bits = int(random.choice([8, 16])) if maps & 2 else 0
    codes = None
    if bits:
        codes = np.where(mask, random.integers(1, 2**bits, shape), 0).astype(f"u{bits // 8}")
    passes = []
    for _ in range(random.integers(1, 4) if maps & 4 else 0):
        recipe, cells = int(random.choice(kinds)), random.random(shape) < random.choice([0.0, 0.03, 0.2, 0.5, 1.0])
        if mask is not None:
            cells &= ~mask if recipe == 3 else mask
        for _, others in passes if maps == 4 else ():
            cells &= ~others
        passes.append((recipe, cells))
    scale = (700, 65536) if bits else (0, 0)
    fields = (number, int(random.integers(chip["macros"])), row0, col0, n_row, n_col, level, 5000, 4000)
    return TileProgram(*fields, mask, bits, *scale, codes, tuple(passes))


def random_program(random):
    """A small program of any kind that the format knows."""
    chip = {"macros": int(random.integers(1, 4)), "rows": 64, "cols": 64}
    before = str(random.choice(list(table.BEFORE)))
    maps = int(random.choice(table.MAPS_ALLOWED[before]))
    kinds = (1,) if before == "unformed" and maps == 4 else (1, 2, 3)
    count = int(random.integers(1, 4)) if maps else 0
    tiles = tuple(random_tile(random, number, chip, maps, kinds) for number in range(count))
    recipes = (
        PulseRecord(0, 4, width_ns=50, row_mV=200),
        PulseRecord(1, 1, width_ns=100000, row_mV=3800),
        PulseRecord(2, 2, 0, width_ns=50, row_mV=1000, row_step_mV=100, row_to_mV=2000, max_pulses=10, guard_nS=9),
        PulseRecord(3, 3, 0, width_ns=50, col_mV=1800, max_pulses=10, drive=2, compliance_nA=9, budget_nA=99),
    )
    held = before in ("programmed", "measured")
    return Program(
        CHIP_ID,
        recipes=recipes[: 1 + max(kinds)],
        tiles=tiles,
        before=table.BEFORE[before],
        base_state=None if 0 < maps < 4 else 77 if held else 0,
        readback_id=int(random.integers(1 << 32)) if before == "measured" else 0,
        meta={"run": "a", "tool": "b" * 20} if random.random() < 0.5 else {},
        max_payload=int(random.choice([80, 128, 512, 1024, 4096], p=[0.3, 0.3, 0.2, 0.15, 0.05])),
        directory=bool(random.random() < 0.5),
        **chip,
    )


def split(data):
    """(header fields, records) of a good file; a record is [dict of head fields, stored bytes]."""
    header = dict(zip((name for name, _ in table.HEADER_FIELDS), table.HEADER.unpack_from(data)))
    records, at = [], table.HEADER.size
    while at < len(data):
        head = dict(zip(HEAD_FIELDS, table.RECORD.unpack_from(data, at)))
        body = at + table.RECORD.size
        records.append([head, data[body : body + head["stored"]]])
        at = body + (head["stored"] + 3 & ~3) + 4
    return header, records


def join(random, header, records):
    """The bytes again, with everything recomputed that makes a file look whole; seldom one thing is left wrong."""
    lazy = (
        set(random.choice(["number", "stored", "n_records", "file_length", "crc", "pad", "state"], 1))
        if random.random() < 0.1
        else set()
    )
    bodies = []
    if "state" not in lazy and random.random() < 0.9:
        agree(header, records)
    for index, (head, stored) in enumerate(records):
        if "number" not in lazy:
            head["number"] = index
        if "stored" not in lazy:
            head["stored"] = len(stored) & 0xFFFF
        pad = bytes(-len(stored) % 4)
        bodies.append(
            table.RECORD.pack(*(head[name] for name in HEAD_FIELDS))
            + stored
            + (b"\1" * len(pad) if "pad" in lazy else pad)
        )
    if "n_records" not in lazy:
        header["n_records"] = len(records)
    if "file_length" not in lazy:
        header["file_length"] = 32 + sum(len(body) + 4 for body in bodies)
    front = table.HEADER.pack(*header.values())[:28]
    crc = zlib.crc32(front)
    wrong = random.integers(len(bodies) + 1) if "crc" in lazy else -1
    data = front + struct.pack("<I", crc ^ (wrong == len(bodies)))
    for index, body in enumerate(bodies):
        crc = zlib.crc32(body, crc)
        data += body + struct.pack("<I", crc ^ (index == wrong))
    return data


def agree(header, records):
    """Make new_state of CHIP what the maps lead to, as far as these can be decoded."""
    chip = records[0][1]
    if len(chip) != table.CHIP.size:
        return
    fields = dict(zip((name for name, _ in table.CHIP_FIELDS), table.CHIP.unpack(chip)))
    whole, turning = fields["maps"] & 1, fields["maps"] == 4 and fields["before"]
    state, tile = digests.of_chip(header["chip_id"]) if whole else fields["base_state"], None
    for head, stored in records:
        if head["type"] == table.TYPES["TILE"] and len(stored) == table.TILE.size:
            tile = dict(zip((name for name, _ in table.TILE_FIELDS), table.TILE.unpack(stored)))
            state ^= digests.of_tile(tile) if whole else 0
        turns = whole and head["type"] == table.TYPES["MASK"] or turning and head["type"] == table.TYPES["OPS"]
        rows, n_col = head["n_row"], tile["n_col"] if tile else 0
        if turns and 0 < rows * n_col < 1 << 16:
            cells = _cells(head, stored, rows, n_col)
            if cells is not None:
                state ^= digests.of_cells(tile["macro"], tile["row0"] + head["row"], tile["col0"], cells)
    records[0][1] = chip[:16] + struct.pack("<I", state) + chip[20:]


def _cells(head, stored, rows, n_col):
    """bool (rows, n_col) of a MASK or OPS record; None where it cannot be decoded."""
    if head["encoding"] == table.ENCODINGS["SPARSE"]:
        places = sparse.decode(stored, rows, n_col)
        cells = np.zeros((rows, n_col), bool)
        cells.reshape(-1)[[] if places is None else places] = True
        return None if places is None else cells
    length = rows * ((n_col + 7) // 8)
    payload = packbits.decode([stored], [length])[0] if head["encoding"] else stored
    return unpack_bits(payload, (rows, n_col)) if payload is not None and len(payload) == length else None


def odd_value(random, bits):
    """A number that likes borders."""
    if random.random() < 0.5:
        return int(random.choice([0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 20, 24, 32, 64, 255])) & ((1 << bits) - 1)
    return int(random.integers(1 << bits)) if random.random() < 0.5 else (1 << bits) - 1 - int(random.integers(4))


def mutate(random, header, records):
    """Change one thing in place."""
    what = int(random.integers(12))
    k = int(random.integers(len(records)))
    head, stored = records[k]
    if what == 0:
        name, character = table.HEADER_FIELDS[1 + int(random.integers(len(table.HEADER_FIELDS) - 2))]
        header[name] = odd_value(random, 8 * struct.calcsize("<" + character))
    elif what in (1, 2):
        name, character = table.RECORD_FIELDS[int(random.integers(len(table.RECORD_FIELDS)))]
        head[name] = odd_value(random, 8 * struct.calcsize("<" + character))
    elif what in (3, 4, 5) and stored:
        at = int(random.integers(len(stored)))
        byte = stored[at] ^ 1 << int(random.integers(8)) if random.random() < 0.6 else odd_value(random, 8)
        records[k][1] = stored[:at] + bytes((byte,)) + stored[at + 1 :]
    elif what == 6:
        del records[k]
        if not records:
            records.append([head, stored])
    elif what == 7:
        records.insert(int(random.integers(len(records) + 1)), [dict(head), stored])
    elif what == 8:
        other = int(random.integers(len(records)))
        records[k], records[other] = records[other], records[k]
    elif what == 9:
        cut = int(random.integers(len(stored) + 1))
        records[k][1] = (
            stored[:cut] if random.random() < 0.5 else stored + bytes(random.integers(0, 256, 3, dtype=np.uint8))
        )
    elif what == 10:
        head["type"] = int(random.choice(list(table.TYPES.values()) + [0x83, 0x08, 0xFF]))
    else:
        words = len(stored) // 2
        if words:
            at = 2 * int(random.integers(words))
            records[k][1] = stored[:at] + struct.pack("<H", odd_value(random, 16)) + stored[at + 2 :]


def mutant(random, sources):
    """The bytes of one mutant."""
    header, records = split(sources[int(random.integers(len(sources)))])
    for _ in range(random.integers(1, 4)):
        mutate(random, header, records)
    data = join(random, header, records)
    if random.random() < 0.03:
        data = data[: int(random.integers(len(data)))] if random.random() < 0.5 else data + b"\0"
    return data


def python_says(data):
    """The verdict of the Python reader: error class and number of the record, or DONE and what names the file."""
    try:
        crc = codec.check(data, CHIP_ID, max_payload=READER_PAYLOAD).crc
    except FormatError as error:
        return error.kind, error.record or 0
    return "DONE", crc


def c_says(classify, cases, random):
    """The verdicts of the C reader, each mutant fed in chunks of some size."""
    chunks = random.choice([1, 7, 64, 1000, 1 << 20], len(cases), p=[0.05, 0.15, 0.2, 0.3, 0.3])
    stream = b"".join(struct.pack("<III", CHIP_ID, int(n), len(case)) + case for case, n in zip(cases, chunks))
    done = subprocess.run(classify, input=stream, stdout=subprocess.PIPE, check=True)
    lines = [line.split() for line in done.stdout.decode("ascii").splitlines()]
    return [(line[0], int(line[2], 16) if line[0] == "DONE" else int(line[1])) for line in lines]


def compare(classify, count, seed):
    """(Counter of verdicts, list of (bytes, Python's verdict, C's verdict) that differ)."""
    random = np.random.Generator(np.random.PCG64(seed))
    verdicts, differing, left = collections.Counter(), [], count
    while left > 0:
        sources = [codec.write(random_program(random)) for _ in range(50)]
        cases = [mutant(random, sources) for _ in range(min(BATCH, left))]
        expected, found = [python_says(case) for case in cases], c_says(classify, cases, random)
        if len(found) != len(cases):
            raise SystemExit(f"{len(found)} answers for {len(cases)} cases")
        verdicts.update(kind for kind, _ in expected)
        differing += [case for case in zip(cases, expected, found) if case[1] != case[2]]
        left -= len(cases)
    return verdicts, differing


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("classify", nargs="+", help="the program (and what runs it, such as qemu-s390x)")
    parser.add_argument("--count", type=int, default=20000, help="mutants (default 20000)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    verdicts, differing = compare(options.classify, options.count, options.seed)
    print("{} mutants: {}".format(options.count, ", ".join("{} {}".format(*item) for item in verdicts.most_common())))
    for data, expected, found in differing[:10]:
        print(f"differ: Python {expected}, C {found}: {data.hex()}")
    print(f"{len(differing)} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())

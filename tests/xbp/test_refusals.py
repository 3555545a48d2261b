"""Files of format 1 whose checksums are right, and whose records are not."""

import struct
import zlib
from pathlib import Path

import pytest

from minirram.errors import FormatError
from minirram.xbp import format1

EXAMPLE = (Path(__file__).parent / "files" / "format1.xbp").read_bytes()
HEADER, HEAD = 32, struct.Struct("<HBBHHHHHH")
ENCODING, ROW, LENGTH, STORED = 1, 4, 6, 7
OPS, META = 0x20, 0x8001


def records():
    """The records of the example: [fields of the head, stored payload]."""
    at, found = HEADER, []
    while at < len(EXAMPLE):
        fields = list(HEAD.unpack_from(EXAMPLE, at))
        body = at + HEAD.size
        found.append([fields, EXAMPLE[body : body + fields[STORED]]])
        at = body + (fields[STORED] + 3 & ~3) + 4
    return found


def file_of(made, rest=b""):
    """A file of these records, and `rest` behind them."""
    padded = [HEAD.pack(*fields) + stored + bytes(-len(stored) % 4) for fields, stored in made]
    length = HEADER + sum(len(one) + 4 for one in padded) + len(rest)
    head = EXAMPLE[:12] + struct.pack("<I", length) + EXAMPLE[16:28]
    assert struct.unpack_from("<I", EXAMPLE, 12)[0] == len(EXAMPLE)
    seed = zlib.crc32(head)
    return b"".join(
        [head, struct.pack("<I", seed), *(one + struct.pack("<I", zlib.crc32(one, seed)) for one in padded), rest]
    )


def refused(data, kind, said):
    with pytest.raises(FormatError, match=said) as caught:
        format1.read(data)
    assert caught.value.kind == kind
    return caught.value.offset


def test_the_example_is_put_together_as_it_was():
    assert file_of(records()) == EXAMPLE


def test_a_file_that_ends_inside_a_record():
    for rest in (b"\0", bytes(HEAD.size - 1)):
        assert refused(file_of(records(), rest), "TRUNCATED", "the file ends inside a record") == len(EXAMPLE)


def test_a_payload_that_is_packed():
    made = records()
    place, (fields, payload) = next((k, one) for k, one in enumerate(made) if one[0][0] == META)
    packed = bytes([len(payload) - 1]) + payload  # all of it as it is
    fields[ENCODING], fields[STORED] = 1, len(packed)
    made[place] = [fields, packed]
    assert format1.read(file_of(made)).meta == format1.read(EXAMPLE).meta
    made[place] = [fields, b"\x7f" + payload]  # more than there is
    refused(file_of(made), "PACKED", "these are not PackBits")


def test_as_many_cells_as_are_read(monkeypatch):
    """The example has a mask, targets and three passes of 3 x 6 cells; each counts when it begins."""
    monkeypatch.setattr(format1, "_MOST_CELLS", 90)
    assert format1.read(EXAMPLE).tiles
    monkeypatch.setattr(format1, "_MOST_CELLS", 89)
    refused(EXAMPLE, "LIMIT", "its maps cover more than 89 cells")
    made = records()
    first = next(fields for fields, _ in made if fields[0] == OPS)
    first[ROW] = 1  # a pass that begins with another row takes as much
    monkeypatch.setattr(format1, "_MOST_CELLS", 53)
    refused(file_of(made), "LIMIT", "its maps cover more than 53 cells")

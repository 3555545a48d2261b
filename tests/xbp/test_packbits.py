"""PackBits: the vectorised coder against a byte-by-byte oracle, and encodings that are none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.xbp import packbits


def oracle_encode(data):
    """The canonical encoding of one payload, as the module's docstring words it."""
    tokens, literal, i = bytearray(), bytearray(), 0

    def flush():
        for start in range(0, len(literal), 128):
            part = literal[start : start + 128]
            tokens.extend(bytes((len(part) - 1,)) + part)
        literal.clear()

    while i < len(data):
        end = i
        while end < len(data) and data[end] == data[i]:
            end += 1
        while i < end:
            count = min(128, end - i)
            if count >= 3 or (count == 2 and i + count == len(data)):
                flush()
                tokens.extend((257 - count, data[i]))
            else:
                literal.extend(data[i : i + count])
            i += count
    flush()
    return bytes(tokens)


def oracle_decode(stored, length):
    """The decoded payload, or None when the encoding is not valid."""
    out, i = bytearray(), 0
    while i < len(stored):
        token = stored[i]
        if token == 128:
            return None
        used = token + 2 if token < 128 else 2
        if i + used > len(stored):
            return None
        out += stored[i + 1 : i + used] if token < 128 else stored[i + 1 : i + 2] * (257 - token)
        i += used
    return bytes(out) if len(out) == length else None


payloads = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.lists(st.tuples(st.sampled_from(b"\x00\x01\xff"), st.integers(1, 400)), min_size=1, max_size=8).map(
        lambda runs: b"".join(bytes((byte,)) * count for byte, count in runs)
    ),
)


@given(st.lists(payloads, min_size=1, max_size=6))
def test_many_payloads_at_once_give_the_oracles_bytes_and_come_back(parts):
    stored, ends = packbits.encode(np.frombuffer(b"".join(parts), np.uint8), [len(part) for part in parts])
    starts = [0] + ends.tolist()[:-1]
    encoded = [stored[start:end].tobytes() for start, end in zip(starts, ends)]
    assert encoded == [oracle_encode(part) for part in parts]
    assert packbits.decode(encoded, [len(part) for part in parts]) == parts


@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 300)), max_size=8))
def test_any_bytes_decode_as_the_oracle_decodes_them(cases):
    stored, lengths = [one for one, _ in cases], [length for _, length in cases]
    assert packbits.decode(stored, lengths) == [oracle_decode(*case) for case in cases]


@pytest.mark.parametrize(
    "stored, length",
    [
        (b"\x80\x00", 1),
        (b"\x02\x01\x02", 3),
        (b"\xff", 2),
        (b"\xff\x07", 3),
        (b"\xff\x07\x00", 2),
        (b"\x00\x01\x02", 1),
    ],
    ids=["illegal token", "literal cut off", "repeat cut off", "too short", "dangling token", "literal token alone"],
)
def test_an_invalid_encoding_is_none_and_spares_its_neighbours(stored, length):
    good = packbits.decode([b"\xfe\x05", stored, b"\x01\x08\x09"], [3, length, 2])
    assert good == [b"\x05\x05\x05", None, b"\x08\x09"]

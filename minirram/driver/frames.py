"""Frames on a serial line: bytes that were damaged, doubled or lost are noticed, and the next frame is found again.

A frame is a body and its CRC-32 (little-endian, that of zlib), without zero bytes by consistent overhead byte stuffing
(Cheshire and Baker, IEEE/ACM Trans. Networking 7(2), 1999), between two zero bytes: a frame whose end was lost does not
take the next one with it.
"""

import zlib
from typing import List

END = b"\0"
_LONGEST = 254  # bytes that one code byte can stand for
MOST_BODY = 1 << 20
"""bytes that a receiver keeps while it waits for the end of a frame"""


def stuffed(data: bytes) -> bytes:
    """`data` without zero bytes: each code byte says where the next zero was."""
    out = bytearray()
    for run in data.split(END):
        while len(run) >= _LONGEST:
            out += b"\xff" + run[:_LONGEST]
            run = run[_LONGEST:]
        out += bytes((len(run) + 1,)) + run
    return bytes(out)


def unstuffed(data: bytes) -> bytes:
    """The inverse of `stuffed`; ValueError for bytes that it never gives."""
    out, at = bytearray(), 0
    while at < len(data):
        code = data[at]
        run = data[at + 1 : at + code]
        if code == 0 or len(run) != code - 1 or END in run:
            raise ValueError("not a stuffed frame")
        out += run
        at += code
        if code <= _LONGEST:
            out += END
    if not out or out[-1:] != END:
        raise ValueError("not a stuffed frame")
    return bytes(out[:-1])


def frame(body: bytes) -> bytes:
    """The bytes on the line."""
    return END + stuffed(body + zlib.crc32(body).to_bytes(4, "little")) + END


class Receiver:
    """Bytes in, bodies of whole frames out. `damaged` counts frames that were thrown away."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self.damaged = 0

    def feed(self, data: bytes) -> List[bytes]:
        """The bodies that `data` completes; none is empty, since zeros alone would be such a frame."""
        self._waiting += data
        *whole, rest = bytes(self._waiting).split(END)
        self._waiting = bytearray(rest)
        if len(rest) > 2 * MOST_BODY:
            self._waiting.clear()
            self.damaged += 1
        bodies = []
        for stuffed_body in whole:
            if not stuffed_body:
                continue  # between the end mark of one frame and that of the next
            try:
                checked = unstuffed(stuffed_body)
            except ValueError:
                self.damaged += 1
                continue
            body, crc = checked[:-4], checked[-4:]
            if not body or zlib.crc32(body) != int.from_bytes(crc, "little"):
                self.damaged += 1
                continue
            bodies.append(body)
        return bodies

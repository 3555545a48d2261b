"""The compact binary of `digital.json` for firmware (export/SPEC.md, 2.4): a network in integers as bytes, and back."""

import struct
import zlib
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from ..errors import ConfigError, DataError
from .integer_checks import checked_network
from .integers import (
    ADD,
    AFFINE,
    CLIP,
    CONCAT,
    CONVOLVE,
    FLATTEN,
    MAX_POOL,
    MEAN_POOL,
    PAD,
    QUANTIZE,
    RECALL,
    RECUR,
    SCALE,
    SHUFFLE,
    Factor,
    IntegerNetwork,
    Matrix,
    Read,
    Step,
)

MAGIC = b"\x89XDI\r\n\x1a\n"
MAJOR, MINOR = 1, 0
HEADER = struct.Struct("<8sBBHIHBBHHHHI")
MATRIX = struct.Struct("<HHBBBBIbBHi")
READ = struct.Struct("<HHHHHH")
PIECE = struct.Struct("<HHHH")
STEP = struct.Struct("<BbHI")
BODIES: Dict[int, struct.Struct] = {
    CONVOLVE: struct.Struct("<HHHHHHHHHHHBx"),
    RECUR: struct.Struct("<HHiBBBx"),
    AFFINE: struct.Struct("<HBB"),
    CLIP: struct.Struct("<ii"),
    QUANTIZE: struct.Struct("<iBBBx"),
    MAX_POOL: struct.Struct("<8H"),
    MEAN_POOL: struct.Struct("<8HBxxx"),
    PAD: struct.Struct("<4HBxxx"),
    SCALE: struct.Struct("<iBBxx"),
    ADD: struct.Struct("<iiBBBB"),
    CONCAT: struct.Struct("<iiBBBB"),
    RECALL: struct.Struct("<"),
    SHUFFLE: struct.Struct("<Hxx"),
    FLATTEN: struct.Struct("<"),
}
"""numbers of a step's body; AFFINE: its table follows"""
CRC_BYTES = 4


def to_bytes(network: IntegerNetwork) -> bytes:
    """The file. ConfigError when a length does not fit its field."""
    checked_network(network)
    try:
        parts = [_matrix_bytes(matrix) for matrix in network.matrices]
        parts += [_step_bytes(step) for step in network.steps]
        length = HEADER.size + sum(map(len, parts)) + CRC_BYTES
        height, width, channels = network.input_shape
        sizes = (height, width, channels, 0, network.digital_crc)
        input_of = (network.input_bits, network.input_zero)
        head = HEADER.pack(MAGIC, MAJOR, MINOR, len(network.matrices), length, len(network.steps), *input_of, *sizes)
    except struct.error as error:
        raise ConfigError(f"network too large for the binary of the digital side: {error}") from None
    data = b"".join([head, *parts])
    return data + zlib.crc32(data).to_bytes(CRC_BYTES, "little")


def _matrix_bytes(matrix: Matrix) -> bytes:
    head = MATRIX.pack(
        matrix.fan_in,
        matrix.fan_out,
        matrix.input_bits,
        matrix.adc_bits,
        matrix.polarity,
        matrix.taken_back is not None,
        *matrix.lsb,
        matrix.factor.shift,
        len(matrix.reads),
        matrix.factor.multiplier,
    )
    parts = [head]
    for read in matrix.reads:
        parts.append(READ.pack(read.macro, read.col0, read.pairs, read.matrix_col, len(read.pieces), 0))
        parts += [PIECE.pack(*piece, 0) for piece in read.pieces]
    if matrix.taken_back is not None:
        parts.append(matrix.taken_back.astype("<i4").tobytes())
    return b"".join(parts)


def _step_bytes(step: Step) -> bytes:
    body = BODIES[step.kind].pack(*step.numbers)
    if step.table is not None:
        body += step.table.astype("<i4").tobytes()
    return STEP.pack(step.kind, step.fraction, step.other, len(body)) + body


class _Cursor:
    """Reads on through bytes; DataError where they end too early."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def take(self, layout: struct.Struct) -> Tuple:
        """The numbers of one struct, whose unused bytes are 0."""
        raw = self.bytes(layout.size)
        numbers = layout.unpack(raw)
        if layout.pack(*numbers) != raw:
            raise DataError(f"byte {self.at - layout.size}: a reserved byte is not 0")
        return numbers

    def bytes(self, count: int) -> bytes:
        """The next bytes."""
        if count > len(self.data) - self.at:
            raise DataError(f"byte {self.at}: ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def integers(self, count: int) -> np.ndarray:
        """int32 (count,)"""
        return np.frombuffer(self.bytes(4 * count), "<i4").astype(np.int32)


class Head(NamedTuple):
    """The header, behind magic and version."""

    matrices: int
    length: int
    steps: int
    bits: int
    zero: int
    height: int
    width: int
    channels: int
    reserved: int
    digital_crc: int


def from_bytes(data: bytes) -> IntegerNetwork:
    """The inverse of `to_bytes`; names of matrices and steps are their numbers. DataError for anything else."""
    if len(data) < HEADER.size + CRC_BYTES:
        raise DataError(f"{len(data)} bytes; a digital side has more")
    magic, major, _, *fields = HEADER.unpack_from(data)
    head = Head(*fields)
    if magic != MAGIC:
        raise DataError("not the binary of a digital side")
    if major != MAJOR:
        raise DataError(f"version {major}; this reader knows {MAJOR}")
    if head.length != len(data):
        raise DataError(f"{len(data)} bytes, {head.length} by its header")
    if zlib.crc32(data[:-CRC_BYTES]) != int.from_bytes(data[-CRC_BYTES:], "little"):
        raise DataError("a checksum differs")
    if head.reserved:
        raise DataError("a reserved field is not 0")
    cursor = _Cursor(data[:-CRC_BYTES], HEADER.size)
    matrices = tuple(_matrix(cursor, str(index)) for index in range(head.matrices))
    steps = tuple(_step(cursor, str(index)) for index in range(head.steps))
    if cursor.at != len(cursor.data):
        raise DataError(f"byte {cursor.at}: more than the header says")
    shape = (head.height, head.width, head.channels)
    try:
        return checked_network(IntegerNetwork(shape, head.bits, head.zero, head.digital_crc, matrices, steps))
    except ConfigError as error:
        raise DataError(str(error)) from None


def _matrix(cursor: _Cursor, name: str) -> Matrix:
    fan_in, fan_out, bits, adc_bits, polarity, taken, lsb, exponent, shift, n_reads, multiplier = cursor.take(MATRIX)
    if polarity > 1 or taken > 1:
        raise DataError(f"matrix {name}: a reserved bit is set")
    reads: List[Read] = []
    for _ in range(n_reads):
        macro, col0, pairs, matrix_col, n_pieces, reserved = cursor.take(READ)
        pieces = [cursor.take(PIECE) for _ in range(n_pieces)]
        if reserved or any(piece[3] for piece in pieces):
            raise DataError(f"matrix {name}: a reserved field is not 0")
        reads.append(Read(macro, col0, pairs, matrix_col, tuple(piece[:3] for piece in pieces)))
    taken_back: Optional[np.ndarray] = cursor.integers(fan_out) if taken else None
    factor = Factor(multiplier, shift)
    return Matrix(
        name, fan_in, fan_out, bits, adc_bits, bool(polarity), (lsb, exponent), factor, taken_back, tuple(reads)
    )


def _step(cursor: _Cursor, name: str) -> Step:
    kind, fraction, other, length = cursor.take(STEP)
    if kind not in BODIES:
        raise DataError(f"step {name}: kind {kind} is not known")
    start = cursor.at
    numbers = cursor.take(BODIES[kind])
    table = cursor.integers(2 * numbers[0]).reshape(-1, 2) if kind == AFFINE else None
    if cursor.at - start != length:
        raise DataError(f"step {name}: {length} bytes, its kind has {cursor.at - start}")
    return Step(kind, name, fraction, other, numbers, table)

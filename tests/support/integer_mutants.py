"""The binary of a digital side, changed: what export/infer.c and `integer_binary` say of it, side by side.

The chip is a formula, the same in export/tests/infer.c: code j is 3 for each driven row, plus its number, the macro,
and j.
"""

import struct
import subprocess
import zlib

import numpy as np

from minirram.errors import MinirramError
from minirram.inference.integer_binary import from_bytes
from minirram.inference.integer_forward import step_crcs


def formula(network, chip_rows=None):
    """`Totals` of the formula."""
    by_name = {matrix.name: matrix for matrix in network.matrices}

    def totals(name, codes):
        matrix = by_name[name]
        top = 2 ** (matrix.adc_bits if matrix.polarity else matrix.adc_bits - 1) - 1
        total = np.zeros((len(codes), matrix.fan_out), np.int64)
        for read in matrix.reads:
            rows = max(row0 + n for row0, n, _ in read.pieces)
            for bit in range(matrix.input_bits):
                driven = np.zeros((len(codes), rows), bool)
                for row0, n, first in read.pieces:
                    driven[:, row0 : row0 + n] |= (codes[:, first : first + n] >> bit & 1).astype(bool)
                sums = read.macro + (driven * (3 + np.arange(rows))).sum(axis=1)
                which = sums[:, None] + np.arange(read.pairs * (2 if matrix.polarity else 1))
                code = which % (top + 1) if matrix.polarity else which % (2 * top + 1) - top
                code = code[:, 0::2] - code[:, 1::2] if matrix.polarity else code
                code = np.where(driven.any(axis=1)[:, None], code, 0)
                total[:, read.matrix_col : read.matrix_col + read.pairs] += code << bit
        return total

    return totals


def with_crc(data):
    """`data` whose last four bytes are its checksum, and whose header says its length."""
    data = bytearray(data)
    if len(data) >= 36:
        data[12:16] = len(data).to_bytes(4, "little")
        data[-4:] = zlib.crc32(bytes(data[:-4])).to_bytes(4, "little")
    return bytes(data)


def mutant(data, random):
    """A file with one to three changed bytes or 16- or 32-bit numbers, cut or lengthened, and a right checksum."""
    data = bytearray(data)
    for _ in range(random.integers(1, 4)):
        at = int(random.integers(8, len(data) - 4))
        how = random.integers(6)
        if how == 0:
            data[at] ^= 1 << int(random.integers(8))
        elif how == 1:
            data[at] = int(random.choice((0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF)))
        elif how == 2:
            data[at : at + 2] = int(random.choice((0, 1, 2, 255, 256, 0xFFFF))).to_bytes(2, "little")
        elif how == 3:
            data[at : at + 4] = int(random.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))).to_bytes(4, "little")
        elif how == 4:
            del data[at : at + 4 * int(random.integers(1, 4))]
        else:
            data[at:at] = data[at : at + 4 * int(random.integers(1, 4))]
        if len(data) < 40:
            break
    return with_crc(data)


def in_c(command, files):
    """(verdict, [numbers of the line behind it]) of each file."""
    stream = b"".join(struct.pack("<I", len(data)) + data for data in files)
    done = subprocess.run(command, input=stream, stdout=subprocess.PIPE, check=True)
    lines = [line.split() for line in done.stdout.decode("ascii").splitlines()]
    assert len(lines) == len(files)
    return [(int(line[0]), line[1:]) for line in lines]


def in_python(data):
    """The network, or None when it is refused."""
    try:
        return from_bytes(data)
    except MinirramError:
        return None


def expected_line(network):
    """What the C side says of an accepted file: the CRC of every step, then the class."""
    size = int(np.prod(network.input_shape))
    codes = (np.arange(size) & 1).astype(np.uint8).reshape((1,) + network.input_shape)
    crcs, found = step_crcs(network, codes, formula(network))
    return [f"{crc:08x}" for crc in crcs[0]] + [str(int(np.ravel(found)[0]))]

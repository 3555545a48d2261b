"""What the frames of a serial line say. docs/driver.md has the table; all integers are little-endian.

A request is operation, 0, sequence, session, arguments; its answer has the operation + 128, a status, and the same
sequence and session. Conductances are integers in steps of the board's `read_unit_S`.
"""

import struct
from typing import NamedTuple, Optional, Tuple

import numpy as np

from ..device.pulses import PulseRecipe
from ..errors import BenchError, MinirramError
from ..programming.recipes import pulse_recipe, pulse_record
from ..xbp import table
from ..xbp.records import PulseRecord
from .protocol import Pulsed, Verify

HEAD = struct.Struct("<BBHI")
"""operation, status, sequence, session"""
HELLO, PULSE, READ, IDLE, MULTIPLY, KNOWN_BAD = range(1, 7)
ANSWER = 0x80
GOOD, BUSY, REFUSED, NO_SESSION = range(4)
"""status of an answer; BUSY: the answer will come"""
KINDS = ("FORM", "SET", "RESET", "READ")

ROWS = struct.Struct("<BBHHHI")
"""kind, 1 with a verifying READ, macro, first row, rows, limit in read units"""
NOT_READ = 0xFFFFFFFF


class Request(NamedTuple):
    """PULSE or READ of some rows of a macro."""

    kind: str
    macro: int
    row: int
    mask: np.ndarray
    """bool (rows of the request, cols)"""
    recipe: Optional[PulseRecipe]
    """None in a READ: the board's own"""
    verify: Optional[Verify]


def packed_recipe(recipe: Optional[PulseRecipe]) -> bytes:
    """The RECIPE payload of a program file; zeros for none."""
    if recipe is None:
        return bytes(table.RECIPE.size)
    record = pulse_record(recipe, 0)
    return table.RECIPE.pack(*(getattr(record, name, 0) for name, _ in table.RECIPE_FIELDS))


def unpacked_recipe(data: bytes) -> Optional[PulseRecipe]:
    """The inverse; None for zeros. ConfigError for a recipe that breaks a rule of the file format."""
    if not any(data):
        return None
    values = zip((name for name, _ in table.RECIPE_FIELDS), table.RECIPE.unpack(data))
    return pulse_recipe(PulseRecord(**{name: value for name, value in values if not name.startswith("reserved")}))


def packed_request(request: Request, unit_S: float) -> bytes:
    """The arguments of a PULSE or READ."""
    verify = request.verify
    limit = 0 if verify is None else round(verify.limit_S / unit_S)
    rows, _ = request.mask.shape
    head = ROWS.pack(KINDS.index(request.kind), verify is not None, request.macro, request.row, rows, limit)
    recipes = packed_recipe(request.recipe) + packed_recipe(None if verify is None else verify.read)
    return head + recipes + np.packbits(request.mask, axis=1, bitorder="little").tobytes()


def unpacked_request(data: bytes, cols: int, unit_S: float) -> Request:
    """The inverse; BenchError for arguments that are none."""
    try:
        number, verified, macro, row, rows, limit = ROWS.unpack_from(data)
        kind = KINDS[number]
        own = unpacked_recipe(data[ROWS.size : ROWS.size + table.RECIPE.size])
        at = ROWS.size + 2 * table.RECIPE.size
        read = unpacked_recipe(data[ROWS.size + table.RECIPE.size : at])
        bits = np.frombuffer(data, np.uint8, offset=at).reshape(rows, (cols + 7) // 8)
    except (struct.error, ValueError, IndexError, MinirramError) as error:
        raise BenchError(f"a request that is none: {error}") from None
    mask = np.unpackbits(bits, axis=1, count=cols, bitorder="little").astype(bool)
    verify = Verify(read, limit * unit_S) if verified else None
    return Request(kind, macro, row, mask, own, verify)


def packed_pulsed(mask: np.ndarray, done: Pulsed) -> bytes:
    """The answer to a PULSE: u16 pulses of each cell of the mask, then a bit of each: 1 failed."""
    pulses = np.minimum(done.pulses[mask], 0xFFFF).astype("<u2")
    return pulses.tobytes() + np.packbits(done.failed[mask], bitorder="little").tobytes()


def unpacked_pulsed(mask: np.ndarray, data: bytes) -> Tuple[np.ndarray, np.ndarray]:
    """(uint32 pulses, bool failed), each of the shape of `mask`; BenchError for an answer of another length."""
    count = int(np.count_nonzero(mask))
    _check_length("pulses", data, 2 * count + (count + 7) // 8)
    pulses, failed = np.zeros(mask.shape, np.uint32), np.zeros(mask.shape, bool)
    pulses[mask] = np.frombuffer(data, "<u2", count)
    bits = np.frombuffer(data, np.uint8, offset=2 * count)
    failed[mask] = np.unpackbits(bits, count=count, bitorder="little").astype(bool)
    return pulses, failed


def packed_read(mask: np.ndarray, read_S: np.ndarray, unit_S: float) -> bytes:
    """The answer to a READ: u32 of each cell of the mask, in read units."""
    values = np.rint(read_S[mask] / unit_S)
    good = np.isfinite(values) & (values < NOT_READ)
    return np.where(good, np.maximum(np.where(good, values, 0), 0), NOT_READ).astype("<u4").tobytes()


def unpacked_read(mask: np.ndarray, data: bytes, unit_S: float) -> np.ndarray:
    """float64 siemens of the shape of `mask`, NaN where not read."""
    _check_length("a read", data, 4 * int(np.count_nonzero(mask)))
    values = np.frombuffer(data, "<u4")
    read_S = np.full(mask.shape, np.nan)
    read_S[mask] = np.where(values == NOT_READ, np.nan, values.astype(np.float64) * unit_S)
    return read_S


def _check_length(what: str, data: bytes, expected: int) -> None:
    if len(data) != expected:
        raise BenchError(f"the answer to {what} has {len(data)} bytes, expected {expected}")

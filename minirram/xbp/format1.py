"""Program files of format 1, to be written anew in format 2: `minirram convert` reads them here, nothing else does.

The layout of format 1 is stated here alone. Its contents go through the checks of format 2 when the `Program` is made.
"""

import struct
import zlib
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ..errors import FormatError, MinirramError
from . import packbits, table
from .records import Program, PulseRecord, TileProgram, unpack_bits

_HEADER = struct.Struct("<8sBBHIIIII")  # magic, major, minor, max_payload, length, records, build_id, chip_id, crc
_HEAD = struct.Struct("<HBBHHHHHH")  # type, encoding, 0, tile, row, rows, length, stored, sequence
_CHIP = struct.Struct("<HHHBBIII")  # macros, rows, cols, orientation, state, base_id, program_id, 0
_RECIPE = struct.Struct("<BBBBHhhhHHII")
_TILE = struct.Struct("<HHHHHBBIIIII")
_TYPES = {1: "TILE", 2: "RECIPE", 3: "CHIP", 0x10: "MASK", 0x11: "GTAR", 0x20: "OPS", 0x7FFF: "END", 0x8001: "META"}
_UNFORMED, _FORMED, _PROGRAMMED = range(3)
_MOST_CELLS = 1 << 28
Record = Tuple[str, int, int, int, bytes]  # type, tile, row, rows, decoded payload


class _Tile:
    """A tile of format 1 and its rows so far."""

    def __init__(self, number: int, payload: bytes) -> None:
        names = "n_row n_col macro row0 col0 code_bits level g_off_nS g_lsb n_keep on_min_nS off_max_nS".split()
        self.values: Dict[str, Any] = dict(zip(names, _TILE.unpack(payload)), number=number)
        del self.values["n_keep"]
        self.shape = self.values["n_row"], self.values["n_col"]
        self.mask, self.codes = b"", b""
        self.passes: List[Tuple[int, np.ndarray]] = []

    def add(self, kind: str, row: int, n_row: int, payload: bytes) -> None:
        """Rows of MASK, GTAR or OPS."""
        if kind == "MASK":
            self.mask += payload
        elif kind == "GTAR":
            self.codes += payload
        else:
            recipe, number = payload[:2]
            if number == len(self.passes):
                self.passes.append((recipe, np.zeros(self.shape, bool)))
            self.passes[number][1][row : row + n_row] = unpack_bits(payload[4:], (n_row, self.shape[1]))

    def made(self) -> TileProgram:
        """The same as a tile of format 2."""
        bits = self.values["code_bits"]
        mask = unpack_bits(self.mask, self.shape) if self.mask else None
        codes = (
            np.frombuffer(self.codes, f"<u{bits // 8}").reshape(self.shape).astype(f"u{bits // 8}") if bits else None
        )
        return TileProgram(mask=mask, codes=codes, passes=tuple(self.passes), **self.values)


def read(data: bytes) -> Program:
    """The `Program` of format 2 that a file of format 1 says. FormatError when it is damaged, or says what no file of
    format 2 can say: pulses into tiles without a mask beside tiles with one."""
    header, records = _records(data)
    try:
        return _program(header, records)
    except FormatError:
        raise
    except (struct.error, ValueError, IndexError, KeyError, MinirramError) as error:
        raise FormatError(
            f"not a file of format 1 that can be written in format 2: {error}", 0, kind="VERSION"
        ) from None


def _records(data: bytes) -> Tuple[Tuple[int, ...], List[Record]]:
    """(header fields, records), their checksums compared."""
    if len(data) < _HEADER.size or data[:8] != table.MAGIC or data[8] != 1:
        raise FormatError("not a program file of format 1", 0, kind="VERSION")
    seed, at, records = zlib.crc32(data[:28]), _HEADER.size, []
    header = _HEADER.unpack_from(data)
    if header[-1] != seed or header[4] != len(data):
        raise FormatError("the header's checksum or the length differs", 12, kind="CRC")
    while at < len(data):
        if len(data) - at < _HEAD.size:
            raise FormatError("the file ends inside a record", at, kind="TRUNCATED")
        kind, encoding, _, tile, row, n_row, length, stored, _ = _HEAD.unpack_from(data, at)
        body = at + _HEAD.size
        end = body + (stored + 3 & ~3)
        if data[end : end + 4] != zlib.crc32(data[at:end], seed).to_bytes(4, "little"):
            raise FormatError("the checksum of a record differs", at, kind="CRC")
        payload: Optional[bytes] = data[body : body + stored]
        if encoding:
            payload = packbits.decode([data[body : body + stored]], [length])[0]
        if payload is None:
            raise FormatError("these are not PackBits", body, kind="PACKED")
        if kind in _TYPES:
            records.append((_TYPES[kind], tile, row, n_row, payload))
        at = end + 4
    return header, records


def _program(header: Tuple[int, ...], records: List[Record]) -> Program:
    recipes, tiles, meta, cells = [], [], {}, 0
    macros, rows, cols, orientation, state, _, _, _ = _CHIP.unpack(records[0][4])
    for kind, number, row, n_row, payload in records[1:]:
        if kind == "RECIPE":
            recipes.append(_recipe(payload))
        elif kind == "META":
            key = 2 + payload[0]
            meta[payload[2:key].decode("ascii")] = payload[key:].decode("utf-8")
        elif kind == "TILE":
            tiles.append(_Tile(number, payload))
        elif kind in ("MASK", "GTAR", "OPS"):
            begins = payload[1] == len(tiles[-1].passes) if kind == "OPS" else row == 0
            cells += tiles[-1].shape[0] * tiles[-1].shape[1] if begins else 0
            if cells > _MOST_CELLS:
                raise FormatError(f"its maps cover more than {_MOST_CELLS} cells", 0, kind="LIMIT")
            tiles[-1].add(kind, row, n_row, payload)
    made = Program(
        header[7],
        macros,
        rows,
        cols,
        tuple(recipes),
        tuple(tile.made() for tile in tiles),
        header[6],
        orientation,
        before=state if tiles else table.BEFORE["programmed"],
        base_state=_base_state(header[7], tiles, recipes) if state == _PROGRAMMED else None,
        meta=meta,
        max_payload=header[3],
    )
    return made


def _recipe(payload: bytes) -> PulseRecord:
    id_, kind, verify, _, pulses, row, col, select, floating, _, width, compliance = _RECIPE.unpack(payload)
    return PulseRecord(
        id_,
        kind,
        verify,
        floating=floating,
        max_pulses=pulses,
        row_mV=row,
        col_mV=col,
        select_mV=select,
        width_ns=width,
        compliance_nA=compliance,
    )


def _base_state(chip_id: int, tiles: List[_Tile], recipes: List[PulseRecord]) -> int:
    """Digest of what the chip held before an increment of format 1: its masks with the pulsed cells turned back."""
    from . import digests

    resets = {recipe.id for recipe in recipes if recipe.kind == table.KINDS["RESET"]}
    state = digests.of_chip(chip_id)
    for tile in tiles:
        made = tile.made()
        held = np.zeros(tile.shape, bool) if made.mask is None else made.mask.copy()
        for recipe, cells in tile.passes:
            held = held | cells if recipe in resets else held & ~cells
        state ^= digests.of_tile(vars(made)) ^ digests.of_cells(made.macro, made.row0, made.col0, held)
    return state

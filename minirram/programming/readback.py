"""Is the chip what the program says? Verification of a read-back map, and the difference between two programs."""

import os
from dataclasses import dataclass
from typing import Tuple, Union

import numpy as np

from ..errors import ConfigError, DataError, MissingFileError, ShapeError
from ..xbp import codec, table
from ..xbp.records import Program
from .build import pulse_counts

_CHIP_FIELDS = ("chip_id", "build_id", "macros", "rows", "cols", "orientation", "state", "base_id", "program_id")
_PROGRAM_FIELDS = _CHIP_FIELDS + ("meta", "recipes")
_TILE_FIELDS = (
    "macro",
    "row0",
    "col0",
    "n_row",
    "n_col",
    "level",
    "on_min_nS",
    "off_max_nS",
    "code_bits",
    "g_off_nS",
    "g_lsb",
)

_SLACK_nS = 1e-3  # what siemens lose as floats, single ones too: n nS * 1e-9 * 1e9 is not always n
_MOST_CONDUCTANCE_S = 0.1  # no memory cell conducts this much: such a map is in another unit


def read_program(path: Union[str, "os.PathLike[str]"]) -> Program:
    """The program in a file; MissingFileError without one, FormatError when it breaks a rule."""
    try:
        with open(path, "rb") as handle:
            data = handle.read()
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read ({error.strerror})") from None
    return codec.read(data)


@dataclass(frozen=True)
class Verification:
    """What `verify` found."""

    checked: int
    """cells with a mask"""
    bit_errors: int
    """cells that are off but should be on, on but should be off, or not a number"""
    cells: Tuple[Tuple[int, int, int, str], ...]
    """(macro, row, col, why) of every cell that differs; why: "off", "on", "not a number" or "off target\""""

    @property
    def passed(self):
        """True when no cell differs."""
        return not self.cells

    @property
    def bit_error_rate(self):
        """bit_errors / checked."""
        return self.bit_errors / self.checked if self.checked else 0.0

    def to_json(self, most=100):
        """A JSON-ready dict with the first `most` cells."""
        return {
            "passed": self.passed,
            "checked": self.checked,
            "differing": len(self.cells),
            "bit_errors": self.bit_errors,
            "bit_error_rate": self.bit_error_rate,
            "cells": [{"macro": m, "row": r, "col": c, "why": why} for m, r, c, why in self.cells[:most]],
        }


def verify(program, readback_S, tolerance=0.1):
    """Compare a read-back map with a program.

    readback_S: float siemens, (macros, rows, cols), or (rows, cols) for a chip of one macro, physical numbers; what it
    holds outside the tiles, on dead lines for example, does not matter. A cell differs when MASK
    = 1 and G < on_min ("off"), MASK = 0 and G > off_max ("on"), it is not finite ("not a number"), or it is kept, has
    a target and |G - target| > tolerance * target + half a code step ("off target"); all to within 0.001 nS.
    ShapeError, DataError for maps that cannot be one.
    """
    if not 0 <= tolerance < float("inf"):
        raise ConfigError(f"tolerance is {tolerance}; it is a fraction of the target, 0 or above")
    readback_nS = _checked_map(program, readback_S) * 1e9
    checked, bit_errors, cells = 0, 0, []
    for tile in program.tiles:
        if tile.mask is None:
            continue
        here = readback_nS[tile.macro, tile.rows, tile.cols]
        finite = np.isfinite(here)
        g = np.where(finite, here, 0.0)
        reasons = {
            "not a number": ~finite,
            "off": finite & tile.mask & (g < tile.on_min_nS - _SLACK_nS),
            "on": finite & ~tile.mask & (g > tile.off_max_nS + _SLACK_nS),
        }
        wrong = reasons["not a number"] | reasons["off"] | reasons["on"]
        if tile.codes is not None:
            allowed = tolerance * tile.target_nS + tile.g_lsb / 2.0 ** (table.LIMITS["LSB_FRACTION_BITS"] + 1)
            reasons["off target"] = tile.mask & ~wrong & (np.abs(g - tile.target_nS) > allowed + _SLACK_nS)
        checked += tile.mask.size
        bit_errors += int(np.count_nonzero(wrong))
        for why, where in reasons.items():
            cells += [(tile.macro, tile.row0 + row, tile.col0 + col, why) for row, col in np.argwhere(where).tolist()]
    return Verification(checked, bit_errors, tuple(sorted(cells)))


def _checked_map(program, readback_S):
    """The map as float64 (macros, rows, cols)."""
    readback = np.asarray(readback_S)
    expected = (program.macros, program.rows, program.cols)
    if readback.ndim == 2 and program.macros == 1:
        readback = readback[np.newaxis]
    if readback.shape != expected:
        raise ShapeError(f"read-back of shape {np.shape(readback_S)}, the program is for {expected}")
    if readback.dtype.kind != "f":
        raise DataError(f"read-back of {readback.dtype}; expected floats in siemens")
    read = [readback[tile.macro, tile.rows, tile.cols] for tile in program.tiles]
    largest = max((np.max(np.abs(part), where=np.isfinite(part), initial=0.0) for part in read), default=0.0)
    if largest > _MOST_CONDUCTANCE_S:
        raise DataError(
            f"the read-back reaches {largest:g}; a map in siemens stays below "
            f"{_MOST_CONDUCTANCE_S:g}: is it in another unit?"
        )
    return readback.astype(np.float64)


def differences(a, b):
    """How two programs differ, JSON-ready: fields, cells that turn on and off, codes, per tile and in all."""
    fields = _unequal(a, b, _PROGRAM_FIELDS)
    tiles_a, tiles_b = ({tile.number: tile for tile in program.tiles} for program in (a, b))
    tiles = [
        _tile_difference(number, tiles_a.get(number), tiles_b.get(number)) for number in sorted({*tiles_a, *tiles_b})
    ]
    tiles = [tile for tile in tiles if tile]
    return {
        "equal": not fields and not tiles,
        "fields": fields,
        "turned_on": sum(tile.get("turned_on", 0) for tile in tiles),
        "turned_off": sum(tile.get("turned_off", 0) for tile in tiles),
        "tiles": tiles,
        "pulses": [pulse_counts(a), pulse_counts(b)],
    }


def _tile_difference(number, a, b):
    """What differs between two tiles of one number; an empty dict when nothing does."""
    if a is None or b is None:
        return {"tile": number, "only_in": "B" if a is None else "A"}
    found = _unequal(a, b, _TILE_FIELDS)
    if (a.n_row, a.n_col) == (b.n_row, b.n_col):
        before, after = (np.zeros((t.n_row, t.n_col), bool) if t.mask is None else t.mask for t in (a, b))
        counts = {
            "turned_on": int(np.count_nonzero(after & ~before)),
            "turned_off": int(np.count_nonzero(before & ~after)),
            "codes": 0 if a.codes is None or b.codes is None else int(np.count_nonzero(a.codes != b.codes)),
            "passes": int(
                [p[0] for p in a.passes] != [p[0] for p in b.passes]
                or any(np.any(p[1] != q[1]) for p, q in zip(a.passes, b.passes))
            ),
        }
        found.update({name: count for name, count in counts.items() if count})
    return dict(found, tile=number) if found else {}


def _unequal(a, b, names):
    """The fields that differ: name -> [value in a, value in b], JSON-ready."""
    found = {}
    for name in names:
        values = [getattr(one, name) for one in (a, b)]
        if values[0] != values[1]:
            found[name] = [[vars(item) for item in value] if isinstance(value, tuple) else value for value in values]
    return found


def describe(program, size=None):
    """What a program says, JSON-ready: for `minirram inspect`. size: bytes of the file, when known."""
    kept = sum(tile.n_keep for tile in program.tiles)
    cells = sum(tile.n_row * tile.n_col for tile in program.tiles if tile.mask is not None)
    summary = {
        "format": f"XBP {table.MAJOR}.{program.minor}",
        "chip_id": f"{program.chip_id:08x}",
        "build_id": f"{program.build_id:08x}",
        "program_id": f"{program.program_id:08x}",
        "base_id": f"{program.base_id:08x}",
        "state_before": next(name for name, value in table.STATES.items() if value == program.state),
        "orientation": next(name for name, value in table.ORIENTATIONS.items() if value == program.orientation),
        "macros": program.macros,
        "rows": program.rows,
        "cols": program.cols,
        "max_payload": program.max_payload,
        "cells": cells,
        "cells_on": kept,
        "pulses": pulse_counts(program),
        "recipes": [dict(vars(recipe), kind=recipe.kind_name) for recipe in program.recipes],
        "tiles": [_describe_tile(tile) for tile in program.tiles],
        "meta": dict(program.meta),
    }
    return summary if size is None else dict(summary, bytes=size)


def _describe_tile(tile):
    names = ("number", "macro", "row0", "col0", "n_row", "n_col", "n_keep", "on_min_nS", "off_max_nS", "code_bits")
    summary = {name: getattr(tile, name) for name in names}
    summary["level"] = tile.level_name
    summary["has_mask"] = tile.mask is not None
    if tile.codes is not None and tile.n_keep:
        kept = tile.target_nS[tile.mask]
        summary["target_nS"] = {"min": float(kept.min()), "mean": float(kept.mean()), "max": float(kept.max())}
    summary["passes"] = [{"recipe": recipe, "cells": int(np.count_nonzero(cells))} for recipe, cells in tile.passes]
    return summary

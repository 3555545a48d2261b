"""Is the chip what the program says? Verification of a read-back map, and the difference between two programs."""

import contextlib
import os
from dataclasses import replace
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy as np

from ..errors import ConfigError, DataError, FormatError, ShapeError
from ..files import open_file
from ..files.budgets import PROGRAM
from ..xbp import codec, digests, table
from ..xbp.records import Program, TileProgram
from .build import pulse_counts
from .mistakes import suspects
from .results import (
    Differences,
    LineCount,
    PassSummary,
    ProgramSummary,
    RecipeSummary,
    Targets,
    TileDifference,
    TileSummary,
    Verification,
    WrongCell,
)

_CHIP_FIELDS = (
    "chip_id",
    "build_id",
    "macros",
    "rows",
    "cols",
    "orientation",
    "maps",
    "before",
    "base_state",
    "new_state",
    "readback_id",
)
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

REASONS = ("not a number", "off", "on", "off target")
"""how a cell can differ"""
MOST_LISTED = 50
MOST_LINES = 10
_SLACK_nS = 1e-3  # what siemens lose as floats, single ones too: n nS * 1e-9 * 1e9 is not always n
_MOST_CONDUCTANCE_S = 0.1  # no memory cell conducts this much: such a map is in another unit


def read_program(path: Union[str, "os.PathLike[str]"]) -> Program:
    """The program in a file; MissingFileError without one, FormatError when it breaks a rule."""
    return decoded(read_bytes(path), path)


def decoded(data: bytes, path: Union[str, "os.PathLike[str]"]) -> Program:
    """The program in the bytes of a file; a FormatError names it."""
    with named(path):
        return codec.read(data)


@contextlib.contextmanager
def named(path: Union[str, "os.PathLike[str]"]) -> Iterator[None]:
    """A FormatError names the file that is read."""
    try:
        yield
    except FormatError as error:
        raise error.of(os.fspath(path)) from None


def read_bytes(path: Union[str, "os.PathLike[str]"]) -> bytes:
    """The bytes of a program file: as many as its header says, and one more where there are too many."""
    handle, _ = open_file(path, PROGRAM)
    with handle:
        header = handle.read(table.HEADER.size)
        if len(header) < table.HEADER.size:
            return header
        length = min(table.HEADER.unpack(header)[4], table.LIMITS["MAX_FILE"])
        return header + handle.read(max(0, length - len(header)) + 1)


def check_targets(program: Program, targets: Program) -> None:
    """DataError unless `targets` holds the targets of what the program leaves."""
    if not targets.maps & table.MAPS["targets"]:
        raise DataError("the targets file has no conductance targets")
    for name in ("chip_id", "new_state"):
        found, expected = getattr(targets, name), getattr(program, name)
        if found != expected:
            raise DataError(f"targets of another program: {name} is {found:08x}, the program's {expected:08x}")


def verify(
    program: Program, readback_S: np.ndarray, *, tolerance: float = 0.1, targets: Optional[Program] = None
) -> Verification:
    """Compare a read-back map with a program.

    readback_S: float siemens, (macros, rows, cols), or (rows, cols) for a chip of one macro, physical numbers; what it
    holds outside the tiles, on dead lines for example, does not matter. targets: the program's targets file, where it
    has none itself. A cell differs when it must be on and G < on_min ("off"), must be off and G > off_max ("on"), it is
    not finite ("not a number"), or it is kept, has a target and |G - target| > tolerance * target + half a code step
    ("off target"); all to within 0.001 nS. Of an increment without targets, the cells that it turns over are compared.
    ShapeError, DataError for maps that cannot be one.
    """
    if not 0 <= tolerance < float("inf"):
        raise ConfigError(f"tolerance is {tolerance}; it is a fraction of the target, 0 or above")
    if targets is not None:
        check_targets(program, targets)
        program = targets
    map_S = _checked_map(program, readback_S)
    found = _wrong_cells(program, map_S, tolerance)
    checked = sum(int(np.count_nonzero(told_cells(program, tile)[1])) for tile in program.tiles)
    kinds = {why: int(np.count_nonzero(found.why == k)) for k, why in enumerate(REASONS)}
    differing, bit_errors = len(found.why), len(found.why) - kinds["off target"]
    values_S = map_S[found.macro, found.row, found.col]
    return Verification(
        passed=not differing,
        checked=checked,
        differing=differing,
        bit_errors=bit_errors,
        bit_error_rate=bit_errors / checked if checked else 0.0,
        kinds={why: count for why, count in kinds.items() if count},
        open=int(np.count_nonzero(values_S[found.why == REASONS.index("off")] <= 0)),
        overflow=int(np.count_nonzero(np.isposinf(values_S))),
        tiles=_most(found.macro, found.tile),
        rows=_most(found.macro, found.row),
        cols=_most(found.macro, found.col),
        suspects=suspects(program, map_S, told_cells) if bit_errors else (),
        cells=tuple(found.cell(k) for k in range(min(differing, MOST_LISTED))),
    )


def wrong_cells(
    program: Program, readback_S: np.ndarray, *, tolerance: float = 0.1, targets: Optional[Program] = None
) -> Tuple[WrongCell, ...]:
    """Every cell that differs, in order; arguments and errors as of `verify`."""
    if targets is not None:
        check_targets(program, targets)
        program = targets
    found = _wrong_cells(program, _checked_map(program, readback_S), tolerance)
    return tuple(found.cell(k) for k in range(len(found.why)))


class _Wrong(NamedTuple):
    """Cells that differ, in order: integer arrays (n,)."""

    macro: np.ndarray
    row: np.ndarray
    col: np.ndarray
    tile: np.ndarray
    why: np.ndarray

    def cell(self, k: int) -> WrongCell:
        """The k-th."""
        return WrongCell(int(self.macro[k]), int(self.row[k]), int(self.col[k]), REASONS[int(self.why[k])])


def _wrong_cells(program: Program, map_S: np.ndarray, tolerance: float) -> _Wrong:
    """The cells of a map, float64 (macros, rows, cols), that differ; of a cell the first reason."""
    parts = [_Wrong(*np.zeros((5, 0), np.int64))]
    for tile in program.tiles:
        on, told = told_cells(program, tile)
        here = map_S[tile.macro, tile.rows, tile.cols] * 1e9
        finite = np.isfinite(here)
        g = np.where(finite, here, 0.0)
        reasons = [
            told & ~finite,
            finite & on & (g < tile.on_min_nS - _SLACK_nS),
            finite & told & ~on & (g > tile.off_max_nS + _SLACK_nS),
        ]
        if tile.codes is not None:
            allowed = tolerance * tile.target_nS + tile.g_lsb / 2.0 ** (table.LIMITS["LSB_FRACTION_BITS"] + 1)
            bit_error = reasons[0] | reasons[1] | reasons[2]
            reasons.append(on & ~bit_error & (np.abs(g - tile.target_nS) > allowed + _SLACK_nS))
        for why, where in enumerate(reasons):
            row, col = np.nonzero(where)
            same: List[np.ndarray] = [np.full(len(row), value) for value in (tile.macro, tile.number, why)]
            parts.append(_Wrong(same[0], tile.row0 + row, tile.col0 + col, same[1], same[2]))
    whole = _Wrong(*(np.concatenate(arrays) for arrays in zip(*parts)))
    order = np.argsort(whole.macro << 32 | whole.row << 16 | whole.col, kind="stable")
    return _Wrong(*(array[order] for array in whole))


def _most(macro: np.ndarray, number: np.ndarray) -> Tuple[LineCount, ...]:
    """The lines, or tiles, with most cells that differ, most first."""
    if not len(macro):
        return ()
    places, counts = np.unique(macro << 32 | number, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_LINES]
    return tuple(LineCount(int(places[k]) >> 32, int(places[k]) & 0xFFFFFFFF, int(counts[k])) for k in order)


def told_cells(program: Program, tile: TileProgram) -> Tuple[np.ndarray, np.ndarray]:
    """(cells that must be on, cells of which the program says what they must be), bool (n_row, n_col) each."""
    if tile.mask is not None:
        return tile.mask, np.ones_like(tile.mask)
    on: np.ndarray = np.zeros((tile.n_row, tile.n_col), bool)
    told: np.ndarray = np.zeros((tile.n_row, tile.n_col), bool)
    if program.is_change:
        kinds = {recipe.id: recipe.kind_name for recipe in program.recipes}
        for recipe, cells in tile.passes:
            told |= cells
            if kinds[recipe] != "RESET":
                on |= cells
    return on, told


def _checked_map(program: Program, readback_S: np.ndarray) -> np.ndarray:
    """The map as float64 (macros, rows, cols)."""
    readback = np.asarray(readback_S)
    expected = (program.macros, program.rows, program.cols)
    if readback.ndim == 2 and program.macros == 1:
        readback = readback[np.newaxis]
    if readback.shape != expected:
        raise ShapeError(f"read-back of shape {np.shape(readback_S)}, the program is for {expected}")
    if readback.dtype.kind != "f":
        raise DataError(f"read-back of {readback.dtype}; expected floats in siemens")
    if readback.dtype.itemsize < 4:
        raise DataError("read-back of float16, whose steps are wider than what tells states apart; save float32")
    for tile in program.tiles:
        read = readback[tile.macro, tile.rows, tile.cols]
        for row, col in np.argwhere(np.isfinite(read) & (np.abs(read) > _MOST_CONDUCTANCE_S))[:1]:
            raise DataError(
                f"the read-back is {read[row, col]:g} at macro {tile.macro} row {tile.row0 + row} col "
                f"{tile.col0 + col}; a map in siemens stays below {_MOST_CONDUCTANCE_S:g}: is it in another unit?"
            )
    return readback.astype(np.float64)


def differences(a: Program, b: Program) -> Differences:
    """How two programs differ: fields, cells that turn on and off, codes, per tile and in all."""
    fields = _unequal(a, b, _CHIP_FIELDS)
    tiles_a, tiles_b = ({tile.number: tile for tile in program.tiles} for program in (a, b))
    found = [
        _only_in(number, tiles_a, tiles_b) or _tile_difference(a, tiles_a[number], b, tiles_b[number])
        for number in sorted({*tiles_a, *tiles_b})
    ]
    tiles = tuple(tile for tile in found if tile is not None)
    same_meta, same_recipes = a.meta == b.meta, a.recipes == b.recipes
    return Differences(
        equal=not fields and not tiles and same_meta and same_recipes,
        fields=fields,
        meta=None if same_meta else (dict(a.meta), dict(b.meta)),
        recipes=None if same_recipes else (_recipes(a), _recipes(b)),
        turned_on=sum(tile.turned_on for tile in tiles),
        turned_off=sum(tile.turned_off for tile in tiles),
        tiles=tiles,
        pulses=(pulse_counts(a), pulse_counts(b)),
    )


def _only_in(number: int, a: Dict[int, TileProgram], b: Dict[int, TileProgram]) -> Optional[TileDifference]:
    """What to say of a tile that one of two programs lacks; None when both have it."""
    if number in a and number in b:
        return None
    return TileDifference(number, "A" if number in a else "B", {}, 0, 0, 0, False)


def _tile_difference(of_a: Program, a: TileProgram, of_b: Program, b: TileProgram) -> Optional[TileDifference]:
    """What differs between two tiles of one number; None when nothing does."""
    found = TileDifference(a.number, None, _unequal(a, b, _TILE_FIELDS), 0, 0, 0, False)
    if (a.n_row, a.n_col) == (b.n_row, b.n_col):
        (before, _), (after, told) = told_cells(of_a, a), told_cells(of_b, b)
        found = replace(
            found,
            turned_on=int(np.count_nonzero(after & ~before)),
            turned_off=int(np.count_nonzero(before & told & ~after)),
            codes=0 if a.codes is None or b.codes is None else int(np.count_nonzero(a.codes != b.codes)),
            passes_differ=[p[0] for p in a.passes] != [p[0] for p in b.passes]
            or any(bool(np.any(p[1] != q[1])) for p, q in zip(a.passes, b.passes)),
        )
    return None if found == TileDifference(a.number, None, {}, 0, 0, 0, False) else found


def _unequal(a: Any, b: Any, names: Tuple[str, ...]) -> Dict[str, Tuple[int, int]]:
    """The fields that differ: name -> (value in a, value in b)."""
    values = {name: (int(getattr(a, name)), int(getattr(b, name))) for name in names}
    return {name: pair for name, pair in values.items() if pair[0] != pair[1]}


def describe(program: Program, data: Optional[bytes] = None) -> ProgramSummary:
    """What a program says. data: the bytes of its file, where there is one."""
    return ProgramSummary(
        format=f"XBP {table.MAJOR}.{program.minor}",
        chip_id=f"{program.chip_id:08x}",
        build_id=f"{program.build_id:08x}",
        program_digest=None if data is None else digests.program_digest(data),
        program_crc=None if data is None else f"{int.from_bytes(data[-4:], 'little'):08x}",
        base_state=f"{program.base_state:08x}",
        new_state=f"{program.new_state:08x}",
        readback_id=f"{program.readback_id:08x}",
        state_before=next(name for name, value in table.BEFORE.items() if value == program.before),
        maps=tuple(name for name, value in table.MAPS.items() if program.maps & value),
        orientation=next(name for name, value in table.ORIENTATIONS.items() if value == program.orientation),
        macros=program.macros,
        rows=program.rows,
        cols=program.cols,
        max_payload=program.max_payload,
        cells=sum(tile.n_row * tile.n_col for tile in program.tiles if tile.mask is not None),
        cells_on=sum(tile.n_keep for tile in program.tiles),
        pulses=pulse_counts(program),
        recipes=_recipes(program),
        tiles=tuple(_describe_tile(tile) for tile in program.tiles),
        meta=dict(program.meta),
        bytes=None if data is None else len(data),
    )


def _recipes(program: Program) -> Tuple[RecipeSummary, ...]:
    return tuple(RecipeSummary(**dict(vars(recipe), kind=recipe.kind_name)) for recipe in program.recipes)


def _describe_tile(tile: TileProgram) -> TileSummary:
    names = ("number", "macro", "row0", "col0", "n_row", "n_col", "n_keep", "on_min_nS", "off_max_nS", "code_bits")
    targets = None
    if tile.codes is not None and tile.n_keep:
        kept = tile.conductance_nS(tile.codes[tile.mask])
        targets = Targets(float(kept.min()), float(kept.mean()), float(kept.max()))
    return TileSummary(
        **{name: getattr(tile, name) for name in names},
        level=tile.level_name,
        has_mask=tile.mask is not None,
        target_nS=targets,
        passes=tuple(PassSummary(recipe, int(np.count_nonzero(cells))) for recipe, cells in tile.passes),
    )

"""Masks on cells -> the pulse program that brings a chip there, as records of the program file.

The flow of a fresh chip (Li et al., arXiv 2311.07164): pass 0 FORM of all cells of a tile, pass 1 at pair level RESET
of each pair's partner (initialisation), last pass RESET of the cells that the mask prunes.
"""

import json
import math
import zlib
from dataclasses import replace
from typing import Any, Dict, Mapping, Optional

import numpy as np

from ..device.pulses import PulseRecipe
from ..device.thresholds import Thresholds
from ..errors import ConfigError, ShapeError
from ..xbp import table
from ..xbp.records import Program, TileProgram
from .recipes import pulse_record

_MOST_TILES = 1 << 16  # their numbers are 16 bits wide
RECIPE_ORDER = ("READ", "FORM", "SET", "RESET")  # the READ first: others verify with it


def chip_identity(formed_S: np.ndarray) -> int:
    """chip_id of a simulated chip: CRC-32 of its as-formed map (macros, rows, cols) in nS, rounded half to even."""
    return zlib.crc32(np.rint(np.asarray(formed_S, np.float64) * 1e9).astype("<u4").tobytes())


def build_identity(config: Mapping[str, Any]) -> int:
    """build_id: CRC-32 of the canonical JSON of `config`: sorted keys, no spaces, ASCII, floats as text."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): plain(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(one) for one in value]
        return repr(value) if isinstance(value, float) else value

    text = json.dumps(plain(config), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return zlib.crc32(text.encode("ascii"))


def attainable(on: np.ndarray, formed_S: np.ndarray, *, limits: Thresholds) -> np.ndarray:
    """The cells of `on` that can be on: those that conduct at least `limits.on_min_S` when formed."""
    return on & (formed_S >= limits.on_min_S)


def build_program(
    placement: Any,
    on: np.ndarray,
    *,
    level: str,
    recipes: Mapping[str, PulseRecipe],
    limits: Thresholds,
    chip_id: int,
    target_S: Optional[np.ndarray] = None,
    partners: Optional[np.ndarray] = None,
    code_bits: int = 8,
    build_id: int = 0,
    meta: Optional[Mapping[str, str]] = None,
    max_payload: int = 1024,
    orientation: int = 1,
    formed: bool = False,
) -> Program:
    """The `records.Program` that takes an unformed chip (or a formed one, without FORM pulses) to the masks.

    placement: `mapping.Placement` by physical numbers (`Chip.physical_placement`), as are all maps here. on: bool
    (macros, rows, cols), cells that must end on. level: "pair" or "cell". recipes: dict kind -> `pulses.PulseRecipe`;
    without FORM, the chip counts as formed. limits: `Thresholds`. target_S: float (macros, rows, cols), what the kept
    cells should conduct (None: none, code_bits is then 0). partners: pair level, bool (macros, rows, cols), the cell
    of each pair that its sign does not use. meta: dict of text. A kept cell whose target is below on_min (it did not
    form) cannot be on: ConfigError; `attainable` takes such cells out.
    """
    _check_wishes(placement, level, partners)
    on = _map(on, placement, "on", bool)
    if target_S is not None:
        target_S = _attainable_targets(_map(target_S, placement, "target_S", np.float64), on, limits)
    partners = np.zeros(on.shape, bool) if partners is None else _map(partners, placement, "partners", bool)
    _check_disjoint(on, partners)
    formed, numbers = formed or "FORM" not in recipes, _numbered(recipes)
    tiles = []
    for number, tile in enumerate(placement.tiles):
        region = (tile.macro, tile.rows, tile.cols)
        kept, spare = on[region].copy(), partners[region].copy()
        passes = [] if formed else [(numbers["FORM"], np.ones(kept.shape, bool))]
        passes += [(numbers["RESET"], spare)] if level == "pair" else []
        passes += [(numbers["RESET"], ~kept & ~spare)]
        fields: Dict[str, Any] = {"mask": kept, "passes": tuple(passes), "level": table.LEVELS[level]}
        fields.update(on_min_nS=_nS(limits.on_min_S), off_max_nS=_nS(limits.off_max_S))
        if target_S is not None:
            fields.update(encode_targets(target_S[region], kept, code_bits=code_bits))
        tiles.append(TileProgram(number, tile.macro, tile.row0, 2 * tile.pair0, *kept.shape, **fields))
    return Program(
        chip_id,
        placement.n_macros,
        placement.macro_rows,
        2 * placement.macro_pairs,
        tuple(pulse_record(recipes[kind], number) for kind, number in numbers.items()),
        tuple(tiles),
        build_id,
        orientation,
        before=table.BEFORE["formed" if formed else "unformed"],
        meta=dict(meta or {}),
        max_payload=max_payload,
    )


def _check_wishes(placement: Any, level: str, partners: Optional[np.ndarray]) -> None:
    """ConfigError for more tiles than a file numbers, an unknown level, or partners where there are none."""
    if len(placement.tiles) > _MOST_TILES:
        raise ConfigError(
            f"{len(placement.tiles)} tiles, a program file holds {_MOST_TILES}: dead lines part the matrices into too "
            "many pieces"
        )
    if level not in ("pair", "cell"):
        raise ConfigError(f"level {level!r}: choose 'pair' or 'cell'")
    if (partners is None) != (level == "cell"):
        raise ConfigError("partners are given at pair level, and only there")


def _numbered(recipes: Mapping[str, PulseRecipe]) -> Dict[str, int]:
    """dict kind -> id in the file. ConfigError without the READ that verifies or the RESET that prunes."""
    for kind in ("READ", "RESET"):
        if kind not in recipes:
            raise ConfigError(f"the recipes {sorted(recipes)} lack {kind}")
    return {kind: number for number, kind in enumerate(kind for kind in RECIPE_ORDER if kind in recipes)}


def _check_disjoint(on: np.ndarray, partners: np.ndarray) -> None:
    """ConfigError when a cell to keep is the unused partner of its pair."""
    both = np.count_nonzero(on & partners)
    if both:
        raise ConfigError(f"{both} cells are both to keep and the unused partner of their pair")


def _attainable_targets(target_S: np.ndarray, on: np.ndarray, limits: Thresholds) -> np.ndarray:
    """`target_S`; ConfigError when a cell to keep has a target below on_min."""
    low = np.argwhere(on & ~(target_S >= limits.on_min_S))
    if len(low):
        raise ConfigError(
            f"{len(low)} cells to keep conduct less than on_min = {limits.on_min_S} S; the first is {low[0].tolist()}. "
            "They did not form: take them out with programming.attainable"
        )
    return target_S


def encode_targets(target_S: np.ndarray, kept: np.ndarray, *, code_bits: int, off_S: float = 0.0) -> Dict[str, Any]:
    """Codes of a tile's conductance targets: dict code_bits, g_off_nS, g_lsb, codes (the fields of TileProgram).

    G = g_off + code * lsb with code 0 for cells that are off, 1..2**code_bits - 1 for kept ones; lsb is the smallest
    step that reaches the largest target, so |G - target| <= lsb / 2 for every target of at least g_off + lsb / 2.
    """
    if code_bits not in (8, 16):
        raise ConfigError(f"code_bits is {code_bits}; conductance targets take 8 or 16")
    most, scale = 2**code_bits - 1, 2 ** table.LIMITS["LSB_FRACTION_BITS"]
    off_nS = _nS(off_S)
    target_nS = np.asarray(target_S, np.float64)[kept] * 1e9
    if not np.all(np.isfinite(target_nS)) or np.any(target_nS <= off_nS):
        raise ConfigError(f"conductance targets of kept cells must be finite and above the off target of {off_nS} nS")
    lsb = max(1, math.ceil((target_nS.max() - off_nS) * scale / most)) if target_nS.size else 1
    codes = np.zeros(kept.shape, f"u{code_bits // 8}")
    codes[kept] = np.clip(np.rint((target_nS - off_nS) * (scale / lsb)), 1, most)
    return {"code_bits": code_bits, "g_off_nS": off_nS, "g_lsb": lsb, "codes": codes}


def without_targets(program: Program) -> Program:
    """The same program without conductance targets: what a programmer pulses, and no more."""
    plain: Dict[str, Any] = {"codes": None, "code_bits": 0, "g_off_nS": 0, "g_lsb": 0}
    return replace(program, tiles=tuple(replace(tile, **plain) for tile in program.tiles))


def targets_of(program: Program) -> Program:
    """The targets alone, as a file of their own: masks and codes of what the program leaves, without a pulse.

    It fits a chip that holds the program, by its state. ConfigError when the program has no targets.
    """
    if not program.maps & table.MAPS["targets"]:
        raise ConfigError("the program has no conductance targets; build it with target_S")
    tiles = tuple(replace(tile, passes=()) for tile in program.tiles)
    held: Dict[str, Any] = {"before": table.BEFORE["programmed"], "base_state": None, "readback_id": 0}
    return replace(program, tiles=tiles, recipes=(), **held)


def increment(old: Program, new: Program) -> Program:
    """The program that takes a chip from the state of `old` to that of `new`: SET and RESET of the cells that differ.

    It holds these pulses alone. A chip that does not hold the state of `old` refuses it; afterwards it holds that of
    `new`. ConfigError when the two are not programs of the same chip and tiles.
    """
    same = ("chip_id", "macros", "rows", "cols", "orientation")
    place = ("number", "macro", "row0", "col0", "n_row", "n_col", "level", "on_min_nS", "off_max_nS")
    for name in same:
        if getattr(old, name) != getattr(new, name):
            raise ConfigError(
                f"{name} differs ({getattr(old, name)} and {getattr(new, name)}): not programs of one chip"
            )
    if [[getattr(tile, name) for name in place] for tile in old.tiles] != [
        [getattr(tile, name) for name in place] for tile in new.tiles
    ]:
        raise ConfigError("the two programs do not have the same tiles; export the new one whole")
    numbers = {recipe.kind_name: recipe.id for recipe in new.recipes}
    tiles = [_changes(before, after, numbers) for before, after in zip(old.tiles, new.tiles)]
    changed = tuple(tile for tile in tiles if tile.passes)
    return replace(new, tiles=changed, before=table.BEFORE["programmed"], base_state=old.new_state, readback_id=0)


def _changes(before: TileProgram, after: TileProgram, numbers: Mapping[str, int]) -> TileProgram:
    """The pulses that take a tile from one mask to another. ConfigError without the recipe for them."""
    was, becomes = _mask_of(before), _mask_of(after)
    changes = (("SET", becomes & ~was), ("RESET", was & ~becomes))
    needed = [(kind, cells) for kind, cells in changes if cells.any()]
    for kind, cells in needed:
        if kind not in numbers:
            raise ConfigError(
                f"tile {after.number}: {np.count_nonzero(cells)} cells need {kind}, and the new "
                "program has no such recipe"
            )
    passes = tuple((numbers[kind], cells) for kind, cells in needed)
    return replace(after, mask=None, codes=None, code_bits=0, g_off_nS=0, g_lsb=0, passes=passes)


def _mask_of(tile: TileProgram) -> np.ndarray:
    """The mask of a tile. ConfigError without one: that of an increment, for example."""
    if tile.mask is None:
        raise ConfigError(f"tile {tile.number} has no mask: export its program whole, an increment starts from that")
    return tile.mask


def applied(old: Program, step: Program) -> Program:
    """What a chip holds that held `old` and ran the increment `step`: the masks of `old` with the cells turned over.

    ConfigError when the increment does not fit: another chip or another state before.
    """
    for name, found, expected in (("chip_id", step.chip_id, old.chip_id), ("state", step.base_state, old.new_state)):
        if found != expected:
            raise ConfigError(f"the increment is for {name} {found:08x}, the program leaves {expected:08x}")
    turned = {tile.number: [cells for _, cells in tile.passes] for tile in step.tiles}
    tiles = []
    for tile in old.tiles:
        mask = _mask_of(tile).copy()
        for cells in turned.get(tile.number, []):
            mask ^= cells
        tiles.append(replace(tile, mask=mask, codes=None, code_bits=0, g_off_nS=0, g_lsb=0, passes=()))
    held: Dict[str, Any] = {"before": table.BEFORE["programmed"], "base_state": None, "readback_id": 0}
    return replace(old, tiles=tuple(tiles), **held)


def pulse_counts(program: Program) -> Dict[str, int]:
    """Cells pulsed by kind, e.g. {"FORM": 262144, "RESET": 131072}: at least one pulse each, at most max_pulses."""
    kinds = {recipe.id: recipe.kind_name for recipe in program.recipes}
    counts = {kind: 0 for kind in ("FORM", "SET", "RESET")}
    for tile in program.tiles:
        for recipe, cells in tile.passes:
            counts[kinds[recipe]] += int(np.count_nonzero(cells))
    return counts


def _nS(value_S: float) -> int:
    return int(round(value_S * 1e9))


def _map(values: np.ndarray, placement: Any, name: str, dtype: Any) -> np.ndarray:
    """`values` as an array of `dtype` over the cells of the placement; ShapeError otherwise."""
    values = np.asarray(values)
    shape = (placement.n_macros, placement.macro_rows, 2 * placement.macro_pairs)
    if values.shape != shape or (dtype is bool and values.dtype != np.bool_):
        raise ShapeError(f"{name}: {values.dtype} of shape {values.shape}, expected {np.dtype(dtype)} of {shape}")
    return values.astype(dtype, copy=False)

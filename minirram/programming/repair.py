"""From any measured state of a chip to the masks in one pass."""

from dataclasses import replace
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from ..errors import ConfigError, ShapeError
from ..xbp import digests, table
from ..xbp.records import Program, PulseRecord, TileProgram

_SLACK_nS = 1e-3  # as in a verification


class Repair(NamedTuple):
    """What a measured chip needs."""

    program: Optional[Program]
    """pulses for the cells that are not what the masks say, for the chip as measured; None: all are"""
    hopeless: Tuple[Tuple[int, int, int, str], ...]
    """(macro, row, column, why) of the cells that no program brings there"""


def repair(whole: Program, readback_S: np.ndarray, *, formable: np.ndarray, pristine_max_S: float) -> Repair:
    """The program that takes the chip of `whole` from a read-back to its masks, and the cells that it cannot.

    readback_S: float64 (macros, rows, cols), siemens. formable: bool likewise, cells that FORM can turn on.
    pristine_max_S: a cell that conducts less was probably never formed.

    A cell that must be off and conducts too much gets RESET. One that must be on and conducts too little gets SET, and
    FORM when that does not help; one that was probably never formed gets FORM and then SET. Each pass reads first and
    leaves cells alone that are past their threshold. A cell without a value is named, not pulsed. ShapeError for a map
    of another chip.
    """
    readback_S = np.asarray(readback_S, np.float64)
    shape = (whole.macros, whole.rows, whole.cols)
    if readback_S.shape != shape or formable.shape != shape:
        raise ShapeError(f"read-back of shape {readback_S.shape}, the program is for {shape}")
    recipes = tuple(_reads_first(recipe, whole) for recipe in whole.recipes)
    numbers = {recipe.kind_name: recipe.id for recipe in recipes}
    tiles: List[TileProgram] = []
    hopeless: List[Tuple[int, int, int, str]] = []
    for tile in whole.tiles:
        if tile.mask is None:
            raise ConfigError(f"tile {tile.number} has no mask: a repair starts from a whole program")
        where = (tile.macro, tile.rows, tile.cols)
        needs = _Needs(tile, readback_S[where], formable[where], pristine_max_S)
        tiles.append(needs.tile(numbers))
        hopeless += needs.hopeless()
    if not any(tile.passes for tile in tiles):
        return Repair(None, tuple(sorted(hopeless)))
    measured: Dict[str, Any] = {
        "before": table.BEFORE["measured"],
        "base_state": 0,
        "readback_id": digests.readback_id(readback_S),
    }
    return Repair(replace(whole, recipes=recipes, tiles=tuple(tiles), **measured), tuple(sorted(hopeless)))


def _reads_first(recipe: PulseRecord, whole: Program) -> PulseRecord:
    """The recipe with a verifying read, also before the first pulse."""
    if recipe.kind_name == "READ":
        return recipe
    read = next((one.id for one in whole.recipes if one.kind_name == "READ"), None)
    if read is None:
        raise ConfigError("the program has no READ: a repair verifies what it pulses")
    blind = recipe.verify_id == table.LIMITS["BLIND"]
    return replace(
        recipe, verify_id=read if blind else recipe.verify_id, read_first=1, good_reads=recipe.good_reads or 1
    )


class _Needs:
    """What the cells of one tile need; bool maps (n_row, n_col)."""

    def __init__(self, tile: TileProgram, read_S: np.ndarray, formable: np.ndarray, pristine_max_S: float) -> None:
        self.of = tile
        on = np.zeros((tile.n_row, tile.n_col), bool) if tile.mask is None else tile.mask
        self.unread = ~np.isfinite(read_S)
        read_nS = np.where(self.unread, 0.0, read_S) * 1e9
        low = on & ~self.unread & (read_nS < tile.on_min_nS - _SLACK_nS)
        self.never = low & ~formable
        self.pristine = low & formable & (read_nS < pristine_max_S * 1e9)
        self.off = low & formable & ~self.pristine
        self.high = ~on & ~self.unread & (read_nS > tile.off_max_nS + _SLACK_nS)

    def tile(self, numbers: Mapping[str, int]) -> TileProgram:
        """The tile with the pulses that it needs."""
        wishes = (
            ("RESET", self.high),
            ("SET", self.off),
            ("FORM", self.off | self.pristine),
            ("SET", self.pristine),
        )
        passes = tuple((numbers[kind], cells) for kind, cells in wishes if cells.any() and kind in numbers)
        plain: Dict[str, Any] = {"codes": None, "code_bits": 0, "g_off_nS": 0, "g_lsb": 0}
        return replace(self.of, passes=passes, **plain)

    def hopeless(self) -> List[Tuple[int, int, int, str]]:
        """(macro, row, column, why) of the cells that no pulse helps."""
        return [
            (self.of.macro, self.of.row0 + row, self.of.col0 + col, why)
            for why, cells in (("not read", self.unread), ("never formed", self.never))
            for row, col in np.argwhere(cells).tolist()
        ]

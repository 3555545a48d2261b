"""What a map that fits a program badly may be instead: turned, in another unit, from before, of another chip.

Each possible mistake is undone, and the cells that then differ are counted. What explains nine of ten is named.
"""

from typing import Callable, Iterator, List, Tuple

import numpy as np

from ..xbp.records import Program, TileProgram

Told = Callable[[Program, TileProgram], Tuple[np.ndarray, np.ndarray]]
"""(cells that must be on, cells of which the program says what they must be) of a tile: `readback.told_cells`"""
_EXPLAINS = 0.1  # of the wrong cells are left when the mistake is undone
_ACTED = 0.25  # share of cells that should be off: where more conduct, no RESET was there
_FEW = 0.02  # share of wrong cells below which a map is right, and cells are wrong
_UNITS = ((1e-3, "1000 times too small"), (1e3, "1000 times too large"))
_FURTHER = ((1e-6, "a million times too small"), (1e6, "a million times too large"))
_TURNED: Tuple[Tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("rows and columns exchanged", lambda map_S: map_S.swapaxes(1, 2)),
    ("rows in reverse order", lambda map_S: map_S[:, ::-1]),
    ("columns in reverse order", lambda map_S: map_S[:, :, ::-1]),
    ("rows and columns in reverse order", lambda map_S: map_S[:, ::-1, ::-1]),
    ("the two columns of each pair exchanged", lambda map_S: _pairs_exchanged(map_S)),
    ("rows one further on", lambda map_S: np.roll(map_S, -1, axis=1)),
    ("columns one further on", lambda map_S: np.roll(map_S, -1, axis=2)),
    ("macros in reverse order", lambda map_S: map_S[::-1]),
)


def suspects(program: Program, readback_S: np.ndarray, told: Told) -> Tuple[str, ...]:
    """What the map may be; () where few cells differ or nothing explains them. readback_S: (macros, rows, cols)."""
    cells = _Cells(program, told)
    wrong, checked = cells.wrong(readback_S)
    if not checked or wrong <= max(4, _FEW * checked):
        return ()
    found: List[str] = []
    for what, turned in _ways(readback_S):
        if turned.shape == readback_S.shape and cells.wrong(turned)[0] <= _EXPLAINS * wrong:
            found.append(what)
    return tuple(found) or tuple(cells.states(readback_S, wrong / checked))


def _ways(readback_S: np.ndarray) -> Iterator[Tuple[str, np.ndarray]]:
    """(what is the matter, the map with that undone)."""
    for what, undo in _TURNED:
        yield what, undo(readback_S)
    for factor, what in _UNITS + _FURTHER:
        yield f"{what}: in another unit", readback_S / factor


def _pairs_exchanged(map_S: np.ndarray) -> np.ndarray:
    even = map_S.shape[2] // 2 * 2
    order = np.arange(map_S.shape[2])
    order[:even] ^= 1
    return map_S[:, :, order]


class _Cells:
    """The cells of which a program says what they must be."""

    def __init__(self, program: Program, told: Told) -> None:
        self.tiles = [(tile, *told(program, tile)) for tile in program.tiles]

    def wrong(self, map_S: np.ndarray) -> Tuple[int, int]:
        """(cells on the wrong side of their threshold, cells compared)."""
        wrong = checked = 0
        for tile, on, told in self.tiles:
            here_nS = map_S[tile.macro, tile.rows, tile.cols] * 1e9
            with np.errstate(invalid="ignore"):
                good = np.where(on, here_nS >= tile.on_min_nS, here_nS <= tile.off_max_nS)
            wrong += int(np.count_nonzero(told & ~good))
            checked += int(np.count_nonzero(told))
        return wrong, checked

    def states(self, map_S: np.ndarray, rate: float) -> Iterator[str]:
        """What the states of the cells say, where no turn and no unit explains them."""
        kept = pruned = kept_on = pruned_on = 0
        for tile, on, told in self.tiles:
            with np.errstate(invalid="ignore"):
                conducts = map_S[tile.macro, tile.rows, tile.cols] * 1e9 >= tile.on_min_nS
            kept += int(np.count_nonzero(on))
            pruned += int(np.count_nonzero(told & ~on))
            kept_on += int(np.count_nonzero(conducts & on))
            pruned_on += int(np.count_nonzero(conducts & told & ~on))
        share_kept, share_pruned = kept_on / max(kept, 1), pruned_on / max(pruned, 1)
        if share_kept > 0.9 and share_pruned > 0.9:
            yield "read before programming: nearly all cells conduct, those that should be off, too"
        elif share_kept > 0.9 and share_pruned > _ACTED:
            yield f"read before programming: kept cells conduct, and {share_pruned:.0%} of those that should be off"
        elif share_kept < 0.1 and share_pruned < 0.1:
            yield "read before forming, or without contact: nearly no cell conducts"
        elif abs(share_kept - share_pruned) < 0.25 and rate > 0.1:
            yield "of another chip, or of another program: which cells conduct has little to do with the masks"
        elif share_kept < 0.1 and share_pruned > 0.9:
            yield "on and off are exchanged"

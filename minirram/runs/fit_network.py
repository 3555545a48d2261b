"""A network that fills the live lines of given macros: the family of a task's network, each width chosen anew."""

import contextlib
from dataclasses import dataclass, replace
from typing import Dict, Iterator, Optional, Sequence, Tuple

import numpy as np

from ..chip.dead_lines import ChipLines
from ..chip.placement import Placement, place
from ..device.formed_maps import formed_maps
from ..device.interface import Cell
from ..errors import ConfigError, ShapeError
from ..json_codec import Result
from ..labfiles.maps import Reading
from ..nn.layers.widths import deeper, widths, with_widths
from ..nn.network import Network, matrices, weights_by_layer

LEAST_FILLED = 0.5
"""share of the live pairs below which a full layer more is tried"""
FINEST = 40
"""halvings of the interval in which the common share of all widths is sought"""


@dataclass(frozen=True)
class FittedNetwork(Result):
    """A network for given macros, checked by placing it."""

    task: str
    """name of the task"""
    network: str
    """name of its network"""
    widths: Dict[str, int]
    """channels of the layers whose width was chosen"""
    weights: int
    """weights of its matrices"""
    weights_by_layer: Dict[str, int]
    """weights of each matrix"""
    macros: int
    """macros that it takes"""
    live_rows: int
    """rows that every macro offers"""
    live_cols: int
    """columns of cells that every macro offers"""
    filled: float
    """share of the live pairs of all macros at hand that carry a weight"""
    dead_rows: Tuple[Tuple[int, int], ...]
    """[macro, row] of each row counted as dead, those of the maps without a formed cell among them"""
    dead_cols: Tuple[Tuple[int, int], ...]
    """[macro, column] of each such column"""
    added: Tuple[str, ...]
    """layers that the network has beyond the task's, because widths alone leave more than half of the pairs unused"""
    readings: Tuple[Reading, ...]
    """what was taken from the maps and from the file of dead lines"""
    maps_left_out: int
    """maps beyond the macros that were asked for"""
    file: Optional[str] = None
    """the task as JSON, for `train`; None: it was not written"""
    lines_file: Optional[str] = None
    """the lines as JSON, for `train --dead-lines`; None: all lines are alive"""


def fit_network(network: Network, lines: ChipLines, macros: int = 1) -> Tuple[Network, Placement]:
    """(the network with widths that fit `macros` macros of these lines, its placement).

    Sought among networks with the proportions of the given one, and among those in which one width has half or twice
    its part. The widths are scaled by one share, the largest that fits. Then each grows as far as there is room, the
    one that lost most first. The network with most weights is taken. Where widths alone fill less than LEAST_FILLED, a
    full layer more is tried, see `deeper`. ConfigError when not even widths of 1 fit.
    """
    fitted, placement = _fitted(network, lines, macros)
    more = deeper(network)
    if more is not None and placement.n_pairs < LEAST_FILLED * macros * lines.logical_rows * lines.logical_pairs:
        with contextlib.suppress(ConfigError):
            other, found = _fitted(more, lines, macros)
            if found.n_pairs > placement.n_pairs:
                return other, found
    return fitted, placement


def _fitted(network: Network, lines: ChipLines, macros: int) -> Tuple[Network, Placement]:
    """What `fit_network` finds by widths alone."""
    own = widths(network)
    if not own:
        raise ConfigError(f"no width of network {network.name} can be chosen")
    room = _Room(network, lines, macros)
    chosen = {name: 1 for name in own}
    placement = room.placed(chosen)
    if placement is None:
        raise ConfigError(
            f"no network of the family of {network.name} fits {macros} macro(s) of {lines.logical_rows} x "
            f"{2 * lines.logical_pairs} live cells: with one channel everywhere it takes "
            f"{sum(weights_by_layer(with_widths(network, chosen)).values())} weights in more lines than there are; "
            "name more maps or larger ones, or a task with fewer inputs"
        )
    for parts in _proportions(own):
        tried = _grown(room, parts, _scaled(room, parts))
        found = room.placed(tried)
        if found is not None and found.n_pairs > placement.n_pairs:
            chosen, placement = tried, found
    size = f"{lines.logical_rows}x{2 * lines.logical_pairs}" + (f"x{macros}" if macros > 1 else "")
    return replace(with_widths(network, chosen), name=f"{network.name}-{size}"), placement


class _Room:
    """The macros at hand."""

    def __init__(self, network: Network, lines: ChipLines, macros: int) -> None:
        self.network, self.lines, self.macros = network, lines, macros
        self.pairs = macros * lines.logical_rows * lines.logical_pairs

    def placed(self, chosen: Dict[str, int]) -> Optional[Placement]:
        """Where the network with these widths lies; None when it does not fit."""
        try:
            shapes = matrices(with_widths(self.network, chosen))
        except (ShapeError, ConfigError):
            return None
        if sum(rows * cols for _, (rows, cols) in shapes) > self.pairs:
            return None
        placement = place(shapes, self.lines.logical_rows, macro_pairs=self.lines.logical_pairs)
        return placement if placement.n_macros <= self.macros else None


def _proportions(own: Dict[str, int]) -> Iterator[Dict[str, float]]:
    """Widths in relation to each other: those of the network, then one at a time with half or twice its part."""
    yield {name: float(width) for name, width in own.items()}
    for name in own:
        for part in (0.5, 2.0):
            yield {one: width * (part if one == name else 1.0) for one, width in own.items()}


def _scaled(room: _Room, own: Dict[str, float]) -> Dict[str, int]:
    """The widths times the largest common share that fits, each at least 1."""

    def at(share: float) -> Dict[str, int]:
        return {name: max(1, int(share * width)) for name, width in own.items()}

    low, high = 0.0, 1.0
    while room.placed(at(high)) is not None:
        low, high = high, 2 * high
    for _ in range(FINEST):
        middle = (low + high) / 2
        low, high = (low, middle) if room.placed(at(middle)) is None else (middle, high)
    return at(low)


def _grown(room: _Room, own: Dict[str, float], chosen: Dict[str, int]) -> Dict[str, int]:
    """The widths, each grown as far as there is room, the one with the least share of its own width first."""
    chosen, growing = dict(chosen), set(own)
    while growing:
        name = min(sorted(growing), key=lambda one: chosen[one] / own[one])
        wider = dict(chosen, **{name: chosen[name] + 1})
        if room.placed(wider) is None:
            growing.discard(name)
        else:
            chosen = wider
    return chosen


def lines_of_maps(lines: Optional[ChipLines], maps_S: Sequence[np.ndarray], cell_model: Cell) -> ChipLines:
    """The lines of macros that are these maps: `lines`, with those that hold no formed cell counted as dead.

    maps_S: siemens, float64 (rows, columns). cell_model: the technology, which tells formed from pristine cells.
    ShapeError when sizes differ from each other or from those of `lines`.
    """
    sizes = sorted({map_S.shape for map_S in maps_S})
    rows, cols = sizes[0]
    stated = ChipLines(rows=rows, pairs=cols // 2) if lines is None else lines
    if len(sizes) > 1 or (stated.rows, 2 * stated.pairs) != (rows, cols):
        raise ShapeError(f"maps of {sizes}, macros of {stated.rows} x {2 * stated.pairs}: they must be of one size")
    found = formed_maps(maps_S, cell_model, largest_S=cell_model.grid_max(rows) * cell_model.grid_S)
    dead_rows, dead_cols = set(stated.dead_rows), set(stated.dead_cols)
    for macro, map_S in enumerate(found.maps_S):
        dead_rows |= {(macro, int(row)) for row in np.flatnonzero(~(map_S > 0).any(axis=1))}
        dead_cols |= {(macro, int(col)) for col in np.flatnonzero(~(map_S > 0).any(axis=0))}
    return replace(stated, dead_rows=tuple(sorted(dead_rows)), dead_cols=tuple(sorted(dead_cols)))

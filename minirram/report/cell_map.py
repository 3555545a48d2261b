"""The cells of macros as pictures: one pixel a cell, rare cells ringed, zoomed by the page's own controls."""

from typing import Dict, List, Sequence, Tuple

import numpy as np

from .html import Markup, joined, tag
from .page import scrolling
from .png import Colour, data_uri

STATES = ("not in use", "kept", "pruned", "partner, off", "not formed", "stuck", "failed")
"""of a cell, by the number that `cell_maps` takes; the last ones are rare as a rule"""
PALETTE: Tuple[Colour, ...] = (
    (128, 128, 128, 0),
    (28, 118, 196, 255),
    (128, 136, 144, 110),
    (128, 136, 144, 40),
    (222, 160, 20, 255),
    (222, 92, 20, 255),
    (190, 80, 150, 255),
)
"""seen on white and on black, by every kind of sight: strong blue, two greys, then three marked by shapes, too"""
MARKED = {4: ("unformed", "ring"), 5: ("stuck", "square"), 6: ("failed", "cross")}
"""number of a state -> class and shape of its marks"""
MOST_MARKS = 600
"""of one kind on one macro; where there are more, the cells themselves are seen"""
ZOOMS = (1, 2, 4, 8)


def cell_maps(maps: Sequence[np.ndarray], names: Sequence[str]) -> Markup:
    """Pictures of macros: maps, each integers (rows, cols), places in `STATES`; names: a line for each macro."""
    counts = {name: sum(int(np.count_nonzero(one == k)) for one in maps) for k, name in enumerate(STATES)}
    legend = [_legend(k, counts[name]) for k, name in enumerate(STATES) if counts[name] and k]
    pictures = [tag("div", tag("h3", name), _window(one, name)) for one, name in zip(maps, names)]
    controls: List[Markup] = []
    for zoom in ZOOMS:
        controls.append(tag("input", type="radio", name="zoom", id=f"zoom-{zoom}", checked=zoom == 1))
        controls.append(tag("label", "whole" if zoom == 1 else f"{zoom} \u00d7", for_=f"zoom-{zoom}"))
    size = " one" if len(pictures) == 1 else " many" if len(pictures) > 6 else ""
    shown = tag("div", *pictures, cls="maps" + size)
    fields = tag("fieldset", tag("legend", "Zoom of the maps"), *controls, shown, cls="zoom")
    return joined(tag("ul", *legend, cls="legend"), fields)


def marks(states: np.ndarray, number: int) -> str:
    """The path of the marks on the cells (rows, cols) of one state: rings, squares or crosses of four cells."""
    rows, cols = np.nonzero(states == number)
    shape = {
        "ring": "M{x:g} {y:g}m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0",
        "square": "M{x:g} {y:g}m-3-3h6v6h-6z",
        "cross": "M{x:g} {y:g}m-3-3l6 6m0-6l-6 6",
    }[MARKED[number][1]]
    return "".join(shape.format(x=col + 0.5, y=row + 0.5) for row, col in zip(rows.tolist(), cols.tolist()))


def described(states: np.ndarray) -> str:
    """What a map shows, in words."""
    found: Dict[str, int] = {name: int(np.count_nonzero(states == k)) for k, name in enumerate(STATES)}
    parts = [f"{count:,} {name}" for name, count in found.items() if count]
    return f"{states.shape[0]} rows and {states.shape[1]} columns of cells: " + ", ".join(parts)


def _window(states: np.ndarray, name: str) -> Markup:
    image = tag(
        "img", src=data_uri(states, PALETTE), alt=described(states), width=states.shape[1], height=states.shape[0]
    )
    paths = []
    for number, (kind, _) in MARKED.items():
        if 0 < np.count_nonzero(states == number) <= MOST_MARKS:
            paths.append(tag("path", d=marks(states, number), cls=kind))
    height, width = states.shape
    over = tag("svg", *paths, viewBox=f"0 0 {width} {height}", aria_hidden="true") if paths else None
    return scrolling(tag("div", image, over, cls="cells"), f"Cells, {name}", cls="window")


def _legend(number: int, count: int) -> Markup:
    red, green, blue, opacity = PALETTE[number]
    colour = f"background:rgb({red} {green} {blue} / {opacity / 255:.2f})"
    mark = f", marked by a {MARKED[number][1]}" if number in MARKED else ""
    return tag("li", tag("span", cls="swatch", style=colour), joined(f"{STATES[number]} {count:,}{mark}"))

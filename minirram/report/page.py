"""The page: what it holds as plain values, and how they become HTML."""

import os
import pkgutil
import re
from dataclasses import dataclass
from typing import Any, Optional, Sequence, Tuple, Union

from .. import __version__
from ..files import atomic_writer, utf8
from ..units import with_units_bound
from .html import Markup, joined, tag

MOST_UNBROKEN = 28
"""characters of the name of a row that is not broken: it stays in place while the rest scrolls"""


@dataclass(frozen=True)
class Table:
    """Rows below a caption. The first cell of a row names it."""

    caption: str
    """what the table shows, with units"""
    head: Tuple[str, ...]
    """heading of each column"""
    rows: Sequence[Sequence[Any]]
    """cells: text, integers (grouped by thousands), None (a dash), or Markup"""
    texts: Tuple[int, ...] = ()
    """columns that hold text and are set to the left; the first always is"""
    shade: Optional[Sequence[Sequence[float]]] = None
    """share 0..1 of each cell behind the first, shown as a tint; None: no tint"""
    most: int = 200
    """rows that are shown; how many more there are is said"""

    def html(self) -> Markup:
        """The table in a box that scrolls by itself."""
        head = tag("tr", *(tag("th", name, scope="col", cls=self._side(k)) for k, name in enumerate(self.head)))
        body = [self._row(k, row) for k, row in enumerate(self.rows[: self.most])]
        table = tag("table", tag("caption", tag("span", self.caption)), tag("thead", head), tag("tbody", *body))
        more = len(self.rows) - self.most
        note = tag("p", f"{more:,} further rows are not shown.", cls="quiet") if more > 0 else None
        return joined(scrolling(table, self.caption, "scroll" if self.shade is None else "scroll matrix"), note)

    def _row(self, index: int, row: Sequence[Any]) -> Markup:
        long = isinstance(row[0], str) and len(row[0]) > MOST_UNBROKEN
        cells = [tag("th", shown(row[0]), scope="row", cls="long" if long else None)]
        for k, value in enumerate(row[1:], 1):
            tint = None if self.shade is None else self.shade[index][k - 1]
            style = f"--tint:{tint:.3f}" if tint else None
            cells.append(tag("td", shown(value), cls=self._side(k), style=style))
        return tag("tr", *cells)

    def _side(self, column: int) -> Optional[str]:
        return None if column == 0 or column in self.texts else "number"


@dataclass(frozen=True)
class Facts:
    """Names with their values, as a list."""

    items: Sequence[Tuple[str, Any]]
    """(name, value)"""
    large: bool = False
    """key figures: large, side by side"""

    def html(self) -> Markup:
        """A description list."""
        rows = [tag("div", tag("dt", name), tag("dd", _prose(shown(value)))) for name, value in self.items]
        return tag("dl", *rows, cls="figures" if self.large else "facts")


@dataclass(frozen=True)
class Figure:
    """A picture with its caption. Without a picture (no matplotlib) it is left out."""

    picture: Optional[Markup]
    """SVG or image"""
    caption: str
    """what is to be seen"""
    wide: bool = False
    """it takes the whole width"""

    def html(self) -> Markup:
        """The figure, or nothing."""
        if self.picture is None:
            return Markup("")
        return tag("figure", self.picture, tag("figcaption", _prose(self.caption)), cls="wide" if self.wide else None)


@dataclass(frozen=True)
class Side:
    """Figures, tables or facts side by side where there is room."""

    parts: Tuple[Union[Figure, Table, Facts], ...]
    """in order"""

    def html(self) -> Markup:
        """A grid, without figures that have no picture."""
        drawn = [part.html() for part in self.parts]
        return tag("div", *(tag("div", html) for html in drawn if html), cls="side") if any(drawn) else Markup("")


Part = Union[str, Markup, Table, Facts, Figure, Side]
"""of a section; a text is a paragraph"""


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    """heading"""
    parts: Tuple[Part, ...]
    """in order"""

    @property
    def anchor(self) -> str:
        """Name of its place on the page."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    def html(self) -> Markup:
        """The section."""
        parts = [joined(part_html(part), Markup("\n")) for part in self.parts]
        return tag("section", tag("h2", self.title, id=self.anchor), *parts, aria_labelledby=self.anchor)


@dataclass(frozen=True)
class Page:
    """A report."""

    kind: str
    """what it reports on: run, comparison ..."""
    title: str
    """name of that"""
    lead: str
    """the result in one sentence"""
    basis: str
    """what it rests on"""
    sections: Tuple[Section, ...]
    """in order"""
    notes: Tuple[str, ...] = ()
    """what was left out, and what brings it in"""
    key: Tuple[Tuple[str, Any], ...] = ()
    """key figures"""

    def html(self) -> str:
        """The file."""
        style = (pkgutil.get_data(__package__, "page.css") or b"").decode("utf-8")
        head = tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("link", rel="icon", href="data:,"),
            tag("title", f"{self.title} \u2013 {self.kind} report"),
            tag("style", Markup(style)),
        )
        links = [tag("li", tag("a", one.title, href="#" + one.anchor)) for one in self.sections]
        header = tag(
            "header",
            tag("p", f"minirram \u00b7 {self.kind}", cls="kind"),
            tag("h1", self.title),
            tag("p", _prose(self.lead), cls="lead"),
            tag("p", _prose(self.basis), cls="basis"),
            Facts(self.key, large=True).html() if self.key else None,
            *(tag("p", _prose(note), cls="note") for note in self.notes),
        )
        contents = tag("nav", tag("ul", *links), aria_label="Contents")
        body = [joined(section.html(), Markup("\n")) for section in self.sections]
        foot = tag("footer", tag("p", f"Written by minirram {__version__}. The page holds all it shows."))
        whole = tag("html", head, Markup("\n"), tag("body", header, contents, tag("main", *body), foot), lang="en")
        return f"<!doctype html>\n{whole}\n"

    def pictures(self) -> int:
        """How many figures it has."""
        return sum(_pictures(part) for section in self.sections for part in section.parts)


def _pictures(part: Part) -> int:
    parts = part.parts if isinstance(part, Side) else (part,)
    return sum(isinstance(one, Figure) and one.picture is not None for one in parts)


def part_html(part: Part) -> Markup:
    """The HTML of a part of a section."""
    if isinstance(part, Markup):
        return part
    return tag("p", _prose(part)) if isinstance(part, str) else part.html()


def _prose(value: Any) -> Any:
    """Text whose numbers keep their units where a line ends; all else as it is."""
    return with_units_bound(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def scrolling(content: Markup, label: str, cls: str) -> Markup:
    """A box that scrolls by itself, with the keyboard, too."""
    return tag("div", content, cls=cls, tabindex="0", role="region", aria_label=label)


def shown(value: Any) -> Any:
    """A value as a cell shows it."""
    if value is None:
        return "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else value


def write_page(path: "Union[str, os.PathLike[str]]", page: Page) -> int:
    """Write the page, whole or not at all; returns its size in bytes."""
    data = utf8(page.html())
    with atomic_writer(path) as handle:
        handle.write(data)
    return len(data)

"""Drawings of matplotlib as SVG within a page: in the colours and letters of the page, light or dark."""

import contextlib
import io
import re
import warnings
from typing import Any, Callable, Iterator, Optional, Tuple

from .html import Markup, joined, tag, visible
from .text import SHARES, si

INK, QUIET, LINE, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"
"""stand for the page's own: text, quiet text, lines, background"""
SERIES = tuple(f"#0d0e{k:02x}" for k in range(1, 7))
"""stand for the six colours of series, which differ for every kind of sight"""
_VARIABLES = {
    INK: "currentColor",
    QUIET: "var(--quiet)",
    LINE: "var(--line)",
    PAPER: "var(--paper)",
    **{colour: f"var(--s{k})" for k, colour in enumerate(SERIES, 1)},
}
WIDTH_PX, HEIGHT_PX = 372, 256
"""of a drawing: a phone shows it as it is"""

Draw = Callable[[Any], None]
"""draws on one matplotlib Axes"""


def picture(draw: Draw, title: str, describe: str, *, height_px: int = HEIGHT_PX) -> Optional[Markup]:
    """What `draw` draws, as SVG; None without matplotlib.

    title: what it shows. describe: what is to be seen, for those who do not see it. The same values give the same text.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        return None
    with matplotlib.rc_context(_STYLE), _unwarned():
        figure = Figure(figsize=(WIDTH_PX / 72, height_px / 72), constrained_layout=True)
        canvas = FigureCanvasSVG(figure)
        axes = figure.subplots()
        draw(axes)
        _plain_powers(axes)
        text = io.StringIO()
        canvas.print_svg(text, metadata={"Date": None})
    return themed(text.getvalue(), title, describe)


def can_draw() -> bool:
    """Whether matplotlib is there."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


@contextlib.contextmanager
def _unwarned() -> Iterator[None]:
    """Letters that the font of the measure lacks are drawn by the page's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


_STYLE = {
    "svg.fonttype": "none",
    "axes.formatter.useoffset": False,
    "svg.hashsalt": "minirram",
    "text.parse_math": False,
    "text.color": INK,
    "font.size": 10.0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.edgecolor": QUIET,
    "axes.labelcolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.0,
    "axes.labelsize": 10.0,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 10.0,
    "ytick.labelsize": 10.0,
    "legend.frameon": False,
    "legend.fontsize": 10.0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
}


def themed(svg: str, title: str, describe: str) -> Markup:
    """An SVG file of matplotlib as an element of a page."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style[^>]*>.*?</style>", "", body, flags=re.S)
    view = re.search(r'viewBox="([^"]*)"', body)
    inner = body[body.index(">") + 1 : body.rindex("</svg>")]
    for colour, variable in _VARIABLES.items():
        inner = inner.replace(colour, variable)
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    inner = _named(_letters(inner.replace("xlink:href", "href")), name)
    inner = re.sub(r"\s*\n\s*", " ", inner).replace("> <", "><")
    head = (tag("title", title, id=f"{name}-title"), tag("desc", visible(describe), id=f"{name}-desc"))
    labels = f"{name}-title {name}-desc"
    whole = tag("svg", *head, Markup(inner.strip()), viewBox=view and view.group(1), role="img", aria_labelledby=labels)
    return joined(whole)


def _letters(inner: str) -> str:
    """Texts in the font of the page, their size kept."""
    inner = re.sub(r"font-family: [^;\"]*;? ?", "", inner)
    return re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font-size: \1", inner)


def _named(inner: str, prefix: str) -> str:
    """Ids that are referred to begin with `prefix`, the others go: one page holds many drawings."""
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', inner))

    def renamed(found: "re.Match[str]") -> str:
        return f' id="{prefix}-{found.group(1)}"' if found.group(1) in used else ""

    inner = re.sub(r' id="([^"]*)"', renamed, inner)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", inner)


def _plain_powers(axes: Any) -> None:
    """Numbers on logarithmic axes as 0.1, 1, 10; on short ones as 1, 2, 5, 10. Units of `si_ticks` stay."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.autoscale_view()
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() != "log" or isinstance(axis.get_major_locator(), FixedLocator):
            continue
        low, high = sorted(axis.get_view_interval())
        subs = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high < 6 * low else (1.0, 2.0, 5.0) if high < 40 * low else (1.0,)
        powers = LogLocator(base=10, subs=subs, numticks=6 if subs == (1.0,) else 9)
        axis.set_major_locator(MaxNLocator(4) if high < 2.5 * low else powers)
        axis.set_minor_formatter(NullFormatter())
        if isinstance(axis.get_major_formatter(), LogFormatter):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1000 else f"{value:g}"))


def si_ticks(axis: Any, unit: str) -> None:
    """Quantities on a logarithmic axis as 1 pJ, 1 nJ."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: si(value, unit)))


def score_ticks(axis: Any, name: str = "accuracy") -> None:
    """Shares in percent, as texts beside the drawing have them; all other figures stay as they are."""
    from matplotlib.ticker import PercentFormatter

    if name in SHARES:
        axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))


def whole_ticks(axis: Any) -> None:
    """Whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, nbins=7))


def labels_below(axes: Any, columns: int = 3) -> None:
    """The legend below the drawing, where it covers nothing."""
    axes.figure.legend(loc="outside lower center", ncols=columns)


def span(values: Tuple[float, float], share: float = 0.05) -> Tuple[float, float]:
    """A range with some room on both sides."""
    low, high = values
    room = (high - low or abs(high) or 1.0) * share
    return low - room, high + room

"""The page kit: escaping, tables, pictures of cells, drawings in the colours of the page."""

import base64
import struct
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.errors import ShapeError
from minirram.report import cell_map, png
from minirram.report.html import Markup, joined, tag, visible
from minirram.report.page import Facts, Figure, Page, Section, Side, Table, write_page
from minirram.report.svg import can_draw, picture, score_ticks, si_ticks, themed, whole_ticks
from minirram.report.text import count, percent, points, ratio, score, si, size

from ..support.html_pages import Seen, check_page


def page_of(*parts, **more):
    """A page with one section."""
    return Page(
        **dict(dict(kind="Run", title="t", lead="l", basis="b", sections=(Section("Part one", parts),)), **more)
    )


# -- escaping ----------------------------------------------------------------------------------------------------------


@given(st.text(st.sampled_from("<>&\"'/=;# \n\tab\x00\x1f\x85\ud800\uffff\u00e9\U0001f600"), max_size=12))
def test_text_is_text_wherever_it_stands(text):
    seen = Seen(tag("p", text, title=text) + tag("i", text))
    assert [name for name, _ in seen.tags] == ["p", "i"]
    assert seen.text("p") == seen.text("i") == seen.of("p")[0]["title"] == visible(text)
    visible(text).encode("utf-8")


@pytest.mark.parametrize(
    "text", ["<b>", '"><script>alert(1)</script>', "a & b", "--></style>", "\x00\x07\ud800", "]]>"]
)
def test_a_page_shows_names_as_they_are(text):
    table = Table(text, (text, "n"), ((text, 1),))
    page = page_of(
        text, table, Facts(((text, text),)), title=text, lead=text, basis=text, notes=(text,), key=((text, text),)
    )
    seen = check_page(page.html())
    assert {name for name, _ in seen.tags}.isdisjoint({"b", "script"})
    assert seen.text("h1") == seen.text("caption", "span") == visible(text) == seen.tables[visible(text)][0][0]
    page.html().encode("utf-8")


def test_markup_is_kept_and_joined_once():
    assert joined("<", Markup("<br>"), None, 3) == "&lt;<br>3"
    assert tag("input", checked=True, disabled=False, for_="a", aria_label="x") == (
        '<input checked for="a" aria-label="x">'
    )


# -- parts -------------------------------------------------------------------------------------------------------------


def test_a_table_has_headings_for_rows_and_columns_and_scrolls_by_itself():
    rows = [(f"row {k}", k * 1000, None) for k in range(5)]
    html = page_of(Table("What it shows", ("name", "number", "else"), rows, most=3)).html()
    seen = check_page(html)
    assert seen.tables["What it shows"] == [
        ["name", "number", "else"],
        *[[f"row {k}", f"{k * 1000:,}", "–"] for k in range(3)],
    ]
    scopes = [attributes["scope"] for attributes in seen.of("th")]
    assert scopes == ["col"] * 3 + ["row"] * 3 and "2 further rows are not shown." in seen.text("p")
    (box,) = [a for a in seen.of("div") if a.get("class") == "scroll"]
    assert (box["tabindex"], box["role"], box["aria-label"]) == ("0", "region", "What it shows")


def test_a_figure_without_a_picture_leaves_nothing(tmp_path):
    drawn = Figure(Markup("<svg></svg>"), "a caption")
    page = page_of(Side((Figure(None, "gone"), drawn)), Side((Figure(None, "gone"),)), Figure(None, "gone"))
    seen = check_page(page.html())
    assert page.pictures() == 1 and len(seen.of("figure")) == 1 and "gone" not in seen.text()
    assert write_page(tmp_path / "page.html", page) == (tmp_path / "page.html").stat().st_size


def test_numbers_for_people():
    assert si(1.5e-6, "S") == "1.5 µS" and si(None, "J") == "–" and si(2e-15, "J") == "2 fJ"
    assert [percent(x) for x in (0.5, 0.0, 1e-9, None, float("nan"))] == ["50.00 %", "0 %", "< 0.01 %", "–", "–"]
    assert [ratio(x) for x in (0.04838, 5.62, 3204.0)] == ["0.0484", "5.62", "3,204"]
    assert count(1, "macro") == "1 macro" and count(2000, "macro") == "2,000 macros" and size(49704) == "50 kB"


def test_shares_stand_in_percent_and_their_distances_in_points():
    assert score(0.8427, "accuracy") == "84.27 %" and score(0.9897, "roc_auc") == "0.9897"
    assert score(None, "dice") == "–"
    assert points(-0.0997, "accuracy", 0.0073) == "−9.97 ± 0.73 points" and points(0.0099, "accuracy") == "0.99 points"
    assert points(0.375, "dice", 0.25) == "0.3750 ± 0.2500"


# -- pictures of cells -------------------------------------------------------------------------------------------------


def decoded(data):
    """(pixels, palette) of an indexed PNG without filters, read chunk by chunk."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    width, height, bits, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert colour == 3
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not lines[:, 0].any()
    pixels = np.unpackbits(lines[:, 1:], axis=1)[:, : width * bits].reshape(height, width, bits)
    rgb = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
    return pixels @ (1 << np.arange(bits)[::-1]), np.column_stack([rgb, np.frombuffer(chunks[b"tRNS"], np.uint8)])


@given(st.integers(1, 9), st.integers(1, 19), st.integers(1, 256), st.integers(0, 99))
def test_a_png_is_read_back(height, width, colours, seed):
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, colours, (height, width))
    palette = [tuple(row) for row in generator.integers(0, 256, (colours, 4)).tolist()]
    found, colours_found = decoded(png.png(pixels, palette))
    assert np.array_equal(found, pixels) and colours_found.tolist() == [list(row) for row in palette]


def test_a_pixel_beyond_the_palette_is_refused():
    for pixels in (np.full((2, 2), 3), np.full((2, 2), -1), np.zeros((0, 3)), np.zeros(4)):
        with pytest.raises(ShapeError):
            png.png(pixels, [(0, 0, 0, 255)] * 3)


def test_maps_hold_every_cell_mark_rare_ones_and_say_so():
    states = np.random.default_rng(0).integers(0, 4, (2, 40, 30)).astype(np.uint8)
    states[0, 3, 7], states[0, 5, 2], states[1, 39, 29] = 4, 5, 6
    seen = Seen(tag("main", cell_map.cell_maps(states, ("first <one>", "second"))))
    images = seen.of("img")
    for image, one in zip(images, states):
        pixels, palette = decoded(base64.b64decode(image["src"].split(",")[1]))
        assert np.array_equal(pixels, one) and palette.tolist() == [list(colour) for colour in cell_map.PALETTE]
        assert f"{np.count_nonzero(one == 1):,} kept" in image["alt"]
    marks = {attributes["class"]: attributes["d"] for attributes in seen.of("path")}
    assert set(marks) == {"unformed", "stuck", "failed"} and marks["failed"].startswith("M29.5 39.5")
    assert marks["stuck"].count("M") == 1 and "first <one>" in seen.text("h3")
    legend = seen.text("li")
    assert "kept" in legend and "not formed 1, marked by a ring" in legend and "not in use" not in legend
    assert [a.get("checked", 0) for a in seen.of("input")] == [None, 0, 0, 0] and len(seen.of("label")) == 4


def test_many_cells_of_a_kind_are_not_marked():
    states = np.full((1, 40, 40), 4, np.uint8)
    assert not Seen(cell_map.cell_maps(states, ("all",))).of("path")


# -- drawings ----------------------------------------------------------------------------------------------------------

SVG = """<?xml version="1.0"?>
<svg xmlns:xlink="x" width="9pt" viewBox="0 0 9 9"><metadata>who</metadata>
<defs><style type="text/css">*{}</style></defs>
<g id="a"><defs><path id="m1" d="M 0 0
L 1 1" style="stroke: #010203"/></defs><g clip-path="url(#c1)"><use xlink:href="#m1" style="fill: #0d0e02"/></g></g>
<clipPath id="c1"/>
<text style="font-size: 10px; font-family: 'DejaVu Sans', 'Arial'; text-anchor: middle">x</text></svg>
"""


def test_a_drawing_takes_the_colours_and_letters_of_the_page():
    drawn = themed(SVG, "A <title>", "what & why")
    assert "who" not in drawn and "<style" not in drawn and "DejaVu" not in drawn and "#010203" not in drawn
    assert (
        "stroke: currentColor" in drawn
        and "fill: var(--s2)" in drawn
        and 'style="font-size: 10px; text-anchor' in drawn
    )
    assert 'id="a-title-m1"' in drawn and 'href="#a-title-m1"' in drawn and "url(#a-title-c1)" in drawn
    assert 'id="a"' not in drawn and "\n" not in drawn
    seen = Seen(drawn)
    assert seen.text("title") == "A <title>" and seen.text("desc") == "what & why"
    assert seen.of("svg")[0]["role"] == "img" and seen.of("svg")[0]["aria-labelledby"] == "a-title-title a-title-desc"


def test_without_matplotlib_there_is_no_drawing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert not can_draw() and picture(lambda axes: None, "t", "d") is None


@pytest.mark.slow
def test_a_drawing_of_matplotlib_is_the_same_each_time_and_holds_names_as_they_are():
    pytest.importorskip("matplotlib")

    def draw(axes):
        axes.plot([1, 2], [3, 1], label="$x_1$ <b> \u4e2d\u6587")
        axes.legend()

    one, two = (picture(draw, "Lines", "two of them") for _ in range(2))
    assert one == two and "$x_1$ <b> \u4e2d\u6587" in Seen(one).text("text") and "#1f77b4" in one


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, values, texts",
    [
        ("whole", [1, 2, 3], {"1", "2", "3"}),
        ("joules", [1e-12, 1e-9], {"1 pJ", "10 pJ", "100 pJ", "1 nJ"}),
        ("accuracy", [0.2, 0.8], {"20 %", "50 %", "80 %"}),
        ("log", [1, 1e4], {"1", "10", "100", "1,000", "10,000"}),
        ("short log", [1, 5], {"1", "2", "3", "5"}),
        ("shorter log", [1, 2], {"1.2", "1.5", "1.8"}),
    ],
)
def test_axes_have_numbers_that_people_write(kind, values, texts):
    """Ticks of a real drawing: whole numbers alone, units, shares in percent, no powers of ten."""
    pytest.importorskip("matplotlib")

    def draw(axes):
        axes.plot(values, [0.0] * len(values))
        axes.set_yticks([])
        if kind not in ("whole", "accuracy"):
            axes.set_xscale("log")
        ticks = {"whole": (whole_ticks,), "joules": (si_ticks, "J"), "accuracy": (score_ticks,)}.get(kind)
        if ticks is not None:
            ticks[0](axes.xaxis, *ticks[1:])

    shown = [text.strip() for tag, text in Seen(picture(draw, "Ticks", "of an axis")).texts if tag == "text"]
    assert texts <= set(shown) and not any("." in text for text in shown if kind == "whole")

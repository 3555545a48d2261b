"""Pages as a reader of HTML sees them, without a browser."""

from html.parser import HTMLParser
from typing import Any, Dict, List, Optional, Tuple

EMPTY = {"br", "img", "input", "meta", "link", "hr"}


class Seen(HTMLParser):
    """Tags in order, the text of each element, and whether every element is closed where it was opened."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: List[Tuple[str, Dict[str, Optional[str]]]] = []
        self.texts: List[Tuple[str, str]] = []
        self.tables: Dict[str, List[List[str]]] = {}
        self._open: List[str] = []
        self._rows: List[List[str]] = []
        self._caption = ""
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in EMPTY:
            self._open.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"</{tag}> closes {self._open[-1:]}"
        self._open.pop()
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, text: str) -> None:
        text = text.replace("\u00a0", " ")  # a number and its unit: a reader sees a space
        self.texts.append((self._open[-1] if self._open else "", text))
        if "caption" in self._open:
            self._caption += text
        elif "td" in self._open or "th" in self._open:
            self._rows[-1][-1] += text

    def of(self, tag: str) -> List[Dict[str, Optional[str]]]:
        """Attributes of all elements of one name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self, *tags: str) -> str:
        """All text, or that directly in elements of these names."""
        return "".join(text for name, text in self.texts if not tags or name in tags)


def check_page(html: str) -> Seen:
    """A page that stands alone: what it holds, after checks that every page must pass."""
    seen = Seen(html)
    for name, attributes in seen.tags:
        for key in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            value = attributes.get(key)
            assert value is None or value.startswith(("#", "data:")), f"{name} {key} leaves the page: {value}"
        assert not any(key.startswith("on") for key in attributes), f"{name} runs a script"
    names = {name for name, _ in seen.tags}
    assert "script" not in names and {"header", "main", "nav", "footer", "h1"} <= names
    ids = [attributes["id"] for _, attributes in seen.tags if "id" in attributes]
    assert len(ids) == len(set(ids)), "an id stands twice"
    for attributes in seen.of("a"):
        assert (attributes["href"] or "")[1:] in ids
    for _, attributes in seen.tags:
        for name in (attributes.get("aria-labelledby") or "").split():
            assert name in ids, f"labelled by {name}, which is not there"
    assert len(seen.of("table")) == len(seen.of("caption"))
    assert all("scope" in attributes for attributes in seen.of("th"))
    assert all(attributes.get("alt") for attributes in seen.of("img"))
    assert "url(http" not in html and "@import" not in html
    return seen

"""HTML from values: tags whose text is escaped."""

from html import escape
from typing import Any


class Markup(str):
    """HTML that is not escaped again."""


def tag(name: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element. Text and numbers in it are escaped, `Markup` is kept, None is left out.

    attributes: `cls` is class, an underscore stands for a hyphen; True is an attribute without a value, None and False
    leave it out.
    """
    opened = name
    for key, value in attributes.items():
        key = "class" if key == "cls" else key.rstrip("_").replace("_", "-")
        if value is True:
            opened += f" {key}"
        elif value is not None and value is not False:
            opened += f' {key}="{escape(visible(str(value)), quote=True)}"'
    if name in _EMPTY:
        return Markup(f"<{opened}>")
    return Markup(f"<{opened}>{joined(*children)}</{name}>")


_EMPTY = ("br", "img", "input", "meta", "link", "hr")


def joined(*children: Any) -> Markup:
    """Children one after the other, text escaped."""
    return Markup("".join(_text(child) for child in children if child is not None))


def _text(child: Any) -> str:
    return child if isinstance(child, Markup) else escape(visible(str(child)), quote=False)


def visible(text: str) -> str:
    """Text of a file without what HTML cannot hold: control characters and half characters, shown as U+FFFD."""
    return "".join(one if _allowed(ord(one)) else "\ufffd" for one in text)


def _allowed(code: int) -> bool:
    if code < 32:
        return code in (9, 10, 13)
    return not (127 <= code < 160 or 0xD800 <= code < 0xE000 or code & 0xFFFE == 0xFFFE)

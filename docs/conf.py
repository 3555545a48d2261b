"""How Sphinx builds the pages: `sphinx-build -W -c docs . build/docs` from the root, with the extra `docs`.

The pages are plain Markdown. What only the built ones have is added as they are read: the contents below the index, and
the docstrings of the public names.
"""

import pathlib
import re
import sys
from typing import Any, List

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import minirram  # noqa: E402

project = "minirram"
release = version = minirram.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**", "export/*.md"]
exclude_patterns = ["build"]
html_theme = "furo"
html_title = "minirram"
myst_heading_anchors = 4
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"


def contents() -> str:
    """All pages as a hidden list: the sidebar."""
    pages = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md"))
    named = [page[:-3] for page in pages if page != "index.md"]
    beside = ["/README", "/export/README", "/export/SPEC", "/CHANGELOG", "/CONTRIBUTING"]
    return "\n```{toctree}\n:hidden:\n" + "\n".join([*named, *beside]) + "\n```\n"


def docstrings() -> str:
    """A directive for each public name: class, function or module."""
    lines: List[str] = []
    for name in minirram.__all__:
        value = getattr(minirram, name)
        kind = "class" if isinstance(value, type) else "function" if callable(value) else "module"
        home = value.__name__ if kind == "module" else f"{value.__module__}.{value.__name__}"
        lines += [f"## {name}", "", "```{eval-rst}", f".. auto{kind}:: {home}"]
        lines += ["   :members:", "   :undoc-members:"] if kind == "class" else []
        lines += ["   :no-index:", "```", ""]
    return "\n".join(lines)


def add(app: Any, name: str, source: List[str]) -> None:
    """What a built page has beyond its file."""
    added = {"docs/index": contents, "docs/library": docstrings}.get(name)
    if added:
        source[0] += "\n" + added()


def plain(app: Any, what: str, name: str, value: Any, options: Any, lines: List[str]) -> None:
    """Docstrings are plain text: signs are signs, and code stands in single backquotes."""
    for number, line in enumerate(lines):
        parts = re.split(r"(`[^`]+`)", line.strip())
        lines[number] = "".join(part if part[:1] == "`" else re.sub(r"([*|_`\\])", r"\\\1", part) for part in parts)


def setup(app: Any) -> None:
    """Sphinx calls it."""
    from pygments.lexers.special import TextLexer

    app.add_lexer("hex", TextLexer)
    app.connect("source-read", add)
    app.connect("autodoc-process-docstring", plain)

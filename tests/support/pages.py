"""Code blocks of README, of the pages in docs/, and of those beside the code."""

import re
import textwrap
from typing import Dict, Iterator, List, NamedTuple, Optional

from .places import ROOT


def sections(page: str) -> Dict[str, str]:
    """{heading of the second level: text below it} of a page in docs/."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def python_blocks(text: str) -> List[str]:
    """The Python blocks in a text, in order."""
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S)


def pages() -> List[str]:
    """README and all pages of docs/, by their path from the root."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    return ["README.md", *(path.relative_to(ROOT).as_posix() for path in found)]


def pages_with_blocks() -> List[str]:
    """The pages, and those outside docs/ whose blocks are commands or code."""
    return [*pages(), "CONTRIBUTING.md", "export/README.md"]


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    """of its fence, from 1"""
    language: str
    text: str
    not_run: Optional[str]
    """why a test cannot run it: the comment `<!-- not run: WHY -->` above it"""
    small: Optional[str]
    """what it takes in full: the comment `<!-- small: WHAT -->` above it; a test runs it on small data, so its figures
    are not those of the page"""
    file: Optional[str]
    """name that the sentence above saves it by: "Save this as `NAME`" """
    not_compared: Optional[str]
    """why what it shows is not held against a command: the comment `<!-- not compared: WHY -->` above it"""
    printed: bool
    """the line above says that what stands before prints it"""

    @property
    def place(self) -> str:
        """page:line, for messages."""
        return f"{self.page}:{self.line}"


def blocks(page: str) -> Iterator[Block]:
    """All fenced blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", text, flags=re.M | re.S):
        above = text[: found.start()].rstrip().rsplit("\n\n", 1)[-1]
        above = above.rsplit("```", 1)[-1]
        said = {
            key: text
            for key in ("not run", "small", "not compared")
            for text in re.findall(rf"<!-- {key}: (.+?) -->$", above, flags=re.S)
        }
        file = re.search(r"[Ss]ave this as `([^`]+)`", above)
        line = text[: found.start()].count("\n") + 1
        yield Block(
            page,
            line,
            language=found[2],
            text=textwrap.dedent(found[3]),
            not_run=said.get("not run"),
            small=said.get("small"),
            file=file[1] if file else None,
            not_compared=said.get("not compared"),
            printed=bool(re.search(r"\bprints:?$", above)),
        )

"""Every file that a page, the CI script or a docstring names by its path is there."""

import re
from pathlib import Path
from typing import Iterator

import pytest

from ..support.places import ROOT

NAMED = re.compile(r"\b(?:tests|benchmarks|minirram|data_scripts|docs)/[\w/-]+\.(?:py|json|svg|md|sh)\b")
PAGES = [
    *(page for page in sorted(ROOT.glob("*.md")) if page.name != "CHANGELOG.md"),  # a history names what is gone
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "export").glob("*.md")),
    ROOT / ".ci" / "run",
    ROOT / "setup.cfg",
]


def missing(text: str, root: Path) -> Iterator[str]:
    """The paths in `text` that do not exist under `root`."""
    return (name for name in NAMED.findall(text) if not (root / name).exists())


def test_a_file_that_is_gone_is_found():
    assert list(missing("see `tests/test_gone.py` and minirram/errors.py", ROOT)) == ["tests/test_gone.py"]


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda page: page.name)
def test_named_files_exist(page):
    assert not list(missing(page.read_text(encoding="utf-8"), ROOT))

"""Code blocks of the pages in docs/."""

import re
from typing import Dict, List

from .places import ROOT


def sections(page: str) -> Dict[str, str]:
    """{heading of the second level: text below it} of a page in docs/."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def python_blocks(text: str) -> List[str]:
    """The Python blocks in a text, in order."""
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S)

"""The words, numbers and drawings of pages, held against files: each result that a page can show stands where it stood.

`python -m tests.support.filled` writes the files anew; the difference is what readers will see.
"""

import pytest

from ..support.page_texts import FOLDER, PAGES, SECTIONS, page_text


@pytest.mark.parametrize("name", [*PAGES, *SECTIONS])
def test_what_a_page_says_is_what_its_file_says(name):
    anew = "python -m tests.support.filled writes the files anew, where the change is meant"
    assert page_text(name) == (FOLDER / f"{name}.txt").read_bytes().decode(), anew

"""The words and numbers of pages, held against files: each result that a page can show stands where it stood.

`python -m tests.support.filled` writes the files anew; the difference is what readers will see.
"""

import pytest

from ..support.filled import PAGE_FOLDER, PAGES, SECTIONS, page_text, without_matplotlib


@pytest.mark.parametrize("name", [*PAGES, *SECTIONS])
def test_what_a_page_says_is_what_its_file_says(name):
    anew = "python -m tests.support.filled writes the files anew, where the change is meant"
    with without_matplotlib():
        assert page_text(name) == (PAGE_FOLDER / f"{name}.txt").read_bytes().decode(), anew

"""The tables of the package, held against a file: no number of a task, recipe, arm, budget or cell changes unseen.

`python -m tests.support.filled` writes the file anew; the difference is what users will get.
"""

from .stated import FILE, stated


def test_the_tables_of_the_package_say_what_their_file_says():
    assert stated() == FILE.read_bytes().decode(), "python -m tests.support.filled, where the change is meant"

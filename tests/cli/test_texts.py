"""The text of every command, held against a file: each line that a result can bring is there, and says what it said.

`python -m tests.support.filled` writes the files anew; the difference is what users will see.
"""

import pytest

from minirram.cli.main import COMMANDS, module_of

from ..support.filled import FOLDER, texts

TOLD = [name for name in COMMANDS if hasattr(module_of(name), "text")]


@pytest.mark.parametrize("command", TOLD)
def test_what_a_command_says_is_what_its_file_says(command):
    anew = "python -m tests.support.filled writes the files anew, where the change is meant"
    assert texts(command) == (FOLDER / f"{command}.txt").read_bytes().decode(), anew


def test_each_file_belongs_to_a_command():
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(TOLD)

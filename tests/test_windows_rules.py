"""What would fail on Windows alone, found by reading the source: fork, text without an encoding or a newline, names."""

import ast
import shutil
import subprocess

import pytest

from .support.places import ROOT

POSIX_ALONE = ("fork", "forkpty", "getuid", "geteuid", "chown", "mkfifo")
MODE = 1
"""place of the mode among the arguments of `open`"""


def faults(source):
    """(line, fault) of a source that asks for what Windows has not, or leaves encoding or newline to the system."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        stated = {keyword.arg for keyword in node.keywords}  # None: of a dictionary
        if isinstance(node.func, ast.Attribute):
            name, of = node.func.attr, getattr(node.func.value, "id", "")
            if of == "os" and name in POSIX_ALONE:
                yield node.lineno, f"os.{name}"
            if name in ("read_text", "write_text") and not stated & {"encoding", None}:
                yield node.lineno, f"{name} without an encoding"
        elif getattr(node.func, "id", "") == "open" and None not in stated:
            given = [keyword.value for keyword in node.keywords if keyword.arg == "mode"] or node.args[MODE : MODE + 1]
            mode = getattr(given[0], "value", "b") if given else "r"
            if "b" not in mode and "encoding" not in stated:
                yield node.lineno, "open without an encoding"
            if "b" not in mode and set(mode) & set("wax") and "newline" not in stated:
                yield node.lineno, "open writes text without a newline"


@pytest.mark.parametrize("room", ["minirram", "data_scripts"])
def test_no_source_asks_for_what_windows_has_not(room):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {fault}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, fault in faults(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_each_fault_is_seen():
    wrong = "os.fork()\nopen('a')\nopen('a', 'w', encoding='utf-8')\np.write_text('')\n"
    source = f"import os\n{wrong}open('a', 'rb')\nopen(a, **b)\n"
    assert [line for line, _ in faults(source)] == [2, 3, 4, 5]


def test_names_of_files_are_those_that_windows_takes():
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=str(ROOT), stdout=subprocess.PIPE, universal_newlines=True)
    if done.returncode:
        pytest.skip("no checkout of git")
    names = [name for name in done.stdout.split("\0") if name]
    assert not [name for name in names if set(name) & set(':*?"<>|\\')]
    folded = {}
    for name in names:
        assert folded.setdefault(name.lower(), name) == name, "two names that differ by their case"

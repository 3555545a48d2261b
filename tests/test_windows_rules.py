"""What would fail on Windows alone, found by reading the source.

Windows refuses to rename a file that is open, or to one that is. So one module renames, behind the `with` that writes.
"""

import ast
import shutil
import subprocess

import pytest

from .support.places import ROOT

POSIX_ALONE = ("fork", "forkpty", "getuid", "geteuid", "chown", "mkfifo")
RENAMES = ("replace", "rename", "renames", "move")
"""of `os`, `shutil` and of paths; a text's `replace` takes two values"""
RENAMING = "minirram/files/writing.py"
"""the one module that renames"""
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


def is_rename(node):
    """Whether a node calls what renames a file."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RENAMES):
        return False
    of = getattr(node.func.value, "id", "")
    return of in ("os", "shutil") or (
        node.func.attr in ("replace", "rename") and len(node.args) == 1 and not node.keywords
    )


def rename_faults(source, renaming):
    """(line, fault) of a source that renames elsewhere than in the `renaming` module, or inside a `with` that opens."""
    nodes = list(ast.walk(ast.parse(source))) if any(f".{name}(" in source for name in RENAMES) else []
    opening = [node for node in nodes if isinstance(node, ast.With) and any(map(opens, node.items))]
    for node in filter(is_rename, nodes):
        if not renaming:
            yield node.lineno, f"{node.func.attr}: {RENAMING} renames files"
        if any(block.lineno <= node.lineno <= block.end_lineno for block in opening):
            yield node.lineno, f"{node.func.attr} of a file that may be open"


def opens(item):
    """Whether an item of a `with` opens a file: open, open_to_append, os.fdopen, atomic_writer and the like."""
    return any(word in ast.dump(item.context_expr) for word in ("open", "writer"))


@pytest.mark.parametrize("room", ["minirram", "data_scripts"])
def test_files_are_closed_before_they_are_renamed_and_one_module_renames(room):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {fault}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, fault in rename_faults(path.read_text(encoding="utf-8"), path == ROOT / RENAMING)
    ]
    assert not found, "\n".join(found)


def test_the_module_that_renames_does_so():
    assert len(list(rename_faults((ROOT / RENAMING).read_text(encoding="utf-8"), False))) == 3


def test_each_rename_is_seen():
    source = "with open(a) as f:\n    f.write(b)\n    os.replace(a, b)\nos.replace(a, b)\nPath(a).rename(b)\n"
    source += "text.replace('a', 'b')\nreplace(value, a=1)\nshutil.move(a, b)\npath.replace(b)\n"
    assert sorted(line for line, _ in rename_faults(source, False)) == [3, 3, 4, 5, 8, 9]
    assert [line for line, _ in rename_faults(source, True)] == [3]


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

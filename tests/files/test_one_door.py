"""No module opens a file but those of minirram/files; the page of limits is what they say."""

import ast
import json
import sys

import pytest

from minirram.cli import limits_page

from ..scripts.test_benchmarks import run
from ..support.places import ROOT

OPENERS = {
    "open",
    "io.open",
    "os.open",
    "os.fdopen",
    "codecs.open",
    "np.load",
    "np.loadtxt",
    "np.genfromtxt",
    "np.fromfile",
    "np.memmap",
    "np.lib.format.open_memmap",
    "json.load",
    "json.loads",
    "zipfile.ZipFile",
    "tarfile.open",
    "gzip.open",
    "bz2.open",
    "lzma.open",
    "wave.open",
    "sqlite3.connect",
    "onnx.load",
}
METHODS = {"read_text", "write_text", "write_bytes", "tofile"}
"""of paths and arrays, that open a file by themselves"""
ELSEWHERE = {
    ("minirram/pages/learning.py", "np.genfromtxt"): "of lines that the loader has read",
    ("minirram/engines/shared.py", "np.memmap"): "of a file that the loader has just opened",
    ("minirram/cli/versions.py", "open"): "of NumPy's own installation, which is not loaded for it",
    ("minirram/cli/verify.py", "json.loads"): "of a text that was just made",
    ("minirram/conformance/cells.py", "json.loads"): "of a text that was just made",
}


def called(node):
    """The dotted name of what is called."""
    names, at = [], node.func
    while isinstance(at, ast.Attribute):
        names.append(at.attr)
        at = at.value
    names.append(at.id if isinstance(at, ast.Name) else "")
    return ".".join(reversed(names))


def doors(text):
    """(what is called, line) of each call that opens a file."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = called(node)
            devnull = name == "os.open" and "os.devnull" in text.splitlines()[node.lineno - 1]
            if (name in OPENERS and not devnull) or ("." in name and name.split(".")[-1] in METHODS):
                yield name, node.lineno


def test_files_are_opened_in_one_room():
    found = []
    for folder in ("minirram", "data_scripts"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            if not file.startswith("minirram/files/"):
                found += [
                    f"{file}:{line}: {name}"
                    for name, line in doors(path.read_text(encoding="utf-8"))
                    if (file, name) not in ELSEWHERE
                ]
    assert found == []


@pytest.mark.parametrize(
    "call", ["open('x')", "np.load(path)", "json.loads(text)", "zipfile.ZipFile(x)", "p.read_text()"]
)
def test_the_test_bites(call):
    assert len(list(doors(f"def f(x, p):\n    return {call}\n"))) == 1


def test_the_page_of_limits_is_what_the_loader_says():
    assert (ROOT / "docs" / "limits.md").read_text(encoding="utf-8") == limits_page.page()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="measures processes that are forked")
def test_no_small_file_costs_much():
    found = run("hostile.py", "--all")
    assert found["files"] >= 60
    over = [row for row in found["rows"] if row["mb"] > 300 or row["seconds"] > 10 or row["traceback"]]
    assert (over, found["wrong"]) == ([], []), json.dumps(over, indent=1)

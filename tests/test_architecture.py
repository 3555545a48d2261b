"""The linear order of modules in docs/architecture.md holds: a module imports only modules above it."""

import ast
import re
import subprocess
import sys

import pytest

from .conftest import ROOT

PACKAGE = ROOT / "minirram"
ENTRY = {"__init__", "__main__"}


def module_order():
    """Module names in the order of the table in docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def imports_of(path):
    """Names of the sibling modules that a module imports, at its top or inside its functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names |= {alias.name for alias in node.names} if node.module is None else {node.module.split(".")[0]}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            names |= {name.split(".")[1] for name in modules if name.startswith("minirram.")}
    return names


def test_every_module_is_in_the_table_and_only_once():
    order = module_order()
    present = {path.stem for path in PACKAGE.glob("*.py")} - ENTRY
    assert len(order) == len(set(order))
    assert present == set(order)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_module_imports_only_what_stands_above_it(path):
    order = module_order()
    if path.stem in ENTRY:
        assert imports_of(path) <= {"cli", "__version__"}
        return
    above = order[: order.index(path.stem)]
    assert imports_of(path) - {"__version__"} <= set(above)


def test_import_needs_numpy_alone():
    """Every module imports in an interpreter that has no optional package."""
    names = [name for name in module_order() if name != "conformance"]
    script = (
        "import sys, importlib\n"
        "for name in ('scipy', 'soundfile', 'imageio', 'matplotlib', 'tqdm', 'dask', 'hypothesis', 'pytest'):\n"
        "    sys.modules[name] = None\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module('minirram.' + name)\n"
        "print('good')\n"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=str(ROOT), stdout=subprocess.PIPE, check=True)
    assert result.stdout.strip() == b"good"

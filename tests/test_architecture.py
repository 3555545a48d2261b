"""The table of rooms in docs/architecture.md holds: which package may import which, and no circle anywhere."""

import ast
import re
import subprocess
import sys
from functools import lru_cache

import pytest

from .support.places import ROOT

PACKAGE = ROOT / "minirram"
ROOT_MODULES = {"errors", "units", "rng", "json_codec"}
FREE = ROOT_MODULES | {"files"}  # for every room
ENTRY = {"__init__", "__main__"}


def rooms():
    """{package: set of packages, or of single modules `package.module`, that it may import}, from the page's table."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        name = re.fullmatch(r"`(\w+)/`", cells[1]) if len(cells) == 5 else None
        if name:
            table[name.group(1)] = set(re.findall(r"`([\w.]+)`", cells[3]))
    return table


def modules(package=PACKAGE):
    """{dotted name below minirram: path} of every module; a package stands for its __init__."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@lru_cache(maxsize=None)
def import_statements(text):
    """The import statements of a module's text, wherever they stand; each text is parsed once for all tests."""
    nodes = ast.walk(ast.parse(text))
    return tuple(node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)))


def imports_of(name, path, known):
    """Dotted names below minirram of the modules that a module imports, at its top or inside its functions."""
    parts = name.split(".") if name else []
    here = parts if path.stem == "__init__" else parts[:-1]
    found = set()
    for node in import_statements(path.read_text(encoding="utf-8")):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level + 1] + (node.module.split(".") if node.module else [])
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "minirram":
            base = node.module.split(".")[1:]
        else:
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".", 1)[1] for alias in node.names if alias.name.startswith("minirram.")}
            continue
        for alias in node.names:
            inner = ".".join(base + [alias.name])
            found.add(inner if inner in known else ".".join(base))
    return found


def faults(package=PACKAGE):
    """Every import that the table does not allow, as text, and every circle of packages or of modules."""
    known, table, found = modules(package), rooms(), []
    graph = {name: imports_of(name, path, known) for name, path in known.items()}
    for name, targets in sorted(graph.items()):
        room = name.split(".")[0]
        if name == "__main__" or not name:
            continue
        if room not in table and room not in ROOT_MODULES:
            found.append(f"{name}: no row in the table")
            continue
        for target in sorted(targets - {""}):
            other = target.split(".")[0]
            if other == room or other in FREE:
                continue
            if not {other, target} & table.get(room, set()):
                found.append(f"{name} imports {target}")
    found += circles({name: targets - {name, ""} for name, targets in graph.items()}, "modules")
    packages = {}
    for name, targets in graph.items():
        if name and name != "__main__":
            room = name.split(".")[0]
            packages.setdefault(room, set()).update(target.split(".")[0] for target in targets - {""})
    # nn.layers and nn.engine are rooms within a room: a circle there is one of modules, seen above.
    return found + circles({room: targets - {room} for room, targets in packages.items()}, "packages")


def circles(graph, kind):
    """The first circle of a graph {name: names}, as text; [] when there is none."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return path[path.index(name) :] + [name]
        if name in done or name not in graph:
            return None
        path.append(name)
        for target in sorted(graph[name]):
            circle = visit(target)
            if circle:
                return circle
        done.add(path.pop())
        return None

    for name in sorted(graph):
        circle = visit(name)
        if circle:
            return [f"circle of {kind}: " + " -> ".join(circle)]
    return []


def test_every_package_has_a_row_and_every_row_a_package():
    present = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert present == set(rooms())
    assert {path.stem for path in PACKAGE.glob("*.py")} - ENTRY == ROOT_MODULES


def test_no_import_that_the_table_does_not_allow():
    assert faults() == []


FORBIDDEN = [
    ("nn/loss.py", "device.cell", "nn never imports physics"),
    ("nn/layers/linear.py", "crossbar.product", "nn never imports an array"),
    ("nn/network.py", "chip.chip", "nn never imports a chip"),
    ("nn/engine/engine.py", "xbp.codec", "nn never imports the file format"),
    ("device/cell.py", "nn.network", "one cell stands below networks"),
    ("crossbar/macro.py", "xbp.table", "one array writes no file"),
    ("chip/chip.py", "nn.network", "a chip carries matrices, not networks"),
    ("xbp/reader.py", "device.cell", "the file format holds no physics"),
    ("learn/learner.py", "inference.forward", "what learns does not examine"),
    ("learn/mask_learner.py", "tasks.task", "what learns is given its data"),
    ("accounting/account.py", "learn.recipe", "accounting counts; it does not learn"),
    ("accounting/shapes.py", "tasks.registry", "accounting is given its network"),
    ("accounting/figures.py", "runs.folder", "accounting opens no run"),
    ("programming/build.py", "nn.network", "programming carries masks, not networks"),
    ("programming/readback.py", "learn.recipe", "programming does not learn"),
    ("tasks/task.py", "learn.mask_learner", "a task names a recipe and loads no learner"),
    ("chip/chip.py", "driver.session", "a chip does not ask who drives it"),
    ("learn/mask_learner.py", "driver.learning", "a learner is given its chip"),
    ("driver/learning.py", "learn.mask_learner", "a driver is given what to pulse"),
    ("driver/protocol.py", "runs.folder", "a driver opens no run"),
    ("runs/train.py", "study.comparison", "one run does not look at others"),
    ("runs/export.py", "cli.main", "nothing imports the command line"),
    ("errors.py", "device.cell", "the root owns nothing of a room"),
]


@pytest.mark.parametrize("file, target, why", FORBIDDEN, ids=[f"{file}-{target}" for file, target, _ in FORBIDDEN])
def test_the_table_bites(tmp_path, file, target, why):
    """One forbidden import of each kind, planted in a copy of the sources."""
    import shutil

    copy = tmp_path / "minirram"
    shutil.copytree(str(PACKAGE), str(copy), ignore=shutil.ignore_patterns("__pycache__", "*.json"))
    module = copy / file
    up = "." * len(module.relative_to(copy).parts)
    module.write_text(module.read_text(encoding="utf-8") + f"\n\ndef planted():\n    from {up}{target} import x\n")
    name = file[:-3].replace("/", ".")
    assert any(fault.startswith((f"{name} imports {target}", "circle")) for fault in faults(copy)), why


@pytest.mark.parametrize("inner", ["nn/layers/base.py", "device/cell.py"])
def test_a_circle_of_modules_is_found(tmp_path, inner):
    import shutil

    copy = tmp_path / "minirram"
    shutil.copytree(str(PACKAGE), str(copy), ignore=shutil.ignore_patterns("__pycache__", "*.json"))
    other = {"nn/layers/base.py": "..network", "device/cell.py": ".fit"}[inner]
    (copy / inner).write_text((copy / inner).read_text(encoding="utf-8") + f"\n\nfrom {other} import x\n")
    assert any(fault.startswith("circle of modules") for fault in faults(copy))


def test_what_depends_on_the_kind_of_a_layer_is_asked_of_the_layer():
    """Kinds of layers are named where they are defined and listed, where the engine has a node for them, and where a
    network is described or read. A module that names one elsewhere would have to be told of every new kind.
    """
    families = {path.stem for path in (PACKAGE / "nn" / "layers").glob("*.py")} - {"__init__", "base", "checks"}
    kinds = {
        node.name
        for family in families
        for node in ast.parse((PACKAGE / "nn" / "layers" / f"{family}.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    assert {"Conv2d", "Rnn", "Concat"} <= kinds
    named = {
        name
        for name, path in modules().items()
        for node in import_statements(path.read_text(encoding="utf-8"))
        if isinstance(node, ast.ImportFrom) and kinds & {alias.name for alias in node.names}
    }
    assert {
        name for name in named - {"nn"} if not name.startswith(("nn.layers.", "nn.engine.", "tasks.", "onnx_import."))
    } == set()


OPTIONAL = (
    "onnx",
    "onnxruntime",
    "scipy",
    "soundfile",
    "imageio",
    "matplotlib",
    "tqdm",
    "dask",
    "hypothesis",
    "pytest",
    "serial",
)


def test_import_needs_numpy_alone():
    """Every module imports in an interpreter that has no optional package."""
    names = sorted("minirram." + name for name in modules() if name not in ("", "__main__"))
    script = (
        "import sys, importlib\n"
        f"for name in {OPTIONAL!r}:\n"
        "    sys.modules[name] = None\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "print('good')\n"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=str(ROOT), stdout=subprocess.PIPE, check=True)
    assert result.stdout.strip() == b"good"


def test_import_of_the_package_loads_nothing():
    script = "import sys; import minirram; print([m for m in sys.modules if m == 'numpy' or m.startswith('minirram.')])"
    result = subprocess.run([sys.executable, "-c", script], cwd=str(ROOT), stdout=subprocess.PIPE, check=True)
    assert result.stdout.strip() == b"[]"

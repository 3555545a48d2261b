"""Plants faults of wiring in a copy of the package, one at a time, and asks whether the fast tests see them.

usage: python -m tests.support.mutants [--count N] [--seed S] [--match REGEX] [--near] [--list]

A fault of wiring is a value that is computed or chosen and does not arrive: an optional argument is dropped, two
arguments of one kind are exchanged, an option is read as its default, or a call whose value nobody uses is left out.
Each fault runs the tests that lie nearest first and stops at the first that fails. "SURVIVED" names a place that no
test watches, or one where the fault changes nothing.
"""

import argparse
import ast
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import pytest

from .places import ROOT

WEIGHTS = {room: 3 for room in ("runs", "inference", "learn", "study", "accounting", "cli")}
"""how much likelier a fault of a room is drawn; others: 1"""
HOLDERS = {
    "recipe": ("Recipe", "Schedule"),
    "schedule": ("Recipe", "Schedule"),
    "config": ("RunConfig",),
    "conditions": ("Conditions",),
    "what_if": ("WhatIf",),
    "options": ("options",),
}
"""names under which options travel -> the classes whose defaults stand in for them"""
FIRST = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / "cli").glob("test_options_*.py"))
"""tests that run first whatever the place: they follow options from end to end"""
TIMEOUT_S = 1200
NOT_WIRING = r"handle\.flush|os\.fsync|print\(|np\.|.*\.add_argument\(|(by_arm|by_cost|figure|axes)\."
"""statements that are not left out: what a loss of power shows, text, arithmetic in place, the look of a picture"""


class Fault(NamedTuple):
    """One change of one file: bytes [start, stop) of it become `text`."""

    path: str
    line: int
    kind: str
    what: str
    start: int
    stop: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.kind} {self.what}"

    def planted(self, source: bytes) -> bytes:
        """The file's bytes with the fault."""
        return source[: self.start] + self.text.encode() + source[self.stop :]


class Signature(NamedTuple):
    """What a call of a function or class of the package may say."""

    names: Tuple[str, ...]
    """parameters in order, self left out"""
    optional: Dict[str, str]
    """default of each parameter that has one, as written"""
    kinds: Dict[str, str]
    """annotation of each, as written"""


class Source:
    """A parsed file that knows the bytes of each node."""

    def __init__(self, path: pathlib.Path, root: pathlib.Path) -> None:
        self.name = path.relative_to(root).as_posix()
        self.data = path.read_bytes()
        self.tree = ast.parse(self.data)
        self._starts = [0]
        for line in self.data.split(b"\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)

    def span(self, node: Any) -> Tuple[int, int]:
        """(first byte, byte behind the last) of a node."""
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def text(self, node: Any) -> str:
        """The source of a node."""
        start, stop = self.span(node)
        return self.data[start:stop].decode()


# -- what may be called ------------------------------------------------------------------------------------------------


def signatures(sources: Sequence[Source]) -> Dict[str, Optional[Signature]]:
    """Name of a function, method or class -> its signature; None where two of one name differ."""
    found: Dict[str, Optional[Signature]] = {}
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                entry = _of_class(source, node)
            elif isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
                entry = _of_function(source, node)
            else:
                continue
            if entry is not None:
                found[node.name] = entry if found.get(node.name, entry) == entry else None
    return found


def _of_function(source: Source, node: ast.FunctionDef) -> Signature:
    parameters = node.args.posonlyargs + node.args.args
    if parameters and parameters[0].arg in ("self", "cls"):
        parameters = parameters[1:]
    by_place = zip(parameters[len(parameters) - len(node.args.defaults) :], node.args.defaults)
    by_name = zip(node.args.kwonlyargs, node.args.kw_defaults)
    optional = {one.arg: source.text(default) for one, default in (*by_place, *by_name) if default is not None}
    every = parameters + node.args.kwonlyargs
    kinds = {one.arg: source.text(one.annotation) if one.annotation else "" for one in every}
    return Signature(tuple(one.arg for one in parameters), optional, kinds)


def _of_class(source: Source, node: ast.ClassDef) -> Optional[Signature]:
    """Of its `__init__`, or of its fields when it is a dataclass."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return _of_function(source, statement)
    fields = [one for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
    if not fields or not any("dataclass" in source.text(decorator) for decorator in node.decorator_list):
        return None
    names = tuple(one.target.id for one in fields if isinstance(one.target, ast.Name))
    optional = {name: source.text(one.value) for name, one in zip(names, fields) if one.value is not None}
    return Signature(names, optional, {name: source.text(one.annotation) for name, one in zip(names, fields)})


def parser_defaults(source: Source) -> Dict[str, str]:
    """{option of the commands in a file: its default, a literal as written}"""
    found = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _called(node) == "add_argument" and isinstance(node.args[0], ast.Constant):
            said = {keyword.arg: source.text(keyword.value) for keyword in node.keywords}
            default = said.get("default", "False" if said.get("action") == '"store_true"' else "None")
            option = said.get("dest", repr(node.args[0].value)).strip("'\"")
            if (option.startswith("--") or "dest" in said) and "required" not in said:
                found[option.lstrip("-").replace("-", "_")] = default
    return found


def defaults(sources: Sequence[Source]) -> Dict[str, Dict[str, str]]:
    """{class of options: {field: its default, a literal as written}}, fields of the classes above it included."""
    classes = {name for names in HOLDERS.values() for name in names} - {"options"}
    found: Dict[str, Dict[str, str]] = {name: {} for name in classes}
    for source in sources:
        holders = [n for n in ast.walk(source.tree) if isinstance(n, ast.ClassDef) and n.name in classes]
        for holder in holders:
            for one in holder.body:
                if isinstance(one, ast.AnnAssign) and isinstance(one.value, (ast.Constant, ast.Tuple)):
                    found[holder.name][source.text(one.target)] = source.text(one.value)
    return found


# -- faults ------------------------------------------------------------------------------------------------------------


def faults(root: pathlib.Path) -> List[Fault]:
    """All faults that can be planted in the package below `root`, in the order of the files."""
    sources = [Source(path, root) for path in sorted((root / "minirram").rglob("*.py"))]
    known, fields = signatures(sources), defaults(sources)
    found = []
    for source in sources:
        options = dict(fields, options=parser_defaults(source))
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call):
                found += list(_dropped(source, node, known)) + list(_exchanged(source, node, known))
            elif isinstance(node, ast.Attribute):
                found += list(_read_as_default(source, node, options))
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                found += list(_left_out(source, node))
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
                found += list(_left_out(source, node))
    return found


def _called(node: ast.Call) -> str:
    """Last name of what is called; "" for anything but a name or an attribute."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _is_plain(node: ast.Call) -> bool:
    return not any(isinstance(one, ast.Starred) for one in node.args) and all(one.arg for one in node.keywords)


def _dropped(source: Source, node: ast.Call, known: Dict[str, Optional[Signature]]) -> Iterator[Fault]:
    """An optional argument that is given is left to its default."""
    name, signature = _called(node), known.get(_called(node))
    if signature is None or not _is_plain(node):
        return
    every = list(node.args) + [keyword.value for keyword in node.keywords]
    given = list(signature.names[: len(node.args)]) + [str(keyword.arg) for keyword in node.keywords]
    for place, argument in enumerate(given):
        droppable = place >= len(node.args) - 1  # by keyword, or the last by place
        if droppable and signature.optional.get(argument) not in (None, source.text(every[place])):
            kept = [
                source.text(one) if place_of < len(node.args) else f"{given[place_of]}={source.text(one)}"
                for place_of, one in enumerate(every)
                if place_of != place
            ]
            text = f"{source.text(node.func)}({', '.join(kept)})"
            yield Fault(source.name, node.lineno, "drop", f"{argument} of {name}", *source.span(node), text)


def _exchanged(source: Source, node: ast.Call, known: Dict[str, Optional[Signature]]) -> Iterator[Fault]:
    """Two arguments side by side, of parameters of one kind, change places."""
    name, signature = _called(node), known.get(_called(node))
    if signature is None or not _is_plain(node) or len(node.args) > len(signature.names):
        return
    places = [(signature.names[place], one) for place, one in enumerate(node.args)]
    places += [(str(keyword.arg), keyword.value) for keyword in node.keywords]
    for (first, a), (second, b) in zip(places, places[1:]):
        kinds = [signature.kinds.get(one, "") for one in (first, second)]
        simple = all(isinstance(one, (ast.Name, ast.Attribute)) for one in (a, b))
        if simple and kinds[0] == kinds[1] != "" and source.text(a) != source.text(b):
            (start, a_stop), (b_start, stop) = source.span(a), source.span(b)
            between = source.data[a_stop:b_start].decode()
            text = source.text(b) + between + source.text(a)
            yield Fault(source.name, a.lineno, "swap", f"{first} and {second} of {name}", start, stop, text)


def _read_as_default(source: Source, node: ast.Attribute, options: Dict[str, Dict[str, str]]) -> Iterator[Fault]:
    """An option is read as what it is when nobody gives it."""
    holder = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
    for owner in HOLDERS.get(holder.lstrip("_"), ()):
        default = options[owner].get(node.attr)
        if default is not None and isinstance(node.ctx, ast.Load):
            what = f"{source.text(node)} as {default}"
            yield Fault(source.name, node.lineno, "default", what, *source.span(node), f"({default})")


def _left_out(source: Source, node: ast.stmt) -> Iterator[Fault]:
    """A call whose value nobody uses, or a count, is left out: not what prints, draws or computes in place."""
    what = " ".join(source.text(node).split())
    if not re.match(NOT_WIRING, what):
        yield Fault(source.name, node.lineno, "leave out", what[:60], *source.span(node), "pass")


def drawn(found: Sequence[Fault], count: int, seed: int) -> List[Fault]:
    """`count` different faults, those of heavy rooms likelier; one seed, one draw."""
    generator, rest, chosen = random.Random(seed), list(found), []
    while rest and len(chosen) < count:
        weights = [WEIGHTS.get(fault.path.split("/")[1], 1) for fault in rest]
        chosen.append(rest.pop(generator.choices(range(len(rest)), weights)[0]))
    return chosen


# -- the tests ---------------------------------------------------------------------------------------------------------


def nearest(fault: Fault, root: pathlib.Path) -> List[str]:
    """Tests to run first: those that follow options, then those of the fault's room."""
    room = "tests/" + fault.path.split("/")[1]
    return FIRST + ([room] if (root / room).is_dir() else [])


def run_tests(root: pathlib.Path, tests: Sequence[str]) -> str:
    """The first test in `root` that fails, "an error" when none can be run, "" when all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=str(root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return "no end"
    if done.returncode == 0:
        return ""
    if done.returncode == pytest.ExitCode.USAGE_ERROR:
        raise ValueError(f"pytest found no such tests: {' '.join(tests)}")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout.decode(errors="replace"), re.M)
    return failed.group(1) if failed else "an error"


def seen_by(fault: Fault, root: pathlib.Path, *rounds: Sequence[str]) -> str:
    """Plant a fault in the tree `root`, run rounds of tests until one fails, take the fault out again.

    Each round is a list of paths, an empty one stands for all tests. Returns the test that fails, or "" when the
    fault survives.
    """
    path = root / fault.path
    whole = path.read_bytes()
    path.write_bytes(fault.planted(whole))
    try:
        return next((found for found in (run_tests(root, one) for one in rounds) if found), "")
    finally:
        path.write_bytes(whole)


def copy_of(root: pathlib.Path, folder: str) -> pathlib.Path:
    """A copy of the tree without its history and caches."""
    copy = pathlib.Path(folder) / "tree"
    unwanted = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "runs.old")
    shutil.copytree(str(root), str(copy), ignore=unwanted)
    return copy


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Plant the faults; the exit code is the number that survive."""
    parser = argparse.ArgumentParser(description="plant faults of wiring, one at a time, and run the fast tests")
    parser.add_argument("--count", type=int, default=20, help="faults to draw (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (%(default)s)")
    parser.add_argument("--match", default="", help="draw from the faults whose line this regular expression finds")
    parser.add_argument("--near", action="store_true", help="run the nearest tests alone, not all when none fails")
    parser.add_argument("--list", action="store_true", help="name the faults drawn and stop")
    options = parser.parse_args(arguments)
    found = [fault for fault in faults(ROOT) if re.search(options.match, str(fault))]
    chosen = drawn(found, options.count, options.seed)
    if options.list:
        print("\n".join(map(str, chosen)))
        return 0
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_of(ROOT, folder)
        for fault in chosen:
            started = time.monotonic()
            rounds = [nearest(fault, copy)] + ([] if options.near else [[]])
            test = seen_by(fault, copy, *rounds)
            survived += not test
            verdict = f"caught by {test}" if test else "SURVIVED"
            print(f"{fault}: {verdict} ({time.monotonic() - started:.0f} s)", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} caught")
    return survived


if __name__ == "__main__":
    sys.exit(main())

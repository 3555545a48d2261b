"""What the package states once: tasks, recipes, arms, budgets, costs and all other tables of its modules, as text."""

import ast
import importlib
import inspect
import pkgutil
from dataclasses import fields, is_dataclass
from typing import Any, Iterator, Set, Tuple

import minirram

from .places import ROOT

FILE = ROOT / "tests" / "support" / "texts" / "stated.txt"
"""the text, as it is meant"""
ELSEWHERE = {"TASKS", "COUNTS"}
"""tables that are not told: one grows while tests run, docs/counts.md is held against the other"""


def stated() -> str:
    """Each value of a dataclass that a module binds to a name, alone or in a table, once: a line for each field."""
    seen: Set[int] = set()
    lines = []
    for where, value in sorted(_named(), key=lambda one: ("[" in one[0], one[0])):
        if id(value) not in seen:
            seen.add(id(value))
            lines.append(f"{where}: {type(value).__name__}")
            lines += [f"    {field.name} = {shown(getattr(value, field.name))}" for field in fields(value)]
    return "\n".join(lines) + "\n"


def _named() -> Iterator[Tuple[str, Any]]:
    """(where it stands, a value of a dataclass) of all modules."""
    for found in pkgutil.walk_packages(minirram.__path__, "minirram."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        tables = {name: dict(_values(value)) for name, value in vars(module).items() if name not in ELSEWHERE}
        if any(tables.values()):
            for name in _bound(ast.parse(inspect.getsource(module))) & set(tables):
                yield from ((f"{found.name[len('minirram.') :]}.{name}{key}", one) for key, one in tables[name].items())


def _values(value: Any) -> Iterator[Tuple[str, Any]]:
    """("", a value of a dataclass), or ("[key]", each) of a table of them."""
    many = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else ()
    for key, one in (("", value), *((f"[{key}]", item) for key, item in many)):
        if is_dataclass(one) and not isinstance(one, type):
            yield key, one


def _bound(tree: ast.Module) -> Set[str]:
    """Names that a module assigns a value to, at its outermost level."""
    assigned = [one for one in tree.body if isinstance(one, (ast.Assign, ast.AnnAssign)) and one.value is not None]
    targets = [target for one in assigned for target in (one.targets if isinstance(one, ast.Assign) else [one.target])]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def shown(value: Any) -> str:
    """`repr`, but for functions, which say their name alone."""
    if is_dataclass(value) and not isinstance(value, type):
        inner = ", ".join(f"{field.name}={shown(getattr(value, field.name))}" for field in fields(value))
        return f"{type(value).__name__}({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        return "(" + ", ".join(map(shown, value)) + ")"
    return getattr(value, "__qualname__", repr(value))

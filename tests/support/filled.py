"""Values of any result type, made from its annotations: each field holds something that no other field holds."""

import itertools
from dataclasses import fields, is_dataclass, replace
from typing import Any, Dict, Iterator, Tuple, Union, get_args, get_origin, get_type_hints

from minirram.cli.energy import COLUMNS
from minirram.cli.main import COMMANDS, module_of
from minirram.learn.written_weights import Writing

from .asked import FILE as ASKED
from .asked import asked
from .places import ROOT
from .stated import FILE as TABLES
from .stated import stated

FOLDER = ROOT / "tests" / "cli" / "texts"
"""what `text` of each command says of such values, one file per command"""


WORDS = {"primary": "accuracy", "re_set": "redraw", "policy": "skip", "missing_policy": "mean"}
"""what a text of that name may say; others say their name"""
FIGURES = ("accuracy", "roc_auc", "pr_auc", "sensitivity", "specificity", "dice")
KEYS = {
    "samples": ("train", "validation", "test"),
    "range": (*COLUMNS, "latency_s", "total_um2"),
    "below_pair": FIGURES,
    "figures": FIGURES,
    "spread": FIGURES,
    "test": FIGURES,
    "validation": FIGURES,
    "cut": ("train", "validation", "test"),
    "pulses": ("set", "reset"),
    "by_seed": ("0", "1"),
}
"""keys of a dict of that name; others have numbered ones"""
CHECKED = {Writing: Writing(0.03125, 2e-7, budget=1234)}
"""types whose fields must fit each other -> their value"""
SEEDS = (0, 1)
"""of a field of that name: keys of by_seed are these"""


def filled(kind: Any, *, full: bool, name: str = "value", count: Any = None) -> Any:
    """A value of type `kind`; full: optional values and two items where there may be many, else None and nothing.

    count: an iterator of whole numbers, from which every number is made.
    """
    count = itertools.count(2) if count is None else count
    if name == "seeds" and full:
        return SEEDS
    if kind in CHECKED:
        return CHECKED[kind]
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        kinds = {field.name: hints[field.name] for field in fields(kind) if field.init}
        return kind(**{field: filled(kinds[field], full=full, name=field, count=count) for field in kinds})
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Union:
        if type(None) in inner and not full:
            return None
        return filled(next(one for one in inner if one is not type(None)), full=full, name=name, count=count)
    if origin is dict:
        keys = KEYS.get(name, (f"{name}-0", f"{name}-1") if full else ())
        return {key: filled(inner[1], full=full, name=name, count=count) for key in keys}
    if origin in (list, tuple):
        many = origin is list or inner[-1] is Ellipsis
        kinds_of = [inner[0]] * (2 * full) if many else inner
        return origin(filled(one, full=full, name=name, count=count) for one in kinds_of)
    return _plain(kind, full=full, name=name, count=count)


def _plain(kind: Any, *, full: bool, name: str, count: Iterator[int]) -> Any:
    if kind is bool:
        return full
    if kind is int:
        return next(count) if full else 0
    if kind is float:
        return next(count) / 128 if full else 0.0
    return WORDS.get(name, name)  # str, Any


NEVER_EMPTY = ("demo", "compare", "evaluate", "fit")
"""commands whose result holds something always"""
NEVER_WITHOUT = (("evaluate", "sensitivity"), ("verify", "accuracy_read_back"))
"""(command, field that may be None, but not beside the others)"""
TOGETHER = {"verify": ("remedy", "simulated")}
"""{command: fields that bring a line only where all of them hold nothing}"""


MANY = {"bench": ("failed", 60)}
"""{command: (field that is not listed to its end, how many it then has)}"""


def texts(command: str) -> str:
    """What `minirram COMMAND` says of a result with everything in it, and of one with nothing.

    Below, the lines that it says only where one field holds nothing, or very many; a line with None in it stands for
    a result that no command gives, such as a file without its bytes.
    """
    module = module_of(command)
    parts = []
    for full in (True,) if command in NEVER_EMPTY else (True, False):
        parts.append(f"== {'everything' if full else 'nothing'}\n{module.text(filled(module.RESULT, full=full))}\n")
    said = set("".join(parts).splitlines())
    for what, result in _altered(command):
        lines = [line for line in module.text(result).splitlines() if line not in said and "None" not in line]
        said.update(lines)
        parts += [f"== {what}\n", *(f"{line}\n" for line in lines)] if lines else []
    return "".join(parts)


def _altered(command: str) -> Iterator[Tuple[str, Any]]:
    """(what is other, result): the full result, each field emptied in turn that may be None or False."""
    kind = module_of(command).RESULT
    if not is_dataclass(kind):
        return
    whole, hints = filled(kind, full=True), get_type_hints(kind)
    may_be_empty = [name for name in hints if hints[name] is bool or type(None) in get_args(hints[name])]
    emptied = [(name,) for name in may_be_empty if (command, name) not in NEVER_WITHOUT]
    for names in [*emptied, *([TOGETHER[command]] if command in TOGETHER else [])]:
        none = {name: filled(hints[name], full=False, name=name) for name in names}
        yield f"without {', '.join(names)}", replace(whole, **none)
    if command in MANY:
        name, count = MANY[command]
        yield f"{count} {name}", replace(whole, **{name: (getattr(whole, name) * count)[:count]})


def write_texts() -> Dict[str, int]:
    """Write the files anew; look at the difference before it is committed. {file: bytes}"""
    from . import page_texts

    told = [name for name in COMMANDS if hasattr(module_of(name), "text")]
    found = {FOLDER / f"{name}.txt": texts(name) for name in told}
    found.update({TABLES: stated(), ASKED: asked()})
    pages = (*page_texts.PAGES, *page_texts.SECTIONS)
    found.update({page_texts.FOLDER / f"{name}.txt": page_texts.page_text(name) for name in pages})
    for path in found:
        path.parent.mkdir(exist_ok=True)
    return {path.name: path.write_bytes(text.encode()) for path, text in found.items()}


if __name__ == "__main__":
    print(write_texts())

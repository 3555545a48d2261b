"""Commands of pages, checked without being run: that their programs, options, files, tasks and names are there.

bash reads a block as it stands, its loops, braces, quotes and variables. It finds no program, so each call is
handed over. What a command line may say is asked of the parser that would read it.
"""

import argparse
import ast
import configparser
import contextlib
import functools
import importlib
import importlib.util
import io
import re
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

from minirram.cli import main
from minirram.sweep.study import read_study
from minirram.tasks.registry import TASKS

from .places import ROOT

RECORD = """
PATH=/nonexistent
command_not_found_handle() { printf '%s\\0' "$#" "$@" >&3; }
cd() { :; }; .() { :; }; exec 3>calls
"""
BUILT = r"(?:\.venv/bin|export/build|build)/(?=[\w-]+\s)"
"""folders of programs that commands of pages make"""
OURS = re.compile(r"(?:benchmarks|data_scripts|docs|export|minirram|tests|\.ci)/[\w./-]*\w")
"""a path in the checkout"""
MADE = ("export/build", "docs/build")
"""folders that commands make there"""


class Unfit(Exception):
    """What is wrong with a call."""


def calls(text: str, folder: Path) -> List[List[str]]:
    """The words of each call of a block, as bash would hand them over. Unfit where bash cannot read it."""
    script = RECORD + re.sub(BUILT, "", text)
    done = subprocess.run(["/bin/bash", "-e", "-c", script], cwd=str(folder), stderr=subprocess.PIPE)
    if done.returncode:
        raise Unfit(done.stderr.decode())
    words = (folder / "calls").read_text(encoding="utf-8").split("\0")[:-1]
    found = []
    while words:
        count = int(words[0])
        found.append(words[1 : 1 + count])
        words = words[1 + count :]
    return found


def check(call: List[str]) -> None:
    """Unfit where a call could not run in the checkout, with files of the user's and a board at hand."""
    program, words = call[0], call[1:]
    if program not in CHECKS:
        raise Unfit(f"no check of {program}: add one")
    for word in words:
        for path in OURS.findall(word) if not word.startswith("-") else ():
            if not path.startswith(MADE) and not (ROOT / path).exists():
                raise Unfit(f"no {path}")
    CHECKS[program](words)


def check_python(text: str) -> None:
    """Unfit where a Python block is no Python, or imports a name of minirram that is not there."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "minirram":
            module = importlib.import_module(str(node.module))
            for name in node.names:
                if not hasattr(module, name.name):
                    raise Unfit(f"no {name.name} in {node.module}")


@functools.lru_cache(maxsize=None)
def parser() -> argparse.ArgumentParser:
    """That of the command line, made once."""
    return main.build_parser()


def _minirram(words: List[str]) -> None:
    options = _read(lambda: parser().parse_args(words))
    task = getattr(options, "task", None)
    if task is not None and not task.endswith((".json", ".py")) and task not in TASKS and options.command != "compare":
        raise Unfit(f"no task {task}")
    if options.command == "sweep" and (ROOT / str(options.study)).is_file():
        read_study(ROOT / str(options.study))


def _read(parse: Callable[[], Any]) -> Any:
    """What a parser makes of a command line; Unfit with what it says where it refuses."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return parse()
    except SystemExit as end:
        if end.code:
            raise Unfit(said.getvalue()) from None
    return None


def _python(words: List[str]) -> None:
    if words[0] == "-c":
        check_python(words[1])
    elif words[0] == "-m" and words[1] == "minirram":
        _minirram(words[2:])
    elif words[0] == "-m":
        if words[1] not in ("pip", "pytest", "venv") and importlib.util.find_spec(words[1]) is None:
            raise Unfit(f"no module {words[1]}")
    elif (ROOT / words[0]).is_file():
        _script(ROOT / words[0], words[1:])
    elif "/" in words[0]:
        raise Unfit(f"no {words[0]}")


class _Parsed(BaseException):
    """A script has read its command line."""


def _script(path: Path, words: List[str]) -> None:
    """The parser of a script takes its words; a script without one gets none."""
    if "ArgumentParser(" not in path.read_text(encoding="utf-8"):
        if words:
            raise Unfit(f"{path.name} takes no arguments")
        return
    with _stopped_behind_theparser(), contextlib.suppress(_Parsed, ImportError):  # an extra may be missing
        _read(lambda: _run(path, words))
        raise Unfit(f"{path.name} read no command line")


@contextlib.contextmanager
def _stopped_behind_theparser() -> Iterator[None]:
    read, before, places = argparse.ArgumentParser.parse_args, sys.argv, list(sys.path)

    def parse_args(parser: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> None:
        read(parser, args, namespace)
        raise _Parsed

    argparse.ArgumentParser.parse_args = parse_args  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        argparse.ArgumentParser.parse_args = read  # type: ignore[method-assign]
        sys.argv, sys.path[:] = before, places


def _run(path: Path, words: List[str]) -> None:
    sys.argv = [str(path), *words]
    sys.path.insert(0, str(path.parent))
    runpy.run_path(str(path), run_name="__main__")


def _pip(words: List[str]) -> None:
    setup = configparser.ConfigParser()
    setup.read(str(ROOT / "setup.cfg"), encoding="utf-8")
    for extras in re.findall(r"(?:\.|minirram)\[([\w,]+)\]", " ".join(words)):
        missing = set(extras.split(",")) - set(setup["options.extras_require"])
        if missing:
            raise Unfit(f"no extra {', '.join(sorted(missing))}")


def _make(words: List[str]) -> None:
    if not (ROOT / (words[words.index("-C") + 1] if "-C" in words else "export") / "Makefile").is_file():
        raise Unfit("no Makefile there")


def _sh(words: List[str]) -> None:
    """The text of a script of the shell names each option that it is given; of `-c TEXT` each call is checked."""
    if words[0] == "-c":
        with tempfile.TemporaryDirectory() as folder:
            for call in calls(words[1], Path(folder)):
                check(call)
        return
    _named(words[1:], ROOT / words[0] if (ROOT / words[0]).is_file() else ROOT / "export" / words[0])


def _taskset(words: List[str]) -> None:
    check(words[2:])


def _programmer(words: List[str]) -> None:
    _named(words, *(ROOT / "export").glob("*.c"))


def _named(words: List[str], *sources: Path) -> None:
    known = "".join(source.read_text(encoding="utf-8") for source in sources)
    others = re.findall(r"[\w/]+\.py", known)  # a script that hands its options on
    known += "".join((ROOT / name).read_text(encoding="utf-8") for name in others if (ROOT / name).is_file())
    for word in words:
        if word.startswith("--") and word not in known:
            raise Unfit(f"no option {word} in {sources[0].name}")


def _other(words: List[str]) -> None:
    """A program of others, whose options are its own."""


CHECKS: Dict[str, Callable[[List[str]], None]] = {
    "minirram": _minirram,
    **dict.fromkeys(("python", "python3"), _python),
    "pip": _pip,
    "make": _make,
    **dict.fromkeys(("sh", "bash"), _sh),
    "programmer": _programmer,
    "taskset": _taskset,
    **dict.fromkeys(("cp", "dask", "iverilog", "mypy", "ngspice", "ruff", "sphinx-build", "vvp"), _other),
}
"""program -> what its words must be"""

"""Commands in forks that are killed, run out of disk, or lose their folder; and what they leave."""

import io
import json
import os
import re
import signal
import sys
import time
from typing import Any, Callable, Dict, List, Optional

import numpy as np

from minirram.cli import main
from minirram.files import read_npz
from minirram.programming.readback import read_program

FSYNC_S = 0.01
"""what an fsync takes in the forks: a second of a slow disk, a hundred times as fast, as these runs are"""


def fork(words: List[str], log: str, *, before: Optional[Callable[[], None]] = None) -> int:
    """Process number of a fork that runs a command, on a slow disk, and writes what it says to `log`."""
    child = os.fork()
    if child:
        return child
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.fsync = lambda descriptor: time.sleep(FSYNC_S)
        with open(log, "wb") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        sys.stdout = sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), write_through=True)
        if before is not None:
            before()
        code = main.main(words)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 99
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 99
    os._exit(code)


def ended(child: int) -> int:
    """Exit code of a fork; minus the signal that ended it."""
    _, status = os.waitpid(child, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)


def said(log: str) -> str:
    """What a fork said."""
    with open(log, "rb") as handle:
        return handle.read().decode("utf-8", "replace")


def half(folder: str) -> List[str]:
    """Files below a folder that are not whole; temporary ones are none, and lines that are added may be cut."""
    found = []
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            try:
                _open(path)
            except Exception as error:
                found.append(f"{path}: {error}")
    return found


def _open(path: str) -> None:
    name = os.path.basename(path)
    if name.endswith(".json"):
        with open(path, encoding="utf-8") as handle:
            json.load(handle)
    elif name.endswith(".npz"):
        assert read_npz(path)
    elif name.endswith(".npy"):
        np.load(path)
    elif name.endswith(".xbp"):
        read_program(path)
    elif name.endswith(".html"):
        with open(path, encoding="utf-8") as handle:
            assert handle.read().rstrip().endswith("</html>")
    elif name == "history.csv":
        with open(path, encoding="utf-8") as handle:
            assert handle.read().endswith("\n")


def temporary(folder: str) -> List[str]:
    """Files below a folder that killed processes left."""
    names = [name for _, _, files in os.walk(folder) for name in files]
    return [name for name in names if re.search(r"\.tmp$", name)]


def contents(folder: str, unlike: Callable[[str], bool]) -> Dict[str, Any]:
    """{path in the folder: bytes, or arrays}, without times and files that are `unlike` in every run."""
    found: Dict[str, Any] = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            if unlike(name):
                found[os.path.relpath(path, folder)] = ""
            elif name.endswith(".npz"):
                arrays = read_npz(path)
                timed = ("history/seconds", "history/samples_per_second")
                found[os.path.relpath(path, folder)] = {k: v.tobytes() for k, v in arrays.items() if k not in timed}
            else:
                with open(path, "rb") as handle:
                    found[os.path.relpath(path, folder)] = handle.read()
    return found

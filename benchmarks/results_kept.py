"""Results that the project keeps, `docs/results/*.json`: each with the command, the commit and the time of its run."""

import os
import shlex
import sys
from datetime import datetime, timezone
from typing import Any, Dict, Optional, Union

from minirram import __version__
from minirram.files import write_json
from minirram.runs.environment import commit

Path = Union[str, "os.PathLike[str]"]


def keep(path: Path, found: Dict[str, Any], *, command: Optional[str] = None) -> Dict[str, Any]:
    """Write `found` beside what made it; returns the whole.

    command: None: the command line of this process. The commit is that of the source tree, with "+" where
    files differ from it; "" outside one.
    """
    made = {"command": command or _command(), "commit": commit(), "version": __version__, "when": _now()}
    whole = dict(made, found=found)
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    write_json(path, whole)
    return whole


def _command() -> str:
    """The command line of this process, without folders of the machine."""
    program = os.path.basename(sys.argv[0])
    if program == "__main__.py":
        return "minirram " + shlex.join(sys.argv[1:])
    return f"python benchmarks/{program} " + shlex.join(sys.argv[1:])


def _now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")

"""Results that the project keeps, `docs/results/*.json`: each with the command, the commit and the time of its run."""

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Dict, NamedTuple, Optional, Sequence, Union

from .. import __version__
from ..errors import DataError
from ..files import read_json, write_json
from ..json_codec import Result
from ..runs.environment import commit

Path = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Made(Result):
    """What made one file of results."""

    file: str
    """its name"""
    command: str
    """that made it"""
    commit: str
    """of the source tree, "+" where files differed; empty outside one"""
    when: str
    """time in UTC, ISO 8601"""
    seconds: Optional[float]
    """wall clock of what it holds; None: it does not say"""


class Kept(NamedTuple):
    """One file of results."""

    made: Made
    """what made it"""
    found: Dict[str, Any]
    """the results"""


def keep(path: Path, found: Dict[str, Any], *, command: str) -> Dict[str, Any]:
    """Write `found` beside the command that made it; returns the whole."""
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    whole = {"command": command, "commit": commit(), "version": __version__, "when": when, "found": found}
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    write_json(path, whole)
    return whole


def kept(folders: Sequence[Path], name: str) -> Optional[Kept]:
    """The results NAME.json of the first folder that has them; None: none has. DataError for wrong contents."""
    path = next((file for file in (os.path.join(folder, f"{name}.json") for folder in folders) if _is(file)), None)
    if path is None:
        return None
    value = read_json(path)
    texts = ("command", "commit", "when")
    whole = isinstance(value, dict) and all(isinstance(value.get(key), str) for key in texts)
    if not whole or not isinstance(value.get("found"), dict):
        raise DataError(f"{path}: no kept results; they have command, commit, when (texts) and found (an object)")
    rows = value["found"].get("rows")
    spent = [row.get("seconds") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    seconds = value["found"].get("seconds", _last_of_each(rows, spent))
    made = {key: value[key] for key in texts}
    return Kept(Made(file=f"{name}.json", seconds=seconds, **made), value["found"])


def _is(path: str) -> bool:
    return os.path.isfile(path)


def _last_of_each(rows: Any, spent: Sequence[Any]) -> Optional[float]:
    """Seconds since the start of each arm and seed, summed; None: rows do not say."""
    if not spent or not all(isinstance(value, (int, float)) for value in spent):
        return None
    last = {(row.get("arm"), row.get("seed")): row["seconds"] for row in rows}
    return float(sum(last.values()))

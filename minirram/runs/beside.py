"""What stands beside the result of a run, on the same test set: `beside.json` in its folder."""

from dataclasses import dataclass
from typing import Optional

from ..errors import DataError
from ..files import read_json, write_json
from ..json_codec import Result, built
from .folder import RunFolder

NAME = "beside.json"


@dataclass(frozen=True)
class Beside(Result):
    """Accuracies that a result is to be measured by."""

    linear_accuracy: float
    """of a linear classifier of the same inputs, 0..1"""
    unpruned_accuracy: float
    """of the chip with every connection kept, 0..1"""


def read_beside(run: RunFolder) -> Optional[Beside]:
    """What `beside.json` holds, None without one; DataError for accuracies outside 0..1."""
    if not run.has(NAME):
        return None
    path = run.path(NAME)
    found: Beside = built(Beside, read_json(path), where=path)
    for name, value in vars(found).items():
        if not 0.0 <= value <= 1.0:
            raise DataError(f"{path}: {name} is {value}; an accuracy lies between 0 and 1")
    return found


def write_beside(run: RunFolder, beside: Beside) -> None:
    """Write `beside.json`."""
    write_json(run.path(NAME), beside.to_json())

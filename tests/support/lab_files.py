"""A lab file with a cell of each kind that holds no conductance, for commands that take measured maps."""

import re
from typing import List

from .options import call

POLICIES = ("--missing", "--open", "--short", "--offset")

_LADDER = (
    (),
    ("--missing", "unformed", "--open", "error"),
    ("--missing", "unformed"),
    ("--missing", "unformed", "--short", "unformed", "--offset", "error"),
)


def kinds_refused(*arguments: str, folder: str, out: bool = True) -> List[str]:
    """The kind of cell that a command refuses under each of four policies, each of which lets one kind more pass.

    out: the command needs --out, a new one each time.
    """
    path = f"{folder}/lab.csv"
    with open(path, "w") as handle:
        handle.write("OVLD,NaN,0,-5e8\n80100.5,81000.5,82000.5,79000.5\n")
    found = []
    for step, policy in enumerate(_LADDER):
        place = ["--out", f"{folder}/{arguments[0]}{step}"] if out else []
        refused = call(*arguments, "--map", path, "--unit", "ohm", *policy, *place)
        kind = re.search(r"is (\w+) \(line 1: 'OVLD,NaN", refused.err)
        assert refused.code == 3 and kind, refused.err
        found.append(kind.group(1))
    return found

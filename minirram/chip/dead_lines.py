"""Dead lines: which physical rows and columns of each macro carry the logical ones, and what had to move.

Chips, masks and products count logical lines, all that goes to or comes from a chip (program files, maps, read-backs,
lists of stuck cells) physical ones. A pair needs both of its columns, so a dead column costs its pair.
Here too: how files name dead lines and stuck cells.
"""

import os
from dataclasses import dataclass, fields
from functools import cached_property
from numbers import Integral
from typing import Any, Dict, List, Sequence, Set, Tuple, Union

import numpy as np

from ..errors import ConfigError, DataError
from ..files import read_json
from ..labfiles.layout import role_of
from ..labfiles.listing import read_listing
from .cell_results import CellResults

PathLike = Union[str, "os.PathLike[str]"]

POLICIES = ("skip", "spare")
MOST_LINES = {"rows": 65535, "pairs": 32767}
"""of a macro: what a program file can number"""


@dataclass(frozen=True)
class ChipLines:
    """The lines of a chip's macros. Each offers as many logical lines as the one with most dead lines has left."""

    dead_rows: Tuple[Tuple[int, int], ...] = ()
    """(macro, physical row) of each dead row"""
    dead_cols: Tuple[Tuple[int, int], ...] = ()
    """(macro, physical column) of each dead column of cells"""
    policy: str = "skip"
    """skip: later lines move up past a dead one; spare: a dead line moves to a spare at the far end, others stay"""
    rows: int = 512
    """physical rows of a macro"""
    pairs: int = 256
    """physical pairs of columns of a macro"""

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ConfigError(f"policy for dead lines {self.policy!r}: choose {' or '.join(POLICIES)}")
        for what, count in (("rows", self.rows), ("pairs", self.pairs)):
            if not 1 <= count <= MOST_LINES[what]:
                raise ConfigError(f"macros of {count} {what}; a macro has 1 to {MOST_LINES[what]}")
        for what, lines, count in (("row", self.dead_rows, self.rows), ("column", self.dead_cols, 2 * self.pairs)):
            if any(len(entry) != 2 for entry in lines):
                raise ConfigError(f"dead {what}s are pairs of (macro, {what})")
            for macro, line in lines:
                if not (isinstance(macro, Integral) and isinstance(line, Integral)):
                    raise ConfigError(f"dead {what} {line!r} of macro {macro!r}: both must be integers")
                if macro < 0 or not 0 <= line < count:
                    raise ConfigError(f"dead {what} {line} of macro {macro}: a macro has {what}s 0..{count - 1}")
        if self.logical_rows < 1 or self.logical_pairs < 1:
            raise ConfigError("a macro without a live row or pair cannot be used")

    def check_macros(self, count: int) -> None:
        """ConfigError for a dead line of a macro that a chip of `count` macros does not have."""
        beyond = [macro for macro in self._macros() if macro >= count]
        if beyond:
            raise ConfigError(f"dead lines of macro {max(beyond)}: the chip has macros 0..{count - 1}")

    @property
    def logical_rows(self) -> int:
        """Rows that every macro can offer."""
        return self.rows - max((len(self._dead("row", m)) for m in self._macros()), default=0)

    @property
    def logical_pairs(self) -> int:
        """Pairs that every macro can offer."""
        return self.pairs - max((len(self._dead("pair", m)) for m in self._macros()), default=0)

    def row_map(self, macro: int) -> np.ndarray:
        """Physical row of each logical row of `macro`, int64 (logical_rows,)."""
        return self._map(self.rows, self.logical_rows, self._dead("row", macro))

    def pair_map(self, macro: int) -> np.ndarray:
        """Physical pair of each logical pair of `macro`, int64 (logical_pairs,)."""
        return self._map(self.pairs, self.logical_pairs, self._dead("pair", macro))

    def col_map(self, macro: int) -> np.ndarray:
        """Physical column of each logical column of cells of `macro`, int64 (2 * logical_pairs,)."""
        return (2 * self.pair_map(macro)[:, None] + np.arange(2)).reshape(-1)

    def report(self) -> List[Dict[str, Any]]:
        """What moved: a list of dicts (macro, line "row" or "pair", logical, physical), in order."""
        moved = []
        for macro in sorted(self._macros()):
            for line, physical in (("row", self.row_map(macro)), ("pair", self.pair_map(macro))):
                for logical in np.flatnonzero(physical != np.arange(len(physical))):
                    moved.append(
                        {"macro": macro, "line": line, "logical": int(logical), "physical": int(physical[logical])}
                    )
        return moved

    def _macros(self) -> Set[int]:
        return {macro for _, macro in self._by_macro}

    def _dead(self, line: str, macro: int) -> Set[int]:
        return self._by_macro.get((line, macro), set())

    @cached_property
    def _by_macro(self) -> Dict[Tuple[str, int], Set[int]]:
        """("row" or "pair", macro) -> the dead ones."""
        found: Dict[Tuple[str, int], Set[int]] = {}
        for line, entries, per in (("row", self.dead_rows, 1), ("pair", self.dead_cols, 2)):
            for macro, number in entries:
                found.setdefault((line, macro), set()).add(number // per)
        return found

    def _map(self, physical: int, logical: int, dead: Set[int]) -> np.ndarray:
        alive = np.array([k for k in range(physical) if k not in dead], np.int64)
        if self.policy == "skip":
            return alive[:logical]
        lines = np.arange(logical, dtype=np.int64)
        moved = np.isin(lines, list(dead))
        lines[moved] = alive[alive >= logical][: np.count_nonzero(moved)]
        return lines


def read_lines(path: PathLike) -> ChipLines:
    """The `ChipLines` in a JSON file such as {"dead_rows": [[0, 17]], "dead_cols": [], "policy": "skip"}.

    Of the report that `minirram fit` writes, its bad lines. DataError that names the file when it holds anything else.
    """
    value = read_json(path)
    if {"bad_rows", "bad_cols"} <= set(value):
        value = {"dead_rows": value["bad_rows"], "dead_cols": value["bad_cols"]}
    known = [field.name for field in fields(ChipLines)]
    other = next((name for name in value if name not in known), None)
    if other is not None:
        raise DataError(f"{path}: not a table of dead lines: {other!r} is none of {', '.join(known)}")
    try:
        stated: Dict[str, Any] = dict(value)
        for key in stated.keys() & {"dead_rows", "dead_cols"}:
            stated[key] = tuple(map(tuple, stated[key]))
        return ChipLines(**stated)
    except (TypeError, ValueError, ConfigError) as error:
        raise DataError(f"{path}: not a table of dead lines: {error}") from None


def read_faults(path: PathLike) -> Tuple[Tuple[int, int, int, bool], ...]:
    """Stuck cells from a lab file, one a line: macro, row, col, and stuck_on or stuck_off; physical numbers.

    Text with commas, semicolons, tabs or spaces between the words, or `.xlsx`; see `read_listing`. A header line may
    name the columns, in any order. An .npz file is taken as the `CellResults` of programming. Returns a tuple of
    (macro, row, col, conducts). DataError that shows the line when it says anything else, or names a cell twice.
    """
    if os.fspath(path).endswith(".npz"):
        return CellResults.load(path).stuck()
    faults: Dict[Tuple[int, int, int], bool] = {}
    order: Sequence[int] = range(4)
    for k, (shown, words) in enumerate(read_listing(path)):
        if k == 0 and not any(word.isdigit() for word in words):
            order = _order(path, shown, words)
            continue
        if len(words) != 4:
            raise DataError(f"{path}: {shown}: expected: macro row col stuck_on|stuck_off")
        *places, state = (words[column] for column in order)
        if not all(place.isdigit() and place.isascii() for place in places) or state not in ("stuck_on", "stuck_off"):
            raise DataError(f"{path}: {shown}: expected: macro row col stuck_on|stuck_off")
        macro, row, col = map(int, places)
        if (macro, row, col) in faults:
            raise DataError(f"{path}: {shown} names a cell for the second time")
        faults[macro, row, col] = state == "stuck_on"
    return tuple((macro, row, col, conducts) for (macro, row, col), conducts in faults.items())


def _order(path: PathLike, shown: str, names: Sequence[str]) -> Sequence[int]:
    """Columns of macro, row, col and state as a header line names them."""
    roles = [role_of(name) for name in names]
    rest = [column for column, role in enumerate(roles) if role not in ("macro", "row", "col")]
    if len(names) != 4 or len(rest) != 1 or {"macro", "row", "col"} - set(roles):
        raise DataError(f"{path}: {shown}: a header names the columns macro, row, col and a state")
    return [*(roles.index(role) for role in ("macro", "row", "col")), rest[0]]

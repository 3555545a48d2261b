"""Rows of text whose numbers may be others than they seem: blanks that stand for a value, commas of two kinds."""

import re
from typing import List, Optional, Sequence, Tuple

from .numerals import Numerals, value

SURE_FRACTIONS = 66
"""of so many fractions one begins with 0, in 999 of 1000 files: integers do not"""


def blanks_for_values(lines: Sequence[str]) -> Optional[int]:
    """Number of the first line between whose values a blank one may stand; None where spaces alone cannot hide one.

    Spaces hide none where all gaps are alike, or less than twice the least, and lines begin alike; or where columns
    stand below each other by their ends, beginnings or decimal marks. In a single line, spaces before or behind the
    values are a doubt, too.
    """
    if all("  " not in line and line[:1] != " " for line in lines) and len(lines) > 1:
        return None
    places = [[match.span() for match in re.finditer(r"[^ \t]+", line)] for line in lines]
    gaps = [[after[0] - before[1] for before, after in zip(row, row[1:])] for row in places]
    if len(lines) == 1 and lines[0] != lines[0].strip(" \t"):
        return 0
    if any("\t" in line for line in lines):
        return None
    least = min((gap for row in gaps for gap in row), default=1)
    begins = [row[0][0] == 0 if row else places[0][0][0] == 0 for row in places]  # a blank line is told elsewhere
    odd = [bool(row) and max(row) >= 2 * least or begin != begins[0] for row, begin in zip(gaps, begins)]
    if not any(odd) or (len(lines) > 1 and _stand_below_each_other(lines, places)):
        return None
    return odd.index(True)


def _stand_below_each_other(lines: Sequence[str], places: Sequence[Sequence[Tuple[int, int]]]) -> bool:
    """Whether the columns of all lines agree in their ends, their beginnings or their decimal marks."""
    ends, starts = ([[place[side] for place in row] for row in places] for side in (1, 0))
    marks = [_marks(line, row) for line, row in zip(lines, places)]
    return any(len(set(map(tuple, column))) == 1 for column in (ends, starts, marks))


def _marks(line: str, row: Sequence[Tuple[int, int]]) -> List[int]:
    """Where the decimal marks of a line stand; the end of a value that has none."""
    found = []
    for start, end in row:
        mark = re.search("[.,]", line[start:end])
        found.append(end if mark is None else start + mark.start())
    return found


def decimal_commas(lines: Sequence[str]) -> bool:
    """Whether integers between commas may be numbers with decimal commas: each line pairs up, all to one length.

    Many pairs without a fraction that begins with 0 are integers, unless there are exponents: those of pairs alone.
    """
    exponents, pairs, length = any("e" in line or "E" in line for line in lines), 0, None
    for line in lines:
        found = _paired(line.split(","))
        if found is None or found[0] != (length or found[0]):
            return False
        length, pairs = found[0], pairs + found[1]
        if pairs >= SURE_FRACTIONS and not exponents:
            return False
    return pairs > 0


def _paired(tokens: Sequence[str]) -> Optional[Tuple[int, int]]:
    """(values of a line whose numbers are integer and fraction, pairs among them); None for another line."""
    values = pairs = place = 0
    while place < len(tokens):
        second = tokens[place + 1].strip() if place + 1 < len(tokens) else ""
        if re.fullmatch("[+-]?[0-9]+", tokens[place].strip()) and re.fullmatch("[0-9]+([eE][+-]?[0-9]+)?", second):
            pairs, place = pairs + 1, place + 2
        elif re.search("[0-9]", tokens[place]) or value(tokens[place], Numerals()) is None:
            return None
        else:
            place += 1  # a marker
        values += 1
    return values, pairs

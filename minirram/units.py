"""Physical constants (SI) and the formatting of quantities for people. Inside the package everything is SI."""

import math
import re
from typing import List, Sequence

BOLTZMANN_J_K = 1.380649e-23  # exact, SI 2019
ELECTRON_CHARGE_C = 1.602176634e-19  # exact, SI 2019
ZERO_CELSIUS_K = 273.15
ROOM_TEMPERATURE_K = 300.0

_PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def si_format(value: float, unit: str, *, digits: int = 4) -> str:
    """Text of `value` (SI, float) with an SI prefix: `si_format(12.34e-6, "S")` is `'12.34 uS'`."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    exponent = 3 * math.floor(math.log10(abs(value)) / 3 + 1e-12)
    exponent = min(max(exponent, min(_PREFIXES)), max(_PREFIXES))
    return f"{value / 10.0**exponent:.{digits}g} {_PREFIXES[exponent]}{unit}"


def with_units_bound(text: str, space: str = "\u00a0") -> str:
    """Text whose numbers stay with their units where lines are broken: `space` in place of the space between."""
    return re.sub(r"(?<=\d) (?=%|[fpnu\u00b5mkMG]?[JsVSAW]\b|bytes\b|kB\b)", space, text)


def in_columns(table: Sequence[Sequence[str]], *, width: int = 80, indent: str = "") -> List[str]:
    """Lines of a table whose first row is the head: the first column to the left, the others to the right.

    Where it is wider than `width`, it is cut into several below each other, each with the first column.
    """
    sizes = [max(map(len, column)) for column in zip(*table)]
    blocks: List[List[int]] = [[]]
    for k in range(1, len(sizes)):
        if blocks[-1] and len(indent) + sizes[0] + sum(2 + sizes[one] for one in (*blocks[-1], k)) > width:
            blocks.append([])
        blocks[-1].append(k)
    lines = []
    for block in blocks:
        for row in table:
            cells = [row[0].ljust(sizes[0])] + [row[k].rjust(sizes[k]) for k in block]
            lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def in_ranges(numbers: Sequence[int], most: int = 8) -> str:
    """Ascending numbers as `3, 7, 288 to 511`, neighbours together; behind `most` ranges how many are left."""
    ranges: List[List[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1].append(number)
        else:
            ranges.append([number])
    parts = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in ranges[:most]]
    left = sum(map(len, ranges[most:]))
    return ", ".join(parts) + (f" and {left} more" if left else "")


def named_lines(kind: str, numbers: Sequence[int], most: int = 8) -> str:
    """Lines by their ascending numbers: `row 3`, `columns 3, 7, 288 to 511`."""
    return f"{kind}{'s' if len(numbers) > 1 else ''} {in_ranges(numbers, most)}"

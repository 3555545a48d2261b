"""Numbers and markers as instruments and spreadsheets write them.

In arrays of this package NaN is a missing value, inf one beyond the range of the instrument.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Sequence

import numpy as np

NOT_A_NUMBER = 9.91e37
"""what a SCPI instrument sends for "not a number" (SCPI-99, 7.2.1.5)"""
OVERFLOW = 9.9e37
"""what it sends for infinity; beyond it are other instruments' markers, such as 199.999E+99"""

MISSING_WORDS = frozenset(
    "nan nan() nan(ind) nan(snan) 1.#qnan 1.#ind 1.#nan #n/a n/a na #nv #num! #value! #div/0! #ref! #name? #null! null "
    "none <na> - -- ---".split()
) | {""}
OVERFLOW_WORDS = frozenset(
    "inf infinity 1.#inf ovld ovfl ovf ovflw ovrflw overflow overload overrange ol o.l o.l.".split()
)

_MOST_CHARACTERS = 400  # of one number


class Numerals(NamedTuple):
    """How numbers are written."""

    decimal: str = "."
    group: str = ""
    """between groups of three digits; "" = none"""
    whole: bool = True
    """integers may begin with 0, as in 062"""

    def describe(self) -> str:
        """For people."""
        mark = {".": "decimal point", ",": "decimal comma"}[self.decimal]
        return mark + (f", digits grouped by {self.group!r}" if self.group else "")


_PATTERNS: Dict[Numerals, "re.Pattern[str]"] = {}


def _pattern(numerals: Numerals) -> "re.Pattern[str]":
    if numerals not in _PATTERNS:
        mark, group = re.escape(numerals.decimal), re.escape(numerals.group)
        integer = f"[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+|[0-9]{{1,3}}" if group else "[0-9]+"
        fraction = rf"(?:{mark}[0-9]*)?" if numerals.decimal == "." else f"(?:{mark}[0-9]+)?"
        bare = rf"|{mark}[0-9]+" if numerals.decimal == "." else ""
        strict = "" if numerals.whole else r"(?!0[0-9]+$)"
        _PATTERNS[numerals] = re.compile(rf"[+-]?{strict}(?:(?:{integer}){fraction}{bare})(?:[eE][+-]?[0-9]+)?")
    return _PATTERNS[numerals]


def value(token: str, numerals: Numerals) -> Optional[float]:
    """The number that a token writes, NaN or inf for markers; None for anything else."""
    token = token.strip(' \t\r"')
    if len(token) <= _MOST_CHARACTERS and _pattern(numerals).fullmatch(token):
        if numerals.group:
            token = token.replace(numerals.group, "")
        return float(token.replace(numerals.decimal, "."))
    word = token.lower()
    if word in MISSING_WORDS:
        return np.nan
    sign, word = (-1.0, word[1:]) if word[:1] == "-" else (1.0, word.lstrip("+"))
    if word in OVERFLOW_WORDS:
        return sign * np.inf
    return np.nan if word in MISSING_WORDS and word else None


def values(tokens: Sequence[str], numerals: Numerals) -> Optional[List[float]]:
    """The numbers of a line; None when a token is none."""
    pattern = _pattern(numerals)
    if not numerals.group and all(map(pattern.fullmatch, tokens)):
        return list(map(float, tokens if numerals.decimal == "." else [token.replace(",", ".") for token in tokens]))
    found = []
    for token in tokens:
        number = value(token, numerals)
        if number is None:
            return None
        found.append(number)
    return found


def is_word(token: str) -> bool:
    """Whether a token is a number in no way of writing, and no marker."""
    ways = (Numerals(), Numerals(","), Numerals(".", ","), Numerals(",", "."))
    return all(value(token, way) is None for way in ways)


def marked(table: np.ndarray) -> np.ndarray:
    """A float64 copy in which markers that are numbers became NaN or +-inf."""
    marked = np.array(table, np.float64)
    with np.errstate(invalid="ignore"):
        marked[np.abs(np.abs(marked) / NOT_A_NUMBER - 1) < 1e-4] = np.nan
        beyond = np.abs(marked) >= OVERFLOW * (1 - 1e-4)
    marked[beyond] = np.copysign(np.inf, marked[beyond])
    return marked

"""Labels that number rows and columns, such as WL0 and BL3: taken for the numbers that end them."""

import re
from typing import List, Optional, Sequence, Tuple

_LABEL = r'"?([A-Za-z][A-Za-z_]*)([0-9]{1,9})"?(?=\s*[,;\t ])'
_COLUMNS = (re.compile(r"(\s*)" + _LABEL), re.compile(r"(\s*[0-9]{1,9}\s*[,;\t ]\s*)" + _LABEL))


def without_labels(lines: Sequence[str]) -> Tuple[Sequence[str], int]:
    """(lines in which labels are numbers, count of the columns that hold labels: 0, 1 or 2).

    The first column holds labels where each line, from some line to the last, begins with the same word and a number,
    as in `WL0,12.1`; then the second may, too, as in `WL0,BL3,12.1`.
    """
    for count, pattern in enumerate(_COLUMNS):
        found = _numbered(lines, pattern)
        if found is None:
            return lines, count
        lines = found
    return lines, len(_COLUMNS)


def _numbered(lines: Sequence[str], pattern: "re.Pattern[str]") -> Optional[List[str]]:
    """The lines with numbers for the labels of one column; None where it holds none."""
    numbered, word = list(lines), None
    for k in range(len(lines) - 1, -1, -1):
        match = pattern.match(lines[k])
        if not lines[k].strip():
            continue
        if match is None or match[2] != (word or match[2]):
            break
        word = match[2]
        numbered[k] = match[1] + match[3] + lines[k][match.end() :]
    return None if word is None else numbered

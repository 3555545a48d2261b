"""Lab files made by a plain writer, with what they hold: the other side of the reader."""

from typing import NamedTuple

import numpy as np

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " "}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252")
UNITS = {"S": 1.0, "mS": 1e3, "uS": 1e6, "nS": 1e9, "ohm": 1.0, "kOhm": 1e-3, "MOhm": 1e-6}
"""unit -> numbers per SI unit"""
OVERFLOWS = ("inf", "OVLD", "9.9E+37", "199.999E+99", "+Inf", "OL")
BLANKS = ("", "NaN", "#N/A", "9.91E+37", "n/a", "#DIV/0!")
MARKERS = ("none", *OVERFLOWS, *BLANKS, "negative")


class LabFile(NamedTuple):
    """How a file is written."""

    delimiter: str = "comma"
    decimal: str = "."
    encoding: str = "utf-8"
    unit: str = "uS"
    marker: str = "none"
    layout: str = "grid"
    header: bool = False
    ends: str = "\n"
    digits: int = 7
    """after the decimal mark"""


def written(cells_S, how, place=(0, 1)):
    """(bytes, conductances_S, kinds) of a file that holds `cells_S` (rows, cols) and the marker at `place`.

    A digit is what was measured: the conductances are those of the written numbers, 0 ohm among them is a short.
    """
    ohms = how.unit.lower().endswith("ohm")
    numbers = (1 / cells_S if ohms else cells_S) * UNITS[how.unit]
    texts = [[f"{number:.{how.digits}{'e' if how.unit == 'S' else 'f'}}" for number in row] for row in numbers]
    expected = np.array([[float(text) for text in row] for row in texts])
    kinds = np.where(expected > 0, "conducting", "short" if ohms else "unformed")
    if how.marker != "none":
        texts[place[0]][place[1]] = how.marker
        kinds[place] = "missing" if how.marker in BLANKS else "open" if ohms else "short"
    if how.marker == "negative":
        texts[place[0]][place[1]] = f"{-2e-9 * UNITS[how.unit]:.5e}" if not ohms else f"{-5e8 * UNITS[how.unit]:.1f}"
        kinds[place] = "offset"
    with np.errstate(divide="ignore"):
        expected_S = 1 / (expected / UNITS[how.unit]) if ohms else expected / UNITS[how.unit]
    expected_S[np.char.strip(kinds) != "conducting"] = 0
    fields = [[as_field(text, how) for text in row] for row in texts]
    return "".join(_lines(fields, how)).encode(how.encoding), expected_S, np.char.strip(kinds)


def as_field(text, how):
    """A number with its decimal mark, in quotes where the delimiter is the mark."""
    text = text.replace(".", how.decimal) if text[-1:].isdigit() else text
    return f'"{text}"' if how.decimal in text and DELIMITERS[how.delimiter] == how.decimal else text


def _lines(fields, how):
    between = DELIMITERS[how.delimiter]
    if how.layout == "column":
        rows = [[field] for row in fields for field in row]
        names = [f"G ({how.unit})"]
    elif how.layout == "list":
        rows = [[str(r), str(c), field] for r, row in enumerate(fields) for c, field in enumerate(row)]
        names = ["row", "col", f"G ({how.unit})".replace(" ", "")]
    else:
        rows = fields
        names = [f"BL{c}" for c in range(len(fields[0]))]
    if how.header:
        rows = [["Messger\u00e4t", "A12"], names, *rows]
    for row in rows:
        yield between.join(row) + how.ends

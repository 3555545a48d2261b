"""Lab files from a writer of its own: names, units, labels, quotes, markers at random. None is read wrong."""

from typing import Any, List, NamedTuple, Optional

import numpy as np
import pytest

from minirram.errors import MinirramError
from minirram.labfiles.maps import Policy, read_map

TAKEN = Policy(*["unformed"] * 4)
FACTORS = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9, "ohm": 1.0, "kOhm": 1e3, "MOhm": 1e6}
SIGNS = {"uS": ("uS", "µS"), "kOhm": ("kOhm", "kΩ"), "ohm": ("Ohm", "Ω", "ohm")}
SHAPES = ("grid", "labelled", "numbered", "column", "list", "list of labels", "headed")
MARKS = ("", "NaN", "#N/A", "9.91E+37", "OVLD", "inf", "-", "n/a", None, None)


class File(NamedTuple):
    """What was written."""

    text: str
    encoding: str
    unit: str
    stated: bool
    """whether a header says the unit"""
    expected_S: np.ndarray
    """0 where a marker stands"""


def drawn(r: np.random.Generator) -> Optional[File]:
    """A file; None for one whose bytes are those of a file with fewer cells."""

    def pick(*choices: Any) -> Any:
        return choices[r.integers(len(choices))]

    shape = tuple(r.integers(1, 9, 2))
    unit, layout, mark = pick(*FACTORS), pick(*SHAPES), pick(*MARKS)
    between, point, style = pick(",", ";", "\t", " ", "  ", " ; ", ", "), pick(".", ".", ","), pick("g", "f", "e", "E")
    digits = int(r.integers(3, 10)) + (8 if style == "f" and unit in ("S", "mS", "MOhm") else 0)
    quote = '"' if r.random() < 0.2 and between.strip() else ""
    form = {"E": f"+.{digits}E"}.get(style, f".{digits}{style}")
    off_S = r.lognormal(np.log(12e-6), 0.4, shape)
    cells = [[format(v, form) for v in row] for row in (1 / off_S if "hm" in unit else off_S) / FACTORS[unit]]
    held = np.array(cells, float) * FACTORS[unit]
    expected_S = 1 / held if "hm" in unit else held
    cells = [[cell.replace(".", point) for cell in row] for row in cells]
    if mark is not None:
        rows = range(shape[0]) if r.random() < 0.3 else [r.integers(shape[0])]
        for row in rows:
            column = r.integers(shape[1])
            cells[row][column], expected_S[row, column] = mark.replace(".", point), 0
    if layout == "column":
        expected_S = expected_S.reshape(-1, 1)
    encoding, end = pick("utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-16-le"), pick("\n", "\r\n", "\r")
    sign = pick(*SIGNS.get(unit, (unit,)))
    if encoding == "cp1252":
        sign = sign.replace("Ω", "Ohm")
    stated = r.random() < 0.5
    letter = "R" if "hm" in unit else "G"
    name = pick(f"{letter} ({sign})", f"{letter} / {sign}", f"{letter}_{sign}", f"value in {sign}")
    lines = [pick("# measured 2024-05-03", "Wafer A", "% tester", "Chip: 7")] if r.random() < 0.3 else []
    table = [[quote + cell + quote for cell in row] for row in cells]
    lines += [between.join(row) for row in laid_out(r, layout, table, quote, name if stated else "", sign)]
    text = end.join(lines) + (end if r.random() < 0.8 else "")
    # A blank cell at the end of a column without an end of its line leaves no trace, nor does a blank outer column.
    lost = expected_S.shape[1] == 1 and expected_S[-1, 0] == 0 and mark == "" and not text.endswith(2 * end)
    lost |= between in (" ", "  ") and mark == "" and not expected_S.any(axis=0)[[0, -1]].all()
    return None if lost else File(text, encoding, unit, stated, expected_S)


def laid_out(
    r: np.random.Generator, layout: str, table: List[List[str]], quote: str, name: str, sign: str
) -> List[List[str]]:
    """The fields of each line. name: of the values, with their unit; "": not stated."""
    first, cols = int(r.integers(2)), len(table[0])
    if layout == "grid":
        return [[name]] * bool(name) + table
    if layout == "headed":
        return [[f"{quote}BL{k}{f' ({sign})' if name else ''}{quote}" for k in range(cols)], *table]
    if layout in ("labelled", "numbered"):
        words = ("WL", "BL", quote) if layout == "labelled" else ("", "", "")
        corner = quote + (name or "row") + quote
        head = [f"{words[2]}{words[1]}{k + first}{words[2]}" for k in range(cols)]
        return [[corner, *head]] + [[f"{words[2]}{words[0]}{k + first}{words[2]}", *row] for k, row in enumerate(table)]
    if layout == "column":
        return [[name]] * bool(name) + [[cell] for row in table for cell in row]
    words = ("WL", "BL", "") if layout == "list of labels" else ("", "", "")
    places = r.permutation(len(table) * cols)
    head = [["row", "WL"][r.integers(2)], ["col", "BL"][r.integers(2)], name or "value"]
    return [head] + [
        [f"{words[0]}{k // cols + first}", f"{words[1]}{k % cols + first}", table[k // cols][k % cols]] for k in places
    ]


def wrong(path: Any, file: File) -> str:
    """What was read that is not in the file; "" where it is right or refused."""
    path.write_bytes(file.text.encode(file.encoding))
    if file.stated:
        for other in FACTORS.keys() - {file.unit}:
            try:
                read_map(path, other, policy=TAKEN)
            except MinirramError:
                continue
            return f"read in {other}"
    try:
        found = read_map(path, file.unit, policy=TAKEN)
    except MinirramError:
        return ""
    same = found.conductances_S.shape == file.expected_S.shape
    right = same and np.allclose(found.conductances_S, file.expected_S, rtol=1e-9, atol=0)
    return "" if right else found.reading.line


@pytest.mark.parametrize("seed, count", [(0, 60), pytest.param(1, 2000, marks=pytest.mark.slow)])
def test_no_file_of_a_random_writer_is_read_as_something_else(tmp_path, seed, count):
    generator = np.random.default_rng(seed)
    files = [file for file in (drawn(generator) for _ in range(count)) if file is not None]
    assert len(files) > 0.95 * count
    told = [(file.text, wrong(tmp_path / "lab.csv", file)) for file in files]
    assert [one for one in told if one[1]] == []


def test_most_files_of_the_random_writer_are_read(tmp_path):
    generator, read = np.random.default_rng(2), 0
    for _ in range(100):
        file = drawn(generator)
        if file is not None:
            (tmp_path / "lab.csv").write_bytes(file.text.encode(file.encoding))
            try:
                read_map(tmp_path / "lab.csv", file.unit, policy=TAKEN)
            except MinirramError:
                continue
            read += 1
    assert read > 75

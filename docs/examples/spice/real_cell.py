"""One real cell and one broken line in the netlist of an array, run by ngspice.

    python docs/examples/spice/real_cell.py        prints what each does to the currents of the columns

A measured filament conducts more than in proportion at higher voltage: I = G V0 sinh(V / V0). The netlist of
`minirram.vectors.spice` has one line per element, so that a line is exchanged for another.
"""

import pathlib
import re
import subprocess
import tempfile

import numpy as np

from minirram.crossbar.wires import Wires, column_currents_A
from minirram.vectors.spice import CURRENTS, netlist, read_currents

WIRES = Wires(2.0, 2.0)
READ_V, V0 = 0.2, 0.15
ROWS, COLS = 8, 6
REAL = (3, 2)
"""row and column of the cell that is none of Ohm's"""
BROKEN = (5, 3)
"""row 5 is open between columns 2 and 3"""
OPEN_OHM = 1e12


def run(text):
    """Currents of the columns, ampere, float64 (inputs, columns)."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "array.cir")
        path.write_text(text, encoding="ascii")
        subprocess.run(["ngspice", "-b", path.name], cwd=folder, check=True, stdout=subprocess.PIPE)
        return read_currents(path.with_name(CURRENTS).read_text(encoding="ascii"), COLS)


def with_real_cell(text):
    """The netlist with the cell REAL as a source of I = G V0 sinh(V / V0)."""
    i, j = REAL
    row, col, ohm = re.search(rf"^Rg{i}_{j} (\S+) (\S+) (\S+)$", text, re.MULTILINE).groups()
    source = f"Bg{i}_{j} {row} {col} I = sinh(v({row},{col}) / {V0}) * {V0} / {ohm}"
    return re.sub(rf"^Rg{i}_{j} .*$", source, text, flags=re.MULTILINE)


def with_broken_row(text):
    """The netlist with the segment BROKEN of a row open."""
    i, j = BROKEN
    return re.sub(rf"^(Rr{i}_{j} \S+ \S+) \S+$", rf"\1 {OPEN_OHM!r}", text, flags=re.MULTILINE)


def main():
    """Solve the array as it is, with a real cell, and with a broken row."""
    random = np.random.default_rng(1)
    cells_S = random.uniform(4e-6, 24e-6, (ROWS, COLS))
    inputs_V = np.full((1, ROWS), READ_V)
    text = netlist(cells_S, inputs_V, WIRES)
    ours_A = column_currents_A(cells_S, inputs_V, wires=WIRES, tolerance=1e-10)
    plain_A, real_A, broken_A = run(text), run(with_real_cell(text)), run(with_broken_row(text))
    print(f"ngspice and minirram agree within {np.abs(plain_A / ours_A - 1).max():.1e}")
    print("column        ", *(f"{j:8d}" for j in range(COLS)))
    print("as it is, uA  ", *(f"{current * 1e6:8.3f}" for current in plain_A[0]))
    print("real cell, %  ", *(f"{change:+8.3f}" for change in 100 * (real_A / plain_A - 1)[0]))
    print("broken row, % ", *(f"{change:+8.3f}" for change in 100 * (broken_A / plain_A - 1)[0]))
    return plain_A, ours_A, real_A, broken_A


if __name__ == "__main__":
    main()

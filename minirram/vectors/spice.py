"""An array with the resistance of its lines as a SPICE netlist, which applies one input after another.

Row i is driven by Vr<i>; column j ends in Vs<j>, 0 V, whose current is that of the column. Rg<i>_<j> is the cell
between row node r<i>_<j> and column node c<i>_<j>, a conductance of 0 has none. Rr<i>_<j> is the segment of row i
before cell j, Rc<i>_<j> that of column j behind cell i: the lines of `crossbar.wires`.
"""

from typing import Iterator

import numpy as np

from ..crossbar.wires import Wires
from ..errors import ShapeError

CURRENTS = "currents.txt"
"""what ngspice writes: a line `i(vs<j>) = ampere` per input and column"""


def netlist(conductance_S: np.ndarray, inputs_V: np.ndarray, wires: Wires) -> str:
    """The netlist of cells (rows, cols) with a control block for ngspice, which applies inputs_V (n, rows) in turn.

    `ngspice -b FILE` writes CURRENTS, `read_currents` reads it. ShapeError for inputs of another number of rows.
    """
    conductance_S, inputs_V = np.asarray(conductance_S, np.float64), np.asarray(inputs_V, np.float64)
    if conductance_S.ndim != 2 or inputs_V.ndim != 2 or inputs_V.shape[1] != len(conductance_S):
        raise ShapeError(f"inputs {inputs_V.shape} for cells {conductance_S.shape}: (n, rows) for (rows, cols)")
    return "\n".join([*_elements(conductance_S, wires), *_control(inputs_V, conductance_S.shape[1]), ".end", ""])


def read_currents(text: str, columns: int) -> np.ndarray:
    """Ampere, float64 (n, columns), of what ngspice wrote. ShapeError when lines are missing."""
    values = [float(line.split("=")[1]) for line in text.splitlines() if line.startswith("i(vs")]
    if not values or len(values) % columns:
        raise ShapeError(f"{len(values)} currents of {columns} columns")
    return np.array(values).reshape(-1, columns)


def _elements(conductance_S: np.ndarray, wires: Wires) -> Iterator[str]:
    rows, cols = conductance_S.shape
    yield f"* {rows} x {cols} cells; row segments of {wires.row_ohm:g} ohm, column segments of {wires.col_ohm:g} ohm"
    for i in range(rows):
        yield f"Vr{i} {_row_node(i, -1, wires)} 0 0"
        for j in range(cols if wires.row_ohm else 0):
            yield f"Rr{i}_{j} {_row_node(i, j - 1, wires)} {_row_node(i, j, wires)} {wires.row_ohm!r}"
    for j in range(cols):
        yield f"Vs{j} {_col_node(rows, j, rows, wires)} 0 0"
        for i in range(rows if wires.col_ohm else 0):
            yield f"Rc{i}_{j} {_col_node(i, j, rows, wires)} {_col_node(i + 1, j, rows, wires)} {wires.col_ohm!r}"
    for i, j in np.argwhere(conductance_S > 0).tolist():
        ohm = 1.0 / float(conductance_S[i, j])
        yield f"Rg{i}_{j} {_row_node(i, j, wires)} {_col_node(i, j, rows, wires)} {ohm!r}"


def _row_node(i: int, j: int, wires: Wires) -> str:
    """The node of row i at cell j; -1: where it is driven. Without resistance a row is one node."""
    return f"r{i}_{j}" if wires.row_ohm and j >= 0 else f"r{i}"


def _col_node(i: int, j: int, rows: int, wires: Wires) -> str:
    """The node of column j at cell i; i = rows: its end. Without resistance a column is one node."""
    return f"c{i}_{j}" if wires.col_ohm and i < rows else f"s{j}"


def _control(inputs_V: np.ndarray, cols: int) -> Iterator[str]:
    yield from (".control", "set numdgt=14", f"echo > {CURRENTS}")
    applied = np.zeros(inputs_V.shape[1])
    for inputs in inputs_V:
        for row in np.flatnonzero(inputs != applied).tolist():
            yield f"alter vr{row} dc = {float(inputs[row])!r}"
        applied = inputs
        yield "op"
        yield from (f"print i(vs{j}) >> {CURRENTS}" for j in range(cols))
        yield "destroy all"
    yield from ("quit", ".endc")

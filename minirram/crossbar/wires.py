"""IR drop along the lines of an array: the nodal solve, what it makes of the conductances, and a reduced model.

Row i is driven at its left end, column j is held at 0 V below its last cell; one wire segment lies between
neighbouring cells, one before the first cell of a row and one after the last cell of a column. The voltage on cell
(i, j) is

    v_ij = V_i - r_row sum_{k <= j} (current in row segment k) - r_col sum_{k >= i} (current in column segment k),

and the current in a segment is itself a running sum of the cell currents G v. With K for these two double sums, (1 +
K G) v = V: symmetric and positive definite in u = sqrt(G) v, its eigenvalues run from 1 to 1 + the largest relative
drop, so conjugate gradients need some ten steps of four running sums each. Sources and lines are linear (undriven
rows are held at 0 V), hence the whole array is one effective conductance matrix from rows to columns.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Tuple, Union

import numpy as np

from ..errors import ConfigError, ShapeError
from ..progress.stages import stage

Lines = Union[slice, np.ndarray]

MODELS = ("solve", "reduced")
LARGEST_DROP = 1e6
"""voltage that a line would drop if all its cells drew full current through all of it, over the read voltage"""
_BATCH_BYTES = 2**23  # one array of a batch of inputs; the solver works on about eight


@dataclass(frozen=True)
class Wires:
    """The lines of an array and how their voltage drop is reckoned."""

    row_ohm: float = 1.0
    """resistance of a row (input line) per cell; default assumed, 0.3 to 3 ohm in published simulators at 40 nm"""
    col_ohm: float = 1.0
    """resistance of a column (output line) per cell; default assumed"""
    model: str = "solve"
    """how IR drop is reckoned; solve: exactly; reduced: by one solve instead of one per line (`attenuated_S`)"""

    def __post_init__(self) -> None:
        for field in ("row_ohm", "col_ohm"):
            value = getattr(self, field)
            if not (np.isfinite(value) and value >= 0):
                raise ConfigError(f"{field} is {value}; it must be 0 or more")
        if self.model not in MODELS:
            raise ConfigError(f"model of the wires {self.model!r}: choose {' or '.join(MODELS)}")


def cell_voltages_V(conductance_S: np.ndarray, inputs_V: np.ndarray, *, wires: Wires, tolerance: float) -> np.ndarray:
    """Voltage on every cell, float64 (n, rows, cols), for inputs (n, rows) in volt.

    conductance_S: (rows, cols), >= 0. tolerance: residual relative to the drive. Memory grows with n;
    `column_currents_A` works in batches. ShapeError when the inputs do not match the rows; ConfigError for a
    conductance that is none.
    """
    conductance_S, inputs_V = _checked(conductance_S, inputs_V)
    return _solved_V(conductance_S, inputs_V[:, :, None], wires=wires, tolerance=tolerance)


def _solved_V(conductance_S: np.ndarray, source_V: np.ndarray, *, wires: Wires, tolerance: float) -> np.ndarray:
    """(1 + K G)^-1 source, (n, rows, cols).

    Sources: (n, rows, 1) at the ends of rows, (n, 1, cols) at those of columns, or one in series with each cell.
    """
    root = np.sqrt(conductance_S)
    drive = root * source_V
    u = drive.copy()
    residual = -root * _drops_V(root * u, wires)  # drive - (1 + root K root) u
    direction = residual.copy()
    power = _inner(residual, residual)
    goal = tolerance**2 * _inner(drive, drive)
    # In exact arithmetic a symmetric system takes as many steps as it has unknowns; in practice some ten.
    for _ in range(conductance_S.size + 10):
        if np.all(power <= goal):
            break
        image = direction + root * _drops_V(root * direction, wires)
        step = _ratio(power, _inner(direction, image))[:, None, None]
        u += step * direction
        residual -= step * image
        previous, power = power, _inner(residual, residual)
        direction *= _ratio(power, previous)[:, None, None]
        direction += residual
    # One substitution gives the cells with G = 0 their voltage too.
    return source_V - _drops_V(root * u, wires)


def column_currents_A(
    conductance_S: np.ndarray, inputs_V: np.ndarray, *, wires: Wires, tolerance: float = 1e-7, threads: int = 1
) -> np.ndarray:
    """Current of every column, ampere, float64 (n, cols), for many inputs (n, rows), volt, shared out to threads."""
    conductance_S, inputs_V = _checked(conductance_S, inputs_V)
    batch = max(1, _BATCH_BYTES // (8 * conductance_S.size))
    currents_A = np.empty((len(inputs_V), conductance_S.shape[1]))

    def solve(first: int) -> None:
        some = slice(first, first + batch)
        volts = cell_voltages_V(conductance_S, inputs_V[some], wires=wires, tolerance=tolerance)
        currents_A[some] = np.einsum("ij,nij->nj", conductance_S, volts)

    firsts = range(0, len(inputs_V), batch)
    with stage("IR drop", len(firsts)) as going:
        if threads == 1:
            for first in firsts:
                solve(first)
                going.advance()
        else:
            with ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(solve, firsts):
                    going.advance()
    return currents_A


def conductance_gradient(
    conductance_S: np.ndarray,
    inputs_V: np.ndarray,
    d_currents: np.ndarray,
    *,
    wires: Wires,
    tolerance: float = 1e-7,
) -> np.ndarray:
    """d_loss/d_conductance of `column_currents_A`, float64 (rows, cols), summed over the inputs.

    inputs_V: (n, rows), volt; d_currents: (n, cols), d_loss/d_current. One adjoint solve per input: K is symmetric, so
    it is the same system with d_currents at the ends of the columns, and

        d_loss/d_G_ij = sum_n (voltage on the cell)_nij (adjoint voltage on the cell)_nij.

    Without wires: the outer product inputs^T d_currents. ShapeError for shapes that do not match.
    """
    conductance_S, inputs_V = _checked(conductance_S, inputs_V)
    d_currents = np.asarray(d_currents, np.float64)
    if d_currents.shape != (len(inputs_V), conductance_S.shape[1]):
        raise ShapeError(
            f"gradients of shape {d_currents.shape} for {len(inputs_V)} inputs of {conductance_S.shape[1]} columns"
        )
    gradient = np.zeros(conductance_S.shape)
    batch = max(1, _BATCH_BYTES // (8 * conductance_S.size))
    for first in range(0, len(inputs_V), batch):
        some = slice(first, first + batch)
        volts = _solved_V(conductance_S, inputs_V[some, :, None], wires=wires, tolerance=tolerance)
        adjoint = _solved_V(conductance_S, d_currents[some, None, :], wires=wires, tolerance=tolerance)
        gradient += np.einsum("nij,nij->ij", volts, adjoint)
    return gradient


def transfer_S(
    conductance_S: np.ndarray,
    wires: Wires,
    *,
    rows: Lines,
    cols: Lines,
    tolerance: float,
    threads: int,
) -> np.ndarray:
    """Effective conductances T from `rows` to `cols` (slices or index arrays) of an array, siemens, float64.

    Column currents = inputs @ T, exact for any input while the other rows are held at 0 V. One solve per row of the
    region or, when it has fewer columns, per column: by reciprocity a column driven at its end with the rows held at
    0 V shows the same conductances.
    """
    conductance_S = np.asarray(conductance_S, np.float64)
    n_rows, n_cols = conductance_S.shape
    row_index, col_index = np.arange(n_rows)[rows], np.arange(n_cols)[cols]
    if len(row_index) <= len(col_index):
        inputs_V = np.eye(n_rows)[row_index]
        currents_A = column_currents_A(conductance_S, inputs_V, wires=wires, tolerance=tolerance, threads=threads)
        return currents_A[:, col_index]
    # Mirrored at the other diagonal, the driven end of a row and the held end of a column change places.
    mirrored = conductance_S[::-1, ::-1].T
    inputs_V = np.eye(n_cols)[n_cols - 1 - col_index]
    turned = Wires(wires.col_ohm, wires.row_ohm)
    currents_A = column_currents_A(mirrored, inputs_V, wires=turned, tolerance=tolerance, threads=threads)
    return currents_A[:, ::-1].T[row_index]


def attenuated_S(conductance_S: np.ndarray, wires: Wires, *, tolerance: float = 1e-4) -> np.ndarray:
    """Reduced model: each cell's conductance times the share of the voltage it sees when all rows are driven alike.

    One solve; exact for uniform inputs. Measured on a 512 x 512 TaOx array with a quarter of its cells on, random
    binary inputs, 1 ohm per segment (40 % of the current lost): column currents within 0.4 % rms of the solve,
    differences of pairs within 5 %; ideal wires are off by 93 % there.
    """
    conductance_S = np.asarray(conductance_S, np.float64)
    share = cell_voltages_V(conductance_S, np.ones((1, conductance_S.shape[0])), wires=wires, tolerance=tolerance)[0]
    return conductance_S * share


def attenuated_gradient(
    conductance_S: np.ndarray, d_attenuated: np.ndarray, *, share: np.ndarray, wires: Wires, tolerance: float = 1e-4
) -> np.ndarray:
    """d_loss/d_conductance of `attenuated_S`, (rows, cols) in the precision of `d_attenuated`, d_loss/d_attenuated.

    share: of the voltage that each cell sees, (1 + K G)^-1 1. A change dG changes it by -(1 + K G)^-1 K (share dG), so

        d_loss/d_G = share (1 + K G)^-1 d_loss/d_attenuated:

    one adjoint solve, with a source in series with each cell. All arrays (rows, cols), else ShapeError.
    """
    conductance_S = checked_S(conductance_S)
    if not conductance_S.shape == d_attenuated.shape == share.shape:
        raise ShapeError(
            f"a gradient of shape {d_attenuated.shape} and shares of shape {share.shape} for an array of "
            f"{conductance_S.shape}"
        )
    kind = d_attenuated.dtype
    size = float(np.abs(d_attenuated).max(initial=0)) or 1.0  # squares of small gradients are nothing in float32
    source = (d_attenuated / size)[None]
    adjoint = _solved_V(conductance_S.astype(kind), source, wires=wires, tolerance=tolerance)[0]
    return (share * adjoint * size).astype(kind, copy=False)


def effective_S(
    conductance_S: np.ndarray,
    wires: Wires,
    *,
    rows: Lines,
    cols: Lines,
    threads: int,
) -> np.ndarray:
    """Effective conductances of a region (slices or index arrays) by the model that `wires` names, siemens.

    ConfigError for lines that let next to nothing through: a drop of LARGEST_DROP times what the cells see.
    """
    conductance_S = np.asarray(conductance_S, np.float64)
    if wires.row_ohm == 0 and wires.col_ohm == 0:
        return conductance_S[rows][:, cols]
    drops = (
        wires.row_ohm * conductance_S.shape[1] * conductance_S.sum(axis=1).max(),
        wires.col_ohm * conductance_S.shape[0] * conductance_S.sum(axis=0).max(),
    )
    if max(drops) > LARGEST_DROP:
        raise ConfigError(
            f"wires of {wires.row_ohm:g} ohm per cell of a row and {wires.col_ohm:g} of a column let next to nothing "
            "through; published ones have 0.3 to 3 ohm"
        )
    if wires.model == "reduced":
        return attenuated_S(conductance_S, wires)[rows][:, cols]
    # 1e-5 is finer than the grid to which the conductances are rounded.
    return transfer_S(conductance_S, wires, rows=rows, cols=cols, tolerance=1e-5, threads=threads)


def checked_S(conductance_S: np.ndarray) -> np.ndarray:
    """The conductances of an array, float64; ConfigError for one that is none."""
    conductance_S = np.asarray(conductance_S, np.float64)
    if not (np.isfinite(conductance_S).all() and (conductance_S >= 0).all()):
        raise ConfigError("conductances must be finite and not negative")
    return conductance_S


def _checked(conductance_S: np.ndarray, inputs_V: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    conductance_S = checked_S(conductance_S)
    inputs_V = np.asarray(inputs_V, np.float64)
    if conductance_S.ndim != 2 or inputs_V.ndim != 2 or inputs_V.shape[1] != conductance_S.shape[0]:
        raise ShapeError(
            f"inputs of shape {inputs_V.shape} for conductances of shape {conductance_S.shape}; "
            "expected (n, rows) and (rows, cols)"
        )
    return conductance_S, inputs_V


def _drops_V(current_A: np.ndarray, wires: Wires) -> np.ndarray:
    """K: voltage that the cell currents (n, rows, cols) cost each cell along its row and its column."""
    along = np.cumsum(current_A, axis=2)
    # Current in row segment j = what the cells from j on draw.
    along -= along[:, :, -1:]
    np.subtract(current_A, along, out=along)
    np.cumsum(along, axis=2, out=along)
    along *= wires.row_ohm
    down = current_A * wires.col_ohm
    for i in range(1, down.shape[1]):
        down[:, i] += down[:, i - 1]
    for i in range(down.shape[1] - 2, -1, -1):
        down[:, i] += down[:, i + 1]
    along += down
    return along


def _inner(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("nij,nij->n", a, b)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b per input, 0 where b = 0: an input that has converged stays where it is."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)

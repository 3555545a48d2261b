"""All effective conductances of an array with its wires at once, and the gradient through them, row after row.

What lies above a row segment of the columns is n sources with an internal conductance: the current down the columns is
J V - Y c, with V the voltages of the rows so far and c those of the columns (Norton's theorem). A row i adds
M_i (V_i - c), where M_i = (1 / G_i + L)^-1 and L_jk = row_ohm (1 + min(j, k)); a column segment makes

    Y' = Y (1 + r Y)^-1,    J' = (1 - r Y') J,    r = col_ohm.

After the last segment c = 0, and J' is the transfer. Some four matrix products of n x n per row stand for one solve per
row (`wires.transfer_S`); the same steps backwards give d_loss/d_conductance for any d_loss/d_transfer.
"""

from typing import List, Tuple

import numpy as np

from ..errors import ShapeError
from .wires import Wires, checked_S

ACCURACY = 1e-6
"""relative, of Y' at each row, and about that of float32"""


class Eliminated:
    """The transfer of an array (rows, cols) behind its wires, and what its gradient needs.

    conductance_S: siemens, >= 0; ConfigError for one that is none. dtype: of the work, float32 or float64. Memory: two
    arrays (rows, cols, cols).
    """

    def __init__(self, conductance_S: np.ndarray, wires: Wires, *, dtype: type = np.float32) -> None:
        conductance_S = checked_S(conductance_S)
        self._row_ohm, self._col_ohm, self._dtype = wires.row_ohm, wires.col_ohm, dtype
        m, n = conductance_S.shape
        self._conductance_S = conductance_S
        self._inverses: List[np.ndarray] = []
        self._below: List[np.ndarray] = []
        diagonal, growth = _pivots(wires.row_ohm * conductance_S)
        below: np.ndarray = np.zeros((n, n), dtype)
        flow: np.ndarray = np.zeros((n, m), dtype)
        for i in range(m):
            exponents = growth[i][:, None] + (np.log(diagonal[i]) - growth[i])
            self._inverses.append(np.exp(np.minimum(exponents, exponents.T)).astype(dtype))
            below = _after_segment(below + self._row(i), wires.col_ohm)
            flow[:, i] = conductance_S[i] * self._inverses[i][0]
            flow[:, : i + 1] -= self._col_ohm * (below @ flow[:, : i + 1])
            self._below.append(below)
        self._flow = flow
        self.transfer_S = flow.T.astype(np.float64)
        """column currents = inputs @ transfer_S: float64 (rows, cols), siemens"""

    def _row(self, i: int) -> np.ndarray:
        """M_i: the currents into the columns that a row of the array draws, (cols, cols)."""
        return self._conductance_S[i][:, None].astype(self._dtype) * self._share(i)

    def _share(self, i: int) -> np.ndarray:
        """N_i = M_i / G_i: what the cells of row i see of the voltages of the columns, (cols, cols)."""
        share = self._inverses[i] * (-self._row_ohm * self._conductance_S[i]).astype(self._dtype)
        share[np.diag_indices_from(share)] += 1
        return share

    def gradient(self, d_transfer: np.ndarray) -> np.ndarray:
        """d_loss/d_conductance, float64 (rows, cols), for d_loss/d_transfer (rows, cols)."""
        m, n = self._conductance_S.shape
        if d_transfer.shape != (m, n):
            raise ShapeError(f"a gradient of shape {d_transfer.shape} for an array of {m} x {n}")
        r, gradient = self._col_ohm, np.empty((m, n))
        d_flow, d_below = d_transfer.T.astype(self._dtype), np.zeros((n, n), self._dtype)
        flow = self._flow
        for i in range(m - 1, -1, -1):
            below, share = self._below[i], self._share(i)
            d_flow = d_flow - r * (below @ d_flow)
            d_below = d_below - r * (d_below @ below)
            d_below = d_below - r * (below @ d_below)
            d_below -= r * (d_flow @ flow.T)
            d_below = (d_below + d_below.T) / 2
            # dM = N^T dG N, and what the row's own source drives is M 1.
            gradient[i] = np.einsum("jk,jk->j", share @ d_below, share) + (share @ d_flow[:, i]) * self._inverses[i][0]
            if i:
                flow = (flow + r * ((self._below[i - 1] + self._row(i)) @ flow))[:, :i]
                d_flow = d_flow[:, :i]
        return gradient


def _pivots(drops: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Of the tridiagonal matrix of each row line, 2 + r G and -1, at its end 1 + r G: (diagonal, growth), (rows, cols).

    diagonal: of its inverse. growth: logarithms of the first solution, with which (A^-1)_jk = diagonal_k
    exp(growth_j - growth_k) for j <= k.
    """
    own = 2.0 + drops
    own[:, -1] -= 1.0
    left, right = own.copy(), own.copy()
    for j in range(1, own.shape[1]):
        left[:, j] -= 1.0 / left[:, j - 1]
        right[:, -1 - j] -= 1.0 / right[:, -j]
    growth = np.zeros_like(own)
    np.cumsum(np.log(left[:, :-1]), axis=1, out=growth[:, 1:])
    return 1.0 / (left + right - own), growth


def _after_segment(above: np.ndarray, ohm: float) -> np.ndarray:
    """Y (1 + r Y)^-1 of a symmetric Y: by its series where that is short, else by an inverse."""
    size = ohm * float(np.abs(above).sum(axis=1).max(initial=0.0))
    if size < 0.25:
        found = above
        for _ in range(int(np.ceil(np.log(ACCURACY) / np.log(size))) if size > ACCURACY else int(size > 0)):
            found = above - ohm * (above @ found)
    else:
        found = np.linalg.solve(np.eye(len(above)) + ohm * above.astype(np.float64), above).astype(above.dtype)
    return (found + found.T) / 2

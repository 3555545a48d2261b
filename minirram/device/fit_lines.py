"""Lines of an array whose cells are not as those of the others."""

from typing import NamedTuple, Tuple

import numpy as np

_LEVEL = 0.01  # chance that a map without a bad line has one
_LEAST_SHARE = 0.2  # by which the share of cells must differ
_LEAST_SHIFT_LN = 0.2  # by which ln G must differ


class BadLines(NamedTuple):
    """Indices of the lines of one map."""

    rows: Tuple[int, ...]
    cols: Tuple[int, ...]


def bad_lines(formed: np.ndarray, ln_G: np.ndarray, *, odd: np.ndarray, read: np.ndarray) -> BadLines:
    """Lines with far fewer formed cells, far more odd ones, or formed cells of another conductance than the rest.

    Arrays (rows, cols). formed, odd (shorted or outliers), read (any value at all): bool. ln_G: of the formed cells.
    """
    bad = [np.zeros(size, bool) for size in formed.shape]
    for _ in range(5):
        before = [lines.copy() for lines in bad]
        for axis in (0, 1):
            others = bad[1 - axis][None, :] if axis == 0 else bad[1 - axis][:, None]
            counted = read & ~others
            bad[axis] = _differing(
                [np.moveaxis(array, axis, 0) for array in (formed & counted, odd & counted, counted, ln_G)], bad[axis]
            )
        if all(np.array_equal(one, two) for one, two in zip(before, bad)):
            break
    rows, cols = (tuple(int(line) for line in np.flatnonzero(lines)) for lines in bad)
    return BadLines(rows, cols)


def _differing(arrays: "list", bad: np.ndarray) -> np.ndarray:
    """bool (lines,): those that differ from the lines not `bad`; arrays (lines, cells)."""
    formed, odd, counted, ln_G = arrays
    n = counted.sum(axis=1)
    few = _unlikely(formed.sum(axis=1), n, bad, below=True)
    many = _unlikely(odd.sum(axis=1), n, bad, below=False)
    return few | many | _shifted(formed, ln_G, bad)


def _unlikely(counts: np.ndarray, n: np.ndarray, bad: np.ndarray, *, below: bool) -> np.ndarray:
    """Lines whose count is too far from the share of all others, by the Chernoff bound of a binomial tail."""
    good = ~bad
    share = (counts[good].sum() + 0.5) / (n[good].sum() + 1.0)
    own = counts / np.maximum(n, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.where(own > 0, own * np.log(own / share), 0.0)
        divergence += np.where(own < 1, (1 - own) * np.log((1 - own) / (1 - share)), 0.0)
    side = share - own if below else own - share
    return (side > _LEAST_SHARE) & (counts.size * np.exp(-n * divergence) < _LEVEL)


def _shifted(formed: np.ndarray, ln_G: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Lines whose formed cells conduct more or less than those of the others, as a whole."""
    n = formed.sum(axis=1)
    rest = formed & ~bad[:, None]
    if not rest.any():
        return np.zeros(n.size, bool)
    center, deviation = np.median(ln_G[rest]), ln_G[rest].std()
    means = np.where(formed, ln_G, 0.0).sum(axis=1) / np.maximum(n, 1) - center
    return (n > 1) & (np.abs(means) > _LEAST_SHIFT_LN) & (np.abs(means) * np.sqrt(n) > 6 * deviation)

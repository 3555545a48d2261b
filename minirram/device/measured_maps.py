"""Measured maps of a chip from disk: `.csv` or `.npy`, rows x columns, with a unit that must be given."""

import os
import warnings
from typing import Optional, Union

import numpy as np

from ..errors import ConfigError, DataError, MissingFileError, ShapeError

PathLike = Union[str, "os.PathLike[str]"]

UNITS_S = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9}
"""siemens per unit"""


def read_table(path: PathLike, kinds: str = "fiu") -> np.ndarray:
    """The numbers in a `.csv` or `.npy` file as a float array; DataError when it is empty or not numeric.

    kinds: NumPy kinds that the file may hold, "f" for floats alone.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise MissingFileError(f"{path}: there is no such file")
    try:
        if path.endswith(".npy"):
            with open(path, "rb") as handle:
                table = np.load(handle, allow_pickle=False)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # numpy warns about an empty file; the check below says it better
                table = np.loadtxt(path, delimiter=",", ndmin=2)
    except (ValueError, EOFError, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a table of numbers ({error})") from None
    if table.dtype.kind not in kinds or table.size == 0:
        expected = "floats" if kinds == "f" else "numbers"
        raise DataError(f"{path}: holds {table.size} values of {table.dtype}, expected {expected}")
    return table.astype(np.float64)


def read_conductance_map(
    path: PathLike, unit: Optional[str], *, rows: int = 512, cols: int = 512, even: bool = True
) -> np.ndarray:
    """A conductance map in siemens, float64, at most (rows, cols); 0 = unformed. unit: a key of UNITS_S.

    even: the columns must pair up.

    ConfigError for an unknown unit, ShapeError for a wrong size, DataError for NaN, infinite or negative values.
    """
    if unit not in UNITS_S:
        raise ConfigError(f"unit {unit!r} of {path}: choose one of {', '.join(UNITS_S)}")
    table = read_table(path)
    if table.ndim != 2 or table.shape[0] > rows or table.shape[1] > cols or (even and table.shape[1] % 2):
        pairs = ", an even number of columns" if even else ""
        raise ShapeError(
            f"{path}: a map of shape {table.shape}; expected rows x columns, at most {rows} x {cols}{pairs}"
        )
    for what, wrong in (("not finite", ~np.isfinite(table)), ("negative", table < 0)):
        if wrong.any():
            row, col = np.argwhere(wrong)[0]
            raise DataError(
                f"{path}: the value at row {row}, column {col} is {what}; a conductance is 0 (unformed) or above"
            )
    return table * UNITS_S[unit]

"""Input codes before they are cut to their range."""

import numpy as np

from .errors import DataError


def count_outside(codes: np.ndarray, top: int) -> int:
    """How many codes, still floats of any shape, lie below 0 or above `top`. DataError for NaN: it has no code."""
    outside = codes.size - int(np.count_nonzero((codes >= 0) & (codes <= top)))
    if outside and np.isnan(codes).any():
        where = tuple(int(i) for i in np.argwhere(np.isnan(codes))[0])
        raise DataError(f"the activation at {where} of {codes.shape} is NaN: it has no input code")
    return outside

"""Arrays cut into blocks that stay in a core's cache while several operations pass over them."""

from typing import Iterator, Tuple

import numpy as np

BLOCK = 2**15
"""elements: three or four operands of float32 fit into half a megabyte"""


def blocks(*arrays: np.ndarray) -> Iterator[Tuple[np.ndarray, ...]]:
    """Views of the same elements of several arrays, BLOCK at a time; all at once if one has gaps or another shape."""
    if arrays[0].size <= BLOCK or not all(
        array.flags.c_contiguous and array.shape == arrays[0].shape for array in arrays
    ):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, flat[0].size, BLOCK):
        yield tuple(array[start : start + BLOCK] for array in flat)

"""Arrays that many processes read: one file, mapped into the memory of each, or the arrays themselves."""

import json
import os
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Dict, Mapping

import numpy as np

from ..errors import DataError
from ..files import Path, atomic_writer, json_of, open_file
from ..files.budgets import ARRAYS, JSON

ALIGNMENT = 64
"""bytes; arrays begin at multiples of it"""


@dataclass(frozen=True, eq=False)
class InMemory:
    """Arrays that travel with what is pickled: in this process, or to a worker of another machine."""

    held: Dict[str, np.ndarray] = field(default_factory=dict)
    """name -> array"""

    def arrays(self) -> Dict[str, np.ndarray]:
        """name -> array"""
        return self.held


@dataclass(frozen=True)
class InFile:
    """The path of a file of `write_shared`: a process that opens it maps the arrays, and shares their memory."""

    path: str
    """of the file"""
    written_ns: int = 0
    """when; another file of this path is another value"""

    def arrays(self) -> Dict[str, np.ndarray]:
        """name -> array, read-only"""
        return _mapped(self.path, self.written_ns)


def write_shared(path: Path, arrays: Mapping[str, np.ndarray]) -> InFile:
    """Write arrays (no objects) for `InFile`: a line of JSON, then the bytes of each array."""
    entries: Dict[str, Any] = {}
    offset = 0
    for name, array in arrays.items():
        entries[name] = {"dtype": array.dtype.str, "shape": array.shape, "offset": offset}
        offset += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    head = json.dumps(entries).encode("ascii") + b"\n"
    with atomic_writer(path) as handle:
        handle.write(head + b"\0" * (-len(head) % ALIGNMENT))
        for array in arrays.values():
            handle.write(np.ascontiguousarray(array).tobytes())
            handle.write(b"\0" * (-array.nbytes % ALIGNMENT))
    return InFile(os.path.abspath(os.fspath(path)), time.time_ns())


@lru_cache(maxsize=2)
def _mapped(path: str, written_ns: int) -> Dict[str, np.ndarray]:
    """The arrays of the file that was written then."""
    handle, _ = open_file(path, ARRAYS)
    with handle:
        head = handle.readline(JSON.most_bytes)
    try:
        entries = json_of(head)
    except ValueError:
        raise DataError(f"{path}: not a file of shared arrays") from None
    start = -(-len(head) // ALIGNMENT) * ALIGNMENT
    whole = np.memmap(path, np.uint8, "r")
    found = {}
    for name, entry in entries.items():
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        first = start + entry["offset"]
        count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        found[name] = np.asarray(whole[first : first + count]).view(dtype).reshape(shape)
    return found

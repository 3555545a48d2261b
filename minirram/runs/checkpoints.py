"""A checkpoint on disk: what an epoch changed; what the formed chip holds lies beside it, written once."""

import hashlib
import os
import re
from typing import Any, Dict, List, Mapping

import numpy as np

from ..errors import DataError, MissingFileError
from ..files import read_npz, write_npz
from ..files.budgets import ARRAYS, SCALE

Arrays = Dict[str, np.ndarray]

FILE = "checkpoint.npz"
FORMED = "checkpoint-chip.npz"
"""what the chip held after its first epoch and most chips hold for good"""
LASTING = ("forming_V", "lrs_grid", "on_grid", "off_grid", "formed", "stuck", "read_out_S")
"""last part of the names of its arrays"""
NAMED = "formed_chip"
"""array of a checkpoint: digest of that file's arrays"""
_WHERE, _VALUES = "~where", "~values"
_PACKED = re.compile(r"(.+)~(?:bits(\d+)|(uint(?:16|32|64)))", re.DOTALL)


class Checkpoints:
    """The checkpoint of one folder. What has not changed since `FORMED` was written is not written again."""

    def __init__(self, folder: str) -> None:
        self._paths = [os.path.join(folder, name) for name in (FILE, FORMED)]
        self._formed: Dict[str, str] = {}

    def save(self, arrays: Mapping[str, Any]) -> None:
        """Write what a learner gave; before the first one `FORMED`, too."""
        path, beside = self._paths
        lasting = {name: np.asarray(arrays[name]) for name in arrays if name.rpartition("/")[2] in LASTING}
        now = {name: _digest(array) for name, array in lasting.items()}
        if not self._formed and now:
            write_npz(beside, packed(lasting), compress=False)
            self._formed = now
        kept = {name: array for name, array in arrays.items() if name not in now or now[name] != self._formed.get(name)}
        for name in [name for name in kept if name in self._formed and lasting[name].dtype.kind == "f"]:
            before = read_npz(beside, [name], follow=False)[name]
            kept.update(_differences(name, before, kept.pop(name)))
        if self._formed:
            kept[NAMED] = np.array(_whole(self._formed))
        write_npz(path, packed(kept), compress=False)

    def load(self, arrays: Arrays) -> Arrays:
        """What was saved, from the arrays of `FILE`; older ones hold all. DataError without the `FORMED` it needs."""
        path, beside = self._paths
        found = _unpacked_of(path, arrays)
        named = found.pop(NAMED, None)
        if named is None:
            return found
        if not os.path.lexists(beside):
            raise MissingFileError(f"{beside}: missing; {FILE} goes on from it")
        formed = _unpacked_of(beside, read_npz(beside, follow=False))
        digests = {name: _digest(array) for name, array in formed.items()}
        if _whole(digests) != str(named):
            raise DataError(f"{beside}: of another chip than {path}, or damaged")
        self._formed = digests
        try:
            return _put_together(formed, found)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None


def _unpacked_of(path: str, arrays: Arrays) -> Arrays:
    """`unpacked` within the budget of a file; DataError names it."""
    try:
        return unpacked(arrays, most_bytes=ARRAYS.unpacks_to(os.path.getsize(path)))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _differences(name: str, before: np.ndarray, array: np.ndarray) -> Arrays:
    """An array of cells by those that have changed: `NAME~where`, `NAME~values`; as it is where its kind is another."""
    if array.shape != before.shape or array.dtype != before.dtype:
        return {name: array}
    where = array != before
    return {name + _WHERE: where, name + _VALUES: array[where]}


def _put_together(formed: Arrays, found: Arrays) -> Arrays:
    """The arrays of both files; DataError for changes that do not fit what has changed."""
    for key in [key for key in found if key.endswith(_VALUES)]:
        name = key[: -len(_VALUES)]
        values, where, before = found.pop(key), found.pop(name + _WHERE, None), formed.get(name)
        if where is None or before is None or where.dtype != bool or where.shape != before.shape:
            raise DataError(f"{key}: does not say which cells of {name} have changed")
        if values.dtype != before.dtype or values.shape != (np.count_nonzero(where),):
            raise DataError(f"{key}: {values.dtype} of shape {values.shape} for {np.count_nonzero(where)} cells")
        before[where] = values
    return {**formed, **found}


def packed(arrays: Mapping[str, Any]) -> Arrays:
    """Tables of bits 8 to a byte, as `NAME~bitsCOLUMNS`; counts of all cells as narrow as they fit, `NAME~uint32`."""
    found: Arrays = {}
    for name, value in arrays.items():
        array = np.asarray(value)
        if array.ndim > 1 and array.dtype == bool:
            found[f"{name}~bits{array.shape[-1]}"] = np.packbits(array, axis=-1)
        elif array.ndim > 1 and array.dtype.kind == "u" and array.dtype.itemsize > 1:
            narrow: Any = np.min_scalar_type(int(array.max(initial=0)))
            found[f"{name}~{array.dtype.name}"] = array.astype(narrow)
        else:
            found[name] = array
    return found


def unpacked(arrays: Mapping[str, np.ndarray], *, most_bytes: int = 2**36) -> Arrays:
    """The inverse of `packed`.

    DataError for bits that are not as many as the name says, and before more than `most_bytes` would be taken.
    """
    found: Arrays = {}
    taken = 0
    for name, array in arrays.items():
        match = _PACKED.fullmatch(name)
        if match is None or array.dtype.kind != "u":
            found[name] = array
            continue
        taken += array.size * (np.dtype(match[3]).itemsize if match[3] else 8)
        if taken > most_bytes:
            raise DataError(f"{name}: unpacks beyond {most_bytes} bytes; set {SCALE}")
        if match[3]:
            found[match[1]] = array.astype(match[3])
            continue
        columns = int(match[2])
        if array.dtype != np.uint8 or not array.ndim or array.shape[-1] != -(-columns // 8):
            raise DataError(f"{name}: {array.dtype} of shape {array.shape} for bits of {columns} columns")
        found[match[1]] = np.unpackbits(array, axis=-1, count=columns).astype(bool)
    return found


def _digest(array: np.ndarray) -> str:
    found = hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode())
    found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return found.hexdigest()


def _whole(digests: Mapping[str, str]) -> str:
    """One digest of all."""
    lines: List[str] = [f"{name} {digests[name]}\n" for name in sorted(digests)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()

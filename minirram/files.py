"""Files that are whole or not there: written under a temporary name, synced, then renamed."""

import contextlib
import json
import os
import shutil
import zipfile
import zlib
from typing import Any, Dict, Iterable, Iterator, Mapping, Optional, Union

import numpy as np

from .errors import ConfigError, DataError, MissingFileError, ShapeError

Path = Union[str, "os.PathLike[str]"]
Arrays = Dict[str, np.ndarray]

# What NumPy, zipfile and zlib raise on damaged archives, by the place of the damage.
_DAMAGE = (
    ValueError,
    EOFError,
    OSError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextlib.contextmanager
def atomic_writer(path: Path, mode: str = "wb") -> Iterator[Any]:
    """Open a temporary file beside `path`; on success it is synced and takes the name `path`, else it vanishes."""
    path = os.fspath(path)
    temporary = f"{path}.{os.getpid()}.tmp"
    options: Dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with open(temporary, mode, **options) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename == temporary:
            error.filename = path
        raise


def copy_file(source: Path, path: Path) -> None:
    """Copy a file, whole or not at all; MissingFileError when there is none."""
    try:
        with open(source, "rb") as original, atomic_writer(path) as handle:
            shutil.copyfileobj(original, handle)
    except FileNotFoundError:
        raise MissingFileError(f"{source}: there is no such file") from None


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys; NaN is refused (ValueError)."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False)
    with atomic_writer(path, "w") as handle:
        handle.write(text + "\n")


def read_json(path: Path) -> Any:
    """The JSON value in `path`; DataError when the file is missing or is not JSON."""
    try:
        with open(path, "rb") as handle:
            return json.loads(handle.read())  # of bytes: UTF-8, UTF-16 or UTF-32, with or without a byte-order mark
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is no such file") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON file ({error})") from None


def write_npz(path: Path, arrays: Mapping[str, Any], *, compress: bool = True) -> None:
    """Write a dict of arrays as `.npz` (keys may hold '/' and '.')."""
    save = np.savez_compressed if compress else np.savez
    with atomic_writer(path) as handle:
        save(handle, **arrays)


def read_npz(path: Path, keys: Optional[Iterable[str]] = None) -> Arrays:
    """The arrays of an `.npz` as a dict; only `keys` when given. Pickled objects are refused.

    DataError when the file is missing, damaged or lacks a key.
    """
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as archive:
            wanted = archive.files if keys is None else list(keys)
            missing = [key for key in wanted if key not in archive.files]
            if missing:
                raise DataError(f"{path}: lacks the array(s) {', '.join(missing)}")
            arrays = {key: archive[key] for key in wanted}
            for key, array in arrays.items():
                if not isinstance(array, np.ndarray):  # a member that is no .npy comes back as raw bytes
                    raise ValueError(f"'{key}' is not an array")
            return arrays
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is no such file") from None
    except _DAMAGE as error:
        why = "it is no archive" if os.path.isfile(path) and not zipfile.is_zipfile(path) else str(error)
        raise DataError(f"{path}: not a readable .npz file ({why})") from None


def prefixed(prefix: str, arrays: Mapping[str, Any]) -> Dict[str, Any]:
    """{'prefix/name': array}"""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def part(arrays: Mapping[str, Any], prefix: str) -> Dict[str, Any]:
    """The inverse of `prefixed`."""
    start = prefix + "/"
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}


def fill(target: Arrays, source: Mapping[str, Any], *, what: str) -> None:
    """Replace the arrays of `target` by those of `source`, which must have the same names, shapes and types."""
    for name, old in target.items():
        new = source[name]
        if new.shape != old.shape or new.dtype != old.dtype:
            raise DataError(f"{what} of {name}: {new.dtype} {new.shape}, expected {old.dtype} {old.shape}")
        target[name] = new


@contextlib.contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Errors about what a file holds become DataErrors that name it."""
    try:
        yield
    except MissingFileError:
        raise
    except (DataError, ConfigError, ShapeError, KeyError, TypeError, ValueError) as error:
        text, name = str(error), os.fspath(path)
        raise DataError(text if text.startswith(name) else f"{name}: {text}") from None

"""The manifest of a programmed chip: one JSON file that binds program, chip, read-back and digital.json by digests.

Only a programming that has read its chip back writes one. Whoever is given a program and a read-back asks here whether
they belong together. A digest finds mistakes, not intent: who may vouch for a chip is a matter for a signature.
"""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from typing import Any, Dict, Optional

import numpy as np

from .. import __version__
from ..errors import DataError
from ..files import Path, read_json, read_npy, read_npz, sha256_of, write_json
from ..json_codec import Result, built
from ..xbp import digests
from .readback import read_program, verify

NAME = "manifest.json"
JOURNAL = "journal"
"""what lies in the same folder from the first pulse on"""
FORMAT = 1


@dataclass(frozen=True)
class BoundFile(Result):
    """One file."""

    file: str
    """its name, beside the manifest"""
    sha256: str
    """of its bytes"""


@dataclass(frozen=True)
class Manifest(Result):
    """What belongs together. Digests of 32 bits are 8 hexadecimal digits."""

    format: int
    """of this file"""
    minirram: str
    """version that wrote it"""
    bench: str
    """name of the bench that pulsed and read"""
    chip_id: str
    """of the chip that the program is for"""
    base_state: str
    """digest of what the chip held before"""
    new_state: str
    """digest of what it holds"""
    readback_id: str
    """digest of the conductances that were read back after the last pulse"""
    checked: int
    """cells that the program speaks of"""
    bit_errors: int
    """of these, cells that are not what it says"""
    program: BoundFile
    """the program that ran"""
    readback: BoundFile
    """what the chip was read to conduct, .npy"""
    cells: BoundFile
    """what programming did to each cell, .npz"""
    digital: Optional[BoundFile]
    """digital.json of the run; None: none was there"""
    seal: str = ""
    """SHA-256 of all of the above, as canonical JSON"""

    def sealed(self) -> "Manifest":
        """The same with its seal."""
        return replace(self, seal=self._digest())

    def _digest(self) -> str:
        value = {name: item for name, item in self.to_json().items() if name != "seal"}
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def check_seal(self, path: Path) -> None:
        """DataError when a field was changed since it was written."""
        if self.format != FORMAT or self.seal != self._digest():
            raise DataError(f"{path}: a manifest of format {self.format} whose seal does not fit what it says")


def bind(
    folder: Path,
    *,
    bench: str,
    program: str = "program.xbp",
    readback: str = "readback.npy",
    cells: str = "cells.npz",
    digital: Optional[str],
) -> Manifest:
    """Write `manifest.json` for files of `folder`, named without it. DataError when they do not fit each other."""
    built_program = read_program(os.path.join(folder, program))
    readback_S = read_npy(os.path.join(folder, readback), follow=False)
    found = verify(built_program, readback_S)

    def bound(name: str) -> BoundFile:
        return BoundFile(name, sha256_of(os.path.join(folder, name)))

    made = Manifest(
        format=FORMAT,
        minirram=__version__,
        bench=bench,
        chip_id=f"{built_program.chip_id:08x}",
        base_state=f"{built_program.base_state:08x}",
        new_state=f"{built_program.new_state:08x}",
        readback_id=f"{digests.readback_id(readback_S):08x}",
        checked=found.checked,
        bit_errors=found.bit_errors,
        program=bound(program),
        readback=bound(readback),
        cells=bound(cells),
        digital=None if digital is None else bound(digital),
    ).sealed()
    write_json(os.path.join(folder, NAME), made.to_json())
    return made


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file, its seal and the digests of all files beside it checked.

    DataError that names the first file that is missing, or is not the one that was bound; or a read-back that says
    something else than the manifest.
    """
    made: Manifest = built(Manifest, read_json(path), where=os.fspath(path))
    made.check_seal(path)
    folder = os.path.dirname(os.fspath(path))
    for what in ("program", "readback", "cells", "digital"):
        bound: Optional[BoundFile] = getattr(made, what)
        if bound is None:
            continue
        if os.path.basename(bound.file) != bound.file:
            raise DataError(f"{path}: {what} lies beside the manifest, not at {bound.file!r}")
        if sha256_of(os.path.join(folder, bound.file)) != bound.sha256:
            raise DataError(f"{os.path.join(folder, bound.file)}: not the {what} that {path} binds")
    _check_figures(made, folder, path)
    return made


def _check_figures(made: Manifest, folder: str, path: Path) -> None:
    """DataError unless the files say what the manifest says of them."""
    program = read_program(os.path.join(folder, made.program.file))
    readback_S = read_npy(os.path.join(folder, made.readback.file), follow=False)
    found = verify(program, readback_S)
    said: Dict[str, Any] = {
        "chip_id": f"{program.chip_id:08x}",
        "base_state": f"{program.base_state:08x}",
        "new_state": f"{program.new_state:08x}",
        "readback_id": f"{digests.readback_id(readback_S):08x}",
        "checked": found.checked,
        "bit_errors": found.bit_errors,
    }
    for name, value in said.items():
        if getattr(made, name) != value:
            raise DataError(f"{path}: {name} is {getattr(made, name)}, the files say {value}")
    last_read_S = read_npz(os.path.join(folder, made.cells.file), ["last_read_S"])["last_read_S"]
    if not np.array_equal(last_read_S, readback_S, equal_nan=True):
        raise DataError(f"{path}: the cells were last read to conduct something else than the read-back says")


def manifest_beside(readback: Path, named: Optional[Path] = None) -> Optional[str]:
    """The manifest of a read-back: `named`, else the one in its folder; None where there is none.

    DataError in the folder of a programming that has not come to its manifest: nobody knows yet what the chip is.
    """
    if named is not None:
        return os.fspath(named)
    folder = os.path.dirname(os.fspath(readback))
    path = os.path.join(folder, NAME)
    if os.path.exists(path):
        return path
    if os.path.exists(os.path.join(folder, JOURNAL)):
        raise DataError(
            f"{folder}: a programming that has not ended: no {NAME}. The same bench command goes on; "
            "where it is refused, look at what it says first"
        )
    return None


def check_pair(manifest: Path, *, program: Path, readback: Path) -> Manifest:
    """The manifest, when it binds this program to this read-back, or to these cells; DataError when not."""
    made = read_manifest(manifest)
    if sha256_of(program) != made.program.sha256:
        raise DataError(f"{program}: not the program that {manifest} binds, which is {made.program.file}")
    _check_measured(made, manifest, readback)
    return made


def _check_measured(made: Manifest, path: Path, readback: Path) -> None:
    """DataError unless a file is the read-back, or the cells, of a manifest."""
    if sha256_of(readback) not in (made.readback.sha256, made.cells.sha256):
        raise DataError(f"{readback}: not the read-back that {path} binds, which is {made.readback.file}")


def check_measured(readback: Path, *, chip_id: Optional[int] = None) -> Optional[Manifest]:
    """The manifest beside a read-back or a file of cells; None where there is none.

    DataError when it binds another file, or was made for another chip than `chip_id`.
    """
    path = manifest_beside(readback)
    if path is None:
        return None
    made = read_manifest(path)
    _check_measured(made, path, readback)
    if chip_id is not None and made.chip_id != f"{chip_id:08x}":
        raise DataError(f"{readback}: measured on chip {made.chip_id}, not on {chip_id:08x}")
    return made

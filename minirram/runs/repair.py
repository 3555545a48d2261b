"""The program that takes the chip of a run from any measured state to its masks."""

import os
from dataclasses import dataclass
from typing import Dict, Optional, Tuple, Union

import numpy as np

from ..chip.cell_results import CellResults
from ..device.thresholds import thresholds
from ..errors import DataError
from ..files import atomic_writer, read_npy
from ..json_codec import Result
from ..programming import repair as repairing
from ..programming.build import pulse_counts
from ..programming.manifest import check_measured
from ..programming.results import WrongCell
from ..xbp import codec, digests
from .export import build_program
from .folder import RunFolder

Path = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Repaired(Result):
    """What was written."""

    file: Optional[str]
    """path of the program; None: no cell needs a pulse"""
    bytes: Optional[int]
    """its size"""
    chip_id: str
    """of the chip that it is for"""
    readback_id: str
    """digest of the read-back that it was made from"""
    new_state: str
    """digest of what it leaves: that of the run's masks"""
    cells: int
    """cells that it may pulse"""
    pulses: Dict[str, int]
    """cells of its passes, by kind; each pass reads first"""
    hopeless: Tuple[WrongCell, ...]
    """cells that no program brings there: "not read", or "never formed\""""


def repair(folder: Path, readback: Path, out: Optional[Path] = None) -> Repaired:
    """Write the program (default repair.xbp in the folder) for the chip of a run as `readback` found it.

    readback: .npy, float siemens (macros, rows, cols) or (rows, cols); or the .npz of cell results. The program
    fits this read-back alone. DataError for a map of another chip.
    """
    run = RunFolder.open(folder)
    chip, model, masks = run.load_trained()
    whole, _ = build_program(run.config, chip, model=model, masks=masks, code_bits=0)
    check_measured(readback, chip_id=whole.chip_id)
    readback_S = read_conductances(readback)
    if readback_S.ndim == 2:
        readback_S = readback_S[np.newaxis]
    shape = (whole.macros, whole.rows, whole.cols)
    if readback_S.shape != shape:
        raise DataError(f"{readback}: a map of {readback_S.shape} cells, the chip of {run.folder} has {shape}")
    cell = run.config.cell_model
    formable = chip.physical(chip.formed_S()) >= thresholds(cell).on_min_S
    border_S = float(np.sqrt(cell.pristine_S * cell.hrs_spread()[0]))
    made = repairing.repair(whole, readback_S, formable=formable, pristine_max_S=border_S)
    path, size = None, None
    if made.program is not None:
        data = codec.write(made.program)
        path, size = os.fspath(out) if out is not None else run.path("repair.xbp"), len(data)
        with atomic_writer(path) as handle:
            handle.write(data)
    touched = [] if made.program is None else [np.any([c for _, c in t.passes], axis=0) for t in made.program.tiles]
    return Repaired(
        file=path,
        bytes=size,
        chip_id=f"{whole.chip_id:08x}",
        readback_id=f"{digests.readback_id(readback_S):08x}",
        new_state=f"{whole.new_state:08x}",
        cells=int(sum(np.count_nonzero(cells) for cells in touched)),
        pulses={} if made.program is None else pulse_counts(made.program),
        hopeless=tuple(WrongCell(*place) for place in made.hopeless),
    )


def read_conductances(path: Path) -> np.ndarray:
    """The map of a read-back: .npy, or the last reads in a file of cell results; DataError for anything else."""
    if os.fspath(path).endswith(".npz"):
        return CellResults.load(path).last_read_S
    found = read_npy(path)
    if found.dtype.kind != "f":
        raise DataError(f"{path}: expected floats in siemens")
    return found.astype(np.float64)

"""What programming did to each cell: its pulses, what it was last read to conduct, how it failed."""

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from ..errors import DataError, ShapeError
from ..files import Path, read_npz, write_npz

FAILURES = ("", "stuck_on", "stuck_off", "not_read")
"""kinds of failure by their number in `failure`: none, never off, never on, no value"""
_KINDS = {"pulses": "u", "last_read_S": "f", "failure": "u", "interrupted": "b"}


@dataclass(frozen=True)
class CellResults:
    """Maps by physical numbers, each (macros, rows, cols)."""

    pulses: np.ndarray
    """uint32: pulses that are known to have been given"""
    last_read_S: np.ndarray
    """float64 siemens, NaN where not read"""
    failure: np.ndarray
    """uint8: index into FAILURES"""
    interrupted: np.ndarray
    """bool: a stop came while the cell was pulsed; it may have got pulses that are not counted"""

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            array = getattr(self, name)
            if array.ndim != 3 or array.shape != self.pulses.shape or array.dtype.kind != kind:
                raise ShapeError(f"{name} is {array.dtype} {array.shape}; all maps are (macros, rows, cols)")
        if self.failure.max(initial=0) >= len(FAILURES):
            raise DataError(f"a failure of kind {self.failure.max()}; known are 0..{len(FAILURES) - 1}")

    @classmethod
    def load(cls, path: Path) -> "CellResults":
        """What `save` wrote; DataError when it is something else."""
        arrays = read_npz(path)
        missing = [name for name in _KINDS if name not in arrays]
        if missing:
            raise DataError(f"{path}: not a file of cell results, it lacks {', '.join(missing)}")
        try:
            return cls(**{name: arrays[name] for name in _KINDS})
        except (ShapeError, DataError) as error:
            raise DataError(f"{path}: {error}") from None

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        write_npz(path, {name: getattr(self, name) for name in _KINDS})

    def failed(self) -> Tuple[Tuple[int, int, int, str], ...]:
        """(macro, row, column, kind of failure) of every cell that failed, in order."""
        places = np.argwhere(self.failure > 0).tolist()
        return tuple((m, r, c, FAILURES[int(self.failure[m, r, c])]) for m, r, c in places)

    def stuck(self) -> Tuple[Tuple[int, int, int, bool], ...]:
        """(macro, row, column, conducts) of the cells that answer to no pulse: what `Chip.stick` takes."""
        found = self.failed()
        return tuple((m, r, c, why == "stuck_on") for m, r, c, why in found if why.startswith("stuck"))

"""What belongs together in a call of a product: a region of an array, and how it is read."""

from dataclasses import dataclass
from typing import Optional, Tuple

from ..errors import ConfigError
from .converters import ColumnErrors
from .read_noise import ReadNoise
from .wires import Wires


@dataclass(frozen=True)
class Region:
    """A rectangle of whole pairs in an array: slices with a start and a stop, without a step."""

    rows: slice
    """rows (input lines)"""
    cols: slice
    """columns of cells, G+ and G- interleaved: from an even one to before an even one"""

    def __post_init__(self) -> None:
        for lines in (self.rows, self.cols):
            bounded = isinstance(lines.start, int) and isinstance(lines.stop, int) and lines.step is None
            if not bounded or not 0 <= lines.start < lines.stop:
                raise ConfigError(f"rows {self.rows} and cols {self.cols} are no region: slices from a start to a stop")
        if self.cols.start % 2 or self.cols.stop % 2:
            raise ConfigError(f"cols {self.cols} are no region: they cut a pair of columns")

    def __hash__(self) -> int:
        return hash((self.rows.start, self.rows.stop, self.cols.start, self.cols.stop))

    @property
    def shape(self) -> Tuple[int, int]:
        """(rows, columns of cells)."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start


@dataclass(frozen=True)
class Reading:
    """What a product adds to the cells; None: nothing."""

    noise: Optional[ReadNoise] = None
    """random numbers of the read noise, from `Macro.read_noise`; it counts the samples read"""
    errors: Optional[ColumnErrors] = None
    """static errors of the converters"""
    wires: Optional[Wires] = None
    """lines that drop voltage"""


IDEAL = Reading()
